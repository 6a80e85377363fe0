"""Units of measurement (IEC 62056-6-2, the enumeration of `scaler_unit`), by code, symbol and what they measure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from cosem.errors import ConfigurationError


class Unit(IntEnum):
    """A unit as its code. A code that the table does not have stays a `Unit`: `Unit(200)` is named `UNIT_200`."""

    symbol: str
    measures: str

    def __new__(cls, code: int, symbol: str = "", measures: str = "") -> Unit:
        unit = int.__new__(cls, code)
        unit._value_ = code
        unit.symbol = symbol
        unit.measures = measures
        return unit

    YEAR = 1, "a", "time"
    MONTH = 2, "mo", "time"
    WEEK = 3, "wk", "time"
    DAY = 4, "d", "time"
    HOUR = 5, "h", "time"
    MINUTE = 6, "min", "time"
    SECOND = 7, "s", "time"
    DEGREE = 8, "°", "phase angle"
    DEGREE_CELSIUS = 9, "°C", "temperature"
    CURRENCY = 10, "currency", "money"
    METRE = 11, "m", "length"
    METRE_PER_SECOND = 12, "m/s", "speed"
    CUBIC_METRE = 13, "m³", "volume"
    CORRECTED_CUBIC_METRE = 14, "m³", "corrected volume"
    CUBIC_METRE_PER_HOUR = 15, "m³/h", "volume flux"
    CORRECTED_CUBIC_METRE_PER_HOUR = 16, "m³/h", "corrected volume flux"
    CUBIC_METRE_PER_DAY = 17, "m³/d", "volume flux"
    CORRECTED_CUBIC_METRE_PER_DAY = 18, "m³/d", "corrected volume flux"
    LITRE = 19, "l", "volume"
    KILOGRAM = 20, "kg", "mass"
    NEWTON = 21, "N", "force"
    NEWTON_METRE = 22, "Nm", "energy"
    PASCAL = 23, "Pa", "pressure"
    BAR = 24, "bar", "pressure"
    JOULE = 25, "J", "energy"
    JOULE_PER_HOUR = 26, "J/h", "thermal power"
    WATT = 27, "W", "active power"
    VOLT_AMPERE = 28, "VA", "apparent power"
    VAR = 29, "var", "reactive power"
    WATT_HOUR = 30, "Wh", "active energy"
    VOLT_AMPERE_HOUR = 31, "VAh", "apparent energy"
    VAR_HOUR = 32, "varh", "reactive energy"
    AMPERE = 33, "A", "current"
    COULOMB = 34, "C", "electrical charge"
    VOLT = 35, "V", "voltage"
    VOLT_PER_METRE = 36, "V/m", "electric field strength"
    FARAD = 37, "F", "capacitance"
    OHM = 38, "Ω", "resistance"
    OHM_METRE = 39, "Ωm", "resistivity"
    WEBER = 40, "Wb", "magnetic flux"
    TESLA = 41, "T", "magnetic flux density"
    AMPERE_PER_METRE = 42, "A/m", "magnetic field strength"
    HENRY = 43, "H", "inductance"
    HERTZ = 44, "Hz", "frequency"
    PER_WATT_HOUR = 45, "1/Wh", "active energy meter constant or pulse value"
    PER_VAR_HOUR = 46, "1/varh", "reactive energy meter constant or pulse value"
    PER_VOLT_AMPERE_HOUR = 47, "1/VAh", "apparent energy meter constant or pulse value"
    VOLT_SQUARED_HOUR = 48, "V²h", "volt-squared hour"
    AMPERE_SQUARED_HOUR = 49, "A²h", "ampere-squared hour"
    KILOGRAM_PER_SECOND = 50, "kg/s", "mass flux"
    SIEMENS = 51, "S", "conductance"
    KELVIN = 52, "K", "temperature"
    PER_VOLT_SQUARED_HOUR = 53, "1/V²h", "volt-squared hour meter constant or pulse value"
    PER_AMPERE_SQUARED_HOUR = 54, "1/A²h", "ampere-squared hour meter constant or pulse value"
    PER_CUBIC_METRE = 55, "1/m³", "volume meter constant or pulse value"
    PERCENT = 56, "%", "percentage"
    AMPERE_HOUR = 57, "Ah", "ampere-hour"
    WATT_HOUR_PER_CUBIC_METRE = 60, "Wh/m³", "energy per volume"
    JOULE_PER_CUBIC_METRE = 61, "J/m³", "calorific value, Wobbe index"
    MOLE_PERCENT = 62, "mol%", "molar fraction of gas composition"
    GRAM_PER_CUBIC_METRE = 63, "g/m³", "mass density"
    PASCAL_SECOND = 64, "Pa·s", "dynamic viscosity"
    JOULE_PER_KILOGRAM = 65, "J/kg", "specific energy"
    GRAM_PER_SQUARE_CENTIMETRE = 66, "g/cm²", "pressure"
    ATMOSPHERE = 67, "atm", "pressure"
    DECIBEL_MILLIWATT = 70, "dBm", "signal strength"
    DECIBEL_MICROVOLT = 71, "dBµV", "signal strength"
    DECIBEL = 72, "dB", "logarithmic ratio"
    INCH = 128, "in", "length"
    FOOT = 129, "ft", "length"
    POUND = 130, "lb", "mass"
    DEGREE_FAHRENHEIT = 131, "°F", "temperature"
    DEGREE_RANKINE = 132, "°R", "temperature"
    SQUARE_INCH = 133, "in²", "area"
    SQUARE_FOOT = 134, "ft²", "area"
    ACRE = 135, "ac", "area"
    CUBIC_INCH = 136, "in³", "volume"
    CUBIC_FOOT = 137, "ft³", "volume"
    ACRE_FOOT = 138, "ac·ft", "volume"
    IMPERIAL_GALLON = 139, "gal (imp)", "volume"
    US_GALLON = 140, "gal (US)", "volume"
    POUND_FORCE = 141, "lbf", "force"
    POUND_FORCE_PER_SQUARE_INCH = 142, "psi", "pressure"
    POUND_PER_CUBIC_FOOT = 143, "lb/ft³", "mass density"
    POUND_PER_FOOT_SECOND = 144, "lb/(ft·s)", "dynamic viscosity"
    SQUARE_FOOT_PER_SECOND = 145, "ft²/s", "kinematic viscosity"
    BRITISH_THERMAL_UNIT = 146, "Btu", "energy"
    THERM_EU = 147, "thm (EC)", "energy"
    THERM_US = 148, "thm (US)", "energy"
    BRITISH_THERMAL_UNIT_PER_POUND = 149, "Btu/lb", "specific energy"
    BRITISH_THERMAL_UNIT_PER_CUBIC_FOOT = 150, "Btu/ft³", "calorific value, Wobbe index"
    PER_CUBIC_FOOT = 151, "1/ft³", "volume meter constant or pulse value"
    FOOT_PER_SECOND = 152, "ft/s", "speed"
    CUBIC_FOOT_PER_SECOND = 153, "ft³/s", "volume flux"
    CUBIC_FOOT_PER_MINUTE = 154, "ft³/min", "volume flux"
    CUBIC_FOOT_PER_HOUR = 155, "ft³/h", "volume flux"
    CUBIC_FOOT_PER_DAY = 156, "ft³/d", "volume flux"
    ACRE_FOOT_PER_SECOND = 157, "ac·ft/s", "volume flux"
    ACRE_FOOT_PER_MINUTE = 158, "ac·ft/min", "volume flux"
    ACRE_FOOT_PER_HOUR = 159, "ac·ft/h", "volume flux"
    ACRE_FOOT_PER_DAY = 160, "ac·ft/d", "volume flux"
    PER_IMPERIAL_GALLON = 161, "1/gal (imp)", "volume meter constant or pulse value"
    IMPERIAL_GALLON_PER_SECOND = 162, "gal (imp)/s", "volume flux"
    IMPERIAL_GALLON_PER_MINUTE = 163, "gal (imp)/min", "volume flux"
    IMPERIAL_GALLON_PER_HOUR = 164, "gal (imp)/h", "volume flux"
    IMPERIAL_GALLON_PER_DAY = 165, "gal (imp)/d", "volume flux"
    PER_US_GALLON = 166, "1/gal (US)", "volume meter constant or pulse value"
    US_GALLON_PER_SECOND = 167, "gal (US)/s", "volume flux"
    US_GALLON_PER_MINUTE = 168, "gal (US)/min", "volume flux"
    US_GALLON_PER_HOUR = 169, "gal (US)/h", "volume flux"
    US_GALLON_PER_DAY = 170, "gal (US)/d", "volume flux"
    BRITISH_THERMAL_UNIT_PER_SECOND = 171, "Btu/s", "power"
    BRITISH_THERMAL_UNIT_PER_MINUTE = 172, "Btu/min", "power"
    BRITISH_THERMAL_UNIT_PER_HOUR = 173, "Btu/h", "power"
    BRITISH_THERMAL_UNIT_PER_DAY = 174, "Btu/d", "power"
    OTHER = 254, "", "other"
    NO_UNIT = 255, "", "count"

    @classmethod
    def _missing_(cls, value: object) -> Unit | None:
        if not isinstance(value, int) or not 0 <= value <= 255:
            return None
        unit = int.__new__(cls, value)
        unit._name_ = f"UNIT_{value}"
        unit._value_ = int(value)
        unit.symbol = f"unit {int(value)}"
        unit.measures = ""
        known = cls._value2member_map_.setdefault(int(value), unit)  # one object per code, as for the named ones
        assert isinstance(known, Unit)
        return known

    def __reduce_ex__(self, protocol: object) -> tuple[type[Unit], tuple[int]]:
        return type(self), (self._value_,)

    @classmethod
    def of(cls, code: int) -> Unit:
        """Return the unit of any code 0 … 255, named or not; raise ConfigurationError for other numbers."""
        try:
            return cls(code)
        except ValueError:
            raise ConfigurationError(f"{code} is no unit code: it is 0 … 255") from None

    @classmethod
    def parse(cls, text: str) -> Unit:
        """Find a unit by its symbol (`Wh`, `m3`), name (`WATT_HOUR`, `watt-hour`) or code; raise ConfigurationError.

        Of units with one symbol, such as volume and corrected volume, the symbol gives the one with the lower code.
        """
        wanted = text.strip()
        if wanted.isascii() and wanted.isdigit():
            return cls.of(int(wanted))
        unit = cls.__members__.get(wanted.upper().replace("-", "_").replace(" ", "_"))
        # A symbol goes first: "A" is the ampere, and no name is one letter long.
        found = _BY_SYMBOL.get(plain(wanted)) or unit
        if found is None:
            raise ConfigurationError(f"{text!r} is no unit: write Wh, WATT_HOUR or the code, 30")
        return found

    @property
    def multiples(self) -> Mapping[str, int]:
        """What values in this unit may be shown in, as the power of ten: `kWh` is 3 for WATT_HOUR."""
        return _multiples(self)


def plain(symbol: str) -> str:
    """A symbol in the letters of a keyboard: `m3` for `m³`, `uV` for `µV`, `Ohm` for `Ω`."""
    return symbol.translate(_PLAIN).replace("^", "")


_PLAIN: Final = str.maketrans(
    {"²": "2", "³": "3", "µ": "u", "μ": "u", "Ω": "Ohm", "\u2126": "Ohm", "·": "", "°": "deg", " ": None}
)

_PREFIXES: Final = {
    "n": -9,
    "µ": -6,
    "m": -3,
    "c": -2,
    "d": -1,
    "": 0,
    "h": 2,
    "k": 3,
    "M": 6,
    "G": 9,
    "T": 12,
}

# A prefix on m³ or V²h would multiply the metre or the volt and not the unit, so those have none.
_PREFIXED: Final = frozenset(
    {
        *(Unit.SECOND, Unit.METRE, Unit.METRE_PER_SECOND, Unit.LITRE, Unit.NEWTON, Unit.NEWTON_METRE, Unit.PASCAL),
        *(Unit.BAR, Unit.JOULE, Unit.JOULE_PER_HOUR, Unit.WATT, Unit.VOLT_AMPERE, Unit.VAR, Unit.WATT_HOUR),
        *(Unit.VOLT_AMPERE_HOUR, Unit.VAR_HOUR, Unit.AMPERE, Unit.COULOMB, Unit.VOLT, Unit.VOLT_PER_METRE),
        *(Unit.FARAD, Unit.OHM, Unit.OHM_METRE, Unit.WEBER, Unit.TESLA, Unit.AMPERE_PER_METRE, Unit.HENRY),
        *(Unit.HERTZ, Unit.SIEMENS, Unit.KELVIN, Unit.AMPERE_HOUR, Unit.WATT_HOUR_PER_CUBIC_METRE),
        *(Unit.JOULE_PER_CUBIC_METRE, Unit.GRAM_PER_CUBIC_METRE, Unit.PASCAL_SECOND, Unit.JOULE_PER_KILOGRAM),
    }
)

# Other symbols that are a power of ten of the unit.
_OTHER_MULTIPLES: Final[Mapping[Unit, Mapping[str, int]]] = {
    Unit.KILOGRAM: {"mg": -6, "g": -3, "t": 3},
    Unit.KILOGRAM_PER_SECOND: {"g/s": -3, "t/s": 3},
    Unit.CUBIC_METRE: {"ml": -6, "l": -3, "hl": -1},
    Unit.CORRECTED_CUBIC_METRE: {"ml": -6, "l": -3, "hl": -1},
    Unit.CUBIC_METRE_PER_HOUR: {"l/h": -3},
    Unit.CORRECTED_CUBIC_METRE_PER_HOUR: {"l/h": -3},
    Unit.CUBIC_METRE_PER_DAY: {"l/d": -3},
    Unit.CORRECTED_CUBIC_METRE_PER_DAY: {"l/d": -3},
    Unit.LITRE: {"m³": 3},
    Unit.PASCAL: {"mbar": 2, "bar": 5},
    Unit.BAR: {"Pa": -5, "hPa": -3, "kPa": -2, "MPa": 1},
    Unit.NEWTON_METRE: {"J": 0},
    Unit.JOULE: {"Nm": 0},
}

_BY_SYMBOL: Final = {plain(unit.symbol): unit for unit in reversed(list(Unit)) if unit.symbol}

_known_multiples: Final[dict[Unit, Mapping[str, int]]] = {}


def _multiples(unit: Unit) -> Mapping[str, int]:
    known = _known_multiples.get(unit)
    if known is None:
        prefixed = {prefix + unit.symbol: power for prefix, power in _PREFIXES.items()} if unit in _PREFIXED else {}
        known = MappingProxyType({unit.symbol: 0, **prefixed, **_OTHER_MULTIPLES.get(unit, {})})
        _known_multiples[unit] = known
    return known
