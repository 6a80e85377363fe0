"""All attributes of an object at once: attribute 0, a structure of them in the order of their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cosem.errors import ShapeError
from cosem.protocol.apdu.descriptor import ATTRIBUTE_0
from cosem.protocol.model.declare import InterfaceClass
from cosem.protocol.model.reference import AttributeRef
from cosem.protocol.model.shape import ANY, Shape, describe
from cosem.protocol.values.data import Data, Structure

NAME: Final = "attribute_0"


def attribute_0(address: InterfaceClass) -> AttributeRef[dict[str, Any]]:
    """Return attribute 0 of an object: its values by the names of its attributes.

    Read, None stands for what the association may not read and for null-data. Written, an attribute that is not named
    stays as it is.
    """
    return AttributeRef(
        address.class_id, address.version, address.instance, ATTRIBUTE_0, NAME, WholeShape(_attributes(address))
    )


class WholeShape:
    """structure of all attributes ⇄ dict of their values by name; an attribute nobody declared is `attribute_9`."""

    name = "structure of all attributes"

    def __init__(self, attributes: Mapping[int, tuple[str, Shape[Any]]]) -> None:
        self._attributes = attributes

    def decode(self, data: Data, /) -> dict[str, Any]:
        if not isinstance(data, Structure):
            raise ShapeError(f"expected {self.name}, have {describe(data)}")
        values: dict[str, Any] = {}
        for index, value in enumerate(data, 1):
            name, shape = self._attributes.get(index, (f"attribute_{index}", ANY))
            try:
                values[name] = None if value is None else shape.decode(value)
            except ShapeError as error:
                raise error.within(name) from None
        return values

    def encode(self, value: dict[str, Any], /) -> Data:
        unknown = value.keys() - {name for name, _ in self._attributes.values()}
        if unknown:
            raise ShapeError(f"there is no attribute {', '.join(sorted(unknown))}")
        data: list[Data] = [None] * max(self._attributes, default=0)
        for index, (name, shape) in self._attributes.items():
            if name in value:
                try:
                    data[index - 1] = shape.encode(value[name])
                except ShapeError as error:
                    raise error.within(name) from None
        return Structure(data)


def _attributes(address: InterfaceClass) -> dict[int, tuple[str, Shape[Any]]]:
    declared = {index: (each.name, each.shape) for index, each in address.declared_attributes.items() if index > 0}
    return {index: declared.get(index, (f"attribute_{index}", ANY)) for index in range(1, max(declared) + 1)}
