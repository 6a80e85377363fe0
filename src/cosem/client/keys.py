"""Giving a meter new keys by its security set-up, so that they are kept on our side before the meter can use them.

The running association goes on under the keys that it was opened with; the next one is opened with the new ones. An
answer may be lost on the way: a client then tries both, the old keys and those that it kept (`crypto.ring.candidates`).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from cosem.client.access import Access
from cosem.client.services import Services
from cosem.errors import ConfigurationError, RemoteProtocolError
from cosem.protocol.crypto import agreement, wrap
from cosem.protocol.crypto import suite as suites
from cosem.protocol.crypto.elliptic import PrivateKey, entropy_octets
from cosem.protocol.crypto.key import Key
from cosem.protocol.model.classes.access_control import (
    AssociationLN,
    KeyAgreementData,
    KeyId,
    KeyTransferData,
    SecuritySetup,
    SecuritySetupCommon,
    SecuritySetupVersion0,
)
from cosem.protocol.values.obis import Obis

NewKeys: TypeAlias = Mapping[KeyId, Key]
Keep: TypeAlias = Callable[[NewKeys], object]
"""Makes new keys durable; what it raises ends the change."""


async def transfer_keys(
    services: Services, entry: Access, keys: NewKeys, keep: Keep, setup: SecuritySetupCommon | None
) -> None:
    """Keep `keys`, then give them to the meter, each wrapped under the master key."""
    master = entry.keys.master_key
    if master is None:
        raise ConfigurationError("keys are transferred under the master key (master_key, --master-key)")
    wanted = suites.of(entry.suite).key_octets
    if not keys or any(len(key) != wanted for key in keys.values()):
        raise ConfigurationError(f"one new key at least, and in security suite {entry.suite} of {wanted} octets each")
    items = tuple(KeyTransferData(KeyId(key_id), wrap.wrap(master, key)) for key_id, key in keys.items())
    place = await _setup(services, setup)
    by = (
        place.global_key_transfer
        if isinstance(place, SecuritySetupVersion0)
        else SecuritySetup(place.instance).key_transfer
    )
    keep(keys)
    await services.act(by, items)


async def agree_keys(
    services: Services,
    entry: Access,
    key_ids: Iterable[KeyId],
    keep: Keep,
    setup: SecuritySetupCommon | None,
    entropy: Callable[[int], bytes] = secrets.token_bytes,
) -> dict[KeyId, Key]:
    """Agree on keys with the meter by the ephemeral unified model, keep them, and return them."""
    suite, negotiated = suites.of(entry.suite), services.exchange.negotiated
    signer, peer = entry.keys.signer, entry.keys.peer_signing_key
    if suite.curve is None or signer is None or peer is None:
        raise ConfigurationError(
            "keys are agreed on in suites 1 and 2, with our private signing key and the meter's public one "
            "(signing_key, --signing-key and peer_signing_key, --peer-signing-key)"
        )
    server = entry.meter_title if negotiated is None else negotiated.peer_title
    if entry.system_title is None or server is None:
        raise ConfigurationError("keys are agreed on between two system titles, and one of them is not known")
    wanted = tuple(KeyId(each) for each in key_ids)
    if not wanted or KeyId.MASTER in wanted:
        raise ConfigurationError("encryption, broadcast and authentication keys are agreed on, the master key is not")
    own = {key_id: PrivateKey.from_entropy(suite.curve, entropy(entropy_octets(suite.curve))) for key_id in wanted}
    items = tuple(KeyAgreementData(each, agreement.signed(key.public, signer, each)) for each, key in own.items())
    place = await _setup(services, setup)
    answers = await services.act(SecuritySetup(place.instance).key_agreement, items)
    if [each.key_id for each in answers] != list(own):
        raise RemoteProtocolError("the meter answers an agreement on other keys than it was asked for")
    keys: dict[KeyId, Key] = {}
    for answer in answers:
        theirs = agreement.opened(suite, answer.key_data, peer, answer.key_id)
        keys[answer.key_id] = agreement.agreed(suite, own[answer.key_id], theirs, entry.system_title, server)
    keep(keys)
    return keys


async def _setup(services: Services, given: SecuritySetupCommon | None) -> SecuritySetupCommon:
    """Return the security set-up: the one given, or that of the running association."""
    if given is not None:
        return given
    instance: Obis | str | bytes | None = await services.get(AssociationLN().security_setup_reference)
    return SecuritySetup(instance)
