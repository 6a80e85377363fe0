"""What went over the line of a device: kept within bounds, decoded, and without its secrets."""

from __future__ import annotations

from typing import Literal

import pytest

from cosem.gateway.config import Device, DlmsParameters, DriverName
from cosem.gateway.config.reference import Reference
from cosem.gateway.frames import KEPT, KEPT_OCTETS, Decoded, Kept, masked, tapped
from cosem.io.capture import TraceEntry

KEYS = ("encryption_key", "authentication_key", "master_key")
AARQ = bytes.fromhex(
    "6036A1090607608574050801018A0207808B0760857405080201AC0A80083132333435363738BE10040E01000000065F1F0400001E1DFFFF"
)
"""An association request with the password 12345678, in clear as low level security has it."""


def kept(password: str | None = "12345678", **references: str) -> Kept:
    given = {name: Reference(text) for name, text in references.items()}
    parameters = DlmsParameters(password=None if password is None else Reference(password), **given)  # type: ignore[arg-type]
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


PASSWORDS = (
    'it\'s \\ "one"',  # as a text in quotes is written in another way
    "p" * 40,  # too long to be shown in full
    "\x07\xea\x0b\x1a\x04\x0c\x00\x00\x00\x00\x00\x00",  # a date and time
)


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_that_is_shown_in_another_way_is_masked_too(password: str) -> None:
    octets = password.encode("latin-1")
    write = bytes.fromhex("C101C1000F0000280000FF0700 09") + bytes([len(octets)]) + octets
    for secret, tells in (("elsewhere", True), (f"0x{octets.hex()}", False)):
        ring = kept(secret)
        heard(ring, "TX", write)
        (found,) = ring.decoded()
        assert any("class_id: 15" in line for line in found.lines)
        (value,) = [line for line in found.lines if "octet-string" in line or "********" in line] or [""]
        assert ("octet-string" in value) is tells
        assert found.octets.count("**") == (0 if tells else len(octets))


def test_keys_are_masked() -> None:
    keys = {name: f"{number}F{'0123456789ABCDE' * 2}" for number, name in enumerate(KEYS, 1)}
    ring = kept(**keys)
    for key in keys.values():
        heard(ring, "RX", bytes.fromhex("C401C1000910" + key))
        heard(ring, "TX", b"\x7e")
    for found, key in zip(ring.decoded()[::2], keys.values(), strict=True):
        assert found.octets.count("**") == 16
        assert bytes.fromhex(key).hex(" ").upper() not in texts(found)


PROOFS = {
    "by logical names": (f"C301C1000F0000280000FF01010910{'A1' * 16}", f"C701C100010009 10{'B2' * 16}"),
    "by short names": (f"050104FA5800 0910{'A1' * 16}", f"0C0100 0910{'B2' * 16}"),
}


@pytest.mark.parametrize("naming", PROOFS)
def test_proofs_of_who_knows_the_secret_are_masked(naming: str) -> None:
    offered, answer = (bytes.fromhex(each) for each in PROOFS[naming])
    ring = kept()
    heard(ring, "TX", offered)
    heard(ring, "RX", offered, answer)  # an echo in front of it
    heard(ring, "TX", b"\x05")
    heard(ring, "RX", answer)  # of something else: no secret
    asked, echoed, _, later = ring.decoded()
    assert (asked.octets.count("**"), echoed.octets.count("**"), later.octets.count("**")) == (16, 32, 0)
    for found in (asked, echoed):
        assert "A1 A1" not in texts(found)
        assert "B2 B2" not in texts(found)
    assert "B2 B2" in "".join(later.lines)


@pytest.mark.parametrize("naming", PROOFS)
def test_the_answer_to_a_proof_that_is_not_kept_any_more_is_masked(naming: str) -> None:
    ring = kept()
    heard(ring, "RX", bytes.fromhex(PROOFS[naming][1]))
    assert ring.decoded()[0].octets.count("**") == 16


@pytest.mark.parametrize("there", range(5))
def test_a_proof_that_is_cut_off_is_masked(there: int) -> None:
    octets = bytes.fromhex(PROOFS["by logical names"][0])
    ring = kept()
    heard(ring, "TX", octets[: len(octets) - 16 + there])
    assert ring.decoded()[0].octets.count("**") == there


def test_a_password_that_is_changed_is_masked_as_is_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOUSE", "12345678")
    ring = kept("env:HOUSE")
    heard(ring, "TX", b"(12345678)")
    monkeypatch.setenv("HOUSE", "abcdefgh")
    heard(ring, "RX", b"(abcdefgh)")
    assert [each.summary for each in ring.decoded()] == ["(********)"] * 2
    monkeypatch.setenv("HOUSE", "another!")
    heard(ring, "TX", b"(another!)")
    assert [each.summary for each in ring.decoded()] == ["(********)"] * 3


def test_exchanges_are_counted() -> None:
    ring = kept()
    heard(ring, "TX", b"/?", b"!\r\n")
    assert ring.exchanges == 1
    heard(ring, "RX", b"/KFM")
    heard(ring, "TX", b"\x06")
    assert ring.exchanges == 2


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
