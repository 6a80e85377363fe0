"""How makers derive the lower HDLC address of a meter from its serial number: a habit of theirs, in no standard."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from cosem.errors import ConfigurationError

_FORMULA: Final = re.compile(r"([0-9]{1,6})\+([0-9]{1,6})")
_SERIAL: Final = re.compile(r"[0-9]{1,32}")


@dataclass(frozen=True, slots=True)
class AddressRule:
    """`serial number modulo modulus + offset`; `sources` is how many public sources tell it of the maker."""

    name: str
    modulus: int
    offset: int
    maker: str = ""
    sources: int = 0

    def physical(self, serial_number: str) -> int:
        """Return the lower address of the meter with a serial number of decimal digits, zeros in front included.

        Raises ConfigurationError when it is anything else.
        """
        if not _SERIAL.fullmatch(serial_number):
            raise ConfigurationError(f"serial_number={serial_number[:40]!r}: write the decimal digits on the meter")
        return int(serial_number) % self.modulus + self.offset

    def __str__(self) -> str:
        return f"serial number modulo {self.modulus} + {self.offset}"


RULES: Final = {
    rule.name: rule
    for rule in (
        AddressRule("landis-gyr", 10000, 1000, "Landis+Gyr", 2),
        AddressRule("elgama", 10000, 1000, "Elgama-Elektronika", 2),
        AddressRule("emh", 10000, 256, "EMH metering", 1),
        AddressRule("milur", 10000, 16, "Milandr (Milur)", 1),
    )
}
"""Every rule by its name. Makers that are not here may have none: then the IEC HDLC setup object tells the address."""

USUAL: Final = "landis-gyr"


def rule_of(text: str) -> AddressRule:
    """Return the rule of that name, or the one that a formula such as 10000+1000 (modulus+offset) tells.

    Raises ConfigurationError that names the rules there are.
    """
    if (found := RULES.get(text.lower())) is not None:
        return found
    formula = _FORMULA.fullmatch(text)
    if formula is None or not int(formula[1]):
        known = ", ".join(RULES)
        raise ConfigurationError(f"rule={text[:40]!r}: it is {known}, or modulus+offset as in 10000+1000")
    return AddressRule(text, int(formula[1]), int(formula[2]))
