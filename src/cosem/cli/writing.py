"""What `set` and `act` share: the dry run, which shows the octets and sends nothing, and the leave to write."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cosem.cli.failure import BAD_USAGE, Ended
from cosem.cli.report import escaped, plain_value, put, put_json, say, type_name, value_text
from cosem.cli.typed import AXDR
from cosem.protocol.model import catalogue
from cosem.protocol.model.reference import AttributeRef, MethodRef
from cosem.protocol.values.data import Data

Write = Annotated[bool, typer.Option("--write", help="Really do it. Without, only what would be sent is shown.")]
TypeName = Annotated[
    str | None,
    typer.Option(
        "--type",
        metavar="TYPE",
        help="Data type of the value where the class leaves it open: long-unsigned, octet-string, visible-string, "
        f"date-time …; {AXDR} for encoded octets.",
        show_default=False,
    ),
]
PRIORITY_AND_INVOKE_ID = 0xC1
"""High priority, confirmed, invoke-id 1: what the first request of a session carries."""


def show(
    reference: AttributeRef[Any] | MethodRef[Any, Any], value: Data, request: bytes, *, as_json: bool, sent: bool
) -> dict[str, Any]:
    """Print what is going to be sent, or would be; return it for JSON."""
    described: dict[str, Any] = {
        "reference": str(reference),
        "member": reference.name,
        "name": catalogue.lookup(reference.instance).name,
        "type": type_name(value),
        "value": plain_value(value),
        "request": request.hex().upper(),
        "sent": sent,
    }
    if not as_json:
        put(escaped(f"object:  {reference} {reference.name}, {described['name']}"))
        put(escaped(f"value:   {type_name(value)} {value_text(value)}"))
        put(f"request: {request.hex(' ').upper()}")
    return described


def refuse(described: dict[str, Any], *, as_json: bool) -> None:
    """End a dry run: what was asked for was not done."""
    if as_json:
        put_json(described)
    say("nothing was sent; add --write to do it")
    raise Ended(BAD_USAGE)
