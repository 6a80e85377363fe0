"""Meters for demonstrations and tests: whatever is read of them follows from a number and the time.

What they measure is a load, that of a household unless another one is named (see `cosem.meter.loads`). Their event log
tells since when they have power, when daylight saving began and ended, and what happens to the meter itself, such as
that a client sets its clock: nothing that their rows and registers do not show as well.

Those of electricity can be disconnected, updated and given a calendar of tariffs, those of gas and water have a valve
(see `cosem.meter.operated`), by whoever manages them: with security "gmac" or "ecdsa".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from types import MappingProxyType
from typing import Final, cast

from cosem.errors import ConfigurationError
from cosem.meter import saving
from cosem.meter.associations import PUBLIC_ASSOCIATION, AssociationDescription, Keys
from cosem.meter.behaviour.captures import failed_for
from cosem.meter.behaviour.image_transfer import Image
from cosem.meter.behaviour.profile_generic import RECOMPUTED
from cosem.meter.device import Meter, system_clock
from cosem.meter.events import MeterEvent
from cosem.meter.faults import WELL_BEHAVED, Faults
from cosem.meter.feed import MeteredLoad
from cosem.meter.item import FromSource
from cosem.meter.loads import KINDS, Load, Shown, figure, shown
from cosem.meter.loads.codes import figure_of
from cosem.meter.loads.course import Moment
from cosem.meter.loads.supply import Supply
from cosem.meter.logical_device import LogicalDevice
from cosem.meter.objects import Objects
from cosem.meter.operated import IMAGE, add_operated
from cosem.meter.rights import Access, Rights
from cosem.protocol.association.counter import CounterStore
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.crypto.mechanism import SharedSecret, named
from cosem.protocol.model import Clock, Data, ProfileGeneric, Register
from cosem.protocol.model.companion import companion
from cosem.protocol.values.data import Unsigned
from cosem.protocol.values.obis import Obis

LOAD_PROFILE: Final = ProfileGeneric("1.0.99.1.0.255")
EVENT_LOG: Final = ProfileGeneric("0.0.99.98.0.255")
CAPTURE_PERIOD: Final = 900
LOAD_PROFILE_ENTRIES: Final = 10 * 96
EVENT_LOG_ENTRIES: Final = 100

PASSWORD_CLIENT: Final = 32
MANAGEMENT_CLIENT: Final = 1
SECURITIES: Final = ("none", "low", "gmac", "ecdsa")


def household(
    number: int,
    *,
    zone: tzinfo = UTC,
    clock: Callable[[], datetime] = system_clock,
    security: str = "none",
    keys: Keys | None = None,
    password: SharedSecret | None = None,
    counters: CounterStore | None = None,
    faults: Faults = WELL_BEHAVED,
    load: str = "household",
) -> Meter:
    """Return a household electricity meter, different for each `number` and the same for the same one.

    With another `load` (see `cosem.meter.loads.KINDS`) it is the meter of a shop, a roof, a gas pipe and so on;
    ConfigurationError where there is none of this kind.

    With `security` "none" client 16 reads everything. With "low" that takes client 32 and `password`, with "gmac"
    client 1, `keys` and authenticated encryption, with "ecdsa" the signing keys as `password` as well; client 16 is
    the public client then.
    """
    meter = Meter(household_name(number), zone=zone, clock=clock, counters=counters, faults=faults)
    furnish(meter, number, load)
    for description in _associations(security, keys, password):
        meter.offer(description)
    return meter


def household_name(number: int) -> str:
    """Return the name of a household meter, by which its number is known."""
    return f"KFM{_serial(number)}"


def furnish(meter: Meter, number: int, load: str = "household") -> None:
    """Put the objects of a meter of a load into `meter`, which has none yet; ConfigurationError for an unknown load."""
    furnish_device(meter.management, number, load)


def furnish_device(device: LogicalDevice, number: int, load: str) -> None:
    """The same of one logical device."""
    if load not in KINDS:
        raise ConfigurationError(f"there is no load of kind {load!r}, but {', '.join(KINDS)}")
    device.use(objects_of(load), Household(number, device.zone))


@lru_cache(maxsize=len(KINDS))
def objects_of(load: str) -> Objects:
    """Return the objects that all meters of a load share."""
    objects = Objects()
    objects.add(Data("0.0.96.1.0.255"), value=FromSource(lambda household, time: household.serial(time)))
    objects.add(Data("1.0.0.2.0.255"), value=FromSource(lambda household, time: household.firmware(time)))
    status = objects.add(Data("0.0.96.10.1.255"), value=Unsigned(0))
    event = objects.add(Data("0.0.96.11.0.255"), value=FromSource(lambda household, time: household.last_event(time)))
    if "tariff" in KINDS[load]:
        objects.add(Data("0.0.96.14.0.255"), value=shown(f"{load}.tariff"))
    totals, momentary = _CODES.get(load, (_ENERGIES, _MOMENTARY))
    captured = [_register(objects, code, load) for code in totals]
    for code in momentary:
        _register(objects, code, load)
    objects.add(
        LOAD_PROFILE,
        capture_objects=(Clock().time, status.value, *(total.value for total in captured)),
        capture_period=CAPTURE_PERIOD,
        profile_entries=LOAD_PROFILE_ENTRIES,
        buffer=RECOMPUTED,
    )
    objects.listeners = (OWN_LOG,)
    objects.add(
        EVENT_LOG,
        capture_objects=(Clock().time, event.value),
        profile_entries=EVENT_LOG_ENTRIES,
        buffer=FromSource(lambda household, time: household.events(time)),
    )
    add_operated(objects, load)
    return objects


def _serial(number: int) -> str:
    return f"1020{number % 1_000_000_000:09}"


_ENERGIES: Final = ("1.0.1.8.0.255", "1.0.1.8.1.255", "1.0.1.8.2.255", "1.0.2.8.0.255")
_MOMENTARY: Final = (
    *("1.0.1.7.0.255", "1.0.2.7.0.255", "1.0.14.7.0.255"),
    *(f"1.0.{20 * phase + 11}.7.0.255" for phase in (1, 2, 3)),
    *(f"1.0.{20 * phase + 12}.7.0.255" for phase in (1, 2, 3)),
)
_CODES: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = MappingProxyType(
    {
        "gas": (("7.0.3.0.0.255", "7.0.13.0.0.255"), tuple(f"7.0.{c}.0.0.255" for c in (41, 42, 43))),
        "water": (("8.0.1.0.0.255",), ("8.0.2.0.0.255",)),
        "heat": (("6.0.1.0.0.255", "6.0.2.0.0.255"), tuple(f"6.0.{c}.0.0.255" for c in (8, 9, 10, 11, 12))),
    }
)
"""Totals, which are captured, and values of the moment, of loads other than electricity."""


def _register(objects: Objects, code: str, load: str) -> Register:
    name = figure_of(Obis(code), load)
    assert name is not None
    found = figure(name)
    a, b, c, d, tariff, f = Obis(code).octets
    whole = figure_of(Obis.of(a, b, c, d, 0, f), load) if tariff else None
    value = Shown(found, found.scaler, None if whole is None else shown(whole))
    return objects.add(Register(code), value=FromSource(value), scaler_unit=(found.scaler, found.unit))


def _associations(
    security: str, keys: Keys | None, password: SharedSecret | None
) -> tuple[AssociationDescription, ...]:
    if security not in SECURITIES:
        raise ConfigurationError(f"security {security!r}: there is {', '.join(SECURITIES)}")
    if security == "none":
        return ()
    if security == "low":
        described = AssociationDescription(
            client=PASSWORD_CLIENT, name="reading with a password", mechanism=named("low"), secret=password
        )
    else:
        described = AssociationDescription(
            client=MANAGEMENT_CLIENT,
            name="management",
            mechanism=named(security),
            secret=password,
            keys=keys,
            protection=AUTHENTICATED_ENCRYPTION,
            rights=Rights(Access.MANAGE),
        )
    return PUBLIC_ASSOCIATION, described


# -- what the event log tells -----------------------------------------------------------------------------------------

POWER_DOWN, POWER_UP, IMAGE_ACTIVATED = 1, 2, 18
"""Codes of events, those of IDIS."""


class _OwnLog:
    """Notes in the event log what happens to the meter itself, by the codes of IDIS."""

    def attach(self, device: LogicalDevice) -> None:
        """Nothing is needed."""

    def noted(self, device: LogicalDevice, event: MeterEvent, time: datetime) -> None:
        """Note an event that has a code."""
        code = None if event in saving.EVENTS else codes().get(event)  # of those it knows by itself
        if code is not None and isinstance(device.source, Household | SteadyHousehold):
            device.source.note(time, code)
        if event is MeterEvent.IMAGE_ACTIVATED and device.meter.memory is None and device.listeners == (self,):
            image = device.find(IMAGE.instance)
            if image is not None and isinstance(image.state, Image):
                image.state.release()  # nobody asks for its octets again, and very many meters may have one


OWN_LOG: Final = _OwnLog()


@lru_cache(maxsize=1)
def codes() -> Mapping[MeterEvent, int]:
    """Return the codes of the event log: those of IDIS, of all its logs."""
    noted = (each.events.items() for each in companion("idis").notes)
    return MappingProxyType({MeterEvent(name): code for events in noted for name, code in events})


class Household(Load):
    """One household: its load, its plate, what befell it, and what its meter has noted beside that."""

    __slots__ = ("noted",)

    def __init__(self, number: int, zone: tzinfo) -> None:
        super().__init__(number, zone)
        self.noted: tuple[tuple[datetime, int], ...] = ()

    def note(self, time: datetime, code: int) -> None:
        """Note in the event log what happens to the meter."""
        self.noted = (*self.noted, (time, code))[-EVENT_LOG_ENTRIES:]

    def serial(self, _: datetime) -> str:
        """The serial number on its plate."""
        return _serial(self.number)

    def firmware(self, time: datetime) -> str:
        """The version of the firmware at a time: always the one it came with."""
        del time
        return "1.0.0"

    def events(self, time: datetime) -> list[tuple[datetime, Unsigned]]:
        """Return its history, and what was noted beside it in the order in which it came, the oldest first."""
        known = [*self.history(time), *_savings(time, self.begin, time)]
        return _together(sorted(known, key=_when), self.noted, time)

    def history(self, time: datetime) -> list[tuple[datetime, Unsigned]]:
        """Return what befell it until a true time, the oldest first: it has power since it began."""
        return [(self.begin.astimezone(time.tzinfo), Unsigned(POWER_UP))] if self.begin <= time else []

    def last_event(self, time: datetime) -> Unsigned:
        """Return the code of the last event, 0 when there was none."""
        return _last(self.events(time))

    def truly(self, time: datetime) -> tuple[Household, datetime]:
        """Return who knows of the true time at which the clock of the meter shows a time, and that one."""
        return self, time

    def by_true_time(self, device: LogicalDevice) -> SteadyHousehold:
        """Return the same of a meter whose clock was set."""
        return SteadyHousehold(self, device)


class SteadyHousehold:
    """A household whose meter has a clock that was set, a breaker, or been without power: it goes by the true time.

    It is asked with what the clock shows.
    """

    __slots__ = ("_household", "_load", "_meter", "_supply")

    def __init__(self, household: Household, device: LogicalDevice) -> None:
        self._household = household
        self._meter = device.meter
        self._load = MeteredLoad(household.number, device.meter, device)
        self._supply: Supply | None = None

    def truly(self, time: datetime) -> tuple[Household, datetime]:
        """Return who knows of the true time at which the clock of the meter shows a time, and that one."""
        supply = self._load.supplied()
        if supply is not self._supply:
            self._supply = supply
            self._household.flow_by(Moment if supply is None else lambda _, seconds: supply.moment(seconds))
        return self._household, self._meter.true_time_of(time).astimezone(time.tzinfo)

    def moment(self, time: datetime) -> Moment:
        """Return what its figures have in common when the clock shows a time."""
        return self._load.moment(time)

    @property
    def noted(self) -> tuple[tuple[datetime, int], ...]:
        """What its meter has noted, at the times that the clock showed."""
        return self._household.noted

    @noted.setter
    def noted(self, noted: tuple[tuple[datetime, int], ...]) -> None:
        self._household.noted = noted

    def note(self, time: datetime, code: int) -> None:
        """Note in the event log what happens to the meter."""
        self._household.note(time, code)

    def serial(self, time: datetime) -> str:
        """The serial number on its plate."""
        return self._household.serial(time)

    def firmware(self, time: datetime) -> str:
        """The version of the firmware when the clock shows a time."""
        household, true = self.truly(time)
        return household.firmware(true)

    def events(self, time: datetime) -> list[tuple[datetime, Unsigned]]:
        """Return its events as the clock showed them, in the order in which they happened."""
        household, true = self.truly(time)
        shown = self._meter.shown_then
        known = [(shown(at.astimezone(UTC)).astimezone(time.tzinfo), code) for at, code in household.history(true)]
        failures = self._meter.power.failures if self._meter.has_outages else ()
        for era in self._meter.eras(time):
            with self._meter.seen_in(era):
                changes = _savings(time, max(household.begin, era.since or household.begin), era.until)
                known += [each for each in changes if failed_for(failures, self._meter.true_time_of(each[0])) is None]
        return _together(sorted(known, key=_when), household.noted, time)

    def last_event(self, time: datetime) -> Unsigned:
        """Return the code of the last event, 0 when there was none."""
        return _last(self.events(time))


def _savings(shown: datetime, since: datetime, until: datetime) -> list[tuple[datetime, Unsigned]]:
    """Return when daylight saving began and ended in the zone of a clock, from one time that it showed to another."""
    changes = saving.changes(cast("tzinfo", shown.tzinfo), since, until)
    return [(at, Unsigned(codes()[event])) for at, event in changes]


def _when(row: tuple[datetime, Unsigned]) -> datetime:
    return row[0]


def _together(
    history: list[tuple[datetime, Unsigned]], noted: tuple[tuple[datetime, int], ...], time: datetime
) -> list[tuple[datetime, Unsigned]]:
    """Return what befell a household and what its meter noted, each in the order in which it came."""
    if not noted:
        return history
    rows: list[tuple[datetime, Unsigned]] = []
    for at, code in noted:
        while history and history[0][0] <= at:
            rows.append(history.pop(0))
        rows.append((at.astimezone(time.tzinfo), Unsigned(code)))
    return rows + history


def _last(events: list[tuple[datetime, Unsigned]]) -> Unsigned:
    return events[-1][1] if events else Unsigned(0)
