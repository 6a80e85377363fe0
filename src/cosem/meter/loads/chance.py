"""Numbers that look like chance and follow from a seed: the same on every machine and in every run."""

from __future__ import annotations

import zlib
from typing import Final

_MASK: Final = (1 << 64) - 1
_STEP: Final = 0x9E37_79B9_7F4A_7C15


def chance(seed: int, place: int) -> float:
    """Return a number from 0 up to 1 for a place, such as a minute, in what a seed brings about."""
    mixed = (seed * 0x2545_F491_4F6C_DD1D + (place + 1) * _STEP) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58_476D_1CE4_E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D0_49BB_1331_11EB) & _MASK
    return ((mixed ^ (mixed >> 31)) >> 11) / (1 << 53)


def trait(seed: int, name: str) -> float:
    """Return a number from 0 up to 1 for something that stays with a seed."""
    return chance(seed, zlib.crc32(name.encode()) << 16)
