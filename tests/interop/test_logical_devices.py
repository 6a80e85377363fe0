"""Several logical devices of one meter, utilities of a house and tenants, read by us and by gurux-dlms."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cosem import AsyncClient, Register
from cosem.errors import AssociationRejected
from cosem.meter import Meter, describe, serving
from cosem.protocol.model.classes.access_control import SapAssignment
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit
from interop.served import running

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
HOUSE = {
    17: ("KFME120000000001", "1.0.1.8.0.255", "Wh"),
    18: ("KFMG720000000001", "7.0.3.0.0.255", "m³"),
    19: ("KFMW820000000001", "8.0.1.0.0.255", "m³"),
    20: ("KFMH620000000001", "6.0.1.0.0.255", "Wh"),
}
"""By SAP: the logical device name, and what the device counts."""
NAME = Obis("0.0.42.0.0.255")
PASSWORDS = {"HOUSE_PASSWORD": "12345678", "TENANT_17": "tenant17", "TENANT_18": "tenant18", "KEEPER": "keeper00"}


@pytest.fixture(autouse=True)
def _passwords(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, password in PASSWORDS.items():
        monkeypatch.setenv(name, password)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the passwords go in clear
        yield


def house() -> Meter:
    return describe.load(EXAMPLES / "utilities.toml")


@pytest.mark.parametrize("framing", ["tcp", "hdlc+tcp"])
def test_each_utility_by_its_sap(framing: str) -> None:
    async def run() -> None:
        async with serving(house(), f"{framing}://127.0.0.1:0") as server:
            url = f"{framing}://127.0.0.1:{server.url.port}?client=1"
            async with AsyncClient.open(f"{url}&server=1", password="12345678") as client:
                listed = await client.get(SapAssignment().sap_assignment_list)
                told = {each.sap: each.logical_device_name for each in listed}
                assert {sap: bytes(name).decode() for sap, name in told.items()} == {
                    1: "KFM9020000000001",
                    **{sap: name for sap, (name, _, _) in HOUSE.items()},
                }
            for sap, (name, code, unit) in HOUSE.items():
                async with AsyncClient.open(f"{url}&server={sap}", password="12345678") as client:
                    quantity = await client.quantity(Register(code))
                    assert (quantity.value > 0, quantity.unit.symbol) == (True, unit), name

    asyncio.run(run())


@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
def test_gurux_reads_each_utility(gurux: Callable[..., dict[str, Any]], framing: str) -> None:
    meter = house()
    scheme = "tcp" if framing == "wrapper" else "hdlc+tcp"
    with running(serving(meter, f"{scheme}://127.0.0.1:0")) as port:
        for sap, (name, code, unit) in HOUSE.items():
            asked = [["read", 1, str(NAME), 2], ["read", 3, code, 3], ["read", 3, code, 2]]
            told = gurux(port, asked, framing=framing, server=sap, client=1, auth="low", password="12345678")
            assert "error" not in told, told
            called, scaled, counted = (each["value"] for each in told["results"])
            assert bytes.fromhex(called["raw"]["octets"]).decode() == name
            assert Unit.of(scaled["raw"][1]).symbol == unit
            assert counted["raw"] > 0


def test_a_tenant_reads_nobody_but_himself() -> None:
    async def run() -> None:
        async with serving(describe.load(EXAMPLES / "tenants.toml"), "tcp://127.0.0.1:0") as server:
            url = f"tcp://127.0.0.1:{server.url.port}"
            energy = Register("1.0.1.8.0.255")
            found: dict[tuple[int, int], Any] = {}
            for sap in (17, 18):
                for password in (17, 18):
                    place = f"{url}?client=32&server={sap}"
                    try:
                        async with AsyncClient.open(place, password=PASSWORDS[f"TENANT_{password}"]) as client:
                            found[sap, password] = (await client.quantity(energy)).value
                    except AssociationRejected:
                        found[sap, password] = None
                async with AsyncClient.open(f"{url}?client=1&server={sap}", password="keeper00") as client:
                    assert (await client.quantity(energy)).value == pytest.approx(found[sap, sap], rel=1e-6)
            assert found[17, 18] is found[18, 17] is None
            assert found[17, 17] != found[18, 18]

    asyncio.run(run())
