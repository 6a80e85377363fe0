"""Direct local data exchange: one session of IEC 62056-21 over one stream, and the sign-on that leads to HDLC."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, TypeVar

from cosem.errors import ConnectionLost, CosemError, LocalProtocolError, TimedOut
from cosem.io.stream import LineStream, Stream, counted, explained
from cosem.protocol.iec21.client import HandHeldUnit
from cosem.protocol.iec21.client_events import BinaryEntered, ClientEvent, Refused, SignedOff, State
from cosem.protocol.iec21.message import Identification, Option
from cosem.protocol.iec21.outbox import LineChange
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.local import reader_settings

E = TypeVar("E")


class LocalExchange:
    """A reader that is alive on a stream: every method is one step that leaves the session usable, or closed."""

    def __init__(self, unit: HandHeldUnit, stream: Stream) -> None:
        self.unit = unit
        self.stream = stream
        self.open = True

    async def until(self, wanted: type[E]) -> E:
        """Move octets until something has happened.

        Raises CommandRefused where the meter refused instead, and the session goes on; whatever else goes wrong closes
        the stream, so that a late answer is never taken for the next one.
        """
        unit, stream = self.unit, self.stream
        try:
            while True:
                await self.write()
                for event in unit.events():
                    if isinstance(event, wanted):
                        return event
                    self._raise(event)
                octets = await stream.read(unit.deadline())
                if octets:
                    unit.receive(octets, stream.now())
                else:
                    unit.tick(stream.now())
        except _RefusedError as refused:
            raise refused.error from None
        except TimedOut as error:
            await self.drop()
            raise explained(error, stream) from None
        except BaseException:
            await self.drop()
            raise

    async def pause(self, seconds: float) -> None:
        """Let time pass and keep the session alive."""
        unit, stream = self.unit, self.stream
        end = stream.now() + seconds
        try:
            while True:
                await self.write()
                for event in unit.events():
                    self._raise(event)
                due = unit.deadline()
                keeping = unit.state is State.KEEPING  # the answer must come before anything else is said
                octets = await stream.read(due if keeping else end if due is None else min(due, end))
                if octets:
                    unit.receive(octets, stream.now())
                else:
                    unit.tick(stream.now())
                    if stream.now() >= end and unit.state is not State.KEEPING:
                        break
            for event in unit.events():
                self._raise(event)
        except TimedOut as error:
            await self.drop()
            raise explained(error, stream) from None
        except BaseException:
            await self.drop()
            raise

    async def write(self) -> None:
        """Write what is outgoing, and change the line where that is due."""
        for item in self.unit.outgoing():
            if isinstance(item, LineChange):
                await configure(self.stream, item)
            else:
                await self.stream.write(item)

    async def drop(self) -> None:
        """Sign off without waiting for anybody, and close the stream."""
        if not self.open:
            return
        self.open = False
        self.unit.counters.update(counted(self.stream))
        try:
            with suppress(CosemError):
                self.unit.sign_off(self.stream.now())
                await self.write()
        finally:
            await self.stream.close()

    def _raise(self, event: ClientEvent) -> None:
        if isinstance(event, Refused):
            raise _RefusedError(event.error)
        if isinstance(event, SignedOff):
            if not event.automatic:
                raise ConnectionLost("the meter has signed off: it broke the session off")
            hint = explained(TimedOut("keep-alive"), self.stream).hint
            raise ConnectionLost(f"the meter has signed off: it was silent for too long{hint and '; '}{hint}")


class _RefusedError(Exception):
    """Carries a refusal past what closes the stream."""

    def __init__(self, error: CosemError) -> None:
        self.error = error


async def configure(stream: Stream, change: LineChange) -> None:
    """Change speed and character format of a line."""
    if not isinstance(stream, LineStream):
        raise LocalProtocolError("only a serial line can change its speed")
    await stream.configure(change.baud, change.character_format)


async def sign_on(stream: Stream, url: ConnectionUrl, **settings: Any) -> Identification:
    """Lead a meter of mode E to HDLC; the stream carries HDLC from then on. On any failure it is closed.

    Raises as `HandHeldUnit` does.
    """
    exchange = LocalExchange(HandHeldUnit(reader_settings(url, **settings)), stream)
    exchange.unit.sign_on(stream.now(), Option.BINARY)
    await exchange.until(BinaryEntered)
    await exchange.write()
    assert exchange.unit.identification is not None
    return exchange.unit.identification
