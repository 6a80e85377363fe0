"""The state of a fleet as metrics of Prometheus."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from types import MappingProxyType
from typing import Final

from cosem.fleet.fleet import FleetState
from cosem.io.metrics import family

_MEANINGS: Final = MappingProxyType(
    {
        "meters": "Meters in the fleet.",
        "misbehaving": "Meters that misbehave.",
        "connections": "Connections that are served.",
        "accepted": "Connections that were accepted.",
        "refused": "Connections that were refused, for there was no room or no meter.",
        "failed": "Connections that ended by an error of the client or the line.",
        "internal_errors": "Connections that ended by an error of the fleet.",
        "visited": "Meters that somebody is at.",
        "ready": "Meters that are held ready.",
        "changed": "Meters that are held because somebody changed them.",
        "dark": "Meters without power.",
        "last_gasps": "Last gasps of meters that lost their power.",
        "power_ups": "Meters that said that they have power again.",
        "updated": "Meters that said that they have another firmware.",
        "tampered": "Meters that said that they were tampered with.",
        "answers": "Attributes that were answered and written into the ledger.",
        "pushes": "Pushes that were begun.",
        "pushes_under_way": "Meters whose pushes were begun and are not over.",
        "pushes_delivered": "Pushes that got through.",
        "pushes_given_up": "Pushes that were given up.",
    }
)
_PRESENT: Final = frozenset(
    {"meters", "misbehaving", "connections", "visited", "ready", "changed", "dark", "pushes_under_way"}
)
"""What may fall again; all else only grows."""


def metrics(state: FleetState, now: datetime) -> str:
    """Return what a fleet is doing at a virtual time, as text."""
    shown = [family("cosem_fleet_virtual_time_seconds", "The virtual time.", [({}, now.timestamp())])]
    for each in fields(state):
        is_present = each.name in _PRESENT
        name = f"cosem_fleet_{each.name}{'' if is_present else '_total'}"
        number = getattr(state, each.name)
        shown.append(family(name, _MEANINGS[each.name], [({}, number)], kind="gauge" if is_present else "counter"))
    return "".join(shown)
