"""Frames of IEC 60870-5-104: the ones that the standard prints, and what is none."""

from __future__ import annotations

import pytest

from cosem.errors import DecodeError
from cosem.gateway.northbound.iec104.apdu import (
    Asdu,
    Frame,
    FrameReader,
    Function,
    Information,
    Supervisory,
    Unnumbered,
)

INTERROGATION = bytes.fromhex("680e0000000064010600010000000014")
"""A station interrogation of common address 1, as it is printed in many a manual."""


@pytest.mark.parametrize(
    ("octets", "frame"),
    [
        ("680407000000", Unnumbered(Function.STARTDT_ACT)),
        ("68040b000000", Unnumbered(Function.STARTDT_CON)),
        ("680413000000", Unnumbered(Function.STOPDT_ACT)),
        ("680423000000", Unnumbered(Function.STOPDT_CON)),
        ("680443000000", Unnumbered(Function.TESTFR_ACT)),
        ("680483000000", Unnumbered(Function.TESTFR_CON)),
        ("680401000a00", Supervisory(5)),
        ("68040100feff", Supervisory(32767)),
        ("680e0400060064010600010000000014", Information(2, 3, bytes.fromhex("64010600010000000014"))),
    ],
)
def test_frames(octets: str, frame: Frame) -> None:
    assert FrameReader().take(bytes.fromhex(octets)) == [frame]
    assert frame.encode().hex() == octets


def test_frames_in_pieces() -> None:
    reader = FrameReader()
    stream = INTERROGATION + bytes.fromhex("680401000200") + INTERROGATION
    found = [frame for octet in stream for frame in reader.take(bytes([octet]))]
    assert len(found) == 3
    assert found[0] == found[2]


@pytest.mark.parametrize("octets", ["69", "6803000000", "68fe", "680401"])
def test_what_begins_no_frame(octets: str) -> None:
    reader = FrameReader()
    if octets == "680401":
        assert reader.take(bytes.fromhex(octets)) == []
        return
    with pytest.raises(DecodeError):
        reader.take(bytes.fromhex(octets) + bytes(2))


@pytest.mark.parametrize(
    "octets",
    [
        "680402000000",  # a numbered frame without an ASDU
        "6809000000006401060001",  # … whose header is not whole
        "680f0000010064010600010000000014 00",  # an odd receive number
        "68050100000000",  # an acknowledgement with more
        "680403000000",  # no function
        "680447000000",  # two at once
    ],
)
def test_what_is_no_frame(octets: str) -> None:
    with pytest.raises(DecodeError):
        FrameReader().take(bytes.fromhex(octets))


def test_a_data_unit() -> None:
    asdu = Asdu.decode(bytes.fromhex("2d01c607010030000001"))
    assert (asdu.type_id, asdu.count, asdu.cause, asdu.originator, asdu.common_address) == (45, 1, 6, 7, 1)
    assert (asdu.negative, asdu.test, asdu.sequence, asdu.address) == (True, True, False, 48)
    assert asdu.encode().hex() == "2d01c607010030000001"
    assert asdu.answered(7).encode().hex() == "2d018707010030000001"
