"""general-ciphering and general-signing: layers of protection that say by whom, for whom and with which key (5-3).

Both begin with the same five fields, of which the length octets count as much as the values wherever they are signed
or authenticated. `association.security` opens them.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

from cosem.protocol.apdu.ciphered import ProtectedOctets, SecurityHeader
from cosem.protocol.codec.dissect import Node
from cosem.protocol.codec.reader import put_length
from cosem.protocol.codec.schema import OctetsForm, OpenEnum, Wire, wire
from cosem.protocol.codec.walk import Walk

ONE_PASS_DIFFIE_HELLMAN: Final = b"\x01"
"""key-parameters of C(1e, 1s, ECC CDH): an ephemeral key of the originator, a static one of the recipient."""

STATIC_UNIFIED_MODEL: Final = b"\x02"
"""key-parameters of C(0e, 2s, ECC CDH): static keys of both, the transaction-id being the nonce."""


class KeyId(OpenEnum):
    """Which of the keys that both sides have a message is under."""

    GLOBAL_UNICAST_ENCRYPTION_KEY = 0
    GLOBAL_BROADCAST_ENCRYPTION_KEY = 1


class KekId(OpenEnum):
    """Which key wraps the one that is sent."""

    MASTER_KEY = 0


@wire(tag=b"\x00")
class IdentifiedKey(Wire):
    """The key is one that both sides have."""

    key_id: KeyId


@wire(tag=b"\x01")
class WrappedKey(Wire):
    """The key was made for this message and comes along, wrapped."""

    kek_id: KekId
    key_ciphered_data: bytes


@wire(tag=b"\x02")
class AgreedKey(Wire):
    """The key is agreed by Diffie-Hellman.

    With one-pass Diffie-Hellman `key_ciphered_data` is the ephemeral public key of the originator and its signature,
    with the static unified model it is empty.
    """

    key_parameters: bytes
    key_ciphered_data: bytes


KeyInfo: TypeAlias = IdentifiedKey | WrappedKey | AgreedKey
"""Key-Info: the three ways to say which key a message is under."""


@wire(tag=b"\xdd")
class GeneralCiphering(Wire):
    """general-ciphering: any APDU, ciphered for a recipient under the key that `key_info` tells.

    Without `key_info` it is the global unicast key. `date_time` are the octets of a date-time, or none.
    """

    transaction_id: bytes
    originator_system_title: bytes
    recipient_system_title: bytes
    date_time: bytes
    other_information: bytes
    key_info: KeyInfo | None
    ciphered_content: Annotated[bytes, ProtectedOctets()]

    @property
    def header(self) -> SecurityHeader:
        """The security header; raise DecodeError when it is cut."""
        return SecurityHeader.decode_from(self.ciphered_content[:5], 0)[0]

    @property
    def fields(self) -> bytes:
        """The octets of the five fields before `key_info`, with their lengths."""
        return _fields(self)


class _Content(OctetsForm):
    """The APDU that is signed; a dissection goes inside."""

    def walk(self, walk: Walk, offset: int) -> tuple[bytes, int]:
        value, stop = super().walk(walk, offset)
        plain = walk.inside(walk.octets) if walk.grow and walk.inside else None
        if plain is not None:
            walk.add(Node(plain.name, stop - len(value), len(value), plain.text, plain.children, plain.inner))
        return value, stop

    def text(self, value: bytes) -> str:
        return ""


@wire(tag=b"\xdf")
class GeneralSigning(Wire):
    """general-signing: any APDU with the signature of its originator, two numbers of the curve's size each.

    `date_time` are the octets of a date-time, or none.
    """

    transaction_id: bytes
    originator_system_title: bytes
    recipient_system_title: bytes
    date_time: bytes
    other_information: bytes
    content: Annotated[bytes, _Content()]
    signature: bytes

    @property
    def fields(self) -> bytes:
        """The octets of the five fields before `content`, with their lengths."""
        return _fields(self)

    def signed(self, *, content_length: bool) -> bytes:
        """Return what the signature covers: the fields and the content, that with its length or without."""
        out = bytearray(_fields(self))
        if content_length:
            put_length(len(self.content), out)
        return bytes(out + self.content)


def _fields(apdu: GeneralCiphering | GeneralSigning) -> bytes:
    out = bytearray()
    for value in (
        apdu.transaction_id,
        apdu.originator_system_title,
        apdu.recipient_system_title,
        apdu.date_time,
        apdu.other_information,
    ):
        put_length(len(value), out)
        out += value
    return bytes(out)
