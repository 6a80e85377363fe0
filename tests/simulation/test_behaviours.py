"""What a meter did on its own, read by a client that comes later."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from behaving import NOON, Now
from cosem import AsyncClient
from cosem.meter.describe import parse
from cosem.protocol.model import Data, ProfileGeneric
from cosem.protocol.model.classes.time_and_event import DisconnectControl, Limiter
from described import LIMITED
from simulation.bench import Bench
from unit.meter.test_monitors import METER

LOG = ProfileGeneric("0.0.99.98.0.255")


def test_a_client_reads_in_the_event_log_what_a_limiter_did():
    now = Now()
    bench = Bench()
    bench.words = {}
    bench.meter = parse(METER + LIMITED + "[[association]]\nclient = 1\n", clock=now)
    now.later(hours=2, minutes=10)

    async def read(client: AsyncClient) -> tuple[Any, ...]:
        state = await client.get(DisconnectControl().control_state)
        threshold = await client.get(Limiter("0.0.17.0.0.255").threshold_active)
        code = await client.get(Data("0.0.96.11.0.255").value)
        events = await client.events(LOG, codes={61: "limiter"})
        return state, threshold, code, events

    state, threshold, code, events = bench.run(read)
    assert (state, threshold, code) == (0, 50, 71)
    assert [(each.code, each.time - NOON, each.name) for each in events] == [
        (2, timedelta(), None),
        (61, timedelta(hours=2, minutes=5), "limiter"),
        (71, timedelta(hours=2, minutes=5), None),
    ]
