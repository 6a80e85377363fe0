"""`cosem elgama` and `cosem simulate` with the byte protocol of Elgama, which is experimental."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interop.served import running
from unit.meter.test_elgama import place, server


def test_the_command_reads(cosem: Callable[..., Any]) -> None:
    with running(server("epqs")) as port:
        ran = cosem("elgama", place("epqs", port), "clock", "daily:1:0", "50 00 00", "99")
    assert ran.code == 1
    assert "2024-05-17 13:45:22" in ran.out
    assert "experimental" in ran.err
    assert "no table 99" in ran.err
    for words, code, reason in (
        (("epqs", "profile:1"), 64, "CHANNEL:INDEX"),
        (("epqs", "weather"), 64, "no table of this model"),
        (("4", "clock"), 64, "ITS cl"),
    ):
        refused = cosem("elgama", place(words[0], port), words[1])
        assert refused.code == code
        assert reason in refused.err
