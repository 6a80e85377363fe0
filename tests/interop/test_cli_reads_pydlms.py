"""The command line reads the simulated meter of pydlms-client, in every framing and access."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from commands import cosem


@pytest.mark.parametrize("auth", ["none", "low", "gmac"])
@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
def test_read_prints_a_register(
    pydlms_simulator: Callable[[str, str], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    framing: str,
    auth: str,
) -> None:
    simulator = pydlms_simulator(framing, auth)
    given = {"--password": simulator.password, "--ek": simulator.encryption_key, "--ak": simulator.authentication_key}
    secrets = {option.strip("-").upper(): secret for option, secret in given.items() if secret is not None}
    options = [word for name in secrets for word in (f"--{name.lower()}", f"env:{name}")]
    for name, secret in secrets.items():
        monkeypatch.setenv(name, secret)
    ran = cosem("read", simulator.url, "1-0:1.8.0", "0.0.1.0.0.255", "--json", *options, state=tmp_path)
    assert ran.returncode == 0, ran.stderr
    energy, clock = json.loads(ran.stdout)["readings"]
    assert (energy["value"], energy["unit"]) == (12345678, "Wh")
    assert clock["value"].startswith("2024-")
