"""Which kinds of meters a fleet has, and in what shares."""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate
from types import MappingProxyType
from typing import Final

from cosem.errors import ConfigurationError
from cosem.meter import loads

KINDS: Final = tuple(loads.KINDS)
"""The kinds of meters: those of the loads that they measure."""

DEFAULT: Final[Mapping[str, float]] = MappingProxyType({"household": 1.0})


class Kinds:
    """Kinds of meters by their shares; ConfigurationError for an unknown one or a share below 0."""

    def __init__(self, shares: Mapping[str, float] = DEFAULT) -> None:
        for name, share in shares.items():
            if name not in KINDS:
                raise ConfigurationError(f"{name!r} is no kind of meter: there is {', '.join(KINDS)}")
            if not share >= 0:
                raise ConfigurationError(f"the share of {name} is {share}: write 0 or more")
        whole = sum(shares.values())
        if not whole > 0:
            raise ConfigurationError("a fleet has meters of one kind at least")
        self._names = tuple(name for name, share in shares.items() if share)
        self._bounds = tuple(accumulate(share / whole for share in shares.values() if share))

    @property
    def names(self) -> tuple[str, ...]:
        """The kinds of which there are any."""
        return self._names

    def of(self, seed: int, number: int) -> str:
        """Return the kind of a meter."""
        if len(self._names) == 1:
            return self._names[0]
        place = zlib.crc32(f"{seed} kind {number}".encode()) / (1 << 32)
        return self._names[min(bisect_right(self._bounds, place), len(self._names) - 1)]
