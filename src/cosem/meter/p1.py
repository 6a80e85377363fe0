"""A P1 port for a simulated meter: it sends telegrams of the meter's registers to whoever is connected."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import ClassVar, Final, NamedTuple

from cosem.errors import ConfigurationError, ConnectionLost
from cosem.io.aio import DatagramStream, ListenLimits, Place, SerialStream, SocketStream, open_serial
from cosem.meter.device import Meter
from cosem.protocol.iec21.p1 import telegram
from cosem.protocol.model import Data, ExtendedRegister, Register
from cosem.protocol.model.classes.m_bus import MBusClient
from cosem.protocol.model.declare import InterfaceClass
from cosem.protocol.profile.address import ConnectionUrl
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


class P1Port(Place):
    """The P1 port of a meter at one place.

    async with P1Port(meter, "p1+tcp://127.0.0.1:0") as port:
        print(port.url)

    Args:
        meter: whose registers the telegrams tell.
        url: where: p1+tcp, whose port 0 finds a free one, or p1+serial.
        interval: seconds between telegrams.
        seal: encrypts a telegram, see `cosem.protocol.iec21.p1.seal`; it must use another counter each time.
        beyond_loopback, limits: as for `cosem.meter.serve.Server`.
    """

    NAME: ClassVar[str] = "the P1 port"

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
        super().__init__(url, beyond_loopback=beyond_loopback, limits=limits)
        if (self._url.framing, self._url.medium) not in _SERVED:
            raise ConfigurationError(f"a P1 port is served on p1+tcp and p1+serial, not on {self._url.scheme}")
        self._check()
        self.meter = meter
        self._interval = interval
        self._seal = seal
        self._line: asyncio.Task[None] | None = None

    @property
    def notices(self) -> tuple[str, ...]:
        """What whoever starts it should be told."""
        return ("a P1 port tells everything to whoever is connected to it",)

    async def close(self) -> None:
        """Stop sending and close every connection."""
        await super().close()
        if self._line is not None:
            self._line.cancel()
            await asyncio.wait([self._line])

    @property
    def _started(self) -> bool:
        return super()._started or self._line is not None

    async def _begin(self) -> None:
        url = self._url
        if url.medium != "serial":
            await super()._begin()
            return
        assert url.baud is not None and url.format is not None
        stream = await open_serial(url.path, url.baud, url.format)
        self._line = asyncio.create_task(self._speak_and_close(stream))

    async def _attend(self, stream: SocketStream | DatagramStream) -> None:
        await self._speak(stream)

    async def _speak_and_close(self, stream: SerialStream) -> None:
        try:
            await self._speak(stream)
        finally:
            await stream.close()

    async def _speak(self, stream: SocketStream | DatagramStream | SerialStream) -> None:
        try:
            while True:
                octets = telegram_of(self.meter)
                await stream.write(octets if self._seal is None else self._seal(octets))
                until = stream.now() + self._interval
                while stream.now() < until:
                    await stream.read(until)  # a P1 port hears nothing, and sees who leaves
        except ConnectionLost:
            return


def _sets(meter: Meter) -> Iterator[tuple[str, *tuple[str, ...]]]:
    yield "1-3:0.2.8", "50"
    yield "0-0:1.0.0", _moment(meter.time())
    yield "0-0:96.1.1", meter.name.encode("ascii").hex().upper()
    for printed in REGISTERS:
        register = Register(Obis(printed.obis))
        if _has(meter, register):
            yield printed.obis, _number(_quantity(meter, register), printed)
    if _has(meter, Data("0.0.96.14.0.255")):
        yield "0-0:96.14.0", f"{int(meter.value(Data('0.0.96.14.0.255').value)):04}"
    for channel in CHANNELS:
        yield from _device(meter, channel)


def _device(meter: Meter, channel: int) -> Iterator[tuple[str, *tuple[str, ...]]]:
    """The sub-meter at a channel: its type where the meter has its M-Bus client, and its last value with its time."""
    last = ExtendedRegister(Obis.of(0, channel, 24, 2, 1))
    if not _has(meter, last):
        return
    client = MBusClient(Obis.of(0, channel, 24, 1, 0))
    if _has(meter, client):
        yield f"0-{channel}:24.1.0", f"{int(meter.value(client.device_type)):03}"
    quantity = _quantity(meter, last)
    captured = meter.value(last.capture_time).to_datetime(meter.zone).astimezone(meter.zone)
    unit = _PLAIN.get(quantity.symbol, quantity.symbol)
    yield f"0-{channel}:24.2.1", _moment(captured), f"{quantity.value:09.3f}*{unit}"


def _has(meter: Meter, address: InterfaceClass) -> bool:
    found = meter.management.find(address.instance)
    return found is not None and found.class_id == address.class_id


def _quantity(meter: Meter, register: Register | ExtendedRegister) -> Quantity:
    scaler_unit = meter.value(register.scaler_unit)
    return Quantity.of(meter.value(register.value), scaler_unit.scaler, scaler_unit.unit)


def _number(quantity: Quantity, printed: Printed) -> str:
    number = quantity.to(printed.unit).value.quantize(Decimal(1).scaleb(-printed.decimals), ROUND_DOWN)
    width = printed.digits + (printed.decimals + 1 if printed.decimals else 0)
    return f"{number:0{width}.{printed.decimals}f}*{printed.unit}"


def _moment(moment: datetime) -> str:
    return f"{moment:%y%m%d%H%M%S}{'S' if moment.dst() else 'W'}"


_SERVED: Final = frozenset({("p1", "tcp"), ("p1", "serial")})
_PLAIN: Final = {"m³": "m3"}
