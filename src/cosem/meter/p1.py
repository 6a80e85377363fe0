"""A P1 port for a simulated meter: it sends telegrams of the meter's registers to whoever is connected."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import ClassVar, Final, NamedTuple

from cosem.io.aio import ListenLimits
from cosem.meter.device import Meter
from cosem.meter.one_way import SpeakingPort, has, quantity
from cosem.protocol.iec21.p1 import telegram
from cosem.protocol.model import Data, ExtendedRegister, Register
from cosem.protocol.model.classes.m_bus import MBusClient
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.dates import daylight_saving
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.quantity import Quantity

INTERVAL: Final = 1.0
"""Seconds between telegrams, as DSMR 5 has it."""

CHANNELS: Final = range(1, 5)
"""The M-Bus channels that a telegram tells of."""


class Printed(NamedTuple):
    """How a telegram writes a register: digits before and behind the point, and the unit."""

    obis: str
    digits: int
    decimals: int
    unit: str


REGISTERS: Final = (
    *(Printed(f"1-0:{direction}.8.{rate}", 6, 3, "kWh") for direction in (1, 2) for rate in (0, 1, 2)),
    *(Printed(f"1-0:{direction}.7.0", 2, 3, "kW") for direction in (1, 2)),
    *(Printed(f"1-0:{c}.7.0", 3, 1, "V") for c in (32, 52, 72)),
    *(Printed(f"1-0:{c}.7.0", 3, 0, "A") for c in (31, 51, 71)),
    *(Printed(f"1-0:{c}.7.0", 2, 3, "kW") for c in (21, 41, 61, 22, 42, 62)),
)
"""What a telegram tells of the meter's registers, as far as the meter has them, in the order of DSMR 5."""


def telegram_of(meter: Meter, identification: str = "KFM5SIMULATED") -> bytes:
    """Return a telegram of DSMR 5 with the present values of a meter."""
    return telegram(identification, _sets(meter))


class P1Port(SpeakingPort):
    """The P1 port of a meter at one place.

    async with P1Port(meter, "p1+tcp://127.0.0.1:0") as port:
        print(port.url)

    Args:
        meter, url, interval, beyond_loopback, limits: as for `cosem.meter.one_way.SpeakingPort`.
        seal: encrypts a telegram, see `cosem.protocol.iec21.p1.seal`; it must use another counter each time.
    """

    NAME: ClassVar[str] = "a P1 port"
    FRAMING: ClassVar[str] = "p1"
    NOTICE: ClassVar[str] = "a P1 port tells everything to whoever is connected to it"

    def __init__(
        self,
        meter: Meter,
        url: str | ConnectionUrl,
        *,
        interval: float = INTERVAL,
        seal: Callable[[bytes], bytes] | None = None,
        beyond_loopback: bool = False,
        limits: ListenLimits | None = None,
    ) -> None:
        super().__init__(meter, url, interval=interval, beyond_loopback=beyond_loopback, limits=limits)
        self._seal = seal

    def _telegram(self) -> bytes:
        octets = telegram_of(self.meter)
        return octets if self._seal is None else self._seal(octets)


def _sets(meter: Meter) -> Iterator[tuple[str, *tuple[str, ...]]]:
    yield "1-3:0.2.8", "50"
    yield "0-0:1.0.0", _moment(meter.time())
    yield "0-0:96.1.1", meter.name.encode("ascii").hex().upper()
    for printed in REGISTERS:
        register = Register(Obis(printed.obis))
        if has(meter, register):
            yield printed.obis, _number(quantity(meter, register), printed)
    if has(meter, Data("0.0.96.14.0.255")):
        yield "0-0:96.14.0", f"{int(meter.value(Data('0.0.96.14.0.255').value)):04}"
    for channel in CHANNELS:
        yield from _device(meter, channel)


def _device(meter: Meter, channel: int) -> Iterator[tuple[str, *tuple[str, ...]]]:
    """The sub-meter at a channel: its type where the meter has its M-Bus client, and its last value with its time."""
    last = ExtendedRegister(Obis.of(0, channel, 24, 2, 1))
    if not has(meter, last):
        return
    client = MBusClient(Obis.of(0, channel, 24, 1, 0))
    if has(meter, client):
        yield f"0-{channel}:24.1.0", f"{int(meter.value(client.device_type)):03}"
    value = quantity(meter, last)
    captured = meter.value(last.capture_time).to_datetime(meter.zone).astimezone(meter.zone)
    unit = _PLAIN.get(value.symbol, value.symbol)
    yield f"0-{channel}:24.2.1", _moment(captured), f"{value.value:09.3f}*{unit}"


def _number(value: Quantity, printed: Printed) -> str:
    number = value.to(printed.unit).value.quantize(Decimal(1).scaleb(-printed.decimals), ROUND_DOWN)
    width = printed.digits + (printed.decimals + 1 if printed.decimals else 0)
    return f"{number:0{width}.{printed.decimals}f}*{printed.unit}"


def _moment(moment: datetime) -> str:
    return f"{moment:%y%m%d%H%M%S}{'S' if daylight_saving(moment) else 'W'}"


_PLAIN: Final = {"m³": "m3"}
