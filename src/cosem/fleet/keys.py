"""The keys of a fleet: those of each meter follow from one secret and its system title, or are the demo keys."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from cosem.errors import ConfigurationError
from cosem.meter.associations import Keys, demo_keys
from cosem.protocol.crypto.key import Key, Secret

SECRET_OCTETS: Final = 32
"""Fewest octets of a fleet's secret: it is used as a key, and nothing is done to make up for a short one."""

KEY_OCTETS: Final = 16


class FleetKeys:
    """Derives the keys of each meter from a secret of the fleet (HKDF-Expand, RFC 5869, SHA-256), or knows no other
    than the demo keys.

    The same secret gives a meter the same keys at every start, so that a head-end is filled once; whoever has a meter's
    keys learns nothing about those of another one. Raises ConfigurationError for a secret that is too short.
    """

    def __init__(self, secret: Secret | None) -> None:
        if secret is not None and len(secret) < SECRET_OCTETS:
            raise ConfigurationError(f"the secret of a fleet has at least {SECRET_OCTETS} octets, not {len(secret)}")
        self._secret = secret
        # They are not `temporary` here: a meter of a fleet is forgotten and made again, and its counters go on.
        self._shared = None if secret is not None else _lasting(demo_keys())

    @classmethod
    def demonstration(cls) -> FleetKeys:
        """Return the demo keys for all meters, for loopback."""
        return cls(None)

    @property
    def is_demonstration(self) -> bool:
        """Whether everybody knows them."""
        return self._secret is None

    def of(self, title: bytes) -> Keys:
        """Return the keys of the meter with this system title."""
        if self._shared is not None:
            return self._shared
        return Keys(self._derived(b"encryption", title), self._derived(b"authentication", title))

    def _derived(self, use: bytes, title: bytes) -> Key:
        assert self._secret is not None
        information = b"cosem fleet " + use + b" " + title
        return Key(HKDFExpand(hashes.SHA256(), KEY_OCTETS, information).derive(self._secret.reveal()))


def _lasting(keys: Keys) -> Keys:
    return Keys(keys.encryption, keys.authentication, demonstration=True, suite=keys.suite)
