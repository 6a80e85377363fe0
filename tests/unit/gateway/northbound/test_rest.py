"""REST and server-sent events on loopback, asked by the standard library; who is let in, and how much is taken."""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from certified import certified
from cosem.errors import ConfigurationError, ConnectionLost
from cosem.gateway.northbound import Point, audience
from cosem.gateway.northbound.http import HttpSettings
from cosem.gateway.northbound.rest import RestOutput
from cosem.gateway.value import Command, CommandResult, NumberType, Quality, Sample
from cosem.protocol.crypto.key import Secret

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
POINTS = [
    Point("energy", "meter", "Energy", NumberType.DOUBLE, unit="kWh"),
    Point("limit", "meter", "Limit", NumberType.UNSIGNED16, writable=True),
]
TOLD = {
    "signal": "energy",
    "value": 1.5,
    "unit": "kWh",
    "quality": ["good"],
    "source_time": None,
    "gateway_time": "2026-11-26T12:00:00+00:00",
}


def energy(value: str, **more: Any) -> Sample:
    return Sample("energy", Decimal(value), Quality.GOOD, None, NOON, "kWh", **more)


async def obey(command: Command) -> CommandResult:
    if command.value == 8:
        raise ConnectionLost("the meter is away")
    return CommandResult(command.value != 7, "" if command.value != 7 else "seven is too much")


def ask(
    port: int,
    path: str,
    method: str = "GET",
    body: str | None = None,
    headers: dict[str, str] | None = None,
    context: ssl.SSLContext | None = None,
) -> tuple[int, Any]:
    connection = (
        http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=context)
        if context
        else http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    )
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        text = answer.read().decode()
        return answer.status, json.loads(text) if "json" in (answer.getheader("content-type") or "") else text
    finally:
        connection.close()


def serving(output: RestOutput, test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        await output.start(POINTS, obey)
        try:
            async with asyncio.timeout(60):
                await test()
        finally:
            await output.close()
            await output.close()

    asyncio.run(run())


def test_values_and_commands() -> None:
    output = RestOutput(port=0)

    async def test() -> None:
        async def asked(*words: Any) -> tuple[int, Any]:
            return await asyncio.to_thread(ask, output.port, *words)

        assert (await asked("/api/points"))[1][1] == {
            "signal": "limit", "device": "meter", "name": "Limit", "type": "UNSIGNED16", "unit": "", "writable": True,
        }  # fmt: skip
        assert await asked("/api/signals") == (200, [])
        assert (await asked("/api/signals/energy"))[0] == 404
        await output.publish([energy("1.5"), energy("1", backfilled=True), Sample("x", 1, Quality.GOOD, None, NOON)])
        assert await asked("/api/signals/energy") == (200, TOLD)
        assert await asked("/api/signals") == (200, [TOLD])
        for path, body, answer in (
            ("limit", "6", (200, {"done": True})),
            ("limit", '{"value": 6}', (200, {"done": True})),
            ("limit", "7", (409, {"done": False, "reason": "seven is too much"})),
            ("limit", "8", (409, {"done": False, "reason": "the meter is away"})),
            ("limit", "many", (400, {"done": False, "reason": "many is no value of UNSIGNED16"})),
            ("energy", "6", (403, {"done": False, "reason": "the signal is not write-enabled"})),
            ("x", "6", (404, {"done": False, "reason": "there is no such signal"})),
            ("limit", "6" * 4096, (400, {"done": False, "reason": f"{'6' * 40} is no value of UNSIGNED16"})),
            ("limit", "6" * 4097, (413, {"done": False, "reason": "more than 4096 octets"})),
        ):
            assert await asked(f"/api/signals/{path}", "PUT", body) == answer
        assert (await asked("/api/signals/limit", "POST", "6"))[0] == 405
        assert (await asked("/elsewhere"))[0] == 404

    serving(output, test)


async def events(reader: asyncio.StreamReader, count: int) -> list[Any]:
    found: list[Any] = []
    while len(found) < count:
        line = await reader.readline()
        assert line, "the stream has ended"
        if line.startswith(b"data: "):
            found.append(json.loads(line[6:])["value"])
    return found


async def listening(port: int, query: str = "") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /api/events{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"text/event-stream" in head
    return reader, writer


def test_events() -> None:
    output = RestOutput(port=0)

    async def test() -> None:
        await output.publish([energy("1"), Sample("limit", 3, Quality.GOOD, None, NOON)])
        everything, of_one = await listening(output.port), await listening(output.port, "?signal=energy")
        assert await events(everything[0], 2) == [1, 3]
        assert await events(of_one[0], 1) == [1]
        await output.publish(
            [Sample("limit", 4, Quality.GOOD, None, NOON), energy("2"), energy("0.5", backfilled=True)]
        )
        assert await events(everything[0], 3) == [4, 2, 0.5]
        assert await events(of_one[0], 2) == [2, 0.5]
        assert (await asyncio.to_thread(ask, output.port, "/api/events?signal=x"))[0] == 404
        await output.close()
        assert b"data" not in await everything[0].read()
        for _, writer in (everything, of_one):
            writer.close()

    serving(output, test)


@pytest.mark.parametrize(("waiting", "stays"), [(3, True), (2, False)])
def test_who_is_too_slow_is_sent_away(waiting: int, stays: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audience, "WAITING", waiting)
    output = RestOutput(port=0)

    async def test() -> None:
        await output.publish([energy("0")])
        reader, writer = await listening(output.port)
        assert await events(reader, 1) == [0]
        await output.publish([energy(str(each)) for each in (1, 2, 3)])
        if stays:
            assert await events(reader, 3) == [1, 2, 3]
        else:
            assert b'"value":3' not in await reader.read()
        writer.close()

    serving(output, test)


def test_by_tls_with_a_token(tmp_path: Path) -> None:
    server, client = certified(tmp_path)
    output = RestOutput(port=0, tls=server, token=Secret(b"open sesame"))

    async def test() -> None:
        for shown, status in (
            ("Bearer open sesame", 200),
            ("bearer open sesame", 200),
            ("Bearer open sesam", 401),
            ("Bearer ", 401),
            ("Basic open sesame", 401),
            ("", 401),
        ):
            headers = {"Authorization": shown, "Host": "elsewhere.example"}
            found = await asyncio.to_thread(ask, output.port, "/api/points", "GET", None, headers, client)
            assert found[0] == status

    serving(output, test)


def test_without_a_token_no_page_elsewhere_has_a_browser_ask() -> None:
    output = RestOutput(port=0)

    async def test() -> None:
        for host, status in (("localhost", 200), ("[::1]:80", 200), ("127.0.0.1:9", 200), ("evil.example", 421)):
            found = await asyncio.to_thread(ask, output.port, "/api/points", "GET", None, {"Host": host})
            assert found[0] == status

    serving(output, test)


def test_who_does_not_ask_is_let_go() -> None:
    output = RestOutput(port=0, settings=HttpSettings(patience=0.01))

    async def test() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", output.port)
        writer.write(b"GET /api/points HTTP/1.1\r\n")
        assert await reader.read() == b""
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", output.port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")  # answered, and then a second one
        assert b"404" in await reader.readline()
        while await reader.readline() != b"\r\n":
            pass
        writer.write(b"GET /api/points HTTP/1.1\r\n")
        assert (await reader.read()).endswith(b"Not Found")
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", output.port)
        writer.write(b"PUT /api/signals/limit HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")
        assert b"408" in await reader.readline()
        writer.close()

    serving(output, test)


@pytest.mark.parametrize(("most", "answered"), [(2, True), (1, False)])
def test_so_many_connections(most: int, answered: bool) -> None:
    output = RestOutput(port=0, settings=HttpSettings(connections=most))

    async def test() -> None:
        _, writer = await listening(output.port)
        status = (await asyncio.to_thread(ask, output.port, "/api/points"))[0]
        assert (status == 200) is answered
        writer.close()

    serving(output, test)


@pytest.mark.parametrize(("size", "status"), [(1000, b"200"), (1001, b"400")])
def test_a_head_that_is_too_long(size: int, status: bytes) -> None:
    output = RestOutput(port=0, settings=HttpSettings(head=1000))
    head = b"GET /api/points HTTP/1.1\r\nHost: localhost\r\nX: "

    async def test() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", output.port)
        writer.write(head + b"x" * (size - len(head)))
        await writer.drain()
        if status == b"200":
            await asyncio.to_thread(ask, output.port, "/api/points")  # by now it has read that much
            writer.write(b"\r\n\r\n")
        assert status in await reader.readline()
        writer.close()

    serving(output, test)


def test_the_map_and_a_port_that_is_taken() -> None:
    output = RestOutput(port=0)
    assert output.plan(POINTS)[2] == ("/api/signals/limit", "limit", "UNSIGNED16", "", "PUT")

    async def test() -> None:
        assert len(output.map()) == 3
        with pytest.raises(ConfigurationError, match=str(output.port)):
            await RestOutput(port=output.port).start(POINTS, obey)

    serving(output, test)
