"""A key ring in an encrypted file: what a head-end keeps of its meters' keys, of no use to whoever copies the file.

Every key is encrypted by AES-256-GCM of its own, bound to its owner, kind and version; the list of all, with their
states, is sealed as a whole. The file key comes from a passphrase by scrypt, or is given as it is. The file is written
as durably as counters are (`cosem.store.durable`): a key that was added is there after any crash, and a file is old or
new, never half. Beside it lies a small sealed file with `.witness` that names the very file and its generation. A key
file that was altered is refused, and one that is older or newer than its witness until `accept_old` says that it is
meant: with keys of yesterday a meter whose key was changed today is lost. Where both were put back or copied together,
a `SecurityWarning` says so; a change of owner or mode, and a backup by hard links, look the same.

Not noticed is a disk that is set back as a whole, and whoever may write to both files, has kept the pair of an
interrupted change, and puts it back.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from cosem.errors import ConfigurationError, SecurityError, SecurityWarning
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.ring import (
    KeyKind,
    KeyName,
    KeyState,
    RingOfSecrets,
    activated,
    added,
    checked,
    of_owner,
    restored,
)
from cosem.store.durable import SYSTEM, Disk, exclusive
from cosem.store.durable import replace as replace_file

LONGEST_FILE: Final = 64 << 20
"""Octets of a key file: room for two hundred thousand keys."""

FILE_KEY_OCTETS: Final = 32
SALT_OCTETS: Final = 16
NONCE_OCTETS: Final = 12
SCRYPT_COST: Final = 1 << 15
"""N of scrypt: 32 MiB and about a tenth of a second."""

SCRYPT_COSTS: Final = (1 << 14, 1 << 20)
"""The least and the greatest N that is taken from a file: no cheap guessing, and no 16 GiB."""

SHORTEST_PASSPHRASE: Final = 12

_FORMAT: Final = "cosem keys 1"
_MOVED: Final = "it was put back from a backup or copied from elsewhere, together with its witness"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_BLOCK, _PARALLEL = 8, 1


@dataclass(frozen=True, slots=True)
class _Sealed:
    """A key as it stands in the file; a withdrawn one has no octets."""

    nonce: bytes
    octets: bytes


class FileKeyRing(RingOfSecrets):
    """A key ring in one file, which several processes may share.

    Args:
        path: the file; it must exist unless `create` is given, and be readable by its owner alone.
        secret: a key of 32 octets, or a passphrase of at least 12.
        create: make the file if it is not there.
        accept_old: an operator knows that the file was put back or moved here.

    Raises:
        ConfigurationError: the file cannot be used, others may read it, or the secret does not fit.
        SecurityError: the file was altered, is an old one, or the secret is another.
    """

    def __init__(
        self,
        path: Path,
        secret: Secret,
        *,
        create: bool = False,
        accept_old: bool = False,
        disk: Disk = SYSTEM,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        super().__init__(self._opened)
        self._path = path
        self._witness = path.with_name(f"{path.name}.witness")
        self._lock = path.with_name(f"{path.name}.lock")
        self._disk = disk
        self._entropy = entropy
        self._given = _checked(secret)
        self._salt = b""
        self._cost = 0
        self._cipher = AESGCM(bytes(FILE_KEY_OCTETS))
        self._keys: dict[KeyName, _Sealed | None] = {}
        self._generation = 0
        self._identity = ""
        self._witnessed = 0
        with exclusive(self._lock):
            if not create or self._octets(self._path) is not None:
                self._load(accept_old=accept_old)
            else:
                self._use(self._given, entropy(SALT_OCTETS), SCRYPT_COST)
                self._store({})

    def names(self, owner: bytes, kind: KeyKind) -> tuple[KeyName, ...]:
        """Return the keys of an owner, the oldest first."""
        with exclusive(self._lock):
            self._refresh()
        return of_owner(self._keys, owner, kind)

    def add(self, owner: bytes, kind: KeyKind, key: Secret) -> KeyName:
        """Keep a key as NEW, durably before this returns."""
        checked(kind, key)
        with exclusive(self._lock):
            self._refresh()
            name = added(self._keys, owner, kind)
            self._store({**self._keys, name: self._sealed(name, key.reveal())})
        return name

    def activate(self, name: KeyName) -> KeyName:
        """Make a NEW key the ACTIVE one, and the one before EXPIRED, in one step."""
        with exclusive(self._lock):
            self._refresh()
            self._present(name)
            changes = activated(self._keys, name)
            self._store({changes.get(each, each): key for each, key in self._keys.items()})
        return changes[name]

    def withdraw(self, name: KeyName) -> KeyName:
        """Give a key up: its octets are not in the file any more, its name stays."""
        withdrawn = replace(name, state=KeyState.WITHDRAWN)
        with exclusive(self._lock):
            self._refresh()
            self._present(name)
            self._store({**{each: key for each, key in self._keys.items() if each != name}, withdrawn: None})
        return withdrawn

    def rekey(self, secret: Secret) -> None:
        """Encrypt every key anew, under a new file key or passphrase."""
        given = _checked(secret)
        with exclusive(self._lock):
            self._refresh()
            octets = {name: None if key is None else self._opened(name).reveal() for name, key in self._keys.items()}
            before, generation = (self._given, self._salt, self._cost), self._generation
            self._use(given, self._entropy(SALT_OCTETS), SCRYPT_COST)
            anew = {name: None if key is None else self._sealed(name, key) for name, key in octets.items()}
            try:
                self._store(anew)
            except ConfigurationError:
                if self._generation == generation:  # the file is still the old one
                    self._use(*before)
                raise

    # -- the keys of the file ---------------------------------------------------------------------------------------

    def _use(self, secret: Secret, salt: bytes, cost: int) -> None:
        """Take a file key: the secret itself, or what scrypt makes of it."""
        material = secret.reveal()
        if not isinstance(secret, Key):
            material = Scrypt(salt=salt, length=FILE_KEY_OCTETS, n=cost, r=_BLOCK, p=_PARALLEL).derive(material)
        self._given, self._salt, self._cost, self._cipher = secret, salt, cost, AESGCM(material)

    def _sealed(self, name: KeyName, octets: bytes) -> _Sealed:
        nonce = self._entropy(NONCE_OCTETS)
        return _Sealed(nonce, self._cipher.encrypt(nonce, octets, _bound(name)))

    def _opened(self, name: KeyName) -> Secret:
        sealed = self._present(name)
        try:
            return restored(name.kind, self._cipher.decrypt(sealed.nonce, sealed.octets, _bound(name)))
        except InvalidTag:
            raise SecurityError(f"the {name} in {self._path} was altered") from None

    def _present(self, name: KeyName) -> _Sealed:
        sealed = self._keys.get(name)
        if sealed is None:
            raise ConfigurationError(f"the {name} is not in this key ring")
        return sealed

    # -- reading and writing ----------------------------------------------------------------------------------------

    def _refresh(self) -> None:
        """Take in what another process has written."""
        if self._identity_of(self._path) != self._identity:
            self._load(accept_old=False)

    def _load(self, *, accept_old: bool) -> None:
        octets = self._octets(self._path)
        if octets is None:
            raise ConfigurationError(f"there is no key file {self._path}")
        self._check_mode()
        content = _json(octets, self._path)
        salt, cost = _taken(content, "salt", bytes), _taken(content, "cost", int)
        if cost and not SCRYPT_COSTS[0] <= cost <= SCRYPT_COSTS[1]:
            raise SecurityError(f"{self._path}: a cost of {cost} for scrypt is none that this library has written")
        if bool(cost) is isinstance(self._given, Key):
            raise ConfigurationError(f"{self._path} opens by a {'passphrase' if cost else 'key of 32 octets'}")
        if (salt, cost) != (self._salt, self._cost) or not self._generation:
            self._use(self._given, salt, cost)
        generation, keys = self._verified(content)
        finding = self._finding(generation, content["before"])
        if finding not in (None, _MOVED) and not accept_old:
            raise SecurityError(
                f"{self._path}: {finding}; if that is meant, open it once with accept_old, and take care of every key "
                "that was changed since"
            )
        self._keys, self._generation, self._identity = keys, generation, self._identity_of(self._path)
        if finding is not None:
            warnings.warn(
                f"key file {self._path}: {finding}; keys that were changed since may be missing",
                SecurityWarning,
                stacklevel=4,
            )
            self._witnessed = generation  # what it says is wrong, and is replaced with the file
            self._store(keys)
        self._attest()

    def _verified(self, content: dict[str, Any]) -> tuple[int, dict[KeyName, _Sealed | None]]:
        seal, nonce = _taken(content, "seal", bytes), _taken(content, "nonce", bytes)
        try:
            self._cipher.decrypt(nonce, seal, _body(content))
        except (InvalidTag, ValueError):
            raise SecurityError(f"{self._path} was altered, or is opened with another key or passphrase") from None
        # From here on the content is what this library wrote.
        return content["generation"], dict(_entry(each) for each in content["keys"])

    def _finding(self, generation: int, before: str) -> str | None:
        """Say what the witness knows against the file; None when nothing."""
        octets = self._octets(self._witness)
        if _digest(octets) == before:
            self._witnessed = generation - 1
            return None  # somebody died between the file and its witness
        if octets is None:
            return "the witness beside it is missing"
        try:
            witness = _json(octets, self._witness)
            known, after = _taken(witness, "generation", int), _taken(witness, "after", str)
            self._cipher.decrypt(_taken(witness, "nonce", bytes), _taken(witness, "seal", bytes), _body(witness))
        except (InvalidTag, ValueError, SecurityError):
            return "the witness beside it is damaged"
        self._witnessed = known
        if generation != known:
            return "it is an old one" if generation < known else "the witness beside it is an old one"
        if after != self._identity_of(self._path):
            return _MOVED
        return None if generation >= self._generation else "it was set back while it was in use"

    def _store(self, keys: Mapping[KeyName, _Sealed | None]) -> None:
        # So the file is never ahead of its witness by more than one change, whatever failed before.
        self._attest()
        generation = self._generation + 1
        content: dict[str, Any] = {
            "format": _FORMAT,
            "generation": generation,
            "salt": self._salt.hex(),
            "cost": 0 if isinstance(self._given, Key) else self._cost,
            "before": _digest(self._octets(self._witness)),
            "keys": [_line(name, sealed) for name, sealed in keys.items()],
        }
        octets = self._written(content)
        if len(octets) > LONGEST_FILE:
            raise ConfigurationError(f"{self._path} would have more than {LONGEST_FILE} octets")
        replace_file(self._path, octets, self._disk)
        self._keys, self._generation, self._identity = dict(keys), generation, self._identity_of(self._path)
        self._attest()

    def _attest(self) -> None:
        """Let the witness know the file as it is."""
        if self._witnessed == self._generation:
            return
        content = {"format": _FORMAT, "generation": self._generation, "after": self._identity}
        replace_file(self._witness, self._written(content), self._disk)
        self._witnessed = self._generation

    def _written(self, content: dict[str, Any]) -> bytes:
        nonce = self._entropy(NONCE_OCTETS)
        seal = self._cipher.encrypt(nonce, b"", _body(content))
        return json.dumps({**content, "nonce": nonce.hex(), "seal": seal.hex()}, indent=1).encode() + b"\n"

    def _octets(self, path: Path) -> bytes | None:
        try:
            octets = self._disk.read(path, LONGEST_FILE)
        except OSError as problem:
            raise ConfigurationError(f"cannot read {path}: {problem.strerror}") from problem
        if octets is not None and len(octets) > LONGEST_FILE:
            raise ConfigurationError(f"{path} has more than {LONGEST_FILE} octets: that is no key file")
        return octets

    def _identity_of(self, path: Path) -> str:
        try:
            return self._disk.identity(path)
        except OSError as problem:
            raise ConfigurationError(f"cannot read {path}: {problem.strerror}") from problem

    def _check_mode(self) -> None:
        if self._disk is SYSTEM and os.name == "posix" and self._path.stat().st_mode & _OTHERS:
            raise ConfigurationError(f"others may read {self._path}; type: chmod 600 '{self._path}'")

    def __repr__(self) -> str:
        return f"FileKeyRing({str(self._path)!r}, {len(self._keys)} keys, not shown)"


def _digest(octets: bytes | None) -> str:
    return hashlib.sha256(octets or b"").hexdigest()


def _checked(secret: Secret) -> Secret:
    if isinstance(secret, Key):
        if len(secret) != FILE_KEY_OCTETS:
            raise ConfigurationError(f"the key of a key file has {FILE_KEY_OCTETS} octets, this one {len(secret)}")
    elif len(secret) < SHORTEST_PASSPHRASE:
        raise ConfigurationError(f"the passphrase of a key file has at least {SHORTEST_PASSPHRASE} characters")
    return secret


def _bound(name: KeyName) -> bytes:
    """Return what the octets of a key are bound to; its state is bound by the seal of the whole."""
    return json.dumps([_FORMAT, name.owner.hex(), name.kind.name, name.version]).encode()


def _body(content: Mapping[str, Any]) -> bytes:
    """Return what is sealed: all but the seal itself."""
    inside = {key: value for key, value in content.items() if key not in ("nonce", "seal")}
    return json.dumps(inside, sort_keys=True).encode()


def _line(name: KeyName, sealed: _Sealed | None) -> list[object]:
    nonce, octets = ("", "") if sealed is None else (sealed.nonce.hex(), sealed.octets.hex())
    return [name.owner.hex(), name.kind.name, name.version, name.state.name, nonce, octets]


def _entry(line: list[Any]) -> tuple[KeyName, _Sealed | None]:
    owner, kind, version, state, nonce, octets = line
    name = KeyName(bytes.fromhex(owner), KeyKind[kind], version, KeyState[state])
    return name, _Sealed(bytes.fromhex(nonce), bytes.fromhex(octets)) if octets else None


def _json(octets: bytes, path: Path) -> dict[str, Any]:
    try:
        content = json.loads(octets)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or cast("dict[str, Any]", content).get("format") != _FORMAT:
        raise SecurityError(f"{path} is damaged, or no key file of this library")
    return cast("dict[str, Any]", content)


def _taken(content: Mapping[str, Any], key: str, kind: type[Any]) -> Any:
    """Return a field that nobody has verified yet: of the right type, or SecurityError."""
    value = content.get(key)
    if isinstance(value, int if kind is int else str) and not isinstance(value, bool):
        if kind is not bytes:
            return value
        try:
            return bytes.fromhex(str(value))
        except ValueError:
            pass
    raise SecurityError(f"the key file is damaged: it has no {key} as this library writes it")
