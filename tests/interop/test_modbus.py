"""A master by pymodbus with our Modbus TCP server."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from cosem.gateway.northbound import Point
from cosem.gateway.northbound.modbus import ModbusOutput, ModbusSettings
from cosem.gateway.value import Command, CommandResult, NumberType, Plain, Quality, Sample
from interop.lines_of import peer

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
VALUES: dict[NumberType, tuple[Plain, str, int | float]] = {
    NumberType.SIGNED16: (-5, "INT16", -5),
    NumberType.UNSIGNED16: (40000, "UINT16", 40000),
    NumberType.SIGNED32: (-123456, "INT32", -123456),
    NumberType.UNSIGNED32: (4294967295, "UINT32", 4294967295),
    NumberType.SIGNED64: (-(2**40), "INT64", -(2**40)),
    NumberType.UNSIGNED64: (2**64 - 1, "UINT64", 2**64 - 1),
    NumberType.FLOAT: (Decimal("1.5"), "FLOAT32", 1.5),
    NumberType.DOUBLE: (Decimal("12345.678"), "FLOAT64", 12345.678),
    NumberType.BITSTRING: ("101", "UINT32", 5),
}
POINTS = [
    *(Point(each.value, "meter", "", each, writable=True) for each in VALUES),
    Point("on", "meter", "", NumberType.DIGITAL, writable=True),
    Point("off", "meter", "", NumberType.DIGITAL),
    Point("name", "meter", "", NumberType.TEXT),
    Point("fixed", "meter", "", NumberType.UNSIGNED16, register=1000),
]
ADDRESSES = [0, 1, 2, 4, 6, 10, 14, 16, 20]


@pytest.mark.parametrize("order", ["big", "little"])
def test_values_of_every_type(order: str) -> None:
    async def run() -> None:
        output = ModbusOutput(port=0, settings=ModbusSettings(word_order=order))
        await output.start(POINTS, obey)
        samples = [Sample(each.value, value, Quality.GOOD, NOON, NOON) for each, (value, *_) in VALUES.items()]
        await output.publish([*samples, Sample("on", True, Quality.NOT_TOPICAL, NOON, NOON)])
        async with peer("modbus_client.py", port=output.port) as master:
            for address, (_, kind, value) in zip(ADDRESSES, VALUES.values(), strict=True):
                for table in ("holding", "input"):
                    assert await master.ask("number", table, address, kind, order) == value
            assert await master.ask("coils", 0, 2) == [True, False]
            assert await master.ask("discrete", 0, 2) == [True, False]
            assert await master.ask("registers", "input", 30000, 12) == [0] * 9 + [0x40, 0x80, 0x80]
            assert await master.ask("registers", "holding", 1000, 1) == [0]
            for refused in (["registers", "holding", 22, 1], ["registers", "input", 0, 23], ["coils", 1, 2]):
                assert await master.ask(*refused) == {"exception": 2}
            assert await master.ask("identify") == {"exception": 1}
        await output.close()

    asyncio.run(run())


async def obey(command: Command) -> CommandResult:
    return CommandResult(command.signal != "UNSIGNED16", "not this one")


@pytest.mark.parametrize("order", ["big", "little"])
def test_commands(order: str) -> None:
    async def run() -> None:
        given: list[tuple[str, Plain]] = []

        async def note(command: Command) -> CommandResult:
            assert command.origin == "Modbus 127.0.0.1 unit 1"
            given.append((command.signal, command.value))
            return await obey(command)

        output = ModbusOutput(port=0, settings=ModbusSettings(word_order=order))
        await output.start(POINTS, note)
        async with peer("modbus_client.py", port=output.port) as master:
            for address, (kind, (_, theirs, value)) in zip(ADDRESSES, VALUES.items(), strict=True):
                if kind is not NumberType.UNSIGNED16:
                    assert await master.ask("write_number", address, value, theirs, order) is True
                    assert given.pop() == (kind.value, f"{value:032b}" if kind is NumberType.BITSTRING else value)
            assert await master.ask("write_register", 0, 65535) is True
            assert await master.ask("write_coil", 0, True) is True
            assert await master.ask("write_coils", 0, [False]) is True
            assert given == [("SIGNED16", -1), ("on", True), ("on", False)]
            given.clear()
            assert await master.ask("write_register", 1, 7) == {"exception": 4}
            assert await master.ask("write_registers", 0, [1, 2, 3, 4]) == {"exception": 4}  # as far as it went
            assert given == [("UNSIGNED16", 7), ("SIGNED16", 1), ("UNSIGNED16", 2)]
            given.clear()
            assert await master.ask("both", 0, [9], 0, 1) == [0]
            assert await master.ask("mask", 0, 0, 3) is True
            assert given == [("SIGNED16", 9), ("SIGNED16", 3)]
            given.clear()
            for refused in (
                ["write_register", 2, 1],  # half of a point
                ["write_registers", 0, [1, 2, 3]],
                ["write_coil", 1, True],  # not write-enabled
                ["write_coil", 2, True],  # not there
                ["write_register", 1000, 1],
                ["write_register", 30000, 1],
            ):
                assert await master.ask(*refused) == {"exception": 2}
            assert not given
        await output.close()

    asyncio.run(run())


def test_another_unit_is_not_answered() -> None:
    async def run() -> None:
        output = ModbusOutput(port=0, settings=ModbusSettings(unit=7))
        await output.start(POINTS, obey)
        async with peer("modbus_client.py", port=output.port, unit=7) as master:
            assert await master.ask("registers", "holding", 0, 1) == [0]
        await output.close()

    asyncio.run(run())
