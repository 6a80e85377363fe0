"""A breaker or valve that is opened and closed from afar, by hand and by the meter itself (IEC 62056-6-2, class 70)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final, NamedTuple, cast

from cosem.meter.events import MeterEvent
from cosem.meter.item import Behaviour, Item, Refusal, Run, Visit
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
    own = visit.device.owned(item)
    own.values[_STATE] = Enumerated(after)
    own.values[_OUTPUT] = after is _ON
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


def _adopt(item: Item, _: dict[int, object]) -> None:
    """Begin connected, in mode 4, where the description says nothing else."""
    item.values.setdefault(_MODE, Enumerated(ControlMode.MODE_4))
    state = cast("int", item.values.setdefault(_STATE, Enumerated(ControlState.CONNECTED)))
    item.values.setdefault(_OUTPUT, state == ControlState.CONNECTED)


BEHAVIOUR: Final = Behaviour(methods={1: _remotely(connect=False), 2: _remotely(connect=True)}, adopt=_adopt)
