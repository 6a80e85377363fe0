"""GAMA 100 and GAMA 300 as DLMS meters by short names: their HDLC address, their objects, and the way in.

    gama.url_parameters(2141421)    # client=32&server=1&physical=2421&address_size=4

The names and the address come from several independent readers of real GAMA 300 meters; that a GAMA 100 has the same
for its one phase is what the maker's drivers suggest. See docs/elgama-uncertain.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cosem.errors import ConfigurationError
from cosem.protocol.model.short_name import STEP
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit

CLIENT: Final = 0x20
"""The client that reads with a password (low level security)."""

PUBLIC_CLIENT: Final = 0x01
"""The client without a password: 03 on the wire."""

LOGICAL_DEVICE: Final = 1
"""The upper HDLC address."""

ADDRESS_SIZE: Final = 4
MAXIMUM_INFORMATION: Final = 128
"""Octets of an HDLC information field, each way."""

SIGN_ON: Final = b"/?!\r\n"
ACKNOWLEDGEMENT: Final = b"\x06252\r\n"
"""Optical head: request and option select of IEC 62056-21 mode E at 9600 baud, then HDLC."""

_SERIAL_MODULUS: Final = 10_000
_SERIAL_OFFSET: Final = 1_000


def lower_address(serial: int) -> int:
    """Return the lower HDLC address of the meter with a serial number: its last four digits and 1000.

    Raises ConfigurationError for a negative number.
    """
    if serial < 0:
        raise ConfigurationError(f"serial number {serial}: expected the digits on the plate of the meter")
    return serial % _SERIAL_MODULUS + _SERIAL_OFFSET


def url_parameters(serial: int, client: int = CLIENT, *, optical: bool = False) -> str:
    """Return what stands behind the ? of a connection URL: `hdlc+tcp://host:port?` and `hdlc+serial://port?`.

    `optical` is for the head on the meter, where the sign-on of IEC 62056-21 leads to HDLC.
    """
    address = f"client={client}&server={LOGICAL_DEVICE}&physical={lower_address(serial)}&address_size={ADDRESS_SIZE}"
    return f"{address}&sign_on=iec21" if optical else address


@dataclass(frozen=True, slots=True)
class Measured:
    """A register: `short_name` is that of its value (attribute 2), `scaler` and `unit` as readers apply them.

    `phase` is 0 for the whole meter, else 1 to 3.
    """

    obis: Obis
    short_name: int
    scaler: int
    unit: Unit
    phase: int = 0

    @property
    def base_name(self) -> int:
        return self.short_name - STEP


TARIFFS: Final = 4
TARIFF_STEP: Final = 0x18
"""The registers of the tariffs follow the total at this distance."""


def _energy() -> tuple[Measured, ...]:
    return tuple(
        Measured(Obis(f"1.0.1.8.{tariff}.255"), 0x0108 + TARIFF_STEP * tariff, -1, Unit.WATT_HOUR)
        for tariff in range(TARIFFS + 1)
    )


REGISTERS: Final[tuple[Measured, ...]] = (
    *_energy(),
    Measured(Obis("1.0.3.8.0.255"), 0x0308, -1, Unit.VAR_HOUR),
    Measured(Obis("1.0.4.8.0.255"), 0x0408, -1, Unit.VAR_HOUR),
    Measured(Obis("1.0.16.7.0.255"), 0x3A08, -1, Unit.WATT),
    Measured(Obis("1.0.3.7.0.255"), 0x3C08, -1, Unit.VAR),
    Measured(Obis("1.0.4.7.0.255"), 0x3D08, -1, Unit.VAR),
    Measured(Obis("1.0.13.7.0.255"), 0x3E08, -3, Unit.NO_UNIT),
    Measured(Obis("1.0.36.7.0.255"), 0x3F08, -1, Unit.WATT, 1),
    Measured(Obis("1.0.56.7.0.255"), 0x4308, -1, Unit.WATT, 2),
    Measured(Obis("1.0.76.7.0.255"), 0x4708, -1, Unit.WATT, 3),
    Measured(Obis("1.0.31.7.0.255"), 0x4B08, -2, Unit.AMPERE, 1),
    Measured(Obis("1.0.51.7.0.255"), 0x4C08, -2, Unit.AMPERE, 2),
    Measured(Obis("1.0.71.7.0.255"), 0x4D08, -2, Unit.AMPERE, 3),
    Measured(Obis("1.0.32.7.0.255"), 0x4F08, -2, Unit.VOLT, 1),
    Measured(Obis("1.0.52.7.0.255"), 0x5008, -2, Unit.VOLT, 2),
    Measured(Obis("1.0.72.7.0.255"), 0x5108, -2, Unit.VOLT, 3),
    Measured(Obis("1.0.14.7.0.255"), 0x5208, -2, Unit.HERTZ),
)

CLOCK_BASE_NAME: Final = 0x6800
SERIAL_BASE_NAME: Final = 0x7300
SERIAL_NUMBER: Final = Obis("1.0.0.0.0.255")
LOAD_PROFILE_BASE_NAME: Final = 0xC000
POWER_FAIL_PROFILE_BASE_NAME: Final = 0xC200

PHASES: Final[Mapping[str, int]] = MappingProxyType({"gama100": 1, "gama300": 3})
"""How many phases a model measures."""


def registers(model: str) -> tuple[Measured, ...]:
    """Return the registers of a model by its name in `PHASES`."""
    return tuple(each for each in REGISTERS if each.phase <= PHASES[model])
