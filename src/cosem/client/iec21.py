"""The clients of IEC 62056-21: readouts, and in programming mode registers, load profiles, writes and commands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

from cosem.client.local import LocalExchange
from cosem.client.operation import Blocking, Suspending, operation
from cosem.errors import CommandRefused, ConfigurationError, ConnectionLost, LocalProtocolError
from cosem.io.open import open_async, open_blocking
from cosem.io.stream import CONNECT_TIMEOUT, Stream
from cosem.protocol.crypto.key import Secret
from cosem.protocol.iec21.client import HandHeldUnit
from cosem.protocol.iec21.client_events import Answered, Entered, ReadoutReceived
from cosem.protocol.iec21.message import Check, Command, Identification, Mode, Option
from cosem.protocol.iec21.profile import Row, rows
from cosem.protocol.iec21.readout import Readout
from cosem.protocol.iec21.settings import ClientSettings
from cosem.protocol.iec21.telegram import DataSet
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.local import reader_settings
from cosem.protocol.values.dates import daylight_saving

Algorithm: TypeAlias = Callable[[bytes, bytes], bytes]
"""Makes of operand and password what P2 carries."""

Opener: TypeAlias = Callable[[ConnectionUrl, float], Coroutine[Any, Any, Stream]]

LOAD_PROFILE: Final = "P.01"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalAccess:
    """How programming mode is entered: with a password as it is (P1), through an algorithm (P2), or with none."""

    password: Secret | None = None
    algorithm: Algorithm | None = None

    def command(self, operand: bytes | None) -> Command | None:
        """Return what proves who we are, or None."""
        if self.password is None:
            return None
        if self.algorithm is None:
            return Command("P1", b"(" + self.password.reveal() + b")")
        return Command("P2", b"(" + self.algorithm(operand or b"", self.password.reveal()) + b")")


class _LocalPort:
    """What both clients are: a URL, how to enter, and the exchange while it is open."""

    def __init__(
        self, url: ConnectionUrl, access: LocalAccess, settings: ClientSettings, *, opener: Opener | None = None
    ) -> None:
        super().__init__()
        self.url = url
        self.access = access
        self.settings = settings
        self.identification: Identification | None = None
        """Who the meter is, once it has told."""
        self.counters: Counter[str] = Counter()
        """How often what happened on the line: damage, repetitions, and what was put up with, by name."""
        self._opener = self.open_stream if opener is None else opener
        self._exchange: LocalExchange | None = None

    @classmethod
    def open(
        cls,
        url: str | ConnectionUrl,
        *,
        password: Secret | None = None,
        algorithm: Algorithm | None = None,
        settings: ClientSettings | None = None,
        opener: Opener | None = None,
    ) -> Self:
        """Return a client for `url`, such as `iec21+serial:///dev/ttyUSB0`; nothing is sent before the first operation.

        Args:
            url: `address`, `mode`, `baud`, `data_baud`, `bcc` and `wake` are parameters of it.
            password: for programming mode, which is entered by the first operation that needs it.
            algorithm: makes of P0's operand and the password what P2 carries; without it the password goes as it is.
            settings: limits and times, complete; otherwise those of the URL.
            opener: gives the stream for a URL; by default the one the URL names.
        """
        parsed = url if isinstance(url, ConnectionUrl) else ConnectionUrl.parse(url)
        if parsed.framing != "iec21":
            raise ConfigurationError(f"{parsed} is no URL of IEC 62056-21: write iec21+serial:// or iec21+tcp://")
        access = LocalAccess(password=password, algorithm=algorithm)
        return cls(parsed, access, reader_settings(parsed) if settings is None else settings, opener=opener)

    @operation
    async def readout(self, option: Option | str = Option.READOUT) -> Readout:
        """Sign on and read all that the meter sends; of a meter of mode D, wait until it speaks.

        `option` 6 to 9 are readouts of the manufacturer. A readout whose block check is wrong, as often as it was asked
        for, comes with its `fault`. The session ends with the readout. Raises TimedOut, OnlyEcho, DecodeError,
        RemoteProtocolError and TransportError.
        """
        await self._leave()
        exchange = await self._dial()
        unit = exchange.unit
        if self.settings.mode is Mode.D:
            unit.listen(exchange.stream.now(), self.settings.answer)
        else:
            unit.sign_on(exchange.stream.now(), Option(option))
        found = await exchange.until(ReadoutReceived)
        self.identification = found.identification
        await exchange.drop()
        return Readout.of(found.identification, found.data, found.check, found.fault)

    @operation
    async def enter(self) -> bytes | None:
        """Enter programming mode and prove who we are; return the operand that the meter gave with P0, if any.

        Raises CommandRefused where the meter does not take the password.
        """
        return await self._enter()

    @operation
    async def command(self, command: Command) -> bytes | None:
        """Send a command of programming mode, which is entered first where it is not; return data, None for ACK.

        Raises CommandRefused with the meter's own words; the session goes on then.
        """
        return await self._command(command)

    @operation
    async def read(self, address: str, content: str = "", *, command: str = "R5") -> tuple[DataSet, ...]:
        """Read one address in programming mode; `content` is what stands in the parentheses of the question.

        A meter may leave the address out of its answer. Raises CommandRefused.
        """
        return await self._read(address, content, command)

    @operation
    async def write(self, address: str, value: str, *, command: str = "W5") -> None:
        """Write one address in programming mode. Raises CommandRefused."""
        await self._command(Command(command, _set(address, value)))

    @operation
    async def execute(self, address: str, value: str = "", *, command: str = "E2") -> tuple[DataSet, ...]:
        """Run a command of the meter in programming mode, and return what it says, if anything.

        Raises CommandRefused.
        """
        data = await self._command(Command(command, _set(address, value)))
        return () if data is None else Readout.of(None, data, Check.RIGHT).sets

    @operation
    async def load_profile(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        address: str = LOAD_PROFILE,
        command: str = "R5",
    ) -> tuple[Row, ...]:
        """Read the rows of a load profile or log between two local times of the meter, all of them without.

        The times say nothing of a zone; an aware one is sent with its season. R6 asks for partial blocks.
        """
        content = "" if since is None and until is None else f"{_stamp(since)};{_stamp(until)}"
        return tuple(rows(await self._read(address, content, command)))

    @operation
    async def keep_alive(self, seconds: float) -> None:
        """Let so many seconds pass, and remind the meter of us, so that it does not sign off."""
        if self._exchange is None:
            raise LocalProtocolError("there is no session to keep alive")
        await self._alive(self._exchange).pause(seconds)

    @operation
    async def close(self) -> None:
        """Sign off and close the line; does nothing when there is none."""
        await self._leave()

    async def _read(self, address: str, content: str, command: str) -> tuple[DataSet, ...]:
        data = await self._command(Command(command, _set(address, content)))
        sets = () if data is None else Readout.of(None, data, Check.RIGHT).sets
        # The answer to one question may say nothing but the value.
        return tuple(
            replace(each, address=address)
            if not each.address and number == 0 and each.error is None and not address.startswith("P.")
            else each
            for number, each in enumerate(sets)
        )

    async def _command(self, command: Command) -> bytes | None:
        if self._exchange is None:
            await self._enter()
        exchange = self._exchange
        assert exchange is not None
        await self._alive(exchange).pause(0)  # the meter may have signed off meanwhile
        exchange.unit.command(command, exchange.stream.now())
        return (await exchange.until(Answered)).data

    @staticmethod
    def _alive(exchange: LocalExchange) -> LocalExchange:
        if not exchange.open:
            raise ConnectionLost("the session is closed")
        return exchange

    async def _enter(self) -> bytes | None:
        await self._leave()
        exchange = await self._dial()
        exchange.unit.sign_on(exchange.stream.now(), Option.PROGRAMMING)
        entered = await exchange.until(Entered)
        self.identification = exchange.unit.identification
        self._exchange = exchange
        proof = self.access.command(entered.operand)
        if proof is not None:
            exchange.unit.command(proof, exchange.stream.now())
            try:
                await exchange.until(Answered)
            except CommandRefused:
                await self._leave()
                raise
        return entered.operand

    async def _dial(self) -> LocalExchange:
        unit = HandHeldUnit(self.settings)
        stream = await self._opener(self.url, CONNECT_TIMEOUT)
        unit.counters.update(self.counters)
        self.counters = unit.counters
        return LocalExchange(unit, stream)

    async def _leave(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            await exchange.drop()

    @staticmethod
    async def open_stream(url: ConnectionUrl, seconds: float) -> Stream:
        """Open the stream that a URL names."""
        raise LocalProtocolError("use LocalClient or AsyncLocalClient")


class LocalClient(Blocking, _LocalPort):
    """A blocking client of IEC 62056-21; threads that share one take turns.

    with LocalClient.open("iec21+serial:///dev/ttyUSB0") as meter:
        for each in meter.readout().sets:
            print(each)
    """

    @staticmethod
    async def open_stream(url: ConnectionUrl, seconds: float) -> Stream:
        """Open the stream that a URL names; every call on it blocks."""
        return open_blocking(url, timeout=seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncLocalClient(Suspending, _LocalPort):
    """A client of IEC 62056-21 for asyncio; tasks that share one take turns."""

    @staticmethod
    async def open_stream(url: ConnectionUrl, seconds: float) -> Stream:
        """Open the stream that a URL names."""
        return await open_async(url, timeout=seconds)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _set(address: str, content: str) -> bytes:
    text = f"{address}({content})"
    if not text.isascii() or not text.isprintable() or "(" in content or ")" in content or "(" in address:
        raise ConfigurationError(f"{text!r}: address and value are printable ASCII characters without parentheses")
    return text.encode("ascii")


def _stamp(moment: datetime | None) -> str:
    """Return `YYMMDDhhmm` with the season in front where the time is aware; nothing for no bound."""
    if moment is None:
        return ""
    season = "" if moment.tzinfo is None else "1" if daylight_saving(moment) else "0"
    return f"{season}{moment:%y%m%d%H%M}"
