"""What an outage of a scenario leaves in a meter: rows are missing, energy stands still, and a status tells why.

It is what `cosem.meter.power` does to a meter that is described: what is due when the power goes is captured first,
then nothing until it is back; a row that is due at that very moment is missing as well. The period in which the
power came back has the bits of `FAILED` in its status. All of it follows from the scenario and the time, nothing is
stored, and meters that no outage concerns know nothing of it.

Meters of a companion, which have objects of their own, are such described ones: they come through outages with the
power that they have, and through those from before anybody came to them as if they had been there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any, Final, cast

from cosem.fleet.effects import AffectedHousehold, Effects, Energy, Tariffed, affected_objects
from cosem.meter.behaviour.captures import failed_for
from cosem.meter.behaviour.clock import last_multiple
from cosem.meter.behaviour.profile_generic import Profile, RecomputedRows, Rows
from cosem.meter.demo import CAPTURE_PERIOD, LOAD_PROFILE, POWER_DOWN, POWER_UP, Household
from cosem.meter.describe.status import add_statuses_of
from cosem.meter.device import Meter
from cosem.meter.item import FromSource, Visit
from cosem.meter.loads import KINDS, Shown
from cosem.meter.loads.course import Moment
from cosem.meter.loads.kind import ROLLS_OVER
from cosem.meter.objects import Objects
from cosem.meter.power import Happening, Span, stands_still
from cosem.meter.profile_status import Told
from cosem.protocol.model.classes.data_storage import Data as DataObject
from cosem.protocol.model.classes.data_storage import Register
from cosem.protocol.model.companion import Companion
from cosem.protocol.values.data import DoubleLongUnsigned, Number, Unsigned
from cosem.protocol.values.obis import Obis

FAILED: Final = 1 << 2 | 1 << 7
"""Bits of the status of a load profile, as most companions have them: data not valid, and power down."""


class DarkHousehold(AffectedHousehold):
    """A household whose meter is without power for a time, or more than once."""

    __slots__ = ("_edges", "_outages", "_stood")

    def __init__(self, seed: int, zone: tzinfo, effects: Effects, place: int) -> None:
        super().__init__(seed, zone, effects, place)
        self._outages = tuple((max(down, self.begin), up) for down, up in effects.outages(place) if up > self.begin)
        self._stood: dict[Shown, list[int]] = {}
        self._edges: dict[datetime, Moment] = {}
        """What figures have in common when the power goes or comes back."""

    def failed_for(self, time: datetime) -> timedelta | None:
        """Return how long there has been no power when a row is due; None where it is captured."""
        return failed_for(self._outages, time)

    def failed_between(self, begin: datetime, end: datetime) -> bool:
        """Tell whether power came back from one time to another.

        In a row only that tells: the row of a period in which it went and stayed away is missing.
        """
        return any(begin <= up <= end for _, up in self._outages)

    def standing(self, shown: Shown, time: datetime) -> Any:
        """Return what a register of energy shows at a local time: what flowed while there was power."""
        asked = shown(self, time)
        over = sum(1 for _, up in self._outages if up <= time)
        stood = sum(self._missed(shown, over)) if over else 0
        if over < len(self._outages) and self._outages[over][0] < time:
            stood += int(asked) - self._at(shown, self._outages[over][0])
        kind = cast("type[Number]", type(asked))
        return kind((int(asked) - stood) % ROLLS_OVER if kind is DoubleLongUnsigned else int(asked) - stood)

    def _missed(self, shown: Shown, count: int) -> list[int]:
        """Return what was not counted in each of the first outages."""
        missed = self._stood.setdefault(shown, [])
        for down, up in self._outages[len(missed) : count]:
            missed.append(self._at(shown, up) - self._at(shown, down))
        return missed[:count]

    def _at(self, shown: Shown, true: datetime) -> int:
        moment = self._edges.get(true)
        if moment is None:
            moment = self._edges[true] = self._made(self.number, super().seconds(true))
        return int(shown.held(moment))

    def history(self, time: datetime) -> list[tuple[datetime, Unsigned]]:
        """Return what befell it and the outages of the scenario, in order."""
        changes = ((at, code) for outage in self._outages for at, code in zip(outage, _CODES, strict=True))
        noted = [(at.astimezone(time.tzinfo), Unsigned(code)) for at, code in changes if at <= time]
        return sorted([*super().history(time), *noted], key=lambda row: row[0])


_CODES: Final = (POWER_DOWN, POWER_UP)


@dataclass(frozen=True, slots=True)
class Standing:
    """An energy that stands still while its meter has no power."""

    shown: Shown

    @property
    def whole(self) -> FromSource | None:
        """What it is one tariff's share of, as that stands still."""
        return None if self.shown.whole is None else FromSource(_standing(cast("Shown", self.shown.whole.ask)))

    def __call__(self, load: DarkHousehold, time: datetime) -> Any:
        """Return the value of a load at a local time."""
        household, true = load.truly(time)
        return cast("DarkHousehold", household).standing(self.shown, true)


class PoweredRows(RecomputedRows):
    """Rows of the times at which the scenario let there be power, computed when they are asked for."""

    __slots__ = ()

    def rows(self, profile: Profile, visit: Visit, start: datetime | None, end: datetime | None) -> Rows:
        if visit.device.meter.was_set:
            return self.rows_by_eras(profile, visit, start, end)
        return self.rows_with_gaps(profile, visit, start, end)

    def failed_for(self, visit: Visit, time: datetime) -> timedelta | None:
        """Return how long there has been no power when a row is due; None where it is captured."""
        household, true = visit.device.source.truly(time)
        return cast("DarkHousehold", household).failed_for(true)


_STATUS: Final = Obis("0.0.96.10.1.255")


@lru_cache(maxsize=len(KINDS))
def dark_objects(load: str) -> Objects:
    """Return the objects of all meters of a load that are without power for a time."""
    objects = affected_objects(load).copy()
    for item in objects:
        value = item.values.get(Register.value.index)
        if isinstance(value, FromSource) and stands_still(item):
            item.values[Register.value.index] = FromSource(_standing(value.ask))
    status, profile = objects.find(_STATUS), objects.find(LOAD_PROFILE.instance)
    assert status is not None
    assert profile is not None
    status.values[DataObject.value.index] = FromSource(_status)
    state = cast("Profile", profile.state)
    profile.state = Profile(state.columns, state.period, state.entries, state.newest_first, PoweredRows())
    return objects


def _status(load: Household, time: datetime) -> Unsigned:
    """Return the status of the period that a local time is in, or that ends then."""
    household, true = load.truly(time)
    _, begin = load.truly(last_multiple(time - timedelta(microseconds=1), CAPTURE_PERIOD))
    failed = cast("DarkHousehold", household).failed_between(begin, true)
    return Unsigned(FAILED if failed else 0)


def _standing(energy: Energy) -> Energy:
    if isinstance(energy, Tariffed):
        return Tariffed(_standing(energy.own), _standing(energy.other), energy.is_first)
    return Standing(cast("Shown", energy))


# -- meters that have objects of their own -----------------------------------------------------------------------------


def endure(meter: Meter, known: Companion | None, outages: Sequence[Span], others: Sequence[Happening] = ()) -> None:
    """Let a meter that is as its companion or description has it come through outages, those too from before anybody
    came to it.

    So it does through `others`, what else happens to it.
    """
    if known is not None:
        add_statuses_of(known, meter.management, set(), (Told.POWER_DOWN, Told.DATA_NOT_VALID))
    meter.power.endure(outages, others)
