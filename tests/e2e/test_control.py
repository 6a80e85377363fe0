"""`cosem simulate --control`: a person at a pipe and at a terminal moves what clients then see."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tty
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from cosem import Client, Data
from cosem.errors import CosemError
from cosem.protocol.model.classes.time_and_event import DisconnectControl

SOURCES = Path(__file__).resolve().parents[2] / "src"
DESCRIPTION = """
[meter]
name = "KFM1020012345678"

[[object]]
class = "Data"
instance = "0.0.96.11.0.255"
value = { unsigned = 0 }

[[profile]]
instance = "0.0.99.98.0.255"
columns = ["0.0.1.0.0.255:time", "0.0.96.11.0.255:value"]
events = { cover_opened = 40 }

[[object]]
class = "Data"
instance = "0.0.128.0.0.255"

[[object]]
class = "DisconnectControl"
instance = "0.0.96.3.10.255"
control_mode = 1

[[metrology]]
mode = "0.0.128.0.0.255"
"""
EVENT, BREAKER = Data("0.0.96.11.0.255"), DisconnectControl("0.0.96.3.10.255")


@contextmanager
def simulated(tmp_path: Path, given: int) -> Generator[tuple[str, IO[str]], None, None]:
    """Give where the meter is, and what is said on stderr; at the end it stops at a signal."""
    description = tmp_path / "meter.toml"
    description.write_text(DESCRIPTION)
    words = ("simulate", str(description), "--listen", "tcp://127.0.0.1:0", "--state", str(tmp_path / "state"))
    process = subprocess.Popen(
        [sys.executable, "-m", "cosem", *words, "--control"],
        stdin=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCES), "XDG_STATE_HOME": str(tmp_path)},
    )
    try:
        assert process.stdout is not None and process.stderr is not None
        url = process.stdout.readline().split("  ")[1]
        until(process.stderr, "type help")
        yield f"{url}?client=16", process.stderr
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
        assert (process.returncode, said.splitlines()[-1]) == (0, "stopped")
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()


def until(said: IO[str], words: str) -> None:
    """Wait for a line that has some words in it."""
    for line in said:
        if words in line:
            return
    raise AssertionError(f"{words!r} was never said")


def test_lines_of_a_pipe(tmp_path: Path) -> None:
    end, given = os.pipe()
    with simulated(tmp_path, end) as (url, said):
        os.close(end)
        os.write(given, b"cover open\nbreaker off\n" + b"x" * 5000 + b"\nnothing like it\n")
        until(said, "KFM1020012345678: the cover is open")
        until(said, "0.0.96.3.10.255 is off")
        until(said, "error: a line has at most 1024 octets")
        until(said, "error: there is no 'nothing like it'")
        with Client.open(url) as client:
            assert client.get(EVENT.value) == 40
            assert client.get(BREAKER.output_state) is False
            os.write(given, b"breaker on")
            os.close(given)  # the end of the input ends the line, and not the meter
            until(said, "0.0.96.3.10.255 is on")
            assert client.get(BREAKER.output_state) is True


def test_lines_of_a_terminal(tmp_path: Path) -> None:
    controller, terminal = os.openpty()
    tty.setcbreak(terminal)
    with simulated(tmp_path, terminal) as (url, said):
        os.write(controller, b"help\n")
        until(said, "breaker off [OBIS]")
        with Client.open(url) as client:
            assert client.get(EVENT.value) == 0
            os.write(controller, b"supply off\n")
            until(said, "KFM1020012345678: the supply is off")
            with pytest.raises(CosemError):
                client.get(EVENT.value)
        os.write(controller, b"supply on\n")
        until(said, "KFM1020012345678: the supply is on")
        with Client.open(url) as client:
            assert client.get(EVENT.value) == 0
    os.close(controller)
    os.close(terminal)
