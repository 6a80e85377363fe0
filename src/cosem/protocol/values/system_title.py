"""System titles: eight octets that name one device, the first three of them its maker (IEC 62056-5-3)."""

from __future__ import annotations

from typing import Final

TITLE_OCTETS: Final = 8
MAKER_OCTETS: Final = 3


def maker(title: bytes) -> str | None:
    """Return the three letters of the manufacturer, or None when the title does not begin with letters."""
    letters = title[:MAKER_OCTETS]
    if len(title) != TITLE_OCTETS or not letters.isalpha():
        return None
    return letters.decode("ascii")


def title_text(title: bytes) -> str:
    """Return a title in words: `4B464D1020304050 (manufacturer KFM, number 1020304050)`."""
    letters = maker(title)
    shown = title.hex().upper() or "empty"
    return (
        shown if letters is None else f"{shown} (manufacturer {letters}, number {title[MAKER_OCTETS:].hex().upper()})"
    )
