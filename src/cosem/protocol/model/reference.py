"""References: typed addresses of one attribute or method of one object, and their text form."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from cosem.errors import ConfigurationError, ShapeError
from cosem.protocol.apdu.action import MethodDescriptor
from cosem.protocol.apdu.get import AttributeDescriptor, AttributeDescriptorWithSelection, SelectiveAccess
from cosem.protocol.model.selection import CLOCK_TIME, CaptureObject, EntrySelection, RangeSelection, Selection
from cosem.protocol.model.shape import Rows, Shape
from cosem.protocol.values.data import Data
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis

T = TypeVar("T")
A = TypeVar("A")
R = TypeVar("R")
Self = TypeVar("Self", bound="AttributeRef[Any]")


@dataclass(frozen=True, slots=True)
class AttributeRef(Generic[T]):
    """The address of one attribute whose value is a T; equal when they address the same thing on the wire."""

    class_id: int
    version: int = field(compare=False)
    instance: Obis
    index: int
    name: str = field(compare=False)
    shape: Shape[T] = field(compare=False, repr=False)
    selection: Selection | None = None

    def select(self: Self, selection: Selection | None) -> Self:
        """Return the same attribute with selective access."""
        return replace(self, selection=selection)

    @property
    def descriptor(self) -> AttributeDescriptor:
        """The cosem-attribute-descriptor of IEC 62056-5-3."""
        return AttributeDescriptor(self.class_id, self.instance, self.index)

    @property
    def access_selection(self) -> SelectiveAccess | None:
        """The access-selection that goes beside the descriptor."""
        return None if self.selection is None else self.selection.access_selection

    @property
    def descriptor_with_selection(self) -> AttributeDescriptorWithSelection:
        """Descriptor and selection together, as the with-list services take them."""
        return AttributeDescriptorWithSelection(self.descriptor, self.access_selection)

    def decode(self, data: Data) -> T:
        """Return the typed value of `data`; ShapeError names this attribute."""
        try:
            return self.shape.decode(data)
        except ShapeError as error:
            raise error.within(f"{self} {self.name}") from None

    def encode(self, value: T) -> Data:
        """Return `value` as the Data this attribute declares; ShapeError names this attribute."""
        try:
            return self.shape.encode(value)
        except ShapeError as error:
            raise error.within(f"{self} {self.name}") from None

    def __str__(self) -> str:
        return f"{self.class_id}/{self.instance}/{self.index}"


@dataclass(frozen=True, slots=True)
class BufferRef(AttributeRef[Rows]):
    """The address of a profile's buffer, which can be asked for by range and by entry."""

    def range(
        self,
        start: datetime | DateTime | Data,
        end: datetime | DateTime | Data,
        *,
        restricting: CaptureObject = CLOCK_TIME,
        columns: Iterable[CaptureObject] = (),
    ) -> BufferRef:
        """Return the rows from `start` to `end`, both included, by the `restricting` column, the clock if not said."""
        return self.select(RangeSelection.between(start, end, restricting, tuple(columns)))

    def entries(self, first: int = 1, last: int = 0, *, first_column: int = 1, last_column: int = 0) -> BufferRef:
        """Return rows `first` to `last` (0: to the end) in the order of the buffer, counted from 1."""
        return self.select(EntrySelection(first, last, first_column, last_column))


@dataclass(frozen=True, slots=True)
class MethodRef(Generic[A, R]):
    """The address of one method that takes an A and returns an R."""

    class_id: int
    version: int = field(compare=False)
    instance: Obis
    index: int
    name: str = field(compare=False)
    argument: Shape[A] = field(compare=False, repr=False)
    result: Shape[R] = field(compare=False, repr=False)

    @property
    def descriptor(self) -> MethodDescriptor:
        """The cosem-method-descriptor of IEC 62056-5-3."""
        return MethodDescriptor(self.class_id, self.instance, self.index)

    def encode(self, argument: A) -> Data:
        """Return `argument` as the Data this method declares; ShapeError names this method."""
        try:
            return self.argument.encode(argument)
        except ShapeError as error:
            raise error.within(f"{self} {self.name}") from None

    def decode(self, data: Data) -> R:
        """Return the typed return parameters; ShapeError names this method."""
        try:
            return self.result.decode(data)
        except ShapeError as error:
            raise error.within(f"{self} {self.name}") from None

    def __str__(self) -> str:
        return f"{self.class_id}/{self.instance}/{self.index}"


@dataclass(frozen=True, slots=True)
class Reference:
    """What a person wrote to name an attribute or method: parts left out are for the catalogue or the meter to say."""

    instance: Obis
    class_id: int | None = None
    member: int | str | None = None

    def __str__(self) -> str:
        if self.class_id is None:
            return str(self.instance) if self.member is None else f"{self.instance}:{self.member}"
        return f"{self.class_id}/{self.instance}" + ("" if self.member is None else f"/{self.member}")


def parse_reference(text: str) -> Reference:
    """Read `OBIS`, `OBIS:attribute`, `class/OBIS` or `class/OBIS/attribute`; an attribute is a number or a name.

    Raises ConfigurationError that shows the right forms.
    """
    parts = text.strip().split("/")
    if len(parts) == 1:
        whole = _WITH_MEMBER.fullmatch(parts[0])
        instance, member = (whole["instance"], whole["member"]) if whole else (parts[0], None)
        return Reference(Obis(instance.strip()), None, _member(member))
    if len(parts) > 3 or not parts[0].strip().isdecimal() or int(parts[0]) > 0xFFFF:
        raise ConfigurationError(f"{text!r} is no reference: {_FORMS}")
    member = parts[2].strip() if len(parts) == 3 else None
    if member is not None and not _MEMBER.fullmatch(member):
        raise ConfigurationError(f"{member!r} is no attribute: {_FORMS}")
    return Reference(Obis(parts[1].strip()), int(parts[0]), _member(member))


def _member(text: str | None) -> int | str | None:
    if text is None or not text.lstrip("-").isdecimal():
        return text
    number = int(text)
    if not -128 <= number <= 127:
        raise ConfigurationError(f"attribute {number} does not exist: numbers are -128 to 127")
    return number


_FORMS: Final = "write 1.0.1.8.0.255, 1-0:1.8.0*255, 1.8.0:2, 1.0.1.8.0.255:value, 3/1.0.1.8.0.255/2 or 3/1.8.0/value"
_MEMBER: Final = re.compile(r"-?[0-9]{1,3}|[A-Za-z_][A-Za-z0-9_]*")
# The colon inside `1-0:1.8.0` is followed by dots; the one before an attribute never is.
_WITH_MEMBER: Final = re.compile(rf"(?P<instance>.+):\s*(?P<member>{_MEMBER.pattern})\s*")
