"""Messages of IEC 62056-21 against octets that other implementations and meters have published."""

from __future__ import annotations

import pytest

from cosem.errors import ConfigurationError, DecodeError
from cosem.protocol.iec21.message import (
    BREAK,
    FAST_BREAK,
    Acknowledgement,
    Block,
    BlockCheck,
    Command,
    Identification,
    Mode,
    SignOn,
    error_message,
)


@pytest.mark.parametrize(
    ("message", "octets"),
    [
        # pwitab/iec62056-21 tests/test_bcc.py (BSD-3-Clause) and tests of pydlms-client
        (Command("W2", b"C003(910324092239)"), "01573202433030332839313033323430393232333929031B"),
        (Command("P0", b"(1234567)"), "015030022831323334353637290350"),
        (BREAK, "0142300371"),
        (FAST_BREAK, "0142310370"),
    ],
)
def test_commands_with_their_check(message: Command, octets: str) -> None:
    wanted = bytes.fromhex(octets)
    assert message.encode() == wanted
    assert Command.decode(wanted[1:-2]) == message


def test_a_block_with_its_check() -> None:
    """The shortest one among the tests of pwitab/iec62056-21 (BSD-3-Clause)."""
    assert Block(b"3:171.0(0)").encode() == b"\x023:171.0(0)\x03\x12"
    assert Block(b"1").encode(BlockCheck.ABSENT) == b"\x021\x03"
    assert Block(b"1", last=False).encode()[-2:] == b"\x04\x35"


@pytest.mark.parametrize(
    ("sent", "check"),
    [("01523102484c4c4f28290300", None), ("0152310248454c4c4f2829034d", "4d"), ("0152310246524551552829035c", "5c")],
)
def test_checks_that_are_a_sum(sent: str, check: str | None) -> None:
    """Energomera CE301: the sum modulo 128 instead of the exclusive or (hostcc/energomera-hass-mqtt tests, MIT)."""
    octets = bytes.fromhex(sent)
    if check is not None:
        assert BlockCheck.SUM.of(octets[:-1]).hex() == check
        assert BlockCheck.XOR.of(octets[:-1]).hex() != check


@pytest.mark.parametrize(
    ("line", "maker", "baud", "words", "enhanced", "mode", "rate", "reaction"),
    [
        (b"/ISk5MT174-0001\r\n", "ISk", "5", "MT174-0001", "", Mode.C, 9600, 0.02),
        (b"/LGZ4\\2ZMD3104407.B24\r\n", "LGZ", "4", "ZMD3104407.B24", "2", Mode.E, 4800, 0.2),
        (b"/ISK5\\2MT382-1003\r\n", "ISK", "5", "MT382-1003", "2", Mode.E, 9600, 0.2),
        (b"/EMH5\\@\x81LZQJL0013F\r\n", "EMH", "5", "\x81LZQJL0013F", "@", Mode.C, 9600, 0.2),
        (b"/SIEC2WR5\r\n", "SIE", "C", "2WR5", "", Mode.B, 2400, 0.2),
        (b"/LUGCUH50\n", "LUG", "C", "UH50", "", Mode.B, 2400, 0.2),
        (b"/LUN5<1>LUN669205929\r\n", "LUN", "5", "<1>LUN669205929", "", Mode.C, 9600, 0.2),
        (b"/ESY5Q3DA1004 V3.04\r\n", "ESY", "5", "Q3DA1004 V3.04", "", Mode.C, 9600, 0.2),
        (b"/EMH5----eHZ-E0018E\r\n", "EMH", "5", "----eHZ-E0018E", "", Mode.C, 9600, 0.2),
        (b"/KFM-\r\n", "KFM", "-", "", "", Mode.A, None, 0.2),
        (b"/KFM0\r\n", "KFM", "0", "", "", Mode.C, 300, 0.2),
        (b"/KFM6\r\n", "KFM", "6", "", "", Mode.C, 19200, 0.2),
        (b"/KFM7\r\n", "KFM", "7", "", "", Mode.A, None, 0.2),
        (b"/KFMA\r\n", "KFM", "A", "", "", Mode.B, 600, 0.2),
        (b"/KFMF\r\n", "KFM", "F", "", "", Mode.B, 19200, 0.2),
    ],
)
def test_identifications_of_meters(
    line: bytes, maker: str, baud: str, words: str, enhanced: str, mode: Mode, rate: int | None, reaction: float
) -> None:
    found = Identification.decode(line)
    assert (found.manufacturer, found.baud, found.words, found.enhanced) == (maker, baud, words, enhanced)
    assert (found.mode, found.baud_rate, found.reaction) == (mode, rate, reaction)
    assert found.encode() == line.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


RATES = {
    **dict(zip("0123456", (300, 600, 1200, 2400, 4800, 9600, 19200), strict=True)),
    **dict(zip("ABCDEF", (600, 1200, 2400, 4800, 9600, 19200), strict=True)),
    **dict.fromkeys("789GHI"),
}
"""By the baud character; the standard reserves those without a rate."""


@pytest.mark.parametrize("option", ["", "\\2"])
@pytest.mark.parametrize("character", sorted(RATES))
def test_every_baud_character_with_and_without_an_option(character: str, option: str) -> None:
    found = Identification.decode(f"/KFM{character}{option}MT100\r\n".encode())
    assert (found.baud, found.enhanced, found.words) == (character, option[1:], "MT100")
    assert found.baud_rate == RATES[character]


@pytest.mark.parametrize(
    "line", [b"/\r\n", b"/AB5x\r\n", b"/1235x\r\n", b"/ABC\r\n", b"ABC5\r\n", b"/?!\r\n", b"/ABC5"]
)
def test_what_is_no_identification(line: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        Identification.decode(line)
    assert caught.value.layer == "IEC 62056-21"
    assert caught.value.offset == 0


@pytest.mark.parametrize("text", ["KFM5" + "x" * 17, "KF5", "KFM5a/b"])
def test_identifications_that_are_not_made(text: str) -> None:
    if "/" in text:
        assert Identification.of(text)  # taken, since some meters have it
        return
    with pytest.raises(ConfigurationError):
        Identification.of(text)
    assert Identification.of("KFM5" + "x" * 16).words == "x" * 16


@pytest.mark.parametrize("address", ["", "0", "0000000000"])
def test_no_serial_number_means_any_meter(address: str) -> None:
    assert SignOn(address).encode() == b"/?!\r\n"


def test_addresses_have_up_to_32_characters() -> None:
    assert SignOn("1" * 32).encode() == b"/?" + b"1" * 32 + b"!\r\n"
    assert SignOn.decode(b"/?" + b"1" * 32 + b"!\r\n") == SignOn("1" * 32)
    with pytest.raises(ConfigurationError, match="32"):
        SignOn("1" * 33)
    with pytest.raises(DecodeError):
        SignOn.decode(b"/?" + b"1" * 33 + b"!\r\n")
    for wrong in ("1!", "1\r", "é"):
        with pytest.raises(ConfigurationError):
            SignOn(wrong)


def test_option_select() -> None:
    """GAMA 300 and mode C meters: what readers send to them."""
    assert Acknowledgement("2", "5", "2").encode() == b"\x06252\r\n"
    assert Acknowledgement.decode(b"\x06050\r\n") == Acknowledgement("0", "5", "0")
    assert Acknowledgement("0", "5", "0").baud_rate == 9600
    for wrong in (b"\x0605\r\n", b"\x060500\r\n", b"050\r\n", b"\x06050"):
        with pytest.raises(DecodeError):
            Acknowledgement.decode(wrong)


@pytest.mark.parametrize("body", [b"", b"R", b"R11", b"X1", b"R1\x021\x07", b"R1\x021\xb1"])
def test_what_is_no_command(body: bytes) -> None:
    with pytest.raises(DecodeError):
        Command.decode(body)


def test_commands_that_are_not_made() -> None:
    for name, data in (("R", None), ("r1", None), ("R1", b"\x03"), ("R1", b"\xff")):
        with pytest.raises(ConfigurationError):
            Command(name, data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"(ER01)", "ER01"),
        (b"(ERROR)", "ERROR"),
        (b"ER03\r\n", "ER03"),
        (b"1.8.0(ER)", None),
        (b"(0012.3*kWh)", None),
        (b"", None),
    ],
)
def test_error_messages(data: bytes, message: str | None) -> None:
    assert error_message(data) == message
