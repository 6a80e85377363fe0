"""Scripts: lists of attributes to write and methods to run, run by clients and by the meter itself (class 9)."""

from __future__ import annotations

from typing import Final

from cosem.errors import ShapeError
from cosem.meter.item import Behaviour, Item, Refusal, Visit
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.model.classes.time_and_event import ActionItem, ActionSpecification, ScriptTable, ServiceId
from cosem.protocol.model.shape import decode_exactly
from cosem.protocol.values.data import Data, LongUnsigned
from cosem.protocol.values.obis import Obis

DEEPEST_SCRIPT: Final = 4
"""How many scripts may run one inside another."""

_SCRIPTS: Final = ScriptTable.scripts


def run_script(visit: Visit, table: Obis, selector: int) -> None:
    """Run a script because its time has come; one that cannot be run, or is not there, is left at that."""
    item = visit.device.find(table)
    if item is None or item.class_id != ScriptTable.class_id:
        return
    try:
        _execute(visit, item, LongUnsigned(selector))
    except (Refusal, ShapeError):
        return


def run_action(visit: Visit, action: ActionItem) -> None:
    """Run the script that a schedule or a monitor names (see `run_script`)."""
    run_script(visit, action.script_logical_name, action.script_selector)


def _execute(visit: Visit, item: Item, argument: Data, depth: int = 1) -> Data:
    """Run a script as the meter itself: who may run it may have done what is in it. Number 0 does nothing."""
    if argument == 0:
        return None
    scripts = _SCRIPTS.shape.decode(item.read(visit, _SCRIPTS.index))
    script = next((each for each in scripts if each.script_identifier == argument), None)
    if script is None or depth > DEEPEST_SCRIPT:
        raise Refusal(DataAccessResult.OBJECT_UNDEFINED if script is None else DataAccessResult.OTHER_REASON)
    for action in script.actions:
        _do(visit.at(visit.time), action, depth)
    return None


def _do(visit: Visit, action: ActionSpecification, depth: int) -> None:
    item = visit.device.find(action.logical_name)
    if item is None or item.class_id != action.class_id:
        raise Refusal(DataAccessResult.OBJECT_UNDEFINED)
    try:
        if action.service_id is ServiceId.WRITE_ATTRIBUTE:
            decode_exactly(item.shape(action.index), action.parameter)
            visit.device.owned(item).write(visit, action.index, action.parameter)
        elif item.class_id == ScriptTable.class_id and action.index == ScriptTable.execute.index:
            _execute(visit, item, action.parameter, depth + 1)
        else:
            run = item.method(action.index)
            if action.service_id is not ServiceId.EXECUTE_METHOD or run is None:
                raise Refusal(DataAccessResult.OBJECT_UNAVAILABLE)
            run(visit, item, action.parameter)
    except ShapeError as error:
        refusal = Refusal(DataAccessResult.TYPE_UNMATCHED)
        raise refusal from error


BEHAVIOUR: Final = Behaviour(methods={ScriptTable.execute.index: _execute})
