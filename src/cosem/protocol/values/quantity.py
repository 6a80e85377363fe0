"""A quantity: an exact decimal number and its unit, made of a raw value and the `scaler_unit` of its register."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from cosem.errors import ConfigurationError
from cosem.protocol.values.units import Unit, plain


@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """`value` in `unit`, or in the multiple of it that `symbol` names (`kWh` for WATT_HOUR); never a float.

    Equal when they are the same amount of the same unit: 1 kWh is 1000 Wh. Raises ConfigurationError for a symbol
    that is no power of ten of the unit.
    """

    value: Decimal
    unit: Unit
    symbol: str = ""

    def __post_init__(self) -> None:
        if not self.symbol:
            object.__setattr__(self, "symbol", self.unit.symbol)
        elif self.symbol not in self.unit.multiples:
            raise _no_multiple(self.unit, self.symbol)

    @classmethod
    def of(cls, raw: int | float | Decimal, scaler: int = 0, unit: Unit | int = Unit.NO_UNIT) -> Quantity:
        """Return `raw` · 10^`scaler` in `unit`, with no digit lost whatever the decimal context.

        A float is taken as the shortest decimal that names it: 230.1 for the Float32 nearest to it.
        """
        return cls(_scaled(_decimal(raw), scaler), unit if isinstance(unit, Unit) else Unit.of(unit))

    @property
    def base(self) -> Decimal:
        """The number in the unit itself, without a prefix."""
        return _scaled(self.value, self.unit.multiples[self.symbol])

    def to(self, symbol: str) -> Quantity:
        """Return the same amount in another multiple, as `kWh` for Wh or `l` for m³, exactly.

        The symbol may be typed plainly (`m3`, `uV`, `kOhm`). Raises ConfigurationError when it is no power of ten of
        the unit.
        """
        multiples = self.unit.multiples
        known = symbol if symbol in multiples else {plain(name): name for name in multiples}.get(plain(symbol))
        if known is None:
            raise _no_multiple(self.unit, symbol)
        return Quantity(_scaled(self.base, -multiples[known]), self.unit, known)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Quantity):
            return NotImplemented
        return self.unit == other.unit and self.base == other.base

    def __lt__(self, other: Quantity) -> bool:
        if self.unit != other.unit:
            return NotImplemented
        return not _unordered(self, other) and self.base < other.base

    def __le__(self, other: Quantity) -> bool:
        if self.unit != other.unit:
            return NotImplemented
        return not _unordered(self, other) and self.base <= other.base

    def __hash__(self) -> int:
        return hash((self.unit, self.base))

    def __str__(self) -> str:
        return f"{self.value:f} {self.symbol}".rstrip()


def _decimal(raw: int | float | Decimal) -> Decimal:
    return Decimal(str(raw)) if isinstance(raw, float) else Decimal(raw)


def _unordered(one: Quantity, other: Quantity) -> bool:
    return one.value.is_nan() or other.value.is_nan()  # which Decimal would raise for, unlike a float


def _scaled(number: Decimal, scaler: int) -> Decimal:
    """`number` · 10^`scaler` by moving the exponent: Decimal's own operations round to the context."""
    sign, digits, exponent = number.as_tuple()
    return Decimal((sign, digits, exponent + scaler)) if isinstance(exponent, int) else number  # NaN and infinity


def _no_multiple(unit: Unit, symbol: str) -> ConfigurationError:
    forms = ", ".join(name for name in unit.multiples if name)
    return ConfigurationError(f"{symbol!r} is no decimal multiple of {unit.name}: write {forms or 'nothing'}")
