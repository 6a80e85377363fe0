"""The named time-outs of an exchange: the first octet, the next octet, the whole answer, the whole session."""

from __future__ import annotations

from collections.abc import Iterator

from cosem.errors import TimedOut
from cosem.protocol.profile.timing import Timing

FIRST_OCTET, INTER_OCTET, WHOLE_ANSWER, SESSION = "first octet", "inter-octet", "whole answer", "session"


class Patience:
    """Tells when one of the limits that a `Timing` sets beyond its phases has passed; a limit of 0 never does."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._limited = any((timing.first_octet, timing.inter_octet, timing.answer, timing.session))
        self._began: float | None = None
        self._asked: float | None = None
        """Since when the present answer is waited for."""
        self._spoke: float | None = None
        """Since when no octet has come to what was said last."""
        self._heard: float | None = None

    def begin(self, now: float) -> None:
        """The session begins."""
        self._began = now

    def ask(self, now: float) -> None:
        """Something was said that must be answered: a question, or in the middle of an answer for its next part."""
        self._asked = now if self._asked is None else self._asked
        self._spoke, self._heard = now, None

    def hear(self, now: float) -> None:
        """Octets have arrived."""
        if self._asked is not None:
            self._spoke, self._heard = None, now

    def rest(self) -> None:
        """The answer is complete, or waited for no longer."""
        self._asked = self._spoke = self._heard = None

    def deadline(self) -> float | None:
        """Return when the first of the limits passes, or None."""
        if not self._limited:
            return None
        return min((until for _, _, until in self._limits()), default=None)

    def check(self, now: float) -> None:
        """Raise TimedOut with the name of the limit that has passed."""
        if not self._limited:
            return
        for name, seconds, until in self._limits():
            if now >= until:
                raise TimedOut(name, seconds)

    def _limits(self) -> Iterator[tuple[str, float, float]]:
        timing = self._timing
        for name, seconds, since in (
            (FIRST_OCTET, timing.first_octet, self._spoke),
            (INTER_OCTET, timing.inter_octet, self._heard),
            (WHOLE_ANSWER, timing.answer, self._asked),
            (SESSION, timing.session, self._began),
        ):
            if seconds and since is not None:
                yield name, seconds, since + seconds
