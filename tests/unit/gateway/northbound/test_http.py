"""What all servers of HTTP put up with: who does not ask, asks slowly, does not listen, or comes in crowds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Final

import pytest

from cosem.gateway.northbound import Point
from cosem.gateway.northbound.http import HttpSettings
from cosem.gateway.northbound.prometheus import PrometheusOutput
from cosem.gateway.northbound.rest import RestOutput
from cosem.gateway.page.page import Page
from cosem.gateway.value import Command, CommandResult, NumberType, Quality, Sample

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
TEXT = Point("text", "house", "Text", NumberType.TEXT)
MAKES: Final[dict[str, Callable[[HttpSettings], Any]]] = {
    "/api/points": lambda settings: RestOutput(port=0, settings=settings),
    "/metrics": lambda settings: PrometheusOutput(port=0, settings=settings),
    "/api/plant": lambda settings: Page(SimpleNamespace(devices={}, outputs={}, points=()), port=0, settings=settings),
}


async def obey(command: Command) -> CommandResult:
    return CommandResult(True, command.signal)


def serving(path: str, settings: HttpSettings, test: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        server = MAKES[path](settings)
        await (server.start() if isinstance(server, Page) else server.start([TEXT], obey))
        try:
            async with asyncio.timeout(60):
                await test(server)
        finally:
            await server.close()

    asyncio.run(run())


async def status(server: Any, path: str) -> bytes:
    """Ask on a connection of its own; return the status, nothing from a server that does not even listen."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        return (await reader.readline())[9:12]
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def gone(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("path", MAKES)
@pytest.mark.parametrize("dripping", [False, True])
def test_a_head_that_never_ends(path: str, dripping: bool) -> None:
    async def test(server: Any) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX: ".encode())
        ended = asyncio.create_task(gone(reader))
        while dripping and not ended.done():
            writer.write(b"x")
            await asyncio.wait([ended], timeout=0.001)
        assert await ended
        writer.close()

    serving(path, HttpSettings(patience=0.05, head=1_000_000), test)


@pytest.mark.parametrize("path", MAKES)
def test_a_head_that_comes_an_octet_at_a_time_but_in_time(path: str) -> None:
    async def test(server: Any) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for octet in f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode():
            writer.write(bytes([octet]))
            await writer.drain()
            await asyncio.sleep(0)
        assert b"200" in await reader.readline()
        writer.close()

    serving(path, HttpSettings(patience=60), test)


@pytest.mark.parametrize("path", MAKES)
@pytest.mark.parametrize(("already", "answer"), [(3, b"200"), (4, b"503"), (7, b"503"), (8, b"")])
def test_so_many_connections_are_answered_refused_and_not_heard(path: str, already: int, answer: bytes) -> None:
    async def test(server: Any) -> None:
        writers = [(await asyncio.open_connection("127.0.0.1", server.port))[1] for _ in range(already)]
        assert await status(server, path) == answer
        for each in writers:
            each.close()

    serving(path, HttpSettings(patience=60, connections=4), test)


def test_who_does_not_listen_is_let_go() -> None:
    path = "/api/points"

    async def test(server: RestOutput) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1)
        writer.write(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while await status(server, path) != b"503":  # until its place is taken
            await asyncio.sleep(0)
        texts = [Sample("text", "x" * 4096, Quality.GOOD, None, NOON)] * 5000
        await server.publish(texts)  # more than the buffers of the system hold
        while await status(server, path) != b"200":
            await asyncio.sleep(0)
        writer.close()

    serving(path, HttpSettings(patience=0.05, connections=1), test)
