"""`cosem classes`: all interface classes and versions that are declared, and what one of them is made of."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from enum import IntEnum, IntFlag
from typing import Annotated, Any, Final, cast

import typer

from cosem.cli.options import Json
from cosem.cli.report import put, put_json, put_table
from cosem.errors import ConfigurationError
from cosem.protocol.model import REGISTRY, InterfaceClass, latest
from cosem.protocol.model.declare import Attribute, Method
from cosem.protocol.model.rights import AttributeAccess
from cosem.protocol.model.shape import (
    ArrayShape,
    ChoiceShape,
    EnumShape,
    FlagsShape,
    NumberFlagsShape,
    Shape,
    StructureShape,
)

Declared = type[InterfaceClass]

HEADINGS: Final = ("class", "version", "name", "attributes", "methods", "what it holds")
NUMBERS: Final = ("class", "version", "attributes", "methods")

MOST_MEMBERS: Final = 40
"""Enumerations with more members, such as that of units, are named and not listed."""


def classes(
    which: Annotated[
        str | None,
        typer.Argument(
            metavar="[CLASS]",
            help="A class by number (3, or 15/2 for its version 2) or by name, or a word in the names of some.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Show all interface classes of IEC 62056-6-2 that are known here, or explain one.

    Access is what a management client may usually do, by a convention of this program; the rights are in each meter's
    object list. What rests on one source, or on sources that differ, is in docs/model-uncertain.md.

    \b
    Examples:
      cosem classes
      cosem classes 7
      cosem classes 15/2 --json
      cosem classes 'profile generic'
      cosem classes prime
    """
    found = list(every()) if which is None else matching(which)
    if which is not None and len(found) == 1:
        return put_json(described(found[0])) if json else _explain(found[0])
    if json:
        return put_json([summary(each) for each in found])
    return put_table(HEADINGS, [row(each) for each in found], right=NUMBERS)


def every() -> Iterator[Declared]:
    """All declared classes, by class and version."""
    return (declared for _, declared in sorted(REGISTRY.items()))


def group(declared: Declared) -> str:
    """The group of the Blue Book that a class belongs to, as the first sentence of its module says."""
    said = _GROUP.match(sys.modules[declared.__module__].__doc__ or "")
    return said["group"] if said else ""


def holds(declared: Declared) -> str:
    """What a class holds, as its declaration says."""
    return (declared.__doc__ or "").partition(" (class_id")[0]


def row(declared: Declared) -> tuple[str, ...]:
    """A class as a row under `HEADINGS`."""
    return tuple(str(each) for name, each in summary(declared).items() if name != "group")


def summary(declared: Declared) -> dict[str, Any]:
    """A class in short: numbers, name, the counts of attributes and methods, what it holds, group."""
    return {
        "class_id": declared.class_id,
        "version": declared.version,
        "name": declared.__name__,
        "attributes": len(declared.declared_attributes),
        "methods": len(declared.declared_methods),
        "holds": holds(declared),
        "group": group(declared),
    }


def described(declared: Declared) -> dict[str, Any]:
    """A class in whole: its attributes and methods, and the types they are made of."""
    return {
        **summary(declared),
        "instance": declared.usual_instance,
        "attributes": [_attribute(each) for each in declared.declared_attributes.values()],
        "methods": [_method(each) for each in declared.declared_methods.values()],
        "types": types_of(declared),
    }


def types_of(declared: Declared) -> dict[str, dict[str, str]]:
    """The structures and enumerations of a class: fields with their shapes, members with their numbers."""
    found: dict[str, dict[str, str]] = {}
    for attribute in declared.declared_attributes.values():
        _collect(attribute.shape, found)
    for method in declared.declared_methods.values():
        _collect(method.argument, found)
        _collect(method.result, found)
    return found


def matching(which: str) -> list[Declared]:
    """Return the class that a number or name means, or all whose names have a word in them.

    Raises ConfigurationError when there is none, with the names that are alike.
    """
    number = _NUMBER.fullmatch(which.strip())
    if number is not None:
        return [_by_number(int(number["class"]), None if number["version"] is None else int(number["version"]))]
    word = _plain(which)
    exact = [each for each in every() if _plain(each.__name__) == word]
    if exact:
        return exact
    found = [each for each in every() if word and word in _plain(each.__name__)]
    if not found:
        names = {_plain(each.__name__): each.__name__ for each in every()}
        alike = [names[each] for each in get_close_matches(word, names)]
        raise ConfigurationError(
            f"no interface class is called {which!r}; "
            + (f"there are {', '.join(alike)}" if alike else "`cosem classes` lists them all")
        )
    one = latest(found[0].class_id)
    return [one] if one is not None and {each.class_id for each in found} == {one.class_id} else found


def _by_number(class_id: int, version: int | None) -> Declared:
    versions = sorted(known for number, known in REGISTRY if number == class_id)
    if not versions:
        raise ConfigurationError(f"interface class {class_id} is not declared; `cosem classes` lists those that are")
    if version is None:
        version = versions[-1]
    if version not in versions:
        raise ConfigurationError(
            f"interface class {class_id} is not declared in version {version}, only in {', '.join(map(str, versions))}"
        )
    return REGISTRY[class_id, version]


def _attribute(attribute: Attribute[Any]) -> dict[str, Any]:
    return {
        "number": attribute.index,
        "name": attribute.name,
        "shape": attribute.shape.name,
        "static": attribute.static,
        "access": _ACCESS[attribute.access],
        "unit": None if attribute.unit is None else attribute.unit.symbol,
        "short_name_offset": attribute.short_name_offset,
        "selectors": {str(number): kind.__name__ for number, kind in attribute.selectors.items()},
    }


def _method(method: Method[Any, Any]) -> dict[str, Any]:
    return {
        "number": method.index,
        "name": method.name,
        "argument": method.argument.name,
        "result": method.result.name,
        "short_name_offset": method.short_name_offset,
    }


def _collect(shape: Shape[Any], found: dict[str, dict[str, str]]) -> None:
    """Add the types that a shape is made of, each before those it is made of itself.

    The bits of a bit-string are counted from the first, as the standard does.
    """
    match shape:
        case ArrayShape():
            _collect(cast("Any", shape).element, found)
        case ChoiceShape():
            for each in shape.alternatives:
                _collect(each, found)
        case StructureShape() if shape.name not in found:
            fields = shape.fields
            found[shape.name] = {name: each.name for name, each in fields}
            for _, each in fields:
                _collect(each, found)
        case EnumShape() | NumberFlagsShape():
            members = _members(cast("EnumShape[IntEnum] | NumberFlagsShape[IntFlag]", shape).kind)
            if len(members) <= MOST_MEMBERS:
                found[shape.name] = {str(number): name for number, name in members.items()}
        case FlagsShape():
            found[shape.name] = {
                f"bit {shape.bits - number.bit_length()}": name
                for number, name in _members(shape.kind).items()
                if number
            }
        case _:
            pass


def _members(kind: type[IntEnum] | type[IntFlag]) -> dict[int, str]:
    """The members of an enumeration or of flags, by number."""
    return {int(member): name.lower().replace("_", " ") for name, member in kind.__members__.items()}


def _explain(declared: Declared) -> None:
    others = [str(known) for number, known in sorted(REGISTRY) if number == declared.class_id]
    others.remove(str(declared.version))
    put(f"{declared.__name__}: class {declared.class_id}, version {declared.version}")
    put(holds(declared))
    put(f"Group: {group(declared)}.")
    if others:
        put(f"Other versions: {', '.join(others)} (cosem classes {declared.class_id}/{others[-1]}).")
    put("")
    put_table(
        ("attribute", "name", "shape", "kind", "access", "unit", "short name", "selected by"),
        [
            (
                str(each["number"]),
                each["name"],
                each["shape"],
                "static" if each["static"] else "dynamic",
                each["access"],
                each["unit"] or "",
                _offset(each["short_name_offset"]),
                ", ".join(f"{number} {kind}" for number, kind in each["selectors"].items()),
            )
            for each in map(_attribute, declared.declared_attributes.values())
        ],
        right=("attribute",),
    )
    if declared.declared_methods:
        put("")
        put_table(
            ("method", "name", "argument", "result", "short name"),
            [
                (
                    str(each["number"]),
                    each["name"],
                    each["argument"],
                    each["result"],
                    _offset(each["short_name_offset"]),
                )
                for each in map(_method, declared.declared_methods.values())
            ],
            right=("method",),
        )
    types = types_of(declared)
    if types:
        put("")
        put_table(("type", "made of"), [(name, _parts(name, parts)) for name, parts in types.items()])


def _parts(name: str, parts: dict[str, str]) -> str:
    between = ": " if name.startswith("structure") else " "
    return ", ".join(f"{key}{between}{what}" for key, what in parts.items())


def _offset(offset: int | None) -> str:
    return "" if offset is None else f"+0x{offset:02X}"


def _plain(name: str) -> str:
    return "".join(each for each in name.casefold() if each.isalnum())


_NUMBER: Final = re.compile(r"(?P<class>[0-9]{1,5})(?:[/v](?P<version>[0-9]{1,3}))?")
_GROUP: Final = re.compile(r"Interface classes for (?P<group>.+?) \(IEC 62056-6-2\)")
_ACCESS: Final = {AttributeAccess.READ: "read", AttributeAccess.READ_WRITE: "read, write"}
