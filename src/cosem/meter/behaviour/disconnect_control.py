"""A breaker or valve that is opened and closed from afar, by hand and by the meter itself (IEC 62056-6-2, class 70).

While the main one (value group B is 0) is open, nothing flows of the load of its logical device (see
`cosem.meter.feed`): it is remembered when it opened and closed, over a restart too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Final, NamedTuple, cast

from cosem.errors import ConfigurationError
from cosem.meter.events import MeterEvent
from cosem.meter.item import Behaviour, Item, Refusal, Run, Timed, Visit, never
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.model.classes.time_and_event import ControlMode, ControlState, DisconnectControl
from cosem.protocol.values.data import Data, Enumerated

_OUTPUT, _STATE, _MODE = (
    attribute.index
    for attribute in (
        DisconnectControl.output_state,
        DisconnectControl.control_state,
        DisconnectControl.control_mode,
    )
)


MOST_CHANGES: Final = 1 << 16
"""How often a breaker opens and closes until the older half of it is forgotten, and counts as closed."""


class Openings:
    """When a breaker opened and closed, by turns, in true time; `changes` only ever grows, from the first one on."""

    __slots__ = ("changes",)

    def __init__(self, changes: Iterable[datetime] = ()) -> None:
        self.changes = list(changes)

    @property
    def is_open(self) -> bool:
        """Whether it is open at present."""
        return len(self.changes) % 2 == 1

    def changed(self, at: datetime) -> Openings:
        """Return the same, open or closed from a time on; another one where something is forgotten."""
        # Those of a breaker that was never moved may be those of many.
        kept = self if 0 < len(self.changes) < MOST_CHANGES else Openings(self.changes[MOST_CHANGES // 2 :])
        kept.changes.append(at)
        return kept


class By(Enum):
    """Who opens or closes."""

    REMOTE = "from afar"
    MANUAL = "by hand"
    LOCAL = "by the meter itself"


class Transition(NamedTuple):
    """One way from a state to another."""

    by: By
    before: ControlState
    after: ControlState


_AWAY, _READY, _ON = ControlState.DISCONNECTED, ControlState.READY_FOR_RECONNECTION, ControlState.CONNECTED

TRANSITIONS: Final[Mapping[str, Transition]] = MappingProxyType(
    {
        "a": Transition(By.REMOTE, _AWAY, _ON),
        "b": Transition(By.REMOTE, _ON, _AWAY),
        "c": Transition(By.REMOTE, _READY, _AWAY),
        "d": Transition(By.REMOTE, _AWAY, _READY),
        "e": Transition(By.MANUAL, _READY, _ON),
        "f": Transition(By.MANUAL, _ON, _READY),
        "g": Transition(By.LOCAL, _ON, _READY),
        "h": Transition(By.LOCAL, _READY, _ON),
    }
)
"""By the letters of the standard."""

MODES: Final[Mapping[ControlMode, str]] = MappingProxyType(
    {
        ControlMode.ALWAYS_CONNECTED: "",
        ControlMode.MODE_1: "bcfgde",
        ControlMode.MODE_2: "bcfgae",
        ControlMode.MODE_3: "bcgde",
        ControlMode.MODE_4: "bcgae",
        ControlMode.MODE_5: "bcfgdeh",
        ControlMode.MODE_6: "bcgdeh",
        ControlMode.MODE_7: "bcgaeh",
    }
)
"""Which of them each mode has; those of mode 7, which is of version 1, are not in public text but for a and h."""

_EVENTS: Final[Mapping[tuple[By, bool], tuple[MeterEvent, MeterEvent]]] = {
    (By.REMOTE, False): (MeterEvent.DISCONNECTED, MeterEvent.DISCONNECTED_REMOTELY),
    (By.REMOTE, True): (MeterEvent.RECONNECTED, MeterEvent.RECONNECTED_REMOTELY),
    (By.MANUAL, False): (MeterEvent.DISCONNECTED, MeterEvent.DISCONNECTED_MANUALLY),
    (By.MANUAL, True): (MeterEvent.RECONNECTED, MeterEvent.RECONNECTED_MANUALLY),
    (By.LOCAL, False): (MeterEvent.DISCONNECTED, MeterEvent.DISCONNECTED_LOCALLY),
    (By.LOCAL, True): (MeterEvent.RECONNECTED, MeterEvent.RECONNECTED_LOCALLY),
}
"""What is noted when it opens (False) or closes."""


def operate(visit: Visit, item: Item, by: By, *, connect: bool) -> bool:
    """Open or close as far as the mode allows; return whether the state is another one now.

    What is asked for and holds already is no fault. Raises Refusal where the mode has no such way at all.
    """
    mode = ControlMode(cast("int", item.read(visit, _MODE)))
    state = ControlState(cast("int", item.read(visit, _STATE)))
    ways = [way for letter in MODES[mode] if (way := TRANSITIONS[letter]).by is by and _closes(way) is connect]
    if not ways:
        raise Refusal(DataAccessResult.READ_WRITE_DENIED)
    found = [way for way in ways if way.before is state]
    if not found:
        return False
    after = found[0].after
    if (after is _ON) is not (state is _ON):
        for event in _EVENTS[by, after is _ON]:
            visit.device.note(event, visit.time)
    own = _owned(visit, item)
    own.values[_STATE] = Enumerated(after)
    own.values[_OUTPUT] = after is _ON
    _follow(visit, own)
    visit.device.wake(own)
    return True


def _closes(way: Transition) -> bool:
    """Tell whether it leads nearer to being connected."""
    order = (_AWAY, _READY, _ON)
    return order.index(way.after) > order.index(way.before)


def _remotely(connect: bool) -> Run:
    def run(visit: Visit, item: Item, _: Data) -> Data:
        operate(visit, item, By.REMOTE, connect=connect)
        return None

    return run


def _follow(visit: Visit, item: Item) -> None:
    """Remember when it opens or closes, from the beginning of the meter on; what is measured knows of it then."""
    if cast("Openings", item.state).is_open is bool(item.read(visit, _OUTPUT)):
        own = _owned(visit, item)
        own.state = own.state.changed(visit.device.meter.true_time_of(visit.time))
    visit.device.measure_truly()


def _owned(visit: Visit, item: Item) -> Item:
    own = visit.device.owned(item)
    if own is not item:  # what many devices share does not change
        own.state = Openings(own.state.changes)
    return own


def _nothing(_: Visit, __: Item) -> None:
    """It is only opened and closed."""


def _mode_written(visit: Visit, item: Item) -> None:
    """Take a mode that there is; in mode 0 it is always connected, and so it is from now on."""
    mode = cast("int", item.read(visit, _MODE))
    if not _has(item, mode):
        raise Refusal(DataAccessResult.TYPE_UNMATCHED)
    if mode == ControlMode.ALWAYS_CONNECTED and item.read(visit, _STATE) != _ON:
        visit.device.note(MeterEvent.RECONNECTED, visit.time)
        item.values.update({_STATE: Enumerated(_ON), _OUTPUT: True})
        _follow(visit, item)
        visit.device.wake(item)


def _has(item: Item, mode: int) -> bool:
    """Tell whether there is such a mode in its version of the class."""
    return mode in MODES and (mode != ControlMode.MODE_7 or item.version >= DisconnectControl.version)


def _adopt(item: Item, _: dict[int, object]) -> None:
    """Begin connected, in mode 4, where the description says nothing else."""
    mode = cast("int", item.values.setdefault(_MODE, Enumerated(ControlMode.MODE_4)))
    if not _has(item, mode):
        raise ConfigurationError(f"control_mode: {mode} is none of version {item.version}")
    state = cast("int", item.values.setdefault(_STATE, Enumerated(ControlState.CONNECTED)))
    item.values.setdefault(_OUTPUT, state == ControlState.CONNECTED)
    item.state = Openings()


BEHAVIOUR: Final = Behaviour(
    methods={1: _remotely(connect=False), 2: _remotely(connect=True)},
    written={_OUTPUT: _follow, _MODE: _mode_written},
    adopt=_adopt,
    timed=Timed(never, _nothing, begin=_follow),
)
