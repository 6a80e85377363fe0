"""Makers of meters by their FLAG letters, as identification strings and system titles carry them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Final

LETTERS: Final = 3


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


def maker_text(letters: str) -> str:
    """Return letters with the name of the maker where it is known: `KAM: Kamstrup Energi`."""
    name = maker(letters)
    return letters if name is None else f"{letters}: {name}"
