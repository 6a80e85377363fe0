"""What a scenario does to each meter, as functions of its number and the time: nothing of it is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any, Final, TypeAlias, cast

from cosem.fleet.scenario import Scenario, TariffForm
from cosem.meter.behaviour import image_transfer
from cosem.meter.behaviour.registers import InTariff
from cosem.meter.demo import IMAGE_ACTIVATED, Household, objects_of
from cosem.meter.item import FromSource, Item, Kept, Series, Visit
from cosem.meter.loads import KINDS, Shown, figure
from cosem.meter.loads.chance import chance
from cosem.meter.objects import Objects
from cosem.meter.operated import IMAGE, USUAL, Course, tell_calendar
from cosem.protocol.model.classes.access_control import ImageTransfer, ImageTransferStatus
from cosem.protocol.model.classes.data_storage import Data as DataObject
from cosem.protocol.model.classes.data_storage import Register
from cosem.protocol.values.data import Enumerated, Unsigned
from cosem.protocol.values.obis import Obis

_USES: Final = 1 << 28
_UPDATE, _DRIFTS, _RATE, _TAMPERS, _WHEN = range(5)
_PPM: Final = 1_000_000


Drifts: TypeAlias = tuple[tuple[datetime, float], ...]
"""Since when a clock goes wrong, and by what share of the time that passes."""


class Effects:
    """What a scenario does to the `count` meters of a fleet, some of whose clocks drift of their own accord."""

    def __init__(
        self, scenario: Scenario, count: int, seed: int = 0, own_drifts: Callable[[int], Drifts] | None = None
    ) -> None:
        self.scenario = scenario
        self._count = count
        self._seed = seed
        self._own_drifts = own_drifts

    def drifting(self, own: Callable[[int], Drifts]) -> Effects:
        """Return the same where clocks drift beside that, by the number of the meter."""
        return Effects(self.scenario, self._count, self._seed, own)

    def updated_at(self, wave: int, number: int) -> datetime:
        """Return when a firmware wave reaches a meter of its region: one without power when that is back."""
        said = self.scenario.firmware[wave]
        at = said.at + said.length * self._drawn(_UPDATE, wave, number)
        for down, up in self._without_power(number):
            if down < at + said.reboot and at < up:
                at = up
        return at

    def updates(self, number: int) -> list[tuple[datetime, str]]:
        """Return since when a meter has which versions, beside the one it came with."""
        reached = sorted(
            (self.updated_at(place, number) + wave.reboot, wave.at, wave.version)
            for place, wave in enumerate(self.scenario.firmware)
            if self._concerns(wave.region, number)
        )
        return [(at, version) for at, _, version in reached]

    def firmware(self, number: int, time: datetime) -> str | None:
        """Return the version that a meter was updated to last until a time; None for the one it came with."""
        return next((version for at, version in reversed(self.updates(number)) if at <= time), None)

    def tampered_at(self, tamper: int, number: int) -> datetime | None:
        """Return when a meter of its region is tampered with; None where it is not."""
        said = self.scenario.tampers[tamper]
        if self._drawn(_TAMPERS, tamper, number) >= said.share:
            return None
        return said.at + said.length * self._drawn(_WHEN, tamper, number)

    def tamperings(self, number: int) -> list[tuple[datetime, int]]:
        """Return when a meter is tampered with, and the codes for it."""
        found: list[tuple[datetime, int]] = []
        for place, tamper in enumerate(self.scenario.tampers):
            at = self.tampered_at(place, number) if self._concerns(tamper.region, number) else None
            if at is not None:
                found.append((at, tamper.code))
        return sorted(found)

    def events(self, number: int, until: datetime) -> list[tuple[datetime, int]]:
        """Return the codes of what was done to a meter until a time, the oldest first."""
        updates = ((at, IMAGE_ACTIVATED) for at, _ in self.updates(number))
        return sorted(each for each in (*self.tamperings(number), *updates) if each[0] <= until)

    def outages(self, number: int) -> list[tuple[datetime, datetime]]:
        """Return from when to when a meter has no power, as its clock has it that nobody sets, in order.

        Of outages that overlap or follow at once, one is made.
        """
        found = self._without_power(number)
        drifts = self.drifts(number) if found else ()
        return [(_drifted(down, drifts), _drifted(up, drifts)) for down, up in found] if drifts else found

    def _without_power(self, number: int) -> list[tuple[datetime, datetime]]:
        """Return from when to when, truly, a meter has no power."""
        concerned = (each for each in self.scenario.outages if self._concerns(each.region, number))
        found: list[tuple[datetime, datetime]] = []
        for down, up in sorted((each.at, each.at + each.length) for each in concerned):
            if found and down <= found[-1][1]:
                found[-1] = (found[-1][0], max(found[-1][1], up))
            else:
                found.append((down, up))
        return found

    def drifts(self, number: int) -> Drifts:
        """Return how a meter's clock goes wrong, by the scenario and of its own accord."""
        drifts = tuple(
            (drift.at, drift.ppm / _PPM * (2 * self._drawn(_RATE, place, number) - 1))
            for place, drift in enumerate(self.scenario.drifts)
            if self._concerns(drift.region, number) and self._drawn(_DRIFTS, place, number) < drift.share
        )
        return drifts if self._own_drifts is None else drifts + self._own_drifts(number)

    def clock(self, number: int, true: Callable[[], datetime]) -> Callable[[], datetime]:
        """Return what a meter takes for the true time."""
        drifts = self.drifts(number)
        if not drifts:
            return true

        return lambda: _drifted(true(), drifts)

    def shown(self, number: int, moment: datetime) -> datetime:
        """Return what a meter takes for a true time."""
        return _drifted(moment, self.drifts(number))

    def tariffs(self, number: int) -> tuple[tuple[datetime, TariffForm], ...]:
        """Return how a meter counts in tariffs since when, in order."""
        changes = [(each.at, each.form) for each in self.scenario.tariffs if self._concerns(each.region, number)]
        return tuple(sorted(changes, key=lambda change: change[0]))

    def _concerns(self, region: int | None, number: int) -> bool:
        return number in self.scenario.numbers(region, self._count)

    def _drawn(self, use: int, place: int, number: int) -> float:
        return chance((self._seed + 1) * _USES + place * 8 + use, number)


def _drifted(moment: datetime, drifts: Iterable[tuple[datetime, float]]) -> datetime:
    return moment + sum(((moment - at) * rate for at, rate in drifts if at < moment), timedelta())


class AffectedHousehold(Household):
    """A household to whose meter things happen."""

    __slots__ = ("_effects", "_place")

    def __init__(self, seed: int, zone: tzinfo, effects: Effects, place: int) -> None:
        super().__init__(seed, zone)
        self._effects = effects
        self._place = place

    def firmware(self, time: datetime) -> str:
        """The version of the firmware."""
        return self._effects.firmware(self._place, time) or super().firmware(time)

    def was_updated(self, time: datetime) -> bool:
        """Tell whether a wave had reached it at a time."""
        return self._effects.firmware(self._place, time) is not None

    def history(self, time: datetime) -> list[tuple[datetime, Unsigned]]:
        """Return the outages of the last weeks and what else the scenario did, the oldest first."""
        done = self._effects.events(self._place, time)
        rows = [*super().history(time), *((at.astimezone(time.tzinfo), Unsigned(code)) for at, code in done)]
        return sorted(rows, key=lambda row: row[0])

    def tariffs(self) -> tuple[tuple[datetime, TariffForm], ...]:
        """Return how it counts in tariffs since when."""
        return self._effects.tariffs(self._place)


Energy = Callable[[Any, datetime], Any]
"""What a register shows of a load at a local time."""


@dataclass(frozen=True, slots=True)
class Tariffed:
    """The energy of one of two tariffs, counted on otherwise since each change."""

    own: Energy
    other: Energy
    is_first: bool

    @property
    def whole(self) -> FromSource | None:
        """What both are shares of."""
        return self.own.whole if isinstance(self.own, InTariff) else None

    def __call__(self, load: AffectedHousehold, time: datetime) -> Any:
        """Return the value of a load at a local time."""
        load, time = cast("tuple[AffectedHousehold, datetime]", load.truly(time))
        changes = [change for change in load.tariffs() if change[0] <= time]
        if not changes:
            return self.own(load, time)
        total = int(self.own(load, changes[0][0]))
        for (begun, form), end in zip(changes, (*(at for at, _ in changes[1:]), time), strict=True):
            total += self._counted(load, form, end) - self._counted(load, form, begun)
        return type(self.own(load, time))(total)

    def series(self, source: Any, visits: Sequence[Visit], kept: Kept) -> list[Any]:
        """Return its values at several local times: as ever, where nothing is counted otherwise."""
        own = self.own
        if isinstance(own, Series) and isinstance(source, AffectedHousehold) and not source.tariffs():
            return own.series(source, visits, kept)
        return [self(source, visit.time) for visit in visits]

    def _counted(self, load: AffectedHousehold, form: TariffForm, time: datetime) -> int:
        """Return what the register would show if it had always counted in one form."""
        if form is TariffForm.USUAL:
            return int(self.own(load, time))
        if form is TariffForm.SWAPPED:
            return int(self.other(load, time))
        return int(self.own(load, time)) + int(self.other(load, time)) if self.is_first else 0


def _tariff_now(usual: Shown) -> Callable[[AffectedHousehold, datetime], Any]:
    """Return what says which tariff counts."""

    def ask(load: AffectedHousehold, time: datetime) -> Any:
        load, time = cast("tuple[AffectedHousehold, datetime]", load.truly(time))
        shown = usual(load, time)
        form = _form(load, time)
        now = {TariffForm.USUAL: int(shown), TariffForm.SINGLE: 1, TariffForm.SWAPPED: 3 - int(shown)}[form]
        return type(shown)(now)

    return ask


def _form(load: AffectedHousehold, time: datetime) -> TariffForm:
    """Return how a load counts in tariffs at a true time."""
    return next((form for at, form in reversed(load.tariffs()) if at <= time), TariffForm.USUAL)


_TARIFF: Final = Obis("0.0.96.14.0.255")
BY_TARIFF: Final = {1: Obis("1.0.1.8.1.255"), 2: Obis("1.0.1.8.2.255")}
"""The registers of two tariffs."""


@lru_cache(maxsize=len(KINDS))
def affected_objects(load: str) -> Objects:
    """Return the objects of all meters of a load to which things happen."""
    objects = objects_of(load).copy()
    energies = {rate: objects.find(code) for rate, code in BY_TARIFF.items()}
    if all(energies.values()):
        shown = {rate: cast("Any", item).values[Register.value.index].ask for rate, item in energies.items()}
        for rate, item in energies.items():
            value = Tariffed(shown[rate], shown[3 - rate], rate == 1)
            cast("Any", item).values[Register.value.index] = FromSource(value)
        tariff = objects.find(_TARIFF)
        if tariff is not None:
            tariff.values[DataObject.value.index] = FromSource(_tariff_now(_shown(f"{load}.tariff")))
        tell_calendar(objects, _calendar)
    image = objects.find(IMAGE.instance)
    if image is not None:
        image.behaviour = replace(image.behaviour, reads={**image.behaviour.reads, _IMAGE_STATUS: _image_status})
    return objects


_CALENDARS: Final = {
    TariffForm.USUAL: USUAL,
    TariffForm.SINGLE: ((0, 1),),
    TariffForm.SWAPPED: tuple((hour, 3 - rate) for hour, rate in USUAL),
}
"""What the calendar of a meter says that counts in a form."""


def _calendar(load: AffectedHousehold, time: datetime) -> tuple[str, Course]:
    load, time = cast("tuple[AffectedHousehold, datetime]", load.truly(time))
    form = _form(load, time)
    return form.value, _CALENDARS[form]


_IMAGE_STATUS: Final = ImageTransfer.image_transfer_status.index


def _image_status(visit: Visit, item: Item) -> Any:
    """Return the status of the last image: where no client sent any, of that by which a wave came."""
    load, time = visit.device.source.truly(visit.time)
    if item.state is None and load.was_updated(time):
        return Enumerated(ImageTransferStatus.ACTIVATION_SUCCESSFUL)
    return image_transfer.BEHAVIOUR.reads[_IMAGE_STATUS](visit, item)


def _shown(name: str) -> Shown:
    found = figure(name)
    return Shown(found, found.scaler)
