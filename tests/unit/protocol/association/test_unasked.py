"""Services without an answer, associations without opening, pushes that want a confirmation, and broadcasts.

No independent implementation at hand has DataNotification-Confirm: its octets here are those of the standard's layout,
written by hand.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cosem.errors import LocalProtocolError
from cosem.protocol.apdu import DataNotification, DataNotificationConfirm
from cosem.protocol.apdu.action import ActionRequestNormal, MethodDescriptor
from cosem.protocol.apdu.get import AttributeDescriptor, GetRequestNormal, GetResponseNormal
from cosem.protocol.apdu.set import SetRequestNormal
from cosem.protocol.association.admission import ServerPolicy
from cosem.protocol.association.client import ClientAssociation
from cosem.protocol.association.context import (
    Associated,
    AssociationLimits,
    ClientSettings,
    Confirmed,
    Notified,
    PreEstablished,
    Refused,
    Released,
    Requested,
    Response,
)
from cosem.protocol.association.security import Protection
from cosem.protocol.association.server import ServerAssociation
from cosem.protocol.association.state import State
from cosem.protocol.values.data import DoubleLongUnsigned, OctetString
from cosem.protocol.values.obis import Obis
from pair import BOTH, CLIENT_TITLE, SERVER_TITLE, Pair, chance, pair, security

ENERGY = AttributeDescriptor(3, Obis("1.0.1.8.0.255"), 2)
RESET = MethodDescriptor(3, Obis("1.0.1.8.0.255"), 1)
VALUE = DoubleLongUnsigned(7)
CONFIRMED_PUSH = DataNotification(0x40000005, b"", VALUE)
CONFIRMATION = bytes.fromhex("10 40000005 00")


def answered(request: Any) -> Any:
    return GetResponseNormal(request.invoke_id_and_priority, VALUE)


def opened(**access: Any) -> Pair:
    both = pair(**access)
    both.answer = answered
    both.client.associate()
    both.run()
    both.client_events.clear()
    both.server_events.clear()
    both.passed.clear()
    return both


# -- services without an answer ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("protection", [Protection.NONE, BOTH])
def test_a_service_without_an_answer_leaves_nothing_pending(protection: Protection) -> None:
    both = opened(mechanism=5 if protection else 0, protection=protection)
    request = SetRequestNormal(both.client.invoke_id_and_priority(confirmed=False), ENERGY, None, VALUE)
    both.answer = None
    both.client.send(request)
    assert not both.client.awaiting
    both.run()
    (event,) = both.server_events
    assert event == Requested(request)
    both.server.respond(GetResponseNormal(0, VALUE))
    assert both.server.outgoing() == []
    assert both.client_events == []


def test_what_cannot_go_without_an_answer() -> None:
    both = opened(max_pdu=100)
    invoke_id = both.client.invoke_id_and_priority(confirmed=False)
    with pytest.raises(LocalProtocolError, match="would say nothing"):
        both.client.send(GetRequestNormal(invoke_id, ENERGY))
    with pytest.raises(LocalProtocolError, match="blocks are acknowledged"):
        both.client.send(SetRequestNormal(invoke_id, ENERGY, None, OctetString(bytes(200))))
    assert both.client.outgoing() == []
    both.client.send(GetRequestNormal(both.client.invoke_id_and_priority(), ENERGY))


# -- pre-established associations -------------------------------------------------------------------------------------


def established(protection: Protection = Protection.NONE) -> Pair:
    settings = ClientSettings(protection=protection, pre_established=PreEstablished(SERVER_TITLE, 500))
    policy = ServerPolicy(
        application_context=settings.application_context,
        required=protection,
        security=(lambda title: security(SERVER_TITLE, title, protection)) if protection else None,
        own_title=SERVER_TITLE,
        pre_established=PreEstablished(CLIENT_TITLE, 400),
    )
    client = ClientAssociation(settings, security=security(CLIENT_TITLE, None, protection) if protection else None)
    both = Pair(client, ServerAssociation(policy, chance))
    both.answer = answered
    return both


@pytest.mark.parametrize("protection", [Protection.NONE, BOTH])
def test_a_pre_established_association_is_there_at_once(protection: Protection) -> None:
    both = established(protection)
    both.client.associate()
    both.run()
    assert both.passed == []
    (at_client,), (at_server,) = both.client_events, both.server_events
    assert isinstance(at_client, Associated)
    assert isinstance(at_server, Associated)
    assert (at_client.negotiated.max_send_pdu_size, at_server.negotiated.max_send_pdu_size) == (500, 400)
    both.client.send(GetRequestNormal(both.client.invoke_id_and_priority(), ENERGY))
    both.run()
    assert isinstance(both.client_events[-1], Response)
    both.client.release()
    both.run()
    assert len(both.passed) == 2
    assert both.client_events[-1] == Released()
    assert both.server.state is State.ASSOCIATED


def test_nobody_opens_or_closes_what_is_pre_established() -> None:
    both, other = established(), pair()
    other.client.associate()
    (aarq,) = other.client.outgoing()
    for octets in (aarq, bytes.fromhex("6203800100")):
        both.server.receive(octets)
        assert both.server.outgoing() == [bytes.fromhex("D80101")]
        assert isinstance(both.server.events()[-1], Refused)
        assert both.server.state is State.ASSOCIATED


def test_a_protected_one_takes_nothing_in_clear() -> None:
    both = established(BOTH)
    both.server.events()
    both.server.receive(GetRequestNormal(0xC1, ENERGY).encode())
    (event,) = both.server.events()
    assert isinstance(event, Refused)


# -- pushes -----------------------------------------------------------------------------------------------------------


def test_a_push_is_confirmed_where_it_asks_for_it() -> None:
    both = opened()
    both.server.notify(CONFIRMED_PUSH)
    both.server.notify(replace(CONFIRMED_PUSH, long_invoke_id_and_priority=6))
    both.run()
    assert [octets for side, octets in both.passed if side == "client"] == [CONFIRMATION]
    assert both.server_events == [Confirmed(5)]
    assert [event.apdu for event in both.client_events if isinstance(event, Notified)] == [
        CONFIRMED_PUSH,
        replace(CONFIRMED_PUSH, long_invoke_id_and_priority=6),
    ]


def test_the_confirmation_of_a_ciphered_push_is_ciphered() -> None:
    both = opened(mechanism=5, protection=BOTH)
    both.server.notify(CONFIRMED_PUSH)
    both.run()
    assert [octets[0] for _, octets in both.passed] == [0xDB, 0xDB]
    assert both.server_events == [Confirmed(5)]
    both.server.receive(CONFIRMATION)  # in clear
    assert isinstance(both.server.events()[-1], Refused)


def test_a_confirmation_waits_for_the_exchange_that_is_under_way() -> None:
    both = opened()
    both.client.send(GetRequestNormal(both.client.invoke_id_and_priority(), ENERGY))
    (request,) = both.client.outgoing()
    both.client.receive(CONFIRMED_PUSH.encode())
    assert both.client.outgoing() == []
    both.server.receive(request)
    both.run()
    assert [octets[0] for side, octets in both.passed] == [0xC4, 0x10]


@pytest.mark.parametrize(("pushes", "confirmed"), [(16, 16), (17, 16)])
def test_no_more_confirmations_wait_than_the_limit_says(pushes: int, confirmed: int) -> None:
    assert AssociationLimits().confirmations == 16
    both = opened()
    both.client.send(GetRequestNormal(both.client.invoke_id_and_priority(), ENERGY))
    (request,) = both.client.outgoing()
    for number in range(pushes):
        both.client.receive(DataNotification(0x40000000 | number, b"", VALUE).encode())
    both.server.receive(request)
    both.run()
    assert sum(octets[0] == 0x10 for _, octets in both.passed) == confirmed


def test_a_confirmation_out_of_nowhere() -> None:
    both = pair()
    both.server.receive(CONFIRMATION)
    assert both.server.outgoing() == []
    assert isinstance(both.server.events()[-1], Refused)
    with pytest.raises(Exception, match="nothing a server sends"):
        both.client.receive(CONFIRMATION)


def test_the_octets_of_a_confirmation() -> None:
    assert DataNotificationConfirm.decode(CONFIRMATION) == DataNotificationConfirm(0x40000005, b"")
    assert DataNotificationConfirm(0x40000005, b"").encode() == CONFIRMATION


# -- broadcasts -------------------------------------------------------------------------------------------------------


def test_a_broadcast_is_handed_on_as_one_and_never_answered() -> None:
    both = established()
    both.server.events()
    unconfirmed = ActionRequestNormal(0x01, RESET)
    both.server.receive(unconfirmed.encode(), broadcast=True)
    assert both.server.events() == [Requested(unconfirmed, broadcast=True)]
    both.server.drop()
    both.server.receive(ActionRequestNormal(0xC1, RESET).encode(), broadcast=True)
    (event,) = both.server.events()
    assert isinstance(event, Refused)
    both.server.receive(b"\xff\xff", broadcast=True)
    assert both.server.outgoing() == []
