"""Our own octets are taken away whole, or not at all."""

from __future__ import annotations

from collections import Counter

import pytest

from cosem.protocol.iec21.echo import OwnEcho


@pytest.mark.parametrize("pieces", [[b"/?!\r\n/KFM5"], [b"/?", b"!\r\n", b"/KFM5"], [b"/?!\r\n", b"/KFM5"]])
def test_an_echo_in_any_pieces_is_left_out(pieces: list[bytes]) -> None:
    counters: Counter[str] = Counter()
    echo = OwnEcho(counters)
    echo.spoken(b"/?!\r\n")
    assert b"".join(map(echo.without, pieces)) == b"/KFM5"
    assert counters == {"echoed_octets": 5}
    assert echo.comes


def test_what_only_begins_like_an_echo_is_handed_over_whole() -> None:
    echo = OwnEcho(Counter())
    echo.spoken(b"/?!\r\n")
    assert echo.without(b"/") == b""
    assert echo.without(b"KFM5") == b"/KFM5"
    assert not echo.comes


def test_a_single_octet_is_an_echo_only_on_a_line_that_echoes() -> None:
    echo = OwnEcho(Counter())
    echo.spoken(b"\x06")
    assert echo.without(b"\x06") == b"\x06"  # the meter's own ACK
    echo.spoken(b"/?!")
    assert echo.without(b"/?!") == b""
    echo.spoken(b"\x06")
    assert echo.without(b"\x06\x02") == b"\x02"


def test_what_the_meter_repeats_itself_is_kept() -> None:
    echo = OwnEcho(Counter())
    echo.spoken(b"\x06252\r\n")
    assert echo.without(b"\x06252\r\n", kept=True) == b"\x06252\r\n"
    assert not echo.comes
