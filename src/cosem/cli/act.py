"""`cosem act`: run one method, or show what would be sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer

from cosem.cli import typed, writing
from cosem.cli.options import Connection, connected
from cosem.cli.report import escaped, plain_value, put, put_json, say, value_text
from cosem.cli.session import session
from cosem.cli.writing import TypeName, Write
from cosem.client.resolve import ObjectDirectory, listed_otherwise
from cosem.errors import ActionError, ConfigurationError
from cosem.protocol.apdu.action import ActionRequestNormal
from cosem.protocol.model import catalogue
from cosem.protocol.model.reference import MethodRef, Reference, parse_reference
from cosem.protocol.model.shape import ANY, NULL, shape_of
from cosem.protocol.values.data import Integer


@connected
def act(
    connection: Connection,
    reference: Annotated[
        str, typer.Argument(metavar="REF", help="The method: OBIS:reset, OBIS:1, class/OBIS/1 or class/OBIS/reset.")
    ],
    argument: Annotated[
        str | None,
        typer.Argument(metavar="[VALUE]", help="Its argument; left out, 0 where the method takes integer."),
    ] = None,
    type_name: TypeName = None,
    write: Write = False,
) -> None:
    """Run a method. Without --write, show the typed argument and the octets of the request, and send nothing.

    \b
    Examples:
      cosem act tcp://192.0.2.7:4059 1.0.1.8.0.255:reset
      cosem act tcp://192.0.2.7:4059 70/0.0.96.3.10.255/1 0 --write
    """
    asked = parse_reference(reference)
    method, given = _typed(asked, catalogue.resolve_method(asked), argument, type_name)
    described = _show(connection, method, given, sent=write)
    if not write:
        writing.refuse(described, as_json=connection.json)
    with session(connection) as client:
        try:
            returned = client.act(method, given)
        except ActionError as refusal:
            listed = client.bind(listed_otherwise)(asked, method.class_id, refusal, ObjectDirectory())
            if listed is None:
                raise
            say(f"the meter has {asked.instance} under class {listed.class_id}: once more")
            found = catalogue.resolve_method(asked, listed.class_id, listed.version)
            method, given = _typed(asked, found, argument, type_name)
            described = _show(connection, method, given, sent=True)
            returned = client.act(method, given)
    if connection.json:
        put_json(described | {"returned": plain_value(returned)})
    elif returned is None:
        put("done")
    else:
        put(escaped(f"returned: {value_text(returned)}"))


def _typed(
    asked: Reference, method: MethodRef[Any, Any], argument: str | None, type_name: str | None
) -> tuple[MethodRef[Any, Any], Any]:
    if type_name is not None:
        return replace(method, argument=ANY), typed.data_of(type_name, argument or "")
    if argument is not None:
        return method, typed.value_of(method.argument, argument)
    if method.argument is NULL:
        return method, None
    if method.argument is shape_of(Integer):
        return method, Integer(0)
    raise ConfigurationError(f"{asked} takes {method.argument.name}: write its value")


def _show(connection: Connection, method: MethodRef[Any, Any], argument: Any, *, sent: bool) -> dict[str, Any]:
    data = method.encode(argument)
    request = ActionRequestNormal(writing.PRIORITY_AND_INVOKE_ID, method.descriptor, data)
    return writing.show(method, data, request.encode(), as_json=connection.json, sent=sent)
