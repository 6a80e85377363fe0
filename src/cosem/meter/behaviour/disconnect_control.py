"""A breaker or valve that is opened and closed by its client, as far as its mode allows (IEC 62056-6-2, class 70)."""

from __future__ import annotations

from typing import Final, cast

from cosem.meter.events import MeterEvent
from cosem.meter.item import Behaviour, Item, Refusal, Visit
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

_RECONNECTED: Final = {
    **dict.fromkeys((ControlMode.MODE_2, ControlMode.MODE_4, ControlMode.MODE_7), ControlState.CONNECTED),
    **dict.fromkeys(
        (ControlMode.MODE_1, ControlMode.MODE_3, ControlMode.MODE_5, ControlMode.MODE_6),
        ControlState.READY_FOR_RECONNECTION,
    ),
}
"""What a remote reconnection leads to: in some modes a hand must close the breaker (transitions a and d)."""


_EVENTS: Final = (MeterEvent.RECONNECTED, MeterEvent.DISCONNECTED)


def _disconnect(visit: Visit, item: Item, _: Data) -> Data:
    _move(visit, item, ControlState.DISCONNECTED)
    return None


def _reconnect(visit: Visit, item: Item, _: Data) -> Data:
    mode = ControlMode(cast("int", item.read(visit, _MODE)))
    if mode not in _RECONNECTED:
        raise Refusal(DataAccessResult.READ_WRITE_DENIED)
    if item.read(visit, _STATE) != ControlState.CONNECTED:
        _move(visit, item, _RECONNECTED[mode])
    return None


def _move(visit: Visit, item: Item, state: ControlState) -> None:
    if item.read(visit, _MODE) == ControlMode.ALWAYS_CONNECTED:
        raise Refusal(DataAccessResult.READ_WRITE_DENIED)
    if item.read(visit, _STATE) != state:
        visit.device.note(_EVENTS[state is ControlState.DISCONNECTED], visit.time)
    own = visit.device.owned(item)
    own.values[_STATE] = Enumerated(state)
    own.values[_OUTPUT] = state is ControlState.CONNECTED


def _adopt(item: Item, _: dict[int, object]) -> None:
    """Begin connected, in mode 4, where the description says nothing else."""
    item.values.setdefault(_MODE, Enumerated(ControlMode.MODE_4))
    state = cast("int", item.values.setdefault(_STATE, Enumerated(ControlState.CONNECTED)))
    item.values.setdefault(_OUTPUT, state == ControlState.CONNECTED)


BEHAVIOUR: Final = Behaviour(methods={1: _disconnect, 2: _reconnect}, adopt=_adopt)
