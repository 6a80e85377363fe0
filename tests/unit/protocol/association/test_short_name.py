"""Associations by short names: opening, proof, Read and Write whole and in blocks, and what each side refuses."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosem.errors import (
    AssociationRejected,
    CosemError,
    LocalProtocolError,
    RemoteProtocolError,
    SecurityError,
    ServiceRefused,
)
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu import Apdu
from cosem.protocol.apdu.acse import ApplicationContext
from cosem.protocol.apdu.exception import ExceptionResponse, ServiceErrorCode
from cosem.protocol.apdu.get import AttributeDescriptor, GetRequestNormal
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.apdu.result import DataAccessResult
from cosem.protocol.apdu.short_name import (
    BlockNumber,
    BlockNumberAccess,
    DataBlockResult,
    InformationReportRequest,
    ParameterizedAccess,
    ReadDataBlockAccess,
    ReadRequest,
    ReadResponse,
    UnconfirmedWriteRequest,
    VariableName,
    WriteDataBlockAccess,
    WriteRequest,
    WriteResponse,
)
from cosem.protocol.association.context import (
    IMPLEMENTED_SHORT_NAME_SERVICES,
    Associated,
    AssociationLimits,
    Naming,
    Notified,
    Refused,
    Requested,
    Response,
)
from cosem.protocol.association.proof import SHORT_NAME
from cosem.protocol.association.state import State
from cosem.protocol.codec.schema import NULL_DATA
from cosem.protocol.model.classes.access_control import AssociationSN
from cosem.protocol.values.data import Array, LongUnsigned, OctetString, Unsigned
from cosem.protocol.values.obis import Obis
from pair import BOTH, Pair, pair

NOT_ASKED_FOR = Conformance.GENERAL_PROTECTION | Conformance.DELTA_VALUE_ENCODING
SHORT = Naming.SHORT_NAMES
VALUE = 0x2808
LONG = OctetString(bytes(range(256)) * 3)
"""Longer than what these associations take in one APDU."""


def opened(answer: Callable[[Any], Apdu] | None = None, mechanism: int = 0, **words: Any) -> Pair:
    joined = pair(mechanism, naming=SHORT, **words)
    joined.answer = answer
    joined.client.associate()
    joined.run()
    assert isinstance(joined.client_events.pop(), Associated)
    return joined


def asked(joined: Pair, request: Any, *, raw: bool = False) -> Any:
    joined.client.send(request, raw=raw)
    joined.run()
    response = joined.client_events.pop()
    assert isinstance(response, Response)
    return response if raw else response.apdu


def read(*names: int) -> ReadRequest:
    return ReadRequest(tuple(VariableName(name) for name in names))


def write(value: Any, *names: int) -> WriteRequest:
    return WriteRequest(tuple(VariableName(name) for name in names), (value,) * len(names))


def test_the_current_association_is_named_and_what_both_implement_is_agreed() -> None:
    joined = opened()
    negotiated = joined.client.negotiated
    assert negotiated is not None
    assert joined.server.negotiated is not None
    assert negotiated.by_short_names
    assert joined.server.negotiated.by_short_names
    assert negotiated.vaa_name == 0xFA00
    assert negotiated.conformance == IMPLEMENTED_SHORT_NAME_SERVICES & ~Conformance.GENERAL_PROTECTION
    assert negotiated.selective


def test_a_client_asks_as_a_peer_asks() -> None:
    """The octets of gurux-dlms 1.0.203 with short names and no authentication, its conformance block given."""
    joined = pair(naming=SHORT, conformance=Conformance(0x1C0320))
    joined.client.associate()
    (octets,) = joined.client.outgoing()
    assert octets.hex() == "601da109060760857405080102be10040e01000000065f1f04001c0320ffff"


@pytest.mark.parametrize("mechanism", [0, 1, 5, 6])
@pytest.mark.parametrize("protected", [False, True])
def test_every_mechanism_opens_an_association(mechanism: int, protected: bool) -> None:
    words: dict[str, Any] = {"protection": BOTH} if protected else {}
    joined = opened(lambda _: ReadResponse((Unsigned(7),)), mechanism, secret=b"a secret of sixteen", **words)
    assert asked(joined, read(VALUE)) == ReadResponse((Unsigned(7),))
    ciphered = ApplicationContext.SHORT_NAME_CIPHERED if protected else ApplicationContext.SHORT_NAME
    assert joined.client.settings.application_context is ciphered


def test_the_proof_is_a_read_with_parameterized_access_at_the_current_association() -> None:
    method = AssociationSN.reply_to_hls_authentication
    assert method.short_name_offset is not None
    assert 0xFA00 + method.short_name_offset == SHORT_NAME
    joined = opened(None, 5, secret=None)
    head = joined.passed[2][1][:8]
    assert head.hex() == "050104fa58000911"  # an octet-string of 17: header and tag of GMAC


def test_a_wrong_proof_is_refused_and_said() -> None:
    joined = pair(6, naming=SHORT, secret=b"right", server_secret=b"wrong")
    joined.client.associate()
    with pytest.raises(AssociationRejected, match="did not accept our proof: other reason"):
        joined.run()
    assert any(isinstance(event, Refused) and event.authentication for event in joined.server_events)


def test_a_proof_by_logical_names_and_a_service_before_the_proof_are_refused() -> None:
    joined = pair(6, naming=SHORT, secret=b"secret")
    joined.client.associate()
    joined.server.receive(joined.client.outgoing()[0])
    joined.server.outgoing()
    for early in (read(VALUE), read(SHORT_NAME), ReadRequest((VariableName(SHORT_NAME), VariableName(VALUE)))):
        joined.server.receive(early.encode())
        (octets,) = joined.server.outgoing()
        assert isinstance(apdus.decode(octets), ExceptionResponse)
    joined.server.receive(bytes.fromhex("c301c1000f0000280000ff01010900"))
    (octets,) = joined.server.outgoing()
    assert isinstance(apdus.decode(octets), ExceptionResponse)


@pytest.mark.parametrize("naming", Naming)
def test_a_meter_of_the_other_names_is_told_apart(naming: Naming) -> None:
    joined = pair(naming=naming)
    other = next(each for each in Naming if each is not naming)
    assert joined.server.policy is not None
    joined.server.policy = joined.server.policy._replace(application_context=other.context(ciphered=False))
    joined.client.associate()
    with pytest.raises(AssociationRejected, match="application context name not supported") as caught:
        joined.run()
    assert f"try --naming {other.value}" in str(caught.value.hint)


def test_one_client_may_come_by_either_names() -> None:
    for naming in Naming:
        joined = pair(naming=naming)
        assert joined.server.policy is not None
        joined.server.policy = joined.server.policy._replace(
            application_context=ApplicationContext.LOGICAL_NAME,
            conformance=Naming.LOGICAL_NAMES.implemented,
            also={ApplicationContext.SHORT_NAME: SHORT.implemented},
        )
        joined.client.associate()
        joined.run()
        assert joined.client.negotiated is not None
        assert joined.client.negotiated.conformance == naming.implemented & ~NOT_ASKED_FOR


def test_services_of_the_other_names_are_refused_on_both_sides() -> None:
    joined = opened()
    request = GetRequestNormal(0xC1, AttributeDescriptor(1, Obis("0.0.96.1.0.255"), 2))
    with pytest.raises(LocalProtocolError, match="GET"):
        joined.client.send(request)
    joined.server.receive(request.encode())
    answer: Any = apdus.decode(joined.server.outgoing()[0])
    assert answer.service_error is ServiceErrorCode.SERVICE_NOT_SUPPORTED


def test_several_are_read_and_written_at_once() -> None:
    results = (Unsigned(1), DataAccessResult.OBJECT_UNDEFINED, None)
    joined = opened(lambda _: ReadResponse(results))
    assert asked(joined, read(VALUE, 0x2810, 0x2818)) == ReadResponse(results)
    ended = (NULL_DATA, DataAccessResult.READ_WRITE_DENIED)
    joined.answer = lambda _: WriteResponse(ended)
    assert asked(joined, write(Unsigned(1), VALUE, 0x2810)) == WriteResponse(ended)


def test_one_refusal_may_stand_for_a_whole_list() -> None:
    refused = ReadResponse((DataAccessResult.OTHER_REASON,))
    joined = opened(lambda _: refused)
    assert asked(joined, read(VALUE, 0x2810)) == refused


@pytest.mark.parametrize("more", [-1, 1])
def test_a_wrong_number_of_results_ends_the_session(more: int) -> None:
    joined = opened(lambda _: ReadResponse((Unsigned(1),) * (3 + more)))
    joined.client.send(read(VALUE, 0x2810, 0x2818))
    with pytest.raises(RemoteProtocolError, match=f"a list of {3 + more} answered to a list of 3"):
        joined.run()


def test_an_unconfirmed_write_arrives_and_nothing_is_answered() -> None:
    joined = opened(lambda _: WriteResponse((NULL_DATA,)))
    before = len(joined.passed)
    request = UnconfirmedWriteRequest((VariableName(VALUE),), (Unsigned(1),))
    joined.client.send(request)
    joined.run()
    assert not joined.client.awaiting
    assert joined.passed[before:] == [("client", request.encode())]
    assert joined.server_events[-1] == Requested(request)
    for octets in ("1601", "160107000001010900", "1600"):  # broken, a block, and nothing: no word about any
        joined.server.receive(bytes.fromhex(octets))
        joined.run()
        assert len(joined.passed) == before + 1


def test_an_information_report_comes_unasked() -> None:
    for words in ({}, {"protection": BOTH}):
        joined = opened(None, **words)
        report = InformationReportRequest(None, (VariableName(VALUE),), (Unsigned(1),))
        joined.server.notify(report)
        joined.run()
        (event,) = joined.client_events
        assert isinstance(event, Notified)
        assert event.apdu == report


@pytest.mark.parametrize("protected", [False, True])
@pytest.mark.parametrize("octets", ["D80101", "0E010601"])
def test_a_refusal_in_clear_ends_a_protected_association(protected: bool, octets: str) -> None:
    """Whoever says it, the true answer may still come, and nothing in it tells to which request it belongs."""
    words: dict[str, Any] = {"protection": BOTH} if protected else {}
    joined = opened(lambda _: ReadResponse((Unsigned(7),)), **words)
    joined.client.send(read(VALUE))
    with pytest.raises(SecurityError if protected else ServiceRefused):
        joined.client.receive(bytes.fromhex(octets))
    assert joined.client.state is (State.IDLE if protected else State.ASSOCIATED)
    assert not joined.client.awaiting


# -- blocks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protected", [False, True])
def test_a_long_value_comes_in_blocks(protected: bool) -> None:
    words: dict[str, Any] = {"protection": BOTH} if protected else {}
    joined = opened(lambda _: ReadResponse((LONG,)), client_max_pdu=100, **words)
    assert asked(joined, read(VALUE)) == ReadResponse((LONG,))
    assert all(len(octets) <= 100 for side, octets in joined.passed if side == "server")
    response = asked(joined, read(VALUE), raw=True)
    assert response.raw == b"\x09\x82\x03\x00" + LONG
    # Blocks of one value carry its Data alone, as the peers have it.
    if not protected:
        blocks: list[Any] = [apdus.decode(octets) for side, octets in joined.passed if side == "server"]
        carried = b"".join(
            each.results[0].raw_data
            for each in blocks
            if isinstance(each, ReadResponse) and isinstance(each.results[0], DataBlockResult)
        )
        assert carried == 2 * (b"\x09\x82\x03\x00" + LONG)


def test_a_short_value_can_be_had_undecoded_too() -> None:
    joined = opened(lambda _: ReadResponse((Unsigned(7),)))
    assert asked(joined, read(VALUE), raw=True).raw == b"\x11\x07"
    joined.answer = lambda _: ReadResponse((DataAccessResult.OBJECT_UNDEFINED,))
    assert asked(joined, read(VALUE), raw=True).apdu == ReadResponse((DataAccessResult.OBJECT_UNDEFINED,))
    with pytest.raises(LocalProtocolError, match="undecoded"):
        joined.client.send(read(VALUE, VALUE), raw=True)


def test_a_long_list_comes_in_blocks() -> None:
    results = (LONG, DataAccessResult.OBJECT_UNDEFINED, Unsigned(1))
    joined = opened(lambda _: ReadResponse(results), client_max_pdu=100)
    assert asked(joined, read(VALUE, 0x2810, 0x2818)) == ReadResponse(results)


@pytest.mark.parametrize("value", [None, Array(()), Array((Unsigned(1),)), Array((None,)), LONG])
def test_one_value_in_blocks_is_understood_in_both_ways_of_writing_it(value: Any) -> None:
    joined = opened()
    data = ReadResponse((value,)).encode()[3:]
    for carried in (data, b"\x01\x00" + data):
        joined.client.send(read(VALUE))
        joined.client.outgoing()
        middle = len(carried) // 2 or 1
        joined.client.receive(ReadResponse((DataBlockResult(False, 1, carried[:middle]),)).encode())
        assert joined.client.outgoing() == [ReadRequest((BlockNumberAccess(1),)).encode()]
        joined.client.receive(ReadResponse((DataBlockResult(True, 2, carried[middle:]),)).encode())
        (event,) = joined.client.events()
        assert event == Response(ReadResponse((value,)))


@pytest.mark.parametrize(
    ("request_", "response"),
    [
        (write(LONG, VALUE), WriteResponse((NULL_DATA,))),
        (write(LONG, VALUE, 0x2810), WriteResponse((NULL_DATA, DataAccessResult.TYPE_UNMATCHED))),
        (ReadRequest((ParameterizedAccess(VALUE, 1, LONG),)), ReadResponse((LONG,))),
        (read(*range(0, 8 * 60, 8)), ReadResponse((Unsigned(1),) * 60)),
    ],
)
@pytest.mark.parametrize("protected", [False, True])
def test_a_long_request_goes_in_blocks(request_: Any, response: Any, protected: bool) -> None:
    words: dict[str, Any] = {"protection": BOTH} if protected else {}
    joined = opened(lambda _: response, max_pdu=100, client_max_pdu=100, **words)
    assert asked(joined, request_) == response
    assert joined.server_events[-1] == Requested(request_)
    assert all(len(octets) <= 100 for _, octets in joined.passed)


def test_blocks_that_were_not_negotiated_are_not_used() -> None:
    without = IMPLEMENTED_SHORT_NAME_SERVICES & ~(
        Conformance.BLOCK_TRANSFER_WITH_GET_OR_READ | Conformance.BLOCK_TRANSFER_WITH_SET_OR_WRITE
    )
    joined = opened(lambda _: ReadResponse((LONG,)), max_pdu=100, client_max_pdu=100, conformance=without)
    assert asked(joined, read(VALUE)) == ReadResponse((DataAccessResult.OTHER_REASON,))
    with pytest.raises(LocalProtocolError, match="longer than the meter takes"):
        joined.client.send(write(LONG, VALUE))


def served(joined: Pair, request: Any) -> Any:
    joined.server.receive(request.encode())
    (octets,) = joined.server.outgoing()
    answer: Any = apdus.decode(octets)
    return answer.results[0] if len(answer.results) == 1 else answer


def read_part(number: int, octets: bytes, *, last: bool = False) -> ReadRequest:
    return ReadRequest((ReadDataBlockAccess(last, number, octets),))


def write_part(number: int, octets: bytes, *, last: bool = False) -> WriteRequest:
    return WriteRequest((WriteDataBlockAccess(last, number),), (OctetString(octets),))


INVALID = DataAccessResult.DATA_BLOCK_NUMBER_INVALID
UNAVAILABLE = DataAccessResult.DATA_BLOCK_UNAVAILABLE


@pytest.mark.parametrize(
    ("parts", "ends"),
    [
        ([read_part(1, b"\x01"), read_part(3, b"\x02")], INVALID),
        ([read_part(1, b"\x01"), read_part(1, b"\x01"), read_part(2, b"\x02"), read_part(2, b"\x02")], INVALID),
        ([read_part(2, b"\x01")], DataAccessResult.NO_LONG_GET_IN_PROGRESS),
        ([read_part(0, b"\x01")], DataAccessResult.NO_LONG_GET_IN_PROGRESS),
        ([write_part(2, b"\x01")], DataAccessResult.NO_LONG_SET_IN_PROGRESS),
        ([read_part(1, b"\x01"), write_part(2, b"\x01")], DataAccessResult.NO_LONG_SET_IN_PROGRESS),
        ([write_part(1, b"\x01"), read_part(2, b"\x01")], DataAccessResult.NO_LONG_GET_IN_PROGRESS),
        ([read_part(1, b"")], DataAccessResult.LONG_GET_ABORTED),
        ([read_part(1, b"\x01\x09\x00\x00", last=True)], DataAccessResult.LONG_GET_ABORTED),
        ([read_part(1, read_part(1, b"\x01").encode()[1:], last=True)], DataAccessResult.LONG_GET_ABORTED),
        ([write_part(1, b"\x01\x02\x28", last=True)], DataAccessResult.LONG_SET_ABORTED),
        ([ReadRequest((BlockNumberAccess(1),))], DataAccessResult.NO_LONG_GET_IN_PROGRESS),
        ([ReadRequest((BlockNumberAccess(1), VariableName(VALUE)))], UNAVAILABLE),
        ([ReadRequest((WriteDataBlockAccess(False, 1),))], UNAVAILABLE),
        ([WriteRequest((WriteDataBlockAccess(False, 1),), ())], UNAVAILABLE),
        ([WriteRequest((WriteDataBlockAccess(False, 1),), (Unsigned(1),))], UNAVAILABLE),
        ([WriteRequest((BlockNumberAccess(1),), (OctetString(b"\x01"),))], UNAVAILABLE),
        ([WriteRequest((ReadDataBlockAccess(False, 1, b"\x01"),), (OctetString(b"\x01"),))], UNAVAILABLE),
    ],
)
def test_blocks_out_of_order_and_parts_of_no_sense_are_refused(parts: list[Any], ends: DataAccessResult) -> None:
    joined = opened()
    for part in parts[:-1]:
        assert isinstance(served(joined, part), BlockNumber)
    assert served(joined, parts[-1]) is ends
    assert not any(isinstance(event, Requested) for event in joined.server.events())
    # … and what was under way is forgotten.
    assert served(joined, read_part(2, b"\x01")) is DataAccessResult.NO_LONG_GET_IN_PROGRESS


def test_the_bounds_of_a_transfer_hold_at_the_limit_and_one_past_it() -> None:
    limits = AssociationLimits(reassembled=8, blocks=3)
    whole = write(OctetString(b"\x01\x02"), VALUE).encode()[1:]  # nine octets
    assert len(whole) == 9
    joined = opened(lambda _: WriteResponse((NULL_DATA,)), limits=limits)
    assert isinstance(served(joined, write_part(1, whole[:8])), BlockNumber)
    assert served(joined, write_part(2, whole[8:], last=True)) is DataAccessResult.LONG_SET_ABORTED
    whole = write(Unsigned(1), VALUE).encode()[1:]  # seven
    for number in (1, 2):
        assert isinstance(served(joined, write_part(number, whole[number - 1 : number])), BlockNumber)
    joined.server.receive(write_part(3, whole[2:], last=True).encode())
    assert any(isinstance(event, Requested) for event in joined.server.events())
    joined.server.respond(WriteResponse((NULL_DATA,)))
    joined.server.outgoing()
    for number in (1, 2, 3):
        assert isinstance(served(joined, write_part(number, b"\x01")), BlockNumber)
    assert served(joined, write_part(4, b"\x01", last=True)) is DataAccessResult.LONG_SET_ABORTED


def test_what_needs_more_than_was_negotiated_is_refused_in_blocks_too() -> None:
    joined = opened(conformance=IMPLEMENTED_SHORT_NAME_SERVICES & ~Conformance.MULTIPLE_REFERENCES)
    whole = read(VALUE, VALUE).encode()[1:]
    joined.server.receive(read_part(1, whole, last=True).encode())
    answer: Any = apdus.decode(joined.server.outgoing()[0])
    assert answer.service_error is ServiceErrorCode.SERVICE_NOT_SUPPORTED


def test_the_next_block_of_a_response_must_be_asked_for_by_the_number_of_the_last() -> None:
    for wrong in (0, 2, 0xFFFF):
        joined = opened(lambda _: ReadResponse((LONG,)), client_max_pdu=100)
        joined.server.receive(read(VALUE).encode())
        joined.server.events()
        joined.server.respond(ReadResponse((LONG,)))
        first: Any = apdus.decode(joined.server.outgoing()[0])
        assert first.results[0].block_number == 1
        assert served(joined, ReadRequest((BlockNumberAccess(wrong),))) is INVALID
        assert served(joined, ReadRequest((BlockNumberAccess(1),))) is DataAccessResult.NO_LONG_GET_IN_PROGRESS


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([ReadResponse((DataBlockResult(False, 2, b"\x01"),))], "block 2 where block 1 was due"),
        ([ReadResponse((DataBlockResult(False, 1, b""),))], "empty and not the last"),
        ([ReadResponse((DataBlockResult(True, 1, b""),))], "need"),
        ([ReadResponse((DataBlockResult(True, 1, b"\x11"),))], "need"),
        ([ReadResponse((DataBlockResult(True, 1, b"\x11\x07\x00"),))], "octet"),
        ([ReadResponse((BlockNumber(1),))], "was acknowledged and not sent"),
        ([ReadResponse((BlockNumber(1), Unsigned(1)))], "a block among other results"),
        ([ReadResponse((DataBlockResult(False, 1, b"\x11"),)), ReadResponse((Unsigned(1),))], "in the middle"),
        ([ReadResponse(())], "answered to"),
        ([WriteResponse((NULL_DATA,))], "answers nothing that was asked"),
    ],
)
def test_answers_of_no_sense_end_the_session(answers: list[Any], says: str) -> None:
    joined = opened()
    joined.client.send(read(VALUE))
    for answer in answers[:-1]:
        joined.client.receive(answer.encode())
    with pytest.raises(RemoteProtocolError, match=says):
        joined.client.receive(answers[-1].encode())


def test_a_refusal_ends_a_transfer_of_either_direction() -> None:
    joined = opened(max_pdu=100)
    refused = DataAccessResult.DATA_BLOCK_UNAVAILABLE
    joined.client.send(write(LONG, VALUE))
    joined.client.receive(WriteResponse((refused,)).encode())
    assert joined.client.events() == [Response(WriteResponse((refused,)))]
    joined.client.send(read(VALUE))
    joined.client.receive(ReadResponse((DataBlockResult(False, 1, b"\x11"),)).encode())
    joined.client.receive(ReadResponse((refused,)).encode())
    assert joined.client.events() == [Response(ReadResponse((refused,)))]


@pytest.mark.parametrize("number", [0, 2])
def test_the_wrong_block_acknowledged_ends_the_session(number: int) -> None:
    joined = opened(max_pdu=100)
    joined.client.send(write(LONG, VALUE))
    with pytest.raises(RemoteProtocolError, match=f"block {number} was acknowledged and not sent"):
        joined.client.receive(WriteResponse((BlockNumber(number),)).encode())


@given(octets=st.binary(max_size=60), head=st.sampled_from([b"", b"\x05", b"\x06", b"\x0c", b"\x0d", b"\x16", b"\x18"]))
def test_octets_of_any_kind_raise_nothing_else(octets: bytes, head: bytes) -> None:
    joined = opened()
    joined.server.receive(head + octets)
    joined.client.send(read(VALUE))
    with contextlib.suppress(CosemError):
        joined.client.receive(head + octets)


@given(size=st.integers(0, 600), pdu=st.integers(64, 200))
def test_a_value_of_any_length_goes_to_and_fro(size: int, pdu: int) -> None:
    value = OctetString(bytes(each & 0xFF for each in range(size)))
    joined = opened(lambda _: ReadResponse((value,)), client_max_pdu=pdu, max_pdu=pdu)
    assert asked(joined, ReadRequest((ParameterizedAccess(VALUE, 0, value),))) == ReadResponse((value,))
    joined.answer = lambda _: WriteResponse((NULL_DATA,))
    assert asked(joined, write(value, VALUE)) == WriteResponse((NULL_DATA,))
    assert joined.server_events[-1] == Requested(write(value, VALUE))
    assert all(len(octets) <= pdu for _, octets in joined.passed)


# -- a test for each bit of the conformance block ----------------------------------------------------------------------

OF_EACH_BIT = {
    Conformance.READ: read(VALUE),
    Conformance.WRITE: write(LongUnsigned(1), VALUE),
    Conformance.UNCONFIRMED_WRITE: UnconfirmedWriteRequest((VariableName(VALUE),), (Unsigned(1),)),
    Conformance.BLOCK_TRANSFER_WITH_GET_OR_READ: read_part(1, b"\x01\x02\x28\x08", last=True),
    Conformance.BLOCK_TRANSFER_WITH_SET_OR_WRITE: write_part(1, b"\x01\x02\x28\x08\x01\x11\x01", last=True),
    Conformance.MULTIPLE_REFERENCES: read(VALUE, VALUE),
    Conformance.PARAMETERIZED_ACCESS: ReadRequest((ParameterizedAccess(VALUE, 1, None),)),
}


def test_every_bit_of_the_block_is_asked_for_here() -> None:
    # General protection is asked for in test_general_engines, where there are keys.
    elsewhere = {Conformance.INFORMATION_REPORT, Conformance.GENERAL_PROTECTION}
    assert {*OF_EACH_BIT} | elsewhere == {*IMPLEMENTED_SHORT_NAME_SERVICES}


@pytest.mark.parametrize(("bit", "request_"), OF_EACH_BIT.items(), ids=[bit.name for bit in OF_EACH_BIT])
def test_what_a_bit_stands_for_is_served_with_it_and_refused_without(bit: Conformance, request_: Any) -> None:
    joined = opened()
    joined.client.send(request_)
    (octets,) = joined.client.outgoing()
    joined.server.receive(octets)
    assert any(isinstance(event, Requested) for event in joined.server.events())
    joined = opened(conformance=IMPLEMENTED_SHORT_NAME_SERVICES & ~bit)
    with pytest.raises(LocalProtocolError, match="does not have"):
        joined.client.send(request_)
    joined.server.receive(request_.encode())
    (event,) = joined.server.events()
    assert isinstance(event, Refused)
    refusals: list[Any] = [apdus.decode(each) for each in joined.server.outgoing()]
    assert all(each.service_error is ServiceErrorCode.SERVICE_NOT_SUPPORTED for each in refusals)
    assert len(refusals) == (bit is not Conformance.UNCONFIRMED_WRITE)
