"""Finding messages among whatever else a line carries."""

from __future__ import annotations

from collections import Counter

import pytest

from cosem.errors import DecodeError
from cosem.protocol.iec21.message import Block, BlockCheck, Check, Command, Identification
from cosem.protocol.iec21.reader import Checked, MessageReader, Signal
from cosem.protocol.iec21.settings import Settings


def reader(octets: bytes = b"", **settings: object) -> MessageReader:
    made = MessageReader(Counter(), Settings(**settings))  # type: ignore[arg-type]
    made.feed(octets)
    return made


def test_an_identification_behind_noise_and_the_echo_of_the_request() -> None:
    found = reader(b"\x00\xfe\x7fxx/?!\r\n/ITR5EM214\r\n\x02")
    assert found.identification() == Identification("ITR", "5", "EM214")
    assert found.fault is None
    assert found.holds(2)


def test_noise_that_looks_like_a_beginning() -> None:
    assert reader(b"ab/cd/KFM5MT100\r\n").identification() == Identification("KFM", "5", "MT100")
    assert reader(b"/noise of 3\r\n/KFM5MT100\r\n").identification() == Identification("noi", "s", "e of 3")


@pytest.mark.parametrize("over", [0, 1])
def test_a_line_has_a_limit(over: int) -> None:
    line = b"/KFM5" + b"x" * 20 + b"\r\n"
    found = reader(line, line_octets=len(line) - over)
    assert (found.identification() is None) == bool(over)
    if over:
        assert str(found.fault) == f"a line of more than {len(line) - 1} octets, at octet {len(line) - 1}"


def test_a_line_without_end_takes_no_memory() -> None:
    found = reader()
    for _ in range(1000):
        found.feed(b"/" + b"x" * 99)
        assert found.identification() is None
    assert not found.holds(0x0A)


def test_parity_bits_that_are_left_in_the_octets() -> None:
    """A line of 8N1 reads 7E1 with its parity bit in bit 7: `AF CC 47 5A 35` is /LGZ5 (pwitab/iec62056-21#16)."""
    found = reader(bytes.fromhex("AFCC475A355CB25A8D0A"))
    assert found.identification() == Identification("LGZ", "5", "Z", "2")
    found.feed(bytes.fromhex("82B82E30AA303028303030302E30303030AAEBF6E172E8A98D0A03") + b"\x00")
    message = found.message()
    assert isinstance(message, Checked)
    assert isinstance(message.message, Block)
    assert message.message.data == b"8.0*00(0000.0000*kvarh)\r\n"


def test_an_octet_with_the_wrong_parity_is_never_taken_for_another() -> None:
    found = reader(bytes.fromhex("AFCC475A355CB25A8D0A"))
    found.identification()
    found.feed(bytes.fromhex("82B1282A")[:3] + bytes((0x31,)) + bytes.fromhex("A903") + b"\x00")
    message = found.message()
    assert isinstance(message, Checked)
    assert isinstance(message.message, Block)
    assert b"\xff" in message.message.data
    assert message.check is Check.WRONG


def test_messages_of_programming_mode() -> None:
    found = reader(b"\x06\x15\x01P0\x02(1)\x03")
    assert found.message() == Signal(6)
    assert found.message() == Signal(0x15)
    assert found.message() is None  # the check is still to come
    found.feed(BlockCheck.XOR.of(b"\x01P0\x02(1)\x03"))
    assert found.message() == Checked(Command("P0", b"(1)"), Check.RIGHT)


def test_a_check_may_look_like_a_control_character() -> None:
    block = Block(b"\x021").encode()[:-1]
    for data in (b"12", b"ab", b"x\x01"):
        octets = Block(data).encode() + b"\x06"
        found = reader(octets)
        assert isinstance(found.message(), Checked)
        assert found.message() == Signal(6)
    assert block


@pytest.mark.parametrize("check", [BlockCheck.XOR, BlockCheck.SUM, BlockCheck.ABSENT])
def test_every_kind_of_check(check: BlockCheck) -> None:
    found = reader(Block(b"1.8.0(1)\r\n").encode(check), block_check=check).message()
    assert isinstance(found, Checked)
    assert found.check is (Check.ABSENT if check is BlockCheck.ABSENT else Check.RIGHT)


@pytest.mark.parametrize("over", [0, 1])
def test_a_block_has_a_limit(over: int) -> None:
    octets = Block(b"x" * 20).encode()
    found = reader(octets, block_octets=len(octets) - 1 - over)
    if over:
        with pytest.raises(DecodeError, match="it never stops"):
            found.message()
        assert not found.holds(2)
    else:
        assert isinstance(found.message(), Checked)


def test_lines_without_frame() -> None:
    found = reader(b"\r\n1.8.0(1)\r\n0.2.2(G11)!(G11)(!)\r\n!")
    assert found.lines() is None
    found.feed(b"\r\n  123")
    assert found.lines() == Block(b"\r\n1.8.0(1)\r\n0.2.2(G11)!(G11)(!)\r\n!\r\n")
    with pytest.raises(DecodeError, match="without a line that begins with !"):
        reader(b"x" * 101, block_octets=100).lines()


def test_a_block_that_lacks_only_its_end() -> None:
    """Itron EM214 as captured: `!` ends the data, and nothing follows."""
    found = reader(b"\x021.8.0(1)\r\n!\r\n")
    assert found.message() is None
    unfinished = found.unfinished()
    assert isinstance(unfinished, Checked)
    assert unfinished.message == Block(b"1.8.0(1)\r\n!\r\n")
    assert unfinished.check is Check.WRONG
    assert reader(b"\x021.8.0(1)\r\n").unfinished() is None


@pytest.mark.parametrize("garbage", [b"\x00", b"\xff\x7f", b"!\r\n", b"xyz" * 30])
def test_what_follows_the_check_of_a_block_harms_neither_it_nor_the_next(garbage: bytes) -> None:
    found = reader(Block(b"1.8.0(1)\r\n").encode() + garbage + Block(b"2.8.0(2)\r\n").encode())
    assert found.message() == Checked(Block(b"1.8.0(1)\r\n"), Check.RIGHT)
    assert found.message() == Checked(Block(b"2.8.0(2)\r\n"), Check.RIGHT)
