"""`cosem read` enters what `cosem simulate` serves: every security suite, by GMAC and by signatures."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from commands import cosem

SOURCES = Path(__file__).resolve().parents[2] / "src"
WAYS = [("gmac", 0), ("gmac", 1), ("gmac", 2), ("ecdsa", 1), ("ecdsa", 2)]


def environment(state: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SOURCES), "XDG_STATE_HOME": str(state)}


@pytest.mark.parametrize(("security", "suite"), WAYS)
def test_the_printed_command_reads_the_meter(security: str, suite: int, tmp_path: Path) -> None:
    words = ["simulate", "--json", "--listen", "tcp://127.0.0.1:0", "--security", security, "--suite", str(suite)]
    meter = subprocess.Popen(
        [sys.executable, "-m", "cosem", *words, "--keys", str(tmp_path / "keys")],
        env=environment(tmp_path / "meter"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert meter.stdout is not None
    try:
        said = ""
        while not said.endswith("}\n") or said.count("{") != said.count("}"):
            said += meter.stdout.readline()
        (served,) = json.loads(said)["meters"]
        command = shlex.split(served["command"])[1:]
        ran = cosem(*command, "--json", state=tmp_path / "client")
        assert ran.returncode == 0, ran.stderr
        (reading,) = json.loads(ran.stdout)["readings"]
        assert reading["unit"] == "Wh"
        stranger = [word.replace("ek.hex", "ak.hex") for word in command]
        refused = cosem(*stranger, state=tmp_path / "stranger")
        assert refused.returncode == 2, refused.stdout
    finally:
        meter.terminate()
        meter.communicate()


def test_suite_0_has_no_signatures(tmp_path: Path) -> None:
    ran = cosem("simulate", "--security", "ecdsa", "--suite", "0", "--keys", str(tmp_path), state=tmp_path)
    assert ran.returncode == 64
    assert "write --suite 1 or --suite 2" in ran.stderr
