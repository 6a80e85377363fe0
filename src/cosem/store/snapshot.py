"""A snapshot of a meter in a file: what each association shows, and every value that was read, to be served again.

It is JSON of the form that `docs/snapshot.md` describes. No key, password or HLS secret belongs into it: see
`cosem.store.anonymous` for what is done to one before it is written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from cosem.errors import ConfigurationError, CosemError
from cosem.protocol.codec import axdr
from cosem.protocol.values.data import TAG_NAMES, Data, tag
from cosem.protocol.values.obis import Obis
from cosem.store.durable import replace

FORMAT: Final = "cosem-snapshot"
VERSION: Final = 1
LONGEST: Final = 64 << 20
"""Octets of a file that is read."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cell:
    """What was read of one attribute: its Data, or the data-access-result of its refusal."""

    data: Data = None
    refused: int | None = None
    replaced: str | None = None


@dataclass(frozen=True, slots=True)
class RecordedAssociation:
    """What one association was, and its object list as it came."""

    client: int
    level: str
    mechanism: int
    protection: int
    suite: int | None
    conformance: int
    max_pdu_size: int
    object_list: Data
    own: Mapping[int, Cell] = field(default_factory=dict[int, Cell])


@dataclass(frozen=True, slots=True)
class RecordedObject:
    """One object and what was read of it, by attribute."""

    class_id: int
    version: int
    instance: Obis
    attributes: Mapping[int, Cell]


@dataclass(frozen=True, slots=True)
class RecordedDevice:
    """One logical device; `replaced` names which of `name` and `system_title` are not its own."""

    sap: int
    name: bytes
    system_title: bytes | None
    associations: tuple[RecordedAssociation, ...]
    objects: tuple[RecordedObject, ...]
    replaced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A meter as it was when it was `taken`."""

    taken: str
    devices: tuple[RecordedDevice, ...]


def write(path: Path, snapshot: Snapshot) -> None:
    """Write a snapshot to a file that only this user can read. Raises ConfigurationError."""
    replace(path, f"{json.dumps(_plain(snapshot), indent=1)}\n".encode())


def read(path: Path) -> Snapshot:
    """Read a snapshot. Raises ConfigurationError that says where in the file something is wrong."""
    try:
        with path.open("rb") as file:
            octets = file.read(LONGEST + 1)
        if len(octets) > LONGEST:
            raise ConfigurationError(f"{path} has more than {LONGEST} octets")
        found = json.loads(octets)
    except OSError as problem:
        raise ConfigurationError(f"cannot read {path}: {problem.strerror}") from None
    except (ValueError, RecursionError):
        raise ConfigurationError(f"{path} is no JSON") from None
    return _snapshot(_Part(str(path), found))


def _plain(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "taken": snapshot.taken,
        "devices": [
            {
                "sap": device.sap,
                "name": device.name.hex().upper(),
                "system_title": None if device.system_title is None else device.system_title.hex().upper(),
                "replaced": list(device.replaced),
                "associations": [
                    {
                        "client": each.client,
                        "level": each.level,
                        "mechanism": each.mechanism,
                        "protection": each.protection,
                        "suite": each.suite,
                        "conformance": each.conformance,
                        "max_pdu_size": each.max_pdu_size,
                        "object_list": axdr.encode(each.object_list).hex().upper(),
                        "own": _plain_cells(each.own),
                    }
                    for each in device.associations
                ],
                "objects": [
                    {
                        "class_id": each.class_id,
                        "version": each.version,
                        "obis": str(each.instance),
                        "attributes": _plain_cells(each.attributes),
                    }
                    for each in device.objects
                ],
            }
            for device in snapshot.devices
        ],
    }


def _plain_cells(cells: Mapping[int, Cell]) -> dict[str, Any]:
    return {str(index): _plain_cell(cell) for index, cell in cells.items()}


def _plain_cell(cell: Cell) -> dict[str, Any]:
    if cell.refused is not None:
        return {"refused": cell.refused}
    plain = {"type": TAG_NAMES[tag(cell.data)], "data": axdr.encode(cell.data).hex().upper()}
    return plain if cell.replaced is None else plain | {"replaced": cell.replaced}


class _Part:
    """A part of a file and where it stands."""

    def __init__(self, where: str, content: object) -> None:
        self.where = where
        if not isinstance(content, dict):
            raise ConfigurationError(f"{where}: expected an object")
        self.content = cast("dict[str, Any]", content)

    def given(self, key: str, kind: type[T], default: Any = ...) -> T:
        value = self.content.get(key, default)
        if value is ... or (value is not default and (not isinstance(value, kind) or isinstance(value, bool))):
            raise ConfigurationError(f"{self.where}: {key}: expected {kind.__name__}")
        return cast("T", value)

    def number(self, key: str, most: int) -> int:
        value = self.given(key, int)
        if not 0 <= value <= most:
            raise ConfigurationError(f"{self.where}: {key}: expected a number from 0 to {most}")
        return value

    def read(self, key: str, read: Callable[[str], T]) -> T:
        text = self.given(key, str)
        try:
            return read(text)
        except (CosemError, ValueError) as error:
            raise ConfigurationError(f"{self.where}: {key}: {error}") from None

    def parts(self, key: str) -> list[_Part]:
        listed = self.content.get(key)
        if not isinstance(listed, list):
            raise ConfigurationError(f"{self.where}: {key}: expected a list")
        return [_Part(f"{self.where}: {key}[{place}]", each) for place, each in enumerate(cast("list[object]", listed))]

    def cells(self, key: str) -> dict[int, Cell]:
        cells: dict[int, Cell] = {}
        for name, content in _Part(f"{self.where}: {key}", self.content.get(key)).content.items():
            part = _Part(f"{self.where}: {key}: {name}", content)
            try:
                index = int(name)
            except ValueError:
                raise ConfigurationError(f"{part.where}: expected the number of an attribute") from None
            cells[index] = part.cell()
        return cells

    def cell(self) -> Cell:
        if "refused" in self.content:
            return Cell(refused=self.number("refused", 0xFF))
        replaced = self.given("replaced", str, None)
        return Cell(self.read("data", _data), replaced=replaced)


def _snapshot(file: _Part) -> Snapshot:
    if file.content.get("format") != FORMAT:
        raise ConfigurationError(f"{file.where} is no snapshot: its format is not {FORMAT!r}; cosem browse makes them")
    if file.content.get("version") != VERSION:
        raise ConfigurationError(f"{file.where}: version {file.content.get('version')!r} is not {VERSION}")
    return Snapshot(file.given("taken", str), tuple(_device(part) for part in file.parts("devices")))


def _device(part: _Part) -> RecordedDevice:
    return RecordedDevice(
        sap=part.number("sap", 0xFFFF),
        name=part.read("name", bytes.fromhex),
        system_title=None if part.content.get("system_title") is None else part.read("system_title", bytes.fromhex),
        associations=tuple(_association(each) for each in part.parts("associations")),
        objects=tuple(_object(each) for each in part.parts("objects")),
        replaced=tuple(str(each) for each in cast("list[Any]", part.content.get("replaced") or [])),
    )


def _association(part: _Part) -> RecordedAssociation:
    return RecordedAssociation(
        client=part.number("client", 0xFFFF),
        level=part.given("level", str),
        mechanism=part.number("mechanism", 0xFF),
        protection=part.number("protection", 0xFFFF),
        suite=None if part.content.get("suite") is None else part.number("suite", 0xFF),
        conformance=part.number("conformance", 0xFF_FFFF),
        max_pdu_size=part.number("max_pdu_size", 0xFFFF),
        object_list=part.read("object_list", _data),
        own=part.cells("own"),
    )


def _object(part: _Part) -> RecordedObject:
    return RecordedObject(
        class_id=part.number("class_id", 0xFFFF),
        version=part.number("version", 0xFF),
        instance=part.read("obis", Obis),
        attributes=part.cells("attributes"),
    )


def _data(text: str) -> Data:
    return axdr.decode_all(bytes.fromhex(text))
