"""The table [[profile]]: a profile with its columns, and what an event log notes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Final, cast

from cosem.errors import ConfigurationError
from cosem.meter.behaviour.profile_generic import DEFAULT_ENTRIES, RECOMPUTED
from cosem.meter.behaviour.profile_history import HISTORY
from cosem.meter.describe.words import device_of, named
from cosem.meter.device import Meter
from cosem.meter.events import MeterEvent
from cosem.meter.logical_device import LogicalDevice
from cosem.protocol.model import catalogue
from cosem.protocol.model.classes.data_storage import ProfileGeneric, SortMethod
from cosem.protocol.model.reference import parse_reference
from cosem.protocol.model.table import Table

ORDERS: Final[Mapping[str, SortMethod]] = {
    "oldest-first": SortMethod.FIRST_IN_FIRST_OUT,
    "newest-first": SortMethod.LAST_IN_FIRST_OUT,
    "largest": SortMethod.LARGEST,
    "smallest": SortMethod.SMALLEST,
    "nearest-to-zero": SortMethod.NEAREST_TO_ZERO,
    "farthest-from-zero": SortMethod.FAREST_FROM_ZERO,
}


def add_profile(meter: Meter, table: Table, with_past: Collection[int] = (), *, begins: bool = True) -> None:
    """Add the profile of one [[profile]]; its columns must be there.

    In the logical devices `with_past` it has rows from before the meter began, where it captures on time and in the
    order of time. An event log of a meter that begins notes that it has power.
    """
    device = device_of(meter, table)
    instance = table.text("instance")
    address = table.guarded(lambda: ProfileGeneric(instance))
    table.name(instance)
    columns = table.given("columns", partial(_columns, device))
    values: dict[str, object] = {
        "capture_objects": columns,
        "capture_period": table.integer("period", 0),
        "profile_entries": table.integer("entries", DEFAULT_ENTRIES),
        "sort_method": table.converted("order", named(ORDERS), SortMethod.FIRST_IN_FIRST_OUT),
    }
    if "sort_by" in table:
        values["sort_object"] = table.given("sort_by", lambda given: _column(device, str(given)))
    base_name = table.optional_integer("base_name")
    in_time = values["sort_method"] in (SortMethod.FIRST_IN_FIRST_OUT, SortMethod.LAST_IN_FIRST_OUT)
    if table.boolean("past", device.sap in with_past and in_time and values["capture_period"] != 0):
        values["buffer"] = HISTORY
    if table.boolean("recomputed", False):
        values["buffer"] = RECOMPUTED
    writable = tuple(str(name) for name in table.sequence("writable", []))
    codes = table.given("events", _codes) if "events" in table else None
    table.finish()
    table.guarded(lambda: device.add(address, writable=writable, base_name=base_name, **values))
    if codes is not None:
        table.guarded(lambda: device.record(address, codes, begins=begins), "events")


def _codes(given: object) -> dict[MeterEvent, int]:
    """Return which code an event log has for what happens."""
    words, known = (
        cast("dict[str, object]", given if isinstance(given, dict) else {}),
        [each.value for each in MeterEvent],
    )
    codes = {name: code for name, code in words.items() if name in known and isinstance(code, int)}
    if not codes or len(codes) != len(words):
        raise ConfigurationError(f"expected codes for events, such as {{ power_up = 2 }}; there is {', '.join(known)}")
    return {MeterEvent(name): code for name, code in codes.items()}


def _columns(device: LogicalDevice, given: object) -> tuple[object, ...]:
    if not isinstance(given, list):
        raise ConfigurationError("expected a list of references such as 1.0.1.8.0.255:value")
    return tuple(_column(device, str(text)) for text in cast("list[object]", given))


def _column(device: LogicalDevice, text: str) -> object:
    """Return what a column captures; the class is that of the object, which the description must have."""
    reference = parse_reference(text)
    item = device.find(reference.instance)
    if item is None or reference.class_id not in (None, item.class_id):
        raise ConfigurationError(f"{text}: there is no such object here; describe it with [[object]]")
    return catalogue.resolve(reference, item.class_id, item.version)
