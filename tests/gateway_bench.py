"""A row of the gateway's tables on a bench: its real driver, the real way to its line, and a simulated meter there.

Time is simulated: nothing waits, and what the clock says is exact.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

import gateway_tables as tables
from cosem.errors import ConnectionLost, CosemError
from cosem.gateway.config import Configuration, Device
from cosem.gateway.devices import driver_of
from cosem.gateway.drivers import Driver
from cosem.gateway.value import Sample
from cosem.io import aio
from cosem.io.simulated import SimulatedStream, World
from cosem.io.simulated_line import SimulatedLine, line

R = TypeVar("R")

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ROWS = {"DLMS": tables.DLMS, "IEC 62056-21": tables.IEC21, "Elgama": tables.ELGAMA}
SIGNALS = {"DLMS": tables.DLMS_SIGNAL, "IEC 62056-21": tables.IEC21_SIGNAL, "Elgama": tables.ELGAMA_SIGNAL}
TCP: dict[str, Any] = {"device": None, "ip": "192.0.2.7", "port": 4059}
WRAPPER: dict[str, Any] = {**TCP, "mode": "DLMS-WRAPPER", "type": "LN", "logical_address": 1}

Serve = Callable[[Any], Coroutine[Any, Any, None]]
"""Attends to the far end of a line."""


@dataclass(frozen=True, slots=True)
class Opened:
    """How a line was opened: a serial port with all that it is set to, or a connection."""

    serial: tuple[str, int, str, str | None] | None = None
    tcp: tuple[str, int, str | None] | None = None


@dataclass
class Bench:
    """What a device of the tables does on its line.

    `said` is what was sent when, `opened` how the line was opened each time, `closed` when it was closed.
    """

    configuration: Configuration
    serve: Serve
    echo: bool = False
    world: World = field(default_factory=lambda: World(1))
    said: list[tuple[float, bytes]] = field(default_factory=list)
    opened: list[Opened] = field(default_factory=list)
    closed: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        signals = self.configuration.signals_of(self.device)
        self.driver: Driver = driver_of(self.device, signals, now=self.now, zone=UTC)

    @property
    def device(self) -> Device:
        return self.configuration.devices[0]

    @property
    def sent(self) -> bytes:
        """All octets that were sent."""
        return b"".join(octets for _, octets in self.said)

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.world.now())

    def run(self, done: Awaitable[R]) -> R:
        """Run something to its end, in simulated time."""

        async def main() -> R:
            return await done

        return self.world.run(main())

    def scan(self) -> dict[str, Sample]:
        """Scan once; return the samples by the alias of their signal."""
        return {each.signal: each for each in self.run(self.driver.scan())}

    def fail(self) -> float:
        """Scan somebody who does not answer; return when the driver gave up."""
        with pytest.raises(CosemError):
            self.scan()
        return self.world.now()

    async def open_serial(
        self, path: str, baud: int, character_format: str, _rs485: str | None, flow: str | None
    ) -> Any:
        self.opened.append(Opened(serial=(path, baud, character_format, flow)))
        near, far = line(self.world, baud, character_format, echo=self.echo)
        return self._attended(near, far)

    async def connect_tcp(self, host: str, port: int, _timeout: float, bind: str | None) -> Any:
        self.opened.append(Opened(tcp=(host, port, bind)))
        return self._attended(*self.world.pair())

    def _attended(self, near: SimulatedStream, far: SimulatedStream) -> Any:
        async def attend() -> None:
            with suppress(CosemError):
                await self.serve(far)

        self.world.spawn(attend())
        write, close = near.write, near.close

        async def noted(octets: bytes, /) -> None:
            self.said.append((self.world.now(), octets))
            await write(octets)

        async def left() -> None:
            self.closed.append(self.world.now())
            await close()

        near.write, near.close = noted, left  # type: ignore[method-assign]
        return near


async def nobody(far: SimulatedLine) -> None:
    """Answer nothing."""
    with suppress(ConnectionLost):
        while True:
            await far.read(None)


def bench(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    driver: str = "DLMS",
    changes: Mapping[str, Any] | None = None,
    *,
    signal: Mapping[str, Any] | None = None,
    signals: Sequence[Mapping[str, Any]] = (),
    serve: Serve = nobody,
    echo: bool = False,
    **others: Any,
) -> Bench:
    """Return the bench of a row that differs from the usual one of its driver in some columns (None: left out)."""
    row = _without_nothing({**ROWS[driver], **(changes or {})})
    alias = {"device_alias": row["device_alias"]}
    each = [_without_nothing({**SIGNALS[driver], **(one or {}), **alias}) for one in (signal, *signals)]
    configuration = tables.configured(folder, [row], each, **others)
    assert configuration.faults == ()
    made = Bench(configuration, serve, echo)
    monkeypatch.setattr(aio, "open_serial", made.open_serial)
    monkeypatch.setattr(aio, "connect_tcp", made.connect_tcp)
    return made


def _without_nothing(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}
