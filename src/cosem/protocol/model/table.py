"""Reading a TOML file table by table, so that every error names the file, the table and the key."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar, cast

from cosem.errors import ConfigurationError, CosemError

T = TypeVar("T")

_REQUIRED: Final[Any] = object()
_NUMBER: Final = (int, float)


def tables_of(text: str, source: str) -> dict[str, Any]:
    """Return the tables of a text, which errors call `source`. Raises ConfigurationError for what is no TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{source}: {error}") from None
    except RecursionError:
        raise ConfigurationError(f"{source}: too many lists or tables stand inside each other") from None


class Table:
    """A table that knows where it stands, and which of its keys nobody has asked for.

    No error shows a value that was not asked for as what it is: it may be a key that stands in the wrong place.
    """

    def __init__(self, source: str, where: str, content: dict[str, Any]) -> None:
        self._source = source
        self._where = where
        self._content = content
        self._left = set(content)

    def name(self, name: str) -> None:
        """Say what the table is about, for errors."""
        self._where += f" ({name})"

    def refusal(self, key: str, why: object) -> ConfigurationError:
        """Return the error that says what is wrong with a key, or with the whole table when `key` is empty."""
        return ConfigurationError(": ".join((self._source, *filter(None, (self._where, key)), str(why))))

    def guarded(self, make: Callable[[], T], key: str = "") -> T:
        """Return what `make` makes; its error says where in the file."""
        try:
            return make()
        except CosemError as error:
            raise self.refusal(key, error) from error

    def given(self, key: str, read: Callable[[Any], T]) -> T:
        """Return a key of any type as `read` understands it."""
        value = self._take(key, object, "a value", _REQUIRED)
        return self.guarded(lambda: read(value), key)

    def converted(self, key: str, read: Callable[[str], T], default: T = _REQUIRED) -> T:
        """Return a text as `read` understands it, or the default, which is not read."""
        if key not in self._content and default is not _REQUIRED:
            return default
        text = self.text(key)
        return self.guarded(lambda: read(text), key)

    def optional(self, key: str, read: Callable[[str], T]) -> T | None:
        """Return a text as `read` understands it, or None when the key is missing."""
        return self.converted(key, read) if key in self._content else None

    def text(self, key: str, default: str = _REQUIRED) -> str:
        """Return a text."""
        return cast("str", self._take(key, str, "text", default))

    def integer(self, key: str, default: int = _REQUIRED) -> int:
        """Return a whole number."""
        return cast("int", self._take(key, int, "a whole number", default))

    def number(self, key: str, default: float = _REQUIRED) -> float:
        """Return a number, whole or not; one that no float can hold is infinite."""
        value = self._take(key, _NUMBER, "a number", default)
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf

    def seconds(self, key: str) -> float:
        """Return a number of seconds, above 0 and not without end."""
        seconds = self.number(key)
        if not 0 < seconds < math.inf:
            raise self.refusal(key, "expected seconds, more than 0")
        return seconds

    def optional_integer(self, key: str) -> int | None:
        """Return a whole number, or None when the key is missing."""
        return self.integer(key) if key in self._content else None

    def boolean(self, key: str, default: bool) -> bool:
        """Return true or false."""
        return cast("bool", self._take(key, bool, "true or false", default))

    def sequence(self, key: str, default: list[Any] = _REQUIRED) -> list[Any]:
        """Return a list."""
        return cast("list[Any]", self._take(key, list, "a list", default))

    def table(self, key: str) -> Table:
        """Return a table of this one."""
        content = cast("dict[str, Any]", self._take(key, dict, "a table", _REQUIRED))
        return Table(self._source, f"{self._where}: {key}" if self._where else f"[{key}]", content)

    def tables(self, key: str) -> list[Table]:
        """Return the tables of a list, none when the key is missing."""
        tables: list[Table] = []
        for number, content in enumerate(self.sequence(key, []), 1):
            if not isinstance(content, dict):
                raise self.refusal(key, "expected tables")
            where = f"{self._where}: {key} {number}" if self._where else f"[[{key}]] {number}"
            tables.append(Table(self._source, where, cast("dict[str, Any]", content)))
        return tables

    def finish(self) -> None:
        """Refuse keys that nobody has asked for: they are most likely misspelt."""
        for stranger in self.strangers():
            raise stranger

    def strangers(self) -> list[ConfigurationError]:
        """Return an error for each key that nobody has asked for, in order."""
        return [self.refusal(key, "this key is not known here") for key in sorted(self._left)]

    def __iter__(self) -> Iterator[str]:
        """The keys, in the order of the file."""
        return iter(self._content)

    def __contains__(self, key: str) -> bool:
        return key in self._content

    def _take(self, key: str, kind: type | tuple[type, ...], expected: str, default: Any) -> Any:
        self._left.discard(key)
        if key not in self._content:
            if default is _REQUIRED:
                raise self.refusal(key, "this key is missing")
            return default
        value = self._content[key]
        # To Python, but to nobody who writes TOML, true is a whole number.
        if not isinstance(value, kind) or (kind in (int, _NUMBER) and isinstance(value, bool)):
            raise self.refusal(key, f"expected {expected}")
        return value
