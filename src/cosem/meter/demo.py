"""Household meters for demonstrations and tests: whatever is read of them follows from a number and the time.

Energy is a daily load shape under a slow rise and fall over weeks and seasons, summed in closed form: any value of any
time costs the same, is the same each time, and an energy register never runs backwards.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final

from cosem.errors import ConfigurationError
from cosem.meter.associations import PUBLIC_ASSOCIATION, AssociationDescription, Keys
from cosem.meter.behaviour.clock import standard_offset
from cosem.meter.behaviour.profile_generic import RECOMPUTED
from cosem.meter.device import Meter, system_clock
from cosem.meter.faults import WELL_BEHAVED, Faults
from cosem.meter.item import FromSource
from cosem.meter.objects import Objects
from cosem.meter.rights import Access, Rights
from cosem.protocol.association.counter import CounterStore
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.crypto.mechanism import SharedSecret, named
from cosem.protocol.model import Clock, Data, ProfileGeneric, Register
from cosem.protocol.values.data import DoubleLong, DoubleLongUnsigned, LongUnsigned, Unsigned
from cosem.protocol.values.units import Unit

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
    objects.add(Data("0.0.96.14.0.255"), value=FromSource(_Household.tariff))
    energies = [
        objects.add(Register(name), value=FromSource(value), scaler_unit=(0, Unit.WATT_HOUR))
        for name, value in (
            ("1.0.1.8.0.255", _Household.imported),
            ("1.0.1.8.1.255", _Household.imported_by_day),
            ("1.0.1.8.2.255", _Household.imported_by_night),
            ("1.0.2.8.0.255", _Household.exported),
        )
    ]
    for name, value, scaler, unit in (
        ("1.0.1.7.0.255", _Household.power, 0, Unit.WATT),
        ("1.0.2.7.0.255", _Household.exported_power, 0, Unit.WATT),
        ("1.0.14.7.0.255", _Household.frequency, -2, Unit.HERTZ),
    ):
        objects.add(Register(name), value=FromSource(value), scaler_unit=(scaler, unit))
    for phase, c in enumerate((31, 51, 71)):
        current = FromSource(_of_phase(_Household.current, phase))
        voltage = FromSource(_of_phase(_Household.voltage, phase))
        objects.add(Register(f"1.0.{c}.7.0.255"), value=current, scaler_unit=(-2, Unit.AMPERE))
        objects.add(Register(f"1.0.{c + 1}.7.0.255"), value=voltage, scaler_unit=(-1, Unit.VOLT))
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


def _of_phase(
    figure: Callable[[_Household, int, datetime], object], phase: int
) -> Callable[[_Household, datetime], object]:
    return lambda house, time: figure(house, phase, time)


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


# -- what a household does --------------------------------------------------------------------------------------------

_EPOCH: Final = datetime(2020, 1, 1, tzinfo=UTC)
_SLOTS: Final = 96
_SLOT: Final = 900
_DAY: Final = 86_400
_DAY_TARIFF: Final = range(6 * 4, 22 * 4)
"""Quarters of an hour from 6 to 22 o'clock, standard time."""

_VARIANTS: Final = 8
_WAVES: Final = (7.0, 365.25, 3.7)
"""Days after which consumption repeats, in part."""

POWER_DOWN, POWER_UP = 1, 2
_EVENT_DAYS: Final = 60
_OUTAGE_SHARE: Final = 0.06
"""How many days have an outage."""


class _Household:
    """All figures of one household as functions of time."""

    __slots__ = ("_amplitudes", "_begin", "_daily", "_number", "_phases", "_solar", "_variant")

    def __init__(self, number: int, zone: tzinfo) -> None:
        self._number = number
        self._variant = number % _VARIANTS
        self._begin = _EPOCH - standard_offset(zone, _EPOCH.year)
        self._daily = 4_000 + 12_000 * self._chance("daily")
        self._solar = 12_000 * self._chance("solar") if number % 3 == 0 else 0.0
        self._amplitudes = (0.1, 0.25, 0.15 * self._chance("amplitude"))
        self._phases = tuple(2 * math.pi * self._chance(f"phase {wave}") for wave in _WAVES)

    def serial(self, _: datetime) -> str:
        """The serial number on its plate."""
        return _serial(self._number)

    def imported(self, time: datetime) -> DoubleLongUnsigned:
        """Wh since it was installed."""
        return DoubleLongUnsigned(self._imported(0, time) + self._imported(1, time))

    def imported_by_day(self, time: datetime) -> DoubleLongUnsigned:
        """Wh in tariff 1."""
        return self._imported(0, time)

    def imported_by_night(self, time: datetime) -> DoubleLongUnsigned:
        """Wh in tariff 2."""
        return self._imported(1, time)

    def _imported(self, tariff: int, time: datetime) -> DoubleLongUnsigned:
        days, slot, part = self._place(time)
        sums = _cumulated(self._variant)[tariff]
        today = sums[slot] + (sums[slot + 1] - sums[slot]) * part
        return DoubleLongUnsigned(int(self._daily * (self._sum_of_days(days) * sums[-1] + self._factor(days) * today)))

    def exported(self, time: datetime) -> DoubleLongUnsigned:
        """Wh that a roof has delivered, where there is one."""
        days, slot, part = self._place(time)
        sums = _sunshine()
        today = sums[slot] + (sums[slot + 1] - sums[slot]) * part
        return DoubleLongUnsigned(int(self._solar * (days + today)))

    def power(self, time: datetime) -> DoubleLongUnsigned:
        """W now: the average of the quarter of an hour, and what is switched this minute."""
        days, slot, _ = self._place(time)
        share = sum(sums[slot + 1] - sums[slot] for sums in _cumulated(self._variant))
        average = self._daily * self._factor(days) * share * _DAY / _SLOT / 24
        return DoubleLongUnsigned(int(average * (0.8 + 0.4 * self._chance("power", time))))

    def exported_power(self, time: datetime) -> DoubleLongUnsigned:
        """W of the roof."""
        _, slot, _ = self._place(time)
        sums = _sunshine()
        return DoubleLongUnsigned(int(self._solar * (sums[slot + 1] - sums[slot]) * _DAY / _SLOT / 24))

    def voltage(self, phase: int, time: datetime) -> LongUnsigned:
        """Tenths of a volt."""
        return LongUnsigned(2260 + int(80 * self._chance(f"voltage {phase}", time)))

    def current(self, phase: int, time: datetime) -> DoubleLong:
        """Hundredths of an ampere: the phases carry unequal parts."""
        share = (0.5, 0.3, 0.2)[(phase + self._number) % 3]
        return DoubleLong(int(self.power(time) * share * 1000 / self.voltage(phase, time)))

    def frequency(self, time: datetime) -> LongUnsigned:
        """Hundredths of a hertz."""
        return LongUnsigned(4996 + int(8 * self._chance("frequency", time)))

    def tariff(self, time: datetime) -> Unsigned:
        """1 by day, 2 by night."""
        return Unsigned(1 if self._place(time)[1] in _DAY_TARIFF else 2)

    def events(self, time: datetime) -> list[tuple[datetime, Unsigned]]:
        """Return the outages of the last weeks, the oldest first."""
        rows: list[tuple[datetime, Unsigned]] = []
        today = self._place(time)[0]
        for day in range(max(0, today - _EVENT_DAYS), today + 1):
            if self._chance(f"outage {day}") < _OUTAGE_SHARE:
                down = self._begin + timedelta(days=day, minutes=int(1300 * self._chance(f"begin {day}")))
                up = down + timedelta(seconds=20 + int(7000 * self._chance(f"length {day}")))
                for moment, code in ((down, POWER_DOWN), (up, POWER_UP)):
                    if moment <= time:
                        rows.append((moment.astimezone(time.tzinfo), Unsigned(code)))
        return rows

    def last_event(self, time: datetime) -> Unsigned:
        """Return the code of the last event, 0 when there was none."""
        events = self.events(time)
        return events[-1][1] if events else Unsigned(0)

    def _place(self, time: datetime) -> tuple[int, int, float]:
        """Return the day since the epoch, the quarter of an hour, and how much of it has passed."""
        days, second = divmod(max((time - self._begin).total_seconds(), 0.0), _DAY)
        slot, passed = divmod(second, _SLOT)
        return int(days), int(slot), passed / _SLOT

    def _factor(self, day: int) -> float:
        """What a day's consumption is to the mean."""
        waves = zip(_WAVES, self._amplitudes, self._phases, strict=True)
        return 1 + sum(size * math.cos(2 * math.pi * day / wave + phase) for wave, size, phase in waves)

    def _sum_of_days(self, days: int) -> float:
        """Return the sum of `_factor` over the first `days` days."""
        total = float(days)
        for wave, size, phase in zip(_WAVES, self._amplitudes, self._phases, strict=True):
            half = math.pi / wave
            total += size * math.sin(days * half) / math.sin(half) * math.cos((days - 1) * half + phase)
        return total

    def _chance(self, what: str, time: datetime | None = None) -> float:
        """Return a number from 0 to 1 that looks like chance and is the same for the same minute."""
        minute = 0 if time is None else int(time.timestamp()) // 60
        return zlib.crc32(f"{self._number} {what} {minute}".encode()) / 0xFFFF_FFFF


@lru_cache(maxsize=_VARIANTS)
def _cumulated(variant: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the shares of a day used until each quarter of an hour, by tariff; together they come to 1."""
    weights = [_weight(slot, variant) for slot in range(_SLOTS)]
    whole = sum(weights)
    day, night = [0.0], [0.0]
    for slot, weight in enumerate(weights):
        by_day = slot in _DAY_TARIFF
        day.append(day[-1] + (weight / whole if by_day else 0.0))
        night.append(night[-1] + (0.0 if by_day else weight / whole))
    return tuple(day), tuple(night)


def _weight(slot: int, variant: int) -> float:
    hour = slot / 4
    morning, noon, evening = 6.5 + variant % 3 * 0.7, 12.5, 18.5 + variant % 4 * 0.6
    return (
        0.35
        + 0.9 * math.exp(-(((hour - morning) / 1.1) ** 2))
        + 0.5 * math.exp(-(((hour - noon) / 1.4) ** 2))
        + 1.4 * math.exp(-(((hour - evening) / 1.9) ** 2))
    )


@lru_cache(maxsize=1)
def _sunshine() -> tuple[float, ...]:
    """Return the share of a day's sunshine until each quarter of an hour."""
    weights = [max(0.0, math.sin(math.pi * (slot - 24) / 48)) if 24 <= slot < 72 else 0.0 for slot in range(_SLOTS)]
    sums = [0.0]
    for weight in weights:
        sums.append(sums[-1] + weight / sum(weights))
    return tuple(sums)
