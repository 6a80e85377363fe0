"""Reading Elgama EPQS and EPQM/LZQM meters by their byte protocol (EXPERIMENTAL).

    with ElgamaReader.open("elgama+tcp://192.0.2.7:4001?model=epqs&serial=925948&experimental=yes") as meter:
        print(meter.clock().time)
        record = tables.epqs_profile_record(meter.table(tables.epqs_profile(0, 0)))

Values may be wrong: what is known rests on four captured frames and one implementation. See docs/elgama-uncertain.md.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Self, TypeVar

from cosem.errors import ConfigurationError, LocalProtocolError, ServiceRefused
from cosem.io.open import open_blocking
from cosem.io.stream import Stream
from cosem.protocol.crypto.key import Secret
from cosem.protocol.elgama import models, tables
from cosem.protocol.elgama.client import Accepted, Answered, ClientEvent, ElgamaClient, Settings
from cosem.protocol.elgama.models import Model
from cosem.protocol.elgama.tables import ClockRecord
from cosem.protocol.profile.address import ConnectionUrl

R = TypeVar("R")


async def exchange(client: ElgamaClient, stream: Stream) -> ClientEvent:
    """Move octets until the request that was begun is over. Raises as the engine and the stream do."""
    while True:
        if outgoing := client.outgoing():
            await stream.write(outgoing)
        octets = await stream.read(client.deadline())
        now = stream.now()
        if octets:
            client.receive(octets, now)
        client.tick(now)
        for event in client.events():
            return event


async def table(client: ElgamaClient, stream: Stream, asked: bytes) -> bytes:
    """Return the data of a table by the octets that ask for it. Raises ServiceRefused where the meter has none."""
    client.ask(asked, stream.now())
    event = await exchange(client, stream)
    if not isinstance(event, Answered):
        raise ServiceRefused(f"the meter has no table {asked.hex(' ').upper()}", event)
    return event.data


async def protected(client: ElgamaClient, stream: Stream, body: bytes, challenge: bytes) -> bytes:
    """Send a protected request and prove ourselves. Raises ServiceRefused where the meter does not accept that."""
    client.request(body, challenge, stream.now())
    event = await exchange(client, stream)
    if not isinstance(event, Accepted):
        raise ServiceRefused("the meter did not accept the protected request or the password", event)
    return event.data


_CLOCKS: dict[str, tuple[bytes, Callable[[bytes], ClockRecord]]] = {
    models.EPQS.word: (tables.EPQS_CLOCK, tables.epqs_clock),
    models.EPQM.word: (tables.EPQM_CLOCK, tables.epqm_clock),
}


async def clock(client: ElgamaClient, stream: Stream, model: Model) -> ClockRecord:
    """Return clock and configuration. Raises DecodeError besides."""
    asked, read = _CLOCKS[model.word]
    return read(await table(client, stream, asked))


class ElgamaReader:
    """A blocking session with one meter over a stream that is its own (EXPERIMENTAL); closed after any error but a no.

    Args:
        stream: blocks.
        url: `elgama` over tcp, serial, rfc2217 or modem, with model, serial and the permission `experimental=yes`.
        password: for protected requests.
        settings: how long is waited.
    """

    def __init__(
        self,
        stream: Stream,
        url: ConnectionUrl | str,
        *,
        password: Secret | None = None,
        settings: Settings | None = None,
    ) -> None:
        url = _checked(url)
        assert url.model is not None
        assert url.serial is not None
        self.model = models.named(url.model, experimental=True)  # the URL has the permission
        self.serial = url.serial
        self._stream = stream
        self._client = ElgamaClient(self.model, url.serial, password, settings)
        self._open = True

    @classmethod
    def open(
        cls, url: ConnectionUrl | str, *, password: Secret | None = None, settings: Settings | None = None
    ) -> Self:
        """Open a connection. Raises ConfigurationError before anything is sent, or ConnectionFailed."""
        url = _checked(url)
        return cls(open_blocking(url), url, password=password, settings=settings)

    def table(self, asked: bytes) -> bytes:
        """Return the data of a table (see `cosem.protocol.elgama.tables`). Raises ServiceRefused, TransportError."""
        return self._run(table(self._client, self._stream, asked))

    def clock(self) -> ClockRecord:
        """Return clock and configuration. Raises as `table` does, and DecodeError."""
        return self._run(clock(self._client, self._stream, self.model))

    def protected(self, body: bytes, challenge: bytes) -> bytes:
        """Send a protected request whose octets are known to the caller. Raises ServiceRefused, SecurityError."""
        return self._run(protected(self._client, self._stream, body, challenge))

    def close(self) -> None:
        """Let go of the connection; a second call does nothing."""
        if self._open:
            self._open = False
            _finish(self._stream.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, step: Coroutine[Any, Any, R]) -> R:
        if not self._open:
            step.close()
            raise LocalProtocolError("the session is closed")
        try:
            return _finish(step)
        except ServiceRefused:
            raise
        except BaseException:
            self.close()  # a late answer must never be taken for the next one
            raise


def _checked(url: ConnectionUrl | str) -> ConnectionUrl:
    url = url if isinstance(url, ConnectionUrl) else ConnectionUrl.parse(url)
    if url.framing != "elgama":
        raise ConfigurationError(f"{url.scheme}: expected elgama+tcp, +serial, +rfc2217 or +modem")
    return url


def _finish(step: Coroutine[Any, Any, R]) -> R:
    """Run a coroutine over a blocking stream, which never suspends it."""
    try:
        step.send(None)
    except StopIteration as ended:
        result: R = ended.value
        return result
    step.close()
    raise LocalProtocolError("this stream does not block")
