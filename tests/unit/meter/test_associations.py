"""Associations as they are described: what cannot be, keys, and the counters that come with them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from cosem.errors import ConfigurationError
from cosem.meter import (
    Access,
    AssociationDescription,
    Keys,
    Meter,
    Rights,
)
from cosem.protocol.association.security import Protection
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.mechanism import named
from cosem.store.memory import MemoryCounterStore

NOW = datetime(2024, 5, 6, tzinfo=UTC)
KEYS = (
    Key(bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C")),
    Key(bytes.fromhex("603DEB1015CA71BE2B73AEF0857D7781")),
)
SECRET = Secret(b"open sesame")


def meter(**words: Any) -> Meter:
    return Meter("KFM1020012345678", clock=lambda: NOW, **words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"client": 0}, "1 to 127"),
        ({"client": 128}, "1 to 127"),
        ({"client": 1, "mechanism": named("low")}, "needs a password"),
        ({"client": 1, "mechanism": named("sha256")}, "needs a password or secret"),
        ({"client": 1, "mechanism": named("gmac")}, "needs keys"),
        ({"client": 1, "protection": Protection.AUTHENTICATION}, "protection needs keys"),
        ({"client": 1, "keys": Keys(*KEYS), "protection": Protection.ENCRYPTION}, "encryption without authentication"),
        ({"client": 1, "max_receive_pdu_size": 63}, "max_receive_pdu_size"),
        ({"client": 1, "max_receive_pdu_size": 65536}, "max_receive_pdu_size"),
        ({"client": 1, "general_block_window": -1}, "1 to 63 blocks"),
        ({"client": 1, "general_block_window": 64}, "1 to 63 blocks"),
    ],
)
def test_associations_that_cannot_be(words: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        AssociationDescription(**words)


def test_keys_that_protect_nothing_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="printed in manuals"):
        Keys(Key(bytes(range(16))), KEYS[1])
    with pytest.raises(ConfigurationError, match="must not be the same"):
        Keys(KEYS[0], KEYS[0])
    with pytest.raises(ConfigurationError, match="16 octets"):
        Keys(Key(bytes(range(31)) + b"x"), KEYS[1])


def test_keys_that_live_longer_than_their_counters_are_refused() -> None:
    described = AssociationDescription(client=1, mechanism=named("gmac"), keys=Keys(*KEYS))
    with pytest.raises(ConfigurationError, match="counter store"):
        meter().offer(described)
    meter(counters=MemoryCounterStore()).offer(described)
    meter().offer(AssociationDescription(client=1, mechanism=named("gmac"), keys=Keys.random()))


def test_no_repr_shows_a_secret() -> None:
    described = AssociationDescription(
        client=1, mechanism=named("low"), secret=SECRET, keys=Keys(*KEYS), rights=Rights(Access.READ)
    )
    shown = repr(described) + repr(meter()) + repr(described.policy(b"12345678", meter().counters, 1))
    for secret in (b"open sesame", *(key.reveal() for key in KEYS)):
        assert secret.hex() not in shown.lower()
        assert repr(secret) not in shown
    assert "open sesame" not in shown


def test_received_counters_are_remembered_only_of_those_who_have_the_key() -> None:
    made = meter(counters=MemoryCounterStore())
    keys = Keys(*KEYS)
    for number in range(100):
        made.counters.received(keys, number.to_bytes(8, "big"))
    first = made.counters.received(keys, b"12345678")
    assert made.counters.last(keys) == 0
    first.accept(41)
    del first
    assert made.counters.last(keys) == 41
    assert made.counters.received(keys, b"12345678").last == 41
    made.keep()
    assert made.counters.received(keys, (5).to_bytes(8, "big")).last == -1


def test_received_counters_survive_a_restart() -> None:
    store, keys = MemoryCounterStore(), Keys(*KEYS)
    before = meter(counters=store)
    before.counters.received(keys, b"12345678").accept(41)
    before.keep()
    after = meter(counters=store)
    assert after.counters.received(keys, b"12345678").last == 41
