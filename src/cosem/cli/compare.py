"""`cosem compare`: in what a meter differs from a companion specification, or from another meter."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Final

import typer

from cosem.cli.companions import Naming, chosen, naming
from cosem.cli.failure import SOME_FAILED, Ended
from cosem.cli.options import Connection, connected
from cosem.cli.progress import working
from cosem.cli.report import plain_value, put_json, put_table, say, value_text
from cosem.cli.session import session
from cosem.client.compare import Aspect, Difference, Shown, compare_meters, compare_with
from cosem.errors import CosemError
from cosem.protocol.model.companion import Companion
from cosem.protocol.model.rights import AttributeAccess, MethodAccess
from cosem.protocol.values.units import Unit

A_URL: Final = "://"

With = Annotated[
    str,
    typer.Option(
        "--companion",
        metavar="NAME|URL|FILE",
        help="What to compare with: a companion specification by name or as a TOML file, or the URL of another meter, "
        "which is entered with the same options.",
        show_default=False,
    ),
]


@connected
def compare(connection: Connection, companion: With) -> None:
    """Report object by object in what a meter differs from a companion specification, or a second meter from this one.

    Compared are the objects with classes, versions and rights, and the static attributes. What is measured, or
    measures, and may be written or reset by a client is always reported. Exit code 1 when there is anything to report.

    \b
    Examples:
      cosem compare tcp://192.0.2.7:4059 --companion smr-5.5
      cosem compare tcp://192.0.2.7:4059 --companion tcp://192.0.2.8:4059 --json
      cosem compare tcp://192.0.2.7:4059 --companion my-profile.toml
    """
    if A_URL in companion:
        first = _shown(connection, None)
        found, named = compare_meters(first, _shown(replace(connection, url=companion), None)), naming(None)
    else:
        known = chosen(companion)
        first = _shown(connection, known)
        found, named = compare_with(first, known), naming(known)
        if known.associations and known.association(first.client) is None:
            say(f"note: {known.name} says nothing of client {first.client}, so its rights are not compared")
    _put(connection, companion, found, named)
    say(f"{len(first.objects)} objects compared, {len(found)} differences")
    if found:
        raise Ended(SOME_FAILED)


def _shown(connection: Connection, known: Companion | None) -> Shown:
    with session(connection) as client, working("reading objects and values", quiet=connection.verbose > 0):
        return client.shown(known)


def _put(connection: Connection, companion: str, found: list[Difference], named: Naming) -> None:
    if connection.json:
        differences = [_plain(each, named) for each in found]
        put_json({"url": connection.url, "companion": companion, "differences": differences})
    elif found:
        put_table(
            ("OBIS", "class", "name", "differs in", "of", "expected", "found"),
            [
                (
                    str(each.obis),
                    str(each.class_id),
                    named(each.obis),
                    _aspect(each),
                    each.member or "",
                    _text(each.expected),
                    _text(each.found),
                )
                for each in found
            ],
        )


def _aspect(each: Difference) -> str:
    client = "" if each.client is None else f", client {each.client}"
    meter = f", meter {each.meter}" if each.meter > 1 else ""
    return f"{each.aspect}{client}{meter}"


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, AttributeAccess | MethodAccess):
        return ", ".join(_rights(value)) or "none"
    if isinstance(value, Unit):
        return value.symbol or value.measures
    return str(value) if isinstance(value, CosemError) else value_text(value)


def _rights(value: AttributeAccess | MethodAccess) -> list[str]:
    single = [flag for flag in type(value) if int(flag) & int(value) and int(flag).bit_count() == 1]
    return [flag.name.lower().replace("_", " ") for flag in single if flag.name]


def _plain(each: Difference, named: Naming) -> dict[str, Any]:
    return {
        "obis": str(each.obis),
        "class_id": each.class_id,
        "name": named(each.obis),
        "differs": each.aspect.value,
        "member": each.member,
        "expected": _json(each.expected),
        "found": _json(each.found),
        "client": each.client,
        "meter": each.meter if each.aspect is Aspect.METROLOGY else None,
    }


def _json(value: Any) -> Any:
    spoken = isinstance(value, AttributeAccess | MethodAccess | Unit | CosemError)
    return _text(value) if spoken else plain_value(value)
