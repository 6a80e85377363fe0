"""A fleet at its places: every meter reachable, within limits, as long as the fleet is entered."""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, Self

from cosem.errors import ConfigurationError, CosemError
from cosem.fleet.behind import Behind
from cosem.fleet.clock import VirtualClock
from cosem.fleet.director import Director, Said, What
from cosem.fleet.ledger import Ledger, answers
from cosem.fleet.limits import FleetLimits
from cosem.fleet.listening import open_listener, whose
from cosem.fleet.misfits import check_misbehaving
from cosem.fleet.places import Place, Way, check_apart
from cosem.fleet.population import Population
from cosem.fleet.pushing import Outward, PushCounts
from cosem.io.aio import DatagramStream, SocketStream
from cosem.io.aio.listening import Handler, Listener, ListenLimits, SharedAdmission, listen, listen_on
from cosem.io.aio.memory import MemoryStream
from cosem.meter.attend import Witness, attend
from cosem.meter.device import Meter
from cosem.meter.gateway import Serve, attend_gateway
from cosem.meter.multidrop import FIRST_PHYSICAL, attend_line
from cosem.protocol.profile import profile_of
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.communication import CommunicationProfile
from cosem.protocol.profile.session import SapPair
from cosem.protocol.profile.timing import ServerTiming
from cosem.protocol.profile.wrapper import TCP_WRAPPER

_log = logging.getLogger("cosem.fleet")

LOOK_AGAIN: Final = 1.0
"""Real seconds after which the scenario is looked at again, for virtual time may have been stepped."""


@dataclass(frozen=True, slots=True)
class FleetState:
    """What a fleet is doing, in numbers."""

    meters: int
    misbehaving: int
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
    updated: int
    tampered: int
    answers: int
    pushes: int
    pushes_under_way: int
    pushes_delivered: int
    pushes_given_up: int


class Fleet:
    """A population served at a URL: meter n at its address + n, or wherever `places` have it.

    async with Fleet(Population(100_000), "tcp://127.1.0.0:4059") as fleet:
        print(fleet.url(99_999))

    Args:
        population: who is served.
        places: where meter 0 is, tcp or hdlc+tcp; port 0 finds a free one. Or the places of all meters, in order.
        limits: what is taken from outside at most.
        timing: how long a client may be silent.
        director: lets a scenario happen; a meter without power is not reached.
        ledger: opens where everything that is answered is written down. It is asked once all ports are there: a start
            that is refused opens none, and nothing is answered before.

    Raises:
        ConfigurationError: the URL cannot be served, or reaches beyond loopback without leave, or with demo keys, or
            meters are to do wrong what they cannot there, or must not.
    """

    NAME: ClassVar[str] = "the fleet"

    def __init__(
        self,
        population: Population,
        places: str | Sequence[Place],
        *,
        limits: FleetLimits | None = None,
        timing: ServerTiming | None = None,
        director: Director | None = None,
        ledger: Callable[[], Ledger] | None = None,
    ) -> None:
        self.population = population
        self.limits = limits or FleetLimits()
        if isinstance(places, str):
            places = (Place(range(population.count), ConnectionUrl.parse(places)),)
        self.places = tuple(places)
        for place, start in zip(self.places, (0, *(each.numbers.stop for each in self.places)), strict=False):
            assert place.numbers.start == start
            place.check(population.is_demonstration)
        check_apart(self.places)
        check_misbehaving(population, self.places)
        self._timing = timing
        self.director = director
        self._open_ledger = ledger
        self.ledger: Ledger | None = None
        self._begun = asyncio.Event()
        """Until then connections wait: all ports and the ledger are there."""
        self._happened: Counter[str] = Counter()
        self._open: dict[int, set[SocketStream | MemoryStream]] = {}
        self.outward = None if population.push is None else Outward(population, self.powered)
        self._tasks: list[asyncio.Task[None]] = []
        self._listeners: list[Listener] = []
        self._admission = SharedAdmission(self.limits.connections)
        self._ports: dict[Place, Sequence[int]] = {}
        """The ports that were found: one for each meter, or one for all."""

    def place(self, number: int) -> Place:
        """Return the place where a meter is."""
        if not 0 <= number < self.population.count:
            raise ConfigurationError(f"meter {number}: the fleet has the meters 0 to {self.population.count - 1}")
        return self.places[bisect_right(self.places, number, key=lambda place: place.numbers.start) - 1]

    def url(self, number: int) -> ConnectionUrl:
        """Return where a meter is, with the ports that were found."""
        place = self.place(number)
        ports = self._ports.get(place)
        found = None if ports is None else ports[number - place.numbers.start if len(ports) > 1 else 0]
        return place.url_of(number, found)

    def powered(self, number: int) -> bool:
        """Tell whether a meter has power."""
        return self.director is None or self.director.powered(number)

    @property
    def state(self) -> FleetState:
        """What it is doing."""
        counted = [listener.statistics for listener in self._listeners]
        population = self.population
        pushed = PushCounts() if self.outward is None else self.outward.counts
        return FleetState(
            meters=population.count,
            misbehaving=population.misbehaving,
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
            updated=self._happened[What.UPDATED.value],
            tampered=self._happened[What.TAMPERED.value],
            answers=self._happened["answers"],
            pushes=pushed.begun,
            pushes_under_way=0 if self.outward is None else self.outward.under_way,
            pushes_delivered=pushed.delivered,
            pushes_given_up=pushed.given_up,
        )

    @property
    def begun(self) -> bool:
        """Whether it serves, or has served: all ports and the ledger were there."""
        return self._begun.is_set()

    async def start(self) -> None:
        """Begin to serve. Raises ConnectionFailed when a port cannot be had, and as the opening of its ledger does."""
        if self._listeners:
            raise ConfigurationError("the fleet was started already")
        self._begun.clear()
        try:
            for port, places in self._by_port().items():
                await self._listen_at_addresses(port, places)
            for place in self.places:
                if place.way is Way.PORT:
                    await self._listen_at_ports(place)
            if self._open_ledger is not None:
                self.ledger = self._open_ledger()
        except BaseException:
            await self.close()
            raise
        self._begun.set()
        if self.director is not None:
            self._tasks.append(asyncio.create_task(self._direct(self.director)))
        if self.outward is not None:
            self._tasks.append(asyncio.create_task(self.outward.run()))

    def happen(self, now: datetime) -> list[Said]:
        """Let happen what the scenario has for the time until now: connections of meters that lose power break."""
        if self.director is None:
            return []
        said = self.director.tick(now)
        self._happened.update(each.what.value for each in said)
        if self.outward is not None:
            self.outward.break_off()
            self.outward.noted(said)
        for number, streams in self._open.items():
            if not self.director.powered(number):
                for stream in streams:
                    stream.abort()
        return said

    async def close(self) -> None:
        """Stop serving and close every connection."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
            self._tasks.clear()
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

    def _by_port(self) -> Mapping[int | None, list[Place]]:
        """Return the places that share a listening socket: port 0 is another one for each."""
        found: dict[int | None, list[Place]] = {}
        for number, place in enumerate(self.places):
            if place.way is not Way.PORT:
                found.setdefault(place.url.port or -number, []).append(place)
        return found

    async def _listen_at_addresses(self, port: int | None, places: Sequence[Place]) -> None:
        served = [(place, place.addresses, profile_of(place.url)) for place in places]

        async def handle(stream: SocketStream | DatagramStream) -> None:
            local = stream.local if isinstance(stream, SocketStream) else ""
            for place, addresses, profile in served:
                address = addresses.number(local)
                if address is not None and isinstance(stream, SocketStream):
                    await self._serve_at(place, place.at(address), stream, profile)

        limits = ListenLimits(
            connections=self.limits.connections,
            connections_per_host=self.limits.connections_per_meter,
            new_a_second=self.limits.new_a_second,
            burst=self.limits.burst,
        )
        opened = open_listener(max(port or 0, 0))
        ranges = [addresses for _, addresses, _ in served]
        self._listeners.append(await listen_on(opened, handle, limits, whose=whose(*ranges), shared=self._admission))
        self._ports |= dict.fromkeys(places, (self._listeners[-1].port,))

    async def _listen_at_ports(self, place: Place) -> None:
        most = self.limits.connections_per_meter
        limits = ListenLimits(
            connections=most,
            connections_per_host=most,
            new_a_second=self.limits.new_a_second,
            burst=self.limits.burst,
        )
        profile, first = profile_of(place.url), place.url.port
        ports: list[int] = []
        for number in place.numbers:
            port = first + number - place.numbers.start if first else 0
            listener = await listen(
                place.url.host, port, self._handler(number, profile), limits, shared=self._admission
            )
            self._listeners.append(listener)
            ports.append(listener.port)
        self._ports[place] = ports

    def _handler(self, number: int, profile: CommunicationProfile) -> Handler:
        async def handle(stream: SocketStream | DatagramStream) -> None:
            if isinstance(stream, SocketStream):
                await self._attend(number, stream, profile, stream.peer)

        return handle

    async def _serve_at(
        self, place: Place, numbers: range, stream: SocketStream, profile: CommunicationProfile
    ) -> None:
        """Serve whoever comes to an address: of one meter, or of several that are told apart by what is said."""
        if place.way is Way.GATEWAY:
            stream.recognise()  # what comes to a gateway is not looked into
            behind = Behind(numbers, self._serve_behind)
            await attend_gateway(
                behind, stream, profile, peer=stream.peer, limits=self.limits.gateway, timing=self._timing
            )
        elif place.way is Way.MULTIDROP:
            stream.recognise()
            stations = range(FIRST_PHYSICAL, FIRST_PHYSICAL + len(numbers))
            await attend_line(
                stations,
                lambda physical: self._serve_behind(numbers[physical - FIRST_PHYSICAL], profile, physical),
                stream,
                peer=stream.peer,
                timing=self._timing or profile.application.server_timing,
            )
        else:
            await self._attend(numbers[0], stream, profile, stream.peer)

    def _serve_behind(
        self, number: int, profile: CommunicationProfile = TCP_WRAPPER, physical: int | None = None
    ) -> Serve:
        """Return what serves a meter behind a gateway or on a line."""

        async def serve(stream: MemoryStream, peer: str) -> None:
            try:
                await self._attend(number, stream, profile, peer, physical)
            except CosemError as error:
                _log.info("meter %d: a connection ended: %s", number, error)
            finally:
                await stream.close()

        return serve

    async def _attend(
        self,
        number: int,
        stream: SocketStream | MemoryStream,
        profile: CommunicationProfile,
        peer: str,
        physical: int | None = None,
    ) -> None:
        await self._begun.wait()
        if not self.powered(number):
            stream.abort()
            return
        streams = self._open.setdefault(number, set())
        streams.add(stream)
        try:
            with self.population.visit(number) as meter:
                await attend(
                    meter,
                    stream,
                    profile,
                    peer=peer,
                    physical=physical,
                    timing=self._timing,
                    limits=self.limits.connection,
                    entropy=self.population.entropy,
                    recognise=stream.recognise if isinstance(stream, SocketStream) else None,
                    witness=self._witness(meter) if self.ledger is not None else None,
                )
        finally:
            streams.discard(stream)
            if not streams:
                self._open.pop(number, None)

    def _witness(self, meter: Meter) -> Witness:
        def witness(pair: SapPair, request: object, response: object) -> None:
            device = meter.devices.get(pair.server, meter.management)  # who stores what it says stores it as of that
            for answer in answers(meter.time(), device.name, pair.client, request, response):
                self._happened["answers"] += 1
                if self.ledger is not None:
                    self.ledger.record(answer)

        return witness
