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
    kind = table.given("class", interface_class)
    if "version" in table:
        named, version = kind, table.integer("version")
        kind = table.guarded(lambda: of_version(named, version), "version")
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


def interface_class(given: object) -> type[InterfaceClass]:
    """Return the class of a name, or the latest version of that with a number; ConfigurationError without any."""
    if type(given) is int:
        found = declared(given)
    else:
        found = next((kind for kind in REGISTRY.values() if kind.__name__ == given), None)
    if found is None:
        raise ConfigurationError(f"{given!r} is no interface class: write a number or a name such as Register")
    return found


def of_version(kind: type[InterfaceClass], version: int) -> type[InterfaceClass]:
    """Return a version of a class; ConfigurationError where there is none, or `kind` is the name of another one.

    The name of the latest version is that of the class, of which any version may be asked.
    """
    class_id = kind.class_id
    known = sorted(each for number, each in REGISTRY if number == class_id)
    if version not in known:
        those = ", ".join(map(str, known))
        raise ConfigurationError(f"class {class_id} has no version {version} here, but {those}")
    if kind.version not in (version, known[-1]):
        raise ConfigurationError(f"{kind.__name__} is version {kind.version}; write {class_id}, or leave version out")
    return REGISTRY[class_id, version]
