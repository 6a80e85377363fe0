"""The table [[association]]: a client with its authentication, its keys and what it may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, cast

from cosem.errors import ConfigurationError
from cosem.io import credentials
from cosem.meter.associations import (
    BY_EITHER_NAMES,
    BY_LOGICAL_NAMES,
    PUBLIC_CLIENT,
    AssociationDescription,
    Keys,
    demo_keys,
)
from cosem.meter.by_companion import CompanionRights, access_of, ciphered, mechanism_of
from cosem.meter.describe.words import devices_of, named
from cosem.meter.device import Meter
from cosem.meter.rights import Access, Rights, Rule
from cosem.protocol.association.context import AssociationLimits, Naming
from cosem.protocol.association.layers import GeneralKeys
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION, Protection
from cosem.protocol.crypto import mechanism as mechanisms
from cosem.protocol.crypto.key import octets_from_hex
from cosem.protocol.crypto.mechanism import MECHANISMS, Mechanism, SharedSecret, Signatures
from cosem.protocol.model.classes.access_control import GREATEST_USER, User
from cosem.protocol.model.companion import Companion
from cosem.protocol.model.rights import AttributeAccess
from cosem.protocol.model.table import Table
from cosem.protocol.values.obis import ObisPattern

PROTECTIONS: Final[Mapping[str, Protection]] = {
    "none": Protection.NONE,
    "auth": Protection.AUTHENTICATION,
    "auth+enc": AUTHENTICATED_ENCRYPTION,
    "auth+enc+sign": AUTHENTICATED_ENCRYPTION | Protection.SIGNATURE,
}
GRANTS: Final[Mapping[str, AttributeAccess]] = {
    "none": AttributeAccess.NONE,
    "read": AttributeAccess.READ,
    "write": AttributeAccess.WRITE,
    "read-write": AttributeAccess.READ_WRITE,
}
NAMINGS: Final[Mapping[str, frozenset[Naming]]] = {
    **{each.value: frozenset((each,)) for each in Naming},
    "+".join(each.value for each in Naming): BY_EITHER_NAMES,
}
DEMO: Final = "demo"


def offer_association(
    meter: Meter,
    table: Table,
    allow_demo_keys: bool,
    known: Companion | None = None,
    limits: AssociationLimits | None = None,
) -> None:
    """Offer the association of one [[association]]; what it leaves out is what a companion says of that client."""
    devices = devices_of(meter, table)
    client = table.integer("client")
    table.name(f"client {client}")
    rule = None if known is None or meter.management not in devices else known.association(client)
    name = table.text("name", "" if rule is None else rule.name)
    mechanism = table.converted("auth", mechanisms.named, MECHANISMS[0] if rule is None else mechanism_of(rule))
    secret = _secret(table, mechanism)
    certificate = table.optional("certificate", credentials.certificate)
    keys = _keys(table, allow_demo_keys)
    protected = AUTHENTICATED_ENCRYPTION if rule is not None and ciphered(rule) else Protection.NONE
    protection = table.converted("protection", named(PROTECTIONS), protected)
    usual = Access.PUBLIC if client == PUBLIC_CLIENT and not mechanism.identifier else Access.READ
    if known is not None and rule is not None:
        usual = access_of(known, rule)
    access = table.converted("access", named({each.value: each for each in Access}), usual)
    naming = table.converted("naming", named(NAMINGS), BY_LOGICAL_NAMES)
    rules = tuple(_rule(each) for each in table.tables("rules"))
    rights = Rights(access, rules)
    if known is not None and rule is not None:
        rights = CompanionRights(access, rules, companion=known, whose=rule.name)
    pdu_size = table.integer("max_receive_pdu_size", 1024)
    window = table.integer("gbt_window", 0)
    pre_established = table.boolean("pre_established", rule is not None and rule.pre_established)
    client_title = table.optional("client_title", octets_from_hex)
    broadcast = table.given("broadcast", _methods) if "broadcast" in table else frozenset[tuple[int, int]]()
    compression = table.boolean("compression", False)
    users = table.given("users", _users) if "users" in table else None
    table.finish()

    def offer() -> None:
        described = AssociationDescription(
            client=client,
            name=name,
            mechanism=mechanism,
            secret=secret,
            certificate=certificate,
            keys=keys,
            protection=protection,
            rights=rights,
            naming=naming,
            max_receive_pdu_size=pdu_size,
            general_block_window=window,
            pre_established=pre_established,
            client_title=client_title,
            broadcast=broadcast,
            users=users,
            compression=compression,
            limits=limits or AssociationLimits(),
        )
        for device in devices:
            device.offer(described)

    table.guarded(offer)


def _secret(table: Table, mechanism: Mechanism) -> SharedSecret | None:
    """Return the password or HLS secret, or the signing keys where the mechanism takes these in its place."""
    if not mechanism.signatures:
        return table.optional("password", credentials.password)
    signing_key = table.converted("signing_key", credentials.private_key)
    return Signatures(signing_key, table.converted("client_signing_key", credentials.public_key))


def _keys(table: Table, allow_demo_keys: bool) -> Keys | None:
    suite = table.integer("suite", 0)
    broadcast, general = table.optional("broadcast_key", credentials.key), _general_keys(table)
    if "keys" in table:
        table.converted("keys", named({DEMO: DEMO}))
        if not allow_demo_keys:
            raise table.refusal("keys", "demo keys protect nothing and must be allowed where the meter is started")
        demo = table.guarded(lambda: demo_keys(suite), "suite")
        return table.guarded(lambda: replace(demo, broadcast=broadcast, general=general))
    encryption = table.optional("encryption_key", credentials.key)
    authentication = table.optional("authentication_key", credentials.key)
    if encryption is None and authentication is None:
        return None
    if encryption is None or authentication is None:
        missing = "encryption_key" if encryption is None else "authentication_key"
        raise table.refusal(missing, "an association has both keys or none")
    return table.guarded(lambda: Keys(encryption, authentication, suite=suite, broadcast=broadcast, general=general))


def _general_keys(table: Table) -> GeneralKeys:
    return GeneralKeys(
        master_key=table.optional("master_key", credentials.key),
        signer=table.optional("signing_key", credentials.private_key),
        peer_signing_key=table.optional("client_signing_key", credentials.public_key),
        agreer=table.optional("agreement_key", credentials.private_key),
        peer_agreement_key=table.optional("client_agreement_key", credentials.public_key),
    )


def _methods(given: object) -> frozenset[tuple[int, int]]:
    """Return classes with a method of each, written as ["8:6"]."""
    texts = cast("list[object]", given) if isinstance(given, list) else [given]
    pairs = [str(text).split(":") for text in texts]
    if not all(len(pair) == 2 and all(part.isdecimal() for part in pair) for pair in pairs):
        raise ConfigurationError('expected a list of classes with a method of each, such as ["8:6"]')
    return frozenset((int(class_id), int(method)) for class_id, method in pairs)


def _users(given: object) -> tuple[User, ...]:
    """Return users, each written as a number and a name."""
    texts = cast("list[object]", given) if isinstance(given, list) else [given]
    pairs = [str(text).split(maxsplit=1) for text in texts]
    if not all(len(pair) == 2 and pair[0].isdecimal() and int(pair[0]) <= GREATEST_USER for pair in pairs):
        raise ConfigurationError('expected a list of users, each a number up to 255 and a name, such as ["1 Ann"]')
    return tuple(User(int(number), name) for number, name in pairs)


def _rule(table: Table) -> Rule:
    objects = table.converted("objects", ObisPattern)
    access = table.converted("access", named(GRANTS))
    attribute = table.optional_integer("attribute")
    table.finish()
    return Rule(objects, access, attribute)
