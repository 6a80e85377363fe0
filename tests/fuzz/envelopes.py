"""What somebody with the right keys may put into general-ciphering and general-signing, and around it.

What must hold for both: out of the envelopes comes what was put in or nothing, and nothing comes out twice; as long as
nothing is verified, no counter moves and nobody's title is learnt.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from cosem import danger
from cosem.errors import CosemError, SecurityError
from cosem.protocol.apdu.get import GetRequestNormal
from cosem.protocol.apdu.protected import (
    ONE_PASS_DIFFIE_HELLMAN,
    STATIC_UNIFIED_MODEL,
    AgreedKey,
    GeneralCiphering,
    GeneralSigning,
    IdentifiedKey,
    KekId,
    KeyId,
    KeyInfo,
    WrappedKey,
)
from cosem.protocol.association.context import Requested
from cosem.protocol.association.layers import Envelope, KeyChoice, Layer, Received
from cosem.protocol.association.security import Protection, SecurityContext
from cosem.protocol.association.services import is_confirmed
from cosem.protocol.crypto import agreement
from cosem.protocol.crypto import suite as suites
from cosem.protocol.crypto.elliptic import PrivateKey, PublicKey, entropy_octets
from cosem.protocol.crypto.gcm import TITLE_OCTETS, Gcm
from cosem.protocol.crypto.key import Key
from cosem.protocol.crypto.suite import PROTECTION_MASK, Suite
from cosem.protocol.dialect import Dialect
from fuzz.bench import ENERGY, SIGNED, answered, context, counted, keys, opened
from fuzz.steps import Input
from general import global_key
from pair import BOTH, CLIENT_TITLE, SERVER_TITLE

TRANSACTION: Final = (1).to_bytes(8, "big")
"""The transaction-id of the first request of a client, which its answer must repeat."""

COUNTER: Final = (1000).to_bytes(4, "big")
"""The counter of the outermost envelope; those within it are below."""

FIELDS: Final = (
    *("transaction_id", "originator_system_title", "recipient_system_title"),
    *("date_time", "other_information"),
)

WITHIN: Final[tuple[tuple[Layer, ...], ...]] = (
    (),
    (Layer(Envelope.SERVICE),),
    (Layer(Envelope.GENERAL),),
    (Layer(Envelope.SIGNING, transaction_id=TRANSACTION),),
    (Layer(Envelope.CIPHERING, transaction_id=TRANSACTION),),
    (Layer(Envelope.CIPHERING, key=KeyChoice.WRAPPED, transaction_id=TRANSACTION),),
    (Layer(Envelope.CIPHERING, key=KeyChoice.STATIC, transaction_id=TRANSACTION),),
    (Layer(Envelope.SIGNING, transaction_id=TRANSACTION), Layer(Envelope.GENERAL)),
)
"""Envelopes that lie in the one that is fuzzed."""


@dataclass(frozen=True, slots=True)
class _Sender:
    """Who makes a message: in which suite, from whom to whom."""

    suite: Suite
    own: bytes
    peer: bytes

    @property
    def encryption_key(self) -> Key:
        return global_key(self.suite.identifier, "encryption")

    def within(self, apdu: bytes, layers: tuple[Layer, ...]) -> bytes:
        """Return an APDU in valid envelopes, or as it is where it fits into none."""
        with suppress(CosemError):
            return context(self.own, self.peer, self.suite.identifier).wrap(apdu, layers)
        return apdu


def general_ciphering(octets: bytes) -> None:
    """General-ciphering with a tag that is right: any fields, any key-info, any APDU in any envelope.

    The first octet chooses suite, dialect, what is required and who is spoken to, the second how the key is told and
    what lies within, the third which fields the input has, in their order. Then come the place and the bits of an
    octet that is altered, no bits for none, and the APDU.
    """
    given = Input(octets)
    how, told, changed = given.octet(), given.octet(), given.octet()
    sender = _sender(how, suites.of((0, 1, 2, 1)[how & 3]))
    dialect = Dialect(fields_in_tag=bool(how & 4))
    required = (BOTH, Protection.AUTHENTICATION, SIGNED if how & 3 else BOTH, Protection.NONE)[how >> 4 & 3]
    fields = _fields(given, changed, sender)
    key_info, key = _TOLD[told % len(_TOLD)](sender, given.field() if changed & 0x20 else None, fields)
    control = given.octet() if changed & 0x40 else 0x30 | sender.suite.identifier
    counter = given.octets(4).rjust(4, b"\0") if changed & 0x80 else COUNTER
    place, bits, plain = given.octet(), given.octet(), given.rest()
    message = GeneralCiphering(**fields, key_info=key_info, ciphered_content=b"")
    protected = content = sender.within(plain, WITHIN[told >> 4 & 7])
    if control & PROTECTION_MASK:
        gcm = Gcm(key, global_key(sender.suite.identifier, "authentication"), ANYTHING)
        title = fields["originator_system_title"].ljust(TITLE_OCTETS, b"\0")[:TITLE_OCTETS]
        covered = message.fields if dialect.fields_in_tag else b""
        protected = gcm.protect(control, title + counter, content, covered)
    protected = bytes((control,)) + counter + protected
    whole = GeneralCiphering(**fields, key_info=key_info, ciphered_content=protected).encode()
    _told(sender, _altered(whole, place, bits), plain, required, dialect, knows=not how & 0x40)


def general_signing(octets: bytes) -> None:
    """General-signing with a signature that is right: any fields, any APDU, within or around other envelopes.

    The octets are read as those of `general_ciphering` are; the third says, after the fields, whether the signature is
    of the input or a stranger's.
    """
    given = Input(octets)
    how, shape, changed = given.octet(), given.octet(), given.octet()
    sender = _sender(how, suites.of(1 + (how & 1)))
    dialect = Dialect(content_length_signed=bool(how & 2), any_transaction_id=bool(how & 4))
    required = (SIGNED, Protection.SIGNATURE, BOTH, Protection.NONE)[how >> 4 & 3]
    fields = _fields(given, changed, sender)
    signature = given.field() if changed & 0x20 else None
    place, bits, plain = given.octet(), given.octet(), given.rest()
    unsigned = GeneralSigning(**fields, content=sender.within(plain, WITHIN[shape & 7]), signature=b"")
    if signature is None:
        signer = keys(sender.suite.identifier, sender.peer if changed & 0x40 else sender.own).signer
        assert signer is not None
        signature = signer.sign(unsigned.signed(content_length=dialect.content_length_signed))
    whole = GeneralSigning(**fields, content=unsigned.content, signature=signature).encode()
    whole = sender.within(whole, WITHIN[shape >> 4 & 7]) if shape & 8 else whole
    _told(sender, _altered(whole, place, bits), plain, required, dialect, knows=not how & 0x40)


ANYTHING: Final = danger.allow(danger.Weakness.UNVERIFIED_CIPHERTEXT)
"""The adversary may do what he likes."""


def _sender(how: int, suite: Suite) -> _Sender:
    titles = (SERVER_TITLE, CLIENT_TITLE) if how & 8 else (CLIENT_TITLE, SERVER_TITLE)
    return _Sender(suite, *titles)


def _fields(given: Input, changed: int, sender: _Sender) -> dict[str, Any]:
    usual = (TRANSACTION, sender.own, sender.peer, b"", b"")
    return {
        name: given.field() if changed & 1 << place else value
        for place, (name, value) in enumerate(zip(FIELDS, usual, strict=True))
    }


def _altered(message: bytes, place: int, bits: int) -> bytes:
    place %= len(message)
    return message[:place] + bytes((message[place] ^ bits,)) + message[place + 1 :]


def _told(
    sender: _Sender, message: bytes, plain: bytes, required: Protection, dialect: Dialect, *, knows: bool
) -> None:
    """Tell a message to a context, and to an engine of an association in which it may come."""
    received = Received()
    own, peer = sender.peer, sender.own if knows else None
    receiver = context(own, peer, sender.suite.identifier, required=required, received=received, dialect=dialect)
    _judged(receiver, received, message, plain, sender.own)
    if required:
        _heard(sender, message, required, dialect)


def _judged(receiver: SecurityContext, received: Received, message: bytes, plain: bytes, sender: bytes) -> None:
    before = counted(received), receiver.peer_title
    try:
        found = receiver.unprotect(message)
    except CosemError:
        assert (counted(received), receiver.peer_title) == before
        return
    if not found.protection:
        assert (found.apdu, counted(received), receiver.peer_title) == (message, *before)
        return
    assert (found.apdu, found.system_title, receiver.peer_title) == (plain, sender, sender)
    assert all(now >= then for now, then in zip(counted(received), before[0], strict=True))
    after = counted(received)
    try:
        receiver.unprotect(message)
    except SecurityError:
        assert counted(received) == after
    else:
        raise AssertionError("a message was taken twice")


def _heard(sender: _Sender, message: bytes, required: Protection, dialect: Dialect) -> None:
    both = opened(
        suite=sender.suite.identifier, protection=required, max_pdu=1024, dialect=dialect, envelope=Envelope.CIPHERING
    )
    if sender.own == CLIENT_TITLE:
        before = counted(both.by_server)
        both.server.receive(message)
        asked = [event.apdu for event in both.server.events() if isinstance(event, Requested)]
        assert len(asked) <= 1
        for request in asked:
            assert counted(both.by_server) != before or dialect.any_transaction_id
            both.server.respond(answered(request))
            assert len(both.server.outgoing()) == is_confirmed(request)
        assert len(both.server.outgoing()) <= 1
        return
    both.client.send(GetRequestNormal(both.client.invoke_id_and_priority(), ENERGY))
    both.client.outgoing()
    with suppress(CosemError):
        both.client.receive(message)
    assert len(both.client.events()) <= 1
    assert len(both.client.outgoing()) <= 1


# -- how the key is told ----------------------------------------------------------------------------------------------


def _absent(sender: _Sender, given: bytes | None, fields: dict[str, Any]) -> tuple[KeyInfo | None, Key]:
    return None, sender.encryption_key


def _identified(sender: _Sender, given: bytes | None, fields: dict[str, Any]) -> tuple[KeyInfo, Key]:
    return IdentifiedKey(KeyId(int.from_bytes((given or b"")[:1], "big"))), sender.encryption_key


def _broadcast(sender: _Sender, given: bytes | None, fields: dict[str, Any]) -> tuple[KeyInfo, Key]:
    key = global_key(sender.suite.identifier, "broadcast")
    return IdentifiedKey(KeyId.GLOBAL_BROADCAST_ENCRYPTION_KEY), key


def _wrapped(sender: _Sender, given: bytes | None, fields: dict[str, Any]) -> tuple[KeyInfo, Key]:
    """Wrap a key of any length that can be wrapped."""
    size = sender.suite.key_octets
    key = bytes(size) if given is None else given.ljust(max(16, len(given) + -len(given) % 8), b"\1")
    wrapped = aes_key_wrap(global_key(sender.suite.identifier, "master").reveal(), key)
    return WrappedKey(KekId.MASTER_KEY, wrapped), Key(key.ljust(size, b"\0")[:size])


def _other_wrapped(sender: _Sender, given: bytes | None, fields: dict[str, Any]) -> tuple[KeyInfo, Key]:
    given = given or b"\0"
    return WrappedKey(KekId(given[0]), given[1:]), sender.encryption_key


def _one_pass(sender: _Sender, given: bytes | None, fields: dict[str, Any]) -> tuple[KeyInfo, Key]:
    """Sign any octets as an ephemeral key, or make one that is right."""
    own, suite = keys(sender.suite.identifier, sender.own), sender.suite
    if own.signer is None or own.peer_agreement_key is None:
        return AgreedKey(ONE_PASS_DIFFIE_HELLMAN, given or b""), sender.encryption_key
    if given is not None:
        point = given.ljust(suite.required_curve.public_octets, b"\0")
        return AgreedKey(ONE_PASS_DIFFIE_HELLMAN, point + own.signer.sign(point)), sender.encryption_key
    ephemeral, public = _ephemeral(suite)
    key = agreement.agreed(suite, ephemeral, own.peer_agreement_key, sender.own, sender.peer)
    return AgreedKey(ONE_PASS_DIFFIE_HELLMAN, agreement.signed(public, own.signer)), key


def _static(sender: _Sender, given: bytes | None, fields: dict[str, Any]) -> tuple[KeyInfo, Key]:
    own, transaction_id = keys(sender.suite.identifier, sender.own), fields["transaction_id"]
    if own.agreer is None or own.peer_agreement_key is None:
        return AgreedKey(STATIC_UNIFIED_MODEL, given or b""), sender.encryption_key
    key = agreement.agreed(
        *(sender.suite, own.agreer, own.peer_agreement_key, sender.own, sender.peer), transaction_id=transaction_id
    )
    return AgreedKey(STATIC_UNIFIED_MODEL, given or b""), key


def _other_agreed(sender: _Sender, given: bytes | None, fields: dict[str, Any]) -> tuple[KeyInfo, Key]:
    return AgreedKey((given or b"")[:1], (given or b"")[1:]), sender.encryption_key


@cache
def _ephemeral(suite: Suite) -> tuple[PrivateKey, PublicKey]:
    curve = suite.required_curve
    private = PrivateKey.from_entropy(curve, b"\7" * entropy_octets(curve))
    return private, private.public


_TOLD: Final[tuple[Callable[..., tuple[Any, Key]], ...]] = (
    *(_absent, _identified, _broadcast, _wrapped, _other_wrapped, _one_pass, _static, _other_agreed),
)
"""How the key of a message is told: rightly where the input says nothing else."""
