"""What reading a meter costs on the line: our client needs fewer round trips than each peer as it comes, and no more octets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks import wire
from benchmarks.relay import Count
from benchmarks.wire import Cost

ROWS = 96
PEERS = ("gurux-dlms", "pydlms-client")
OPENING = "open and close"
LIST = "10 registers with their units"
PROFILE = "load profile and its columns"
ALL = "all of it in one session"
NEGOTIATION = 12
"""Octets that SNRM and UA with parameters have more than the empty ones of gurux-dlms, without its RLRQ and RLRE."""


@pytest.fixture(scope="module", params=list(wire.LINES))
def costs(request: pytest.FixtureRequest) -> Iterator[dict[str, dict[str, Cost]]]:
    yield wire.measured(wire.WORKS, ROWS, **wire.LINES[request.param])


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("work", list(wire.WORKS))
def test_fewer_round_trips(costs: dict[str, dict[str, Cost]], work: str, peer: str) -> None:
    assert costs[work]["cosem"].round_trips < costs[work][peer].round_trips


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("work", [PROFILE, ALL])
def test_no_more_octets(costs: dict[str, dict[str, Cost]], work: str, peer: str) -> None:
    assert costs[work]["cosem"].octets <= costs[work][peer].octets


@pytest.mark.parametrize("work", [OPENING, LIST])
def test_what_is_short_costs_no_more_than_the_negotiation_of_windows(
    costs: dict[str, dict[str, Cost]], work: str
) -> None:
    ours = costs[work]["cosem"].octets
    assert ours <= costs[work]["pydlms-client"].octets
    assert ours <= costs[work]["gurux-dlms"].octets + NEGOTIATION


def test_all_read_the_same(costs: dict[str, dict[str, Cost]]) -> None:
    for work, by_client in costs.items():
        assert len({cost.found for cost in by_client.values()}) == 1, work
    assert len(costs[LIST]["cosem"].found) == len(wire.REGISTERS)
    assert len(costs[PROFILE]["cosem"].found) == ROWS * 6


def test_a_round_trip_begins_when_the_client_speaks_after_the_meter() -> None:
    count = Count()
    for octets, by_client in [(3, True), (4, True), (5, False), (1, False), (2, True), (9, False)]:
        count.add(octets, by_client=by_client)
    assert (count.to_meter, count.from_meter, count.round_trips) == (9, 15, 2)
