"""The readings store: nothing twice, nothing rounded, nothing lost that was acknowledged."""

import importlib
import random
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import ModuleType, SimpleNamespace

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosem.errors import ConfigurationError, LocalProtocolError
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit
from cosem.readings.reading import Quality, Reading, Source
from cosem.store.readings import ReadingStore, Stored

ENERGY = CaptureObject(3, Obis("1.0.1.8.0.255"), 2, 0)
VOLTAGE = CaptureObject(3, Obis("1.0.32.7.0.255"), 2, 0)
PROFILE = Obis("1.0.99.1.0.255")
NOON = datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=1)))


def spot(meter: str = "m1", column: CaptureObject = ENERGY, minutes: int = 0, raw: int | str = 1) -> Reading:
    time = NOON + timedelta(minutes=minutes)
    return Reading(meter=meter, column=column, time=time, raw=raw, scaler=-2, unit=Unit.WATT_HOUR)


def captured(minutes: int, raw: int, meter: str = "m1", column: CaptureObject = ENERGY) -> Reading:
    return replace(spot(meter, column, minutes, raw), profile=PROFILE)


@pytest.fixture
def store(tmp_path: Path) -> ReadingStore:
    return ReadingStore(tmp_path / "readings.sqlite")


def test_reading_twice_never_duplicates(store: ReadingStore) -> None:
    batch = [spot(raw=1), spot("m2"), captured(0, 10), captured(15, 11), captured(0, 12, column=VOLTAGE)]
    assert store.add(batch) == Stored(new=5, changed=0, unchanged=0)
    assert store.add(batch) == Stored(new=0, changed=0, unchanged=5)
    assert store.count() == 5
    again = [replace(reading, time=reading.time.astimezone(timezone(timedelta(hours=1)))) for reading in batch]
    assert store.add([*again, captured(30, 13)]) == Stored(new=1, changed=0, unchanged=5)
    assert store.meters() == ["m1", "m2"]
    assert store.add([]) == Stored(0, 0, 0)


def test_a_spot_reading_and_a_captured_one_of_the_same_time_are_two(store: ReadingStore) -> None:
    assert store.add([spot(raw=1), captured(0, 1)]).new == 2
    other = replace(captured(0, 1), profile=Obis("1.0.99.2.0.255"))
    element = replace(spot(raw=1), column=CaptureObject(3, Obis("1.0.1.8.0.255"), 2, 1))
    assert store.add([other, element]).new == 2


def test_a_changed_value_replaces_and_the_old_one_is_kept(store: ReadingStore) -> None:
    store.add([captured(0, 10), spot(raw=5)])
    better = replace(captured(0, 12), quality=Quality.CLOCK_DOUBTFUL)
    assert store.add([better, spot(raw=5)]) == Stored(new=0, changed=1, unchanged=1)
    assert store.rows(profile=PROFILE) == [better]
    assert store.add([better, spot(raw=6), spot("m2")]) == Stored(new=1, changed=1, unchanged=1)
    with apsw.Connection(str(store.path)) as other:
        old = other.execute("SELECT profile IS NULL, raw, quality FROM revision ORDER BY id").fetchall()
    assert old == [(0, 10, 0), (1, 5, 0)]


def test_the_same_reading_twice_in_one_batch(store: ReadingStore) -> None:
    assert store.add([captured(0, 10), captured(0, 10), captured(0, 11)]) == Stored(new=1, changed=1, unchanged=1)
    assert [reading.raw for reading in store.rows()] == [11]


def test_what_is_stored_of_anybody(store: ReadingStore) -> None:
    assert store.signals() == set()
    store.add([captured(0, 10), captured(1, 11), spot(), spot("m2")])
    assert store.signals() == {(each.profile, each.column) for each in (captured(0, 10), spot())}


def test_rows_in_order_and_by_question(store: ReadingStore) -> None:
    tenth = CaptureObject(3, Obis("1.0.10.8.0.255"), 2, 0)
    second = CaptureObject(3, Obis("1.0.2.8.0.255"), 2, 0)
    batch = [
        spot("m1", ENERGY),
        spot("m1", second),
        spot("m1", tenth),
        captured(0, 1, column=VOLTAGE),
        captured(15, 2, column=VOLTAGE),
        captured(30, 3, column=VOLTAGE),
        captured(0, 4, meter="m2"),
    ]
    store.add(reversed(batch))
    assert store.rows() == batch
    assert store.rows("m2") == batch[6:]
    assert store.rows(obis=Obis("1.0.32.7.0.255")) == batch[3:6]
    assert store.rows("m1", profile=PROFILE) == batch[3:6]
    assert store.rows(since=NOON + timedelta(minutes=15)) == batch[4:6]
    assert store.rows(until=NOON + timedelta(minutes=15)) == batch[:4] + batch[6:]
    assert store.rows("m1", profile=PROFILE, since=NOON, until=NOON + timedelta(minutes=30), latest=True) == [batch[4]]
    assert store.rows(latest=True) == [*batch[:3], batch[5], batch[6]]
    assert store.rows("nobody") == []
    assert store.last_capture("m1", PROFILE) == NOON + timedelta(minutes=30)
    assert store.last_capture("nobody", PROFILE) is None


_times = st.datetimes(
    datetime(1970, 1, 2),
    datetime(2100, 1, 1),
    timezones=st.integers(-840, 840).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
_readings = st.builds(
    Reading,
    meter=st.text(st.characters(exclude_categories=("Cs",)), min_size=1),
    column=st.builds(
        CaptureObject,
        st.integers(0, 65535),
        st.binary(min_size=6, max_size=6).map(Obis),
        st.integers(-128, 127),
        st.integers(0, 65535),
    ),
    time=_times,
    raw=st.integers(-(2**63), 2**64 - 1),
    scaler=st.integers(-128, 127),
    unit=st.integers(1, 255).map(Unit.of),
    profile=st.none() | st.just(PROFILE),
    quality=st.integers(0, 0xFFF).map(Quality),
    source=st.sampled_from(Source),
) | st.builds(spot, raw=st.text(st.characters(exclude_categories=("Cs",))) | st.integers(-9, 9).map(str)).map(
    lambda reading: replace(reading, scaler=0)
)


@settings(max_examples=50, deadline=None)
@given(readings=st.lists(_readings, unique_by=lambda reading: reading.key, max_size=10))
def test_everything_comes_back_exactly(tmp_path_factory: pytest.TempPathFactory, readings: list[Reading]) -> None:
    path = tmp_path_factory.mktemp("store") / "readings.sqlite"
    with ReadingStore(path) as store:
        assert store.add(readings) == Stored(len(readings), 0, 0)
        assert store.add(readings) == Stored(0, 0, len(readings))
        found = store.rows()
        assert sorted(map(repr, found)) == sorted(map(repr, map(plain_zone, readings)))
        shown = {row[0] for row in store._connection.execute("SELECT value FROM reading")}
        assert shown == {reading.text for reading in readings}


def plain_zone(reading: Reading) -> Reading:
    """The same reading with its time in the one form in which a store gives times back."""
    offset = reading.time.utcoffset()
    assert offset is not None
    zone = timezone(offset) if offset else UTC
    return replace(reading, time=reading.time.replace(tzinfo=zone, fold=0))


def test_the_view_for_people(store: ReadingStore) -> None:
    store.add([spot(raw=12345678), captured(15, -5)])
    with apsw.Connection(str(store.path)) as other:
        rows = other.execute("SELECT meter, profile, obis, time, value, unit FROM reading ORDER BY time").fetchall()
    assert rows == [
        ("m1", None, "1.0.1.8.0.255", "2024-02-29T11:00:00.123Z", "123456.78", "Wh"),
        ("m1", "1.0.99.1.0.255", "1.0.1.8.0.255", "2024-02-29T11:15:00.123Z", "-0.05", "Wh"),
    ]


def test_a_batch_is_all_or_nothing(store: ReadingStore) -> None:
    unstorable = replace(spot("m9"), raw="\udcff")
    with pytest.raises(LocalProtocolError, match="surrogates"):
        store.add([spot("m8"), unstorable])
    assert store.count() == 0
    assert store.meters() == []
    assert store.add([spot("m8")]).new == 1, "and nothing of it is remembered as stored"
    assert store.rows() == [spot("m8")]


def test_two_stores_and_many_threads_on_one_file(store: ReadingStore) -> None:
    other = ReadingStore(store.path)
    store.add([spot("m0")])
    threads = [
        threading.Thread(target=which.add, args=([captured(minute, minute, f"m{at}") for minute in range(50)],))
        for at in range(5)
        for which in (store, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.count() == other.count() == 1 + 5 * 50
    other.close()
    other.close()
    with pytest.raises(ConfigurationError):
        other.count()


def test_those_who_open_a_new_file_at_once_share_it(tmp_path: Path) -> None:
    for number in range(10):
        path = tmp_path / f"readings-{number}.sqlite"
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda at, path=path: ReadingStore(path).add([spot(f"m{at}")]), range(8)))
        with ReadingStore(path) as store:
            assert store.count() == 8


def test_reading_while_another_writes(store: ReadingStore) -> None:
    store.add([spot()])
    reader = ReadingStore(store.path, writable=False)
    store.add([spot(minutes=1)])
    assert reader.count() == 2
    with pytest.raises(ConfigurationError, match="cannot use"):
        reader.add([spot(minutes=2)])
    reader.close()


def test_files_that_are_no_readings_store(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no database at all, but long enough to be looked at" * 10)
    with pytest.raises(ConfigurationError, match=r"notes\.txt"):
        ReadingStore(text)
    assert text.read_text().startswith("no database")
    foreign = tmp_path / "foreign.sqlite"
    with apsw.Connection(str(foreign)) as connection:
        connection.execute("CREATE TABLE mine (x)")
    before = foreign.read_bytes()
    with pytest.raises(ConfigurationError, match="no readings store"):
        ReadingStore(foreign)
    assert foreign.read_bytes() == before, "what belongs to somebody else is left alone"
    with pytest.raises(ConfigurationError):
        ReadingStore(tmp_path / "missing" / "readings.sqlite")
    with pytest.raises(ConfigurationError):
        ReadingStore(tmp_path / "missing.sqlite", writable=False)
    newer = ReadingStore(tmp_path / "newer.sqlite")
    newer._connection.pragma("user_version", 2)
    newer.close()
    with pytest.raises(ConfigurationError, match="version 2"):
        ReadingStore(newer.path)


def test_without_apsw_or_with_an_old_sqlite(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = importlib.import_module
    answer: ModuleType | SimpleNamespace | None = None

    def imported(name: str, package: str | None = None) -> object:
        if name != "apsw":
            return real(name, package)
        if answer is None:
            raise ImportError(name)
        return answer

    monkeypatch.setattr(importlib, "import_module", imported)
    with pytest.raises(ConfigurationError, match="pip install"):
        ReadingStore(tmp_path / "readings.sqlite")
    answer = SimpleNamespace(sqlite_lib_version=lambda: "3.51.2")
    with pytest.raises(ConfigurationError, match=r"3\.51\.3 or newer"):
        ReadingStore(tmp_path / "readings.sqlite")


def test_what_must_hold_for_durability(store: ReadingStore) -> None:
    assert store._connection.pragma("journal_mode") == "wal"
    assert store._connection.pragma("synchronous") == 2


WRITER = """
import sys
sys.path.insert(0, "src")
from datetime import datetime, timedelta, timezone
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.obis import Obis
from cosem.readings.reading import Reading
from cosem.store.readings import ReadingStore

store, batch = ReadingStore(sys.argv[1]), int(sys.argv[2])
column = CaptureObject(3, Obis("1.0.1.8.0.255"), 2, 0)
while True:
    time = datetime(2024, 1, 1, tzinfo=timezone.utc) + timedelta(minutes=15 * batch)
    store.add(
        Reading(meter=f"m{meter}", column=column, time=time, raw=batch, profile=profile)
        for meter in range(25)
        for profile in (None, Obis("1.0.99.1.0.255"))
    )
    print(batch, flush=True)
    batch += 1
"""


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "readings.sqlite"
    chance = random.Random(9)
    acknowledged = -1
    for _ in range(5):
        first = max(acknowledged, 0)  # begins with a batch that is there already: reading twice is the normal case
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(first)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            for _ in range(chance.randrange(3, 40)):
                acknowledged = int(writer.stdout.readline())
            writer.kill()
            rest = writer.stdout.read().split("\n")[:-1]  # what was acknowledged before the signal arrived
        acknowledged = int(rest[-1]) if rest else acknowledged
        with ReadingStore(path) as store:
            rows = store.rows()
            batches = {reading.raw for reading in rows}
            assert len(rows) == 50 * len(batches), "every batch is whole, and there once"
            assert batches == set(range(len(batches)))
            assert len(batches) in (acknowledged + 1, acknowledged + 2), "one may be there that nobody heard of"
            assert store._connection.pragma("integrity_check") == "ok"
            acknowledged = len(batches) - 1
