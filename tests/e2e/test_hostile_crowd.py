"""A fleet under attack: honest clients go on reading while a thousand others dawdle, flood, babble and send bombs."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cosem import AsyncClient, Register
from cosem.client.access import access
from cosem.errors import CosemError
from cosem.io.aio import SocketStream
from cosem.io.stream import Stream
from cosem.meter import demo_keys
from cosem.protocol.apdu.get import AttributeDescriptor
from cosem.protocol.apdu.set import SetRequestNormal
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.data import OctetString
from cosem.protocol.values.obis import Obis
from cosem.store.memory import MemoryCounterStore
from pair import BOTH, pair

SOURCES = Path(__file__).resolve().parents[2] / "src"
METERS = 100
HONEST = 100
SESSIONS = 10
"""How often each honest client comes in while the crowd is there: 1,000 sessions, of which one may fail."""
SLOW = 1_000
FLOODERS = 20
PAUSE = 0.4
"""Seconds between two things that one of the crowd does: 500 associations a second are begun and left."""
ROOM = 64 << 20
"""Octets by which the memory of the fleet may grow."""
RECOVERY = 5.0
"""Seconds within which a new session of every honest client succeeds when the crowd has gone."""
PATIENCE = 60.0
"""Seconds in which all of the crowd have come."""

ENERGY = Register("1.0.1.8.0.255")
KEYS = demo_keys()

PUBLIC = bytes.fromhex("000100100001001F601DA109060760857405080101BE10040E01000000065F1F0400001E5DFFFF")
"""An AARQ of the public client, as many stacks send it."""

BOMBS = [
    bytes.fromhex("0184FFFFFFFF"),
    bytes.fromhex("0984FFFFFFFF"),
    b"\x02\x01" * 10_000 + b"\x00",
    bytes.fromhex("13" + "01FFFF" * 8 + "11" + "0105"),
    bytes.fromhex("1311847FFFFFFF"),
]


def packet(apdu: bytes, client: int = 16) -> bytes:
    return b"\0\1" + client.to_bytes(2, "big") + b"\0\1" + len(apdu).to_bytes(2, "big") + apdu


def half_open() -> bytes:
    """The beginning of an association that the meter has to think about, and that nobody means to finish."""
    client = pair(5, protection=BOTH).client
    client.associate()
    (request,) = client.outgoing()
    return packet(request, client=1)


@dataclass(frozen=True)
class Served:
    """What is under attack: where its first meter is, how many there are at the next addresses, and which process."""

    first: ConnectionUrl
    meters: int
    process: int

    def place(self, number: int) -> ConnectionUrl:
        host = ipaddress.ip_address(self.first.host) + number % self.meters
        return replace(self.first, host=str(host), client=1)


FLEET = ["fleet", "--count", str(METERS), "--demo-keys", "--connections", "4000", "--per-meter", "16"]
ONE = ["simulate", "--security", "gmac", "--demo-keys"]


@contextmanager
def serving(words: list[str], meters: int, tmp_path: Path) -> Iterator[Served]:
    """Run the command until it is left, and look that it never failed inside."""
    command = [sys.executable, "-m", "cosem", *words, "--json", "--listen", "tcp://127.77.0.0:0"]
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "PYTHONPATH": str(SOURCES)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said: list[str] = []
        talk = threading.Thread(target=lambda: said.extend(process.stderr or ()), daemon=True)
        talk.start()
        told = ""
        while (not told or told.count("{") != told.count("}")) and (line := process.stdout.readline()):
            told += line
        try:
            assert told, "".join(said)
            found = json.loads(told)
            url = found["first"] if "first" in found else found["meters"][0]["url"]
            yield Served(ConnectionUrl.parse(url), meters, process.pid)
        finally:
            process.terminate()
            process.wait(timeout=30)
        talk.join(timeout=10)
        assert "Traceback" not in "".join(said)


def resident(process: int) -> int:
    """Return the octets of memory that a process uses."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise AssertionError("no such process")


async def honest_session(served: Served, number: int, counters: MemoryCounterStore) -> None:
    """Read one value, from an address of one's own."""

    async def opener(url: ConnectionUrl, timeout: float) -> Stream:
        source = (f"127.99.0.{number}", 0)
        async with asyncio.timeout(timeout):
            loop = asyncio.get_running_loop()
            _, stream = await loop.create_connection(SocketStream, url.host, url.port or 0, local_addr=source)
            return stream

    title = b"CLI" + number.to_bytes(5, "big")
    words = access(auth="gmac", ek=KEYS.encryption, ak=KEYS.authentication, counters=counters, system_title=title)
    async with AsyncClient(served.place(number), words, opener=opener) as client:
        assert await client.get(ENERGY.value)


async def honest(
    served: Served, number: int, counters: MemoryCounterStore, counted: Counter[str], problems: list[str]
) -> None:
    for _ in range(SESSIONS):
        try:
            await honest_session(served, number, counters)
        except (CosemError, OSError) as error:
            counted["failed"] += 1
            problems.append(f"client {number}: {error!r}")
        else:
            counted["succeeded"] += 1


class Crowd:
    """Everybody else, each coming back as soon as he is sent away."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.half_open = half_open()
        self.counted: Counter[str] = Counter()
        self.chance = random.Random(7)  # chance that can be repeated is the point
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        kinds: list[tuple[Callable[[int], Awaitable[None]], int]] = [
            (self.dawdle, SLOW),
            (self.flood, FLOODERS),
            (self.babble, FLOODERS),
            (self.bomb, FLOODERS),
        ]
        for act, count in kinds:
            self._tasks += [asyncio.create_task(self._again(act, number)) for number in range(count)]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _again(self, act: Callable[[int], Awaitable[None]], number: int) -> None:
        while True:
            with suppress(OSError):
                await act(number)
            self.counted[act.__name__] += 1
            await asyncio.sleep(PAUSE)

    @asynccontextmanager
    async def _open(self, number: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        source = (f"127.88.{number >> 8 & 0xFF}.{number & 0xFF}", 0)
        place = self.served.place(number)
        reader, writer = await asyncio.open_connection(place.host, place.port, local_addr=source)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def dawdle(self, number: int) -> None:
        """An octet a second, for ever."""
        async with self._open(number) as (reader, writer):
            self.counted["slow"] += 1
            for octet in packet(PUBLIC[8:]) * 1000:
                writer.write(bytes((octet,)))
                with suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        if not await reader.read(100):
                            return

    async def flood(self, number: int) -> None:
        """One association after the other that nobody goes on with."""
        for _ in range(10):
            async with self._open(self.chance.randrange(METERS)) as (_, writer):
                writer.write(self.half_open if number % 2 else PUBLIC)
                await writer.drain()

    async def babble(self, number: int) -> None:
        """Octets that mean nothing."""
        async with self._open(number) as (_, writer):
            writer.write(self.chance.randbytes(4096))
            await writer.drain()

    async def bomb(self, number: int) -> None:
        """What would grow, if it were believed."""
        async with self._open(number) as (reader, writer):
            writer.write(PUBLIC)
            await reader.read(100)
            energy = AttributeDescriptor(3, Obis("1.0.1.8.0.255"), 2)
            whole = SetRequestNormal(0xC1, energy, None, OctetString(b"")).encode()
            writer.write(packet(whole[:-2] + BOMBS[number % len(BOMBS)]))
            await writer.drain()
            await reader.read(100)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a whole network of loopback addresses")
@pytest.mark.parametrize(("words", "meters"), [(FLEET, METERS), (ONE, 1)], ids=["fleet", "one meter"])
def test_a_hundred_honest_clients_read_on_while_a_crowd_of_others_does_not(
    words: list[str], meters: int, tmp_path: Path
) -> None:
    counted: Counter[str] = Counter()
    problems: list[str] = []

    async def siege(served: Served) -> tuple[Counter[str], int, int]:
        counters = [MemoryCounterStore() for _ in range(HONEST)]
        for number in range(HONEST):  # every meter has been made, and is as large as it gets
            await honest_session(served, number, counters[number])
        before = resident(served.process)
        crowd = Crowd(served)
        crowd.start()
        async with asyncio.timeout(PATIENCE):
            while crowd.counted["slow"] < SLOW:  # all are there
                await asyncio.sleep(PAUSE)
        await asyncio.gather(*(honest(served, n, counters[n], counted, problems) for n in range(HONEST)))
        during = resident(served.process)
        await crowd.stop()
        async with asyncio.timeout(RECOVERY):
            await asyncio.gather(*(honest_session(served, n, counters[n]) for n in range(HONEST)))
        return crowd.counted, before, during

    with serving(words, meters, tmp_path) as served:
        crowd, before, during = asyncio.run(siege(served))
    assert counted["succeeded"] + counted["failed"] == HONEST * SESSIONS
    assert counted["succeeded"] >= 0.999 * HONEST * SESSIONS, problems[:10]
    assert during - before < ROOM
    assert set(crowd) >= {"flood", "babble", "bomb"}
    assert crowd["slow"] >= SLOW
