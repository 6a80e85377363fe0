"""Numbered transfer of information between two connected stations, the same in both roles, and its unnumbered sister.

An APDU with its LLC header is cut into information fields; each goes out as an I frame and stays here until the peer's
N(R) acknowledges it. What comes in is taken in sequence only and put together again. The window is a number here, not a
shape: all that has not been acknowledged goes out again from the first missing frame on.
"""

from __future__ import annotations

from collections import Counter, deque

from cosem.protocol.link.hdlc.frame import FINAL, Frame, encode
from cosem.protocol.link.hdlc.llc import COMMAND, RESPONSE
from cosem.protocol.link.hdlc.parameters import Parameters


class Transfer:
    """The sequence numbers and buffers of one connection; sequence numbers are modulo 8."""

    __slots__ = ("_acknowledged", "_limit", "_parts", "_sent", "_unsent", "agreed", "peer_busy", "receive_state")

    def __init__(self, agreed: Parameters, limit: int) -> None:
        self.agreed = agreed
        self.receive_state = 0  # V(R): the N(S) that must come next
        self.peer_busy = False  # the peer said RNR
        self._limit = limit  # octets of one APDU with its LLC header
        self._acknowledged = 0  # the N(S) of the oldest frame in `_sent`
        self._sent: deque[tuple[bytes, bool]] = deque()
        self._unsent: deque[tuple[bytes, bool]] = deque()
        self._parts = bytearray()

    @property
    def send_state(self) -> int:
        """Return V(S): the N(S) of the next new frame."""
        return (self._acknowledged + len(self._sent)) & 7

    @property
    def has_to_send(self) -> bool:
        """Tell whether anything waits to be sent, or sent again."""
        return bool(self._sent or self._unsent)

    @property
    def unacknowledged(self) -> int:
        """Return how many frames were sent and not acknowledged."""
        return len(self._sent)

    @property
    def collecting(self) -> bool:
        """Tell whether an APDU has come in part."""
        return bool(self._parts)

    def put(self, information: bytes) -> None:
        """Queue an APDU with its LLC header."""
        self._unsent.extend(segments(information, self.agreed.maximum_information_transmit))

    def acknowledge(self, receive_sequence: int) -> int | None:
        """Take the peer's N(R); return how many frames it newly acknowledges, None when it cannot be right."""
        count = (receive_sequence - self._acknowledged) & 7
        if count > len(self._sent):
            return None
        for _ in range(count):
            self._sent.popleft()
        self._acknowledged = receive_sequence
        return count

    def acknowledge_all(self) -> int:
        """Count all that was sent as acknowledged; return how many frames that is."""
        return self.acknowledge(self.send_state) or 0

    def frames(self, destination: bytes, source: bytes) -> bytes:
        """Return the I frames that may go out now, the last with the poll/final bit."""
        while self._unsent and len(self._sent) < self.agreed.window_transmit:
            self._sent.append(self._unsent.popleft())
        control = self.receive_state << 5
        last = len(self._sent) - 1
        return b"".join(
            encode(
                destination,
                source,
                control | ((self._acknowledged + index) & 7) << 1 | (FINAL if index == last else 0),
                information,
                segmented,
            )
            for index, (information, segmented) in enumerate(self._sent)
        )

    def is_next(self, frame: Frame) -> bool:
        """Tell whether an I frame is the one that must come next."""
        return frame.send_sequence == self.receive_state

    def is_repeated(self, frame: Frame) -> bool:
        """Tell whether an I frame repeats the one taken last."""
        return frame.send_sequence == (self.receive_state - 1) & 7

    def take(self, frame: Frame) -> bytes | None:
        """Take the next I frame; return the whole information when it is the last segment.

        Raise OverflowError when the segments grow beyond the limit.
        """
        self.receive_state = (self.receive_state + 1) & 7
        if len(self._parts) + len(frame.information) > self._limit:
            self._parts.clear()
            raise OverflowError
        if frame.segmented:
            self._parts += frame.information
            return None
        if not self._parts:
            return frame.information
        information = bytes(self._parts) + frame.information
        self._parts.clear()
        return information


class Unnumbered:
    """Puts segmented UI frames together, for each pair of addresses apart.

    Nothing numbers the segments, so a lost one cannot be seen here. A segment that brings an LLC header begins anew.
    """

    def __init__(self, counters: Counter[str], limit: int, senders: int = 1) -> None:
        self._counters = counters
        self._limit = limit
        self._senders = senders
        self._parts: dict[tuple[bytes, bytes], bytearray] = {}

    def take(self, frame: Frame) -> bytes | None:
        """Take one frame; return the whole information when it is the last, or only, segment."""
        key = frame.destination, frame.source
        parts = self._parts.pop(key, None)
        if parts is None and not frame.segmented:
            return frame.information
        if parts is None:
            parts = bytearray()
        elif frame.information[:3] in (COMMAND, RESPONSE):
            self._counters["segments_restarted"] += 1
            parts.clear()
        if len(parts) + len(frame.information) > self._limit:
            self._counters["segments_too_long"] += 1
            return None
        parts += frame.information
        if not frame.segmented:
            return bytes(parts)
        while len(self._parts) >= self._senders:
            self._parts.pop(next(iter(self._parts)))
        self._parts[key] = parts
        return None


def segments(information: bytes, size: int) -> list[tuple[bytes, bool]]:
    """Return `information` cut into fields of `size` octets, each with whether more follow."""
    stop = len(information)
    return [(information[at : at + size], at + size < stop) for at in range(0, stop, size)]
