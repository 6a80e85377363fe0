"""System titles in words."""

from __future__ import annotations

import pytest

from cosem.protocol.values.system_title import maker_letters, title_text


# 4D4D4D0000BC614E is the title in the worked examples of the standard.
@pytest.mark.parametrize(
    ("octets", "letters", "text"),
    [
        ("4D4D4D0000BC614E", "MMM", "4D4D4D0000BC614E (manufacturer MMM: MATRICA; number 0000BC614E)"),
        ("5151510000BC614E", "QQQ", "5151510000BC614E (manufacturer QQQ; number 0000BC614E)"),
        ("3030303030303030", None, "3030303030303030"),
        ("4D4D4D", None, "4D4D4D"),
        ("C3C4C50000000001", None, "C3C4C50000000001"),
        ("", None, "empty"),
    ],
)
def test_words(octets: str, letters: str | None, text: str) -> None:
    title = bytes.fromhex(octets)
    assert (maker_letters(title), title_text(title)) == (letters, text)
