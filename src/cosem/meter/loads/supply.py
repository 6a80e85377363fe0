"""What flows of a load behind a breaker or valve: nothing while that is open, and totals stand still."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime
from math import inf
from typing import Protocol

from cosem.meter.loads.course import Moment


class Flowing(Protocol):
    """What flows, by what it is of."""

    def at(self, moment: Moment) -> tuple[float, float]:
        """Return how much has flowed, and how much flows in an hour."""
        ...


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

    def at(self, flow: Flowing, seconds: float) -> tuple[float, float]:
        """Return how much of one has flowed, and how much flows in an hour."""
        count = bisect_right(self._known(), seconds)
        if not count:
            return flow.at(Moment(self._seed, seconds))
        if count % 2:
            return self._stands(flow, count // 2), 0.0
        stood, would = self._stopped(flow, count // 2)[count // 2 - 1]
        flowed, flows = flow.at(Moment(self._seed, seconds))
        return stood + (flowed - would), flows

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
        return flow.at(Moment(self._seed, seconds))[0]

    def _known(self) -> list[float]:
        edges = self._edges
        for change in self._changes[len(edges) :]:
            edges.append(max((change - self._begin).total_seconds(), edges[-1] if edges else -inf))
        return edges


class _Supplied(Moment):
    """A moment of a load behind a breaker."""

    __slots__ = ()

    def __init__(self, supply: Supply, seed: int, seconds: float) -> None:
        super().__init__(seed, seconds)
        self.flows = _Flows(supply, seconds)


class _Flows(dict[object, tuple[float, float]]):
    """What flows at a moment, reckoned when it is asked for first."""

    __slots__ = ("_seconds", "_supply")

    def __init__(self, supply: Supply, seconds: float) -> None:
        super().__init__()
        self._supply = supply
        self._seconds = seconds

    def get(self, flow: Flowing, _: object = None) -> tuple[float, float]:  # type: ignore[override]  # never default
        """Return what is known of a flow, or reckon it."""
        found = super().get(flow)
        if found is None:
            found = self[flow] = self._supply.at(flow, self._seconds)
        return found
