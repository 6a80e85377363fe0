"""The page of interface classes is what the registry says."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_current() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "classes.py"))
    written = tool["DOCUMENT"].read_text("utf-8").partition(tool["BEGIN"])[2]
    assert written == tool["tables"](), "make docs"
