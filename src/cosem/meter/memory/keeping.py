"""Keeping the state of one meter: what has changed is made durable, or undone where it cannot be."""

from __future__ import annotations

import json
import warnings
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from cosem.errors import ConfigurationError, IncompleteWarning, StateInDoubt
from cosem.meter.associations import AssociationDescription
from cosem.meter.demo import Household, SteadyHousehold
from cosem.meter.device import Meter
from cosem.meter.events import MeterEvent
from cosem.meter.item import Item
from cosem.meter.memory import names, states, values
from cosem.meter.memory.drawn import Drawn, SigningKeys
from cosem.meter.memory.plain import plain
from cosem.meter.memory.recalling import Recall
from cosem.meter.profile_status import ProfileStatus
from cosem.protocol.values.obis import Obis
from cosem.store.state import StateStore

VERSION: Final = 1

_TAKEN_BACK: Final = frozenset({names.CLOCK, names.PRESET, names.AGENDA, names.MARKS, names.NOTED})
"""Kinds of what a client may change, beside values and states of objects."""

_NOTHING: Final = object()


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
        self._recall = Recall(meter, self._seen)
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
            self._take_up({name: values.understood(name, octets) for name, octets in kept.items()})
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

        Who is locked out and whether there is power stay as they are, and are to be kept all the same. Raises
        StateInDoubt where what was undone may be found after a restart all the same.
        """
        known = {**self._store.load(), **self._before}
        since = {name for name, octets in self._changes.items() if known.get(name) != octets}
        changes, self._changes = self._changes, dict(self._before)
        undone = {
            name if not name.startswith(f"{names.STATE} ") else " ".join(name.split()[: names.OF_STATE])
            for name in since
        }
        for name in sorted(undone, reverse=True):  # values before states: of what a state is, they may tell
            kind = name.split()[0]
            if kind == names.VALUE:
                self._take_back_value(name, known.get(name))
            elif kind == names.STATE:
                self._take_back_state(name, known)
            elif kind in _TAKEN_BACK:
                self._recall.one(name, values.understood(name, known.get(name) or b"null"), [])
                self._seen.pop(name, None)
            elif kind != names.PUSHES:
                self._changes[name] = changes[name]
        if self._meter.has_pushes:
            self._meter.pushes.end_all_but(self._pushed)
        self._clean()

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
            self._recall.one(name, values.understood(name, octets), [])
        elif item.behaviour.recalled is not None:
            item.behaviour.recalled(item)

    def _take_back_state(self, name: str, known: Mapping[str, bytes | None]) -> None:
        parts = {
            int(each.rpartition(" ")[2]): values.understood(each, octets)
            for each, octets in known.items()
            if each.startswith(f"{name} ") and octets is not None
        }
        octets = known.get(name)
        if octets is not None:
            self._recall.one(name, values.understood(name, octets), [parts[number] for number in sorted(parts)])
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

    def abandon(self) -> None:
        """Let go of the store as if it had never been opened: what was not there then is there no more."""
        self._meter.memory = self._meter.key_keeper = None
        self._store.abandon()

    def keep_association(self, device: str, association: AssociationDescription) -> None:
        """Make durable what a client may change in an association; where that fails, nothing is to have changed.

        Raises ConfigurationError, and StateInDoubt where it may be found after a restart all the same.
        """
        name = f"{names.ASSOCIATION} {device} {association.client}"
        before = self._changes.get(name, _NOTHING)
        self._put(name, states.of_association(association))
        try:
            self._commit()
        except (ConfigurationError, StateInDoubt) as problem:
            if before is _NOTHING:
                del self._changes[name]
            else:
                self._changes[name] = before if isinstance(before, bytes) else None
            self._clean()
            raise ConfigurationError(str(problem)) from problem

    def keep_drawn(self, client: int, signing: SigningKeys | None = None) -> SigningKeys | None:
        """Let the secrets that were drawn for a client at this start be those of the first start; return what signs.

        The keys and the secret in all its associations are kept, and `signing`. What a client has changed since stays.
        Raises ConfigurationError where they cannot be kept or must not be, or those kept are of another security suite.
        """
        for device in self._meter.devices.values():
            offered = device.association(client)
            if offered is None or not device.offers:
                continue
            name = f"{names.DRAWN} {device.sap} {client}"
            known = self._recall.drawn.get(name, Drawn())
            kept = self._recall.drawn[name] = known.before(Drawn.of(self._meter, offered, signing))
            if kept != known:
                self._put(name, kept)
            changed = f"{names.ASSOCIATION} {device.name} {client}" in self._kept
            device.offer_instead(client, kept.given_to(offered, changed=changed))
            signing = kept.signing
        self._commit()
        return signing

    # -- keeping ------------------------------------------------------------------------------------------------------

    def _commit(self) -> None:
        if self._changes:
            self._write()

    def _clean(self) -> None:
        """Keep what is to be kept beside what was refused; StateInDoubt where that may be kept all the same."""
        with suppress(ConfigurationError):
            self._write()

    def _write(self) -> None:
        self._store.commit(self._changes)
        self._kept -= {name for name, octets in self._changes.items() if octets is None}
        self._kept |= {name for name, octets in self._changes.items() if octets is not None}
        self._changes = {}

    def _small(self) -> Iterator[tuple[str, Any]]:
        meter = self._meter
        yield names.ABOUT, (VERSION, meter.name)
        yield names.CLOCK, meter.settings
        yield names.PRESET, meter.preset
        yield names.LOCKOUT, meter.lockout.kept
        yield names.INVALID, meter.clock_invalid
        if meter.drift is not None:
            yield names.DRIFT, meter.drift.begun
        if meter.has_pushes:
            yield names.PUSHES, meter.pushes.kept
        if meter.has_outages:
            yield names.POWER, meter.power.kept
        for device in meter.devices.values():
            yield f"{names.AGENDA} {device.sap}", device.agenda.reached
            marks = tuple(each.marks for each in device.listeners if isinstance(each, ProfileStatus))
            if marks:
                yield f"{names.MARKS} {device.sap}", marks
            if isinstance(device.source, Household | SteadyHousehold) and device.source.noted:
                yield f"{names.NOTED} {device.sap}", device.source.noted

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
        told = None if held is self._described.get(name) else values.told(held)
        if told is not None:
            self._put(name, told)
        elif name in self._kept or name in self._changes:
            self._changes[name] = None

    def _put(self, name: str, value: Any) -> None:
        self._changes[name] = json.dumps(plain(value), separators=(",", ":")).encode()

    # -- recalling ----------------------------------------------------------------------------------------------------

    def _take_up(self, found: dict[str, Any]) -> None:
        whose, told = self._meter.name, str(found.get(names.ABOUT))
        if told != str((VERSION, whose)):
            raise ConfigurationError(f"this state is of {told} (version and meter), the meter is {(VERSION, whose)}")
        self.forgotten, renumbered = self._recall.all(found)
        self._changes.update(dict.fromkeys(renumbered))
        if self.forgotten:
            several = f"{self.forgotten[0]!r} and {len(self.forgotten) - 1} others"
            warnings.warn(
                f"{whose}: the description has nothing any more for {several} of its state, which is kept all the same",
                IncompleteWarning,
                stacklevel=4,
            )

    # -- what there is ------------------------------------------------------------------------------------------------

    def _items(self) -> Iterator[tuple[str, Item]]:
        for device in self._meter.devices.values():
            for item in device.objects:
                yield names.of_state(device, item), item

    def _values(self) -> Iterator[tuple[str, Item, object]]:
        for device in self._meter.devices.values():
            for item in device.objects:
                for index, held in item.values.items():
                    yield names.of_value(device, item, index), item, held


class _Associations:
    """Lets what clients change in associations go to the memory."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def keep(self, device: str, association: AssociationDescription) -> None:
        self._memory.keep_association(device, association)
