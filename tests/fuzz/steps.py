"""What a harness reads its input as: choices and fields one after the other, or steps of an exchange."""

from __future__ import annotations

from collections.abc import Iterator


class Input:
    """The octets of one input; what is read beyond their end is nothing, so that every input says something."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    @property
    def left(self) -> bool:
        """True while there is something to read."""
        return self._at < len(self._octets)

    def octet(self) -> int:
        """Return the next octet, 0 where there is none."""
        return int.from_bytes(self.octets(1), "big")

    def octets(self, size: int) -> bytes:
        """Return the next octets, so many or as many as there are."""
        found = self._octets[self._at : self._at + size]
        self._at += len(found)
        return found

    def field(self) -> bytes:
        """Return octets with their number in one octet in front."""
        return self.octets(self.octet())

    def rest(self) -> bytes:
        """Return all that follows."""
        return self.octets(len(self._octets))

    def steps(self) -> Iterator[tuple[int, bytes]]:
        """Read all that follows as steps: an octet that says what is done, and a field."""
        while self.left:
            yield self.octet(), self.field()
