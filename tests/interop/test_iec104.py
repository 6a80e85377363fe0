"""A control system by the c104 library (lib60870-C) with our IEC 60870-5-104 server.

Its TLS needs the name of a host, which it cannot be given: for TLS see `test_server.py`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cosem.gateway.northbound import Point
from cosem.gateway.northbound.iec104 import Iec104Output, StationSettings
from cosem.gateway.value import Command, CommandResult, NumberType, Plain, Quality, Sample

ROOT = Path(__file__).parents[2]
PEER = ROOT / ".peers" / "scada" / "bin" / "python"
DRIVER = ROOT / "tests" / "interop" / "peers" / "c104_client.py"
NOON = datetime(2026, 11, 26, 12, 0, 5, 250000, UTC)
TOLD = "2026-11-26 12:00:05.250000"
OFFSET = 100
VALUES: dict[NumberType, tuple[Plain, Quality]] = {
    NumberType.DIGITAL: (True, Quality.GOOD),
    NumberType.SIGNED16: (-5, Quality.GOOD),
    NumberType.UNSIGNED16: (40000, Quality.GOOD),
    NumberType.SIGNED32: (-123456, Quality.GOOD),
    NumberType.UNSIGNED32: (7, Quality.INVALID),
    NumberType.SIGNED64: (-3, Quality.SUBSTITUTED),
    NumberType.UNSIGNED64: (1 << 40, Quality.GOOD),
    NumberType.FLOAT: (1.5, Quality.NOT_TOPICAL),
    NumberType.DOUBLE: (None, Quality.INVALID),
    NumberType.BITSTRING: ("101", Quality.GOOD),
}
EXPECTED = [
    (1, "M_SP_TB_1", "True", ""),
    (2, "M_ME_TE_1", "-5", ""),
    (3, "M_ME_TE_1", "32767", "Overflow"),
    (4, "M_IT_TB_1", "-123456", ""),
    (5, "M_IT_TB_1", "7", "Invalid"),
    (6, "M_ME_TF_1", "-3.0", "Substituted"),
    (7, "M_ME_TF_1", "1099511627776.0", ""),
    (8, "M_ME_TF_1", "1.5", "NonTopical"),
    (9, "M_ME_TF_1", "0.0", "Invalid"),
    (10, "M_BO_TB_1", f"0b{5:032b}", ""),
]
POINTS = [Point(each.value, "meter", each.value, each, writable=True) for each in VALUES]


class Peer:
    """The peer's process, asked and heard by lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.points: list[dict[str, Any]] = []

    async def hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        async with asyncio.timeout(30):
            line = await self._process.stdout.readline()
        told: dict[str, Any] = json.loads(line)
        if "point" in told:
            self.points.append(told)
        return told

    async def wait_for(self, points: int) -> list[dict[str, Any]]:
        while len(self.points) < points:
            await self.hear()
        found, self.points = self.points, []
        return sorted(found, key=lambda each: int(each["point"]))

    async def ask(self, *words: object) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words).encode() + b"\n")
        while "did" not in (told := await self.hear()):
            pass
        assert "error" not in told, told["error"]
        return told["result"]

    async def interrogated(self, what: str, points: int) -> list[dict[str, Any]]:
        for _ in range(4):  # more than once: it overlooks answers that come before it waits for them
            done = await self.ask(what)
            told = await self.wait_for(points)
            if done:
                break
        assert done is True
        return told


@asynccontextmanager
async def connected(output: Iec104Output, **settings: Any) -> AsyncGenerator[Peer]:
    if not PEER.exists():
        pytest.fail("the peers' environment is missing. Type: make setup")
    given = json.dumps({"host": "127.0.0.1", "port": output.port, **settings})
    process = await asyncio.create_subprocess_exec(
        *(str(PEER), "-I", str(DRIVER), given), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    peer = Peer(process)
    try:
        while "connected" not in (told := await peer.hear()):
            pass
        assert told["connected"], told["state"]
        yield peer
    finally:
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(30):
            await process.communicate()


def samples() -> list[Sample]:
    return [Sample(kind.value, value, quality, NOON, NOON) for kind, (value, quality) in VALUES.items()]


def shown(told: dict[str, Any]) -> tuple[int, str, str, str]:
    quality = told["quality"].partition("{")[2].partition("}")[0].strip()
    return told["point"], told["type"], told["text"], quality


async def obey(command: Command) -> CommandResult:
    return CommandResult(command.signal != "BITSTRING", "not this one")


def test_values_with_quality_and_time() -> None:
    async def run() -> None:
        output = Iec104Output(port=0, settings=StationSettings(tagged_interrogation=True))
        await output.start(POINTS, obey)
        await output.publish(samples())  # before anybody is there: it waits
        async with connected(output) as peer:
            told = await peer.wait_for(10)
            assert list(map(shown, told)) == EXPECTED
            assert {each["time"] for each in told} == {TOLD}
            assert {each["cause"] for each in told} == {"SPONTANEOUS"}
            told = await peer.interrogated("interrogate", 8)
            assert list(map(shown, told)) == [each for each in EXPECTED if each[1] != "M_IT_TB_1"]
            assert {each["cause"] for each in told} == {"INTERROGATED_BY_STATION"}
            told = await peer.interrogated("counters", 2)
            assert list(map(shown, told)) == [each for each in EXPECTED if each[1] == "M_IT_TB_1"]
            assert await peer.ask("read", 8) is True
            (told,) = await peer.wait_for(1)
            assert (told["cause"], told["text"]) == ("REQUEST", "1.5")
            assert await peer.ask("test") is True
            assert await peer.ask("clock") is False  # it is not theirs to set
        await output.close()

    asyncio.run(run())


def test_five_thousand_points_are_interrogated() -> None:
    async def run() -> None:
        output = Iec104Output(port=0, settings=StationSettings(tagged_interrogation=True))
        points = [Point(f"s{each}", "meter", "", NumberType.FLOAT) for each in range(5000)]
        await output.start(points, obey)
        async with connected(output) as peer:
            told = await peer.interrogated("interrogate", 5000)
            assert [each["point"] for each in told] == list(range(1, 5001))
            assert {each["quality"] for each in told} == {"Quality set: { Invalid }, is_good: False"}
        await output.close()

    asyncio.run(run())


@pytest.mark.parametrize("mode", ["direct", "select"])
def test_commands(mode: str) -> None:
    async def run() -> None:
        given: list[Command] = []

        async def note(command: Command) -> CommandResult:
            given.append(command)
            return await obey(command)

        settings = StationSettings(command_offset=OFFSET, select_first=mode == "select")
        output = Iec104Output(port=0, settings=settings)
        await output.start(POINTS, note)
        wanted = [
            (OFFSET + 1, "C_SC_NA_1", True),
            (OFFSET + 8, "C_SE_NC_1", 7.5),
            (OFFSET + 9, "C_SE_TC_1", 1e6),
            (OFFSET + 99, "C_SC_NA_1", True),
        ]
        async with connected(output, patience=1.0, commands=[[*each[:2], mode] for each in wanted]) as peer:
            assert [await peer.ask("command", *each) for each in wanted] == [True, True, True, False]
        told = dict.fromkeys((each.signal, each.value) for each in given)  # what the peer overlooks, it says again
        assert list(told) == [("DIGITAL", True), ("FLOAT", 7.5), ("DOUBLE", 1e6)]
        await output.close()

    asyncio.run(run())
