"""The octets in front of what is protected: first octets of envelopes, titles, lengths (IEC 62056-5-3)."""

from __future__ import annotations

from typing import Final

from cosem.errors import DecodeError, SecurityError
from cosem.protocol.apdu.access import AccessRequest, AccessResponse
from cosem.protocol.apdu.ciphered import DEDICATED_TAGS, GLOBAL_TAGS
from cosem.protocol.apdu.exception import ExceptionResponse
from cosem.protocol.apdu.notification import DataNotification, DataNotificationConfirm
from cosem.protocol.association.services import GENERAL_CIPHERING, GENERAL_DEDICATED, GENERAL_GLOBAL, GENERAL_SIGNING
from cosem.protocol.crypto.gcm import TITLE_OCTETS

HEADER_OCTETS: Final = 5
"""Length of a security header: control and invocation counter."""

GENERAL_ONLY: Final = frozenset(
    kind.TAG[0]
    for kind in (DataNotification, DataNotificationConfirm, ExceptionResponse, AccessRequest, AccessResponse)
)
"""These have no envelope of their own."""

OCTET: Final = tuple(bytes((value,)) for value in range(256))

SERVICES: Final = frozenset(GLOBAL_TAGS) | GENERAL_ONLY
"""First octets of what can be in an envelope and is none itself."""

FRONTS: Final = {
    **{plain: (OCTET[tag], OCTET[DEDICATED_TAGS[plain]]) for plain, tag in GLOBAL_TAGS.items()},
    **dict.fromkeys(GENERAL_ONLY | {GENERAL_CIPHERING, GENERAL_SIGNING}, (b"", b"")),
}
"""By the tag of a service: the first octets of its envelopes, global and dedicated (empty: only general ones)."""

GENERAL_FRONTS: Final = tuple(bytes((tag, TITLE_OCTETS)) for tag in (GENERAL_GLOBAL, GENERAL_DEDICATED))
"""What stands before the title in a general envelope."""


def length(size: int) -> bytes:
    """Return the octets of a length above 127."""
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return OCTET[0x80 | len(octets)] + octets


def past_length(apdu: bytes, at: int) -> int:
    """Return the place after the length at `at`, which must count what follows: a security header and more."""
    size = len(apdu)
    if at >= size:
        raise DecodeError("need a length", at)
    announced = apdu[at]
    after = at + 1
    if announced > 0x7F:
        after += announced & 0x7F
        if not at + 1 < after <= min(size, at + 5):
            raise DecodeError("need a length of 1 to 4 octets", at)
        announced = int.from_bytes(apdu[at + 1 : after], "big")
    if announced != size - after:
        raise DecodeError(f"the length says {announced} octets, there are {size - after}", at)
    if announced < HEADER_OCTETS:
        raise DecodeError(f"a security header has {HEADER_OCTETS} octets, there are {announced}", after)
    return after


def misplaced(envelope: bytes, plain: bytes) -> SecurityError:
    """Return the error for an envelope that holds what does not belong into it."""
    return SecurityError(
        f"envelope {envelope[0]:02X} holds an APDU with tag {plain[:1].hex().upper() or '(none)'}, "
        "which does not belong into it"
    )
