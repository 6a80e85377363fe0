"""Configurations of the gateway for tests: rows that are sound, and files made of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cosem.gateway.config import Configuration, read

Rows = Sequence[Mapping[str, Any]]

DLMS = {
    "name": "Main meter",
    "device_alias": "meter1",
    "protocol": "DLMS",
    "client_address": "10",
    "mode": "DLMS-HDLC",
    "device": "/dev/ttyUSB0",
}
IEC21 = {
    "name": "Local meter",
    "device_alias": "local1",
    "protocol": "IEC 62056-21",
    "serialnumber": "1",
    "device": "/dev/ttyUSB1",
}
ELGAMA = {
    "name": "Elgama meter",
    "device_alias": "gama1",
    "protocol": "Elgama",
    "device": "/dev/ttyUSB2",
    "timeout_ms": "3000",
    "id": "2141421",
    "meter_model": "2",
}
OUTPUT = {"kind": "csv", "address": "values.csv"}

DLMS_SIGNAL = {
    "signal_name": "Energy",
    "device_alias": "meter1",
    "signal_alias": "meter1.energy",
    "obis_job": "1.0.1.8.0.255",
}
IEC21_SIGNAL = {
    "signal_name": "Energy",
    "device_alias": "local1",
    "signal_alias": "local1.energy",
    "number_type": "FLOAT",
    "tag_job_todo": "1.8.0*24",
}
ELGAMA_SIGNAL = {
    "signal_name": "Energy",
    "device_alias": "gama1",
    "signal_alias": "gama1.energy",
    "number_type": "FLOAT",
    "job_todo": "registers",
    "tag_job_todo": "1.8.0",
}
DEVICES = (DLMS, IEC21, ELGAMA)
SIGNALS = (DLMS_SIGNAL, IEC21_SIGNAL, ELGAMA_SIGNAL)


def configured(
    folder: Path, devices: Rows = DEVICES, signals: Rows = SIGNALS, outputs: Rows = (OUTPUT,), **tables: Any
) -> Configuration:
    """Return what comes of these tables, by way of a JSON file."""
    path = folder / "gateway.json"
    path.write_text(json.dumps({"devices": devices, "signals": signals, "outputs": outputs, **tables}))
    return read(path)


def faults(configuration: Configuration) -> list[tuple[str, int, str]]:
    """Return sheet, row and column of every fault."""
    return [(each.place.sheet, each.place.row, each.place.column) for each in configuration.faults]


def told(configuration: Configuration, column: str) -> list[str]:
    """Return all notices of a column."""
    return [each.text for each in configuration.notices if each.place.column == column]


def grid(rows: Rows) -> list[list[Any]]:
    """Return headings and rows as a sheet has them."""
    headings = list(dict.fromkeys(name for row in rows for name in row))
    return [headings, *([row.get(name) for name in headings] for row in rows)]


def workbook(path: Path, sheets: Mapping[str, Iterable[Sequence[Any]]]) -> Path:
    """Write a workbook of rows as they are."""
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    book.save(path)
    return path
