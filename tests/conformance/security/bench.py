"""What the tests of the threat table share: joined engines, envelopes sealed by a few lines of their own, one meter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cosem.client.access import Access as Entry
from cosem.client.access import access
from cosem.client.exchange import Exchange
from cosem.client.services import Services
from cosem.errors import CosemError
from cosem.io.simulated import Faults, SimulatedStream, World
from cosem.io.stream import Stream
from cosem.meter import Meter, attend
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu.exception import ExceptionResponse
from cosem.protocol.apdu.get import AttributeDescriptor, GetRequestNormal, GetResponseNormal
from cosem.protocol.association.admission import ServerPolicy
from cosem.protocol.association.client import ClientAssociation
from cosem.protocol.association.context import Associated, Requested
from cosem.protocol.association.server import ServerAssociation
from cosem.protocol.association.state import State
from cosem.protocol.profile import profile_of
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.session import ClientSession
from cosem.protocol.values.data import DoubleLongUnsigned
from cosem.protocol.values.obis import Obis
from cosem.store.memory import MemoryCounterStore
from pair import AK, BOTH, CLIENT_TITLE, EK, SERVER_TITLE, Pair, pair

R = TypeVar("R")

ENERGY = AttributeDescriptor(3, Obis("1.0.1.8.0.255"), 2)
GET = GetRequestNormal(0xC1, ENERGY)
GOT = GetResponseNormal(0xC1, DoubleLongUnsigned(12_345_678))
TITLE = "434F530000000001"

SERVICE_TAGS = {0xC0: 0xC8, 0xC1: 0xC9, 0xC3: 0xCB, 0xC4: 0xCC, 0xC7: 0xCF, 0x01: 0x21, 0x08: 0x28}


def sealed(apdu: bytes, title: bytes, counter: int, control: int = 0x30) -> bytes:
    """Return an APDU in its envelope, by the library alone: authenticated and encrypted, whatever `control` says."""
    nonce = title + counter.to_bytes(4, "big")
    protected = AESGCM(EK.reveal()).encrypt(nonce, apdu, bytes((control,)) + AK.reveal())[:-4]
    inside = bytes((control,)) + nonce[8:] + protected
    return bytes((SERVICE_TAGS[apdu[0]], len(inside))) + inside


def by_client(counter: int, apdu: bytes | None = None, control: int = 0x30) -> bytes:
    """Return a protected GET of the client."""
    return sealed(GET.encode() if apdu is None else apdu, CLIENT_TITLE, counter, control)


def by_meter(counter: int, apdu: bytes | None = None, control: int = 0x30) -> bytes:
    """Return a protected answer of the meter."""
    return sealed(GOT.encode() if apdu is None else apdu, SERVER_TITLE, counter, control)


def associated(mechanism: int = 0, **how: Any) -> Pair:
    """Return engines with an open association, ciphered unless said otherwise."""
    both = pair(mechanism, **{"protection": BOTH, **how})
    both.client.associate()
    both.run()
    assert isinstance(both.client_events[-1], Associated)
    assert both.server.state is State.ASSOCIATED
    return both


def offered(**policy: Any) -> ServerAssociation:
    """Return a server engine of its own."""
    return ServerAssociation(ServerPolicy(**policy), lambda octets: bytes(range(0x30, 0x30 + octets)))


def answers(server: ServerAssociation, octets: bytes) -> list[Any]:
    """Return what a server says to octets, decoded; the meter above it is not asked."""
    server.receive(octets)
    return [apdus.decode(each) for each in server.outgoing()]


def refusal(server: ServerAssociation, octets: bytes) -> ExceptionResponse:
    """Return the exception-response by which a server refuses octets, after seeing that nothing reached the meter."""
    (answer,) = answers(server, octets)
    assert isinstance(answer, ExceptionResponse)
    assert not any(isinstance(event, Requested) for event in server.events())
    return answer


def served(server: ServerAssociation, octets: bytes) -> bool:
    """Tell whether a server hands these octets to the meter as a request."""
    server.receive(octets)
    asked = any(isinstance(event, Requested) for event in server.events())
    if asked:
        server.respond(GOT)
        server.outgoing()
    return asked


def asking(both: Pair) -> ClientAssociation:
    """Return a client that waits for the answer to a GET."""
    both.client.send(GET)
    both.client.outgoing()
    return both.client


class Bench:
    """A world with one meter, clients that dial to it, and all octets that went either way."""

    def __init__(
        self, meter: Meter, scheme: str = "tcp", world: World | None = None, faults: Faults | None = None
    ) -> None:
        self.world = World(1) if world is None else world
        self.faults = faults
        self.meter = meter
        self.url = ConnectionUrl.parse(f"{scheme}://127.0.0.1?client=16")
        self.to_meter: list[bytes] = []
        self.to_client: list[bytes] = []
        self.sent_by_meter: list[bytes] = []

    def entropy(self, octets: int) -> bytes:
        return self.world.random.randbytes(octets)

    async def attend(self, stream: Stream, peer: str) -> CosemError | None:
        try:
            await attend(self.meter, stream, profile_of(self.url), peer=peer, entropy=self.entropy)
        except CosemError as error:
            return error
        finally:
            await stream.close()
        return None

    async def dial(self, client: int, entry: Entry, peer: str = "home") -> Exchange:
        """Open an association with the meter."""
        near, far = self.world.pair(self.faults, datagrams=profile_of(self.url).lower_layers.datagrams)
        self.world.spawn(self.attend(Tapped(far, self.sent_by_meter, []), peer))
        return await self.enter(client, entry, Tapped(near, self.to_meter, self.to_client))

    async def enter(self, client: int, entry: Entry, stream: Any) -> Exchange:
        """Open an association over a stream."""
        url = replace(self.url, client=client)
        profile = profile_of(url)
        counter = entry.counter() if entry.secured else None
        association = entry.association(profile.application, self.entropy, counter)
        exchange = Exchange(
            ClientSession(profile.lower_layers.client(url), association, profile.application.timing), stream
        )
        try:
            await exchange.connect()
            await exchange.associate()
        except BaseException:
            await exchange.close()
            raise
        return exchange

    def run(self, dialogue: Callable[[Services], Awaitable[R]], client: int, entry: Entry, peer: str = "home") -> R:
        """Have a dialogue with the meter in an association."""

        async def main() -> R:
            exchange = await self.dial(client, entry, peer)
            try:
                return await dialogue(Services(exchange))
            finally:
                await exchange.close()

        return self.world.run(main())


class Tapped:
    """A stream whose octets are kept, both ways."""

    def __init__(self, stream: SimulatedStream, written: list[bytes], read: list[bytes]) -> None:
        self._stream = stream
        self._written = written
        self._read = read

    def now(self) -> float:
        return self._stream.now()

    async def read(self, deadline: float | None, /) -> bytes:
        octets = await self._stream.read(deadline)
        if octets:
            self._read.append(octets)
        return octets

    async def write(self, octets: bytes, /) -> None:
        self._written.append(bytes(octets))
        await self._stream.write(octets)

    async def close(self) -> None:
        await self._stream.close()


class Played:
    """A stream that gives recorded octets, one piece for each thing that is written to it."""

    def __init__(self, recorded: list[bytes]) -> None:
        self.recorded = list(recorded)
        self.closed = False
        self._due = 0

    def now(self) -> float:
        return 0.0

    async def read(self, _deadline: float | None, /) -> bytes:
        return self.recorded.pop(0) if self.recorded else b""

    async def write(self, _octets: bytes, /) -> None:
        pass

    async def close(self) -> None:
        self.closed = True


def ciphered(auth: str = "gmac", **more: Any) -> Entry:
    """Return how a client with the keys of the bench enters."""
    words = {"auth": auth, "ek": EK, "ak": AK, "system_title": TITLE, "counters": MemoryCounterStore()}
    return access(**{**words, **more})  # type: ignore[arg-type]
