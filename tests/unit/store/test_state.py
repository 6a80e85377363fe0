"""The state of a meter survives whatever dies, and no damage to it is passed over in silence."""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosem.errors import ConfigurationError, SecurityWarning, StateInDoubt
from cosem.store import state_log
from cosem.store.state import FileStateStore, SqliteStateStore, StateStore, open_state
from cosem.store.state_log import TITLE, Log
from disk import After, MemoryDisk, PowerLoss

Opener = Callable[[Path], StateStore]
OPENERS: dict[str, Opener] = {"directory": FileStateStore, "SQLite": SqliteStateStore}
KEPT = pytest.mark.parametrize("opener", OPENERS.values(), ids=OPENERS)


@KEPT
def test_what_is_committed_is_there_when_it_is_opened_again(opener: Opener, tmp_path: Path) -> None:
    store = opener(tmp_path / "state")
    assert store.load() == {}
    store.commit({"a": b"1", "b": b"", "ü 1": bytes(range(256))})
    store.commit({"a": None, "b": b"2", "never": None})
    assert store.load() == {"b": b"2", "ü 1": bytes(range(256))}
    store.close()
    again = opener(tmp_path / "state")
    assert again.load() == {"b": b"2", "ü 1": bytes(range(256))}
    again.commit({"c": b"3"})
    again.close()
    assert opener(tmp_path / "state").load() == {"b": b"2", "ü 1": bytes(range(256)), "c": b"3"}


@KEPT
def test_one_process_at_a_time_uses_it(opener: Opener, tmp_path: Path) -> None:
    store = opener(tmp_path / "state")
    with pytest.raises(ConfigurationError, match="another running meter"):
        opener(tmp_path / "state")
    store.close()
    opener(tmp_path / "state").close()


@KEPT
def test_invocation_counters_are_kept_beside_it(opener: Opener, tmp_path: Path) -> None:
    store = opener(tmp_path / "state")
    assert store.counters.lease("tx-1", 10) == range(10)
    store.close()
    assert opener(tmp_path / "state").counters.peek("tx-1") == 10


@KEPT
@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
def test_nobody_else_can_read_it(opener: Opener, tmp_path: Path) -> None:
    store = opener(tmp_path / "meter" / "state")
    store.commit({"key": b"secret"})
    store.close()
    files = [each for each in (tmp_path / "meter").rglob("*") if each.is_file()]
    assert files
    assert not any(stat.S_IMODE(each.stat().st_mode) & 0o077 for each in files if b"secret" in each.read_bytes())


def test_the_name_says_what_it_is(tmp_path: Path) -> None:
    for name, kind in (("a.sqlite", SqliteStateStore), ("b.db", SqliteStateStore), ("c", FileStateStore)):
        store = open_state(tmp_path / name)
        assert isinstance(store, kind)
        store.close()


# -- whatever dies -----------------------------------------------------------------------------------------------------

LIFE: tuple[dict[str, bytes | None], ...] = (
    {"a": b"1", "b": b"1"},
    {"a": b"2", "c": b"x" * 40},
    {"b": None, "a": b"3"},
    {"c": b"y" * 50, "d": b"4"},
    {"a": b"5"},
)


def after(commits: int) -> dict[str, bytes]:
    held: dict[str, bytes] = {}
    for changes in LIFE[:commits]:
        for name, octets in changes.items():
            if octets is None:
                held.pop(name, None)
            else:
                held[name] = octets
    return held


def live(disk: MemoryDisk, path: Path, done: list[int], slack: int) -> None:
    """Make the commits that are not made yet, noting each that was acknowledged."""
    store = FileStateStore(path, disk=disk, slack=slack)
    try:
        found = store.load()
        made = max(count for count in range(len(LIFE) + 1) if after(count) == found)
        assert made in (done[-1], done[-1] + 1)
        done.append(made)
        for count in range(made, len(LIFE)):
            store.commit(LIFE[count])
            done.append(count + 1)
    finally:
        store.close()


@pytest.mark.parametrize("slack", [0, 1000], ids=["written anew", "appended"])
@pytest.mark.parametrize("left", After)
@pytest.mark.parametrize("failing", [False, True], ids=["power loss", "failing call"])
def test_whatever_step_is_the_last_nothing_acknowledged_is_lost(
    left: After, failing: bool, slack: int, tmp_path: Path
) -> None:
    counted = MemoryDisk()
    live(counted, tmp_path / "counted", [0], slack)
    assert counted.steps > 30
    for first in range(1, counted.steps + 1):
        disk, done = MemoryDisk(), [0]
        for fatal in (first, 1 + first % 7, 0):
            disk.fatal, disk.failing = fatal, failing
            with suppress(PowerLoss, ConfigurationError), warnings.catch_warnings():
                warnings.simplefilter("error", SecurityWarning)  # a crash damages nothing
                live(disk, tmp_path / "meter", done, slack)
            disk.reboot(left)
        assert done[-1] == len(LIFE)


def test_after_a_failing_call_the_same_store_goes_on(tmp_path: Path) -> None:
    disk = MemoryDisk()
    store = FileStateStore(tmp_path, disk=disk)
    store.commit({"a": b"1"})
    disk.steps, disk.fatal, disk.failing = 0, 3, True
    with pytest.raises(ConfigurationError, match="cannot write"):
        store.commit({"a": b"2"})
    assert store.load() == {"a": b"1"}
    store.commit({"a": b"3", "b": b"3"})
    store.close()
    assert FileStateStore(tmp_path, disk=disk).load() == {"a": b"3", "b": b"3"}


@pytest.mark.parametrize("slack", [0, 1000], ids=["written anew", "appended"])
@pytest.mark.parametrize("left", After)
@pytest.mark.parametrize("lasting", [False, True], ids=["one failure", "all from there on"])
@pytest.mark.parametrize("before", [0, 1, 3])
def test_what_was_refused_is_never_found_again(
    before: int, lasting: bool, left: After, slack: int, tmp_path: Path
) -> None:
    """Whatever step fails, the repair too: what is found is what was told; only who was told nothing finds either."""
    told: set[str] = set()
    for fatal in range(1, 100):
        disk = MemoryDisk()
        store = FileStateStore(tmp_path, disk=disk, slack=slack)
        for changes in LIFE[:before]:
            store.commit(changes)
        disk.steps, disk.fatal, disk.failing, disk.lasting = 0, fatal, True, lasting
        allowed = [after(before + 1)]
        try:
            store.commit(LIFE[before])
        except ConfigurationError:
            allowed = [after(before)]
        except StateInDoubt:
            allowed = [after(before), after(before + 1)]
        assert store.load() in allowed
        told.add(f"{len(allowed)} {allowed[0] == after(before)}")
        reached = disk.steps >= fatal
        store.close()
        disk.reboot(left)
        with warnings.catch_warnings():
            warnings.simplefilter("error", SecurityWarning)  # no failure of a call damages anything
            again = FileStateStore(tmp_path, disk=disk, slack=slack)
        assert again.load() in allowed
        again.commit(LIFE[before])
        assert again.load() == after(before + 1)
        again.close()
        if not reached:
            break
    assert told == ({"1 False", "1 True", "2 True"} if lasting else {"1 False", "1 True"})


@pytest.mark.parametrize("slack", [0, 1000], ids=["written anew", "appended"])
def test_on_a_full_disk_a_change_is_refused_and_nothing_of_it_kept(slack: int, tmp_path: Path) -> None:
    refused = 0
    for space in range(0, 400, 3):
        disk = MemoryDisk()
        store = FileStateStore(tmp_path, disk=disk, slack=slack)
        store.commit(LIFE[0])
        disk.capacity = disk.used + space
        used = disk.used
        expected = after(1)
        try:
            store.commit(LIFE[1])
            expected = after(2)
        except ConfigurationError:
            refused += 1
            assert disk.used == used, "what had space was taken away again"
            with pytest.raises(ConfigurationError, match="No space left"):
                store.commit(LIFE[1])
        assert store.load() == expected
        store.close()
        assert FileStateStore(tmp_path, disk=disk).load() == expected
        disk.capacity = None
    assert refused > 40
    assert expected == after(2)


def test_a_doubt_ends_with_the_next_change_that_is_kept(tmp_path: Path) -> None:
    disk = MemoryDisk()
    store = FileStateStore(tmp_path, disk=disk)
    store.commit(LIFE[0])
    disk.steps, disk.fatal, disk.failing, disk.lasting = 0, 4, True, True
    for _ in range(2):
        with pytest.raises(StateInDoubt, match="nor can that be undone"):
            store.commit(LIFE[1])
    disk.fatal = 0
    disk.capacity = disk.used
    with pytest.raises(ConfigurationError, match="No space left"):  # and what was in doubt is undone
        store.commit(LIFE[1])
    store.close()
    store = FileStateStore(tmp_path, disk=disk)
    assert store.load() == after(1)
    disk.capacity = None
    store.commit(LIFE[1])
    assert store.load() == after(2)
    store.close()


def test_a_copy_that_somebody_takes_away_while_it_is_used_is_made_again(tmp_path: Path) -> None:
    store = FileStateStore(tmp_path)
    store.commit(LIFE[0])
    (tmp_path / "state.copy").unlink()
    with pytest.raises(ConfigurationError, match="cannot write"):
        store.commit(LIFE[1])
    store.commit(LIFE[1])
    store.close()
    assert opened(tmp_path) == (after(2), [])


# -- damage ------------------------------------------------------------------------------------------------------------


def made(path: Path) -> Mapping[str, bytes]:
    store = FileStateStore(path)
    for changes in LIFE:
        store.commit(changes)
    store.close()
    return after(len(LIFE))


def opened(path: Path) -> tuple[Mapping[str, bytes], list[str]]:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        store = FileStateStore(path)
    store.close()
    return store.load(), [str(each.message) for each in said]


@pytest.mark.parametrize("name", ["state", "state.copy"])
def test_one_copy_cut_off_anywhere_or_gone_is_made_good_by_the_other(name: str, tmp_path: Path) -> None:
    expected = made(tmp_path)
    whole = (tmp_path / name).read_bytes()
    for length in range(len(whole)):
        (tmp_path / name).write_bytes(whole[:length])
        found, said = opened(tmp_path)
        assert found == expected
        # What a crash in the middle of the last commit leaves is no damage; all else is told.
        assert said or length > len(whole) - 60 or name == "state.copy"
    (tmp_path / name).unlink()
    found, said = opened(tmp_path)
    assert found == expected
    assert "missing" in said[0]


@pytest.mark.parametrize("name", ["state", "state.copy"])
def test_one_copy_with_any_octet_turned_over_is_made_good_by_the_other(name: str, tmp_path: Path) -> None:
    expected = made(tmp_path)
    whole = (tmp_path / name).read_bytes()
    for place in range(len(whole)):
        (tmp_path / name).write_bytes(whole[:place] + bytes([whole[place] ^ 0x40]) + whole[place + 1 :])
        assert opened(tmp_path)[0] == expected


def test_both_copies_damaged_are_an_error(tmp_path: Path) -> None:
    made(tmp_path)
    for name in ("state", "state.copy"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[:-1])
    with pytest.raises(ConfigurationError, match="every copy of the state is damaged"):
        FileStateStore(tmp_path)
    (tmp_path / "state").unlink()
    with pytest.raises(ConfigurationError, match="every copy of the state is damaged"):
        FileStateStore(tmp_path)


def test_a_damaged_new_copy_beside_an_old_one_is_an_error(tmp_path: Path) -> None:
    store = FileStateStore(tmp_path)
    store.commit({"a": b"1"})
    old = (tmp_path / "state.copy").read_bytes()
    store.commit({"a": b"2"})
    store.commit({"a": b"3"})
    store.close()
    (tmp_path / "state.copy").write_bytes(old)
    new = (tmp_path / "state").read_bytes()
    (tmp_path / "state").write_bytes(new[:-1])
    with pytest.raises(ConfigurationError, match="an old one"):
        FileStateStore(tmp_path)


def test_an_old_copy_is_not_used(tmp_path: Path) -> None:
    store = FileStateStore(tmp_path)
    store.commit({"a": b"1"})
    old = (tmp_path / "state").read_bytes()
    store.commit({"a": b"2"})
    store.commit({"a": b"3"})
    store.close()
    (tmp_path / "state").write_bytes(old)
    found, said = opened(tmp_path)
    assert found == {"a": b"3"}
    assert "first copy of the state is an old one" in said[0]
    assert opened(tmp_path) == (found, said)  # reading alone mends nothing; the next commit does
    with pytest.warns(SecurityWarning):
        store = FileStateStore(tmp_path)
    store.commit({"a": b"4"})
    store.close()
    assert opened(tmp_path) == ({"a": b"4"}, [])


def test_copies_of_different_meters_do_not_agree(tmp_path: Path) -> None:
    for name in "ab":
        store = FileStateStore(tmp_path / name)
        store.commit({"name": name.encode()})
        store.close()
    (tmp_path / "a" / "state").replace(tmp_path / "b" / "state")
    with pytest.raises(ConfigurationError, match="do not agree"):
        FileStateStore(tmp_path / "b")


@given(st.binary(max_size=300), st.booleans())
def test_no_octets_whatever_are_more_than_an_empty_or_damaged_copy(octets: bytes, titled: bool) -> None:
    copy = state_log.read((TITLE if titled else b"") + octets)
    assert not copy.whole
    assert copy.log.entries == {}


def test_a_file_may_be_as_long_as_its_limit_and_no_longer(tmp_path: Path) -> None:
    length = len(Log().whole({"a": b"12345"}))
    store = FileStateStore(tmp_path / "fits", longest=length)
    store.commit({"a": b"12345"})
    with pytest.raises(ConfigurationError, match="more than"):
        store.commit({"a": b"123456"})
    assert store.load() == {"a": b"12345"}
    store.commit({"a": b"54321"})  # has no room behind, and is written anew
    store.close()
    assert FileStateStore(tmp_path / "fits", longest=length).load() == {"a": b"54321"}


def test_a_file_that_is_too_long_is_no_state(tmp_path: Path) -> None:
    made(tmp_path)
    longest = (tmp_path / "state").stat().st_size
    FileStateStore(tmp_path, longest=longest).close()
    with pytest.raises(ConfigurationError, match="this is no state"):
        FileStateStore(tmp_path, longest=longest - 1)


def test_a_log_does_not_grow_for_ever(tmp_path: Path) -> None:
    store = FileStateStore(tmp_path, slack=1000)
    for number in range(500):
        store.commit({"a": str(number).encode()})
        assert (tmp_path / "state").stat().st_size <= 1100
    store.close()
    assert FileStateStore(tmp_path).load() == {"a": b"499"}


# -- SQLite ------------------------------------------------------------------------------------------------------------


def database(path: Path) -> Path:
    store = SqliteStateStore(path / "m.sqlite")
    for changes in LIFE:
        store.commit(changes)
    store.close()
    with apsw.Connection(str(path / "m.sqlite")) as connection:
        connection.pragma("wal_checkpoint", "truncate")
    return path / "m.sqlite"


def refused(path: Path) -> bool:
    """Tell whether a database is refused; one that is not has everything."""
    for beside in path.parent.glob("m.sqlite-*"):
        beside.unlink()
    try:
        store = SqliteStateStore(path)
    except ConfigurationError:
        return True
    store.close()
    assert store.load() == after(len(LIFE))
    return False


def test_a_database_that_is_damaged_is_an_error_or_has_everything(tmp_path: Path) -> None:
    path = database(tmp_path)
    whole, page = path.read_bytes(), 4096
    lengths = range(0, len(whole), 97)
    for length in lengths:
        path.write_bytes(whole[:length])
        assert refused(path) or length > len(whole) - page  # whose last page has no entries
    found = 0
    for place in range(0, len(whole), 11):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x40]) + whole[place + 1 :])
        found += refused(path)
    assert found > 20
    path.write_bytes(whole)
    assert not refused(path)


def test_an_entry_that_was_changed_or_taken_away_by_others_is_an_error(tmp_path: Path) -> None:
    path = database(tmp_path)
    with apsw.Connection(str(path)) as connection:
        connection.execute("UPDATE meter_state SET octets = x'00' WHERE name = 'a'")
    with pytest.raises(ConfigurationError, match="a is damaged"):
        SqliteStateStore(path)
    with apsw.Connection(str(path)) as connection:
        connection.execute("DELETE FROM meter_state WHERE name = 'a'")
    with pytest.raises(ConfigurationError, match="3 entries were kept, 2 are there"):
        SqliteStateStore(path)


def test_a_database_that_was_put_back_is_an_error(tmp_path: Path) -> None:
    path = database(tmp_path)
    old = path.read_bytes()
    store = SqliteStateStore(path)
    store.commit({"a": b"6"})
    store.close()
    for each in tmp_path.glob("m.sqlite-*"):
        each.unlink()
    path.write_bytes(old)
    with pytest.raises(ConfigurationError, match="not as it was left"):
        SqliteStateStore(path)


def test_a_witness_that_was_not_written_is_written_first(tmp_path: Path) -> None:
    disk = MemoryDisk()
    store = SqliteStateStore(tmp_path / "m.sqlite", disk=disk)
    store.commit({"a": b"1"})
    disk.steps, disk.fatal, disk.failing = 0, 1, True
    store.commit({"a": b"2"})  # it is in the database: to refuse it would not take it away
    disk.steps, disk.fatal = 0, 1
    with pytest.raises(ConfigurationError):
        store.commit({"a": b"3"})
    assert store.load() == {"a": b"2"}
    store.close()
    again = SqliteStateStore(tmp_path / "m.sqlite", disk=disk)
    assert again.load() == {"a": b"2"}
    again.commit({"a": b"4"})
    again.close()
    assert SqliteStateStore(tmp_path / "m.sqlite", disk=disk).load() == {"a": b"4"}


# -- a start that was refused ------------------------------------------------------------------------------------------


@KEPT
def test_a_state_that_is_abandoned_leaves_nothing_that_was_not_there(opener: Opener, tmp_path: Path) -> None:
    store = opener(tmp_path / "meters" / "one" / "state")
    store.commit({"a": b"1"})
    assert store.counters.lease("tx-1", 10) == range(10)
    store.abandon()
    assert list(tmp_path.iterdir()) == []


@KEPT
def test_what_was_there_is_there_when_a_state_is_abandoned(opener: Opener, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    store = opener(tmp_path / "state")
    store.commit({"a": b"1"})
    store.close()
    before = sorted(each for each in tmp_path.rglob("*") if each.suffix != ".commits")
    again = opener(tmp_path / "state")
    again.commit({"b": b"2"})
    again.abandon()
    assert set(before) <= set(tmp_path.rglob("*"))
    assert opener(tmp_path / "state").load() == {"a": b"1", "b": b"2"}
    beside = opener(tmp_path / "other")
    beside.abandon()
    assert not (tmp_path / "other").exists()
    assert (tmp_path / "mine").read_text() == "mine"


@KEPT
def test_one_that_another_process_uses_is_left_to_it(opener: Opener, tmp_path: Path) -> None:
    store = opener(tmp_path / "state")
    with pytest.raises(ConfigurationError, match="another running meter"):
        opener(tmp_path / "state")
    store.commit({"a": b"1"})
    store.close()
    assert opener(tmp_path / "state").load() == {"a": b"1"}


@pytest.mark.parametrize("damaged", ["state", "state.copy"])
def test_a_directory_that_is_no_state_gets_no_files_of_one(tmp_path: Path, damaged: str) -> None:
    (tmp_path / damaged).write_bytes(b"mine")
    with pytest.raises(ConfigurationError, match="every copy of the state is damaged"):
        FileStateStore(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == [damaged]


def test_a_file_that_is_no_database_gets_no_others_beside_it(tmp_path: Path) -> None:
    (tmp_path / "m.sqlite").write_bytes(b"mine" * 4096)
    with pytest.raises(ConfigurationError, match="cannot use"):
        SqliteStateStore(tmp_path / "m.sqlite")
    assert [each.name for each in tmp_path.iterdir()] == ["m.sqlite"]
