"""The two clients: `Client` blocks, `AsyncClient` suspends; both take turns where several callers share one."""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Callable, Coroutine
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar, Unpack

from cosem.client.access import Access, AccessWords, access
from cosem.client.browse import EVERYTHING, BrowsedDevice, Progress, Wanted, no_progress, survey
from cosem.client.compare import Shown, read_shown
from cosem.client.conveniences import Conveniences
from cosem.client.exchange import Exchange
from cosem.client.local import sign_on
from cosem.client.operation import Blocking, Suspending, operation
from cosem.client.services import Services
from cosem.errors import LocalProtocolError, SecurityWarning, ServiceRefused, ShapeError
from cosem.io.open import open_async, open_blocking
from cosem.io.stream import Stream
from cosem.protocol.apdu.exception import ExceptionResponse
from cosem.protocol.association.context import Negotiated
from cosem.protocol.association.counter import InvocationCounter
from cosem.protocol.association.security import Protection
from cosem.protocol.iec21.message import Identification
from cosem.protocol.link.hdlc import HdlcClient
from cosem.protocol.link.hdlc.settings import Tolerance
from cosem.protocol.model.classes.data_storage import Data
from cosem.protocol.model.companion import Companion
from cosem.protocol.profile import profile_of
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.session import ClientSession
from cosem.protocol.profile.timing import Timing

R = TypeVar("R")

Opener: TypeAlias = Callable[[ConnectionUrl, float], Coroutine[Any, Any, Stream]]
"""Gives a stream to the meter a URL names, within so many seconds."""

PUBLIC_CLIENT = 16

IN_CLEAR = frozenset(("tcp", "udp"))
"""Media on which others may listen."""


class _Connection(Conveniences):
    """What both clients are: a URL, the access to it, and the exchange while it is open."""

    def __init__(
        self,
        url: ConnectionUrl,
        entry: Access,
        timing: Timing | None = None,
        *,
        opener: Opener | None = None,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
        warns: bool = True,
    ) -> None:
        self.url = url
        self.entry = entry
        self.communication = profile_of(url)
        self.timing = self.communication.application.timing if timing is None else timing
        self._opener = self.open_stream if opener is None else opener
        self._entropy = entropy
        self.ways = {}
        self.identification: Identification | None = None
        """Who the meter said it is, where a sign-on of IEC 62056-21 leads to it."""
        self._counter: InvocationCounter | None = None
        self._warned = not warns

    @classmethod
    def open(
        cls,
        url: str | ConnectionUrl,
        *,
        timing: Timing | None = None,
        entry: Access | None = None,
        opener: Opener | None = None,
        warns: bool = True,
        **words: Unpack[AccessWords],
    ) -> Self:
        """Return a client for `url`; enter it (`with`) or call `connect` to reach the meter.

        Args:
            url: see `cosem.protocol.profile.address`, for example `tcp://127.0.0.1:4059?client=16&server=1`.
            timing: how long to wait in each phase.
            entry: how to enter, complete; otherwise it is made of `words` (see `AccessWords`).
            opener: gives the stream for a URL; by default the one the URL names. For media of your own, and for taps.
            warns: say with a SecurityWarning what is weak about the entry; False where somebody was told otherwise.

        Raises:
            ConfigurationError: something does not fit; nothing was sent.
        """
        parsed = url if isinstance(url, ConnectionUrl) else ConnectionUrl.parse(url)
        return cls(parsed, access(**words) if entry is None else entry, timing, opener=opener, warns=warns)

    @operation
    async def connect(self) -> Negotiated:
        """Reach the meter and open the association; on any failure everything is released again.

        A meter that has seen greater invocation counters than ours says so; ours is raised then, and tried once more.
        """
        if self.services is not None and self.services.exchange.open:
            raise LocalProtocolError("already connected")
        self.services, negotiated = await self.enter(self.url)
        return negotiated

    async def enter(self, url: ConnectionUrl, entry: Access | None = None) -> tuple[Services, Negotiated]:
        """Open an association at `url`, entered as this client is unless `entry` is given; the caller closes it."""
        if entry is not None:
            exchange, negotiated = await self._dial(url, entry, None)
            return Services(exchange), negotiated
        self._warn()
        if self.entry.secured and self._counter is None:
            self._counter = self.entry.counter()
            if self.entry.counter_object is not None:
                self._counter.raise_to(await self._read_counter())
        try:
            exchange, negotiated = await self._dial(url, self.entry, self._counter)
        except ServiceRefused as refusal:
            # The meter tells, unauthenticated, which counter it expects: that may raise ours once, within bounds.
            expected = refusal.response.invocation_counter if isinstance(refusal.response, ExceptionResponse) else None
            if expected is None or self._counter is None:
                raise
            self._counter.raise_to(expected)
            exchange, negotiated = await self._dial(url, self.entry, self._counter)
        self._warn_of_counter()
        return Services(exchange), negotiated

    @operation
    async def survey(self, wanted: Wanted = EVERYTHING, progress: Progress = no_progress) -> tuple[BrowsedDevice, ...]:
        """Browse the whole meter: every logical device, what each association shows of it, and all values.

        It opens associations of its own, the public client's first and then this client's, and closes them; this client
        must not be connected. A refused attribute, and a device that does not let us in, is part of what is returned.
        An object list that is kept in `wanted.known` is not read again.

        Args:
            wanted: which devices, objects and values.
            progress: is told how far the work is.

        Raises:
            LocalProtocolError: this client is connected.
            ConfigurationError: something is missing to enter as this client.
        """
        if self.services is not None and self.services.exchange.open:
            raise LocalProtocolError("a survey opens associations of its own: close this one first")
        return await survey(self, wanted, progress)

    @operation
    async def close(self) -> None:
        """Release the association and the line; does nothing when there is none."""
        if self.services is not None:
            exchange, self.services = self.services.exchange, None
            await exchange.close()

    @operation
    async def shown(self, known: Companion | None = None) -> Shown:
        """Read what the meter shows: object lists with rights, and static attributes (see `cosem.client.compare`).

        What `known` calls static is read too. Values that the meter refuses stand as their errors; raises
        DataAccessError when it refuses its object list.
        """
        return await read_shown(self._open(), self.url.client, known)

    async def _dial(
        self, url: ConnectionUrl, entry: Access, counter: InvocationCounter | None
    ) -> tuple[Exchange, Negotiated]:
        association = entry.association(self.communication.application, self._entropy, counter)
        link = self.communication.lower_layers.client_link(url)
        if isinstance(link, HdlcClient):
            for name in entry.dialect.link:
                link.tolerate(Tolerance[name])
        session = ClientSession(link, association, self.timing)
        stream = await self._opener(url, self.timing.connect)
        if url.sign_on is not None:
            patience = {"first_octet": self.timing.first_octet} if self.timing.first_octet else {}
            self.identification = await sign_on(stream, url, **patience)
        datagrams = self.communication.lower_layers.datagrams
        exchange = Exchange(session, stream, datagrams=datagrams, always_release=entry.always_release)
        try:
            await exchange.connect()
            negotiated = await exchange.associate()
        except BaseException:
            await exchange.close()
            raise
        return exchange, negotiated

    async def _read_counter(self) -> int:
        """Ask the meter, as its public client, for the last counter it has seen; return the next one."""
        instance = self.entry.counter_object
        assert instance is not None
        url = replace(self.url, client=PUBLIC_CLIENT)
        exchange, _ = await self._dial(
            url, Access(dialect=self.entry.dialect, naming=self.entry.naming, permitted=self.entry.permitted), None
        )
        try:
            number = await Services(exchange).get(Data(instance).value)
        finally:
            await exchange.close()
        if not isinstance(number, int):
            raise ShapeError(f"expected an invocation counter, have {number!r}", (str(instance),))
        return number + 1

    def _warn(self) -> None:
        entry = self.entry
        if self._warned or entry.protection is not Protection.NONE or self.url.medium not in IN_CLEAR:
            return
        self._warned = True
        if entry.sends_password:
            warnings.warn(
                f"the password for {self.url.place} goes over the network in clear; an HLS mechanism would not show it",
                SecurityWarning,
                stacklevel=4,
            )
        elif entry.mechanism.challenges:
            warnings.warn(
                f"after the authentication with {self.url.place} nothing is protected, and whoever is on the line can "
                "take the association over; keys and a protection would bind it",
                SecurityWarning,
                stacklevel=4,
            )

    def _warn_of_counter(self) -> None:
        alarm = None if self._counter is None else self._counter.alarm
        if alarm is not None:
            warnings.warn(f"{self.url.place}: {alarm}", SecurityWarning, stacklevel=4)

    @staticmethod
    async def open_stream(url: ConnectionUrl, seconds: float) -> Stream:
        """Open the stream that a URL names."""
        raise LocalProtocolError("use Client or AsyncClient")


class Client(Blocking, _Connection):
    """A blocking client; threads that share one take turns."""

    @staticmethod
    async def open_stream(url: ConnectionUrl, seconds: float) -> Stream:
        """Open the stream that a URL names; every call on it blocks."""
        return open_blocking(url, timeout=seconds)

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient(Suspending, _Connection):
    """A client for asyncio; tasks that share one take turns."""

    @staticmethod
    async def open_stream(url: ConnectionUrl, seconds: float) -> Stream:
        """Open the stream that a URL names."""
        return await open_async(url, timeout=seconds)

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
