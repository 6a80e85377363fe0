"""For all tests: the marks of the interop matrix, which note the cells a test answers; `--matrix` prints it."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from interop.matrix import Cell, cell, table, unasked

_NOTE: Final = "interop"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--matrix", action="store_true", help="print what works between us and which peer")
    parser.addoption("--cells", action="store_true", help="with --collect-only: print the cells that have tests")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "interop(feature, peer, role): a cell of the interop matrix that a test answers")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for mark in item.iter_markers(_NOTE):
            item.user_properties.append((_NOTE, list(cell(**mark.kwargs))))


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.getoption("--cells"):
        cells = {tuple(value) for item in session.items for name, value in item.user_properties if name == _NOTE}  # type: ignore[arg-type]
        print("CELLS", json.dumps(sorted(cells)))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if not config.getoption("--matrix"):
        return
    outcomes: dict[Cell, str] = {}
    for outcome, word in (("passed", "pass"), ("failed", "FAIL"), ("error", "FAIL")):
        for report in terminalreporter.stats.get(outcome, ()):
            for name, value in report.user_properties:
                if name == _NOTE and outcomes.get(Cell(*value)) != "FAIL":
                    outcomes[Cell(*value)] = word
    terminalreporter.write_line("")
    terminalreporter.write_line(table(outcomes))
    missing = unasked(outcomes)
    if missing:
        terminalreporter.write_line(f"\n{len(missing)} questions are neither asked nor explained.")
