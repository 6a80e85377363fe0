"""The TIC output of a simulated meter: what its frames tell, and in which form."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cosem import Meter, Register, Unit
from cosem.client.follow import follow_async
from cosem.errors import ConfigurationError
from cosem.meter.tic import DIGITS, TicPort, frame_of
from cosem.protocol.iec21.tic import Frame, Mode, frames

VECTORS = Path(__file__).parents[2] / "vectors" / "tic.jsonl"
SUMMER = datetime(2024, 7, 12, 10, 0, 0, tzinfo=UTC)


def described() -> Meter:
    meter = Meter("KFM1020012345678", zone=ZoneInfo("Europe/Paris"), clock=lambda: SUMMER)
    meter.add(Register("1.0.1.8.0.255"), value=12_345, scaler_unit=(3, Unit.WATT_HOUR))
    meter.add(Register("1.0.31.7.0.255"), value=1199, scaler_unit=(-2, Unit.AMPERE))
    meter.add(Register("1.0.9.7.0.255"), value=2390, scaler_unit=(0, Unit.VOLT_AMPERE))
    return meter


def one(octets: bytes) -> Frame:
    (event,) = frames(octets)
    assert isinstance(event, Frame)
    assert event.complete
    assert all(group.error is None for group in event.groups)
    return event


def test_a_frame_in_historique_mode() -> None:
    found = one(frame_of(described()))
    assert [(group.label, group.data) for group in found.groups] == [
        ("ADCO", "020012345678"),
        ("OPTARIF", "BASE"),
        ("BASE", "012345000"),
        ("IINST", "011"),
        ("PAPP", "02390"),
        ("MOTDETAT", "000000"),
    ]
    # The checksums of the same groups in the capture hekmon/linkytic historic_capture.hex.
    assert {b"IINST 011 Y", b"PAPP 02390 /", b"OPTARIF BASE 0", b"MOTDETAT 000000 B"} <= {
        group.octets for group in found.groups
    }


def test_a_frame_in_standard_mode() -> None:
    found = one(frame_of(described(), Mode.STANDARD))
    assert [(group.label, group.time, group.data) for group in found.groups] == [
        ("ADSC", None, "020012345678"),
        ("VTIC", None, "02"),
        ("DATE", "E240712120000", ""),
        ("EAST", None, "012345000"),
        ("IRMS1", None, "011"),
        ("SINSTS", None, "02390"),
    ]


def test_numbers_have_as_many_digits_as_real_meters_send() -> None:
    captured = [frames(json.loads(line)["text"].encode("latin-1")) for line in VECTORS.read_text("utf-8").splitlines()]
    sent = {
        group.label: len(group.data)
        for events in captured
        for event in events
        if isinstance(event, Frame)
        for group in event.groups
        if group.error is None
    }
    ours = {**DIGITS[Mode.HISTORIQUE], **DIGITS[Mode.STANDARD]}
    common = ours.keys() & sent.keys()
    assert {"BASE", "IINST", "PAPP", "EAST", "EAIT", "IRMS1", "URMS1", "SINSTS"} <= common
    assert {label: ours[label] for label in common} == {label: sent[label] for label in common}


@pytest.mark.parametrize("mode", list(Mode))
def test_it_is_followed_over_tcp(mode: Mode) -> None:
    async def scenario() -> Frame:
        port = TicPort(described(), "tic+tcp://127.0.0.1:0", mode=mode, interval=0.05)
        async with port, aclosing(follow_async(port.url)) as heard:
            async for each in heard:
                if isinstance(each, Frame):
                    return each
        raise AssertionError("no frame")

    assert asyncio.run(scenario()).mode is mode


def test_it_is_served_where_lines_are() -> None:
    with pytest.raises(ConfigurationError, match="served on tic\\+tcp and tic\\+serial"):
        TicPort(described(), "p1+tcp://127.0.0.1:0")
