"""Objects by which meters of a fleet are operated: breaker or valve, firmware image, and calendar of tariffs.

Many meters share them, and until somebody uses them in one meter they sleep there: nothing looks at the clock for them,
and the two tariffs are measured as the calendar of the load has them, with nobody who runs it. Who activates another
calendar, has a special day or runs a script of tariffs lets this one meter run its calendar from then on: its tariff
registers go on from where they are, and share out what comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, time, timedelta, tzinfo
from functools import partial
from types import MappingProxyType
from typing import Any, Final, TypeAlias, cast

from cosem.meter.behaviour import (
    activity_calendar,
    disconnect_control,
    image_transfer,
    registers,
    scripts,
    special_days,
)
from cosem.meter.behaviour.clock import savings
from cosem.meter.item import Behaviour, FromSource, Item, Run, Visit
from cosem.meter.loads import electricity
from cosem.meter.objects import Objects
from cosem.protocol.model import Data as DataObject
from cosem.protocol.model import Register
from cosem.protocol.model.classes.access_control import ImageTransfer
from cosem.protocol.model.classes.data_storage import ObjectDefinition, RegisterActivation, RegisterActivationMask
from cosem.protocol.model.classes.time_and_event import (
    ActionSpecification,
    ActivityCalendar,
    DayProfile,
    DayProfileAction,
    DisconnectControl,
    Script,
    ScriptTable,
    Season,
    ServiceId,
    SpecialDaysTable,
    WeekProfile,
)
from cosem.protocol.model.declare import InterfaceClass
from cosem.protocol.values.data import Data, OctetString, Unsigned
from cosem.protocol.values.dates import LAST_DAY, DateTime, Time

BREAKER: Final = DisconnectControl("0.0.96.3.10.255")
IMAGE: Final = ImageTransfer("0.0.44.0.0.255")
CALENDAR: Final = ActivityCalendar("0.0.13.0.0.255")
SPECIAL_DAYS: Final = SpecialDaysTable("0.0.11.0.0.255")
TARIFF_SCRIPTS: Final = ScriptTable("0.0.10.0.100.255")
TARIFFS: Final = RegisterActivation("0.0.14.0.0.255")
TARIFF: Final = DataObject("0.0.96.14.0.255")
"""The number of the tariff that counts."""

SWITCHED: Final = (*electricity.KINDS, "gas", "water")
"""The loads whose meters have a breaker or a valve."""

Course: TypeAlias = "tuple[tuple[int, int], ...]"
"""At which hours of a day, in standard time, which tariff begins."""

USUAL: Final[Course] = ((6, 1), (22, 2))

_RATES: Final = (1, 2)
_STANDARD, _SAVING = 1, 2
"""Numbers of the day profiles in standard time, and while daylight is saved."""


def add_operated(objects: Objects, load: str) -> None:
    """Put into the objects of all meters of a load what somebody can operate in them."""
    if load in SWITCHED:
        _put(objects, BREAKER, _BREAKER, writable=("control_mode",))
    if load not in electricity.KINDS:
        return
    _put(objects, IMAGE, _IMAGE)
    _put(
        objects,
        TARIFFS,
        _TARIFFS,
        register_assignment=tuple(
            ObjectDefinition(Register.class_id, Register(_energy(rate)).instance) for rate in _RATES
        ),
        mask_list=tuple(RegisterActivationMask(_mask(rate), (place,)) for place, rate in enumerate(_RATES, 1)),
    )
    _put(objects, TARIFF_SCRIPTS, _SCRIPTS, scripts=tuple(map(_script, _RATES)))
    _put(objects, SPECIAL_DAYS, _SPECIAL_DAYS, entries=())
    _put(
        objects,
        CALENDAR,
        _CALENDAR,
        writable=(*_PASSIVE, "activate_passive_calendar_time"),
        calendar_name_passive=b"",
        season_profile_passive=(),
        week_profile_table_passive=(),
        day_profile_table_passive=(),
        activate_passive_calendar_time=DateTime(),
    )
    tell_calendar(objects, _usual)


def _usual(_: object, __: datetime) -> tuple[str, Course]:
    return "usual", USUAL


def tell_calendar(objects: Objects, of: Any) -> None:
    """Let the calendar of shared objects tell the name and the course of days that `of` says of a source at a time."""
    found, tariffs, told = (objects.find(each.instance) for each in (CALENDAR, TARIFFS, TARIFF))
    if found is None or tariffs is None or told is None:
        return
    shown = told.values[DataObject.value.index].ask
    tariffs.values[RegisterActivation.active_mask.index] = FromSource(partial(_active, shown))
    for attribute, ask in (
        (ActivityCalendar.calendar_name_active, _name),
        (ActivityCalendar.season_profile_active, _seasons),
        (ActivityCalendar.week_profile_table_active, _weeks),
        (ActivityCalendar.day_profile_table_active, _days),
    ):
        found.values[attribute.index] = FromSource(partial(ask, of))


def _put(
    objects: Objects, address: InterfaceClass, asleep: Behaviour, writable: Iterable[str] = (), **values: object
) -> None:
    alone = Objects()
    alone.add(address, writable=writable, **values)
    (item,) = alone
    item.behaviour = asleep
    objects.put_in(item)


# -- what the calendar of a load says ----------------------------------------------------------------------------------


def _energy(rate: int) -> str:
    return f"1.0.1.8.{rate}.255"


def _mask(rate: int) -> bytes:
    return b"%d" % rate


def _script(rate: int) -> Script:
    """Return the script that lets a tariff count, and that is told."""
    written = (
        (RegisterActivation.class_id, TARIFFS.instance, RegisterActivation.active_mask.index, OctetString(_mask(rate))),
        (DataObject.class_id, TARIFF.instance, DataObject.value.index, Unsigned(rate)),
    )
    return Script(rate, tuple(ActionSpecification(ServiceId.WRITE_ATTRIBUTE, *each) for each in written))


def _active(tariff: Any, source: Any, at: datetime) -> bytes:
    return _mask(int(tariff(source, at)))


def _name(of: Any, source: Any, at: datetime) -> bytes:
    return cast("str", of(source, at)[0]).encode()


def _seasons(_: Any, __: Any, at: datetime) -> tuple[Season, ...]:
    """Return the seasons in which the clock shows standard time, and in which it saves daylight."""
    _, saving, begin, end = savings(cast("tzinfo", at.tzinfo), at.year)
    if not saving:
        return (Season(b"standard", DateTime(), b"standard"),)
    return (
        Season(b"standard", _every_year(end), b"standard"),
        Season(b"saving", _every_year(begin), b"saving"),
    )


def _every_year(change: DateTime) -> DateTime:
    """Return the day of a change as all years have it: the last such day of the week of a month, or the first from a
    day of the month on.
    """
    day = change.day
    from_day = LAST_DAY if day == LAST_DAY or day is None else (day - 1) // 7 * 7 + 1
    return DateTime(None, change.month, from_day, change.weekday)


def _weeks(_: Any, __: Any, at: datetime) -> tuple[WeekProfile, ...]:
    weeks = ((b"standard", _STANDARD), (b"saving", _SAVING))
    return tuple(WeekProfile(name, *(7 * (day,))) for name, day in weeks[: 1 + bool(_saving_of(at))])


def _days(of: Any, source: Any, at: datetime) -> tuple[DayProfile, ...]:
    saving = _saving_of(at)
    course: Course = of(source, at)[1]
    standard = [(time(hour), rate) for hour, rate in course]
    saved = [(_later(begin, saving), rate) for begin, rate in standard] if len(course) > 1 else standard
    # What is put off past midnight comes on the next day, be it one of standard time.
    past = [after for before, after in zip(standard, saved, strict=True) if after < before]
    days = ((_STANDARD, standard + past), (_SAVING, saved))
    return tuple(DayProfile(number, tuple(map(_action, sorted(day)))) for number, day in days[: 1 + bool(saving)])


def _action(begin: tuple[time, int]) -> DayProfileAction:
    return DayProfileAction(Time.from_time(begin[0]), TARIFF_SCRIPTS.instance, begin[1])


def _saving_of(at: datetime) -> timedelta:
    return savings(cast("tzinfo", at.tzinfo), at.year)[1]


def _later(begin: time, by: timedelta) -> time:
    """Return a time of day so much later, perhaps of the next day."""
    return (datetime.combine(datetime.min, begin) + by).time()


# -- asleep ------------------------------------------------------------------------------------------------------------


def _waking(run: Run) -> Run:
    """Return a method that wakes its object if it did anything."""

    def run_and_wake(visit: Visit, item: Item, argument: Data) -> Data:
        returned = run(visit, item, argument)
        if not visit.device.objects.shared:
            visit.device.wake(item)
        return returned

    return run_and_wake


def _taking_over(run: Run) -> Run:
    """Return a method before which the calendar is taken over, for it changes what that says or ran."""

    def take_over_and_run(visit: Visit, item: Item, argument: Data) -> Data:
        _take_over(visit)
        return run(visit, visit.device.owned(item), argument)

    return take_over_and_run


def _take_over(visit: Visit) -> None:
    found = visit.device.find(CALENDAR.instance)
    if found is not None and found.class_id == ActivityCalendar.class_id:
        activity_calendar.take_over(visit, found)


def _wake(visit: Visit, item: Item) -> None:
    visit.device.wake(item)


def _have_special_days(visit: Visit, item: Item, value: Data) -> None:
    _take_over(visit)
    item.values[SpecialDaysTable.entries.index] = value


def _asleep(awake: Behaviour, methods: Mapping[int, Run], **others: Any) -> Behaviour:
    return replace(awake, timed=None, awake=awake, methods=MappingProxyType(dict(methods)), **others)


def _each(around: Any, behaviour: Behaviour) -> Mapping[int, Run]:
    return {index: around(run) for index, run in behaviour.methods.items()}


_BREAKER: Final = _asleep(disconnect_control.BEHAVIOUR, disconnect_control.BEHAVIOUR.methods)
_IMAGE: Final = _asleep(image_transfer.BEHAVIOUR, _each(_waking, image_transfer.BEHAVIOUR))
_TARIFFS: Final = _asleep(replace(registers.ACTIVATION, timed=None), _each(_taking_over, registers.ACTIVATION))
_SCRIPTS: Final = _asleep(scripts.BEHAVIOUR, _each(_taking_over, scripts.BEHAVIOUR))
_SPECIAL_DAYS: Final = _asleep(
    special_days.BEHAVIOUR,
    _each(_taking_over, special_days.BEHAVIOUR),
    writes={SpecialDaysTable.entries.index: _have_special_days},
)
_CALENDAR: Final = _asleep(
    activity_calendar.BEHAVIOUR,
    activity_calendar.BEHAVIOUR.methods,
    written={ActivityCalendar.activate_passive_calendar_time.index: _wake},
)

_PASSIVE: Final = (
    "calendar_name_passive",
    "season_profile_passive",
    "week_profile_table_passive",
    "day_profile_table_passive",
)
