"""Sessions of both roles over the wrapper: who waits how long for what, and what waits for whom."""

from __future__ import annotations

import pytest

from cosem.errors import RemoteProtocolError, ServiceRefused, TimedOut
from cosem.protocol.apdu.action import ActionRequestNormal, MethodDescriptor
from cosem.protocol.apdu.get import AttributeDescriptor, GetRequestNormal, GetResponseNormal
from cosem.protocol.association.admission import ServerPolicy
from cosem.protocol.association.client import ClientAssociation
from cosem.protocol.association.context import Associated, ClientSettings, Notified, Requested, Response
from cosem.protocol.association.server import ServerAssociation
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


def opened() -> tuple[ClientSession, ServerSession]:
    client = ClientSession(WrapperClient(16, 1), ClientAssociation(ClientSettings()), Timing(response=10.0))
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


def test_no_more_than_the_limit_waits_behind_a_request() -> None:
    _, server = opened()
    request = framed(GetRequestNormal(0xC1, ENERGY).encode(), 16, 1)
    server.receive(request * (1 + HELD), 0.0)
    with pytest.raises(RemoteProtocolError, match=f"more than {HELD}"):
        server.receive(request, 0.0)
