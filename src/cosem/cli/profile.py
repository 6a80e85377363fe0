"""`cosem profile`: the rows of a load profile or event log, as a table, CSV or JSON."""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from cosem.cli.companions import Named, Naming, chosen, naming
from cosem.cli.options import Connection, connected
from cosem.cli.progress import working
from cosem.cli.report import escaped, flags_text, plain_value, put_json, put_table, say, value_text
from cosem.cli.session import session
from cosem.client.profile import no_bits
from cosem.errors import ConfigurationError
from cosem.protocol.model.classes.data_storage import ProfileGeneric
from cosem.protocol.model.reference import parse_reference
from cosem.protocol.values.dates import DateTime
from cosem.readings.column import ProfileColumn
from cosem.readings.fill import moment_of
from cosem.readings.profile import ProfileRows
from cosem.store.profile_ways import default_profile_ways

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
"""With these a text in a cell would be run as a formula by a spreadsheet."""

MOMENT: Final = "2024-02-29, 2024-02-29T13:45 (the meter's local time) or 2024-02-29T13:45+01:00"


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: when it was captured as far as that is known, what is to be noted about it, and its values."""

    time: datetime | str | None
    notes: tuple[str, ...]
    values: tuple[Any, ...]

    @property
    def local(self) -> str:
        """The time on the meter's clock, with its offset from UTC where the meter gives one."""
        return self.time.isoformat(sep=" ") if isinstance(self.time, datetime) else self.time or ""

    @property
    def utc(self) -> str:
        """The time in UTC, empty where the meter gives no offset."""
        if not isinstance(self.time, datetime) or self.time.tzinfo is None:
            return ""
        return self.time.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ") + "Z"


@connected
def profile(
    connection: Connection,
    obis: Annotated[str, typer.Argument(metavar="OBIS", help="The profile, such as 1.0.99.1.0.255 or P.01.")],
    since: Annotated[str | None, typer.Option(metavar="TIME", help=f"First row: {MOMENT}.", show_default=False)] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Last row, in the same forms.", show_default=False)
    ] = None,
    format: Annotated[Format, typer.Option(help="How to print the rows.")] = Format.TABLE,
    companion: Named = None,
) -> None:
    """Read the rows of a profile, with columns, scalers and units as the meter describes them.

    null-data is filled in: times are counted on by the capture period, values repeat those of the row before.

    \b
    Examples:
      cosem profile tcp://192.0.2.7:4059 1.0.99.1.0.255 --since 2026-11-20
      cosem profile tcp://192.0.2.7:4059 P.01 --since 2026-11-20T00:00+01:00 --format csv
      cosem profile tcp://192.0.2.7:4059 1.0.99.1.0.255 --companion dsmr-4.2.2
    """
    wanted = parse_reference(obis)
    if wanted.class_id not in (None, ProfileGeneric.class_id) or wanted.member is not None:
        raise ConfigurationError(f"{obis!r}: a profile has class 7 and no attribute is named: 1.0.99.1.0.255")
    first, last = period(since, until)
    known = None if companion is None else chosen(companion)
    bits = no_bits if known is None else known.bits
    with session(connection) as client, working("reading the profile", quiet=connection.verbose > 0):
        client.ways = default_profile_ways(connection.url)
        found = client.profile(ProfileGeneric(wanted.instance), since=first, until=last, bits=bits)
    rows = filled(found)
    _SHOW[Format.JSON if connection.json else format](connection, found, rows, naming(known))
    say("1 row" if len(rows) == 1 else f"{len(rows)} rows")


def period(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """Return what --since and --until say. Raises ConfigurationError."""
    first, last = _moment("--since", since), _moment("--until", until)
    if first and last and (first.tzinfo is None) == (last.tzinfo is None) and first > last:
        raise ConfigurationError(f"--since {since} comes after --until {until}")
    return first, last


def filled(found: ProfileRows) -> list[Row]:
    """Return the rows with their times, and with the values that null-data stands for."""
    measured = [(number, column) for number, column in enumerate(found.columns) if not column.is_time]
    rows: list[Row] = []
    for row in found.filled():
        moment = moment_of(row.moment)
        notes = [] if moment is None else _clock_notes(moment)
        if row.computed:
            notes.append("time computed")
        if row.repeated:
            notes.append("values repeated")
        # A time that leaves fields open is shown as the meter wrote it, and nothing is counted on from it.
        shown = str(moment) if row.time is None and moment is not None else row.time
        rows.append(Row(shown, tuple(notes), tuple(_said(column, row.values[number]) for number, column in measured)))
    return rows


def cell(value: Any) -> str:
    """Return a value as a cell of CSV that no spreadsheet takes for a formula and no terminal obeys."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    text = value_text(value)
    guarded = text.startswith(FORMULA_STARTS) and not isinstance(value, int | float)
    return escaped(f"'{text}" if guarded else text)


def _clock_notes(moment: DateTime) -> list[str]:
    status = moment.status
    return flags_text(status).split(", ") if status else []


def _said(column: ProfileColumn, value: Any) -> Any:
    """Return a value as it is meant: with its scaler applied, or as the names of the bits of a status."""
    return ", ".join(column.status(value)) if column.bits and value is not None else column.scaled(value)


def _label(column: ProfileColumn) -> str:
    captured = column.captured
    attribute = "" if captured.attribute_index == 2 else f":{captured.attribute_index}"
    element = f"[{captured.data_index}]" if captured.data_index else ""
    return f"{captured.logical_name}{attribute}{element}"


def _unit(column: ProfileColumn) -> str:
    return "" if column.scaler_unit is None else column.scaler_unit.unit.symbol


def _measured(found: ProfileRows) -> list[ProfileColumn]:
    return [column for column in found.columns if not column.is_time]


def _table(_: Connection, found: ProfileRows, rows: list[Row], named: Naming) -> None:
    columns = _measured(found)
    names = [named(each.captured.logical_name) for each in columns]
    headings = [f"{_label(each)}\n{name}\n{_unit(each)}" for each, name in zip(columns, names, strict=True)]
    put_table(
        ("time", "status", *headings),
        [(row.local, ", ".join(row.notes), *(_shown(value) for value in row.values)) for row in rows],
        right=headings,
    )


def _csv(_: Connection, found: ProfileRows, rows: list[Row], __: Naming) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    units = [(_label(each), _unit(each)) for each in _measured(found)]
    writer.writerow(("time", "utc", "status", *(f"{label} ({unit})" if unit else label for label, unit in units)))
    for row in rows:
        writer.writerow((row.local, row.utc, "; ".join(row.notes), *("" if v is None else cell(v) for v in row.values)))


def _json(connection: Connection, found: ProfileRows, rows: list[Row], named: Naming) -> None:
    put_json(
        {
            "url": connection.url,
            "profile": str(found.profile.instance),
            "capture_period": found.capture_period,
            "columns": [
                {
                    "reference": str(each.captured),
                    "obis": str(each.captured.logical_name),
                    "name": named(each.captured.logical_name),
                    "unit": _unit(each) or None,
                    "scaler": None if each.scaler_unit is None else each.scaler_unit.scaler,
                }
                for each in _measured(found)
            ],
            "rows": [
                {
                    "time": row.local.replace(" ", "T", 1) if isinstance(row.time, datetime) else row.time,
                    "utc": row.utc.replace(" ", "T") or None,
                    "status": list(row.notes),
                    "values": [plain_value(value) for value in row.values],
                }
                for row in rows
            ],
        }
    )


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:f}" if isinstance(value, Decimal) else value_text(value)


def _moment(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        raise ConfigurationError(f"{option} {text!r} is no time: write {MOMENT}") from None


_SHOW: Final = {Format.TABLE: _table, Format.CSV: _csv, Format.JSON: _json}
