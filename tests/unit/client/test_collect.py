"""Which meters of a collection share a line."""

from __future__ import annotations

import pytest

from cosem.client.collect import Target, _shared_lines
from cosem.protocol.profile.address import ConnectionUrl

TTY = "hdlc+serial:///dev/ttyUSB0?physical={}"


def places(*urls: str) -> list[str]:
    targets = [Target(name=str(at), url=ConnectionUrl.parse(url)) for at, url in enumerate(urls)]
    return list(_shared_lines(targets, 0.25))


def test_meters_on_one_line_share_it() -> None:
    urls = [TTY.format(17), "hdlc+tcp://meter:4001?server=1", TTY.format(18), "hdlc+tcp://meter:4001?server=2"]
    assert places(*urls, "hdlc+tcp://meter:4002") == ["/dev/ttyUSB0", "meter:4001"]


def test_the_gap_is_that_of_every_line() -> None:
    targets = [Target(name=str(at), url=ConnectionUrl.parse(TTY.format(at))) for at in (17, 18)]
    assert [line.gap for line in _shared_lines(targets, 0.25).values()] == [0.25]


@pytest.mark.parametrize(
    "other",
    [
        "hdlc+serial:///dev/ttyUSB1?physical=18",
        "hdlc+serial:///dev/ttyUSB0?physical=18&baud=2400",
        "hdlc+serial:///dev/ttyUSB0?physical=18&sign_on=iec21&baud=9600&format=8N1",
        "hdlc+serial:///dev/ttyUSB0?physical=18&rs485=yes",
    ],
)
def test_who_is_alone_or_needs_the_line_another_way_has_it_for_itself(other: str) -> None:
    assert places(TTY.format(17), other) == []


def test_connections_to_one_gateway_by_the_wrapper_are_not_shared() -> None:
    assert places("tcp://meter:4059?server=1", "tcp://meter:4059?server=2") == []
