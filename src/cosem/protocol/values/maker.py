"""Makers of meters by their FLAG letters, as identification strings, system titles and M-Bus headers carry them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Final

from cosem.errors import ConfigurationError

LETTERS: Final = 3

_BITS: Final = 5
_MASK: Final = (1 << _BITS) - 1
_BEFORE_A: Final = ord("A") - 1


def maker(letters: str) -> str | None:
    """Return the name of the maker, most with the country, None for letters that the list does not have.

    Small letters stand for capitals: IEC 62056-21 writes the third small where a meter answers fast.
    """
    return makers().get(letters.upper())


def maker_of(name: bytes) -> str | None:
    """Return who made a device, by the three letters that its logical device name or its system title begins with."""
    return maker(name[:LETTERS].decode("ascii", "replace"))


@cache
def makers() -> Mapping[str, str]:
    """Return the names of all makers by their letters."""
    text = resources.files("cosem.protocol.values").joinpath("makers.toml").read_text("utf-8")
    return MappingProxyType(tomllib.loads(text))


def letters_of(mbus_id: int) -> str | None:
    """Return the letters in the manufacturer field of an M-Bus header, None where it holds none.

    Five bits a letter, A is 1 (EN 13757-3). The topmost of the 16 bits is no part of it: in wireless M-Bus it says that
    the address is unique only nearby.
    """
    numbers = [mbus_id >> shift & _MASK for shift in (2 * _BITS, _BITS, 0)]
    letters = "".join(chr(_BEFORE_A + number) for number in numbers)
    return letters if letters.isalpha() and letters.isascii() else None


def mbus_id(letters: str) -> int:
    """Return the 15 bits that stand for three letters in an M-Bus header; raise ConfigurationError for other text."""
    capitals = letters.upper()
    if len(capitals) != LETTERS or not (capitals.isascii() and capitals.isalpha()):
        raise ConfigurationError(f"{letters!r} does not name a maker: write three letters, such as KFM")
    first, second, third = (ord(letter) - _BEFORE_A for letter in capitals)
    return first << 2 * _BITS | second << _BITS | third


def maker_text(letters: str) -> str:
    """Return letters with the name of the maker where it is known: `KAM: Kamstrup Energi`."""
    name = maker(letters)
    return letters if name is None else f"{letters}: {name}"
