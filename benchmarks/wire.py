"""What reading a meter over HDLC costs in octets and round trips: our client and the peers, each as it comes.

All read the same meter through a relay that counts (`relay.py`); every client and the meter run in processes of their
own. Counts are the same on every day and every machine; the seconds are computed from them.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.relay import Count, relay

ROOT = Path(__file__).resolve().parent.parent
WORKERS = ROOT / "benchmarks" / "workers"
DRIVERS = ROOT / "tests" / "interop" / "peers"
OURS_PYTHON = ROOT / ".venv" / "bin" / "python"
PEERS_PYTHON = ROOT / ".peers" / "dlms" / "bin" / "python"

NAME = "wire"
REGISTER = 3
REGISTERS = [f"1.0.{quantity}.8.{tariff}.255" for quantity in (1, 2) for tariff in range(5)]
LOAD_PROFILE = "1.0.99.1.0.255"
CLIENT = 16
ROWS = 2976
"""Quarters of an hour in 31 days."""

BAUD, BITS = 9600, 10
ROUND_TRIP = 0.3

LINES = {
    "windows of 7 frames of 2030 octets": {},
    "one frame of 128 octets at a time": {"window": 1, "information": 128},
}
"""The meters, by what they agree to."""

WORKS = {
    "open and close": [],
    "10 registers with their units": [["list", [[REGISTER, name, index] for index in (2, 3) for name in REGISTERS]]],
    "load profile and its columns": [["profile", LOAD_PROFILE]],
    "all of it in one session": [
        ["list", [[REGISTER, name, index] for index in (2, 3) for name in REGISTERS]],
        ["profile", LOAD_PROFILE],
    ],
}

Operations = list[list[Any]]


@dataclass(frozen=True)
class Cost:
    """What one client needed for one work, and the numbers it read."""

    octets: int
    round_trips: int
    found: tuple[int, ...]

    @property
    def seconds_on_the_line(self) -> float:
        """How long the octets alone take at 9600 baud, 8N1, one station at a time."""
        return self.octets * BITS / BAUD

    @property
    def seconds_of_waiting(self) -> float:
        """How long a network takes for the round trips alone, at 300 ms each."""
        return self.round_trips * ROUND_TRIP


def measured(works: dict[str, Operations], rows: int, **agreed: int) -> dict[str, dict[str, Cost]]:
    """Let each client do each work with a meter that agrees to that much; return the costs by work and client."""
    with _meter(rows, agreed) as port:
        return {work: {name: _cost(name, port, asked) for name in CLIENTS} for work, asked in works.items()}


def _cost(name: str, meter: int, asked: Operations) -> Cost:
    with relay(meter) as (port, count):
        answer = json.loads(_output(CLIENTS[name](port, asked)))
    if "error" in answer:
        raise SystemExit(f"{name} failed: {answer['error']}")
    return _told(count, answer["results"])


def _told(count: Count, results: list[Any]) -> Cost:
    found = tuple(number for each in results for number in _numbers(_typed(each["value"])))
    return Cost(count.octets, count.round_trips, found)


def _typed(value: Any) -> Any:
    """What each client makes of a list or a profile; of a profile all look at the rows alone."""
    return value["rows"] if isinstance(value, dict) and "rows" in value else value


def _numbers(value: Any) -> Iterator[int]:
    """All counters in a result, however it is nested; the peer that hands over encoded Data marks them by their tag."""
    if isinstance(value, list):
        for each in value:
            yield from _numbers(each)
    elif isinstance(value, str) and value.startswith("06") and len(value) == 10:
        yield int(value[2:], 16)
    elif isinstance(value, int) and value > 1000:
        yield value


def _ours(port: int, asked: Operations) -> list[str | Path]:
    return [OURS_PYTHON, WORKERS / "wire.py", str(port), json.dumps(asked)]


def _gurux(port: int, asked: Operations) -> list[str | Path]:
    """Like its maker's own reader, which leaves an unprotected association over HDLC by DISC alone."""
    words = ("--framing=hdlc", "--leave-by=disc", f"--client={CLIENT}", "127.0.0.1", str(port), json.dumps(asked))
    return [PEERS_PYTHON, "-I", DRIVERS / "gurux_client.py", *words]


def _pydlms(port: int, asked: Operations) -> list[str | Path]:
    """The same in its driver's words: a name comes before its class."""
    settings = {"port": port, "client": CLIENT, "framing": "hdlc"}
    operations = [
        [verb, [[name, kind, index] for kind, name, index in what]] if verb == "list" else [verb, what]
        for verb, what in asked
    ]
    return [PEERS_PYTHON, "-I", DRIVERS / "pydlms_client.py", json.dumps(settings), json.dumps(operations)]


CLIENTS: dict[str, Callable[[int, Operations], list[str | Path]]] = {
    "cosem": _ours,
    "gurux-dlms": _gurux,
    "pydlms-client": _pydlms,
}


def _output(command: list[str | Path]) -> str:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=300)
    if done.returncode != 0:
        raise SystemExit(f"{command[-1]} ended with exit code {done.returncode}")
    return done.stdout


@contextmanager
def _meter(rows: int, agreed: dict[str, int]) -> Iterator[int]:
    command = [OURS_PYTHON, WORKERS / "wire_meter.py", str(rows), json.dumps(agreed), *REGISTERS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            port = process.stdout.readline()
            if not port:
                raise SystemExit("the simulated meter did not start")
            yield int(port)
        finally:
            process.kill()


def table() -> list[dict[str, Any]]:
    """Measure everything; one row for each meter, work and client."""
    return [
        {
            "line": line,
            "work": work,
            "client": name,
            "octets": cost.octets,
            "round_trips": cost.round_trips,
            "seconds_at_9600_baud": cost.seconds_on_the_line,
            "seconds_at_300_ms": cost.seconds_of_waiting,
            "disagreement": cost.found != costs["cosem"].found,
        }
        for line, agreed in LINES.items()
        for work, costs in measured(WORKS, ROWS, **agreed).items()
        for name, cost in costs.items()
    ]


def print_table(rows: list[dict[str, Any]]) -> None:
    print(f"\n{'over HDLC':<36}{'client':<16}{'octets':>9}{'round trips':>13}{'9600 baud':>12}{'300 ms':>10}")
    before = None
    for row in rows:
        if row["line"] != before:
            before = row["line"]
            print(f"{before}:")
        cells = f"{row['octets']:>9,}{row['round_trips']:>13,}"
        seconds = f"{row['seconds_at_9600_baud']:>10.2f} s{row['seconds_at_300_ms']:>8.1f} s"
        remark = "  THE RESULTS DIFFER" if row["disagreement"] else ""
        print(f"  {row['work']:<34}{row['client']:<16}{cells}{seconds}{remark}")
    print(
        f"\nEach client as it comes; seconds of the octets alone at {BAUD} baud, of round trips alone at 300 ms each."
    )
    print("SNRM with parameters, and its UA, are 50 octets more than those of gurux-dlms: what windows cost, once.")
