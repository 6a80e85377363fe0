"""The table [[status]]: the status of a profile, and which of its bits tells what."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import cast

from cosem.errors import ConfigurationError
from cosem.meter.describe.words import device_of
from cosem.meter.device import Meter
from cosem.meter.logical_device import LogicalDevice
from cosem.meter.profile_status import ProfileStatus, Told
from cosem.protocol.model.classes.data_storage import Data
from cosem.protocol.model.companion import Companion
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.model.table import Table
from cosem.protocol.values.obis import Obis


def add_status(meter: Meter, table: Table) -> Obis:
    """Let the status of one [[status]] tell from now on, and return which it is; its object must be there."""
    device = device_of(meter, table)
    register = table.converted("register", Obis)
    table.name(str(register))
    bits = table.given("bits", _bits)
    table.finish()
    table.guarded(lambda: device.listen(ProfileStatus(register, bits)))
    return register


def add_statuses_of(
    known: Companion, device: LogicalDevice, described: set[Obis], tell: Collection[Told] = tuple(Told)
) -> None:
    """Let the status objects of a companion tell what it has bits for, but those that are described."""
    for item in list(device.items()):
        if item.class_id == Data.class_id and item.instance not in described:
            bits = bits_of(known, item.instance)
            if Told.DAYLIGHT_SAVING in bits:
                told = {each: place for each, place in bits.items() if each in tell}
                device.listen(ProfileStatus(item.instance, told))


def bits_of(known: Companion, register: Obis) -> Mapping[Told, int]:
    """Return which bits a companion has for what a status tells."""
    names = known.bits(CaptureObject(Data.class_id, register, Data.value.index, 0))
    return {_KNOWN[name]: place for place, name in names.items() if name in _KNOWN}


def _bits(given: object) -> dict[Told, int]:
    words = cast("dict[str, object]", given if isinstance(given, dict) else {})
    bits = {_WORDS[name]: bit for name, bit in words.items() if name in _WORDS and type(bit) is int}
    if not bits or len(bits) != len(words):
        raise ConfigurationError(f"expected bits, such as {{ daylight_saving = 3 }}; there is {', '.join(_WORDS)}")
    return bits


_KNOWN = {each.value: each for each in Told}
_WORDS = {each.name.lower(): each for each in Told}
