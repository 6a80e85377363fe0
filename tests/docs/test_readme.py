"""What the README shows runs as it stands: the ten-line examples, and the commands."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = [line.split("#")[0].strip() for line in re.findall(r"^cosem .*$", README, re.MULTILINE)]
PATIENCE = 60.0


def free_port(together: int = 1) -> int:
    """Return a port that is free, with those that follow it."""
    while True:
        with ExitStack() as probes:
            first = probes.enter_context(socket.create_server(("127.0.0.1", 0)))
            port: int = first.getsockname()[1]
            with suppress(OSError):
                for more in range(1, together):
                    probes.enter_context(socket.create_server(("127.0.0.1", port + more)))
                return port


@contextmanager
def running(command: list[str], said: str) -> Iterator[None]:
    """Run a program in the background as soon as it has said something on stderr, and end it afterwards."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if said in line:
                break
        else:
            pytest.fail(f"{command} ended before it said {said!r}")
        yield
    finally:
        process.kill()
        process.communicate()


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, cwd=ROOT, check=False)


def test_there_are_two_examples_of_ten_lines_at_most() -> None:
    assert len(EXAMPLES) == 2
    assert all(len(example.strip().splitlines()) <= 10 for example in EXAMPLES)


def test_the_client_example_reads_the_meter_example() -> None:
    client, meter = EXAMPLES
    port = str(free_port())
    with running([sys.executable, "-c", meter.replace("4059", port)], "client 16 reads everything"):
        done = run(sys.executable, "-c", client.replace("4059", port))
    assert done.stdout == "12345678 Wh\n", done.stderr
    assert done.returncode == 0


def test_every_verb_is_shown() -> None:
    assert {command.split()[1] for command in COMMANDS} >= {
        *("simulate", "read", "browse", "profile", "decode", "listen", "collect"),
    }


def test_the_commands_do_what_they_are_shown_to_do() -> None:
    simulate, *others = [command.replace("4059", "{port}") for command in COMMANDS]
    port = free_port(3)
    words = shlex.split(simulate.format(port=port))[1:]
    with running([sys.executable, "-m", "cosem", *words], "stop with Ctrl-C"):
        for command in others:
            words = shlex.split(command.format(port=port))[1:]
            if words[1].startswith("examples/"):
                continue  # these have tests of their own
            if words[0] == "gateway":
                continue  # its template names the port of the first command: see test_run.py of the gateway
            if words[0] in ("listen", "simulate"):
                with running([sys.executable, "-m", "cosem", *words], "stop with Ctrl-C"):
                    continue  # it goes on until it is told to stop
            done = run(sys.executable, "-m", "cosem", *words)
            assert done.returncode == 0, (command, done.stderr)
            assert done.stdout.strip()
