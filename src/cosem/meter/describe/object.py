"""The table [[object]]: an object by class and logical name, with the values of its attributes."""

from __future__ import annotations

from functools import partial

from cosem.errors import ConfigurationError
from cosem.meter.describe.values import value_from_toml
from cosem.meter.describe.words import device_of
from cosem.meter.device import Meter
from cosem.protocol.model.declare import REGISTRY, InterfaceClass, declared
from cosem.protocol.model.table import Table


def add_object(meter: Meter, table: Table) -> None:
    """Add the object of one [[object]]."""
    device = device_of(meter, table)
    version = table.optional_integer("version")
    kind = table.given("class", lambda given: interface_class(given, version))
    instance = table.text("instance")
    address = table.guarded(lambda: kind(instance))
    table.name(instance)
    writable = tuple(str(name) for name in table.sequence("writable", []))
    base_name = table.optional_integer("base_name")
    values: dict[str, object] = {}
    for attribute in address.declared_attributes.values():
        if attribute.name in table:
            values[attribute.name] = table.given(attribute.name, partial(value_from_toml, attribute.shape))
    table.finish()
    table.guarded(lambda: device.add(address, writable=writable, base_name=base_name, **values))


def interface_class(given: object, version: int | None) -> type[InterfaceClass]:
    if isinstance(given, int):
        found = declared(given, version)
    else:
        found = next((kind for kind in REGISTRY.values() if kind.__name__ == given), None)
    if found is None:
        raise ConfigurationError(f"{given!r} is no interface class: write a number or a name such as Register")
    return found
