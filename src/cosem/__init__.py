"""The IEC 62056 (DLMS/COSEM) suite for Python: read, understand, simulate and collect smart meters.

The names here are the paved path; everything else is imported from the one module that owns it. They are resolved when
they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from cosem.client.client import AsyncClient, Client
    from cosem.errors import CosemError
    from cosem.io.bus import Bus
    from cosem.meter.device import Meter
    from cosem.meter.serve import serve
    from cosem.protocol.model.classes.access_control import AssociationLN, SecuritySetup
    from cosem.protocol.model.classes.data_storage import (
        Data,
        DemandRegister,
        ExtendedRegister,
        ProfileGeneric,
        Register,
    )
    from cosem.protocol.model.classes.time_and_event import Clock
    from cosem.protocol.values.dates import DateTime
    from cosem.protocol.values.obis import Obis, ObisPattern
    from cosem.protocol.values.quantity import Quantity
    from cosem.protocol.values.units import Unit

_OWNERS: Final = {
    "AssociationLN": "cosem.protocol.model.classes.access_control",
    "AsyncClient": "cosem.client.client",
    "Bus": "cosem.io.bus",
    "Client": "cosem.client.client",
    "Clock": "cosem.protocol.model.classes.time_and_event",
    "CosemError": "cosem.errors",
    "Data": "cosem.protocol.model.classes.data_storage",
    "DateTime": "cosem.protocol.values.dates",
    "DemandRegister": "cosem.protocol.model.classes.data_storage",
    "ExtendedRegister": "cosem.protocol.model.classes.data_storage",
    "Meter": "cosem.meter.device",
    "Obis": "cosem.protocol.values.obis",
    "ObisPattern": "cosem.protocol.values.obis",
    "ProfileGeneric": "cosem.protocol.model.classes.data_storage",
    "Quantity": "cosem.protocol.values.quantity",
    "Register": "cosem.protocol.model.classes.data_storage",
    "SecuritySetup": "cosem.protocol.model.classes.access_control",
    "Unit": "cosem.protocol.values.units",
    "serve": "cosem.meter.serve",
}
"""Each name of the paved path and the module that owns it."""

__all__ = [
    "AssociationLN",
    "AsyncClient",
    "Bus",
    "Client",
    "Clock",
    "CosemError",
    "Data",
    "DateTime",
    "DemandRegister",
    "ExtendedRegister",
    "Meter",
    "Obis",
    "ObisPattern",
    "ProfileGeneric",
    "Quantity",
    "Register",
    "SecuritySetup",
    "Unit",
    "serve",
]


def __getattr__(name: str) -> Any:
    if name not in _OWNERS:
        raise AttributeError(f"module 'cosem' has no attribute {name!r}")
    value = getattr(import_module(_OWNERS[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_OWNERS})
