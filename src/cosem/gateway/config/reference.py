"""Keys and passwords as a table names them: `env:NAME`, `file:PATH`, `keyring:OWNER`, or written out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cosem.errors import ConfigurationError
from cosem.io import credentials
from cosem.protocol.crypto.elliptic import Agreer, PublicKey, Signer
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.ring import KeyKind, KeyName, RingOfSecrets, candidates
from cosem.store.keys import FileKeyRing

KEYRING: Final = "keyring:"
REFERENCES: Final = ("env:", "file:", KEYRING)


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a secret is. It is looked up when it is used, so that one that is changed counts at the next session.

    `ring` is where `keyring:` looks. Every method raises ConfigurationError where there is nothing of the kind.
    """

    text: str = field(repr=False)
    ring: FileKeyRing | None = field(default=None, repr=False, compare=False)

    @property
    def written_out(self) -> bool:
        """True when the secret itself stands in the table."""
        return not self.text.startswith(REFERENCES)

    def password(self) -> Secret:
        """Return a password, or the secret of a high level mechanism."""
        if self.text.startswith(KEYRING):
            raise ConfigurationError("the key ring keeps keys, not passwords: write env:NAME or file:PATH")
        return credentials.password(self.text)

    def key(self, kind: KeyKind) -> Key:
        """Return a symmetric key; of a ring, the one in use of this kind."""
        if not self.text.startswith(KEYRING):
            return credentials.key(self.text)
        ring, name = self._named(kind)
        return ring.key(name)

    def signer(self) -> Signer:
        """Return our private signing key, or what signs with it."""
        if not self.text.startswith(KEYRING):
            return credentials.private_key(self.text)
        ring, name = self._named(KeyKind.SIGNING)
        return ring.signer(name)

    def agreer(self) -> Agreer:
        """Return our private key agreement key, or what agrees with it."""
        if not self.text.startswith(KEYRING):
            return credentials.private_key(self.text)
        ring, name = self._named(KeyKind.AGREEMENT)
        return ring.agreer(name)

    def public_key(self) -> PublicKey:
        """Return the public key of a meter."""
        return credentials.public_key(self.text)

    def certificate(self) -> bytes:
        """Return a certificate in DER."""
        return credentials.certificate(self.text)

    def file(self) -> Path:
        """Return the file that is named, for what reads files only, as TLS does."""
        if not self.text.startswith("file:"):
            raise ConfigurationError("write file:PATH: only a file can be used here")
        return Path(self.text.removeprefix("file:")).expanduser()

    def _named(self, kind: KeyKind) -> tuple[RingOfSecrets, KeyName]:
        owner = self.text.removeprefix(KEYRING)
        if self.ring is None:
            raise ConfigurationError(f"{self.text}: the sheet Settings names no keyring file")
        try:
            title = bytes.fromhex(owner)
        except ValueError:
            raise ConfigurationError(f"{self.text}: the owner of a key is a system title in hexadecimal") from None
        found = candidates(self.ring, title, kind)
        if not found:
            raise ConfigurationError(f"{self.text}: the key ring has no {kind.value} of that owner")
        return self.ring, found[0]

    def __str__(self) -> str:
        return "(written out, not shown)" if self.written_out else self.text

    def __repr__(self) -> str:
        return f"Reference({self})"
