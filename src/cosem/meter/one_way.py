"""Ports of simulated meters that only speak: the same thing again and again, to whoever is connected."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

from cosem.errors import ConfigurationError, ConnectionLost
from cosem.io.aio import DatagramStream, ListenLimits, Place, SerialStream, SocketStream, open_serial
from cosem.meter.device import Meter
from cosem.meter.misbehave import broke_off, faulty
from cosem.protocol.model import ExtendedRegister, Register
from cosem.protocol.model.declare import InterfaceClass
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.quantity import Quantity


class SpeakingPort(Place):
    """A port of a meter at one place, TCP or a serial line; whoever inherits makes what is said.

    Args:
        meter: whose values are told.
        url: where; port 0 of TCP finds a free one.
        interval: seconds between telegrams.
        beyond_loopback, limits: as for `cosem.meter.serve.Server`.
    """

    FRAMING: ClassVar[str]
    NOTICE: ClassVar[str]

    def __init__(
        self,
        meter: Meter,
        url: str | ConnectionUrl,
        *,
        interval: float,
        beyond_loopback: bool = False,
        limits: ListenLimits | None = None,
    ) -> None:
        super().__init__(url, beyond_loopback=beyond_loopback, limits=limits)
        if self._url.framing != self.FRAMING or self._url.medium not in _MEDIA:
            served = " and ".join(f"{self.FRAMING}+{medium}" for medium in _MEDIA)
            raise ConfigurationError(f"{self.NAME} is served on {served}, not on {self._url.scheme}")
        self._check()
        self.meter = meter
        self._interval = interval
        self._line: asyncio.Task[None] | None = None

    @property
    def notices(self) -> tuple[str, ...]:
        """What whoever starts it should be told."""
        return (self.NOTICE,)

    @property
    def ciphered(self) -> bool:
        """Whether what it says is protected by the meter's keys."""
        return False

    async def close(self) -> None:
        """Stop sending and close every connection."""
        await super().close()
        if self._line is not None:
            self._line.cancel()
            await asyncio.wait([self._line])

    @abstractmethod
    def _telegram(self) -> bytes:
        """Return what is said now."""

    def _speech(self) -> Callable[[], bytes]:
        """Return what tells one listener what is said now, nothing it may be."""
        return self._telegram

    @property
    def _started(self) -> bool:
        return super()._started or self._line is not None

    async def _begin(self) -> None:
        url = self._url
        if url.medium != "serial":
            await super()._begin()
            return
        assert url.baud is not None and url.format is not None
        stream = await open_serial(url.path, url.baud, url.format, url.rs485, url.flow)
        self._line = asyncio.create_task(self._speak_and_close(stream))

    async def _attend(self, stream: SocketStream | DatagramStream) -> None:
        await self._speak(stream)

    async def _speak_and_close(self, stream: SerialStream) -> None:
        try:
            while await self._speak(stream):
                await asyncio.sleep(self._interval)  # the meter starts again, and the line is still there
        finally:
            await stream.close()

    async def _speak(self, line: SocketStream | DatagramStream | SerialStream) -> bool:
        """Speak until the connection ends; return whether it was the meter that broke off."""
        speech, stream = self._speech(), faulty(line, self.meter)
        try:
            while True:
                if self.meter.powered and (octets := speech()):
                    await stream.write(octets)
                until = stream.now() + self._interval
                while stream.now() < until:
                    await stream.read(until)  # such a port hears nothing, and sees who leaves
        except ConnectionLost:
            return broke_off(stream)


def has(meter: Meter, address: InterfaceClass) -> bool:
    """Tell whether a meter has an object of that class there."""
    found = meter.management.find(address.instance)
    return found is not None and found.class_id == address.class_id


def quantity(meter: Meter, register: Register | ExtendedRegister) -> Quantity:
    """Return the present value of a register, with its unit."""
    scaler_unit = meter.value(register.scaler_unit)
    return Quantity.of(meter.value(register.value), scaler_unit.scaler, scaler_unit.unit)


_MEDIA = ("tcp", "serial")
