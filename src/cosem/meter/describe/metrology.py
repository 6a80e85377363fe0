"""The tables [metrology] and [[firmware]]: what nobody may change, and which program measures."""

from __future__ import annotations

from pathlib import Path

from cosem.errors import ConfigurationError
from cosem.meter.describe.words import device_of, named
from cosem.meter.device import Meter
from cosem.meter.firmware import Firmware
from cosem.meter.metrology import LONGEST, Metrology
from cosem.protocol.model.table import Table
from cosem.protocol.values.obis import Obis


def add_metrology(meter: Meter, table: Table) -> None:
    """Guard what the device of one [[metrology]] measures; its objects must be there."""
    device = device_of(meter, table)
    mode = table.converted("mode", Obis)
    table.name(str(mode))
    metrology = Metrology(mode, table.optional("counter", Obis), table.integer("seconds", LONGEST))
    cover = table.converted("cover", named({"on": False, "off": True}), False)
    seal = table.converted("seal", named({"whole": False, "broken": True}), False)
    table.finish()
    table.guarded(lambda: metrology.attach(device))
    metrology.cover(off=cover)
    metrology.seal(broken=seal)


def add_firmware(meter: Meter, table: Table, folder: Path) -> None:
    """Let the objects of one [[firmware]] tell of it; they must be there."""
    device = device_of(meter, table)
    identifier = table.converted("identifier", Obis)
    table.name(str(identifier))
    firmware = Firmware(identifier, table.converted("signature", Obis), table.optional("image", Obis))
    version = table.optional("version", str) or ""
    octets = table.optional("file", lambda name: _octets(folder / name))
    table.finish()
    table.guarded(lambda: firmware.begin(device, version, octets))
    table.guarded(lambda: device.listen(firmware))


def _octets(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise ConfigurationError(f"cannot read {path}: {problem.strerror}") from None
