"""What a line carries is told by frames and checks: real telegrams in any pieces, and noise that is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosem.protocol.profile.overheard import GAP, LONGEST, Overheard

SNRM = bytes.fromhex("7EA0070321930F017E")
TELEGRAMS = [
    (SNRM, "HDLC frame"),
    (b"/?!\r\n", "IEC 62056-21 sign-on"),
    (b"/EMH4\\@01LZQJL0013F\r\n", "IEC 62056-21 identification"),
    (bytes.fromhex("AF3F218D0A"), "IEC 62056-21 sign-on, 7E1 read as 8N1"),
    (b"!EF2F\r\n", "P1 end of telegram"),
    (bytes.fromhex("1B1B1B1B01010101"), "SML escape and start"),
    (bytes.fromhex("1B1B1B1B1A03C6CA"), "SML escape and end"),
    (bytes.fromhex("105BFE5916"), "M-Bus short frame"),
    (bytes.fromhex("6803036853FE50A116"), "M-Bus long frame"),
]
"""The public examples of each; the M-Bus ones are the request of data and the selection of an application."""


@pytest.mark.parametrize(("octets", "name"), TELEGRAMS)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_recognised_in_any_pieces_between_noise(octets: bytes, name: str, size: int) -> None:
    line = b"\x00\xfe~" + octets + b"\x05\x07"
    overheard = Overheard()
    known = [each for at in range(0, len(line), size) for each in overheard.receive(line[at : at + size], 0.0)]
    assert [each.name for each in known] == [name]
    assert line[known[0].start : known[0].end] == octets
    assert overheard.counters == {name: 1}
    assert overheard.quality.octets == len(line)
    assert 5 <= overheard.quality.unknown <= 6


def test_frames_that_share_a_flag() -> None:
    overheard = Overheard()
    overheard.receive(SNRM + SNRM[1:] + SNRM[1:], 0.0)
    assert overheard.counters == {"HDLC frame": 3}


def test_a_wrong_check_is_no_telegram() -> None:
    overheard = Overheard()
    overheard.receive(SNRM[:-2] + b"\x00\x7e" + bytes.fromhex("105BFE5A16") + bytes.fromhex("6803036853FE50A216"), 0.0)
    assert not overheard.counters


@pytest.mark.parametrize(("silence", "gaps"), [(GAP, 0), (GAP + 0.001, 1)])
def test_silences_are_counted(silence: float, gaps: int) -> None:
    overheard = Overheard()
    overheard.receive(b"a", 10.0)
    overheard.receive(b"b", 10.0 + silence)
    assert overheard.quality.gaps == gaps


def test_7e1_read_as_8n1_is_suspected() -> None:
    overheard = Overheard()
    overheard.receive(bytes.fromhex("AF3F218D0A") * 4, 0.0)
    assert overheard.looks_like_parity()
    overheard.receive(b"\x01", 0.0)
    assert not overheard.looks_like_parity()
    plain = Overheard()
    plain.receive(b"\x00" * 20, 0.0)
    assert not plain.looks_like_parity(), "zeros have no eighth bit that would tell"


@given(st.lists(st.binary(max_size=400), max_size=20))
def test_any_octets_are_bounded(pieces: list[bytes]) -> None:
    overheard = Overheard()
    for piece in pieces:
        overheard.receive(b"~\xa7" + piece, 0.0)
        assert len(overheard._buffer) <= LONGEST
        assert 0 <= overheard.quality.unknown <= overheard.quality.octets
