"""The ledger of truth: what was answered and measured, written in either form and read back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cosem.errors import ConfigurationError
from cosem.fleet.ledger import BATCH, WHOLE_OCTETS, Answer, Faulty, Measured, answers, create, open_ledger, value_of
from cosem.protocol.apdu.get import AttributeDescriptor, DataAccessResult, GetRequestNormal, GetResponseNormal
from cosem.protocol.values.data import Array, DoubleLongUnsigned, OctetString, Structure
from cosem.protocol.values.obis import Obis

TIME = datetime(2026, 3, 1, 8, tzinfo=UTC)
REFERENCE = "3/1.0.1.8.0.255/2"
FORMS = ("ledger", "ledger.sqlite")


def answer(value: str, meter: str = "KFM1") -> Answer:
    return Answer(TIME, meter, 1, REFERENCE, value)


def test_values_are_written_whole_or_by_their_digest() -> None:
    assert value_of(DoubleLongUnsigned(0x186A0)) == "06000186a0"
    assert value_of(DataAccessResult.READ_WRITE_DENIED) == "refused read-write-denied"
    assert value_of(OctetString(bytes(WHOLE_OCTETS - 2))) == "093e" + "00" * (WHOLE_OCTETS - 2)
    # sha256 of 09 3F and 63 zeros, by sha256sum
    assert value_of(OctetString(bytes(WHOLE_OCTETS - 1))).startswith("sha256 ")


@pytest.mark.parametrize("form", FORMS)
def test_what_was_written_is_read_back_by_meter(form: str, tmp_path: Path) -> None:
    path = tmp_path / form
    path.write_text("what was there before")
    buffer = Answer(TIME, "KFM1", 1, "7/1.0.99.1.0.255/2", "0100", TIME, TIME)
    captured = [Measured(TIME, "KFM1", "1.0.99.1.0.255", REFERENCE, raw) for raw in (7, "text")]
    wrong = Faulty(TIME, "KFM1", "seed=3 loss=0.1")
    said = [answer("06000186a0"), buffer, *captured, wrong, answer("refused read-write-denied", "KFM2")]
    with create(path) as ledger:
        for each in said:
            ledger.record(each)
        assert ledger.written == len(said)
    with open_ledger(path) as again:
        assert again.meters() == ["KFM1", "KFM2"]
        assert again.of("KFM1") == said[:5]
        assert again.of("KFM2") == said[5:]
        assert again.of("KFM3") == []


def test_an_older_sqlite_file_that_knows_nothing_of_faults(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with create(path) as ledger:
        ledger.record(answer("06000186a0"))
    with closing(sqlite3.connect(path)) as older:
        older.execute("DROP TABLE faulty")
        older.commit()
    with open_ledger(path) as again:
        assert again.meters() == ["KFM1"]
        assert again.of("KFM1") == [answer("06000186a0")]


@pytest.mark.parametrize("count", [BATCH - 1, BATCH, BATCH + 1])
def test_batches_of_an_sqlite_file_lose_nothing(count: int, tmp_path: Path) -> None:
    with create(tmp_path / "ledger.db") as ledger:
        for _ in range(count):
            ledger.record(answer("00"))
        assert len(ledger.of("KFM1")) == count
    with open_ledger(tmp_path / "ledger.db") as again:
        assert len(again.of("KFM1")) == count


@pytest.mark.parametrize("line", ["{}", "[]", "nothing", '{"time": "2026-03-01", "meter": "KFM1"}', '{"raw": 1}'])
def test_a_line_that_is_no_entry(line: str, tmp_path: Path) -> None:
    (tmp_path / "ledger").write_text(line + "\n")
    with open_ledger(tmp_path / "ledger") as ledger, pytest.raises(ConfigurationError, match="line 1"):
        ledger.meters()


def test_the_last_line_of_a_fleet_that_was_killed_is_left_out(tmp_path: Path) -> None:
    with create(tmp_path / "ledger") as ledger:
        for value in ("00", "01"):
            ledger.record(answer(value))
    whole = (tmp_path / "ledger").read_text()
    for length, left in ((len(whole), 2), (len(whole) - 1, 2), (len(whole) - 2, 1), (len(whole) // 2, 1)):
        (tmp_path / "ledger").write_text(whole[:length])
        with open_ledger(tmp_path / "ledger") as again:
            assert len(again.of("KFM1")) == left


def test_octets_that_are_no_text_are_no_entry(tmp_path: Path) -> None:
    (tmp_path / "ledger").write_bytes(bytes(range(0x80, 0x100)) + b"\n")
    with open_ledger(tmp_path / "ledger") as ledger, pytest.raises(ConfigurationError, match="line 1"):
        ledger.meters()


def test_lines_that_find_no_room() -> None:
    ledger = create(Path("/dev/full"))
    ledger.record(answer("00"))
    with pytest.raises(ConfigurationError, match="cannot use the ledger /dev/full: No space left"):
        ledger.close()


def test_files_that_are_no_ledgers(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        open_ledger(tmp_path / "none")
    for form in FORMS:
        with pytest.raises(ConfigurationError, match="cannot"):
            create(tmp_path / "nowhere" / form)
    (tmp_path / "other.sqlite").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="no ledger"):
        open_ledger(tmp_path / "other.sqlite")
    (tmp_path / "text.sqlite").write_text("this is no database at all, but long enough to be looked at" * 10)
    with pytest.raises(ConfigurationError, match="cannot use"):
        open_ledger(tmp_path / "text.sqlite")


@pytest.mark.parametrize(
    ("rows", "first", "last"),
    [
        ((), None, None),
        (("07EA03010700000000FFC480", "07EA03010708000000FFC480"), (23, 0), (7, 0)),  # 00:00 and 08:00 at UTC+1
        (("07EA030107FFFFFFFF800000",), None, None),  # a clock without deviation
    ],
)
def test_of_a_buffer_the_times_of_its_rows_are_kept(
    rows: tuple[str, ...], first: tuple[int, int] | None, last: tuple[int, int] | None
) -> None:
    buffer = Array(Structure((OctetString(bytes.fromhex(each)), DoubleLongUnsigned(1))) for each in rows)
    asked = GetRequestNormal(0xC1, AttributeDescriptor(7, Obis("1.0.99.1.0.255"), 2), None)
    (said,) = answers(TIME, "KFM1", 1, asked, GetResponseNormal(0xC1, buffer))
    assert [None if each is None else (each.hour, each.minute) for each in map(_utc, (said.first, said.last))] == [
        first,
        last,
    ]


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)
