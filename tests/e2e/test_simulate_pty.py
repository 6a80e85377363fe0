"""`cosem simulate` on a pseudo-terminal that it opens itself: the command that it prints reads the meter."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from commands import cosem

SOURCES = Path(__file__).resolve().parents[2] / "src"
COSEM = (sys.executable, "-m", "cosem")


@pytest.mark.parametrize(
    ("place", "more", "told"),
    [
        ("iec21+pty:", (), "1.8.0"),
        ("hdlc+pty:?physical=17", (), "1.0.1.8.0.255"),
        ("p1+pty:", ("--count", "2"), "1.0.1.8.0.255"),
        ("tic+pty:", ("--count", "2"), "1.0.1.8.0.255"),
        ("han+pty:", ("--count", "1"), "1.0.1.7.0.255"),
        ("han+pty:?lists=sweden:kamstrup", ("--count", "1", "--zone", "Europe/Stockholm"), "1.1.1.7.0.255"),
        ("TIC+PTY://?baud=9600", ("--count", "2"), "1.0.1.8.0.255"),
    ],
)
def test_the_printed_command_reads_the_meter(tmp_path: Path, place: str, more: tuple[str, ...], told: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(SOURCES), "XDG_STATE_HOME": str(tmp_path)}
    simulating = subprocess.Popen(
        [*COSEM, "simulate", "--listen", place], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert simulating.stdout is not None
        name, url, command = simulating.stdout.readline().rstrip("\n").split("  ", 2)
        assert name.startswith("KFM")
        assert "+serial://" in url
        words = shlex.split(command)
        assert words[0] == "cosem"
        assert words[2] == url
        ran = cosem(*words[1:], *more, state=tmp_path / "client")
        assert ran.returncode == 0, ran.stderr
        assert told in ran.stdout
    finally:
        simulating.terminate()
        simulating.wait()
        assert simulating.stdout is not None
        simulating.stdout.close()


def test_the_printed_command_reads_a_ciphered_customer_port(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(SOURCES), "XDG_STATE_HOME": str(tmp_path)}
    place = "han+pty:?lists=austria:e450"
    simulating = subprocess.Popen(
        [*COSEM, "simulate", "--security", "gmac", "--listen", place],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        assert simulating.stdout is not None
        _, _, command = simulating.stdout.readline().rstrip("\n").split("  ", 2)
        words = shlex.split(command)
        assert "--ek" in words and "--ak" in words and "--auth" not in words
        more = ["--count", "1", "--json", "--zone", "Europe/Vienna"]
        ran = cosem(*words[1:], *more, state=tmp_path / "client")
        assert ran.returncode == 0, ran.stderr
        told = json.loads(ran.stdout)
        assert (told["kind"], told["list"], told["verified"]) == ("han", "E450 CII", True)
        assert int({each["code"]: each["value"] for each in told["other"]}["1.0.1.8.0.255"]) > 0
    finally:
        simulating.terminate()
        simulating.wait()
        assert simulating.stdout is not None
        simulating.stdout.close()


def test_one_meter_at_a_socket_and_at_a_line(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(SOURCES), "XDG_STATE_HOME": str(tmp_path)}
    places = ("--listen", "tcp://127.0.0.1:0", "--listen", "iec21+pty:", "--listen", "hdlc+pty:")
    simulating = subprocess.Popen(
        [*COSEM, "simulate", *places], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert simulating.stdout is not None
        for place, told in (("tcp://", "1.0.1.8.0.255"), ("iec21+serial:", "1.8.0"), ("hdlc+serial:", "1.0.1.8.0.255")):
            _, url, command = simulating.stdout.readline().rstrip("\n").split("  ", 2)
            assert url.startswith(place)
            ran = cosem(*shlex.split(command)[1:], state=tmp_path / "client")
            assert ran.returncode == 0, ran.stderr
            assert told in ran.stdout
    finally:
        simulating.terminate()
        simulating.communicate(timeout=30)


@pytest.mark.parametrize(
    ("place", "what"),
    [("elgama+pty:", "elgama\\+tcp"), ("nothing+pty:", "nothing"), ("hdlc+pty:?speed=1", "speed")],
)
def test_what_is_no_line_of_a_meter_is_refused(tmp_path: Path, place: str, what: str) -> None:
    ran = cosem("simulate", "--listen", place, state=tmp_path)
    assert ran.returncode != 0
    assert re.search(what, ran.stderr)
