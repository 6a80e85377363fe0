"""The messages of IEC 62056-21 with their octets: sign-on, identification, option select, blocks of data and commands.

    /?12345678!             sign-on, with the address of the meter or without
    /XXX5\\2ident            identification: maker, baud character, enhanced identification, the meter's own words
    ACK 0 5 0               acknowledgement and option select: protocol, speed, what is wanted
    STX data ETX BCC        a block of data; EOT instead of ETX where more blocks follow
    SOH R1 STX data ETX BCC a command of programming mode
    ACK, NAK                taken, and once more please

Each line of the first three ends with CR LF. What goes wrong in reading them is a DecodeError of the layer "IEC
62056-21" with the place of the fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final

from cosem.errors import ConfigurationError, DecodeError

LAYER: Final = "IEC 62056-21"

SOH: Final = 0x01
STX: Final = 0x02
ETX: Final = 0x03
EOT: Final = 0x04
ACK: Final = 0x06
NAK: Final = 0x15
END: Final = b"\r\n"

REACTION: Final = 0.2
"""Seconds that a station waits at least before it answers."""
SHORT_REACTION: Final = 0.02
"""The same, of meters that write the third letter of their maker small."""

LONGEST_ADDRESS: Final = 32
LONGEST_IDENTIFICATION: Final = 16

BAUD_RATES: Final = {"0": 300, "1": 600, "2": 1200, "3": 2400, "4": 4800, "5": 9600, "6": 19200}
"""What the baud character of modes C, D and E means."""
BAUD_RATES_OF_MODE_B: Final = {"A": 600, "B": 1200, "C": 2400, "D": 4800, "E": 9600, "F": 19200}


class Mode(Enum):
    """The protocol modes: what happens behind the identification."""

    A = "A"
    """The meter sends its data at the speed of the sign-on."""
    B = "B"
    """The meter changes the speed by itself, then sends its data."""
    C = "C"
    """The reader says what it wants and at which speed."""
    D = "D"
    """The meter speaks by itself, at 2400 baud, and listens to nobody."""
    E = "E"
    """As mode C, and the reader may ask for another protocol: HDLC."""


class Option(StrEnum):
    """What the reader wants of a meter of mode C or E: the last character of the option select message."""

    READOUT = "0"
    PROGRAMMING = "1"
    BINARY = "2"
    MANUFACTURER_6 = "6"
    MANUFACTURER_7 = "7"
    MANUFACTURER_8 = "8"
    MANUFACTURER_9 = "9"


class BlockCheck(Enum):
    """How the block check character behind a block is made, of all octets behind the first SOH or STX."""

    XOR = "xor"
    """Exclusive or, as the standard says."""
    SUM = "sum"
    """The sum modulo 128, as Energomera meters make it."""
    ABSENT = "absent"
    """There is none."""

    def of(self, octets: bytes) -> bytes:
        """Return what stands behind a block that begins and ends as `octets`; the first octet counts for nothing."""
        return _CHECKS[self](octets[1:])


class Check(Enum):
    """What vouches for a block."""

    RIGHT = "right"
    ABSENT = "absent"
    """It came without a check, as was expected; each line stands for itself."""
    WRONG = "wrong"
    """The check is wrong or missing: none of its values may be believed."""


@dataclass(frozen=True, slots=True)
class SignOn:
    """The request message: the reader asks the meter with this address, or any, who it is.

    A serial number of nothing but zeros means any meter, as an empty one does. Raises ConfigurationError.
    """

    address: str = ""

    def __post_init__(self) -> None:
        if not _ADDRESS.fullmatch(self.address):
            raise ConfigurationError(
                f"the address {self.address!r}: up to {LONGEST_ADDRESS} letters, digits and spaces, such as 12345678"
            )
        if not self.address.strip("0"):
            object.__setattr__(self, "address", "")

    def means(self, own: str) -> bool:
        """Tell whether a meter of that address is meant; leading zeros count for nothing."""
        return not self.address or self.address.lstrip("0") == own.lstrip("0")

    def encode(self) -> bytes:
        return f"/?{self.address}!".encode("ascii") + END

    @classmethod
    def decode(cls, line: bytes) -> SignOn:
        """Read a whole line. Raises DecodeError."""
        found = _SIGN_ON.fullmatch(line)
        if found is None:
            raise DecodeError("a request is /?address! with up to 32 characters of address", 0, layer=LAYER)
        return cls(found[1].decode("ascii"))


@dataclass(frozen=True, slots=True)
class Identification:
    """Who a meter is: three letters of its maker, its baud character, and its own words.

    `enhanced` are the characters that stand behind a backslash each: "2" for HDLC, others are of the maker.
    """

    manufacturer: str
    baud: str
    words: str = ""
    enhanced: str = ""

    @property
    def mode(self) -> Mode:
        """The mode that the baud character announces; mode D cannot be told from C by it."""
        if self.baud in BAUD_RATES:
            return Mode.E if "2" in self.enhanced else Mode.C
        return Mode.B if self.baud in BAUD_RATES_OF_MODE_B else Mode.A

    @property
    def baud_rate(self) -> int | None:
        """The speed that the baud character announces; None where it announces none, as in mode A."""
        return BAUD_RATES.get(self.baud) or BAUD_RATES_OF_MODE_B.get(self.baud)

    @property
    def reaction(self) -> float:
        """Seconds that stations wait at least before they answer."""
        return SHORT_REACTION if self.manufacturer[2].islower() else REACTION

    def encode(self) -> bytes:
        return f"/{self}".encode("latin-1") + END

    def __str__(self) -> str:
        enhanced = "".join(f"\\{each}" for each in self.enhanced)
        return f"{self.manufacturer}{self.baud}{enhanced}{self.words}"

    @classmethod
    def of(cls, text: str) -> Identification:
        """Make one as meters send it, without the `/`: `KFM5\\2MT100`. Raises ConfigurationError."""
        try:
            made = cls.decode(f"/{text}\r\n".encode("latin-1", "replace"))
        except DecodeError as error:
            raise ConfigurationError(f"the identification {text!r}: {error.reason}") from None
        if len(made.words) > LONGEST_IDENTIFICATION or not _WORDS.fullmatch(made.words):
            raise ConfigurationError(
                f"the identification {text!r}: up to {LONGEST_IDENTIFICATION} printable characters without / and ! "
                "follow the baud character"
            )
        return made

    @classmethod
    def decode(cls, line: bytes) -> Identification:
        """Read a whole line; words longer than the standard allows are taken. Raises DecodeError."""
        found = _IDENTIFICATION.fullmatch(line)
        if found is None:
            raise DecodeError(
                "an identification is / with three letters of the maker, a baud character and words", 0, layer=LAYER
            )
        maker, baud, enhanced, words = (each.decode("latin-1") for each in found.groups())
        return cls(maker, baud, words, enhanced.replace("\\", ""))


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The acknowledgement with option select: `protocol` 0 normal, 1 secondary, 2 HDLC; the speed; what is wanted."""

    protocol: str
    baud: str
    option: str

    @property
    def baud_rate(self) -> int | None:
        return BAUD_RATES.get(self.baud)

    def encode(self) -> bytes:
        return bytes((ACK,)) + f"{self.protocol}{self.baud}{self.option}".encode("ascii") + END

    @classmethod
    def decode(cls, line: bytes) -> Acknowledgement:
        """Read a whole line. Raises DecodeError."""
        found = _ACKNOWLEDGEMENT.fullmatch(line)
        if found is None:
            raise DecodeError("an option select is ACK, three characters, CR and LF", 0, layer=LAYER)
        return cls(*(each.decode("ascii") for each in found.groups()))


@dataclass(frozen=True, slots=True)
class Block:
    """A block of data; `last` is False where more blocks follow."""

    data: bytes
    last: bool = True

    def encode(self, check: BlockCheck = BlockCheck.XOR) -> bytes:
        octets = bytes((STX,)) + self.data + bytes((ETX if self.last else EOT,))
        return octets + check.of(octets)


@dataclass(frozen=True, slots=True)
class Command:
    """A command of programming mode: `name` is its letter and number, as R1; `data` None where it has none.

    | P0 P1 P2 | operand for a password, the password, the result of an algorithm over operand and password |
    | R1 R2 R3 R4 | read: ASCII coded, formatted; the same in partial blocks |
    | R5 R6 | read, national use: whole and in partial blocks |
    | W1 to W6 | write, likewise |
    | E2 | execute, formatted |
    | B0 B1 | sign-off; that of meters with the fast wake-up |
    """

    name: str
    data: bytes | None = None
    last: bool = True

    def __post_init__(self) -> None:
        if not _COMMAND_NAME.fullmatch(self.name):
            raise ConfigurationError(f"{self.name!r} is no command: a letter of P, W, R, E, B and a digit, as R1")
        if self.data is not None and _CONTROLS.search(self.data):
            raise ConfigurationError("the data of a command holds no control characters but CR and LF")

    def encode(self, check: BlockCheck = BlockCheck.XOR) -> bytes:
        body = b"" if self.data is None else bytes((STX,)) + self.data
        octets = bytes((SOH,)) + self.name.encode("ascii") + body + bytes((ETX if self.last else EOT,))
        return octets + check.of(octets)

    @classmethod
    def decode(cls, body: bytes, last: bool = True) -> Command:
        """Read what stands between SOH and ETX or EOT. Raises DecodeError."""
        name, stx, data = body.partition(b"\x02")
        if not _COMMAND_OCTETS.fullmatch(name):
            raise DecodeError("a command is a letter of P, W, R, E, B and a digit", 1, layer=LAYER)
        control = _CONTROLS.search(data)
        if control is not None:
            raise DecodeError(
                f"octet {data[control.start()]:02X} is none of a command", 4 + control.start(), layer=LAYER
            )
        return cls(name.decode("ascii"), data if stx else None, last)


def error_message(data: bytes) -> str | None:
    """Return the words of an error message, which begin with ER in parentheses without an address; None for data."""
    found = _ERROR.fullmatch(data)
    return None if found is None else found[1].decode("latin-1").strip()


def _xor(octets: bytes) -> bytes:
    check = 0
    for octet in octets:
        check ^= octet
    return bytes((check & 0x7F,))


def _sum(octets: bytes) -> bytes:
    return bytes((sum(octets) & 0x7F,))


def _absent(_: bytes) -> bytes:
    return b""


_CHECKS: Final[Mapping[BlockCheck, Callable[[bytes], bytes]]] = {
    BlockCheck.XOR: _xor,
    BlockCheck.SUM: _sum,
    BlockCheck.ABSENT: _absent,
}

_ADDRESS: Final = re.compile(r"[0-9A-Za-z ]{0,32}")
_WORDS: Final = re.compile(r"[\x20-\x7e]*", re.ASCII)
_SIGN_ON: Final = re.compile(rb"/\?([0-9A-Za-z ]{0,32})!\r?\n")
_IDENTIFICATION: Final = re.compile(rb"/([A-Za-z]{3})([\x21-\x7e])((?:\\[\x21-\x7e])*)([^\r\n]*)\r?\n")
_ACKNOWLEDGEMENT: Final = re.compile(rb"\x06([0-9A-Za-z])([0-9A-Za-z])([0-9A-Za-z])\r?\n")
_COMMAND_NAME: Final = re.compile(r"[PWREB][0-9]")
_COMMAND_OCTETS: Final = re.compile(rb"[PWREB][0-9]")
_CONTROLS: Final = re.compile(rb"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\xff]")
_ERROR: Final = re.compile(rb"\s*\(?\s*(ER[^()]{0,32})\)?\s*")

BREAK: Final = Command("B0")
"""The complete sign-off."""
FAST_BREAK: Final = Command("B1")
"""The complete sign-off of a meter that was woken by the fast wake-up."""
