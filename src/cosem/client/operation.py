"""An operation is one coroutine; it becomes a plain method of `Client` and a coroutine method of `AsyncClient`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

if TYPE_CHECKING:
    from cosem.client.client import AsyncClient, Client

P = ParamSpec("P")
R = TypeVar("R")


class operation(Generic[P, R]):
    """Binds a coroutine function to the two kinds of client, with the types of both kept."""

    def __init__(self, function: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Client, owner: type) -> Callable[P, R]: ...
    @overload
    def __get__(self, instance: AsyncClient, owner: type) -> Callable[P, Coroutine[Any, Any, R]]: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        return self if instance is None else instance.bind(self.function)
