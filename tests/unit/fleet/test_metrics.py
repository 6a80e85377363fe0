"""The state of a fleet in the text format of Prometheus."""

from __future__ import annotations

from datetime import UTC, datetime

from cosem.fleet.fleet import Fleet
from cosem.fleet.metrics import metrics
from cosem.fleet.population import Population

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_every_number_of_a_state_is_a_metric_with_its_meaning() -> None:
    lines = metrics(Fleet(Population(7), "tcp://127.1.0.0:0").state, NOW).splitlines()
    assert f"cosem_fleet_virtual_time_seconds {NOW.timestamp()}" in lines
    assert "cosem_fleet_meters 7" in lines
    assert "# TYPE cosem_fleet_misbehaving gauge" in lines
    assert "cosem_fleet_misbehaving 0" in lines
    assert "# TYPE cosem_fleet_meters gauge" in lines
    assert "# TYPE cosem_fleet_accepted_total counter" in lines
    assert "cosem_fleet_accepted_total 0" in lines
    assert len(lines) % 3 == 0
