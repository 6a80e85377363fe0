"""V.44 packets: every APDU comes back as it was, and no packet hangs, grows beyond its bounds or raises anything else.

Whether others understand the packets is asked in `tests/interop/test_compression.py`.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosem.errors import ConfigurationError, DecodeError
from cosem.protocol.crypto.compression import Compression

V44 = Compression()
UNBOUNDED = Compression(largest_ratio=1 << 20)

repetitive = st.builds(
    lambda pieces, order: b"".join(pieces[number % len(pieces)] for number in order),
    st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=5),
    st.lists(st.integers(0, 4), max_size=60),
)
parameters = st.builds(
    Compression,
    codewords=st.integers(256, 2000),
    longest_string=st.integers(32, 255),
    largest_ratio=st.just(1 << 20),
)


def bits(text: str) -> bytes:
    """The octets of codes written as they are sent, each code its lowest bit first; filled up with zeros."""
    sent = "".join(text.split())
    sent += "0" * (-len(sent) % 8)
    return bytes(int(sent[at : at + 8][::-1], 2) for at in range(0, len(sent), 8))


FLUSH = "1 100000"
A, B = "0 1000001", "0 0100001"  # 7 bits of 'A' and 'B'


@given(st.one_of(st.binary(max_size=600), repetitive), parameters)
def test_what_was_compressed_comes_back(octets: bytes, settings: Compression) -> None:
    packet = settings.compress(octets)
    if packet is not None:
        assert len(packet) < len(octets)
        assert settings.decompress(packet) == octets


@pytest.mark.parametrize("length", [2, 3, 12, 13, 255, 256, 257, 1000, 0xFFFF])
def test_runs(length: int) -> None:
    packet = UNBOUNDED.compress(b"\x00" * length)
    assert packet is None or UNBOUNDED.decompress(packet) == b"\x00" * length
    assert packet is not None or length < 5


def test_a_collection_that_is_full_goes_on_without_new_strings() -> None:
    known = bytes(range(50)) * 10
    octets = known + b"".join(number.to_bytes(2, "big") for number in range(400)) + 3 * known
    small = Compression(codewords=256, longest_string=32)
    packet = small.compress(octets)
    assert packet is not None
    assert small.decompress(packet) == octets


@given(st.binary(max_size=300))
def test_any_octets_become_octets_or_a_decode_error(packet: bytes) -> None:
    try:
        octets = V44.decompress(packet)
    except DecodeError as error:
        assert error.path == ("compressed",)
    else:
        assert len(octets) <= 64 * len(packet)


@given(repetitive, st.data())
def test_a_packet_cut_short_is_refused(octets: bytes, data: st.DataObject) -> None:
    packet = UNBOUNDED.compress(octets)
    if packet is not None:
        cut = data.draw(st.integers(0, len(packet) - 1))
        with pytest.raises(DecodeError):
            UNBOUNDED.decompress(packet[:cut])


# The codes as RFC 4464 describes them: prefix, then the number.
@pytest.mark.parametrize(
    ("codes", "octets"),
    [
        (FLUSH, b""),
        (A + FLUSH, b"A"),
        (A + B + FLUSH, b"AB"),
        (A + B + "1 001000" + FLUSH, b"ABAB"),
        (A + "1 001000" + FLUSH, b"AAA"),  # the string that this very codeword completes
        (A + B + "1 001000" + "0 1 1" + FLUSH, b"ABABA"),
        (A + B + "1 001000" + "0 1 0 01" + FLUSH, b"ABABABA"),  # an extension by 3
        (A + B + "1 001000" + "0 1 0 00 0 000" + FLUSH, b"ABABABABA"),  # … by 5
        (A + B + "1 001000" + "0 1 0 00 1 00000000" + FLUSH, b"ABAB" + b"ABABABABABABA"),  # … by 13
        (A + B + "1 001000" + "0 0 1000001" + FLUSH, b"ABABA"),  # an ordinal after a codeword
        ("1 010000 0 10000001" + FLUSH, b"\x81"),  # a step up before an ordinal of 8 bits
        ("1 000000 0", b""),  # not compressed
    ],
)
def test_codes(codes: str, octets: bytes) -> None:
    assert V44.decompress(bits(codes)) == octets


def test_a_packet_that_is_not_compressed_is_taken_as_it_is() -> None:
    assert V44.decompress(b"\x01anything") == b"anything"


@pytest.mark.parametrize(
    ("codes", "why"),
    [
        ("1 001000" + FLUSH, "codeword 4 stands for nothing"),
        (A + B + "1 011000" + FLUSH, "codeword 6 stands for nothing"),
        (A + "1 110000" + FLUSH, "no place in a packet"),  # re-initialise
        (A + "1 000000" + FLUSH, "no place in a packet"),  # transparent mode
        ("1 010000 1 1000000" + FLUSH, "control code after a step up"),
        ("1 010000 0 10000001 1 010000 0 100000010" + FLUSH, "wider than an octet"),
        (A + FLUSH + "1", "bits after the end"),
        (A + FLUSH + "0" * 8, "octets after the end"),
        (A, "ends within a code"),
        ("1 000000 1", "bits before the octets"),
        ("".join(f"1 {'010000' + '0' * more}" for more in range(6)) + "1", "wider than there are codewords"),
    ],
)
def test_codes_that_are_refused(codes: str, why: str) -> None:
    with pytest.raises(DecodeError, match=why):
        V44.decompress(bits(codes))


def test_no_more_octets_than_asked_for() -> None:
    packet = V44.compress(b"the meter, the meter, the meter")
    assert packet is not None
    assert len(V44.decompress(packet, 31)) == 31
    with pytest.raises(DecodeError, match="more than 30 octets"):
        V44.decompress(packet, 30)


def test_no_more_octets_for_one_than_the_ratio_says() -> None:
    bomb = UNBOUNDED.compress(b"\x00" * 0xFFFF)
    assert bomb is not None
    ratio = -(-0xFFFF // len(bomb))
    assert len(Compression(largest_ratio=ratio).decompress(bomb)) == 0xFFFF
    with pytest.raises(DecodeError, match="come of"):
        Compression(largest_ratio=ratio - 1).decompress(bomb)
    assert V44.compress(b"\x00" * 0xFFFF) is None


def test_a_string_longer_than_agreed_is_refused() -> None:
    packet = Compression(largest_ratio=64).compress(b"AB" * 40)
    assert packet is not None
    with pytest.raises(DecodeError):
        Compression(longest_string=32).decompress(packet)


@pytest.mark.parametrize(
    "wrong", [{"codewords": 255}, {"codewords": 65536}, {"longest_string": 31}, {"longest_string": 256}]
)
def test_parameters_v44_does_not_have(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError):
        Compression(**wrong)
