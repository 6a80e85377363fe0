"""A fleet at its places: every meter reachable, within limits, as long as the fleet is entered."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar, Final, Self

from cosem.errors import ConfigurationError
from cosem.fleet.clock import VirtualClock
from cosem.fleet.ledger import Ledger, answers
from cosem.fleet.limits import FleetLimits
from cosem.fleet.listening import AddressRange, open_listener, whose
from cosem.fleet.population import Population
from cosem.fleet.scenario import Director, Happening, What
from cosem.io.aio import DatagramStream, SocketStream
from cosem.io.aio.listening import Handler, Listener, ListenLimits, listen, listen_on
from cosem.io.reach import check_place
from cosem.meter.attend import Witness, attend
from cosem.meter.device import Meter
from cosem.protocol.profile import profile_of
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.session import SapPair
from cosem.protocol.profile.timing import ServerTiming

HIGHEST_PORT: Final = 65_535

LOOK_AGAIN: Final = 1.0
"""Real seconds after which the scenario is looked at again, for virtual time may have been stepped."""

SERVED: Final = frozenset({"tcp", "hdlc+tcp"})


@dataclass(frozen=True, slots=True)
class FleetState:
    """What a fleet is doing, in numbers."""

    meters: int
    connections: int
    accepted: int
    refused: int
    failed: int
    internal_errors: int
    visited: int
    ready: int
    changed: int
    dark: int
    last_gasps: int
    power_ups: int
    answers: int


class Fleet:
    """A population served at a URL: meter n at its address + n, or with `by_port` at its port + n.

    async with Fleet(Population(100_000), "tcp://127.1.0.0:4059") as fleet:
        print(fleet.url(99_999))

    Args:
        population: who is served.
        url: where meter 0 is, tcp or hdlc+tcp; port 0 finds a free one.
        by_port: a port for each meter, where there is one address only.
        beyond_loopback: allow ports of an address that other machines can reach.
        limits: what is taken from outside at most.
        timing: how long a client may be silent.
        entropy: gives the asked number of unpredictable octets.
        director: lets a scenario happen; a meter without power is not reached.
        ledger: where everything that is answered is written down.

    Raises:
        ConfigurationError: the URL cannot be served, or reaches beyond loopback without leave, or with demo keys.
    """

    NAME: ClassVar[str] = "the fleet"

    def __init__(
        self,
        population: Population,
        url: str | ConnectionUrl,
        *,
        by_port: bool = False,
        beyond_loopback: bool = False,
        limits: FleetLimits | None = None,
        timing: ServerTiming | None = None,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
        director: Director | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.population = population
        self.limits = limits or FleetLimits()
        self._first = ConnectionUrl.parse(url) if isinstance(url, str) else url
        if self._first.scheme not in SERVED:
            raise ConfigurationError(f"a fleet is served by {' or '.join(sorted(SERVED))}, not by {self._first.scheme}")
        check_place(self._first, population.is_demonstration, beyond_loopback=beyond_loopback)
        self._addresses = None if by_port else AddressRange(self._first.host, population.count)
        self._profile = profile_of(self._first)
        self._timing = timing
        self._entropy = entropy
        self.director = director
        self.ledger = ledger
        self._happened: Counter[str] = Counter()
        self._open: dict[int, set[SocketStream | DatagramStream]] = {}
        self._directing: asyncio.Task[None] | None = None
        self._listeners: list[Listener] = []
        if by_port and self._first.port and self._first.port + population.count - 1 > HIGHEST_PORT:
            raise ConfigurationError(f"{population.count} ports from {self._first.port} on go beyond {HIGHEST_PORT}")

    def url(self, number: int) -> ConnectionUrl:
        """Return where a meter is, with the ports that were found."""
        if not 0 <= number < self.population.count:
            raise ConfigurationError(f"meter {number}: the fleet has the meters 0 to {self.population.count - 1}")
        first = self._first
        if self._addresses is not None:
            port = self._listeners[0].port if self._listeners else first.port
            return replace(first, host=self._addresses.address(number), port=port)
        if self._listeners:
            return replace(first, port=self._listeners[number].port)
        return replace(first, port=first.port + number if first.port else 0)

    @property
    def state(self) -> FleetState:
        """What it is doing."""
        counted = [listener.statistics for listener in self._listeners]
        population = self.population
        return FleetState(
            meters=population.count,
            connections=sum(listener.connections for listener in self._listeners),
            accepted=sum(each.accepted for each in counted),
            refused=sum(each.refused for each in counted),
            failed=sum(each.failed for each in counted),
            internal_errors=sum(each.internal_errors for each in counted),
            visited=population.visited,
            ready=population.ready,
            changed=population.changed,
            dark=0 if self.director is None else self.director.dark,
            last_gasps=self._happened[What.LAST_GASP.value],
            power_ups=self._happened[What.POWER_UP.value],
            answers=self._happened["answers"],
        )

    async def start(self) -> None:
        """Begin to serve. Raises ConnectionFailed when a port cannot be had."""
        if self._listeners:
            raise ConfigurationError("the fleet was started already")
        try:
            if self._addresses is not None:
                await self._listen_at_addresses(self._addresses)
            else:
                await self._listen_at_ports()
        except BaseException:
            await self.close()
            raise
        if self.director is not None:
            self._directing = asyncio.create_task(self._direct(self.director))

    def happen(self, now: datetime) -> list[Happening]:
        """Let happen what the scenario has for the time until now: connections to meters that lose power break."""
        if self.director is None:
            return []
        said = self.director.tick(now)
        self._happened.update(each.what.value for each in said)
        for number, streams in self._open.items():
            if not self.director.powered(number):
                for stream in streams:
                    stream.abort()
        return said

    async def close(self) -> None:
        """Stop serving and close every connection."""
        if self._directing is not None:
            self._directing.cancel()
            await asyncio.wait([self._directing])
            self._directing = None
        while self._listeners:
            await self._listeners.pop().close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _direct(self, director: Director) -> None:
        clock = self.population.clock
        while (due := director.deadline()) is not None:
            left = clock.until(due) if isinstance(clock, VirtualClock) else (due - clock()).total_seconds()
            await asyncio.sleep(min(max(left, 0.0), LOOK_AGAIN))
            self.happen(clock())

    async def _listen_at_addresses(self, addresses: AddressRange) -> None:
        async def handle(stream: SocketStream | DatagramStream) -> None:
            number = addresses.number(stream.local) if isinstance(stream, SocketStream) else None
            if number is not None:
                await self._attend(number, stream)

        limits = ListenLimits(
            connections=self.limits.connections, connections_per_host=self.limits.connections_per_meter
        )
        opened = open_listener(self._first.port or 0)
        self._listeners.append(await listen_on(opened, handle, limits, whose=whose(addresses)))

    async def _listen_at_ports(self) -> None:
        most = self.limits.connections_per_meter
        limits = ListenLimits(connections=most, connections_per_host=most)
        for number in range(self.population.count):
            port = self._first.port + number if self._first.port else 0
            self._listeners.append(await listen(self._first.host, port, self._handler(number), limits))

    def _handler(self, number: int) -> Handler:
        return lambda stream: self._attend(number, stream)

    async def _attend(self, number: int, stream: SocketStream | DatagramStream) -> None:
        if self.director is not None and not self.director.powered(number):
            stream.abort()
            return
        streams = self._open.setdefault(number, set())
        streams.add(stream)
        try:
            with self.population.visit(number) as meter:
                await attend(
                    meter,
                    stream,
                    self._profile,
                    peer=stream.peer,
                    timing=self._timing,
                    limits=self.limits.connection,
                    entropy=self._entropy,
                    recognise=stream.recognise if isinstance(stream, SocketStream) else None,
                    witness=self._witness(meter) if self.ledger is not None else None,
                )
        finally:
            streams.discard(stream)
            if not streams:
                self._open.pop(number, None)

    def _witness(self, meter: Meter) -> Witness:
        def witness(pair: SapPair, request: object, response: object) -> None:
            for answer in answers(meter.time(), meter.name, pair.client, request, response):
                self._happened["answers"] += 1
                if self.ledger is not None:
                    self.ledger.record(answer)

        return witness
