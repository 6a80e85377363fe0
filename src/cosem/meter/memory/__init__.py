"""The memory of a meter: its state outlives the process, and what a client was told was done is there afterwards.

    meter = describe.load("meter.toml")
    remember(meter, open_state(Path("meter.state")))

What is kept: attributes that are no longer as described, what objects count, capture and have under way, how far the
clock was set and which time is preset, up to when everything due was done, pushes, whether there is power, who is
locked out, and what clients changed in their associations. What was due while the meter was off is made up for as if
it had run, as far as `LONGEST_SILENCE` goes; then it notes that it has power. A push that was under way counts as an
attempt that failed. Of keys that die with the process nothing is kept, unless they were drawn by chance and are kept
from the first start on (`Memory.keep_drawn`). Invocation counters have stores of their own.
"""

from __future__ import annotations

import json
import warnings
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cosem.errors import ConfigurationError, CosemError, IncompleteWarning
from cosem.meter.associations import AssociationDescription
from cosem.meter.behaviour.registers import Counted, SinceReset, counted
from cosem.meter.demo import Household, SteadyHousehold
from cosem.meter.device import Meter
from cosem.meter.events import MeterEvent
from cosem.meter.item import FromSource, Item
from cosem.meter.logical_device import LogicalDevice
from cosem.meter.memory import states
from cosem.meter.memory.drawn import Drawn, SigningKeys
from cosem.meter.memory.plain import plain, value_of
from cosem.meter.profile_status import ProfileStatus
from cosem.protocol.values.obis import Obis
from cosem.store.state import StateStore

VERSION: Final = 1

_ABOUT: Final = "about"
_CLOCK: Final = "clock"
_PRESET: Final = "preset"
_LOCKOUT: Final = "lockout"
_POWER: Final = "power"
_PUSHES: Final = "pushes"
_DRIFT: Final = "drift"
_INVALID: Final = "clock invalid"
_ASSOCIATION: Final = "association"
_DRAWN: Final = "drawn"
_TAKEN_BACK: Final = frozenset({_CLOCK, _PRESET, "agenda", "marks", "noted"})
"""Kinds of what a client may change, beside values and states of objects."""

_OF_STATE: Final = 3
"""Words in the name of a state; those of a part of a journal have its number behind."""

_NOTHING: Final = object()


def remember(meter: Meter, store: StateStore) -> Memory:
    """Let a meter, described whole, go on from its state in a store, and keep it there from now on.

    Raises ConfigurationError where the state is damaged or that of another meter, or cannot be kept.
    """
    memory = Memory(meter, store)
    memory.begin()
    return memory


@dataclass(slots=True)
class _Journaled:
    """How much of a journal is kept: in parts, each with its first number and the one behind its last."""

    of: object
    parts: deque[tuple[int, int]] = field(default_factory=deque[tuple[int, int]])


class Memory:
    """Keeps the state of one meter. `forgotten` are the names of what is kept and the description has no more."""

    def __init__(self, meter: Meter, store: StateStore) -> None:
        self._meter = meter
        self._store = store
        self._described: dict[str, object] = {}
        self._seen: dict[str, object] = {}
        self._journals: dict[str, _Journaled] = {}
        self._kept: set[str] = set()
        self._changes: dict[str, bytes | None] = {}
        self._drawn: dict[str, Drawn] = {}
        self._states: dict[str, object] = {}
        self._before: dict[str, bytes | None] = {}
        self._pushed: frozenset[tuple[int, Obis]] = frozenset()
        self.forgotten: tuple[str, ...] = ()

    def begin(self) -> None:
        """Take up the state that is kept, if any, and keep it from now on."""
        meter = self._meter
        for device in meter.devices.values():
            device.unshare()
        self._described = {name: held for name, _, held in self._values()}
        self._states = {name: item.state for name, item in self._items()}
        kept = self._store.load()
        self._kept = set(kept)
        if kept:
            self._recall({name: _value(name, octets) for name, octets in kept.items()})
        meter.memory = self
        meter.key_keeper = _Associations(self)
        if kept and meter.powered:
            meter.settle()
            for device in meter.devices.values():
                device.note(MeterEvent.POWER_UP)
        self.keep()

    def keep(self) -> None:
        """Make durable what has changed. Raises ConfigurationError; the next time it is tried again."""
        self._look()
        self._commit()

    def note(self) -> None:
        """Look at what has changed so far, so that what changes from now on can be taken back alone."""
        self._look()
        self._before = dict(self._changes)
        self._pushed = self._meter.pushes.running if self._meter.has_pushes else frozenset()

    def take_back(self) -> None:
        """Let everything be as it was when it was noted, since what has changed was not made durable.

        Who is locked out and whether there is power stay as they are, and are to be kept all the same.
        """
        known = {**self._store.load(), **self._before}
        since = {name for name, octets in self._changes.items() if known.get(name) != octets}
        changes, self._changes = self._changes, dict(self._before)
        names = {name if not name.startswith("state ") else " ".join(name.split()[:_OF_STATE]) for name in since}
        for name in sorted(names):
            kind = name.split()[0]
            if kind == "value":
                self._take_back_value(name, known.get(name))
            elif kind == "state":
                self._take_back_state(name, known)
            elif kind in _TAKEN_BACK:
                self._recall_one(name, _value(name, known.get(name) or b"null"), [])
                self._seen.pop(name, None)
            elif kind != _PUSHES:
                self._changes[name] = changes[name]
        if self._meter.has_pushes:
            self._meter.pushes.end_all_but(self._pushed)
        with suppress(ConfigurationError):  # lest one of two copies keeps what was refused
            self._write()

    def _take_back_value(self, name: str, octets: bytes | None) -> None:
        self._seen.pop(name, None)
        _, sap, instance, index = name.split()
        item = self._meter.devices[int(sap)].objects.find(Obis(instance))
        assert item is not None
        if name in self._described:
            item.values[int(index)] = self._described[name]
        else:
            item.values.pop(int(index), None)
        if octets is not None:
            self._recall_one(name, _value(name, octets), [])

    def _take_back_state(self, name: str, known: Mapping[str, bytes | None]) -> None:
        parts = {
            int(each.rpartition(" ")[2]): _value(each, octets)
            for each, octets in known.items()
            if each.startswith(f"{name} ") and octets is not None
        }
        octets = known.get(name)
        if octets is not None:
            self._recall_one(name, _value(name, octets), [parts[number] for number in sorted(parts)])
        else:
            _, sap, instance = name.split()
            item = self._meter.devices[int(sap)].objects.find(Obis(instance))
            assert item is not None
            item.state = self._states[name]
        # It is numbered anew, and so written anew.
        self._seen.pop(name, None)
        self._journals.pop(name, None)
        self._changes.update({f"{name} {number}": None for number in parts})

    def _look(self) -> None:
        for name, value in self._small():
            if self._seen.get(name, _NOTHING) != value:
                self._put(name, value)
                self._seen[name] = value
        for name, _, held in self._values():
            if held is not self._seen.get(name, self._described.get(name)):
                self._put_value(name, held)
                self._seen[name] = held
        for name, item in self._items():
            self._keep_state(name, item)

    def close(self) -> None:
        """Keep what has changed, and let go of the store."""
        try:
            self._meter.keep()
        finally:
            self._meter.memory = self._meter.key_keeper = None
            self._store.close()

    def keep_association(self, device: str, association: AssociationDescription) -> None:
        """Make durable what a client may change in an association; where that fails, nothing is to have changed."""
        name = f"{_ASSOCIATION} {device} {association.client}"
        before = self._changes.get(name, _NOTHING)
        self._put(name, states.of_association(association))
        try:
            self._commit()
        except ConfigurationError:
            if before is _NOTHING:
                del self._changes[name]
            else:
                self._changes[name] = before if isinstance(before, bytes) else None
            raise

    def keep_drawn(self, client: int, signing: SigningKeys | None = None) -> SigningKeys | None:
        """Let the secrets that were drawn for a client at this start be those of the first start; return what signs.

        The keys and the secret in all its associations are kept, and `signing`. What a client has changed since stays.
        Raises ConfigurationError where they cannot be kept or must not be, or those kept are of another security suite.
        """
        for device in self._meter.devices.values():
            offered = device.association(client)
            if offered is None or not device.offers:
                continue
            name = f"{_DRAWN} {device.sap} {client}"
            known = self._drawn.get(name, Drawn())
            kept = self._drawn[name] = known.before(Drawn.of(self._meter, offered, signing))
            if kept != known:
                self._put(name, kept)
            changed = f"{_ASSOCIATION} {device.name} {client}" in self._kept
            device.offer_instead(client, kept.given_to(offered, changed=changed))
            signing = kept.signing
        self._commit()
        return signing

    # -- keeping ------------------------------------------------------------------------------------------------------

    def _commit(self) -> None:
        if self._changes:
            self._write()

    def _write(self) -> None:
        self._store.commit(self._changes)
        self._kept -= {name for name, octets in self._changes.items() if octets is None}
        self._kept |= {name for name, octets in self._changes.items() if octets is not None}
        self._changes = {}

    def _small(self) -> Iterator[tuple[str, Any]]:
        meter = self._meter
        yield _ABOUT, (VERSION, meter.name)
        yield _CLOCK, meter.settings
        yield _PRESET, meter.preset
        yield _LOCKOUT, meter.lockout.kept
        yield _INVALID, meter.clock_invalid
        if meter.drift is not None:
            yield _DRIFT, meter.drift.begun
        if meter.has_pushes:
            yield _PUSHES, meter.pushes.kept
        if meter.has_outages:
            yield _POWER, meter.power.kept
        for device in meter.devices.values():
            yield f"agenda {device.sap}", device.agenda.reached
            marks = tuple(each.marks for each in device.listeners if isinstance(each, ProfileStatus))
            if marks:
                yield f"marks {device.sap}", marks
            if isinstance(device.source, Household | SteadyHousehold) and device.source.noted:
                yield f"noted {device.sap}", device.source.noted

    def _keep_state(self, name: str, item: Item) -> None:
        found = states.kept(item)
        if found is None:
            if self._seen.pop(name, None) is not None or name in self._kept:
                self._changes[name] = None
                self._drop(name, self._journals.pop(name, None))
            return
        value = (type(item.state).__name__, found.value)
        if self._seen.get(name, _NOTHING) != value:
            self._put(name, value)
            self._seen[name] = value
        if found.journal is not None:
            self._keep_journal(name, found.journal)

    def _keep_journal(self, name: str, journal: states.Journal) -> None:
        known = self._journals.get(name)
        if known is None or known.of is not journal.of:  # another one altogether, as of an image after another
            self._drop(name, known)
            known = self._journals[name] = _Journaled(journal.of)
        while known.parts and known.parts[0][1] <= journal.first:
            self._changes[f"{name} {known.parts.popleft()[0]}"] = None
        begin = max(journal.first, known.parts[-1][1] if known.parts else journal.first)
        if journal.end > begin:
            self._put(f"{name} {begin}", journal.part(begin, journal.end))
            known.parts.append((begin, journal.end))

    def _drop(self, name: str, journal: _Journaled | None) -> None:
        if journal is not None:
            self._changes.update({f"{name} {begin}": None for begin, _ in journal.parts})

    def _put_value(self, name: str, held: object) -> None:
        told = None if held is self._described.get(name) else _told(held)
        if told is not None:
            self._put(name, told)
        elif name in self._kept or name in self._changes:
            self._changes[name] = None

    def _put(self, name: str, value: Any) -> None:
        self._changes[name] = json.dumps(plain(value), separators=(",", ":")).encode()

    # -- recalling ----------------------------------------------------------------------------------------------------

    def _recall(self, found: dict[str, Any]) -> None:
        whose, told = self._meter.name, str(found.get(_ABOUT))
        if told != str((VERSION, whose)):
            raise ConfigurationError(f"this state is of {told} (version and meter), the meter is {(VERSION, whose)}")
        journals: defaultdict[str, list[tuple[int, Any]]] = defaultdict(list)
        for name in [name for name in found if name.startswith("state ") and len(name.split()) > _OF_STATE]:
            base, _, number = name.rpartition(" ")
            journals[base].append((int(number), found.pop(name)))
        forgotten: list[str] = []
        for name, value in found.items():
            parts = sorted(journals.pop(name, []), key=_first)
            try:
                known = self._recall_one(name, value, [each for _, each in parts])
            except (CosemError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
                raise ConfigurationError(f"{name}: what is kept is not understood: {error}") from error
            if not known:
                forgotten.append(name)
            elif parts:
                self._recall_journal(name, parts)
        self.forgotten = (*forgotten, *journals)
        if self.forgotten:
            several = f"{self.forgotten[0]!r} and {len(self.forgotten) - 1} others"
            warnings.warn(
                f"{whose}: the description has nothing any more for {several} of its state, which is kept all the same",
                IncompleteWarning,
                stacklevel=4,
            )

    def _recall_journal(self, name: str, parts: list[tuple[int, Any]]) -> None:
        """Go on with the journal as it is numbered now: what it has is kept by its old numbers, and so written anew."""
        self._changes.update({f"{name} {at}": None for at, _ in parts})

    def _recall_one(self, name: str, value: Any, parts: list[Any]) -> bool:
        """Give one thing its state; False where there is no such thing any more."""
        meter, (kind, *place) = self._meter, name.split()
        if name == _CLOCK:
            meter.recall_settings(*value)
        elif kind == _PRESET:
            meter.preset = value
        elif kind == _LOCKOUT:
            meter.lockout.recall(value)
        elif name == _INVALID:
            meter.clock_invalid = value
        elif kind == _DRIFT:
            if meter.drift is None:
                return False
            meter.drift.begun = value
        elif kind == _PUSHES:
            meter.pushes.recall(value)
        elif kind == _POWER:
            meter.power.recall(*value)
        elif kind == _DRAWN:
            self._drawn[name] = value
        elif kind == _ASSOCIATION:
            whose, _, client = name.removeprefix(f"{_ASSOCIATION} ").rpartition(" ")
            return self._recall_association(whose, int(client), value)
        elif kind != _ABOUT:
            device = meter.devices.get(int(place[0]))
            return device is not None and self._recall_in(device, kind, place[1:], value, parts)
        return True

    def _recall_in(self, device: LogicalDevice, kind: str, place: list[str], value: Any, parts: list[Any]) -> bool:
        if kind == "agenda":
            device.agenda.recall(*value)
            return True
        if kind == "marks":
            statuses = [each for each in device.listeners if isinstance(each, ProfileStatus)]
            for status, marks in zip(statuses, value, strict=False):
                status.marks = marks
            return len(statuses) == len(value)
        if kind == "noted":
            if isinstance(device.source, Household | SteadyHousehold):
                device.source.noted = value or ()
            return isinstance(device.source, Household | SteadyHousehold)
        item = device.objects.find(Obis(place[0]))
        if item is None:
            return False
        if kind == "state":
            return states.recall(device, item, value[0], value[1], parts)
        index = int(place[1])
        known = _recall_value(item, index, value)
        if known:
            self._seen[_value_name(device, item, index)] = item.values[index]
        return known

    def _recall_association(self, name: str, client: int, value: Any) -> bool:
        for device in self._meter.devices.values():
            offered = device.association(client)
            if device.name == name and offered is not None and device.offers:
                device.offer_instead(client, states.association_of(offered, value))
                return True
        return False

    # -- what there is ------------------------------------------------------------------------------------------------

    def _items(self) -> Iterator[tuple[str, Item]]:
        for device in self._meter.devices.values():
            for item in device.objects:
                yield f"state {device.sap} {item.instance}", item

    def _values(self) -> Iterator[tuple[str, Item, object]]:
        for device in self._meter.devices.values():
            for item in device.objects:
                for index, held in item.values.items():
                    yield _value_name(device, item, index), item, held


class _Associations:
    """Lets what clients change in associations go to the memory."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def keep(self, device: str, association: AssociationDescription) -> None:
        self._memory.keep_association(device, association)


def _value_name(device: LogicalDevice, item: Item, index: int) -> str:
    return f"value {device.sap} {item.instance} {index}"


def _told(held: object) -> dict[str, Any] | None:
    """Return what is kept of the value of an attribute; None where the description has all of it."""
    if isinstance(held, FromSource) and isinstance(held.ask, Counted):
        return {"counted": held.ask.stretches}
    if isinstance(held, SinceReset):
        return {"reset": held.since}
    return None if callable(held) or isinstance(held, FromSource) else {"held": held}


def _recall_value(item: Item, index: int, told: dict[str, Any]) -> bool:
    if "held" in told:
        item.values[index] = told["held"]
        return True
    present = item.values.get(index)
    if "reset" in told and isinstance(present, SinceReset):
        item.values[index] = replace(present, since=told["reset"])
        return True
    counting = counted(item)
    if "counted" in told and counting is not None:
        item.values[index] = FromSource(replace(counting, stretches=told["counted"]))
        return True
    return False


def _value(name: str, octets: bytes) -> Any:
    try:
        return value_of(json.loads(octets))
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{name}: {error}") from error


def _first(part: tuple[int, Any]) -> int:
    return part[0]
