"""The pushes of one meter: when each is due, what goes out, and what became of it. It does no I/O and has no clock.

    meter.settle()                              # what was due may begin pushes
    meter.pushes.tick(meter.time())
    for attempt in meter.pushes.outgoing():     # send each, then tell what came of it
        meter.pushes.delivered(attempt, meter.time())
    meter.pushes.deadline()                     # when to look again

A push begins in a communication window, put off by chance within the randomisation interval. What it carries is read
when it is tried first, and stays the same when it is tried again. What is begun while a push waits for its first
attempt is that push; what is begun later follows it when it has ended. A last gasp goes at once and is not tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeAlias

from cosem.errors import ConfigurationError, CosemError
from cosem.meter import saving
from cosem.meter.behaviour import push_setup
from cosem.meter.behaviour.push_setup import PushPlan
from cosem.meter.events import MeterEvent
from cosem.meter.item import Item, Visit
from cosem.protocol.apdu.notification import DataNotification
from cosem.protocol.association.security import Protection, SecurityContext
from cosem.protocol.model.classes.push import PushSetupVersion2, SendDestinationAndMethod, TransportService
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.data import Data, OctetString
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis

if TYPE_CHECKING:
    from cosem.meter.associations import AssociationDescription
    from cosem.meter.device import Meter
    from cosem.meter.logical_device import LogicalDevice

PUSH_SETUP: Final = 40

USUAL_CLIENT: Final = 16
"""For whom a push is where neither its setup nor the description says it, nor an association is pre-established."""

LAST_GASPS: Final = frozenset({MeterEvent.POWER_DOWN})
"""After these there is no time to lose, nor any for a second attempt."""

_CONFIRMED: Final = 1 << 30
_INVOKE_ID: Final = (1 << 24) - 1
_CHANCE_OCTETS: Final = 4
_LAST_CONFIRMATION: Final = PushSetupVersion2.last_confirmation_date_time.index

_TRANSPORTS: Final[Mapping[TransportService, tuple[str, str]]] = {
    TransportService.TCP: ("wrapper", "tcp"),
    TransportService.UDP: ("wrapper", "udp"),
    TransportService.HDLC: ("hdlc", "tcp"),
}
"""Framing and medium by transport service; there is no other here."""


class Stage(Enum):
    """How far a push is."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PushAttempt:
    """One attempt to push: `number` counts from 1, `place` has the SAPs between which is pushed.

    With `confirmed` it is delivered when a DataNotificationConfirm with its invoke-id has come.
    """

    sap: int
    instance: Obis
    number: int
    place: ConnectionUrl
    notification: DataNotification
    security: SecurityContext | None = field(repr=False)
    confirmed: bool


@dataclass(frozen=True, slots=True)
class PushEnded:
    """A push that is over after so many attempts, and why it was not delivered."""

    sap: int
    instance: Obis
    delivered: bool
    attempts: int
    reason: str = ""


Carried: TypeAlias = tuple[int, bytes, Data]
"""The invoke-id, the time and the body of a push that was tried."""

KeptPush: TypeAlias = tuple[int, Obis, datetime, int, bool, Carried | None]
"""The SAP and the name of a push setup, when its push is due, after how many attempts, and whether another follows."""


@dataclass(slots=True)
class _Push:
    device: LogicalDevice
    item: Item
    plan: PushPlan
    due: datetime
    stage: Stage = Stage.WAITING
    attempts: int = 0
    again: bool = False
    attempt: PushAttempt | None = None
    last_gasp: bool = False
    carried: Carried | None = None


class Pushes:
    """What one meter has to push; `wake` is called when a push has begun, so that whoever waits looks again."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._running: dict[tuple[int, Obis], _Push] = {}
        self._clients: dict[tuple[int, Obis], int] = {}
        self._triggers: dict[tuple[int, Obis], frozenset[MeterEvent]] = {}
        self._ready: list[_Push] = []
        self._events: list[PushEnded] = []
        self._rests_until = datetime.min.replace(tzinfo=UTC)
        self._invoke_id = int.from_bytes(meter.entropy(_CHANCE_OCTETS), "big") & _INVOKE_ID
        self.wake: Callable[[], None] | None = None

    # -- describing ---------------------------------------------------------------------------------------------------

    def describe(
        self, device: LogicalDevice, instance: Obis, *, client: int | None = None, on: Iterable[MeterEvent] = ()
    ) -> None:
        """Say for which client a push setup pushes, under whose keys, and what happens that makes it push.

        Raises ConfigurationError when there is no such object, or the client has no association.
        """
        item = device.find(instance)
        if item is None or item.class_id != PUSH_SETUP:
            raise ConfigurationError(f"{instance}: there is no push setup here; describe it first")
        if client is not None:
            if device.association(client) is None:
                raise ConfigurationError(f"client {client} has no association whose keys could protect a push")
            self._clients[device.sap, instance] = client
        on = self._triggers[device.sap, instance] = frozenset(on)
        if not saving.EVENTS.isdisjoint(on):
            saving.tell(device, item)
        if MeterEvent.POWER_UP in on:  # which it has just got
            self.begin(device, item, self._meter.time())

    def noted(self, device: LogicalDevice, event: MeterEvent, time: datetime) -> None:
        """Begin what an event makes push."""
        for (sap, instance), on in self._triggers.items():
            item = device.find(instance) if sap == device.sap and event in on else None
            if item is not None:
                self.begin(device, item, time, at_once=event in LAST_GASPS)

    # -- pushing ------------------------------------------------------------------------------------------------------

    def begin(self, device: LogicalDevice, item: Item, time: datetime, *, at_once: bool = False) -> bool:
        """Begin a push at a time; `at_once` goes without delay, without windows and without a second attempt.

        Return whether it is a push of its own, now or after the one that runs.
        """
        key = device.sap, item.instance
        running = self._running.get(key)
        if running is not None and not at_once:
            follows = running.attempts > 0 and not running.again
            running.again |= follows
            return follows
        plan = push_setup.plan(Visit(device, time), item)
        if at_once:
            plan = replace(plan, windows=(), randomisation=0, retries=0)
        due = self._first(plan, time)
        if due is None:
            self._events.append(PushEnded(*key, False, 0, "no communication window opens"))
            return True
        self._running[key] = _Push(device, item, plan, due, last_gasp=at_once)
        if self.wake is not None:
            self.wake()
        return True

    def end(self, device: LogicalDevice, item: Item) -> None:
        """End the push that runs, if any; an attempt that is under way is its last."""
        self._running.pop((device.sap, item.instance), None)

    def end_all_but(self, running: Container[tuple[int, Obis]]) -> None:
        """End every push that is not of these setups, for it should not have begun."""
        self._running = {key: push for key, push in self._running.items() if key in running}

    def lose(self, *, but_last_gasps: bool = False) -> int:
        """Forget every push that runs, as a meter does that has lost its power, or all but those that tell so.

        Return how many those were, with those that were to follow them: so many have ended.
        """
        kept = {key: push for key, push in self._running.items() if but_last_gasps and push.last_gasp}
        lost = [
            PushEnded(*key, False, attempts, "the power went")
            for key, push in self._running.items()
            if key not in kept
            for attempts in (push.attempts, *(0,) * push.again)
        ]
        self._running = kept
        self._ready = [push for push in self._ready if any(push is each for each in kept.values())]
        self._events += lost
        return len(lost)

    def rest(self, until: datetime) -> None:
        """Push nothing until a time; what is due before waits for it."""
        self._rests_until = until.astimezone(UTC)

    @property
    def running(self) -> frozenset[tuple[int, Obis]]:
        """The push setups that push, each by the SAP of its logical device and its logical name."""
        return frozenset(self._running)

    @property
    def kept(self) -> tuple[KeptPush, ...]:
        """What runs, as far as it goes on after a restart: with what is carried, where that was read already."""
        return tuple(
            (sap, instance, _next(push), push.attempts, push.again, _carried(push))
            for (sap, instance), push in self._running.items()
            if not push.last_gasp
        )

    def recall(self, kept: Iterable[KeptPush]) -> None:
        """Go on with the pushes of before a restart; one that was under way counts as an attempt that failed."""
        self.end_all_but(())
        for sap, instance, due, attempts, again, carried in kept:
            device = self._meter.devices.get(sap)
            item = None if device is None else device.find(instance)
            if device is None or item is None or item.class_id != PUSH_SETUP:
                continue
            plan = push_setup.plan(Visit(device, self._meter.time()), item)
            stage = Stage.FAILED if attempts else Stage.WAITING
            push = _Push(device, item, plan, due, stage, attempts, again, carried=carried)
            if attempts > plan.retries:
                self._over(push, False, "the meter was restarted")
            else:
                self._running[sap, instance] = push

    def deadline(self) -> datetime | None:
        """Return when `tick` must be called at the latest, in UTC, or None."""
        due = min((push.due for push in self._running.values() if push.stage is not Stage.SENT), default=None)
        return None if due is None else max(due, self._rests_until)

    def tick(self, now: datetime) -> None:
        """Let time pass: what is due, and may go now, is put behind what waits to be sent."""
        now = now.astimezone(UTC)
        if now < self._rests_until:
            return
        for push in [each for each in self._running.values() if each.stage is not Stage.SENT and each.due <= now]:
            opening = push.plan.opening(now, self._meter.zone)
            if opening is None:
                self._over(push, False, "no communication window opens")
            elif opening > now:
                push.due = opening + (timedelta() if push.attempts else self._random(push.plan))
            else:
                push.stage = Stage.SENT
                self._ready.append(push)

    def outgoing(self) -> tuple[PushAttempt, ...]:
        """Drain the attempts that are due; after each `delivered` or `failed` must be told."""
        ready, self._ready = self._ready, []
        return tuple(attempt for push in ready if (attempt := self._attempt(push)) is not None)

    def delivered(self, attempt: PushAttempt, now: datetime) -> None:
        """Take note that an attempt got through, or was confirmed where that is asked for."""
        push = self._of(attempt)
        if push is None:
            return
        if attempt.confirmed:
            moment = OctetString(DateTime.from_datetime(now.astimezone(self._meter.zone)).octets)
            push.device.owned(push.item).values[_LAST_CONFIRMATION] = moment
        self._over(push, True, "", now)

    def failed(self, attempt: PushAttempt, now: datetime, reason: str = "") -> None:
        """Take note that an attempt did not get through; it is tried again if the setup says so."""
        push = self._of(attempt)
        if push is None:
            return
        if push.attempts > push.plan.retries:
            self._over(push, False, reason, now)
        else:
            push.stage, push.due = Stage.FAILED, now.astimezone(UTC) + push.plan.wait(push.attempts)

    def refused(self, attempt: PushAttempt, now: datetime, reason: str) -> None:
        """Take note that an attempt may not be made here, and no other either."""
        push = self._of(attempt)
        if push is not None:
            self._over(push, False, reason, now)

    def events(self) -> tuple[PushEnded, ...]:
        """Drain what has ended."""
        drained, self._events = self._events, []
        return tuple(drained)

    def spoken(self, device: LogicalDevice, item: Item) -> tuple[DataNotification, SecurityContext | None, int]:
        """Return what a push setup would push now, what protects it, and for which client: for a port that speaks."""
        push = _Push(device, item, push_setup.plan(Visit(device, self._meter.time()), item), self._meter.time())
        client = self._client(push)
        return self._notification(push), _security(device.association(client), self._meter, device.sap), client

    # -- how that is done ---------------------------------------------------------------------------------------------

    def _first(self, plan: PushPlan, time: datetime) -> datetime | None:
        opening = plan.opening(time, self._meter.zone)
        return None if opening is None else opening.astimezone(UTC) + self._random(plan)

    def _random(self, plan: PushPlan) -> timedelta:
        chance = int.from_bytes(self._meter.entropy(_CHANCE_OCTETS), "big") if plan.randomisation else 0
        return timedelta(seconds=plan.randomisation * chance / (1 << 8 * _CHANCE_OCTETS))

    def _of(self, attempt: PushAttempt) -> _Push | None:
        push = self._running.get((attempt.sap, attempt.instance))
        return push if push is not None and push.attempt is attempt else None

    def _attempt(self, push: _Push) -> PushAttempt | None:
        if self._running.get((push.device.sap, push.item.instance)) is not push:
            return None  # it was ended meanwhile
        push.attempts += 1
        if push.attempt is not None:
            push.attempt = replace(push.attempt, number=push.attempts)
            return push.attempt
        try:
            push.attempt = self._built(push)
        except CosemError as error:
            push.attempts = 0
            self._over(push, False, str(error))
        return push.attempt

    def _built(self, push: _Push) -> PushAttempt:
        """Return the first attempt; CosemError when nothing can be sent as the setup says."""
        device, plan = push.device, push.plan
        if plan.protected:
            raise ConfigurationError("push_protection_parameters: data protection is not made here, see the manual")
        if plan.destination is None or not plan.encoded:
            raise ConfigurationError("send_destination_and_method: only data encoded as A-XDR is sent")
        client = self._client(push)
        place = replace(_place(plan.destination), client=client, server=device.sap)
        notification = self._notification(push) if push.carried is None else DataNotification(*push.carried)
        security = _security(device.association(client), self._meter, device.sap)
        number = push.attempts
        return PushAttempt(device.sap, push.item.instance, number, place, notification, security, plan.confirmed)

    def _notification(self, push: _Push) -> DataNotification:
        now = self._meter.time()
        self._invoke_id = (self._invoke_id + 1) & _INVOKE_ID
        return DataNotification(
            self._invoke_id | (_CONFIRMED if push.plan.confirmed else 0),
            DateTime.from_datetime(now).octets,
            push_setup.body(Visit(push.device, now), push.item),
        )

    def _client(self, push: _Push) -> int:
        described = self._clients.get((push.device.sap, push.item.instance))
        if described is not None:
            return described
        if push.plan.client:
            return push.plan.client
        offered = push.device.associations
        return next((each.client for each in offered if each.pre_established), USUAL_CLIENT)

    def _over(self, push: _Push, delivered: bool, reason: str, now: datetime | None = None) -> None:
        key = push.device.sap, push.item.instance
        self._running.pop(key, None)
        self._events.append(PushEnded(*key, delivered, push.attempts, reason))
        if push.again:
            self.begin(push.device, push.item, self._meter.time() if now is None else now)


def _next(push: _Push) -> datetime:
    """Return when it is tried next, if what is under way fails."""
    return push.due + push.plan.wait(push.attempts) if push.stage is Stage.SENT and push.attempts else push.due


def _carried(push: _Push) -> Carried | None:
    if push.attempt is None:
        return push.carried
    notification = push.attempt.notification
    return int(notification.long_invoke_id_and_priority), bytes(notification.date_time), notification.body


def _place(destination: SendDestinationAndMethod) -> ConnectionUrl:
    """Return the place that a destination `host:port` means."""
    way = _TRANSPORTS.get(destination.transport_service)
    if way is None:
        can = ", ".join(each.name for each in _TRANSPORTS)
        raise ConfigurationError(f"transport service {destination.transport_service.name}: there is {can} here")
    try:
        where = bytes(destination.destination).decode("ascii")
    except UnicodeDecodeError:
        where = ""
    if not where or any(mark in where for mark in "/?#"):
        raise ConfigurationError("destination: expected the host and the port, such as 127.0.0.1:4059")
    return ConnectionUrl.parse(f"{'+'.join(way)}://{where}")


def _security(association: AssociationDescription | None, meter: Meter, sap: int) -> SecurityContext | None:
    """Return what protects pushes to the client of an association as the association is protected, if it is."""
    if association is None or association.protection is Protection.NONE:
        return None
    return association.push_security(meter.system_title, meter.counters, sap)
