"""Values in an SQLite file, read back by the SQLite of Python itself; also after the writer was killed."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cosem.errors import ConfigurationError
from cosem.gateway.northbound import Point
from cosem.gateway.northbound.sqlite_file import SqliteOutput
from cosem.gateway.value import Command, CommandResult, NumberType, Quality, Sample

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
EAST = NOON.astimezone(timezone(timedelta(hours=2)))
POINTS = [Point("energy", "meter", "", NumberType.DOUBLE)]


async def obey(command: Command) -> CommandResult:
    return CommandResult(False)


def energy(value: Any, quality: Quality = Quality.GOOD, **more: Any) -> Sample:
    return Sample("energy", value, quality, EAST, NOON + timedelta(seconds=1), "kWh", **more)


def rows(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def written(path: Path, *batches: list[Sample], limit: int = 10**9) -> None:
    async def run() -> None:
        output = SqliteOutput(path, limit=limit)
        await output.start(POINTS, obey)
        for each in batches:
            await output.publish(each)
        await output.close()
        await output.close()

    asyncio.run(run())


def test_values(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    written(path, [energy(Decimal("123456789012345678.9")), energy("text", Quality.NOT_TOPICAL | Quality.OVERFLOW)])
    written(path, [energy(None, Quality.INVALID, backfilled=True), energy(True)])
    times = ("2026-11-26T12:00:00.000+00:00", "2026-11-26T12:00:01.000+00:00")
    columns = "time, gateway_time, signal, unit, value, value_real, quality, backfilled"
    same = (*times, "energy", "kWh")
    assert rows(path, f"select {columns} from samples order by number") == [
        (*same, "123456789012345678.9", 123456789012345678.9, "good", 0),
        (*same, "text", None, "overflow,not topical", 0),
        (*same, None, None, "invalid", 1),
        (*same, "1", 1.0, "good", 0),
    ]


def test_the_oldest_go_and_the_file_does_not_grow(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    batches = [[energy(batch * 100 + each) for each in range(100)] for batch in range(100)]
    written(path, *batches, limit=200_000)
    values = [int(value) for (value,) in rows(path, "select value from samples order by number")]
    assert values == list(range(values[0], 10_000))
    assert 0 < values[0] < 9_900
    assert path.stat().st_size < 300_000


_WRITER = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from cosem.gateway.northbound.sqlite_file import SqliteOutput
from cosem.gateway.value import Quality, Sample

async def main():
    output = SqliteOutput(Path(sys.argv[1]))
    await output.start([], None)
    number = 0
    while True:
        batch = [Sample("s", number + each, Quality.GOOD, None, datetime.now(UTC)) for each in range(10)]
        await output.publish(batch)
        number += 10
        print(number, flush=True)

asyncio.run(main())
"""


def test_what_was_published_outlives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    for _ in range(3):
        with subprocess.Popen((sys.executable, "-c", _WRITER, str(path)), stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            acknowledged = 0
            before = rows(path, "select count(*) from samples")[0][0] if path.exists() else 0
            for line in writer.stdout:
                acknowledged = int(line)
                if acknowledged >= 200:
                    writer.send_signal(signal.SIGKILL)
                    acknowledged = max([acknowledged, *map(int, writer.stdout.read().split())])
        (count,) = rows(path, "select count(*) from samples")[0]
        assert count - before in (acknowledged, acknowledged + 10)  # the last one may be there unacknowledged
        assert rows(path, "pragma integrity_check") == [("ok",)]


def test_a_file_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is no database, and long enough to be taken for one " * 100)
    for path in (tmp_path / "none" / "log.sqlite", tmp_path / "text"):
        with pytest.raises(ConfigurationError, match="cannot open"):
            written(path, [])


def test_the_plan(tmp_path: Path) -> None:
    assert SqliteOutput(tmp_path / "a").plan(POINTS)[1] == ("energy", str(tmp_path / "a"), "samples")
