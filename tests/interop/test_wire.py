"""What reading a meter costs on the line: our client against two peers, each as it comes."""

from __future__ import annotations

from benchmarks import wire
from benchmarks.relay import Count
from benchmarks.wire import Cost

ROWS = 96
PEERS = ("gurux-dlms", "pydlms-client")
ALL = "all of it in one session"
NEGOTIATION = 50
"""Octets that SNRM and UA with parameters have more than the empty ones of gurux-dlms."""
WINDOWS, ONE_FRAME = wire.LINES


def measured(line: str) -> dict[str, Cost]:
    (costs,) = wire.measured({ALL: wire.WORKS[ALL]}, ROWS, **wire.LINES[line]).values()
    ours, gurux, pydlms = (costs[name] for name in ("cosem", *PEERS))
    assert ours.found == gurux.found == pydlms.found
    assert len(ours.found) == len(wire.REGISTERS) + ROWS * 6
    assert ours.round_trips <= gurux.round_trips
    assert ours.round_trips < pydlms.round_trips
    assert ours.octets <= gurux.octets + NEGOTIATION
    assert ours.octets <= pydlms.octets
    return costs


def test_in_windows_of_long_frames_a_session_takes_few_round_trips_and_no_more_octets() -> None:
    costs = measured(WINDOWS)
    ours, *peers = (costs[name] for name in ("cosem", *PEERS))
    assert ours.round_trips <= 7
    for theirs in peers:
        assert theirs.round_trips > 7
        assert ours.octets <= theirs.octets


def test_one_short_frame_at_a_time_costs_no_more_than_the_negotiation() -> None:
    measured(ONE_FRAME)


def test_a_round_trip_begins_when_the_client_speaks_after_the_meter() -> None:
    count = Count()
    for octets, by_client in [(3, True), (4, True), (5, False), (1, False), (2, True), (9, False)]:
        count.add(octets, by_client=by_client)
    assert (count.to_meter, count.from_meter, count.round_trips) == (9, 15, 2)
