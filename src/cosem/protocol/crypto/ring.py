"""Key rings: who keeps the keys of meters, does the operations with them, and need not give out their octets.

A ring answers with what `SecurityContext` and the key procedures take (`Cipher`, `Signer`, `Agreer`, wrapped keys), so
that a hardware module can be one. Each key is of one owner (the system title of the meter it is for), of one kind, and
has a version and a state. A change of key has two phases: the new key is kept durably as NEW before the meter hears of
it; once the meter has shown that it uses it, `activate` makes it ACTIVE and the old one EXPIRED. Whatever fails in
between, one of the two opens the meter (`candidates`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, Protocol

from cosem import danger
from cosem.errors import ConfigurationError, LocalProtocolError
from cosem.protocol.crypto import wrap
from cosem.protocol.crypto.elliptic import CURVES, Agreer, PrivateKey, Signer
from cosem.protocol.crypto.gcm import Cipher, Gcm
from cosem.protocol.crypto.key import Key, Secret


class KeyKind(Enum):
    """What a key is for, in the standard's words (IEC 62056-5-3)."""

    ENCRYPTION = "global unicast encryption key"
    BROADCAST = "global broadcast encryption key"
    AUTHENTICATION = "authentication key"
    MASTER = "master key"
    SIGNING = "digital signature key"
    AGREEMENT = "key agreement key"


SYMMETRIC: Final = frozenset((KeyKind.ENCRYPTION, KeyKind.BROADCAST, KeyKind.AUTHENTICATION, KeyKind.MASTER))


class KeyState(Enum):
    """Where in its life a key is; it goes down this list and never up."""

    NEW = "kept, and the meter may or may not have it"
    ACTIVE = "in use"
    EXPIRED = "replaced, and kept to read what is old"
    WITHDRAWN = "not to be used any more; its octets are gone"


@dataclass(frozen=True, slots=True)
class KeyName:
    """A key of a ring: whose it is, what for, which one in order of time, and its state."""

    owner: bytes
    kind: KeyKind
    version: int
    state: KeyState

    def __str__(self) -> str:
        return f"{self.kind.value} {self.version} of {self.owner.hex().upper()} ({self.state.name.lower()})"


class KeyRing(Protocol):
    """What keeps keys. Every method raises ConfigurationError for a key that is not there or not of the right kind."""

    def names(self, owner: bytes, kind: KeyKind) -> tuple[KeyName, ...]:
        """Return the keys of an owner, the oldest first."""
        ...

    def fingerprint(self, name: KeyName) -> str:
        """Return a name for a key that tells nothing about it; counters are kept under it (`Key.fingerprint`)."""
        ...

    def cipher(
        self, encryption: KeyName, authentication: KeyName | None, permitted: frozenset[danger.Weakness] = ...
    ) -> Cipher:
        """Return what protects under these keys."""
        ...

    def wrapped(self, master: KeyName, key: KeyName) -> bytes:
        """Return `key` under a master key, for a key transfer (RFC 3394)."""
        ...

    def signer(self, name: KeyName) -> Signer:
        """Return what signs with a key."""
        ...

    def agreer(self, name: KeyName) -> Agreer:
        """Return what agrees on secrets with a key."""
        ...

    def add(self, owner: bytes, kind: KeyKind, key: Secret) -> KeyName:
        """Keep a key as NEW, durably before this returns."""
        ...

    def activate(self, name: KeyName) -> KeyName:
        """Make a NEW key the ACTIVE one of its owner and kind, and the one before EXPIRED, in one step."""
        ...

    def withdraw(self, name: KeyName) -> KeyName:
        """Give a key up: its octets are forgotten, its name stays."""
        ...


def candidates(ring: KeyRing, owner: bytes, kind: KeyKind) -> tuple[KeyName, ...]:
    """Return the keys to try with a meter, in this order: the ACTIVE one, then NEW ones, the youngest first."""
    names = ring.names(owner, kind)
    active = [name for name in names if name.state is KeyState.ACTIVE]
    return (*active, *(name for name in reversed(names) if name.state is KeyState.NEW))


def checked(kind: KeyKind, key: Secret) -> Secret:
    """Return a key that fits its kind; ConfigurationError for any other."""
    wanted = Key if kind in SYMMETRIC else PrivateKey
    if not isinstance(key, wanted):
        raise ConfigurationError(f"a {kind.value} is a {wanted.__name__}, not a {type(key).__name__}")
    return key


def restored(kind: KeyKind, octets: bytes) -> Secret:
    """Return a key from its octets; which curve a private key is on follows from its length."""
    if kind in SYMMETRIC:
        return Key(octets)
    for curve in CURVES:
        if curve.octets == len(octets):
            return PrivateKey(curve, octets)
    raise ConfigurationError(f"a {kind.value} does not have {len(octets)} octets")


def operation(name: KeyName, kinds: frozenset[KeyKind], key: Secret) -> Secret:
    """Return the key if it is of one of these kinds; ConfigurationError otherwise."""
    if name.kind not in kinds:
        raise ConfigurationError(f"the {name} cannot be used for that")
    return key


def added(names: Mapping[KeyName, object], owner: bytes, kind: KeyKind) -> KeyName:
    """Return the name of a key that is added to these."""
    versions = [name.version for name in names if (name.owner, name.kind) == (owner, kind)]
    return KeyName(bytes(owner), kind, max(versions, default=0) + 1, KeyState.NEW)


def activated(names: Mapping[KeyName, object], name: KeyName) -> dict[KeyName, KeyName]:
    """Return which names change, and into what, when `name` is activated; LocalProtocolError unless it is NEW."""
    if name.state is not KeyState.NEW:
        raise LocalProtocolError(f"the {name} cannot be activated: only a new key can")
    changes = {
        each: replace(each, state=KeyState.EXPIRED)
        for each in names
        if (each.owner, each.kind, each.state) == (name.owner, name.kind, KeyState.ACTIVE)
    }
    return {**changes, name: replace(name, state=KeyState.ACTIVE)}


class RingOfSecrets:
    """The operations of a ring that has the octets, whichever way it keeps them: `secret` gives them."""

    def __init__(self, secret: Callable[[KeyName], Secret]) -> None:
        self._secret = secret

    def fingerprint(self, name: KeyName) -> str:
        """Return a name for a key that tells nothing about it."""
        key = self._secret(name)
        return (key if isinstance(key, Key) else Key(key.reveal()[:32])).fingerprint

    def cipher(
        self,
        encryption: KeyName,
        authentication: KeyName | None,
        permitted: frozenset[danger.Weakness] = danger.NOTHING,
    ) -> Cipher:
        """Return what protects under these keys."""
        key = self._key(encryption, frozenset((KeyKind.ENCRYPTION, KeyKind.BROADCAST)))
        tagging = None if authentication is None else self._key(authentication, frozenset((KeyKind.AUTHENTICATION,)))
        return Gcm(key, tagging, permitted)

    def wrapped(self, master: KeyName, key: KeyName) -> bytes:
        """Return `key` under a master key."""
        return wrap.wrap(self._key(master, frozenset((KeyKind.MASTER,))), self._key(key, SYMMETRIC))

    def signer(self, name: KeyName) -> Signer:
        """Return what signs with a key."""
        return self._private(name, KeyKind.SIGNING)

    def agreer(self, name: KeyName) -> Agreer:
        """Return what agrees on secrets with a key."""
        return self._private(name, KeyKind.AGREEMENT)

    def key(self, name: KeyName) -> Key:
        """Return a symmetric key itself, for what cannot be done by the ring; a ring of hardware has no such method."""
        return self._key(name, SYMMETRIC)

    def _key(self, name: KeyName, kinds: frozenset[KeyKind]) -> Key:
        key = operation(name, kinds, self._secret(name))
        assert isinstance(key, Key)
        return key

    def _private(self, name: KeyName, kind: KeyKind) -> PrivateKey:
        key = operation(name, frozenset((kind,)), self._secret(name))
        assert isinstance(key, PrivateKey)
        return key


class MemoryKeyRing(RingOfSecrets):
    """Keys that live as long as this object."""

    def __init__(self) -> None:
        super().__init__(self._kept)
        self._keys: dict[KeyName, Secret | None] = {}

    def names(self, owner: bytes, kind: KeyKind) -> tuple[KeyName, ...]:
        """Return the keys of an owner, the oldest first."""
        return of_owner(self._keys, owner, kind)

    def add(self, owner: bytes, kind: KeyKind, key: Secret) -> KeyName:
        """Keep a key as NEW."""
        name = added(self._keys, owner, kind)
        self._keys[name] = checked(kind, key)
        return name

    def activate(self, name: KeyName) -> KeyName:
        """Make a NEW key the ACTIVE one, and the one before EXPIRED."""
        self._kept(name)
        changes = activated(self._keys, name)
        self._keys = {changes.get(each, each): key for each, key in self._keys.items()}
        return changes[name]

    def withdraw(self, name: KeyName) -> KeyName:
        """Give a key up."""
        self._kept(name)
        del self._keys[name]
        withdrawn = replace(name, state=KeyState.WITHDRAWN)
        self._keys[withdrawn] = None
        return withdrawn

    def _kept(self, name: KeyName) -> Secret:
        key = self._keys.get(name)
        if key is None:
            raise ConfigurationError(f"the {name} is not in this key ring")
        return key

    def __repr__(self) -> str:
        return f"MemoryKeyRing({len(self._keys)} keys, not shown)"


def of_owner(names: Mapping[KeyName, object], owner: bytes, kind: KeyKind) -> tuple[KeyName, ...]:
    """Return the names of one owner and kind, the oldest first."""
    found = [name for name in names if (name.owner, name.kind) == (owner, kind)]
    return tuple(sorted(found, key=lambda name: name.version))
