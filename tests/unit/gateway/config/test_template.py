"""The template: it passes its own check, explains each column, and shows how each kind of meter is mapped."""

from __future__ import annotations

from pathlib import Path

import pytest
from openpyxl import load_workbook

from cosem.errors import ConfigurationError
from cosem.gateway.config import DriverName, ElgamaParameters, read
from cosem.gateway.config.columns import DEVICES, SIGNALS
from cosem.gateway.config.template import write_template


@pytest.fixture(params=["gateway.xlsx", "plant"])
def template(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / request.param
    write_template(path)
    return path


def test_a_template_passes_its_own_check(template: Path) -> None:
    found = read(template)
    assert found.faults == ()
    assert [each.alias for each in found.devices if each.enabled] == ["demo"]
    assert [each.kind for each in found.outputs if each.enabled] == ["csv"]


def test_both_forms_say_the_same(tmp_path: Path) -> None:
    write_template(tmp_path / "gateway.xlsx")
    write_template(tmp_path / "plant")
    one, other = read(tmp_path / "gateway.xlsx"), read(tmp_path / "plant")
    assert (one.devices, one.signals, one.outputs, one.ports) == (
        other.devices,
        other.signals,
        other.outputs,
        other.ports,
    )


def test_there_is_a_worked_example_for_each_kind_of_meter(template: Path) -> None:
    found = read(template)
    assert {each.driver for each in found.devices} == set(DriverName)
    models = {
        each.parameters.meter_model: found.signals_of(each)
        for each in found.devices
        if isinstance(each.parameters, ElgamaParameters)
    }
    assert sorted(models) == [0, 1, 2, 3]
    assert all(models.values())


def test_iec_62056_21_is_written_with_300_7e1(template: Path) -> None:
    local = next(each for each in read(template).devices if each.driver is DriverName.IEC21)
    assert local.parameters.url().line == (300, "7E1")


def test_a_workbook_has_a_comment_at_each_heading_and_offers_words(tmp_path: Path) -> None:
    write_template(tmp_path / "g.xlsx")
    book = load_workbook(tmp_path / "g.xlsx")
    assert book.sheetnames == ["Devices", "Signals", "Outputs", "Ports", "Settings", "Help"]
    for name, tables in (("Devices", DEVICES), ("Signals", SIGNALS)):
        sheet = book[name]
        headings = {cell.value: cell for cell in sheet[1]}
        assert set(headings) == {column.name for table in tables.values() for column in table}
        assert all(cell.comment is not None and cell.comment.text for cell in headings.values())
        for table in tables.values():
            for column in table:
                assert column.kind.allowed in headings[column.name].comment.text
    offered = {rule.formula1 for rule in book["Devices"].data_validations.dataValidation}
    assert '"SN,LN,A,B,C"' in offered
    assert '"DLMS,IEC 62056-21,Elgama"' in offered


def test_cells_are_kept_as_text_so_that_no_obis_code_becomes_a_date(tmp_path: Path) -> None:
    write_template(tmp_path / "g.xlsx")
    sheet = load_workbook(tmp_path / "g.xlsx")["Signals"]
    column = next(cell for cell in sheet[1] if cell.value == "tag_job_todo")
    assert sheet.column_dimensions[column.column_letter].number_format == "@"
    assert all(row[column.column - 1].number_format == "@" for row in sheet.iter_rows(min_row=2))


def test_nothing_is_written_over_unless_it_is_said(template: Path) -> None:
    with pytest.raises(ConfigurationError, match="there already"):
        write_template(template)
    write_template(template, replace=True)


def test_other_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"file\.xlsx, or a folder"):
        write_template(tmp_path / "gateway.json")
