"""What meters of a fleet cannot be made to do wrong where they are and as they are: refused with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from cosem.errors import ConfigurationError
from cosem.fleet.kinds import Kinds
from cosem.fleet.misbehaving import NOBODY
from cosem.fleet.places import Place
from cosem.fleet.population import Group, Population
from cosem.meter.faults import LINK_DEVIATIONS, OF_IMAGES, Faults
from cosem.protocol.model import ImageTransfer

HDLC: Final = "hdlc"


def misplaced(faults: Faults, place: Place) -> Iterator[tuple[str, str]]:
    """Give the keys of what nobody can do wrong at a place, and why."""
    of_frames = faults.deviations & LINK_DEVIATIONS
    if of_frames and place.url.framing != HDLC:
        yield (
            "deviations",
            f"{', '.join(sorted(of_frames))} is of HDLC, and meters at {place.url.scheme} speak the wrapper: "
            'give them listen = "hdlc+tcp://…", or leave it out',
        )


def without_images(faults: Faults, group: Group) -> Iterator[tuple[str, str]]:
    """Give the keys of what goes wrong with firmware images where a kind of meters in a group takes none, and why."""
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


def check_misbehaving(population: Population, places: Sequence[Place]) -> None:
    """Raise ConfigurationError where meters of a population are to do wrong what they cannot."""
    start = 0
    for group in population.groups:
        numbers = range(start, start + group.count)
        start = numbers.stop
        here = [each for each in places if each.numbers.start < numbers.stop and numbers.start < each.numbers.stop]
        for kind in group.misbehaving.kinds:
            misfits = [misfit for place in here for misfit in misplaced(kind.faults, place)]
            for key, why in (*misfits, *without_images(kind.faults, group)):
                raise ConfigurationError(f"meters {numbers.start} to {numbers.stop - 1}: {key}: {why}")
