"""A gateway that is killed while its broker is away: the next one publishes all that was on disk, in order, once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path

from cosem.gateway.buffer import Buffer
from cosem.meter import Meter, Server
from cosem.protocol.model.classes.data_storage import Register
from cosem.protocol.values.data import DoubleLongUnsigned
from e2e.test_gateway_of_a_fleet import SOURCES, program
from interop.broker import Broker
from interop.lines_of import peer

LEAST = 10
"""Values that are on disk when it is killed."""

TABLES = """
[[devices]]
name = "Meter"
device_alias = "meter"
protocol = "DLMS"
type = "LN"
mode = "DLMS-WRAPPER"
client_address = "10"
logical_address = 1
ip = "127.0.0.1"
port = {port}
scan_rate_ms = 100
timeout_ms = 10000

[[signals]]
signal_name = "Energy"
device_alias = "meter"
signal_alias = "energy"
obis_job = "1.0.1.8.0.255"
number_type = "DOUBLE"

[[outputs]]
kind = "mqtt"
address = "127.0.0.1:{broker}"
"""


def waiting(path: Path) -> int:
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return int(database.execute("select count(*) from waiting").fetchone()[0])
    return 0  # it is not there yet


def test_kill_9_loses_nothing_that_is_on_disk(tmp_path: Path) -> None:
    meter = Meter("KFM1020012345678")
    meter.add(Register("1.0.1.8.0.255"), value=DoubleLongUnsigned(7), scaler_unit=(0, 30))
    tables, buffer = tmp_path / "gateway.toml", tmp_path / "gateway-buffer.sqlite"

    async def killed() -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cosem", "gateway", "-c", str(tables)),
            env={**os.environ, "PYTHONPATH": str(SOURCES), "XDG_RUNTIME_DIR": str(tmp_path)},
            cwd=tmp_path,
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(60):
            while waiting(buffer) < LEAST:
                await asyncio.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        await process.wait()

    async def run() -> None:
        broker = Broker(tmp_path)
        async with Server(meter, "tcp://127.0.0.1:0") as server:
            tables.write_text(TABLES.format(port=server.url.port, broker=broker.port))
            await killed()
            left = Buffer(buffer, 1_000_000)
            kept = [each.sample.gateway_time.isoformat() for each in left.take("mqtt", 10_000)]
            left.close()
            assert len(kept) >= LEAST
            await broker.start()
            async with (
                peer("mqtt_client.py", port=broker.port) as listener,
                program("gateway", "-c", str(tables), folder=tmp_path),
            ):
                told: list[str] = []
                while len(told) < len(kept) + 2:
                    heard = await listener.hear()
                    if heard.get("topic") == "cosem/meter/energy":
                        told.append(json.loads(heard["payload"])["gateway_time"])
            assert told[: len(kept)] == kept
            assert told == sorted(set(told))
        await broker.stop()

    asyncio.run(run())
