"""What a fleet and each of its meters take from outside at most.

    [limits]                    # see `FleetLimits`
    connections = 20000
    connections_per_meter = 4
    new_a_second = 2.5
    burst = 32
    ready = 4096                # see `PopulationLimits`

    [limits.gateway]            # what each client of a gateway may use (see `GatewayLimits`)
    routes = 1024
    waiting = 16
    refusals = 16

The tables connection, timing, lockout and association are those of one meter, see `cosem.meter.limits`: they hold for
each meter. Whatever is left out stays as it is usually.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cosem.meter.attend import ConnectionLimits
from cosem.protocol.profile.gateway import GatewayLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetLimits:
    """How many connections are served at once, and what each may use; more are closed at once and counted."""

    connections: int = 20_000
    connections_per_meter: int = 4
    """Also of a gateway or a line, whatever is behind it."""
    new_a_second: float | None = None
    """How many connections a host may begin in a second in the long run, beyond `burst` at once; left out, any."""
    burst: int = 32
    connection: ConnectionLimits = field(default_factory=ConnectionLimits)
    gateway: GatewayLimits = field(default_factory=lambda: GatewayLimits(routes=1024))
