"""What a simulated meter says at its customer (HAN) port: lists of its values as HDLC frames; it does no I/O."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import ROUND_DOWN
from typing import Any, Final, cast

from cosem.danger import NOTHING, Weakness, allow
from cosem.errors import ConfigurationError
from cosem.meter.blank import blank_of
from cosem.meter.device import Meter
from cosem.meter.item import Item
from cosem.meter.one_way import has, quantity
from cosem.protocol.apdu.block import BlockControl, GeneralBlockTransfer
from cosem.protocol.apdu.notification import DataNotification
from cosem.protocol.association.layers import Envelope, Layer, Received
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION, Protection, SecurityContext
from cosem.protocol.link.hdlc import HdlcAddress, llc
from cosem.protocol.link.hdlc.address import client_address
from cosem.protocol.link.hdlc.frame import FINAL, MAXIMUM_FRAME, UI, encode
from cosem.protocol.link.hdlc.transfer import segments
from cosem.protocol.model import Data as DataObject
from cosem.protocol.model import ExtendedRegister, Register
from cosem.protocol.model.han import Absent, Form, HanFrame, HanList, HanObject, HanRule, HanValue, HeadTime, Sealed
from cosem.protocol.values.data import (
    Array,
    Data,
    Enumerated,
    Integer,
    LongUnsigned,
    Number,
    OctetString,
    Structure,
    VisibleString,
)
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis

LONGEST_INFORMATION: Final = MAXIMUM_FRAME - 32
"""Octets of information in one frame at most, whatever its addresses."""

_PROTECTIONS: Final = {
    Sealed.NONE: Protection.NONE,
    Sealed.ENCRYPTED: Protection.ENCRYPTION,
    Sealed.AUTHENTICATED: AUTHENTICATED_ENCRYPTION,
}
_GENERAL: Final = (Layer(Envelope.GENERAL),)
_INVOKE_ID: Final = (1 << 24) - 1


class ListSpeaker:
    """Says the lists of a port as they come due by the meter's clock; the first time, the longest one.

    Args:
        meter: whose values.
        rule: which lists, how often and how.
        security: protects each; left out, they go in clear.

    Raises:
        ConfigurationError: the meter has nothing that the lists tell.
    """

    def __init__(self, meter: Meter, rule: HanRule, security: SecurityContext | None = None) -> None:
        self._meter = meter
        self._rule = rule
        self._security = security
        self._lists = lists_of(meter, rule)
        self._said: dict[int, int] = {}
        self._invoke_id = 0

    def telegram(self) -> bytes:
        """Return the frames of what is due now, none where nothing is."""
        now = self._meter.time()
        due = None
        for at, each in enumerate(self._lists):
            slot = int(now.timestamp() // each.every)
            if self._said.get(at) != slot:
                self._said[at] = slot
                due = each
        return b"" if due is None else self._frames(due, now)

    def _frames(self, due: HanList, now: datetime) -> bytes:
        rule = self._rule
        self._invoke_id = (self._invoke_id + 1) & _INVOKE_ID
        number = self._invoke_id if rule.invoke_id is None else rule.invoke_id
        apdu = notification(
            number, time_octets(now, rule.deviation), body_of(self._meter, rule, due, now), rule.date_time
        )
        return framed(apdu, rule.frame, self._security, rule.blocks)


class SetupSpeaker:
    """Says what the push_object_list of a push setup has, protected as the association of its client is."""

    def __init__(self, meter: Meter, item: Item) -> None:
        self._meter = meter
        self._item = item

    def telegram(self) -> bytes:
        """Return the frames of what it has now."""
        device = self._meter.management
        told, security, client = self._meter.pushes.spoken(device, self._item)
        source = HdlcAddress.of(device.sap, None).encode()
        return framed(told.encode(), HanFrame(client_address(client).encode(), source, UI | FINAL), security, None)


def security_of(meter: Meter, rule: HanRule) -> SecurityContext | None:
    """Return what protects the pushes of a port under the global unicast key; None for a port or meter without."""
    protection = _PROTECTIONS[rule.protection]
    keys = next((each.keys for each in meter.management.associations if each.keys is not None), None)
    if protection is Protection.NONE or keys is None:
        return None
    return SecurityContext(
        keys.suite,
        meter.system_title,
        None,
        keys.encryption,
        keys.authentication,
        required=protection,
        counter=meter.counters.sending(keys, meter.system_title),
        received=Received(),
        permitted=allow(Weakness.UNVERIFIED_CIPHERTEXT) if rule.protection is Sealed.ENCRYPTED else NOTHING,
    )


def lists_of(meter: Meter, rule: HanRule) -> tuple[HanList, ...]:
    """Return the lists that a meter with its phases says; ConfigurationError where it has none of their quantities."""
    phases = 3 if any(_register(meter, Obis.of(1, 0, c, 7, 0)) for c in _LATER_PHASES) else 1
    lists = tuple(each for each in rule.lists if each.phases in (None, phases))
    if not any(_register(meter, told.obis) for each in lists for told in each.objects):
        raise ConfigurationError(f"meter {meter.name} has nothing that the customer port {rule.name} tells")
    return lists


def notification(number: int, time: bytes, body: Data, head: HeadTime) -> bytes:
    """Return the octets of a data-notification with its time as `head` has it."""
    octets = DataNotification(number, b"" if head is HeadTime.NONE else time, body).encode()
    # Kaifa has the tag of an octet-string there, where the standard has its length and octets alone.
    return (
        octets[:_TIME_AT] + OctetString.TAG.to_bytes(1, "big") + octets[_TIME_AT:]
        if head is HeadTime.TAGGED
        else octets
    )


def framed(apdu: bytes, frame: HanFrame, security: SecurityContext | None, blocks: int | None) -> bytes:
    """Return an APDU as HDLC frames outside any connection, protected where there is something that does."""
    if security is not None:
        apdu = security.wrap(apdu, _GENERAL)
    if blocks is not None and len(apdu) + llc.SIZE > blocks:
        cut = [(each, False) for each in _in_blocks(apdu, blocks)]
    else:
        cut = segments(llc.RESPONSE + apdu, LONGEST_INFORMATION)
    return b"".join(encode(frame.destination, frame.source, frame.control, part, more) for part, more in cut)


def _in_blocks(apdu: bytes, information: int) -> Iterator[bytes]:
    """Cut an APDU into blocks that nobody acknowledges; the first alone has an LLC header before it."""
    number, at = 0, 0
    while at < len(apdu):
        header = b"" if number else llc.RESPONSE
        number += 1
        part = apdu[at : at + information - len(header) - _BLOCK_HEAD]
        at += len(part)
        control = BlockControl.STREAMING | (BlockControl.LAST_BLOCK if at >= len(apdu) else 0)
        yield header + GeneralBlockTransfer(control, number, 0, part).encode()


def body_of(meter: Meter, rule: HanRule, due: HanList, now: datetime) -> Data:
    """Return the body of a list with the present values of a meter, in its form."""
    told = [(each, rule.written(due, at)) for at, each in enumerate(due.objects)]
    if rule.form is Form.LISTED:
        return _listed(meter, told, now, rule.deviation)
    values: list[Data] = []
    for at, (each, written) in enumerate(told):
        alone = rule.form is Form.VALUES or at < len(due.push.leading)
        value, scaler_unit = _value(meter, each, written, now, rule.deviation)
        if value is None:
            values += _absent(rule, each, written, alone)
        elif alone:
            values.append(value)
        elif rule.form is Form.PAIRS:
            values += [_name(each), value]
        else:
            values.append(Structure((_name(each), value, *(() if scaler_unit is None else (scaler_unit,)))))
    make = Array if rule.form is Form.STRUCTURES else Structure
    return make(values)


def time_octets(now: datetime, deviation: bool) -> bytes:
    """Return the octets of a date-time; without `deviation` only its status tells whether it is daylight saving."""
    octets = DateTime.from_datetime(now.replace(microsecond=0)).octets
    return octets if deviation else octets[:8] + _LOCAL + octets[11:]


def _listed(meter: Meter, told: list[tuple[HanObject, HanValue]], now: datetime, deviation: bool) -> Data:
    names: list[Data] = []
    values: list[Data] = []
    for each, written in told:
        value = _own(each) if each.class_id == _PUSH_SETUP else _value(meter, each, written, now, deviation)[0]
        if value is not None:
            columns = (LongUnsigned(each.class_id), _name(each), Integer(each.attribute), LongUnsigned(0))
            names.append(Structure(columns))
            values.append(value)
    at = next((at for at, value in enumerate(values) if isinstance(value, Array)), None)
    if at is not None:
        values[at] = Array(names)
    return Structure(values)


def _own(each: HanObject) -> Data:
    """What a push setup tells of itself: its list, which is filled in, or its name."""
    return Array(()) if each.attribute == _PUSH_OBJECT_LIST else _name(each)


def _absent(rule: HanRule, each: HanObject, written: HanValue, alone: bool) -> list[Data]:
    if rule.absent is Absent.NOTHING:
        return []
    value = blank_of(written.type) if rule.absent is Absent.ZERO else None
    return [value] if alone else [None if value is None else _name(each), value]


def _value(
    meter: Meter, each: HanObject, written: HanValue, now: datetime, deviation: bool
) -> tuple[Data, Structure | None]:
    """Return a value as it is written, None where the meter has none, and the scaler and unit of a number."""
    if written.text is not None:
        return _text(written.text, written.type), None
    if _is_clock(each.obis):
        return OctetString(time_octets(now, deviation)), None
    register = _register(meter, each.obis)
    if register is not None:
        return _number(meter, register, written)
    code = written.of or each.obis
    if has(meter, DataObject(code)):
        return _text(meter.value(DataObject(code).value), written.type), None
    return (_text(meter.name, written.type), None) if code in _NUMBERS_OF_METER else (None, None)


def _number(meter: Meter, register: Register | ExtendedRegister, written: HanValue) -> tuple[Data, Structure]:
    found, scaler = quantity(meter, register), written.scaler
    if scaler is None:
        scaler = int(meter.value(register.scaler_unit).scaler)
    unit = found.unit if written.unit is None else written.unit
    if unit is not found.unit:
        raise ConfigurationError(
            f"{register.instance} is in {found.unit.symbol}; the customer port tells {unit.symbol}"
        )
    kind = cast("type[Number]", type(blank_of(written.type)))
    steps = int(found.value.scaleb(-scaler).to_integral_value(ROUND_DOWN))
    held = kind(min(max(steps, kind.LOW), kind.HIGH))  # as far as the type goes
    return cast("Data", held), Structure((Integer(scaler), Enumerated(int(unit))))


def _register(meter: Meter, code: Obis) -> Register | ExtendedRegister | None:
    """Return the register of a code; what a port says of a channel is the meter's own where it has no such channel."""
    for instance in (code, Obis.of(code.octets[0], 0, *code.octets[2:5])):
        for kind in (Register, ExtendedRegister):
            if has(meter, kind(instance)):
                return kind(instance)
    return None


def _text(value: Any, kind: str) -> Data:
    octets = value.encode("ascii") if isinstance(value, str) else bytes(value) if isinstance(value, bytes) else b""
    octets = octets or str(value).encode("ascii", "replace")
    return VisibleString(octets.decode("ascii", "replace")) if kind == "visible-string" else OctetString(octets)


def _name(each: HanObject) -> OctetString:
    return OctetString(each.obis.octets)


def _is_clock(code: Obis) -> bool:
    return code.octets[0] == 0 and code.octets[2:5] == _CLOCK


_CLOCK: Final = bytes((1, 0, 0))
_LATER_PHASES: Final = (51, 52, 71, 72)
_NUMBERS_OF_METER: Final = frozenset({Obis("0.0.96.1.0.255"), Obis("0.0.96.1.1.255")})
_LOCAL: Final = bytes.fromhex("FF8000")
_PUSH_SETUP: Final = 40
_PUSH_OBJECT_LIST: Final = 2
_TIME_AT: Final = 5
"""Octets before the time of a data-notification: its tag and its invoke-id."""
_BLOCK_HEAD: Final = 7
"""Octets before the data of a block that is not longer than 127: tag, control, numbers and its length."""
