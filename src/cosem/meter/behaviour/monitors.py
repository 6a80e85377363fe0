"""Values that are watched: register monitors and limiters, and the scripts they run (classes 21 and 71).

A value is looked at every `SAMPLING` seconds, over the last `LONGEST_WATCH` of a silence. What it is at the first look
is no crossing. A limiter acts once the value has been over its active threshold for long enough, and again once it has
been back under it for long enough; the emergency threshold is active while the time is that of an emergency profile
whose group is in the list.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from cosem.errors import ShapeError
from cosem.meter.behaviour import clock
from cosem.meter.behaviour.scripts import run_action
from cosem.meter.events import MeterEvent
from cosem.meter.item import Behaviour, Item, Refusal, Timed, Visit
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.model.classes.time_and_event import Limiter, RegisterMonitor
from cosem.protocol.values.data import Data, DoubleLongUnsigned

SAMPLING: Final = 60
"""Seconds between two looks at a watched value."""

LONGEST_WATCH: Final = timedelta(days=1)
"""How much of a silence is looked at afterwards."""

MOST_THRESHOLDS: Final = 32
"""Thresholds of a register monitor that are looked at."""


def _next_look(visit: Visit, _: Item, until: datetime) -> datetime | None:
    moment = clock.last_multiple(visit.time, SAMPLING) + timedelta(seconds=SAMPLING)
    return moment if moment <= until else None


def _watched(visit: Visit, item: Item, index: int) -> Any:
    """Return the number that is watched; None where there is none now."""
    try:
        wanted = RegisterMonitor.monitored_value.shape.decode(item.read(visit, index))
        found = visit.device.find(wanted.logical_name)
        value = (
            None if found is None or found.class_id != wanted.class_id else found.read(visit, wanted.attribute_index)
        )
    except (Refusal, ShapeError):
        return None
    return value if _is_number(value) else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _held(visit: Visit, item: Item, attribute: Any) -> Any:
    """Return what an attribute holds; None where it holds nothing, or something else."""
    try:
        return attribute.shape.decode(item.read(visit, attribute.index))
    except (Refusal, ShapeError):
        return None


# -- register monitors -------------------------------------------------------------------------------------------------


def _monitor(visit: Visit, item: Item) -> None:
    """Run the script of each threshold that the value has crossed since the last look, as it came by them."""
    value = _watched(visit, item, RegisterMonitor.monitored_value.index)
    if value is None:
        return
    thresholds = (_held(visit, item, RegisterMonitor.thresholds) or ())[:MOST_THRESHOLDS]
    over = tuple(_is_number(each) and value > each for each in thresholds)
    before = cast("tuple[bool, ...] | None", item.state)
    if over == before:
        return
    visit.device.owned(item).state = over
    if before is None or len(before) != len(over):
        return
    actions = _held(visit, item, RegisterMonitor.actions) or ()
    crossed = [
        (threshold, now, action)
        for threshold, was, now, action in zip(thresholds, before, over, actions, strict=False)
        if was is not now and _is_number(threshold)
    ]
    for _, up, action in sorted(crossed, key=_on_the_way):
        run_action(visit, action.action_up if up else action.action_down)


def _on_the_way(crossed: tuple[Any, bool, Any]) -> Any:
    """Order thresholds by when the value came by: the lowest first on its way up, the highest first on its way down."""
    threshold, up, _ = crossed
    return threshold if up else -threshold


# -- limiters ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Limit:
    """On which side of the threshold a value has been since when, and whether the limiter has acted."""

    over: bool
    since: datetime
    limited: bool = False


def _emergency(visit: Visit, item: Item) -> bool:
    """Tell whether the emergency profile is active."""
    profile = _held(visit, item, Limiter.emergency_profile)
    groups = _held(visit, item, Limiter.emergency_profile_group_id_list) or ()
    if profile is None or profile.emergency_profile_id not in groups:
        return False
    try:
        begin = profile.emergency_activation_time.to_datetime(visit.device.zone).astimezone(UTC)
        return bool(begin <= visit.time < begin + timedelta(seconds=int(profile.emergency_duration)))
    except (ShapeError, OverflowError):
        return False


def _emergency_active(visit: Visit, item: Item) -> Data:
    return _emergency(visit, item)


def _threshold(visit: Visit, item: Item) -> Data:
    index = (Limiter.threshold_emergency if _emergency(visit, item) else Limiter.threshold_normal).index
    if not item.has(index):
        raise Refusal(DataAccessResult.OBJECT_UNAVAILABLE)
    return item.read(visit, index)


def _limit(visit: Visit, item: Item) -> None:
    """Act where the value has been on the other side of the threshold for long enough."""
    value = _watched(visit, item, Limiter.monitored_value.index)
    threshold = _held(visit, item, Limiter.threshold_active)
    if value is None or not _is_number(threshold):
        return
    now, over = visit.time.astimezone(UTC), bool(value > threshold)
    limit = cast("Limit | None", item.state)
    if limit is None or limit.over is not over:
        limit = Limit(over, now, limit is not None and limit.limited)
    wanted = Limiter.min_over_threshold_duration if over else Limiter.min_under_threshold_duration
    acts = over is not limit.limited and now - limit.since >= timedelta(seconds=_held(visit, item, wanted) or 0)
    if acts:
        limit = replace(limit, limited=over)
    if limit != item.state:
        visit.device.owned(item).state = limit
    actions = _held(visit, item, Limiter.actions) if acts else None
    if actions is not None:
        visit.device.note(MeterEvent.LIMIT_EXCEEDED if over else MeterEvent.LIMIT_KEPT, visit.time)
        run_action(visit, actions.action_over_threshold if over else actions.action_under_threshold)


def _adopt(item: Item, _: dict[int, object]) -> None:
    """Compute what depends on the time; act at once where no duration is given."""
    for index in (Limiter.threshold_active.index, Limiter.emergency_profile_active.index):
        item.values.pop(index, None)
    for duration in (Limiter.min_over_threshold_duration, Limiter.min_under_threshold_duration):
        item.values.setdefault(duration.index, DoubleLongUnsigned(0))


REGISTER_MONITOR: Final = Behaviour(timed=Timed(_next_look, _monitor, begin=_monitor, reach=LONGEST_WATCH))
LIMITER: Final = Behaviour(
    reads={Limiter.threshold_active.index: _threshold, Limiter.emergency_profile_active.index: _emergency_active},
    adopt=_adopt,
    timed=Timed(_next_look, _limit, begin=_limit, reach=LONGEST_WATCH),
)
