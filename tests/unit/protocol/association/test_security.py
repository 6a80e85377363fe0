"""The security context against published vectors, and against everything an attacker may send it (SEC-01 to SEC-04)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosem import danger
from cosem.errors import ConfigurationError, DecodeError, LocalProtocolError, SecurityError
from cosem.protocol.apdu.ciphered import SecurityControl
from cosem.protocol.association.counter import InvocationCounter, ReceivedCounter
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION, Protection, SecurityContext
from cosem.protocol.crypto.key import Key
from cosem.protocol.dialect import Dialect
from cosem.store.memory import MemoryCounterStore

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "vectors" / "security.json").read_text(encoding="utf-8")
)
EK = Key.from_hex(VECTORS["keys"]["encryption"])
AK = Key.from_hex(VECTORS["keys"]["authentication"])
OTHER = Key.from_hex("00112233445566778899AABBCCDDEEFE")
CLIENT = bytes.fromhex("4D4D4D0000000001")
SERVER = bytes.fromhex("4D4D4D0000BC614E")
UNVERIFIED = danger.allow(danger.Weakness.UNVERIFIED_CIPHERTEXT)
GET = bytes.fromhex("C0010000080000010000FF0200")
RESPONSE = bytes.fromhex("C401C1000600BC614E")
BOTH = AUTHENTICATED_ENCRYPTION

Pair = Callable[..., tuple[SecurityContext, SecurityContext]]


def counter(first: int = 1) -> InvocationCounter:
    store = MemoryCounterStore()
    store.raise_to("own", first)
    return InvocationCounter(store, "own")


def context(
    own: bytes = CLIENT,
    peer: bytes | None = SERVER,
    *,
    key: Key = EK,
    authentication_key: Key | None = AK,
    first: int = 1,
    suite: int = 0,
    **settings: Any,
) -> SecurityContext:
    return SecurityContext(suite, own, peer, key, authentication_key, counter=counter(first), **settings)


def pair(**settings: Any) -> tuple[SecurityContext, SecurityContext]:
    return context(**settings), context(SERVER, CLIENT, **settings)


# -- published vectors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", VECTORS["protected"], ids=lambda case: case["name"])
def test_vector_is_protected(case: dict[str, Any]) -> None:
    sender = context(
        bytes.fromhex(case["title"]),
        CLIENT,
        first=case["counter"],
        required=Protection(case["protection"]),
        permitted=UNVERIFIED,
    )
    assert sender.protect(bytes.fromhex(case["plain"])).hex().upper() == case["envelope"]


@pytest.mark.parametrize("case", VECTORS["protected"], ids=lambda case: case["name"])
def test_vector_is_unprotected(case: dict[str, Any]) -> None:
    receiver = context(
        CLIENT, bytes.fromhex(case["title"]), required=Protection(case["protection"]), permitted=UNVERIFIED
    )
    opened = receiver.unprotect(bytes.fromhex(case["envelope"]))
    assert opened.apdu.hex().upper() == case["plain"]
    assert opened.protection == case["protection"]
    assert opened.counter == case["counter"]
    assert opened.system_title.hex().upper() == case["title"]


@pytest.mark.parametrize("case", VECTORS["gmac_proofs"], ids=lambda case: case["name"])
def test_vector_of_a_gmac_proof(case: dict[str, Any]) -> None:
    title, challenge, proof = (bytes.fromhex(case[name]) for name in ("title", "challenge", "proof"))
    other = CLIENT if title == SERVER else SERVER
    assert context(title, other, first=case["counter"]).gmac_proof(challenge) == proof
    context(other, title).check_gmac_proof(challenge, proof)


def test_vector_truncated_or_extended_is_refused_at_every_length() -> None:
    whole = bytes.fromhex(VECTORS["protected"][2]["envelope"])
    for size in range(len(whole)):
        with pytest.raises((DecodeError, SecurityError)):
            context().unprotect(whole[:size])
    with pytest.raises(DecodeError):
        context().unprotect(whole + b"\0")


def test_vector_with_any_bit_flipped_is_refused() -> None:
    whole = bytes.fromhex(VECTORS["protected"][2]["envelope"])
    for place in range(len(whole)):
        for bit in range(8):
            altered = bytearray(whole)
            altered[place] ^= 1 << bit
            if altered[0] == 0xD8:
                # One bit makes it an exception-response in clear, which is let through as what it is.
                assert context().unprotect(bytes(altered)).protection is Protection.NONE
                continue
            with pytest.raises((DecodeError, SecurityError)):
                context().unprotect(bytes(altered))


# -- envelopes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "globally", "dedicated"),
    [
        (0x01, 0x21, 0x41),
        (0x05, 0x25, 0x45),
        (0x06, 0x26, 0x46),
        (0x08, 0x28, 0x48),
        (0x0C, 0x2C, 0x4C),
        (0x0D, 0x2D, 0x4D),
        (0x0E, 0x2E, 0x4E),
        (0x16, 0x36, 0x56),
        (0x18, 0x38, 0x58),
        (0xC0, 0xC8, 0xD0),
        (0xC1, 0xC9, 0xD1),
        (0xC2, 0xCA, 0xD2),
        (0xC3, 0xCB, 0xD3),
        (0xC4, 0xCC, 0xD4),
        (0xC5, 0xCD, 0xD5),
        (0xC7, 0xCF, 0xD7),
        (0x0F, 0xDB, 0xDC),
        (0xD8, 0xDB, 0xDC),
        (0xD9, 0xDB, 0xDC),
        (0xDA, 0xDB, 0xDC),
    ],
)
@pytest.mark.parametrize("general", [False, True])
def test_every_service_has_its_envelopes(service: int, globally: int, dedicated: int, general: bool) -> None:
    client, server = pair(dedicated_key=OTHER, general=general)
    apdu = bytes((service, 1, 0xC1, 0))
    for under, tag in ((False, 0xDB if general else globally), (True, 0xDC if general else dedicated)):
        envelope = client.protect(apdu, dedicated=under)
        assert envelope[0] == tag
        assert server.unprotect(envelope).apdu == apdu


@pytest.mark.parametrize("tag", [0x60, 0x61, 0x62, 0xC8, 0xDB, 0xE0, 0xFF])
def test_other_apdus_are_never_put_in_an_envelope(tag: int) -> None:
    with pytest.raises(LocalProtocolError):
        context().protect(bytes((tag, 0)))
    with pytest.raises(LocalProtocolError):
        context().protect(b"")


@pytest.mark.parametrize("size", [0, 100, 110, 111, 127, 128, 238, 239, 240, 65_000, 70_000])
def test_lengths_of_every_size(size: int) -> None:
    client, server = pair()
    apdu = b"\xc4" + bytes(size)
    assert server.unprotect(client.protect(apdu)).apdu == apdu


def test_a_general_envelope_carries_the_title_and_introduces_its_sender() -> None:
    client, server = context(), context(SERVER, None)
    with pytest.raises(SecurityError, match="not known"):
        server.unprotect(client.protect(GET))
    opened = server.unprotect(client.protect(GET, general=True))
    assert opened.system_title == CLIENT
    assert server.peer_title == CLIENT
    assert server.unprotect(client.protect(GET)).apdu == GET


def test_a_general_envelope_may_leave_out_a_title_that_is_known_where_the_dialect_says_so() -> None:
    envelope = context().protect(GET, general=True)
    without = envelope[:1] + b"\0" + envelope[10:]
    dialect = Dialect(empty_system_title=True)
    with pytest.raises(SecurityError, match="without octets"):
        context(SERVER, CLIENT).unprotect(without)
    server = context(SERVER, CLIENT, dialect=dialect)
    assert server.unprotect(without).system_title == CLIENT
    assert server.tolerated == {"empty_system_title": 1}
    with pytest.raises(SecurityError, match="not known"):
        context(SERVER, None, dialect=dialect).unprotect(without)
    with pytest.raises(SecurityError, match="does not verify"):
        context(SERVER, b"COS12345", dialect=dialect).unprotect(without)


def test_a_protection_is_called_by_the_bits_of_the_security_control_octet() -> None:
    assert int(Protection.AUTHENTICATION) == SecurityControl.AUTHENTICATION
    assert int(Protection.ENCRYPTION) == SecurityControl.ENCRYPTION


def test_a_stranger_is_not_remembered_before_it_is_verified() -> None:
    server = context(SERVER, None)
    with pytest.raises(SecurityError):
        server.unprotect(context(key=OTHER).protect(GET, general=True))
    assert server.peer_title is None


def test_a_general_envelope_of_somebody_else_is_refused() -> None:
    with pytest.raises(SecurityError, match="this association is with"):
        context(SERVER, CLIENT).unprotect(context(b"COS12345").protect(GET, general=True))


def test_our_own_message_coming_back_is_refused() -> None:
    client = context()
    with pytest.raises(SecurityError, match="our own"):
        client.unprotect(client.protect(GET, general=True))
    with pytest.raises(SecurityError, match="does not verify"):
        client.unprotect(client.protect(GET))


@pytest.mark.parametrize(
    "octets",
    [
        "",
        "C8",
        "C800",
        "C80430000000",
        "C8053000000001",
        "C880",
        "C881",
        "C88500000000053000000001",
        "C8840000001F3001234567",
        "C8FF",
        "DB",
        "DB00",
        "DB07" + "00" * 20,
        "DB09" + "00" * 20,
        "DB084D4D4D0000BC614E",
    ],
)
def test_malformed_envelopes_raise_our_errors(octets: str) -> None:
    with pytest.raises((DecodeError, SecurityError)):
        context().unprotect(bytes.fromhex(octets))


@given(st.binary(max_size=60))
def test_no_octets_raise_anything_else(octets: bytes) -> None:
    for receiver in (context(), context(peer=None, required=Protection.NONE, dedicated_key=OTHER)):
        for start in (b"", b"\xcc", b"\xdb\x08" + SERVER, b"\xdc\x08" + SERVER):
            try:
                receiver.unprotect(start + octets)
            except (DecodeError, SecurityError):
                continue


# -- SEC-01: nothing weaker than required -----------------------------------------------------------------------------


def test_sec_01_an_apdu_in_clear_is_refused() -> None:
    receiver = context()
    for refused in (1, 2, 3):
        with pytest.raises(SecurityError, match="in clear"):
            receiver.unprotect(RESPONSE)
        assert receiver.refused == refused


@pytest.mark.parametrize("apdu", ["D8010206", "0E010601"])
def test_sec_01_an_error_in_clear_passes_as_unprotected(apdu: str) -> None:
    opened = context().unprotect(bytes.fromhex(apdu))
    assert opened.protection is Protection.NONE


def test_sec_01_in_clear_is_right_where_nothing_is_required() -> None:
    opened = context(required=Protection.NONE).unprotect(RESPONSE)
    assert (opened.apdu, opened.protection) == (RESPONSE, Protection.NONE)


@pytest.mark.parametrize("required", [Protection.NONE, Protection.AUTHENTICATION, Protection.ENCRYPTION, BOTH])
@pytest.mark.parametrize("applied", [Protection.AUTHENTICATION, Protection.ENCRYPTION, BOTH])
@pytest.mark.parametrize("permitted", [danger.NOTHING, UNVERIFIED])
def test_sec_01_protection_must_contain_what_is_required(
    required: Protection, applied: Protection, permitted: frozenset[danger.Weakness]
) -> None:
    sender = context(SERVER, CLIENT, required=applied, permitted=UNVERIFIED)
    if required is Protection.ENCRYPTION and not permitted:
        with pytest.raises(ConfigurationError, match="UNVERIFIED_CIPHERTEXT"):
            context(required=required, permitted=permitted)
        return
    receiver = context(required=required, permitted=permitted)
    enough = applied & required == required
    verifiable = bool(applied & Protection.AUTHENTICATION) or bool(permitted)
    if enough and verifiable:
        assert receiver.unprotect(sender.protect(RESPONSE)).protection == applied
    else:
        with pytest.raises(SecurityError, match="refused undecrypted"):
            receiver.unprotect(sender.protect(RESPONSE))


# -- SEC-02: the sender does not choose -------------------------------------------------------------------------------


@pytest.mark.parametrize("control", sorted(set(range(256)) - {0x30}))
def test_sec_02_only_the_agreed_security_control_is_let_in(control: int) -> None:
    sender = context(SERVER, CLIENT)
    envelope = bytearray(sender.protect(RESPONSE))
    envelope[2] = control
    with pytest.raises(SecurityError, match="refused undecrypted"):
        context().unprotect(bytes(envelope))


@pytest.mark.parametrize(
    ("control", "reason"),
    [
        (0xB0, "compressed"),
        (0x31, "security suite 1"),
        (0x3F, "security suite 15"),
        (0x70, "broadcast key"),
        (0x20, "has encryption, required is authentication and encryption"),
        (0x00, "has no protection"),
    ],
)
def test_sec_02_the_refusal_says_why(control: int, reason: str) -> None:
    envelope = bytearray(context(SERVER, CLIENT).protect(RESPONSE))
    envelope[2] = control
    with pytest.raises(SecurityError, match=reason):
        context().unprotect(bytes(envelope))


@pytest.mark.parametrize("size", range(17))
def test_sec_02_the_tag_has_twelve_octets_and_no_other_number(size: int) -> None:
    # A tag alone, around an empty plaintext: the only envelope in which a shorter tag could hide.
    whole = context(SERVER, CLIENT, required=Protection.AUTHENTICATION).protect(RESPONSE)
    plain_and_tag = (whole[7:] + bytes(16))[: len(RESPONSE) + size]
    envelope = whole[:1] + bytes((5 + len(plain_and_tag),)) + whole[2:7] + plain_and_tag
    receiver = context(required=Protection.AUTHENTICATION)
    if size == 12:
        assert receiver.unprotect(envelope).apdu == RESPONSE
    else:
        with pytest.raises(SecurityError):
            receiver.unprotect(envelope)


@pytest.mark.parametrize("wrong", ["encryption key", "authentication key", "title"])
def test_sec_02_any_other_key_or_title_fails(wrong: str) -> None:
    sender = context(
        b"COS12345" if wrong == "title" else SERVER,
        CLIENT,
        key=OTHER if wrong == "encryption key" else EK,
        authentication_key=OTHER if wrong == "authentication key" else AK,
    )
    with pytest.raises(SecurityError, match="does not verify"):
        context().unprotect(sender.protect(RESPONSE))


def test_sec_02_an_envelope_holds_the_service_it_names() -> None:
    sender, receiver = context(SERVER, CLIENT), context()
    # Relabelled by whoever is in between: the tag of the envelope is not authenticated.
    relabelled = b"\xcd" + sender.protect(RESPONSE)[1:]
    with pytest.raises(SecurityError, match="does not belong"):
        receiver.unprotect(relabelled)


def test_without_an_authentication_key_nothing_is_read_by_default() -> None:
    envelope = context(SERVER, CLIENT).protect(RESPONSE)
    with pytest.raises(ConfigurationError, match="needs an authentication key"):
        context(authentication_key=None)
    with pytest.raises(SecurityError, match="refused undecrypted"):
        context(authentication_key=None, required=Protection.NONE).unprotect(envelope)


def test_without_an_authentication_key_danger_reads_and_says_what_it_did_not_verify() -> None:
    receiver = context(authentication_key=None, required=Protection.ENCRYPTION, permitted=UNVERIFIED)
    opened = receiver.unprotect(context(SERVER, CLIENT).protect(RESPONSE))
    assert (opened.apdu, opened.protection) == (RESPONSE, Protection.ENCRYPTION)
    with pytest.raises(SecurityError, match="does not belong"):
        receiver.unprotect(context(SERVER, CLIENT, key=OTHER).protect(RESPONSE))


# -- SEC-03 and SEC-04: counters --------------------------------------------------------------------------------------


def test_sec_03_a_counter_must_be_greater_than_every_one_before() -> None:
    sender, receiver = context(SERVER, CLIENT), context()
    first, second, third = (sender.protect(RESPONSE) for _ in range(3))
    assert receiver.unprotect(second).counter == 2
    for old in (first, second):
        with pytest.raises(SecurityError, match="used before"):
            receiver.unprotect(old)
    assert receiver.unprotect(third).counter == 3


def test_sec_03_what_was_received_outlives_the_association() -> None:
    envelope = context(SERVER, CLIENT).protect(RESPONSE)
    received = ReceivedCounter()
    context(received=received).unprotect(envelope)
    with pytest.raises(SecurityError, match="used before"):
        context(received=received).unprotect(envelope)


def test_sec_03_each_key_has_its_own_received_counter() -> None:
    server = context(SERVER, CLIENT, first=100, broadcast_key=Key(b"broadcast key 16"))
    client = context()
    client.use_dedicated(OTHER)
    server.use_dedicated(OTHER, counter(1))
    assert client.unprotect(server.protect(RESPONSE)).counter == 100
    assert client.unprotect(server.protect(RESPONSE, dedicated=True)).counter == 1


@pytest.mark.parametrize("edge", [0, 1 << 31, 0xFFFF_FFFF])
def test_sec_03_edge_counters_are_accepted(edge: int) -> None:
    whole = context(SERVER, CLIENT, first=max(edge, 1)).protect(RESPONSE)
    assert context().unprotect(whole).counter == max(edge, 1)


def test_sec_04_a_forged_counter_moves_nothing() -> None:
    sender, receiver = context(SERVER, CLIENT), context()
    honest = sender.protect(RESPONSE)
    forged = bytearray(honest)
    forged[3:7] = b"\xff\xff\xff\xff"
    with pytest.raises(SecurityError, match="does not verify"):
        receiver.unprotect(bytes(forged))
    assert receiver.unprotect(honest).counter == 1


def test_sec_04_an_unverified_counter_moves_nothing() -> None:
    receiver = context(authentication_key=None, required=Protection.ENCRYPTION, permitted=UNVERIFIED)
    receiver.unprotect(context(SERVER, CLIENT, first=1000).protect(RESPONSE))
    assert receiver.unprotect(context(SERVER, CLIENT).protect(RESPONSE)).counter == 1


def test_sec_06_each_message_takes_a_counter_of_its_own() -> None:
    client = context()
    challenge = b"P6wRJ21F"
    taken = [client.protect(GET)[3:7], client.gmac_proof(challenge)[1:5], client.protect(GET)[3:7]]
    client.use_dedicated(OTHER)
    taken.append(client.protect(GET, dedicated=True)[3:7])
    assert taken == [value.to_bytes(4, "big") for value in (1, 2, 3, 4)]


# -- SEC-12: broadcast ------------------------------------------------------------------------------------------------


def broadcast(apdu: bytes) -> bytes:
    """Return `apdu` as a holder of the broadcast key sends it."""
    from cosem.protocol.crypto.gcm import Gcm, nonce

    protected = Gcm(OTHER, AK).protect(0x70, nonce(CLIENT, 7), apdu)
    tag = {0xC0: 0xC8, 0xC1: 0xC9, 0xC2: 0xCA, 0xC3: 0xCB}[apdu[0]]
    return bytes((tag, 5 + len(protected), 0x70)) + (7).to_bytes(4, "big") + protected


def test_sec_12_broadcast_is_off_by_default() -> None:
    with pytest.raises(SecurityError, match="broadcast key"):
        context(SERVER, CLIENT).unprotect(broadcast(bytes.fromhex("C3010100")))


@pytest.mark.parametrize(("apdu", "accepted"), [("C3010100", True), ("C3014100", False), ("C0014100", False)])
def test_sec_12_only_unconfirmed_services_are_let_in(apdu: str, accepted: bool) -> None:
    server = context(SERVER, CLIENT, broadcast_key=OTHER)
    if accepted:
        assert server.unprotect(broadcast(bytes.fromhex(apdu))).apdu.hex().upper() == apdu
    else:
        with pytest.raises(SecurityError, match="unconfirmed"):
            server.unprotect(broadcast(bytes.fromhex(apdu)))


# -- titles, keys and proofs ------------------------------------------------------------------------------------------


def test_sec_08_the_peer_cannot_be_ourselves_nor_change() -> None:
    with pytest.raises(SecurityError, match="our own"):
        context(peer=CLIENT)
    known = context()
    known.meet(SERVER)
    with pytest.raises(SecurityError, match="expected was"):
        known.meet(b"COS12345")
    with pytest.raises(SecurityError, match="8 octets"):
        context(peer=None).meet(b"short")


@pytest.mark.parametrize(
    "alter",
    [
        lambda proof: proof[:-1],
        lambda proof: proof + b"\0",
        lambda proof: b"\x30" + proof[1:],
        lambda proof: b"\x11" + proof[1:],
        lambda proof: proof[:4] + b"\x02" + proof[5:],
        lambda proof: proof[:-1] + bytes((proof[-1] ^ 1,)),
        lambda proof: b"",
    ],
)
def test_sec_08_an_altered_proof_is_refused(alter: Callable[[bytes], bytes]) -> None:
    challenge = b"K56iVagY"
    proof = context(SERVER, CLIENT).gmac_proof(challenge)
    client = context()
    with pytest.raises(SecurityError):
        client.check_gmac_proof(challenge, alter(proof))
    with pytest.raises(SecurityError):
        client.check_gmac_proof(b"another challenge", proof)
    client.check_gmac_proof(challenge, proof)


def test_a_proof_may_be_older_than_its_envelope_but_what_follows_may_not_be_older_than_it() -> None:
    challenge = b"K56iVagY"
    server, client = context(SERVER, CLIENT), context()
    proof, envelope = server.gmac_proof(challenge), server.protect(RESPONSE)
    client.unprotect(envelope)
    client.check_gmac_proof(challenge, proof)
    client.check_gmac_proof(challenge, context(SERVER, CLIENT, first=50).gmac_proof(challenge))
    with pytest.raises(SecurityError, match="used before"):
        client.unprotect(server.protect(RESPONSE))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"own": b"short"}, "system title has 8 octets"),
        ({"suite": 3}, "no security suite 3"),
        ({"suite": 2}, "keys of 32 octets"),
        ({"key": Key(bytes(range(32)))}, "keys of 16 octets"),
        ({"authentication_key": Key(bytes(range(32)))}, "keys of 16 octets"),
        ({"dedicated_key": Key(bytes(range(32)))}, "keys of 16 octets"),
    ],
)
def test_what_does_not_fit_is_refused_at_the_door(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        context(**settings)


@pytest.mark.parametrize(("suite", "size"), [(0, 16), (1, 16), (2, 32)])
def test_every_suite_with_its_key_length(suite: int, size: int) -> None:
    client, server = pair(suite=suite, key=Key(bytes(range(size))), authentication_key=Key(bytes(range(7, size + 7))))
    envelope = client.protect(GET)
    assert envelope[2] == 0x30 | suite
    assert server.unprotect(envelope).apdu == GET


def test_without_a_dedicated_key_none_is_used() -> None:
    with pytest.raises(LocalProtocolError, match="dedicated"):
        context().protect(GET, dedicated=True)
    client, server = context(dedicated_key=OTHER), context(SERVER, CLIENT)
    with pytest.raises(SecurityError, match="dedicated"):
        server.unprotect(client.protect(GET, dedicated=True))


def test_a_context_without_protection_protects_nothing() -> None:
    with pytest.raises(LocalProtocolError, match="without protection"):
        context(required=Protection.NONE).protect(GET)
