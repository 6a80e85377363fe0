"""`cosem fleet`: the real command, read at the start, in the middle and at the end of its addresses."""

from __future__ import annotations

import json
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from commands import cosem
from cosem import Client
from cosem.cli.failure import INTERRUPTED, NOT_CONNECTED
from cosem.errors import ConnectionLost, CosemError
from cosem.fleet.ledger import Answer, create
from cosem.fleet.listening import AddressRange
from cosem.protocol.model import Data
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.data import OctetString
from cosem.store.readings import ReadingStore
from e2e.test_security_suites import environment

NAME = Data("0.0.42.0.0.255")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@contextmanager
def running(*words: str, state: Path) -> Generator[tuple[dict[str, Any], Callable[[], str]], None, None]:
    """Run the command: give what it says first, and what gives the next line that it says."""
    fleet = subprocess.Popen(
        [sys.executable, "-m", "cosem", "fleet", "--json", *words],
        env=environment(state),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert fleet.stdout is not None
    try:
        yield json.loads(fleet.stdout.readline()), fleet.stdout.readline
    finally:
        fleet.terminate()
        fleet.communicate()


@pytest.mark.parametrize("keys", [(), ("--demo-keys",)])
def test_a_hundred_thousand_meters_answer_from_the_first_to_the_last(keys: tuple[str, ...], tmp_path: Path) -> None:
    with running("--count", "100000", "--listen", "tcp://127.1.0.0:0", *keys, state=tmp_path) as (fleet, _):
        first = ConnectionUrl.parse(fleet["first"])
        addresses = AddressRange(first.host, 100_000)
        for number in (0, 1, 255, 256, 50_000, 65_536, 99_999):
            with Client.open(replace(first, host=addresses.address(number), client=16)) as client:
                assert client.get(NAME.value) == OctetString(f"KFM1020{number:09}".encode())
        assert ConnectionUrl.parse(fleet["last"]).host == addresses.address(99_999)


SAMPLE: Final = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*) (-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)")


def scraped(url: str) -> dict[str, float]:
    """Return each number as the text format 0.0.4 has it: HELP, TYPE and a sample without labels, in that order."""
    with urllib.request.urlopen(url, timeout=20) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = answer.read().decode()
    assert text.endswith("\n")
    lines, found = text.splitlines(), dict[str, float]()
    for meaning, kind, sample in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        matched = SAMPLE.fullmatch(sample)
        assert matched is not None, sample
        name, number = matched.groups()
        assert name not in found
        assert re.fullmatch(rf"# HELP {name} .+", meaning)
        assert kind == f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}"
        found[name] = float(number)
    return found


def test_what_goes_on_is_scraped(tmp_path: Path) -> None:
    words = ("--count", "3", "--listen", "tcp://127.1.0.0:0", "--metrics", "127.0.0.1:0")
    more = ("--start", "2026-03-01T12:00:00+0000", "--speed", "0", "--ledger", str(tmp_path / "day.jsonl"))
    with running(*words, *more, state=tmp_path) as (fleet, _):
        first = ConnectionUrl.parse(fleet["first"])
        before = scraped(fleet["metrics"])
        assert set(before.values()) == {0, 3, NOON.timestamp()}
        assert before["cosem_fleet_meters"] == 3
        assert before["cosem_fleet_virtual_time_seconds"] == NOON.timestamp()
        with Client.open(replace(first, client=16)) as client:
            client.get(NAME.value)
            client.get(NAME.value)
            while_open = scraped(fleet["metrics"])
        changed = {name: number for name, number in while_open.items() if number != before[name]}
        assert changed == {
            "cosem_fleet_connections": 1,
            "cosem_fleet_accepted_total": 1,
            "cosem_fleet_visited": 1,
            "cosem_fleet_answers_total": 2,
        }
        left = {"cosem_fleet_accepted_total": 1, "cosem_fleet_answers_total": 2, "cosem_fleet_ready": 1}
        after = while_open
        for _ in range(1000):  # the fleet may see a little later that the client has left
            after = scraped(fleet["metrics"])
            if not after["cosem_fleet_connections"]:
                break
        assert {name: number for name, number in after.items() if number != before[name]} == left


@pytest.mark.parametrize(("words", "most"), [((), 1), (("--per-meter", "2"), 2)])
def test_the_limits_of_a_file_count_where_no_option_says_otherwise(
    words: tuple[str, ...], most: int, tmp_path: Path
) -> None:
    (tmp_path / "fleet.toml").write_text(
        '[limits]\nconnections_per_meter = 1\nready = 0\n[[meters]]\ncount = 2\nlisten = "tcp://127.1.0.0:0"\n'
    )
    words += ("--metrics", "127.0.0.1:0")
    with running(str(tmp_path / "fleet.toml"), *words, state=tmp_path) as (fleet, _), ExitStack() as held:
        first = replace(ConnectionUrl.parse(fleet["first"]), client=16)
        for _ in range(most):
            held.enter_context(Client.open(first))
        with pytest.raises(CosemError):
            Client.open(first).connect()
        with Client.open(replace(first, host=ConnectionUrl.parse(fleet["last"]).host)) as other:
            assert other.get(NAME.value)
        seen = dict[str, float]()
        for _ in range(1000):
            seen = scraped(fleet["metrics"])
            if seen["cosem_fleet_visited"] == 1:
                break
        assert (seen["cosem_fleet_visited"], seen["cosem_fleet_ready"]) == (1, 0)


def test_the_patience_of_a_file_counts(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(
        '[limits.timing]\nidle = 0.3\n[[meters]]\ncount = 1\nlisten = "tcp://127.1.0.0:0"\n'
    )
    with running(str(tmp_path / "fleet.toml"), state=tmp_path) as (fleet, _):
        first = ConnectionUrl.parse(fleet["first"])
        with socket.create_connection((first.host, first.port or 0), timeout=20) as silent:
            assert silent.recv(1) == b"", "whoever says nothing is closed, long before the usual two minutes"


# A week, since the fleet's days pass in seconds: a busy machine may get to read its first morning some days later.
PLAN = """
store = "readings.sqlite"
[defaults]
security = "open"
read = ["1.0.1.8.0.255"]
profiles = [{ obis = "1.0.99.1.0.255", last = "7 days" }]
[security.open]
auth = "none"
"""


def test_what_profiles_hold_is_in_the_ledger_however_fast_time_goes(tmp_path: Path) -> None:
    """While meter after meter is written down, virtual time stands still: no row leaves a profile meanwhile."""
    ledger = tmp_path / "day.sqlite"
    words = ("--count", "30", "--listen", "tcp://127.1.0.0:0", "--start", "2026-03-01T00:00:00+0000")
    more = ("--state", "0.05", "--speed", "1000000", "--ledger", str(ledger))
    with running(*words, *more, state=tmp_path) as (_, said):
        while datetime.fromisoformat(json.loads(said())["virtual_time"]) < NOON + timedelta(days=11):
            pass
    with closing(sqlite3.connect(ledger)) as written:
        found = written.execute("SELECT count(*), min(time), max(time) FROM measured GROUP BY meter").fetchall()
    assert len(found) == 30
    assert len(set(found)) == 1


def test_who_needs_no_keys_is_said_where_others_do(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(
        '[fleet]\nlisten = "tcp://127.1.0.0:0"\n[[meters]]\ncount = 2\nsecurity = "none"\n[[meters]]\ncount = 5\n'
    )
    fleet = subprocess.Popen(
        [sys.executable, "-m", "cosem", "fleet", str(tmp_path / "fleet.toml"), "--demo-keys", "--json"],
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert fleet.stdout is not None and fleet.stderr is not None
        assert json.loads(fleet.stdout.readline())["client"] == 16  # that of the first meter, whose URL is beside it
        assert fleet.stderr.readline() == "notice: demo keys, which everybody knows\n"
        assert fleet.stderr.readline().startswith("notice: client 16 reads everything of 2 meters without")
    finally:
        fleet.terminate()
        fleet.communicate()


STARTED_UP: Final = """
import asyncio, os, signal
from cosem.cli import main
from cosem.fleet.fleet import Fleet

async def interrupted(self, start=Fleet.start):
    os.kill(os.getpid(), signal.{told})
    for _ in range(1000):
        await asyncio.sleep(0)
    await start(self)

Fleet.start = interrupted
main()
"""
"""A command that is told to end while ports are opened."""


@pytest.mark.parametrize(("told", "code"), [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, -signal.SIGTERM)])
def test_a_start_up_is_ended_at_once_and_quietly(told: signal.Signals, code: int, tmp_path: Path) -> None:
    words = ("fleet", "--count", "3", "--listen", "tcp://127.1.0.0:0", "--ledger", str(tmp_path / "day.jsonl"))
    fleet = subprocess.run(
        [sys.executable, "-c", STARTED_UP.format(told=told.name), *words],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
    )
    assert (fleet.returncode, fleet.stdout) == (code, "")
    assert fleet.stderr == ("interrupted\n" if code == INTERRUPTED else "")
    assert not (tmp_path / "day.jsonl").exists()


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_the_writing_of_a_ledger_can_be_ended_and_leaves_a_whole_file(second: signal.Signals, tmp_path: Path) -> None:
    ledger = tmp_path / "day.sqlite"
    words = ("--count", "100000", "--listen", "tcp://127.1.0.0:0", "--speed", "1000000", "--ledger", str(ledger))
    fleet = subprocess.Popen(
        [sys.executable, "-m", "cosem", "fleet", *words],
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert fleet.stderr is not None
        said = ""
        for line in fleet.stderr:
            said += line
            if line.startswith("stop with"):
                fleet.send_signal(signal.SIGINT)
            elif line.startswith("writing down"):
                fleet.send_signal(second)
        assert fleet.wait(30) == INTERRUPTED
    finally:
        fleet.kill()
        fleet.communicate()
    assert re.search(r"^notice: what meters from \d+ on measured is not in the ledger$", said, re.MULTILINE)
    with closing(sqlite3.connect(ledger)) as written:
        assert written.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_head_end_is_judged_by_the_ledger(tmp_path: Path) -> None:
    """A day in some seconds: collected, compared, then one value is taken away and another one changed."""
    ledger, store = tmp_path / "day.sqlite", tmp_path / "readings.sqlite"
    words = ("--count", "3", "--listen", "tcp://127.1.0.0:0", "--start", "2026-03-01T00:00:00+0000", "--state", "0.1")
    more = ("--speed", "7200", "--ledger", str(ledger))
    with running(*words, *more, state=tmp_path) as (fleet, said):
        first = ConnectionUrl.parse(fleet["first"])
        addresses = AddressRange(first.host, 3)
        while datetime.fromisoformat(json.loads(said())["virtual_time"]) < NOON:
            pass
        meters = "".join(
            f'[[meter]]\nname = "KFM1020{n:09}"\nurl = "tcp://{addresses.address(n)}:{first.port}?client=16"\n'
            for n in range(3)
        )
        (tmp_path / "plan.toml").write_text(PLAN + meters)
        collected = cosem("collect", str(tmp_path / "plan.toml"), state=tmp_path)
        assert collected.returncode == 0, collected.stderr

    def judged() -> tuple[int, dict[str, Any]]:
        done = cosem("fleet", "compare", str(ledger), str(store), *("--late", "864000"), "--json", state=tmp_path)
        return done.returncode, json.loads(done.stdout)

    code, found = judged()
    assert (code, found["findings"], found["meters"]) == (0, [], 3)
    assert found["right"] > 3 * 40
    with closing(sqlite3.connect(store)) as changed, changed:
        ((name,),) = changed.execute(_NAME)
        changed.execute(_DELETE)
        changed.execute(_CHANGE)
    code, found = judged()
    assert (code, found["lost"], found["wrong"], found["doubled"], found["late"]) == (1, 1, 1, 0, 0)
    lost, wrong = sorted(found["findings"], key=lambda finding: str(finding["finding"]))
    assert (lost["stored"], wrong["stored"]) == (None, 4711)
    assert lost["meter"] == wrong["meter"] == name, "whose rows come first is told by the order in which they arrived"


_MORNING: Final = int(datetime(2026, 3, 1, 6, tzinfo=UTC).timestamp() * 1_000_000)
_ONE: Final = (
    f"(SELECT {{}} FROM profile_reading WHERE time > {_MORNING} ORDER BY meter, profile, signal, time LIMIT 1)"
)
_WHERE: Final = " WHERE (meter, profile, signal, time) = " + _ONE.format("meter, profile, signal, time")
_NAME: Final = "SELECT name FROM meter WHERE id = " + _ONE.format("meter")
_DELETE: Final = "DELETE FROM profile_reading" + _WHERE
_CHANGE: Final = "UPDATE profile_reading SET raw = 4711" + _WHERE


def test_who_misbehaves_is_named_beforehand_and_afterwards(tmp_path: Path) -> None:
    """The inventory names those that break off every session; all others are read, and the ledger names the same."""
    words = ("--count", "12", "--listen", "tcp://127.1.0.0:0", "--seed", "3", "--speed", "0")
    wrong = ("--fault", "reset=1", "--fault-share", "0.3")
    listed = cosem("fleet", *words, *wrong, "--inventory", str(tmp_path / "fleet.json"), state=tmp_path)
    assert listed.returncode == 0, listed.stderr
    told = [each["faults"] for each in json.loads((tmp_path / "fleet.json").read_text())["meters"]]
    assert 0 < sum(map(bool, told)) < 12
    ledger, store = tmp_path / "day.sqlite", tmp_path / "readings.sqlite"
    with running(*words, *wrong, "--ledger", str(ledger), "--state", "0.05", state=tmp_path) as (fleet, said):
        assert json.loads(said())["misbehaving"] == sum(map(bool, told))
        first = ConnectionUrl.parse(fleet["first"])
        addresses = AddressRange(first.host, 12)
        for number, faults in enumerate(told):
            url = replace(first, host=addresses.address(number), client=16)
            with pytest.raises(ConnectionLost) if faults else nullcontext(), Client.open(url) as client:
                assert client.get(NAME.value) == OctetString(f"KFM1020{number:09}".encode())
    ReadingStore(store).close()
    done = cosem("fleet", "compare", str(ledger), str(store), *("--late", "864000"), "--json", state=tmp_path)
    named = {f"KFM1020{number:09}": faults for number, faults in enumerate(told) if faults}
    assert json.loads(done.stdout)["misbehaving"] == named


@pytest.mark.parametrize("option", ["--listen", "--metrics"])
def test_a_start_that_is_refused_leaves_an_earlier_ledger_as_it_was(option: str, tmp_path: Path) -> None:
    ledger = tmp_path / "day.sqlite"
    with create(ledger) as earlier:
        earlier.record(Answer(NOON, "KFM1", 1, "3/1.0.1.8.0.255/2", "0600000001"))
    before = ledger.read_bytes()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        at = ("--listen", f"tcp://{place}") if option == "--listen" else ("--listen", "tcp://127.0.0.1:0")
        more = ("--metrics", place) if option == "--metrics" else ()
        words = ("--count", "1", "--by-port", *at, *more, "--ledger", str(ledger))
        ran = cosem("fleet", *words, state=tmp_path)
    assert "cannot listen" in ran.stderr
    assert (ran.returncode, ledger.read_bytes()) == (NOT_CONNECTED, before)
