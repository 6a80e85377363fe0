"""What a fleet costs: half a million meters in memory, and complete secured sessions for each second of its CPU time.

A session is connect, HLS-GMAC, a ciphered GET with a list of ten registers, four rows of the load profile, release. Our
client holds them on the other core; what counts is the CPU time of the fleet. In a virtual machine waking another core
costs the one that wakes it as well, so the same is measured with the client on the fleet's own core; and, as head-ends
collect days, with one of those in place of the four rows. Beside it stand a bare echo on the same event loop with the
same round trips and octets, and the simulator of pydlms-client with the same script.
"""

from __future__ import annotations

import json
import os
import platform
import re
import signal
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import octets

ROOT = Path(__file__).resolve().parent.parent
WORKERS = ROOT / "benchmarks" / "workers"
DRIVERS = ROOT / "tests" / "interop" / "peers"
OURS_PYTHON = ROOT / ".venv" / "bin" / "python"
PEERS_PYTHON = ROOT / ".peers" / "dlms" / "bin" / "python"

NAME = "fleet"
MANY = 500_000
MOST_OCTETS, MOST_SECONDS = 4 << 30, 30.0
WANTED, TIMES_PYDLMS = 1500, 20
METERS, TASKS, SECONDS = 40_000, 16, 4.0
FLEETS_CORE, CLIENTS_CORE = 0, (os.cpu_count() or 1) - 1
AGAIN = 64
"""Meters that are met again and again, where that is measured."""
START = "2024-05-01T12:00:00+0000"
SPAN, ROWS = ["2024-05-01T06:00:00+00:00", "2024-05-01T06:45:00+00:00"], 4
DAY, ROWS_OF_DAY = ["2024-04-30T00:15:00+00:00", "2024-05-01T00:00:00+00:00"], 96
_CODES = ("1.8.0", "1.8.1", "1.8.2", "2.8.0", "1.7.0", "2.7.0", "14.7.0", "31.7.0", "32.7.0", "51.7.0")
TEN = [f"1.0.{code}.255" for code in _CODES]
FIVE = ["1.0.1.8.0.255", "1.0.2.8.0.255", "1.0.1.7.0.255", "1.0.32.7.0.255", "1.0.31.7.0.255"]
"""Registers that the simulator of pydlms-client has too; it has no others."""

DEMO_KEYS = ["000102030405060708090A0B0C0D0E0F", "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF"]
PEERS_KEYS = [octets.ENCRYPTION_KEY.hex(), octets.AUTHENTICATION_KEY.hex()]


@dataclass(frozen=True)
class Cost:
    """What one session cost whoever served it, and what was said in it.

    `calm` is the same in the tenth of the time in which it was least: as little as the machine's neighbours leave.
    """

    cpu: float
    calm: float
    sessions: int
    script: list[list[int]]


def table() -> dict[str, Any]:
    """Measure all of it."""
    size = _size()
    with _fleet(METERS) as (process, host, port):
        ours = _cost(process.pid, _asked(host, port, METERS, DEMO_KEYS, TEN), TASKS)
    with _fleet(METERS) as (process, host, port):
        beside = _cost(process.pid, _asked(host, port, METERS, DEMO_KEYS, TEN), TASKS, core=FLEETS_CORE)
    with _fleet(METERS) as (process, host, port):
        asked = {**_asked(host, port, METERS, DEMO_KEYS, TEN), "span": DAY, "rows": ROWS_OF_DAY}
        whole_day = _cost(process.pid, asked, TASKS)
    with _fleet(AGAIN) as (process, host, port):
        again = _cost(process.pid, _asked(host, port, AGAIN, DEMO_KEYS, TEN), TASKS)
        alike = _cost(process.pid, _asked(host, port, 1, DEMO_KEYS, FIVE * 2), 1)
    with _echo(ours.script) as (process, port):
        bare = _cost(process.pid, {**_asked("127.0.0.1", port, 1, DEMO_KEYS, TEN), "echo": ours.script}, TASKS)
    with _pydlms() as (process, port):
        peer = _cost(process.pid, _asked("127.0.0.1", port, 1, PEERS_KEYS, FIVE * 2), 1)
    return {
        **size,
        "sessions_a_second": 1 / ours.cpu,
        "sessions_a_second_calm": 1 / ours.calm,
        "sessions_a_second_beside": 1 / beside.cpu,
        "sessions_a_second_beside_calm": 1 / beside.calm,
        "sessions_a_second_again": 1 / again.cpu,
        "sessions_a_second_again_calm": 1 / again.calm,
        "sessions_a_second_day": 1 / whole_day.cpu,
        "sessions_a_second_day_calm": 1 / whole_day.calm,
        "exchanges_a_second": len(ours.script) / ours.cpu,
        "exchanges": len(ours.script),
        "octets": sum(map(sum, ours.script)),
        "echo_sessions_a_second": 1 / bare.cpu,
        "times_echo": ours.cpu / bare.cpu,
        "pydlms_sessions_a_second": 1 / peer.cpu,
        "times_pydlms": peer.cpu / alike.cpu,
        "profile": _profile(),
    }


def print_table(found: dict[str, Any]) -> None:
    """Print it in words."""
    print(f"\nthe fleet, {found['meters']:,} meters in one process of Python {platform.python_version()}:")
    print(f"  resident                   {found['resident'] / (1 << 20):,.0f} MiB ({MOST_OCTETS >> 20:,} at most)")
    print(f"  start                      {found['seconds']:.1f} s ({MOST_SECONDS:g} at most)")
    missed = "" if found["sessions_a_second"] >= WANTED else "!"
    for name, title, wanted in (
        ("sessions_a_second", "sessions for a second CPU", f" ({WANTED:,}){missed}"),
        ("sessions_a_second_beside", "client on the same core", ""),
        ("sessions_a_second_again", "of meters met before", ""),
        ("sessions_a_second_day", "with a day of 96 rows", ""),
    ):
        print(
            f"  {title:<25}  {found[name]:,.0f}{wanted}; {found[f'{name}_calm']:,.0f} in the calmest tenth of the time"
        )
    print(f"  exchanges, the same        {found['exchanges_a_second']:,.0f}; {found['exchanges']} in a session")
    print(f"  a bare echo of the same    {found['times_echo']:.1f} times as many sessions")
    few = "" if found["times_pydlms"] >= TIMES_PYDLMS else "!"
    print(f"  against pydlms-client      {found['times_pydlms']:.1f}x ({TIMES_PYDLMS}x){few}")
    print("  where the time goes:")
    for share, where in found["profile"]:
        print(f"    {100 * share:>5.1f} %  {where}")


def _size() -> dict[str, Any]:
    began = time.monotonic()
    with _fleet(MANY) as (process, _, _):
        seconds = time.monotonic() - began
        return {"meters": MANY, "seconds": seconds, "resident": _resident(process.pid)}


def _profile() -> list[list[Any]]:
    """Return which share of the time each module takes, the most first; what is done once is done before."""
    with _fleet(METERS, [OURS_PYTHON, WORKERS / "profiled.py"]) as (process, host, port):
        asked = _asked(host, port, METERS, DEMO_KEYS, TEN)
        _sessions({**asked, "first": METERS * 3 // 4}, TASKS, SECONDS)
        process.send_signal(signal.SIGUSR1)
        _sessions(asked, TASKS, SECONDS)
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        said = process.stdout.read()
    found: list[list[Any]] = json.loads(said[said.index("[[") :])
    return found


def _asked(host: str, port: int, meters: int, keys: list[str], registers: list[str]) -> dict[str, Any]:
    return {
        "host": host,
        "port": port,
        "meters": meters,
        "keys": keys,
        "registers": registers,
        "span": SPAN,
        "rows": ROWS,
    }


def _cost(pid: int, asked: dict[str, Any], tasks: int, core: int = CLIENTS_CORE) -> Cost:
    """Hold sessions for a while, first some that do not count, and return what one cost the process."""
    _sessions({**asked, "first": asked["meters"] * 3 // 4}, tasks, SECONDS, core)
    before = _cpu(pid)
    found = _sessions({**asked, "pid": pid}, tasks, SECONDS, core)
    cpu, slices = (_cpu(pid) - before) / found["sessions"], sorted(found["slices"])
    return Cost(cpu, slices[len(slices) // 10] if slices else cpu, found["sessions"], found["script"])


def _sessions(asked: dict[str, Any], tasks: int, seconds: float, core: int = CLIENTS_CORE) -> dict[str, Any]:
    words = [OURS_PYTHON, WORKERS / "fleet_client.py", json.dumps({**asked, "tasks": tasks, "seconds": seconds})]
    done = subprocess.run(
        ["taskset", "-c", str(core), *words], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _cpu(pid: int) -> float:
    """Return the seconds of CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def _process(command: list[Any], ready: str) -> Generator[tuple[subprocess.Popen[str], re.Match[str]], None, None]:
    """Run a command on the first core until it is left; it is there when it has said `ready`."""
    with subprocess.Popen(
        ["taskset", "-c", str(FLEETS_CORE), *map(str, command)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            said = process.stdout.readline()
            found = re.search(ready, said)
            if found is None:
                raise SystemExit(f"{command[0]} did not start: {said}")
            yield process, found
        finally:
            process.terminate()


@contextmanager
def _fleet(
    count: int, program: list[Any] | None = None
) -> Generator[tuple[subprocess.Popen[str], str, int], None, None]:
    words = ["fleet", "--count", count, "--demo-keys", "--listen", "tcp://127.1.0.0:0", "--start", START]
    with _process([*(program or [OURS_PYTHON, "-m", "cosem"]), *words], r"tcp://([0-9.]+):(\d+)") as (process, found):
        yield process, found[1], int(found[2])


@contextmanager
def _echo(script: list[list[int]]) -> Generator[tuple[subprocess.Popen[str], int], None, None]:
    with _process([OURS_PYTHON, WORKERS / "echo.py", json.dumps(script)], r"(\d+)") as (process, found):
        yield process, int(found[1])


@contextmanager
def _pydlms() -> Generator[tuple[subprocess.Popen[str], int], None, None]:
    clients = {"1": {"mechanism": 5, "ciphered": True}}
    settings = {"ek": PEERS_KEYS[0], "ak": PEERS_KEYS[1], "title": octets.METER_TITLE.hex(), "clients": clients}
    command = [PEERS_PYTHON, "-I", DRIVERS / "pydlms_meter.py", json.dumps(settings)]
    with _process(["sh", "-c", 'exec "$@" 2>&1', "sh", *command], r"127.0.0.1:(\d+)") as (process, found):
        yield process, int(found[1])
