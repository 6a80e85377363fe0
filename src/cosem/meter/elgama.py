"""A simulated EPQS and a simulated EPQM/LZQM, to try the byte protocol on (EXPERIMENTAL).

async with ElgamaServer("elgama+tcp://127.0.0.1:0?model=epqs&serial=925948&experimental=yes") as server:
    print(server.url)

They have the tables that are known; octets whose meaning is not known are 0.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from types import MappingProxyType
from typing import ClassVar, Final, Protocol

from cosem.errors import ConfigurationError, ConnectionLost, TimedOut
from cosem.io.aio import DatagramStream, ListenLimits, Place, SocketStream
from cosem.io.stream import Stream
from cosem.meter.device import system_clock
from cosem.meter.faults import OF_LINE, WELL_BEHAVED, Chance, Faults
from cosem.meter.misbehave import FaultyStream
from cosem.protocol.crypto.key import Secret
from cosem.protocol.elgama import models, tables
from cosem.protocol.elgama.models import Model
from cosem.protocol.elgama.station import ElgamaStation
from cosem.protocol.profile.address import ConnectionUrl

IDLE: Final = 120.0
"""Seconds of silence after which a connection is closed."""

FAULTS: Final = (*OF_LINE, "clock_drift", "seed")
"""What such a meter can do wrong, by the names of `Faults`."""

INTERVAL: Final = 900
TARIFFS: Final = 4
_PROFILE_NUMBERS: Final = 48
_SCALE: Final = (1 << 32).to_bytes(6, "little") + bytes((1, 0))
"""A stored number is tenths, without prefix."""


class ElgamaServer(Place):
    """A simulated station at a place: `elgama+tcp://…?model=epqs&serial=…&experimental=yes` (EXPERIMENTAL).

    Args:
        url: where, and who it is.
        beyond_loopback: allow an address that other machines can reach.
        limits: how many connections at once.
        password: for protected requests; without, they are refused.
        clock: the true time; `zone` is the meter's.
        faults: what it does wrong, for testing clients: what befalls its line and its clock.

    Raises:
        ConfigurationError: the place is none of these, or a fault is one that it cannot have.
    """

    NAME: ClassVar[str] = "the simulated Elgama meter"

    def __init__(
        self,
        url: str | ConnectionUrl,
        *,
        beyond_loopback: bool = False,
        limits: ListenLimits | None = None,
        password: Secret | None = None,
        clock: Callable[[], datetime] = system_clock,
        zone: tzinfo | None = None,
        faults: Faults = WELL_BEHAVED,
    ) -> None:
        super().__init__(url, beyond_loopback=beyond_loopback, limits=limits)
        if (self._url.framing, self._url.medium) != ("elgama", "tcp"):
            raise ConfigurationError(f"{self._url.scheme}: an Elgama meter is simulated on elgama+tcp")
        assert self._url.model is not None
        assert self._url.serial is not None
        self._model = models.named(self._url.model, experimental=True)  # the URL has the permission
        self._serial = self._url.serial
        self._password = password
        self._faults = _checked(faults)
        self._chance = faults.chance() if faults.of_line else None
        self._restarts = 0
        self._clock = faults.clock(clock)
        self._zone = zone
        self._check()

    async def _attend(self, stream: SocketStream | DatagramStream) -> None:
        station = ElgamaStation(
            self._model, self._serial, self._tables, password=self._password, entropy=secrets.token_bytes
        )
        await attend(station, stream if self._chance is None else self._harmed(stream, self._chance))

    def _harmed(self, stream: Stream, chance: Chance) -> Stream:
        return FaultyStream(stream, self._faults, chance, restart=self._restart, restarts=lambda: self._restarts)

    def _restart(self) -> None:
        self._restarts += 1

    def _tables(self, table: bytes) -> bytes | None:
        return table_of(self._model, table, self._clock().astimezone(self._zone))


def _checked(faults: Faults) -> Faults:
    """Return the faults; ConfigurationError for one that such a meter cannot have, or that does nothing alone."""
    for name in faults.named:
        if name not in FAULTS:
            raise ConfigurationError(
                f"{name}: an Elgama meter of this protocol has neither keys nor images nor frames of DLMS/COSEM; "
                f"it takes {', '.join(FAULTS)}"
            )
    for name, why in faults.alone:
        raise ConfigurationError(f"{name}: {why}")
    return faults


async def attend(station: ElgamaStation, stream: Stream) -> None:
    """Let a station answer on a stream until the client leaves. Raises TimedOut when it is silent for too long."""
    silent_until = stream.now() + IDLE
    while True:
        deadline = station.deadline()
        try:
            octets = await stream.read(silent_until if deadline is None else min(deadline, silent_until))
        except ConnectionLost:
            return
        now = stream.now()
        if octets:
            silent_until = now + IDLE
            station.receive(octets, now)
        elif now >= silent_until:
            raise TimedOut("idle", IDLE)
        station.tick(now)
        station.events()
        if outgoing := station.outgoing():
            await stream.write(outgoing)


def table_of(model: Model, table: bytes, time: datetime) -> bytes | None:
    """Return the octets of a table of a simulated meter at a local time, None where it has no such table."""
    return _TABLES[model.word](table, time)


class _Tables(Protocol):
    def __call__(self, table: bytes, time: datetime, /) -> bytes | None: ...


def _epqs(table: bytes, time: datetime) -> bytes | None:
    if len(table) != models.EPQS.table_octets:
        return None
    fixed = {
        tables.EPQS_MODEL: b"EPQS",
        tables.EPQS_CLOCK: tables.pack_time(time) + INTERVAL.to_bytes(2, "little"),
        tables.epqs_events(0): bytes(2 * tables.EVENT_OCTETS),
    }
    if table in fixed:
        return fixed[table]
    index = int.from_bytes(table[1:], "big")
    if table[0] in (tables.MONTHLY, tables.DAILY):
        period, channel = divmod(index, tables.CHANNELS)
        return _registers(period, channel)
    channel = table[0] - tables.FIRST_CHANNEL
    if not 0 <= channel < tables.CHANNELS:
        return None
    numbers = ((channel + 1) * 100 + at + index for at in range(_PROFILE_NUMBERS))
    return _SCALE + b"".join((number & 0xFFFF).to_bytes(2, "little") for number in numbers)


def _registers(period: int, channel: int) -> bytes:
    """Up to six periods, the oldest first; the last tariff is absent."""
    numbers: list[bytes] = []
    for back in range(tables.RECORDS):
        base = 1_000_000 * (channel + 1) - 1_000 * (period + tables.RECORDS - back)
        numbers += [max(base // tariff, 0).to_bytes(4, "little") for tariff in range(1, TARIFFS)] + [b"\xff" * 4]
    return bytes((TARIFFS, 0, 0)) + _SCALE + b"".join(numbers)


_EPQM_CHANNELS: Final = range(1, 5)
_EPQM_RECORDS: Final = 2


def _epqm(table: bytes, time: datetime) -> bytes | None:
    if len(table) != models.EPQM.table_octets:
        return None
    fixed = {
        tables.EPQM_CLOCK: tables.pack_time(time) + bytes((0, 0, 3600 // INTERVAL)) + bytes(8),
        tables.EPQM_POWER_FAILS: b"",
        tables.EPQM_PHASE_FAILS: b"",
    }
    if table in fixed:
        return fixed[table]
    if table == tables.epqm_daily(table[1]):
        return bytes(_EPQM_RECORDS * tables.EPQM_DAILY_OCTETS)
    if table == tables.epqm_monthly(table[1]):
        return bytes(_EPQM_RECORDS * tables.EPQM_MONTHLY_OCTETS)
    return bytes(2 * _PROFILE_NUMBERS) if table[0] in _EPQM_CHANNELS else None


_TABLES: Final[Mapping[str, _Tables]] = MappingProxyType({models.EPQS.word: _epqs, models.EPQM.word: _epqm})
