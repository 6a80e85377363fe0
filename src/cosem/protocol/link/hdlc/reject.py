"""The information field of FRMR: which control octet was rejected, in what state, and why (ISO/IEC 13239, modulo 8)."""

from __future__ import annotations

from dataclasses import dataclass

from cosem.errors import DecodeError
from cosem.protocol.link.hdlc.frame import KINDS

LAYER = "HDLC"

_REASONS = (
    (1, "the control octet is not defined or not implemented"),
    (2, "the frame must not have an information field"),
    (4, "the information field is longer than agreed"),
    (8, "N(R) acknowledges what was not sent"),
)


@dataclass(frozen=True, slots=True)
class FrameReject:
    """Why a station rejected a frame that was not damaged; the four reasons are W, X, Y and Z of the standard."""

    control: int
    send_state: int
    receive_state: int
    response: bool = False  # the rejected frame was a response
    undefined_control: bool = False
    information_not_permitted: bool = False
    information_too_long: bool = False
    invalid_receive_sequence: bool = False

    def encode(self) -> bytes:
        """Return the three octets."""
        state = self.receive_state << 5 | self.response << 4 | self.send_state << 1
        return bytes((self.control, state, self._bits()))

    @classmethod
    def decode(cls, octets: bytes) -> FrameReject:
        """Read the field; some stations send more than its three octets, which are passed over."""
        if len(octets) < 3:
            raise DecodeError(f"need 3 octets, have {len(octets)}", 0, ("frame-reject",), layer=LAYER)
        control, state, bits = octets[:3]
        reasons = (bool(bits & bit) for bit, _ in _REASONS)
        return cls(control, state >> 1 & 7, state >> 5, bool(state & 0x10), *reasons)

    def __str__(self) -> str:
        bits = self._bits()
        why = " and ".join(text for bit, text in _REASONS if bits & bit) or "no reason given"
        return f"rejected {KINDS[self.control].value} ({self.control:02X}): {why}"

    def _bits(self) -> int:
        return (
            self.undefined_control
            | self.information_not_permitted << 1
            | self.information_too_long << 2
            | self.invalid_receive_sequence << 3
        )
