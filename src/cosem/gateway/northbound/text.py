"""Samples as JSON, qualities as words, and the texts of commands: what MQTT, HTTP and files have in common."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from types import MappingProxyType
from typing import Any, Final, cast

from cosem.gateway.northbound import Point
from cosem.gateway.value import NumberType, Plain, Quality, Sample, number_of

LONGEST: Final = 4096
"""Octets of a command."""


@cache
def words(quality: Quality) -> tuple[str, ...]:
    """Return what is against a value, in words; `good` when nothing is."""
    against = tuple(each.name.lower().replace("_", " ") for each in Quality if each.name and each in quality)
    return against or ("good",)


def as_json(value: Plain) -> str:
    """Return a value as JSON: numbers with all their digits, times by ISO 8601, octets in hexadecimal."""
    if isinstance(value, Decimal):
        return str(value) if value.is_finite() else "null"
    if isinstance(value, float):
        return repr(value) if -float("inf") < value < float("inf") else "null"
    if isinstance(value, (bytes, datetime)):
        return json.dumps(plain_text(value))
    return json.dumps(value, ensure_ascii=False)


def plain_text(value: Plain) -> str:
    """Return a value as text; "" for none."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return value.isoformat()
    return "" if value is None else str(value)


def point_fields(point: Point) -> dict[str, object]:
    """Return a point for JSON."""
    return {
        "signal": point.signal,
        "device": point.device,
        "name": point.name,
        "type": point.number_type.value,
        "unit": point.unit,
        "writable": point.writable,
    }


def sample_json(sample: Sample, **before: str) -> str:
    """Return a sample as an object of JSON, with some texts in front."""
    source = None if sample.source_time is None else sample.source_time.isoformat()
    fields = {
        **{name: json.dumps(text, ensure_ascii=False) for name, text in before.items()},
        "value": as_json(sample.value),
        "unit": json.dumps(sample.unit, ensure_ascii=False),
        "quality": json.dumps(words(sample.quality)),
        "source_time": json.dumps(source),
        "gateway_time": json.dumps(sample.gateway_time.isoformat()),
        **({"backfilled": "true"} if sample.backfilled else {}),
    }
    return "{" + ",".join(f'"{name}":{text}' for name, text in fields.items()) + "}"


def commanded(octets: bytes, number_type: NumberType) -> Plain:
    """Return the value that a command asks for: a text, or JSON as `{"value": 5}`.

    Raises ValueError, with the reason, for what cannot be of the type.
    """
    if len(octets) > LONGEST:
        raise ValueError(f"{len(octets)} octets are more than {LONGEST}")
    text = octets.decode()
    if text[:1] in ("{", '"'):
        found = json.loads(text, parse_float=Decimal)
        value: object = cast("dict[str, Any]", found).get("value") if isinstance(found, dict) else found
        if not isinstance(value, (str, bool, int, Decimal)):
            raise ValueError('no "value" with a number, a text, true or false')
        text = json.dumps(value) if isinstance(value, bool) else str(value)
    try:
        return _READ[number_type](text)
    except (ArithmeticError, KeyError, ValueError):
        raise ValueError(f"{text:.40} is no value of {number_type.value}") from None


_SWITCH: Final[Mapping[str, bool]] = MappingProxyType(
    {"1": True, "true": True, "on": True, "0": False, "false": False, "off": False}
)


def _number(kind: NumberType) -> Callable[[str], Plain]:
    def read(text: str) -> Plain:
        number = number_of(int(text) if kind.whole else Decimal(text.strip()))
        if number is None or kind.carried(number)[1]:
            raise ValueError
        return number

    return read


def _bits(text: str) -> Plain:
    if not text or text.strip("01"):
        raise ValueError
    return text


def _time(text: str) -> Plain:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError
    return moment


_READ: Final[Mapping[NumberType, Callable[[str], Plain]]] = MappingProxyType(
    {
        NumberType.DIGITAL: lambda text: _SWITCH[text.strip().lower()],
        **{kind: _number(kind) for kind in NumberType if kind.bounds is not None},
        NumberType.BITSTRING: _bits,
        NumberType.TEXT: str,
        NumberType.TIME: _time,
    }
)
"""What a text is in each type."""
