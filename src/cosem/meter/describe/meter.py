"""The tables [meter] and [[device]]: what a meter is called, where it stands, what it begins with."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from cosem.errors import ConfigurationError
from cosem.io.text_file import text_of
from cosem.meter import gama
from cosem.meter.demo import furnish, furnish_device
from cosem.meter.describe.words import named
from cosem.meter.device import Meter, system_clock
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


def companion_named(name: str, folder: Path) -> Companion:
    """Return a companion that comes with the package, or that of a TOML file in `folder`."""
    if not name.endswith(_SUFFIX):
        return companions.companion(name)
    return companions.load(text_of(folder / name), name)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a description does not say of a meter, or only where it wants to.

    Attributes:
        counters: keeps its invocation counters.
        clock: the true time.
        zone: of its clock, where the description names none.
        entropy: gives it the asked number of unpredictable octets.
        lockout: how it locks those out who guess passwords, where the description does not say it.
        faults: what it does wrong, where the description says nothing of it.
        companion: returns the companion of a name, or of a file in a folder.
        begins: whether it gets power as it is made, which its logs and alarms tell; else it was there before.
    """

    counters: CounterStore | None = None
    clock: Callable[[], datetime] = system_clock
    zone: tzinfo = UTC
    entropy: Callable[[int], bytes] = secrets.token_bytes
    lockout: LockoutLimits = DEFAULT_LIMITS
    faults: Faults = WELL_BEHAVED
    companion: Callable[[str, Path], Companion] = companion_named
    begins: bool = True


def companion_from(
    table: Table, folder: Path, read: Callable[[str, Path], Companion] = companion_named
) -> Companion | None:
    """Return the companion of [meter]: one that comes with the package, or a TOML file beside the description."""
    return table.optional("companion", lambda name: read(name, folder))


def meter_from(table: Table, around: Surroundings) -> Meter:
    """Return the meter of [meter], with the objects of its template."""
    name = table.text("name")
    title = table.optional("system_title", octets_from_hex)
    zone = table.optional("zone", zone_of) or around.zone
    template = table.optional("template", named(_TEMPLATES))
    number = table.integer("number", 0)
    table.finish()
    meter = table.guarded(
        lambda: Meter(
            name,
            zone=zone,
            clock=around.clock,
            counters=around.counters,
            system_title=title,
            faults=around.faults,
            lockout=around.lockout,
            entropy=around.entropy,
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


def add_device(
    meter: Meter, table: Table, folder: Path, companion: Callable[[str, Path], Companion] = companion_named
) -> Furnished:
    """Add the logical device of one [[device]], with the objects of its template; `load` and `seed` are of its own."""
    sap, name = table.integer("sap"), table.text("name")
    template, number = table.optional("template", named({kind: kind for kind in KINDS})), table.integer("number", sap)
    known = companion_from(table, folder, companion)
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
