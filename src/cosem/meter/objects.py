"""The objects of a logical device as one table, which many meters of one kind may share until one of them differs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from cosem.errors import ConfigurationError, LocalProtocolError, ShapeError
from cosem.meter import behaviour as behaviours
from cosem.meter.events import MeterEvent
from cosem.meter.item import LOGICAL_NAME, FromSource, Item
from cosem.meter.values import encode_value
from cosem.protocol.model.declare import Attribute, InterfaceClass
from cosem.protocol.values.data import Data
from cosem.protocol.values.obis import Obis

if TYPE_CHECKING:
    from cosem.meter.logical_device import LogicalDevice

PROFILE_GENERIC: Final = 7

C = TypeVar("C", bound=InterfaceClass)


class Listener(Protocol):
    """Somebody who is told of the events of a logical device."""

    def attach(self, device: LogicalDevice) -> None: ...

    def noted(self, device: LogicalDevice, event: MeterEvent, time: datetime) -> None: ...


class Objects:
    """Objects by logical name. `shared` once more than one device may use them: then they do not change any more."""

    __slots__ = ("_items", "known_requests", "listeners", "profiles", "shared", "timed")

    def __init__(self) -> None:
        self._items: dict[bytes, Item] = {}
        """By the octets of their logical names, which are compared faster than the names."""
        self.profiles: tuple[Item, ...] = ()
        self.timed: tuple[Item, ...] = ()
        self.listeners: tuple[Listener, ...] = ()
        """Who is told of the events of each device that begins with these objects; he needs nothing attached."""
        self.shared = False
        self.known_requests: dict[tuple[int, int, bool], Any] = {}
        """What `cosem.meter.known_requests` remembers of them."""

    def add(self, address: C, /, *, writable: Iterable[str] = (), **values: object) -> C:
        """Add an object (see `LogicalDevice.add`), in place of one of that name that is not awake yet."""
        assert not self.shared
        known = self.find(address.instance)
        if known is not None and known.behaviour.awake is not None:
            del self._items[address.instance.octets]
        elif known is not None:
            raise ConfigurationError(f"{address!r}: there is an object with this logical name already")
        behaviour = behaviours.of(address.class_id)
        item = Item(address, {}, behaviour)
        handed: dict[int, object] = {}
        for name, value in values.items():
            attribute = declared(address, name)
            index = attribute.index
            if index == LOGICAL_NAME:
                raise ConfigurationError(f"{address!r}: the logical name is given by the address")
            if index in behaviour.adopts:
                handed[index] = value
            else:
                item.values[index] = held(address, attribute, value)
        opened = [_opened(item, address, name) for name in writable]
        item.writable = frozenset(index for index in opened if index is not None)
        if behaviour.adopt is not None:
            try:
                behaviour.adopt(item, handed)
            except (ConfigurationError, ShapeError) as error:
                raise ConfigurationError(f"{address!r}: {error}") from error
        self.put_in(item)
        return address

    def put_in(self, item: Item) -> None:
        """Add an object that is ready; ConfigurationError for a second one of that name."""
        assert not self.shared
        if item.instance in self:
            raise ConfigurationError(f"{item}: there is an object with this logical name already")
        self._items[item.instance.octets] = item
        if item.class_id == PROFILE_GENERIC and item.state is not None:
            self.profiles += (item,)
        if item.behaviour.timed is not None:
            self.timed += (item,)

    def take_time(self, item: Item) -> None:
        """Let an object do something on its own that did nothing when it was added."""
        assert not self.shared
        if item not in self.timed:
            self.timed += (item,)

    def find(self, instance: Obis) -> Item | None:
        """Return the object with this logical name."""
        return self._items.get(instance.octets)

    def share(self) -> Objects:
        """Return the same objects for many devices. Profiles that store rows would mix them up and are refused."""
        if self.shared:
            return self
        for item in self.profiles:
            if item.state.stores:
                raise ConfigurationError(f"{item}: the rows of a shared profile are recomputed or asked for")
        for item in self:
            item.settle()
        self.shared = True
        return self

    def copy(self) -> Objects:
        """Return objects of the same values for one device alone."""
        copied = Objects()
        copied._items = {name: item.copy() for name, item in self._items.items()}
        copied.listeners = self.listeners
        copied.profiles = tuple(item for item in copied._items.values() if item.class_id == PROFILE_GENERIC)
        copied.timed = tuple(item for item in copied._items.values() if item.behaviour.timed is not None)
        return copied

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items.values())

    def __contains__(self, instance: Obis) -> bool:
        return instance.octets in self._items

    def __len__(self) -> int:
        return len(self._items)


def declared(address: InterfaceClass | type[InterfaceClass], name: str) -> Attribute[Any]:
    """Return the declaration of an attribute by its name; ConfigurationError when the class has none."""
    kind = address if isinstance(address, type) else type(address)
    for attribute in kind.declared_attributes.values():
        if attribute.name == name:
            return attribute
    known = ", ".join(attribute.name for attribute in kind.declared_attributes.values())
    raise ConfigurationError(f"{kind.__name__} has no attribute {name!r}; it has {known}")


def _opened(item: Item, address: InterfaceClass, name: str) -> int | None:
    """Return the attribute of this name; a method of the meter's own is opened to clients instead."""
    for method in address.declared_methods.values():
        if method.name == name and method.index in item.behaviour.own_methods:
            item.behaviour = item.behaviour.opened(method.index)
            return None
    return declared(address, name).index


def held(owner: object, attribute: Attribute[Any], value: object) -> Data | Any:
    """Return what an item keeps of a value: Data, or what is asked for it."""
    if callable(value) or isinstance(value, FromSource):
        return value
    try:
        return encode_value(attribute.shape, value)
    except (ShapeError, LocalProtocolError) as error:
        raise ConfigurationError(f"{owner!r}: {attribute.name}: {error}") from error
