"""HDLC frames of format type 3 (IEC 62056-7-6): the frame, its kinds, and the reader that finds frames in a stream."""

from __future__ import annotations

from binascii import crc_hqx
from collections import Counter
from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple

from cosem.errors import DecodeError
from cosem.protocol.link.hdlc.fcs import GOOD, REVERSED, START, check_sequence

LAYER = "HDLC"
FLAG = 0x7E
FINAL = 0x10  # the poll bit of a command is the final bit of a response
MAXIMUM_FRAME = 0x7FF  # the length field has eleven bits


class Kind(Enum):
    """What a control octet stands for; REJECT belongs to HDLC but not to this profile."""

    INFORMATION = "I"
    RECEIVE_READY = "RR"
    RECEIVE_NOT_READY = "RNR"
    REJECT = "REJ"
    SET_NORMAL_RESPONSE_MODE = "SNRM"
    DISCONNECT = "DISC"
    UNNUMBERED_ACKNOWLEDGE = "UA"
    DISCONNECTED_MODE = "DM"
    FRAME_REJECT = "FRMR"
    UNNUMBERED_INFORMATION = "UI"
    UNDEFINED = "undefined"


SNRM, DISC, UA, DM, FRMR, UI, RR, RNR = 0x83, 0x43, 0x63, 0x0F, 0x87, 0x03, 0x01, 0x05

_UNNUMBERED = {
    SNRM: Kind.SET_NORMAL_RESPONSE_MODE,
    DISC: Kind.DISCONNECT,
    UA: Kind.UNNUMBERED_ACKNOWLEDGE,
    DM: Kind.DISCONNECTED_MODE,
    FRMR: Kind.FRAME_REJECT,
    UI: Kind.UNNUMBERED_INFORMATION,
}
_SUPERVISORY = {RR: Kind.RECEIVE_READY, RNR: Kind.RECEIVE_NOT_READY, 0x09: Kind.REJECT}


def _kind(control: int) -> Kind:
    if not control & 1:
        return Kind.INFORMATION
    return _SUPERVISORY.get(control & 0x0F) or _UNNUMBERED.get(control & ~FINAL) or Kind.UNDEFINED


KINDS = tuple(_kind(control) for control in range(256))
OCTET = tuple(bytes((octet,)) for octet in range(256))


class Frame(NamedTuple):
    """One frame; addresses are kept as the octets they came in, since their size matters to the peer."""

    destination: bytes
    source: bytes
    control: int
    information: bytes = b""
    segmented: bool = False

    @property
    def kind(self) -> Kind:
        """Return what the control octet stands for."""
        return KINDS[self.control]

    @property
    def final(self) -> bool:
        """Return the poll/final bit."""
        return bool(self.control & FINAL)

    @property
    def send_sequence(self) -> int:
        """Return N(S), of an I frame."""
        return self.control >> 1 & 7

    @property
    def receive_sequence(self) -> int:
        """Return N(R), of an I, RR, RNR or REJ frame."""
        return self.control >> 5

    def encode(self) -> bytes:
        """Return the octets as sent, with both flags."""
        return encode(self.destination, self.source, self.control, self.information, self.segmented)

    @classmethod
    def decode(cls, octets: bytes) -> Frame:
        """Read exactly one frame with both its flags; raise DecodeError when it is anything else or damaged."""
        reader = FrameReader(Counter())
        reader.feed(octets)
        frame = reader.frame()
        if frame is None or frame.encode() != octets:
            found = ", ".join(reader.counters) or "an unfinished frame"
            raise DecodeError(f"expected one whole HDLC frame, found {found}", 0, layer=LAYER)
        return frame


# The constructor of a named tuple takes its fields one by one, and twice as long as that of the tuple it is.
_frame: Callable[[type[Frame], tuple[Any, ...]], Frame] = vars(tuple)["__new__"]


def encode(destination: bytes, source: bytes, control: int, information: bytes = b"", segmented: bool = False) -> bytes:
    """Return the octets of a frame as sent, with both flags; the caller keeps to the size of the length field."""
    length = 5 + len(destination) + len(source)
    if information:
        length += 2 + len(information)
    assert length <= MAXIMUM_FRAME
    start = (0xA800 if segmented else 0xA000) | length
    header = start.to_bytes(2, "big") + destination + source + OCTET[control]
    if not information:
        return b"\x7e%b%b\x7e" % (header, check_sequence(header))
    return b"\x7e%b%b%b%b\x7e" % (header, check_sequence(header), information, check_sequence(information, GOOD))


class FrameReader:
    """Finds frames in a stream that may begin anywhere and carry anything.

    There is no octet stuffing in format type 3: a flag inside a frame is data, and the length field says where the
    frame ends. So a candidate must prove itself step by step: format type, header check (which is the whole check of a
    frame without information), closing flag, frame check. A candidate that fails before that gives way to the next
    flag; one whose information is damaged is dropped whole, since its length is proven. Each octet is thus checked
    once, and no more than one frame (`octets` long at most) is ever kept. The closing flag may open the next frame.

    Counted: `frames_received`, `octets_skipped`, `resynchronisations`, `header_check_failures`, `frame_check_failures`,
    `frames_too_long`, `frames_misaligned` (no flag where the length says), `frames_abandoned`.
    """

    def __init__(self, counters: Counter[str], *, octets: int = MAXIMUM_FRAME, accept_damaged: bool = False) -> None:
        self.counters = counters
        self._limit = octets
        self._accept_damaged = accept_damaged
        self._data = b""  # being read, from `_at`
        self._at: int = 0
        self._tail = bytearray()  # came later
        self._need: int = 0  # octets from `_at` on without which nothing more can be said
        self._proven = False  # the candidate at `_at` has a good header

    def feed(self, octets: bytes) -> None:
        """Take octets from the stream."""
        if self._tail or self._at < len(self._data):
            self._tail += octets
        else:
            self._data, self._at = bytes(octets), 0

    @property
    def partial(self) -> bool:
        """Tell whether a frame with a good header has begun and waits for its rest."""
        return self._proven

    @property
    def waiting(self) -> int:
        """Return how many octets are kept for later."""
        return len(self._data) - self._at + len(self._tail)

    def abandon(self) -> None:
        """Give up the frame under way: its rest will not come. What stands behind its flag is read anew."""
        if self._proven:
            self.counters["frames_abandoned"] += 1
            self._proven = False
            self._need = 0
            self._at += 1

    def clear(self) -> None:
        """Forget everything that waits."""
        self._data, self._at, self._need, self._proven = b"", 0, 0, False
        self._tail.clear()

    def frame(self) -> Frame | None:
        """Return the next whole frame, or None until more octets have come."""
        data, at = self._data, self._at
        if self._tail:
            if len(data) - at + len(self._tail) < self._need:
                return None
            data = self._data = data[at:] + self._tail
            at = self._at = 0
            self._tail.clear()
        self._proven = False
        end = len(data)
        while True:
            if at < end and data[at] != FLAG:
                flag = data.find(FLAG, at)
                if flag < 0:
                    flag = end
                self.counters["octets_skipped"] += flag - at
                at = flag
            # Nine octets are the shortest frame with its flags: whatever stands here, no frame is kept waiting.
            if end - at < 9:
                self._at, self._need = at, 9
                return None
            first = data[at + 1]
            if first == FLAG:
                at += 1
                continue
            length = (first & 7) << 8 | data[at + 2]
            source = at + 4 if data[at + 3] & 1 else behind_address(data, at + 3)
            if source == at + 7 and end < at + 11:
                self._at, self._need = at, 11  # a four-octet destination: the source may be as long
                return None
            control = source + 1 if data[source] & 1 and source else behind_address(data, source)
            behind = control + 3 - at  # the header with its check and the flag before it
            if first & 0xF0 != 0xA0 or not control or not (length == behind - 1 or length > behind + 1):
                self.counters["resynchronisations"] += 1
                at += 1
                continue
            if length > self._limit:
                self.counters["frames_too_long"] += 1
                at += 1
                continue
            if end - at < behind:
                self._at, self._need = at, behind
                return None
            stop = at + 1 + length
            body = at + behind
            if crc_hqx(data[at + 1 : body].translate(REVERSED), START) != GOOD:
                self.counters["header_check_failures" if stop > body else "frame_check_failures"] += 1
                at += 1
                continue
            if end <= stop:
                self._proven = True
                self._at, self._need = at, length + 2
                return None
            if data[stop] != FLAG:
                self.counters["frames_misaligned"] += 1
                at += 1
                continue
            if stop > body and crc_hqx(data[body:stop].translate(REVERSED), GOOD) != GOOD:
                self.counters["frame_check_failures"] += 1
                if not self._accept_damaged:
                    at = stop
                    continue
                self.counters["tolerated_damaged_information"] += 1
            self._at = stop
            self._need = 0
            self.counters["frames_received"] += 1
            information = data[body : stop - 2]
            parts = data[at + 3 : source], data[source:control], data[control], information, (first & 8) == 8
            return _frame(Frame, parts)


def behind_address(data: bytes, at: int) -> int:
    """Return where the address at `at` ends, or 0 when it is none (or `at` is 0); looks at four octets at most."""
    if not at:
        return 0
    if data[at] & 1:
        return at + 1
    if data[at + 1] & 1:
        return at + 2
    if not data[at + 2] & 1 and data[at + 3] & 1:
        return at + 4
    return 0
