"""Compression of the plaintext by ITU-T V.44 (LZJH), each APDU a packet of its own: bit 7 of the security control.

Both sides build the same collection of strings while they go. The compressor sends ordinals (single octets), codewords
(strings it has seen before) and string extensions (how many octets after the last codeword's string repeat as well);
where a number needs one bit more than before, a control code says so. A packet ends with the control code FLUSH.

What IEC 62056-5-3 leaves open. It names V.44, and no text that is public says with which of its methods and parameters.
Taken here are the packet method (each APDU by itself, nothing is remembered) and the parameters that V.44 recommends
for it. A peer that chose others will not be understood, so compression is off unless it is asked for. The codes agree
with RFC 4464, which describes the decompressor, and with an independent decompressor under test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cosem.errors import ConfigurationError, DecodeError

CONTROL_CODES: Final = 4
"""Enter transparent mode, flush, step up and re-initialise; the codewords of strings are numbered from here."""
_ENTER_TRANSPARENT_MODE, _FLUSH, _STEP_UP, _RE_INITIALISE = range(CONTROL_CODES)

CODEWORD_BITS: Final = 6
ORDINAL_BITS: Final = 7
"""How wide codewords and ordinals are at the beginning of a packet; ordinals become 8 bits wide, once."""

_SHORT_EXTENSIONS: Final = 13
"""From this length on a string extension is written as a number of `Compression.extension_bits` bits."""
_WIDTHS: Final = ((46, 5), (78, 6), (142, 7), (255, 8))
"""The longest string, and how many bits the length of a long extension then has."""


@dataclass(frozen=True, slots=True)
class Compression:
    """V.44 by the packet method, with the parameters both sides must share, and the bounds that we keep.

    Attributes:
        codewords: how many codewords there are, control codes included (N2 in V.44), 256 to 65535.
        longest_string: the most octets in one string (N7), 32 to 255.
        largest_output: the most octets that a packet may become; SecurityContext gives less where less was negotiated.
        largest_ratio: the most octets that one octet of a packet may become on the average.

    Raises ConfigurationError for parameters that V.44 does not allow.
    """

    codewords: int = 1525
    longest_string: int = 255
    largest_output: int = 0xFFFF
    largest_ratio: int = 64

    def __post_init__(self) -> None:
        for name, low, high in (("codewords", 256, 65_535), ("longest_string", 32, 255)):
            if not low <= getattr(self, name) <= high:
                raise ConfigurationError(f"compression: {name} is a number from {low} to {high}")

    @property
    def extension_bits(self) -> int:
        """How many bits the length of a long string extension has."""
        return next(bits for longest, bits in _WIDTHS if self.longest_string <= longest)

    @property
    def widest_codeword(self) -> int:
        """The most bits a codeword has (N1)."""
        return (self.codewords - 1).bit_length()

    def compress(self, octets: bytes) -> bytes | None:
        """Return `octets` as one packet; None where that is not shorter, or shorter than we would accept ourselves."""
        packet = _Compressor(self, octets).packet()
        return packet if len(packet) < len(octets) <= len(packet) * self.largest_ratio else None

    def decompress(self, packet: bytes, largest_output: int | None = None) -> bytes:
        """Return the octets of one packet; raise DecodeError where it is malformed, or more than the bounds allow."""
        most = self.largest_output if largest_output is None else min(largest_output, self.largest_output)
        return _Decompressor(self, packet, min(most, len(packet) * self.largest_ratio)).octets()


class _Strings:
    """What both sides collect: strings by codeword, each where its last octet stands and how long it is."""

    __slots__ = ("_longest", "_most", "ends", "following", "previous")

    def __init__(self, settings: Compression) -> None:
        self._most = settings.codewords
        self._longest = settings.longest_string
        self.ends: dict[int, tuple[int, int]] = {}
        self.following = CONTROL_CODES
        self.previous = 0
        """The length of the string that the last ordinal or codeword stands for, 0 after anything else."""

    def extend_previous(self, at: int) -> bool:
        """Collect the previous string with the octet at `at` behind it; tell whether there was room."""
        return bool(self.previous) and self.collect(at, self.previous + 1)

    def collect(self, last: int, length: int) -> bool:
        """Collect the string of `length` octets that ends at `last`; tell whether there was room."""
        if self.following >= self._most or length > self._longest:
            return False
        self.ends[self.following] = (last, length)
        self.following += 1
        return True


class _Compressor:
    """Turns one APDU into a packet: the longest known string first, then as much of what followed it as repeats."""

    def __init__(self, settings: Compression, octets: bytes) -> None:
        self._settings = settings
        self._octets = octets
        self._strings = _Strings(settings)
        self._by_head: dict[bytes, list[int]] = {}
        self._bits = 0
        self._written = 0
        self._out = bytearray()
        self._codeword_bits, self._ordinal_bits = CODEWORD_BITS, ORDINAL_BITS
        self._after_codeword = False

    def packet(self) -> bytes:
        octets, strings, at = self._octets, self._strings, 0
        while at < len(octets):
            if strings.extend_previous(at):
                self._remember(strings.following - 1)
            codeword, length = self._longest(at)
            if not length:
                self._ordinal(octets[at])
                strings.previous = 1
                at += 1
                continue
            self._codeword(codeword)
            strings.previous = length
            at += length
            extension = self._extension(strings.ends[codeword][0] + 1, at, self._settings.longest_string - length)
            if extension:
                self._write_extension(extension)
                at += extension
                if strings.collect(at - 1, length + extension):
                    self._remember(strings.following - 1)
                strings.previous = 0
        self._control(_FLUSH)
        self._put(0, -self._written % 8)
        return bytes(self._out)

    def _remember(self, codeword: int) -> None:
        last, length = self._strings.ends[codeword]
        first = last - length + 1
        self._by_head.setdefault(self._octets[first : first + 2], []).append(codeword)

    def _longest(self, at: int) -> tuple[int, int]:
        """Return the longest string collected that stands at `at`, and its length; 0, 0 where there is none."""
        octets, best, found = self._octets, 0, 0
        for codeword in self._by_head.get(octets[at : at + 2], ()):
            last, length = self._strings.ends[codeword]
            if length > best and octets.startswith(octets[last - length + 1 : last + 1], at):
                best, found = length, codeword
        return found, best

    def _extension(self, source: int, at: int, most: int) -> int:
        octets, length = self._octets, 0
        most = min(most, len(octets) - at)
        while length < most and octets[source + length] == octets[at + length]:
            length += 1
        return length

    def _ordinal(self, octet: int) -> None:
        if octet >> self._ordinal_bits:
            self._control(_STEP_UP)
            self._ordinal_bits += 1
        self._put(0, 2 if self._after_codeword else 1)
        self._put(octet, self._ordinal_bits)
        self._after_codeword = False

    def _codeword(self, codeword: int) -> None:
        while codeword >> self._codeword_bits:
            self._control(_STEP_UP)
            self._codeword_bits += 1
        self._put(1, 1)
        self._put(codeword, self._codeword_bits)
        self._after_codeword = True

    def _control(self, code: int) -> None:
        self._put(1, 1)
        self._put(code, self._codeword_bits)
        self._after_codeword = False

    def _write_extension(self, length: int) -> None:
        self._put(0b10, 2)  # the prefix 0, then 1
        self._after_codeword = False
        if length == 1:
            self._put(1, 1)
        elif length < 5:
            self._put(0, 1)
            self._put(length - 1, 2)
        elif length < _SHORT_EXTENSIONS:
            self._put(0, 4)
            self._put(length - 5, 3)
        else:
            self._put(0b1000, 4)
            self._put(length - _SHORT_EXTENSIONS, self._settings.extension_bits)

    def _put(self, value: int, bits: int) -> None:
        """Write a number, its lowest bit first."""
        held = self._written & 7
        self._bits |= value << held
        self._written += bits
        held += bits
        while held >= 8:
            self._out.append(self._bits & 0xFF)
            self._bits >>= 8
            held -= 8


class _Decompressor:
    """Turns one packet into the octets it stands for, and never into more than it may."""

    def __init__(self, settings: Compression, packet: bytes, largest_output: int) -> None:
        self._settings = settings
        self._packet = packet
        self._most = largest_output
        self._at = 0
        self._out = bytearray()
        self._strings = _Strings(settings)
        self._codeword_bits, self._ordinal_bits = CODEWORD_BITS, ORDINAL_BITS
        self._codeword = 0
        """The last codeword where nothing came after it, 0 otherwise: only then an extension may follow."""
        self._stepping = False

    def octets(self) -> bytes:
        while not self._ended():
            pass
        return bytes(self._out)

    def _ended(self) -> bool:
        """Take one code; return whether it ends the packet."""
        if self._take(1):
            if self._stepping:
                self._codeword_bits += 1
                if self._codeword_bits > self._settings.widest_codeword:
                    raise self._malformed("codewords become wider than there are codewords for")
            code = self._take(self._codeword_bits)
            if code < CONTROL_CODES:
                return self._control(code)
            self._stepping = False
            self._copy_string(code)
        elif self._codeword and self._take(1):
            self._extend()
        else:
            self._ordinal()
        return False

    def _control(self, code: int) -> bool:
        self._codeword = 0
        if code == _STEP_UP:
            self._stepping = True
            return False
        if self._stepping:
            raise self._malformed("a control code after a step up")
        if code == _FLUSH:
            self._finish()
        elif code == _ENTER_TRANSPARENT_MODE and self._at == 1 + CODEWORD_BITS:
            self._transparent()
        else:
            raise self._malformed("a control code that has no place in a packet")
        return True

    def _finish(self) -> None:
        if self._take(-self._at % 8):
            raise self._malformed("bits after the end of the packet")
        if self._at != 8 * len(self._packet):
            raise self._malformed("octets after the end of the packet")

    def _transparent(self) -> None:
        """Take a packet whose octets were left as they are."""
        if self._take(-self._at % 8):
            raise self._malformed("bits before the octets of a packet that is not compressed")
        self._room(len(self._packet) - 1)
        self._out += self._packet[1:]

    def _ordinal(self) -> None:
        if self._stepping:
            self._stepping = False
            self._ordinal_bits += 1
            if self._ordinal_bits > 8:
                raise self._malformed("ordinals become wider than an octet")
        octet = self._take(self._ordinal_bits)
        self._room(1)
        self._strings.extend_previous(len(self._out))
        self._out.append(octet)
        self._strings.previous, self._codeword = 1, 0

    def _copy_string(self, codeword: int) -> None:
        # What this codeword's first octet completes may be the very string that it stands for.
        self._strings.extend_previous(len(self._out))
        string = self._strings.ends.get(codeword)
        if string is None:
            raise self._malformed(f"codeword {codeword} stands for nothing")
        last, length = string
        self._copy(last - length + 1, length)
        self._strings.previous, self._codeword = length, codeword

    def _extend(self) -> None:
        last, length = self._strings.ends[self._codeword]
        extension = self._extension_length()
        if length + extension > self._settings.longest_string:
            raise self._malformed(f"a string of {length + extension} octets")
        self._copy(last + 1, extension)
        self._strings.collect(len(self._out) - 1, length + extension)
        self._strings.previous = self._codeword = 0

    def _extension_length(self) -> int:
        if self._take(1):
            return 1
        short = self._take(2)
        if short:
            return short + 1
        if self._take(1):
            return _SHORT_EXTENSIONS + self._take(self._settings.extension_bits)
        return 5 + self._take(3)

    def _copy(self, source: int, length: int) -> None:
        """Repeat `length` octets from `source`, which may run into what they are making."""
        self._room(length)
        out = self._out
        period = len(out) - source
        piece = bytes(out[source : source + length])
        while len(piece) < length:
            piece += piece[:period] if len(piece) >= period else piece
        out += piece[:length]

    def _room(self, octets: int) -> None:
        if len(self._out) + octets > self._most:
            raise self._malformed(f"more than {self._most} octets come of {len(self._packet)}")

    def _take(self, bits: int) -> int:
        start = self._at
        stop = start + bits
        if stop > 8 * len(self._packet):
            raise self._malformed("it ends within a code")
        self._at = stop
        word = int.from_bytes(self._packet[start >> 3 : (stop + 7) >> 3], "little")
        return word >> (start & 7) & (1 << bits) - 1

    def _malformed(self, why: str) -> DecodeError:
        return DecodeError(f"{why}, at bit {self._at}", self._at >> 3, ("compressed",))
