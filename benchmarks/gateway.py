"""What the gateway costs: a thousand meters of a fleet, twenty signals each, every ten seconds, on one core.

The fleet runs on the other core. Exchanges are counted by a relay before one meter.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.relay import relay

ROOT = Path(__file__).resolve().parent.parent
OURS_PYTHON = ROOT / ".venv" / "bin" / "python"
WORKER = ROOT / "benchmarks" / "workers" / "gateway.py"

NAME = "gateway"
METERS, SIGNALS, RATE, SCANS = 1000, 20, 10.0, 3
ONE_RATE, ONE_SCANS = 0.2, 10


def table() -> dict[str, Any]:
    """Measure both, and return what came of it."""
    core = (os.cpu_count() or 1) - 1  # the last one; the fleet has the first
    with _fleet(0) as (first, port):
        many = _worker(core, METERS, first, port, SIGNALS, RATE, SCANS)
        with relay(port, first) as (relayed, count):
            one = _worker(core, 1, "127.0.0.1", relayed, SIGNALS, ONE_RATE, ONE_SCANS)
    scans = one["all_samples"] / SIGNALS
    # Beside the scans there are AARQ and, in the first one, scalers and units; what is left are the scans themselves.
    return {**many, "exchanges_of_a_scan": round(count.round_trips / scans, 2), "exchanges_one_by_one": SIGNALS}


def print_table(found: dict[str, Any]) -> None:
    """Print it in words."""
    print(f"\nthe gateway, {found['meters']} TCP meters of {found['signals']} signals every {RATE:g} s:")
    print(f"  use of one core            {100 * found['core']:.1f} %")
    print(f"  CPU of one scan            {found['cpu_ms_of_a_scan']:.2f} ms")
    print(f"  values in that time        {found['samples']:,} of {found['wanted']:,.0f} wanted")
    print(f"  exchanges of one scan      {found['exchanges_of_a_scan']:g}, against {SIGNALS} one by one")


@contextmanager
def _fleet(core: int) -> Iterator[tuple[str, int]]:
    command = [OURS_PYTHON, "-m", "cosem", "fleet", "--count", str(METERS), "--listen", "tcp://127.1.0.0:0"]
    process = subprocess.Popen(
        ["taskset", "-c", str(core), *command],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        found = re.search(r"tcp://([0-9.]+):(\d+)", said)
        assert found is not None, said
        yield found[1], int(found[2])
    finally:
        process.terminate()
        process.communicate()


def _worker(core: int, *words: object) -> dict[str, Any]:
    done = subprocess.run(
        ["taskset", "-c", str(core), OURS_PYTHON, WORKER, *map(str, words)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
