"""The tables [meter] and [[device]]: what a meter is called, where it stands, what it begins with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from cosem.errors import ConfigurationError
from cosem.meter import gama
from cosem.meter.demo import furnish, furnish_device
from cosem.meter.describe.words import named
from cosem.meter.device import Meter
from cosem.meter.faults import WELL_BEHAVED, Faults
from cosem.meter.feed import Feed, seed_of
from cosem.meter.loads import KINDS
from cosem.meter.lockout import DEFAULT_LIMITS, LockoutLimits
from cosem.meter.logical_device import LogicalDevice
from cosem.protocol.association.counter import CounterStore
from cosem.protocol.crypto.key import octets_from_hex
from cosem.protocol.model import companion as companions
from cosem.protocol.model.companion import Companion
from cosem.protocol.model.table import Table

_SUFFIX: Final = ".toml"
_TEMPLATES: Final[Mapping[str, Callable[[Meter, int], None]]] = {
    **{load: partial(furnish, load=load) for load in KINDS},
    **gama.TEMPLATES,
}


def companion_from(table: Table, folder: Path) -> Companion | None:
    """Return the companion of [meter]: one that comes with the package, or a TOML file beside the description."""
    return table.optional("companion", lambda name: _companion(name, folder))


def _companion(name: str, folder: Path) -> Companion:
    if not name.endswith(_SUFFIX):
        return companions.companion(name)
    try:
        return companions.load((folder / name).read_text("utf-8"), name)
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigurationError(f"cannot read {name}: {problem}") from None


def meter_from(
    table: Table,
    counters: CounterStore | None,
    clock: Callable[[], datetime],
    faults: Faults = WELL_BEHAVED,
    lockout: LockoutLimits = DEFAULT_LIMITS,
) -> Meter:
    """Return the meter of [meter], with the objects of its template; it does wrong what [faults] says."""
    name = table.text("name")
    title = table.optional("system_title", octets_from_hex)
    zone = table.optional("zone", zone_of) or UTC
    template = table.optional("template", named(_TEMPLATES))
    number = table.integer("number", 0)
    table.finish()
    meter = table.guarded(
        lambda: Meter(
            name, zone=zone, clock=clock, counters=counters, system_title=title, faults=faults, lockout=lockout
        )
    )
    if template is not None:
        template(meter, number)
    return meter


class Furnished(NamedTuple):
    """What a logical device is furnished by: a companion, and a load that its registers show."""

    device: LogicalDevice
    companion: Companion | None
    feed: Feed | None


def add_device(meter: Meter, table: Table, folder: Path) -> Furnished:
    """Add the logical device of one [[device]], with the objects of its template; `load` and `seed` are of its own."""
    sap, name = table.integer("sap"), table.text("name")
    template, number = table.optional("template", named({kind: kind for kind in KINDS})), table.integer("number", sap)
    known = companion_from(table, folder)
    load = table.optional("load", str)
    device = table.guarded(lambda: meter.add_device(sap, name))
    seed = table.integer("seed", seed_of(device))
    table.finish()
    if template is not None:
        table.guarded(lambda: furnish_device(device, number, template))
    return Furnished(
        device, known, None if load is None else table.guarded(lambda: Feed(load, seed, meter, device), "load")
    )


def zone_of(name: str) -> tzinfo:
    """Return the time zone that a name means; ConfigurationError where there is none."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # not a name, no such file, no such zone
        raise ConfigurationError(f"{name!r} is no time zone: write UTC or a name such as Europe/Berlin") from None
