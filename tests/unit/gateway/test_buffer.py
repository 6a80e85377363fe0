"""The buffer on disk: order, limit, what survives, and what does not come twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from cosem.gateway.buffer import Buffer
from cosem.gateway.value import Plain, Quality, Sample

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
SOURCES = Path(__file__).parents[3] / "src"


def sample(value: Plain) -> Sample:
    return Sample("s", value, Quality.NOT_TOPICAL, NOON, NOON, "V", backfilled=True)


def values(buffer: Buffer, output: str = "mqtt", most: int = 1000) -> list[Plain]:
    return [each.sample.value for each in buffer.take(output, most)]


@pytest.mark.parametrize(
    "value", [None, True, 7, 1.5, "text", Decimal("12.50"), NOON, b"\x00\xff", 1 << 63, "{", Decimal("1E+3")]
)
def test_a_sample_comes_back_as_it_was(tmp_path: Path, value: Plain) -> None:
    buffer = Buffer(tmp_path / "buffer.sqlite", 1_000_000)
    buffer.add(["mqtt"], [sample(value)])
    (waiting,) = buffer.take("mqtt", 10)
    assert waiting.sample == sample(value)
    assert type(waiting.sample.value) is type(value)
    buffer.close()


def test_each_output_has_its_own_order_and_pace(tmp_path: Path) -> None:
    buffer = Buffer(tmp_path / "buffer.sqlite", 1_000_000)
    buffer.add(["a", "b"], [sample(1), sample(2)])
    buffer.add(["a"], [sample(3)])
    assert (values(buffer, "a"), values(buffer, "b")) == ([1, 2, 3], [1, 2])
    buffer.done("a", buffer.take("a", 2)[-1].number)
    assert (values(buffer, "a"), values(buffer, "b")) == ([3], [1, 2])
    assert (buffer.waiting("a"), buffer.waiting("b")) == (1, 2)
    buffer.forget(["a"])
    assert (values(buffer, "a"), values(buffer, "b")) == ([3], [])
    buffer.close()


def test_what_waits_is_there_after_a_restart(tmp_path: Path) -> None:
    buffer = Buffer(tmp_path / "buffer.sqlite", 1_000_000)
    buffer.add(["mqtt"], [sample(each) for each in range(5)])
    buffer.done("mqtt", buffer.take("mqtt", 2)[-1].number)
    buffer.remember("m", NOON)
    buffer.close()
    again = Buffer(tmp_path / "buffer.sqlite", 1_000_000)
    assert values(again) == [2, 3, 4]
    assert (again.position("m"), again.position("other")) == (NOON, None)
    again.close()


def test_the_oldest_go_when_it_is_full_and_are_counted(tmp_path: Path) -> None:
    one = Buffer(tmp_path / "one.sqlite", 1_000_000)
    one.add(["mqtt"], [sample(0)])
    size = next(iter(one._connection.execute("select octets from waiting")))[0]
    one.close()
    buffer = Buffer(tmp_path / "buffer.sqlite", 10 * size)
    assert buffer.add(["mqtt"], [sample(each) for each in range(10)]) == 0
    assert buffer.add(["mqtt"], [sample(9)]) == 2  # down to nine tenths
    assert values(buffer) == [2, 3, 4, 5, 6, 7, 8, 9, 9]
    assert buffer.lost("mqtt") == 2
    assert buffer.lost("other") == 0
    buffer.close()


WRITER = """
    import sys
    from datetime import UTC, datetime
    from pathlib import Path
    from cosem.gateway.buffer import Buffer
    from cosem.gateway.value import Quality, Sample
    noon = datetime(2026, 11, 26, 12, tzinfo=UTC)
    buffer = Buffer(Path(sys.argv[1]), 10_000_000)
    for number in range(100_000):
        buffer.add(["mqtt"], [Sample("s", number, Quality.GOOD, noon, noon)])
        print(number, flush=True)
"""


def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "buffer.sqlite"
    writer = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(path)],
        env={**os.environ, "PYTHONPATH": str(SOURCES)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    for _ in range(50):
        last = int(writer.stdout.readline())
    writer.send_signal(signal.SIGKILL)
    acknowledged = [*range(last + 1), *map(int, writer.stdout.read().split())]
    writer.wait()
    writer.stdout.close()
    buffer = Buffer(path, 10_000_000)
    found = values(buffer, most=100_000)
    assert found[: len(acknowledged)] == acknowledged
    assert found == list(range(len(found)))
    buffer.close()
