"""How much one response may still say: a bound on lists of values that a client makes long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar, cast

from cosem.meter.item import Visit
from cosem.protocol.apdu.action import ActionResponseWithOptionalData
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.codec import axdr
from cosem.protocol.codec.scalars import NUMBERS
from cosem.protocol.values.data import Data

_V = TypeVar("_V")

_OCTETS: Final[Mapping[type, int]] = {kind: 1 + kind.SIZE for kind in NUMBERS}
"""What whole numbers have, which most values are."""


class Room:
    """What the values of one response may still have. An item for which nothing is left is not begun."""

    __slots__ = ("left",)

    def __init__(self, visit: Visit) -> None:
        assert visit.association is not None, "the meter itself asks for no lists"
        self.left = visit.association.limits.response
        """Octets; not above 0 when it is used up."""

    def used_by(self, value: _V) -> _V:
        """Take off what a value has, and return it."""
        size = _OCTETS.get(value.__class__)
        if size is not None:
            self.left -= size
        elif not isinstance(value, DataAccessResult):
            self.left -= len(axdr.encode(cast("Data", value)))
        return value

    def used_by_method(self, response: ActionResponseWithOptionalData) -> ActionResponseWithOptionalData:
        """Take off what a method returned, and return the response."""
        self.used_by(response.return_parameters)
        return response
