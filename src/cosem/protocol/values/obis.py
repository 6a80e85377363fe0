"""OBIS codes (IEC 62056-6-1): six value groups A to F that say what a value is, read from every text form in use."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import total_ordering
from math import prod
from typing import Final

from cosem.errors import ConfigurationError


@total_ordering
class Obis:
    """An OBIS code: immutable, hashable, ordered by its six octets, printed as `1.0.1.8.0.255`.

    Made from six octets, from another code, or from a text in any of these forms:

    * `1.0.1.8.0.255`, `1.0.1.8.0` (F is 255)
    * `1-0:1.8.0*255`, `1-0:1.8.0`, `1-0:1.8.0.255`, `1-0:1.8.0&01`
    * `1.8.0`, `1.8.1*01`, `C.1.0`, `F.F`, `P.01`: without A and B, as IEC 62056-21 readouts print them. B is 0; A is 0
      (abstract) when C is 0 or one of 93 to 99, otherwise 1 (electricity); load profiles, 99.1 and 99.2, are
      electricity as well. The letters C, F, L and P stand for 96, 97, 98 and 99.
    * `0100010800FF`, `01 00 01 08 00 FF`, `0x0100010800FF`, and `77070100010800FF` as SML logs print it

    Raises ConfigurationError for anything else.
    """

    __slots__ = ("octets",)
    octets: bytes

    def __init__(self, code: str | bytes | bytearray | memoryview | Obis) -> None:
        if isinstance(code, str):
            octets = _parse(code)
        elif isinstance(code, Obis):
            octets = code.octets
        else:
            octets = bytes(code)
            if len(octets) != 6:
                raise ConfigurationError(f"an OBIS code has 6 octets, not {len(octets)} ({octets.hex()})")
        _set_octets(self, octets)

    @classmethod
    def of(cls, a: int, b: int, c: int, d: int, e: int, f: int = 255) -> Obis:
        """Make a code of six numbers, 0 to 255 each; raise ConfigurationError."""
        try:
            return cls(bytes((a, b, c, d, e, f)))
        except ValueError:
            raise ConfigurationError(f"an OBIS group is 0 … 255, not as in {(a, b, c, d, e, f)}") from None

    @classmethod
    def from_octets(cls, octets: bytes) -> Obis:
        """Make a code of exactly six octets that the caller has counted: the short way for decoders."""
        obis = _new(cls)
        _set_octets(obis, octets)
        return obis

    @property
    def a(self) -> int:
        """Value group A: the medium (0 abstract, 1 electricity, 6 heat, 7 gas, 8 cold water …)."""
        return self.octets[0]

    @property
    def b(self) -> int:
        """Value group B: the channel."""
        return self.octets[1]

    @property
    def c(self) -> int:
        """Value group C: the quantity."""
        return self.octets[2]

    @property
    def d(self) -> int:
        """Value group D: how the quantity is processed."""
        return self.octets[3]

    @property
    def e(self) -> int:
        """Value group E: tariff, harmonic or another classification."""
        return self.octets[4]

    @property
    def f(self) -> int:
        """Value group F: the billing period; 255 is the current one."""
        return self.octets[5]

    @property
    def separated(self) -> str:
        """The code as `1-0:1.8.0*255`."""
        return "{}-{}:{}.{}.{}*{}".format(*self.octets)

    def __bytes__(self) -> bytes:
        return self.octets

    def __str__(self) -> str:
        return "{}.{}.{}.{}.{}.{}".format(*self.octets)

    def __repr__(self) -> str:
        return f"Obis('{self}')"

    def __eq__(self, other: object) -> bool:
        return self.octets == other.octets if isinstance(other, Obis) else NotImplemented

    def __lt__(self, other: Obis) -> bool:
        return self.octets < other.octets if isinstance(other, Obis) else NotImplemented  # pyright: ignore

    def __hash__(self) -> int:
        return hash(self.octets)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("an OBIS code does not change")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("an OBIS code does not change")

    def __reduce__(self) -> tuple[type[Obis], tuple[bytes]]:
        return type(self), (self.octets,)


_new = object.__new__
_set_octets = Obis.__dict__["octets"].__set__

_FORMS: Final = "write 1.0.1.8.0.255, 1-0:1.8.0*255, 1.8.0 or 0100010800FF"
_LETTERS: Final = {"C": 96, "F": 97, "L": 98, "P": 99}
_DOTTED = re.compile(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:[.*&](\d{1,3}))?", re.ASCII)
_SEPARATED = re.compile(
    r"(?:(?:(\d{1,3})-)?(\d{1,3}):)?(\d{1,3}|[CFLP])\.(\d{1,3}|[CFLP])(?:\.(\d{1,3}|[CFLP]))?(?:[*&](\d{1,3}))?",
    re.ASCII,
)
_SEPARATED_WITH_DOT = re.compile(r"(\d{1,3})-(\d{1,3}):(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})", re.ASCII)
_HEXADECIMAL = re.compile(r"(?:0X)?[0-9A-F]{2}(?:[ ,:-]{0,2}(?:0X)?[0-9A-F]{2}){5,7}@?", re.ASCII)
_HEXADECIMAL_FILLING = re.compile(r"0X|[ ,:@-]")
_SML_PREFIX = b"\x77\x07"


def _parse(text: str) -> bytes:
    code = text.strip().upper()
    if match := _DOTTED.fullmatch(code) or _SEPARATED_WITH_DOT.fullmatch(code):
        groups = [255 if group is None else int(group) for group in match.groups()]
    elif match := _SEPARATED.fullmatch(code):
        a, b, *rest = match.groups()
        c, d, e, f = (None if group is None else _LETTERS.get(group) or int(group, 10) for group in rest)
        assert c is not None and d is not None
        groups = [_medium(c, d) if a is None else int(a), int(b or 0), c, d, e or 0, 255 if f is None else f]
    elif _HEXADECIMAL.fullmatch(code):
        octets = bytes.fromhex(_HEXADECIMAL_FILLING.sub("", code))
        if len(octets) == 8 and octets.startswith(_SML_PREFIX):
            return octets[2:]
        if len(octets) != 6:
            raise ConfigurationError(f"{text!r} is no OBIS code, it has {len(octets)} octets and not 6: {_FORMS}")
        return octets
    else:
        raise ConfigurationError(f"{text!r} is no OBIS code: {_FORMS}")
    if max(groups) > 255:
        raise ConfigurationError(f"{text!r} is no OBIS code, a group is 0 … 255: {_FORMS}")
    return bytes(groups)


def _medium(c: int, d: int) -> int:
    """Value group A of a code written without one."""
    if c == 99 and d in (1, 2):
        return 1
    return 0 if c == 0 or 93 <= c <= 99 else 1


class ObisPattern:
    """Matches OBIS codes: each group a number, a range `1-4`, a list `1,3,5-7`, or `*` for any.

    Written as a code is: `1.*.1-2.8.0-4.255`, `1-*:1.8.0`, `*.8.0`. Groups A and B left out match any; E left out
    is 0, F left out is 255. In `1-*:1.8.0**` the first star is the separator, the second the group. Raises
    ConfigurationError for anything else.
    """

    __slots__ = ("_masks", "text")
    text: str
    _masks: tuple[int, ...]

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "_masks", _parse_pattern(text))

    @classmethod
    def of(cls, *groups: Iterable[int]) -> ObisPattern:
        """Make a pattern of the values that each of the six groups may have, 0 to 255; raise ConfigurationError."""
        values = [tuple(group) for group in groups]
        if len(values) != 6 or not all(group and min(group) >= 0 and max(group) <= 255 for group in values):
            raise ConfigurationError("an OBIS pattern has six groups of values from 0 to 255")
        return _pattern_of(tuple(sum(1 << value for value in set(group)) for group in values))

    def matches(self, code: Obis | str | bytes) -> bool:
        """Tell whether every group of `code` matches."""
        octets = code.octets if isinstance(code, Obis) else Obis(code).octets
        return all(mask >> octet & 1 for mask, octet in zip(self._masks, octets, strict=True))

    def admits(self, group: str, value: int) -> bool:
        """Tell whether a value group, `"A"` to `"F"`, may have a value."""
        return bool(self._masks[_GROUPS.index(group)] >> value & 1)

    def values(self, group: str) -> str:
        """Return what a value group, `"A"` to `"F"`, may be, as patterns are written: `1-4,7`, or `*` for any."""
        return _group_text(self._masks[_GROUPS.index(group)])

    @property
    def first(self) -> Obis:
        """The lowest code that matches."""
        return Obis(bytes((mask & -mask).bit_length() - 1 for mask in self._masks))

    @property
    def count(self) -> int:
        """How many codes match."""
        return prod(mask.bit_count() for mask in self._masks)

    def __and__(self, other: ObisPattern) -> ObisPattern | None:
        """Return the pattern of the codes that match both, None when there are none."""
        masks = [mine & others for mine, others in zip(self._masks, other._masks, strict=True)]
        return _pattern_of(tuple(masks)) if all(masks) else None

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"ObisPattern({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return self._masks == other._masks if isinstance(other, ObisPattern) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._masks)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("an OBIS pattern does not change")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("an OBIS pattern does not change")

    def __reduce__(self) -> tuple[type[ObisPattern], tuple[str]]:
        return type(self), (self.text,)


_GROUPS: Final = "ABCDEF"
_ANY: Final = (1 << 256) - 1


def _pattern_of(masks: tuple[int, ...]) -> ObisPattern:
    pattern = object.__new__(ObisPattern)
    object.__setattr__(pattern, "text", ".".join(map(_group_text, masks)))
    object.__setattr__(pattern, "_masks", masks)
    return pattern


_RANGE = r"\d{1,3}(?:-\d{1,3})?"
_GROUP = rf"(\*|[CFLP]|{_RANGE}(?:,{_RANGE})*)"
_ONE = r"(\*|\d{1,3})"
_DOTTED_PATTERN = re.compile(r"\.".join([_GROUP] * 5) + rf"(?:[.*&]{_GROUP})?", re.ASCII)
_SEPARATED_PATTERN = re.compile(
    rf"(?:(?:{_ONE}-)?{_ONE}:)?{_GROUP}\.{_GROUP}(?:\.{_GROUP})?(?:[*&]{_GROUP})?", re.ASCII
)


def _parse_pattern(text: str) -> tuple[int, ...]:
    code = text.strip().upper()
    match = _DOTTED_PATTERN.fullmatch(code) or _SEPARATED_PATTERN.fullmatch(code)
    if match:
        defaults = ("*", "*", "*", "*", "0", "255")
        groups = [default if group is None else group for group, default in zip(match.groups(), defaults, strict=True)]
    else:
        try:
            groups = [str(octet) for octet in _parse(text)]
        except ConfigurationError:
            raise ConfigurationError(f"{text!r} is no OBIS pattern: write 1.*.1-2.8.0-4.255 or 1-*:1.8.0") from None
    return tuple(_mask(group, text) for group in groups)


def _group_text(mask: int) -> str:
    """A group as patterns are written; the way back from `_mask`."""
    if mask == _ANY:
        return "*"
    spans: list[str] = []
    while mask:
        first = (mask & -mask).bit_length() - 1
        length = (~(mask >> first) & (mask >> first) + 1).bit_length() - 1
        spans.append(str(first) if length == 1 else f"{first}-{first + length - 1}")
        mask &= -1 << first + length
    return ",".join(spans)


def _mask(group: str, text: str) -> int:
    """A number with one bit per value that the group admits."""
    if group == "*":
        return _ANY
    if group in _LETTERS:
        return 1 << _LETTERS[group]
    mask = 0
    for part in group.split(","):
        first, _, last = part.partition("-")
        low, high = int(first), int(last or first)
        if not low <= high <= 255:
            raise ConfigurationError(f"{text!r} is no OBIS pattern: {part} is no range within 0 … 255")
        mask |= (1 << high + 1) - (1 << low)
    return mask
