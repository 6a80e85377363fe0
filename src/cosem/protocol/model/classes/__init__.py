"""The interface classes of IEC 62056-6-2: a module for each group of the Blue Book, versions of a class together."""

from __future__ import annotations

from cosem.protocol.model.classes import (
    access_control,
    cellular,
    coap,
    data_storage,
    internet,
    local_port,
    m_bus,
    push,
    time_and_event,
)

__all__ = [
    "access_control",
    "cellular",
    "coap",
    "data_storage",
    "internet",
    "local_port",
    "m_bus",
    "push",
    "time_and_event",
]
