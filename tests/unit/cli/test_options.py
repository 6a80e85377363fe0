"""What the options that commands share come to."""

from __future__ import annotations

from typing import Any

import pytest

from cosem.cli.options import Connection
from cosem.client.iec21 import LocalClient
from cosem.protocol.profile import profile_of

NAMED: dict[str, Any] = {"first_octet": 1.5, "inter_octet": 0.25, "whole_answer": 30.0, "session": 60.0}


@pytest.mark.parametrize("url", ["tcp://192.0.2.7", "hdlc+tcp://192.0.2.7", "hdlc+serial:///dev/ttyUSB0"])
def test_the_named_time_outs_are_those_of_the_session(url: str) -> None:
    connection = Connection(url=url, timeout=4.0, **NAMED)
    timing = connection.timing(connection.address())
    assert (timing.first_octet, timing.inter_octet, timing.answer, timing.session) == (1.5, 0.25, 30.0, 60.0)
    assert (timing.link, timing.association, timing.response) == (4.0, 4.0, 4.0)
    plain = Connection(url=url)
    assert plain.timing(plain.address()) == profile_of(plain.address()).application.timing


def test_the_named_time_outs_are_those_of_a_local_port(monkeypatch: pytest.MonkeyPatch, cosem: Any) -> None:
    seen: list[Any] = []

    def opened(*_: Any, settings: Any, **__: Any) -> Any:
        seen.append(settings)
        raise OSError

    monkeypatch.setattr(LocalClient, "open", opened)
    words = ("--first-octet", "1.5", "--inter-octet", "0.25", "--whole-answer", "30", "--session", "60")
    with pytest.raises(OSError):
        cosem("read", "iec21+tcp://127.0.0.1:1", "--timeout", "4", *words)
    (settings,) = seen
    assert (settings.first_octet, settings.inter_octet, settings.answer, settings.session) == (1.5, 0.25, 30.0, 60.0)


def test_a_session_that_is_over_its_time_says_so(cosem: Any, local: str) -> None:
    ran = cosem("read", local, "--session", "0.1")  # less than the reader waits before it says what it wants
    assert ran.code != 0
    assert "session phase within 0.1 s" in ran.err
