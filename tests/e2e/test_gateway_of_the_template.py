"""`cosem gateway new`, then `cosem gateway -c`: `cosem simulate` as seen in MQTT, Modbus and IEC 104 at once."""

from __future__ import annotations

import asyncio
import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from e2e.test_gateway_of_a_fleet import line, program
from interop.broker import Broker, free_port
from interop.lines_of import Peer, peer

ENERGY = "cosem/demo/demo.energy"
IOA, REGISTER, QUALITY = 1, 0, 30_000
"""Where the first signal of the template is: by the order of the table."""
NOT_TOPICAL = 0x40


def edit(path: Path, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
    """Change rows of a table as somebody does in a spreadsheet."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(change(each) for each in rows)


def fitted(folder: Path, meter: int, ports: dict[str, int]) -> None:
    """Have the addresses of the template lead to free ports, and its outputs in use; nothing else is changed."""
    edit(folder / "devices.csv", lambda row: row | {"port": str(meter)} if row["device_alias"] == "demo" else row)

    def output(row: dict[str, str]) -> dict[str, str]:
        port = ports.get(row["kind"])
        return row if port is None else row | {"enable": "1", "address": f"127.0.0.1:{port}"}

    edit(folder / "outputs.csv", output)
    page = f"127.0.0.1:{free_port()}"
    edit(folder / "settings.csv", lambda row: row | {"value": page} if row["name"] == "page" else row)


def energy(heard: dict[str, Any], quality: str) -> dict[str, Any] | None:
    """Return what MQTT says of the energy in a quality, None for something else."""
    if heard.get("topic") != ENERGY:
        return None
    told: dict[str, Any] = json.loads(heard["payload"])
    return told if quality in told["quality"] else None


async def modbus_says(modbus: Peer, quality: int) -> float:
    """Wait until Modbus has the energy in a quality; return it."""
    async with asyncio.timeout(60):
        while await modbus.ask("registers", "input", QUALITY, 1) != [quality]:
            await asyncio.sleep(0.1)
    number: float = await modbus.ask("number", "input", REGISTER, "FLOAT64", "big")
    return number


@pytest.mark.timeout(300)  # its meter is asked every ten seconds, as the template says
def test_the_template_as_it_is(tmp_path: Path) -> None:
    async def run() -> None:
        broker, folder = Broker(tmp_path), tmp_path / "plant"
        await broker.start()
        async with program("gateway", "new", str(folder), folder=tmp_path) as made:
            await made.wait()
        async with program("simulate", "--listen", "tcp://127.0.0.1:0", folder=tmp_path) as meter:
            found = re.search(r"tcp://127\.0\.0\.1:(\d+)", await line(meter))
            assert found is not None
            place = f"tcp://127.0.0.1:{found[1]}"
            ports = {"mqtt": broker.port, "modbus": free_port(), "iec104": free_port()}
            fitted(folder, int(found[1]), ports)
            async with (
                peer("mqtt_client.py", port=broker.port) as listener,
                program("gateway", "-c", str(folder), folder=tmp_path),
            ):
                live = energy(await listener.until(lambda each: energy(each, "good") is not None), "good")
                assert live is not None
                async with (
                    peer("modbus_client.py", port=ports["modbus"]) as modbus,
                    peer("c104_client.py", port=ports["iec104"], commands=[]) as master,
                ):
                    await master.until(lambda each: "connected" in each)
                    await master.tell("interrogate")
                    seen = await master.until(lambda each: each.get("point") == IOA)
                    assert "is_good: True" in seen["quality"]
                    assert await modbus_says(modbus, 0) >= live["value"] > 0
                    assert seen["value"] == pytest.approx(live["value"], rel=1e-3)

                    meter.terminate()
                    await listener.until(lambda each: energy(each, "not topical") is not None)
                    await modbus_says(modbus, NOT_TOPICAL)
                    await master.until(lambda each: each.get("point") == IOA and "NonTopical" in each["quality"])

                    async with program("simulate", "--listen", place, folder=tmp_path):
                        await listener.until(lambda each: energy(each, "good") is not None)
                        await modbus_says(modbus, 0)
                        await master.until(
                            lambda each: each.get("point") == IOA and "NonTopical" not in each["quality"]
                        )
        await broker.stop()

    asyncio.run(run())
