"""How the meters of a fleet push, and the push setup objects that say so in each of them.

One pushes on time. For what happens there is another one, whose list has the code of the last event behind name and
clock, so that who listens can tell a last gasp from a power-up and from a push on time. A meter of a companion or
a description that notes in several logs has one for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final, cast

from cosem.errors import ConfigurationError
from cosem.fleet.scenario import span_of
from cosem.meter.behaviour.profile_generic import Profile
from cosem.meter.events import MeterEvent
from cosem.meter.objects import Objects
from cosem.protocol.model import Clock, Data, PushSetup
from cosem.protocol.model.classes.push import MessageType, PushOperationMethod, TransportService
from cosem.protocol.model.companion import Notes
from cosem.protocol.model.gathered import Gathered
from cosem.protocol.model.reference import AttributeRef
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.model.table import Table
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.obis import Obis

SETUP: Final = Obis("0.0.25.9.0.255")
"""The push setup of each meter that pushes on time."""

LAST_EVENT: Final = Obis("0.0.96.11.0.255")
"""The code of the last event of a meter that is of no companion."""

_FIRST: Final = 4
"""Value group B of the first push setup for what happens, as that for alarms of IDIS meters has it."""

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
        if self.to.port == 0:
            raise ConfigurationError("to: port 0 is nobody's: say where somebody listens")
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

    def add_to(self, objects: Objects, notes: Sequence[Notes] | None = None) -> None:
        """Put the push setups into the objects of a meter, one that notes events in its own way or is of a kind."""
        pushed = _pushed(objects)
        self._add(objects, SETUP, pushed)
        for instance, code in ((_setup(place), code) for place, code in enumerate(_codes(notes))):
            self._add(objects, instance, [*pushed[:2], _column(Data(code).value), *pushed[2:]])

    def _add(self, objects: Objects, instance: Obis, pushed: list[CaptureObject]) -> None:
        if instance in objects:
            return
        method = PushOperationMethod.CONFIRMED if self.confirmed else PushOperationMethod.UNCONFIRMED_RETRY_ON_FAILURE
        objects.add(
            PushSetup(instance),
            push_object_list=[(*_four(each), (0, None), ()) for each in pushed],
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


def setups(notes: Sequence[Notes] | None = None) -> tuple[Obis, ...]:
    """Return all push setups of such a meter."""
    return SETUP, *(_setup(place) for place in range(len(_codes(notes))))


def setup_for(event: MeterEvent | None, notes: Sequence[Notes] | None = None) -> Obis:
    """Return the push setup for an event, or for a push on time; where a meter has no code for it, that too."""
    if event is None:
        return SETUP
    if notes is None:
        return _setup(0)
    code = next((each.code for each in notes if event.value in each.events), None)
    return SETUP if code is None else _setup(_codes(notes).index(code))


def _setup(place: int) -> Obis:
    return Obis.of(0, _FIRST + place, 25, 9, 0)


def _codes(notes: Sequence[Notes] | None) -> list[Obis]:
    """Return the objects that have the codes of what makes a meter push."""
    if notes is None:
        return [LAST_EVENT]
    said = {each.value for each in SAID}
    return sorted({each.code for each in notes if said & each.events.keys()})


SAID: Final = frozenset(
    {MeterEvent.POWER_DOWN, MeterEvent.POWER_UP, MeterEvent.IMAGE_ACTIVATED, MeterEvent.COVER_OPENED}
)
"""What makes a meter of a fleet push beside its time."""


def _pushed(objects: Objects) -> list[CaptureObject]:
    """Return what is pushed: name, clock, and what profiles capture on time."""
    name, clock = Data("0.0.42.0.0.255").value, Clock().time
    found = [_column(each) for each in (name, clock)]
    for item in objects.profiles:
        profile = cast("Profile", item.state)
        if profile.period:
            found += [column for column in profile.columns if column not in found]
    return found


def _column(reference: AttributeRef[Any]) -> CaptureObject:
    return CaptureObject(reference.class_id, reference.instance, reference.index, 0)


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
