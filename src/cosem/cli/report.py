"""How results are shown: text that cannot harm a terminal, tables, and JSON with exact numbers."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum, IntFlag
from importlib import metadata
from io import StringIO
from typing import Any, Final, cast

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cosem.client.explain import explain
from cosem.errors import CosemError, DecodeError, ShapeError
from cosem.protocol.values.data import TAG_NAMES, TAGS, BitString, CompactArray, DontCare
from cosem.protocol.values.dates import Date, DateTime, Time
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.quantity import Quantity

UNLIMITED: Final = 100_000
"""Columns of a table that no terminal shows: what goes to a file or a pipe is never cut or wrapped."""


def say(text: str) -> None:
    """Write one line on stderr, where everything goes that is not data."""
    sys.stderr.write(f"{escaped(text)}\n")
    sys.stderr.flush()


def put(text: str) -> None:
    """Write lines of data on stdout as they are; `text` must have been escaped."""
    sys.stdout.write(f"{text}\n")


def put_json(value: object) -> None:
    """Write a value as JSON on stdout, see `json_text`."""
    put(json_text(value))


def put_json_line(value: object) -> None:
    """Write a value as JSON in one line on stdout, at once: for what goes on."""
    put(" ".join(line.strip() for line in json_text(value).splitlines()))
    sys.stdout.flush()


def put_table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[str] = ()) -> None:
    """Write a table on stdout; cells are shown as they are, `right` names columns whose numbers are set flush right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    flush = set(right)
    for heading in headings:
        table.add_column(Text(heading), justify="right" if heading in flush else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(cell, heading in flush) for heading, cell in zip(headings, row, strict=True)))
    terminal = sys.stdout.isatty()
    sink = StringIO()
    console = Console(file=sink, width=Console().width if terminal else UNLIMITED, highlight=False, no_color=True)
    console.print(table)
    for line in sink.getvalue().splitlines():
        put(line.rstrip())


def _cell(text: str, numeric: bool) -> Text:
    """Return one cell; words in a column of numbers stand on the left, so that a long one moves none of them away."""
    words = numeric and not text.replace(".", "", 1).lstrip("-").isdecimal()
    return Text(escaped(text), justify="left" if words else None)


def escaped(text: str) -> str:
    """Return `text` with everything written out that a terminal would obey, hide or turn around."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _written_out(each) for each in text)


def value_text(value: Any) -> str:
    """Return any value of a meter as a person reads it, on one line; not escaped."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes | bytearray):
        return octets_text(bytes(value))
    if isinstance(value, IntFlag):
        return flags_text(value)
    if isinstance(value, Enum):
        return enum_text(value)
    if isinstance(value, CompactArray):
        return f"compact-array {value.description.hex().upper()} {value.contents.hex().upper()}"
    if isinstance(value, DontCare):
        return "dont-care"
    if is_dataclass(value) and not isinstance(value, type | Quantity):
        inside = ", ".join(f"{each.name}: {value_text(getattr(value, each.name))}" for each in fields(value))
        return f"{{{inside}}}"
    if isinstance(value, tuple | list):
        return f"[{', '.join(value_text(each) for each in cast('Sequence[Any]', value))}]"
    return str(value)


def plain_value(value: Any) -> Any:
    """Return any value of a meter as what JSON knows; octets are hexadecimal, or text where they are text."""
    if value is None or isinstance(value, bool):
        return value
    for kinds, convert in _PLAIN:
        if isinstance(value, kinds):
            return convert(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain_value(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, tuple | list):
        return [plain_value(each) for each in cast("Sequence[Any]", value)]
    return str(value)


def type_name(value: object) -> str | None:
    """Return the standard's name for the type a value was sent in, None when that is not known any more."""
    tag = TAGS.get(type(value))
    return None if tag is None else TAG_NAMES[tag]


def plain_error(error: CosemError) -> dict[str, Any]:
    """Return an error for JSON: its kind, its words, and what may be tried."""
    described: dict[str, Any] = {"kind": type(error).__name__, "message": str(error), "retry": error.retry.value}
    for name in ("result", "name", "layer", "phase", "offset"):
        found = getattr(error, name, None)
        if found is not None:
            described[name] = found
    known = explain(error)
    if known is not None:
        described |= {"means": known.sentence, "causes": list(known.causes), "try": known.remedy}
    return described


def json_text(value: object, indent: int = 2) -> str:
    """Return `value` as JSON. A Decimal is written with all its digits; what is no number is null."""
    parts: list[str] = []
    _write_json(value, parts, "\n", " " * indent)
    return "".join(parts)


def octets_text(octets: bytes) -> str:
    """Return octets as text where they are one, as date and time where they are one, else in hexadecimal."""
    if octets and all(0x20 <= octet < 0x7F for octet in octets):
        return octets.decode("ascii")
    if len(octets) == DateTime.SIZE:
        try:
            moment = DateTime.from_octets(octets)
            moment.to_datetime(naive=True)
        except (ShapeError, DecodeError):
            return octets.hex().upper()
        return str(moment)
    return octets.hex().upper()


def enum_text(value: Enum) -> str:
    """Return an enumeration as name and number."""
    return f"{value.name.lower().replace('_', ' ')} ({value.value})"


def flags_text(value: IntFlag) -> str:
    """Return flags by name."""
    names = [flag.name.lower().replace("_", " ") for flag in type(value) if flag in value and flag.name]
    return ", ".join(names) or "none"


def often(name: str, times: int) -> str:
    """Return what happened and how often: `missing release, 3 times`."""
    return f"{name.replace('_', ' ')}, {times} {'time' if times == 1 else 'times'}"


def _written_out(character: str) -> str:
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character) or ascii(character)[1:-1]


def _decimal(value: float) -> Decimal:
    return Decimal(str(value))


_PLAIN: Final[tuple[tuple[Any, Callable[[Any], Any]], ...]] = (
    (IntFlag, int),
    (Enum, lambda value: {"code": int(value.value), "name": value.name.lower().replace("_", "-")}),
    (int, int),
    (float, _decimal),
    (Decimal, lambda value: value),
    ((bytes, bytearray), lambda value: octets_text(bytes(value))),
    (BitString, str),
    (str, lambda value: str(value).encode("utf-8", "backslashreplace").decode("utf-8")),
    ((DateTime, Date, Time, Obis), str),
    (datetime, datetime.isoformat),
    (Quantity, lambda value: {"value": value.value, "unit": value.symbol}),
    (CompactArray, lambda value: {"description": value.description.hex().upper(), "contents": value.contents.hex()}),
    (DontCare, lambda value: "dont-care"),
)
"""How values become JSON, by type, the more special ones first."""


def _write_json(value: object, parts: list[str], line: str, indent: str) -> None:
    if isinstance(value, Mapping):
        items = cast("Mapping[str, object]", value).items()
        _write_items("{}", [(f"{json.dumps(str(name))}: ", each) for name, each in items], parts, line, indent)
    elif isinstance(value, list | tuple):
        _write_items("[]", [("", each) for each in cast("Sequence[object]", value)], parts, line, indent)
    elif isinstance(value, Decimal):
        parts.append(f"{value:f}" if value.is_finite() else "null")
    else:
        parts.append(json.dumps(value))


def _write_items(brackets: str, items: Sequence[tuple[str, object]], parts: list[str], line: str, indent: str) -> None:
    inner = f"{line}{indent}"
    parts.append(brackets[0])
    for number, (name, value) in enumerate(items):
        parts.append(("," if number else "") + inner + name)
        _write_json(value, parts, inner, indent)
    if items:
        parts.append(line)
    parts.append(brackets[1])


def own_version() -> str:
    """Return the version of this program."""
    try:
        return metadata.version("cosem")
    except metadata.PackageNotFoundError:
        return "from a source tree, not installed"
