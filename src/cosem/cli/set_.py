"""`cosem set`: write one attribute, or show what would be written."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer

from cosem.cli import typed, writing
from cosem.cli.options import Connection, connected
from cosem.cli.report import escaped, plain_error, plain_value, put, put_json, say, value_text
from cosem.cli.session import session
from cosem.cli.writing import TypeName, Write
from cosem.client.client import Client
from cosem.client.resolve import ObjectDirectory, listed_otherwise
from cosem.errors import DataAccessError, ShapeError
from cosem.protocol.apdu.set import SetRequestNormal
from cosem.protocol.model import catalogue
from cosem.protocol.model.reference import AttributeRef, Reference, parse_reference
from cosem.protocol.model.shape import ANY


@connected
def set_(
    connection: Connection,
    reference: Annotated[
        str, typer.Argument(metavar="REF", help="What to write: OBIS:attribute or class/OBIS/attribute.")
    ],
    value: Annotated[
        str,
        typer.Argument(
            metavar="VALUE",
            help="The raw value; octets in hex or as text:…, times as 2024-02-29 13:45:00 +01:00, structures as JSON.",
        ),
    ],
    type_name: TypeName = None,
    write: Write = False,
) -> None:
    """Write one attribute. Without --write, show the typed value and the octets of the request, and send nothing.

    The value has the type that the class declares; where the class takes any, --type names it. A register takes its
    raw value, without scaler and unit. What was written is read back.

    \b
    Examples:
      cosem set tcp://192.0.2.7:4059 0.0.1.0.0.255:time '2026-11-21 09:00:00 +01:00'
      cosem set tcp://192.0.2.7:4059 0.0.96.3.10.255:4 1 --type enum --write
    """
    asked = parse_reference(reference)
    attribute, given = _typed(asked, catalogue.resolve(asked), value, type_name)
    described = _show(connection, attribute, given, sent=write)
    if not write:
        writing.refuse(described, as_json=connection.json)
    with session(connection) as client:
        try:
            client.set(attribute, given)
        except DataAccessError as refusal:
            listed = client.bind(listed_otherwise)(asked, attribute.class_id, refusal, ObjectDirectory())
            if listed is None:
                raise
            say(f"the meter has {asked.instance} under class {listed.class_id}: once more")
            found = catalogue.resolve(asked, listed.class_id, listed.version)
            attribute, given = _typed(asked, found, value, type_name)
            described = _show(connection, attribute, given, sent=True)
            client.set(attribute, given)
        _read_back(client, attribute, described)
    if connection.json:
        put_json(described)
    elif "read_back" in described:
        put(escaped(f"now:     {described['read_back_text']}"))


def _typed(
    asked: Reference, attribute: AttributeRef[Any], value: str, type_name: str | None
) -> tuple[AttributeRef[Any], Any]:
    if type_name is not None:
        return replace(attribute, shape=ANY), typed.data_of(type_name, value)
    return attribute, typed.value_of(attribute.shape, value)


def _show(connection: Connection, attribute: AttributeRef[Any], value: Any, *, sent: bool) -> dict[str, Any]:
    data = attribute.encode(value)
    request = SetRequestNormal(writing.PRIORITY_AND_INVOKE_ID, attribute.descriptor, None, data)
    return writing.show(attribute, data, request.encode(), as_json=connection.json, sent=sent)


def _read_back(client: Client, attribute: AttributeRef[Any], described: dict[str, Any]) -> None:
    """Tell what the attribute holds now, as far as the meter lets it be read."""
    try:
        now = client.get(attribute)
    except (DataAccessError, ShapeError) as error:
        described["read_back_error"] = plain_error(error)
        say(f"it was written, but cannot be read back: {error}")
        return
    described["read_back"] = plain_value(now)
    described["read_back_text"] = value_text(now)
