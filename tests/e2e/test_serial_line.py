"""A meter on one end of a serial line and a client on the other: two real pseudo-terminals with a wire between."""

from __future__ import annotations

import asyncio
import os
import select
import sys
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cosem import AsyncClient, Client, Meter, ProfileGeneric, Register, Unit
from cosem.meter import serving

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")

ENERGY = Register("1.0.1.8.0.255")


@contextmanager
def line() -> Iterator[tuple[str, str]]:
    """Give the names of the two ends of a serial line."""
    ends = [os.openpty() for _ in range(2)]
    for _, slave in ends:
        tty.setraw(slave)
    stop_read, stop_write = os.pipe()
    one, other = ends[0][0], ends[1][0]

    def carry() -> None:
        while True:
            ready, _, _ = select.select([one, other, stop_read], [], [])
            if stop_read in ready:
                return
            for end in ready:
                os.write(other if end == one else one, os.read(end, 4096))

    wire = threading.Thread(target=carry)
    wire.start()
    try:
        yield os.ttyname(ends[0][1]), os.ttyname(ends[1][1])
    finally:
        os.write(stop_write, b"x")
        wire.join()
        for descriptor in (stop_read, stop_write, *ends[0], *ends[1]):
            os.close(descriptor)


def described() -> Meter:
    meter = Meter("KFM1020012345678")
    meter.add(ENERGY, value=12_345_678, scaler_unit=(0, Unit.WATT_HOUR))
    meter.add(ProfileGeneric("1.0.99.1.0.255"), buffer=[(number,) for number in range(200)])
    return meter


def scenario(read: Any) -> None:
    async def run() -> None:
        with line() as (meters_end, clients_end):
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


def test_hdlc_over_a_serial_line_blocking_twice_in_a_row() -> None:
    def blocking(url: str) -> None:
        for _ in range(2):
            with Client.open(url) as client:
                assert str(client.quantity(ENERGY)) == "12345678 Wh"

    async def read(url: str) -> None:
        await asyncio.to_thread(blocking, url)

    scenario(read)
