"""A meter on one end of a serial line and a client on the other: two real pseudo-terminals with a wire between."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from cosem import AsyncClient, Client, Meter, ProfileGeneric, Register, Unit
from cosem.errors import CosemError
from cosem.io.aio import open_serial
from cosem.meter import Server, serving
from cosem.meter.attend import ConnectionLimits
from cosem.meter.demo import household
from cosem.meter.faults import WELL_BEHAVED, Faults
from cosem.meter.p1 import P1Port
from cosem.protocol.profile.timing import Timing
from lines import serial_line

ENERGY = Register("1.0.1.8.0.255")


def described(faults: Faults = WELL_BEHAVED) -> Meter:
    meter = Meter("KFM1020012345678", faults=faults)
    meter.add(ENERGY, value=12_345_678, scaler_unit=(0, Unit.WATT_HOUR))
    meter.add(ProfileGeneric("1.0.99.1.0.255"), buffer=[(number,) for number in range(200)])
    return meter


def scenario(read: Any) -> None:
    async def run() -> None:
        with serial_line() as (meters_end, clients_end):
            url = f"hdlc+serial://{meters_end}?baud=9600"
            async with serving(described(), url, beyond_loopback=True):
                await read(f"hdlc+serial://{clients_end}?baud=9600")

    asyncio.run(run())


def test_hdlc_over_a_serial_line_on_asyncio() -> None:
    async def read(url: str) -> None:
        async with AsyncClient.open(url) as client:
            assert str(await client.quantity(ENERGY)) == "12345678 Wh"
            assert len(await client.get(ProfileGeneric("1.0.99.1.0.255").buffer)) == 200

    scenario(read)


def test_a_meter_that_restarts_is_at_its_line_as_before() -> None:
    """Its session is gone, as is what is said first; whoever begins again is served."""

    async def run() -> None:
        meter = described(Faults(activation_restarts=True))
        with serial_line() as (meters_end, clients_end):
            async with serving(meter, f"hdlc+serial://{meters_end}?baud=9600", beyond_loopback=True):
                client, again = (
                    AsyncClient.open(f"hdlc+serial://{clients_end}?baud=9600", timing=Timing(response=1.0))
                    for _ in range(2)
                )
                await client.connect()
                assert str(await client.quantity(ENERGY)) == "12345678 Wh"
                meter.power.restart()
                with pytest.raises(CosemError):
                    await client.quantity(ENERGY)
                await client.close()
                async with again:
                    assert str(await again.quantity(ENERGY)) == "12345678 Wh"

    asyncio.run(asyncio.wait_for(run(), 60))


def test_a_p1_port_that_restarts_goes_on_speaking_on_its_line() -> None:
    async def run() -> list[bytes]:
        heard = b""
        with serial_line() as (meters_end, clients_end):
            url = f"p1+serial://{meters_end}?baud=115200"
            async with P1Port(household(1, faults=Faults(reboot_after=2)), url, interval=0.05, beyond_loopback=True):
                stream = await open_serial(clients_end, 115_200, "8N1")
                while heard.count(b"!") < 4:
                    heard += await stream.read(None)
                await stream.close()
        return heard.split(b"!")[:4]

    assert all(b"/KFM" in each for each in asyncio.run(asyncio.wait_for(run(), 60)))


@pytest.mark.parametrize(("most", "fits"), [(1, True), (0, False)])
def test_the_limits_of_a_connection_hold_on_a_line_too(most: int, fits: bool) -> None:
    async def run() -> None:
        limits = ConnectionLimits(associations=most)
        with serial_line() as (meters_end, clients_end):
            url = f"hdlc+serial://{meters_end}?baud=9600"
            async with Server(described(), url, beyond_loopback=True, connection_limits=limits):
                client = AsyncClient.open(f"hdlc+serial://{clients_end}?baud=9600", timing=Timing(association=1.0))
                with contextlib.nullcontext() if fits else pytest.raises(CosemError):
                    await client.connect()
                    assert str(await client.quantity(ENERGY)) == "12345678 Wh"
                await client.close()

    asyncio.run(asyncio.wait_for(run(), 30))


def test_hdlc_over_a_serial_line_blocking_twice_in_a_row() -> None:
    def blocking(url: str) -> None:
        for _ in range(2):
            with Client.open(url) as client:
                assert str(client.quantity(ENERGY)) == "12345678 Wh"

    async def read(url: str) -> None:
        await asyncio.to_thread(blocking, url)

    scenario(read)
