"""What drivers have in common that open the line of their device for each scan, and know of no records of the past."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo
from typing import Generic, TypeVar

from cosem.client.client import Opener
from cosem.gateway.config import ElgamaParameters, Iec21Parameters, Signal, Source
from cosem.gateway.value import Sample

P = TypeVar("P", Iec21Parameters, ElgamaParameters)


class OneSession(Generic[P]):
    """One meter whose session ends with each scan.

    Args:
        parameters: the row of the device.
        signals: its enabled signals.
        now: the time of the gateway, aware.
        opener: gives the stream for a URL; None for the usual way.
        zone: where the meter's clock is; what it tells is local time.
    """

    def __init__(
        self,
        parameters: P,
        signals: Sequence[Signal],
        *,
        now: Callable[[], datetime],
        opener: Opener | None = None,
        zone: tzinfo | None = None,
    ) -> None:
        self._parameters: P = parameters
        self._signals = {each.alias: each for each in signals}
        self._spot = tuple(each for each in signals if each.source is Source.VALUE and each.job is not None)
        self._now = now
        self._opener = opener
        self._zone = zone

    async def backfill(self, signals: Sequence[Signal], since: datetime, until: datetime) -> Sequence[Sample]:
        """Return nothing: tables of this form do not tell which record of a maker belongs to which time."""
        return []

    async def close(self) -> None:
        """Do nothing: a session ends with its scan."""
