"""Which objects of a meter show which figures of a load, by their OBIS codes; what a description gives stays as it is.

Demand registers and their last averages and maxima come from the growth of the same energy that registers show. A load
goes on evenly when the clock of the meter is set. While the main breaker or valve of a device is open, energy and
volume stand still, and power, current and flow are zero; voltage stays.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final, cast

from cosem.errors import ConfigurationError
from cosem.meter import behaviour as behaviours
from cosem.meter.behaviour.demand import DEFAULT_PERIOD, Growth
from cosem.meter.behaviour.disconnect_control import Openings
from cosem.meter.behaviour.registers import Counted, SinceReset
from cosem.meter.device import Meter
from cosem.meter.item import FromSource, Item
from cosem.meter.loads import KINDS, Load, Measured, electricity, figure, measured
from cosem.meter.loads.codes import AVERAGE, LAST_AVERAGE, MAXIMUM, energy_of, figure_of
from cosem.meter.loads.course import Moment
from cosem.meter.loads.demand import Blocks
from cosem.meter.loads.figures import Stretches
from cosem.meter.loads.supply import Supply
from cosem.meter.logical_device import LogicalDevice
from cosem.meter.objects import held
from cosem.protocol.model.classes.data_storage import Data as DataObject
from cosem.protocol.model.classes.data_storage import (
    DemandRegister,
    ExtendedRegister,
    Register,
    RegisterActivation,
    ScalerUnit,
)
from cosem.protocol.model.classes.time_and_event import DisconnectControl
from cosem.protocol.values.data import Number, OctetString
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit

REGISTERS: Final = (Register.class_id, ExtendedRegister.class_id, DemandRegister.class_id)
ACTIVE_TARIFF: Final = Obis("0.0.96.14.0.255")

_VALUE: Final = Register.value.index
_SCALER_UNIT: Final = Register.scaler_unit.index
_CAPTURE_TIME: Final = ExtendedRegister.capture_time.index
_STATUS: Final = ExtendedRegister.status.index
_PERIOD: Final = DemandRegister.period.index
_ASSIGNED: Final = RegisterActivation.register_assignment
_MASK: Final = RegisterActivation.active_mask.index


class MeteredLoad(Load):
    """A load that goes on as the true time does, whatever the clock of its meter is set to.

    While the main breaker of `device` is open nothing of it flows; with `channel` it is the valve of a sub-meter there.
    """

    __slots__ = ("_channel", "_device", "_meter", "_openings", "_supply")

    def __init__(self, number: int, meter: Meter, device: LogicalDevice | None = None, channel: int = 0) -> None:
        super().__init__(number, meter.zone)
        self._channel = channel
        self._meter = meter
        self._device = device
        self._openings: Openings | None = None
        self._supply: Supply | None = None

    def seconds(self, time: datetime) -> float:
        """Return how long it has counted when the meter's clock shows a time."""
        return super().seconds(self._meter.true_time_of(time))

    @property
    def dark(self) -> Stretches:
        """From when to when nothing flowed, in the seconds that it counts: without power, or behind an open breaker."""
        begin, supply = self.begin, self.supplied()
        failures = self._meter.power.failures if self._meter.has_outages else ()
        failed = [((down - begin).total_seconds(), (up - begin).total_seconds()) for down, up in failures]
        if supply is None:
            return tuple(failed)
        found: list[tuple[float, float]] = []
        for since, until in sorted([*failed, *supply.stretches]):
            if found and since <= found[-1][1]:
                found[-1] = (found[-1][0], max(found[-1][1], until))
            else:
                found.append((since, until))
        return tuple(found)

    def moment(self, time: datetime) -> Moment:
        """Return what its figures have in common, anew each time: the clock may have been set in between."""
        supply = self.supplied()
        return Moment(self.number, self.seconds(time)) if supply is None else supply.moment(self.seconds(time))

    def supplied(self) -> Supply | None:
        """Return what flows behind its breaker; None where it has none, or none that was ever open."""
        openings = None if self._device is None else openings_of(self._device, self._channel)
        if openings is not self._openings:
            self._openings = openings
            self._supply = None if openings is None else Supply(self.number, self.begin, openings.changes)
        return self._supply if openings is not None and openings.changes else None


def openings_of(device: LogicalDevice, channel: int = 0) -> Openings | None:
    """Return when the main breaker of a device, or that of a channel, opened and closed; None where it has none."""
    found = (item for item in device.timed if item.class_id == DisconnectControl.class_id)
    return next((item.state for item in found if item.instance.octets[_CHANNEL] == channel), None)


_CHANNEL: Final = 1
"""Where value group B is: 0 for the main breaker, a channel for the valve of its sub-meter or for a single load."""


@dataclass(frozen=True, slots=True)
class Held:
    """What flows, in the type that is asked for; what is too much for it is the most that it holds."""

    of: Measured
    kind: type[Number]

    def __call__(self, time: datetime) -> Number:
        """Return the value at a time."""
        return self.kind(min(max(int(self.of(time)), self.kind.LOW), self.kind.HIGH))


def seed_of(device: LogicalDevice) -> int:
    """Return the seed of a load where none is given: it follows from the name of the device."""
    return zlib.crc32(device.name.encode())


class Feed:
    """A load of one kind, and what the objects of a meter show of it; ConfigurationError for an unknown kind.

    With `device` its main breaker is in the way of all that is of the medium of this kind, and with `channel` the valve
    of the sub-meter there.
    """

    def __init__(
        self, kind: str, seed: int, meter: Meter, device: LogicalDevice | None = None, channel: int = 0
    ) -> None:
        if kind not in KINDS:
            raise ConfigurationError(f"there is no load of kind {kind!r}, but {', '.join(KINDS)}")
        self.kind = kind
        self.load: Load = MeteredLoad(seed, meter, device, channel)
        self._beside: Load = MeteredLoad(seed, meter)

    def total(self, code: Obis, scaler: int | None = None) -> Measured | None:
        """Return what a register with a code shows; None where the load does not know it."""
        name = self._known(figure_of(code, self.kind))
        return None if name is None else measured(name, self._load_of(name), scaler)

    def values(
        self, address: Register | ExtendedRegister | DemandRegister | Any, given: ScalerUnit | None, period: int
    ) -> dict[str, object]:
        """Return the values that a register has by its code, nothing where the load does not know it.

        `given` is the scaler and unit that it has already, and `period` that of averages in seconds. Raises
        ConfigurationError where the load has another unit.
        """
        code: Obis = address.instance
        energy = self._known(energy_of(code, self.kind))
        if energy is not None:
            return self._averages(address, energy, given, period)
        name = self._known(figure_of(code, self.kind))
        if name is None or address.class_id == DemandRegister.class_id:
            return {}
        found = figure(name)
        scaler = _scaler(given, found.unit, found.scaler)
        return {"value": measured(name, self._load_of(name), scaler), "scaler_unit": (scaler, found.unit)}

    def _averages(self, address: Any, energy: str, given: ScalerUnit | None, period: int) -> dict[str, object]:
        unit = _POWER_OF[figure(energy).unit]
        scaler = _scaler(given, unit, 0)
        values: dict[str, object] = {"scaler_unit": (scaler, unit)}
        kind = address.instance.octets[3]
        load = self._load_of(energy)
        blocks = Blocks(energy, load, period, scaler)
        if address.class_id == DemandRegister.class_id:
            growth = Growth(measured(energy, load, 0), 0)
            return {"current_average_value": growth, **values} if kind == AVERAGE else {}
        if kind == MAXIMUM:
            values["value"] = SinceReset(blocks.maximum)
            if address.class_id == ExtendedRegister.class_id:
                values["capture_time"] = SinceReset(blocks.moment)
            return values
        return {"value": blocks.last, **values} if kind == LAST_AVERAGE else {}

    def _load_of(self, name: str) -> Load:
        """Return the load that a figure is of: what is of another medium is behind no breaker of this one."""
        kind = name.partition(".")[0]
        return self.load if kind == self.kind or {kind, self.kind} <= electricity.KINDS.keys() else self._beside

    def _known(self, name: str | None) -> str | None:
        kind, _, rest = (name or "").partition(".")
        return name if rest in KINDS.get(kind, ()) else None


_POWER_OF: Final = {Unit.WATT_HOUR: Unit.WATT, Unit.VAR_HOUR: Unit.VAR}
"""The unit of averages of what is counted in another."""


def _scaler(given: ScalerUnit | None, unit: Unit, usual: int) -> int:
    if given is None:
        return usual
    if given.unit != unit:
        raise ConfigurationError(f"scaler_unit: the load has it in {unit.symbol}; give it a value, or this unit")
    return int(given.scaler)


def feed_device(device: LogicalDevice, feed: Feed) -> None:
    """Let all registers that have no value show what the load has for them, and tariffs count as they are switched.

    Raises ConfigurationError as `Feed.values` does.
    """
    # Demand registers first: maxima and last averages have their period.
    for item in sorted(device.items(), key=lambda item: item.class_id != DemandRegister.class_id):
        if item.class_id in REGISTERS and item.state is None and _VALUE not in item.values:
            _feed(device, feed, item)
    for item in list(device.items()):
        if item.class_id == RegisterActivation.class_id:
            _switch_by(device, feed, item)
    _tell_tariff(device, feed)


def _feed(device: LogicalDevice, feed: Feed, item: Item) -> None:
    told = item.values.get(_SCALER_UNIT)
    address = item.kind(item.instance)
    given = None if told is None else Register.scaler_unit.shape.decode(told)
    try:
        values = feed.values(address, given, _period(device, item.instance))
    except ConfigurationError as error:
        raise ConfigurationError(f"{address!r}: {error}") from None
    if not values:
        return
    own = device.owned(item)
    source = values.pop("current_average_value", None)
    for attribute in item.kind.declared_attributes.values():
        if attribute.name in values and attribute.index not in own.values:
            own.values[attribute.index] = held(address, attribute, values[attribute.name])
    if source is not None:
        own.behaviour = behaviours.of(item.class_id)
        assert own.behaviour.adopt is not None
        own.behaviour.adopt(own, {_VALUE: source})
    elif _CAPTURE_TIME in own.values:
        own.values.setdefault(_STATUS, None)


def _period(device: LogicalDevice, code: Obis) -> int:
    """Return the period of the demand register that belongs to a maximum or a last average."""
    a, b, c, _, e, f = code.octets
    demand = device.find(Obis.of(a, b, c, AVERAGE, e, f))
    held = None if demand is None or demand.class_id != DemandRegister.class_id else demand.values.get(_PERIOD)
    return int(held) if isinstance(held, int) and held else DEFAULT_PERIOD


# -- tariffs -----------------------------------------------------------------------------------------------------------


def _switch_by(device: LogicalDevice, feed: Feed, activation: Item) -> None:
    """Let the tariff registers of a register activation count the total while they are active.

    Until the meter begins, they hold what the load has for the tariffs of day and night, so that their sum is the
    total.
    """
    told = activation.values.get(_ASSIGNED.index)
    for each in () if told is None else tuple(_ASSIGNED.shape.decode(told)):
        found = device.find(each.logical_name)
        if found is None or found.class_id not in (Register.class_id, ExtendedRegister.class_id):
            continue
        a, b, c, d, e, f = found.instance.octets
        present = found.values.get(_VALUE)
        if not e or not isinstance(present, Measured | Held | None):
            continue
        told = found.values.get(_SCALER_UNIT)
        scaler = 0 if told is None else int(cast("Any", Register.scaler_unit.shape.decode(told)).scaler)
        total = feed.total(Obis.of(a, b, c, d, 0, f), scaler)
        if total is None:
            continue
        own = device.owned(found)
        asked = replace(present, of=total) if isinstance(present, Held) else total
        own.values[_VALUE] = FromSource(Counted(asked, before=present or partial(_nothing, asked)))
        unit = (scaler, total.shown.figure.unit)
        own.values.setdefault(_SCALER_UNIT, held(found, found.kind.declared_attributes[_SCALER_UNIT], unit))


def _nothing(of: Measured | Held, time: datetime) -> Any:
    return type(of(time))(0)


def _tell_tariff(device: LogicalDevice, feed: Feed) -> None:
    """Let the object of the active tariff, where it has no value, tell the active mask, or the tariff of the load."""
    item = device.find(ACTIVE_TARIFF)
    if item is None or item.class_id != DataObject.class_id or _VALUE in item.values:
        return
    activation = next(_activations(device), None)
    if activation is not None:
        device.owned(item).values[_VALUE] = partial(_active_mask, device, activation)
    elif "tariff" in KINDS[feed.kind]:
        device.owned(item).values[_VALUE] = measured(f"{feed.kind}.tariff", feed.load)


def _activations(device: LogicalDevice) -> Iterator[Obis]:
    return (item.instance for item in device.items() if item.class_id == RegisterActivation.class_id)


def _active_mask(device: LogicalDevice, activation: Obis, _: datetime) -> object:
    item = device.find(activation)
    return OctetString(b"") if item is None else item.values.get(_MASK, OctetString(b""))
