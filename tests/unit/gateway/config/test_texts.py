"""CSV, JSON and TOML: how they are written in the field, and what cannot be read."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import gateway_tables as tables
from cosem.gateway.config import Configuration, read
from cosem.gateway.config.book import USUAL, Unreadable
from cosem.gateway.config.check import TABLES
from cosem.gateway.config.finding import ALL_DRIVERS
from cosem.gateway.config.texts import octets_of, read_folder, read_json, read_toml

NAMES = {"devices": tables.DEVICES, "signals": tables.SIGNALS, "outputs": (tables.OUTPUT,)}


def text_of(rows: tables.Rows, separator: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows(tables.grid(rows))
    return text.getvalue()


def folder(path: Path, separator: str = ",", encoding: str = "utf-8", **rows: Any) -> Path:
    for name, own in (NAMES | rows).items():
        (path / f"{name}.csv").write_bytes(text_of(own, separator).encode(encoding))
    return path


def sound(found: Configuration) -> bool:
    return found.faults == () and len(found.devices) == 3 and len(found.signals) == 3


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_separators_and_marks_of_spreadsheets(separator: str, encoding: str, tmp_path: Path) -> None:
    found = read(folder(tmp_path, separator, encoding))
    assert sound(found)
    assert found.devices == read(tmp_path / "devices.csv").devices, "one of the files stands for its folder"


def test_names_of_files_are_matched_in_any_case_and_the_first_line_may_name_the_separator(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "devices.csv").unlink()
    (tmp_path / "DEVICES.CSV").write_text("sep=;\n" + text_of(tables.DEVICES, ";"))
    found = read(tmp_path)
    assert sound(found)
    assert found.devices[0].row == 3


def test_text_of_an_older_windows_is_read_and_said(tmp_path: Path) -> None:
    found = read(folder(tmp_path, encoding="cp1252", devices=[tables.DLMS | {"name": "Zähler"}, *tables.DEVICES[1:]]))
    assert sound(found)
    assert found.devices[0].name == "Zähler"
    assert any("Windows-1252" in each.text for each in found.warnings)


@pytest.mark.parametrize("number", ["11.0", "11,0", "11", " 11 ", "\u00a011"])
def test_numbers_in_csv_may_look_like_those_of_a_spreadsheet(number: str, tmp_path: Path) -> None:
    found = read(folder(tmp_path, ";", devices=[tables.DLMS | {"client_address": number}, *tables.DEVICES[1:]]))
    assert sound(found)
    assert found.devices[0].parameters.client_address == 0x11  # type: ignore[union-attr]


def test_a_serial_number_that_was_rounded_is_refused(tmp_path: Path) -> None:
    found = read(folder(tmp_path, devices=[tables.DLMS | {"serial_number": "2.14142E+07"}, *tables.DEVICES[1:]]))
    assert tables.faults(found) == [("Devices", 2, "serial_number")]


@pytest.mark.parametrize(
    "text", ['name\n"open', "a,a\n1,2\n", "\n\n", "name\n\0\n", f"name\n{'x' * 200_000}\n", '"a"b,c\n1,2\n']
)
def test_what_is_no_csv_stops_everything(text: str, tmp_path: Path) -> None:
    (folder(tmp_path) / "devices.csv").write_text(text)
    found = read(tmp_path)
    assert found.stopped == ALL_DRIVERS or found.faults
    assert found.devices == ()
    assert any(each.place.sheet == "Devices" for each in found.faults)


def test_rows_that_are_longer_and_shorter_than_the_headings(tmp_path: Path) -> None:
    lines = text_of(tables.DEVICES).splitlines()
    lines[1] += ",,stray"
    lines[2] = lines[2].rstrip(",")
    (folder(tmp_path) / "devices.csv").write_text("\n".join(lines))
    found = read(tmp_path)
    assert sound(found)
    assert any("'stray' stands under no heading" in each.text for each in found.warnings)


def test_toml(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(
        """
        [ports]
        PORT1 = "/dev/ttyS3"
        [settings]
        buffer_mb = 7
        [[devices]]
        name = "Main meter"
        device_alias = "meter1"
        protocol = "dlms"
        client_address = "10"
        mode = "DLMS"
        device = "port1"
        enable = true
        [[signals]]
        signal_name = "Energy"
        device_alias = "meter1"
        signal_alias = "e"
        obis_job = "1-0:1.8.0"
        multiply = 0.001
        [[outputs]]
        kind = "csv"
        address = "values.csv"
        """
    )
    found = read(path)
    assert found.faults == ()
    assert found.devices[0].parameters.device == "/dev/ttyS3"
    assert str(found.signals[0].multiply) == "0.001"
    assert found.settings.buffer_mb == 7


@pytest.mark.parametrize(
    ("suffix", "text", "why"),
    [
        (".json", "", "no JSON"),
        (".json", "[]", "no object"),
        (".json", '{"devices": 1, "signals": []}', "no list of rows"),
        (".json", '{"devices": [1], "signals": []}', "row 1 is no object"),
        (".json", '{"devices": [{"name": 1, "name": 2}], "signals": []}', "there twice"),
        (".json", '{"devices": [{"name": 1, "NAME": 2}], "signals": []}', "a column twice"),
        (".json", '{"devices": [], "Devices": [], "signals": []}', "there twice"),
        (".json", "[" * 100_000, "no JSON"),
        (".json", '{"devices": ' + "9" * 10_000 + "}", ""),
        (".toml", "[[devices]", "no TOML"),
        (".toml", "a = " + "[" * 100_000, "no TOML"),
        (".toml", "devices = 1", "no list of rows"),
        (".yaml", "", "a configuration is"),
    ],
)
def test_what_cannot_be_read_is_said(suffix: str, text: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / f"gateway{suffix}"
    path.write_text(text)
    found = read(path)
    assert found.devices == ()
    assert found.stopped == ALL_DRIVERS
    assert any(why in each.reason for each in found.faults)


@pytest.mark.parametrize("suffix", [".json", ".toml"])
def test_what_is_no_utf8_is_said(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"gateway{suffix}"
    path.write_bytes(b'{"a": "\xff"}')
    assert "no UTF-8" in read(path).faults[0].reason


@pytest.mark.parametrize("name", ["nowhere.json", "nowhere.toml", "nowhere.xlsx", "nowhere.csv"])
def test_what_is_not_there_is_said(name: str, tmp_path: Path) -> None:
    found = read(tmp_path / "none" / name)
    assert found.stopped == ALL_DRIVERS
    assert "No such file" in found.faults[0].reason


@pytest.mark.parametrize(
    ("value", "taken"), [(16, True), (16.0, True), (1e300, False), ([1], False), ({}, False), (None, False)]
)
def test_values_of_other_types(value: Any, taken: bool, tmp_path: Path) -> None:
    found = tables.configured(tmp_path, [tables.DLMS | {"client_address": value}], [tables.DLMS_SIGNAL])
    assert (tables.faults(found) == []) is taken
    assert taken or tables.faults(found) == [("Devices", 1, "client_address")]


@pytest.mark.parametrize("text", ["1e999999999", "-1e999999999", "NaN", "Infinity", "1e-999999999"])
def test_numbers_without_an_end_end(text: str, tmp_path: Path) -> None:
    path = tmp_path / "gateway.json"
    path.write_text(json.dumps({"devices": [tables.DLMS | {"timeout_ms": "X"}], "signals": []}).replace('"X"', text))
    assert tables.faults(read(path)) == [("Devices", 1, "timeout_ms")]


def test_an_unknown_table_is_said_and_not_read(tmp_path: Path) -> None:
    found = tables.configured(tmp_path, device=[])
    assert found.faults == ()
    assert any(each.place.sheet == "Device" for each in found.warnings)


# --- bounds --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("octets", "refused"), [(10, False), (9, True)])
def test_a_file_is_bounded(octets: int, refused: bool, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(10))
    limits = replace(USUAL, file_octets=octets)
    if refused:
        with pytest.raises(Unreadable, match="MiB"):
            octets_of(path, limits)
    else:
        assert octets_of(path, limits) == bytes(10)


@pytest.mark.parametrize(("bound", "least"), [("rows", 3), ("columns", 12)])
def test_tables_are_bounded(bound: str, least: int, tmp_path: Path) -> None:
    assert len(tables.grid(tables.DEVICES)[0]) == 10
    tables.configured(tmp_path, [dict.fromkeys(map(str, range(12)), 1)] * 3, [])
    for step in (0, -1):
        limits = replace(USUAL, **{bound: least + step})
        found = [each.text for each in read_json(tmp_path / "gateway.json", TABLES, limits).reported if each.fatal]
        assert bool(found) is (step < 0)
    lines = "\n".join(",".join(map(str, range(12))) for _ in range(4))
    (tmp_path / "devices.csv").write_text(lines)
    for step in (0, -1):
        limits = replace(USUAL, **{bound: least + step})
        found = [each.text for each in read_folder(tmp_path, TABLES, limits).reported if each.fatal]
        assert bool(found) is (step < 0)


def test_toml_has_the_same_bounds(tmp_path: Path) -> None:
    path = tmp_path / "g.toml"
    path.write_text("[[devices]]\nname = 1\n" * 3)
    assert not read_toml(path, TABLES, replace(USUAL, rows=3)).reported
    assert read_toml(path, TABLES, replace(USUAL, rows=2)).reported[0].fatal
