"""The tables as data: they agree with the types that they fill, and with the command that reads Elgama tables."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

import pytest

from cosem.gateway.config.columns import DEVICES, OUTPUTS, PORTS, SETTINGS, SIGNALS, WHO, Column
from cosem.gateway.config.configuration import Settings
from cosem.gateway.config.elgama_jobs import DATA_SETS, short_name
from cosem.gateway.config.finding import DriverName
from cosem.gateway.config.parameters import DlmsParameters, ElgamaParameters, Iec21Parameters
from cosem.gateway.config.reference import Reference
from cosem.protocol.elgama import words as words_of_elgama

TYPES = {
    DriverName.DLMS: DlmsParameters,
    DriverName.IEC21: Iec21Parameters,
    DriverName.ELGAMA: ElgamaParameters,
}
ALL = [*DEVICES.values(), *SIGNALS.values(), OUTPUTS, PORTS, SETTINGS]


@pytest.mark.parametrize("driver", list(DriverName))
def test_each_column_of_a_device_has_its_field_with_the_same_default(driver: DriverName) -> None:
    defaults: dict[str, Any] = {each.name: each.default for each in fields(TYPES[driver])}
    for column in DEVICES[driver]:
        if column in WHO:
            continue
        default = defaults[column.name]
        if not column.required:
            assert default == (column.default if column.default is not None else default), column.name
            assert column.default is not None or default in (None, ""), column.name
        else:
            assert default in (MISSING, column.default) or column.default is None, column.name


def test_each_setting_has_its_field_with_the_same_default() -> None:
    assert {each.name: each.default for each in fields(Settings)} == {each.name: each.default for each in SETTINGS}


@pytest.mark.parametrize("table", ALL)
def test_names_are_unique_in_a_table_and_each_column_says_what_it_is(table: tuple[Column, ...]) -> None:
    names = [name for each in table for name in (each.name, *each.synonyms)]
    assert len(set(names)) == len(names)
    assert all(each.meaning and each.kind.allowed for each in table)


def test_what_a_default_is_may_be_written_out_too() -> None:
    for table in ALL:
        for column in table:
            if column.default not in (None, ""):
                assert column.kind.read(str(column.default)) == column.default, column.name


def test_data_sets_are_those_of_the_command_that_reads_them() -> None:
    for model, words in words_of_elgama._WORDS.items():
        assert {name: each.numbers for name, each in DATA_SETS[model].items()} == {
            name: each.numbers for name, each in words.items()
        }


def test_short_names_of_a_gama_300() -> None:
    """As independent readers of real meters have them."""
    assert (short_name("gama300", "16.7.0"), short_name("gama300", "1-0:1.8.1*255")) == (0x3A08, 0x0120)
    assert short_name("gama100", "0x1234") == 0x1234


def test_a_reference_is_shown_and_a_secret_is_not() -> None:
    assert str(Reference("env:NAME")) == "env:NAME"
    assert "hunter2" not in f"{Reference('hunter2')} {Reference('hunter2')!r}"
    assert str(Reference("file:/etc/key").file()) == "/etc/key"
