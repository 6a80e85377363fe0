"""The interop matrix: its document tells the same reasons, and its table shows what was not asked."""

from __future__ import annotations

import pytest

from interop import matrix


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
