"""The last numbers of every signal, within a bound for all of them, for plots."""

from __future__ import annotations

import math
from array import array
from collections.abc import Collection, Sequence
from typing import Final

from cosem.gateway.value import NumberType, Plain, Quality, Sample, number_of

TOTAL: Final = 1_000_000
"""Numbers that are kept of all signals together, 16 octets each."""
LEAST: Final = 32
MOST: Final = 1440
"""Numbers that are kept of one signal."""

_UNTRUE: Final = Quality.NOT_TOPICAL | Quality.INVALID


class History:
    """Keeps what was measured of so many signals: times in seconds since 1970, each with its number."""

    def __init__(self, signals: int) -> None:
        self._most = _most(signals)
        self._kept: dict[str, array[float]] = {}

    def keep(self, signals: Collection[str]) -> None:
        """Go on with other signals; of those that stay the numbers stay, the newest that there is room for."""
        self._most = _most(len(signals))
        self._kept = {each: kept[-self._most :] for each, kept in self._kept.items() if each in signals}

    def take(self, samples: Sequence[Sample]) -> None:
        """Take samples: what is no number, or not known, leaves a gap; what is backfilled goes where it belongs."""
        for each in samples:
            kept = self._kept.setdefault(each.signal, array("d"))
            moment = each.source_time if each.backfilled and each.source_time is not None else each.gateway_time
            time = moment.timestamp()
            at = len(kept)
            while at and kept[at - 2] > time:
                at -= 2
            kept[at:at] = array("d", (time, math.nan if each.quality & _UNTRUE else _number(each.value)))
            del kept[: max(len(kept) - self._most, 0)]

    def of(self, signal: str) -> list[tuple[float, float | None]]:
        """Return what is kept of a signal, in the order of time; None where its value was not known."""
        kept = self._kept.get(signal, array("d"))
        spots = zip(kept[::2], kept[1::2], strict=True)
        return [(time, None if math.isnan(number) else number) for time, number in spots]


def _most(signals: int) -> int:
    return 2 * min(max(TOTAL // max(signals, 1), LEAST), MOST)


def _number(value: Plain) -> float:
    number = number_of(value)
    return math.nan if number is None else float(NumberType.DOUBLE.carried(number)[0])
