"""Virtual time: it begins when one likes, goes at any speed, and can be stepped."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cosem.errors import ConfigurationError


class VirtualClock:
    """A clock that has gone from its `start` since it was made, `speed` times as fast as `real`; its times are in UTC.

    Args:
        start: the virtual time at which it begins, aware; the present unless given.
        speed: virtual seconds in a real one; 0 stands still, and is stepped by hand.
        real: seconds of a steady clock.
    """

    def __init__(
        self, start: datetime | None = None, *, speed: float = 1.0, real: Callable[[], float] = time.monotonic
    ) -> None:
        begin = datetime.now(UTC) if start is None else start
        if begin.tzinfo is None:
            raise ConfigurationError("virtual time begins at an aware time, such as 2026-03-29T00:00:00+01:00")
        self._real = real
        self.start = begin.astimezone(UTC)
        self._base = begin.astimezone(UTC)
        self._begun = real()
        self._speed = _checked(speed)

    def now(self) -> datetime:
        """Return the present virtual time."""
        return self._base + timedelta(seconds=(self._real() - self._begun) * self._speed)

    __call__ = now

    @property
    def speed(self) -> float:
        """Virtual seconds in a real one."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        checked = _checked(speed)
        self._base, self._begun = self.now(), self._real()
        self._speed = checked

    def step(self, by: timedelta) -> None:
        """Jump ahead; ConfigurationError for a step back, which no history could follow."""
        if by < timedelta():
            raise ConfigurationError("virtual time does not go back")
        self._base += by

    def until(self, moment: datetime) -> float:
        """Return the real seconds until a virtual moment: 0 when it has come, infinity while the clock stands still."""
        left = (moment - self.now()).total_seconds()
        if left <= 0:
            return 0.0
        return left / self._speed if self._speed else float("inf")


def _checked(speed: float) -> float:
    if not 0 <= speed <= 1e6:
        raise ConfigurationError(f"speed {speed}: 0 to 1000000 virtual seconds in a real one")
    return speed
