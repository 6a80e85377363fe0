"""The information field of FRMR, laid out as ISO/IEC 13239 and X.25 give it."""

import pytest

from cosem.errors import DecodeError
from cosem.protocol.link.hdlc.reject import FrameReject


@pytest.mark.parametrize(
    ("octets", "reject", "why"),
    [
        ("1d0001", FrameReject(0x1D, 0, 0, undefined_control=True), "not defined"),
        ("115403", FrameReject(0x11, 2, 2, True, True, True), "must not have an information field"),
        ("10e204", FrameReject(0x10, 1, 7, information_too_long=True), "longer than agreed"),
        ("f00008", FrameReject(0xF0, 0, 0, invalid_receive_sequence=True), "acknowledges what was not sent"),
        ("930000", FrameReject(0x93, 0, 0), "no reason given"),
    ],
)
def test_both_ways(octets, reject, why):
    assert FrameReject.decode(bytes.fromhex(octets)) == reject
    assert reject.encode().hex() == octets
    assert why in str(reject)


def test_cut_short_and_long():
    for octets in (b"", b"\x10", b"\x10\x00"):
        with pytest.raises(DecodeError):
            FrameReject.decode(octets)
    assert FrameReject.decode(b"\x10\x00\x04\x00\x00").information_too_long
