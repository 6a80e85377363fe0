"""An operation is one coroutine; it becomes a plain method of a blocking client and a coroutine method of another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from cosem.io import blocking

P = ParamSpec("P")
R = TypeVar("R")


class Blocking:
    """A client whose operations are plain methods; threads that share it take turns."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._turn = threading.Lock()

    def bind(self, function: Callable[..., Coroutine[Any, Any, R]]) -> Callable[..., R]:
        """Make a plain method of an operation."""

        def call(*args: Any, **kwargs: Any) -> R:
            with self._turn:
                return blocking.run(function(self, *args, **kwargs))

        return call


class Suspending:
    """A client whose operations are coroutine methods; tasks that share it take turns."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._turn = asyncio.Lock()

    def bind(self, function: Callable[..., Coroutine[Any, Any, R]]) -> Callable[..., Coroutine[Any, Any, R]]:
        """Make a coroutine method of an operation."""

        async def call(*args: Any, **kwargs: Any) -> R:
            async with self._turn:
                return await function(self, *args, **kwargs)

        return call


class operation(Generic[P, R]):
    """Binds a coroutine function to the two kinds of client, with the types of both kept."""

    def __init__(self, function: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Blocking, owner: type) -> Callable[P, R]: ...
    @overload
    def __get__(self, instance: Suspending, owner: type) -> Callable[P, Coroutine[Any, Any, R]]: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        return self if instance is None else instance.bind(self.function)
