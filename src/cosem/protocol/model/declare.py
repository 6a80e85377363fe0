"""How interface classes are declared: attributes and methods by number, the registry of classes, classes unknown to us.

On the class a declaration is the declaration (`Register.value.static`), on an instance it is a typed reference
(`Register("1.0.1.8.0.255").value`). Nothing here reads or writes anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Final, Generic, TypedDict, TypeVar, Unpack, cast, overload

from cosem.errors import ConfigurationError, ShapeError
from cosem.protocol.apdu.get import SelectiveAccess
from cosem.protocol.model.reference import AttributeRef, BufferRef, MethodRef
from cosem.protocol.model.rights import AttributeAccess
from cosem.protocol.model.selection import EntrySelection, RangeSelection, Selection
from cosem.protocol.model.shape import ANY, NULL, ROWS, E, P, Rows, Shape, T, shape_of
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit

A = TypeVar("A")
R = TypeVar("R")
N = TypeVar("N")

Selectors = Mapping[int, type[Selection]]
NO_SELECTORS: Final[Selectors] = MappingProxyType({})


class Facts(TypedDict, total=False):
    """What else may be said of an attribute; what is not said is False, none, or follows from the rest."""

    static: bool
    """Only configuration changes it."""
    selectors: Selectors
    """Its access-selectors, and the selections they stand for."""
    writable: bool
    """A management client may usually write it; when not said, what is static may be written."""
    unit: Unit
    """The unit of its value, where the class fixes it."""


class Attribute(Generic[T]):
    """The declaration of one attribute: number, shape, whether only configuration changes it (static), and its unit."""

    def __init__(self, index: int, shape: Shape[T], **facts: Unpack[Facts]) -> None:
        self.index = index
        self.shape = shape
        self.static = facts.get("static", False)
        self.selectors = facts.get("selectors", NO_SELECTORS)
        self.writable = facts.get("writable", self.static)
        self.unit = facts.get("unit")
        self.name = ""

    @property
    def access(self) -> AttributeAccess:
        """What a management client may usually do: read, and write what is static unless its declaration says not.

        This is a convention of this project. IEC 62056-6-2 says what is static and what is dynamic; the rights are in
        the object list of each meter, which decides.
        """
        return AttributeAccess.READ_WRITE if self.writable else AttributeAccess.READ

    @property
    def short_name_offset(self) -> int:
        """The offset from the base name of the object under short-name referencing."""
        return 8 * (self.index - 1)

    def selection(self, access: SelectiveAccess) -> Selection:
        """Return a received access-selection as its type; ShapeError when the attribute has no such selector."""
        kind = self.selectors.get(access.selector)
        if kind is None:
            raise ShapeError(f"no access-selector {access.selector}", (self.name,))
        return kind.from_parameters(access.parameters)

    def reference(self, owner: InterfaceClass) -> AttributeRef[T]:
        """Return this attribute of the object `owner`."""
        return AttributeRef(owner.class_id, owner.version, owner.instance, self.index, self.name, self.shape)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, obj: None, owner: type) -> Attribute[T]: ...
    @overload
    def __get__(self, obj: InterfaceClass, owner: type) -> AttributeRef[T]: ...
    def __get__(self, obj: InterfaceClass | None, owner: type) -> Attribute[T] | AttributeRef[T]:
        if obj is None:
            return self
        # Kept on the object, so that the next access does not come here again.
        made = obj.__dict__[self.name] = self.reference(obj)
        return made

    def __repr__(self) -> str:
        return f"attribute({self.index}, {self.shape.name}{', static=True' if self.static else ''})"


class BufferAttribute(Attribute[Rows]):
    """The declaration of a profile's buffer, whose references can be asked for by range and by entry."""

    def __init__(self, index: int) -> None:
        super().__init__(index, ROWS, selectors={1: RangeSelection, 2: EntrySelection})

    def reference(self, owner: InterfaceClass) -> BufferRef:
        """Return the buffer of the object `owner`."""
        return BufferRef(owner.class_id, owner.version, owner.instance, self.index, self.name, self.shape)

    @overload
    def __get__(self, obj: None, owner: type) -> BufferAttribute: ...
    @overload
    def __get__(self, obj: InterfaceClass, owner: type) -> BufferRef: ...
    def __get__(self, obj: InterfaceClass | None, owner: type) -> BufferAttribute | BufferRef:
        return cast("BufferAttribute | BufferRef", super().__get__(cast("Any", obj), owner))


class Method(Generic[A, R]):
    """The declaration of one method: number, argument, result, and its short-name offset where one is defined."""

    def __init__(self, index: int, argument: Shape[A], result: Shape[R], sn: int | None) -> None:
        self.index = index
        self.argument = argument
        self.result = result
        self.short_name_offset = sn
        self.name = ""

    def reference(self, owner: InterfaceClass) -> MethodRef[A, R]:
        """Return this method of the object `owner`."""
        return MethodRef(
            owner.class_id, owner.version, owner.instance, self.index, self.name, self.argument, self.result
        )

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, obj: None, owner: type) -> Method[A, R]: ...
    @overload
    def __get__(self, obj: InterfaceClass, owner: type) -> MethodRef[A, R]: ...
    def __get__(self, obj: InterfaceClass | None, owner: type) -> Method[A, R] | MethodRef[A, R]:
        if obj is None:
            return self
        made = obj.__dict__[self.name] = self.reference(obj)
        return made

    def __repr__(self) -> str:
        return f"method({self.index}, {self.argument.name}, {self.result.name})"


@overload
def attribute(index: int, shape: type[E], **facts: Unpack[Facts]) -> Attribute[E]: ...
@overload
def attribute(index: int, shape: type[P], **facts: Unpack[Facts]) -> Attribute[P]: ...
@overload
def attribute(index: int, shape: type[T] | Shape[T], **facts: Unpack[Facts]) -> Attribute[T]: ...
def attribute(index: int, shape: Any, **facts: Unpack[Facts]) -> Attribute[Any]:
    """Declare attribute `index` of the shape that a type stands for (see `cosem.protocol.model.shape`)."""
    return Attribute(index, shape_of(shape), **facts)


@overload
def method(index: int, argument: type[E], *, sn: int | None = ...) -> Method[E, None]: ...
@overload
def method(index: int, argument: type[P], *, sn: int | None = ...) -> Method[P, None]: ...
@overload
def method(index: int, argument: type[A] | Shape[A], *, sn: int | None = ...) -> Method[A, None]: ...
@overload
def method(index: int, argument: type[E], result: type[R] | Shape[R], *, sn: int | None = ...) -> Method[E, R]: ...
@overload
def method(index: int, argument: type[P], result: type[R] | Shape[R], *, sn: int | None = ...) -> Method[P, R]: ...
@overload
def method(
    index: int, argument: type[A] | Shape[A], result: type[R] | Shape[R], *, sn: int | None = ...
) -> Method[A, R]: ...
def method(index: int, argument: Any, result: Any = NULL, *, sn: int | None = None) -> Method[Any, Any]:
    """Declare method `index` that takes `argument` and returns `result`; `sn` is its short-name offset."""
    return Method(index, shape_of(argument), shape_of(result), sn)


def _declared(cls: type, kind: type[N]) -> Mapping[int, N]:
    """Collect the declarations of a class and its bases by number; the same number twice is a mistake of ours."""
    names = {name: each for base in reversed(cls.__mro__) for name, each in vars(base).items()}
    found: dict[int, N] = {}
    for each in names.values():
        if isinstance(each, kind) and found.setdefault(cast("Any", each).index, each) is not each:
            raise TypeError(f"{cls.__name__} declares {kind.__name__.lower()} {cast('Any', each).index} twice")
    return MappingProxyType(dict(sorted(found.items())))


class InterfaceClass:
    """The base of every interface class of IEC 62056-6-2; an instance is the address of one object.

    `instance` is its logical name in any text form of an OBIS code; classes with a usual instance may leave it out.
    """

    class_id: int
    version: int
    instance: Obis
    declared_attributes: ClassVar[Mapping[int, Attribute[Any]]] = MappingProxyType({})
    declared_methods: ClassVar[Mapping[int, Method[Any, Any]]] = MappingProxyType({})
    usual_instance: ClassVar[str | None] = None

    logical_name = attribute(1, Obis, static=True, writable=False)
    """Attribute 1 of every class."""

    def __init_subclass__(cls, *, class_id: int | None = None, version: int = 0, instance: str | None = None) -> None:
        super().__init_subclass__()
        cls.declared_attributes, cls.declared_methods = _declared(cls, Attribute), _declared(cls, Method)
        if instance is not None:
            cls.usual_instance = instance
        if class_id is None:  # what several versions have in common
            return
        cls.class_id, cls.version = class_id, version
        if (class_id, version) in REGISTRY:
            raise TypeError(f"class {class_id} version {version} is declared twice")
        REGISTRY[class_id, version] = cls

    def __init__(self, instance: Obis | str | bytes | None = None) -> None:
        name = self.usual_instance if instance is None else instance
        if name is None:
            raise ConfigurationError(
                f'{type(self).__name__} needs a logical name, as in {type(self).__name__}("1.0.1.8.0.255")'
            )
        self.instance = Obis(name)

    def attribute(self, member: int | str) -> AttributeRef[Any]:
        """Return an attribute by number or name; a number nobody declared is an attribute of any shape."""
        found = _find(self.declared_attributes, member)
        if found is not None:
            return found.__get__(self, type(self))
        if isinstance(member, str):
            raise ConfigurationError(_unknown(self, "attribute", member, self.declared_attributes))
        return AttributeRef(self.class_id, self.version, self.instance, member, f"attribute_{member}", ANY)

    def method(self, member: int | str) -> MethodRef[Any, Any]:
        """Return a method by number or name; a number nobody declared takes and returns anything."""
        found = _find(self.declared_methods, member)
        if found is not None:
            return found.__get__(self, type(self))
        if isinstance(member, str):
            raise ConfigurationError(_unknown(self, "method", member, self.declared_methods))
        return MethodRef(self.class_id, self.version, self.instance, member, f"method_{member}", ANY, ANY)

    def attributes(self) -> Iterator[AttributeRef[Any]]:
        """All declared attributes in order of their numbers."""
        return (declared.__get__(self, type(self)) for declared in self.declared_attributes.values())

    def methods(self) -> Iterator[MethodRef[Any, Any]]:
        """All declared methods in order of their numbers."""
        return (declared.__get__(self, type(self)) for declared in self.declared_methods.values())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, InterfaceClass):
            return NotImplemented
        return (self.class_id, self.version, self.instance) == (other.class_id, other.version, other.instance)

    def __hash__(self) -> int:
        return hash((self.class_id, self.instance))

    def __repr__(self) -> str:
        return f'{type(self).__name__}("{self.instance}")'


class UnknownClass(InterfaceClass):
    """An object of a class that is not declared here: its attributes and methods go by number and hold anything."""

    def __init__(self, class_id: int, version: int, instance: Obis | str | bytes) -> None:
        super().__init__(instance)
        self.class_id = class_id
        self.version = version

    def __repr__(self) -> str:
        return f'UnknownClass({self.class_id}, {self.version}, "{self.instance}")'


REGISTRY: Final[dict[tuple[int, int], type[InterfaceClass]]] = {}
"""Every declared class by class_id and version."""


def declared(class_id: int, version: int | None = None) -> type[InterfaceClass] | None:
    """Return the class of that version, else the nearest lower one (None: the latest), or None when there is none."""
    versions = [known for number, known in REGISTRY if number == class_id and (version is None or known <= version)]
    return REGISTRY[class_id, max(versions)] if versions else None


def latest(class_id: int) -> type[InterfaceClass] | None:
    """Return the highest version declared, or None for an unknown class."""
    return declared(class_id)


def object_for(class_id: int, version: int | None, instance: Obis | str | bytes) -> InterfaceClass:
    """Return the object as an instance of its class, in the nearest lower version known, or of UnknownClass."""
    found = declared(class_id, version)
    return UnknownClass(class_id, version or 0, instance) if found is None else found(instance)


def _find(members: Mapping[int, N], member: int | str) -> N | None:
    if isinstance(member, int):
        return members.get(member)
    return next((each for each in members.values() if cast("Any", each).name == member), None)


def _unknown(owner: InterfaceClass, kind: str, member: str, members: Mapping[int, Any]) -> str:
    names = ", ".join(f"{index} {each.name}" for index, each in members.items())
    return f"{type(owner).__name__} has no {kind} {member!r}; it has {names}"
