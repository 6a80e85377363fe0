"""A server of IEC 60870-5-104 for control systems, small, since no library for it has a permissive licence."""

from cosem.gateway.northbound.iec104.server import PORT, SECURE_PORT, Iec104Output
from cosem.gateway.northbound.iec104.station import StationSettings

__all__ = ["PORT", "SECURE_PORT", "Iec104Output", "StationSettings"]
