"""Holds complete secured sessions with many meters for some seconds; prints how many, and what went over the line.

{"host", "port", "meters", "keys", "registers", "span", "rows", "tasks", "seconds"} is its one argument; with "echo", a
list of octets sent and received in turn, it says as much to a bare echo instead. With "pid" it prints as well what each
session cost the first thread of that process in CPU time, for one slice of time after the other.
"""

import asyncio
import ipaddress
import itertools
import json
import secrets
import sys
import time
from datetime import datetime
from pathlib import Path

import uvloop

from cosem import AsyncClient, ProfileGeneric, Register
from cosem.client.access import access
from cosem.io.open import open_async
from cosem.protocol.crypto.key import Key
from cosem.protocol.profile.address import ConnectionUrl
from cosem.store.memory import MemoryCounterStore

PROFILE = ProfileGeneric("1.0.99.1.0.255")
BEGIN = time.time_ns() // 100_000 % (1 << 31)
"""Ten thousand a second: more than are used."""
SLICE = 0.2
"""Seconds."""


class Ahead(MemoryCounterStore):
    """Counters that begin above those of the process before, for the meters remember them."""

    def lease(self, name, count, at_least=0):
        return super().lease(name, count, max(at_least, BEGIN))


class Counted:
    """A stream that keeps how many octets went out and came in, in turn."""

    def __init__(self, stream):
        self.stream = stream
        self.script = []
        self.said = False

    def now(self):
        return self.stream.now()

    async def read(self, deadline, /):
        octets = await self.stream.read(deadline)
        self.script[-1][1] += len(octets)
        self.said = False
        return octets

    async def write(self, octets, /):
        if not self.said:
            self.script.append([0, 0])
        self.said = True
        self.script[-1][0] += len(octets)
        await self.stream.write(octets)

    async def close(self):
        await self.stream.close()


async def session(client, asked):
    since, until = map(datetime.fromisoformat, asked["span"])
    async with client:
        values = await client.many([Register(name).value for name in asked["registers"]])
        rows = await client.get(PROFILE.buffer.range(since, until))
    assert len(values) == len(asked["registers"])
    assert len(rows) == asked["rows"], rows


async def script_of(url, entry, asked):
    """What goes over the line in one session."""
    counted = []

    async def opener(at, timeout):
        counted.append(Counted(await open_async(at, timeout)))
        return counted[0]

    await session(AsyncClient(url, entry, opener=opener), asked)
    return [each for each in counted[0].script if each[1]]


async def echoed(asked):
    reader, writer = await asyncio.open_connection(asked["host"], asked["port"])
    for sent, received in asked["echo"]:
        writer.write(bytes(sent))
        await reader.readexactly(received)
    writer.close()


async def main(asked):
    first, counters = ipaddress.ip_address(asked["host"]), Ahead()
    ek, ak = map(Key.from_hex, asked["keys"])
    entry = access(auth="gmac", ek=ek, ak=ak, system_title=b"CLI" + secrets.token_bytes(5), counters=counters)
    urls = [
        ConnectionUrl.parse(f"tcp://{first + n}:{asked['port']}?client=1")
        for n in range(asked.get("first", 0), asked["meters"])
    ]
    clients = [AsyncClient(url, entry) for url in urls]
    end, done = time.monotonic() + asked["seconds"], 0

    async def hold(task):
        nonlocal done
        turns = itertools.cycle(clients[task :: asked["tasks"]] or clients[:1])
        while time.monotonic() < end:
            await (echoed(asked) if "echo" in asked else session(next(turns), asked))
            done += 1

    async def watch():
        used = Path(f"/proc/{asked['pid']}/schedstat")
        slices = []
        while time.monotonic() < end - SLICE:
            before, since = int(used.read_text().split()[0]), done
            await asyncio.sleep(SLICE)
            if done > since:
                slices.append((int(used.read_text().split()[0]) - before) / 1e9 / (done - since))
        return slices

    script = asked["echo"] if "echo" in asked else await script_of(urls[0], entry, asked)
    watched = asyncio.create_task(watch()) if "pid" in asked else None
    await asyncio.gather(*map(hold, range(asked["tasks"])))
    done += "echo" not in asked
    print(json.dumps({"sessions": done, "script": script, "slices": await watched if watched is not None else []}))


uvloop.run(main(json.loads(sys.argv[1])))
