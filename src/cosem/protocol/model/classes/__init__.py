"""The interface classes of IEC 62056-6-2: a module for each group of the Blue Book, versions of a class together."""

from __future__ import annotations

from cosem.protocol.model.classes import (
    access_control,
    cellular,
    coap,
    data_storage,
    g3,
    hs_plc,
    internet,
    iso_iec_14908,
    llc,
    local_port,
    lpwan,
    m_bus,
    payment,
    prime,
    push,
    s_fsk,
    time_and_event,
    wi_sun,
    zigbee,
)

__all__ = [
    "access_control",
    "cellular",
    "coap",
    "data_storage",
    "g3",
    "hs_plc",
    "internet",
    "iso_iec_14908",
    "llc",
    "local_port",
    "lpwan",
    "m_bus",
    "payment",
    "prime",
    "push",
    "s_fsk",
    "time_and_event",
    "wi_sun",
    "zigbee",
]
