"""Sessions of both roles over the wrapper: who waits how long for what, and what waits for whom."""

from __future__ import annotations

import pytest

from cosem.errors import RemoteProtocolError, ServiceRefused, TimedOut
from cosem.protocol.apdu.access import AccessRequest, AccessRequestGet
from cosem.protocol.apdu.acse import ReleaseRequest
from cosem.protocol.apdu.action import ActionRequestNormal, MethodDescriptor
from cosem.protocol.apdu.get import AttributeDescriptor, GetRequestNormal, GetResponseNormal
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.association.admission import ServerPolicy
from cosem.protocol.association.client import ClientAssociation
from cosem.protocol.association.context import (
    IMPLEMENTED_LOGICAL_NAME_SERVICES,
    Associated,
    ClientSettings,
    Notified,
    Requested,
    Response,
)
from cosem.protocol.association.server import ServerAssociation
from cosem.protocol.association.services import invoke_id
from cosem.protocol.association.state import State
from cosem.protocol.link.wrapper import WrapperClient, WrapperServer
from cosem.protocol.profile.session import HELD, ClientSession, ServerSession
from cosem.protocol.profile.timing import ServerTiming, Timing
from cosem.protocol.values.data import Unsigned
from cosem.protocol.values.obis import Obis
from pair import chance

ENERGY = AttributeDescriptor(3, Obis("1.0.1.8.0.255"), 2)
METHOD = MethodDescriptor(3, Obis("1.0.1.8.0.255"), 1)
PUSH = bytes.fromhex("0F40000000000101020309060100010700FF0600002B2A02020F00161B")


def framed(apdu: bytes, source: int = 1, destination: int = 16) -> bytes:
    heads = (1, source, destination, len(apdu))
    return b"".join(number.to_bytes(2, "big") for number in heads) + apdu


def opened(
    conformance: Conformance = IMPLEMENTED_LOGICAL_NAME_SERVICES,
) -> tuple[ClientSession, ServerSession]:
    association = ClientAssociation(ClientSettings(conformance=conformance))
    client = ClientSession(WrapperClient(16, 1), association, Timing(response=10.0))
    server = ServerSession(WrapperServer(), lambda _: ServerAssociation(ServerPolicy(), chance), ServerTiming())
    client.connect(0.0)
    client.associate(0.0)
    server.receive(client.outgoing(), 0.0)
    client.receive(server.outgoing(), 0.0)
    server.events()
    assert [type(event) for event in client.events()][-1] is Associated
    return client, server


def test_notifications_buy_no_time() -> None:
    client, _ = opened()
    client.send(GetRequestNormal(0xC1, ENERGY), 0.0)
    for second in range(10):
        assert client.deadline() == 10.0
        client.receive(framed(PUSH), float(second))
    with pytest.raises(TimedOut, match="response"):
        client.tick(10.0)
    assert sum(isinstance(event, Notified) for event in client.events()) == 10


def test_sec_13_an_answer_after_the_time_out_answers_nothing() -> None:
    client, _ = opened()
    client.send(GetRequestNormal(0xC1, ENERGY), 0.0)
    with pytest.raises(TimedOut):
        client.tick(10.0)
    assert client.association.state is State.IDLE
    with pytest.raises(RemoteProtocolError):
        client.receive(framed(GetResponseNormal(0xC1, Unsigned(1)).encode()), 11.0)
    assert not any(isinstance(event, Response) for event in client.events())


def test_a_refusal_ends_the_waiting_and_loses_nothing_behind_it() -> None:
    client, _ = opened()
    client.send(GetRequestNormal(0xC1, ENERGY), 0.0)
    with pytest.raises(ServiceRefused):
        client.receive(framed(PUSH) + framed(bytes.fromhex("D80101")) + framed(PUSH), 1.0)
    assert client.deadline() is None
    client.tick(1000.0)
    client.receive(b"", 1000.0)
    assert sum(isinstance(event, Notified) for event in client.events()) == 2


def test_requests_that_come_together_are_served_one_after_the_other() -> None:
    _, server = opened()
    requests = [
        ActionRequestNormal(0x01, METHOD),
        GetRequestNormal(0xC2, ENERGY),
        GetRequestNormal(0xC3, ENERGY),
    ]
    server.receive(b"".join(framed(request.encode(), 16, 1) for request in requests), 0.0)
    served = []
    while events := server.events():
        for pair, event in events:
            assert isinstance(event, Requested)
            served.append(event.apdu)
            server.respond(pair, GetResponseNormal(event.apdu.invoke_id_and_priority, Unsigned(1)), 0.0)  # type: ignore
    assert served == requests
    answers = [framed(GetResponseNormal(number, Unsigned(1)).encode()) for number in (0xC2, 0xC3)]
    assert server.outgoing() == b"".join(answers)


def order(server: ServerSession, octets: bytes) -> list[int]:
    """Return the invoke-ids in the order in which requests are served that arrive at once."""
    server.receive(octets, 0.0)
    served: list[int] = []
    while events := server.events():
        for pair, event in events:
            if isinstance(event, Requested):
                number = invoke_id(event.apdu)
                assert number is not None
                served.append(number)
                server.respond(pair, GetResponseNormal(0, Unsigned(1)), 0.0)
    return served


NORMAL, HIGH = 0x40, 0xC0


def asking(*octets: int) -> bytes:
    return b"".join(framed(GetRequestNormal(octet, ENERGY).encode(), 16, 1) for octet in octets)


def test_high_priority_is_served_first_where_a_client_has_sent_several_requests() -> None:
    """Bit 9 of the conformance block, priority-mgmt-supported: the one that is being served is finished first."""
    _, server = opened()
    long = framed(AccessRequest(0xC000000A, b"", (AccessRequestGet(ENERGY),), (None,)).encode(), 16, 1)
    assert order(server, asking(NORMAL | 1, NORMAL | 2, HIGH | 3, NORMAL | 4, HIGH | 5) + long) == [1, 3, 5, 10, 2, 4]


def test_without_priority_management_requests_keep_their_order() -> None:
    _, server = opened(IMPLEMENTED_LOGICAL_NAME_SERVICES & ~Conformance.PRIORITY_MANAGEMENT_SUPPORTED)
    assert order(server, asking(NORMAL | 1, NORMAL | 2, HIGH | 3)) == [1, 2, 3]


def test_nothing_overtakes_a_release() -> None:
    _, server = opened()
    release = framed(ReleaseRequest().encode(), 16, 1)
    assert order(server, asking(NORMAL | 1, NORMAL | 2) + release + asking(HIGH | 3)) == [1, 2]


@pytest.mark.parametrize("octets", ["C0", "C801", "0FFF"])
def test_octets_that_say_no_priority_do_no_harm(octets: str) -> None:
    _, server = opened()
    assert order(server, asking(NORMAL | 1) + framed(bytes.fromhex(octets), 16, 1) + asking(HIGH | 2)) == [1, 2]


def test_a_client_asks_for_high_priority_where_that_was_negotiated() -> None:
    client, _ = opened()
    assert client.association.invoke_id_and_priority() & HIGH == HIGH
    assert client.association.long_invoke_id_and_priority() >> 24 == HIGH
    client, _ = opened(IMPLEMENTED_LOGICAL_NAME_SERVICES & ~Conformance.PRIORITY_MANAGEMENT_SUPPORTED)
    assert client.association.invoke_id_and_priority() & HIGH == NORMAL
    assert client.association.long_invoke_id_and_priority() >> 24 == NORMAL


def test_no_more_than_the_limit_waits_behind_a_request() -> None:
    _, server = opened()
    request = framed(GetRequestNormal(0xC1, ENERGY).encode(), 16, 1)
    server.receive(request * (1 + HELD), 0.0)
    with pytest.raises(RemoteProtocolError, match=f"more than {HELD}"):
        server.receive(request, 0.0)
