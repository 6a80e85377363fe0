"""What a push setup makes of its attributes: the plan of a push, its windows and delays, and its body (class 40).

The method `push`, run by a client or by a script, begins a push (see `cosem.meter.pushing`); `reset` ends the one that
runs. What is left out in an object is 0, or no window, which means that pushing is always allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import partial
from types import MappingProxyType
from typing import Any, Final, TypeAlias, cast

from cosem.errors import CosemError, ShapeError
from cosem.meter.agenda import LONGEST_SILENCE
from cosem.meter.behaviour.occasions import first_after, last_until, times
from cosem.meter.item import Behaviour, Item, Refusal, Visit
from cosem.protocol.apdu.descriptor import ATTRIBUTE_0
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.model.classes.data_storage import ProfileGeneric
from cosem.protocol.model.classes.push import (
    CommunicationWindow,
    MessageType,
    PushObject,
    PushObjectVersion1,
    PushOperationMethod,
    PushSetupCommon,
    PushSetupVersion1,
    PushSetupVersion2,
    RepetitionDelay,
    RestrictionType,
    SendDestinationAndMethod,
)
from cosem.protocol.model.selection import CLOCK_TIME, CaptureObject, EntrySelection, RangeSelection, Selection
from cosem.protocol.values.data import Array, Data, Structure
from cosem.protocol.values.dates import DateTime

LONGEST_WAIT: Final = LONGEST_SILENCE
"""How far ahead a window is looked for."""

WHOLE: Final = 100
"""The exponent of a repetition delay that does not grow: it is in percent."""

_BUFFER: Final = (7, 2)

Pushable: TypeAlias = CaptureObject | PushObjectVersion1 | PushObject
"""What one entry of a push_object_list is, by the versions of the class."""


@dataclass(frozen=True, slots=True)
class PushPlan:
    """What a push setup says of one push.

    Attributes:
        destination: whereto and how; None where nothing is said that could be understood.
        windows: when pushing is allowed; always where there is none.
        randomisation: seconds by which its beginning is put off at most.
        retries: how often it is tried again.
        delay: how long to wait before each of these.
        client: the SAP of the client it is for; None where the setup does not say it.
        confirmed: whether the client has to confirm it.
        protected: whether the data is to be protected by itself, whatever the association does.
    """

    destination: SendDestinationAndMethod | None
    windows: tuple[CommunicationWindow, ...]
    randomisation: int
    retries: int
    delay: RepetitionDelay
    client: int | None
    confirmed: bool
    protected: bool

    @property
    def encoded(self) -> bool:
        """Whether the data is to be encoded as A-XDR, the one way there is here."""
        return self.destination is not None and self.destination.message is MessageType.A_XDR

    def wait(self, failed: int) -> timedelta:
        """Return how long to wait after so many attempts that failed, at least one.

        The least delay comes first, and each one after it is the one before times the exponent in percent, but no
        longer than the longest, and never shorter than the least.
        """
        least, most = int(self.delay.repetition_delay_min), int(self.delay.repetition_delay_max)
        factor = int(self.delay.repetition_delay_exponent) / WHOLE
        seconds = float(least)
        for _ in range(failed - 1):
            seconds = max(min(seconds * factor, most), least)
        return timedelta(seconds=seconds)

    def opening(self, moment: datetime, zone: tzinfo) -> datetime | None:
        """Return the first moment, not before one, at which pushing is allowed; None where there is none."""
        if not self.windows or any(_is_open(each, moment, zone) for each in self.windows):
            return moment
        openings = (
            first_after(moment, moment + LONGEST_WAIT, zone, partial(_times_of, each.start_time))
            for each in self.windows
        )
        return min((each for each in openings if each is not None), default=None)


def plan(visit: Visit, item: Item) -> PushPlan:
    """Return what a push setup says now."""
    delay = _held(visit, item, "repetition_delay")
    if not isinstance(delay, RepetitionDelay):
        delay = RepetitionDelay(delay or 0, WHOLE, delay or 0)
    return PushPlan(
        _held(visit, item, PushSetupCommon.send_destination_and_method.name),
        tuple(_held(visit, item, PushSetupCommon.communication_window.name) or ()),
        _held(visit, item, PushSetupCommon.randomisation_start_interval.name) or 0,
        _held(visit, item, PushSetupCommon.number_of_retries.name) or 0,
        delay,
        _held(visit, item, PushSetupVersion1.push_client_sap.name),
        _held(visit, item, PushSetupVersion2.push_operation_method.name) is PushOperationMethod.CONFIRMED,
        bool(_held(visit, item, PushSetupVersion1.push_protection_parameters.name)),
    )


def body(visit: Visit, item: Item) -> Data:
    """Return the pushed data: a structure of what the push_object_list names, null-data for what cannot be had."""
    wanted: tuple[Pushable, ...] = _held(visit, item, "push_object_list") or ()
    return Structure(_pushed(visit, each) for each in wanted)


def _pushed(visit: Visit, wanted: Pushable) -> Data:
    item = visit.device.find(wanted.logical_name)
    if item is None or item.class_id != wanted.class_id:
        return None
    try:
        value = _read(visit, item, wanted)
    except (Refusal, CosemError):
        return None
    if not wanted.data_index:
        return value
    if isinstance(value, tuple) and wanted.data_index <= len(value):
        return cast("tuple[Data, ...]", value)[wanted.data_index - 1]
    return None


def _read(visit: Visit, item: Item, wanted: Pushable) -> Data:
    if wanted.attribute_index == ATTRIBUTE_0:
        return Structure(_all(visit, item))
    if isinstance(wanted, CaptureObject):
        return item.read(visit, wanted.attribute_index)
    columns = wanted.columns if isinstance(wanted, PushObject) else ()
    restriction = wanted.restriction
    if restriction.restriction_type is RestrictionType.NONE and not columns:
        return item.read(visit, wanted.attribute_index)
    select = item.behaviour.selections.get(wanted.attribute_index)
    restrict = _RESTRICTIONS.get(restriction.restriction_type)
    if (item.class_id, wanted.attribute_index) != _BUFFER or select is None or restrict is None:
        raise Refusal(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)
    rows = select(visit, item, restrict(restriction.restriction_value))
    return _columns(visit, item, rows, columns) if columns else rows


def _all(visit: Visit, item: Item) -> Sequence[Data]:
    def read(index: int) -> Data:
        try:
            return item.read(visit, index)
        except Refusal:
            return None

    return [read(index) for index in item.attributes()]


def _columns(visit: Visit, item: Item, rows: Data, columns: Sequence[CaptureObject]) -> Data:
    captured = ProfileGeneric.capture_objects.shape.decode(item.read(visit, ProfileGeneric.capture_objects.index))
    if any(each not in captured for each in columns):
        raise Refusal(DataAccessResult.OBJECT_UNDEFINED)
    places = [captured.index(each) for each in columns]
    return Array(Structure(row[place] for place in places) for row in cast("tuple[tuple[Data, ...], ...]", rows))


# -- restrictions ------------------------------------------------------------------------------------------------------


def _ends(value: Data) -> tuple[Data, Data]:
    if not isinstance(value, tuple) or len(cast("tuple[Data, ...]", value)) != 2:
        raise ShapeError("a restriction is a structure of from and to")
    return cast("tuple[Data, Data]", tuple(value))


def _by_date(value: Data) -> Selection:
    start, end = _ends(value)
    return RangeSelection(CLOCK_TIME, start, end)


def _by_entry(value: Data) -> Selection:
    first, last = _ends(value)
    if not isinstance(first, int) or not isinstance(last, int):
        raise ShapeError("entries are numbers")
    return EntrySelection(int(first), int(last))


def _everything(_: Data) -> Selection:
    return EntrySelection()


_RESTRICTIONS: Final[Mapping[RestrictionType, Callable[[Data], Selection]]] = MappingProxyType(
    {RestrictionType.NONE: _everything, RestrictionType.DATE: _by_date, RestrictionType.ENTRY: _by_entry}
)


# -- windows -----------------------------------------------------------------------------------------------------------


def _is_open(window: CommunicationWindow, moment: datetime, zone: tzinfo) -> bool:
    """Tell whether a window was opened, and not closed since."""
    since = moment.astimezone(UTC) - LONGEST_WAIT
    began = last_until(moment, since, zone, partial(_times_of, window.start_time))
    if began is None:
        return False
    ended = last_until(moment, since, zone, partial(_times_of, window.end_time))
    return ended is None or ended <= began


def _times_of(wanted: DateTime, day: date) -> Sequence[time]:
    return times(wanted.time) if wanted.date.matches(day) else ()


# -- methods -----------------------------------------------------------------------------------------------------------


def _held(visit: Visit, item: Item, name: str) -> Any:
    """Return what an attribute holds; None where this version has it not, or it holds nothing that fits."""
    attribute = next((each for each in item.kind.declared_attributes.values() if each.name == name), None)
    if attribute is None or not item.has(attribute.index):
        return None
    try:
        return attribute.shape.decode(item.read(visit, attribute.index))
    except (Refusal, ShapeError):
        return None


def _push(visit: Visit, item: Item, _: Data) -> Data:
    visit.device.meter.pushes.begin(visit.device, item, visit.time)
    return None


def _reset(visit: Visit, item: Item, _: Data) -> Data:
    visit.device.meter.pushes.end(visit.device, item)
    return None


BEHAVIOUR: Final = Behaviour(methods={1: _push, 2: _reset})
