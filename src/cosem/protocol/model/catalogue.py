"""Names of OBIS codes: what a code means, which class it has as a rule, and its usual unit (IEC 62056-6-1).

The rules are data in `catalogue.toml`: objects by pattern first, then the value groups of the medium (quantity by C,
processing by D, tariff or harmonic by E, billing period by F). A code that no rule knows gets a generic name.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Final

from cosem.errors import ConfigurationError
from cosem.protocol.model.declare import InterfaceClass, object_for
from cosem.protocol.model.reference import AttributeRef, MethodRef, Reference
from cosem.protocol.values.obis import Obis, ObisPattern
from cosem.protocol.values.units import Unit


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a code: name, the class it has as a rule, usual unit; `known` is False for a generic name."""

    name: str
    class_id: int
    unit: Unit | None = None
    known: bool = True


@lru_cache(maxsize=4096)
def lookup(obis: Obis | str | bytes) -> Entry:
    """Return what is known of a code; never fails for any code."""
    code = Obis(obis)
    found = _object(code) or _quantity(code)
    if found is None:
        measured = code.a != 0 and 0 < code.c < _SERVICE_ENTRIES
        return Entry(_generic(code), _REGISTER if measured else _DATA, None, known=False)
    channel = f", channel {code.b}" if code.b else ""
    return Entry(f"{found.name}{channel}{_billing(code)}", found.class_id, found.unit)


def resolve_object(reference: Reference, class_id: int | None = None, version: int | None = None) -> InterfaceClass:
    """Return the object of a reference; its class is the reference's, else `class_id`, else the catalogue's."""
    number = reference.class_id if reference.class_id is not None else class_id
    return object_for(lookup(reference.instance).class_id if number is None else number, version, reference.instance)


def resolve(reference: Reference, class_id: int | None = None, version: int | None = None) -> AttributeRef[Any]:
    """Return the attribute that a person meant; attribute 2 when they did not say which.

    `class_id` and `version` are what the meter's object list says, when it was read. Raises ConfigurationError for a
    name that the class does not have.
    """
    member = 2 if reference.member is None else reference.member
    return resolve_object(reference, class_id, version).attribute(member)


def resolve_method(
    reference: Reference, class_id: int | None = None, version: int | None = None
) -> MethodRef[Any, Any]:
    """Return the method that a person meant; raises ConfigurationError when they did not say which."""
    if reference.member is None:
        raise ConfigurationError(f"{reference} names no method: write {reference}:1 or {reference}:NAME")
    return resolve_object(reference, class_id, version).method(reference.member)


def _object(code: Obis) -> Entry | None:
    """A rule of the `objects` lists."""
    for pattern, entry in _objects_by_group().get((code.a, code.c), ()):
        if pattern.matches(code):
            e = code.e
            fields = {"b": code.b, "d": code.d, "e": e, "f": code.f, "n": e + 1, "p": e - 9, "q": e - 19}
            return Entry(entry.name.format(medium=_medium(code.a), **fields), entry.class_id, entry.unit)
    # The service and error entries of a medium are numbered as the abstract ones.
    abstract = code.a != 0 and _SERVICE_ENTRIES <= code.c <= _ERRORS
    return _object(Obis.of(0, *code.octets[1:])) if abstract else None


def _quantity(code: Obis) -> Entry | None:
    """A quantity with its processing, by the tables of the medium."""
    tables = _QUANTITY_TABLES.get(code.a)
    if tables is None:
        return None
    rules = _rules()
    quantity = _electrical(code.c) if code.a == 1 else rules[tables[0]]["quantities"].get(str(code.c))
    processing = rules[tables[1]]["processings"].get(str(code.d))
    if quantity is None or processing is None:
        return None
    measure = processing.get("measure", "unit")
    if measure == "integral" and "integral" not in quantity:
        return None
    unit = quantity.get(measure) if measure in ("unit", "integral") else measure
    if _has_harmonics(code) and code.e >= _DISTORTION:
        unit = None
    name = quantity["name"].format(kind="energy" if measure == "integral" else "power")
    if code.a != 1:
        name = f"{_medium(code.a)} {name}"
    parts = [name, processing["name"], _tariff(code)]
    return Entry(", ".join(part for part in parts if part), processing["class"], None if unit is None else Unit[unit])


def _electrical(c: int) -> Mapping[str, Any] | None:
    """The quantity of electricity by C, the phases being 20 apart."""
    rules = _rules()["electricity"]
    quantities: Mapping[str, Mapping[str, Any]] = rules["quantities"]
    if c > 80:
        return quantities.get(str(c))
    offset = (c - 1) // 20 * 20
    quantity = quantities.get(str(c - offset)) if c else None
    return None if quantity is None else {**quantity, "name": quantity["name"] + rules["phases"][str(offset)]}


def _tariff(code: Obis) -> str:
    if _has_harmonics(code):
        return _HARMONICS.get(code.e, f"harmonic {code.e}")
    return f"rate {code.e}" if 0 < code.e < 64 else "" if code.e == 0 else f"E={code.e}"


def _billing(code: Obis) -> str:
    if code.f <= 99:
        return f", billing period {code.f}"
    if code.f == 101:
        return ", last billing period"
    return f", last {code.f - 100} billing periods" if 102 <= code.f <= 125 else ""


def _generic(code: Obis) -> str:
    specific = code.b >= 128 or 128 <= code.c <= 254 or 128 <= code.d <= 254 or 128 <= code.e <= 254
    kind = "manufacturer-specific object" if specific else "object"
    return f"{_medium(code.a)} {kind} {code}"


def _medium(a: int) -> str:
    name: str = _rules()["media"].get(str(a), f"Medium {a}")
    return name


def _has_harmonics(code: Obis) -> bool:
    """Tell whether E counts harmonics rather than tariffs."""
    base = (code.c - 1) % 20 + 1 if 0 < code.c <= 80 else code.c
    return code.a == 1 and code.d in _HARMONICS_BY_D and base in _WITH_HARMONICS


_SERVICE_ENTRIES: Final = 93
_ERRORS: Final = 97
_DATA: Final = 1
_REGISTER: Final = 3
_QUANTITY_TABLES: Final = {
    1: ("electricity", "electricity"),
    4: ("heat_cost", "utility"),
    5: ("thermal", "utility"),
    6: ("thermal", "utility"),
    7: ("gas", "gas"),
    8: ("water", "utility"),
    9: ("water", "utility"),
}
_HARMONICS_BY_D: Final = frozenset({7, 24})
_WITH_HARMONICS: Final = frozenset({1, 2, 11, 12, 15, 16, 91, 92})
_DISTORTION: Final = 124
"""From this E on there are ratios rather than harmonics."""
_HARMONICS: Final[Mapping[int, str]] = MappingProxyType(
    {
        0: "",
        1: "fundamental",
        124: "total harmonic distortion",
        125: "total demand distortion",
        126: "all harmonics",
        127: "all harmonics to nominal value",
    }
)


@cache
def _rules() -> Mapping[str, Any]:
    text = resources.files("cosem.protocol.model").joinpath("catalogue.toml").read_text("utf-8")
    return MappingProxyType(tomllib.loads(text))


@cache
def _objects_by_group() -> Mapping[tuple[int, int], tuple[tuple[ObisPattern, Entry], ...]]:
    """The rules of the `objects` lists by the groups A and C they can match, so that few are tried for a code."""
    grouped: dict[tuple[int, int], list[tuple[ObisPattern, Entry]]] = {}
    for section in _rules().values():
        for text, class_id, name, *unit in section.get("objects", ()):
            a, _, c, *_ = text.split(".")
            first, _, last = a.partition("-")
            rule = ObisPattern(text), Entry(name, class_id, Unit[unit[0]] if unit else None)
            for medium in range(int(first), int(last or first) + 1):
                grouped.setdefault((medium, int(c)), []).append(rule)
    return MappingProxyType({key: tuple(rules) for key, rules in grouped.items()})
