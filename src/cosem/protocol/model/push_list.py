"""Push lists: what the values of a pushed body are, where the body itself does not say it, or not all of it.

Bodies come in these forms, and some mix them:

| form | as in |
|---|---|
| values alone, in an order that both sides know | `[4117]`, `["KFM_001", …, 2397]` |
| a name before each value | `[1.0.1.7.0.255, 3503, …]` |
| a name before and scaler and unit behind each value | `[1.0.1.7.0.255, 3503, [0, 27], …]` |
| a structure of these for each value | `[[1.0.1.7.0.255, 3503, [0, 27]], …]` |
| the push_object_list of the meter, then values in its order | `[[[40, 0.8.25.9.0.255, 2, 0], …], …]` |

Values without a name may stand before the first name and behind the last one. What names itself is read as it says; a
list tells the rest:

    [[push]]
    name = "list 2, three phases"
    length = 13                         # elements of the body, where forms must be told apart by it
    marker = "KFM_001"                  # a text that stands in the body, where lists must be told apart by it
    leading = [{ obis = "1.1.0.2.129.255" }, { obis = "1.0.31.7.0.255", unit = "A", scaler = -3 }]
    trailing = []                       # the values without a name behind the last one
    named = [{ obis = "1.*.31,51,71.7.0.255", unit = "A", scaler = -2 }]    # of values that name themselves
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from cosem.errors import ConfigurationError, ShapeError
from cosem.protocol.model import catalogue
from cosem.protocol.model.table import Table
from cosem.protocol.values.data import Array, Data, Enumerated, Integer, OctetString, Structure
from cosem.protocol.values.obis import Obis, ObisPattern
from cosem.protocol.values.quantity import Quantity
from cosem.protocol.values.units import Unit

PUSH_SETUP: Final = 40
"""The class whose push_object_list a body may bring along."""


@dataclass(frozen=True, slots=True)
class PushedValue:
    """One value of a push: what it is, and what the numbers mean; `unit` is None where nobody says it."""

    obis: Obis
    name: str
    value: Data
    unit: Unit | None = None
    scaler: int = 0
    attribute: int = 2

    @property
    def quantity(self) -> Quantity | None:
        """The value with its scaler and unit; None for what is no number or has no unit."""
        if self.unit is None or isinstance(self.value, bool) or not isinstance(self.value, int | float):
            return None
        return Quantity.of(self.value, self.scaler, self.unit)


@dataclass(frozen=True, slots=True)
class PushItem:
    """What a list says of one value, or of all that a pattern matches: name, unit and scaler, if any."""

    pattern: ObisPattern
    obis: Obis | None
    name: str | None = None
    unit: Unit | None = None
    scaler: int = 0


@dataclass(frozen=True, slots=True)
class PushList:
    """One list (see the module); `length` and `marker` tell it from others of the same form."""

    name: str
    leading: tuple[PushItem, ...] = ()
    trailing: tuple[PushItem, ...] = ()
    named: tuple[PushItem, ...] = ()
    length: int | None = None
    marker: str | None = None

    def fits(self, body: Data) -> bool:
        """Tell whether a pushed body has the form of this list."""
        if not isinstance(body, tuple) or self.length not in (None, len(body)):
            return False
        found = _elements(body)
        unnamed = (len(found.leading), len(found.trailing))
        if unnamed != (len(self.leading), len(self.trailing)) or (bool(self.named) and not found.named):
            return False
        return self.marker is None or any(_text(each) == self.marker for each in found.values())

    def read(self, body: Data) -> tuple[PushedValue, ...]:
        """Return the values of a body in its order; ShapeError when it has not the form of this list."""
        if not self.fits(body):
            raise ShapeError(f"the body has not the form of {self.name}")
        return self.read_by(self, body)

    @staticmethod
    def read_by(known: PushList | None, body: Data) -> tuple[PushedValue, ...]:
        """Return the values of a body by a list, or by what it says itself when `known` is None.

        Raises ShapeError when the body does not name all of its values and no list does.
        """
        if not isinstance(body, tuple):
            raise ShapeError("a pushed body with several values is a structure or an array")
        found = _elements(body)
        listed = known or _SELF_DESCRIBED
        unnamed = (len(found.leading), len(found.trailing))
        if unnamed != (len(listed.leading), len(listed.trailing)):
            raise ShapeError(f"no list tells what {sum(unnamed)} of the pushed values are")
        return (
            *(_told(item, value) for item, value in zip(listed.leading, found.leading, strict=True)),
            *(listed._named(each) for each in found.named),
            *(_told(item, value) for item, value in zip(listed.trailing, found.trailing, strict=True)),
        )

    def _named(self, found: _Named) -> PushedValue:
        item = next((each for each in self.named if each.pattern.matches(found.obis)), None)
        name = catalogue.lookup(found.obis).name if item is None or item.name is None else item.name
        unit, scaler = found.unit, found.scaler
        if unit is None and item is not None:
            unit, scaler = item.unit, item.scaler
        return PushedValue(found.obis, name, found.value, unit, scaler, found.attribute)


def first_that_fits(lists: Iterable[PushList], body: Data) -> PushList | None:
    """Return the first list that a body has the form of, or None."""
    return next((each for each in lists if each.fits(body)), None)


def push_list_from(table: Table) -> PushList:
    """Return the list that a table of a companion describes; ConfigurationError names the key."""
    name = table.text("name")
    table.name(name)
    found = PushList(
        name,
        _items(table, "leading", exact=True),
        _items(table, "trailing", exact=True),
        _items(table, "named", exact=False),
        table.integer("length") if "length" in table else None,
        table.text("marker") if "marker" in table else None,
    )
    table.finish()
    if not (found.leading or found.trailing or found.named):
        raise table.refusal("", "a list tells at least one value")
    return found


def _items(table: Table, key: str, *, exact: bool) -> tuple[PushItem, ...]:
    return tuple(_item(each, exact) for each in table.tables(key))


def _item(table: Table, exact: bool) -> PushItem:
    item = PushItem(
        table.converted("obis", ObisPattern),
        table.converted("obis", Obis) if exact else None,
        table.text("name") if "name" in table else None,
        table.optional("unit", Unit.parse),
        table.integer("scaler", 0),
    )
    table.finish()
    return item


_SELF_DESCRIBED: Final = PushList("what the body says itself")
_NAME_OCTETS: Final = 6


@dataclass(frozen=True, slots=True)
class _Named:
    """A value that names itself."""

    obis: Obis
    value: Data
    unit: Unit | None = None
    scaler: int = 0
    attribute: int = 2


@dataclass(frozen=True, slots=True)
class _Elements:
    """A body taken apart: values without a name before the first name and behind the last one, and the named ones."""

    leading: tuple[Data, ...]
    named: tuple[_Named, ...]
    trailing: tuple[Data, ...]

    def values(self) -> Iterable[Data]:
        yield from self.leading
        yield from (each.value for each in self.named)
        yield from self.trailing


def _elements(body: Sequence[Data]) -> _Elements:
    listed = _listed(body)
    if listed is not None:
        return listed
    leading, named, trailing = list[Data](), list[_Named](), list[Data]()
    at = 0
    while at < len(body):
        found, taken = _one(body, at)
        if found is not None:
            if trailing:  # a value without a name in the midst of others: nobody can say what it is
                return _Elements((*leading, *trailing), tuple(named), tuple(body[at:]))
            named.append(found)
        elif taken == 1:
            (trailing if named else leading).append(body[at])
        at += taken
    return _Elements(tuple(leading), tuple(named), tuple(trailing))


def _one(body: Sequence[Data], at: int) -> tuple[_Named | None, int]:
    """Return the named value that begins here and how many elements it takes; None for a value without a name.

    A pair of null-data stands for a name and a value that this meter has not.
    """
    element = body[at]
    if isinstance(element, tuple):
        inner = cast("Sequence[Data]", element)
        found, taken = _one(inner, 0) if inner and _is_name(inner[0]) else (None, 0)
        return (found, 1) if taken == len(inner) else (None, 1)
    if element is None and at + 1 < len(body) and body[at + 1] is None:
        return None, 2
    if not _is_name(element) or at + 1 >= len(body):
        return None, 1
    name, value = Obis(bytes(cast("bytes", element))), body[at + 1]
    scaler_unit = _scaler_unit(body[at + 2]) if at + 2 < len(body) else None
    if scaler_unit is None:
        return _Named(name, value), 2
    return _Named(name, value, scaler_unit[1], scaler_unit[0]), 3


def _is_name(element: Data) -> bool:
    return isinstance(element, OctetString) and len(element) == _NAME_OCTETS


def _scaler_unit(element: Data) -> tuple[int, Unit] | None:
    if not isinstance(element, Structure) or len(element) != 2:
        return None
    scaler, unit = element
    if not isinstance(scaler, Integer) or not isinstance(unit, Enumerated) or not 0 <= unit <= 255:
        return None
    return int(scaler), Unit(int(unit))


def _listed(body: Sequence[Data]) -> _Elements | None:
    """Take a body apart that brings the push_object_list along; None for any other."""
    if not body or not isinstance(body[0], Array) or len(body[0]) != len(body):
        return None
    named: list[_Named] = []
    for told, value in zip(body[0], body, strict=True):
        columns = cast("Sequence[Any]", told) if isinstance(told, Structure) else ()
        if len(columns) < 4 or not isinstance(columns[0], int) or not _is_name(columns[1]):
            return None
        if not isinstance(columns[2], int):
            return None
        named.append(_Named(Obis(bytes(columns[1])), value, attribute=int(columns[2])))
    return _Elements((), tuple(named), ())


def _told(item: PushItem, value: Data) -> PushedValue:
    if item.obis is None:
        raise ConfigurationError("a value without a name is told by one code")
    return PushedValue(item.obis, item.name or catalogue.lookup(item.obis).name, value, item.unit, item.scaler)


def _text(value: Data) -> str | None:
    if isinstance(value, str):
        return str(value)
    return value.decode("ascii", "replace") if isinstance(value, bytes) else None
