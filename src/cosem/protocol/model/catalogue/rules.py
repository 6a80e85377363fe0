"""The rules of the catalogue, read from its data files once: what each medium calls its objects and measured values."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Final

from cosem.protocol.values.obis import ObisPattern
from cosem.protocol.values.units import Unit

FILES: Final = ("abstract", "electricity", "heat_cost", "thermal", "gas", "water", "other")
CHANNELS: Final = "0-64"
"""Values of group B that the standard gives a meaning."""

_BILLING: Final = "VZ"
"""How the standard writes a billing period in value group F."""
_SETS_OF_VALUES: Final = frozenset({7, 61})
"""Classes that hold the values of several billing periods."""
_PHASES: Final = (" L1", " L2", " L3")
_UNITS: Final = 2
_SLOT: Final = re.compile(r"\{([b-f])([+-]\d+)?\}")


@dataclass(frozen=True, slots=True)
class Row:
    """What values of group E or F mean: words with slots, and a unit or class of their own where they have one."""

    values: str
    words: str
    unit: Unit | None = None
    integral: Unit | None = None
    class_id: int | None = None


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a value of group C measures; `integral` is the unit of its integral over time, None where it has none."""

    name: str
    unit: Unit | None
    integral: Unit | None


@dataclass(frozen=True, slots=True)
class Processing:
    """What a value of group D makes of a quantity: words, class, measure, and the tables for E and F."""

    name: str
    class_id: int
    measure: str
    classification: Mapping[int, Row]
    period: Mapping[int, Row]

    def naming(self, quantity: Quantity, row: Row) -> str:
        """Return the words for the processing; the integral of what has none of its own is called so."""
        bare = self.measure == "integral" and (quantity.integral or row.integral) is None
        return ", ".join(part for part in ("time integral" if bare else "", self.name) if part)

    def unit(self, quantity: Quantity, row: Row) -> Unit | None:
        """Return the usual unit of the quantity processed so, for a row of the classification."""
        if self.measure == "integral":
            return row.integral or quantity.integral
        return (row.unit or quantity.unit) if self.measure == "unit" else Unit.__members__.get(self.measure)


@dataclass(frozen=True, slots=True)
class Family:
    """Quantities (C) that are processed (D) and classified (E) alike."""

    quantities: Mapping[int, Quantity]
    processings: Mapping[int, Processing]


@dataclass(frozen=True, slots=True)
class Named:
    """An object that has a name of its own, by pattern; `periods` says what F adds."""

    pattern: ObisPattern
    name: str
    class_id: int
    unit: Unit | None
    periods: Mapping[int, Row]


@dataclass(frozen=True, slots=True)
class Profiles:
    """How a profile is called that has the C and D of the one value it captures as its D and E."""

    name: str
    class_id: int


@dataclass(frozen=True, slots=True)
class Medium:
    """The rules of one value of group A."""

    number: int
    name: str
    uses: Mapping[int, str]
    objects: Mapping[int, tuple[Named, ...]]
    families: tuple[Family, ...]
    profiles: Profiles | None


@cache
def media() -> Mapping[int, Medium]:
    """Return the rules of all media by value group A."""
    found = {medium.number: medium for file in FILES for medium in _media_of(_read(file))}
    return MappingProxyType(found)


@cache
def shared() -> Mapping[str, Any]:
    """Return what holds for every medium: names of media and countries, tables for E and F, words of a search."""
    return MappingProxyType(_read("shared"))


def fill(template: str, shown: Callable[[str, int], str], **names: str) -> str:
    """Return a name with its slots filled: `shown` gives the text for a value group and the shift of its number."""
    for slot, text in names.items():
        template = template.replace(f"{{{slot}}}", text)
    return _SLOT.sub(lambda slot: shown(slot[1], int(slot[2] or 0)), template)


def slots(template: str) -> tuple[tuple[str, int], ...]:
    """Return the slots of a name: the value group and the shift of its number."""
    return tuple((slot[1], int(slot[2] or 0)) for slot in _SLOT.finditer(template))


def numbers(values: str) -> tuple[int, ...]:
    """Return the numbers of a value group as patterns write it: `0-9,255`."""
    spans = (span.partition("-") for span in values.split(","))
    return tuple(number for first, _, last in spans for number in range(int(first), int(last or first) + 1))


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(resources.files("cosem.protocol.model.catalogue").joinpath(f"{name}.toml").read_text("utf-8"))


def _media_of(data: Mapping[str, Any]) -> Iterator[Medium]:
    uses = MappingProxyType({int(c): words for c, words in data["uses"].items()})
    profiles = data.get("profiles")
    for number in data["media"]:
        name = shared()["media"][str(number)]
        yield Medium(
            number,
            name,
            uses,
            _objects(number, name, data["names"]["objects"]),
            tuple(_family(name, family, data) for family in data.get("families", ())),
            None if profiles is None else Profiles(profiles["name"], profiles["class"]),
        )


def _objects(a: int, medium: str, rows: list[list[Any]]) -> Mapping[int, tuple[Named, ...]]:
    """The objects by value group C, so that few are tried for a code."""
    grouped: dict[int, list[Named]] = {}
    for text, class_id, name, *unit in rows:
        channel, _, code = text.rpartition(":")
        c, d, e, *rest = code.split(".")
        f = rest[0] if rest else "255"
        billing = _table("periods", "sets" if class_id in _SETS_OF_VALUES else "billing")
        periods = billing if f == _BILLING else _NO_PERIODS
        pattern = ObisPattern(".".join((str(a), channel or CHANNELS, c, d, e, _values(periods) or f)))
        usual = Unit[unit[0]] if unit else None
        for value in numbers(c):
            rule = Named(pattern, name.replace("{medium}", medium), class_id, usual, periods)
            grouped.setdefault(value, []).append(rule)
    return MappingProxyType({c: tuple(found) for c, found in grouped.items()})


def _family(medium: str, family: Mapping[str, str], data: Mapping[str, Any]) -> Family:
    quantities: dict[int, Quantity] = {}
    for c, row in data["quantities"][family["quantities"]].items():
        name = row["name"].replace("{medium}", medium)
        quantity = Quantity(name, _unit(row.get("unit")), _unit(row.get("integral")))
        quantities[int(c)] = quantity
        for phase, suffix in enumerate(_PHASES, 1) if "phases" in row else ():
            quantities[int(c) + phase * row["phases"]] = replace(quantity, name=name + suffix)
    return Family(MappingProxyType(quantities), MappingProxyType(_processings(family, data)))


def _processings(family: Mapping[str, str], data: Mapping[str, Any]) -> dict[int, Processing]:
    table = family["processings"]
    rows = {int(d): row for d, row in data["processings"][table].items()}
    cycles = dict(data.get("cycles", {}).get(table, {}))
    conditions = cycles.pop("conditions", ())
    for d, row in cycles.items():
        for offset, condition in enumerate(conditions):
            rows[int(d) + offset] = {**row, "name": f"{row['name']}, {condition}"}
    return {
        d: Processing(
            row["name"],
            row["class"],
            row.get("measure", "unit"),
            _classification(row.get(family["classification"], family["classification"]), data),
            _table("periods", row.get("period", "none")),
        )
        for d, row in rows.items()
    }


def _classification(name: str, data: Mapping[str, Any]) -> Mapping[int, Row]:
    own = data.get("classifications", {})
    if name not in own:
        return _table("classifications", name)
    if isinstance(own[name], str):
        return _rows([[d, row["name"]] for d, row in data["processings"][own[name]].items()])
    return _rows(own[name])


@cache
def _table(kind: str, name: str) -> Mapping[int, Row]:
    rows = shared()[kind][name]
    return _rows(rows) if kind == "classifications" else _periods(rows)


def _periods(rows: list[list[Any]]) -> Mapping[int, Row]:
    found: dict[int, Row] = {}
    for values, words, *class_id in rows:
        row = Row(values, words, class_id=class_id[0] if class_id else None)
        found.update(dict.fromkeys(numbers(values), row))
    return MappingProxyType(found)


def _rows(rows: list[list[Any]]) -> Mapping[int, Row]:
    """Rows by number; L1, L2 and L3 of one with a distance follow it at that distance and 20 more each."""
    found: dict[int, Row] = {}
    for values, words, *units in rows:
        distance: int = units.pop() if len(units) > _UNITS else 0
        unit, integral = (*units, None, None)[:_UNITS]
        row = Row(values, words, _unit(unit), _unit(integral))
        found.update(dict.fromkeys(numbers(values), row))
        for phase, suffix in enumerate(_PHASES) if distance else ():
            number = int(values) + distance + 20 * phase
            found[number] = replace(row, values=str(number), words=words + suffix)
    return MappingProxyType(found)


def _values(rows: Mapping[int, Row]) -> str:
    return ",".join(dict.fromkeys(row.values for row in rows.values()))


def _unit(name: str | None) -> Unit | None:
    return None if name is None else Unit[name]


_NO_PERIODS: Final[Mapping[int, Row]] = MappingProxyType({})
