"""The page of the gateway's tables is what the columns say."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_current() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "gateway_tables.py"))
    written = tool["DOCUMENT"].read_text("utf-8").partition(tool["BEGIN"])[2]
    assert written == tool["tables"](), "make docs"
