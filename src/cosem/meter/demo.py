"""Household meters for demonstrations and tests: whatever is read of them follows from a number and the time.

What they measure is a load of the kind `household` (see `cosem.meter.loads`); that they sometimes lose power is told
here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final

from cosem.errors import ConfigurationError
from cosem.meter.associations import PUBLIC_ASSOCIATION, AssociationDescription, Keys
from cosem.meter.behaviour.profile_generic import RECOMPUTED
from cosem.meter.device import Meter, system_clock
from cosem.meter.faults import WELL_BEHAVED, Faults
from cosem.meter.item import FromSource
from cosem.meter.loads import Load, figure, shown
from cosem.meter.loads.chance import trait
from cosem.meter.objects import Objects
from cosem.meter.rights import Access, Rights
from cosem.protocol.association.counter import CounterStore
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.crypto.mechanism import SharedSecret, named
from cosem.protocol.model import Clock, Data, ProfileGeneric, Register
from cosem.protocol.values.data import Unsigned

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
) -> Meter:
    """Return a household electricity meter, different for each `number` and the same for the same one.

    With `security` "none" client 16 reads everything. With "low" that takes client 32 and `password`, with "gmac"
    client 1, `keys` and authenticated encryption, with "ecdsa" the signing keys as `password` as well; client 16 is
    the public client then.
    """
    meter = Meter(f"KFM{_serial(number)}", zone=zone, clock=clock, counters=counters, faults=faults)
    furnish(meter, number)
    for description in _associations(security, keys, password):
        meter.offer(description)
    return meter


def furnish(meter: Meter, number: int) -> None:
    """Put the objects of a household electricity meter into `meter`, which has none yet."""
    meter.management.use(_objects(), _Household(number, meter.zone))


@lru_cache(maxsize=1)
def _objects() -> Objects:
    """Return the objects that all household meters share."""
    objects = Objects()
    objects.add(Data("0.0.96.1.0.255"), value=FromSource(_Household.serial))
    objects.add(Data("1.0.0.2.0.255"), value="1.0.0")
    status = objects.add(Data("0.0.96.10.1.255"), value=Unsigned(0))
    event = objects.add(Data("0.0.96.11.0.255"), value=FromSource(_Household.last_event))
    objects.add(Data("0.0.96.14.0.255"), value=shown("household.tariff"))
    energies = [_register(objects, name, of) for name, of in _ENERGIES]
    for name, of in _MOMENTARY:
        _register(objects, name, of)
    objects.add(
        LOAD_PROFILE,
        capture_objects=(Clock().time, status.value, *(energy.value for energy in energies)),
        capture_period=CAPTURE_PERIOD,
        profile_entries=LOAD_PROFILE_ENTRIES,
        buffer=RECOMPUTED,
    )
    objects.add(
        EVENT_LOG,
        capture_objects=(Clock().time, event.value),
        profile_entries=EVENT_LOG_ENTRIES,
        buffer=FromSource(_Household.events),
    )
    return objects


def _serial(number: int) -> str:
    return f"1020{number % 1_000_000_000:09}"


_ENERGIES: Final = (
    ("1.0.1.8.0.255", "household.active_import"),
    ("1.0.1.8.1.255", "household.active_import_t1"),
    ("1.0.1.8.2.255", "household.active_import_t2"),
    ("1.0.2.8.0.255", "household.active_export"),
)
_MOMENTARY: Final = (
    ("1.0.1.7.0.255", "household.active_import_power"),
    ("1.0.2.7.0.255", "household.active_export_power"),
    ("1.0.14.7.0.255", "household.frequency"),
    *((f"1.0.{20 * phase + 11}.7.0.255", f"household.current_l{phase}") for phase in (1, 2, 3)),
    *((f"1.0.{20 * phase + 12}.7.0.255", f"household.voltage_l{phase}") for phase in (1, 2, 3)),
)


def _register(objects: Objects, name: str, figure_name: str) -> Register:
    found = figure(figure_name)
    return objects.add(Register(name), value=shown(figure_name), scaler_unit=(found.scaler, found.unit))


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


# -- when the power is down -------------------------------------------------------------------------------------------

POWER_DOWN, POWER_UP = 1, 2
_EVENT_DAYS: Final = 60
_OUTAGE_SHARE: Final = 0.06
"""How many days have an outage."""


class _Household(Load):
    """One household: its load, its plate, and when it lost power."""

    __slots__ = ()

    def serial(self, _: datetime) -> str:
        """The serial number on its plate."""
        return _serial(self.number)

    def events(self, time: datetime) -> list[tuple[datetime, Unsigned]]:
        """Return the outages of the last weeks, the oldest first."""
        rows: list[tuple[datetime, Unsigned]] = []
        today = max(int(self.seconds(time) // _DAY), 0)
        for day in range(max(0, today - _EVENT_DAYS), today + 1):
            if trait(self.number, f"outage {day}") < _OUTAGE_SHARE:
                down = self.begin + timedelta(days=day, minutes=int(1300 * trait(self.number, f"begin {day}")))
                up = down + timedelta(seconds=20 + int(7000 * trait(self.number, f"length {day}")))
                for moment, code in ((down, POWER_DOWN), (up, POWER_UP)):
                    if moment <= time:
                        rows.append((moment.astimezone(time.tzinfo), Unsigned(code)))
        return rows

    def last_event(self, time: datetime) -> Unsigned:
        """Return the code of the last event, 0 when there was none."""
        events = self.events(time)
        return events[-1][1] if events else Unsigned(0)


_DAY: Final = 86_400
