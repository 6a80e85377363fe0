"""GAMA 100 and GAMA 300 to simulate: their objects under the short names of the real ones; the figures stand still.

[meter]
name = "EGM0000002141421"
template = "gama300"                # or gama100
number = 2141421                    # the serial number, from which the HDLC address follows
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

from cosem.meter.device import Meter
from cosem.protocol.elgama import gama
from cosem.protocol.model import Clock, Data, ProfileGeneric, Register
from cosem.protocol.values.data import DoubleLong, DoubleLongUnsigned
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit

LOAD_PROFILE: Final = ProfileGeneric("1.0.99.1.0.255")
POWER_FAILS: Final = ProfileGeneric("1.0.99.97.0.255")
CAPTURE_PERIOD: Final = 900
ENTRIES: Final = 960

_FIGURES: Final[Mapping[Unit, int]] = MappingProxyType(
    {
        Unit.WATT_HOUR: 123_456_789,
        Unit.VAR_HOUR: 23_456_789,
        Unit.WATT: 12_345,
        Unit.VAR: 2_345,
        Unit.AMPERE: 540,
        Unit.VOLT: 23_010,
        Unit.HERTZ: 5_001,
        Unit.NO_UNIT: 985,
    }
)
"""What every register of a unit shows."""


def furnish(model: str, meter: Meter, number: int) -> None:
    """Put the objects of a GAMA with serial number `number` into `meter`; `model` is `gama100` or `gama300`."""
    meter.add(Data(gama.SERIAL_NUMBER), base_name=gama.SERIAL_BASE_NAME, value=DoubleLongUnsigned.checked(number))
    meter.add(Clock(), base_name=gama.CLOCK_BASE_NAME)
    energies: list[Register] = []
    for each in gama.registers(model):
        kind = DoubleLongUnsigned if each.unit in (Unit.WATT_HOUR, Unit.VAR_HOUR) else DoubleLong
        register = meter.add(
            Register(each.obis),
            base_name=each.base_name,
            value=kind(_FIGURES[each.unit] + each.phase),
            scaler_unit=(each.scaler, each.unit),
        )
        if each.obis in _CAPTURED:
            energies.append(register)
    meter.add(
        LOAD_PROFILE,
        base_name=gama.LOAD_PROFILE_BASE_NAME,
        capture_objects=(Clock().time, *(energy.value for energy in energies)),
        capture_period=CAPTURE_PERIOD,
        profile_entries=ENTRIES,
    )
    meter.add(
        POWER_FAILS,
        base_name=gama.POWER_FAIL_PROFILE_BASE_NAME,
        capture_objects=(Clock().time,),
        profile_entries=ENTRIES,
    )


_CAPTURED: Final = frozenset(map(Obis, ("1.0.1.8.0.255", "1.0.3.8.0.255", "1.0.4.8.0.255")))

TEMPLATES: Final[Mapping[str, Callable[[Meter, int], None]]] = MappingProxyType(
    {model: partial(furnish, model) for model in gama.PHASES}
)
"""What a description may begin with."""
