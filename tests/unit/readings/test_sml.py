"""SML through the package pysml: a telegram as optical heads see it, noise, damage, and what would have no bound."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from cosem.errors import ConfigurationError, DecodeError, RemoteProtocolError
from cosem.protocol.iec21 import Discarded
from cosem.protocol.values.quantity import Quantity
from cosem.protocol.values.units import Unit
from cosem.readings.reading import Source
from cosem.readings.sml import SmlEvent, SmlReader, SmlSettings, SmlTelegram, decode, lines, readings

ROOT = Path(__file__).resolve().parents[3]
(CASE,) = [json.loads(line) for line in (ROOT / "tests/vectors/sml.jsonl").read_text("utf-8").splitlines()]
OCTETS = bytes.fromhex(CASE["hex"])
NOW = datetime(2024, 1, 1, tzinfo=UTC)
START = OCTETS[:8]


def heard(
    octets: bytes, cut: int | None = None, settings: SmlSettings | None = None
) -> tuple[list[SmlEvent], SmlReader]:
    reader = SmlReader(settings)
    events: list[SmlEvent] = []
    step = cut or len(octets) or 1
    for start in range(0, len(octets), step):
        reader.receive(octets[start : start + step], 0.0)
        events += reader.events()
    reader.finish()
    return events + reader.events(), reader


def sealed(messages: bytes) -> bytes:
    """Return messages as a telegram with a right check."""
    padding = -len(messages) % 4
    octets = START + messages + bytes(padding) + b"\x1b\x1b\x1b\x1b\x1a" + bytes((padding,))
    crc = 0xFFFF
    for octet in octets:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)
    return octets + (crc ^ 0xFFFF).to_bytes(2, "little")


def test_what_the_source_states() -> None:
    found = {str(each.obis): each for each in readings(decode(OCTETS), NOW)}
    for obis, (value, unit) in CASE["expected"].items():
        assert found[obis].quantity == Quantity(Decimal(value), Unit.parse(unit))
    assert {each.meter for each in found.values()} == {"1 EMH00 1234 5678"}
    assert {(each.time, each.source) for each in found.values()} == {(NOW, Source.PUSHED)}
    assert {each.meter for each in readings(decode(OCTETS), NOW, "cellar")} == {"cellar"}
    energy = next(line for line in lines(decode(OCTETS), NOW) if line.code == "1-0:1.8.0*255")
    assert (energy.text, str(energy.quantity), energy.fault) == ("4404866.4", "4404866.4 Wh", None)


@pytest.mark.parametrize("cut", [1, 7, 64, 1000])
def test_any_cutting_and_noise_between(cut: int) -> None:
    events, reader = heard(b"\x1b\x1b\x1b" + OCTETS + b"\x1b\x1bnoise" + OCTETS, cut)
    assert [type(event) for event in events] == [SmlTelegram, SmlTelegram]
    assert reader.counters == {"telegrams": 2, "octets_skipped": 10}
    assert reader.outgoing() == b""


def test_joining_in_the_middle_and_another_beginning() -> None:
    events, _ = heard(OCTETS[100:] + OCTETS[:120] + OCTETS)
    assert [type(event) for event in events] == [Discarded, SmlTelegram]


def test_truncated_at_every_length() -> None:
    for size in range(len(OCTETS)):
        events, _ = heard(OCTETS[:size])
        assert all(isinstance(event, Discarded) for event in events)


def test_every_octet_counts() -> None:
    for at in range(8, len(OCTETS)):
        octets = bytearray(OCTETS)
        octets[at] ^= 0x11
        assert all(isinstance(event, Discarded) for event in heard(bytes(octets))[0])


def test_silence_ends_a_telegram() -> None:
    reader = SmlReader()
    reader.receive(OCTETS[:100], 10.0)
    assert reader.deadline() == 12.0
    reader.tick(11.0)
    assert reader.events() == []
    reader.tick(12.0)
    (event,) = reader.events()
    assert isinstance(event, Discarded) and isinstance(event.error, RemoteProtocolError)
    assert reader.deadline() is None


def test_telegram_at_the_limit_and_one_octet_over() -> None:
    for limit, kind in ((len(OCTETS), SmlTelegram), (len(OCTETS) - 1, Discarded)):
        assert isinstance(heard(OCTETS, None, SmlSettings(limit))[0][0], kind)
    events, _ = heard(START + bytes(10_000), None, SmlSettings(100))
    assert [len(each.octets) for each in events] == [100]
    with pytest.raises(ConfigurationError):
        SmlSettings(63)


HEAD = bytes.fromhex("76050077 01bf 6200 6200 72 630701 77 01 0b0a01454d480000bc614e 01 01".replace(" ", ""))


@pytest.mark.parametrize(
    "messages",
    [
        b"\x71" * 3000,
        b"\x72" * 3000,
        b"\x76",
        b"\x8f\x8f\x8f\x0f",
        bytes(40),
        b"\xd9\x0e" + bytes(3000),  # a number of thousands of octets
        HEAD
        + bytes.fromhex(
            "7177070100010800ff0101621e 557fffffff 6901".replace(" ", "")
        ),  # 10 to the two thousand millionth
        b"\x42\x01",
    ],
)
def test_what_would_have_no_bound_is_refused(messages: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(sealed(messages))


def test_escape_within() -> None:
    events, _ = heard(START + b"\x1b\x1b\x1b\x1b" * 2 + bytes(4) + b"\x1b\x1b\x1b\x1b\x1a\0\0\0")
    assert [type(each) for each in events] == [Discarded]
    events, _ = heard(START + b"\x1b\x1b\x1b\x1b\x99\x99\x99\x99" + OCTETS)
    assert [type(each) for each in events] == [Discarded, SmlTelegram]


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sml", None)
    with pytest.raises(ConfigurationError, match="cosem\\[sml\\]"):
        SmlReader()
    with pytest.raises(ConfigurationError):
        decode(OCTETS)
