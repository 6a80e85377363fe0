"""What waits for outputs that are away: on disk, in order, within a size, and durable before anybody is told so.

Of what does not fit the oldest goes, counted. What was delivered is taken out only then, so that after a crash the
last batch may come twice and nothing is missing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, cast

from cosem.gateway.value import Plain, Quality, Sample
from cosem.store import sqlite

_SCHEMA: Final = """
create table if not exists waiting (
    number integer primary key autoincrement, output text not null, octets integer not null, sample text not null);
create index if not exists waiting_by_output on waiting (output, number);
create table if not exists lost (output text primary key, count integer not null);
create table if not exists positions (device text primary key, until text not null);
"""

ROW_OCTETS: Final = 64
"""What a row costs besides its text, roughly."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A sample that waits; `number` is its place in the order."""

    number: int
    sample: Sample


class Buffer:
    """A file of samples that wait, each for one output. `limit` is octets of all that waits.

    Its methods block; call them from one thread at a time.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self.limit = limit
        path.parent.mkdir(parents=True, exist_ok=True)
        with sqlite.opening(path):
            self._connection = sqlite.connect(sqlite.load(), path)
            sqlite.make_durable(self._connection)
            self._connection.execute(_SCHEMA)
        self._octets: int = self._one("select coalesce(sum(octets), 0) from waiting")

    def add(self, outputs: Sequence[str], samples: Iterable[Sample]) -> int:
        """Keep samples for some outputs; return how many older ones had to go. On return all of it is durable."""
        texts = [json.dumps(_packed(each), separators=(",", ":")) for each in samples]
        rows = [(output, len(text.encode()) + ROW_OCTETS, text) for text in texts for output in outputs]
        gone = 0
        self._connection.execute("begin immediate")
        try:
            self._connection.executemany("insert into waiting (output, octets, sample) values (?, ?, ?)", rows)
            self._octets += sum(octets for _, octets, _ in rows)
            if self._octets > self.limit:
                gone = self._drop()
        except BaseException:
            self._connection.execute("rollback")
            self._octets = self._one("select coalesce(sum(octets), 0) from waiting")
            raise
        self._connection.execute("commit")
        return gone

    def take(self, output: str, most: int) -> list[Waiting]:
        """Return the oldest that wait for an output; they stay until they are `done`."""
        rows = self._connection.execute(
            "select number, sample from waiting where output = ? order by number limit ?", (output, most)
        )
        return [Waiting(number, _unpacked(json.loads(text))) for number, text in rows]

    def done(self, output: str, last: int) -> None:
        """Let go of what was delivered, up to a number."""
        self._connection.execute("begin immediate")
        freed = self._one("select coalesce(sum(octets), 0) from waiting where output = ? and number <= ?", output, last)
        self._connection.execute("delete from waiting where output = ? and number <= ?", (output, last))
        self._connection.execute("commit")
        self._octets -= freed

    def waiting(self, output: str) -> int:
        """Return how many samples wait for an output."""
        return int(self._one("select count(*) from waiting where output = ?", output))

    def lost(self, output: str) -> int:
        """Return how many samples for an output had to go, over all times."""
        return int(self._one("select coalesce((select count from lost where output = ?), 0)", output))

    def forget(self, keep: Iterable[str]) -> None:
        """Let go of what waits for outputs that are no more."""
        names = tuple(keep)
        marks = ",".join("?" * len(names))
        self._connection.execute(f"delete from waiting where output not in ({marks})", names)  # noqa: S608 - marks only
        self._octets = self._one("select coalesce(sum(octets), 0) from waiting")

    def position(self, device: str) -> datetime | None:
        """Return how far the profiles of a device were read."""
        found = self._one("select (select until from positions where device = ?)", device)
        return None if found is None else datetime.fromisoformat(found)

    def remember(self, device: str, until: datetime) -> None:
        """Keep how far the profiles of a device were read."""
        self._connection.execute(
            "insert into positions values (?, ?) on conflict (device) do update set until = excluded.until",
            (device, until.isoformat()),
        )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _drop(self) -> int:
        """Take the oldest out until a tenth of the limit is free, and count them by output."""
        target = self.limit - self.limit // 10
        last, octets = 0, self._octets
        gone: Counter[str] = Counter()
        for number, output, size in self._connection.execute(
            "select number, output, octets from waiting order by number"
        ):
            if octets <= target:
                break
            last, octets = number, octets - size
            gone[output] += 1
        self._connection.execute("delete from waiting where number <= ?", (last,))
        for output, count in gone.items():
            self._connection.execute(
                "insert into lost values (?, ?) on conflict (output) do update set count = count + excluded.count",
                (output, count),
            )
        self._octets = octets
        return gone.total()

    def _one(self, statement: str, *bindings: Any) -> Any:
        return next(iter(self._connection.execute(statement, bindings)))[0]


def _packed(sample: Sample) -> list[Any]:
    source = None if sample.source_time is None else sample.source_time.isoformat()
    return [
        *(sample.signal, _plain(sample.value), sample.quality.value, source, sample.gateway_time.isoformat()),
        *(sample.unit, sample.backfilled),
    ]


def _unpacked(fields: list[Any]) -> Sample:
    signal, value, quality, source, gateway, unit, backfilled = fields
    time = None if source is None else datetime.fromisoformat(source)
    return Sample(
        *(signal, _value(value), Quality(quality), time, datetime.fromisoformat(gateway), unit), backfilled=backfilled
    )


def _plain(value: Plain) -> Any:
    """Return a value for JSON; what JSON has no type for is an object of one name."""
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, datetime):
        return {"time": value.isoformat()}
    if isinstance(value, bytes):
        return {"octets": value.hex()}
    return value


def _value(value: Any) -> Plain:
    if isinstance(value, dict):
        ((kind, text),) = cast("dict[str, str]", value).items()
        return _KINDS[kind](text)
    known: Plain = value
    return known


_KINDS: Final[dict[str, Callable[[str], Plain]]] = {
    "decimal": Decimal,
    "time": datetime.fromisoformat,
    "octets": bytes.fromhex,
}
