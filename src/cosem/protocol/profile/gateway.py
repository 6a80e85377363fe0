"""A gateway's session with one client: whose APDU is for which device behind it, and the way back (5-3, annex C)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, NamedTuple

from cosem.errors import ConfigurationError, DecodeError, LocalProtocolError, RemoteProtocolError
from cosem.protocol.apdu.exception import ExceptionResponse, ServiceErrorCode, StateError
from cosem.protocol.apdu.gateway import REQUEST, RESPONSE, GatewayAddress, GatewayRequest
from cosem.protocol.link import ApduReceived, ServerLink

REFUSAL: Final = ExceptionResponse(StateError.SERVICE_NOT_ALLOWED, ServiceErrorCode.OPERATION_NOT_POSSIBLE).encode()
"""What a gateway says of what it cannot pass on; no public text on annex C names an answer of its own for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayLimits:
    """What one client may use: `routes` at once, APDUs `waiting` while one opens, `refusals` in all."""

    routes: int = 16
    waiting: int = 16
    refusals: int = 16

    def __post_init__(self) -> None:
        for name in ("routes", "waiting"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name}: expected at least 1, not {getattr(self, name)}")
        if self.refusals < 0:
            raise ConfigurationError(f"refusals: expected at least 0, not {self.refusals}")


class Route(NamedTuple):
    """A way through the gateway: between which SAPs, to which device, None being the gateway itself."""

    device: GatewayAddress | None
    client: int
    server: int


class Passed(NamedTuple):
    """An APDU for the device of a route, as it came, without the prefix."""

    route: Route
    apdu: bytes


class GatewaySession:
    """One connection of a client as a gateway sees it. What is behind a prefix is never looked into.

    Args:
        link: the server's end of the lower layers; APDUs need no answer there, so it is a wrapper.
        devices: the devices that there are; None among them is for APDUs without a prefix.
        limits: what the client may use.
    """

    def __init__(
        self, link: ServerLink, devices: Collection[GatewayAddress | None], limits: GatewayLimits | None = None
    ) -> None:
        self.link = link
        self.counters: Counter[str] = Counter()
        self._devices = devices
        self._limits = limits or GatewayLimits()
        self._asked: dict[Route, bool] = {}
        """The routes in use, and whether somebody may wait for an answer there."""
        self._events: list[Passed] = []

    def receive(self, octets: bytes, now: float) -> None:
        """Take octets from the client; refuse at once what leads nowhere.

        Raises:
            RemoteProtocolError: the lower layers cannot go on, or too much was refused; the stream must be closed.
        """
        self.link.receive(octets, now)
        for event in self.link.events():
            if isinstance(event, ApduReceived) and not event.broadcast:
                self._take(event, now)
        if self.counters["refused"] > self._limits.refusals:
            raise RemoteProtocolError(f"{self.counters['refused']} APDUs led nowhere on one connection")

    def events(self) -> list[Passed]:
        """Drain what is to be passed on."""
        drained, self._events = self._events, []
        return drained

    def answer(self, route: Route, apdu: bytes, now: float) -> None:
        """Pass back what the device of a route says, asked or unasked; what has a prefix itself is refused."""
        if route in self._asked:
            self._asked[route] = False
        try:
            self._say(route, apdu, now)
        except LocalProtocolError:
            self.counters["answers_refused"] += 1
            self._say(route, REFUSAL, now)

    def close(self, route: Route, now: float) -> None:
        """Forget a route whose device is gone; whoever waits for an answer is told that there will be none."""
        if self._asked.pop(route, False):
            self._say(route, REFUSAL, now)

    def outgoing(self) -> bytes:
        """Drain the octets to be written to the client."""
        return self.link.outgoing()

    def deadline(self) -> float | None:
        """Return when `tick` must be called at the latest, or None."""
        return self.link.deadline()

    def tick(self, now: float) -> None:
        """Let time pass. Raises TimedOut as the link does."""
        self.link.tick(now)

    def _take(self, event: ApduReceived, now: float) -> None:
        apdu, device = event.apdu, None
        if apdu[:1] in (REQUEST, RESPONSE):
            try:
                request = GatewayRequest.decode(apdu)
            except DecodeError:
                self._refuse(Route(None, event.client, event.server), now)
                return
            apdu, device = request.apdu, GatewayAddress.of(request)
        route = Route(device, event.client, event.server)
        if device not in self._devices or (route not in self._asked and len(self._asked) >= self._limits.routes):
            self._refuse(route, now)
        else:
            self._asked[route] = True
            self._events.append(Passed(route, apdu))

    def _refuse(self, route: Route, now: float) -> None:
        self.counters["refused"] += 1
        self._say(route, REFUSAL, now)

    def _say(self, route: Route, apdu: bytes, now: float) -> None:
        if apdu[:1] in (REQUEST, RESPONSE):
            raise LocalProtocolError("an answer with a prefix of its own would be taken for that of another device")
        octets = apdu if route.device is None else route.device.response(apdu)
        self.link.send(octets, now, client=route.client, server=route.server)
