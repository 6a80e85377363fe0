"""The interop matrix is whole: each cell has a test or a reason, never both, and the document tells the reasons."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from interop import matrix

ROOT = Path(__file__).resolve().parents[2]


def _tested() -> set[matrix.Cell]:
    command = [sys.executable, "-m", "pytest", "tests/interop", "--collect-only", "-qq", "--cells", "-p", "no:xdist"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    line = next((line for line in said.stdout.splitlines() if line.startswith("CELLS ")), None)
    assert line is not None, said.stdout + said.stderr
    return {matrix.Cell(*each) for each in json.loads(line.removeprefix("CELLS "))}


def test_every_question_is_asked_or_explained_and_never_both() -> None:
    asked = _tested()
    assert asked
    assert matrix.unasked(asked) == []
    assert sorted(asked & matrix.CANNOT.keys()) == []


def test_the_document_tells_the_reasons() -> None:
    assert matrix.DOCUMENT.read_text().partition(matrix.BEGIN)[2] == matrix.reasons()


def test_an_unknown_cell_is_refused() -> None:
    with pytest.raises(ValueError, match="no 'telepathy'"):
        matrix.cell("telepathy", "gurux-dlms", "client")


def test_the_table_says_what_failed_and_what_nobody_asked() -> None:
    text = matrix.table({matrix.Cell("GET", "pydlms-client", "client"): "FAIL"})
    row = next(line for line in text.splitlines() if line.startswith("GET "))
    assert "FAIL" in row
    assert "NOT ASKED" in row
