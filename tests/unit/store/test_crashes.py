"""SEC-06: whatever dies at whatever step, no counter is used for two messages, and a repetition is the same octets.

Every step of writing is enumerated: once to count them, then once for each, ending there. With SQLite the steps are
those of the witness and the statements to the database; that SQLite itself survives is what SQLite tests.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings
from contextlib import suppress
from itertools import product
from pathlib import Path

import pytest

from cosem.errors import ConfigurationError, InvocationCounterError, SecurityWarning
from cosem.protocol.association.counter import RememberedCounter, counter_name
from cosem.store.copies import SKIP
from cosem.store.counters import FileCounterStore
from disk import After, MemoryDisk, PowerLoss, backup_of, put_back
from unit.store.emission import EK, PEER, TITLE, Ledger, talk

NAME = counter_name(EK, TITLE)


def live(disk: MemoryDisk, path: Path, ledger: Ledger) -> None:
    """Talk until the end or until the power goes; what is noticed meanwhile is nothing to stop for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        talk(FileCounterStore(path, disk=disk), ledger)


def steps_of_a_life(path: Path) -> int:
    disk = MemoryDisk()
    live(disk, path, Ledger())
    return disk.steps


def test_a_life_has_steps_enough(tmp_path: Path) -> None:
    assert steps_of_a_life(tmp_path / "counters") > 50


@pytest.mark.parametrize("after", After)
@pytest.mark.parametrize("failing", [False, True], ids=["power loss", "failing call"])
def test_sec_06_at_every_step_and_again_at_every_step_of_recovery(after: After, failing: bool, tmp_path: Path) -> None:
    path = tmp_path / "counters"
    steps = steps_of_a_life(path)
    # The second crash is tried at every third step, a different third for each first crash.
    for first, second in product(range(steps + 1), range(0, steps + 1, 3)):
        disk, ledger = MemoryDisk(), Ledger()
        for fatal in (first, second + first % 3):
            disk.fatal, disk.failing = fatal, failing
            with suppress(PowerLoss, ConfigurationError):
                live(disk, path, ledger)
            disk.reboot(after)
        live(disk, path, ledger)
        assert len(ledger.sent) >= 5


def test_sec_06_a_crash_of_the_process_alone_wastes_no_more_than_a_block(tmp_path: Path) -> None:
    path = tmp_path / "counters"
    for fatal in range(1, steps_of_a_life(path) + 1):
        disk, ledger = MemoryDisk(), Ledger()
        disk.fatal = fatal
        with pytest.raises(PowerLoss):
            talk(FileCounterStore(path, disk=disk), ledger)
        disk.reboot(After.LOST)
        talk(FileCounterStore(path, disk=disk), ledger)  # a warning would be an error here
        assert FileCounterStore(path, disk=disk).peek(NAME) < 20


class Forgetful(MemoryDisk):
    """A disk for a store that has forgotten to synchronise: is that found?"""

    def synchronise(self, descriptor: int) -> None:
        self.step()


class Unnamed(MemoryDisk):
    """A disk for a store that has forgotten to make the new names durable."""

    def synchronise_directory(self, directory: Path) -> None:
        self.step()


@pytest.mark.parametrize(("defect", "after"), [(Forgetful, After.NAMES), (Unnamed, After.LOST)])
def test_a_planted_defect_is_found(defect: type[MemoryDisk], after: After, tmp_path: Path) -> None:
    path, found = tmp_path / "counters", 0
    for fatal in range(1, steps_of_a_life(path) + 1):
        disk, ledger = defect(), Ledger()
        disk.fatal = fatal
        with pytest.raises(PowerLoss):
            live(disk, path, ledger)
        disk.reboot(after)
        try:
            live(disk, path, ledger)
        except (AssertionError, ConfigurationError):
            found += 1
    assert found


@pytest.mark.parametrize("lives", [1, 3])
def test_sec_06_a_backup_of_yesterday_reuses_nothing(lives: int, tmp_path: Path) -> None:
    path = tmp_path / "counters"
    disk, ledger = MemoryDisk(), Ledger()
    talk(FileCounterStore(path, disk=disk), ledger)
    backup = backup_of(disk)
    for _ in range(lives):
        talk(FileCounterStore(path, disk=disk), ledger)
    put_back(disk, backup)
    with pytest.warns(SecurityWarning, match="put back from a backup"):
        talk(FileCounterStore(path, disk=disk), ledger)
    assert FileCounterStore(path, disk=disk).peek(NAME) > SKIP
    talk(FileCounterStore(path, disk=disk), ledger)


CHILD = """
import os, signal, sys
sys.path[:0] = [sys.argv[4], sys.argv[5]]
from pathlib import Path
from cosem.store.counters import FileCounterStore, SqliteCounterStore
from cosem.store.durable import Disk
from unit.store.emission import Ledger, talk

class Killing(Disk):
    steps, fatal = 0, 0

    def step(self):
        self.steps += 1
        if self.steps == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def create(self, path):
        self.step()
        return super().create(path)

    def write(self, descriptor, octets):
        self.step()
        return super().write(descriptor, octets[: max(1, len(octets) // 2)])

    def synchronise(self, descriptor):
        self.step()  # a signal leaves what the system holds, synchronised or not

    def rename(self, source, target):
        self.step()
        super().rename(source, target)

    def synchronise_directory(self, directory):
        self.step()

class Connection:
    def __init__(self, connection, disk):
        self.connection, self.disk = connection, disk

    def __getattr__(self, name):
        found = getattr(self.connection, name)
        if name not in ("execute", "executemany"):
            return found
        def call(*arguments):
            self.disk.step()
            return found(*arguments)
        return call

class Noting(Ledger):
    def __init__(self, sent, life):
        super().__init__()
        self.file, self.messages = os.open(sent, os.O_WRONLY | os.O_APPEND | os.O_CREAT), life * 100

    def emit(self, octets):
        super().emit(octets)
        os.write(self.file, octets.hex().encode() + b"\\n")

kind, place, sent = sys.argv[1:4]

def live(path, ledger, fatal):
    disk = Killing()
    disk.fatal = fatal
    if kind == "file":
        store = FileCounterStore(path, disk=disk)
    else:
        store = SqliteCounterStore(path, disk=disk)
        store._connection.pragma("synchronous", "off")
        store._connection = Connection(store._connection, disk)
    talk(store, ledger, 3)
    return disk.steps

def forked(path, life, fatal):
    child = os.fork()
    if not child:
        live(path, Noting(f"{sent}-{path.name}", life), fatal)
        os._exit(0)
    return os.waitpid(child, 0)[1]

counting = Path(place) / "counting"
steps = live(counting, Ledger(), 0)
print(steps)
for fatal in range(1, steps + 1):
    path = Path(place) / f"counters-{fatal}"
    print(*[forked(path, life, fatal if life < 2 else 0) for life in range(3)])
"""


@pytest.mark.parametrize("kind", ["file", "sqlite"])
def test_sec_06_kill_9_at_every_step(kind: str, tmp_path: Path) -> None:
    tests = Path(__file__).parents[2]
    command = [
        *(sys.executable, "-W", "error", "-c", CHILD, kind, str(tmp_path), str(tmp_path / "sent")),
        *(str(tests.parent / "src"), str(tests)),
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    steps, *ends = result.stdout.splitlines()
    assert len(ends) == int(steps) > 30
    assert result.stderr == ""
    for fatal, end in enumerate(ends, 1):
        # By the signal, then again unless fewer steps were needed; then all goes well, and without a warning.
        first, second, third = (os.waitstatus_to_exitcode(int(each)) for each in end.split())
        assert (first, third) == (-signal.SIGKILL, 0), fatal
        assert second in (-signal.SIGKILL, 0)
        lines = (tmp_path / f"sent-counters-{fatal}").read_text().split()
        ledger = Ledger()
        for line in lines:
            ledger.emit(bytes.fromhex(line))
        assert len(ledger.sent) >= 3


@pytest.mark.parametrize("after", After)
def test_sec_03_at_every_step_what_was_used_is_not_accepted_again(after: After, tmp_path: Path) -> None:
    """The first message of a session is kept before it is used: after any crash its recording opens nothing."""
    path = tmp_path / "counters"

    def sessions(disk: MemoryDisk, used: list[int]) -> None:
        for number in (50, 60, 70):
            RememberedCounter(FileCounterStore(path, disk=disk), EK, lambda: PEER).accept(number)
            used.append(number)

    counting = MemoryDisk()
    sessions(counting, [])
    for fatal in range(1, counting.steps + 1):
        disk, used = MemoryDisk(), list[int]()
        disk.fatal = fatal
        with pytest.raises(PowerLoss):
            sessions(disk, used)
        disk.reboot(after)
        for number in used:
            with pytest.raises(InvocationCounterError):
                RememberedCounter(FileCounterStore(path, disk=disk), EK, lambda: PEER).accept(number)
        RememberedCounter(FileCounterStore(path, disk=disk), EK, lambda: PEER).accept(80)
