"""Counters that survive everything: other processes, kill -9 and damaged files (SEC-06)."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import types
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosem.errors import ConfigurationError, LocalProtocolError, SecurityError, SecurityWarning
from cosem.protocol.association.counter import CounterStore, InvocationCounter
from cosem.protocol.crypto.gcm import COUNTER_MAXIMUM
from cosem.store import copies, counters
from cosem.store.copies import SKIP
from cosem.store.counters import FileCounterStore, SqliteCounterStore, default_counter_store
from cosem.store.durable import Disk
from cosem.store.memory import MemoryCounterStore
from disk import MemoryDisk, backup_of
from disk import put_back as restore

Opener = Callable[[Path], CounterStore]
OPENERS: dict[str, Opener] = {"FileCounterStore": FileCounterStore, "SqliteCounterStore": SqliteCounterStore}
KEPT = pytest.mark.parametrize("opener", OPENERS.values(), ids=OPENERS)


def memory(_: Path) -> CounterStore:
    return MemoryCounterStore()


@pytest.mark.parametrize("opener", [memory, *OPENERS.values()], ids=["MemoryCounterStore", *OPENERS])
def test_all_stores_lease_alike(opener: Opener, tmp_path: Path) -> None:
    store = opener(tmp_path / "counters")
    assert store.peek("a") == 0
    assert store.lease("a", 64) == range(64)
    assert store.lease("a", 1) == range(64, 65)
    assert store.lease("a", 2, at_least=1000) == range(1000, 1002)
    assert store.lease("a", 2, at_least=5) == range(1002, 1004)
    assert store.peek("a") == 1004
    assert store.peek("b") == 0
    store.raise_to("a", 7)
    assert store.peek("a") == 1004
    store.raise_to("a", COUNTER_MAXIMUM - 1)
    assert store.lease("a", 64) == range(COUNTER_MAXIMUM - 1, COUNTER_MAXIMUM + 1)
    with pytest.raises(SecurityError, match="must be replaced"):
        store.lease("a", 1)
    with pytest.raises(LocalProtocolError):
        store.lease("b", 0)
    for value in (-1, COUNTER_MAXIMUM + 2):
        with pytest.raises(LocalProtocolError):
            store.raise_to("b", value)
    assert store.peek("b") == 0
    store.raise_to("received-a", 70)
    store.forget("received-a")
    assert store.peek("received-a") == 0
    store.raise_to("received-a", 5)
    assert opener(tmp_path / "counters").peek("received-a") == (0 if opener is memory else 5)
    with pytest.raises(LocalProtocolError, match="never lowered"):
        store.forget("a")


@KEPT
def test_a_second_object_goes_on_where_the_first_was(opener: Opener, tmp_path: Path) -> None:
    first, second = opener(tmp_path / "counters"), opener(tmp_path / "counters")
    assert first.lease("a", 10) == range(10)
    assert second.lease("a", 10) == range(10, 20)
    assert first.lease("a", 10) == range(20, 30)
    assert opener(tmp_path / "counters").peek("a") == 30


@KEPT
def test_those_who_open_a_new_store_at_once_share_it(opener: Opener, tmp_path: Path) -> None:
    for number in range(10):
        path = tmp_path / f"counters-{number}"
        with ThreadPoolExecutor(8) as pool:
            leased = list(pool.map(lambda _, path=path: opener(path).lease("a", 1).start, range(8)))
        assert sorted(leased) == list(range(8))


@KEPT
@pytest.mark.parametrize("name", ["", "with blank", "two\nlines", "x" * 201, "*", "ä"])
def test_a_name_is_one_word(opener: Opener, name: str, tmp_path: Path) -> None:
    store = opener(tmp_path / "counters")
    with pytest.raises(ConfigurationError, match="name"):
        store.lease(name, 1)
    with pytest.raises(ConfigurationError, match="name"):
        store.raise_to(name, 1)


@KEPT
def test_a_place_that_cannot_be_used_is_a_configuration_error(opener: Opener, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        opener(tmp_path / "nowhere" / "counters").lease("a", 1)


CHILD = """
import sys
from pathlib import Path
from cosem.protocol.association.counter import InvocationCounter
from cosem.store.counters import FileCounterStore, SqliteCounterStore

store = {"FileCounterStore": FileCounterStore, "SqliteCounterStore": SqliteCounterStore}[sys.argv[1]](Path(sys.argv[2]))
numbers = InvocationCounter(store, "a", int(sys.argv[3]))
while True:
    print(numbers.next(), flush=True)
"""


def start(kind: str, path: Path, block: int) -> subprocess.Popen[bytes]:
    source = Path(counters.__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    command = [sys.executable, "-c", CHILD, kind, str(path), str(block)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)


@pytest.mark.parametrize("kind", OPENERS)
def test_sec_06_kill_9_never_makes_a_number_come_twice(kind: str, tmp_path: Path) -> None:
    path, taken = tmp_path / "counters", []
    for round_number in range(5):
        # Two at a time, so that they also take turns; a block of 1 or 2 keeps them at the store.
        children = [start(kind, path, 1 + round_number % 2) for _ in range(2)]
        for count, child in enumerate(children, 1):
            assert child.stdout is not None
            taken += [child.stdout.readline() for _ in range(7 * count + round_number)]
        for child in children:
            child.kill()
        for child in children:
            # What was printed before the signal arrived was given out as well; the last line may be torn.
            rest = child.communicate()[0].splitlines(keepends=True)
            taken += [line for line in rest if line.endswith(b"\n")]
            assert child.returncode != 0
    assert len(taken) > 100
    assert b"" not in taken
    assert len(set(taken)) == len(taken)
    assert OPENERS[kind](path).peek("a") > max(int(line) for line in taken)


# -- the file ---------------------------------------------------------------------------------------------------------


def copies_of(path: Path) -> tuple[Path, Path]:
    return path, path.with_name(f"{path.name}.copy")


def put_back(path: Path, octets: bytes) -> None:
    """Restore a file as a backup does: the old octets in a new file, while the number of the old one is not free."""
    held = path.open("rb")
    beside = path.with_name("restored")
    beside.write_bytes(octets)
    beside.replace(path)
    held.close()


@pytest.mark.parametrize("damaged", [0, 1], ids=["first", "second"])
def test_of_a_damaged_copy_nothing_is_believed_and_the_other_is_used(damaged: int, tmp_path: Path) -> None:
    path = tmp_path / "counters"
    whole = []
    FileCounterStore(path).lease("a", 100)
    FileCounterStore(path).raise_to("received-b", 7)
    for each in copies_of(path):
        whole.append(each.read_bytes())
    octets = whole[damaged]
    spoilt = [octets[:place] + bytes((octets[place] ^ 1,)) + octets[place + 1 :] for place in range(len(octets) - 1)]
    spoilt += [octets[:place] for place in range(len(octets) - 1)]
    for place, each in enumerate(spoilt):
        copies_of(path)[damaged].write_bytes(each)
        store = FileCounterStore(path)
        assert store.peek("a") == 100 + SKIP, place
        assert store.peek("received-b") == 7 + SKIP
    with pytest.warns(
        SecurityWarning, match=f"the {('first', 'second')[damaged]} copy is damaged.*skips ahead by 65536"
    ):
        assert store.lease("a", 1) == range(100 + SKIP, 101 + SKIP)
    assert FileCounterStore(path).lease("a", 1).start == 101 + SKIP


@pytest.mark.parametrize("missing", [0, 1], ids=["first", "second"])
def test_a_missing_copy_is_noticed(missing: int, tmp_path: Path) -> None:
    path = tmp_path / "counters"
    for _ in range(2):
        FileCounterStore(path).lease("a", 100)
    copies_of(path)[missing].unlink()
    with pytest.warns(SecurityWarning, match="copy is missing"):
        assert FileCounterStore(path).lease("a", 1).start == 200 + SKIP


def test_of_two_damaged_copies_what_can_be_read_is_skipped_ahead_of_or_all_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "counters"
    FileCounterStore(path).lease("a", 100)
    FileCounterStore(path).lease("b", 200)
    first, second = (each.read_bytes() for each in copies_of(path))
    refused = 0
    for place in range(len(first) - 1):
        for each, octets in zip(copies_of(path), (first, second), strict=True):
            each.write_bytes(octets[:place] + bytes((octets[place] ^ 1,)) + octets[place + 1 :])
        store = FileCounterStore(path)
        try:
            assert (store.peek("a"), store.peek("b")) == (100 + SKIP, 200 + SKIP)
        except ConfigurationError as error:
            assert "both copies of the invocation counters are damaged" in str(error)
            refused += 1
    assert 0 < refused < len(first) - 1
    for each in copies_of(path):
        each.write_bytes(b"")
    with pytest.raises(ConfigurationError, match="move the files away"):
        FileCounterStore(path).lease("a", 1)


@pytest.mark.parametrize(
    ("which", "words"),
    [((0,), "the first copy is an old one"), ((1,), "the second copy is an old one"), ((0, 1), "from a backup")],
)
def test_an_old_copy_is_noticed_and_a_backup_of_both_as_well(
    which: tuple[int, ...], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "counters"
    FileCounterStore(path).lease("a", 10)
    backup = [each.read_bytes() for each in copies_of(path)]
    for name in ("a", "a", "born-later"):
        FileCounterStore(path).lease(name, 10)
    for number in which:
        put_back(copies_of(path)[number], backup[number])
    known = 10 if len(which) == 2 else 30
    store = FileCounterStore(path)
    with pytest.warns(SecurityWarning, match=words):
        assert store.lease("a", 10).start == known + SKIP
    # A counter that the backup knows nothing of may have been used since.
    assert store.lease("born-later", 1).start == SKIP + (0 if len(which) == 2 else 10)
    assert store.lease("really-new", 1).start == SKIP


def test_what_is_set_back_while_it_is_used_is_noticed(tmp_path: Path) -> None:
    """Even where a whole disk is set back, so that the files are those they were: memory has gone on."""

    class SetBack(MemoryDisk):
        def identity(self, path: Path) -> str:
            return "the-same-as-ever"

    disk = SetBack()
    store = FileCounterStore(tmp_path / "counters", disk=disk)
    numbers = InvocationCounter(store, "a", 1)
    assert numbers.next() == 1
    backup = backup_of(disk)
    taken = [numbers.next() for _ in range(9)]
    restore(disk, backup)
    with pytest.warns(SecurityWarning, match="set back while"):
        assert numbers.next() > max(taken) + SKIP - 20
    restore(disk, backup)
    fresh = InvocationCounter(FileCounterStore(tmp_path / "counters", disk=disk), "a", 1)
    assert fresh.next() == 2, "what no file can tell is said in the docstring of the module"


def test_nobody_skips_past_the_end(tmp_path: Path) -> None:
    path = tmp_path / "counters"
    FileCounterStore(path).raise_to("a", COUNTER_MAXIMUM - 5)
    FileCounterStore(path).raise_to("a", COUNTER_MAXIMUM - 4)
    copies_of(path)[0].unlink()
    with pytest.raises(SecurityError, match="must be replaced"):
        FileCounterStore(path).lease("a", 1)


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_file_has_a_greatest_size(beyond: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "counters"
    FileCounterStore(path).lease("a", 100)
    longest = max(each.stat().st_size for each in copies_of(path))
    monkeypatch.setattr(counters, "LONGEST_FILE", longest - beyond)
    if beyond:
        with pytest.raises(ConfigurationError, match="these are no invocation counters"):
            FileCounterStore(path).peek("a")
    else:
        assert FileCounterStore(path).peek("a") == 100


@given(st.binary(max_size=200))
def test_any_octets_are_a_copy_or_a_damaged_one(octets: bytes) -> None:
    whole = copies.written({"a": 5, "received-b": 7}, 3, "1:2")
    for each in (octets, whole[: len(octets)] + octets, whole + octets):
        copy = copies.read(each)
        assert not copy.whole or each.rstrip(b"\n") == whole.rstrip(b"\n")
        assert all(whole.count(f"{name} {value}".encode()) for name, value in copy.entries.items())


def test_a_copy_that_the_medium_has_lost_is_a_damaged_one(tmp_path: Path) -> None:
    class Worn(Disk):
        error = errno.EIO

        def read(self, path: Path, longest: int) -> bytes | None:
            if path.name == "counters":
                raise OSError(self.error, os.strerror(self.error))
            return super().read(path, longest)

    path = tmp_path / "counters"
    FileCounterStore(path).lease("a", 100)
    assert FileCounterStore(path, disk=Worn()).peek("a") == 100 + SKIP
    Worn.error = errno.EACCES
    with pytest.raises(ConfigurationError, match="Permission denied"):
        FileCounterStore(path, disk=Worn()).peek("a")


def test_when_the_file_cannot_be_written_nothing_is_leased(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FileCounterStore(tmp_path / "counters")
    store.lease("a", 10)

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail)
        with pytest.raises(ConfigurationError, match="Input/output error"):
            store.lease("a", 10)
    assert store.lease("a", 1) == range(10, 11)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counters", "counters.copy", "counters.lock"]


def test_the_files_are_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    default_counter_store().lease("a", 1)
    assert default_counter_store().peek("a") == 1
    if os.name == "posix":
        assert (tmp_path / "cosem").stat().st_mode & 0o777 == 0o700
        for path in (tmp_path / "cosem").iterdir():
            assert path.stat().st_mode & 0o777 == 0o600


# -- SQLite -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "accepted"), [("3.40.1", False), ("3.51.2", False), ("3.51.3", True), ("3.100.0", True)]
)
def test_an_older_sqlite_is_refused(
    version: str, accepted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: version)
    if accepted:
        SqliteCounterStore(tmp_path / "counters").close()
    else:
        with pytest.raises(ConfigurationError, match=r"needed is 3\.51\.3"):
            SqliteCounterStore(tmp_path / "counters")


def test_without_apsw_the_message_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apsw", None)
    with pytest.raises(ConfigurationError, match="pip install"):
        SqliteCounterStore(tmp_path / "counters")


def test_every_commit_is_synced(tmp_path: Path) -> None:
    store = SqliteCounterStore(tmp_path / "counters")
    assert isinstance(store._connection, apsw.Connection)
    assert store._connection.pragma("synchronous") == 2
    assert store._connection.pragma("journal_mode") == "wal"


def test_sqlite_errors_are_ours(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database at all, but long enough to look at" * 30)
    with pytest.raises(ConfigurationError, match="cannot use the invocation counters"):
        SqliteCounterStore(tmp_path / "text")
    store = SqliteCounterStore(tmp_path / "counters")
    store.close()
    with pytest.raises(ConfigurationError):
        store.lease("a", 1)


def test_sqlite_a_damaged_or_lost_row_is_noticed_and_the_other_is_used(tmp_path: Path) -> None:
    path = tmp_path / "counters"
    store = SqliteCounterStore(path)
    store.lease("a", 100)
    store.lease("b", 100)
    spoil = apsw.Connection(str(path))
    expected = 100
    for table in ("invocation_counter_first", "invocation_counter_second"):
        for change in ("SET next = 7", "SET digest = '0'", None):
            spoil.execute(
                f"UPDATE {table} {change} WHERE name = 'a'" if change else f"DELETE FROM {table} WHERE name = 'a'"
            )
            expected += SKIP
            with pytest.warns(SecurityWarning, match="a copy of the counter a"):
                assert store.lease("a", 1).start == expected
            expected += 1
    assert store.lease("b", 1).start == 100
    for table in ("invocation_counter_first", "invocation_counter_second"):
        spoil.execute(f"UPDATE {table} SET next = 7 WHERE name = 'b'")
    with pytest.raises(ConfigurationError, match="both copies of the counter b"):
        store.lease("b", 1)


def witness_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.witness")


def test_sqlite_a_database_that_was_put_back_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "counters"

    def close_and_copy() -> tuple[bytes, bytes]:
        apsw.Connection(str(path)).pragma("wal_checkpoint(truncate)")
        return path.read_bytes(), witness_of(path).read_bytes()

    store = SqliteCounterStore(path)
    store.lease("a", 10)
    store.close()
    database, witness = close_and_copy()
    for both in (False, True):
        store = SqliteCounterStore(path)
        store.lease("a", 10)
        store.lease("a", 10)
        store.close()
        put_back(path, database)
        for extra in ("-wal", "-shm"):
            path.with_name(path.name + extra).unlink(missing_ok=True)
        if both:
            put_back(witness_of(path), witness)
        words = "put back from a backup" if both else "the database is an old one"
        store = SqliteCounterStore(path)
        with pytest.warns(SecurityWarning, match=words):
            assert store.lease("a", 1).start == 10 + SKIP
        assert store.lease("never-seen", 1).start == SKIP
        store.close()


@pytest.mark.parametrize("octets", [None, b"", b"no witness"])
def test_sqlite_a_lost_witness_is_noticed(octets: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "counters"
    store = SqliteCounterStore(path)
    store.lease("a", 10)
    old = witness_of(path).read_bytes()
    store.lease("a", 10)
    if octets is None:
        witness_of(path).unlink()
    else:
        witness_of(path).write_bytes(octets)
    with pytest.warns(SecurityWarning, match="witness beside the database is"):
        assert store.lease("a", 1).start == 20 + SKIP
    witness_of(path).write_bytes(old)
    with pytest.warns(SecurityWarning, match="witness beside the database is an old one"):
        store.raise_to("a", 5)
    assert store.peek("a") == 21 + 2 * SKIP


def test_sqlite_an_empty_database_beside_a_witness_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "counters"
    store = SqliteCounterStore(path)
    store.lease("a", 10)
    store.lease("a", 10)
    store.close()
    path.unlink()
    with pytest.raises(ConfigurationError, match="are gone"):
        SqliteCounterStore(path).lease("a", 1)


def test_sqlite_when_the_witness_cannot_be_written_nothing_is_leased(tmp_path: Path) -> None:
    disk = MemoryDisk()
    store = SqliteCounterStore(tmp_path / "counters", disk=disk)
    store.lease("a", 10)
    disk.fatal, disk.failing = disk.steps + 3, True
    with pytest.raises(ConfigurationError, match="Input/output error"):
        store.lease("a", 10)
    assert store.lease("a", 1).start == 10


def test_a_refused_lease_leaves_no_transaction_open(tmp_path: Path) -> None:
    store = SqliteCounterStore(tmp_path / "counters")
    store.raise_to("a", COUNTER_MAXIMUM + 1)
    with pytest.raises(SecurityError):
        store.lease("a", 1)
    assert SqliteCounterStore(tmp_path / "counters").lease("b", 1) == range(1)
    assert InvocationCounter(store, "b").next() == 1


def test_the_module_does_not_load_sqlite_before_it_is_needed() -> None:
    assert not any(
        isinstance(value, types.ModuleType) and value.__name__ == "apsw" for value in vars(counters).values()
    )
