"""Every refusal of the standard has its meaning, reached from the octets or the meter that cause it."""

from __future__ import annotations

import asyncio
from enum import IntEnum
from typing import Any

import pytest

from cosem import AsyncClient, Data, Meter
from cosem.client.explain import DISCONNECTED, ECHO, HUNG_UP, REFUSES_CONNECTION, REJECTED, SILENT, UNREACHABLE, explain
from cosem.client.several import refusal, refused_action
from cosem.errors import (
    AssociationRejected,
    ConnectionFailed,
    ConnectionLost,
    CosemError,
    OnlyEcho,
    RemoteProtocolError,
    ServiceRefused,
    TimedOut,
)
from cosem.meter import AssociationDescription, serving
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu.acse import AcseServiceProvider, AcseServiceUser
from cosem.protocol.apdu.exception import ERROR_NAMES, ConfirmedServiceError, ServiceErrorCode, StateError
from cosem.protocol.apdu.exception import ServiceError as Kind
from cosem.protocol.apdu.result import ActionResult, DataAccessResult
from cosem.protocol.association.client import ClientAssociation
from cosem.protocol.association.context import ClientSettings
from cosem.protocol.association.meanings import MEANINGS, SERVICE_ERRORS, meaning
from cosem.protocol.crypto.key import Secret
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.link.hdlc import HdlcAddress, HdlcClient
from cosem.protocol.link.hdlc.frame import Kind as FrameKind
from cosem.protocol.link.hdlc.frame import encode


@pytest.mark.parametrize(
    "kind", [AcseServiceUser, AcseServiceProvider, StateError, ServiceErrorCode, DataAccessResult, ActionResult]
)
def test_every_number_of_the_standard_has_a_meaning(kind: type[IntEnum]) -> None:
    results = kind in (DataAccessResult, ActionResult)
    numbers = {int(each) for each in kind if each or not results}  # 0 is success
    assert {number for owner, number in MEANINGS if owner is kind} == numbers


def test_every_confirmed_service_error_that_has_a_name_has_a_meaning() -> None:
    for kind, names in ERROR_NAMES.items():
        assert len(SERVICE_ERRORS[Kind(kind)]) == len(names), kind


@pytest.mark.parametrize("row", sorted({str(each): each for each in MEANINGS.values()}.items()))
def test_a_meaning_is_whole(row: Any) -> None:
    found = row[1]
    assert found.sentence
    assert found.remedy
    assert 1 <= len(found.causes) <= 4
    assert all(cause and cause == cause.strip(" .") for cause in found.causes)


def rejected(text: str) -> AssociationRejected:
    association = ClientAssociation(ClientSettings())
    association.associate()
    with pytest.raises(AssociationRejected) as caught:
        association.receive(bytes.fromhex(text))
    return caught.value


REJECTION = "6117A109060760857405080101A203020101A305A10302010D"
"""An AARE of rejected-permanent, authentication-failure, as in the examples of the standard."""


@pytest.mark.parametrize(
    ("diagnostic", "cause"),
    [
        (2, "it refers to objects by short names"),
        (11, "this client address authenticates in another way"),
        (13, "the password or key is wrong"),
        (14, "this client address authenticates in another way"),
        (1, "it does not know this client address"),
    ],
)
def test_what_an_aare_means(diagnostic: int, cause: str) -> None:
    found = explain(rejected(REJECTION[:-2] + f"{diagnostic:02X}"))
    assert found is not None
    assert any(each.startswith(cause) for each in found.causes)


@pytest.mark.parametrize("diagnostic", [*AcseServiceUser, *AcseServiceProvider])
def test_every_diagnostic_of_an_aare_is_explained_from_its_octets(
    diagnostic: AcseServiceUser | AcseServiceProvider,
) -> None:
    source = "A1" if isinstance(diagnostic, AcseServiceUser) else "A2"
    error = rejected(f"{REJECTION[:-10]}{source}030201{int(diagnostic):02X}")
    assert explain(error) == MEANINGS[type(diagnostic), int(diagnostic)]


@pytest.mark.parametrize("state", list(StateError))
@pytest.mark.parametrize("code", list(ServiceErrorCode))
def test_every_exception_response_is_explained_from_its_octets(state: StateError, code: ServiceErrorCode) -> None:
    """The reason of the service tells more than the state, unless it says only that there is one."""
    counter = "00000007" if code is ServiceErrorCode.INVOCATION_COUNTER_ERROR else ""
    response: Any = apdus.decode(bytes.fromhex(f"D8{int(state):02X}{int(code):02X}{counter}"))
    telling = code not in (ServiceErrorCode.OPERATION_NOT_POSSIBLE, ServiceErrorCode.OTHER_REASON)
    told: IntEnum = code if telling else state
    assert explain(ServiceRefused("refused", response)) == MEANINGS[type(told), int(told)]
    assert meaning(code) == MEANINGS[ServiceErrorCode, int(code)]


@pytest.mark.parametrize(
    ("kind", "number"), [(int(kind), number) for kind, row in SERVICE_ERRORS.items() for number in range(len(row))]
)
def test_every_confirmed_service_error_is_explained_from_its_octets(kind: int, number: int) -> None:
    response: Any = apdus.decode(bytes((0x0E, 5, kind, number)))
    assert explain(ServiceRefused("refused", response)) == SERVICE_ERRORS[Kind(kind)][number] is not None


@pytest.mark.parametrize("result", [each for each in DataAccessResult if each])
def test_every_result_of_an_attribute_is_explained(result: DataAccessResult) -> None:
    assert explain(refusal(result, None)) == MEANINGS[DataAccessResult, int(result)]


@pytest.mark.parametrize("result", [each for each in ActionResult if each])
def test_every_result_of_a_method_is_explained(result: ActionResult) -> None:
    assert explain(refused_action(result, None)) == MEANINGS[ActionResult, int(result)]


WRITTEN = {
    **{f"FRMR {name}": each for name, each in REJECTED},
    **{f"silence in {phase}": each for phase, each in SILENT.items()},
    **{str(kind): each for kind, row in SERVICE_ERRORS.items() for each in row if each is not None},
    "DM to SNRM": REFUSES_CONNECTION,
    "DM later": DISCONNECTED,
    "echo": ECHO,
    "hung up": HUNG_UP,
    "unreachable": UNREACHABLE,
}


@pytest.mark.parametrize("row", list(WRITTEN))
def test_what_is_said_of_the_link_and_of_silence_is_whole_too(row: str) -> None:
    test_a_meaning_is_whole((row, WRITTEN[row]))


def test_the_confirmed_service_error_in_an_aare_tells_more_than_its_diagnostic() -> None:
    found = explain(rejected("611FA109060760857405080101A203020101A305A103020101BE0604040E010601"))
    assert found is not None
    assert "terms of the association" in found.sentence


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        ("D8 01 01", "no association is open"),
        ("D8 01 03", "no association is open"),
        ("D8 02 02", "it agreed to a service that it lacks"),
        ("D8 01 04", "too many objects in one request"),
        ("D8 01 05", "the encryption or the authentication key is wrong"),
        ("D8 01 06 00 00 00 07", "another program uses the same key"),
        ("0E 01 06 03", "the maximum PDU size that we propose"),
        ("0E 05 05 02", "this client may not do it"),
    ],
)
def test_what_a_refused_service_means(octets: str, words: str) -> None:
    response: Any = apdus.decode(bytes.fromhex(octets))
    found = explain(ServiceRefused("refused", response))
    assert found is not None
    assert any(words in each for each in found.causes), found


def test_numbers_without_a_meaning_have_none() -> None:
    assert explain(refusal(DataAccessResult(77), None)) is None
    assert meaning(ConfirmedServiceError(1, 6, 99)) is None  # type: ignore[arg-type]
    assert explain(ServiceRefused("refused", None)) is None
    assert explain(RemoteProtocolError("something else")) is None


def test_results_of_attributes_and_methods() -> None:
    read = explain(refusal(DataAccessResult.READ_WRITE_DENIED, None))
    ran = explain(refused_action(ActionResult.READ_WRITE_DENIED, None))
    assert read == ran
    assert read is not None
    assert "rights" in read.remedy


def frame(control: int, information: bytes = b"") -> bytes:
    return encode(HdlcAddress(16, None, 1).encode(), HdlcAddress(1, None, 1).encode(), control, information)


DM, UA, FRMR, FINAL = 0x0F, 0x63, 0x87, 0x10


def link() -> HdlcClient:
    client = HdlcClient(16, HdlcAddress(1, None, 1))
    client.connect(0)
    client.outgoing()
    return client


def test_dm_to_snrm_and_dm_later() -> None:
    assert FrameKind.DISCONNECTED_MODE.value == "DM"
    with pytest.raises(RemoteProtocolError) as refused:
        link().receive(frame(DM | FINAL), 0)
    assert explain(refused.value) is REFUSES_CONNECTION
    client = link()
    client.receive(frame(UA | FINAL), 0)
    client.send(b"\xc0", 0)
    with pytest.raises(RemoteProtocolError) as gone:
        client.receive(frame(DM | FINAL), 0)
    assert explain(gone.value) is DISCONNECTED


REASONS = {
    "undefined_control": 1,
    "information_not_permitted": 2,
    "information_too_long": 4,
    "invalid_receive_sequence": 8,
}
"""The bits W, X, Y and Z of FRMR."""


def test_every_reason_of_frmr_has_a_row() -> None:
    assert {name for name, _ in REJECTED} == set(REASONS)


@pytest.mark.parametrize(("name", "expected"), REJECTED)
def test_frmr(name: str, expected: object) -> None:
    client = link()
    with pytest.raises(RemoteProtocolError) as caught:
        client.receive(frame(FRMR | FINAL, bytes((0x10, 0x00, REASONS[name]))), 0)
    assert explain(caught.value) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        *((TimedOut(phase), expected) for phase, expected in SILENT.items()),
        (OnlyEcho("link"), ECHO),
        (ConnectionLost("the peer closed the connection"), HUNG_UP),
        (ConnectionFailed("refused"), UNREACHABLE),
        (TimedOut("release"), None),
    ],
)
def test_silence(error: CosemError, expected: object) -> None:
    assert explain(error) is expected


@pytest.mark.filterwarnings("ignore::cosem.errors.SecurityWarning")
@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ({"password": "wrong"}, "the password or key is wrong"),
        ({"auth": "none"}, "this client address authenticates in another way"),
        ({"password": "right", "naming": "sn"}, "it refers to objects by short names"),
    ],
)
def test_what_our_own_meter_makes_of_wrong_access(words: dict[str, Any], cause: str) -> None:
    asyncio.run(enter_wrongly(words, cause))


async def enter_wrongly(words: dict[str, Any], cause: str) -> None:
    meter = Meter("TST0000000000001")
    meter.add(Data("0.0.96.1.0.255"), value=None)
    meter.offer(AssociationDescription(client=32, name="p", mechanism=MECHANISMS[1], secret=Secret(b"right")))
    async with serving(meter, "tcp://127.0.0.1:0") as served:
        with pytest.raises(AssociationRejected) as caught:
            await AsyncClient.open(f"tcp://{served.url.place}?client=32", **words).connect()
    found = explain(caught.value)
    assert found is not None
    assert any(each.startswith(cause) for each in found.causes), (caught.value, found)
