"""Our meter, served to a peer from a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager
from queue import Queue

from cosem.fleet.fleet import Fleet
from cosem.meter import Gateway, Meter, Server, serving


@contextmanager
def served(meter: Meter, scheme: str = "tcp") -> Generator[int, None, None]:
    """Serve `meter` on loopback by the URL scheme given, and say on which port."""
    with running(serving(meter, f"{scheme}://127.0.0.1:0")) as port:
        yield port


@contextmanager
def running(server: Server | Gateway) -> Generator[int, None, None]:
    """Run what serves, and say on which port."""
    ready: Queue[int] = Queue()
    ended = threading.Event()

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with server:
            assert server.url.port is not None
            ready.put(server.url.port)
            watcher = threading.Thread(target=lambda: (ended.wait(), loop.call_soon_threadsafe(stop.set)))
            watcher.start()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        yield ready.get(timeout=30)
    finally:
        ended.set()
        thread.join()


@contextmanager
def serving_fleet(fleet: Fleet) -> Generator[Fleet, None, None]:
    """Run a fleet in a thread with a loop of its own."""
    ready: Queue[asyncio.AbstractEventLoop] = Queue()
    stop = asyncio.Event()

    async def run() -> None:
        async with fleet:
            ready.put(asyncio.get_running_loop())
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    loop = ready.get(timeout=30)
    try:
        yield fleet
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
