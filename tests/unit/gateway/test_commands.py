"""Commands: which are allowed, and what is written down of each."""

from __future__ import annotations

import asyncio
import json
import stat
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cosem.errors import TimedOut
from cosem.gateway.commands import Commands
from cosem.gateway.config import DlmsJob, Signal, Writing
from cosem.gateway.value import Command, CommandResult
from cosem.protocol.values.obis import Obis

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def signal(alias: str, writing: Writing | None, *, enabled: bool = True) -> Signal:
    return Signal(
        alias=alias, name="", device="m", job=DlmsJob(Obis("1.0.1.8.0.255")), writing=writing, enabled=enabled
    )


SIGNALS = [
    signal("limit", Writing(lowest=Decimal(0), highest=Decimal(100))),
    signal("breaker", Writing(origins=frozenset({"iec104", "scada"}))),
    signal("energy", None),
    signal("off", Writing(), enabled=False),
    signal("dead", Writing()),
]


def obeyed(tmp_path: Path, alias: str, value: Any, output: str = "broker", kind: str = "mqtt") -> CommandResult:
    async def carry(signal: Signal, command: Command) -> CommandResult:
        if signal.alias == "dead":
            raise TimedOut("response", 2.5)
        return CommandResult(True)

    async def run() -> CommandResult:
        commands = Commands(SIGNALS, carry, tmp_path / "audit", lambda: NOON)
        return await commands.obey(Command(alias, value, "somebody"), output, kind)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("alias", "value", "output", "kind", "reason"),
    [
        ("limit", 0, "broker", "mqtt", None),
        ("limit", 100.0, "broker", "mqtt", None),
        ("limit", -0.1, "broker", "mqtt", "out of bounds"),
        ("limit", Decimal("100.1"), "broker", "mqtt", "out of bounds"),
        ("limit", "50", "broker", "mqtt", "out of bounds"),
        ("limit", float("nan"), "broker", "mqtt", "out of bounds"),
        ("breaker", True, "plant", "iec104", None),
        ("breaker", True, "scada", "modbus", None),
        ("breaker", True, "broker", "mqtt", "not taken from broker"),
        ("energy", 1, "broker", "mqtt", "not write-enabled"),
        ("off", 1, "broker", "mqtt", "no such signal"),
        ("nobody", 1, "broker", "mqtt", "no such signal"),
        ("dead", 1, "broker", "mqtt", "no answer"),
    ],
)
def test_what_is_allowed(tmp_path: Path, alias: str, value: Any, output: str, kind: str, reason: str | None) -> None:
    result = obeyed(tmp_path, alias, value, output, kind)
    assert result.done is (reason is None)
    assert (reason or "") in result.reason
    (line,) = (tmp_path / "audit").read_text().splitlines()
    noted = json.loads(line)
    assert (noted["signal"], noted["output"], noted["origin"], noted["done"]) == (
        alias,
        output,
        "somebody",
        result.done,
    )
    assert (noted["time"], noted["reason"]) == (NOON.isoformat(), result.reason)
    assert stat.S_IMODE((tmp_path / "audit").stat().st_mode) == 0o600


@pytest.mark.parametrize(("length", "kept"), [(200, 200), (201, 200)])
def test_long_values_are_cut_in_the_audit(tmp_path: Path, length: int, kept: int) -> None:
    obeyed(tmp_path, "dead", "x" * length)
    assert len(json.loads((tmp_path / "audit").read_text())["value"]) == kept


def test_nothing_is_carried_out_without_an_audit(tmp_path: Path) -> None:
    (tmp_path / "audit").mkdir()
    result = obeyed(tmp_path, "limit", 1)
    assert not result.done
    assert "cannot write" in result.reason


def test_what_was_carried_out_is_done_although_the_audit_broke(tmp_path: Path) -> None:
    audit = tmp_path / "audit"

    async def carry(signal: Signal, command: Command) -> CommandResult:
        audit.unlink()
        audit.mkdir()
        return CommandResult(True)

    commands = Commands(SIGNALS, carry, audit, lambda: NOON)
    result = asyncio.run(commands.obey(Command("limit", 1, "somebody"), "broker", "mqtt"))
    assert result.done
    assert "not in the audit" in result.reason
