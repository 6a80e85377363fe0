"""Serial lines on asyncio, watched by the event loop where it can, looked at regularly where it cannot."""

from __future__ import annotations

import asyncio

from cosem.errors import ConnectionLost, TimedOut
from cosem.io import failure
from cosem.io.serial_line import SerialPort, configure_port, line_errors, line_lost, open_port
from cosem.io.stream import LARGEST_READ, WRITE_TIMEOUT


async def open_serial(
    path: str, baud: int, character_format: str = "8N1", rs485: str | None = None, flow: str | None = None
) -> SerialStream:
    """Open a serial port for this program alone. Raises ConnectionFailed, or ConfigurationError without pyserial."""
    return SerialStream(open_port(path, baud, character_format, rs485, flow))


POLL_INTERVAL = 0.01
"""Seconds between looks at a serial port that the event loop cannot watch, as on Windows: ten octets at 9600 baud."""


class SerialStream:
    """A LineStream over a serial port, watched by the event loop where it can, looked at regularly where it cannot."""

    def __init__(self, port: SerialPort) -> None:
        self._port = port
        self._loop = asyncio.get_running_loop()
        self._gone = ""
        port.timeout = 0
        port.write_timeout = 0

    def now(self) -> float:
        return self._loop.time()

    async def read(self, deadline: float | None, /) -> bytes:
        while True:
            if self._gone:
                raise ConnectionLost(self._gone)
            try:
                octets = self._port.read(1)
                if octets:
                    octets += self._port.read(min(self._port.in_waiting, LARGEST_READ))
            except line_errors() as error:
                raise self._lose(error) from error
            if octets:
                return octets
            left = None if deadline is None else deadline - self._loop.time()
            if left is not None and left <= 0:
                return b""
            await self._readable(left)

    async def write(self, octets: bytes, /) -> None:
        left = octets
        taken = self._loop.time()
        while left:
            if self._gone:
                raise ConnectionLost(self._gone)
            try:
                count = self._port.write(left)
            except line_errors() as error:
                raise self._lose(error) from error
            if count:
                left, taken = left[count:], self._loop.time()
            elif self._loop.time() - taken > WRITE_TIMEOUT:
                raise TimedOut("write", WRITE_TIMEOUT)
            if left:
                await asyncio.sleep(POLL_INTERVAL)

    async def configure(self, baud: int, character_format: str = "8N1", /) -> None:
        if self._gone:
            raise ConnectionLost(self._gone)
        try:
            await self._drain()
            configure_port(self._port, baud, character_format)
        except line_errors() as error:
            raise self._lose(error) from error

    async def send_break(self, seconds: float = 0.25, /) -> None:
        if self._gone:
            raise ConnectionLost(self._gone)
        try:
            await self._drain()
            self._port.break_condition = True
            try:
                await asyncio.sleep(seconds)
            finally:
                self._port.break_condition = False
        except line_errors() as error:
            raise self._lose(error) from error

    async def _drain(self) -> None:
        while self._port.out_waiting:
            await asyncio.sleep(POLL_INTERVAL)
        self._port.flush()  # the last characters, still in the hardware

    async def close(self) -> None:
        if not self._gone:
            self._gone = str(failure.closed_here())
        self._port.close()

    async def _readable(self, seconds: float | None) -> None:
        """Wait until there may be something to read, or for the time given."""
        waiter: asyncio.Future[None] = self._loop.create_future()

        def look() -> None:
            if not waiter.done():
                waiter.set_result(None)

        try:
            number = self._port.fileno()
            self._loop.add_reader(number, look)
        except (RuntimeError, AttributeError, OSError):  # the loop (it says not implemented) or the port cannot
            await asyncio.sleep(POLL_INTERVAL if seconds is None else min(POLL_INTERVAL, seconds))
            return
        try:
            await asyncio.wait([waiter], timeout=seconds)
        finally:
            self._loop.remove_reader(number)

    def _lose(self, error: Exception) -> ConnectionLost:
        lost = line_lost(error)
        self._gone = self._gone or str(lost)
        return lost
