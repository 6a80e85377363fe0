"""Our own octets, which a head or a two-wire line may send back."""

from __future__ import annotations

from collections import Counter


class OwnEcho:
    """Leaves out what we sent ourselves: it comes back before anything else, and whole, or not at all.

    `comes` tells that it has come once; before that a single octet of ours is never taken for an echo.
    """

    def __init__(self, counters: Counter[str]) -> None:
        self.comes = False
        self._counters = counters
        self._expected = bytearray()
        self._held = bytearray()  # what has come, as long as it is the beginning of that

    def spoken(self, octets: bytes) -> None:
        """Take note of what was sent last."""
        self._held.clear()
        self._expected[:] = octets if len(octets) > 1 or self.comes else b""

    def without(self, octets: bytes, *, kept: bool = False) -> bytes:
        """Return what is not our own of octets that have come; `kept` where the meter repeats our words itself."""
        expected, held = self._expected, self._held
        if not expected:
            return octets
        held += octets
        if len(held) < len(expected) and expected.startswith(held):
            return b""
        rest = bytes(held)
        if held.startswith(expected) and not kept:
            self._counters["echoed_octets"] += len(expected)
            self.comes = True
            rest = rest[len(expected) :]
        expected.clear()
        held.clear()
        return rest
