"""Counters that survive everything: other processes, kill -9 and damaged files (SEC-06)."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest

from cosem.errors import ConfigurationError, LocalProtocolError, SecurityError
from cosem.protocol.association.counter import CounterStore, InvocationCounter, MemoryCounterStore
from cosem.protocol.crypto.gcm import COUNTER_MAXIMUM
from cosem.store import counters
from cosem.store.counters import FileCounterStore, SqliteCounterStore, default_counter_store

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
@pytest.mark.parametrize("name", ["", "with blank", "two\nlines", "x" * 201])
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


def test_a_damaged_file_is_refused_not_guessed(tmp_path: Path) -> None:
    path = tmp_path / "counters"
    FileCounterStore(path).lease("a", 100)
    whole = path.read_bytes()
    for place in range(len(whole) - 1):
        path.write_bytes(whole[:place] + bytes((whole[place] ^ 1,)) + whole[place + 1 :])
        with pytest.raises(ConfigurationError, match=r"damaged|cannot read"):
            FileCounterStore(path).lease("a", 1)
        path.write_bytes(whole[:place])
        with pytest.raises(ConfigurationError, match="damaged"):
            FileCounterStore(path).peek("a")
    path.write_bytes(b"\xff" + whole)
    with pytest.raises(ConfigurationError, match="cannot read"):
        FileCounterStore(path).peek("a")
    path.write_bytes(whole)
    assert FileCounterStore(path).peek("a") == 100


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
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counters", "counters.lock"]


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
