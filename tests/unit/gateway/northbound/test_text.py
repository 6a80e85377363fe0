"""Samples as JSON, and the texts of commands."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from cosem.gateway.northbound.text import LONGEST, as_json, commanded, plain_text, sample_json, words
from cosem.gateway.value import NumberType, Plain, Quality, Sample

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def test_words() -> None:
    assert words(Quality.GOOD) == ("good",)
    assert words(Quality.INVALID | Quality.NOT_TOPICAL) == ("not topical", "invalid")
    assert {each for quality in Quality for each in words(quality)} == {
        *("overflow", "substituted", "not topical", "invalid")
    }


@pytest.mark.parametrize(
    ("value", "text", "json_text"),
    [
        (None, "", "null"),
        (True, "1", "true"),
        (12, "12", "12"),
        (Decimal("0.10"), "0.10", "0.10"),
        (Decimal("1E+3"), "1E+3", "1E+3"),
        (Decimal("NaN"), "NaN", "null"),
        (1.5, "1.5", "1.5"),
        (float("inf"), "inf", "null"),
        ("grün", "grün", '"grün"'),
        (b"\x01\xff", "01ff", '"01ff"'),
        (NOON, "2026-11-26T12:00:00+00:00", '"2026-11-26T12:00:00+00:00"'),
    ],
)
def test_values(value: Plain, text: str, json_text: str) -> None:
    assert plain_text(value) == text
    assert as_json(value) == json_text


def test_a_sample() -> None:
    told = sample_json(Sample("energy", Decimal("1.20"), Quality.OVERFLOW, None, NOON, "°C", True), signal="energy")
    assert '"value":1.20,' in told
    assert json.loads(told) == {
        "signal": "energy",
        "value": 1.2,
        "unit": "°C",
        "quality": ["overflow"],
        "source_time": None,
        "gateway_time": "2026-11-26T12:00:00+00:00",
        "backfilled": True,
    }


@pytest.mark.parametrize(
    ("octets", "kind", "value"),
    [
        ("on", NumberType.DIGITAL, True),
        ("False", NumberType.DIGITAL, False),
        ('{"value": true}', NumberType.DIGITAL, True),
        ("-32768", NumberType.SIGNED16, -32768),
        ("32767", NumberType.SIGNED16, 32767),
        ("65535", NumberType.UNSIGNED16, 65535),
        ("-2147483648", NumberType.SIGNED32, -(2**31)),
        ("4294967295", NumberType.UNSIGNED32, 2**32 - 1),
        ("9223372036854775807", NumberType.SIGNED64, 2**63 - 1),
        ("18446744073709551615", NumberType.UNSIGNED64, 2**64 - 1),
        ('{"value": 0.1}', NumberType.DOUBLE, Decimal("0.1")),
        ("1.25", NumberType.FLOAT, Decimal("1.25")),
        ("-3.4028234e38", NumberType.FLOAT, Decimal("-3.4028234e38")),
        ("0101", NumberType.BITSTRING, "0101"),
        ("007", NumberType.TEXT, "007"),
        ('"so"', NumberType.TEXT, "so"),
        ("2026-11-26T12:00:00+00:00", NumberType.TIME, NOON),
        ("x" * LONGEST, NumberType.TEXT, "x" * LONGEST),
    ],
)
def test_commands(octets: str, kind: NumberType, value: Plain) -> None:
    assert commanded(octets.encode(), kind) == value


@pytest.mark.parametrize(
    ("octets", "kind"),
    [
        (b"perhaps", NumberType.DIGITAL),
        (b"32768", NumberType.SIGNED16),
        (b"-32769", NumberType.SIGNED16),
        (b"65536", NumberType.UNSIGNED16),
        (b"-1", NumberType.UNSIGNED16),
        (b"2147483648", NumberType.SIGNED32),
        (b"4294967296", NumberType.UNSIGNED32),
        (b"9223372036854775808", NumberType.SIGNED64),
        (b"18446744073709551616", NumberType.UNSIGNED64),
        (b"1.5", NumberType.UNSIGNED16),
        (b"NaN", NumberType.DOUBLE),
        (b"Infinity", NumberType.FLOAT),
        (b"3.5e38", NumberType.FLOAT),
        (b"1.8e308", NumberType.DOUBLE),
        (b"", NumberType.FLOAT),
        (b"012", NumberType.BITSTRING),
        (b"", NumberType.BITSTRING),
        (b"2026-11-26T12:00:00", NumberType.TIME),
        (b"yesterday", NumberType.TIME),
        (b'{"val": 5}', NumberType.TEXT),
        (b'{"value": [5]}', NumberType.TEXT),
        (b'{"value": null}', NumberType.TEXT),
        (b'{"value": ', NumberType.TEXT),
        (b"\xff", NumberType.TEXT),
        (b"x" * (LONGEST + 1), NumberType.TEXT),
    ],
)
def test_commands_that_cannot_be(octets: bytes, kind: NumberType) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        commanded(octets, kind)
    assert len(str(refused.value)) < 200


def test_every_type_can_be_commanded() -> None:
    samples: dict[NumberType, Any] = {NumberType.TIME: NOON.isoformat(), NumberType.TEXT: "1"}
    for kind in NumberType:
        assert commanded(str(samples.get(kind, "1")).encode(), kind) is not None
