"""Where a simulated meter is served and where it is found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from cosem.cli import spot
from cosem.cli.spot import spots
from cosem.errors import ConfigurationError
from cosem.io.aio.pseudo_terminal import PseudoTerminal
from cosem.protocol.profile.address import ConnectionUrl


def test_a_url_is_seen_as_it_is_served() -> None:
    with spots([" hdlc+tcp://127.0.0.1:0 "]) as (only,):
        assert not only.local
        served = replace(only.url, port=4059)
        assert only.seen(served) == served == ConnectionUrl.parse("hdlc+tcp://127.0.0.1:4059")


class Watched(PseudoTerminal):
    """A line of which is known whether it was closed; the names of its devices may be another's at once."""

    opened: ClassVar[list[Watched]] = []

    def __init__(self) -> None:
        super().__init__()
        self.closed = False
        self.opened.append(self)

    def close(self) -> None:
        super().close()
        self.closed = True


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Watched]:
    monkeypatch.setattr(spot, "PseudoTerminal", Watched)
    monkeypatch.setattr(Watched, "opened", [])
    return Watched.opened


def test_a_line_has_two_ends_and_is_closed_in_the_end(opened: list[Watched]) -> None:
    with spots(["iec21+pty:", "TIC+PTY://?baud=9600"]) as (one, other):
        assert one.local
        assert other.url.line == (9600, "8N1")
        ends = {each.path for spot in (one, other) for each in (spot.url, spot.seen(spot.url))}
        assert len(ends) == 4
        assert all(Path(end).exists() for end in ends)
        assert not any(line.closed for line in opened)
    assert [line.closed for line in opened] == [True, True]


@pytest.mark.parametrize(("wrong", "lines"), [("hdlc+pty:?speed=1", 2), ("elgama+pty:", 1), ("nothing+pty:", 2)])
def test_lines_are_closed_when_a_place_is_none(wrong: str, lines: int, opened: list[Watched]) -> None:
    with pytest.raises(ConfigurationError), spots(["iec21+pty:", wrong]):
        raise AssertionError("never entered")
    assert [line.closed for line in opened] == [True] * lines
