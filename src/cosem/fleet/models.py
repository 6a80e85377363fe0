"""What meters of a group are like that is no kind of load: a described meter, or one of which there is a snapshot.

    [[meters]]
    count = 1000
    description = "meter.toml"          # see `cosem.meter.describe`

    [[meters]]
    count = 1000
    snapshot = "meter.json"             # see `cosem.store.snapshot`

Both files are beside the fleet's, and are read once, with it. Each meter has of its own:

- the logical device name and the system title that the fleet gives it. Further logical devices are named by the same
  number: the first of them of meter 7 is KFM1021000000007.
- its serial number: what Data objects of device IDs (0.B.96.1.0, A.B.0.0.0) hold as text or number, in which the
  number of the meter takes the place of the last digits, and further device IDs (E = 1 to 9) that hold the same; what
  holds the described device name has the new one. Sub-meters count on from the described serial number.
- what it measures: seeds of a description are added to that of the fleet or group and its number.
- keys and invocation counters of the fleet.

Whoever has the fleet's keys gets in everywhere: on each logical device the associations are those of the fleet, a
managing client 1 and the public client 16, or without keys client 16 that reads everything. The [[association]] tables
of a description are not looked at, so that no secret of one meter is that of thousands; those that a snapshot was taken
in, with their security set-ups, are left out.

A described meter is remembered from the first visit on, unless it has nothing but a template; a profile that shows no
load is empty until then. What a snapshot shows stands still: all its meters share it, and are forgotten as others are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, tzinfo
from functools import cache, partial
from pathlib import Path
from string import digits
from typing import Any, Final, NamedTuple, Protocol, cast

from cosem.fleet.effects import BY_TARIFF
from cosem.fleet.push_setup import PushSettings, setups
from cosem.fleet.scripted import FIRMWARE, can_count
from cosem.io.text_file import text_of
from cosem.meter.clone import ASSOCIATIONS, items_of, management_of, zone_of
from cosem.meter.demo import OWN_LOG, codes
from cosem.meter.describe import Surroundings, unentered
from cosem.meter.describe.m_bus import usual_serial
from cosem.meter.describe.meter import companion_named
from cosem.meter.device import Meter
from cosem.meter.events import MeterEvent
from cosem.meter.faults import Faults
from cosem.meter.item import FromSource, Item
from cosem.meter.lockout import LockoutLimits
from cosem.meter.logical_device import LogicalDevice
from cosem.meter.objects import Objects
from cosem.protocol.association.counter import CounterStore
from cosem.protocol.model.classes.access_control import SapAssignment, SecuritySetup
from cosem.protocol.model.classes.data_storage import Data as DataObject
from cosem.protocol.model.companion import Notes
from cosem.protocol.model.table import Table, tables_of
from cosem.protocol.values.data import Data, Number, OctetString, Utf8String, VisibleString
from cosem.protocol.values.obis import Obis
from cosem.store import snapshot as snapshots

MANUFACTURER: Final = "KFM"
MOST_METERS: Final = 1_000_000_000
"""Names have nine digits for the number."""

FIRST_SERIES: Final = 1020
LAST_SERIES: Final = 9999
"""Names have four digits for the logical device: the management one has the first series."""

_VALUE: Final = DataObject.value.index
_NAME: Final = Obis("0.0.42.0.0.255")
_LAST_EVENT: Final = Obis("0.0.96.11.0.255")
_OF_THE_FLEET: Final = ASSOCIATIONS | {SecuritySetup.class_id, SapAssignment.class_id}
"""Classes of objects that say who may come in, and under which names: they are those of the fleet."""


class Own(NamedTuple):
    """What a meter has of its own."""

    number: int
    seed: int
    title: bytes
    clock: Callable[[], datetime]
    zone: tzinfo
    counters: CounterStore
    entropy: Callable[[int], bytes]
    lockout: LockoutLimits
    faults: Faults

    def name(self, place: int = 0) -> str:
        """Return the name of a logical device: the management one is at place 0."""
        return name_of(self.number, place)


class Model(Protocol):
    """What the meters of a group are like.

    Attributes:
        label: what an inventory calls their kind: the name of the file.
        notes: by which codes they note what happens, in which logs.
        lacks: which tables of a fleet's file they cannot go by, and why.
        devices: how many logical devices each of them has.
    """

    @property
    def label(self) -> str: ...
    @property
    def notes(self) -> tuple[Notes, ...]: ...
    @property
    def lacks(self) -> Mapping[str, str]: ...
    @property
    def devices(self) -> int: ...
    @property
    def lives(self) -> bool:
        """Whether what happens to a meter changes what it shows."""
        ...

    def make(self, own: Own, push: PushSettings | None = None) -> Meter:
        """Return a meter as it was when nobody had come to it yet, without associations, and with push setups."""
        ...


def name_of(number: int, place: int = 0) -> str:
    """Return the name of a logical device of a meter: the management one is at place 0."""
    return f"{MANUFACTURER}{FIRST_SERIES + place}{number:09d}"


def meter_of(name: str) -> str:
    """Return the name of the meter that has a logical device of that name; of one that is of no fleet, the name."""
    matched = _NAMED.fullmatch(name)
    return name_of(int(matched[2])) if matched is not None and int(matched[1]) >= FIRST_SERIES else name


_NAMED: Final = re.compile(f"{MANUFACTURER}([0-9]{{4}})([0-9]{{9}})")


# -- as a description has it -------------------------------------------------------------------------------------------

_REFUSED: Final[Mapping[str, str]] = {
    "state": "the meters of a fleet are remembered as long as it runs, and no longer: leave it out",
    "limits": "those of the fleet hold for each of its meters: write [limits] in its file",
    "local": "nobody is at the optical port of a meter of a fleet: leave it out",
    "power": "when there is none, the fleet says: write [[outage]] in its file",
    "faults": "which meters do wrong, and what, the fleet says: write faults in its [[meters]]",
    "push": "where and when meters push, the fleet says: write [push] in its file",
}
"""Tables of a description that thousands of meters cannot have."""

_PLACES: Final = 100_000_000
"""By what the seeds of one meter are apart: those of its further logical devices and of its sub-meters."""

_SERIALS: Final = 100_000_000
"""How many serial numbers there are of sub-meters."""


class Described:
    """Meters as a description has them; ConfigurationError for what is none, or not for the meters of a fleet."""

    lives = True

    def __init__(self, path: Path) -> None:
        self.label = path.name
        self._source, self._folder = str(path), path.parent
        self._tables = tables_of(text_of(path), self._source)
        self._companion = cache(companion_named)
        self._check_tables()
        meter = self._described(self._tables, Surroundings())
        self._called = {device.name for device in meter.devices.values()}
        self.devices = len(meter.devices)
        self.notes = tuple(_notes(meter.management))
        self.lacks = dict(self._lacking(meter.management))

    def make(self, own: Own, push: PushSettings | None = None) -> Meter:
        around = Surroundings(own.counters, own.clock, own.zone, own.entropy, own.lockout, own.faults)
        meter = self._described(self._of(own), around)
        for place, device in enumerate(meter.devices.values()):
            for item, value in _numbered(device.objects, own.number, self._called, own.name(place)):
                device.owned(item).values[_VALUE] = value
        if push is not None:
            meter.management.unshare()
            push.add_to(meter.management.objects, self.notes)
        return meter

    def _described(self, tables: dict[str, Any], around: Surroundings) -> Meter:
        around = replace(around, companion=self._companion, begins=False)
        return unentered(tables, self._source, self._folder, around)

    def _check_tables(self) -> None:
        whole = Table(self._source, "", self._tables)
        for table, why in _REFUSED.items():
            if table in whole:
                raise whole.refusal(table, why)
        for each in whole.tables("alarms"):
            if "push" in each:
                raise each.refusal("push", _REFUSED["push"])
        if len(whole.tables("device")) > LAST_SERIES - FIRST_SERIES:
            raise whole.refusal("device", f"a meter of a fleet has {LAST_SERIES - FIRST_SERIES} of them at most")

    def _of(self, own: Own) -> dict[str, Any]:
        """Return the tables of one meter."""
        tables, devices = dict(self._tables), self._tables.get("device", [])
        tables["meter"] = {
            **tables["meter"],
            "name": own.name(),
            "number": own.seed + tables["meter"].get("number", 0),
            "system_title": own.title.hex(),
        }
        if "load" in tables:
            tables["load"] = {**tables["load"], "seed": own.seed + tables["load"].get("seed", 0)}
        tables["device"] = [
            {
                **each,
                "name": own.name(place),
                "number": _seed(own, place) + each.get("number", 0),
                "seed": _seed(own, place) + each.get("seed", 0),
            }
            for place, each in enumerate(devices, 1)
        ]
        sub_meters = tables.get("m_bus", [])
        tables["m_bus"] = [
            {
                **each,
                "seed": _seed(own, place) + each.get("seed", 0),
                "serial": (each.get("serial", usual_serial(each["channel"])) + own.number * len(sub_meters)) % _SERIALS,
            }
            for place, each in enumerate(sub_meters, len(devices) + 1)
        ]
        return tables

    def _lacking(self, device: LogicalDevice) -> Iterator[tuple[str, str]]:
        found = device.find(FIRMWARE)
        if found is None or found.class_id != DataObject.class_id:
            yield "firmware", f"{self.label} has no Data object {FIRMWARE} that would tell the version: add one"
        if not any(MeterEvent.COVER_OPENED.value in each.events for each in self.notes):
            yield "tamper", f"{self.label} has no event log with a code for cover_opened: add one to its events"
        if not can_count(device):
            names = " and ".join(map(str, BY_TARIFF.values()))
            yield "tariff", f"{self.label} has no registers {names} that show a load and that no calendar switches"
        ours = next((each for each in setups(self.notes) if each in device.objects), None)
        if ours is not None:
            yield "push", f"{self.label} has {ours}, by which the meters of a fleet push: leave one of the two out"


def _seed(own: Own, place: int) -> int:
    return own.seed + place * _PLACES


def _notes(device: LogicalDevice) -> Iterator[Notes]:
    """Give by which codes a device notes what happens."""
    for log, code, noted in device.logs:
        yield Notes(log, code, {event.value: number for event, number in noted.items()})
    if OWN_LOG in device.objects.listeners:
        yield Notes(_LOG, _LAST_EVENT, {event.value: number for event, number in codes().items()})


_LOG: Final = Obis("0.0.99.98.0.255")


# -- as a snapshot has it ----------------------------------------------------------------------------------------------


class Cloned:
    """Meters of which there is a snapshot; ConfigurationError for what is none."""

    lives = False
    notes: tuple[Notes, ...] = ()

    def __init__(self, path: Path) -> None:
        snapshot = snapshots.read(path)
        first = management_of(snapshot)
        self.label = path.name
        why = f"what {path.name} shows stands still, and nobody would see it: say in which region it happens"
        self.lacks: Mapping[str, str] = dict.fromkeys(("firmware", "tamper", "tariff"), why)
        self._zone = zone_of(first)
        self._called = {each.name.decode("ascii", "replace") for each in snapshot.devices}
        # What stands for a missing management device is served as that.
        devices = (first, *(each for each in snapshot.devices if each is not first))
        _check_saps([each.sap for each in devices[1:]])
        self._devices = tuple(replace(each, associations=(), objects=tuple(_shown(each.objects))) for each in devices)
        self.devices = len(devices)
        self._shared = cache(self._objects)
        self._shared(None)

    def make(self, own: Own, push: PushSettings | None = None) -> Meter:
        meter = Meter(
            own.name(),
            zone=self._zone or own.zone,
            clock=own.clock,
            counters=own.counters,
            system_title=own.title,
            entropy=own.entropy,
            lockout=own.lockout,
            faults=own.faults,
        )
        for place, (sap, objects) in enumerate(self._shared(push)):
            device = meter.management if not place else meter.add_device(sap, own.name(place))
            device.use(objects, (own.number, own.name(place)))
        return meter

    def _objects(self, push: PushSettings | None) -> list[tuple[int, Objects]]:
        """Return what all meters share: the objects of each logical device."""
        made: list[tuple[int, Objects]] = []
        ours = () if push is None else setups(self.notes)
        for place, recorded in enumerate(self._devices):
            objects = Objects()
            for item in items_of(recorded):
                if place or item.instance not in ours:
                    objects.put_in(item)
            for item, _ in _numbered(objects, 0, self._called, ""):
                item.values[_VALUE] = FromSource(partial(_of_one, cast("Data", item.values[_VALUE]), self._called))
            if push is not None and not place:
                push.add_to(objects, self.notes)
            made.append((recorded.sap, objects))
        return made


def _check_saps(saps: Iterable[int]) -> None:
    """Raise ConfigurationError where a meter cannot have its further logical devices at these SAPs."""
    trial = Meter(name_of(0))
    for place, sap in enumerate(saps, 1):
        trial.add_device(sap, name_of(0, place))


def _shown(objects: Iterable[snapshots.RecordedObject]) -> Iterator[snapshots.RecordedObject]:
    """Give what of a snapshot is of the meter itself, and not of those who may come in, or of its names."""
    return (each for each in objects if each.class_id not in _OF_THE_FLEET and each.instance != _NAME)


def _of_one(value: Data, called: set[str], source: tuple[int, str], _: datetime) -> Data:
    return numbered(value, source[0], called, source[1])


# -- serial numbers ----------------------------------------------------------------------------------------------------

_TEXTS: Final = (OctetString, VisibleString, Utf8String)


def numbered(value: Data, number: int, called: Iterable[str], name: str) -> Data:
    """Return a serial number as a meter has it: its number in place of the last digits, or its device name.

    What is no text and no number, or a number too small for it, stays as it is.
    """
    if isinstance(value, Number):
        kind: Any = type(value)
        return cast("Data", kind(number)) if kind.LOW <= number <= kind.HIGH else value
    text = _text(value)
    if text is None:
        return value
    stem = text.rstrip(digits)
    told = name if text in called else f"{stem}{number:0{len(text) - len(stem)}d}"
    return OctetString(told.encode()) if isinstance(value, OctetString) else cast("Any", type(value))(told)


def _text(value: Any) -> str | None:
    if not isinstance(value, _TEXTS):
        return None
    text = value.decode("latin-1") if isinstance(value, OctetString) else str(value)
    return text if text and text.isascii() and text.isprintable() else None


def _numbered(objects: Objects, number: int, called: set[str], name: str) -> list[tuple[Item, Data]]:
    """Return the objects that hold a serial number, with that of one meter; those that hold `name` have it already."""
    held = [
        (item, cast("Data", value), group)
        for item, group in ((item, _device_id(item.instance)) for item in objects if item.class_id == _DATA)
        if group is not None and isinstance(value := item.values.get(_VALUE), (*_TEXTS, Number))
    ]
    serials = [value for _, value, group in held if not group]
    return [
        (item, numbered(value, number, called, name))
        for item, value, _ in held
        if _text(value) != name and (value in serials or _text(value) in called)
    ]


_DATA: Final = DataObject.class_id


def _device_id(instance: Obis) -> int | None:
    """Return which device ID an object has (value group E); None where it has none."""
    a, _, c, d, e, f = instance.octets
    ids = (c, d) == ((96, 1) if a == 0 else (0, 0))
    return e if ids and e <= _LAST_ID and f == 0xFF else None


_LAST_ID: Final = 9
