"""What reading a meter costs on the line: our client against two peers, each as it comes."""

from __future__ import annotations

from benchmarks import wire
from benchmarks.relay import Count
from benchmarks.wire import Cost

ROWS = 96
PEERS = ("gurux-dlms", "pydlms-client")
LIST = "10 registers with their units"
ALL = "all of it in one session"
NEGOTIATION = 50
"""Octets that SNRM and UA with parameters have more than the empty ones of gurux-dlms."""
WINDOWS, ONE_FRAME = wire.LINES


def measured(line: str, *works: str) -> dict[str, dict[str, Cost]]:
    costs = wire.measured({work: wire.WORKS[work] for work in works}, ROWS, **wire.LINES[line])
    for work, by_client in costs.items():
        ours, gurux, pydlms = (by_client[name] for name in ("cosem", *PEERS))
        assert ours.found == gurux.found == pydlms.found, work
        assert ours.round_trips <= gurux.round_trips, work
        assert ours.round_trips < pydlms.round_trips, work
        assert ours.octets <= gurux.octets + NEGOTIATION, work
        assert ours.octets <= pydlms.octets, work
    return costs


def test_in_windows_of_long_frames_all_takes_fewer_round_trips_and_a_profile_no_more_octets() -> None:
    costs = measured(WINDOWS, LIST, ALL)
    assert len(costs[LIST]["cosem"].found) == len(wire.REGISTERS)
    assert costs[LIST]["cosem"].round_trips == 4  # SNRM, AARQ, GET with list, DISC
    assert costs[ALL]["cosem"].round_trips <= 7
    for peer in PEERS:
        assert costs[LIST][peer].round_trips > 4
        assert costs[ALL][peer].round_trips > 7
        assert costs[ALL]["cosem"].octets <= costs[ALL][peer].octets


def test_one_short_frame_at_a_time_costs_no_more_than_the_negotiation() -> None:
    costs = measured(ONE_FRAME, ALL)
    assert len(costs[ALL]["cosem"].found) == len(wire.REGISTERS) + ROWS * 6


def test_a_round_trip_begins_when_the_client_speaks_after_the_meter() -> None:
    count = Count()
    for octets, by_client in [(3, True), (4, True), (5, False), (1, False), (2, True), (9, False)]:
        count.add(octets, by_client=by_client)
    assert (count.to_meter, count.from_meter, count.round_trips) == (9, 15, 2)
