"""A fleet under attack: honest clients go on reading while a thousand others dawdle, flood, babble and send bombs."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest

from cosem import AsyncClient, Register
from cosem.client.access import access
from cosem.errors import CosemError
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
SESSIONS = 10
"""How often each honest client comes in while the crowd is there: 1,000 sessions, of which one may fail."""
SLOW = 1_000
FLOODERS = 20
PAUSE = 0.4
"""Seconds between two things that one of the crowd does: 500 associations a second are begun and left."""
ROOM = 64 << 20
"""Octets by which the memory of the fleet may grow."""
RECOVERY = 5.0
"""Seconds within which a new session succeeds when the crowd has gone."""

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


@contextmanager
def fleet(tmp_path: Path) -> Iterator[tuple[ConnectionUrl, int]]:
    """Run the command, and say where its first meter is and which process it is."""
    command = [sys.executable, "-m", "cosem", "fleet", "--count", str(METERS), "--demo-keys", "--json"]
    command += ["--listen", "tcp://127.77.0.0:0", "--connections", "4000", "--per-meter", "16"]
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
        while not told.endswith("}\n") and (line := process.stdout.readline()):
            told += line
        try:
            assert told, "".join(said)
            yield ConnectionUrl.parse(json.loads(told)["first"]), process.pid
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


def place(first: ConnectionUrl, number: int) -> ConnectionUrl:
    return ConnectionUrl.parse(f"tcp://127.77.0.{number}:{first.port}?client=1")


async def honest_session(first: ConnectionUrl, number: int, counters: MemoryCounterStore) -> None:
    words = access(auth="gmac", ek=KEYS.encryption, ak=KEYS.authentication, counters=counters)
    async with AsyncClient(place(first, number), words) as client:
        assert await client.get(ENERGY.value)


async def honest(first: ConnectionUrl, number: int, counted: Counter[str], problems: list[str]) -> None:
    counters = MemoryCounterStore()
    for _ in range(SESSIONS):
        try:
            await honest_session(first, number, counters)
        except (CosemError, OSError) as error:
            counted["failed"] += 1
            problems.append(f"meter {number}: {error!r}")
        else:
            counted["succeeded"] += 1


class Crowd:
    """Everybody else, each coming back as soon as he is sent away."""

    def __init__(self, first: ConnectionUrl) -> None:
        self.port = first.port or 0
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
        reader, writer = await asyncio.open_connection(f"127.77.0.{number % METERS}", self.port, local_addr=source)
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
def test_a_hundred_honest_clients_read_on_while_a_crowd_of_others_does_not(tmp_path: Path) -> None:
    counted: Counter[str] = Counter()
    problems: list[str] = []

    async def siege(first: ConnectionUrl, process: int) -> tuple[Counter[str], int, int]:
        for number in range(METERS):  # every meter has been made, and is as large as it gets
            await honest_session(first, number, MemoryCounterStore())
        before = resident(process)
        crowd = Crowd(first)
        crowd.start()
        await asyncio.gather(*(honest(first, number, counted, problems) for number in range(METERS)))
        during = resident(process)
        await crowd.stop()
        async with asyncio.timeout(RECOVERY):
            await honest_session(first, 0, MemoryCounterStore())
        return crowd.counted, before, during

    with fleet(tmp_path) as (first, process):
        crowd, before, during = asyncio.run(siege(first, process))
    assert counted["succeeded"] >= 0.999 * METERS * SESSIONS, problems[:10]
    assert during - before < ROOM
    assert set(crowd) >= {"flood", "babble", "bomb"}
    assert crowd["slow"] >= SLOW
