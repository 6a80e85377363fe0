"""The table [[alarms]]: an alarm register, which events set which of its bits, and what follows."""

from __future__ import annotations

from typing import cast

from cosem.errors import ConfigurationError
from cosem.meter.alarms import Alarms, Reset
from cosem.meter.describe.words import device_of, named
from cosem.meter.device import Meter
from cosem.meter.events import MeterEvent
from cosem.protocol.model.table import Table
from cosem.protocol.values.obis import Obis


def add_alarms(meter: Meter, table: Table, *, begins: bool = True) -> None:
    """Let the alarm register of one [[alarms]] do its work; its objects must be there."""
    device = device_of(meter, table)
    register = table.converted("register", Obis)
    table.name(str(register))
    alarms = Alarms(
        register,
        table.given("bits", _bits),
        table.optional("filter", Obis),
        table.optional("descriptor", Obis),
        table.optional("push", Obis),
        table.converted("reset", named({each.value: each for each in Reset}), Reset.BY_ZEROS),
    )
    table.finish()
    table.guarded(lambda: device.alarm(alarms, begins=begins))


def _bits(given: object) -> dict[MeterEvent, int]:
    words = cast("dict[str, object]", given if isinstance(given, dict) else {})
    known = {each.value: each for each in MeterEvent}
    bits = {known[name]: bit for name, bit in words.items() if name in known and type(bit) is int}
    if not bits or len(bits) != len(words):
        raise ConfigurationError(f"expected bits of events, such as {{ power_up = 2 }}; there is {', '.join(known)}")
    return bits
