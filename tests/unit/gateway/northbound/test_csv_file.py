"""A log of values in CSV: whole lines, bounded files, and nothing that a spreadsheet would run."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from cosem.errors import ConfigurationError, ConnectionLost
from cosem.gateway.northbound import Point
from cosem.gateway.northbound.csv_file import HEADINGS, CsvOutput
from cosem.gateway.value import Command, CommandResult, NumberType, Plain, Quality, Sample

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
POINTS = [Point("s", "m", "S", NumberType.DOUBLE)]


async def nobody(_: Command) -> CommandResult:
    return CommandResult(False)


def sample(value: Plain, quality: Quality = Quality.GOOD) -> Sample:
    return Sample("s", value, quality, None, NOON, "V")


def publish(output: CsvOutput, *batches: Sequence[Sample]) -> None:
    async def run() -> None:
        await output.start(POINTS, nobody)
        for each in batches:
            await output.publish(each)
        await output.close()

    asyncio.run(run())


def rows(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text("utf-8").splitlines()))


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        (True, "1"),
        (-5, "-5"),
        (Decimal("1E+3"), "1000"),
        (NOON, "2026-11-26T12:00:00+00:00"),
        (b"\x00\xff", "00ff"),
        ("a,b", "a,b"),
        ("=1+1", "'=1+1"),
        ("-cmd", "'-cmd"),
    ],
)
def test_values(tmp_path: Path, value: Plain, cell: str) -> None:
    path = tmp_path / "log.csv"
    publish(CsvOutput(path), [sample(value, Quality.NOT_TOPICAL)])
    assert rows(path) == [
        list(HEADINGS),
        [NOON.isoformat(), "s", cell, "V", "not topical", NOON.isoformat(), "0"],
    ]


def test_a_second_run_goes_on_and_a_torn_line_stays_one_line(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    publish(CsvOutput(path), [sample(1)])
    with path.open("a") as file:
        file.write("2026-11-26T12:0")  # the power went
    publish(CsvOutput(path), [sample(2)], [sample(3)])
    assert [each[2] if len(each) > 2 else "" for each in rows(path)] == ["value", "1", "", "2", "3"]


def test_files_are_bounded_and_so_many_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    publish(CsvOutput(path), [sample(0)])
    size = path.stat().st_size
    path.unlink()
    publish(CsvOutput(path, limit=size, kept=2), *([sample(each)] for each in range(5)))
    found = [rows(each)[1][2] for each in (path, tmp_path / "log.csv.1", tmp_path / "log.csv.2")]
    assert found == ["4", "3", "2"]
    assert len(list(tmp_path.iterdir())) == 3


def test_a_file_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot write"):
        publish(CsvOutput(tmp_path / "nowhere" / "log.csv"))

    async def away() -> None:
        output = CsvOutput(tmp_path / "log.csv")
        await output.start(POINTS, nobody)
        (tmp_path / "log.csv").unlink()
        (tmp_path / "log.csv").mkdir()
        await output.publish([sample(1)])

    with pytest.raises(ConnectionLost, match="takes nothing"):
        asyncio.run(away())


def test_its_map(tmp_path: Path) -> None:
    assert CsvOutput(tmp_path / "x.csv").plan(POINTS) == (("signal", "file"), ("s", str(tmp_path / "x.csv")))
