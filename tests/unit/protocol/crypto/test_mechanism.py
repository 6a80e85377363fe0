"""Authentication mechanisms: proofs as others make them, and nothing that a mirror could pass (SEC-08)."""

from __future__ import annotations

import pytest

from cosem import danger
from cosem.errors import ConfigurationError, LocalProtocolError, SecurityError
from cosem.protocol.association.counter import InvocationCounter
from cosem.protocol.association.security import SecurityContext
from cosem.protocol.crypto import mechanism
from cosem.protocol.crypto.elliptic import CURVES, Curve, PrivateKey, entropy_octets
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.mechanism import Challenges, Signatures
from cosem.store.memory import MemoryCounterStore

EK = Key.from_hex("000102030405060708090A0B0C0D0E0F")
AK = Key.from_hex("D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF")
SECRET = Secret(b"ABCDEFGHIJKLMNOP")
CLIENT = bytes.fromhex("4D4D4D0000000001")
SERVER = bytes.fromhex("4D4D4D0000BC614E")
CHALLENGES = Challenges(b"K56iVagYK56iVagY", b"P6wRJ21FP6wRJ21F", CLIENT, SERVER)
WEAK = danger.allow(danger.Weakness.MD5_AUTHENTICATION, danger.Weakness.SHA1_AUTHENTICATION)
HIGH = (3, 4, 5, 6)

# f(StoC) and f(CtoS) as pydlms-client 0.1.0 computes them for these titles, challenges and this secret.
PROOFS = {
    3: ("b33dce62f56d8909004ca5c191d9d75f", None),
    4: ("a5959fc32e400d4d4c81fa968e1ab129fda3bb49", None),
    6: (
        "2f2e09d7aa1a99373cf612cdafb3a012828f4f3730a143edda8948b556c97640",
        "acb43ad434f31e4ed1754dce5d3205428882085d60fbbe6d0d1cccba438a4946",
    ),
}


def security(own: bytes, peer: bytes, authentication_key: Key = AK) -> SecurityContext:
    counter = InvocationCounter(MemoryCounterStore(), "own")
    return SecurityContext(0, own, peer, EK, authentication_key, counter=counter)


OTHER_AK = Key(b"another key, AK?")


@pytest.mark.parametrize("number", PROOFS)
def test_proofs_are_as_a_peer_makes_them(number: int) -> None:
    chosen = mechanism.of(number, WEAK)
    of_client, of_server = PROOFS[number]
    proof = chosen.client_proof(CHALLENGES, SECRET, None)
    assert proof.hex() == of_client
    if of_server is not None:
        assert chosen.server_proof(CHALLENGES, proof, SECRET, None) == bytes.fromhex(of_server)


def test_gmac_proofs_are_those_of_the_standard() -> None:
    gmac = mechanism.of(5)
    challenges = Challenges(b"K56iVagY", b"P6wRJ21F", CLIENT, SERVER)
    proof = gmac.client_proof(challenges, None, security(CLIENT, SERVER))
    assert proof.hex().upper() == "10000000011A52FE7DD3E72748973C1E28"
    of_server = bytes.fromhex("1001234567FE1466AFB3DBCD4F9389E2B7")
    assert gmac.server_proof_holds(challenges, of_server, None, security(CLIENT, SERVER))


@pytest.mark.parametrize("number", HIGH)
def test_each_side_convinces_the_other_and_nobody_else(number: int) -> None:
    chosen = mechanism.of(number, WEAK)
    client, server = security(CLIENT, SERVER), security(SERVER, CLIENT)
    of_client = chosen.client_proof(CHALLENGES, SECRET, client)
    of_server = chosen.server_proof(CHALLENGES, of_client, SECRET, server)
    assert of_server is not None
    assert chosen.server_proof_holds(CHALLENGES, of_server, SECRET, client)
    for wrong in (b"", of_server[:-1], of_server + b"\0", bytes(len(of_server)), of_client):
        assert not chosen.server_proof_holds(CHALLENGES, wrong, SECRET, client)
    fresh = CHALLENGES._replace(client=b"a fresh challenge")
    assert not chosen.server_proof_holds(fresh, of_server, SECRET, client)
    for wrong in (b"", of_client[:-1], of_client + b"\0", bytes(len(of_client)), of_server):
        assert chosen.server_proof(CHALLENGES, wrong, SECRET, server) is None
    of_another = chosen.client_proof(CHALLENGES, Secret(b"guess"), security(CLIENT, SERVER, OTHER_AK))
    assert chosen.server_proof(CHALLENGES, of_another, SECRET, server) is None
    of_stranger = chosen.server_proof(CHALLENGES, of_another, Secret(b"guess"), security(SERVER, CLIENT, OTHER_AK))
    assert of_stranger is not None
    assert not chosen.server_proof_holds(CHALLENGES, of_stranger, SECRET, client)


@pytest.mark.parametrize("number", HIGH)
def test_sec_08_a_mirror_proves_nothing(number: int) -> None:
    chosen = mechanism.of(number, WEAK)
    client = security(CLIENT, SERVER)
    own = chosen.client_proof(CHALLENGES, SECRET, client)
    assert not chosen.server_proof_holds(CHALLENGES, own, SECRET, client)
    for mirrored in (CHALLENGES._replace(server=CHALLENGES.client), CHALLENGES._replace(server_title=CLIENT)):
        with pytest.raises(SecurityError):
            chosen.client_proof(mirrored, SECRET, client)
        with pytest.raises(SecurityError):
            chosen.server_proof_holds(mirrored, own, SECRET, client)


@pytest.mark.parametrize(("size", "accepted"), [(0, False), (7, False), (8, True), (64, True), (65, False)])
@pytest.mark.parametrize("side", ["client", "server"])
def test_sec_08_a_challenge_has_8_to_64_octets(size: int, accepted: bool, side: str) -> None:
    challenge = bytes(range(1, size + 1))
    challenges = CHALLENGES._replace(client=challenge) if side == "client" else CHALLENGES._replace(server=challenge)
    if accepted:
        challenges.check()
    else:
        with pytest.raises(SecurityError, match=f"that of the {side} has {size}"):
            challenges.check()


@pytest.mark.parametrize("number", [5, 6])
def test_mechanisms_that_bind_titles_want_both(number: int) -> None:
    for missing in (CHALLENGES._replace(client_title=b""), CHALLENGES._replace(server_title=b"short")):
        with pytest.raises(SecurityError, match="two system titles"):
            mechanism.of(number).client_proof(missing, SECRET, security(CLIENT, SERVER))


@pytest.mark.parametrize("number", [3, 4])
def test_md5_and_sha1_do_without_titles(number: int) -> None:
    untitled = Challenges(CHALLENGES.client, CHALLENGES.server)
    assert mechanism.of(number, WEAK).client_proof(untitled, SECRET, None).hex() == PROOFS[number][0]


@pytest.mark.parametrize("number", HIGH)
def test_a_proof_wants_its_secret_or_keys(number: int) -> None:
    with pytest.raises(LocalProtocolError, match="needs"):
        mechanism.of(number, WEAK).client_proof(CHALLENGES, None, None)
    with pytest.raises(LocalProtocolError, match="needs"):
        mechanism.of(number, WEAK).server_proof_holds(CHALLENGES, b"", Secret(b""), None)


@pytest.mark.parametrize("number", [0, 1])
def test_low_levels_have_no_proof(number: int) -> None:
    assert not mechanism.of(number).challenges
    with pytest.raises(LocalProtocolError, match="no proof"):
        mechanism.of(number).client_proof(CHALLENGES, SECRET, None)


@pytest.mark.parametrize(("number", "weakness"), [(3, "MD5_AUTHENTICATION"), (4, "SHA1_AUTHENTICATION")])
def test_broken_digests_are_off_by_default(number: int, weakness: str) -> None:
    assert number not in mechanism.MECHANISMS
    with pytest.raises(ConfigurationError, match=weakness):
        mechanism.of(number)
    with pytest.raises(ConfigurationError, match=weakness):
        mechanism.of(number, WEAK - {danger.Weakness[weakness]})
    assert mechanism.of(number, danger.allow(danger.Weakness[weakness])).identifier == number


@pytest.mark.parametrize("number", [-1, 2, 8, 255])
def test_what_is_not_built_in_is_refused_with_what_is(number: int) -> None:
    with pytest.raises(ConfigurationError, match=r"0 \(none\), 1 \(low\), 3 \(md5\), 4 \(sha1\), 5 \(gmac\)"):
        mechanism.of(number, WEAK)


def test_mechanisms_by_name() -> None:
    names = ("none", "low", "gmac", "sha256", "ecdsa")
    assert [mechanism.named(name).identifier for name in names] == [0, 1, 5, 6, 7]
    assert mechanism.named("MD5", WEAK).identifier == 3
    with pytest.raises(ConfigurationError, match="MD5_AUTHENTICATION"):
        mechanism.named("md5")
    with pytest.raises(ConfigurationError, match="none, low, md5, sha1, gmac, sha256, ecdsa"):
        mechanism.named("telepathy")


# -- signatures (7) and the manufacturer's own (2) --------------------------------------------------------------------

LONG = Challenges(bytes(range(32)), bytes(range(32, 64)), CLIENT, SERVER)
KEYS = {
    curve: [PrivateKey.from_entropy(curve, bytes((seed,)) * entropy_octets(curve)) for seed in (1, 2, 3)]
    for curve in CURVES
}


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_signatures_bind_titles_and_challenges_in_the_order_of_the_prover(curve: Curve) -> None:
    client, server, stranger = KEYS[curve]
    ecdsa = mechanism.of(7)
    of_client, of_server = Signatures(client, server.public), Signatures(server, client.public)
    proof = ecdsa.client_proof(LONG, of_client, None)
    client.public.verify(CLIENT + SERVER + LONG.server + LONG.client, proof)
    answer = ecdsa.server_proof(LONG, proof, of_server, None)
    assert answer is not None
    server.public.verify(SERVER + CLIENT + LONG.client + LONG.server, answer)
    assert ecdsa.server_proof_holds(LONG, answer, of_client, None)
    for wrong in (proof, b"", answer[:-1], bytes(len(answer)), stranger.sign(b"anything")):
        assert not ecdsa.server_proof_holds(LONG, wrong, of_client, None)
    assert ecdsa.server_proof(LONG, proof, Signatures(server, stranger.public), None) is None
    assert ecdsa.server_proof(LONG._replace(server=bytes(32)), proof, of_server, None) is None


@pytest.mark.parametrize(("size", "accepted"), [(31, False), (32, True), (64, True), (65, False)])
def test_signatures_want_challenges_of_32_octets_at_least(size: int, accepted: bool) -> None:
    client, server, _ = KEYS[CURVES[0]]
    challenges = LONG._replace(server=bytes(range(100, 100 + size)))
    if accepted:
        mechanism.of(7).client_proof(challenges, Signatures(client, server.public), None)
    else:
        with pytest.raises(SecurityError, match="32 to 64 octets"):
            mechanism.of(7).client_proof(challenges, Signatures(client, server.public), None)


def test_signatures_take_no_password_and_passwords_no_signing_key() -> None:
    client, server, _ = KEYS[CURVES[0]]
    with pytest.raises(LocalProtocolError, match="signing keys"):
        mechanism.of(7).client_proof(LONG, SECRET, None)
    with pytest.raises(LocalProtocolError, match="a secret"):
        mechanism.of(6).client_proof(LONG, Signatures(client, server.public), None)


def test_the_manufacturer_defines_mechanism_2() -> None:
    with pytest.raises(ConfigurationError, match="manufacturer_specific"):
        mechanism.of(2)
    with pytest.raises(LocalProtocolError, match="has no proof"):
        mechanism.MANUFACTURER.client_proof(CHALLENGES, SECRET, None)
    own = mechanism.manufacturer_specific(lambda challenge, secret: bytes(reversed(challenge)) + secret)
    assert (own.identifier, own.challenges, own.secret) == (2, True, True)
    proof = own.client_proof(CHALLENGES, SECRET, None)
    assert proof == bytes(reversed(CHALLENGES.server)) + SECRET.reveal()
    assert own.server_proof(CHALLENGES, proof, SECRET, None) == bytes(reversed(CHALLENGES.client)) + SECRET.reveal()
    assert not own.server_proof_holds(CHALLENGES, proof, SECRET, None)
