"""Who is where, as CSV and JSON; keys only when asked, and then for this user alone."""

from __future__ import annotations

import csv
import json
import stat
from pathlib import Path

import pytest

from cosem.errors import ConfigurationError
from cosem.fleet.fleet import Fleet
from cosem.fleet.inventory import Inventory
from cosem.fleet.keys import FleetKeys
from cosem.fleet.misbehaving import Misbehaving, Misbehaviour
from cosem.fleet.population import Group, Population
from cosem.meter.faults import Faults, of_words
from cosem.protocol.crypto.key import Secret

KEYS = FleetKeys(Secret(bytes(range(100, 132))))


def fleet(keys: FleetKeys | None = KEYS) -> Fleet:
    return Fleet(Population(3, keys=keys), "tcp://127.1.0.255:4059")


def test_without_keys_they_are_only_named(tmp_path: Path) -> None:
    Inventory(fleet()).write(tmp_path / "fleet.csv")
    rows = list(csv.DictReader((tmp_path / "fleet.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == ["KFM1020000000000", "KFM1020000000001", "KFM1020000000002"]
    assert rows[1]["url"] == "tcp://127.1.1.0"
    assert (rows[1]["client"], rows[1]["security"], rows[1]["encryption_key"]) == ("1", "derived", "")
    assert bytes.fromhex(rows[1]["system_title"]) == b"KFM" + (1020000000001).to_bytes(5, "big")


def test_with_keys_the_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "fleet.json"
    path.write_text("old")
    path.chmod(0o644)
    Inventory(fleet(), with_keys=True).write(path)
    (_, second, _) = json.loads(path.read_text())["meters"]
    expected = KEYS.of(bytes.fromhex(second["system_title"]))
    assert bytes.fromhex(second["encryption_key"]) == expected.encryption.reveal()
    assert bytes.fromhex(second["authentication_key"]) == expected.authentication.reveal()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(("keys", "client", "security"), [(None, 16, "none"), (FleetKeys.demonstration(), 1, "demo")])
def test_who_reads_is_told(keys: FleetKeys | None, client: int, security: str) -> None:
    first = next(iter(Inventory(fleet(keys))))
    assert (first.client, first.security) == (client, security)


def test_who_misbehaves_is_told_by_what_is_wrong(tmp_path: Path) -> None:
    wrong = Misbehaving(Misbehaviour(Faults(seed=2, loss=0.5, deviations=frozenset({"any_invoke_id"})), 0.5))
    population = Population((Group(count=2), Group(count=8, misbehaving=wrong)), seed=1)
    Inventory(Fleet(population, "tcp://127.1.0.0:4059")).write(tmp_path / "fleet.csv")
    rows = list(csv.DictReader((tmp_path / "fleet.csv").read_text().splitlines()))
    told = [row["faults"] for row in rows]
    assert told[:2] == ["", ""]
    assert 0 < sum(map(bool, told)) == population.misbehaving < 8
    for number, words in enumerate(told):
        assert of_words(words.split()) == population.faults(number)


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"\.csv or \.json"):
        Inventory(fleet()).write(tmp_path / "fleet.xlsx")
    with pytest.raises(ConfigurationError, match="cannot write"):
        Inventory(fleet()).write(tmp_path / "nowhere" / "fleet.csv")
