"""The unit of systemd runs a command that exists, with options that it has, as a user who may do little."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

UNIT = Path(__file__).resolve().parents[4] / "examples" / "cosem-gateway.service"


@pytest.fixture
def service() -> ConfigParser:
    unit = ConfigParser(strict=False, interpolation=None, delimiters=("=",))  # DeviceAllow may be there many times
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT)
    return unit


def test_its_command_runs_a_template(service: ConfigParser, cosem: Callable[..., Any], tmp_path: Path) -> None:
    program, *words = shlex.split(service["Service"]["ExecStart"])
    assert Path(program).name == "cosem"
    tables = tmp_path / Path(words[-1]).name
    assert cosem("gateway", "new", tables).code == 0
    ran = cosem(*words[:-1], tables, "--dry-run")
    assert ran.code == 0, ran.err
    assert "0 faults" in ran.err


def test_it_has_few_rights_and_a_place_for_what_it_keeps(service: ConfigParser) -> None:
    settings = service["Service"]
    assert settings["DynamicUser"] == settings["ProtectHome"] == "yes"
    assert settings["ProtectSystem"] == "strict"
    assert settings["WorkingDirectory"] == f"/var/lib/{settings['StateDirectory']}"
    assert settings["Environment"] == f"XDG_RUNTIME_DIR=/run/{settings['RuntimeDirectory']}"
    assert settings["Restart"] == "on-failure"
    assert settings["UMask"] == "0077"
