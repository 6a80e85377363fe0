"""How the meters of a fleet push, and the push setup object that says so in each of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final, cast

from cosem.errors import ConfigurationError
from cosem.fleet.gathered import Gathered
from cosem.fleet.scenario import span_of
from cosem.meter.behaviour.profile_generic import Profile
from cosem.meter.objects import Objects
from cosem.protocol.model import Clock, Data, PushSetup
from cosem.protocol.model.classes.push import MessageType, PushOperationMethod, TransportService
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.model.table import Table
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.obis import Obis

SETUP: Final = Obis("0.0.25.9.0.255")
"""The push setup of each meter that pushes."""

MOST_RETRIES: Final = 0xFF
LONGEST_WAIT: Final = 0xFFFF
LONGEST_CYCLE: Final = timedelta(days=366)

_TRANSPORTS: Final = {
    "tcp": TransportService.TCP,
    "udp": TransportService.UDP,
    "hdlc+tcp": TransportService.HDLC,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSettings:
    """Where meters push, when, and how often they try; see `cosem.fleet.pushing`. `every` 0: when something happens."""

    to: ConnectionUrl
    every: timedelta = timedelta()
    spread: timedelta = timedelta()
    retries: int = 3
    wait: int = 10
    growth: int = 200
    longest: int = 300
    confirmed: bool = False
    at_once: int = 64
    under_way: int = 10_000
    beyond_loopback: bool = False

    def __post_init__(self) -> None:
        if self.to.scheme not in _TRANSPORTS:
            raise ConfigurationError(f"to: meters push by {' or '.join(_TRANSPORTS)}, not by {self.to.scheme}")
        if not timedelta() <= self.every <= LONGEST_CYCLE or not timedelta() <= self.spread <= LONGEST_CYCLE:
            raise ConfigurationError("every, spread: expected 0 seconds to a year")
        for name, most in (
            ("retries", MOST_RETRIES),
            *((each, LONGEST_WAIT) for each in ("wait", "growth", "longest")),
        ):
            if not 0 <= getattr(self, name) <= most:
                raise ConfigurationError(f"{name}: expected 0 to {most}, not {getattr(self, name)}")
        for name in ("at_once", "under_way"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name}: expected 1 or more, not {getattr(self, name)}")

    def add_to(self, objects: Objects) -> None:
        """Put the push setup into the objects of a meter."""
        method = PushOperationMethod.CONFIRMED if self.confirmed else PushOperationMethod.UNCONFIRMED_RETRY_ON_FAILURE
        objects.add(
            PushSetup(SETUP),
            push_object_list=[(*_four(each), (0, None), ()) for each in _pushed(objects)],
            send_destination_and_method=(
                _TRANSPORTS[self.to.scheme],
                f"{self.to.host}:{self.to.port}".encode(),
                MessageType.A_XDR,
            ),
            communication_window=(),
            randomisation_start_interval=0,
            number_of_retries=self.retries,
            repetition_delay=(self.wait, self.growth, self.longest),
            push_operation_method=method,
        )


def _pushed(objects: Objects) -> list[CaptureObject]:
    """Return what is pushed: name, clock, and what profiles capture on time."""
    name, clock = Data("0.0.42.0.0.255").value, Clock().time
    found = [CaptureObject(each.class_id, each.instance, each.index, 0) for each in (name, clock)]
    for item in objects.profiles:
        profile = cast("Profile", item.state)
        if profile.period:
            found += [column for column in profile.columns if column not in found]
    return found


def _four(column: CaptureObject) -> tuple[Any, ...]:
    return column.class_id, column.logical_name, column.attribute_index, column.data_index


def read(table: Table, gathered: Gathered) -> PushSettings:
    """Return what a table [push] says; what is wrong is gathered."""
    found: dict[str, Any] = {"to": gathered.take(lambda: table.converted("to", ConnectionUrl.parse))}
    for name in ("every", "spread"):
        found[name] = gathered.take(partial(span_of, table, name, 0.0))
    for name in ("retries", "wait", "growth", "longest", "at_once", "under_way"):
        if name in table:
            found[name] = gathered.take(partial(table.integer, name))
    for name in ("confirmed", "beyond_loopback"):
        found[name] = gathered.take(partial(table.boolean, name, False))
    gathered.finish(table)
    gathered.unless_faulty()
    return table.guarded(lambda: PushSettings(**found))
