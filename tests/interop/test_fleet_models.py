"""Meters of a fleet that are like a described meter, or like a snapshot of the peer's own, read by pydlms-client."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cosem.cli.app import app
from cosem.fleet.clock import VirtualClock
from cosem.fleet.file import load
from cosem.fleet.fleet import Fleet
from cosem.fleet.inventory import Inventory
from cosem.fleet.keys import FleetKeys
from cosem.fleet.ledger import Answer, LinesLedger, create
from cosem.fleet.population import Population
from cosem.protocol.crypto.key import Secret
from cosem.protocol.model import ProfileGeneric, Register
from cosem.store.snapshot import read
from interop.served import serving_fleet

AT = datetime(2026, 3, 3, 12, tzinfo=UTC)
NAME, SERIAL, ENERGY, GAS, PROFILE = (
    *("0.0.42.0.0.255", "0.0.96.1.0.255", "1.0.1.8.0.255", "7.0.3.0.0.255", "1.0.99.1.0.255"),
)
TITLE = "4142434445464748"
DESCRIPTION = """
[meter]
name = "ELG0000012345678"
[load]
kind = "shop"
[[device]]
sap = 17
name = "ELG0000012345679"
load = "gas"
[[object]]
class = "Data"
instance = "0.0.96.1.0.255"
value = "12345678"
[[object]]
class = "Register"
instance = "1.0.1.8.0.255"
[[object]]
class = "Register"
instance = "7.0.3.0.0.255"
device = 17
[[profile]]
instance = "1.0.99.1.0.255"
columns = ["0.0.1.0.0.255:time", "1.0.1.8.0.255:value"]
period = 900
entries = 96
[[association]]
client = 1
auth = "low"
password = "env:THAT_NOBODY_HAS_SET"
"""
FLEET = """
[[meters]]
count = 10
description = "meter.toml"
listen = "tcp://127.83.0.0:0"
[[meters]]
count = 10
snapshot = "meter.json"
listen = "hdlc+tcp://127.83.1.0:0"
"""


@pytest.fixture
def folder(pydlms_simulator: Callable[[str, str], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the fleet's file is, the description, and a snapshot of the meter of pydlms-client."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    original = pydlms_simulator("wrapper", "none")
    words = ["browse", original.url, "--buffers", "--keep-identity", "--snapshot", str(tmp_path / "meter.json")]
    result = CliRunner().invoke(app, [*words, "--json"], prog_name="cosem")
    assert result.exit_code == 0, result.stderr
    (tmp_path / "meter.toml").write_text(DESCRIPTION)
    (tmp_path / "fleet.toml").write_text(FLEET)
    return tmp_path


def test_meter_7_of_a_description_and_of_a_snapshot(folder: Path, pydlms: Any) -> None:
    said = load(folder / "fleet.toml")
    keys = FleetKeys(Secret(bytes(range(32))))
    population = Population(said.groups, keys=keys, clock=VirtualClock(AT, speed=0), first_counter=1000)
    with (
        create(folder / "ledger.jsonl") as ledger,
        serving_fleet(Fleet(population, said.places, ledger=lambda: ledger)) as fleet,
    ):
        listed = list(Inventory(fleet, with_keys=True))

        def ask(number: int, operations: list[list[Any]], server: int = 1) -> list[dict[str, Any]]:
            """Ask a meter as a head-end does that knows the inventory."""
            url, own = fleet.url(number), listed[number]
            answer = pydlms(
                url.port,
                operations,
                host=url.host,
                framing="hdlc" if url.framing == "hdlc" else "wrapper",
                client=own.client,
                server=server,
                mechanism=5,
                ek=own.encryption_key,
                ak=own.authentication_key,
                title=TITLE,
                counter=1000 * server,
            )
            assert "error" not in answer, answer["error"]
            assert answer["released"]
            results: list[dict[str, Any]] = answer["results"]
            return results

        described = ask(7, [["get", NAME, 1, 2], ["get", SERIAL, 1, 2], ["get", ENERGY, 3, 2], ["profile", PROFILE]])
        gas = ask(7, [["get", NAME, 1, 2], ["get", GAS, 3, 2]], server=17)
        like_theirs = ask(17, [["get", NAME, 1, 2], ["objects"], ["get", ENERGY, 3, 2]])
    meter = population.make(7)
    assert described[0]["value"] == "0910" + b"KFM1020000000007".hex().upper()
    assert described[1]["value"] == "0908" + b"00000007".hex().upper()
    energy = int(meter.value(Register(ENERGY).value))
    assert int(described[2]["value"][2:], 16) == energy
    rows: Any = meter.value(ProfileGeneric(PROFILE).buffer)
    assert [row[1] for row in described[3]["value"]] == [int(row[1]) for row in rows]
    assert described[3]["value"][-1][1] == energy
    assert gas[0]["value"] == "0910" + b"KFM1021000000007".hex().upper()
    assert int(gas[1]["value"][2:], 16) == int(meter.devices[17].value(Register(GAS).value))
    (original,) = read(folder / "meter.json").devices
    assert like_theirs[0]["value"] == "0910" + b"KFM1020000000017".hex().upper()
    shown = {each["obis"] for each in like_theirs[1]["value"]}
    assert {str(each.instance) for each in original.objects} - {"0.0.43.0.0.255"} <= shown
    (theirs,) = [each for each in original.objects if str(each.instance) == ENERGY]
    assert int(like_theirs[2]["value"][2:], 16) == theirs.attributes[2].data
    with LinesLedger(folder / "ledger.jsonl") as written:
        told = {name: [each for each in written.of(name) if isinstance(each, Answer)] for name in written.meters()}
    assert set(told) == {"KFM1020000000007", "KFM1021000000007", "KFM1020000000017"}
    assert told["KFM1021000000007"][-1].value == gas[1]["value"].lower()


def test_the_inventory_names_the_file_that_says_what_meters_are_like(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET", "".join(map(chr, range(33, 73))))
    words = ["fleet", str(folder / "fleet.toml"), "--secret", "env:FLEET", "--inventory", str(folder / "fleet.json")]
    result = CliRunner().invoke(app, words, prog_name="cosem")
    assert result.exit_code == 0, result.stderr
    listed = json.loads((folder / "fleet.json").read_text())["meters"]
    assert [each["kind"] for each in listed] == ["meter.toml"] * 10 + ["meter.json"] * 10
    assert {each["security"] for each in listed} == {"derived"}
