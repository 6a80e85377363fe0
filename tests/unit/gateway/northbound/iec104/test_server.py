"""The IEC 60870-5-104 server on loopback: who is let in, and how it ends."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import pytest

from certified import certified
from cosem.errors import ConfigurationError, ConnectionLost
from cosem.gateway.northbound import Point
from cosem.gateway.northbound.iec104 import Iec104Output, StationSettings
from cosem.gateway.value import Command, CommandResult, NumberType, Quality, Sample

NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
POINTS = [
    Point("power", "meter", "Power", NumberType.FLOAT, unit="W"),
    Point("breaker", "meter", "Breaker", NumberType.DIGITAL, writable=True),
    Point("name", "meter", "Name", NumberType.TEXT),
]
START, START_CON = bytes.fromhex("680407000000"), bytes.fromhex("68040b000000")
COMMAND = bytes.fromhex("680e000000002d010600010002000001")


async def refuse(command: Command) -> CommandResult:
    raise ConnectionLost(f"{command.signal} is away")


async def opened(output: Iec104Output) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", output.port)


def test_a_master_is_told_and_commands() -> None:
    async def run() -> None:
        output = Iec104Output(port=0)
        await output.start(POINTS, refuse)
        assert list(output.map()) == [
            ("ioa", "type", "with time", "signal", "unit", "command"),
            ("1", "13", "36", "power", "W", ""),
            ("2", "1", "30", "breaker", "", "2"),
        ]
        reader, writer = await opened(output)
        writer.write(START)
        assert await reader.readexactly(6) == START_CON
        await output.publish([Sample("power", 1.5, Quality.GOOD, NOON, NOON)])
        told = await reader.readexactly(27)
        assert told.hex() == "681900000000240103000100010000" + "0000c03f00" + "0000000c9a0b1a"
        writer.write(COMMAND)
        answer = await reader.readexactly(16)
        assert answer.hex() == "680e020002002d014700010002000001"  # the meter was away
        await output.close()
        assert await reader.read() == b""
        await output.close()
        writer.close()

    asyncio.run(run())


def test_by_tls(tmp_path: Path) -> None:
    server, client = certified(tmp_path)

    async def run() -> None:
        output = Iec104Output(port=0, tls=server)
        await output.start(POINTS, refuse)
        reader, writer = await asyncio.open_connection("127.0.0.1", output.port, ssl=client)
        writer.write(START)
        assert await reader.readexactly(6) == START_CON
        plain_reader, plain_writer = await opened(output)
        plain_writer.write(START)
        assert START_CON not in await plain_reader.read()
        for each in (writer, plain_writer):
            each.close()
        await output.close()

    asyncio.run(run())


@pytest.mark.parametrize(("most", "answered"), [(2, True), (1, False)])
def test_so_many_connections(most: int, answered: bool) -> None:
    async def run() -> None:
        output = Iec104Output(port=0, connections=most)
        await output.start(POINTS, refuse)
        first, second = await opened(output), await opened(output)
        first[1].write(START)
        assert await first[0].readexactly(6) == START_CON
        second[1].write(START)
        try:
            assert await second[0].read(6) == (START_CON if answered else b"")
        except ConnectionResetError:
            assert not answered
        await output.close()
        for _, writer in (first, second):
            writer.close()

    asyncio.run(run())


def test_masters_of_other_networks_are_turned_away(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        output = Iec104Output(port=0, masters=[ip_network("192.0.2.0/24")])
        await output.start(POINTS, refuse)
        reader, writer = await opened(output)
        with pytest.raises(ConnectionResetError):
            assert await reader.read() == b""
            raise ConnectionResetError
        writer.close()
        await output.close()

    asyncio.run(run())
    assert "127.0.0.1 was turned away: not allowed" in caplog.text


@pytest.mark.parametrize("octets", ["GET / HTTP/1.1\r\n\r\n", "\x68\x04\x0b\x00\x00\x00"])
def test_a_stranger_is_sent_away_and_others_stay(octets: str, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        output = Iec104Output(port=0)
        await output.start(POINTS, refuse)
        (reader, writer), (other_reader, other_writer) = await opened(output), await opened(output)
        writer.write(octets.encode("latin-1"))
        assert await reader.read() == b""
        other_writer.write(START)
        assert await other_reader.readexactly(6) == START_CON
        writer.close()
        other_writer.close()
        await output.close()

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())
    assert "connection of 127.0.0.1 ended" in caplog.text


def test_what_goes_is_announced(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        output = Iec104Output(port=0, settings=StationSettings(waiting=1))
        await output.start(POINTS, refuse)
        await output.publish([Sample("power", each, Quality.GOOD, NOON, NOON) for each in range(3)])
        assert output.lost == 2
        await output.publish([])
        await output.close()

    asyncio.run(run())
    assert caplog.text.count("2 values went") == 1


def test_a_port_that_is_taken() -> None:
    async def run() -> None:
        output = Iec104Output(port=0)
        await output.start(POINTS, refuse)
        with pytest.raises(ConfigurationError, match=str(output.port)):
            await Iec104Output(port=output.port).start(POINTS, refuse)
        await output.close()

    asyncio.run(run())
