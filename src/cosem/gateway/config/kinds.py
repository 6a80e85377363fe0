"""Kinds of cells: how a text becomes a value, and what is allowed in words that a fault can repeat."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Protocol

from cosem.errors import ConfigurationError
from cosem.protocol.values.obis import Obis

LONGEST_TEXT: Final = 255
GREATEST: Final = 2_147_483_647
"""Of numbers that the tables give no bound."""

_WHOLE: Final = re.compile(r"([+-]?[0-9]{1,18})(?:[.,]0{1,18})?")
_HEXADECIMAL: Final = re.compile(r"(?:0[xX])?([0-9A-Fa-f]{1,15})(?:[.,]0{1,18})?")
_MARKED: Final = re.compile(r"0[xX][0-9A-Fa-f]{1,15}")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,30}(?:[.,][0-9]{1,30})?(?:[eE][+-]?[0-9]{1,2})?")


class Kind(Protocol):
    """What a column holds."""

    @property
    def allowed(self) -> str:
        """What may stand there, in words."""
        ...

    def read(self, text: str) -> Any:
        """Return the value of a text that is not empty. Raises ValueError with the reason."""
        ...


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number: 11, 11.0 as spreadsheets write it, or 0x0B."""

    lowest: int = 0
    highest: int = GREATEST

    @property
    def allowed(self) -> str:
        if self.highest == GREATEST:
            return f"a whole number from {self.lowest} on"
        return f"a whole number from {self.lowest} to {self.highest}"

    def read(self, text: str) -> int:
        if _MARKED.fullmatch(text):
            return _within(self, int(text, 16))
        found = _WHOLE.fullmatch(text)
        if found is None:
            raise ValueError("it is no whole number")
        return _within(self, int(found[1]))


@dataclass(frozen=True, slots=True)
class Hexadecimal:
    """A number that is hexadecimal whether it says so or not: 11 is 0x11."""

    lowest: int
    highest: int

    @property
    def allowed(self) -> str:
        return f"hexadecimal from {self.lowest:X} to {self.highest:X}"

    def read(self, text: str) -> int:
        found = _HEXADECIMAL.fullmatch(text)
        if found is None:
            raise ValueError("it is no hexadecimal number")
        return _within(self, int(found[1], 16))


@dataclass(frozen=True, slots=True)
class Among:
    """One of some numbers."""

    numbers: tuple[int, ...]

    @property
    def allowed(self) -> str:
        return _listed([str(each) for each in self.numbers])

    def read(self, text: str) -> int:
        found = _WHOLE.fullmatch(text)
        if found is None or int(found[1]) not in self.numbers:
            raise ValueError("it is none of the numbers there are")
        return int(found[1])


@dataclass(frozen=True, slots=True)
class Words:
    """One of some words, in whatever case; `others` are further spellings of them."""

    words: tuple[str, ...]
    others: tuple[tuple[str, str], ...] = ()

    @property
    def allowed(self) -> str:
        return _listed(self.words)

    def read(self, text: str) -> str:
        known = {word.lower(): word for word in self.words} | {other.lower(): word for other, word in self.others}
        if text.lower() not in known:
            raise ValueError("there is no such word here")
        return known[text.lower()]


@dataclass(frozen=True, slots=True)
class Number:
    """A decimal number with a point or a comma; kept exactly."""

    zero: bool = True
    negative: bool = True

    @property
    def allowed(self) -> str:
        return ("a number" if self.negative else "a number not below 0") + ("" if self.zero else ", not 0")

    def read(self, text: str) -> Decimal:
        if not _NUMBER.fullmatch(text):
            raise ValueError("it is no number")
        try:
            found = Decimal(text.replace(",", "."))
        except InvalidOperation:
            raise ValueError("it is no number") from None
        if (not self.zero and not found) or (not self.negative and found < 0):
            raise ValueError("it is out of bounds")
        return found


@dataclass(frozen=True, slots=True)
class Text:
    """A text of a form; `what` says which in words."""

    what: str = "text"
    form: str = r".+"
    longest: int = LONGEST_TEXT

    @property
    def allowed(self) -> str:
        return f"{self.what}, up to {self.longest} characters"

    def read(self, text: str) -> str:
        if len(text) > self.longest:
            raise ValueError(f"it has {len(text)} characters")
        if not text.isprintable():
            raise ValueError("it holds characters that cannot be printed")
        if not re.fullmatch(self.form, text):
            raise ValueError("it is not of that form")
        return text


@dataclass(frozen=True, slots=True)
class Checked:
    """A text that something else knows how to check: `check` raises ConfigurationError."""

    what: str
    check: Callable[[str], object]

    @property
    def allowed(self) -> str:
        return self.what

    def read(self, text: str) -> str:
        if len(text) > LONGEST_TEXT:
            raise ValueError(f"it has {len(text)} characters")
        try:
            self.check(text)
        except ConfigurationError as refused:
            raise ValueError(str(refused)) from None
        return text


@dataclass(frozen=True, slots=True)
class Hidden:
    """A key or password, or where it is; no message repeats it."""

    what: str = "env:NAME, file:PATH, or the password itself"

    @property
    def allowed(self) -> str:
        return self.what

    def read(self, text: str) -> str:
        if len(text) > LONGEST_TEXT:
            raise ValueError(f"it has {len(text)} characters")
        return text


@dataclass(frozen=True, slots=True)
class Options:
    """`name=value` pairs with semicolons between them."""

    @property
    def allowed(self) -> str:
        return "name=value; name=value"

    def read(self, text: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for pair in filter(None, (each.strip() for each in text.split(";"))):
            name, equals, value = (each.strip() for each in pair.partition("="))
            if not equals or not name:
                raise ValueError("a part of it has no name and value")
            if name.lower() in found:
                raise ValueError("a name is in it twice")
            found[name.lower()] = value
        return found


@dataclass(frozen=True, slots=True)
class Job:
    """An OBIS code, with `:` and the number of an attribute or method behind it where one is meant."""

    @property
    def allowed(self) -> str:
        return "an OBIS code, with :1 to :127 behind it for an attribute, as in 1.0.1.8.0.255:2"

    def read(self, text: str) -> tuple[Obis, int | None]:
        code, colon, index = text.rpartition(":")
        # 1-0:1.8.0 has a colon of its own
        if not colon or "." in index or "*" in index:
            code, index = text, ""
        elif not re.fullmatch(r" ?[0-9]{1,3} ?", index) or not 1 <= int(index) <= 127:
            raise ValueError("the number behind the colon is none of an attribute")
        try:
            obis = Obis(code)
        except ConfigurationError:
            raise ValueError("it is no OBIS code") from None
        return obis, int(index) if index else None


FLAG: Final = Whole(0, 1)


def _within(bounds: Whole | Hexadecimal, number: int) -> int:
    if not bounds.lowest <= number <= bounds.highest:
        raise ValueError("it is out of bounds")
    return number


def _listed(words: tuple[str, ...] | list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
