"""`cosem obis`: what a code says, which codes a pattern has names for, and which codes words stand for."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

import typer

from cosem.cli.failure import SOME_FAILED, Ended
from cosem.cli.options import Json
from cosem.cli.report import put, put_json, put_table, say
from cosem.errors import ConfigurationError
from cosem.protocol.model import catalogue
from cosem.protocol.model.catalogue import Entry, Found, NamedPattern
from cosem.protocol.model.declare import UnknownClass, object_for
from cosem.protocol.values.obis import Obis, ObisPattern
from cosem.protocol.values.units import Unit

Asked = Annotated[
    list[str], typer.Argument(metavar="CODE|PATTERN|WORDS…", help="A code, a pattern of codes, or words.")
]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many codes a search shows at most.")]

_NO_WORD: Final = re.compile(r"[0-9.:*&,xX-]+")


def obis(asked: Asked, limit: Limit = 20, json: Json = False) -> None:
    """Explain an OBIS code, list what a pattern has names for, or search codes by words.

    Names, classes and units are what a code has as a rule; the object list of a meter decides.

    \b
    Examples:
      cosem obis '1-0:1.8.0*255'
      cosem obis '1.0.1-2.8.*.255'
      cosem obis reactive import tariff 2
    """
    text = " ".join(asked).strip()
    code = _code(text)
    if code is not None:
        _explain(code, json)
        return
    pattern = _pattern(text)
    if pattern is not None:
        _list(pattern, json)
        return
    _search(text, limit, json)


def _code(text: str) -> Obis | None:
    try:
        return Obis(text)
    except ConfigurationError:
        return None


def _pattern(text: str) -> ObisPattern | None:
    """The pattern that a text is; None where it is words. What has no letter in it is meant to be one."""
    try:
        return ObisPattern(text)
    except ConfigurationError:
        if _NO_WORD.fullmatch(text) and "." in text:
            raise
        return None


def _explain(code: Obis, json: bool) -> None:
    found = catalogue.explain(code)
    if json:
        groups = [{"group": each.group, "value": each.value, "meaning": each.words} for each in found.groups]
        put_json({"obis": str(code), "separated": code.separated, **_plain(found.entry), "groups": groups})
        return
    put(f"{code}  {found.entry.name}")
    unit = "" if found.entry.unit is None else f", unit {_unit(found.entry.unit)}"
    put(f"as a rule class {_class(found.entry.class_id)}{unit}; {found.entry.scope}")
    put("")
    put_table(("group", "value", "meaning"), [(each.group, str(each.value), each.words) for each in found.groups])


def _list(pattern: ObisPattern, json: bool) -> None:
    found = list(catalogue.patterns(pattern))
    if json:
        put_json({"pattern": str(pattern), "named": [_plain_pattern(each) for each in found]})
    elif found:
        put_table(
            ("OBIS", "name", "class", "unit"),
            [(str(each.pattern), each.name, _class(each.class_id), _unit(each.unit)) for each in found],
        )
    say(f"{len(found)} named patterns, {sum(each.pattern.count for each in found)} codes")
    if not found:
        raise Ended(SOME_FAILED)


def _search(text: str, limit: int, json: bool) -> None:
    found = catalogue.search(text, limit)
    if json:
        put_json({"words": text, "found": [_plain_found(each) for each in found]})
    elif found:
        put_table(
            ("OBIS", "name", "class", "unit"),
            [(str(each.obis), each.entry.name, _class(each.entry.class_id), _unit(each.entry.unit)) for each in found],
        )
    if not found:
        say(f"no name has any word of {text!r}: try others, such as reactive import tariff 2, or a code such as 1.8.0")
        raise Ended(SOME_FAILED)


def _class(class_id: int) -> str:
    kind = type(object_for(class_id, None, Obis.of(0, 0, 0, 0, 0)))
    return str(class_id) if issubclass(kind, UnknownClass) else f"{class_id} {kind.__name__}"


def _unit(unit: Unit | None) -> str:
    return "" if unit in (None, Unit.NO_UNIT) else unit.symbol


def _plain(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "class_id": entry.class_id,
        "unit": _unit(entry.unit) or None,
        "scope": str(entry.scope),
    }


def _plain_found(found: Found) -> dict[str, Any]:
    return {"obis": str(found.obis), **_plain(found.entry)}


def _plain_pattern(named: NamedPattern) -> dict[str, Any]:
    return {
        "pattern": str(named.pattern),
        "name": named.name,
        "class_id": named.class_id,
        "unit": _unit(named.unit) or None,
    }
