"""`cosem read`: attributes of a meter, registers with their unit."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cosem.cli.failure import SESSION_LOST, SOME_FAILED, Ended, complain, exit_code
from cosem.cli.local import read_local
from cosem.cli.options import Connection, connected
from cosem.cli.report import plain_error, plain_value, put_json, put_table, say, type_name, value_text
from cosem.cli.session import session
from cosem.cli.zone import named_zone
from cosem.client.explain import explain
from cosem.client.resolve import Answer, ObjectDirectory, check, read_references
from cosem.errors import ConfigurationError, CosemError, DataAccessError, ShapeError
from cosem.protocol.association.meanings import Meaning
from cosem.protocol.model import catalogue
from cosem.protocol.model.reference import BufferRef, parse_reference
from cosem.protocol.profile.address import ConnectionUrl

References = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[REF]",
        help="What to read: an OBIS code in any form, OBIS:attribute or class/OBIS/attribute, "
        "such as 1.0.1.8.0.255, 1-0:1.8.0*255, 0.0.1.0.0.255:time, 3/1.0.1.8.0.255/3. "
        "Left out at a local port (iec21+…): all that the meter sends.",
        show_default=False,
    ),
]


Programming = Annotated[
    str | None,
    typer.Option(
        metavar="R1|R5|…",
        help="At a local port: read each REF by this command in programming mode, with --password where one is needed.",
        show_default=False,
    ),
]
Option = Annotated[
    str | None,
    typer.Option(metavar="0|6|7|8|9", help="At a local port: which readout; 6 to 9 are of the manufacturer."),
]
Zone = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="At a local port: zone of the meter, whose times tell none, as Europe/Vilnius.",
        show_default="this machine's",
    ),
]


@connected
def read(
    connection: Connection,
    references: References = None,
    programming: Programming = None,
    option: Option = None,
    zone: Zone = None,
) -> None:
    """Read attributes. A register is shown as value × 10^scaler with its unit.

    The class is that of the reference, else that of the catalogue; where the meter has the object under another class,
    its object list is read once and the question put again.

    \b
    Examples:
      cosem read tcp://192.0.2.7:4059 1.0.1.8.0.255 0.0.1.0.0.255
      cosem read 'hdlc+tcp://192.0.2.7:4059?physical=17' 1.8.0 3/1.0.1.7.0.255/2
      cosem read 'tcp://192.0.2.7?client=1' 1.8.0 --ek file:ek.hex --ak file:ak.hex
      cosem read iec21+serial:///dev/ttyUSB0
      cosem read iec21+serial:///dev/ttyUSB0 1.8.0 1.8.1 --programming R5 --password file:pw
    """
    url = connection.address()
    if url.framing == "iec21":
        read_local(connection, url, references or (), programming, option, named_zone(zone))
        return
    if programming is not None or option is not None or zone is not None:
        raise ConfigurationError(
            "--programming, --option and --zone are for the local port of a meter: iec21+serial://…"
        )
    if not references:
        raise ConfigurationError("say what to read, such as 1.8.0; cosem browse URL shows what there is")
    wanted = [parse_reference(text) for text in references]
    check(wanted)
    with session(connection) as client:
        answers = client.bind(read_references)(wanted, ObjectDirectory())
    show(answers, as_json=connection.json, place=connection.address())
    failed = [answer.error for answer in answers if answer.error is not None]
    if failed:
        raise Ended(SESSION_LOST if SESSION_LOST in map(exit_code, failed) else SOME_FAILED)


def show(answers: list[Answer], *, as_json: bool, place: ConnectionUrl) -> None:
    """Print what was read on stdout, and on stderr what was not."""
    if as_json:
        put_json({"url": str(place), "readings": [plain(answer) for answer in answers]})
    else:
        good = [answer for answer in answers if answer.error is None]
        if good:
            put_table(
                ("OBIS", "attribute", "name", "value", "unit"), [_row(answer) for answer in good], right=("value",)
            )
    for answer in answers:
        if answer.error is None and isinstance(answer.attribute, BufferRef):
            say(f"hint: cosem profile {place} {answer.attribute.instance} shows these rows with their columns")
    told: list[CosemError] = []
    explained: list[Meaning] = []
    for answer in answers:
        error = answer.error
        if error is None or error in told:
            continue
        if exit_code(error) != SESSION_LOST:
            say(f"error: {answer.asked}: {_reason(answer)}")
            known = explain(error)
            if known is not None and known not in explained:
                explained.append(known)
                say(f"  {known.sentence}; likely: {', or '.join(known.causes)}")
                say(f"  try: {known.remedy}")
        else:  # the end of the session is the fate of all that was still to be read, and told once
            told.append(error)
            complain(error, url=place)


def plain(answer: Answer) -> dict[str, Any]:
    """Return one answer for JSON."""
    attribute = answer.attribute
    described: dict[str, Any] = {
        "asked": str(answer.asked),
        "reference": str(attribute),
        "class_id": attribute.class_id,
        "obis": str(attribute.instance),
        "attribute": attribute.index,
        "attribute_name": attribute.name,
        "name": catalogue.lookup(attribute.instance).name,
    }
    if answer.error is not None:
        return described | {"error": plain_error(answer.error)}
    quantity, kind = answer.quantity, type_name(answer.value)
    if kind is not None:
        described["type"] = kind
    if isinstance(answer.value, bytes):
        described["octets"] = bytes(answer.value).hex().upper()
    if quantity is None or answer.scaler_unit is None:
        return described | {"value": plain_value(answer.value)}
    return described | {
        "value": quantity.value,
        "unit": quantity.symbol,
        "raw": plain_value(answer.value),
        "scaler": answer.scaler_unit.scaler,
    }


def _row(answer: Answer) -> tuple[str, ...]:
    attribute, quantity = answer.attribute, answer.quantity
    return (
        str(attribute.instance),
        f"{attribute.class_id}/{attribute.index} {attribute.name}",
        catalogue.lookup(attribute.instance).name,
        value_text(answer.value) if quantity is None else f"{quantity.value:f}",
        "" if quantity is None else quantity.symbol,
    )


def _reason(answer: Answer) -> str:
    error = answer.error
    if isinstance(error, ShapeError):
        return f"{error}; try another class: class/{answer.attribute.instance}/attribute"
    if isinstance(error, DataAccessError):
        return f"the meter refused {answer.attribute} ({error.name})"
    return str(error)
