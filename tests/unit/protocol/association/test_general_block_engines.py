"""Client and server joined by a wire, with general block transfer on: what goes in blocks, and what never does."""

from __future__ import annotations

from typing import Any

import pytest

from cosem.errors import LocalProtocolError, RemoteProtocolError, SecurityError, ServiceRefused
from cosem.protocol.apdu import DataNotification, decode
from cosem.protocol.apdu.action import (
    ActionRequestNormal,
    ActionResponseNormal,
    ActionResponseWithOptionalData,
    ActionResult,
    MethodDescriptor,
)
from cosem.protocol.apdu.block import BlockControl, GeneralBlockTransfer
from cosem.protocol.apdu.exception import ExceptionResponse
from cosem.protocol.apdu.get import (
    AttributeDescriptor,
    AttributeDescriptorWithSelection,
    DataAccessResult,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseNormal,
    GetResponseWithDatablock,
    GetResponseWithList,
)
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.apdu.set import SetRequestNormal, SetResponseNormal
from cosem.protocol.association.context import AssociationLimits, Notified, Refused, Requested, Response
from cosem.protocol.association.general_block import unconfirmed
from cosem.protocol.association.security import Protection
from cosem.protocol.values.data import OctetString
from cosem.protocol.values.obis import Obis
from pair import BOTH, Pair, pair

LONG = AttributeDescriptor(7, Obis("1.0.99.1.0.255"), 2)
METHOD = MethodDescriptor(18, Obis("0.0.44.0.0.255"), 2)
VALUE = OctetString(bytes(index % 251 for index in range(3000)))
TAG = GeneralBlockTransfer.TAG

WAYS: dict[str, dict[str, Any]] = {
    "in clear": {},
    "ciphered": {"mechanism": 5, "protection": BOTH},
    "authenticated": {"mechanism": 5, "protection": Protection.AUTHENTICATION},
}


def echo(request: Any) -> Any:
    """A meter whose every value is long, and which takes every value."""
    invoke_id = request.invoke_id_and_priority
    if isinstance(request, GetRequestNormal):
        return GetResponseNormal(invoke_id, VALUE)
    if isinstance(request, GetRequestWithList):
        return GetResponseWithList(invoke_id, (VALUE,) * len(request.attributes))
    if isinstance(request, SetRequestNormal):
        return SetResponseNormal(invoke_id, DataAccessResult.SUCCESS)
    assert isinstance(request, ActionRequestNormal)
    return ActionResponseNormal(invoke_id, ActionResponseWithOptionalData(ActionResult.SUCCESS, request.parameters))


def associated(client_blocks: int = 16, server_blocks: int = 8, max_pdu: int = 300, **how: Any) -> Pair:
    both = pair(
        client_blocks=client_blocks, server_blocks=server_blocks, max_pdu=max_pdu, client_max_pdu=max_pdu, **how
    )
    both.answer = echo
    both.client.associate()
    both.run()
    assert both.client.negotiated is not None
    both.passed.clear()
    both.client_events.clear()
    return both


def ask(both: Pair, request: Any, **options: Any) -> Response:
    both.client.send(request, **options)
    both.run()
    response = both.client_events[-1]
    assert isinstance(response, Response)
    return response


def get(both: Pair) -> GetRequestNormal:
    return GetRequestNormal(both.client.invoke_id_and_priority(), LONG, None)


@pytest.mark.parametrize("way", WAYS)
def test_a_long_answer_comes_in_windows(way: str) -> None:
    both = associated(**WAYS[way])
    answer = ask(both, get(both)).apdu
    assert isinstance(answer, GetResponseNormal)
    assert answer.result == VALUE
    blocks = [octets for side, octets in both.passed if side == "server"]
    assert {octets[:1] for octets in blocks} == {TAG}
    assert all(len(octets) <= 300 for octets in blocks)
    # One block before the meter knows our window, then all the rest in one window.
    assert [side for side, _ in both.passed] == ["client", "server", "client", *["server"] * (len(blocks) - 1)]
    both.passed.clear()
    assert ask(both, get(both)).apdu is not None
    assert [side for side, _ in both.passed] == ["client", *["server"] * len(blocks)]


@pytest.mark.parametrize("way", WAYS)
def test_long_requests_and_answers_of_every_service(way: str) -> None:
    both = associated(**WAYS[way])
    invoke_id = both.client.invoke_id_and_priority
    assert ask(both, SetRequestNormal(invoke_id(), LONG, None, VALUE)).apdu == SetResponseNormal(
        0xC1 if way == "in clear" else 0xC2, DataAccessResult.SUCCESS
    )
    answer = ask(both, ActionRequestNormal(invoke_id(), METHOD, VALUE)).apdu
    assert isinstance(answer, ActionResponseNormal)
    assert answer.response.return_parameters == VALUE
    requested = [event.apdu for event in both.server_events if isinstance(event, Requested)]
    assert [getattr(each, "value", None) or getattr(each, "parameters", None) for each in requested] == [VALUE, VALUE]
    listed = ask(both, GetRequestWithList(invoke_id(), (AttributeDescriptorWithSelection(LONG, None),) * 3)).apdu
    assert isinstance(listed, GetResponseWithList)
    assert listed.results == (VALUE,) * 3
    assert all(len(octets) <= 300 for _, octets in both.passed)


def test_the_data_of_an_answer_in_blocks_can_be_had_undecoded() -> None:
    both = associated()
    response = ask(both, get(both), raw=True)
    assert response.raw is not None
    assert decode(bytes((0xC4, 1, 0xC1, 0)) + response.raw) == GetResponseNormal(0xC1, VALUE)


def test_what_is_short_goes_as_it_is() -> None:
    both = associated(max_pdu=0xFFFF)
    ask(both, get(both))
    assert [octets[:1].hex() for _, octets in both.passed] == ["c0", "c4"]


@pytest.mark.parametrize(("client_blocks", "server_blocks"), [(0, 8), (16, 0), (0, 0)])
def test_general_block_transfer_is_negotiated_only_where_both_have_it_on(
    client_blocks: int, server_blocks: int
) -> None:
    both = associated(client_blocks, server_blocks)
    assert both.client.negotiated is not None
    assert both.server.negotiated is not None
    for side in (both.client, both.server):
        assert side.negotiated is not None
        assert not side.negotiated.allows(Conformance.GENERAL_BLOCK_TRANSFER)
    answer = ask(both, get(both)).apdu
    assert isinstance(answer, GetResponseNormal)
    assert answer.result == VALUE
    assert any(isinstance(decode(octets), GetResponseWithDatablock) for _, octets in both.passed)
    assert not any(octets[:1] == TAG for _, octets in both.passed)


def test_it_is_proposed_only_where_it_is_on() -> None:
    for blocks, proposed in ((0, False), (1, True)):
        both = pair(client_blocks=blocks)
        assert bool(both.client.settings.proposed_conformance & Conformance.GENERAL_BLOCK_TRANSFER) is proposed


def test_blocks_that_were_not_negotiated_are_refused_on_either_side() -> None:
    block = GeneralBlockTransfer(0x81, 1, 0, b"\xc4\x01\xc1\x00\x11\x01").encode()
    both = associated(0, 0)
    both.client.send(get(both))
    with pytest.raises(RemoteProtocolError, match="nothing a server sends"):
        both.client.receive(block)
    both.server.receive(block)
    assert isinstance(both.server.events()[-1], Refused)
    assert isinstance(decode(both.server.outgoing()[-1]), ExceptionResponse)


def test_a_ciphered_association_takes_no_block_of_plain_octets() -> None:
    both = associated(**WAYS["ciphered"])
    both.client.send(get(both))
    with pytest.raises(SecurityError):
        both.client.receive(GeneralBlockTransfer(0x81, 1, 0, b"\xc4\x01\xc2\x00\x11\x01").encode())
    both.server.receive(GeneralBlockTransfer(0x81, 1, 0, get(both).encode()).encode())
    assert isinstance(both.server.events()[-1], Refused)


def test_blocks_are_protected_once_and_never_anew() -> None:
    both = associated(**WAYS["ciphered"])
    both.client.send(get(both))
    for octets in both.client.outgoing():
        both.server.receive(octets)
    (event,) = both.server.events()
    assert isinstance(event, Requested)
    both.server.respond(echo(event.apdu))
    (first,) = both.server.outgoing()
    both.client.repeat()
    (question,) = both.client.outgoing()
    both.server.receive(question)
    again = both.server.outgoing()
    assert GeneralBlockTransfer.decode(again[0]).block_data == GeneralBlockTransfer.decode(first).block_data
    for octets in again:
        both.client.receive(octets)
    assert isinstance(both.client.events()[-1], Response)


def test_a_lost_answer_is_asked_for_again() -> None:
    both = associated()
    both.client.send(get(both))
    for octets in both.client.outgoing():
        both.server.receive(octets)
    both.server.respond(echo(next(e.apdu for e in both.server.events() if isinstance(e, Requested))))
    both.server.outgoing()  # lost
    both.client.repeat()
    both.run()
    assert isinstance(both.client_events[-1], Response)
    assert sum(isinstance(event, Requested) for event in both.server_events) == 0  # executed once, above


def test_nothing_is_repeated_without_blocks_or_without_a_question() -> None:
    both = associated(0, 0)
    both.client.send(get(both))
    both.client.outgoing()
    both.client.repeat()
    assert both.client.outgoing() == []
    both = associated()
    both.client.repeat()
    assert both.client.outgoing() == []


def test_a_push_in_the_middle_of_an_answer_in_blocks() -> None:
    both = associated()
    push = DataNotification(0x00000001, b"", VALUE)
    both.client.send(get(both))
    for octets in both.client.outgoing():
        both.server.receive(octets)
    (event,) = both.server.events()
    both.server.notify(push)
    assert isinstance(event, Requested)
    both.server.respond(echo(event.apdu))
    both.run()
    notified, response = both.client_events
    assert isinstance(notified, Notified)
    assert notified.apdu == push
    assert isinstance(response, Response)


@pytest.mark.parametrize("way", WAYS)
def test_a_long_notification_goes_in_unconfirmed_blocks(way: str) -> None:
    both = associated(**WAYS[way])
    push = DataNotification(0x00000001, b"", VALUE)
    both.server.notify(push, frame=100)
    both.run()
    (notified,) = both.client_events
    assert isinstance(notified, Notified)
    assert notified.apdu == push
    blocks = [GeneralBlockTransfer.decode(octets) for side, octets in both.passed]
    assert all(len(octets) <= 100 for _, octets in both.passed)
    assert {block.window for block in blocks} == {0}
    assert [block.block_number for block in blocks] == list(range(1, len(blocks) + 1))
    assert [side for side, _ in both.passed] == ["server"] * len(blocks)


def test_a_long_notification_without_general_block_transfer_is_refused_by_our_own_side() -> None:
    both = associated(0, 0)
    with pytest.raises(LocalProtocolError, match="takes at most 300"):
        both.server.notify(DataNotification(0x00000001, b"", VALUE))


def test_a_push_that_lost_a_block_is_reported_and_the_answer_still_comes() -> None:
    both = associated()
    both.client.send(get(both))
    push = unconfirmed(DataNotification(0x00000001, b"", VALUE).encode(), 300)
    for octets in (push[0], push[2], push[3]):
        both.client.receive(octets)
    both.run()
    notified, response = both.client_events
    assert isinstance(notified, Notified)
    assert notified.apdu is None
    assert "block 3 of an unconfirmed transfer where 2 was due" in str(notified.error)
    assert isinstance(response, Response)


def test_a_server_that_gives_up_forgets_unconfirmed_blocks_too_and_a_refusal_of_others_does_not() -> None:
    both = associated()
    request = SetRequestNormal(0x81, LONG, None, VALUE).encode()
    first, *others = unconfirmed(request, 300)
    both.server.receive(first)
    assert both.server.transferring
    both.server.receive(b"\xff")
    assert both.server.transferring
    for octets in others:
        both.server.receive(octets)
    assert [event.apdu.encode() for event in both.server.events() if isinstance(event, Requested)] == [request]
    both.server.drop()
    both.server.receive(first)
    both.server.give_up()
    assert not both.server.transferring
    for octets in others:
        both.server.receive(octets)
    assert not any(isinstance(event, Requested) for event in both.server.events())
    both.server.outgoing()
    both.run()
    assert isinstance(ask(both, get(both)), Response)


def test_a_server_refuses_what_breaks_the_numbering_and_goes_on() -> None:
    both = associated()
    empty = [GeneralBlockTransfer(5, number, 0, data).encode() for number, data in ((1, b"\xc0"), (2, b""))]
    for octets in empty:
        both.server.receive(octets)
    assert isinstance(decode(both.server.outgoing()[-1]), ExceptionResponse)
    assert isinstance(both.server.events()[-1], Refused)
    assert not both.server.transferring
    assert isinstance(ask(both, get(both)).apdu, GetResponseNormal)


def test_a_client_stops_when_the_server_refuses_in_the_middle() -> None:
    both = associated()
    both.client.send(SetRequestNormal(both.client.invoke_id_and_priority(), LONG, None, VALUE))
    both.client.outgoing()
    with pytest.raises(ServiceRefused):
        both.client.receive(bytes.fromhex("D80202"))
    assert not both.client.awaiting


def test_an_association_request_in_blocks_is_refused() -> None:
    both = associated()
    other = pair()
    other.client.associate()
    (request,) = other.client.outgoing()
    both.server.receive(GeneralBlockTransfer(0x81, 1, 0, request).encode())
    assert isinstance(both.server.events()[-1], Refused)
    assert both.server.negotiated is not None


def test_requests_that_are_never_finished_can_be_given_up() -> None:
    both = associated()
    both.server.receive(GeneralBlockTransfer(BlockControl.STREAMING | 5, 1, 0, b"\xc1\x01").encode())
    assert both.server.transferring
    both.server.give_up()
    assert not both.server.transferring
    assert isinstance(ask(both, get(both)).apdu, GetResponseNormal)


def test_the_limits_of_an_association_hold_for_its_blocks() -> None:
    for limit, fits in ((3008, True), (3007, False)):
        both = associated(client_limits=AssociationLimits(reassembled=limit))
        if fits:
            assert isinstance(ask(both, get(both)).apdu, GetResponseNormal)
        else:
            with pytest.raises(RemoteProtocolError, match="more than 3007 octets"):
                ask(both, get(both))


@pytest.mark.parametrize("way", WAYS)
def test_a_long_request_without_an_answer_goes_in_blocks_that_nobody_acknowledges(way: str) -> None:
    both = associated(**WAYS[way])
    both.client.send(SetRequestNormal(both.client.invoke_id_and_priority(confirmed=False), LONG, None, VALUE))
    both.run()
    assert {side for side, _ in both.passed} == {"client"}
    assert {GeneralBlockTransfer.decode(octets).window for _, octets in both.passed} == {0}
    (requested,) = (event.apdu for event in both.server_events if isinstance(event, Requested))
    assert isinstance(requested, SetRequestNormal)
    assert requested.value == VALUE
    assert isinstance(ask(both, get(both)).apdu, GetResponseNormal)


def test_a_lost_block_of_it_is_refused_without_a_word() -> None:
    both = associated()
    both.client.send(SetRequestNormal(both.client.invoke_id_and_priority(confirmed=False), LONG, None, VALUE))
    first, _, third, *_ = both.client.outgoing()
    both.server.receive(first)
    both.server.receive(third)
    assert isinstance(both.server.events()[-1], Refused)
    assert both.server.outgoing() == []
