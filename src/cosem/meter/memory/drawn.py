"""Secrets that were drawn by chance for an association: those of the first start are those of every start."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cosem.errors import ConfigurationError
from cosem.meter.associations import AssociationDescription, Keys
from cosem.meter.device import Meter
from cosem.protocol.crypto.elliptic import PrivateKey
from cosem.protocol.crypto.key import Secret
from cosem.protocol.crypto.mechanism import Signatures


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The private keys by which a meter and its client prove themselves, where one program has drawn both."""

    meter: PrivateKey
    client: PrivateKey

    @property
    def of_meter(self) -> Signatures:
        """What the meter has of them."""
        return Signatures(self.meter, self.client.public)


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was drawn for an association: keys that outlive the process, a password or HLS secret, signing keys."""

    keys: Keys | None = None
    secret: Secret | None = None
    signing: SigningKeys | None = None

    @classmethod
    def of(cls, meter: Meter, offered: AssociationDescription, signing: SigningKeys | None) -> Drawn:
        """Return what was drawn for an association; ConfigurationError where its keys must not outlive the process."""
        secret = offered.secret if isinstance(offered.secret, Secret) else None
        if offered.keys is None or offered.keys.demonstration:
            return cls(None, secret, signing)
        if meter.faults.counter_back:
            raise ConfigurationError(
                "counter_back uses invocation counters twice, which would give away keys that a state keeps: "
                "leave out the fault, or the state"
            )
        keys = replace(offered.keys, temporary=False)
        meter.counters.check(keys)
        return cls(keys, secret, signing)

    def before(self, later: Drawn) -> Drawn:
        """Return these, with what was drawn later where there is none of a kind among them."""
        if self.keys is not None and later.keys is not None and self.keys.suite != later.keys.suite:
            raise ConfigurationError(
                f"the keys in the state are of security suite {self.keys.suite}, those asked for of suite "
                f"{later.keys.suite}: ask for suite {self.keys.suite}, or begin a new state"
            )
        return Drawn(self.keys or later.keys, self.secret or later.secret, self.signing or later.signing)

    def given_to(self, offered: AssociationDescription, *, changed: bool) -> AssociationDescription:
        """Return an association with these secrets, but for those that clients have `changed` in it."""
        keys, secret = offered.keys, offered.secret
        if keys is not None and keys.temporary and not keys.demonstration:
            keys = self.keys
        if isinstance(secret, Signatures) and self.signing is not None:
            secret = self.signing.of_meter
        elif isinstance(secret, Secret) and not changed:
            secret = self.secret
        return replace(offered, keys=keys, secret=secret)
