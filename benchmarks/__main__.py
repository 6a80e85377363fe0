"""Prints how many times our CPU time each peer takes for the same, what HDLC carries, what gateway and fleet cost.

Every library runs in a process of its own under its own interpreter; the rounds are interleaved, the ratio of a line is
the median over the rounds, and all must first agree on the result. Ratios are to be trusted, times depend on the day.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import fleet, gateway, octets, wire

ROOT = Path(__file__).resolve().parent.parent
WORKERS = ROOT / "benchmarks" / "workers"
OURS_PYTHON = ROOT / ".venv" / "bin" / "python"
PEERS_PYTHON = ROOT / ".peers" / "dlms" / "bin" / "python"
CLIENT = 1  # its address at the simulated meter

PEERS = {"gurux-dlms": "gurux", "dlms-cosem": "u9n", "pydlms-client": "pydlms_client"}  # name: worker


@dataclass(frozen=True)
class Line:
    """One line of the table: our work, the same work of the peers, and the ratios we aim at."""

    title: str
    ours: str
    theirs: str
    targets: dict[str, float] = field(default_factory=dict)


def targets(gurux: float, u9n: float) -> dict[str, float]:
    return {"gurux-dlms": gurux, "dlms-cosem": u9n, "pydlms-client": 4}


LINES = (
    Line("small GET-response to a typed object", "small-get", "small-get", targets(15, 6)),
    Line("register read: value, scaler, unit", "register-read", "register-read", targets(15, 4)),
    Line("10,000-row profile, irregular", "irregular", "irregular", targets(10, 4)),
    Line("10,000-row profile, regular, to tuples", "regular-tuples", "regular", targets(150, 60)),
    Line("10,000-row profile, regular, to columns", "regular-columns", "regular", targets(400, 150)),
    Line("100,000-row profile to Arrow, scaler in metadata", "arrow", "long", targets(200, 200)),
    Line("HDLC frame + deframe, 128 octets", "hdlc", "hdlc", targets(20, 70)),
    Line("ciphered GET-response, verified, decoded", "ciphered-get", "ciphered-get", targets(150, 10)),
    Line("session of 10 GETs, HLS-GMAC, ciphered", "session", "session", targets(40, 3.5)),
)
IMPORTS = (
    Line("import of cosem against asyncio", "cosem", "asyncio", {"limit": 1.5}),
    Line("import of the whole model against asyncio", "cosem.protocol.model", "asyncio", {"limit": 4}),
)
LIMIT = Line("deciphering against one bare AES-GCM call", "decipher", "bare-gcm", {"limit": 4})


def main() -> int:
    options = arguments()
    share_one_core()
    with contextlib.ExitStack() as running:
        values = given(running.enter_context(simulated_meter()))
        workers = {name: running.enter_context(Worker(name, values)) for name in ("ours", *PEERS.values(), "limit")}
        rows = [measured(line, workers, options) for line in chosen(LINES, options.only)]
        limit = [limited(workers, options) for _ in chosen((LIMIT,), options.only)]
    limit += [imported(line, options.rounds) for line in chosen(IMPORTS, options.only)]
    progress("over HDLC")
    sent = wire.table() if options.only in (None, wire.NAME) else []
    progress("the gateway")
    tables = gateway.table() if options.only in (None, gateway.NAME) else {}
    progress("the fleet")
    many = fleet.table() if options.only in (None, fleet.NAME) else {}
    progress("")
    if options.json:
        found = {"lines": rows, "limits": limit, wire.NAME: sent, gateway.NAME: tables, fleet.NAME: many}
        json.dump(found, sys.stdout, indent=2)
        print()
    else:
        if rows or limit:
            print_table(rows, limit, options.rounds)
        if sent:
            wire.print_table(sent)
        if tables:
            gateway.print_table(tables)
        if many:
            fleet.print_table(many)
    return 1 if any(row["disagreement"] for row in (*rows, *sent)) else 0


def share_one_core() -> None:
    """Keep this process and all it starts on one core: they work in turns, and waking another core costs the caller
    more than a whole exchange on loopback does, which would hide what the libraries cost.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


# ---------------------------------------------------------------- measuring


def measured(line: Line, workers: dict[str, Worker], options: argparse.Namespace) -> dict[str, Any]:
    progress(line.title)
    works = {"ours": line.ours, **dict.fromkeys(PEERS.values(), line.theirs)}
    answers = {name: workers[name].ask(check=work) for name, work in works.items()}
    able = {name: work for name, work in works.items() if "result" in answers[name]}
    costs = interleaved({name: (workers[name], work) for name, work in able.items()}, options)
    results = [answers[name]["result"] for name in able]
    return {
        "title": line.title,
        "ours": median(costs["ours"]) if "ours" in costs else None,
        "ratios": {
            name: {"ratio": ratio(costs, worker, "ours"), "target": line.targets[name]}
            for name, worker in PEERS.items()
        },
        "errors": {name: answer["error"] for name, answer in answers.items() if "error" in answer},
        "disagreement": any(result != results[0] for result in results),
    }


def limited(workers: dict[str, Worker], options: argparse.Namespace) -> dict[str, Any]:
    """How far we are from what no Python code can pass."""
    progress(LIMIT.title)
    works = {"ours": LIMIT.ours, "limit": LIMIT.theirs}
    answers = {name: workers[name].ask(check=work) for name, work in works.items()}
    errors = {name: answer["error"] for name, answer in answers.items() if "error" in answer}
    able = {name: (workers[name], work) for name, work in works.items() if name not in errors}
    costs = interleaved(able, options)
    return {
        "title": LIMIT.title,
        "ours": median(costs["ours"]) if "ours" in costs else None,
        "ratio": ratio(costs, "ours", "limit"),
        "target": LIMIT.targets["limit"],
        "errors": errors,
    }


def imported(line: Line, rounds: int) -> dict[str, Any]:
    """How long an import takes beside one that everybody knows, each in a fresh interpreter, the bytecode cached."""
    progress(line.title)
    modules = {"ours": line.ours, "limit": line.theirs}
    with tempfile.TemporaryDirectory() as cache:
        costs: dict[str, list[float]] = {name: [] for name in modules}
        for turn in range(rounds + 1):
            for name, module in modules.items():
                cost = import_cost(module, cache)
                if turn:  # the first one fills the cache
                    costs[name].append(cost)
    return {
        "title": line.title,
        "ours": median(costs["ours"]),
        "ratio": ratio(costs, "ours", "limit"),
        "target": line.targets["limit"],
        "errors": {},
    }


def import_cost(module: str, cache: str) -> float:
    """Seconds of CPU that an import takes."""
    text = f"import time; began = time.process_time(); import {module}; print(time.process_time() - began)"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = cache
    done = subprocess.run([OURS_PYTHON, "-c", text], capture_output=True, text=True, check=True, env=environment)
    return float(done.stdout)


def interleaved(able: dict[str, tuple[Worker, str]], options: argparse.Namespace) -> dict[str, list[float]]:
    """Seconds of CPU for one run of the work, by worker and round; a round lets each worker run once."""
    counts = {name: calibrated(worker, work, options.slice / 1000) for name, (worker, work) in able.items()}
    costs: dict[str, list[float]] = {name: [] for name in able}
    for _ in range(options.rounds):
        for name, (worker, work) in able.items():
            costs[name].append(worker.run(work, counts[name]) / counts[name])
    return costs


def calibrated(worker: Worker, work: str, seconds: float) -> int:
    """How often to run the work so that it takes about that long (once at least); warms it up, too."""
    count = 1
    while (cpu := worker.run(work, count)) < seconds / 4:
        count *= 2
    return max(1, round(count * seconds / cpu))


def ratio(costs: dict[str, list[float]], above: str, below: str) -> float | None:
    if above not in costs or below not in costs:
        return None
    return median(one / other for one, other in zip(costs[above], costs[below], strict=True))


# ---------------------------------------------------------------- the processes


class Worker:
    """One library in a process of its own."""

    def __init__(self, name: str, values: dict[str, Any]) -> None:
        self.name = name
        python = OURS_PYTHON if name in ("ours", "limit") else PEERS_PYTHON
        if not python.exists():
            raise SystemExit("an environment is missing. Type: make setup")
        self.process = subprocess.Popen(
            [python, WORKERS / f"{name}.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.ask(given=values)

    def ask(self, **question: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it ended, which the missing answer tells
            self.process.stdin.write(json.dumps(question) + "\n")
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the worker {self.name} ended with exit code {self.process.wait()}")
        answer = json.loads(line)
        assert isinstance(answer, dict)
        return answer

    def run(self, work: str, count: int) -> float:
        answer = self.ask(run=work, count=count)
        if "error" in answer:
            raise SystemExit(f"{self.name} failed midway at {work}: {answer['error']}")
        return float(answer["cpu"])

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def simulated_meter() -> Iterator[dict[str, Any]]:
    """Our meter, for the sessions; only the clients' time counts."""
    registers = ["1.0.1.8.0.255", "1.0.2.8.0.255"]
    keys = [octets.ENCRYPTION_KEY.hex(), octets.AUTHENTICATION_KEY.hex()]
    command = [OURS_PYTHON, WORKERS / "meter.py", *keys, *registers]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        port = process.stdout.readline()
        if not port:
            raise SystemExit("the simulated meter did not start")
        yield {"address": ["127.0.0.1", int(port)], "client": CLIENT, "server": 1, "registers": registers * 5}
    finally:
        process.kill()
        process.communicate()


def given(session: dict[str, Any]) -> dict[str, Any]:
    """What every worker is handed: octets as hex, and how to reach the meter."""
    shared = {
        "small": octets.SMALL_GET,
        "scaler_unit": octets.SCALER_UNIT,
        "regular": octets.regular_buffer(),
        "long": octets.regular_buffer(octets.MANY_ROWS),
        "irregular": octets.irregular_buffer(),
        "information": octets.INFORMATION,
        "ciphered": octets.ciphered(),
        "general": octets.general(),
        "encryption_key": octets.ENCRYPTION_KEY,
        "authentication_key": octets.AUTHENTICATION_KEY,
        "meter_title": octets.METER_TITLE,
        "title": octets.CLIENT_TITLE,
    }
    return {**{name: value.hex() for name, value in shared.items()}, **session, "began": time.monotonic() - 1}


# ---------------------------------------------------------------- the page


def print_table(rows: list[dict[str, Any]], limits: list[dict[str, Any]], rounds: int) -> None:
    print(f"{'work':<50}{'cosem':>10}" + "".join(f"{name:>19} " for name in PEERS))
    for row in rows:
        cells = "".join(f"{times(cell['ratio'], cell['target']):>20}" for cell in row["ratios"].values())
        print(f"{row['title']:<50}{duration(row['ours']):>10}{cells}")
    for row in limits:
        print(f"{row['title']:<50}{duration(row['ours']):>10}{times(row['ratio'], row['target'], ' at most'):>20}")
    print(f"\nCPU time of the peer over ours, median of {rounds} interleaved rounds; (target); ! misses its target.")
    for row in (*rows, *limits):
        for name, error in row["errors"].items():
            print(f"{row['title']}: {name} cannot: {error}")
        if row.get("disagreement"):
            print(f"{row['title']}: THE RESULTS DIFFER")


def times(value: float | None, target: float, kind: str = "") -> str:
    aim = f"({target:g}x{kind})"
    if value is None:
        return f"- {aim} "
    missed = value > target if kind else value < target
    return f"{value:.{0 if value >= 10 else 1}f}x {aim}{'!' if missed else ' '}"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.2f} {unit}"
    return f"{seconds / 1e-6:.2f} µs"


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text and text + ' …'}", end="", file=sys.stderr, flush=True)


def chosen(lines: tuple[Line, ...], only: str | None) -> list[Line]:
    return [line for line in lines if only is None or only in (line.ours, line.theirs)]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--slice", type=float, default=50, metavar="MS", help="CPU time of one worker in one round")
    parser.add_argument("--only", metavar="WORK", help="one work by its name, such as hdlc, session or wire")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
