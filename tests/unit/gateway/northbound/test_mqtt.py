"""The MQTT output with a broker that does what the test wants; a real one is in `tests/interop/test_mqtt.py`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from cosem.errors import ConfigurationError, ConnectionFailed, ConnectionLost
from cosem.gateway.northbound import Point
from cosem.gateway.northbound.mqtt import LONGEST_TOPIC, MqttOutput, MqttSettings
from cosem.gateway.value import Command, CommandResult, NumberType, Quality, Sample
from interop.broker import free_port

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
POINT = Point("energy", "meter", "Energy", NumberType.DOUBLE)
COMMANDED = Point("limit", "meter", "Limit", NumberType.UNSIGNED16, writable=True)
QUICK = MqttSettings(timeout=2, retry=0.01, longest_retry=0.01, commands=1)
# Octets by MQTT 3.1.1, section 3
CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, DISCONNECT = 1, 0x20, 3, 0x40, 8, 0x90, 14


class Broker:
    """Acknowledges so many values of a connection, then hangs up; says what it was told."""

    def __init__(self, *patience: int) -> None:
        self.patience = list(patience)
        self.told: list[tuple[str, bytes]] = []
        self.port = 0
        self.commands: list[bytes] = []
        self.news = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        values, left = 0, self.patience.pop(0) if self.patience else 10**6
        try:
            while True:
                first, body = await packet(reader)
                kind = first >> 4
                if kind == CONNECT:
                    writer.write(bytes((CONNACK, 2, 0, 0)))
                elif kind == SUBSCRIBE:
                    writer.write(bytes((SUBACK, 3)) + body[:2] + b"\x01")
                    for each in self.commands:
                        writer.write(each)
                elif kind == PUBLISH:
                    size = int.from_bytes(body[:2], "big")
                    topic, after = body[2 : 2 + size].decode(), body[2 + size :]
                    if not topic.endswith("status"):
                        values += 1
                    if values > left:
                        break
                    self.told.append((topic, after[2:]))
                    self.news.set()
                    writer.write(bytes((PUBACK, 2)) + after[:2])
                elif kind == DISCONNECT:
                    break
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    async def until(self, count: int, topic: str) -> list[bytes]:
        async with asyncio.timeout(20):
            while len(found := [payload for each, payload in self.told if each == topic]) < count:
                self.news.clear()
                await self.news.wait()
        return found


async def packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    first, shift, length = (await reader.readexactly(1))[0], 0, 0
    while True:
        octet = (await reader.readexactly(1))[0]
        length |= (octet & 0x7F) << shift
        shift += 7
        if octet < 0x80:
            return first, await reader.readexactly(length)


@asynccontextmanager
async def running(broker: Broker) -> AsyncGenerator[Broker]:
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    broker.port = server.sockets[0].getsockname()[1]
    try:
        yield broker
    finally:
        server.close()
        await server.wait_closed()


async def obey(command: Command) -> CommandResult:
    return CommandResult(True)


def samples(*numbers: int) -> list[Sample]:
    return [Sample("energy", each, Quality.GOOD, None, NOON) for each in numbers]


def test_what_was_acknowledged_is_not_sent_again() -> None:
    async def run() -> None:
        async with running(Broker(3)) as broker:
            output = MqttOutput("127.0.0.1", broker.port, QUICK)
            await output.start([POINT], obey)
            with pytest.raises(ConnectionLost, match="did not take a value"):
                await output.publish(samples(0, 1, 2, 3, 4))
            await output.publish(samples(0, 1, 2, 3, 4, 5))
            await output.publish(samples(0, 1))  # others that look the same are sent
            await output.close()
            told = await broker.until(8, "cosem/meter/energy")
            assert [int(each.partition(b'"value":')[2].partition(b",")[0]) for each in told] == [0, 1, 2, 3, 4, 5, 0, 1]

    asyncio.run(run())


def test_no_broker() -> None:
    async def run() -> None:
        unused_tcp_port = free_port()
        output = MqttOutput("127.0.0.1", unused_tcp_port, MqttSettings(timeout=0.1, retry=0.01))
        await output.start([POINT], obey)
        with pytest.raises(ConnectionFailed, match=str(unused_tcp_port)):
            await output.publish(samples(1))
        assert not output.connected
        await output.close()

    asyncio.run(run())


@pytest.mark.parametrize(("commands", "busy"), [(1, 0), (2, 1)])
def test_so_many_commands_at_once(commands: int, busy: int) -> None:
    body = b"\x00\x15cosem/meter/limit/set" + b"5"

    async def run() -> None:
        held = asyncio.Event()

        async def slowly(command: Command) -> CommandResult:
            assert (command.signal, command.value, command.origin) == ("limit", 5, "MQTT cosem/meter/limit/set")
            await held.wait()
            return CommandResult(True)

        async with running(Broker()) as broker:
            broker.commands = [bytes((0x30, len(body))) + body] * commands
            output = MqttOutput("127.0.0.1", broker.port, QUICK)
            await output.start([COMMANDED], slowly)
            if not busy:
                held.set()
            told = await broker.until(1, "cosem/meter/limit/result")
            assert (b"too many" in told[0]) is bool(busy)
            held.set()
            await broker.until(commands, "cosem/meter/limit/result")
            await output.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        (Point("s", "d", "", NumberType.TEXT, topic="a/#"), "nothing can be published"),
        (Point("s", "d", "", NumberType.TEXT, topic="$SYS/x"), "nothing can be published"),
        (Point("s", "d", "", NumberType.TEXT, topic="cosem/meter/energy"), "twice"),
        (Point("s", "d", "", NumberType.TEXT, topic="cosem/meter/limit/set"), "twice"),
        (Point("s", "d", "", NumberType.TEXT, topic="cosem/meter/limit/result"), "twice"),
        (Point("s", "d", "", NumberType.TEXT, topic="cosem/status"), "twice"),
        (Point("s", "d", "", NumberType.TEXT, topic="x" * (LONGEST_TOPIC + 1)), str(LONGEST_TOPIC)),
    ],
)
def test_topics_that_cannot_be(point: Point, reason: str) -> None:
    async def run() -> None:
        with pytest.raises(ConfigurationError, match=reason):
            await MqttOutput("127.0.0.1").start([POINT, COMMANDED, point], obey)

    asyncio.run(run())


def test_the_map() -> None:
    async def run() -> None:
        output = MqttOutput("127.0.0.1", free_port(), MqttSettings(prefix="plant"))
        longest = Point("s", "d", "", NumberType.TEXT, topic="x" * LONGEST_TOPIC)
        await output.start([POINT, COMMANDED, longest], obey)
        assert list(output.map())[:3] == [
            ("topic", "signal", "type", "unit", "command"),
            ("plant/meter/energy", "energy", "DOUBLE", "", ""),
            ("plant/meter/limit", "limit", "UNSIGNED16", "", "plant/meter/limit/set"),
        ]
        await output.close()

    asyncio.run(run())


def test_a_quality_of_service_that_there_is_not() -> None:
    for fine in (0, 1):
        assert MqttSettings(qos=fine).qos == fine
    with pytest.raises(ConfigurationError, match="qos 2"):
        MqttSettings(qos=2)
