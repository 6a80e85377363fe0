"""The table [[push]]: under whose keys a push setup pushes, and what sets it off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from cosem.errors import ConfigurationError
from cosem.meter.describe.words import device_of
from cosem.meter.device import Meter
from cosem.meter.events import MeterEvent
from cosem.protocol.model.table import Table
from cosem.protocol.values.obis import Obis


def add_push(meter: Meter, table: Table) -> None:
    """Say of the push setup of one [[push]] what it does not say itself; it must be there."""
    device = device_of(meter, table)
    instance = table.converted("instance", Obis)
    table.name(str(instance))
    client = table.optional_integer("client")
    on = table.given("on", read_events) if "on" in table else ()
    table.finish()
    table.guarded(lambda: meter.pushes.describe(device, instance, client=client, on=on))


def read_events(given: object) -> tuple[MeterEvent, ...]:
    """Return the events that a list of their names means; ConfigurationError for one that there is not."""
    names = cast("Sequence[object]", given) if isinstance(given, list) else [given]
    known = {each.value: each for each in MeterEvent}
    unknown = [name for name in names if not isinstance(name, str) or name not in known]
    if unknown:
        raise ConfigurationError(f"{unknown[0]!r} is no event of a meter: write {', '.join(known)}")
    return tuple(known[str(name)] for name in names)
