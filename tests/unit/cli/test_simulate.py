"""`cosem simulate` refuses each option that would do nothing, with the reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DESCRIPTION = """
[meter]
name = "KFM1020012345678"
"""
ELGAMA = ["--listen", "elgama+tcp://127.0.0.1:0?model=epqs&serial=1&experimental=yes"]
OPTIONS = {
    "--security": ["--security", "gmac"],
    "--suite": ["--suite", "1"],
    "--load": ["--load", "shop"],
    "--fault": ["--fault", "loss=0.1"],
    "--keys": ["--keys", "keys"],
    "--demo-keys": ["--demo-keys"],
    "--state": ["--state", "meter.state"],
    "--control": ["--control"],
}


@pytest.mark.parametrize("option", ["--security", "--suite", "--load", "--fault"])
def test_a_description_says_it_itself(cosem: Callable[..., Any], tmp_path: Path, option: str) -> None:
    file = tmp_path / "meter.toml"
    file.write_text(DESCRIPTION)
    ran = cosem("simulate", str(file), "--listen", "tcp://127.0.0.1:0", *OPTIONS[option])
    assert ran.code == 64
    assert f"{option}: a description says" in ran.err


@pytest.mark.parametrize("option", ["--security", "--suite", "--load"])
def test_a_clone_is_as_its_original(cosem: Callable[..., Any], tmp_path: Path, option: str) -> None:
    ran = cosem("simulate", str(tmp_path / "none.json"), "--listen", "tcp://127.0.0.1:0", *OPTIONS[option])
    assert ran.code == 64
    assert f"{option}: a clone" in ran.err


@pytest.mark.parametrize("option", sorted(OPTIONS))
def test_an_elgama_meter_has_none(cosem: Callable[..., Any], option: str) -> None:
    ran = cosem("simulate", *ELGAMA, *OPTIONS[option])
    assert ran.code == 64
    assert f"{option}: an Elgama meter of this protocol has none" in ran.err
