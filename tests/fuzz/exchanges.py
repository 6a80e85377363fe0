"""What a peer says amid an exchange: blocks of any APDU, services by short names, and APDUs through a gateway.

What must hold besides: nobody gets more than was due, what is told apart stays apart, and a server goes on serving.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from cosem.errors import CosemError, RemoteProtocolError
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu.block import WINDOW, GeneralBlockTransfer
from cosem.protocol.apdu.gateway import REQUEST, RESPONSE, GatewayAddress, GatewayRequest, GatewayResponse
from cosem.protocol.apdu.get import GetRequestNormal, GetResponseNormal
from cosem.protocol.apdu.result import DataAccessResult
from cosem.protocol.apdu.set import SetRequestNormal, SetResponseNormal
from cosem.protocol.apdu.short_name import (
    ReadRequest,
    ReadResponse,
    UnconfirmedWriteRequest,
    VariableName,
    WriteRequest,
    WriteResponse,
)
from cosem.protocol.association.context import Naming, Requested, Response
from cosem.protocol.association.security import Protection
from cosem.protocol.association.services import CIPHERED, ERRORS
from cosem.protocol.association.state import State
from cosem.protocol.codec.schema import NULL_DATA
from cosem.protocol.link import ApduReceived
from cosem.protocol.link.gateway import GatewayClient
from cosem.protocol.link.wrapper import HEADER, VERSION, WrapperClient, WrapperServer
from cosem.protocol.profile.gateway import REFUSAL, GatewayLimits, GatewaySession, Route
from cosem.protocol.values.data import OctetString
from fuzz.bench import ENERGY, LIMITS, Bench, context, counted, opened
from fuzz.steps import Input
from pair import BOTH, CLIENT_TITLE, SERVER_TITLE

LONG: Final = OctetString(bytes(range(200)) * 3)
"""A value of several blocks."""

LONGEST: Final = 100
"""Octets of an APDU in either direction."""


# -- general block transfer -------------------------------------------------------------------------------------------


def general_blocks(octets: bytes) -> None:
    """Blocks of an adversary among those of an honest client and server, in windows and with losses.

    The first octet chooses who hears them, whether the association is protected, and whether a long value is read or
    written; the second the windows. Then come steps. One with at least two octets is a block: block-control, number,
    acknowledgement and data. A shorter one lets the honest side say its next APDU, drops that, or lets time pass.
    """
    given = Input(octets)
    how, windows = given.octet(), given.octet()
    to_server, protected, writes = (bool(how & bit) for bit in (1, 2, 4))
    both = opened(
        protection=BOTH if protected else Protection.NONE,
        max_pdu=LONGEST,
        windows=((windows & 0x3F) or 1, (windows >> 6) * 8 + 1),
    )
    both.client.send(_written(both) if writes else GetRequestNormal(both.client.invoke_id_and_priority(), ENERGY))
    line = _Line(both)
    for control, content in given.steps():
        if len(content) > 1:
            before = line.counted
            line.hears(to_server, GeneralBlockTransfer(control, content[0], content[1], content[2:]).encode())
            # Without the keys nothing can be added to what was there in part that makes it verify.
            assert not protected or line.counted == before
        else:
            _SILENT[control % len(_SILENT)](line)
        if line.ended:
            break
    if to_server and not protected:
        _still_serves(both)


class _Line:
    """What is on its way between two engines, by whether it goes to the server, and how large a window each may use."""

    def __init__(self, both: Bench) -> None:
        self.both = both
        self.ended = False
        self._waiting: dict[bool, list[bytes]] = {True: both.client.outgoing(), False: []}
        self._widest = {True: 1, False: 1}
        self._responses = 0

    @property
    def counted(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return counted(self.both.by_server), counted(self.both.by_client)

    def hears(self, is_server: bool, octets: bytes) -> None:
        """Let one engine hear an APDU; a client that refuses it leaves."""
        both = self.both
        engine = both.server if is_server else both.client
        if octets[:1] == GeneralBlockTransfer.TAG:
            self._widest[is_server] = max(self._widest[is_server], octets[1] & WINDOW)
        try:
            engine.receive(octets)
        except CosemError:
            self.ended = True
            return
        self._responses += sum(isinstance(event, Response) for event in both.client.events())
        assert self._responses <= 1
        for event in both.server.events():
            if isinstance(event, Requested):
                both.server.respond(_value_of(event.apdu))
        self._leaves(is_server, engine.outgoing())

    def next(self, is_server: bool) -> None:
        """Let one engine hear what the other has said."""
        if self._waiting[is_server]:
            self.hears(is_server, self._waiting[is_server].pop(0))

    def lose(self) -> None:
        """Lose what would be heard next, on both sides."""
        for waiting in self._waiting.values():
            del waiting[:1]

    def repeat(self) -> None:
        """Let the client wait for long."""
        self.both.client.repeat()
        self._leaves(False, self.both.client.outgoing())

    def give_up(self) -> None:
        """Let the server wait for too long."""
        self.both.server.give_up()
        assert not self.both.server.transferring

    def _leaves(self, of_server: bool, said: list[bytes]) -> None:
        assert len(said) <= self._widest[of_server]
        assert all(len(each) <= LONGEST for each in said)
        self._waiting[not of_server] += said


_SILENT: Final[tuple[Callable[[_Line], None], ...]] = (
    lambda line: line.next(True),
    lambda line: line.next(False),
    *(_Line.lose, _Line.repeat, _Line.give_up),
)
"""What happens where no block of the adversary comes."""


def _still_serves(both: Bench) -> None:
    """Let another client ask the server, which must answer."""
    both.server.outgoing()
    both.answer = _value_of
    both.client = other = opened(max_pdu=LONGEST, windows=(3, 1)).client
    other.send(GetRequestNormal(other.invoke_id_and_priority(), ENERGY))
    both.client_events.clear()
    for _ in range(LIMITS.repeats + 1):
        both.run()
        if both.client_events:
            break
        other.repeat()
    assert both.client_events == [Response(GetResponseNormal(0xC1, LONG))]


def _written(both: Bench) -> Any:
    return SetRequestNormal(both.client.invoke_id_and_priority(), ENERGY, None, LONG)


def _value_of(request: Any) -> Any:
    invoke_id = getattr(request, "invoke_id_and_priority", 0xC1)
    if isinstance(request, SetRequestNormal):
        return SetResponseNormal(invoke_id, DataAccessResult.SUCCESS)
    return GetResponseNormal(invoke_id, LONG)


# -- short names ------------------------------------------------------------------------------------------------------


def short_names(octets: bytes) -> None:
    """Services by short names, to a server or as answers to a client, each valid under the keys where there are keys.

    The first octet chooses who hears them, whether the association is protected, and what the client has asked. Then
    come steps: the first octet of an APDU, and what follows it.
    """
    given = Input(octets)
    how = given.octet()
    protected, to_server = bool(how & 2), bool(how & 1)
    both = opened(protection=BOTH if protected else Protection.NONE, naming=Naming.SHORT_NAMES, max_pdu=LONGEST)
    own, peer = (CLIENT_TITLE, SERVER_TITLE) if to_server else (SERVER_TITLE, CLIENT_TITLE)
    sender = context(own, peer, required=BOTH)
    if not to_server:
        request = _ASKED[(how >> 2 & 7) % len(_ASKED)]
        both.client.send(request, raw=request is _ASKED[0] and bool(how & 0x20))
        both.client.outgoing()
    for tag, content in given.steps():
        apdu = bytes((tag,)) + content
        if protected:
            with suppress(CosemError):
                apdu = sender.protect(apdu)
        if to_server:
            _asked_by_short_names(both, apdu, is_unconfirmed=tag == UnconfirmedWriteRequest.TAG[0])
        elif not _answered_by_short_names(both, apdu):
            break
    if to_server and both.server.state is State.ASSOCIATED:
        ask = ReadRequest((VariableName(0x2808),)).encode()
        _asked_by_short_names(both, sender.protect(ask) if protected else ask, is_unconfirmed=False)


def _asked_by_short_names(both: Bench, apdu: bytes, *, is_unconfirmed: bool) -> None:
    both.server.receive(apdu)
    for event in both.server.events():
        if isinstance(event, Requested):
            assert apdus.decode(event.apdu.encode()) == event.apdu
            answer = _by_short_names(event.apdu)
            with suppress(CosemError):
                both.server.respond(answer)
            both.server.drop()
    leaving = both.server.outgoing()
    assert len(leaving) <= (0 if is_unconfirmed else 1)
    for each in leaving:
        assert len(each) <= LONGEST
        assert not both.client.protected or each[0] in CIPHERED | ERRORS


def _answered_by_short_names(both: Bench, apdu: bytes) -> bool:
    """Let the client hear an answer; return False where it leaves, or has nothing more to hear."""
    try:
        both.client.receive(apdu)
    except CosemError:
        return False
    events = both.client.events()
    assert len(events) <= 1
    leaving = both.client.outgoing()
    assert len(leaving) <= 1
    assert all(len(each) <= LONGEST for each in leaving)
    return not any(isinstance(event, Response) for event in events)


def _by_short_names(request: Any) -> Any:
    count = len(getattr(request, "variable_access_specification", ()))
    if isinstance(request, ReadRequest):
        return ReadResponse((LONG,) * count)
    return WriteResponse((NULL_DATA,) * count)


_ASKED: Final = (
    ReadRequest((VariableName(0x2808),)),
    ReadRequest((VariableName(0x2808),) * 3),
    WriteRequest((VariableName(0x2808),), (None,)),
    WriteRequest((VariableName(0x2808),), (LONG,)),
)
"""What a client has asked: one thing, several, to write something short, and something in blocks."""


# -- a gateway --------------------------------------------------------------------------------------------------------

SAPS: Final = ((16, 1), (1, 1), (16, 2), (0, 0xFFFF))
FRONTED: Final = (GatewayAddress(0, b"M1"), GatewayAddress(0, b""), GatewayAddress(255, b"\xe6" * 127), None)
"""The devices behind the gateway, and what APDUs without a prefix are for."""

FEW: Final = GatewayLimits(routes=3, refusals=8)


def gateway(octets: bytes) -> None:
    """A client before a gateway and the devices behind it; or what a client hears from a gateway.

    An odd first octet is for the client, and what follows are the APDUs that it hears, as steps. Otherwise the first
    octet of a step says who speaks: the client, in octets that may be a prefix, or to a device; a device; or the way to
    it ends.
    """
    given = Input(octets)
    for kind in (GatewayRequest, GatewayResponse):
        with suppress(CosemError):
            assert kind.decode(octets).encode() == octets
    if given.octet() & 1:
        _from_a_gateway(given)
    else:
        _before_a_gateway(given)


def _from_a_gateway(given: Input) -> None:
    device, (client, server) = GatewayAddress(0, b"M1"), SAPS[0]
    link = GatewayClient(WrapperClient(client, server), device)
    link.connect(0.0)
    link.events()
    for control, content in given.steps():
        apdu = device.response(content) if control & 1 and content[:1] not in (b"", REQUEST, RESPONSE) else content
        heads = (VERSION, server, client) if control & 2 else (VERSION, client, server)
        try:
            link.receive(HEADER.pack(*heads, len(apdu)) + apdu, 0.0)
            events = link.events()
        except CosemError:
            return
        for event in events:
            assert isinstance(event, ApduReceived)
            assert device.response(event.apdu) == apdu
        assert link.outgoing() == b""


def _before_a_gateway(given: Input) -> None:
    session = GatewaySession(WrapperServer(), FRONTED, FEW)
    routes: list[Route] = []
    for step, content in given.steps():
        (client, server), device = SAPS[step >> 2 & 3], FRONTED[step >> 4 & 3]
        kind, route = step & 3, Route(device, client, server)
        apdu = content
        if kind == 0 and device is not None:
            with suppress(CosemError):
                apdu = device.request(content)
        if kind < 2:
            try:
                session.receive(HEADER.pack(VERSION, client, server, len(apdu)) + apdu, 0.0)
            except RemoteProtocolError:
                break
            _passed_on(session, apdu, (client, server), routes)
        elif kind == 2 and route in routes:
            session.answer(route, content, 0.0)
            assert _heard(session, route) in (content, REFUSAL)
        elif route in routes:
            session.close(route, 0.0)
            routes.remove(route)
            assert _heard(session, route) in (None, REFUSAL)


def _passed_on(session: GatewaySession, apdu: bytes, saps: tuple[int, int], routes: list[Route]) -> None:
    """Look at what came of an APDU of the client: it is passed on as it was, or refused, never both."""
    passed = session.events()
    for route, carried in passed:
        assert (route.client, route.server) == saps
        assert (carried if route.device is None else route.device.request(carried)) == apdu
        assert carried[:1] not in (REQUEST, RESPONSE)
        if route not in routes:
            routes.append(route)
    assert len(routes) <= FEW.routes
    refused = session.outgoing()
    assert len(passed) + bool(refused) == 1
    assert not refused or refused.endswith(REFUSAL)


def _heard(session: GatewaySession, route: Route) -> bytes | None:
    """Return what the client hears, without the prefix; it must come from the device of the route."""
    octets = session.outgoing()
    if not octets:
        return None
    version, server, client, size = HEADER.unpack_from(octets)
    said = octets[HEADER.size :]
    assert (version, server, client, size) == (VERSION, route.server, route.client, len(said))
    assert (said[:1] == RESPONSE) is (route.device is not None)
    if route.device is None:
        return said
    answer = GatewayResponse.decode(said)
    assert GatewayAddress.of(answer) == route.device
    return answer.apdu
