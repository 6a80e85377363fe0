"""A line that is pulled and put back, as clients of MQTT, Modbus and IEC 104 see it, with the rows that were missed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cosem.gateway import config
from cosem.gateway.engine import Gateway
from cosem.gateway.line import Clock
from e2e.test_gateway import NOON, Plant
from interop.broker import Broker, free_port
from interop.lines_of import Peer, peer

QUARTER = timedelta(minutes=15)
MISSED = 8
NOT_TOPICAL = 0x40
QUALITIES = 30_000
"""Where Modbus has the qualities, from the first register on."""

TABLES = """
[[devices]]
name = "LN meter"
device_alias = "ln"
protocol = "DLMS"
type = "LN"
mode = "DLMS-WRAPPER"
client_address = "10"
logical_address = 1
ip = "127.0.0.1"
port = {port}
scan_rate_ms = 200
timeout_ms = 5000
reconnect_time = 100
retry_counter = 1

[[signals]]
signal_name = "Energy"
device_alias = "ln"
signal_alias = "energy"
obis_job = "1.0.1.8.0.255"
number_type = "DOUBLE"
profile = "1.0.99.1.0.255"
register = 0
ioa = 1

[[outputs]]
kind = "mqtt"
address = "127.0.0.1:{broker}"

[[outputs]]
kind = "modbus"
address = "127.0.0.1:{modbus}"

[[outputs]]
kind = "iec104"
address = "127.0.0.1:{station}"
options = "tagged_interrogation=yes"
"""


def energy(heard: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what MQTT says of the energy, None for something else."""
    if not str(heard.get("topic")).endswith("/energy"):
        return None
    told: dict[str, Any] = json.loads(heard["payload"])
    return told


def says(heard: Mapping[str, Any], quality: str, *, backfilled: bool = False) -> bool:
    told = energy(heard)
    return told is not None and quality in told["quality"] and told.get("backfilled", False) is backfilled


async def becomes(modbus: Peer, quality: int) -> None:
    """Wait until Modbus has the energy in that quality."""
    async with asyncio.timeout(30):
        while await modbus.ask("registers", "holding", QUALITIES, 1) != [quality]:
            await asyncio.sleep(0.05)


def test_all_three_see_it_go_and_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAMA_PASSWORD", "OPERATOR")

    async def run() -> None:
        broker, ports = Broker(tmp_path), {"modbus": free_port(), "station": free_port()}
        await broker.start()
        async with Plant(tmp_path) as plant, peer("mqtt_client.py", port=broker.port) as listener:
            assert plant.ln is not None
            tables = tmp_path / "three.toml"
            tables.write_text(TABLES.format(port=plant.ln.url.port, broker=broker.port, **ports))
            clock = Clock(now=lambda: plant.now)
            gateway = Gateway(tmp_path, clock=clock, claims=tmp_path / "claims")
            await gateway.start(config.read(tables))
            await listener.until(lambda each: says(each, "good"))
            async with (
                peer("modbus_client.py", port=ports["modbus"]) as modbus,
                peer("c104_client.py", port=ports["station"], commands=[]) as master,
            ):
                await master.until(lambda each: "connected" in each)
                await master.tell("interrogate")
                seen = await master.until(lambda each: each.get("point") == 1)
                assert "is_good: True" in seen["quality"]
                await becomes(modbus, 0)
                number = await modbus.ask("number", "holding", 0, "FLOAT64", "big")
                assert number == pytest.approx(seen["value"], rel=1e-6)

                await plant.ln.close()
                await listener.until(lambda each: says(each, "not topical"))
                await becomes(modbus, NOT_TOPICAL)
                lost = await master.until(lambda each: each.get("point") == 1 and "NonTopical" in each["quality"])
                assert lost["cause"] == "SPONTANEOUS"

                plant.now += MISSED * QUARTER
                await plant.served_again()
                await listener.until(lambda each: says(each, "good"))
                await becomes(modbus, 0)
                rows: list[datetime] = []
                while len(rows) < MISSED:
                    told = energy(await listener.until(lambda each: says(each, "good", backfilled=True)))
                    assert told is not None
                    rows.append(datetime.fromisoformat(told["source_time"]))
                assert rows == [NOON + number * QUARTER for number in range(1, MISSED + 1)]
                while True:
                    back = await master.until(lambda each: each.get("point") == 1)
                    if "NonTopical" not in back["quality"] and back["time"]:
                        break
            await gateway.close()
        await broker.stop()

    asyncio.run(run())
