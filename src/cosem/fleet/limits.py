"""What a fleet and each of its meters take from outside at most."""

from __future__ import annotations

from dataclasses import dataclass, field

from cosem.meter.attend import ConnectionLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetLimits:
    """How many connections are served at once, and what each may use; more are closed at once and counted."""

    connections: int = 20_000
    connections_per_meter: int = 4
    connection: ConnectionLimits = field(default_factory=ConnectionLimits)
