"""A fleet of simulated meters through `cosem gateway` into a real MQTT broker and an IEC 104 control system at once."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from interop.broker import Broker, free_port
from interop.lines_of import peer

SOURCES = Path(__file__).parents[2] / "src"
METERS = 20

DEVICE = """
[[devices]]
name = "Meter {number}"
device_alias = "m{number}"
protocol = "DLMS"
type = "LN"
mode = "DLMS-WRAPPER"
client_address = "10"
logical_address = 1
ip = "{ip}"
port = {port}
scan_rate_ms = 500
timeout_ms = 10000
retry_counter = 1
reconnect_time = 200

[[signals]]
signal_name = "Energy"
device_alias = "m{number}"
signal_alias = "e{number}"
obis_job = "1.0.1.8.0.255"
number_type = "DOUBLE"
profile = "1.0.99.1.0.255"

[[signals]]
signal_name = "Answers"
device_alias = "m{number}"
signal_alias = "up{number}"
source = "status"
number_type = "DIGITAL"
"""

OUTPUTS = """
[[outputs]]
kind = "mqtt"
address = "127.0.0.1:{broker}"

[[outputs]]
kind = "iec104"
address = "127.0.0.1:{station}"
options = "tagged_interrogation=yes"
"""


@asynccontextmanager
async def program(*words: str, folder: Path) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Run `cosem` with some words until the end of the block; it must end cleanly when it is asked to."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cosem", *words),
        env={**os.environ, "PYTHONPATH": str(SOURCES), "XDG_RUNTIME_DIR": str(folder)},
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            _, err = await process.communicate()
        assert process.returncode == 0, err.decode()


async def line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(30):
        return (await process.stdout.readline()).decode()


def told(heard: dict[str, Any], signal_alias: str) -> dict[str, Any] | None:
    """Return what was said of a signal of the seventh meter, None where something else was said."""
    if heard.get("topic") != f"cosem/m7/{signal_alias}":
        return None
    payload: dict[str, Any] = json.loads(heard["payload"])
    return payload


def has(heard: dict[str, Any], signal_alias: str, quality: str) -> bool:
    payload = told(heard, signal_alias)
    return payload is not None and quality in payload["quality"]


def test_live_values_and_a_fleet_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    async def run() -> None:
        broker, station = Broker(tmp_path), free_port()
        await broker.start()
        given = ("fleet", "--count", str(METERS))
        async with program(*given, "--listen", "tcp://127.1.0.0:0", folder=tmp_path) as fleet:
            found = re.search(r"tcp://([0-9.]+):(\d+)", await line(fleet))
            assert found is not None
            first, port = ipaddress.ip_address(found[1]), int(found[2])
            rows = [DEVICE.format(number=number, ip=first + number, port=port) for number in range(METERS)]
            tables = tmp_path / "gateway.toml"
            tables.write_text("".join(rows) + OUTPUTS.format(broker=broker.port, station=station))
            async with (
                peer("mqtt_client.py", port=broker.port) as listener,
                program("gateway", "-c", str(tables), folder=tmp_path),
            ):
                wanted = {f"cosem/m{number}/e{number}" for number in range(METERS)}
                while wanted:
                    heard = await listener.hear()
                    if heard.get("topic") in wanted and "good" in json.loads(heard["payload"])["quality"]:
                        wanted.discard(heard["topic"])
                async with peer("c104_client.py", port=station, commands=[]) as master:
                    await master.until(lambda each: "connected" in each)
                    await master.tell("interrogate")
                    points: set[int] = set()
                    while len(points) < 2 * METERS:
                        points.add((await master.until(lambda each: "point" in each))["point"])
                    assert points == set(range(1, 2 * METERS + 1))
                fleet.send_signal(signal.SIGTERM)
                lost = stale = False
                while not (lost and stale):  # the broker may have them in either order
                    heard = await listener.hear()
                    lost = lost or (told(heard, "up7") or {"value": True})["value"] in (0, False)
                    stale = stale or has(heard, "e7", "not topical")
                async with program(*given, "--listen", f"tcp://{first}:{port}", folder=tmp_path):
                    await listener.until(lambda each: has(each, "e7", "good"))
        await broker.stop()

    asyncio.run(run())
