"""A client at a local port whose meter checks the speed of the line, by the settings of a real pseudo-terminal.

A pseudo-terminal knows the speed and neither parity nor seven bits: the line is told to be 8N1.
"""

from __future__ import annotations

import asyncio
import os
import select
import termios
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cosem import Client, Register
from cosem.client.iec21 import LocalClient
from cosem.errors import CosemError
from cosem.meter import serving
from cosem.meter.demo import household
from cosem.protocol.iec21.message import Check, Identification
from cosem.protocol.iec21.outbox import LineChange
from cosem.protocol.iec21.server import TariffDevice
from cosem.protocol.iec21.server_events import ReadoutWanted
from cosem.protocol.iec21.settings import ServerSettings

SPEEDS = {termios.B300: 300, termios.B2400: 2400, termios.B9600: 9600, termios.B19200: 19200}
DATA = b"1.8.0(000123.456*kWh)\r\n"


class Strict:
    """A meter at a pseudo-terminal, whose words are noise to a reader at another speed.

    At which speed the reader spoke cannot be seen, for nothing takes time here; the simulated line of
    `tests/unit/protocol/iec21/test_engines.py` holds that.
    """

    def __init__(self, settings: ServerSettings, falls_off_after: int | None = None) -> None:
        self.device = TariffDevice(settings)
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.path = os.ttyname(self.slave)
        self.baud = 300
        self._left = falls_off_after
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    @property
    def speed(self) -> int:
        """The speed of the reader's side."""
        return SPEEDS.get(termios.tcgetattr(self.slave)[4], 0)

    def _run(self) -> None:
        while not self._stop.is_set():
            ready, _, _ = select.select([self.master], [], [], 0.005)
            now = time.monotonic()
            if ready:
                self.device.receive(os.read(self.master, 4096), now)
            self.device.tick(now)
            for event in self.device.events():
                if isinstance(event, ReadoutWanted):
                    self.device.readout(DATA, now)
            for item in self.device.outgoing():
                if isinstance(item, LineChange):
                    self.baud = item.baud
                else:
                    self._say(item if self.speed == self.baud else b"x" * len(item))

    def _say(self, octets: bytes) -> None:
        if self._left is not None and octets.startswith(b"\x02"):
            octets, self._left = octets[: self._left], 0
        elif self._left == 0:
            return
        os.write(self.master, octets)


@contextmanager
def strict(identification: str, *, falls_off_after: int | None = None, **settings: object) -> Iterator[Strict]:
    """Run a meter of that identification."""
    made = ServerSettings(
        identification=Identification.of(identification),
        character_format="8N1",
        **settings,  # type: ignore[arg-type]
    )
    meter = Strict(made, falls_off_after)
    meter._thread.start()
    try:
        yield meter
    finally:
        meter._stop.set()
        meter._thread.join()
        os.close(meter.master)
        os.close(meter.slave)


@pytest.mark.parametrize(
    ("identification", "speed"), [("KFm5MT", 9600), ("KFm6MT", 19200), ("KFmCMT", 2400), ("KFm0MT", 300)]
)
def test_the_line_follows_what_was_agreed(identification: str, speed: int) -> None:
    with strict(identification) as meter:
        with LocalClient.open(f"iec21+serial://{meter.path}?format=8N1") as client:
            readout = client.readout()
        assert readout.check is Check.RIGHT
        assert [str(each) for each in readout.sets] == ["1.8.0(000123.456*kWh)"]
        assert meter.speed == speed


def test_a_meter_that_stays_where_it_was_is_read_where_that_is_told() -> None:
    with strict("KFm5MT", switches=False) as meter:
        with LocalClient.open(f"iec21+serial://{meter.path}?format=8N1&data_baud=fixed") as client:
            assert client.readout().check is Check.RIGHT
        assert meter.speed == 300


def test_a_head_that_falls_off_ends_in_an_error() -> None:
    with (
        strict("KFm5MT", falls_off_after=10) as meter,
        LocalClient.open(f"iec21+serial://{meter.path}?format=8N1") as client,
    ):
        settings = client.settings
        client.settings = type(settings)(
            **{name: getattr(settings, name) for name in ("character_format", "initial_baud")},
            inter_octet=0.2,
            first_octet=0.3,
            repeats=1,
            fallback=False,
        )
        with pytest.raises(CosemError):
            client.readout()


def test_mode_e_over_tcp_leads_to_objects() -> None:
    async def run() -> str:
        async with serving(household(1), "hdlc+tcp://127.0.0.1:0?sign_on=iec21") as server:

            def read() -> str:
                with Client.open(server.url) as client:
                    return client.quantity(Register("1.0.1.8.0.255")).symbol

            return await asyncio.to_thread(read)

    assert asyncio.run(run()) == "Wh"
