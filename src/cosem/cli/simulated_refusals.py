"""Options and faults of `cosem simulate` that would do nothing: each is refused with the reason, and what to try."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from cosem.cli.simulated_secrets import CIPHERED, Secrets
from cosem.cli.spot import Spot
from cosem.errors import ConfigurationError
from cosem.meter.device import Meter
from cosem.meter.han import HanPort
from cosem.meter.in_vain import Where, in_vain
from cosem.meter.one_way import SpeakingPort
from cosem.meter.p1 import P1Port
from cosem.meter.serve import Server
from cosem.meter.tic import TicPort

NOT_OF_ELGAMA: Final[Mapping[str, str]] = dict.fromkeys(
    ("--security", "--suite", "--load", "--state", "--keys", "--demo-keys", "--control"),
    "an Elgama meter of this protocol has none",
)
NOT_OF_DESCRIPTIONS: Final[Mapping[str, str]] = {
    "--security": "a description says [[association]] itself",
    "--suite": "a description says it of each [[association]] itself",
    "--load": "a description says [load] itself",
    "--fault": "a description says [faults] itself",
}
NOT_OF_SNAPSHOTS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("--security", "--suite"), "a clone has the associations of its original"),
    "--load": "a clone shows what was read of its original",
}
_SPEAKING: Final[Mapping[str, Callable[..., Server | SpeakingPort]]] = {"p1": P1Port, "tic": TicPort, "han": HanPort}


def refuse(given: Mapping[str, object], reasons: Mapping[str, str]) -> None:
    """ConfigurationError for an option that would do nothing, with the reason."""
    for option, why in reasons.items():
        if given[option] is not None:
            raise ConfigurationError(f"{option}: {why}; leave it out")


def place_of(meter: Meter, spot: Spot, beyond_loopback: bool) -> Server | SpeakingPort:
    """Return what serves a meter at a spot; ConfigurationError where it cannot be served there."""
    made = _SPEAKING.get(spot.url.framing, Server)
    return made(meter, spot.url, beyond_loopback=beyond_loopback or spot.local)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for, and which meters and places it has to have a sense at.

    Attributes:
        spots: where the meter is to be served; of several meters, the first.
        beyond_loopback: whether other machines may reach it.
        faults: where its faults were said.
        security: what the meter is to be protected by, one of `cosem.meter.demo.SECURITIES`.
        keys: whether it was said where secrets are to be put.
        demo_keys: whether published keys may be used.
    """

    spots: tuple[Spot, ...]
    beyond_loopback: bool
    faults: str
    security: str
    keys: bool
    demo_keys: bool

    def approve(self, meter: Meter, secrets: Iterable[Secrets]) -> None:
        """Look at a meter before its secrets are handed out. Raises ConfigurationError for what would do nothing."""
        places = [place_of(meter, spot, self.beyond_loopback) for spot in self.spots]
        if self.security != "none" and any(isinstance(each, SpeakingPort) and not each.ciphered for each in places):
            raise ConfigurationError("a simulated port that only speaks does so in clear: leave --security out")
        if self.security in CIPHERED and not Where(meter, places).protected:
            raise ConfigurationError(
                f"--security {self.security}: nobody uses keys at these places; add one such as tcp://127.0.0.1:4059, "
                "take --security low for the password of programming mode, or leave it out"
            )
        for name, why in in_vain(meter, places):
            raise ConfigurationError(
                f"{self.faults}{'deviation ' if name in meter.faults.deviations else ''}{name}: {why}"
            )
        if self.keys and not any(each.written for each in secrets):
            raise ConfigurationError("--keys: no keys and no passwords are handed out; leave it out")
        if self.demo_keys and not meter.demonstration:
            raise ConfigurationError("--demo-keys: no association of this meter uses published keys; leave it out")
