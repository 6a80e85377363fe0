"""A meter: its logical devices, the clock and the power they share, and what it keeps of itself."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from cosem.errors import ConfigurationError, LocalProtocolError
from cosem.meter.agenda import SYNCHRONIZATION
from cosem.meter.associations import OPEN_ASSOCIATION, AssociationDescription, Counters, KeyKeeper
from cosem.meter.behaviour.clock import Preset
from cosem.meter.events import MeterEvent
from cosem.meter.faults import WELL_BEHAVED, DriftingClock, Faults
from cosem.meter.lockout import DEFAULT_LIMITS, Lockout, LockoutLimits
from cosem.meter.logical_device import MANAGEMENT, C, LogicalDevice
from cosem.meter.power import Power
from cosem.meter.provoked import Provoked
from cosem.meter.pushing import Pushes
from cosem.protocol.association.counter import CounterStore
from cosem.protocol.association.security import Protection
from cosem.protocol.crypto.gcm import TITLE_OCTETS
from cosem.protocol.link.hdlc import MOST, Parameters
from cosem.protocol.model.classes.push import PushSetup
from cosem.protocol.model.han import HanRule
from cosem.protocol.model.reference import AttributeRef
from cosem.protocol.profile.communication import Station

if TYPE_CHECKING:
    from cosem.meter.limits import MeterLimits
    from cosem.meter.local import LocalPort
    from cosem.protocol.profile.session import ServerSession

_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)

MOST_SHIFTS: Final = 64
"""How many settings of its clock a meter remembers, to know what was measured before."""


def system_clock() -> datetime:
    """Return the time of this computer."""
    return datetime.now(UTC)


class Era(NamedTuple):
    """A time in which the clock went on undisturbed, and by how much it was set then.

    It is from behind `since`, None where that is not known, until `until`, as the clock showed it, in UTC.
    """

    since: datetime | None
    until: datetime
    shift: timedelta


class Keeper(Protocol):
    """What keeps the state of a meter over restarts."""

    def keep(self) -> None:
        """Make durable what has changed. Raises ConfigurationError."""
        ...

    def note(self) -> None:
        """Look at what there is before a client changes something."""
        ...

    def take_back(self) -> None:
        """Let what a client has changed be as it was noted, since it could not be made durable."""
        ...

    def close(self) -> None:
        """Keep what has changed, and let go of where it is kept."""
        ...


class Meter:
    """A physical device: the management logical device at SAP 1, perhaps others, and one clock.

    Args:
        name: the logical device name of the management logical device, 1 to 16 ASCII characters, beginning with the
            three letters of its manufacturer.
        zone: where its clock is.
        clock: the true time, aware; that of this computer unless given.
        system_title: 8 octets; made of the name unless given.
        counters: keeps invocation counters over restarts; needed for keys that live longer than the process.
        lockout: after how many failures to authenticate whom is locked out for how long.
        key_keeper: keeps what clients change in associations; without, none with lasting keys can be changed.
        entropy: gives the asked number of unpredictable octets, for key pairs that the meter makes.
        faults: what it does wrong, for testing clients.
    """

    __slots__ = (
        *("_clock", "_counters", "_lockout", "_lockout_limits", "_power", "_provoked", "_pushes", "_shift"),
        *("_shifts", "_store", "_then"),
        *(
            "chance",
            "clock_invalid",
            "customer_ports",
            "devices",
            "entropy",
            "faults",
            "has_outages",
            "key_keeper",
            "limits",
            "local_port",
            "memory",
            "offers",
            "preset",
            "sessions",
            "system_title",
            "zone",
        ),
    )

    def __init__(
        self,
        name: str,
        *,
        zone: tzinfo = UTC,
        clock: Callable[[], datetime] = system_clock,
        system_title: bytes | None = None,
        counters: CounterStore | None = None,
        lockout: LockoutLimits = DEFAULT_LIMITS,
        key_keeper: KeyKeeper | None = None,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
        faults: Faults = WELL_BEHAVED,
    ) -> None:
        self.zone = zone
        self.faults = faults
        self.chance = faults.chance() if faults.of_line else None
        self.key_keeper = key_keeper
        self.entropy = entropy
        self._clock = faults.clock(clock)
        self._shift = timedelta()
        self._shifts: tuple[tuple[datetime, timedelta], ...] = ()
        self._then: timedelta | None = None
        self._store = counters
        self._counters: Counters | None = None
        self._lockout: Lockout | None = None
        self._pushes: Pushes | None = None
        self._provoked: Provoked | None = None
        self._power: Power | None = None
        self.has_outages = False
        """Whether its power may go."""
        self.clock_invalid: datetime | None = None
        self._lockout_limits = lockout
        self.memory: Keeper | None = None
        self.limits: MeterLimits | None = None
        """What whoever serves it lets clients use, unless told otherwise."""
        self.local_port: LocalPort | None = None
        """How it behaves at its local port, unless whoever serves it says otherwise."""
        self.preset: Preset | None = None
        self.offers = 0
        """How often what its logical devices offer has changed."""
        self.sessions: tuple[ServerSession, ...] = ()
        """The connections that clients have to it at present."""
        self.customer_ports: tuple[HanRule, ...] = ()
        self.devices = {MANAGEMENT: LogicalDevice(self, MANAGEMENT, name)}
        self.system_title = _title(name) if system_title is None else bytes(system_title)
        if len(self.system_title) != TITLE_OCTETS:
            raise ConfigurationError(f"a system title has {TITLE_OCTETS} octets, not {len(self.system_title)}")

    @property
    def name(self) -> str:
        """The logical device name of the management logical device."""
        return self.management.name

    @property
    def management(self) -> LogicalDevice:
        """The management logical device."""
        return self.devices[MANAGEMENT]

    def add(self, address: C, /, *, writable: Iterable[str] = (), base_name: int | None = None, **values: object) -> C:
        """Put an object into the management logical device (see `LogicalDevice.add`)."""
        return self.management.add(address, writable=writable, base_name=base_name, **values)

    def offer(self, *descriptions: AssociationDescription) -> None:
        """Offer associations with the management logical device (see `LogicalDevice.offer`)."""
        self.management.offer(*descriptions)

    def add_device(self, sap: int, name: str) -> LogicalDevice:
        """Add a logical device; ConfigurationError when the SAP is taken or no device can have it."""
        if not MANAGEMENT < sap < 0x3FFF or sap == 0x7F:
            raise ConfigurationError(f"SAP {sap}: logical devices have the SAPs 2 to 16382 without 127")
        if sap in self.devices:
            raise ConfigurationError(f"SAP {sap} is taken by {self.devices[sap].name}")
        device = self.devices[sap] = LogicalDevice(self, sap, name)
        return device

    def value(self, reference: AttributeRef[Any]) -> Any:
        """Return the present value of an attribute of the management logical device."""
        return self.management.value(reference)

    def put(self, reference: AttributeRef[Any], value: object) -> None:
        """Change an attribute of the management logical device from inside."""
        self.management.put(reference, value)

    def time(self) -> datetime:
        """Return the meter's present time, in its zone."""
        now = self._clock()
        return (now + self._shift if self._shift else now).astimezone(self.zone)

    def true_time(self) -> datetime:
        """Return what the clock would show if it had never been set, and had always gone on."""
        return self._clock().astimezone(UTC)

    def shown(self, true: datetime) -> datetime:
        """Return what the clock shows at a true time, as it is set now."""
        return (true + self._shift).astimezone(self.zone)

    def lose_time(self, at: datetime, lost: timedelta) -> None:
        """Let the clock have stood until a true time, for so long: what it shows is invalid until somebody sets it."""
        self._shift -= lost
        shown = self.shown(at)
        self._shifts = (*self._shifts, (shown.astimezone(UTC), self._shift))[-MOST_SHIFTS:]
        self._let_measure_truly()
        self.clock_invalid = shown

    @property
    def power(self) -> Power:
        """The power of this meter."""
        if self._power is None:
            self._power = Power(self)
            self.has_outages = True
        return self._power

    @property
    def powered(self) -> bool:
        """Whether it has power."""
        return self._power is None or self._power.on

    @property
    def dark(self) -> bool:
        """Whether it had no power when somebody looked last."""
        return self._power is not None and self._power.off

    def set_time(self, moment: datetime, *, relative: bool = False) -> None:
        """Set the clock; rows that were due before are captured first."""
        if moment.tzinfo is None:
            raise LocalProtocolError("a meter's clock is set to an aware time")
        self.settle()
        before = self.time()
        if not relative:
            self.clock_invalid = None
        self._shift = moment - self._clock()
        self._shifts = (*self._shifts, (moment.astimezone(UTC), self._shift))[-MOST_SHIFTS:]
        self._let_measure_truly()
        for device in self.devices.values():
            device.restart(before)

    @property
    def last_setting(self) -> timedelta:
        """By how much the clock was moved when it was set last."""
        before = self._shifts[-2][1] if len(self._shifts) > 1 else timedelta()
        return self._shift - before

    def true_time_of(self, shown: datetime) -> datetime:
        """Return the true time at which the clock shows a time, or did last, as far as its settings are known, in UTC.

        While it is `seen_in` an era, the one at which it did so then.
        """
        time = shown.astimezone(UTC)  # an hour that comes twice is two hours
        if self._then is not None:
            return time - self._then
        shift = next((shift for since, shift in reversed(self._shifts) if since <= time), None)
        return time - (self._first_shift if shift is None else shift)

    @property
    def was_set(self) -> bool:
        """Whether the clock was ever set, or stood."""
        return bool(self._shifts)

    def eras(self, now: datetime) -> Iterator[Era]:
        """Give the times between settings of the clock, which shows `now`, the last one first.

        Where it was only put right, one begins where the clock had got before: nothing is jumped over, and nothing is
        twice. Then it may have ended before it began.
        """
        found: list[Era] = []
        begin, reached, shift = None, _BEGINNING, self._first_shift
        for since, following in self._shifts:
            ended = since - following + shift
            found.append(Era(begin, ended, shift))
            stood = self._power is not None and any(up == since - following for _, up in self._power.failures)
            right = abs(since - ended) <= SYNCHRONIZATION and not stood
            reached = max(reached, ended) if right else _BEGINNING
            begin, shift = reached if right else since, following
        found.append(Era(begin, now.astimezone(UTC), shift))
        return reversed(found)

    @contextmanager
    def seen_in(self, era: Era) -> Generator[None, None, None]:
        """Take times that the clock showed for those of an era: what it showed twice was at two true times."""
        then, self._then = self._then, era.shift
        try:
            yield
        finally:
            self._then = then

    @property
    def _first_shift(self) -> timedelta:
        """By how much the clock was set before all settings that are known."""
        if not self._shifts:
            return self._shift
        return timedelta() if len(self._shifts) < MOST_SHIFTS else self._shifts[0][1]

    def _let_measure_truly(self) -> None:
        for device in self.devices.values():
            device.measure_truly()

    def shown_then(self, true: datetime) -> datetime:
        """Return what the clock showed, or will show, at a true time, as far as its settings are known."""
        shift = next((shift for since, shift in reversed(self._shifts) if since - shift <= true), None)
        return true + (self._first_shift if shift is None else shift)

    def settle(self) -> None:
        """Do and capture what was due until now in all logical devices."""
        for device in self.devices.values():
            device.settle()

    @property
    def untouched(self) -> bool:
        """Whether nothing was written to it since it was made of shared objects, and its clock never set or preset."""
        if self.preset is not None or (self._shifts and any(shift for _, shift in self._shifts)):
            return False
        return not self._shift and all(device.untouched for device in self.devices.values())

    @property
    def described(self) -> bool:
        """Whether any association was described."""
        return any(device.offers for device in self.devices.values())

    @property
    def demonstration(self) -> bool:
        """Whether any association uses keys that everybody knows."""
        offered = chain.from_iterable(device.associations for device in self.devices.values())
        return any(association.keys is not None and association.keys.demonstration for association in offered)

    @property
    def notices(self) -> tuple[str, ...]:
        """What whoever starts the meter should be told."""
        said: list[str] = []
        if not self.described:
            said.append(
                f"meter {self.name} has no described associations: client {OPEN_ASSOCIATION.client} "
                "reads everything without authentication, and writes nothing"
            )
        if self.demonstration:
            said.append(f"meter {self.name} uses demo keys, which everybody knows")
        offered = list(chain.from_iterable(device.associations for device in self.devices.values()))
        said += [
            f"client {each.client} proves itself, and then nothing is protected: whoever is on the line can take over"
            for each in offered
            if each.mechanism.challenges and each.protection is Protection.NONE
        ]
        said += self.counters.alarms({each.keys for each in offered if each.keys is not None}, self.system_title)
        return tuple(said)

    @property
    def counters(self) -> Counters:
        """The invocation counters of this meter."""
        if self._counters is None:
            self._counters = Counters(self._store, self.faults.counter_back)
        return self._counters

    @property
    def pushes(self) -> Pushes:
        """What this meter has to push."""
        if self._pushes is None:
            self._pushes = Pushes(self)
        return self._pushes

    @property
    def has_pushes(self) -> bool:
        """Whether anything of this meter can push."""
        return self._pushes is not None or any(
            item.class_id == PushSetup.class_id for device in self.devices.values() for item in device.items()
        )

    def noted(self, device: LogicalDevice, event: MeterEvent, time: datetime) -> None:
        """Begin the pushes that an event in a logical device sets off."""
        if self._pushes is not None:
            self._pushes.noted(device, event, time)

    def authentication_failed(self, peer: str, client: int, server: int, now: float) -> None:
        """Count and note that a client failed to authenticate, and that this locks it out, if it does.

        `now` is in seconds of the clock of the lock-out, and `server` the SAP, of no logical device on a local port.
        """
        lockout = self.lockout
        was_locked = lockout.locked(peer, client, server, now)
        locked = lockout.failed(peer, client, server, now)
        self.provoked(server, MeterEvent.AUTHENTICATION_FAILED)
        if locked and not was_locked:
            self.provoked(server, MeterEvent.LOCKED_OUT)

    def provoked(self, sap: int, event: MeterEvent) -> None:
        """Note what anybody can make happen to a logical device, as often as `cosem.meter.provoked` has it."""
        device = self.devices.get(sap, self.management)
        if self._provoked is None:
            self._provoked = Provoked()
        if self._provoked.counts(device.sap, event, self.true_time()):
            device.note(event)

    @property
    def suspects(self) -> bool:
        """Whether anybody has failed to authenticate, and may be locked out."""
        return self._lockout is not None and bool(self._lockout)

    @property
    def lockout(self) -> Lockout:
        """Who is locked out."""
        if self._lockout is None:
            self._lockout = Lockout(self._lockout_limits)
        return self._lockout

    @lockout.setter
    def lockout(self, lockout: Lockout) -> None:
        self._lockout = lockout

    def station(self, physical: int | None = None, parameters: Parameters = MOST) -> Station:
        """Return the addresses of the meter, and what it agrees to on HDLC."""
        return Station(frozenset(self.devices), physical, parameters)

    def keep(self) -> None:
        """Make durable what must not be forgotten. Raises ConfigurationError where that cannot be done."""
        if self._counters is not None:
            self._counters.keep()
        self.keep_state()

    def keep_state(self) -> None:
        """The same of its state alone, where something keeps it."""
        if self.memory is not None:
            self.memory.keep()

    @property
    def drift(self) -> DriftingClock | None:
        """Its clock, where that drifts."""
        return self._clock if isinstance(self._clock, DriftingClock) else None

    @property
    def settings(self) -> tuple[timedelta, tuple[tuple[datetime, timedelta], ...]]:
        """By how much the clock was set, and when it was so by how much."""
        return self._shift, self._shifts

    def recall_settings(self, shift: timedelta, shifts: tuple[tuple[datetime, timedelta], ...]) -> None:
        """Have the clock set as it was before a restart."""
        self._shift, self._shifts = shift, shifts
        if shifts:
            self._let_measure_truly()

    def __repr__(self) -> str:
        return f"Meter({self.name!r})"


def _title(name: str) -> bytes:
    """Return a system title: the manufacturer's three letters, and the number in the name or a digest of it."""
    digits = re.sub(r"\D", "", name[3:])
    number = int(digits or 0)
    if 0 < number < 1 << 40:
        tail = number.to_bytes(5, "big")
    else:
        tail = hashlib.blake2b(name.encode(), digest_size=5).digest()
    return name[:3].upper().ljust(3, "X").encode() + tail
