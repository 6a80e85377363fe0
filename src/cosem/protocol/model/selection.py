"""Selective access: which part of a profile buffer is meant, by range, by entry and by column."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, Generic, cast

from cosem.protocol.apdu.get import SelectiveAccess
from cosem.protocol.model.shape import Integer8, Shape, T, Unsigned16, Unsigned32, shape_of, structure
from cosem.protocol.values.data import Data, OctetString
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis


class Selection:
    """Anything that narrows the access to an attribute; `SELECTOR` is its access-selector."""

    __slots__ = ()
    SELECTOR: ClassVar[int]

    @property
    def access_selection(self) -> SelectiveAccess:
        """The selection as IEC 62056-5-3 carries it."""
        return SelectiveAccess(self.SELECTOR, self.parameters)

    @property
    def parameters(self) -> Data:
        """The access-parameters alone."""
        return shape_of(type(self)).encode(self)

    @classmethod
    def from_parameters(cls, parameters: Data) -> Selection:
        """Return the selection that received access-parameters mean; ShapeError when they have another shape."""
        return cast("Selection", shape_of(cls).decode(parameters))


@dataclass(frozen=True, slots=True)
class ValueSelection(Selection, Generic[T]):
    """A selection whose access-parameters are one value of the shape `SHAPE`."""

    SHAPE: ClassVar[Shape[Any]]
    value: T

    @property
    def parameters(self) -> Data:
        """The value alone."""
        return self.SHAPE.encode(self.value)

    @classmethod
    def from_parameters(cls, parameters: Data) -> Selection:
        """Return the selection of received access-parameters."""
        return cls(cls.SHAPE.decode(parameters))


@structure
class CaptureObject:
    """One column of a profile: an attribute, or with a data index one element of it."""

    class_id: Unsigned16
    logical_name: Obis
    attribute_index: Integer8
    data_index: Unsigned16 = 0

    def __str__(self) -> str:
        plain = f"{self.class_id}/{self.logical_name}/{self.attribute_index}"
        return f"{plain}[{self.data_index}]" if self.data_index else plain


CLOCK_TIME: Final = CaptureObject(8, Obis("0.0.1.0.0.255"), 2, 0)
"""The usual restricting object: attribute time of the clock."""


@structure
class RangeSelection(Selection):
    """The rows whose `restricting` column lies between `start` and `end`, both included; `columns` empty means all."""

    SELECTOR: ClassVar[int] = 1
    restricting: CaptureObject
    start: Data
    end: Data
    columns: tuple[CaptureObject, ...] = ()

    @classmethod
    def between(
        cls,
        start: datetime | DateTime | Data,
        end: datetime | DateTime | Data,
        restricting: CaptureObject = CLOCK_TIME,
        columns: tuple[CaptureObject, ...] = (),
    ) -> RangeSelection:
        """Select by time (as the clock's octet-string) or by any other Data the restricting column holds."""
        return cls(restricting, bound(start), bound(end), columns)


@structure
class EntrySelection(Selection):
    """Rows `first` to `last` and columns `first_column` to `last_column`, counted from 1; last 0 means to the end."""

    SELECTOR: ClassVar[int] = 2
    first: Unsigned32 = 1
    last: Unsigned32 = 0
    first_column: Unsigned16 = 1
    last_column: Unsigned16 = 0


def bound(value: datetime | DateTime | Data) -> Data:
    """Return one end of a range as the Data that the restricting column holds; times become octet-strings."""
    if isinstance(value, datetime):
        value = DateTime.from_datetime(value)
    return OctetString(value.octets) if isinstance(value, DateTime) else value
