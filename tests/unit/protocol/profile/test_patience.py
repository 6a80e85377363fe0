"""The named time-outs, each at its limit and just before it; what is 0 never passes."""

from __future__ import annotations

import pytest

from cosem.errors import TimedOut
from cosem.protocol.apdu.get import AttributeDescriptor, GetRequestNormal, GetResponseNormal
from cosem.protocol.association.admission import ServerPolicy
from cosem.protocol.association.client import ClientAssociation
from cosem.protocol.association.context import Associated, ClientSettings, Response
from cosem.protocol.association.server import ServerAssociation
from cosem.protocol.association.state import State
from cosem.protocol.link.wrapper import WrapperClient, WrapperServer
from cosem.protocol.profile.session import ClientSession, ServerSession
from cosem.protocol.profile.timing import ServerTiming, Timing
from cosem.protocol.values.data import Unsigned
from cosem.protocol.values.obis import Obis
from pair import chance

REQUEST = GetRequestNormal(0xC1, AttributeDescriptor(3, Obis("1.0.1.8.0.255"), 2))
ANSWER = GetResponseNormal(0xC1, Unsigned(1)).encode()
FRAMED = bytes((0, 1, 0, 1, 0, 16, 0, len(ANSWER))) + ANSWER
BEFORE = 0.001


def asked(timing: Timing) -> ClientSession:
    """Return a client that was connected at 0 and has asked at 1."""
    client = ClientSession(WrapperClient(16, 1), ClientAssociation(ClientSettings()), timing)
    server = ServerSession(WrapperServer(), lambda _: ServerAssociation(ServerPolicy(), chance), ServerTiming())
    client.connect(0.0)
    client.associate(0.0)
    server.receive(client.outgoing(), 0.0)
    client.receive(server.outgoing(), 0.0)
    assert [type(event) for event in client.events()][-1] is Associated
    client.send(REQUEST, 1.0)
    return client


def ends(client: ClientSession, when: float, name: str) -> None:
    assert client.deadline() == pytest.approx(when)
    client.tick(when - BEFORE)
    with pytest.raises(TimedOut) as error:
        client.tick(when)
    assert error.value.phase == name
    assert f"no answer in the {name} phase within" in str(error.value)
    assert client.association.state is State.IDLE, "a late answer answers nothing"


def test_the_first_octet() -> None:
    ends(asked(Timing(first_octet=2.0)), 3.0, "first octet")


def test_the_first_octet_in_time_leaves_the_rest_to_the_other_limits() -> None:
    client = asked(Timing(first_octet=2.0, response=5.0))
    client.receive(FRAMED[:1], 2.9)
    ends(client, 6.0, "response")


def test_the_next_octet() -> None:
    client = asked(Timing(inter_octet=0.5))
    client.tick(5.0)
    client.receive(FRAMED[:1], 5.0)
    client.receive(FRAMED[1:3], 5.4)
    ends(client, 5.9, "inter-octet")


def test_the_whole_answer_even_if_octets_keep_coming() -> None:
    client = asked(Timing(answer=4.0))
    for octet in range(5):
        client.receive(FRAMED[octet : octet + 1], 1.5 + octet / 2)
    ends(client, 5.0, "whole answer")
    late = asked(Timing(answer=4.0))
    with pytest.raises(TimedOut, match="whole answer"):
        late.receive(FRAMED[:3], 5.0)


def test_an_answer_in_time_ends_the_waiting() -> None:
    client = asked(Timing(first_octet=2.0, inter_octet=0.5, answer=4.0))
    client.receive(FRAMED, 2.0)
    assert isinstance(client.events()[-1], Response)
    assert client.deadline() is None
    client.tick(100.0)


def test_the_session() -> None:
    ends(asked(Timing(session=8.0)), 8.0, "session")
    client = asked(Timing(session=8.0))
    client.receive(FRAMED, 2.0)
    ends(client, 8.0, "session")


def test_nothing_is_limited_unless_asked_for() -> None:
    client = asked(Timing(response=1000.0))
    assert client.deadline() == 1001.0
