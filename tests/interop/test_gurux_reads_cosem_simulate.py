"""The gurux-dlms client reads what `cosem simulate` serves, as a stranger would try it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

ENERGY = "1.0.1.8.0.255"
PROFILE = "1.0.99.1.0.255"

EXAMPLE_KEYS = {
    "ek": "000102030405060708090A0B0C0D0E0F",
    "ak": "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF",
    "system_title": "4D4D4D0000BC614E",
    "counter": 1,
}
"""The published ones, which `--demo-keys` serves on loopback."""

SECURITIES: dict[str, tuple[list[str], int, dict[str, Any]]] = {
    "none": ([], 16, {}),
    "gmac": (["--security", "gmac", "--demo-keys"], 1, EXAMPLE_KEYS),
}


@contextmanager
def simulated(scheme: str, words: list[str]) -> Iterator[int]:
    command = [sys.executable, "-m", "cosem", "simulate", "--listen", f"{scheme}://127.0.0.1:0", *words]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", said)
        assert found is not None, said
        yield int(found[1])
    finally:
        process.terminate()
        process.communicate()


@pytest.mark.parametrize("auth", SECURITIES)
@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
def test_register_objects_and_profile(gurux: Any, framing: str, auth: str) -> None:
    words, client, given = SECURITIES[auth]
    with simulated({"wrapper": "tcp", "hdlc": "hdlc+tcp"}[framing], words) as port:
        answer = gurux(
            port,
            [["read", 3, ENERGY, 2], ["read", 3, ENERGY, 3], ["objects"], ["entries", PROFILE, 1, 4]],
            framing=framing,
            client=client,
            auth=auth,
            **given,
        )
    assert "error" not in answer
    energy, scaler, objects, profile = answer["results"]
    assert energy["value"]["raw"] > 0
    assert scaler["value"]["raw"] == [0, 30]
    assert [7, PROFILE] in [[item["class_id"], item["obis"]] for item in objects["value"]]
    assert len(profile["value"]["rows"]) == 4
    assert answer["released"]
