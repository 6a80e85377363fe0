"""The page of the gateway's tables is what the columns say."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cosem.gateway.config import OutputRow
from cosem.gateway.config.columns import OUTPUT_KINDS
from cosem.gateway.outputs import MAKERS, Options

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_current() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "gateway_tables.py"))
    written = tool["DOCUMENT"].read_text("utf-8").partition(tool["BEGIN"])[2]
    assert written == tool["tables"](), "make docs"


class Noted(Options):
    """Options that note what was asked for."""

    def __init__(self, row: OutputRow) -> None:
        super().__init__(row)
        self.asked: set[str] = set()

    def take(self, name: str, read: Callable[[str], Any], default: Any) -> Any:
        self.asked.add(name)
        return super().take(name, read, default)


@pytest.mark.parametrize("kind", OUTPUT_KINDS)
def test_the_options_of_each_output_are_told(kind: str) -> None:
    text = (ROOT / "docs" / "gateway.md").read_text("utf-8")
    options = dict(re.findall(r"^\| `(\w+)` \|[^|]*\|(.*)\|$", text, re.MULTILINE))[kind]
    told = set(re.findall(r"`(\w+)`", options))
    if "those of mqtt" in options:
        told |= {"prefix", "retain", "qos", "client_id", "keepalive", "timeout", "retry"}
    row = OutputRow(kind=kind, name=kind, address="127.0.0.1:1")
    asked = Noted(row)
    MAKERS[kind](row, asked)
    assert told == asked.asked
