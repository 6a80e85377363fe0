"""A gateway: one endpoint that fronts many meters, simulated here or reached elsewhere (IEC 62056-5-3, annex C)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import ClassVar, Final, TypeAlias

from cosem.errors import ConfigurationError, ConnectionLost, CosemError, RemoteProtocolError, TimedOut
from cosem.io.aio import DatagramStream, ListenLimits, Place, SocketStream
from cosem.io.aio.memory import MemoryStream
from cosem.io.open import open_async
from cosem.io.stream import Stream
from cosem.meter.attend import attend
from cosem.meter.device import Meter
from cosem.protocol.apdu.gateway import GatewayAddress
from cosem.protocol.link import ApduReceived, ClientLink, LinkConnected
from cosem.protocol.link.wrapper import WrapperClient
from cosem.protocol.profile import profile_of
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.communication import CommunicationProfile, Station
from cosem.protocol.profile.gateway import GatewayLimits, GatewaySession, Passed, Route
from cosem.protocol.profile.timing import ServerTiming
from cosem.protocol.profile.wrapper import TCP_WRAPPER

_log = logging.getLogger("cosem.gateway")

LOOK_AGAIN: Final = 1.0
"""Seconds after which a route that hears nothing looks whether its link has something to do meanwhile."""

_NO_STATION: Final = Station(servers=frozenset())

Fronted: TypeAlias = Meter | ConnectionUrl | str
"""A device behind a gateway: a meter served in this process, or the URL of one elsewhere."""

Serve: TypeAlias = Callable[[MemoryStream, str], Awaitable[None]]
"""Serves a device of this process on its end of a way, given who the client is, and closes it."""


class Gateway(Place):
    """One endpoint and the devices behind it. APDUs are passed on unopened; a gateway has no keys.

    async with Gateway({"0:4D31": meter, "0:4D32": "tcp://192.0.2.7"}, "tcp://127.0.0.1:0") as gateway:
        print(gateway.url)

    For each pair of SAPs and device a connection of its own leads on; it is closed with that of the client.

    Args:
        devices: what is behind it, by network:address. SAPs in their URLs are not looked at, those of the client count.
        url: where clients come, tcp or udp with the wrapper.
        own: what APDUs without a prefix are for; without, they are refused.
        beyond_loopback: allow an address that other machines can reach.
        limits: how many connections at once.
        gateway_limits: what each client may use.
        timing: how long a client may be silent.

    Raises:
        ConfigurationError: the URL cannot be served, or reaches beyond loopback without leave, or with demo keys.
    """

    NAME: ClassVar[str] = "the gateway"

    def __init__(
        self,
        devices: Mapping[GatewayAddress | str, Fronted],
        url: str | ConnectionUrl,
        *,
        own: Fronted | None = None,
        beyond_loopback: bool = False,
        limits: ListenLimits | None = None,
        gateway_limits: GatewayLimits | None = None,
        timing: ServerTiming | None = None,
    ) -> None:
        super().__init__(url, beyond_loopback=beyond_loopback, limits=limits)
        if self._url.framing != "wrapper" or self._url.medium not in ("tcp", "udp"):
            raise ConfigurationError(f"a gateway is served by tcp or udp with the wrapper, not by {self._url.scheme}")
        self._profile = profile_of(self._url)
        fronted: dict[GatewayAddress | None, Fronted] = {
            GatewayAddress.parse(address) if isinstance(address, str) else address: device
            for address, device in devices.items()
        }
        if own is not None:
            fronted[None] = own
        self._meters = [device for device in fronted.values() if isinstance(device, Meter)]
        self._devices = {address: _fronted(device) for address, device in fronted.items()}
        self._gateway_limits = gateway_limits or GatewayLimits()
        self._timing = timing or self._profile.application.server_timing
        self._check()

    @property
    def _demonstration(self) -> bool:
        return any(meter.demonstration for meter in self._meters)

    async def _attend(self, stream: SocketStream | DatagramStream) -> None:
        await attend_gateway(
            self._devices, stream, self._profile, peer=stream.peer, limits=self._gateway_limits, timing=self._timing
        )


async def attend_gateway(
    devices: Mapping[GatewayAddress | None, Serve | ConnectionUrl],
    stream: Stream,
    profile: CommunicationProfile = TCP_WRAPPER,
    *,
    peer: str = "",
    limits: GatewayLimits | None = None,
    timing: ServerTiming | None = None,
) -> None:
    """Front `devices` on one connection until the client leaves, breaks the protocol or is silent for too long.

    Under None is the device that APDUs without a prefix are for. Raises CosemError where the connection ended badly.
    """
    limits = limits or GatewayLimits()
    session = GatewaySession(profile.lower_layers.server(_NO_STATION), devices.keys(), limits)
    timing = timing or profile.application.server_timing
    await _Client(stream, session, timing, devices, peer, limits.waiting).serve()


class _Client:
    """One client and the routes that it uses."""

    def __init__(
        self,
        stream: Stream,
        session: GatewaySession,
        timing: ServerTiming,
        devices: Mapping[GatewayAddress | None, Serve | ConnectionUrl],
        peer: str,
        waiting: int,
    ) -> None:
        self._waiting = waiting
        self._stream = stream
        self._session = session
        self._idle = timing.idle
        self._devices = devices
        self._peer = peer
        self._ways: dict[Route, _Way] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Pass on what comes from the client, until it leaves, breaks the protocol or is silent for too long."""
        session, stream = self._session, self._stream
        silent_until = stream.now() + self._idle
        try:
            while True:
                deadline = session.deadline()
                try:
                    octets = await stream.read(silent_until if deadline is None else min(deadline, silent_until))
                except ConnectionLost:
                    return
                now = stream.now()
                if octets:
                    silent_until = now + self._idle
                    try:
                        session.receive(octets, now)
                    finally:
                        await self._say()  # what was refused before the end still belongs to the client
                    for passed in session.events():
                        await self._pass(passed)
                else:
                    session.tick(now)
                    if now >= silent_until:
                        raise TimedOut("idle", self._idle)
        finally:
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)

    async def _say(self) -> None:
        while outgoing := self._session.outgoing():
            await self._stream.write(outgoing)

    async def _pass(self, passed: Passed) -> None:
        way = self._ways.get(passed.route)
        if way is None:
            way = self._ways[passed.route] = _Way(
                self._devices[passed.route.device], passed.route, self._peer, self._waiting
            )
            task = asyncio.get_running_loop().create_task(self._follow(passed.route, way))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            await way.send(passed.apdu)
        except CosemError as error:
            _log.info("the way to %s ended: %s", passed.route.device, error)
            await self._end(passed.route, way)
            await way.close()

    async def _follow(self, route: Route, way: _Way) -> None:
        """Pass back what comes from the device of a route, until it or the client is gone."""
        try:
            await way.open()
            while True:
                for apdu in await way.heard():
                    self._session.answer(route, apdu, self._stream.now())
                with contextlib.suppress(ConnectionLost):  # of the client; who reads from it will see that too
                    await self._say()
        except CosemError as error:
            _log.info("the way to %s ended: %s", route.device, error)
            await self._end(route, way)
        finally:
            await way.close()

    async def _end(self, route: Route, way: _Way) -> None:
        if self._ways.get(route) is way:
            del self._ways[route]
            self._session.close(route, self._stream.now())
            with contextlib.suppress(ConnectionLost):
                await self._say()


class _Way:
    """The connection to one device for one pair of SAPs."""

    def __init__(self, device: Serve | ConnectionUrl, route: Route, peer: str, waiting: int) -> None:
        self._waiting = waiting
        self._device = device
        self._route = route
        self._peer = peer
        self._held: deque[bytes] = deque()
        self._stream: Stream | None = None
        self._link: ClientLink | None = None
        self._linked = False
        self._served: asyncio.Future[None] | None = None

    async def open(self) -> None:
        """Open the stream and set up its lower layers. Raises ConnectionFailed where that cannot be done."""
        device, route = self._device, self._route
        if not isinstance(device, ConnectionUrl):
            near = MemoryStream()
            self._link, self._stream = WrapperClient(route.client, route.server), near
            self._served = asyncio.ensure_future(device(near.other, self._peer))
        else:
            url = replace(device, client=route.client, server=route.server)
            self._link = profile_of(url).lower_layers.client_link(url)
            self._stream = await open_async(url)
        self._link.connect(self._stream.now())
        await self._flush()

    async def send(self, apdu: bytes) -> None:
        """Send one APDU, or hold it until the way is open."""
        if len(self._held) >= self._waiting:
            raise RemoteProtocolError(f"more than {self._waiting} APDUs for a device that is not there yet")
        self._held.append(apdu)
        if self._linked:
            await self._send_held()

    async def heard(self) -> list[bytes]:
        """Wait for something to happen, and return the APDUs that came with it."""
        link, stream = self._link, self._stream
        assert link is not None
        assert stream is not None
        apdus: list[bytes] = []
        for event in link.events():
            if isinstance(event, ApduReceived):
                apdus.append(event.apdu)
            elif isinstance(event, LinkConnected):
                self._linked = True
                await self._send_held()
            else:
                raise ConnectionLost("the device has ended the link")
        if apdus:
            return apdus
        deadline, latest = link.deadline(), stream.now() + LOOK_AGAIN
        octets = await stream.read(latest if deadline is None else min(deadline, latest))
        if octets:
            link.receive(octets, stream.now())
        else:
            link.tick(stream.now())
        await self._flush()
        return apdus

    async def close(self) -> None:
        """Leave in good order, without waiting for an answer."""
        if self._stream is not None:
            if self._linked and self._link is not None:
                with contextlib.suppress(CosemError):
                    self._link.disconnect(self._stream.now())
                    await self._flush()
            await self._stream.close()
        if self._served is not None:
            await asyncio.wait([self._served])

    async def _send_held(self) -> None:
        assert self._link is not None
        assert self._stream is not None
        while self._held:
            self._link.send(self._held.popleft(), self._stream.now())
        await self._flush()

    async def _flush(self) -> None:
        assert self._link is not None
        assert self._stream is not None
        while outgoing := self._link.outgoing():
            await self._stream.write(outgoing)


async def _serve(meter: Meter, stream: MemoryStream, peer: str) -> None:
    """Serve a meter of this process on its end of a way."""
    try:
        await attend(meter, stream, peer=peer)
    except CosemError as error:
        _log.info("a session behind the gateway ended: %s", error)
    finally:
        await stream.close()


def _fronted(device: Fronted) -> Serve | ConnectionUrl:
    if isinstance(device, Meter):
        return partial(_serve, device)
    return ConnectionUrl.parse(device) if isinstance(device, str) else device
