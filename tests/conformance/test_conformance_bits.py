"""Every bit of the conformance block: with it a service works between both sides, without it nobody sends or serves it.

The bits are those that are proposed with everything on, by logical names and by short names. A bit that is implemented
and has no row here fails `test_every_bit_has_its_rows`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest

from cosem.errors import LocalProtocolError, ServiceRefused
from cosem.meter import Access
from cosem.meter.dispatch import answer
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu.access import AccessRequest, AccessRequestGet, AccessResponse
from cosem.protocol.apdu.action import (
    ActionRequestNormal,
    ActionRequestWithFirstPblock,
    ActionResponseNormal,
    ActionResponseWithOptionalData,
    ActionResult,
    MethodDescriptor,
)
from cosem.protocol.apdu.block import DataBlockSA
from cosem.protocol.apdu.descriptor import AttributeDescriptorWithSelection
from cosem.protocol.apdu.exception import ExceptionResponse, ServiceErrorCode, StateError
from cosem.protocol.apdu.get import (
    AttributeDescriptor,
    DataAccessResult,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseNormal,
    GetResponseWithList,
    SelectiveAccess,
)
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.apdu.notification import DataNotification, EventNotification
from cosem.protocol.apdu.set import SetRequestNormal, SetRequestWithFirstDatablock, SetResponseNormal
from cosem.protocol.apdu.short_name import (
    InformationReportRequest,
    ParameterizedAccess,
    ReadRequest,
    ReadResponse,
    UnconfirmedWriteRequest,
    VariableName,
    WriteDataBlockAccess,
    WriteRequest,
    WriteResponse,
)
from cosem.protocol.association.client import ClientAssociation
from cosem.protocol.association.context import (
    IMPLEMENTED_LOGICAL_NAME_SERVICES,
    IMPLEMENTED_SHORT_NAME_SERVICES,
    ClientSettings,
    Naming,
    Notified,
    Requested,
    Response,
)
from cosem.protocol.association.layers import Envelope
from cosem.protocol.association.security import Protection
from cosem.protocol.codec.schema import NULL_DATA
from cosem.protocol.values.data import (
    DoubleLongUnsigned,
    Integer,
    LongUnsigned,
    OctetString,
    Structure,
    Unsigned,
)
from cosem.protocol.values.obis import Obis
from pair import BOTH, CLIENT_TITLE, SERVER_TITLE, Pair, pair, security
from unit.meter.test_dispatch import CLOCK, ENERGY, PROFILE, SERIAL, describe
from unit.protocol.profile.test_session import (
    test_high_priority_is_served_first_where_a_client_has_sent_several_requests as high_priority_is_first,
)
from unit.protocol.profile.test_session import (
    test_without_priority_management_requests_keep_their_order as without_priorities_nothing_is,
)

LN, SN = Naming.LOGICAL_NAMES, Naming.SHORT_NAMES
C = Conformance
NOTHING: Final = Conformance(0)

EVERYTHING: Final = {
    LN: IMPLEMENTED_LOGICAL_NAME_SERVICES | C.GENERAL_BLOCK_TRANSFER,
    SN: IMPLEMENTED_SHORT_NAME_SERVICES | C.GENERAL_BLOCK_TRANSFER,
}

VALUE = AttributeDescriptor(1, Obis(SERIAL), 2)
REGISTER = AttributeDescriptor(3, Obis(ENERGY), 2)
BUFFER = AttributeDescriptor(7, Obis(PROFILE), 2)
ADJUST = MethodDescriptor(8, Obis(CLOCK), 1)
LONG = OctetString(b"long" * 100)
FIRST_ROW = SelectiveAccess(
    2, Structure((DoubleLongUnsigned(1), DoubleLongUnsigned(1), LongUnsigned(1), LongUnsigned(0)))
)
INVOKE_ID = 0xC1
NAME = 0x2808
BLOCK = DataBlockSA(False, 1, b"\x09\x05long")


@dataclass(frozen=True)
class Row:
    """A request that needs a bit, whether the answer is that of a server which has it, and how one without refuses.

    Attributes:
        request: what a client sends.
        answered: holds for the answer where the bit was negotiated.
        told: what a client says that sends it all the same; `request` where that is the same.
        refused: holds for the answer of a server without the bit; by default an exception-response.
        gives: the answer of the meter, where that is no one of ours.
        protection: of the association.
        blocks: the window of general block transfer.
        says: whether our client refuses to send it; it cannot know how long an answer will be.
        instead: bits without which it does not go in another way.
    """

    request: Any
    answered: Callable[[Any], bool]
    told: Any = None
    refused: Callable[[Any], bool] | None = None
    gives: Any = None
    protection: Protection = Protection.NONE
    blocks: int = 0
    says: bool = True
    instead: Conformance = NOTHING


def value_is(value: Any) -> Callable[[Any], bool]:
    return lambda response: getattr(response, "result", None) == value


def unserved(response: Any) -> bool:
    return response == ExceptionResponse(StateError.SERVICE_NOT_ALLOWED, ServiceErrorCode.SERVICE_NOT_SUPPORTED)


LONG_GIVEN = GetResponseNormal(INVOKE_ID, LONG)
LONG_RETURNED = ActionResponseNormal(INVOKE_ID, ActionResponseWithOptionalData(ActionResult.SUCCESS, LONG))
ONE = AttributeDescriptorWithSelection(VALUE)
ACCESS = AccessRequest(0xC0000001, b"", (AccessRequestGet(VALUE),), (None,))
WHOLE = AttributeDescriptor(1, Obis(SERIAL), 0)
WRITTEN = Structure((None, Unsigned(9)))
NAMED = VariableName(NAME)

ROWS: Final[dict[tuple[Naming, Conformance], Row]] = {
    (LN, C.GET): Row(GetRequestNormal(INVOKE_ID, VALUE), value_is(7)),
    (LN, C.SET): Row(SetRequestNormal(INVOKE_ID, VALUE, None, Unsigned(9)), value_is(DataAccessResult.SUCCESS)),
    (LN, C.ACTION): Row(
        ActionRequestNormal(INVOKE_ID, ADJUST, Integer(0)), lambda found: found.response.result is ActionResult.SUCCESS
    ),
    (LN, C.MULTIPLE_REFERENCES): Row(
        GetRequestWithList(INVOKE_ID, (ONE, ONE)),
        lambda found: isinstance(found, GetResponseWithList) and found.results == (7, 7),
    ),
    (LN, C.SELECTIVE_ACCESS): Row(
        GetRequestNormal(INVOKE_ID, BUFFER, FIRST_ROW),
        lambda found: len(found.result) == 1,
    ),
    (LN, C.ATTRIBUTE_0_SUPPORTED_WITH_GET): Row(
        GetRequestNormal(INVOKE_ID, WHOLE),
        lambda found: found.result == (Obis(SERIAL).octets, 7),
    ),
    (LN, C.ATTRIBUTE_0_SUPPORTED_WITH_SET): Row(
        SetRequestNormal(INVOKE_ID, WHOLE, None, WRITTEN),
        value_is(DataAccessResult.SUCCESS),
    ),
    (LN, C.ACCESS): Row(ACCESS, lambda found: found.access_response_list_of_data == (7,)),
    (LN, C.GENERAL_PROTECTION): Row(ACCESS, lambda found: found.access_response_list_of_data == (7,), protection=BOTH),
    (LN, C.GENERAL_BLOCK_TRANSFER): Row(
        replace(
            ACCESS,
            access_request_specification=(AccessRequestGet(VALUE),) * 30,
            access_request_list_of_data=(None,) * 30,
        ),
        lambda found: isinstance(found, AccessResponse) and len(found.access_response_list_of_data) == 30,
        told=bytes.fromhex("E0800001000000"),
        blocks=4,
    ),
    (LN, C.BLOCK_TRANSFER_WITH_GET_OR_READ): Row(
        GetRequestNormal(INVOKE_ID, VALUE),
        value_is(LONG),
        gives=LONG_GIVEN,
        refused=value_is(DataAccessResult.OTHER_REASON),
        says=False,
    ),
    (LN, C.BLOCK_TRANSFER_WITH_SET_OR_WRITE): Row(
        SetRequestNormal(INVOKE_ID, VALUE, None, LONG),
        value_is(DataAccessResult.SUCCESS),
        told=SetRequestWithFirstDatablock(INVOKE_ID, VALUE, None, BLOCK),
        gives=SetResponseNormal(INVOKE_ID, DataAccessResult.SUCCESS),
    ),
    (LN, C.BLOCK_TRANSFER_WITH_ACTION): Row(
        ActionRequestNormal(INVOKE_ID, ADJUST, LONG),
        lambda found: found.response.return_parameters == LONG,
        told=ActionRequestWithFirstPblock(INVOKE_ID, ADJUST, BLOCK),
        gives=LONG_RETURNED,
    ),
    (SN, C.READ): Row(ReadRequest((NAMED,)), lambda found: found.results == (7,), gives=ReadResponse((Unsigned(7),))),
    (SN, C.WRITE): Row(
        WriteRequest((NAMED,), (Unsigned(1),)),
        lambda found: found.results == (NULL_DATA,),
        gives=WriteResponse((NULL_DATA,)),
    ),
    (SN, C.MULTIPLE_REFERENCES): Row(
        ReadRequest((NAMED, NAMED)),
        lambda found: found.results == (7, 8),
        gives=ReadResponse((Unsigned(7), Unsigned(8))),
    ),
    (SN, C.PARAMETERIZED_ACCESS): Row(
        ReadRequest((ParameterizedAccess(NAME, 2, Unsigned(1)),)),
        lambda found: found.results == (7,),
        gives=ReadResponse((Unsigned(7),)),
    ),
    (SN, C.BLOCK_TRANSFER_WITH_GET_OR_READ): Row(
        ReadRequest((NAMED,)),
        lambda found: found.results == (LONG,),
        gives=ReadResponse((LONG,)),
        refused=lambda found: isinstance(found, ExceptionResponse | ReadResponse),
        says=False,
    ),
    (SN, C.BLOCK_TRANSFER_WITH_SET_OR_WRITE): Row(
        WriteRequest((NAMED,), (LONG,)),
        lambda found: found.results == (NULL_DATA,),
        told=WriteRequest((WriteDataBlockAccess(False, 1),), (OctetString(b"\x01\x02"),)),
        gives=WriteResponse((NULL_DATA,)),
    ),
    (SN, C.GENERAL_BLOCK_TRANSFER): Row(
        ReadRequest((NAMED,) * 60),
        lambda found: len(found.results) == 60,
        told=bytes.fromhex("E0800001000000"),
        gives=ReadResponse((Unsigned(7),) * 60),
        blocks=4,
        instead=C.BLOCK_TRANSFER_WITH_GET_OR_READ,
    ),
}
"""The bits whose service is a request."""


def joined(naming: Naming, conformance: Conformance, row: Row) -> Pair:
    """Return open engines whose meter is one of ours, unless the row says what it gives."""
    both = pair(
        naming=naming,
        conformance=conformance,
        protection=row.protection,
        max_pdu=128,
        client_max_pdu=128,
        client_blocks=row.blocks,
        server_blocks=row.blocks,
    )
    both.client.associate()
    both.run()
    negotiated = both.server.negotiated
    assert negotiated is not None
    visit = describe(Access.MANAGE)._replace(negotiated=negotiated)
    both.answer = lambda request: row.gives if row.gives is not None else answer(visit, request)
    return both


CASES = [pytest.param(*key, row, id=f"{key[0].value} {key[1].name}") for key, row in ROWS.items()]


@pytest.mark.parametrize(("naming", "bit", "row"), CASES)
def test_with_the_bit_it_works(naming: Naming, bit: Conformance, row: Row) -> None:
    both = joined(naming, EVERYTHING[naming], row)
    assert both.client.negotiated is not None
    assert bit in both.client.negotiated.conformance
    both.client.send(row.request)
    both.run()
    response = both.client_events[-1]
    assert isinstance(response, Response)
    assert row.answered(response.apdu)
    assert all(len(octets) <= 128 for _, octets in both.passed)


@pytest.mark.parametrize(("naming", "bit", "row"), [case for case in CASES if case.values[2].says])
def test_without_the_bit_it_is_not_sent(naming: Naming, bit: Conformance, row: Row) -> None:
    both = joined(naming, EVERYTHING[naming] & ~bit & ~row.instead, replace(row, blocks=0))
    with pytest.raises(LocalProtocolError):
        both.client.send(row.request)
    assert both.client.outgoing() == []


@pytest.mark.parametrize(("naming", "bit", "row"), CASES)
def test_without_the_bit_it_is_not_served(naming: Naming, bit: Conformance, row: Row) -> None:
    """The client still believes that it has the bit; the server does not."""
    both = joined(naming, EVERYTHING[naming] & ~bit, replace(row, blocks=0))
    told = row.request if row.told is None else row.told
    before = len(both.server_events)
    if row.protection is Protection.NONE:
        both.server.receive(told if isinstance(told, bytes) else told.encode())
        both.server_events += both.server.events()
        if row.refused is not None:
            for event in both.server_events[before:]:
                if isinstance(event, Requested):
                    assert both.answer is not None
                    both.server.respond(both.answer(event.apdu))
        (octets,) = both.server.outgoing()
        assert (row.refused or refused_aloud)(apdus.decode(octets))
    else:
        assert both.client.negotiated is not None
        both.client.negotiated = both.client.negotiated._replace(conformance=EVERYTHING[naming])
        both.client.send(told)
        with pytest.raises(ServiceRefused) as caught:
            both.run()
        assert unserved(caught.value.response)
    if row.refused is None:
        assert not any(isinstance(event, Requested) for event in both.server_events[before:])


def refused_aloud(response: Any) -> bool:
    return isinstance(response, ExceptionResponse) and response.state_error is StateError.SERVICE_NOT_ALLOWED


# -- bits whose service is no request of a client that is answered ----------------------------------------------------

EVENT = EventNotification(None, VALUE, Unsigned(1))
REPORT = InformationReportRequest(None, (NAMED,), (Unsigned(1),))


def unasked(naming: Naming, bit: Conformance, notification: Any) -> None:
    both = joined(naming, EVERYTHING[naming], Row(None, bool))
    both.server.notify(notification)
    both.run()
    event = both.client_events[-1]
    assert isinstance(event, Notified)
    assert event.apdu == notification
    both = joined(naming, EVERYTHING[naming] & ~bit, Row(None, bool))
    with pytest.raises(LocalProtocolError, match="not negotiated"):
        both.server.notify(notification)
    assert both.server.outgoing() == []


def test_event_notification() -> None:
    unasked(LN, C.EVENT_NOTIFICATION, EVENT)


def test_data_notification() -> None:
    unasked(LN, C.DATA_NOTIFICATION, DataNotification(0x40000001, b"", Unsigned(1)))


def test_information_report() -> None:
    unasked(SN, C.INFORMATION_REPORT, REPORT)


def test_unconfirmed_write() -> None:
    request = UnconfirmedWriteRequest((NAMED,), (Unsigned(1),))
    both = joined(SN, EVERYTHING[SN], Row(None, bool, gives=WriteResponse((NULL_DATA,))))
    both.client.send(request)
    both.run()
    assert both.server_events[-1] == Requested(request)
    both = joined(SN, EVERYTHING[SN] & ~C.UNCONFIRMED_WRITE, Row(None, bool))
    with pytest.raises(LocalProtocolError):
        both.client.send(request)
    both.server.receive(request.encode())
    assert not any(isinstance(event, Requested) for event in both.server.events())
    assert both.server.outgoing() == [], "and nobody hears of it"


def test_priority_management() -> None:
    high_priority_is_first()
    without_priorities_nothing_is()


def test_delta_value_encoding() -> None:
    """The rows of the profile: its clock is text, and the register, 5 in every row, has one octet less as a delta."""
    request = GetRequestNormal(INVOKE_ID, BUFFER)
    sent: dict[bool, Any] = {}
    for deltas in (True, False):
        usual = describe(Access.READ).negotiated
        assert usual is not None
        negotiated = usual._replace(
            conformance=EVERYTHING[LN] & ~(NOTHING if deltas else C.DELTA_VALUE_ENCODING),
        )
        sent[deltas] = answer(describe(Access.READ)._replace(negotiated=negotiated), request)
    assert b"\x1f\x00" in sent[True].encode()
    assert b"\x1f\x00" not in sent[False].encode()
    assert len(sent[True].encode()) <= len(sent[False].encode())
    for wanted in (True, False):
        settings = ClientSettings(delta_values=wanted)
        assert (C.DELTA_VALUE_ENCODING in settings.proposed_conformance) is wanted


def test_general_protection_by_short_names() -> None:
    """General-ciphering hides the Read that it carries; without the bit a client says so, and a server opens none."""
    for negotiated in (True, False):
        conformance = EVERYTHING[SN] & ~(NOTHING if negotiated else C.GENERAL_PROTECTION)
        both = pair(naming=SN, protection=BOTH, conformance=conformance)
        both.answer = lambda _: ReadResponse((Unsigned(7),))
        plain = both.client.settings
        for settings, can in ((plain, True), (replace(plain, envelope=Envelope.CIPHERING), negotiated)):
            both.client = ClientAssociation(
                settings, challenge=b"", security=security(CLIENT_TITLE, SERVER_TITLE, BOTH)
            )
            both.server.abort()
            both.client.associate()
            if not can:
                with pytest.raises(LocalProtocolError, match="general protection"):
                    both.run()
                continue
            both.run()
            both.client.send(ReadRequest((NAMED,)))
            both.run()
            assert isinstance(both.client_events[-1], Response)
            request = [apdu for side, apdu in both.passed if side == "client"][-1]
            assert request[0] == (0xDD if settings.envelope is Envelope.CIPHERING else 0x25)


OTHERS: Final = {
    (LN, C.EVENT_NOTIFICATION): test_event_notification,
    (LN, C.DATA_NOTIFICATION): test_data_notification,
    (LN, C.PRIORITY_MANAGEMENT_SUPPORTED): test_priority_management,
    (LN, C.DELTA_VALUE_ENCODING): test_delta_value_encoding,
    (SN, C.INFORMATION_REPORT): test_information_report,
    (SN, C.GENERAL_PROTECTION): test_general_protection_by_short_names,
    (SN, C.UNCONFIRMED_WRITE): test_unconfirmed_write,
}


def test_every_bit_has_its_rows() -> None:
    for naming, conformance in EVERYTHING.items():
        bits = {bit for bit in Conformance if bit in conformance}
        assert bits == {bit for known, bit in (*ROWS, *OTHERS) if known is naming}
        assert naming.implemented & ~conformance == NOTHING
