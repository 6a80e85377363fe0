"""System titles: eight octets that name one device, the first three of them its maker (IEC 62056-5-3)."""

from __future__ import annotations

from typing import Final

from cosem.protocol.values.maker import LETTERS, maker_text

TITLE_OCTETS: Final = 8


def maker_letters(title: bytes) -> str | None:
    """Return the three letters of the manufacturer, or None when the title does not begin with letters."""
    letters = title[:LETTERS]
    if len(title) != TITLE_OCTETS or not letters.isalpha():
        return None
    return letters.decode("ascii")


def title_text(title: bytes) -> str:
    """Return a title in words: `4B414D1020304050 (manufacturer KAM: Kamstrup Energi; number 1020304050)`."""
    letters = maker_letters(title)
    shown = title.hex().upper() or "empty"
    if letters is None:
        return shown
    return f"{shown} (manufacturer {maker_text(letters)}; number {title[LETTERS:].hex().upper()})"
