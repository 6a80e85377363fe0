"""What went over the line of a device: kept within bounds, decoded, and without its secrets."""

from __future__ import annotations

from typing import Literal

import pytest

from cosem.gateway.config import Device, DlmsParameters, DriverName
from cosem.gateway.config.reference import Reference
from cosem.gateway.frames import KEPT, KEPT_OCTETS, Decoded, Kept, masked, tapped
from cosem.io.capture import TraceEntry

AARQ = bytes.fromhex(
    "6036A1090607608574050801018A0207808B0760857405080201AC0A80083132333435363738BE10040E01000000065F1F0400001E1DFFFF"
)
"""An association request with the password 12345678, in clear as low level security has it."""


def kept(password: str | None = "12345678") -> Kept:
    parameters = DlmsParameters(password=None if password is None else Reference(password))
    return Kept(Device(alias="house", name="House", driver=DriverName.DLMS, parameters=parameters))


def heard(ring: Kept, direction: Literal["TX", "RX"], *octets: bytes) -> None:
    for each in octets:
        ring(TraceEntry(direction, each, "09:35:09.123"))


def texts(found: Decoded) -> str:
    return "\n".join((found.octets, found.summary, *found.lines))


def test_a_frame_is_shown_with_what_it_is() -> None:
    ring = kept()
    heard(ring, "TX", bytes.fromhex("7EA00802212193 05D17E"))
    (found,) = ring.decoded()
    assert (found.direction, found.time, found.summary) == ("TX", "09:35:09.123", "SNRM P/F, 16 to 1/16")
    assert found.octets == "7E A0 08 02 21 21 93 05 D1 7E"
    assert any("control: SNRM P/F" in line for line in found.lines)
    assert ring.octets == {"TX": 10, "RX": 0}


def test_what_one_side_says_is_one_piece_until_the_other_speaks() -> None:
    ring = kept()
    heard(ring, "TX", b"/?!\r\n")
    heard(ring, "RX", b"/KF", b"M5ME", b"T\r\n")
    heard(ring, "TX", b"\x06050\r\n")
    assert [each.summary for each in ring.decoded()] == ["/?!␍␊", "/KFM5MET␍␊", "␆050␍␊"]


@pytest.mark.parametrize("text", ["53 45 43 52 45 54", "534543524554", "SECRET"])
def test_a_secret_is_masked_in_a_text(text: str) -> None:
    assert masked(f"a {text} b", [b"SECRET"]) == f"a {'*' * len(text)} b"


@pytest.mark.parametrize("at", range(len(AARQ) + 1))
def test_a_password_is_shown_nowhere_however_it_arrived(at: int) -> None:
    ring = kept()
    heard(ring, "TX", AARQ)
    heard(ring, "RX", AARQ[:at], AARQ[at:])  # as an echo that two reads brought
    sent, echoed = ring.decoded()
    for found in (sent, echoed):
        assert "aarq" in texts(found)
        assert found.octets.count("**") == 8
        for shown in ("12345678", "3132333435363738", "31 32 33 34"):
            assert shown not in texts(found)


def test_a_password_in_characters_is_masked() -> None:
    ring = kept()
    heard(ring, "TX", b"\x01P1\x02(12345678)\x03")
    (found,) = ring.decoded()
    assert found.summary == "␁P1␂(********)␃"
    assert "12345678" not in texts(found)
    assert "31 32" not in found.octets


def test_who_has_no_password_hides_nothing() -> None:
    ring = kept(None)
    heard(ring, "TX", AARQ)
    assert "**" not in ring.decoded()[0].octets


@pytest.mark.parametrize(("pieces", "first"), [(KEPT, 0), (KEPT + 1, 1)])
def test_so_many_pieces_are_kept(pieces: int, first: int) -> None:
    ring = kept()
    for number in range(pieces):
        heard(ring, "TX" if number % 2 == 0 else "RX", f"{number}".encode())
    found = ring.decoded()
    assert (len(found), found[0].summary, found[-1].summary) == (KEPT, f"{first}", f"{pieces - 1}")


@pytest.mark.parametrize(("size", "pieces"), [(KEPT_OCTETS - 1, 2), (KEPT_OCTETS, 1)])
def test_so_many_octets_are_kept(size: int, pieces: int) -> None:
    ring = kept()
    heard(ring, "RX", b"a" * size)
    heard(ring, "TX", b"b")
    assert len(ring.decoded()) == pieces


def test_a_piece_without_end_is_cut_off() -> None:
    ring = kept()
    heard(ring, "RX", *(b"a" * 4096 for _ in range(10)))
    (found,) = ring.decoded()
    assert (len(found.summary), ring.octets["RX"]) == (KEPT_OCTETS, 40_960)


def test_where_nobody_wants_to_know_the_usual_way_is_taken() -> None:
    assert tapped([]) is None
