"""Serial ports behind a network by RFC 2217: a LineStream over any stream, blocking, on asyncio or simulated alike.

Octets go as Telnet data, what the port is to do as subnegotiations between them, and the server says what it did.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Final

from cosem.errors import ConfigurationError, ConnectionFailed, RemoteProtocolError
from cosem.io.serial_line import split_format
from cosem.io.stream import Stream

ANSWER_SECONDS: Final = 5.0
"""How long the server may take to say what it did."""

LONGEST_SUBNEGOTIATION: Final = 64
"""Octets; those of RFC 2217 that a client needs have five."""

LAYER: Final = "serial port server (RFC 2217)"


class Telnet:
    """Tells data from commands, in both directions, without I/O; what must be answered is answered in `outgoing`."""

    def __init__(self) -> None:
        self.refused = False
        """The server does not want to speak RFC 2217."""
        self.agreed = False
        self.answers: deque[tuple[int, bytes]] = deque(maxlen=64)
        """What the server says of its port: the command and its value."""
        self._outgoing = bytearray()
        self._state = _DATA
        self._verb = 0
        self._subnegotiation = bytearray()
        self._said: set[tuple[int, int]] = set()
        for verb, option in _OPENING:
            self._say(verb, option)

    def outgoing(self) -> bytes:
        """Drain what must be written."""
        drained = bytes(self._outgoing)
        self._outgoing.clear()
        return drained

    def command(self, command: int, value: bytes) -> None:
        """Ask the port for something."""
        body = bytes((_COM_PORT, command)) + value
        self._outgoing += bytes((_IAC, _SB)) + body.replace(b"\xff", b"\xff\xff") + bytes((_IAC, _SE))

    def receive(self, octets: bytes) -> bytes:
        """Return the data in octets; raises RemoteProtocolError for a subnegotiation without end."""
        if self._state == _DATA and _IAC not in octets:
            return octets
        data = bytearray()
        for octet in octets:
            self._state = _STEPS[self._state](self, octet, data)
        return bytes(data)

    def _in_data(self, octet: int, data: bytearray) -> int:
        if octet == _IAC:
            return _COMMAND
        data.append(octet)
        return _DATA

    def _in_command(self, octet: int, data: bytearray) -> int:
        if octet == _IAC:
            data.append(_IAC)
            return _DATA
        if octet in (_WILL, _WONT, _DO, _DONT):
            self._verb = octet
            return _OPTION
        if octet == _SB:
            self._subnegotiation.clear()
            return _SUBNEGOTIATION
        return _DATA

    def _in_option(self, octet: int, _data: bytearray) -> int:
        wanted = octet in _OPTIONS
        if octet == _COM_PORT:
            self.agreed = self.agreed or self._verb in (_DO, _WILL)
            self.refused = self.refused or self._verb == _DONT
        if self._verb in (_DO, _DONT):
            self._say(_WILL if self._verb == _DO and wanted and octet != _ECHO else _WONT, octet)
        else:
            self._say(_DO if self._verb == _WILL and wanted else _DONT, octet)
        return _DATA

    def _in_subnegotiation(self, octet: int, _data: bytearray) -> int:
        if octet == _IAC:
            return _SUBNEGOTIATED_COMMAND
        return self._take(octet)

    def _in_subnegotiated_command(self, octet: int, _data: bytearray) -> int:
        if octet == _IAC:
            return self._take(octet)
        body = bytes(self._subnegotiation)
        if octet == _SE and len(body) > 1 and body[0] == _COM_PORT:
            self.answers.append((body[1], body[2:]))
        return _DATA

    def _take(self, octet: int) -> int:
        if len(self._subnegotiation) >= LONGEST_SUBNEGOTIATION:
            raise RemoteProtocolError("a subnegotiation has no end; is that a serial port server?", layer=LAYER)
        self._subnegotiation.append(octet)
        return _SUBNEGOTIATION

    def _say(self, verb: int, option: int) -> None:
        """Say something once: who answers what was an answer goes on for ever."""
        opposite = {_WILL: _WONT, _WONT: _WILL, _DO: _DONT, _DONT: _DO}[verb]
        if (verb, option) in self._said or (verb in (_WONT, _DONT) and (opposite, option) in self._said):
            self._said.discard((opposite, option))
            return
        self._said.add((verb, option))
        self._outgoing += bytes((_IAC, verb, option))


class Rfc2217Stream:
    """A LineStream to the port of a serial port server; `counters` are the errors that the server has told of.

    Use `begin` before anything else.
    """

    def __init__(self, stream: Stream, where: str) -> None:
        self.stream = stream
        self.counters: Counter[str] = Counter(dict.fromkeys(_LINE_STATE.values(), 0))
        self._where = where
        self._telnet = Telnet()
        self._data = bytearray()
        self._bits_per_octet = 10
        self._baud = 0
        self._busy = 0.0
        """When what was written has left at the far end, at the soonest."""

    async def begin(self, baud: int, character_format: str) -> None:
        """Agree on RFC 2217 and set the line.

        Raises ConnectionFailed where the server does not speak RFC 2217, ConfigurationError where its port cannot run
        so; the stream is closed then.
        """
        try:
            await self._set(baud, character_format)
            self._telnet.command(_SET_LINESTATE_MASK, bytes((sum(_LINE_STATE),)))
            self._telnet.command(_PURGE_DATA, bytes((1,)))
            await self._flush()
        except BaseException:
            await self.stream.close()
            raise

    def now(self) -> float:
        return self.stream.now()

    async def read(self, deadline: float | None, /) -> bytes:
        while not self._data:
            if not await self._receive(deadline):
                return b""
        octets = bytes(self._data)
        self._data.clear()
        return octets

    async def write(self, octets: bytes, /) -> None:
        if self._baud:
            spent = len(octets) * self._bits_per_octet / self._baud
            self._busy = max(self._busy, self.stream.now()) + spent
        await self.stream.write(octets.replace(b"\xff", b"\xff\xff"))

    async def close(self) -> None:
        await self.stream.close()

    async def configure(self, baud: int, character_format: str = "8N1", /) -> None:
        await self._drain()
        await self._set(baud, character_format)

    async def send_break(self, seconds: float = 0.25, /) -> None:
        await self._drain()
        self._telnet.command(_SET_CONTROL, _BREAK_ON)
        await self._flush()
        try:
            await self._wait(self.stream.now() + seconds)
        finally:
            self._telnet.command(_SET_CONTROL, _BREAK_OFF)
            await self._flush()

    async def _drain(self) -> None:
        """RFC 2217 has no word for it: reckon how long the octets take at the far end, and give the network as long."""
        if self._busy > self.stream.now():
            await self._wait(self._busy + NETWORK_SECONDS)

    async def _wait(self, until: float) -> None:
        while self.stream.now() < until:
            await self._receive(until)

    async def _set(self, baud: int, character_format: str) -> None:
        wanted = _wanted(baud, character_format)
        self._telnet.answers.clear()
        for command, value in wanted.items():
            self._telnet.command(command, value)
        await self._flush()
        deadline = self.stream.now() + ANSWER_SECONDS
        missing = dict(wanted)
        while missing:
            while self._telnet.answers:
                self._check(*self._telnet.answers.popleft(), missing, f"{baud} baud {character_format}")
            if self._telnet.refused:
                raise ConnectionFailed(f"{self._where} does not speak RFC 2217; {_TRY_RAW}")
            if missing and not await self._receive(deadline):
                raise ConnectionFailed(
                    f"{self._where} did not say within {ANSWER_SECONDS:g} s that its port runs at {baud} baud "
                    f"{character_format}; {_TRY_RAW}"
                )
        self._baud = baud
        self._bits_per_octet = _bits(character_format)

    def _check(self, answer: int, value: bytes, missing: dict[int, bytes], wanted: str) -> None:
        expected = missing.get(answer - _ANSWER)
        if expected is None:
            return
        if value != expected:
            name = _NAMES[answer - _ANSWER]
            raise ConfigurationError(
                f"the port of {self._where} cannot run at {wanted}: "
                f"for its {name} it says {int.from_bytes(value, 'big')}"
            )
        del missing[answer - _ANSWER]

    async def _receive(self, deadline: float | None) -> bool:
        octets = await self.stream.read(deadline)
        if not octets:
            return False
        self._data += self._telnet.receive(octets)
        for answer, value in self._telnet.answers:
            if answer == _NOTIFY_LINESTATE and value:
                self.counters.update(name for bit, name in _LINE_STATE.items() if value[0] & bit)
        await self._flush()
        return True

    async def _flush(self) -> None:
        if octets := self._telnet.outgoing():
            await self.stream.write(octets)


NETWORK_SECONDS: Final = 0.05
"""What is added to the reckoned time for octets to leave a port behind a network."""

_TRY_RAW: Final = "is it a raw TCP serial server (use +tcp instead of +rfc2217), or another port of it?"

_IAC, _DONT, _DO, _WONT, _WILL, _SB, _SE = 255, 254, 253, 252, 251, 250, 240
"""Telnet (RFC 854)."""

_BINARY, _ECHO, _SUPPRESS_GO_AHEAD, _COM_PORT = 0, 1, 3, 44
"""Options of Telnet (RFC 856, 857, 858, 2217)."""

_OPTIONS: Final = frozenset({_BINARY, _ECHO, _SUPPRESS_GO_AHEAD, _COM_PORT})
_OPENING: Final = (
    (_WILL, _COM_PORT),
    (_WILL, _BINARY),
    (_DO, _BINARY),
    (_WILL, _SUPPRESS_GO_AHEAD),
    (_DO, _SUPPRESS_GO_AHEAD),
)

_SET_BAUDRATE, _SET_DATASIZE, _SET_PARITY, _SET_STOPSIZE, _SET_CONTROL = 1, 2, 3, 4, 5
_SET_LINESTATE_MASK, _PURGE_DATA = 10, 12
_ANSWER: Final = 100
"""What the server's answer to a command is above it."""
_NOTIFY_LINESTATE: Final = 106
_BREAK_ON, _BREAK_OFF = bytes((5,)), bytes((6,))
_NAMES: Final = {_SET_BAUDRATE: "speed", _SET_DATASIZE: "data bits", _SET_PARITY: "parity", _SET_STOPSIZE: "stop bits"}
_PARITIES: Final = {"N": 1, "O": 2, "E": 3, "M": 4, "S": 5}
_LINE_STATE: Final = {2: "overruns", 4: "parity_errors", 8: "framing_errors", 16: "breaks"}

_DATA, _COMMAND, _OPTION, _SUBNEGOTIATION, _SUBNEGOTIATED_COMMAND = range(5)
_STEPS: Final = (
    Telnet._in_data,  # pyright: ignore[reportPrivateUsage]
    Telnet._in_command,  # pyright: ignore[reportPrivateUsage]
    Telnet._in_option,  # pyright: ignore[reportPrivateUsage]
    Telnet._in_subnegotiation,  # pyright: ignore[reportPrivateUsage]
    Telnet._in_subnegotiated_command,  # pyright: ignore[reportPrivateUsage]
)


def _bits(character_format: str) -> int:
    bits, parity, stops = split_format(character_format)
    return 1 + bits + (parity != "N") + stops


def _wanted(baud: int, character_format: str) -> dict[int, bytes]:
    """Return what the port is to be told, command by command."""
    bits, parity, stops = split_format(character_format)
    if parity not in _PARITIES:
        raise ConfigurationError(f"{character_format!r} is no character format; write for example 8N1 or 7E1")
    return {
        _SET_BAUDRATE: baud.to_bytes(4, "big"),
        _SET_DATASIZE: bytes((bits,)),
        _SET_PARITY: bytes((_PARITIES[parity],)),
        _SET_STOPSIZE: bytes((stops,)),
    }
