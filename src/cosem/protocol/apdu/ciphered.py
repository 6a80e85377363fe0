"""Envelopes of protected APDUs, whose contents `association.security` opens (IEC 62056-5-3)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import KEEP, IntFlag
from types import MappingProxyType
from typing import Annotated, Final

from cosem.protocol.codec.dissect import Node, octets_text
from cosem.protocol.codec.schema import U32, Int, OctetsForm, Wire, wire
from cosem.protocol.codec.walk import Walk


class SecurityControl(IntFlag, boundary=KEEP):
    """The first octet of the security header; its low four bits are the number of the security suite."""

    AUTHENTICATION = 0x10
    ENCRYPTION = 0x20
    BROADCAST_KEY = 0x40
    COMPRESSION = 0x80

    @property
    def suite(self) -> int:
        """The number of the security suite."""
        return int(self) & 0x0F

    @property
    def text(self) -> str:
        """The octet in words."""
        names = [flag.name.lower().replace("_", "-") for flag in SecurityControl if flag in self and flag.name]
        return f"0x{int(self):02X} (suite {self.suite}{''.join(f', {name}' for name in names)})"


class _ControlForm(Int):
    def text(self, value: int) -> str:
        return SecurityControl(value).text


@wire()
class SecurityHeader(Wire):
    """What stands before the protected octets: how they are protected, and the invocation counter."""

    control: Annotated[int, _ControlForm(1)]
    invocation_counter: U32


GLOBAL_TAGS: Final[Mapping[int, int]] = MappingProxyType(
    {
        **{plain: plain + 0x20 for plain in (0x01, 0x05, 0x06, 0x08, 0x0C, 0x0D, 0x0E, 0x16, 0x18)},
        **{plain: plain + 0x08 for plain in (0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xC5, 0xC7)},
    }
)
"""The tag of a plain APDU and its tag when protected with a global key."""

DEDICATED_TAGS: Final[Mapping[int, int]] = MappingProxyType(
    {
        **{plain: plain + 0x40 for plain in (0x01, 0x05, 0x06, 0x08, 0x0C, 0x0D, 0x0E, 0x16, 0x18)},
        **{plain: plain + 0x10 for plain in (0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xC5, 0xC7)},
    }
)
"""The tag of a plain APDU and its tag when protected with the dedicated key."""

PLAIN_TAGS: Final[Mapping[int, int]] = MappingProxyType(
    {tag: plain for tags in (GLOBAL_TAGS, DEDICATED_TAGS) for plain, tag in tags.items()}
)
"""The tag of a protected APDU and the tag of the plain one inside."""

SERVICE_NAMES: Final[Mapping[int, str]] = MappingProxyType(
    {
        0x01: "initiate-request",
        0x05: "read-request",
        0x06: "write-request",
        0x08: "initiate-response",
        0x0C: "read-response",
        0x0D: "write-response",
        0x0E: "confirmed-service-error",
        0x16: "unconfirmed-write-request",
        0x18: "information-report",
        0xC0: "get-request",
        0xC1: "set-request",
        0xC2: "event-notification",
        0xC3: "action-request",
        0xC4: "get-response",
        0xC5: "set-response",
        0xC7: "action-response",
    }
)
"""What a plain APDU is called, by its first octet."""


class _TagForm(Int):
    """The tag of a service-specific envelope, which says what is inside."""

    def __init__(self, tags: Mapping[int, int], prefix: str) -> None:
        super().__init__(1, among=frozenset(tags.values()))
        self._names = {tag: f"{prefix}-{SERVICE_NAMES[plain]}" for plain, tag in tags.items()}

    def text(self, value: int) -> str:
        return f"{self._names[value]} (0x{value:02X})"


class ProtectedOctets(OctetsForm):
    """The security header and what it protects; a dissection goes inside when it is given a way to open it."""

    def walk(self, walk: Walk, offset: int) -> tuple[bytes, int]:
        value, stop = super().walk(walk, offset)
        if walk.grow:
            start = stop - len(value)
            header = SecurityHeader.dissect(value[:5], walk.limits).moved(start)
            walk.add(header)
            if len(value) > 5:
                walk.add(Node("protected", start + 5, len(value) - 5, octets_text(value[5:])))
            plain = walk.inside(walk.octets) if walk.inside else None
            if plain is not None:
                walk.add(Node(plain.name, start, len(value), plain.text, plain.children, plain.inner))
        return value, stop

    def text(self, value: bytes) -> str:
        return ""


@wire()
class GlobalCiphered(Wire):
    """A service-specific envelope under a global key: `tag` says what is inside, `octets` begin with the header."""

    tag: Annotated[int, _TagForm(GLOBAL_TAGS, "glo")]
    octets: Annotated[bytes, ProtectedOctets()]

    @property
    def header(self) -> SecurityHeader:
        """The security header; raise DecodeError when it is cut."""
        return SecurityHeader.decode_from(self.octets, 0)[0]


@wire()
class DedicatedCiphered(Wire):
    """A service-specific envelope under the dedicated key; otherwise like `GlobalCiphered`."""

    tag: Annotated[int, _TagForm(DEDICATED_TAGS, "ded")]
    octets: Annotated[bytes, ProtectedOctets()]

    @property
    def header(self) -> SecurityHeader:
        """The security header; raise DecodeError when it is cut."""
        return SecurityHeader.decode_from(self.octets, 0)[0]


@wire(tag=b"\xdb")
class GeneralGlobalCiphering(Wire):
    """general-glo-ciphering: any APDU under a global key; the system title is empty when the peer knows it."""

    system_title: bytes
    octets: Annotated[bytes, ProtectedOctets()]

    @property
    def header(self) -> SecurityHeader:
        """The security header; raise DecodeError when it is cut."""
        return SecurityHeader.decode_from(self.octets, 0)[0]


@wire(tag=b"\xdc")
class GeneralDedicatedCiphering(Wire):
    """general-ded-ciphering: any APDU under the dedicated key."""

    system_title: bytes
    octets: Annotated[bytes, ProtectedOctets()]

    @property
    def header(self) -> SecurityHeader:
        """The security header; raise DecodeError when it is cut."""
        return SecurityHeader.decode_from(self.octets, 0)[0]
