"""How much one response may still say: a bound on lists of values that a client makes long."""

from __future__ import annotations

from typing import TypeVar, cast

from cosem.meter.item import Visit
from cosem.protocol.apdu.action import ActionResponseWithOptionalData
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.codec import axdr
from cosem.protocol.values.data import Data, Number

_V = TypeVar("_V")


class Room:
    """What the values of one response may still have. An item for which nothing is left is not begun."""

    __slots__ = ("left",)

    def __init__(self, visit: Visit) -> None:
        assert visit.association is not None, "the meter itself asks for no lists"
        self.left = visit.association.limits.response
        """Octets; not above 0 when it is used up."""

    def used_by(self, value: _V) -> _V:
        """Take off what a value has, and return it."""
        if isinstance(value, Number):
            self.left -= 1 + value.SIZE
        elif not isinstance(value, DataAccessResult):
            self.left -= len(axdr.encode(cast("Data", value)))
        return value

    def used_by_method(self, response: ActionResponseWithOptionalData) -> ActionResponseWithOptionalData:
        """Take off what a method returned, and return the response."""
        self.used_by(response.return_parameters)
        return response
