"""Direct local data exchange: what a connection URL says of the sign-on of IEC 62056-21, as settings of its engines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from cosem.protocol.iec21.message import BlockCheck, Mode
from cosem.protocol.iec21.settings import ClientSettings, WakeUp
from cosem.protocol.profile.address import ConnectionUrl

LINES: Final = frozenset({"serial", "rfc2217"})
"""Media on which the speed of the line can be changed."""


def reader_settings(url: ConnectionUrl, **others: Any) -> ClientSettings:
    """Return the settings of the reader for a URL; `others` are fields of `ClientSettings` that a URL does not have."""
    chosen = url.data_baud
    baud, character_format = url.line
    settings = ClientSettings(
        block_check=BlockCheck(url.bcc or BlockCheck.XOR.value),
        character_format=character_format,
        initial_baud=baud,
        switches=url.medium in LINES or url.parity is not None,
        address=url.address or "",
        mode=None if url.mode in (None, "auto") else Mode(url.mode),
        wake_up=WakeUp(url.wake or WakeUp.NONE.value),
        highest_baud=int(chosen) if chosen is not None and chosen.isdecimal() else None,
        follow=chosen != "fixed",
    )
    return replace(settings, **others)
