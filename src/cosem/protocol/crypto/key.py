"""Secrets and keys: values that compare in constant time and never show their octets."""

from __future__ import annotations

import hmac
import re
from itertools import pairwise
from typing import Final, NoReturn, SupportsIndex, TypeVar

from cryptography.hazmat.primitives import hashes

from cosem.errors import ConfigurationError, LocalProtocolError

KEY_OCTETS: Final = (16, 32)
FINGERPRINT_OCTETS: Final = 8

_SEPARATORS: Final = re.compile(r"[\s:\-_.,]+")
_HEX_PREFIX: Final = re.compile(r"(?<![0-9A-Za-z])0[xX]")
_RIGHT_FORM: Final = (
    "write a key as 32 hex digits (64 for suite 2), such as 00 11 22 … FF; spaces, colons and 0x are fine"
)

S = TypeVar("S", bound="Secret")


class Secret:
    """Octets that must not be seen: a password or HLS secret of any length. Only `reveal()` gives them."""

    __slots__ = ("_octets",)
    _octets: bytes

    def __init__(self, material: bytes) -> None:
        object.__setattr__(self, "_octets", bytes(material))

    def reveal(self) -> bytes:
        """Return the octets themselves; the call is meant to stand out where it is made."""
        return self._octets

    def equals(self, octets: bytes) -> bool:
        """Compare with plain octets in constant time."""
        return hmac.compare_digest(self._octets, octets)

    def __len__(self) -> int:
        return len(self._octets)

    def __bool__(self) -> bool:
        return bool(self._octets)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._octets, other._octets)

    def __hash__(self) -> int:
        return hash(self._octets)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(not shown)"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise LocalProtocolError(f"a {type(self).__name__.lower()} does not change")

    def __delattr__(self, name: str) -> NoReturn:
        raise LocalProtocolError(f"a {type(self).__name__.lower()} does not change")

    def __copy__(self: S) -> S:
        return self

    def __deepcopy__(self: S, memo: object) -> S:
        return self

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise LocalProtocolError(f"a {type(self).__name__.lower()} is not pickled: it would leave the process in clear")


class Key(Secret):
    """A symmetric key of 16 octets (suites 0 and 1) or 32 octets (suite 2).

    Raises ConfigurationError on any other length.
    """

    __slots__ = ("_fingerprint",)
    _fingerprint: str | None

    def __init__(self, material: bytes) -> None:
        object.__setattr__(self, "_fingerprint", None)
        if len(material) not in KEY_OCTETS:
            raise ConfigurationError(f"a key has 16 or 32 octets, this one has {len(material)}: {_RIGHT_FORM}")
        super().__init__(material)

    @classmethod
    def from_hex(cls, text: str) -> Key:
        """Read hex in any usual form: upper or lower case, with 0x, spaces, colons, dashes or commas."""
        return cls(octets_from_hex(text))

    @property
    def fingerprint(self) -> str:
        """A name for the key that tells nothing about it: 16 hex digits of a digest."""
        known = self._fingerprint
        if known is None:
            digest = hashes.Hash(hashes.SHA256())
            digest.update(b"cosem key fingerprint\0" + self._octets)
            known = digest.finalize()[:FINGERPRINT_OCTETS].hex()
            object.__setattr__(self, "_fingerprint", known)
        return known

    @property
    def well_known(self) -> bool:
        """Whether the key is printed in a standard, a manual or an example, so that it protects nothing."""
        octets = self._octets
        steps = {(after - before) & 0xFF for before, after in pairwise(octets)}
        return len(steps) == 1 or octets[:16] == octets[16:]


def octets_from_hex(text: str) -> bytes:
    """Return the octets that hex `text` stands for; a refusal tells where the fault is and shows none of the text."""
    digits = _SEPARATORS.sub("", _HEX_PREFIX.sub("", text))
    for position, digit in enumerate(digits, 1):
        if digit not in "0123456789abcdefABCDEF":
            raise ConfigurationError(f"character {position} of the key is not a hex digit: {_RIGHT_FORM}")
    if len(digits) % 2:
        raise ConfigurationError(f"the key has an odd number of hex digits ({len(digits)}): {_RIGHT_FORM}")
    return bytes.fromhex(digits)
