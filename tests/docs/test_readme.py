"""The ten-line examples of the README run as they stand: the meter in one process, the client in another."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
PATIENCE = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def await_listener(port: int, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            pytest.fail(f"the meter ended: {process.communicate()[1]}")
        with socket.socket() as probe:
            probe.settimeout(0.5)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("the meter did not listen in time")


def test_there_are_two_examples() -> None:
    assert len(BLOCKS) == 2
    assert all(len(block.strip().splitlines()) <= 10 for block in BLOCKS)


def test_the_client_example_reads_the_meter_example() -> None:
    client, meter = BLOCKS
    port = free_port()
    serving = subprocess.Popen(
        [sys.executable, "-c", meter.replace("4059", str(port))],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        await_listener(port, serving)
        done = subprocess.run(
            [sys.executable, "-c", client.replace("4059", str(port))],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            cwd=ROOT,
            check=False,
        )
    finally:
        serving.kill()
        serving.communicate()
    assert done.stdout == "12345678 Wh\n", done.stderr
    assert done.returncode == 0
