"""The verbs that the readers of P1, TIC and SML share."""

from __future__ import annotations

import pytest

from cosem.protocol.iec21 import Discarded
from cosem.protocol.iec21.one_way import OneWayReader


class Bracketed(OneWayReader[bytes]):
    """Telegrams of no standard: from `<` to `>`."""

    LAYER = "brackets"
    BETWEEN = frozenset(b"\n")

    def _step(self) -> bool:
        if not self._begun:
            start = self._buffer.find(b"<")
            self._skip(len(self._buffer) if start < 0 else start)
            self._begun = start >= 0
            return self._begun
        end = self._buffer.find(b">", 0, self._limit)
        if end < 0:
            if len(self._buffer) < self._limit:
                return False
            self._discard(self._limit, "no end")
            return True
        octets = bytes(self._buffer[: end + 1])
        self._drop(end + 1)
        self._events.append(octets)
        return True

    def _end(self) -> None:
        self._discard(len(self._buffer), "stopped")


def said(reader: Bracketed) -> list[object]:
    return [str(each.error) if isinstance(each, Discarded) else each for each in reader.events()]


def test_telegrams_come_once_and_in_order_in_pieces_of_any_size() -> None:
    reader = Bracketed(16, None)
    for octet in b"x\n<a>\n<b>":
        reader.receive(bytes((octet,)), 0.0)
    assert said(reader) == [b"<a>", b"<b>"]
    assert said(reader) == []
    assert reader.counters == {"octets_skipped": 1}  # what may stand between telegrams is no noise
    assert reader.outgoing() == b""


def test_a_telegram_is_given_up_after_the_silence_and_not_before() -> None:
    reader = Bracketed(16, 2.0)
    assert reader.deadline() is None
    reader.receive(b"<a", 10.0)
    assert reader.deadline() == 12.0
    reader.tick(11.999)
    assert said(reader) == []
    reader.tick(12.0)
    assert said(reader) == ["stopped"]
    assert reader.counters["telegrams_discarded"] == 1
    assert reader.deadline() is None


def test_silence_does_not_matter_where_there_is_no_limit_to_it() -> None:
    reader = Bracketed(16, None)
    reader.receive(b"<a", 0.0)
    assert reader.deadline() is None
    reader.tick(1e9)
    reader.receive(b">", 1e9)
    assert said(reader) == [b"<a>"]


@pytest.mark.parametrize(("octets", "whole"), [(16, True), (15, False)])
def test_a_telegram_is_as_long_as_the_limit_and_no_longer(octets: int, whole: bool) -> None:
    telegram = b"<" + 14 * b"a" + b">"
    reader = Bracketed(octets, None)
    reader.receive(telegram, 0.0)
    assert said(reader) == ([telegram] if whole else ["no end"])


def test_however_much_comes_at_once_the_buffer_stays_bounded() -> None:
    longest = 0

    class Watched(Bracketed):
        def _step(self) -> bool:
            nonlocal longest
            longest = max(longest, len(self._buffer))
            return super()._step()

    Watched(16, None).receive(1000 * b"<", 0.0)
    assert longest <= 2 * 16
