"""`cosem browse`: all objects that an association shows, and what may be done with them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cosem.cli.options import Connection, connected
from cosem.cli.progress import working
from cosem.cli.report import put_json, put_table, say
from cosem.cli.session import session
from cosem.protocol.model import catalogue
from cosem.protocol.model.declare import InterfaceClass, UnknownClass, object_for
from cosem.protocol.model.rights import AttributeAccess, MethodAccess, ObjectListElement
from cosem.protocol.values.obis import ObisPattern

Only = Annotated[
    str | None,
    typer.Option(metavar="PATTERN", help="Only objects that match, such as 1.*.1-2.8.0-4.255.", show_default=False),
]


@connected
def browse(connection: Connection, only: Only = None) -> None:
    """List the objects of a meter with their names, classes and access rights.

    Rights: r may be read, w may be written; methods are those that may be run.

    \b
    Examples:
      cosem browse tcp://192.0.2.7:4059
      cosem browse 'hdlc+serial:///dev/ttyUSB0?baud=9600' --only 1.*.1-2.8.*.255
    """
    pattern = None if only is None else ObisPattern(only)
    with session(connection) as client, working("reading the object list", quiet=connection.verbose > 0):
        listed = client.browse()
    found = [each for each in listed if pattern is None or pattern.matches(each.logical_name)]
    if connection.json:
        put_json({"url": connection.url, "objects": [_plain(each) for each in found]})
        return
    put_table(("OBIS", "class", "version", "name", "attributes", "methods"), [_row(each) for each in found])
    say(f"{len(found)} of {len(listed)} objects" if pattern is not None else f"{len(listed)} objects")


def _row(listed: ObjectListElement) -> tuple[str, ...]:
    address = object_for(listed.class_id, listed.version, listed.logical_name)
    attributes = [
        f"{item.index}{_letters(item.access)}" for item in listed.access_rights.attribute_access if item.access
    ]
    methods = [str(item.index) for item in listed.access_rights.method_access if item.access & MethodAccess.ACCESS]
    return (
        str(listed.logical_name),
        f"{listed.class_id} {_class_name(address)}",
        str(listed.version),
        catalogue.lookup(listed.logical_name).name,
        " ".join(attributes),
        " ".join(methods),
    )


def _plain(listed: ObjectListElement) -> dict[str, Any]:
    address = object_for(listed.class_id, listed.version, listed.logical_name)
    rights = listed.access_rights
    return {
        "obis": str(listed.logical_name),
        "class_id": listed.class_id,
        "class": _class_name(address),
        "version": listed.version,
        "name": catalogue.lookup(listed.logical_name).name,
        "attributes": [
            {
                "index": item.index,
                "name": address.attribute(item.index).name,
                "access": _names(item.access),
                "selectors": list(item.selectors or ()),
            }
            for item in rights.attribute_access
        ],
        "methods": [
            {"index": item.index, "name": address.method(item.index).name, "access": _names(item.access)}
            for item in rights.method_access
        ],
    }


def _class_name(address: InterfaceClass) -> str:
    return "unknown class" if isinstance(address, UnknownClass) else type(address).__name__


def _letters(access: AttributeAccess) -> str:
    return ("r" if access & AttributeAccess.READ else "") + ("w" if access & AttributeAccess.WRITE else "")


def _names(access: AttributeAccess | MethodAccess) -> list[str]:
    single = [flag for flag in type(access) if int(flag) & int(access) and int(flag).bit_count() == 1]
    return [flag.name.lower().replace("_", "-") for flag in single if flag.name]
