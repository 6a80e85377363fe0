"""The server of Modbus TCP, plain or over TLS: connections, one request after the other, commands."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from pymodbus.constants import ExcCodes
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU

from cosem.errors import ConfigurationError
from cosem.gateway.northbound import Obey, Point, carried_out
from cosem.gateway.northbound.modbus.registers import ModbusSettings, Refused, Registers
from cosem.gateway.value import Command, CommandResult, Sample

_log = logging.getLogger(__name__)
PORT: Final = 502
SECURE_PORT: Final = 802
"""The ports that are registered for the protocol, and for it over TLS."""

HEADER: Final = 7
LONGEST: Final = 254
"""Octets of a message after its length field: unit identifier and PDU of 253 (MODBUS Messaging on TCP/IP, 3.1.3)."""

_FUNCTIONS: Final[Mapping[int, str]] = MappingProxyType(
    {
        **dict.fromkeys((1, 2, 5, 15), "coils"),
        **dict.fromkeys((3, 4, 6, 16, 22, 23), "registers"),
    }
)
"""What each function that is served is about."""

_ECHOED: Final = (5, 6)
"""Functions whose answer repeats what was written, which the device may take a while to show."""


class ModbusOutput:
    """Shows points to masters of Modbus TCP.

    Args:
        host, port: where to listen; port 0 takes a free one, see `port` afterwards.
        settings: word order, where qualities are, limits.
        tls: makes it TLS; without, whoever reaches the port reads and commands.
    """

    buffered = False

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = PORT,
        settings: ModbusSettings | None = None,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.settings = settings or ModbusSettings()
        self._tls = tls
        self._registers = Registers((), self.settings)
        self._obey: Obey | None = None
        self._server: asyncio.Server | None = None
        self._decoder = DecodePDU(True)
        self._callers: set[asyncio.Task[Any]] = set()

    async def start(self, points: Sequence[Point], obey: Obey) -> None:
        """Begin to listen. Raises ConfigurationError for registers that collide, or where nobody can listen."""
        self._registers = Registers(points, self.settings)
        self._obey = obey
        try:
            self._server = await asyncio.start_server(self._serve, self.host, self.port, ssl=self._tls)
        except OSError as error:
            raise ConfigurationError(f"Modbus: cannot listen at {self.host} port {self.port}: {error}") from error
        self.port = self._server.sockets[0].getsockname()[1]

    async def publish(self, samples: Sequence[Sample]) -> None:
        """Show new values."""
        self._registers.publish(samples)

    async def close(self) -> None:
        """End every connection and stop listening."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        for each in list(self._callers):
            each.cancel()
        if self._callers:
            await asyncio.wait(list(self._callers))
        await server.wait_closed()

    def plan(self, points: Sequence[Point]) -> Sequence[tuple[str, ...]]:
        """Return where points would be, addresses from 0, a heading first.

        Raises ConfigurationError as `start` does.
        """
        return self._listed(Registers(points, self.settings))

    def map(self) -> Sequence[tuple[str, ...]]:
        """Return the same of its points."""
        return self._listed(self._registers)

    def _listed(self, registers: Registers) -> Sequence[tuple[str, ...]]:
        heading = ("table", "address", "count", "type", "order", "signal", "unit", "quality", "command")
        rows = [
            (
                *(("register" if each.count else "coil"), str(each.address), str(each.count or 1)),
                *(each.point.number_type.value, self.settings.word_order if each.count > 1 else ""),
                *(each.point.signal, each.point.unit, str(each.quality), "write" if each.point.writable else ""),
            )
            for each in registers.places.values()
        ]
        return (heading, *rows)

    # -- connections --------------------------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = str((writer.get_extra_info("peername") or ("?",))[0])
        task = asyncio.current_task()
        assert task is not None
        if len(self._callers) >= self.settings.connections:
            _log.warning("Modbus: %s was turned away: too many connections", peer)
            writer.transport.abort()
            return
        self._callers.add(task)
        try:
            while True:
                async with asyncio.timeout(self.settings.idle):
                    header = await reader.readexactly(HEADER)
                    pdu = await reader.readexactly(_rest(header))
                answer = await self._answer(header, pdu, peer)
                if answer is not None:
                    writer.write(answer)
                    async with asyncio.timeout(self.settings.idle):
                        await writer.drain()
        except _Stranger as error:
            _log.warning("Modbus: connection of %s ended: %s", peer, error)
        except (asyncio.IncompleteReadError, OSError, TimeoutError, asyncio.CancelledError):
            pass  # it has left, has nothing to ask, or we close
        finally:
            self._callers.discard(task)
            writer.transport.abort()

    async def _answer(self, header: bytes, octets: bytes, peer: str) -> bytes | None:
        unit = header[6]
        if self.settings.unit not in (0, unit):
            return None
        response = await self._response(unit, octets, peer)
        pdu = bytes((response.function_code,)) + response.encode()
        return header[:4] + (len(pdu) + 1).to_bytes(2, "big") + header[6:7] + pdu

    async def _response(self, unit: int, octets: bytes, peer: str) -> ModbusPDU:
        function = octets[0]
        if function not in _FUNCTIONS:
            return ExceptionResponse(function & 0x7F, ExcCodes.ILLEGAL_FUNCTION)
        request = self._decoder.decode(octets)
        if request is None or (function == 5 and octets[3:] not in (b"\x00\x00", b"\xff\x00")):
            return ExceptionResponse(function, ExcCodes.ILLEGAL_VALUE)
        context: Any = _Asked(self._registers, self._carry_out, f"Modbus {peer} unit {unit}")
        return await request.datastore_update(context, unit)

    async def _carry_out(self, command: Command) -> CommandResult:
        return await carried_out(self._obey, command)


class _Stranger(Exception):
    """Something else than Modbus was spoken."""


def _rest(header: bytes) -> int:
    """Return how many octets follow a header; its last octet, the unit identifier, counts in its length."""
    protocol, length = int.from_bytes(header[2:4], "big"), int.from_bytes(header[4:6], "big")
    if protocol != 0 or not 2 <= length <= LONGEST:
        raise _Stranger(f"{header.hex()} begins no message of Modbus")
    return length - 1


class _Asked:
    """The points as pymodbus asks for them, for the time of one request."""

    def __init__(self, registers: Registers, carry_out: Obey, origin: str) -> None:
        self._registers = registers
        self._carry_out = carry_out
        self._origin = origin
        self._written: list[Any] = []

    async def async_getValues(
        self, device_id: int, func_code: int, address: int, count: int = 1
    ) -> list[int] | list[bool] | ExcCodes:
        """Return registers or coils, or the exception code that says why not."""
        if self._written and func_code in _ECHOED:
            return self._written
        try:
            if _FUNCTIONS[func_code] == "coils":
                return self._registers.coils(address, count)
            return self._registers.registers(address, count)
        except Refused:
            return ExcCodes.ILLEGAL_ADDRESS

    async def async_setValues(
        self, device_id: int, func_code: int, address: int, values: Sequence[int]
    ) -> ExcCodes | None:
        """Have commands carried out, one after the other, until one is not."""
        try:
            wanted = self._registers.wanted(address, values, coils=_FUNCTIONS[func_code] == "coils")
        except Refused:
            return ExcCodes.ILLEGAL_ADDRESS
        for point, value in wanted:
            result = await self._carry_out(Command(point.signal, value, self._origin))
            if not result.done:
                _log.warning("Modbus: %s was not written: %s", point.signal, result.reason)
                return ExcCodes.DEVICE_FAILURE
        self._written = list(values)
        return None
