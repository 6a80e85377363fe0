"""Registers that are reset, and the masks that say which of them count (IEC 62056-6-2, classes 3, 4 and 6).

What a register holds may be asked for (a callable): then it goes on from zero after a reset, and stands still while a
register activation has it among its registers but not in its active mask. That goes by the true time, and so no setting
of the clock turns it. A value that is given once and for all is set
to zero by a reset. What it was at earlier times is remembered over the last `MOST_STRETCHES` changes. What is measured
is not for a client to erase: scripts run `reset`, a client only where the description has it in `writable`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Protocol, cast, runtime_checkable

from cosem.errors import CosemError
from cosem.meter.item import Asked, Behaviour, FromSource, Item, Refusal, Timed, Visit, answered, never
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.model.classes.data_storage import (
    ExtendedRegister,
    ObjectDefinition,
    Register,
    RegisterActivation,
    RegisterActivationMask,
)
from cosem.protocol.values.data import Data, Number, OctetString
from cosem.protocol.values.dates import DateTime

MOST_STRETCHES: Final = 256
"""How many changes between counting and standing still, and resets, a register remembers."""

MOST_REGISTERS: Final = 64
"""Registers that one register activation has at most."""

MOST_MASKS: Final = 64
"""Masks that one register activation has at most."""

_VALUE: Final = Register.value.index
_CAPTURE_TIME: Final = ExtendedRegister.capture_time.index
_REGISTERS: Final = RegisterActivation.register_assignment
_MASKS: Final = RegisterActivation.mask_list
_ACTIVE: Final = RegisterActivation.active_mask
_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Stretch:
    """From a true time on: what was asked and what was counted then, and whether it counts."""

    since: datetime
    asked: Any
    total: Any
    counts: bool


@dataclass(frozen=True, slots=True)
class Counted:
    """What a register has counted of what is asked, with the device's source and the local time.

    Until it was reset or switched for the first time it holds what `before` says, where that is given. `true` turns
    what the clock shows into the true time.
    """

    of: FromSource | Asked
    stretches: tuple[Stretch, ...] = (Stretch(_BEGINNING, 0, 0, True),)
    before: FromSource | Asked | None = None
    true: Callable[[datetime], datetime] | None = None

    def __call__(self, source: Any, time: datetime) -> Any:
        """Return what the register holds at a time, of the type of what is asked."""
        true = time if self.true is None else self.true(time)
        stretch = next((each for each in reversed(self.stretches) if each.since <= true), None)
        if self.before is not None and stretch is not None and stretch.since == _BEGINNING:
            return self.before.ask(source, time) if isinstance(self.before, FromSource) else self.before(time)
        asked = cast("Any", self.of.ask(source, time) if isinstance(self.of, FromSource) else self.of(time))
        if stretch is None:
            return type(asked)(self.stretches[0].total)
        value = stretch.total + (asked - stretch.asked if stretch.counts else 0)
        # What is asked of the clock alone runs back with it, further than an unsigned value can.
        return type(asked)(max(value, asked.LOW) if isinstance(asked, Number) else value)

    def changed(self, visit: Visit, counts: bool | None = None, total: Any = None) -> Counted:
        """Return what counts, or does not, from the time of a visit on, going on from a total."""
        asked = cast("Any", answered(self.of, visit))
        present = self(visit.device.source, visit.time) if total is None else total
        true = visit.device.meter.true_time_of
        since = true(visit.time)
        stretch = Stretch(since, asked, present, self.stretches[-1].counts if counts is None else counts)
        return replace(self, stretches=(*self.stretches, stretch)[-MOST_STRETCHES:], true=true)

    @property
    def switched(self) -> bool | None:
        """Whether it counts at present; None where nobody has said so yet."""
        return None if self.before is not None and len(self.stretches) == 1 else self.stretches[-1].counts


@dataclass(frozen=True, slots=True)
class SinceReset:
    """What is asked with the true time of the last reset, in UTC, None before the first one, and the local time."""

    of: Callable[[datetime | None, datetime], object]
    since: datetime | None = None

    def __call__(self, time: datetime) -> object:
        """Return the value at a time."""
        return self.of(self.since, time)


@runtime_checkable
class InTariff(Protocol):
    """What is asked of a source and is one tariff's share of a whole, which is what it counts once it is switched."""

    @property
    def whole(self) -> FromSource | None: ...


def counted(item: Item) -> Counted | None:
    """Return what a register counts; None when its value is given once and for all."""
    held = item.values.get(_VALUE)
    if isinstance(held, FromSource):
        if isinstance(held.ask, Counted):
            return held.ask
        if isinstance(held.ask, InTariff) and held.ask.whole is not None:
            return Counted(held.ask.whole, before=held)
    return Counted(held) if callable(held) or isinstance(held, FromSource) else None


def _reset(visit: Visit, item: Item, _: Data) -> Data:
    """Set the value to zero, which stands for the default value."""
    own = visit.device.owned(item)
    if _begin_anew(visit, own, _VALUE):
        return None
    present = cast("Any", own.read(visit, _VALUE))
    if isinstance(present, bool) or not isinstance(present, int | float):
        raise Refusal(DataAccessResult.OTHER_REASON)
    counting = counted(own)
    own.values[_VALUE] = type(present)(0) if counting is None else FromSource(counting.changed(visit, total=0))
    return None


def _reset_extended(visit: Visit, item: Item, argument: Data) -> Data:
    """As of a register; the time of the reset is the capture time."""
    _reset(visit, item, argument)
    own = visit.device.owned(item)
    if not _begin_anew(visit, own, _CAPTURE_TIME):
        own.values[_CAPTURE_TIME] = OctetString(DateTime.from_datetime(visit.time).octets)
    return None


def _begin_anew(visit: Visit, own: Item, index: int) -> bool:
    """Tell whether a value is asked since the last reset, which is now then."""
    held = own.values.get(index)
    if not isinstance(held, SinceReset):
        return False
    own.values[index] = replace(held, since=visit.device.meter.true_time_of(visit.time))
    return True


# -- which registers count ---------------------------------------------------------------------------------------------


def _switch(visit: Visit, item: Item) -> None:
    """Let the registers of the active mask count, and the other registers of the assignment stand still."""
    registers = _REGISTERS.shape.decode(item.read(visit, _REGISTERS.index))
    active = item.read(visit, _ACTIVE.index)
    mask = next((each for each in _masks(visit, item) if each.mask_name == active), None)
    places = frozenset[int]() if mask is None else frozenset(mask.index_list)
    for place, register in enumerate(registers, 1):
        _let_count(visit, register, place in places)


def _let_count(visit: Visit, register: ObjectDefinition, counts: bool) -> None:
    found = visit.device.find(register.logical_name)
    if found is None or found.class_id not in (Register.class_id, ExtendedRegister.class_id):
        return
    counting = counted(found)
    if counting is None or counting.switched is counts:
        return
    try:
        visit.device.owned(found).values[_VALUE] = FromSource(counting.changed(visit, counts))
    except (CosemError, TypeError) as error:  # what is asked for is no number, or there is none now
        raise Refusal(DataAccessResult.HARDWARE_FAULT) from error


def _masks(visit: Visit, item: Item) -> tuple[RegisterActivationMask, ...]:
    return tuple(_MASKS.shape.decode(item.read(visit, _MASKS.index)))


def _keep_masks(visit: Visit, item: Item, masks: Iterable[RegisterActivationMask]) -> None:
    own = visit.device.owned(item)
    own.values[_MASKS.index] = _MASKS.shape.encode(cast("tuple[()]", tuple(masks)))
    _switch(visit, own)


def _add_register(visit: Visit, item: Item, argument: Data) -> Data:
    added = RegisterActivation.add_register.argument.decode(argument)
    registers = tuple(_REGISTERS.shape.decode(item.read(visit, _REGISTERS.index)))
    if len(registers) >= MOST_REGISTERS:
        raise Refusal(DataAccessResult.OTHER_REASON)
    own = visit.device.owned(item)
    own.values[_REGISTERS.index] = _REGISTERS.shape.encode(cast("tuple[()]", (*registers, added)))
    _switch(visit, own)
    return None


def _add_mask(visit: Visit, item: Item, argument: Data) -> Data:
    """Add a mask; one of the same name goes."""
    added = RegisterActivation.add_mask.argument.decode(argument)
    others = [each for each in _masks(visit, item) if each.mask_name != added.mask_name]
    if len(others) >= MOST_MASKS:
        raise Refusal(DataAccessResult.OTHER_REASON)
    _keep_masks(visit, item, (*others, added))
    return None


def _delete_mask(visit: Visit, item: Item, argument: Data) -> Data:
    masks = _masks(visit, item)
    left = [each for each in masks if each.mask_name != argument]
    if len(left) == len(masks):
        raise Refusal(DataAccessResult.OBJECT_UNDEFINED)
    _keep_masks(visit, item, left)
    return None


def _adopt(item: Item, _: dict[int, object]) -> None:
    """Begin without registers and masks, where the description says nothing else."""
    item.values.setdefault(_REGISTERS.index, _REGISTERS.shape.encode(()))
    item.values.setdefault(_MASKS.index, _MASKS.shape.encode(()))
    item.values.setdefault(_ACTIVE.index, OctetString(b""))


def _nothing(_: Visit, __: Item) -> None:
    """Only what a client or a script writes switches."""


REGISTER: Final = Behaviour(own_methods={Register.reset.index: _reset})
EXTENDED_REGISTER: Final = Behaviour(own_methods={ExtendedRegister.reset.index: _reset_extended})
ACTIVATION: Final = Behaviour(
    methods={1: _add_register, 2: _add_mask, 3: _delete_mask},
    written=dict.fromkeys((_REGISTERS.index, _MASKS.index, _ACTIVE.index), _switch),
    adopt=_adopt,
    timed=Timed(never, _nothing, begin=_switch),
)
