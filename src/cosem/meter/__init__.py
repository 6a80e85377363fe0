"""Meters: objects and what they do, associations and rights, described in Python or TOML, and served."""

from __future__ import annotations

from cosem.meter.associations import (
    OPEN_ASSOCIATION,
    PUBLIC_ASSOCIATION,
    AssociationDescription,
    Keys,
    demo_keys,
)
from cosem.meter.attend import ConnectionLimits, attend
from cosem.meter.behaviour.profile_generic import RECOMPUTED
from cosem.meter.device import Meter
from cosem.meter.faults import Faults
from cosem.meter.gateway import Gateway
from cosem.meter.local import LocalPort
from cosem.meter.local_port import attend_local
from cosem.meter.logical_device import LogicalDevice
from cosem.meter.rights import Access, Rights, Rule
from cosem.meter.serve import Server, serve, serving

__all__ = [
    "OPEN_ASSOCIATION",
    "PUBLIC_ASSOCIATION",
    "RECOMPUTED",
    "Access",
    "AssociationDescription",
    "ConnectionLimits",
    "Faults",
    "Gateway",
    "Keys",
    "LocalPort",
    "LogicalDevice",
    "Meter",
    "Rights",
    "Rule",
    "Server",
    "attend",
    "attend_local",
    "demo_keys",
    "serve",
    "serving",
]
