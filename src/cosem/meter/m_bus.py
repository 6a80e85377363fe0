"""Sub-meters behind a meter: what an M-Bus client (class 72) does, and the values that it captures of its device.

There is no bus: the device is a load of its own, as gas, water or heat, behind its valve where the meter has one: a
disconnect control (class 70) whose value group B is the channel, such as 0-1:24.4.0. While that is open, nothing flows.
The client takes values on time, or when it is asked to, as long as a device is installed at an address; the value of
its channel shows the last one with its time. How far a key has come is told by `encryption_key_status`; its octets
protect nothing here and are not kept. How the key is to be wrapped in `set_encryption_key` and `transfer_key` is for
companions to say: any octets are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from cosem.errors import ConfigurationError
from cosem.meter.behaviour import clock
from cosem.meter.feed import Feed
from cosem.meter.item import Behaviour, Item, Refusal, Timed, Visit
from cosem.meter.loads import Measured
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.model.classes.data_storage import ExtendedRegister, ScalerUnit
from cosem.protocol.model.classes.m_bus import EncryptionKeyStatus, MBusClientVersion1
from cosem.protocol.values.data import (
    Data,
    DoubleLongUnsigned,
    Enumerated,
    LongUnsigned,
    Number,
    OctetString,
    Unsigned,
)
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis

if TYPE_CHECKING:
    from cosem.meter.logical_device import LogicalDevice

PERIOD: Final = 3600
"""Seconds between two captures, unless the description says otherwise."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What counts: the figure of a load by its code, and the device type of EN 13757-3."""

    total: Obis
    device_type: int


KINDS: Final[Mapping[str, Kind]] = {
    "household": Kind(Obis("1.0.1.8.0.255"), 2),
    "gas": Kind(Obis("7.0.3.0.0.255"), 3),
    "heat": Kind(Obis("6.0.1.0.0.255"), 4),
    "water": Kind(Obis("8.0.1.0.0.255"), 7),
}
"""Sub-meters by the kind of their load."""

_PERIOD, _ADDRESS, _IDENTIFICATION, _MANUFACTURER, _VERSION, _TYPE, _ACCESS, _STATUS, _ALARM, _CONFIGURATION, _KEY = (
    attribute.index
    for attribute in (
        MBusClientVersion1.capture_period,
        MBusClientVersion1.primary_address,
        MBusClientVersion1.identification_number,
        MBusClientVersion1.manufacturer_id,
        MBusClientVersion1.device_version,
        MBusClientVersion1.device_type,
        MBusClientVersion1.access_number,
        MBusClientVersion1.status,
        MBusClientVersion1.alarm,
        MBusClientVersion1.configuration,
        MBusClientVersion1.encryption_key_status,
    )
)
_VALUE, _SCALER_UNIT, _CAPTURED_STATUS, _CAPTURE_TIME = (
    attribute.index
    for attribute in (
        ExtendedRegister.value,
        ExtendedRegister.scaler_unit,
        ExtendedRegister.status,
        ExtendedRegister.capture_time,
    )
)
_HIGHEST_ADDRESS: Final = 250
HIGHEST_SERIAL: Final = 99_999_999
"""Its digits are those of the identification number, four bits each."""


@dataclass(frozen=True, slots=True)
class SubMeter:
    """One device at a channel: the load that it counts, who made it, and its number."""

    channel: int
    feed: Feed
    serial: int
    maker: str = "KFM"
    address: int = 1

    @property
    def client(self) -> Obis:
        """The logical name of its M-Bus client."""
        return Obis.of(0, self.channel, 24, 1, 0)

    @property
    def value(self) -> Obis:
        """The logical name of what shows its last value."""
        return Obis.of(0, self.channel, 24, 2, 1)

    def attach(self, device: LogicalDevice, period: int = PERIOD) -> None:
        """Put the device at its channel; objects that are not there yet are added. Raises ConfigurationError."""
        kind = KINDS.get(self.feed.kind)
        total = None if kind is None else self.feed.total(kind.total)
        if kind is None or total is None:
            raise ConfigurationError(f"a sub-meter counts {', '.join(KINDS)}, not {self.feed.kind}")
        if not 0 <= self.serial <= HIGHEST_SERIAL:
            raise ConfigurationError(f"serial {self.serial}: a sub-meter has a number of up to eight digits")
        if device.find(self.client) is None:
            device.add(MBusClientVersion1(self.client))
        if device.find(self.value) is None:
            device.add(ExtendedRegister(self.value))
        client, value = self._found(device, self.client, 72), self._found(device, self.value, 4)
        given = {
            _PERIOD: DoubleLongUnsigned(period),
            _ADDRESS: Unsigned(self.address),
            _IDENTIFICATION: DoubleLongUnsigned(int(str(self.serial), 16)),
            _MANUFACTURER: LongUnsigned(_letters(self.maker)),
            _VERSION: Unsigned(1),
            _TYPE: Unsigned(kind.device_type),
            _ACCESS: Unsigned(0),
            _STATUS: Unsigned(0),
            _ALARM: Unsigned(0),
            _CONFIGURATION: LongUnsigned(0),
            _KEY: Enumerated(EncryptionKeyStatus.NO_ENCRYPTION_KEY),
        }
        for index, data in given.items():
            if index in client.kind.declared_attributes:
                client.values[index] = data
        scaler_unit = ScalerUnit(total.shown.figure.scaler, total.shown.figure.unit)
        value.values[_SCALER_UNIT] = ExtendedRegister.scaler_unit.shape.encode(scaler_unit)
        value.values[_CAPTURED_STATUS] = Unsigned(0)
        timed = Timed(_following, lambda visit, item: _capture(self, total, visit, item), self._begin)
        client.behaviour = Behaviour(methods=_methods(self, total), timed=timed)
        device.takes_time(client)
        _capture(self, total, device.reading(_last(device, client)), client)

    def _begin(self, visit: Visit, _: Item) -> None:
        """Let what was taken at first be kept like all that follows: at another start it would be another value."""
        shown = visit.device.owned(self._found(visit.device, self.value, ExtendedRegister.class_id))
        for index in (_VALUE, _CAPTURE_TIME):
            if index in shown.values:
                shown.values[index] = type(shown.values[index])(shown.values[index])

    def alarm(self, device: LogicalDevice, bits: int) -> None:
        """Let the device raise alarms, until they are reset."""
        item = device.owned(self._found(device, self.client, 72))
        held = item.values[_ALARM]
        item.values[_ALARM] = Unsigned(bits | (int(held) if isinstance(held, Number) else 0))

    def _found(self, device: LogicalDevice, instance: Obis, class_id: int) -> Item:
        item = device.find(instance)
        if item is None or item.class_id != class_id:
            raise ConfigurationError(f"{instance}: expected an object of class {class_id} for the sub-meter")
        return device.owned(item)


def _letters(maker: str) -> int:
    """Return the number of a maker, as EN 13757-3 makes it of three capitals."""
    if len(maker) != 3 or not (maker.isascii() and maker.isalpha() and maker.isupper()):
        raise ConfigurationError(f"maker {maker!r}: expected three capital letters")
    first, second, third = (ord(letter) - 64 for letter in maker)
    return first << 10 | second << 5 | third


def _number(item: Item, index: int) -> int:
    held = item.values.get(index)
    return int(held) if isinstance(held, Number) else 0


def _installed(item: Item) -> bool:
    return _number(item, _ADDRESS) != 0


def _following(visit: Visit, item: Item, until: datetime) -> datetime | None:
    """Return when values are taken next."""
    period = _number(item, _PERIOD)
    if not period or not _installed(item):
        return None
    moment = clock.last_multiple(visit.time, period) + timedelta(seconds=period)
    return moment if moment <= until else None


def _last(device: LogicalDevice, item: Item) -> datetime:
    """Return when values would have been taken last, the present where they are not taken on time."""
    now, period = device.meter.time(), _number(item, _PERIOD)
    return clock.last_multiple(now, period).astimezone(device.zone) if period else now


def _capture(sub_meter: SubMeter, total: Measured, visit: Visit, item: Item) -> None:
    """Take the value of now, if a device is there."""
    if not _installed(item):
        return
    client, shown = visit.device.owned(item), visit.device.find(sub_meter.value)
    assert shown is not None  # it was there when the device was put at its channel
    own = visit.device.owned(shown)
    own.values[_VALUE] = DoubleLongUnsigned(int(total(visit.time)) % (DoubleLongUnsigned.HIGH + 1))
    own.values[_CAPTURE_TIME] = OctetString(DateTime.from_datetime(visit.time).octets)
    client.values[_ACCESS] = Unsigned((_number(client, _ACCESS) + 1) % 256)
    if _number(client, _KEY) == EncryptionKeyStatus.ENCRYPTION_KEY_SET_AND_TRANSFERRED:
        client.values[_KEY] = Enumerated(EncryptionKeyStatus.ENCRYPTION_KEY_IN_USE)


Step = Callable[[Visit, Item, Data], None]


def _methods(sub_meter: SubMeter, total: Measured) -> dict[int, Any]:
    def capture(visit: Visit, item: Item, _: Data) -> None:
        _needed(item)
        _capture(sub_meter, total, visit, item)

    return {number: _run(step) for number, step in {1: _install, 2: _deinstall, 3: capture, **_STEPS}.items()}


def _run(step: Step) -> Callable[[Visit, Item, Data], Data]:
    def run(visit: Visit, item: Item, argument: Data) -> Data:
        step(visit, visit.device.owned(item), argument)
        return None

    return run


def _needed(item: Item) -> None:
    if not _installed(item):
        raise Refusal(DataAccessResult.TEMPORARY_FAILURE)


def _install(_: Visit, item: Item, argument: Data) -> None:
    """Give a device that has no address one; who has one is installed."""
    if _installed(item):
        raise Refusal(DataAccessResult.OTHER_REASON)
    if not isinstance(argument, Unsigned) or not 1 <= argument <= _HIGHEST_ADDRESS:
        raise Refusal(DataAccessResult.TYPE_UNMATCHED)
    item.values[_ADDRESS] = argument


def _deinstall(_: Visit, item: Item, __: Data) -> None:
    """Take its address and its key away."""
    _needed(item)
    item.values[_ADDRESS] = Unsigned(0)
    _tell_key(item, EncryptionKeyStatus.NO_ENCRYPTION_KEY)


def _reset_alarm(_: Visit, item: Item, __: Data) -> None:
    _needed(item)
    item.values[_ALARM] = Unsigned(0)


def _reach(_: Visit, item: Item, __: Data) -> None:
    """Tell the device something that it keeps for itself: the time, or data."""
    _needed(item)
    item.values[_ACCESS] = Unsigned((_number(item, _ACCESS) + 1) % 256)


def _set_key(_: Visit, item: Item, argument: Data) -> None:
    """Have a key in the client, or none any more where it is empty."""
    if not isinstance(argument, OctetString):
        raise Refusal(DataAccessResult.TYPE_UNMATCHED)
    known = EncryptionKeyStatus(_number(item, _KEY))
    _tell_key(item, _SET.get(known, known) if argument else EncryptionKeyStatus.NO_ENCRYPTION_KEY)


def _transfer_key(_: Visit, item: Item, argument: Data) -> None:
    _needed(item)
    if not isinstance(argument, OctetString) or not argument:
        raise Refusal(DataAccessResult.TYPE_UNMATCHED)
    known = EncryptionKeyStatus(_number(item, _KEY))
    _tell_key(item, _TRANSFERRED.get(known, known))


def _tell_key(item: Item, status: EncryptionKeyStatus) -> None:
    if _KEY in item.kind.declared_attributes:
        item.values[_KEY] = Enumerated(status)


_SET: Final = {
    EncryptionKeyStatus.NO_ENCRYPTION_KEY: EncryptionKeyStatus.ENCRYPTION_KEY_SET,
    EncryptionKeyStatus.ENCRYPTION_KEY_TRANSFERRED: EncryptionKeyStatus.ENCRYPTION_KEY_SET_AND_TRANSFERRED,
}
_TRANSFERRED: Final = {
    EncryptionKeyStatus.NO_ENCRYPTION_KEY: EncryptionKeyStatus.ENCRYPTION_KEY_TRANSFERRED,
    EncryptionKeyStatus.ENCRYPTION_KEY_SET: EncryptionKeyStatus.ENCRYPTION_KEY_SET_AND_TRANSFERRED,
}
_STEPS: Final[Mapping[int, Step]] = {4: _reset_alarm, 5: _reach, 6: _reach, 7: _set_key, 8: _transfer_key}
"""What the methods do that are the same for every device, by number."""
