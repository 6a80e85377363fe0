"""What a described meter takes from outside at most, as TOML has it.

    [limits]                # of whoever listens for it (see `ListenLimits`)
    connections = 1024
    connections_per_host = 8
    new_a_second = 2.5      # connections that a host may begin; left out, any
    burst = 32
    grace = 2.0
    known = 4096
    idle = 180.0            # seconds after which a silent datagram peer is forgotten

    [limits.connection]     # what each connection may use (see `ConnectionLimits`)
    associations = 16
    half_open = 8
    refusals = 16

    [limits.timing]         # seconds of silence, and for a proof in high level security (see `ServerTiming`)
    idle = 120.0
    proof = 10.0

    [limits.lockout]        # who guesses passwords (see `LockoutLimits`)
    attempts = 3
    first_lock = 60.0

    [limits.association]    # sizes, of each association (see `AssociationLimits`)
    reassembled = 16777216
    listed = 64

Whatever is left out stays as it is usually.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from cosem.io.aio.listening import ListenLimits
from cosem.meter.attend import ConnectionLimits
from cosem.protocol.model.table import Table
from cosem.protocol.profile.timing import ServerTiming

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")

NONE_AT_ALL: Final = frozenset({"refusals", "refused_apdus", "repeats", "known", "grace", "confirmations", "ready"})
"""Limits that may be 0; of all others there is one at least, or some time."""

_READ: Final[Mapping[str, Callable[[Table, str], float]]] = MappingProxyType(
    {"int": Table.integer, "float": Table.number}
)
"""What reads a field, by its type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterLimits:
    """What whoever serves a meter lets clients use; `timing` left out is that of the communication profile."""

    listen: ListenLimits = field(default_factory=ListenLimits)
    connection: ConnectionLimits = field(default_factory=ConnectionLimits)
    timing: ServerTiming | None = None


def limits_from(table: Table, usual: T) -> T:
    """Return limits with what a table says of them; its other keys, and tables in it, are left to others.

    Raises ConfigurationError for what is no number, or less than can be.
    """
    given: dict[str, Any] = {}
    for each in fields(usual):
        read = _READ.get(str(each.type).partition(" |")[0])
        if read is not None and each.name in table:
            given[each.name] = _checked(table, each.name, read(table, each.name))

    def made() -> T:
        return replace(usual, **given)

    return table.guarded(made)


def inner(table: Table, key: str, usual: T) -> T:
    """The same of a table inside of another one, which has no other keys."""
    if key not in table:
        return usual
    within = table.table(key)
    found = limits_from(within, usual)
    within.finish()
    return found


def _checked(table: Table, name: str, value: float) -> float:
    least = 0 if name in NONE_AT_ALL else 1 if isinstance(value, int) else None
    if not (value > 0 if least is None else value >= least):
        expected = "more than 0" if least is None else f"{least} or more"
        raise table.refusal(name, f"expected {expected}, not {value}")
    return value
