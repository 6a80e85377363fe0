"""The secrets of simulated meters: drawn by chance, kept in their states, handed out in files of this user alone."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cosem.cli.report import say
from cosem.errors import ConfigurationError, SecurityError
from cosem.meter.associations import Keys, demo_keys
from cosem.meter.demo import SECURITIES
from cosem.meter.device import Meter
from cosem.meter.memory import Memory
from cosem.meter.memory.drawn import SigningKeys
from cosem.protocol.crypto import suite as suites
from cosem.protocol.crypto.elliptic import PrivateKey, entropy_octets
from cosem.protocol.crypto.key import Secret
from cosem.protocol.crypto.mechanism import Mechanism, SharedSecret

CIPHERED: Final = ("gmac", "ecdsa")


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a client of simulated meters needs: keys, a password or HLS secret, or the signing keys of both sides."""

    keys: Keys | None = None
    password: Secret | None = None
    signing: SigningKeys | None = None

    @property
    def shared(self) -> SharedSecret | None:
        """What the meter has to tell the client by."""
        return self.password if self.signing is None else self.signing.of_meter

    @property
    def written(self) -> bool:
        """Whether handing them out takes a file: published keys are known without."""
        drawn = self.keys is not None and not self.keys.demonstration
        return drawn or self.password is not None or self.signing is not None


def draw(security: str, suite: int | None, use_demo_keys: bool) -> Secrets:
    """Return what the meters ask for, made by chance; ConfigurationError for what does not go together."""
    if security not in SECURITIES:
        raise ConfigurationError(f"--security {security!r}: write one of {', '.join(SECURITIES)}")
    if suite is not None and security not in CIPHERED:
        raise ConfigurationError(f"--suite goes with --security {' or '.join(CIPHERED)}")
    if use_demo_keys:
        if security != "gmac":
            raise ConfigurationError("--demo-keys goes with --security gmac")
        return Secrets(keys=demo_keys(suite or 0))
    if security == "none":
        return Secrets()
    if security == "low":
        return Secrets(password=Secret(secrets.token_hex(4).encode()))
    keys = Keys.random((1 if security == "ecdsa" else 0) if suite is None else suite)
    if security == "gmac":
        return Secrets(keys=keys)
    try:
        curve = suites.of(keys.suite).required_curve
    except SecurityError as error:
        raise ConfigurationError(f"--security ecdsa: {error}; write --suite 1 or --suite 2") from None
    meter, client = (PrivateKey.from_entropy(curve, secrets.token_bytes(entropy_octets(curve))) for _ in range(2))
    return Secrets(keys=keys, signing=SigningKeys(meter, client))


def in_force(meter: Meter, drawn: Mapping[int, Secrets]) -> dict[int, Secrets]:
    """Return the secrets of each client: those drawn for this start, or those that the state of the meter keeps.

    What is drawn is kept there from now on. Raises ConfigurationError where that cannot be.
    """
    memory = meter.memory
    if not isinstance(memory, Memory) or meter.faults.wrong_keys:  # which nobody is to know
        return dict(drawn)
    return {client: _kept(meter, memory, client, each) for client, each in drawn.items()}


def _kept(meter: Meter, memory: Memory, client: int, drawn: Secrets) -> Secrets:
    signing = memory.keep_drawn(client, drawn.signing)
    held = [found for device in meter.devices.values() if (found := device.association(client)) is not None]
    if not held or drawn == Secrets():
        return drawn
    secret = held[0].secret
    return Secrets(held[0].keys, secret if isinstance(secret, Secret) else None, signing)


def hand_out(given: Secrets, directory: Path, auth: Mechanism | None = None) -> tuple[str, ...]:
    """Write the secrets into files that nobody else can read; return the options with which the client gives them.

    `auth` is named too where it does not follow from the others. Raises ConfigurationError when they cannot be written.
    """
    keys, options = given.keys, list[str]()
    if keys is not None and keys.demonstration:
        options += ["--demo-keys", *suite_option(keys.suite or None)]
    elif keys is not None:
        ek = private_file(directory / "ek.hex", keys.encryption)
        ak = private_file(directory / "ak.hex", keys.authentication)
        options += ["--ek", f"file:{ek}", "--ak", f"file:{ak}", *suite_option(keys.suite or None)]
    if given.signing is not None:
        own = private_file(directory / "signing.hex", given.signing.client)
        peer = private_file(directory / "meter-public.hex", Secret(given.signing.meter.public.octets))
        options += ["--signing-key", f"file:{own}", "--peer-signing-key", f"file:{peer}"]
    if given.password is not None:
        options += ["--password", f"file:{private_file(directory / 'password', given.password)}"]
    if auth is not None and options:
        options += ["--auth", auth.name]
    return tuple(options)


def suite_option(suite: int | None) -> tuple[str, ...]:
    """Return the option that names a security suite, where there is one to name."""
    return () if suite is None else ("--suite", str(suite))


def private_file(path: Path, secret: Secret) -> Path:
    """Write a secret, keys in hexadecimal, into a file that only this user can read, and say where it is."""
    text = secret.reveal().hex().upper() if path.suffix == ".hex" else _password(secret.reveal())
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # an old one might be a link, or open to others
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{text}\n")
    except OSError as problem:
        raise ConfigurationError(f"cannot write {path}: {problem.strerror}; name another place with --keys") from None
    say(f"{path.stem} in {path}, which only you can read")
    return path


def _password(octets: bytes) -> str:
    """Return a password as options take it: as it is, or in hexadecimal where it is no such text."""
    text = octets.decode("ascii", "replace")
    plain = octets.isascii() and text.isprintable() and text[:2].lower() != "0x"
    return text if plain else f"0x{octets.hex()}"
