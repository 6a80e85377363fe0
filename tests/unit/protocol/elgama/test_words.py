"""Tables of Elgama meters by name."""

from __future__ import annotations

import pytest

from cosem.errors import ConfigurationError
from cosem.protocol.elgama import tables
from cosem.protocol.elgama.words import asked


@pytest.mark.parametrize(
    ("model", "text", "octets"),
    [
        ("epqs", "clock", tables.EPQS_CLOCK),
        ("epqs", "daily:0:1", tables.epqs_registers(tables.DAILY, 0, 1)),
        ("epqs", "PROFILE:1:2", tables.epqs_profile(1, 2)),
        ("epqm", "clock", tables.EPQM_CLOCK),
        ("lzqm", "daily:3", tables.epqm_daily(3)),
        ("epqs", "0102", b"\x01\x02"),
    ],
)
def test_what_words_ask_for(model: str, text: str, octets: bytes) -> None:
    assert asked(model, text).octets == octets


@pytest.mark.parametrize("text", ["", "daily", "daily:0", "daily:0:x", "yearly", "daily:0:1:2", "daily:-1:0"])
def test_what_is_no_table(text: str) -> None:
    with pytest.raises(ConfigurationError):
        asked("epqs", text)


def test_what_a_table_says() -> None:
    assert asked("epqs", "0102").read(b"\x0a\xff") == [("octets", "0A FF")]
    assert asked("epqs", "0102").read(b"") == [("octets", "none")]
