"""`cosem gateway import`: Signals from the object list of a meter, and from a readout with its literal texts."""

from __future__ import annotations

import csv
import socket
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import gateway_tables as tables

Cosem = Callable[..., Any]


def rows(ran: Any) -> dict[str, dict[str, str]]:
    return {row["signal_alias"]: row for row in csv.DictReader(StringIO(ran.out))}


def test_the_object_list_of_a_meter(cosem: Cosem, served: Any) -> None:
    ran = cosem("gateway", "import", served.wrapper, "--alias", "main")
    assert ran.code == 0, ran.err
    energy = rows(ran)["main.1.0.1.8.0.255"]
    assert {name: text for name, text in energy.items() if text} == {
        "signal_name": "Active energy import",
        "device_alias": "main",
        "signal_alias": "main.1.0.1.8.0.255",
        "enable": "1",
        "log": "0",
        "number_type": "DOUBLE",
        "obis_job": "1.0.1.8.0.255",
        "class_id": "3",
        "units": "Wh",
        "profile": "1.0.99.1.0.255",
    }
    plain = rows(ran)["main.1.0.2.8.0.255"]
    assert (plain["obis_job"], plain["class_id"], plain["number_type"]) == ("1.0.2.8.0.255:2", "1", "UNSIGNED64")
    assert "main.1.0.99.1.0.255" not in rows(ran), "a profile is no signal"
    assert "signals of device main" in ran.err


def test_what_is_imported_passes_the_check(cosem: Cosem, served: Any, tmp_path: Path) -> None:
    ran = cosem("gateway", "import", served.wrapper, "--alias", "meter1", "--json")
    found = tables.configured(tmp_path, [tables.DLMS], ran.json)
    assert found.faults == ()
    assert len(found.signals) == len(ran.json) > 3


def test_only_some_objects_and_no_values(cosem: Cosem, served: Any) -> None:
    ran = cosem("gateway", "import", served.wrapper, "--only", "1-*:1.8.0", "--no-values")
    (row,) = rows(ran).values()
    assert (row["obis_job"], row["number_type"], row["units"]) == ("1.0.1.8.0.255", "", "")
    assert len(rows(cosem("gateway", "import", served.wrapper, "--only", "1-*:1.8.0"))) == 1


def test_a_readout_with_its_literal_texts(cosem: Cosem, local: str, tmp_path: Path) -> None:
    ran = cosem("gateway", "import", local, "--alias", "local1", "--json")
    assert ran.code == 0, ran.err
    tags = [each["tag_job_todo"] for each in ran.json]
    assert "0-0:42.0.0" in tags
    assert all("obis_job" not in each for each in ran.json)
    found = tables.configured(tmp_path, [tables.IEC21], ran.json)
    assert found.faults == ()
    assert [each.job.tag for each in found.signals] == tags  # type: ignore[union-attr]


def test_a_new_file_is_written_and_no_old_one_over(cosem: Cosem, served: Any, tmp_path: Path) -> None:
    path = tmp_path / "signals.csv"
    ran = cosem("gateway", "import", served.wrapper, "-o", path)
    assert (ran.code, ran.out) == (0, "")
    assert "signal_name,device_alias" in path.read_text()
    assert cosem("gateway", "import", served.wrapper, "-o", path).code == 64
    assert cosem("gateway", "import", served.wrapper, "-o", tmp_path / "signals.txt").code == 64


def test_options_that_do_not_go_together(cosem: Cosem) -> None:
    assert cosem("gateway", "import", "iec21+tcp://127.0.0.1:1", "--only", "1.8.0").code == 64


def test_a_meter_that_is_not_there(cosem: Cosem) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and it does not listen
        refusing = bound.getsockname()[1]
        ended(cosem, refusing)


def ended(cosem: Cosem, refusing: int) -> None:
    for url in (f"tcp://127.0.0.1:{refusing}", f"iec21+tcp://127.0.0.1:{refusing}"):
        ran = cosem("gateway", "import", url)
        assert ran.code == 2, ran.everything
