"""One session over one stream: the loop that moves octets until what was waited for has happened."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, TypeVar

from cosem.errors import ConnectionLost, CosemError, ServiceError, TimedOut
from cosem.io.stream import Shared, Stream, explained
from cosem.protocol.association.context import Associated, Negotiated, Notified, Released, Response
from cosem.protocol.association.services import Request
from cosem.protocol.link.hdlc import HdlcClient
from cosem.protocol.profile.session import ClientSession, Connected, Disconnected, SessionEvent

E = TypeVar("E")

NOTIFICATIONS_KEPT = 256
"""How many notifications are set aside; the oldest go first."""

_TOLERATED: Final = "tolerated_"


class _Turn:
    """Has the line for itself as long as it is entered, where others use it too."""

    __slots__ = ("_shared",)

    def __init__(self, stream: Stream) -> None:
        self._shared = stream if isinstance(stream, Shared) else None

    async def __aenter__(self) -> None:
        if self._shared is not None:
            await self._shared.take_turn()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shared is not None:
            self._shared.give_turn()


class Exchange:
    """A session that is alive: every method is one step that leaves the session usable, or closed.

    When a step fails with anything but a `ServiceError`, or is interrupted, the stream is closed at once: a late
    answer must never be taken for the answer to the next question. On a line that others use too each step is a turn;
    whoever waits for notifications holds the line meanwhile.
    """

    def __init__(
        self, session: ClientSession, stream: Stream, *, datagrams: bool = False, always_release: bool = False
    ) -> None:
        self.session = session
        self.stream = stream
        self.always_release = always_release
        self.notifications: deque[Notified] = deque(maxlen=NOTIFICATIONS_KEPT)
        self.open = True
        self._turn = _Turn(stream)
        self._linked = False
        self._associated = False
        self._datagrams = datagrams
        """No connection whose end would tell the meter that its client has gone."""

    @property
    def negotiated(self) -> Negotiated | None:
        """What the open association allows, or None while there is none."""
        return self.session.association.negotiated

    @property
    def longest_request(self) -> int | None:
        """How long a request may be to reach the meter in one turn, None for any: several short ones cost no more.

        What does not go out at once is acknowledged piece by piece, and an answer as long comes back likewise.
        """
        association, turn = self.session.association, self.session.link.octets_in_a_turn
        limits = [association.longest_request, None if turn is None else association.longest_within(turn)]
        return min((each for each in limits if each is not None), default=None)

    @property
    def tolerated(self) -> Counter[str]:
        """How often each deviation of the meter was put up with, by the name of its switch, link and association."""
        found = Counter(self.session.association.tolerated)
        link = self.session.link
        if isinstance(link, HdlcClient):
            for name, times in link.counters.items():
                if name.startswith(_TOLERATED):
                    found[name.removeprefix(_TOLERATED)] += times
        return found

    async def connect(self) -> None:
        """Set up the lower layers."""
        async with self._turn:
            self.session.connect(self.stream.now())
            await self._until(Connected)
        self._linked = True

    async def associate(self) -> Negotiated:
        """Open the association and, with HLS, prove and be proved."""
        async with self._turn:
            self.session.associate(self.stream.now())
            negotiated = (await self._until(Associated)).negotiated
        self._associated = True
        return negotiated

    async def request(self, request: Request, *, raw: bool = False) -> Response:
        """Send one request and wait for its whole answer."""
        if not self.open:
            raise ConnectionLost("the session is closed")
        async with self._turn:
            self.session.send(request, self.stream.now(), raw=raw)
            return await self._until(Response)

    async def tell(self, request: Request) -> None:
        """Send one request of a service that has no answer; where the link says that it arrived, wait for that."""
        if not self.open:
            raise ConnectionLost("the session is closed")
        async with self._turn:
            self.session.send(request, self.stream.now())
            try:
                await self._settle()
            except TimedOut as error:
                await self._drop()
                raise explained(error, self.stream) from None
            except BaseException:
                await self._drop()
                raise

    async def _settle(self) -> None:
        """Let the link say what it has to say, until it is its turn again."""
        session, stream = self.session, self.stream
        while True:
            while octets := session.outgoing():
                await stream.write(octets)
            if not session.link.awaiting:
                return
            octets = await stream.read(session.deadline())
            if octets:
                session.receive(octets, stream.now())
            else:
                session.tick(stream.now())
            self._sort(session.events(), Notified)

    async def wait_for_notification(self, seconds: float | None) -> Notified | None:
        """Wait for something the meter says unasked; None when nothing comes in time."""
        await self._listen(seconds, heard=lambda: bool(self.notifications))
        return self.notifications.popleft() if self.notifications else None

    async def pause(self, seconds: float) -> None:
        """Do nothing for so long, but keep the link alive and take what the meter says unasked."""
        await self._listen(seconds, heard=lambda: False)

    async def _listen(self, seconds: float | None, *, heard: Callable[[], bool]) -> None:
        async with self._turn:
            await self._listen_on(seconds, heard)

    async def _listen_on(self, seconds: float | None, heard: Callable[[], bool]) -> None:
        session, stream = self.session, self.stream
        until = None if seconds is None else stream.now() + seconds
        try:
            while not heard():
                due = [at for at in (until, session.deadline()) if at is not None]
                octets = await stream.read(min(due, default=None))
                if octets:
                    session.receive(octets, stream.now())
                else:
                    session.tick(stream.now())
                self._sort(session.events(), Notified)
                while octets := session.outgoing():
                    await stream.write(octets)
                if until is not None and stream.now() >= until:
                    break
        except CosemError:
            await self._drop()
            raise

    async def close(self) -> None:
        """Release the association and take the layers down, in good order as far as the meter takes part.

        The meter is being left: whatever it says or does not say changes nothing for the caller.
        """
        try:
            async with self._turn:
                await self._leave()
        except CosemError:  # of a line that is gone
            await self._drop()

    async def _leave(self) -> None:
        with suppress(CosemError):
            if self.open and self.negotiated is not None and self._asks_for_release:
                self.session.release(self.stream.now())
                await self._until(Released)
                self._associated = False
        with suppress(CosemError):
            if self.open and self._linked:
                self._linked = False
                self.session.disconnect(self.stream.now())
                await self._until(Disconnected)
        await self._drop()

    @property
    def _asks_for_release(self) -> bool:
        """Whether RLRQ goes before the end of the link.

        Where that end ends the association too, RLRQ is a round trip that says nothing more, and one that not every
        meter answers; only in a protected association it says who leaves.
        """
        association, link = self.session.association, self.session.link
        if association.settings.dialect.no_release_request:
            return False
        return association.protected or self.always_release or not link.ends_associations

    async def _until(self, wanted: type[E]) -> E:
        session, stream = self.session, self.stream
        try:
            while True:
                events = session.events()
                found = self._sort(events, wanted) if events else None
                while octets := session.outgoing():
                    await stream.write(octets)
                if found is not None:
                    return found
                octets = await stream.read(session.deadline())
                if octets:
                    session.receive(octets, stream.now())
                else:
                    session.tick(stream.now())
        except ServiceError:
            if session.association.negotiated is None:
                await self._drop()
            raise
        except TimedOut as error:
            await self._drop()
            raise explained(error, stream) from None
        except BaseException:
            await self._drop()
            raise

    def _sort(self, events: Sequence[SessionEvent], wanted: type[E]) -> E | None:
        found: E | None = None
        for event in events:
            if isinstance(event, Notified):
                self.notifications.append(event)
            if isinstance(event, wanted):
                found = event
            elif isinstance(event, Disconnected):
                raise ConnectionLost("the meter took the link down")
        return found

    async def _drop(self) -> None:
        """Close the stream; a meter that would not notice is told so, and not waited for."""
        self.open = False
        linked, self._linked = self._linked, False
        release, self._associated = self._associated and self._datagrams, False
        try:
            with suppress(CosemError):  # a link that has given up has said its last word itself
                if linked:
                    self.session.farewell(self.stream.now(), release=release)
            with suppress(CosemError):  # the line may be in no state to carry it
                while octets := self.session.outgoing():
                    await self.stream.write(octets)
        finally:
            await self.stream.close()
