"""A meter at its local port: readouts and programming mode of IEC 62056-21 from the objects that DLMS/COSEM shows.

The rights are those of associations. Readouts, and programming mode without a password, have those of
`LocalPort.client`; a password is that of an association with low level security, and gives its rights.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from cosem.errors import ConfigurationError, CosemError, ShapeError
from cosem.meter import members
from cosem.meter.associations import PUBLIC_CLIENT, AssociationDescription
from cosem.meter.device import Meter
from cosem.meter.item import Item, Refusal, Visit
from cosem.meter.values import encode_value
from cosem.protocol.apdu.action import ActionResult, MethodDescriptor
from cosem.protocol.apdu.get import AttributeDescriptor, DataAccessResult
from cosem.protocol.crypto.key import Secret
from cosem.protocol.iec21.message import Command, Identification, Mode, Option
from cosem.protocol.iec21.moment import readout_moment
from cosem.protocol.iec21.server import TariffDevice
from cosem.protocol.iec21.settings import ServerSettings
from cosem.protocol.iec21.telegram import DataSet, Value, encode, unit_of
from cosem.protocol.model.classes.data_storage import ProfileGeneric, ScalerUnit
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.model.shape import ANY
from cosem.protocol.values.data import Array, Data, Number, OctetString, Structure, VisibleString
from cosem.protocol.values.dates import DateTime, daylight_saving
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.quantity import Quantity
from cosem.protocol.values.units import Unit

DATA, REGISTER, EXTENDED_REGISTER, DEMAND_REGISTER, PROFILE, CLOCK = 1, 3, 4, 5, 7, 8
CLOCK_OBIS: Final = Obis("0.0.1.0.0.255")
TIME_OF_DAY, DATE_OF_DAY = "0.9.1", "0.9.2"

ATTEMPTS: Final = 3
"""Wrong passwords in one session, after which the meter breaks off."""

Algorithm = Callable[[bytes, bytes], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPort:
    """How a meter behaves at its local port.

    `identification` is left out for one made of the meter's name: mode C, E where HDLC may follow, 9600 baud.
    `address` is what it is called by, the digits of its name where left out. `readout` are the objects that are sent,
    and in which order; left out, the numbers and texts that `client` may read. `manufacturer` are those of options 6 to
    9. With an `algorithm` P0 gives a random operand, and P2 must carry what it makes of operand and password. In mode D
    the meter speaks every `interval` seconds.
    """

    identification: str | None = None
    address: str | None = None
    mode: Mode | None = None
    client: int = PUBLIC_CLIENT
    readout: tuple[Obis, ...] | None = None
    manufacturer: dict[Option, tuple[Obis, ...]] = field(default_factory=dict[Option, "tuple[Obis, ...]"], hash=False)
    algorithm: Algorithm | None = None
    partial_octets: int = 0
    interval: float = 10.0
    settings: dict[str, Any] = field(default_factory=dict[str, Any], hash=False)
    """Further fields of `ServerSettings`."""

    def server_settings(self, meter: Meter, *, switches: bool, binary: bool) -> ServerSettings:
        """Return the settings of the engine. Raises ConfigurationError."""
        words = re.sub(r"[^0-9A-Za-z]", "", meter.name[3:])[-16:]
        usual = f"{meter.name[:3].upper()}5{chr(0x5C) + '2' if binary else ''}{words}"
        number = re.sub(r"\D", "", meter.name)
        settings = ServerSettings(
            identification=Identification.of(usual if self.identification is None else self.identification),
            address=number if self.address is None else self.address,
            mode=self.mode,
            partial_octets=self.partial_octets,
            switches=switches,
        )
        return replace(settings, **self.settings)


class LocalSession:
    """Serves what one engine wants of one meter; `peer` is who the reader is, for locking out those who guess."""

    def __init__(
        self,
        meter: Meter,
        device: TariffDevice,
        port: LocalPort,
        peer: str = "",
        entropy: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._meter = meter
        self._device = device
        self._port = port
        self._peer = peer
        self._entropy = entropy
        self._operand = b""
        self._wrong = 0
        self._entered: AssociationDescription | None = None
        self._partial = False
        self._commands: dict[str, Callable[[str, str, float], None]] = {
            "R": self._read,
            "W": self._write,
            "E": self._run,
        }

    def leave(self) -> None:
        """The reader has gone: what it was let do ends."""
        self._entered = None
        self._wrong = 0

    def readout(self, option: Option, now: float) -> None:
        """Send the data that an option means."""
        wanted = self._port.readout if option is Option.READOUT else self._port.manufacturer.get(option, ())
        self._device.readout(encode(list(self._listed(self._visit(), wanted))), now)

    def push(self, now: float) -> None:
        """Send the data unasked, as meters of mode D do."""
        self._device.push(encode(list(self._listed(self._visit(), self._port.readout))), now)

    def enter(self, now: float) -> None:
        """Let the reader into programming mode, where it has to prove itself for more than reading."""
        self.leave()
        self._operand = b"" if self._port.algorithm is None else self._entropy(4).hex().upper().encode()
        self._device.enter(self._operand, now)

    def command(self, command: Command, now: float) -> None:
        """Do what a command asks, as far as the reader may."""
        if command.name[0] == "P":
            self._prove(command, now)
            return
        found = _ASKED.fullmatch(command.data or b"")
        act = self._commands.get(command.name[0])
        if found is None or act is None:
            self._device.refuse("ER01", now)
            return
        address, content = (each.decode("ascii") for each in found.groups())
        self._partial = command.name[1] in _PARTIAL
        try:
            act(address.strip(), content, now)
        except Refusal as refusal:
            self._device.refuse(f"ER{int(refusal.result):02d}", now)
        except CosemError:
            self._device.refuse(f"ER{int(DataAccessResult.TYPE_UNMATCHED):02d}", now)

    # -- who may ----------------------------------------------------------------------------------------------------

    def _visit(self) -> Visit:
        management = self._meter.management
        return management.visit(self._entered or management.association(self._port.client))

    def _prove(self, command: Command, now: float) -> None:
        """Take a password: that of an association with low level security."""
        meter, device = self._meter, self._device
        given = (command.data or b"").strip().removeprefix(b"(").removesuffix(b")")
        algorithm = self._port.algorithm
        wanted = "P1" if algorithm is None else "P2"
        if not meter.described:
            device.acknowledge(now)  # a meter without passwords takes any
            return
        locked = meter.lockout.locked(self._peer, self._port.client, _LOCAL, now)
        for offered in meter.management.associations if command.name == wanted and not locked else ():
            secret = offered.secret
            if not isinstance(secret, Secret) or offered.mechanism.challenges or offered.ciphered:
                continue
            if algorithm is not None:
                secret = Secret(algorithm(self._operand, secret.reveal()))
            if secret.equals(given):
                self._entered, self._wrong = offered, 0
                meter.lockout.succeeded(self._peer, self._port.client, _LOCAL)
                device.acknowledge(now)
                return
        self._wrong += 1
        meter.authentication_failed(self._peer, self._port.client, _LOCAL, now)
        device.refuse(f"ER{int(DataAccessResult.READ_WRITE_DENIED):02d}", now)
        if self._wrong >= ATTEMPTS:
            device.break_off(now)

    # -- what is asked ----------------------------------------------------------------------------------------------

    def _read(self, address: str, content: str, now: float) -> None:
        visit = self._visit()
        if address.startswith("P."):
            data = _profile(visit, _obis(address), address, content)
        elif address in (TIME_OF_DAY, DATE_OF_DAY):
            data = encode([_clock_set(visit, address)])
        else:
            data = encode([_answer(visit, _item(visit, _obis(address)), address)])
        self._device.answer(data, now, partial=self._partial)

    def _write(self, address: str, content: str, now: float) -> None:
        visit = self._visit()
        if address in (TIME_OF_DAY, DATE_OF_DAY):
            _set_clock(visit, address, content)
        else:
            item = _item(visit, _obis(address))
            value = _written(visit, item, content)
            result = members.write(visit, AttributeDescriptor(item.class_id, item.instance, 2), None, value)
            if result is not DataAccessResult.SUCCESS:
                raise Refusal(result)
        self._device.acknowledge(now)

    def _run(self, address: str, content: str, now: float) -> None:
        visit = self._visit()
        item = _item(visit, _obis(address))
        if not content.isdecimal() or len(content) > 2:
            raise Refusal(DataAccessResult.TYPE_UNMATCHED)
        method = MethodDescriptor(item.class_id, item.instance, int(content))
        declared = item.kind.declared_methods.get(int(content))
        argument = None if declared is None else encode_value(declared.argument, 0)
        done = members.run(visit, method, argument if argument is not None else encode_value(ANY, 0))
        if done.result is not ActionResult.SUCCESS:
            raise Refusal(DataAccessResult(int(done.result)))
        self._device.acknowledge(now)

    def _listed(self, visit: Visit, wanted: tuple[Obis, ...] | None) -> Iterator[DataSet]:
        """Return the sets of a readout; what cannot be read is left out."""
        items = list(visit.items()) if wanted is None else [item for each in wanted if (item := visit.find(each))]
        for address in (TIME_OF_DAY, DATE_OF_DAY) if wanted is None else ():
            with suppress(Refusal):
                yield _clock_set(visit, address)
        for item in items:
            if item.class_id in _SHOWN or wanted is not None:
                with suppress(Refusal, ShapeError):
                    yield _answer(visit, item, short(item.instance))


def shows(visit: Visit, obis: Obis) -> bool:
    """Tell whether a readout may show an object that is there."""
    item = visit.find(obis)
    if item is None:
        return False
    try:
        members.authorize(visit, members.Service.GET, item.class_id, obis, _VALUE.get(item.class_id, 2))
    except Refusal:
        return False
    return True


def short(obis: Obis) -> str:
    """Return a code as readouts have it: `1.8.0`, `0-0:96.1.0`, `1.8.0*1`."""
    a, b, c, d, e, f = obis.octets
    code = f"{c}.{d}.{e}" + ("" if f == 255 else f"*{f}")
    return code if Obis(code) == obis else f"{a}-{b}:{code}"


def _obis(address: str) -> Obis:
    try:
        return Obis(address)
    except ConfigurationError:
        raise Refusal(DataAccessResult.OBJECT_UNDEFINED) from None


def _item(visit: Visit, obis: Obis) -> Item:
    item = visit.find(obis)
    if item is None:
        raise Refusal(DataAccessResult.OBJECT_UNDEFINED)
    return item


def _attribute(visit: Visit, item: Item, index: int) -> Data:
    found = members.read(visit, AttributeDescriptor(item.class_id, item.instance, index), None)
    if isinstance(found, DataAccessResult):
        raise Refusal(found)
    return found


def _answer(visit: Visit, item: Item, address: str) -> DataSet:
    """Return the present value of an object with its unit, and for a maximum when it was."""
    index = _VALUE.get(item.class_id, 2)
    values = [_value(_attribute(visit, item, index), _scaler_unit(visit, item))]
    if item.class_id == EXTENDED_REGISTER:
        moment = _moment(visit, _attribute(visit, item, 5))
        values += [] if moment is None else [Value(f"{moment:%y%m%d%H%M}")]
    return _made(address, values)


def _value(data: Data, scaler_unit: ScalerUnit | None) -> Value:
    if isinstance(data, bool):
        return Value(str(int(data)))
    if isinstance(data, Number | float):
        if scaler_unit is None:
            return Value(f"{Decimal(str(data)):f}")
        quantity = Quantity.of(data, scaler_unit.scaler, scaler_unit.unit)
        symbol = _SYMBOLS.get(quantity.unit)
        quantity = quantity if symbol is None else quantity.to(symbol)
        return Value(f"{quantity.value:f}", _plain(quantity.symbol))
    if isinstance(data, str | bytes):
        text = data if isinstance(data, str) else bytes(data).decode("latin-1")
        octets = data.encode("utf-8", "replace") if isinstance(data, str) else bytes(data)
        return Value(text if _PRINTABLE.fullmatch(text) else octets.hex().upper())
    raise ShapeError(f"{type(data).__name__} is not shown in a readout")


def _plain(symbol: str) -> str:
    return symbol.replace("³", "3").replace("²", "2").replace("°", "deg").replace("Ω", "Ohm").replace("·", "")


def _scaler_unit(visit: Visit, item: Item) -> ScalerUnit | None:
    index = _SCALER_UNIT.get(item.class_id)
    if index is None:
        return None
    try:
        found = item.kind.declared_attributes[index].shape.decode(_attribute(visit, item, index))
    except (Refusal, CosemError):
        return None
    return found if isinstance(found, ScalerUnit) else None


def _written(visit: Visit, item: Item, content: str) -> Data:
    """Return what was written as the Data that the object holds."""
    text, _, symbol = content.partition("*")
    held = _attribute(visit, item, 2)
    if isinstance(held, OctetString):
        return OctetString(content.encode("ascii"))
    if isinstance(held, VisibleString):
        return VisibleString(content)
    number = Value(text).number
    if number is None or not isinstance(held, Number):
        raise Refusal(DataAccessResult.TYPE_UNMATCHED)
    scaler_unit = _scaler_unit(visit, item) or ScalerUnit(0, Unit.NO_UNIT)
    found = unit_of(symbol)
    if symbol and (found is None or found.unit is not scaler_unit.unit):
        raise Refusal(DataAccessResult.TYPE_UNMATCHED)
    raw = number.scaleb((0 if found is None else found.power) - scaler_unit.scaler)
    if raw != raw.to_integral_value():
        raise Refusal(DataAccessResult.TYPE_UNMATCHED)
    return type(held).checked(int(raw))


def _made(address: str, values: list[Value]) -> DataSet:
    return DataSet(address, tuple(values), b"")


# -- the clock --------------------------------------------------------------------------------------------------------


def _clock_set(visit: Visit, address: str) -> DataSet:
    moment = _moment(visit, _attribute(visit, _item(visit, CLOCK_OBIS), 2))
    if moment is None:
        raise Refusal(DataAccessResult.TEMPORARY_FAILURE)
    return _made(address, [Value(f"{moment:%H%M%S}" if address == TIME_OF_DAY else f"{moment:%y%m%d}")])


def _set_clock(visit: Visit, address: str, content: str) -> None:
    present = _moment(visit, _attribute(visit, _item(visit, CLOCK_OBIS), 2))
    digits = re.sub(r"[-:]", "", content)
    if present is None or not _SIX.fullmatch(digits):
        raise Refusal(DataAccessResult.TYPE_UNMATCHED)
    day, time = f"{present:%y%m%d}", f"{present:%H%M%S}"
    moment = readout_moment(day + digits if address == TIME_OF_DAY else digits + time)
    if moment is None:
        raise Refusal(DataAccessResult.TYPE_UNMATCHED)
    value = OctetString(DateTime.from_datetime(moment.at(visit.device.zone)).octets)
    result = members.write(visit, AttributeDescriptor(CLOCK, CLOCK_OBIS, 2), None, value)
    if result is not DataAccessResult.SUCCESS:
        raise Refusal(result)


def _moment(visit: Visit, data: Data) -> datetime | None:
    if not isinstance(data, bytes):
        return None
    try:
        return DateTime.from_octets(bytes(data)).to_datetime(visit.device.zone).astimezone(visit.device.zone)
    except CosemError:
        return None


# -- profiles ---------------------------------------------------------------------------------------------------------


def _profile(visit: Visit, obis: Obis, address: str, content: str) -> bytes:
    """Return the rows between two times, each heading with the rows that follow it without a gap."""
    item = _item(visit, obis)
    if item.class_id != PROFILE:
        raise Refusal(DataAccessResult.OBJECT_CLASS_INCONSISTENT)
    captured: Any = ProfileGeneric(obis).capture_objects.decode(_attribute(visit, item, 3))
    columns: tuple[CaptureObject, ...] = tuple(captured)
    first, last = _bounds(visit, content)
    buffer = _buffer(visit, item)
    clock = next((at for at, each in enumerate(columns) if each.class_id == CLOCK), None)
    status = next((at for at, each in enumerate(columns) if _is_status(each)), None)
    if clock is None:
        raise Refusal(DataAccessResult.OBJECT_CLASS_INCONSISTENT)
    shown = [at for at in range(len(columns)) if at not in (clock, status)]
    scales = [_column(visit, columns[at]) for at in shown]
    period = timedelta(seconds=int(_number(_attribute(visit, item, 4))))
    out: list[DataSet] = []
    expected: tuple[datetime, str] | None = None
    for row in buffer:
        if not isinstance(row, Structure) or len(row) != len(columns):
            raise Refusal(DataAccessResult.HARDWARE_FAULT)
        moment = _moment(visit, row[clock])
        if moment is None or (first is not None and moment < first) or (last is not None and moment > last):
            expected = None
            continue
        state = "00" if status is None else f"{_number(row[status]):02X}"
        values = [_value(row[at], scale) for at, scale in zip(shown, scales, strict=True)]
        if (moment, state) != expected or not period:
            out.append(_heading(address, moment, state, period, columns, shown, scales, values if not period else []))
        if period:
            out.append(_made("", [Value(value.text) for value in values]))
        expected = (moment + period, state)
    return encode(out) if out else encode([_made(address, [Value("")])])


def _heading(
    address: str,
    moment: datetime,
    state: str,
    period: timedelta,
    columns: tuple[CaptureObject, ...],
    shown: list[int],
    scales: list[ScalerUnit | None],
    values: list[Value],
) -> DataSet:
    season = "1" if daylight_saving(moment) else "0"
    described: list[Value] = []
    for at, scale in zip(shown, scales, strict=True):
        unit = "" if scale is None else _plain(_SYMBOLS.get(Unit.of(scale.unit), Unit.of(scale.unit).symbol))
        described += [Value(short(columns[at].logical_name)), Value(unit)]
    minutes = str(int(period.total_seconds()) // 60) if period else ""
    head = [Value(f"{season}{moment:%y%m%d%H%M%S}"), Value(state), Value(minutes), Value(str(len(shown)))]
    return _made(address, [*head, *described, *(Value(value.text) for value in values)])


def _buffer(visit: Visit, item: Item) -> list[Data]:
    found = _attribute(visit, item, 2)
    if not isinstance(found, Array):
        raise Refusal(DataAccessResult.HARDWARE_FAULT)
    return list(found)


def _column(visit: Visit, captured: CaptureObject) -> ScalerUnit | None:
    item = visit.device.find(captured.logical_name)
    return None if item is None else _scaler_unit(visit, item)


def _bounds(visit: Visit, content: str) -> tuple[datetime | None, datetime | None]:
    if not content:
        return None, None
    since, _, until = content.partition(";")
    found: list[datetime | None] = []
    for text in (since, until):
        moment = readout_moment(text)
        if text and moment is None:
            raise Refusal(DataAccessResult.TYPE_UNMATCHED)
        found.append(None if moment is None else moment.at(visit.device.zone))
    return found[0], found[1]


def _is_status(captured: CaptureObject) -> bool:
    octets = captured.logical_name.octets
    return captured.class_id == DATA and octets[2:4] == bytes((96, 10))


def _number(data: Data) -> int:
    return int(data) if isinstance(data, Number) else 0


_LOCAL: Final = 1
_PARTIAL: Final = "346"
_SHOWN: Final = frozenset({DATA, REGISTER, EXTENDED_REGISTER, DEMAND_REGISTER})
_VALUE: Final = {DEMAND_REGISTER: 3}
_SCALER_UNIT: Final = {REGISTER: 3, EXTENDED_REGISTER: 3, DEMAND_REGISTER: 4}
_SYMBOLS: Final = {
    Unit.WATT_HOUR: "kWh",
    Unit.WATT: "kW",
    Unit.VAR_HOUR: "kvarh",
    Unit.VAR: "kvar",
    Unit.VOLT_AMPERE_HOUR: "kVAh",
    Unit.VOLT_AMPERE: "kVA",
}
"""The multiple in which readouts give a unit."""
_ASKED: Final = re.compile(rb"([\x20-\x27\x2a-\x7e]{1,64})\(([\x20-\x27\x2a-\x7e]{0,128})\)[\r\n]*")
_PRINTABLE: Final = re.compile(r"[\x20-\x27\x2b-\x7e]*", re.ASCII)
_SIX: Final = re.compile(r"[0-9]{6}", re.ASCII)
