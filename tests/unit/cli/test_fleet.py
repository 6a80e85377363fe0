"""`cosem fleet`: what its options and files say, what it tells, and how a comparison ends."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cosem.cli.fleet.run import allow_files
from cosem.cli.fleet.telling import line, plain
from cosem.errors import ConfigurationError
from cosem.fleet.fleet import Fleet
from cosem.fleet.ledger import Answer, Faulty, Measured, create
from cosem.fleet.misbehaving import Misbehaving, Misbehaviour
from cosem.fleet.models import meter_of, name_of
from cosem.fleet.population import Group, Population
from cosem.meter.faults import Faults
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.obis import Obis
from cosem.readings.reading import Reading
from cosem.store.readings import ReadingStore

Cosem = Callable[..., Any]

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)


def test_a_state_in_a_line_and_as_json_has() -> None:
    state = Fleet(Population(7), "tcp://127.1.0.0:0").state
    assert line(state, NOW) == "2026-03-01 08:00:00 UTC: 7 meters"
    said = plain(state, NOW)
    assert (said["virtual_time"], said["meters"], said["pushes"]) == ("2026-03-01T08:00:00+00:00", 7, 0)


def test_a_state_says_how_many_misbehave() -> None:
    groups = (Group(count=3), Group(count=4, misbehaving=Misbehaving(Misbehaviour(Faults(loss=1)))))
    state = Fleet(Population(groups), "tcp://127.1.0.0:0").state
    assert line(state, NOW) == "2026-03-01 08:00:00 UTC: 7 meters, 4 misbehaving"
    assert plain(state, NOW)["misbehaving"] == 4


def test_options_let_a_share_of_the_meters_misbehave(cosem: Cosem, tmp_path: Path) -> None:
    words = ("--fault", "loss=0.1", "--fault", "deviation=any_invoke_id", "--fault-share", "0.25", "--seed", "3")
    for path in (tmp_path / "first.json", tmp_path / "again.json"):
        assert cosem("fleet", "--count", "40", *words, "--inventory", str(path)).code == 0
    first, again = ((tmp_path / name).read_text() for name in ("first.json", "again.json"))
    assert first == again
    wrong = [each["faults"] for each in json.loads(first)["meters"] if each["faults"]]
    assert 3 < len(wrong) < 20
    assert all(each.endswith(" loss=0.1 deviation=any_invoke_id") for each in wrong)
    assert cosem("fleet", "--count", "4", "--fault", "loss=1", "--inventory", str(tmp_path / "all.csv")).code == 0
    assert (tmp_path / "all.csv").read_text().count("loss=1") == 4


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--fault-share", "0.5"), "--fault loss=0.1"),
        (("--fault", "often=1"), "often"),
        (("--fault", "wrong_keys=true"), "wrong_keys: these meters have no keys"),
        (("--fault", "deviation=MISSING_LLC"), "MISSING_LLC is of HDLC"),
        (("--fault", "loss=1", "--fault-share", "1.5"), "--fault-share"),
    ],
)
def test_what_options_cannot_let_meters_do_wrong(
    cosem: Cosem, words: tuple[str, ...], why: str, tmp_path: Path
) -> None:
    ran = cosem("fleet", "--count", "3", *words, "--inventory", str(tmp_path / "fleet.csv"))
    assert ran.code == 64
    assert why in ran.err
    assert not (tmp_path / "fleet.csv").exists()


@pytest.mark.parametrize(
    "option",
    [
        ("--count", "5"),
        ("--seed", "1"),
        ("--by-port",),
        ("--speed", "2"),
        ("--fault", "loss=0.1"),
        ("--fault-share", "0.1"),
    ],
)
def test_with_a_file_what_it_says_counts(cosem: Cosem, option: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text("[[meters]]\ncount = 1\n")
    ran = cosem("fleet", str(tmp_path / "fleet.toml"), *option)
    assert ran.code == 64
    assert option[0] in ran.err


@pytest.mark.parametrize(
    ("connections", "ports", "hard", "allowed", "soft"),
    [
        (None, 0, 100_000, 20_000, 20_064),
        (None, 500, 100_000, 20_000, 20_564),
        (None, 500, 4096, 3532, 4096),
        (3532, 500, 4096, 3532, 4096),
        (3533, 500, 4096, None, None),
        (None, 4031, 4096, 1, 4096),
        (None, 4032, 4096, None, None),
    ],
)
def test_files_are_for_connections_and_ports(
    monkeypatch: pytest.MonkeyPatch, connections: int | None, ports: int, hard: int, allowed: int | None, soft: int
) -> None:
    limits = [(1024, hard)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, changed: limits.append(changed))
    if allowed is None:
        with pytest.raises(ConfigurationError, match=f"this process may have {hard} files open"):
            allow_files(connections, ports)
    else:
        assert allow_files(connections, ports) == allowed
        assert limits[-1] == (soft, hard)


def test_a_start_that_no_fleet_could_have_is_refused(cosem: Cosem) -> None:
    ran = cosem("fleet", "--start", "0001-01-01T00:00:00+1400")
    assert ran.code == 64
    assert "--start: expected a time in the years 1900 to 2999, not in 1" in " ".join(ran.err.split())


def test_all_faults_of_a_file_are_said(cosem: Cosem, tmp_path: Path) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text('[[meters]]\ncount = 0\nkind = "toaster"\n')
    ran = cosem("fleet", str(path))
    assert ran.code == 64
    assert [line.partition("1: ")[2].partition(":")[0] for line in ran.err.splitlines()] == ["", "count", "kind"]
    assert ran.err.splitlines()[1].startswith(f"  {path}: [[meters]] 1: count: ")


def test_an_inventory_has_the_places_of_a_file(cosem: Cosem, tmp_path: Path) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text('[[meters]]\ncount = 2\nplace = "gateway"\nbehind = 2\nlisten = "tcp://127.9.0.0:4059"\n')
    ran = cosem("fleet", str(path), "--inventory", str(tmp_path / "fleet.csv"))
    assert ran.code == 0
    rows = (tmp_path / "fleet.csv").read_text().splitlines()
    assert len(rows) == 3
    assert "gateway=0:00000001" in rows[2]


@pytest.mark.parametrize(("port", "said"), [("0", True), ("4059", False)])
def test_an_inventory_of_ports_that_are_not_found_yet_says_so(
    cosem: Cosem, port: str, said: bool, tmp_path: Path
) -> None:
    words = ("--listen", f"tcp://127.1.0.0:{port}", "--inventory", str(tmp_path / "fleet.csv"))
    ran = cosem("fleet", "--count", "2", *words)
    assert ran.code == 0
    assert ("ports that are 0" in ran.err) is said


@pytest.mark.parametrize(("raw", "code"), [(1, 0), (2, 1)])
def test_a_comparison_ends_by_what_was_found(cosem: Cosem, raw: int, code: int, tmp_path: Path) -> None:
    with create(tmp_path / "day.jsonl") as ledger:
        ledger.record(Answer(NOW, "KFM1", 1, "3/1.0.1.8.0.255/2", "0600000001"))
    with ReadingStore(tmp_path / "store.sqlite") as store:
        column = CaptureObject(3, Obis("1.0.1.8.0.255"), 2)
        store.add([Reading(meter="KFM1", column=column, time=NOW, raw=raw)])
    ran = cosem("fleet", "compare", str(tmp_path / "day.jsonl"), str(tmp_path / "store.sqlite"))
    assert ran.code == code
    assert f"1 meters compared: {1 - code} values right, 0 lost, {code} wrong" in ran.err
    assert ("stored is 2, true is 1" in ran.out) is bool(code)


def test_a_comparison_tells_who_misbehaves(cosem: Cosem, tmp_path: Path) -> None:
    with create(tmp_path / "day.jsonl") as ledger:
        for meter in ("KFM1", "KFM2"):
            ledger.record(Answer(NOW, meter, 1, "3/1.0.1.8.0.255/2", "0600000001"))
        for meter in ("KFM1", "KFM3"):
            ledger.record(Faulty(NOW, meter, "seed=3 loss=0.1"))
    with ReadingStore(tmp_path / "store.sqlite") as store:
        column = CaptureObject(3, Obis("1.0.1.8.0.255"), 2)
        store.add([Reading(meter=meter, column=column, time=NOW, raw=2) for meter in ("KFM1", "KFM2")])
    words = ("fleet", "compare", str(tmp_path / "day.jsonl"), str(tmp_path / "store.sqlite"))
    ran = cosem(*words)
    assert "2 meters misbehave, 1 of the 2 of whom something is not as it should be" in ran.err
    rows = {row.split()[0]: row for row in ran.out.splitlines() if row.startswith("KFM")}
    assert ["loss=0.1" in rows[meter] for meter in ("KFM1", "KFM2")] == [True, False]
    assert json.loads(cosem(*words, "--json").out)["misbehaving"] == dict.fromkeys(("KFM1", "KFM3"), "seed=3 loss=0.1")


def test_a_comparison_counts_meters_and_their_logical_devices(cosem: Cosem, tmp_path: Path) -> None:
    with create(tmp_path / "day.jsonl") as ledger:
        for number in range(3):
            for name in (name_of(number), name_of(number, 1)):
                ledger.record(Answer(NOW, name, 1, "3/1.0.1.8.0.255/2", "0600000001"))
                if number:
                    ledger.record(Faulty(NOW, name, "loss=0.1"))
    with ReadingStore(tmp_path / "store.sqlite") as store:
        column = CaptureObject(3, Obis("1.0.1.8.0.255"), 2)
        wrong = (name_of(0), name_of(1), name_of(1, 1))
        store.add([Reading(meter=name, column=column, time=NOW, raw=2) for name in wrong])
    words = ("fleet", "compare", str(tmp_path / "day.jsonl"), str(tmp_path / "store.sqlite"))
    ran = cosem(*words)
    assert "3 meters with 6 logical devices compared: 0 values right" in ran.err
    assert "2 meters misbehave, 2 of the 3 of whom something is not as it should be" in ran.err
    said = json.loads(cosem(*words, "--json").out)
    assert (said["meters"], said["logical_devices"]) == (3, 6)
    found = [(each["meter"], each["logical_device"]) for each in said["findings"] if each["finding"] == "wrong"]
    assert found == [(meter_of(name), name) for name in sorted(wrong)]


@pytest.mark.parametrize("captured", [True, False])
def test_a_comparison_says_what_it_cannot_judge(cosem: Cosem, captured: bool, tmp_path: Path) -> None:
    column, profile, day = CaptureObject(3, Obis("1.0.1.8.0.255"), 2), Obis("1.0.99.1.0.255"), timedelta(days=1)
    with create(tmp_path / "day.jsonl") as ledger:
        if captured:
            ledger.record(Measured(NOW, "KFM1", str(profile), str(column), 1))
    with ReadingStore(tmp_path / "store.sqlite") as store:
        times = (NOW - 2 * day, NOW - day, NOW)
        store.add([Reading(meter="KFM1", column=column, time=each, raw=1, profile=profile) for each in times])
    words = ("fleet", "compare", str(tmp_path / "day.jsonl"), str(tmp_path / "store.sqlite"))
    ran, said = cosem(*words), json.loads(cosem(*words, "--json").out)
    count, has, span = (2, f"from {NOW} to {NOW}", NOW.isoformat()) if captured else (3, "nothing", None)
    assert f"notice: {count} values are not judged, for of what profiles captured the ledger has {has}" in ran.err
    assert (said["right"], said["not_judged"]) == (3 - count, count)
    assert (said["judged_since"], said["judged_until"]) == (span, span)


@pytest.mark.parametrize("late", ["inf", "1e300", "-1"])
def test_a_time_that_no_value_could_be_late_by_is_refused(cosem: Cosem, late: str, tmp_path: Path) -> None:
    create(tmp_path / "day.jsonl").close()
    ReadingStore(tmp_path / "store.sqlite").close()
    ran = cosem("fleet", "compare", str(tmp_path / "day.jsonl"), str(tmp_path / "store.sqlite"), "--late", late)
    assert ran.code == 64
    assert "--late" in ran.err


def test_a_ledger_that_is_not_there_is_said(cosem: Cosem, tmp_path: Path) -> None:
    ran = cosem("fleet", "compare", str(tmp_path / "none"), str(tmp_path / "none"))
    assert ran.code == 64
    assert "no such file" in ran.err
