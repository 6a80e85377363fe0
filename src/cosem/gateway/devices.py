"""Which driver reads which device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo

from cosem.client.client import Opener
from cosem.gateway.config import Device, DlmsParameters, ElgamaParameters, Iec21Parameters, Signal
from cosem.gateway.drivers import Driver
from cosem.gateway.drivers.dlms import DlmsDriver
from cosem.gateway.drivers.elgama import ElgamaDriver
from cosem.gateway.drivers.iec21 import Iec21Driver


def driver_of(
    device: Device,
    signals: Sequence[Signal],
    *,
    now: Callable[[], datetime],
    opener: Opener | None = None,
    zone: tzinfo | None = None,
    alone: bool = True,
) -> Driver:
    """Return the driver of a device, for the enabled ones of its signals; `alone` if no other shares its line."""
    enabled = [each for each in signals if each.enabled]
    parameters = device.parameters
    if isinstance(parameters, Iec21Parameters):
        return Iec21Driver(parameters, enabled, now=now, opener=opener, zone=zone)
    if isinstance(parameters, ElgamaParameters) and not parameters.by_short_names:
        return ElgamaDriver(parameters, enabled, now=now, opener=opener, zone=zone)
    assert isinstance(parameters, DlmsParameters | ElgamaParameters), "there are three kinds of rows"
    return DlmsDriver(parameters, enabled, now=now, opener=opener, zone=zone, alone=alone)
