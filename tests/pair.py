"""A client and a server association joined by a wire, for tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cosem.protocol.apdu import Apdu
from cosem.protocol.apdu.acse import ApplicationContext
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.association.admission import ServerPolicy
from cosem.protocol.association.client import ClientAssociation
from cosem.protocol.association.context import (
    CLIENT_LIMITS,
    AssociationEvent,
    AssociationLimits,
    ClientSettings,
    Naming,
    Requested,
)
from cosem.protocol.association.counter import InvocationCounter
from cosem.protocol.association.security import Protection, SecurityContext
from cosem.protocol.association.server import ServerAssociation
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.store.memory import MemoryCounterStore

CLIENT_TITLE = bytes.fromhex("4D4D4D0000000001")
SERVER_TITLE = bytes.fromhex("4D4D4D0000BC614E")
EK = Key(bytes.fromhex("000102030405060708090A0B0C0D0E0F"))
AK = Key(bytes.fromhex("D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF"))
BOTH = Protection.AUTHENTICATION | Protection.ENCRYPTION


def chance(octets: int) -> bytes:
    """Predictable "entropy": tests must be able to repeat themselves."""
    return bytes(range(0x30, 0x30 + octets))


def security(own: bytes, peer: bytes | None, protection: Protection = BOTH) -> SecurityContext:
    counter = InvocationCounter(MemoryCounterStore(), own.hex())
    return SecurityContext(0, own, peer, EK, AK, required=protection, counter=counter)


@dataclass
class Pair:
    """Both engines, what each reported, and every APDU that passed."""

    client: ClientAssociation
    server: ServerAssociation
    answer: Callable[[Apdu], Apdu] | None = None
    client_events: list[AssociationEvent] = field(default_factory=list)
    server_events: list[AssociationEvent] = field(default_factory=list)
    passed: list[tuple[str, bytes]] = field(default_factory=list)

    def run(self) -> None:
        """Carry APDUs to and fro until both are silent."""
        while True:
            moved = False
            for apdu in self.client.outgoing():
                self.passed.append(("client", apdu))
                self.server.receive(apdu)
                moved = True
            for event in self.server.events():
                self.server_events.append(event)
                if isinstance(event, Requested) and self.answer is not None:
                    self.server.respond(self.answer(event.apdu))
            for apdu in self.server.outgoing():
                self.passed.append(("server", apdu))
                self.client.receive(apdu)
                moved = True
            self.client_events += self.client.events()
            if not moved:
                return


def pair(
    mechanism: int = 0,
    *,
    secret: bytes | None = None,
    server_secret: bytes | None = None,
    protection: Protection = Protection.NONE,
    max_pdu: int = 1024,
    client_max_pdu: int = 0xFFFF,
    conformance: Conformance | None = None,
    naming: Naming = Naming.LOGICAL_NAMES,
    client_blocks: int = 0,
    server_blocks: int = 0,
    client_limits: AssociationLimits = CLIENT_LIMITS,
    limits: AssociationLimits | None = None,
) -> Pair:
    """Return two engines that fit each other, unless the secrets given differ.

    `client_blocks` and `server_blocks` are the windows of general block transfer, 0 for none; `limits` are those of
    the server.
    """
    conformance = naming.implemented if conformance is None else conformance
    titled = protection is not Protection.NONE or MECHANISMS[mechanism].titles
    settings = ClientSettings(
        mechanism=MECHANISMS[mechanism],
        secret=None if secret is None else Secret(secret),
        protection=protection,
        max_receive_pdu_size=client_max_pdu,
        conformance=conformance,
        general_block_window=client_blocks,
        limits=client_limits,
        naming=naming,
    )
    known = secret if server_secret is None else server_secret
    policy = ServerPolicy(
        application_context=settings.application_context,
        mechanism=MECHANISMS[mechanism],
        secret=None if known is None else Secret(known),
        required=protection,
        security=(lambda title: security(SERVER_TITLE, title, protection)) if titled else None,
        own_title=SERVER_TITLE if titled else None,
        max_receive_pdu_size=max_pdu,
        conformance=conformance,
        limits=AssociationLimits() if limits is None else limits,
        general_block_window=server_blocks,
    )
    client = ClientAssociation(
        settings, challenge=bytes(range(16)), security=security(CLIENT_TITLE, None, protection) if titled else None
    )
    return Pair(client, ServerAssociation(policy, chance))


__all__ = ["ApplicationContext", "Pair", "pair"]
