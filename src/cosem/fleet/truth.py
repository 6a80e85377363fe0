"""What meters measured, computed as it is written down: the rows of their profiles; and which of them misbehave."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, cast

from cosem.fleet.ledger import Faulty, Measured
from cosem.fleet.population import Population
from cosem.meter.behaviour.profile_generic import Profile, RecomputedRows
from cosem.meter.device import Meter
from cosem.meter.faults import words
from cosem.meter.item import Visit
from cosem.meter.logical_device import LogicalDevice
from cosem.readings import extract

LONGEST: Final = timedelta(days=32)
"""How far back computed rows are written down that have left their profile: a month, for a run may be long and fast."""


def misbehaved(population: Population, since: datetime) -> Iterator[Faulty]:
    """Give what each meter does wrong that does anything wrong, since a time, by the name of each logical device."""
    for number in population.misbehaved():
        told = " ".join(words(population.faults(number)))
        for name in population.names(number):
            yield Faulty(since, name, told)


def measured(population: Population, numbers: Iterable[int], since: datetime, until: datetime) -> Iterator[Measured]:
    """Give every value that profiles of some meters captured on time from `since` to before `until`.

    Of rows that are stored, only those that a profile still has.
    """
    for number in numbers:
        with population.visit(number) as meter:
            yield from measured_by(meter, since, until)


def measured_by(meter: Meter, since: datetime, until: datetime) -> Iterator[Measured]:
    """Give every value that the profiles of one meter captured on time from `since` to before `until`.

    It is of the logical device that captured it, by the name of that.
    """
    for device in meter.devices.values():
        yield from _captured(device, since, until)


def _captured(device: LogicalDevice, since: datetime, until: datetime) -> Iterator[Measured]:
    for item in device.objects.profiles:
        profile = cast("Profile", item.state)
        if not profile.period:
            continue
        last: datetime | None = None
        for look in _looks(profile, device.visit(), since):
            readings = extract.profile(
                device.name,
                item.instance,
                profile.rows(look, last or since, until),
                profile.columns,
                [None] * len(profile.columns),
                capture_period=profile.period,
                newest_first=profile.newest_first,
                zone=device.zone,
                nulls_repeat=False,
            )
            for each in readings:
                if since <= each.time < until and (last is None or last < each.time):
                    yield Measured(each.time, device.name, str(item.instance), each.reference, each.raw)
            last = look.time


def _looks(profile: Profile, visit: Visit, since: datetime) -> Iterator[Visit]:
    """Give the times at which no row has left a computed profile yet that was not there before; of others only now."""
    if isinstance(profile.source, RecomputedRows) and not visit.device.meter.was_set:
        step = timedelta(seconds=profile.period)
        time = max(since, visit.time - LONGEST).astimezone(UTC) + (profile.entries - 1) * step
        while time < visit.time:
            yield visit.at(time.astimezone(visit.time.tzinfo))
            time += profile.entries * step
    yield visit
