"""`cosem standards`: the parts of IEC 62056, what they were called before, and where in this package they live."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated, Any, Final

import typer

from cosem.cli.failure import SOME_FAILED, Ended
from cosem.cli.options import Json
from cosem.cli.report import put, put_json, put_table, say
from cosem.protocol.model.declare import REGISTRY

OBJECT_MODEL: Final = "62056-6-2"
"""The part whose editions are told apart by the versions of classes."""

Name = Annotated[
    str | None,
    typer.Argument(
        metavar="[PART]", help="A part under any of its names, such as 62056-46 or -62.", show_default=False
    ),
]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the standard: its number and edition, the names it had or has, and the modules that follow it."""

    number: str
    subject: str
    edition: str = ""
    earlier: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()

    def answers_to(self, name: str) -> bool:
        """Tell whether a name, as people write it, is one of the part's."""
        wanted = _plain(name)
        return bool(wanted) and wanted in map(_plain, (self.number, *self.earlier, *self.also))


@dataclass(frozen=True, slots=True)
class Versions:
    """A class of the object model, and the versions of it that are declared."""

    class_id: int
    name: str
    versions: tuple[int, ...]


def standards(name: Name = None, json: Json = False) -> None:
    """List the parts of IEC 62056, their earlier numbers, and the modules that follow them.

    An old number is another name of the same room; of the object model, old editions are old versions of its classes.

    \b
    Examples:
      cosem standards
      cosem standards 62056-46
      cosem standards 'IEC 61107'
    """
    found = [part for part in parts() if name is None or part.answers_to(name)]
    several = several_versions() if any(part.number == OBJECT_MODEL for part in found) else ()
    if json:
        described: dict[str, Any] = {"parts": [_described(part) for part in found]}
        put_json(described | {"classes_with_several_versions": [_versions(each) for each in several]})
    elif found:
        put_table(("part", "edition", "subject", "earlier", "also", "modules"), [_row(part) for part in found])
        if name is not None and several:
            put("")
            put_table(
                ("class", "name", "versions"),
                [(str(each.class_id), each.name, " ".join(map(str, each.versions))) for each in several],
            )
    if not found:
        say(f"no part is called {name!r}: cosem standards lists all of them")
        raise Ended(SOME_FAILED)


@cache
def parts() -> tuple[Part, ...]:
    """Return the parts in the order of their table."""
    text = resources.files("cosem.cli").joinpath("standards.toml").read_text("utf-8")
    rows: list[dict[str, Any]] = tomllib.loads(text)["part"]
    return tuple(
        Part(
            number=row["number"],
            subject=row["subject"],
            edition=row.get("edition", ""),
            earlier=tuple(row.get("earlier", ())),
            also=tuple(row.get("also", ())),
            rooms=tuple(row.get("rooms", ())),
        )
        for row in rows
    )


def several_versions() -> tuple[Versions, ...]:
    """Return the classes that have more than one version here, by their numbers."""
    declared: dict[int, list[int]] = {}
    for class_id, version in sorted(REGISTRY):
        declared.setdefault(class_id, []).append(version)
    return tuple(
        Versions(class_id, REGISTRY[class_id, max(versions)].__name__, tuple(versions))
        for class_id, versions in declared.items()
        if len(versions) > 1
    )


_PUBLISHER: Final = re.compile(r"^(?:(?:iec|en|din|bs|is|ts|tr)[\s/]*)+(?=\d)")
_YEAR: Final = re.compile(r":\s*\d{4}.*$")
_SERIES: Final = "62056-"


def _plain(name: str) -> str:
    """A name in small letters, without publisher, year and series: `IEC 62056-53:2006` and `-53` are `53`."""
    small = _YEAR.sub("", _PUBLISHER.sub("", name.strip().lower()))
    return small.removeprefix(_SERIES).removeprefix("-")


def _joined(words: Iterable[str]) -> str:
    return ", ".join(words)


def _row(part: Part) -> tuple[str, ...]:
    return part.number, part.edition, part.subject, _joined(part.earlier), _joined(part.also), _joined(part.rooms)


def _described(part: Part) -> dict[str, Any]:
    return {
        "part": part.number,
        "edition": part.edition or None,
        "subject": part.subject,
        "earlier": list(part.earlier),
        "also": list(part.also),
        "modules": [f"cosem.{room}" for room in part.rooms],
    }


def _versions(each: Versions) -> dict[str, Any]:
    return {"class_id": each.class_id, "class": each.name, "versions": list(each.versions)}
