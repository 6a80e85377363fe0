"""Blocks leave in order and fit; they arrive in order or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosem.errors import DecodeError, LocalProtocolError, RemoteProtocolError
from cosem.protocol.association.transfer import BLOCK_OVERHEAD, Block, Incoming, Outgoing, longest_plain


@given(st.binary(max_size=400), st.integers(BLOCK_OVERHEAD + 1, 90))
def test_what_is_cut_is_joined_again(octets: bytes, longest: int) -> None:
    leaving, arriving = Outgoing(octets, longest), Incoming(1000, 100)
    whole = None
    while whole is None:
        block = leaving.following()
        assert len(block.octets) <= longest - BLOCK_OVERHEAD
        whole = arriving.add(block)
    assert whole == octets
    assert leaving.finished


@pytest.mark.parametrize("number", [0, 2, 3])
def test_another_number_than_the_next_is_refused(number: int) -> None:
    with pytest.raises(RemoteProtocolError, match=f"block {number} where block 1 was due"):
        Incoming(100, 100).add(Block(False, number, b"x"))


def test_a_repeated_block_is_refused() -> None:
    arriving = Incoming(100, 100)
    arriving.add(Block(False, 1, b"x"))
    with pytest.raises(RemoteProtocolError):
        arriving.add(Block(False, 1, b"x"))


def test_an_empty_block_before_the_last_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="empty"):
        Incoming(100, 100).add(Block(False, 1, b""))


def test_an_empty_value_is_one_empty_last_block() -> None:
    assert Incoming(100, 100).add(Block(True, 1, b"")) == b""


def test_the_limit_holds_to_the_octet() -> None:
    arriving = Incoming(4, 100)
    assert arriving.add(Block(False, 1, b"ab")) is None
    assert arriving.add(Block(True, 2, b"cd")) == b"abcd"
    arriving = Incoming(4, 100)
    arriving.add(Block(False, 1, b"ab"))
    with pytest.raises(DecodeError, match="more than 4 octets"):
        arriving.add(Block(True, 2, b"cde"))


def test_a_pdu_without_room_for_a_block_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        Outgoing(b"x", BLOCK_OVERHEAD)


def test_no_limit_of_the_peer_is_no_limit() -> None:
    assert longest_plain(0, protected=True) is None
    assert longest_plain(128, protected=False) == 128


@pytest.mark.parametrize(("blocks", "taken"), [(3, True), (2, False)])
def test_no_more_blocks_than_the_limit_are_taken(blocks: int, taken: bool) -> None:
    arriving = Incoming(100, blocks)
    arriving.add(Block(False, 1, b"a"))
    arriving.add(Block(False, 2, b"b"))
    if taken:
        assert arriving.add(Block(True, 3, b"c")) == b"abc"
        return
    with pytest.raises(DecodeError, match="more than 2 blocks"):
        arriving.add(Block(True, 3, b"c"))
