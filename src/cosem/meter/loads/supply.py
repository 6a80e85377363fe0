"""What flows of a load behind a breaker or valve: nothing while that is open, and totals stand still."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime
from math import inf

from cosem.meter.loads.course import Flowing, Moment


class Supply:
    """A load behind a breaker: `changes` are when it opened and closed, by turns, and may grow.

    What came while it was closed is added up, so that a total is the same to the last digit while it is open, and goes
    on from there.
    """

    __slots__ = ("_begin", "_changes", "_edges", "_seed", "_stood")

    def __init__(self, seed: int, begin: datetime, changes: Sequence[datetime]) -> None:
        self._seed = seed
        self._begin = begin
        self._changes = changes
        self._edges: list[float] = []
        self._stood: dict[Flowing, list[tuple[float, float]]] = {}
        """Of each flow what had come when the breaker opened, and what would have come until it closed."""

    def moment(self, seconds: float) -> Moment:
        """Return what figures have in common at a time, in seconds since the load began to count."""
        return _Supplied(self, self._seed, seconds)

    @property
    def stretches(self) -> Iterator[tuple[float, float]]:
        """From when to when it was open, the last one perhaps without an end."""
        edges = self._known()
        return zip(edges[::2], [*edges[1::2], inf], strict=False)

    def flowed(self, flow: Flowing, seconds: float) -> float:
        """Return how much has flowed of something."""
        count = bisect_right(self._known(), seconds)
        if count % 2:
            return self._stands(flow, count // 2)
        flowed = self._flowed(flow, seconds)
        if not count:
            return flowed
        stood, would = self._stopped(flow, count // 2)[count // 2 - 1]
        return stood + (flowed - would)

    def open_at(self, seconds: float) -> bool:
        """Tell whether the breaker is open, so that nothing flows."""
        return bisect_right(self._known(), seconds) % 2 == 1

    def _stands(self, flow: Flowing, over: int) -> float:
        """Return what had come when the breaker opened after so many times that are over."""
        down = self._flowed(flow, self._edges[2 * over])
        if not over:
            return down
        stood, would = self._stopped(flow, over)[over - 1]
        return stood + (down - would)

    def _stopped(self, flow: Flowing, count: int) -> list[tuple[float, float]]:
        known = self._stood.setdefault(flow, [])
        while len(known) < count:
            place = len(known)
            known.append((self._stands(flow, place), self._flowed(flow, self._edges[2 * place + 1])))
        return known

    def _flowed(self, flow: Flowing, seconds: float) -> float:
        return Moment(self._seed, seconds).flowed(flow)

    def _known(self) -> list[float]:
        edges = self._edges
        for change in self._changes[len(edges) :]:
            edges.append(max((change - self._begin).total_seconds(), edges[-1] if edges else -inf))
        return edges


class _Supplied(Moment):
    """A moment of a load behind a breaker."""

    __slots__ = ("_supply",)

    def __init__(self, supply: Supply, seed: int, seconds: float) -> None:
        super().__init__(seed, seconds)
        self._supply = supply

    def flowed(self, flow: Flowing) -> float:
        flowed = self._flowed.get(flow)
        if flowed is None:
            flowed = self._flowed[flow] = self._supply.flowed(flow, self.seconds)
        return flowed

    def flows(self, flow: Flowing) -> float:
        return 0.0 if self._supply.open_at(self.seconds) else super().flows(flow)
