"""Our metrics as the Python client of Prometheus reads them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from cosem.gateway.northbound import Point
from cosem.gateway.northbound.prometheus import PrometheusOutput
from cosem.gateway.value import Command, CommandResult, NumberType, Quality, Sample
from e2e.test_fleet import running
from interop.conftest import drive
from interop.lines_of import PYTHON

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
ODD = 'a "b" \\ c\nd'


async def obey(command: Command) -> CommandResult:
    return CommandResult(False)


def test_metrics() -> None:
    async def run() -> None:
        output = PrometheusOutput(port=0)
        points = [
            Point("energy", "meter", ODD, NumberType.DOUBLE),
            Point("lost", "meter", "", NumberType.FLOAT),
            Point("state", "meter", "", NumberType.TEXT),
            Point("never", "meter", "", NumberType.FLOAT),
        ]
        await output.start(points, obey)
        await output.publish(
            [
                Sample("energy", Decimal("12.5"), Quality.GOOD, NOON, NOON, "kWh"),
                Sample("energy", 1, Quality.GOOD, NOON, NOON, "kWh", backfilled=True),
                Sample("lost", 7, Quality.NOT_TOPICAL, None, NOON),
                Sample("state", "text", Quality.GOOD, None, NOON),
            ]
        )
        told = await asyncio.to_thread(
            drive, "prometheus_reader.py", f"http://127.0.0.1:{output.port}/metrics", interpreter=PYTHON
        )
        families = {each["name"]: each for each in told["families"]}
        assert {each["type"] for each in families.values()} == {"gauge"}
        (value,) = families["cosem_signal_value"]["samples"]
        assert value["value"] == 12.5
        assert value["labels"] == {"device": "meter", "signal": "energy", "name": ODD, "unit": "kWh"}
        good = {each["labels"]["signal"]: each["value"] for each in families["cosem_signal_good"]["samples"]}
        assert good == {"energy": 1, "lost": 0, "state": 1}
        (source,) = families["cosem_signal_source_timestamp_seconds"]["samples"]
        assert source["value"] == NOON.timestamp()
        assert len(families["cosem_signal_timestamp_seconds"]["samples"]) == 3
        await output.close()

    asyncio.run(run())


def test_metrics_of_a_fleet(tmp_path: Path) -> None:
    words = ("--count", "7", "--listen", "tcp://127.1.0.0:0", "--metrics", "127.0.0.1:0")
    with running(*words, state=tmp_path) as (fleet, _):
        told = drive("prometheus_reader.py", fleet["metrics"], interpreter=PYTHON)
    families = {each["name"]: each for each in told["families"]}
    assert {each["type"] for each in families.values()} == {"gauge", "counter"}
    assert families["cosem_fleet_meters"]["samples"] == [{"name": "cosem_fleet_meters", "labels": {}, "value": 7}]
    accepted = families["cosem_fleet_accepted"]
    assert (accepted["type"], accepted["samples"][0]["value"]) == ("counter", 0)
    assert all(len(each["samples"]) == 1 for each in families.values())
