"""Frozen records made cheaply: one compilation for the methods of a class, where `dataclass` takes six.

There are hundreds of them, and all are made when the package is imported. What comes out is a dataclass with slots.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, TypeVar, cast

T = TypeVar("T")


def record(cls: type[T]) -> type[T]:
    """Make a frozen dataclass with slots of an annotated class, compared and hashed by its fields."""
    made = frozen(cls)
    fields = dataclasses.fields(cast("Any", made))
    names: dict[str, Any] = {"cls": made}
    parameters = ["self"]
    for field in fields:
        names[f"set_{field.name}"] = made.__dict__[field.name].__set__
        parameters.append(field.name)
        if field.default is not dataclasses.MISSING:
            names[f"default_{field.name}"] = field.default
            parameters[-1] += f"=default_{field.name}"
    body = [f"    set_{field.name}(self, {field.name})" for field in fields] or ["    pass"]
    if hasattr(made, "__post_init__"):
        body.append("    self.__post_init__()")
    install(
        made,
        [f"def __init__({', '.join(parameters)}):", *body, *equality(field.name for field in fields)],
        names,
        ("__init__", "__eq__", "__hash__"),
    )
    return made


def frozen(cls: type[T], *, kw_only: bool = False) -> type[T]:
    """Make a dataclass with slots whose fields cannot be set, without constructor, equality and hash."""
    made = dataclasses.dataclass(slots=True, eq=False, init=False, repr=False, kw_only=kw_only)(cls)
    for method in (_repr, _setattr, _delattr, _getstate, _setstate):
        name = f"__{method.__name__.strip('_')}__"
        if name not in cls.__dict__:
            setattr(made, name, method)
    return made


def equality(fields: Iterable[str]) -> list[str]:
    """Return the source of `__eq__` and `__hash__`."""
    listed = list(fields)
    same = " and ".join(f"self.{name} == other.{name}" for name in listed) or "True"
    return [
        "def __eq__(self, other):",
        "    if other.__class__ is not cls: return NotImplemented",
        f"    return {same}",
        "def __hash__(self):",
        f"    return hash((cls, {', '.join(f'self.{name}' for name in listed)}))",
    ]


def install(cls: type, lines: list[str], names: dict[str, Any], methods: Iterable[str]) -> None:
    """Compile methods from our own text and put them into a class."""
    made: dict[str, Any] = {}
    exec(compile("\n".join(lines), f"<{cls.__name__}>", "exec"), names, made)  # noqa: S102  our own text, no input
    for name in methods:
        function = made[name]
        function.__qualname__ = f"{cls.__qualname__}.{name}"
        function.__module__ = cls.__module__
        setattr(cls, name, function)


def _repr(self: Any) -> str:
    shown = ", ".join(f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr)
    return f"{type(self).__qualname__}({shown})"


def _setattr(self: Any, name: str, value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(self: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _setstate(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)
