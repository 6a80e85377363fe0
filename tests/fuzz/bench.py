"""Both engines of an association that is open from the beginning, with counters that a harness can look at."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from cosem.protocol.apdu.get import AttributeDescriptor, GetResponseNormal
from cosem.protocol.association.admission import ServerPolicy
from cosem.protocol.association.client import ClientAssociation
from cosem.protocol.association.context import AssociationLimits, ClientSettings, Naming, PreEstablished
from cosem.protocol.association.counter import InvocationCounter
from cosem.protocol.association.layers import GeneralKeys, Received
from cosem.protocol.association.security import Protection, SecurityContext
from cosem.protocol.association.server import ServerAssociation
from cosem.protocol.dialect import STANDARD, Dialect
from cosem.protocol.values.data import OctetString
from cosem.protocol.values.obis import Obis
from cosem.store.memory import MemoryCounterStore
from general import general_keys, global_key
from pair import BOTH, CLIENT_TITLE, SERVER_TITLE, Pair, chance

LIMITS: Final = AssociationLimits(reassembled=2000, blocks=40, listed=16, response=1000, refused_apdus=10_000)
"""Small enough for an input to reach most of them; refusals are no end here."""

ENERGY: Final = AttributeDescriptor(3, Obis("1.0.1.8.0.255"), 2)

SIGNED: Final = BOTH | Protection.SIGNATURE


@cache
def keys(suite: int, own: bytes) -> GeneralKeys:
    """Return the keys of one side; the public ones take long to derive."""
    return general_keys(suite, own)


def context(own: bytes, peer: bytes | None, suite: int = 0, first: int = 1, **settings: Any) -> SecurityContext:
    """Return one side's security context with all the keys there are, which sends from counter `first` on."""
    drawn, store = itertools.count(1), MemoryCounterStore()
    names = ("own", "broadcast")
    for name in names:
        store.raise_to(name, first)
    counter, broadcast_counter = (InvocationCounter(store, name) for name in names)
    return SecurityContext(
        *(suite, own, peer, global_key(suite, "encryption"), global_key(suite, "authentication")),
        broadcast_key=global_key(suite, "broadcast"),
        counter=counter,
        broadcast_counter=broadcast_counter,
        keys=keys(suite, own),
        entropy=lambda octets: next(drawn).to_bytes(octets, "big"),
        **settings,
    )


def counted(received: Received) -> tuple[int, ...]:
    """Return the greatest numbers that were verified."""
    each = (received.unicast, *map(received.by, ("broadcast", "wrapped", "agreed", "signed")))
    return tuple(counter.last for counter in each)


@dataclass
class Bench(Pair):
    """Both engines, and what each has verified of the other."""

    by_client: Received = field(default_factory=Received)
    by_server: Received = field(default_factory=Received)


def opened(
    *,
    suite: int = 0,
    protection: Protection = Protection.NONE,
    naming: Naming = Naming.LOGICAL_NAMES,
    max_pdu: int = 100,
    windows: tuple[int, int] = (0, 0),
    dialect: Dialect = STANDARD,
    **settings: Any,
) -> Bench:
    """Return both engines of an association that is pre-established; `windows` are those of client and server."""
    by_client, by_server = Received(), Received()
    protected = protection is not Protection.NONE

    def security(own: bytes, peer: bytes, received: Received) -> SecurityContext:
        return context(own, peer, suite, required=protection, received=received, dialect=dialect)

    client_settings = ClientSettings(
        protection=protection,
        conformance=naming.implemented,
        naming=naming,
        max_receive_pdu_size=max_pdu,
        limits=LIMITS,
        general_block_window=windows[0],
        dialect=dialect,
        pre_established=PreEstablished(SERVER_TITLE if protected else None, max_pdu),
        **settings,
    )
    policy = ServerPolicy(
        application_context=client_settings.application_context,
        required=protection,
        security=(lambda title: security(SERVER_TITLE, title, by_server)) if protected else None,
        own_title=SERVER_TITLE,
        conformance=naming.implemented,
        max_receive_pdu_size=max_pdu,
        limits=LIMITS,
        general_block_window=windows[1],
        pre_established=PreEstablished(CLIENT_TITLE if protected else None, max_pdu),
    )
    client = ClientAssociation(
        client_settings, security=security(CLIENT_TITLE, SERVER_TITLE, by_client) if protected else None
    )
    both = Bench(client, ServerAssociation(policy, chance), by_client=by_client, by_server=by_server)
    client.associate()
    client.events()
    both.server.events()
    return both


def answered(request: Any) -> Any:
    """Return a long answer to whatever was asked, as far as it is one."""
    return GetResponseNormal(getattr(request, "invoke_id_and_priority", 0xC1), OctetString(b"x" * 300))
