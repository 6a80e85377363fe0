"""Workbooks, friendly and hostile: what is read, what is refused where it stands, and what is bounded."""

from __future__ import annotations

import re
import zipfile
from dataclasses import replace
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

import gateway_tables as tables
from cosem.gateway.config import Configuration, read
from cosem.gateway.config.book import USUAL, Limits, Unreadable
from cosem.gateway.config.check import TABLES
from cosem.gateway.config.finding import ALL_DRIVERS
from cosem.gateway.config.workbook import read_workbook


def written(path: Path, **sheets: Any) -> Path:
    """Write a sound workbook, with rows of these sheets in place of its own."""
    own = {"Devices": tables.DEVICES, "Signals": tables.SIGNALS, "Outputs": (tables.OUTPUT,)} | sheets
    return tables.workbook(path / "gateway.xlsx", {name: tables.grid(rows) for name, rows in own.items()})


def checked(path: Path, **sheets: Any) -> Configuration:
    return read(written(path, **sheets))


def altered(path: Path, part: str, change: Any) -> None:
    """Change one part of a workbook."""
    with zipfile.ZipFile(path) as packed:
        parts = {each: packed.read(each) for each in packed.namelist()}
    parts[part] = change(parts[part])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, octets in parts.items():
            packed.writestr(name, octets)


def test_a_workbook_says_the_same_as_the_same_tables_elsewhere(tmp_path: Path) -> None:
    found, other = checked(tmp_path), tables.configured(tmp_path)
    assert found.faults == ()
    assert [(each.alias, each.parameters) for each in found.devices] == [
        (each.alias, each.parameters) for each in other.devices
    ]
    assert [each.job for each in found.signals] == [each.job for each in other.signals]


def test_a_fault_names_sheet_row_column_and_value_as_the_spreadsheet_shows_them(tmp_path: Path) -> None:
    rows = [tables.DLMS, tables.IEC21 | {"t2": 199}, tables.ELGAMA]
    (fault,) = checked(tmp_path, Devices=rows).faults
    assert (fault.place.sheet, fault.place.row, fault.place.column, fault.place.value) == ("Devices", 3, "t2", "199")
    assert fault.allowed == "a whole number from 200 to 1500"


@pytest.mark.parametrize(("value", "text"), [(11.0, "11"), (11, "11"), ("11", "11"), (" 11\u00a0", "11")])
def test_numbers_may_be_floats_or_text(value: Any, text: str, tmp_path: Path) -> None:
    found = checked(tmp_path, Devices=[tables.DLMS | {"client_address": value}, *tables.DEVICES[1:]])
    assert found.faults == ()
    assert found.devices[0].parameters.client_address == 0x11  # type: ignore[union-attr]


def test_true_and_false_of_the_spreadsheet_are_1_and_0(tmp_path: Path) -> None:
    rows = [tables.DLMS | {"enable": False}, tables.IEC21 | {"enable": True}, tables.ELGAMA]
    found = checked(tmp_path, Devices=rows)
    assert [each.enabled for each in found.devices] == [False, True, True]


@pytest.mark.parametrize("value", [date(2008, 8, 1), datetime(2000, 8, 1), time(1, 8, 0)])
def test_an_obis_code_that_became_a_date_is_said_to_be_one(value: Any, tmp_path: Path) -> None:
    rows = [tables.DLMS_SIGNAL, tables.IEC21_SIGNAL | {"tag_job_todo": value}, tables.ELGAMA_SIGNAL]
    found = checked(tmp_path, Signals=rows)
    (fault,) = found.faults
    assert (fault.place.row, fault.place.column) == (3, "tag_job_todo")
    assert "format Text" in fault.reason
    assert [each.value for each in fault.stops] == ["IEC 62056-21"]
    assert {each.alias for each in found.devices} == {"meter1", "gama1"}, "the other drivers go on"


@pytest.mark.parametrize(("value", "why"), [("=A2", "formula"), ("=1+1", "formula"), ("#REF!", "error")])
def test_formulas_and_errors_are_refused_where_they_stand(value: str, why: str, tmp_path: Path) -> None:
    found = checked(tmp_path, Devices=[tables.DLMS | {"timeout_ms": value}, *tables.DEVICES[1:]])
    (fault,) = found.faults
    assert why in fault.reason
    assert fault.place.column == "timeout_ms"


def test_spaces_and_marks_that_are_not_seen_are_taken_away_and_said(tmp_path: Path) -> None:
    rows = [tables.DLMS | {"device_alias": "\ufeffmeter1\u00a0", "name": "  Main "}, *tables.DEVICES[1:]]
    found = checked(tmp_path, Devices=rows)
    assert found.faults == ()
    assert (found.devices[0].alias, found.devices[0].name) == ("meter1", "Main")
    assert tables.told(found, "device_alias") == ["spaces or marks that are not seen were taken away"]
    assert tables.told(found, "name") == ["spaces around it were taken away"]


def test_merged_cells_are_refused_where_a_value_is_missing_for_it(tmp_path: Path) -> None:
    path = written(tmp_path, Devices=[{**each, "timeout_ms": 3000} for each in tables.DEVICES])
    book = load_workbook(path)
    column = next(cell.column_letter for cell in book["Devices"][1] if cell.value == "timeout_ms")
    book["Devices"].merge_cells(f"{column}2:{column}3")
    book.save(path)
    found = read(path)
    (fault,) = found.faults
    assert (fault.place.sheet, fault.place.row, fault.place.column) == ("Devices", 3, "timeout_ms")
    assert "merged" in fault.reason


def test_empty_rows_and_columns_do_not_count(tmp_path: Path) -> None:
    path = written(tmp_path)
    book = load_workbook(path)
    book["Devices"].insert_rows(1)
    book["Devices"].insert_rows(4)
    book["Devices"].insert_cols(3)
    book.save(path)
    found = read(path)
    assert found.faults == ()
    assert [each.row for each in found.devices] == [3, 5, 6]


def test_names_of_sheets_and_columns_are_matched_in_any_case(tmp_path: Path) -> None:
    grid = tables.grid(tables.DEVICES)
    grid[0] = [str(each).replace("_", " ").title() + " *" for each in grid[0]]
    sheets = {" devices ": grid, "SIGNALS": tables.grid(tables.SIGNALS), "outputs": tables.grid([tables.OUTPUT])}
    assert read(tables.workbook(tmp_path / "g.xlsx", sheets)).faults == ()


def test_a_column_that_nobody_knows_is_said_with_what_may_have_been_meant(tmp_path: Path) -> None:
    found = checked(tmp_path, Devices=[tables.DLMS | {"time_out_ms": 1}, *tables.DEVICES[1:]])
    (warning,) = [each for each in found.warnings if each.place.column == "time_out_ms"]
    assert "was timeout_ms meant?" in warning.text


def test_a_column_twice_stops_everything_that_is_in_the_sheet(tmp_path: Path) -> None:
    grid = tables.grid(tables.DEVICES)
    sheets = {"Devices": [[*row, row[0]] for row in grid], "Signals": tables.grid(tables.SIGNALS)}
    found = read(tables.workbook(tmp_path / "g.xlsx", sheets))
    assert found.faults[0].stops == ALL_DRIVERS
    assert "the column name is there twice" in found.faults[0].reason


def test_text_beside_the_table_is_not_read_and_said(tmp_path: Path) -> None:
    grid = [*tables.grid(tables.DEVICES)]
    grid[1] = [*grid[1], "note to self"]
    sheets = {"Devices": grid, "Signals": tables.grid(tables.SIGNALS)}
    found = read(tables.workbook(tmp_path / "g.xlsx", sheets))
    assert found.faults == ()
    assert any("'note to self' stands under no heading" in each.text for each in found.warnings)


@pytest.mark.parametrize("missing", ["Devices", "Signals"])
def test_without_a_sheet_nothing_starts(missing: str, tmp_path: Path) -> None:
    sheets = {"Devices": tables.grid(tables.DEVICES), "Signals": tables.grid(tables.SIGNALS)}
    del sheets[missing]
    found = read(tables.workbook(tmp_path / "g.xlsx", sheets))
    assert (found.stopped, found.devices) == (ALL_DRIVERS, ())
    assert any(each.place.sheet == missing for each in found.faults)


# --- bounds --------------------------------------------------------------------------------------------------------


def refusal(path: Path, limits: Limits) -> str:
    """Return why a workbook is not read, as a whole or one of its sheets; "" where it is."""
    try:
        book = read_workbook(path, TABLES, limits)
    except Unreadable as refused:
        return str(refused)
    return "; ".join(each.text for each in book.reported if each.fatal)


@pytest.mark.parametrize(("rows", "refused"), [(3, False), (2, True)])
def test_rows_are_bounded(rows: int, refused: bool, tmp_path: Path) -> None:
    said = refusal(written(tmp_path), replace(USUAL, rows=rows))
    assert bool(said) is refused
    assert not refused or "more than 2 rows" in said


def test_columns_are_bounded(tmp_path: Path) -> None:
    wide = len(tables.grid(tables.DEVICES)[0])
    assert refusal(written(tmp_path), replace(USUAL, columns=wide)) == ""
    assert f"more than {wide - 1} columns" in refusal(written(tmp_path), replace(USUAL, columns=wide - 1))


@pytest.mark.parametrize(("more", "refused"), [(0, False), (-1, True)])
def test_what_it_unpacks_to_is_bounded(more: int, refused: bool, tmp_path: Path) -> None:
    path = written(tmp_path)
    with zipfile.ZipFile(path) as packed:
        size = sum(each.file_size for each in packed.infolist())
        parts = len(packed.infolist())
    assert bool(refusal(path, replace(USUAL, unpacked_octets=size + more))) is refused
    assert bool(refusal(path, replace(USUAL, parts=parts + more))) is refused


@pytest.mark.parametrize(("rows", "refused"), [(3, False), (2, True)])
def test_merged_cells_are_bounded(rows: int, refused: bool, tmp_path: Path) -> None:
    path = written(tmp_path)
    book = load_workbook(path)
    book["Devices"].merge_cells("BA2:BB4")
    book.save(path)
    assert bool(refusal(path, replace(USUAL, merged_cells=rows))) is refused


@pytest.mark.parametrize(("characters", "refused"), [(4, False), (3, True)])
def test_a_cell_is_bounded(characters: int, refused: bool, tmp_path: Path) -> None:
    path = tables.workbook(tmp_path / "g.xlsx", {"Devices": [["name"], ["text"]]})
    row = read_workbook(path, TABLES, replace(USUAL, characters=max(characters, 4))).sheets["devices"].rows[0]
    assert row.cells["name"].unusable == ""
    path = tables.workbook(tmp_path / "g.xlsx", {"Devices": [["name"], ["texts"]]})
    found = read_workbook(path, TABLES, replace(USUAL, characters=characters + 1)).sheets["devices"].rows[0]
    assert bool(found.cells["name"].unusable) is refused


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = written(tmp_path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        packed.writestr("xl/media/bomb.xml", bytes(USUAL.unpacked_octets))
    assert path.stat().st_size < 4 << 20
    (fault,) = read(path).faults
    assert "MiB are the most" in fault.reason
    assert fault.stops == ALL_DRIVERS


def test_a_part_that_is_larger_than_it_declares_is_no_way_around_the_bound(tmp_path: Path) -> None:
    path = written(tmp_path)
    octets = path.read_bytes()
    with zipfile.ZipFile(path) as packed:
        info = packed.getinfo("xl/worksheets/sheet1.xml")
    declared = info.file_size.to_bytes(4, "little")
    path.write_bytes(octets.replace(declared, (10).to_bytes(4, "little")))
    assert read(path).stopped == ALL_DRIVERS


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_not_expanded(encoding: str, tmp_path: Path) -> None:
    path = written(tmp_path)
    laughs = "".join(f'<!ENTITY l{each} "{f"&l{each - 1};" * 10}">' for each in range(1, 12))
    bomb = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]><x>&l11;</x>'
    altered(path, "xl/worksheets/sheet1.xml", lambda _: bomb.encode(encoding))
    (fault,) = read(path).faults
    assert "declares entities" in fault.reason


def test_a_sheet_that_claims_to_be_giant_costs_nothing(tmp_path: Path) -> None:
    path = written(tmp_path)
    giant = b'<dimension ref="A1:XFD1048576"'
    altered(path, "xl/worksheets/sheet1.xml", lambda xml: re.sub(rb'<dimension ref="[A-Z0-9:]+"', giant, xml))
    with zipfile.ZipFile(path) as packed:
        assert giant in packed.read("xl/worksheets/sheet1.xml")
    assert read(path).faults == ()


def test_a_lone_value_in_the_last_row_of_a_spreadsheet_is_not_waited_for_and_that_is_said(tmp_path: Path) -> None:
    path = written(tmp_path)
    book = load_workbook(path)
    book["Devices"]["A1048576"] = "x"
    book.save(path)
    found = read(path)
    assert found.faults == ()
    assert any("what may follow is not read" in each.text for each in found.warnings)


@pytest.mark.parametrize(("empty", "read_on"), [(5, True), (4, False)])
def test_empty_rows_between_two_others_are_bounded(empty: int, read_on: bool, tmp_path: Path) -> None:
    rows = [["name"], ["first"], *([] for _ in range(5)), ["second"]]
    path = tables.workbook(tmp_path / "g.xlsx", {"Devices": rows})
    book = read_workbook(path, TABLES, replace(USUAL, empty_rows=empty))
    assert len(book.sheets["devices"].rows) == (2 if read_on else 1)
    assert bool(book.reported) is not read_on


@pytest.mark.parametrize(
    "octets",
    [b"", b"PK\x03\x04", b"not a workbook", bytes(1000), b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)],
)
def test_what_is_no_workbook_is_said_to_be_none(octets: bytes, tmp_path: Path) -> None:
    path = tmp_path / "gateway.xlsx"
    path.write_bytes(octets)
    (fault,) = read(path).faults
    assert "no workbook" in fault.reason


def test_a_zip_without_a_workbook_is_none(tmp_path: Path) -> None:
    path = tmp_path / "gateway.xlsx"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("hello.txt", "hello")
    (fault,) = read(path).faults
    assert "no workbook" in fault.reason


def test_any_octet_of_a_workbook_may_be_wrong(tmp_path: Path) -> None:
    """Whatever is wrong with a workbook is a fault, never a crash."""
    octets = bytearray(written(tmp_path).read_bytes())
    path = tmp_path / "damaged.xlsx"
    for at in range(0, len(octets), 97):
        damaged = bytearray(octets)
        damaged[at] ^= 0x55
        path.write_bytes(damaged)
        read(path)


@pytest.mark.parametrize(
    "part", ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/styles.xml", "[Content_Types].xml"]
)
def test_any_part_may_be_cut_short(part: str, tmp_path: Path) -> None:
    path = written(tmp_path)
    with zipfile.ZipFile(path) as packed:
        size = len(packed.read(part))
    for length in range(0, size, max(1, size // 12)):
        altered(path := written(tmp_path), part, lambda xml, length=length: xml[:length])
        assert read(path).faults
