"""For all tests: on any machine, in front or in the background, and with the marks of the interop matrix.

Those note the cells that a test answers; `--matrix` prints it.
"""

from __future__ import annotations

import gc
import json
import signal
from collections.abc import Generator
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings

from interop.matrix import Cell, cell, table, unasked

_NOTE: Final = "interop"

settings.register_profile("any machine", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Whoever runs the tests in the background has their commands started so, and they are told to end by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--matrix", action="store_true", help="print what works between us and which peer")
    parser.addoption("--cells", action="store_true", help="with --collect-only: print the cells that have tests")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "interop(feature, peer, role): a cell of the interop matrix that a test answers")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while tests are collected, nor ever among them: they are many, and all live to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


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
