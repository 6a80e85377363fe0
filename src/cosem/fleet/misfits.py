"""What meters of a fleet cannot, or must not, be made to do wrong as they are and where they are: refused, with why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Final

from cosem.errors import ConfigurationError
from cosem.fleet.kinds import Kinds
from cosem.fleet.misbehaving import NOBODY
from cosem.fleet.places import Place
from cosem.fleet.population import Group, Population
from cosem.meter.faults import LINK_DEVIATIONS, OF_IMAGES, OF_PROTECTION, Faults
from cosem.protocol.model import ImageTransfer

HDLC: Final = "hdlc"


def misfits(faults: Faults, group: Group, place: Place, *, keyed: bool, lasting: bool) -> Iterator[tuple[str, str]]:
    """Give the keys of what meters of a group cannot or must not do wrong at a place, and why.

    `keyed` is whether they have keys, `lasting` whether these outlive the fleet.
    """
    yield from _misplaced(faults, place)
    yield from _without_images(faults, group)
    if not keyed:
        yield from _without_keys(faults)
    elif lasting and faults.counter_back:
        yield "counter_back", _TWICE


def check_misbehaving(population: Population, places: Sequence[Place]) -> None:
    """Raise ConfigurationError where meters of a population are to do wrong what they cannot or must not."""
    start, lasting = 0, not population.is_demonstration
    for group in population.groups:
        numbers = range(start, start + group.count)
        start = numbers.stop
        here = [each for each in places if each.numbers.start < numbers.stop and numbers.start < each.numbers.stop]
        keyed = population.secured(numbers.start)
        for kind, place in product(group.misbehaving.kinds, here):
            for key, why in misfits(kind.faults, group, place, keyed=keyed, lasting=lasting):
                raise ConfigurationError(f"meters {numbers.start} to {numbers.stop - 1}: {key}: {why}")


def _misplaced(faults: Faults, place: Place) -> Iterator[tuple[str, str]]:
    of_frames = faults.deviations & LINK_DEVIATIONS
    if of_frames and place.url.framing != HDLC:
        yield (
            "deviations",
            f"{', '.join(sorted(of_frames))} is of HDLC, and meters at {place.url.scheme} speak the wrapper: "
            'give them listen = "hdlc+tcp://…", or leave it out',
        )


def _without_images(faults: Faults, group: Group) -> Iterator[tuple[str, str]]:
    given = [name for name in OF_IMAGES if getattr(faults, name)]
    if not given:
        return
    if group.model is None:
        lacking = [kind for kind in group.kinds.names if not _takes_images(group, kind)]
    else:
        lacking = [] if group.model.lives and _takes_images(group) else [group.model.label]
    for name in given if lacking else ():
        yield (
            name,
            f"{', '.join(lacking)} meters take no firmware images here: leave it out, or give them a companion whose "
            "meters do, such as smr-5.0",
        )


def _takes_images(group: Group, kind: str = "household") -> bool:
    """Ask a meter of a kind as a group has it, where it has kinds."""
    trial = Population((replace(group, count=1, kinds=Kinds({kind: 1.0}), misbehaving=NOBODY),)).make(0)
    return any(item.class_id == ImageTransfer.class_id for item in trial.management.items())


def _without_keys(faults: Faults) -> Iterator[tuple[str, str]]:
    for name in ("wrong_keys", "counter_back"):
        if getattr(faults, name):
            yield name, _NO_KEYS
    needing = faults.deviations & OF_PROTECTION
    if needing:
        yield "deviations", f"{', '.join(sorted(needing))} is of protected messages: {_NO_KEYS}"


_NO_KEYS: Final = (
    "these meters have no keys: give the fleet a secret or --demo-keys, and them security gmac, or leave it out"
)
_TWICE: Final = (
    "it uses invocation counters twice, which would give away keys that outlive the fleet: "
    "use --demo-keys, which everybody has, in place of a secret"
)
