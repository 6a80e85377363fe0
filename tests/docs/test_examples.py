"""The example meter is what it says: described in TOML, served, and read."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cosem import AsyncClient, ProfileGeneric, Register
from cosem.meter import describe, serving

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_the_meter_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METER_PASSWORD", "12345678")
    meter = describe.load(EXAMPLES / "meter.toml")

    async def run() -> None:
        async with serving(meter, "tcp://127.0.0.1:0") as server:
            url = f"tcp://{server.url.place}?client=2"
            with pytest.warns(match="in clear"):
                async with AsyncClient.open(url, password="12345678") as client:
                    assert str(await client.quantity(Register("1.0.1.8.0.255"))) == "12345678 Wh"
                    assert str(await client.quantity(Register("1.0.32.7.0.255"))) == "230.1 V"
                    columns = await client.get(ProfileGeneric("1.0.99.1.0.255").capture_objects)
                    assert [str(column) for column in columns] == ["8/0.0.1.0.0.255/2", "3/1.0.1.8.0.255/2"]

    asyncio.run(run())
