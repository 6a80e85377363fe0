"""general-ciphering, general-signing and envelopes in one another: a peer's frames, round trips, and every refusal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cosem import danger
from cosem.errors import ConfigurationError, DecodeError, InvocationCounterError, LocalProtocolError, SecurityError
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu.protected import AgreedKey, GeneralCiphering, GeneralSigning, IdentifiedKey, KeyId, WrappedKey
from cosem.protocol.association import security as rules
from cosem.protocol.association.counter import InvocationCounter, ReceivedCounter
from cosem.protocol.association.layers import Envelope, GeneralKeys, KeyChoice, Layer, OtherKey, Received
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION, LAYERS, Protection, SecurityContext
from cosem.protocol.crypto import suite as suites
from cosem.protocol.crypto.compression import Compression
from cosem.protocol.crypto.elliptic import PrivateKey, PublicKey
from cosem.protocol.crypto.gcm import Gcm
from cosem.protocol.crypto.key import Key
from cosem.protocol.dialect import Dialect
from cosem.protocol.model.classes.access_control import SecurityPolicy
from cosem.store.memory import MemoryCounterStore
from general import ORIGINATOR, RECIPIENT, VECTORS, general_keys, global_key

CLIENT, SERVER = ORIGINATOR, RECIPIENT
GET = bytes.fromhex("C001C100080000010000FF0200")
GOT = bytes.fromhex("C401C1000600BC614E")
SET_UNCONFIRMED = bytes.fromhex("C10181000800000100" + "00FF020006FFFFFFFF")
SET_CONFIRMED = bytes.fromhex("C101C1000800000100" + "00FF020006FFFFFFFF")
BOTH = AUTHENTICATED_ENCRYPTION
SIGNED = Protection.SIGNATURE


def counter(first: int = 1) -> InvocationCounter:
    store = MemoryCounterStore()
    store.raise_to("own", first)
    return InvocationCounter(store, "own")


def chance(octets: int) -> bytes:
    return bytes((7 * place + 3) & 0xFF for place in range(octets))


def context(side: bytes = CLIENT, suite: int = 1, first: int = 1, **settings: Any) -> SecurityContext:
    defaults: dict[str, Any] = {
        "broadcast_key": global_key(suite, "broadcast"),
        "broadcast_counter": counter(),
        "keys": general_keys(suite, side),
        "entropy": chance,
    }
    peer = settings.pop("peer", SERVER if side == CLIENT else CLIENT)
    encryption_key = settings.pop("encryption_key", global_key(suite, "encryption"))
    authentication_key = settings.pop("authentication_key", global_key(suite, "authentication"))
    return SecurityContext(
        suite, side, peer, encryption_key, authentication_key, counter=counter(first), **(defaults | settings)
    )


def pair(suite: int = 1, **settings: Any) -> tuple[SecurityContext, SecurityContext]:
    return context(CLIENT, suite, **settings), context(SERVER, suite, **settings)


def made(name: str) -> bytes:
    return bytes.fromhex(next(case["envelope"] for case in VECTORS["made"] if case["name"] == name))


def layer(key: KeyChoice = KeyChoice.IDENTIFIED, transaction_id: bytes | None = None) -> Layer:
    return Layer(Envelope.CIPHERING, key=key, transaction_id=transaction_id)


def signing(transaction_id: bytes | None = None) -> Layer:
    return Layer(Envelope.SIGNING, transaction_id=transaction_id)


def required(case: dict[str, Any]) -> Protection:
    """Return what is verified of a case, by its name."""
    found = Protection.NONE
    if "identified" in case["name"] or "key" in case["name"] or "unified" in case["name"] or "one-pass" in case["name"]:
        found |= Protection.AUTHENTICATION if "authenticated only" in case["name"] else BOTH
    return found | (SIGNED if "signed" in case["name"] else Protection.NONE) or BOTH


# -- what a peer made --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", VECTORS["made"], ids=lambda case: case["name"])
def test_envelopes_of_a_peer_open(case: dict[str, Any]) -> None:
    dialect = Dialect(fields_in_tag="aad" in case, content_length_signed="signed" in case)
    need = required(case)
    meter = context(SERVER, case["suite"], required=need, dialect=dialect, received=received(-1))
    octets = bytes.fromhex(case["envelope"])
    if "one-pass" not in case["name"] and "signed" in case["name"] and "ciphered" not in case["name"]:
        # What is only signed is kept apart by its transaction-id.
        meter = context(
            SERVER,
            case["suite"],
            required=need,
            dialect=Dialect(content_length_signed="signed" in case, any_transaction_id=True),
        )
    opened = meter.unprotect(octets)
    assert opened.apdu.hex().upper() == case["plain"]
    assert opened.protection == need
    assert opened.system_title == CLIENT
    with pytest.raises((SecurityError, InvocationCounterError)):
        meter.unprotect(octets)


OTHER_KEYS: tuple[OtherKey, ...] = ("broadcast", "wrapped", "agreed", "signed")


def received(last: int) -> Received:
    return Received(
        **{name: ReceivedCounter(last=last) for name in ("unicast", "broadcast", "wrapped", "agreed", "signed")}
    )


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("suite 0, identified key, unicast", Dialect(fields_in_tag=True)),
        ("suite 0, identified key, fields authenticated", Dialect()),
        ("suite 1, signed", Dialect(content_length_signed=True, any_transaction_id=True)),
        ("suite 1, signed, content with its length", Dialect(any_transaction_id=True)),
        ("suite 1, one-pass Diffie-Hellman", Dialect(ephemeral_key_signed_with_scheme=True)),
    ],
)
def test_what_a_tag_or_signature_covers_is_one_thing_and_never_tried_both_ways(name: str, other: Dialect) -> None:
    suite = int(name[6])
    need = SIGNED if "signed" in name else BOTH
    with pytest.raises(SecurityError, match="does not verify"):
        context(SERVER, suite, required=need, dialect=other).unprotect(made(name))


def test_the_annex_shows_the_scheme_of_one_pass_and_its_tag_verifies_in_neither_form() -> None:
    annex = VECTORS["annex_i2"]
    curve = suites.of(1).required_curve
    octets, meter = bytes.fromhex(annex["envelope"]), bytes.fromhex(annex["recipient"])
    message = GeneralCiphering.decode(octets)
    has = GeneralKeys(
        agreer=PrivateKey(curve, bytes.fromhex(annex["recipient_agreement_private"])),
        peer_signing_key=PublicKey(curve, bytes.fromhex(annex["originator_signing_public"])),
    )
    for fields_in_tag in (False, True):
        strict = context(
            meter,
            peer=bytes.fromhex(annex["originator"]),
            keys=has,
            broadcast_key=None,
            authentication_key=Key.from_hex(annex["authentication_key"]),
            dialect=Dialect(fields_in_tag=fields_in_tag),
        )
        with pytest.raises(SecurityError, match="tag does not verify"):
            strict.unprotect(octets)
    looking = Gcm(Key.from_hex(annex["key"]), None, danger.allow(danger.Weakness.UNVERIFIED_CIPHERTEXT))
    content = message.ciphered_content
    plain = looking.unprotect(content[0], message.originator_system_title + content[1:5], content[5:])
    assert plain.hex().upper() == annex["plain"]
    assert isinstance(apdus.decode(plain), apdus.AccessRequest)


# -- to and fro --------------------------------------------------------------------------------------------------------

WAYS = {
    "glo": (Layer(Envelope.SERVICE),),
    "ded": (Layer(Envelope.SERVICE, dedicated=True),),
    "general-glo": (Layer(Envelope.GENERAL),),
    "general-ded": (Layer(Envelope.GENERAL, dedicated=True),),
    "identified": (layer(),),
    "wrapped": (layer(KeyChoice.WRAPPED),),
    "one-pass": (layer(KeyChoice.ONE_PASS),),
    "static": (layer(KeyChoice.STATIC),),
    "signed": (signing(),),
    "signed, then identified": (layer(), signing()),
    "signed, then wrapped": (layer(KeyChoice.WRAPPED), signing()),
    "signed, then one-pass": (layer(KeyChoice.ONE_PASS), signing()),
    "signed, then general-glo": (Layer(Envelope.GENERAL), signing()),
    "signed, then general-ded": (Layer(Envelope.GENERAL, dedicated=True), signing()),
    "identified, then signed": (signing(), layer()),
    "glo, then signed": (signing(), Layer(Envelope.SERVICE)),
    "ciphered twice": (layer(), layer(KeyChoice.STATIC)),
    "three": (layer(KeyChoice.WRAPPED), signing(), layer()),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("suite", [1, 2])
@pytest.mark.parametrize("dialect", [Dialect(), Dialect(True, True, True, True, True, True)], ids=["usual", "other"])
def test_an_answer_comes_in_the_envelopes_of_its_question(suite: int, way: tuple[Layer, ...], dialect: Dialect) -> None:
    only_signed = all(each.envelope is Envelope.SIGNING for each in way)
    need = SIGNED if only_signed else BOTH
    client, server = pair(suite, required=need, dialect=dialect)
    for side in (client, server):
        side.use_dedicated(Key(bytes(range(1, suites.of(suite).key_octets + 1))), counter())
    for _ in range(3):
        sent = client.numbered(way)
        opened = server.unprotect(client.wrap(GET, sent))
        assert opened.apdu == GET
        assert opened.layers == sent
        assert opened.protection & need == need
        due = next((each.transaction_id for each in sent if each.transaction_id is not None), None)
        answer = server.wrap(GOT, opened.layers)
        assert client.unprotect(answer, due).apdu == GOT


@pytest.mark.parametrize("way", [WAYS["identified"], WAYS["wrapped"]])
def test_suite_0_has_identified_and_wrapped_keys(way: tuple[Layer, ...]) -> None:
    client, server = pair(0)
    assert server.unprotect(client.wrap(GET, way)).apdu == GET


@pytest.mark.parametrize("choice", [KeyChoice.ONE_PASS, KeyChoice.STATIC])
def test_suite_0_has_no_agreement_and_no_signatures(choice: KeyChoice) -> None:
    client, server = pair(0)
    for way in ((layer(choice),), (signing(),)):
        with pytest.raises((LocalProtocolError, SecurityError)):
            client.wrap(GET, way)
    agreed = GeneralCiphering(b"", CLIENT, SERVER, b"", b"", AgreedKey(b"\x01", bytes(128)), b"\x30" + bytes(30))
    with pytest.raises(SecurityError, match="agreement key"):
        server.unprotect(agreed.encode())


def test_a_long_message_in_every_layer() -> None:
    client, server = pair(2)
    long = b"\xc4" + bytes(70_000)
    for way in (WAYS["signed, then one-pass"], WAYS["identified, then signed"]):
        assert server.unprotect(client.wrap(long, way)).apdu == long


def test_two_messages_never_have_the_same_key_and_counter() -> None:
    client = context()
    seen: set[bytes] = set()
    for way in (*WAYS.values(), *WAYS.values()):
        if any(each.dedicated for each in way):
            continue
        sent = client.wrap(GET, way)
        inside = sent
        if sent[0] == 0xDF:
            inside = GeneralSigning.decode(sent).content
        if inside[0] != 0xDD:
            continue
        content = GeneralCiphering.decode(inside).ciphered_content
        assert content[1:5] not in seen
        seen.add(content[1:5])


# -- policy ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "requests", "responses"),
    [
        (0, Protection.NONE, Protection.NONE),
        (0x04, Protection.AUTHENTICATION, Protection.NONE),
        (0x08, Protection.ENCRYPTION, Protection.NONE),
        (0x10, SIGNED, Protection.NONE),
        (0x20, Protection.NONE, Protection.AUTHENTICATION),
        (0x40, Protection.NONE, Protection.ENCRYPTION),
        (0x80, Protection.NONE, SIGNED),
        (0xFC, BOTH | SIGNED, BOTH | SIGNED),
    ],
)
def test_a_policy_in_words(policy: int, requests: Protection, responses: Protection) -> None:
    """The bits of class 64, version 1, as public sources number them."""
    assert (SecurityPolicy(policy).requests, SecurityPolicy(policy).responses) == (requests, responses)
    if requests == responses:
        assert SecurityPolicy.of(requests) == policy
    assert not int(SIGNED) & 0xFF


@pytest.mark.parametrize(
    ("need", "way", "reason"),
    [
        (BOTH | SIGNED, "glo", "has authentication and encryption, required is .* and signature"),
        (BOTH | SIGNED, "identified", "has authentication and encryption, required is .* and signature"),
        (BOTH, "signed", "has signature, required is authentication and encryption"),
        (SIGNED, "identified", "has authentication and encryption, required is signature"),
    ],
)
def test_what_a_policy_wants_must_all_be_there(need: Protection, way: str, reason: str) -> None:
    client = context(applied=BOTH)
    server = context(SERVER, required=need)
    with pytest.raises(SecurityError, match=reason):
        server.unprotect(client.wrap(GET, WAYS[way]))
    assert server.refused == 1
    # Nothing counted: what is enough still comes through with the same counters.
    enough = context(applied=BOTH | (need & SIGNED)).wrap(GET, (layer(),) if need & BOTH else (signing(),))
    assert server.unprotect(enough).protection & need == need


def test_what_is_to_be_signed_is_signed_where_no_layer_says_so() -> None:
    client, server = context(applied=BOTH | SIGNED), context(SERVER, required=BOTH | SIGNED)
    opened = server.unprotect(client.wrap(GET, (Layer(Envelope.GENERAL),)))
    assert [each.envelope for each in opened.layers] == [Envelope.GENERAL, Envelope.SIGNING]
    assert opened.protection == BOTH | SIGNED


def test_each_ciphered_layer_has_all_that_is_required_of_ciphering() -> None:
    weak = context(applied=Protection.AUTHENTICATION)
    with pytest.raises(SecurityError, match="refused undecrypted"):
        context(SERVER, required=BOTH).unprotect(weak.wrap(GET, (layer(), layer(KeyChoice.WRAPPED))))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"required": BOTH | SIGNED, "keys": GeneralKeys()}, "signing key of the peer"),
        ({"required": BOTH, "applied": BOTH | SIGNED, "keys": GeneralKeys()}, "signing key of our own"),
        ({"required": BOTH, "keys": GeneralKeys(master_key=Key(bytes(32)))}, "the master key has 32"),
        ({"required": Protection.ENCRYPTION | SIGNED}, "UNVERIFIED_CIPHERTEXT"),
    ],
)
def test_what_does_not_fit_is_refused_at_the_door(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        context(**settings)


def test_keys_on_another_curve_are_refused_at_the_door() -> None:
    for name in ("signer", "agreer", "peer_signing_key", "peer_agreement_key"):
        with pytest.raises(ConfigurationError, match="on P-384"):
            context(keys=general_keys(1, CLIENT, **{name: getattr(general_keys(2, CLIENT), name)}))
    assert "not shown" in repr(general_keys(1, CLIENT))


# -- refusals ----------------------------------------------------------------------------------------------------------


def altered(octets: bytes, **changes: Any) -> bytes:
    return replace(apdus.decode(octets), **changes).encode()  # type: ignore[type-var]


IDENTIFIED = made("suite 1, identified key, unicast")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"originator_system_title": SERVER}, "our own system title"),
        ({"originator_system_title": b"COS12345"}, "this association is with"),
        ({"recipient_system_title": CLIENT}, "the message is for 4D4D4D0000000001, this is 4D4D4D0000BC614E"),
        ({"recipient_system_title": b""}, "is for .nobody."),
        ({"key_info": IdentifiedKey(KeyId(2))}, "identifies key 2, which is reserved"),
        ({"key_info": IdentifiedKey(KeyId.GLOBAL_BROADCAST_ENCRYPTION_KEY)}, "does not verify"),
        ({"key_info": AgreedKey(b"\x03", b"")}, "key agreement 03, a reserved one"),
        ({"key_info": AgreedKey(b"", b"")}, "key agreement .*, a reserved one"),
        ({"key_info": AgreedKey(b"\x01", bytes(127))}, "has 128 octets, this has 127"),
        ({"key_info": AgreedKey(b"\x01", bytes(128))}, "does not verify"),
        ({"key_info": WrappedKey(apdus.KekId(1), bytes(24))}, "wrapped under key 1, which is reserved"),
        ({"key_info": WrappedKey(apdus.KekId.MASTER_KEY, bytes(24))}, "the wrapped key does not open"),
        ({"key_info": WrappedKey(apdus.KekId.MASTER_KEY, bytes(23))}, "has 24 octets, this has 23"),
        ({"key_info": WrappedKey(apdus.KekId.MASTER_KEY, bytes(40))}, "has 24 octets, this has 40"),
    ],
)
def test_a_general_ciphering_that_is_not_as_it_must_be(changes: dict[str, Any], reason: str) -> None:
    server = context(SERVER)
    with pytest.raises(SecurityError, match=reason):
        server.unprotect(altered(IDENTIFIED, **changes))
    assert server.unprotect(IDENTIFIED).apdu == GET


@pytest.mark.parametrize("control", sorted(set(range(256)) - {0x31}))
def test_only_the_agreed_security_control_is_let_in(control: int) -> None:
    content = GeneralCiphering.decode(IDENTIFIED).ciphered_content
    with pytest.raises(SecurityError, match=r"refused undecrypted|key-set bit"):
        context(SERVER).unprotect(altered(IDENTIFIED, ciphered_content=bytes((control,)) + content[1:]))


def test_a_tag_that_is_cut_or_a_header_that_is() -> None:
    content = GeneralCiphering.decode(IDENTIFIED).ciphered_content
    for size in range(len(content)):
        with pytest.raises((SecurityError, DecodeError)):
            context(SERVER).unprotect(altered(IDENTIFIED, ciphered_content=content[:size]))


def test_octets_cut_anywhere_and_every_flipped_bit_are_refused() -> None:
    strict = Dialect(fields_in_tag=True)
    octets = made("suite 1, identified key, fields authenticated")
    for size in range(len(octets)):
        with pytest.raises((SecurityError, DecodeError)):
            context(SERVER, dialect=strict).unprotect(octets[:size])
    for place in range(len(octets)):
        with pytest.raises((SecurityError, DecodeError)):
            context(SERVER, dialect=strict).unprotect(
                octets[:place] + bytes((octets[place] ^ 0x08,)) + octets[place + 1 :]
            )


@pytest.mark.parametrize(
    ("name", "lacking", "reason"),
    [
        ("suite 1, wrapped key", "master_key", "under the master key, and there is none"),
        ("suite 1, one-pass Diffie-Hellman", "agreer", "an agreement key of ours"),
        ("suite 1, one-pass Diffie-Hellman", "peer_signing_key", "the signing key of the peer"),
        ("suite 1, static unified", "agreer", "the agreement keys of both sides"),
        ("suite 1, static unified", "peer_agreement_key", "the agreement keys of both sides"),
        ("suite 1, signed", "peer_signing_key", "no signing key of the peer"),
    ],
)
def test_a_key_that_is_not_here(name: str, lacking: str, reason: str) -> None:
    need = BOTH if "signed" not in name else Protection.NONE
    meter = context(SERVER, keys=general_keys(1, SERVER, **{lacking: None}), required=need)
    with pytest.raises(SecurityError, match=reason):
        meter.unprotect(made(name))


@pytest.mark.parametrize(
    ("choice", "lacking"),
    [
        (KeyChoice.WRAPPED, "master_key"),
        (KeyChoice.ONE_PASS, "signer"),
        (KeyChoice.ONE_PASS, "peer_agreement_key"),
        (KeyChoice.STATIC, "agreer"),
        (KeyChoice.STATIC, "peer_agreement_key"),
    ],
)
def test_nothing_is_sent_with_a_key_that_is_not_here(choice: KeyChoice, lacking: str) -> None:
    with pytest.raises(LocalProtocolError, match="need"):
        context(keys=general_keys(1, CLIENT, **{lacking: None})).wrap(GET, (layer(choice),))
    with pytest.raises(LocalProtocolError, match="entropy"):
        context(entropy=None).wrap(GET, (layer(KeyChoice.WRAPPED),))
    with pytest.raises(LocalProtocolError, match="a signing key"):
        context(keys=general_keys(1, CLIENT, signer=None)).wrap(GET, (signing(),))
    with pytest.raises(LocalProtocolError, match="under the broadcast key"):
        context(broadcast_counter=None).wrap(GET, (layer(KeyChoice.BROADCAST),))


def test_the_static_unified_model_carries_no_octets() -> None:
    octets = altered(made("suite 1, static unified"), key_info=AgreedKey(b"\x02", b"\0"))
    with pytest.raises(DecodeError, match="no octets"):
        context(SERVER).unprotect(octets)


@pytest.mark.parametrize(("size", "accepted"), [(127, True), (128, False)])
def test_a_transaction_id_has_a_longest(size: int, accepted: bool) -> None:
    client, server = pair()
    octets = client.wrap(GET, (layer(KeyChoice.STATIC, bytes(min(size, 127))),))
    if accepted:
        assert server.unprotect(octets).apdu == GET
    else:
        with pytest.raises(SecurityError, match="128 octets, at most 127"):
            server.unprotect(altered(octets, transaction_id=bytes(size)))


def test_a_signature_that_is_missing_of_another_key_or_over_other_octets() -> None:
    octets = made("suite 1, signed")
    meter = context(SERVER, required=SIGNED, dialect=Dialect(any_transaction_id=True))
    for changes in (
        {"signature": b""},
        {"signature": bytes(64)},
        {"signature": bytes(63)},
        {"content": GOT},
        {"transaction_id": b"\1"},
        {"date_time": b"\1"},
        {"other_information": b"\1"},
    ):
        with pytest.raises(SecurityError, match="signature"):
            meter.unprotect(altered(octets, **changes))
    stranger = general_keys(1, SERVER, peer_signing_key=general_keys(1, CLIENT).peer_signing_key)
    with pytest.raises(SecurityError, match="signature does not verify"):
        context(SERVER, keys=stranger, required=SIGNED).unprotect(octets)
    assert meter.unprotect(octets).protection == SIGNED


def test_an_ephemeral_key_of_somebody_else() -> None:
    stranger = general_keys(1, SERVER, peer_signing_key=general_keys(1, CLIENT).peer_signing_key)
    with pytest.raises(SecurityError, match="signature does not verify"):
        context(SERVER, keys=stranger).unprotect(made("suite 1, one-pass Diffie-Hellman"))


def test_envelopes_in_one_another_are_of_one_party() -> None:
    other = b"COS12345"
    inner = context(other, peer=SERVER, keys=general_keys(1, CLIENT)).wrap(GET, (layer(),))
    outer = context().wrap(inner, (layer(),))
    server = context(SERVER, peer=None)
    with pytest.raises(SecurityError, match="different parties"):
        server.unprotect(outer)
    assert server.peer_title is None


# -- freshness ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_what_was_received_before_is_refused_also_in_another_association(way: tuple[Layer, ...]) -> None:
    if any(each.dedicated for each in way):
        return  # a dedicated key does not outlive its association
    only_signed = all(each.envelope is Envelope.SIGNING for each in way)
    need = SIGNED if only_signed else BOTH
    shared = Received()
    octets = context().wrap(GET, way)
    server = context(SERVER, required=need, received=shared)
    assert server.unprotect(octets).apdu == GET
    for again in (server, context(SERVER, required=need, received=shared)):
        with pytest.raises(SecurityError, match=r"used before|replay"):
            again.unprotect(octets)


def test_counters_go_on_rising_over_the_keys_of_messages() -> None:
    server = context(SERVER)
    for choice in (KeyChoice.WRAPPED, KeyChoice.ONE_PASS):
        late, early = context(first=9), context(first=3)
        assert server.unprotect(late.wrap(GET, (layer(choice, b""),))).counter == 9
        with pytest.raises(InvocationCounterError):
            server.unprotect(early.wrap(GET, (layer(choice, b""),)))


def test_no_counter_moves_before_every_layer_is_verified() -> None:
    shared = Received()
    client = context()
    inner = bytearray(client.wrap(GET, (signing(),)))
    inner[-1] ^= 1
    honest = client.wrap(bytes(inner), (layer(),))
    server = context(SERVER, received=shared)
    with pytest.raises(SecurityError, match="signature"):
        server.unprotect(honest)
    assert [each.last for each in (shared.unicast, *map(shared.by, OTHER_KEYS[1:]))] == [-1] * 4


def test_one_counter_twice_within_one_message() -> None:
    class Same(InvocationCounter):
        def next(self) -> int:
            return 5

    client = context()
    client._counter = Same(MemoryCounterStore(), "same")
    client._global = client._global._replace(counter=client._counter)
    with pytest.raises(InvocationCounterError):
        context(SERVER).unprotect(client.wrap(GET, (layer(), layer())))


def test_what_is_only_signed_needs_a_rising_transaction_id() -> None:
    client, server = context(), context(SERVER, required=SIGNED)
    assert server.unprotect(client.wrap(GET, (signing((5).to_bytes(8, "big")),))).apdu == GET
    for refused in (b"", b"\5", bytes(8), b"\1" + bytes(7)):
        with pytest.raises(SecurityError, match="may be a replay"):
            server.unprotect(client.wrap(GET, (signing(refused),)))
    assert server.unprotect(client.wrap(GET, (signing(b"\6"),))).apdu == GET


def test_without_it_the_signatures_of_one_association_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "SIGNATURES", 2)
    client, server = context(), context(SERVER, required=SIGNED, dialect=Dialect(any_transaction_id=True))
    first, second, third = (client.wrap(GET, (signing(b""),)) for _ in range(3))
    assert server.unprotect(first).apdu == GET
    with pytest.raises(SecurityError, match="received before"):
        server.unprotect(first)
    assert server.unprotect(second).apdu == GET
    with pytest.raises(SecurityError, match="more than 2 merely signed"):
        server.unprotect(third)


def test_a_signature_in_its_other_form_is_the_same_message() -> None:
    order = suites.of(1).required_curve.order
    octets = made("suite 1, signed")
    server = context(SERVER, required=SIGNED, dialect=Dialect(any_transaction_id=True))
    server.unprotect(octets)
    signature = GeneralSigning.decode(octets).signature
    other = signature[:32] + (order - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")
    with pytest.raises(SecurityError, match="received before"):
        server.unprotect(altered(octets, signature=other))


# -- transactions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [(layer(),), (signing(),), (layer(), signing())])
def test_an_answer_repeats_the_transaction_id(way: tuple[Layer, ...]) -> None:
    need = SIGNED if way == (signing(),) else BOTH
    client, server = pair(required=need)
    sent = client.numbered(way)
    due = sent[0].transaction_id
    assert due is not None
    asked = server.unprotect(client.wrap(GET, sent)) if need is BOTH else None
    wrong = tuple(Layer(each.envelope, transaction_id=b"wrong") for each in way)
    with pytest.raises(SecurityError, match="the answer is to transaction 77726F6E67, due was"):
        client.unprotect(server.wrap(GOT, wrong), due)
    with pytest.raises(SecurityError, match=r"the answer is to transaction \(none\)"):
        client.unprotect(server.wrap(GOT, tuple(Layer(each.envelope, transaction_id=b"") for each in way)), due)
    right = sent if asked is None else asked.layers
    assert client.unprotect(server.wrap(GOT, right), due).apdu == GOT


def test_an_answer_without_a_transaction_is_none_to_another() -> None:
    client, server = pair()
    assert client.unprotect(server.protect(GOT), b"\1").apdu == GOT
    client, server = pair(dialect=Dialect(any_transaction_id=True))
    assert client.unprotect(server.wrap(GOT, (layer(transaction_id=b"other"),)), b"\1").apdu == GOT


def test_a_notification_answers_nothing() -> None:
    client, server = pair()
    pushed = bytes.fromhex("0F0000000000" + "06FFFFFFFF")
    assert client.unprotect(server.wrap(pushed, (layer(),)), b"\1").apdu == pushed


# -- depth -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("most", "count"), [(LAYERS, LAYERS), (LAYERS, LAYERS + 1), (2, 2), (2, 3), (1, 1), (1, 2)])
def test_envelopes_lie_in_one_another_only_so_deep(most: int, count: int) -> None:
    client, server = context(), context(SERVER, layers=most, required=BOTH)
    octets = client.wrap(GET, (layer(),) + (signing(b"\1"),) * (count - 1))
    if count <= most:
        assert len(server.unprotect(octets).layers) == count
    else:
        with pytest.raises(SecurityError, match=f"more than {most} envelopes"):
            server.unprotect(octets)
        assert server.unprotect(client.wrap(GET, (layer(),))).apdu == GET


def test_what_is_inside_is_a_service() -> None:
    client, server = pair()
    signed = GeneralSigning.decode(client.wrap(GET, (signing(),)))
    for content in (b"", b"\x60\x00", b"\xff"):
        unsigned = GeneralSigning(*(signed.transaction_id, CLIENT, SERVER, b"", b"", content, b""))
        made_up = altered(
            unsigned.encode(),
            signature=general_keys(1, CLIENT).signer.sign(unsigned.signed(content_length=False)),  # type: ignore[union-attr]
        )
        with pytest.raises(SecurityError, match="does not belong"):
            context(SERVER, required=SIGNED).unprotect(made_up)
        with pytest.raises(SecurityError, match="does not belong"):
            server.unprotect(client.wrap(made_up, (layer(),)))


# -- broadcast ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "way",
    [
        (layer(KeyChoice.BROADCAST),),
        (Layer(Envelope.SERVICE, key=KeyChoice.BROADCAST),),
        (Layer(Envelope.GENERAL, key=KeyChoice.BROADCAST),),
        (layer(KeyChoice.BROADCAST), signing()),
    ],
)
def test_under_the_broadcast_key_only_unconfirmed_services_with_a_counter_of_their_own(way: tuple[Layer, ...]) -> None:
    shared = Received(unicast=ReceivedCounter(last=1000))
    client, server = context(), context(SERVER, received=shared)
    with pytest.raises(SecurityError, match="unconfirmed"):
        server.unprotect(client.wrap(SET_CONFIRMED, way))
    assert shared.by("broadcast").last == -1
    octets = client.wrap(SET_UNCONFIRMED, way)
    assert server.unprotect(octets).apdu == SET_UNCONFIRMED
    assert shared.by("broadcast").last == 2
    with pytest.raises(InvocationCounterError):
        context(SERVER, received=shared).unprotect(octets)
    with pytest.raises(SecurityError, match="broadcast key"):
        context(SERVER, broadcast_key=None).unprotect(octets)


def test_the_key_set_bit_is_only_for_the_broadcast_key() -> None:
    content = GeneralCiphering.decode(IDENTIFIED).ciphered_content
    with pytest.raises(SecurityError, match="key-set bit"):
        context(SERVER).unprotect(altered(IDENTIFIED, ciphered_content=b"\x71" + content[1:]))
    assert (
        GeneralCiphering.decode(context().wrap(SET_UNCONFIRMED, (layer(KeyChoice.BROADCAST),))).header.control == 0x31
    )


# -- compression -------------------------------------------------------------------------------------------------------

ROWS = b"\xc4\x01\xc1\x00\x01\x40" + bytes.fromhex("0203090C07EA0B14050F0000FF800000110006000003E8") * 64


@pytest.mark.parametrize("way", [WAYS[name] for name in ("general-glo", "identified", "signed, then wrapped")])
@pytest.mark.parametrize("applied", [BOTH, Protection.AUTHENTICATION])
def test_what_is_compressed_is_verified_and_then_let_out(way: tuple[Layer, ...], applied: Protection) -> None:
    client, server = pair(compression=Compression(), required=applied)
    octets = server.wrap(ROWS, way)
    assert len(octets) < len(ROWS) // 2
    assert client.unprotect(octets).apdu == ROWS
    with pytest.raises(SecurityError, match="compressed"):
        context(required=applied).unprotect(octets)
    flipped = bytearray(octets)
    flipped[-1] ^= 1
    with pytest.raises(SecurityError, match="does not verify"):
        context(compression=Compression(), required=applied).unprotect(bytes(flipped))


def test_compression_has_a_largest_output_and_is_left_out_where_it_gains_nothing() -> None:
    server = context(SERVER, compression=Compression())
    octets = server.protect(ROWS, general=True)
    assert len(server.protect(ROWS)) > len(ROWS), "the envelope of a service is left as it is"
    assert context(compression=Compression(), longest=len(ROWS)).unprotect(octets).apdu == ROWS
    with pytest.raises(DecodeError):
        context(compression=Compression(), longest=len(ROWS) - 1).unprotect(octets)
    assert server.protect(GOT, general=True)[11] == 0x31


# -- a module that keeps the keys --------------------------------------------------------------------------------------


class Module:
    """What a hardware module offers: operations, and no key."""

    def __init__(self, suite: int = 1) -> None:
        self._gcm = Gcm(global_key(suite, "encryption"), global_key(suite, "authentication"))
        self.authenticates = True
        self.protect, self.unprotect = self._gcm.protect, self._gcm.unprotect
        self.opening, self.tag = self._gcm.opening, self._gcm.tag


def test_the_global_keys_may_stay_in_a_module() -> None:
    server = context(SERVER)
    client = context(encryption_key=Module(), authentication_key=None, broadcast_key=None, broadcast_counter=None)
    for way in (WAYS["glo"], WAYS["general-glo"], WAYS["identified"], WAYS["signed, then identified"]):
        assert server.unprotect(client.wrap(GET, way)).apdu == GET
        assert client.unprotect(server.wrap(GOT, way)).apdu == GOT
