"""Data lines of IEC 62056-21, as readouts and P1 telegrams have them: addresses and values, each set with its verdict.

    1-0:1.8.1(001234.567*kWh)        address, value and unit
    0-1:24.2.1(240112231646W)(00338.711*m3)
    1.8.1*01(0001.5)1.8.1*02(0000.9) two data sets in one line
    (00124.477)                      values that belong to the line before

Nothing is judged by what stands beside it: a set that does not parse has an `error`, and its neighbours have none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from cosem.errors import ConfigurationError, DecodeError
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.quantity import Quantity
from cosem.protocol.values.units import Unit, plain

LAYER: Final = "data line"


class Scaled(NamedTuple):
    """A number as a register has it: `raw` · 10^`scaler` of `unit`."""

    raw: int
    scaler: int
    unit: Unit


@dataclass(frozen=True, slots=True)
class Value:
    """What stands in one pair of parentheses, as it was sent; `unit` is what follows a `*`, empty where none does."""

    text: str
    unit: str = ""

    @property
    def number(self) -> Decimal | None:
        """The value where it is a decimal number, with all its digits; else None."""
        return Decimal(self.text) if _NUMBER.fullmatch(self.text) else None

    @property
    def scaled(self) -> Scaled | None:
        """The number with its unit, exactly; None where it is none, or has a unit that is not known."""
        number = self.number
        found = unit_of(self.unit)
        if number is None or found is None:
            return None
        sign, digits, exponent = number.as_tuple()
        assert isinstance(exponent, int)
        raw = int("".join(map(str, digits)) or "0")
        return Scaled(-raw if sign else raw, exponent + found.power, found.unit)

    @property
    def quantity(self) -> Quantity | None:
        """The number in the multiple that was sent, `kWh` or `m³`; None as for `scaled`."""
        number = self.number
        found = unit_of(self.unit)
        return None if number is None or found is None else Quantity(number, found.unit, found.symbol)

    def __str__(self) -> str:
        return f"({self.text}*{self.unit})" if self.unit else f"({self.text})"


@dataclass(frozen=True, slots=True)
class DataSet:
    """One address with its values; `address` is empty where the values belong to the set before.

    `line` counts from 1, `offset` is that of the first octet in what was parsed. Of a set with an `error` the address
    and values are what could be made out: `octets` has it as it was sent.
    """

    address: str
    values: tuple[Value, ...]
    octets: bytes
    line: int = 1
    offset: int = 0
    error: DecodeError | None = None

    @property
    def obis(self) -> Obis | None:
        """The address as an OBIS code (EDIS codes such as `C.1.0` and `1.8.1&01` too), None where it is none."""
        return _obis(self.address)

    @property
    def text(self) -> str:
        """The set as it was sent, in characters."""
        return self.octets.decode("latin-1")

    def __str__(self) -> str:
        return self.address + "".join(map(str, self.values))


def data_sets(octets: bytes, line: int = 1, offset: int = 0) -> Iterator[DataSet]:
    """Parse lines of data sets; empty lines are none. `line` and `offset` are those of the first octet.

    The lines end with CR LF, or LF alone. Never raises: what is wrong is said by the set that has it.
    """
    for number, row in enumerate(octets.split(b"\n"), line):
        stripped = row.rstrip(b"\r")
        if stripped.strip(b" \x00"):
            yield from _sets(stripped, number, offset)
        offset += len(row) + 1


def encode(sets: list[DataSet] | tuple[DataSet, ...]) -> bytes:
    """Return lines with one set each, as they are sent."""
    return b"".join(f"{each}\r\n".encode("latin-1") for each in sets)


class UnitFound(NamedTuple):
    """What the symbol of a unit means: `unit` · 10^`power`, and how we write it."""

    unit: Unit
    power: int
    symbol: str


@lru_cache(maxsize=512)
def unit_of(symbol: str) -> UnitFound | None:
    """Find a unit by the symbol a meter sent: `kWh`, `m3`, `kVArh`, no symbol at all; None where it is not known.

    Capitals count (`mW`, `MW`) unless there is but one reading without them.
    """
    if not symbol:
        return UnitFound(Unit.NO_UNIT, 0, "")
    wanted = plain(symbol)
    exact = _SYMBOLS.get(wanted)
    if exact is not None:
        return exact
    folded = {each for name, each in _SYMBOLS.items() if name.casefold() == wanted.casefold()}
    return folded.pop() if len(folded) == 1 else None


@lru_cache(maxsize=2048)
def _obis(address: str) -> Obis | None:
    try:
        return Obis(address)
    except ConfigurationError:
        return None


def _sets(row: bytes, line: int, offset: int) -> Iterator[DataSet]:
    text = row.decode("latin-1")
    unclean = _UNCLEAN.search(text)
    at = 0
    while at < len(text):
        found = _SET.match(text, at)
        if found is None:
            yield _broken(row, text, at, line, offset, "a data set is address(value)…", 0)
            return
        end = found.end()
        octets = row[at:end]
        values = tuple(Value(value, unit) for value, _, unit in (each.partition("*") for each in _VALUES(found[2])))
        error = None
        if unclean is not None and at <= unclean.start() < end:
            error = _error(f"octet {row[unclean.start()]:02X} is no character of a data line", unclean.start())
            unclean = _UNCLEAN.search(text, end)
        elif found[1] and " " in found[1].strip():
            error = _error(f"{found[1][:40]!r} is no address", at)
        yield DataSet(found[1].strip(), values, octets, line, offset + at, error)
        at = end
        if not text[at:].strip():
            return


def _broken(row: bytes, text: str, at: int, line: int, offset: int, why: str, where: int) -> DataSet:
    address = text[at:].partition("(")[0][:_ADDRESS_SHOWN]
    return DataSet(address, (), row[at:], line, offset + at, _error(f"expected {why}", at + where))


def _error(reason: str, offset: int) -> DecodeError:
    return DecodeError(reason, offset, layer=LAYER)


def _symbols() -> dict[str, UnitFound]:
    """Every multiple of every unit by its symbol in plain letters; of units with one symbol, the lower code."""
    found: dict[str, UnitFound] = {}
    for unit in Unit:
        for symbol, power in unit.multiples.items():
            if symbol:
                found.setdefault(plain(symbol), UnitFound(unit, power, symbol))
    return found


_SYMBOLS: Final = _symbols()
_NUMBER: Final = re.compile(r"[+-]?(?:\d{1,30}(?:\.\d{0,15})?|\.\d{1,15})", re.ASCII)
_SET: Final = re.compile(r"([^()]{0,64})((?:\([^()]*\))+)")
_VALUES: Final = re.compile(r"\(([^()]*)\)").findall
_UNCLEAN: Final = re.compile(r"[^\x20-\x7e]")
_ADDRESS_SHOWN: Final = 64
