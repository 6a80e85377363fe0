"""`cosem browse`: what a meter is: its logical devices, who may do what, every object with its values."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cosem.cli.failure import NOT_CONNECTED, SESSION_LOST, SOME_FAILED, Ended, Phase, complain, exit_code
from cosem.cli.options import Connection, connected
from cosem.cli.profile import cell
from cosem.cli.progress import telling
from cosem.cli.report import escaped, flags_text, plain_error, plain_value, put, put_json, put_table, say, type_name
from cosem.cli.report import value_text as text_of
from cosem.cli.session import prepared, warnings_on_stderr
from cosem.client.browse import BrowsedDevice, BrowsedObject, View, Wanted, is_large
from cosem.client.record import snapshot_of
from cosem.errors import ConfigurationError, CosemError, DataAccessError
from cosem.protocol.model import catalogue
from cosem.protocol.model.declare import REGISTRY, UnknownClass
from cosem.protocol.model.rights import AttributeAccess, MethodAccess, ObjectListElement
from cosem.protocol.values.maker import maker_of
from cosem.protocol.values.obis import ObisPattern
from cosem.protocol.values.system_title import title_text
from cosem.store import snapshot as snapshots
from cosem.store.anonymous import anonymous, without_secrets
from cosem.store.object_lists import ObjectLists, default_object_lists

WIDEST: Final = 100
"""Characters of a value in the tree; --json and --csv show all of it."""

CSV_HEADINGS: Final = (
    *("device", "obis", "class_id", "class", "version", "name", "attribute", "attribute_name", "access", "type"),
    *("value", "unit", "error"),
)

Only = Annotated[
    str | None,
    typer.Option(metavar="PATTERN", help="Only objects that match, such as 1.*.1-2.8.0-4.255.", show_default=False),
]
Classes = Annotated[
    list[str] | None,
    typer.Option("--class", metavar="CLASS", help="Only objects of this class, by number or name.", show_default=False),
]
Devices = Annotated[
    list[int] | None,
    typer.Option("--device", metavar="SAP", help="Only this logical device; left out, all there are."),
]
SnapshotFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Write a snapshot, which cosem simulate serves as a meter of its own.", show_default=False
    ),
]


@connected
def browse(
    connection: Connection,
    only: Only = None,
    classes: Classes = None,
    devices: Devices = None,
    no_values: Annotated[
        bool, typer.Option("--no-values", help="Show objects and rights, and read no values.")
    ] = False,
    buffers: Annotated[
        bool, typer.Option("--buffers", help="Read the rows of profiles as well: that may be long.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Read object lists anew that are known already.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a line for each attribute as CSV.")] = False,
    snapshot: SnapshotFile = None,
    keep_identity: Annotated[
        bool,
        typer.Option("--keep-identity", help="Leave names and serial numbers in the snapshot; keys never are in it."),
    ] = False,
) -> None:
    """Browse a meter: its logical devices, what each client may do, and all objects with their values.

    The public client (16) looks first, then the client of the URL with its keys or password: what either may read and
    write stands beside every attribute as r and w. An attribute that is refused is shown with the reason. Object lists
    are kept for the next time, until the meter says that its configuration has changed.

    \b
    Examples:
      cosem browse tcp://192.0.2.7:4059
      cosem browse 'hdlc+serial:///dev/ttyUSB0?baud=9600' --only 1.*.1-2.8.*.255
      cosem browse 'tcp://192.0.2.7?client=1' --ek file:ek.hex --ak file:ak.hex --snapshot meter.json
    """
    _check(connection, as_csv=as_csv, whole=(only, classes, no_values), snapshot=snapshot, keep_identity=keep_identity)
    wanted = Wanted(
        devices=None if not devices else frozenset(devices),
        objects=_chosen(None if only is None else ObisPattern(only), _class_ids(classes or ())),
        values=not no_values,
        buffers=buffers,
        known=_known(),
        fresh=fresh,
    )
    client = prepared(connection, connection.address())
    with warnings_on_stderr(), telling(quiet=connection.verbose > 0) as progress:
        found = client.survey(wanted, progress)
    if connection.json:
        put_json({"url": connection.url, "devices": [plain(device) for device in found]})
    elif as_csv:
        _put_csv(found)
    else:
        for device in found:
            _put_tree(device, values=not no_values)
    if snapshot is not None:
        _keep(found, snapshot, keep_identity=keep_identity)
    end(connection, found)


def plain(device: BrowsedDevice) -> dict[str, Any]:
    """Return a device for JSON."""
    return {
        "sap": device.sap,
        "name": None if device.name is None else plain_value(device.name),
        "system_title": None if device.title is None else device.title.hex().upper(),
        "associations": [_plain_view(view) for view in device.views],
        "objects": [_plain_object(each) for each in device.objects],
    }


def _check(
    connection: Connection, *, as_csv: bool, whole: Sequence[object], snapshot: Path | None, keep_identity: bool
) -> None:
    if connection.json and as_csv:
        raise ConfigurationError("--json and --csv: write one of them")
    if keep_identity and snapshot is None:
        raise ConfigurationError("--keep-identity goes with --snapshot FILE")
    if snapshot is not None and any(whole):
        raise ConfigurationError("a snapshot is of all objects and values: leave --only, --class and --no-values out")


def _known() -> ObjectLists | None:
    """Return the object lists of this user, None where there is no place to keep any."""
    try:
        return default_object_lists()
    except ConfigurationError as error:
        say(f"warning: object lists are not kept: {error}")
        return None


def _class_ids(given: Iterable[str]) -> frozenset[int] | None:
    found: set[int] = set()
    for each in given:
        named = {kind.class_id for kind in REGISTRY.values() if kind.__name__.lower() == each.lower()}
        if not named and not each.isdecimal():
            raise ConfigurationError(
                f"--class {each!r} is no interface class: write a number or a name such as Register"
            )
        found |= named or {int(each)}
    return frozenset(found) or None


class _chosen:  # it stands for a function
    """Tells whether an object is wanted."""

    def __init__(self, pattern: ObisPattern | None, classes: frozenset[int] | None) -> None:
        self.pattern = pattern
        self.classes = classes

    def __call__(self, listed: ObjectListElement) -> bool:
        if self.classes is not None and listed.class_id not in self.classes:
            return False
        return self.pattern is None or self.pattern.matches(listed.logical_name)


# -- JSON -------------------------------------------------------------------------------------------------------------


def _plain_view(view: View) -> dict[str, Any]:
    described: dict[str, Any] = {
        "client": view.client,
        "level": view.level.value,
        "mechanism": view.entry.mechanism.name,
        "opened": view.opened,
        "objects": len(view.objects),
    }
    if view.negotiated is not None:
        described["protection"] = flags_text(view.negotiated.protection)
        described["services"] = [each.replace(" ", "-") for each in flags_text(view.negotiated.conformance).split(", ")]
    return described if view.error is None else described | {"error": plain_error(view.error)}


def _plain_object(found: BrowsedObject) -> dict[str, Any]:
    address = found.address
    selectors = {
        item.index: [int(each) for each in item.selectors or ()]
        for listed in found.listed.values()
        for item in listed.access_rights.attribute_access
    }
    return {
        "obis": str(address.instance),
        "class_id": address.class_id,
        "class": _class_name(found),
        "version": found.version,
        "name": catalogue.lookup(address.instance).name,
        "attributes": [
            {
                "index": index,
                "name": address.attribute(index).name,
                "access": {str(client): _names(access) for client, access in found.attribute_access(index).items()},
                "selectors": selectors.get(index, []),
                **_plain_cell(found, index),
            }
            for index in found.attributes
        ],
        "methods": [
            {
                "index": index,
                "name": address.method(index).name,
                "access": {str(client): _names(access) for client, access in found.method_access(index).items()},
            }
            for index in found.methods
        ],
    }


def _plain_cell(found: BrowsedObject, index: int) -> dict[str, Any]:
    if index not in found.values:
        return {}
    raw, value, quantity = found.values[index], found.value(index), found.quantity(index)
    if isinstance(raw, CosemError):
        return {"error": plain_error(raw)}
    described: dict[str, Any] = {"type": type_name(raw)}
    if isinstance(raw, bytes):
        described["octets"] = bytes(raw).hex().upper()
    if quantity is None:
        return described | {"value": plain_value(value)}
    return described | {"value": quantity.value, "unit": quantity.symbol, "raw": plain_value(value)}


# -- the tree and CSV -------------------------------------------------------------------------------------------------


def _put_tree(device: BrowsedDevice, *, values: bool) -> None:
    name = "without a name" if device.name is None else text_of(device.name)
    made = maker_of(device.name or b"")
    title = "" if device.title is None else f", system title {title_text(device.title)}"
    by = "" if made is None else f" ({made})"
    put(escaped(f"logical device {device.sap}: {name}{by}{title}"))
    for view in device.views:
        put(escaped(f"  client {view.client}, {_described(view)}"))
    rows = [row for each in device.objects for row in _rows(each, values=values)]
    headings = ("object", "class and attributes", "rights", *(("value",) if values else ()))
    if rows:
        put_table(headings, rows)
    say(f"logical device {device.sap}: {len(device.objects)} objects")


def _described(view: View) -> str:
    mechanism = view.entry.mechanism
    proof = "without authentication" if not mechanism.identifier else f"authentication {mechanism.name}"
    head = f"{view.level.value} ({proof})"
    if view.negotiated is None:
        return f"{head}: does not get in: {view.error}"
    protection = int(view.negotiated.protection)
    protected = f", {flags_text(view.negotiated.protection).replace(', ', ' and ')}" if protection else ""
    ended = "" if view.error is None else f"; then: {view.error}"
    return f"{head}{protected}: sees {len(view.objects)} objects{ended}"


def _rows(found: BrowsedObject, *, values: bool) -> Iterator[tuple[str, ...]]:
    address = found.address
    name = catalogue.lookup(address.instance).name
    head = (str(address.instance), f"{address.class_id} {_class_name(found)} v{found.version}: {name}", "")
    yield (*head, *(("",) if values else ()))
    for index in found.attributes:
        if index == address.logical_name.index:
            continue  # it is in the line above
        rights = _by_client({client: _letters(access) for client, access in found.attribute_access(index).items()})
        row = ("", f"  {index} {address.attribute(index).name}", rights)
        yield (*row, _shown(found, index)) if values else row
    runnable = {
        client: [index for index in found.methods if found.method_access(index).get(client, 0) & MethodAccess.ACCESS]
        for client in found.listed
    }
    for index in sorted({each for indices in runnable.values() for each in indices}):
        rights = _by_client({client: "x" if index in indices else "-" for client, indices in runnable.items()})
        row = ("", f"  method {index} {address.method(index).name}", rights)
        yield (*row, "") if values else row


def _by_client(letters: dict[int, str]) -> str:
    if len(letters) == 1:
        return next(iter(letters.values()))
    return " ".join(f"{client}:{each}" for client, each in letters.items())


def _shown(found: BrowsedObject, index: int) -> str:
    if index not in found.values:
        return "not read (--buffers)" if is_large(found.address.attribute(index)) else ""
    value, quantity = found.value(index), found.quantity(index)
    if isinstance(value, CosemError):
        return f"refused: {_reason(value)}"
    text = text_of(value) if quantity is None else f"{quantity.value:f} {quantity.symbol}".rstrip()
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"


def _reason(error: CosemError) -> str:
    return error.name if isinstance(error, DataAccessError) else str(error)


def _put_csv(devices: Iterable[BrowsedDevice]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(CSV_HEADINGS)
    for device in devices:
        for found in device.objects:
            for index in found.attributes:
                writer.writerow([cell(each) for each in _csv_row(device, found, index)])


def _csv_row(device: BrowsedDevice, found: BrowsedObject, index: int) -> Iterator[Any]:
    address = found.address
    yield str(device.sap)
    yield from (str(address.instance), str(address.class_id), _class_name(found), str(found.version))
    yield from (catalogue.lookup(address.instance).name, str(index), address.attribute(index).name)
    yield " ".join(f"{client}:{'+'.join(_names(access))}" for client, access in found.attribute_access(index).items())
    raw = found.values.get(index)
    if index not in found.values:
        yield from ("", "", "", "")
    elif isinstance(raw, CosemError):
        yield from ("", "", "", _reason(raw))
    else:
        quantity = found.quantity(index)
        yield type_name(raw) or ""
        yield found.value(index) if quantity is None else quantity.value
        yield from ("" if quantity is None else quantity.symbol, "")


def _class_name(found: BrowsedObject) -> str:
    return "unknown class" if isinstance(found.address, UnknownClass) else type(found.address).__name__


def _letters(access: AttributeAccess) -> str:
    return ("r" if access & AttributeAccess.READ else "") + ("w" if access & AttributeAccess.WRITE else "") or "-"


def _names(access: AttributeAccess | MethodAccess) -> list[str]:
    single = [flag for flag in type(access) if int(flag) & int(access) and int(flag).bit_count() == 1]
    return [flag.name.lower().replace("_", "-") for flag in single if flag.name]


# -- the snapshot, and the end ----------------------------------------------------------------------------------------


def _keep(devices: Iterable[BrowsedDevice], path: Path, *, keep_identity: bool) -> None:
    taken = snapshot_of(devices, datetime.now(UTC))
    if not any(device.associations for device in taken.devices):
        return
    kept = without_secrets(taken) if keep_identity else anonymous(taken)
    snapshots.write(path, kept)
    cells = [cell for device in kept.devices for each in device.objects for cell in each.attributes.values()]
    changed = sum(cell.replaced is not None for cell in cells)
    identity = "it says whose meter it is" if keep_identity else "what tells whose meter it is was replaced"
    say(f"snapshot in {path}: {len(cells)} values, {changed} of them not the meter's own; {identity}")
    say(f"serve it: cosem simulate {path}")


def end(connection: Connection, devices: Sequence[BrowsedDevice]) -> None:
    """Explain what failed, and end with its exit code where something did."""
    """Say what failed, and end with its exit code."""
    own = [device.views[-1] for device in devices]
    codes: list[int] = []
    for view in own:
        if view.error is not None:
            phase = Phase.CONNECTED if view.opened else Phase.CONNECTING
            complain(view.error, phase, connection.address())
            codes.append(exit_code(view.error, phase))
    if not codes:
        return
    if len(codes) == len(own) and set(codes) == {NOT_CONNECTED}:
        raise Ended(NOT_CONNECTED)
    raise Ended(SESSION_LOST if SESSION_LOST in codes else SOME_FAILED)
