"""Lengths and limits, at their bounds and one beyond."""

import pytest

from cosem.errors import DecodeError, LocalProtocolError
from cosem.protocol.codec.reader import DEFAULT, TRANSFER, Limits, admit, count, length, put_length

# IEC 61334-6: one octet below 0x80, else the number of octets with the top bit set, then that many octets.
FORMS = [
    (0, "00"),
    (1, "01"),
    (127, "7f"),
    (128, "8180"),
    (255, "81ff"),
    (256, "820100"),
    (65535, "82ffff"),
    (65536, "83010000"),
    (0xFFFFFF, "83ffffff"),
    (0x1000000, "8401000000"),
    (0xFFFFFFFF, "84ffffffff"),
]


@pytest.mark.parametrize(("n", "octets"), FORMS)
def test_count_and_put_length_are_inverse(n: int, octets: str) -> None:
    out = bytearray()
    put_length(n, out)
    assert out.hex() == octets
    assert count(bytes.fromhex(octets), 0) == (n, len(octets) // 2)
    assert count(bytes.fromhex("ffff" + octets + "ff"), 2) == (n, 2 + len(octets) // 2)


@pytest.mark.parametrize(("octets", "n"), [("8105", 5), ("820005", 5), ("83000005", 5), ("8400000005", 5)])
def test_longer_forms_than_needed_are_read(octets: str, n: int) -> None:
    assert count(bytes.fromhex(octets), 0) == (n, len(octets) // 2)


@pytest.mark.parametrize("octets", ["80", "850000000001", "ff"])
def test_other_first_octets_are_refused(octets: str) -> None:
    with pytest.raises(DecodeError, match="a length starts with") as caught:
        count(bytes.fromhex(octets), 0)
    assert caught.value.offset == 0


@pytest.mark.parametrize("octets", ["8180", "820100", "83010000", "8401000000"])
def test_a_length_that_is_cut_is_refused(octets: str) -> None:
    whole = bytes.fromhex(octets)
    for end in range(len(whole)):
        with pytest.raises(DecodeError):
            count(whole[:end], 0)


def test_length_fits_into_the_octets_left() -> None:
    assert length(b"\x03abc", 0) == (3, 1)
    with pytest.raises(DecodeError, match="need 4 octets, have 3") as caught:
        length(b"\x04abc", 0)
    assert caught.value.offset == 1


@pytest.mark.parametrize("n", [-1, 1 << 32])
def test_put_length_refuses_what_no_form_holds(n: int) -> None:
    with pytest.raises(LocalProtocolError):
        put_length(n, bytearray())


@pytest.mark.parametrize("limits", [DEFAULT, TRANSFER])
def test_admit_takes_as_many_octets_as_the_limit_and_no_more(limits: Limits) -> None:
    octets = bytes(limits.octets + 1)
    assert admit(octets, 1, limits) is octets
    with pytest.raises(DecodeError, match="at most"):
        admit(octets, 0, limits)


def test_admit_turns_other_buffers_into_octets() -> None:
    assert admit(bytearray(b"abc"), 0, DEFAULT) == b"abc"
    assert admit(memoryview(b"a1b2c3")[::2], 0, DEFAULT) == b"abc"


@pytest.mark.parametrize("offset", [-1, 4])
def test_admit_refuses_an_offset_outside(offset: int) -> None:
    with pytest.raises(DecodeError):
        admit(b"abc", offset, DEFAULT)
