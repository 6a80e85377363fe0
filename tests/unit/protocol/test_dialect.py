"""Each switch of a dialect with both its settings, what is off unless it is permitted, and the table of makers."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext, suppress
from dataclasses import fields
from typing import Any

import pytest

from cosem import AsyncClient, Register, Unit, danger
from cosem.client.access import Access, access
from cosem.danger import Weakness
from cosem.errors import ConfigurationError, DecodeError, RemoteProtocolError
from cosem.meter import Meter, serving
from cosem.protocol.apdu.get import AttributeDescriptor, GetRequestNormal
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.association.client import ClientAssociation
from cosem.protocol.association.context import Associated, ClientSettings, Response
from cosem.protocol.dialect import FOREIGN, STANDARD, Dialect, dialect_of, known_dialects, option_of
from cosem.protocol.link import ApduReceived
from cosem.protocol.link.hdlc import ClientSettings as LinkSettings
from cosem.protocol.link.hdlc import HdlcAddress, HdlcClient
from cosem.protocol.link.hdlc.frame import FINAL, UA, encode
from cosem.protocol.link.hdlc.settings import Tolerance
from cosem.protocol.profile import profile_of
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.maker import maker
from cosem.protocol.values.obis import Obis

ACCEPTED = bytes.fromhex("6129A109060760857405080101A203020100A305A103020100BE10040E0800065F1F040000501F01F40007")
"""An AARE of the standard's worked examples: accepted, no ciphering, 500 octets."""
BARE = bytes.fromhex("6117A109060760857405080101A203020100A305A103020100")
"""The same without its user-information."""

GET_RESPONSE = bytes.fromhex("C4 01 C1 00 06 00 00 00 05")
OCTETS_BEHIND = bytes.fromhex("00 2A 2A")


def opened(dialect: Dialect) -> ClientAssociation:
    client = ClientAssociation(ClientSettings(dialect=dialect))
    client.associate()
    client.receive(ACCEPTED)
    client.send(
        GetRequestNormal(
            client.invoke_id_and_priority(),
            AttributeDescriptor(3, Obis("1.0.1.8.0.255"), 2),
        )
    )
    client.events()
    return client


def test_any_invoke_id() -> None:
    other = GET_RESPONSE[:2] + b"\xc7" + GET_RESPONSE[3:]
    with pytest.raises(RemoteProtocolError, match="request 7"):
        opened(STANDARD).receive(other)
    tolerant = opened(Dialect(any_invoke_id=True))
    tolerant.receive(other)
    assert any(isinstance(each, Response) for each in tolerant.events())
    assert tolerant.tolerated == {"any_invoke_id": 1}


def test_the_right_invoke_id_is_no_deviation() -> None:
    client = opened(Dialect(any_invoke_id=True, octets_after_apdu=True))
    client.receive(GET_RESPONSE)
    assert not +client.tolerated


@pytest.mark.parametrize("octets", [OCTETS_BEHIND, b"\0"])
def test_octets_after_apdu(octets: bytes) -> None:
    with pytest.raises(DecodeError):
        opened(STANDARD).receive(GET_RESPONSE + octets)
    tolerant = opened(Dialect(octets_after_apdu=True))
    tolerant.receive(GET_RESPONSE + octets)
    (response,) = [each for each in tolerant.events() if isinstance(each, Response)]
    assert response.apdu is not None
    assert tolerant.tolerated == {"octets_after_apdu": 1}


def test_accepted_without_initiate() -> None:
    def associated(dialect: Dialect) -> ClientAssociation:
        client = ClientAssociation(ClientSettings(dialect=dialect))
        client.associate()
        client.receive(BARE)
        return client

    with pytest.raises(RemoteProtocolError, match="no InitiateResponse"):
        associated(STANDARD)
    client = associated(Dialect(accepted_without_initiate=True))
    (event,) = [each for each in client.events() if isinstance(each, Associated)]
    assert event.negotiated.allows(Conformance.GET)
    assert event.negotiated.max_send_pdu_size == 128
    assert client.tolerated == {"accepted_without_initiate": 1}


WEAK = [
    (Dialect(any_invoke_id=True), Weakness.ANY_INVOKE_ID),
    (Dialect(empty_system_title=True), Weakness.EMPTY_SYSTEM_TITLE),
    (Dialect(link=frozenset({"OTHER_CLIENT"})), Weakness.FOREIGN_STATION),
    (Dialect(link=frozenset({"OTHER_SERVER"})), Weakness.FOREIGN_STATION),
]


@pytest.mark.parametrize(("dialect", "weakness"), WEAK)
def test_what_weakens_identity_is_off_unless_it_is_permitted(dialect: Dialect, weakness: Weakness) -> None:
    with pytest.raises(ConfigurationError, match=f"--allow {option_of(weakness)}"):
        Access(dialect=dialect)
    with pytest.raises(ConfigurationError, match="off by default"):
        access(dialect=dialect, permitted=danger.allow(Weakness.MD5_AUTHENTICATION))
    assert access(dialect=dialect, permitted=danger.allow(weakness)).dialect == dialect
    assert dialect.permitted(danger.NOTHING) == STANDARD
    assert dialect.permitted(danger.allow(weakness)) == dialect


def test_all_other_switches_need_no_leave() -> None:
    weak = {"any_invoke_id", "empty_system_title", "link"}
    for field in fields(Dialect):
        if field.name not in weak:
            words: dict[str, Any] = {field.name: True}
            assert not Dialect(**words).weaknesses, field.name
    for tolerance in Tolerance:
        assert bool(Dialect(link=frozenset({str(tolerance.name)})).weaknesses) == (tolerance.name in FOREIGN)


def test_the_standard_tolerates_nothing_of_this() -> None:
    assert not STANDARD.weaknesses
    assert not any(getattr(STANDARD, field.name) for field in fields(Dialect))


# The table


def test_every_line_of_the_table_names_a_known_maker_a_source_and_tolerances_that_there_are() -> None:
    for each in known_dialects():
        assert maker(each.maker), each
        assert len(each.source) > 20
        assert each.dialect != STANDARD
        assert each.dialect.link <= {tolerance.name for tolerance in Tolerance}


@pytest.mark.parametrize(
    ("letters", "model", "expected"),
    [
        ("LGZ", "ZMF100CCe", Dialect(link=frozenset({"DAMAGED_INFORMATION"}))),
        ("LGZ", "", STANDARD),
        ("LGZ", "ZMD310", STANDARD),
        ("egm", "Gama G35", Dialect(empty_system_title=True)),
        ("GOE", "", Dialect(link=frozenset({"REPEATED_LLC", "OTHER_CLIENT"}))),
        ("KFM", "anything", STANDARD),
    ],
)
def test_the_dialect_of_a_maker_and_model(letters: str, model: str, expected: Dialect) -> None:
    assert dialect_of(letters, model) == expected


# The link


def damaged_answer() -> bytes:
    frame = bytearray(encode(b"\x21", b"\x03", 0x30, bytes.fromhex("E6E700") + GET_RESPONSE))
    frame[-3] ^= 0xFF
    return bytes(frame)


@pytest.mark.parametrize("tolerant", [False, True])
def test_a_wrong_frame_check_sequence(tolerant: bool) -> None:
    client = HdlcClient(16, HdlcAddress(1, None, 1))
    if tolerant:
        client.tolerate(Tolerance.DAMAGED_INFORMATION)
    client.connect(0)
    client.receive(encode(b"\x21", b"\x03", UA | FINAL), 0)
    client.send(b"\xc0", 0)
    client.events()
    client.receive(damaged_answer(), 0)
    assert bool(client.events()) is tolerant
    assert client.counters["frame_check_failures"] == 1


LLC = bytes.fromhex("E6E700")
OWN, METER = b"\x21", b"\x02\x23"


def answer(
    information: bytes = LLC + GET_RESPONSE, *, to: bytes = OWN, of: bytes = METER, acknowledged: int = 1
) -> bytes:
    """The first I frame of a meter, as the answer to the first of ours."""
    return encode(to, of, acknowledged << 5 | FINAL, information)


def damaged(frame: bytes) -> bytes:
    return frame[:-3] + bytes((frame[-3] ^ 0xFF,)) + frame[-2:]


DEVIANT = {
    Tolerance.MISSING_LLC: answer(GET_RESPONSE),
    Tolerance.REPEATED_LLC: answer(LLC + LLC + GET_RESPONSE),
    Tolerance.OTHER_ADDRESS_SIZE: answer(of=b"\x00\x02\x00\x23"),
    Tolerance.OTHER_SERVER: answer(of=b"\x02\x25"),
    Tolerance.OTHER_CLIENT: answer(to=b"\x23"),
    Tolerance.WRONG_ACKNOWLEDGEMENT: answer(acknowledged=6),
    Tolerance.LONG_INFORMATION: answer(LLC + GET_RESPONSE + bytes(128)),
    Tolerance.DAMAGED_INFORMATION: damaged(answer()),
}
"""What a meter says that deviates in this alone."""


def test_every_tolerance_of_the_link_has_its_deviation() -> None:
    assert set(DEVIANT) == {each for each in Tolerance if each}


@pytest.mark.parametrize("tolerance", list(DEVIANT))
@pytest.mark.parametrize("on", [False, True])
def test_every_tolerance_of_the_link_with_both_settings(tolerance: Tolerance, on: bool) -> None:
    settings = LinkSettings(tolerances=tolerance if on else ~tolerance)
    client = HdlcClient(16, HdlcAddress.of(1, 17), settings=settings)
    client.connect(0)
    client.receive(encode(OWN, METER, UA | FINAL), 0)
    client.send(b"\xc0", 0)
    client.outgoing()
    client.events()
    with nullcontext() if on else suppress(RemoteProtocolError):
        client.receive(DEVIANT[tolerance], 0)
    taken = [event for event in client.events() if isinstance(event, ApduReceived)]
    assert len(taken) == on
    assert client.counters[f"tolerated_{str(tolerance.name).lower()}"] == on


def test_a_client_takes_the_dialect_down_to_its_link_and_counts() -> None:
    register = Register("1.0.1.8.0.255")
    meter = Meter("TST0000000000001")
    meter.add(register, value=5, scaler_unit=(0, Unit.WATT_HOUR))

    async def run() -> None:
        async with serving(meter, "hdlc+tcp://127.0.0.1:0") as server:
            url = f"hdlc+tcp://{server.url.place}"
            dialect = Dialect(link=frozenset({"DAMAGED_INFORMATION"}), octets_after_apdu=True)
            async with AsyncClient.open(url, dialect=dialect) as client:
                assert await client.get(register.value) == 5
                assert client.services is not None
                exchange = client.services.exchange
                link: Any = exchange.session.link
                assert not +exchange.tolerated
                link.counters["tolerated_damaged_information"] += 2
                exchange.session.association.tolerated["octets_after_apdu"] += 1
                assert exchange.tolerated == {"damaged_information": 2, "octets_after_apdu": 1}

    asyncio.run(run())
    assert profile_of(ConnectionUrl.parse("hdlc+tcp://192.0.2.7")).framing == "hdlc"
