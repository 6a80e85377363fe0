"""The legally relevant part of a meter: what is measured is written by nobody, unless it is opened and calibrated.

Registers, demands, profiles and the parameters of measurement refuse every SET and every ACTION, by whatever names, in
lists and in 62056-21, whatever their description opens. A client that manages the meter switches calibration mode on
where the cover is off and the seal is broken: it writes the mode object, of a code of the manufacturer's own, since the
standards have none for it. Then it may set registers, which go on counting from there, and run what else the meter runs
by itself, such as resets. The mode ends when it is switched off, when the cover is closed, and after a time; what
happens is an event, the mode object tells of it, and a counter how often it was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from cosem.errors import ConfigurationError
from cosem.meter.behaviour.registers import counted
from cosem.meter.events import MeterEvent
from cosem.meter.item import Behaviour, FromSource, Item, Refusal, Timed, Visit
from cosem.meter.rights import Access
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.model.classes.data_storage import Data as DataObject
from cosem.protocol.model.classes.data_storage import (
    DemandRegister,
    ExtendedRegister,
    ProfileGeneric,
    Register,
    RegisterActivation,
)
from cosem.protocol.values.data import Data, LongUnsigned, Number, Unsigned
from cosem.protocol.values.obis import Obis, ObisPattern

if TYPE_CHECKING:
    from cosem.meter.logical_device import LogicalDevice

LONGEST: Final = 3600
"""Seconds that calibration mode lasts, unless it is said otherwise."""

MEASURING: Final = frozenset({Register.class_id, ExtendedRegister.class_id, DemandRegister.class_id})
RECORDING: Final = frozenset({ProfileGeneric.class_id, RegisterActivation.class_id})

MEASURED: Final = (ObisPattern("1-9.*.1-95.*.*.*"),)
"""What is measured of any medium, by value group C."""

RECORDED: Final = (ObisPattern("1-9.*.98,99.*.*.*"), ObisPattern("1-9.*.0.1.*.*"))
"""Profiles of billing periods and of load, and what counts billing periods."""

PARAMETERS: Final = (ObisPattern("1.*.0.3,4,6,7,10,11.*.*"), ObisPattern("1-9.*.0.2.*.*"))
"""Pulse constants, ratios, methods and limits of measurement; identification of the program."""

_VALUE: Final = DataObject.value.index


@dataclass(frozen=True, slots=True)
class Calibration:
    """Whether the meter is closed, until when it is being calibrated, and how often it was."""

    cover_off: bool = False
    seal_broken: bool = False
    until: datetime | None = None
    times: int = 0


class Metrology:
    """What guards one logical device; `mode` is a Data object, and `counter` another one that counts calibrations."""

    __slots__ = ("_device", "counter", "mode", "seconds")

    def __init__(self, mode: Obis, counter: Obis | None = None, seconds: int = LONGEST) -> None:
        self.mode = mode
        self.counter = counter
        self.seconds = seconds
        self._device: LogicalDevice | None = None

    def attach(self, device: LogicalDevice) -> None:
        """Guard a device from now on; ConfigurationError where an object is missing."""
        for instance in (self.mode, self.counter):
            item = None if instance is None else device.find(instance)
            if instance is not None and (item is None or item.class_id != DataObject.class_id):
                raise ConfigurationError(f"{instance}: there is no such Data object; describe it first")
        item = device.owned(self._found(device))
        item.values.pop(_VALUE, None)
        item.state = Calibration()
        item.behaviour = Behaviour(
            reads={_VALUE: _told}, writes={_VALUE: self._switch}, timed=Timed(_following, self._end_in_time)
        )
        device.takes_time(item)
        if self.counter is not None:
            counter = device.find(self.counter)
            assert counter is not None
            device.owned(counter).values.setdefault(_VALUE, LongUnsigned(0))
        self._device = device
        device.metrology = self

    # -- the switches of the case -------------------------------------------------------------------------------------

    @property
    def calibration(self) -> Calibration:
        """How it stands."""
        state = self._found(self._attached).state
        assert isinstance(state, Calibration)
        return state

    def cover(self, *, off: bool) -> None:
        """Take the cover off, or put it on, which ends calibration mode."""
        if off is not self.calibration.cover_off:
            self._change(replace(self.calibration, cover_off=off))
            self._attached.note(MeterEvent.COVER_OPENED if off else MeterEvent.COVER_CLOSED)
            if not off:
                self._end()

    def seal(self, *, broken: bool) -> None:
        """Break the seal, or put on a new one, which ends calibration mode."""
        if broken is not self.calibration.seal_broken:
            self._change(replace(self.calibration, seal_broken=broken))
            if broken:
                self._attached.note(MeterEvent.SEAL_BROKEN)
            else:
                self._end()

    # -- what the choke point asks ------------------------------------------------------------------------------------

    def guards(self, item: Item) -> bool:
        """Tell whether an object is of what is measured, or says how."""
        if item.class_id in MEASURING:
            return _any(MEASURED, item.instance)
        if item.class_id in RECORDING:
            return _any((*MEASURED, *RECORDED), item.instance)
        return item.class_id == DataObject.class_id and _any((*RECORDED, *PARAMETERS), item.instance)

    def permits(self, visit: Visit) -> bool:
        """Tell whether a client may do to these objects what he wants: he manages the meter, and it is calibrated."""
        managing = visit.association is not None and visit.association.rights.access is Access.MANAGE
        until = self.calibration.until
        return managing and until is not None and visit.time.astimezone(UTC) < until

    def refuse(self, visit: Visit) -> None:
        """Take note of somebody who manages the meter and tried; who may not write at all is no news."""
        if visit.association is not None and visit.association.rights.access is Access.MANAGE:
            visit.device.note(MeterEvent.METROLOGY_REFUSED, visit.time)

    def write(self, visit: Visit, item: Item, index: int, value: Data) -> None:
        """Set an attribute: what counts goes on from the value."""
        own = visit.device.owned(item)
        counting = counted(own) if index == Register.value.index and item.class_id in MEASURING else None
        if counting is None:
            own.values[index] = value
        elif isinstance(value, Number):
            own.values[index] = FromSource(counting.changed(visit, total=int(value)))
        else:
            raise Refusal(DataAccessResult.TYPE_UNMATCHED)

    # -- calibration mode ---------------------------------------------------------------------------------------------

    def _switch(self, visit: Visit, item: Item, value: Data) -> None:
        if not isinstance(value, Unsigned) or value not in (0, 1):
            raise Refusal(DataAccessResult.TYPE_UNMATCHED)
        state = self.calibration
        if not value:
            self._end()
            return
        if not (state.cover_off and state.seal_broken):
            self.refuse(visit)
            raise Refusal(DataAccessResult.READ_WRITE_DENIED)
        begins = state.until is None
        until = visit.time.astimezone(UTC) + timedelta(seconds=self.seconds)
        self._change(replace(state, until=until, times=state.times + begins))
        if begins:
            self._count()
            visit.device.note(MeterEvent.CALIBRATION_BEGUN, visit.time)

    def _end_in_time(self, visit: Visit, _: Item) -> None:
        self._end(visit.time)

    def _end(self, time: datetime | None = None) -> None:
        if self.calibration.until is not None:
            self._change(replace(self.calibration, until=None))
            self._attached.note(MeterEvent.CALIBRATION_ENDED, time)

    def _count(self) -> None:
        counter = None if self.counter is None else self._attached.find(self.counter)
        held: Any = None if counter is None else counter.values.get(_VALUE)
        if counter is not None and isinstance(held, Number):
            self._attached.owned(counter).values[_VALUE] = type(held)(min(held + 1, held.HIGH))

    def _change(self, state: Calibration) -> None:
        self._attached.owned(self._found(self._attached)).state = state

    @property
    def _attached(self) -> LogicalDevice:
        assert self._device is not None, "attach it first"
        return self._device

    def _found(self, device: LogicalDevice) -> Item:
        item = device.find(self.mode)
        assert item is not None  # looked for when it was attached
        return item


def _told(_: Visit, item: Item) -> Data:
    return Unsigned(item.state.until is not None)


def _following(_: Visit, item: Item, until: datetime) -> datetime | None:
    """Return when calibration mode ends."""
    ends: datetime | None = item.state.until
    return ends if ends is not None and ends <= until else None


def _any(patterns: tuple[ObisPattern, ...], instance: Obis) -> bool:
    return any(each.matches(instance) for each in patterns)
