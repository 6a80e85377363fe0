"""The keys of `vectors/general.json`, as each of the two parties there has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cosem.protocol.association.layers import GeneralKeys
from cosem.protocol.crypto import suite as suites
from cosem.protocol.crypto.elliptic import PrivateKey, PublicKey
from cosem.protocol.crypto.key import Key

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "vectors" / "general.json").read_text("utf-8"))
ORIGINATOR, RECIPIENT = bytes.fromhex(VECTORS["originator"]), bytes.fromhex(VECTORS["recipient"])


def global_key(suite: int, name: str) -> Key:
    """Return the `encryption`, `authentication`, `broadcast` or `master` key of a suite."""
    return Key.from_hex(VECTORS["keys"][str(suite)][name])


def general_keys(suite: int, own: bytes, **changes: Any) -> GeneralKeys:
    """Return the keys that the party with this system title has in a suite."""
    has: dict[str, Any] = {"master_key": global_key(suite, "master")}
    if suite:
        given, curve = VECTORS["keys"][str(suite)], suites.of(suite).required_curve
        mine, other = ("originator", "recipient") if own == ORIGINATOR else ("recipient", "originator")
        has |= {
            "signer": PrivateKey(curve, bytes.fromhex(given[mine]["signing"]["private"])),
            "agreer": PrivateKey(curve, bytes.fromhex(given[mine]["agreement"]["private"])),
            "peer_signing_key": PublicKey(curve, bytes.fromhex(given[other]["signing"]["public"])),
            "peer_agreement_key": PublicKey(curve, bytes.fromhex(given[other]["agreement"]["public"])),
        }
    return GeneralKeys(**(has | changes))
