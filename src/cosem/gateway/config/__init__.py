"""The configuration of the gateway: two tables, Devices and Signals, read from wherever they are kept, and checked.

configuration = read(Path("gateway.xlsx"))
for fault in configuration.faults:
    print(fault)                      # sheet, row, column, value, and what is allowed
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from cosem.gateway.config.book import Book, Unreadable
from cosem.gateway.config.check import TABLES, check, unreadable
from cosem.gateway.config.configuration import (
    Configuration,
    Device,
    DlmsJob,
    ElgamaJob,
    Iec21Job,
    Job,
    OutputRow,
    Settings,
    Signal,
    Source,
    Verb,
    Writing,
)
from cosem.gateway.config.finding import DriverName, Fault, Notice, Place
from cosem.gateway.config.parameters import DlmsParameters, ElgamaParameters, Iec21Parameters, Parameters
from cosem.gateway.config.reference import Reference
from cosem.gateway.config.texts import read_folder, read_json, read_toml
from cosem.gateway.config.workbook import read_workbook

__all__ = [
    "Configuration",
    "Device",
    "DlmsJob",
    "DlmsParameters",
    "DriverName",
    "ElgamaJob",
    "ElgamaParameters",
    "Fault",
    "Iec21Job",
    "Iec21Parameters",
    "Job",
    "Notice",
    "OutputRow",
    "Parameters",
    "Place",
    "Reference",
    "Settings",
    "Signal",
    "Source",
    "Verb",
    "Writing",
    "read",
]


_FORMS: Final[Mapping[str, Callable[[Path, frozenset[str]], Book]]] = MappingProxyType(
    {".xlsx": read_workbook, ".json": read_json, ".toml": read_toml}
)


def read(path: Path) -> Configuration:
    """Read and check a configuration: an .xlsx, .json or .toml file, or the folder of devices.csv and signals.csv.

    Whatever is wrong with it is a fault of the result. Raises ConfigurationError where a package for it is missing.
    """
    try:
        return check(_book(path))
    except Unreadable as refused:
        return unreadable(path, str(refused))


def _book(path: Path) -> Book:
    if path.is_dir():
        return read_folder(path, TABLES)
    if path.suffix.lower() == ".csv":  # one of the files of a folder
        return read_folder(path.parent, TABLES)
    form = _FORMS.get(path.suffix.lower())
    if form is None:
        raise Unreadable(f"a configuration is a folder of CSV files, or a file with {', '.join(_FORMS)}")
    return form(path, TABLES)
