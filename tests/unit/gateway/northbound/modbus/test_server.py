"""The Modbus TCP server on loopback, asked in octets of MODBUS Messaging on TCP/IP; a master is in `tests/interop`."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest

from certified import certified
from cosem.errors import ConfigurationError, ConnectionLost
from cosem.gateway.northbound import Point
from cosem.gateway.northbound.modbus import ModbusOutput, ModbusSettings
from cosem.gateway.value import Command, CommandResult, NumberType

POINTS = [
    Point("power", "meter", "Power", NumberType.FLOAT, unit="W"),
    Point("limit", "meter", "Limit", NumberType.UNSIGNED16, writable=True),
    Point("relay", "meter", "Relay", NumberType.DIGITAL, writable=True, register=4),
]
READ = "0001000000060103 0002 0001"
READ_ANSWER = "0001000000050103 02 0000"


async def obey(command: Command) -> CommandResult:
    return CommandResult(True)


async def asked(port: int, *messages: str, context: ssl.SSLContext | None = None) -> list[str]:
    """Say messages one after the other and return what is answered, until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        writer.write(bytes.fromhex("".join(messages)))
        answers: list[str] = []
        async with asyncio.timeout(20):
            while len(answers) < len(messages):
                header = await reader.readexactly(6)
                answers.append((header + await reader.readexactly(header[5])).hex())
        return answers
    except (asyncio.IncompleteReadError, ConnectionError):
        return answers
    finally:
        writer.close()


def running(
    messages: Sequence[str], settings: ModbusSettings | None = None, tls: ssl.SSLContext | None = None, obeying=obey
) -> list[str]:  # type: ignore[no-untyped-def]
    async def run() -> list[str]:
        output = ModbusOutput(port=0, settings=settings, tls=tls)
        await output.start(POINTS, obeying)
        found = await asked(output.port, *messages)
        await output.close()
        await output.close()
        return found

    return asyncio.run(run())


def test_requests_one_after_the_other_are_answered_in_order() -> None:
    second = READ.replace("0001", "0002", 1)
    assert running([READ, second]) == [READ_ANSWER.replace(" ", ""), "0002000000050103020000"]


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ("0001000000060103 0002 0000", "000100000003018303"),  # a count of none
        ("0001000000060103 0000 007e", "000100000003018303"),  # of more than 125
        ("0001000000060101 0004 07d1", "000100000003018103"),  # of more than 2000 coils
        ("0001000000060105 0004 0001", "000100000003018503"),  # neither on nor off
        ("0001000000060105 0004 ff00", "0001000000060105 0004ff00"),
        ("0001000000020107", "000100000003018701"),  # a function that is not served
        ("000100000002012b", "00010000000301ab01"),
        ("0001000000050103 0002 00", "000100000003018303"),  # too short
        ("0001000000060103 ffff 0002", "000100000003018302"),
    ],
)
def test_answers(message: str, answer: str) -> None:
    assert running([message]) == [answer.replace(" ", "")]


def test_a_command_that_the_device_does_not_take() -> None:
    async def away(command: Command) -> CommandResult:
        raise ConnectionLost(f"{command.signal} is away")

    assert running(["0001000000060106 0002 0005"], obeying=away) == ["000100000003018604"]


@pytest.mark.parametrize(
    "octets", ["474554202f20485454", "00010001000601030002 0001", "000100000001 01 03", "00010000 00ff 01 03"]
)
def test_strangers_are_sent_away(octets: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert running([octets]) == []
    assert "begins no message of Modbus" in caplog.text


def test_the_longest_message() -> None:
    message = "0001 0000 00fe 01 10 0000 007b f6" + "00" * 247
    assert len(bytes.fromhex(message)) == 260
    assert running([message]) == ["000100000003019003"]  # understood: it is longer than its registers


def test_by_tls(tmp_path: Path) -> None:
    server, client = certified(tmp_path)

    async def run() -> None:
        output = ModbusOutput(port=0, tls=server)
        await output.start(POINTS, obey)
        assert await asked(output.port, READ, context=client) == [READ_ANSWER.replace(" ", "")]
        assert await asked(output.port, READ) == []
        await output.close()

    asyncio.run(run())


@pytest.mark.parametrize(("most", "answered"), [(2, True), (1, False)])
def test_so_many_connections(most: int, answered: bool) -> None:
    async def run() -> None:
        output = ModbusOutput(port=0, settings=ModbusSettings(connections=most))
        await output.start(POINTS, obey)
        reader, writer = await asyncio.open_connection("127.0.0.1", output.port)
        writer.write(bytes.fromhex(READ))
        await reader.readexactly(11)
        assert bool(await asked(output.port, READ)) is answered
        writer.close()
        await output.close()

    asyncio.run(run())


def test_who_asks_nothing_is_let_go() -> None:
    async def run() -> None:
        output = ModbusOutput(port=0, settings=ModbusSettings(idle=0.01))
        await output.start(POINTS, obey)
        reader, writer = await asyncio.open_connection("127.0.0.1", output.port)
        async with asyncio.timeout(20):
            with pytest.raises(ConnectionError):
                assert await reader.read() == b""
                raise ConnectionResetError
        writer.close()
        await output.close()

    asyncio.run(run())


@pytest.mark.parametrize(("unit", "first"), [(0, "0001"), (1, "0001"), (2, "0002")])
def test_units(unit: int, first: str) -> None:
    other = "0002000000060203 0002 0001"
    assert running([READ + other], ModbusSettings(unit=unit))[0].startswith(first)


def test_the_map() -> None:
    async def run() -> None:
        output = ModbusOutput(port=0)
        assert len(output.map()) == 1
        assert output.plan(POINTS)[1][5] == "power"
        await output.start(POINTS, obey)
        assert list(output.map()) == [
            ("table", "address", "count", "type", "order", "signal", "unit", "quality", "command"),
            ("register", "0", "2", "FLOAT", "big", "power", "W", "30000", ""),
            ("register", "2", "1", "UNSIGNED16", "", "limit", "", "30001", "write"),
            ("coil", "4", "1", "DIGITAL", "", "relay", "", "30002", "write"),
        ]
        await output.close()

    asyncio.run(run())


def test_a_port_that_is_taken() -> None:
    async def run() -> None:
        output = ModbusOutput(port=0)
        await output.start(POINTS, obey)
        with pytest.raises(ConfigurationError, match=str(output.port)):
            await ModbusOutput(port=output.port).start(POINTS, obey)
        await output.close()

    asyncio.run(run())
