"""Both engines in every kind of envelope: the meter answers as it was asked, and sends nothing not negotiated."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from cosem.errors import LocalProtocolError, SecurityError
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu import Conformance, GetRequestNormal, GetResponseNormal
from cosem.protocol.apdu.descriptor import AttributeDescriptor
from cosem.protocol.apdu.short_name import ReadRequest, ReadResponse, VariableName
from cosem.protocol.association.admission import ServerPolicy
from cosem.protocol.association.client import ClientAssociation
from cosem.protocol.association.context import (
    IMPLEMENTED_LOGICAL_NAME_SERVICES,
    Associated,
    ClientSettings,
    Naming,
    Notified,
    Refused,
    Released,
    Requested,
    Response,
)
from cosem.protocol.association.counter import InvocationCounter
from cosem.protocol.association.layers import Envelope, GeneralKeys, KeyChoice, Layer
from cosem.protocol.association.security import Protection, SecurityContext
from cosem.protocol.association.server import ServerAssociation
from cosem.protocol.crypto import suite as suites
from cosem.protocol.crypto.key import Key
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.dialect import STANDARD, Dialect
from cosem.protocol.values.data import OctetString
from cosem.protocol.values.obis import Obis
from cosem.store.memory import MemoryCounterStore
from general import general_keys, global_key
from pair import BOTH, CLIENT_TITLE, SERVER_TITLE, Pair, chance

CLOCK = AttributeDescriptor(8, Obis("0.0.1.0.0.255"), 2)
TIME = OctetString(bytes.fromhex("07E7020F0311371500800000"))
SIGNED = BOTH | Protection.SIGNATURE

WAYS = [
    (Envelope.SERVICE, KeyChoice.IDENTIFIED, 0xC8),
    (Envelope.GENERAL, KeyChoice.IDENTIFIED, 0xDB),
    (Envelope.CIPHERING, KeyChoice.IDENTIFIED, 0xDD),
    (Envelope.CIPHERING, KeyChoice.WRAPPED, 0xDD),
    (Envelope.CIPHERING, KeyChoice.ONE_PASS, 0xDD),
    (Envelope.CIPHERING, KeyChoice.STATIC, 0xDD),
]


def security(own: bytes, peer: bytes | None, suite: int, protection: Protection, **settings: Any) -> SecurityContext:
    drawn = itertools.count(1)
    defaults = {
        "keys": general_keys(suite, own),
        "entropy": lambda octets: next(drawn).to_bytes(octets, "big"),
        "required": protection,
    }
    return SecurityContext(
        *(suite, own, peer, global_key(suite, "encryption"), global_key(suite, "authentication")),
        counter=InvocationCounter(MemoryCounterStore(), own.hex()),
        **(defaults | settings),
    )


def associated(
    suite: int = 1,
    envelope: Envelope = Envelope.SERVICE,
    key: KeyChoice = KeyChoice.IDENTIFIED,
    *,
    protection: Protection = BOTH,
    dedicated: bool = False,
    max_pdu: int = 1024,
    granted: Conformance = IMPLEMENTED_LOGICAL_NAME_SERVICES,
    meter: dict[str, Any] | None = None,
    dialect: Dialect = STANDARD,
    window: int = 0,
) -> Pair:
    settings = ClientSettings(
        mechanism=MECHANISMS[5],
        protection=protection,
        envelope=envelope,
        key=key,
        dedicated_key=Key(bytes(range(7, 7 + suites.of(suite).key_octets))) if dedicated else None,
        dialect=dialect,
        max_receive_pdu_size=max_pdu,
        general_block_window=window,
    )
    policy = ServerPolicy(
        application_context=settings.application_context,
        mechanism=MECHANISMS[5],
        required=protection,
        security=lambda title: security(SERVER_TITLE, title, suite, protection, **(meter or {})),
        own_title=SERVER_TITLE,
        max_receive_pdu_size=max_pdu,
        conformance=granted,
        general_block_window=window,
    )
    client = ClientAssociation(
        settings,
        challenge=bytes(range(16)),
        security=security(CLIENT_TITLE, None, suite, protection, dialect=dialect),
    )
    both = Pair(client, ServerAssociation(policy, chance), answer=lambda _: GetResponseNormal(0xC1, TIME))
    client.associate()
    both.run()
    return both


def get(both: Pair) -> None:
    both.client.send(GetRequestNormal(0xC1, CLOCK))
    both.run()


@pytest.mark.parametrize(("envelope", "key", "tag"), WAYS)
@pytest.mark.parametrize("suite", [0, 1, 2])
def test_a_session_in_every_envelope(suite: int, envelope: Envelope, key: KeyChoice, tag: int) -> None:
    if not suite and key in (KeyChoice.ONE_PASS, KeyChoice.STATIC):
        return  # suite 0 has no agreement: see test_layers
    both = associated(suite, envelope, key)
    assert isinstance(both.client_events[-1], Associated)
    both.passed.clear()
    for _ in range(3):
        get(both)
    assert both.client_events[-3:] == [Response(GetResponseNormal(0xC1, TIME))] * 3
    assert [octets[0] for side, octets in both.passed if side == "client"] == [tag] * 3
    answers = [octets for side, octets in both.passed if side == "server"]
    assert [octets[0] for octets in answers] == [0xCC if tag == 0xC8 else tag] * 3
    if tag == 0xDD:
        messages = [apdus.GeneralCiphering.decode(octets) for _, octets in both.passed]
        assert [each.key_info.__class__ for each in messages] == [messages[0].key_info.__class__] * 6
        assert messages[0].transaction_id == messages[1].transaction_id != messages[2].transaction_id
    both.client.release()
    both.run()
    assert both.client_events[-1] == Released()


@pytest.mark.parametrize(("envelope", "tags"), [(Envelope.SERVICE, (0xD0, 0xD4)), (Envelope.GENERAL, (0xDC, 0xDC))])
@pytest.mark.parametrize("suite", [0, 1, 2])
def test_dedicated_keys_in_both_envelopes(suite: int, envelope: Envelope, tags: tuple[int, int]) -> None:
    both = associated(suite, envelope, dedicated=True)
    both.passed.clear()
    get(both)
    assert tuple(octets[0] for _, octets in both.passed) == tags
    assert both.client_events[-1] == Response(GetResponseNormal(0xC1, TIME))


@pytest.mark.parametrize(("envelope", "key", "tag"), WAYS)
@pytest.mark.parametrize("suite", [1, 2])
@pytest.mark.parametrize("protection", [SIGNED, Protection.SIGNATURE])
def test_what_a_policy_wants_signed_is_signed_inside(
    protection: Protection, suite: int, envelope: Envelope, key: KeyChoice, tag: int
) -> None:
    both = associated(suite, envelope, key, protection=protection)
    assert not [each for each in both.server_events if isinstance(each, Refused)]
    both.passed.clear()
    get(both)
    assert both.client_events[-1] == Response(GetResponseNormal(0xC1, TIME))
    # The envelope of a service would say which it is, and holds nothing else.
    assert {octets[0] for _, octets in both.passed} == {0xDB if envelope is Envelope.SERVICE else tag}


@pytest.mark.parametrize("envelope", [Envelope.SERVICE, Envelope.GENERAL, Envelope.CIPHERING])
def test_a_meter_that_wants_signatures_alone_answers_what_is_ciphered_besides(envelope: Envelope) -> None:
    both = associated(1, Envelope.SIGNING, protection=Protection.SIGNATURE)
    both.passed.clear()
    get(both)
    assert [octets[0] for _, octets in both.passed] == [0xDF, 0xDF]
    client = security(CLIENT_TITLE, SERVER_TITLE, 1, SIGNED)
    for _ in range(20):
        client.gmac_proof(b"")  # takes a counter: the association has used some
    both.server.receive(client.wrap(GetRequestNormal(0xC1, CLOCK).encode(), (Layer(envelope),)))
    (requested,) = (event for event in both.server.events() if isinstance(event, Requested))
    assert requested.apdu == GetRequestNormal(0xC1, CLOCK)
    both.server.respond(GetResponseNormal(0xC1, TIME))
    (answer,) = both.server.outgoing()
    assert client.unprotect(answer).apdu == GetResponseNormal(0xC1, TIME).encode()


@pytest.mark.parametrize(("envelope", "key", "tag"), WAYS)
def test_long_values_go_in_blocks_that_fit_with_their_envelopes(envelope: Envelope, key: KeyChoice, tag: int) -> None:
    most = 600
    long = OctetString(bytes(5000))
    for window in (0, 8):
        both = associated(2, envelope, key, max_pdu=most, window=window)
        both.answer = lambda _: GetResponseNormal(0xC1, long)
        both.passed.clear()
        get(both)
        assert both.client_events[-1] == Response(GetResponseNormal(0xC1, long))
        assert len(both.passed) > 10
        assert max(len(octets) for _, octets in both.passed) <= most
        if not window:
            assert max(len(octets) for side, octets in both.passed if side == "server") > most - 40


def test_a_meter_that_knows_only_a_signing_key_answers_under_the_global_one() -> None:
    full = general_keys(1, SERVER_TITLE)
    knows = GeneralKeys(agreer=full.agreer, peer_signing_key=full.peer_signing_key)
    both = associated(1, Envelope.CIPHERING, KeyChoice.ONE_PASS, meter={"keys": knows})
    both.passed.clear()
    get(both)
    assert both.client_events[-1] == Response(GetResponseNormal(0xC1, TIME))
    question, answer = (apdus.GeneralCiphering.decode(octets) for _, octets in both.passed)
    assert isinstance(question.key_info, apdus.AgreedKey)
    assert answer.key_info == apdus.IdentifiedKey(apdus.KeyId.GLOBAL_UNICAST_ENCRYPTION_KEY)


def test_a_notification_goes_in_the_envelopes_of_the_last_question_and_a_transaction_of_its_own() -> None:
    both = associated(1, Envelope.CIPHERING, KeyChoice.WRAPPED)
    get(both)
    asked = apdus.GeneralCiphering.decode(both.passed[-1][1]).transaction_id
    both.passed.clear()
    both.server.notify(apdus.DataNotification(1, b"", TIME))
    both.run()
    assert apdus.GeneralCiphering.decode(both.passed[-1][1]).transaction_id not in (asked, b"")
    notified = both.client_events[-1]
    assert isinstance(notified, Notified)
    assert notified.error is None
    assert notified.protection == BOTH
    get(both)
    assert both.client_events[-1] == Response(GetResponseNormal(0xC1, TIME))


# -- what was not negotiated -------------------------------------------------------------------------------------------

WITHOUT = IMPLEMENTED_LOGICAL_NAME_SERVICES & ~Conformance.GENERAL_PROTECTION


def test_general_protection_is_proposed_where_something_is_protected() -> None:
    assert Conformance.GENERAL_PROTECTION in ClientSettings(protection=BOTH).proposed_conformance
    assert Conformance.GENERAL_PROTECTION not in ClientSettings().proposed_conformance
    both = associated()
    assert both.client.negotiated is not None
    assert Conformance.GENERAL_PROTECTION in both.client.negotiated.conformance


@pytest.mark.parametrize("envelope", [Envelope.GENERAL, Envelope.CIPHERING])
def test_the_client_sends_no_general_envelope_that_was_not_granted(envelope: Envelope) -> None:
    with pytest.raises(LocalProtocolError, match="does not grant general protection"):
        associated(1, envelope, granted=WITHOUT)


@pytest.mark.parametrize("key", [KeyChoice.IDENTIFIED, KeyChoice.WRAPPED])
def test_the_meter_takes_no_general_ciphering_that_was_not_granted(key: KeyChoice) -> None:
    both = associated(1, granted=WITHOUT)
    other = security(CLIENT_TITLE, SERVER_TITLE, 1, BOTH)
    settings = ClientSettings(protection=BOTH, envelope=Envelope.CIPHERING, key=key)
    both.server.receive(other.wrap(GetRequestNormal(0xC1, CLOCK).encode(), settings.layers))
    (refused,) = (each for each in both.server.events() if isinstance(each, Refused))
    assert isinstance(refused.error, SecurityError)
    assert "were not negotiated" in str(refused.error)
    assert not [each for each in both.server_events if isinstance(each, Requested)]


def test_an_answer_of_another_transaction_is_refused() -> None:
    both = associated(1, Envelope.CIPHERING)
    both.client.send(GetRequestNormal(0xC1, CLOCK))
    (question,) = both.client.outgoing()
    both.server.receive(question)
    both.server.events()
    both.server.respond(GetResponseNormal(0xC1, TIME))
    (answer,) = both.server.outgoing()
    message = apdus.GeneralCiphering.decode(answer)
    with pytest.raises(SecurityError, match="the answer is to transaction"):
        both.client.receive(replace(message, transaction_id=bytes(8)).encode())
    both.client.receive(answer)
    assert both.client.events() == [Response(GetResponseNormal(0xC1, TIME))]


def test_layers_of_the_settings() -> None:
    key = Key(bytes(16))
    assert ClientSettings(protection=BOTH, dedicated_key=key).layers[0].dedicated
    assert not ClientSettings(protection=BOTH, dedicated_key=key, envelope=Envelope.CIPHERING).layers[0].dedicated


@pytest.mark.parametrize(("envelope", "key", "tag"), WAYS)
def test_short_names_in_every_envelope(envelope: Envelope, key: KeyChoice, tag: int) -> None:
    settings = ClientSettings(
        *(MECHANISMS[5],),
        protection=BOTH,
        envelope=envelope,
        key=key,
        naming=Naming.SHORT_NAMES,
        conformance=Naming.SHORT_NAMES.implemented,
    )
    policy = ServerPolicy(
        application_context=settings.application_context,
        mechanism=MECHANISMS[5],
        required=BOTH,
        security=lambda title: security(SERVER_TITLE, title, 1, BOTH),
        own_title=SERVER_TITLE,
        conformance=Naming.SHORT_NAMES.implemented,
    )
    client = ClientAssociation(settings, challenge=bytes(range(16)), security=security(CLIENT_TITLE, None, 1, BOTH))
    answer = ReadResponse((TIME,))
    both = Pair(client, ServerAssociation(policy, chance), answer=lambda _: answer)
    client.associate()
    both.run()
    both.passed.clear()
    client.send(ReadRequest((VariableName(0x2BC0),)))
    both.run()
    assert both.client_events[-1] == Response(answer)
    assert [octets[0] for _, octets in both.passed] == ([0x25, 0x2C] if tag == 0xC8 else [tag, tag])
