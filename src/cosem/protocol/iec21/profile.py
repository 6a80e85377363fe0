"""Load profiles and logs as meters of IEC 62056-21 send them: headings, and rows that belong to them.

    P.01(1220823161500)(00)(15)(2)(1.5)(kW)(2.5)(kW)     first time, status, minutes, columns with units
    (0.18374)(0.00078)                                   the first row, then one each 15 minutes
    P.98(1220826235646)(00008020)()(1)(0.9.1)()(235703)  an entry of a log: one row, behind its own heading

A heading stands wherever the status or the time goes on otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from cosem.errors import DecodeError
from cosem.protocol.iec21.moment import Moment, readout_moment
from cosem.protocol.iec21.telegram import DataSet, Value
from cosem.protocol.values.obis import Obis

LAYER: Final = "load profile"


@dataclass(frozen=True, slots=True)
class Column:
    """What a column holds: its address as the meter writes it, and its unit."""

    address: str
    unit: str

    @property
    def obis(self) -> Obis | None:
        return DataSet(self.address, (), b"").obis


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the end of its period, the status that the meter told last, in hexadecimal, and a value for each column.

    `values` have the units of their columns. Of a row with an `error` nothing may be believed.
    """

    moment: Moment | None
    status: str
    columns: tuple[Column, ...]
    values: tuple[Value, ...]
    line: int
    error: DecodeError | None = None


@dataclass(frozen=True, slots=True)
class _Heading:
    moment: Moment
    status: str
    period: timedelta | None
    columns: tuple[Column, ...]
    rest: tuple[Value, ...]


def rows(sets: Iterable[DataSet]) -> Iterator[Row]:
    """Return the rows of profiles and logs among data sets; what is neither heading nor row is left out.

    Never raises: a row that cannot be read has an error, and after a heading that cannot be read all of its rows have.
    """
    heading: _Heading | None = None
    fault: DecodeError | None = None
    number = 0
    for each in sets:
        if each.address.startswith("P.") and (each.error is not None or len(each.values) >= _HEADING_VALUES):
            heading, fault, number = None, each.error, 0
            if fault is None:
                try:
                    heading = _heading(each)
                except DecodeError as error:
                    fault = error
            if heading is None:
                yield Row(None, "", (), each.values, each.line, fault)
            elif heading.rest or heading.period is None:
                yield _row(heading, heading.rest, 0, each)
                number = 1
        elif not each.address and heading is not None:
            yield _row(heading, each.values, number, each)
            number += 1
        elif not each.address and fault is not None:
            yield Row(None, "", (), each.values, each.line, each.error or fault)


def _heading(each: DataSet) -> _Heading:
    time, status, period, count = (value.text for value in each.values[:_HEADING_VALUES])
    moment = readout_moment(time)
    if moment is None:
        raise DecodeError(f"{time[:20]!r} is no time", each.offset, layer=LAYER)
    if not _is_number(count) or (period and not _is_number(period)):
        raise DecodeError("a heading is (time)(status)(minutes)(number of columns)", each.offset, layer=LAYER)
    described = each.values[_HEADING_VALUES : _HEADING_VALUES + 2 * int(count)]
    if len(described) < 2 * int(count):
        raise DecodeError(f"{count} columns need {2 * int(count)} values of description", each.offset, layer=LAYER)
    columns = tuple(Column(str(described[at].text), described[at + 1].text) for at in range(0, len(described), 2))
    minutes = timedelta(minutes=int(period)) if period else None
    return _Heading(moment, status, minutes, columns, each.values[_HEADING_VALUES + len(described) :])


def _row(heading: _Heading, values: tuple[Value, ...], number: int, each: DataSet) -> Row:
    error = each.error
    if error is None and len(values) != len(heading.columns):
        error = DecodeError(
            f"expected {len(heading.columns)} values, there are {len(values)}", each.offset, layer=LAYER
        )
    moment = heading.moment
    try:
        moment = replace(moment, local=moment.local + (heading.period or timedelta()) * number)
    except OverflowError:
        error = error or DecodeError("the time of the row is beyond all calendars", each.offset, layer=LAYER)
    if error is None:
        values = tuple(
            value if value.unit else Value(value.text, column.unit)
            for value, column in zip(values, heading.columns, strict=True)
        )
    return Row(moment, heading.status, heading.columns, values, each.line, error)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER


_HEADING_VALUES: Final = 4
_LONGEST_NUMBER: Final = 4
