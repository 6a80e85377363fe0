"""`cosem fleet`: the real command, read at the start, in the middle and at the end of its addresses."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cosem import Client
from cosem.fleet.listening import AddressRange
from cosem.protocol.model import Data
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.data import OctetString
from e2e.test_security_suites import environment

NAME = Data("0.0.42.0.0.255")


@contextmanager
def running(*words: str, state: Path) -> Generator[dict[str, Any], None, None]:
    fleet = subprocess.Popen(
        [sys.executable, "-m", "cosem", "fleet", "--json", *words],
        env=environment(state),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert fleet.stdout is not None
    try:
        said = ""
        while not said.endswith("}\n"):
            line = fleet.stdout.readline()
            assert line, "the fleet ended"
            said += line
        yield json.loads(said)
    finally:
        fleet.terminate()
        fleet.communicate()


@pytest.mark.parametrize("keys", [(), ("--demo-keys",)])
def test_a_hundred_thousand_meters_answer_from_the_first_to_the_last(keys: tuple[str, ...], tmp_path: Path) -> None:
    with running("--count", "100000", "--listen", "tcp://127.1.0.0:0", *keys, state=tmp_path) as fleet:
        first = ConnectionUrl.parse(fleet["first"])
        addresses = AddressRange(first.host, 100_000)
        for number in (0, 1, 255, 256, 50_000, 65_536, 99_999):
            with Client.open(replace(first, host=addresses.address(number), client=16)) as client:
                assert client.get(NAME.value) == OctetString(f"KFM1020{number:09}".encode())
        assert ConnectionUrl.parse(fleet["last"]).host == addresses.address(99_999)
