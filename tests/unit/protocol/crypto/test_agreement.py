"""Key agreement by the worked examples of the standard; sources are named in `tests/vectors/agreement.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cosem.errors import SecurityError
from cosem.protocol.crypto import agreement, suite, wrap
from cosem.protocol.crypto.elliptic import P_256, P_384, PrivateKey, PublicKey, entropy_octets
from cosem.protocol.crypto.key import Key, Secret

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[3] / "vectors" / "agreement.json").read_text())
UNIFIED, ONE_PASS = VECTORS["ephemeral_unified"], VECTORS["one_pass"]
CLIENT, SERVER = (bytes.fromhex(VECTORS["titles"][side]) for side in ("client", "server"))
SUITE_1, SUITE_2 = suite.of(1), suite.of(2)


def octets(vector: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(vector[name])


def test_ephemeral_unified_model() -> None:
    signer = PrivateKey(P_256, octets(UNIFIED, "client_signing_private"))
    assert signer.public.octets == octets(UNIFIED, "client_signing_public")
    sent = octets(UNIFIED, "client_ephemeral_public") + octets(UNIFIED, "client_signature")
    client = agreement.opened(SUITE_1, sent, signer.public, UNIFIED["key_id"])
    server = PrivateKey(P_256, octets(UNIFIED, "server_ephemeral_private"))
    assert server.public.octets == octets(UNIFIED, "server_ephemeral_public")
    agreed = agreement.agreed(SUITE_1, server, client, CLIENT, SERVER)
    assert agreed.equals(octets(UNIFIED, "key"))


@pytest.mark.parametrize("vector", ONE_PASS, ids=lambda vector: "to the " + vector["recipient"])
def test_one_pass(vector: dict[str, Any]) -> None:
    """The originator's signature over its ephemeral key, and the key that the recipient agrees on with it."""
    signer = PrivateKey(P_256, octets(vector, "signing_private")).public
    assert signer.octets == octets(vector, "signing_public")
    ephemeral = octets(vector, "ephemeral_public")
    opened = agreement.opened(SUITE_1, ephemeral + octets(vector, "signature"), signer)
    assert opened.octets == ephemeral
    titles = {"client": CLIENT, "server": SERVER}
    parties = titles[vector["originator"]], titles[vector["recipient"]]
    recipient = PrivateKey(P_256, octets(vector, "agreement_private"))
    assert recipient.public.octets == octets(vector, "agreement_public")
    assert agreement.agreed(SUITE_1, recipient, opened, *parties).equals(octets(vector, "key"))
    if "ephemeral_private" in vector:
        originator = PrivateKey(P_256, octets(vector, "ephemeral_private"))
        assert originator.public.octets == ephemeral
        assert agreement.agreed(SUITE_1, originator, recipient.public, *parties).equals(octets(vector, "key"))


@pytest.mark.parametrize("vector", VECTORS["derivations"], ids=lambda vector: vector["key"][:8])
def test_derived_keys(vector: dict[str, Any]) -> None:
    shared = Secret(octets(vector, "shared"))
    derived = agreement.derive(
        suite.of(vector["suite"]), shared, octets(vector, "originator"), octets(vector, "recipient")
    )
    assert derived.equals(octets(vector, "key"))


def test_suite_2_has_keys_of_32_octets_and_both_sides_agree() -> None:
    one, other = (PrivateKey.from_entropy(P_384, bytes((seed,)) * entropy_octets(P_384)) for seed in (1, 2))
    keys = [
        agreement.agreed(SUITE_2, own, peer.public, CLIENT, SERVER, transaction_id=b"id")
        for own, peer in ((one, other), (other, one))
    ]
    assert keys[0] == keys[1]
    assert len(keys[0]) == 32
    assert keys[0] != agreement.agreed(SUITE_2, one, other.public, CLIENT, SERVER, transaction_id=b"iD")
    assert keys[0] != agreement.agreed(SUITE_2, one, other.public, SERVER, CLIENT, transaction_id=b"id")


def test_what_was_not_signed_by_the_peer_is_refused() -> None:
    signer = PublicKey(P_256, octets(UNIFIED, "client_signing_public"))
    sent = octets(UNIFIED, "client_ephemeral_public") + octets(UNIFIED, "client_signature")
    another_point = octets(ONE_PASS[0], "ephemeral_public") + octets(UNIFIED, "client_signature")
    for altered, key_id in (
        (sent, 1),
        (sent, None),
        (sent[:-1], 0),
        (sent + b"\x00", 0),
        (b"", 0),
        (another_point, 0),
        (sent[:-1] + bytes((sent[-1] ^ 1,)), 0),
    ):
        with pytest.raises(SecurityError):
            agreement.opened(SUITE_1, altered, signer, key_id)


def test_suite_0_agrees_on_nothing_and_curves_do_not_mix() -> None:
    key = PrivateKey.from_entropy(P_256, bytes(entropy_octets(P_256)))
    with pytest.raises(SecurityError, match="no signatures"):
        agreement.agreed(suite.of(0), key, key.public, CLIENT, SERVER)
    with pytest.raises(SecurityError, match="another curve"):
        agreement.agreed(SUITE_2, key, key.public, CLIENT, SERVER)


@pytest.mark.parametrize("vector", VECTORS["key_wrap"], ids=lambda vector: vector["source"])
def test_key_wrap(vector: dict[str, Any]) -> None:
    kek, key = Key(octets(vector, "kek")), Key(octets(vector, "key"))
    assert wrap.wrap(kek, key) == octets(vector, "wrapped")
    assert wrap.unwrap(kek, octets(vector, "wrapped")) == key
