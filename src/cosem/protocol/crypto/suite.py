"""The security suites of IEC 62056-5-3 as one table, and the bits that name a protection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag
from types import MappingProxyType
from typing import Final

from cosem.errors import ConfigurationError, SecurityError
from cosem.protocol.crypto.elliptic import P_256, P_384, Curve

SUITE_MASK: Final = 0x0F
PROTECTION_MASK: Final = 0x30


class Protection(IntFlag):
    """What is done to an APDU.

    Authentication and encryption have the values of their bits in the security control octet; a digital signature has
    none there.
    """

    NONE = 0x00
    AUTHENTICATION = 0x10
    ENCRYPTION = 0x20
    SIGNATURE = 0x100


@dataclass(frozen=True, slots=True)
class Suite:
    """One security suite: AES-GCM with keys of `key_octets`; the tag has 12 octets in every suite.

    `algorithm` is the AlgorithmID of a key that is agreed on, `curve` what signatures and agreement use; suite 0 has
    neither.
    """

    identifier: int
    name: str
    key_octets: int
    algorithm: bytes = b""
    curve: Curve | None = None

    @property
    def required_curve(self) -> Curve:
        """The curve. Raises SecurityError where the suite has none."""
        if self.curve is None:
            raise SecurityError(f"security suite {self.identifier} ({self.name}) has no signatures and no agreement")
        return self.curve


SUITES: Final[Mapping[int, Suite]] = MappingProxyType(
    {
        0: Suite(0, "AES-GCM-128", 16),
        1: Suite(1, "ECDH-ECDSA-AES-GCM-128-SHA-256", 16, bytes.fromhex("60857405080300"), P_256),
        2: Suite(2, "ECDH-ECDSA-AES-GCM-256-SHA-384", 32, bytes.fromhex("60857405080301"), P_384),
    }
)


def of(identifier: int) -> Suite:
    """Return the suite with this number, or raise ConfigurationError that lists those there are."""
    suite = SUITES.get(identifier)
    if suite is None:
        known = ", ".join(f"{suite.identifier} ({suite.name})" for suite in SUITES.values())
        raise ConfigurationError(f"there is no security suite {identifier}; there are {known}")
    return suite
