"""The engine of general block transfer: scenarios of another implementation, windows, recovery, and every limit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cosem.errors import DecodeError, LocalProtocolError, RemoteProtocolError
from cosem.protocol.apdu.block import BlockControl, GeneralBlockTransfer
from cosem.protocol.association.context import AssociationLimits
from cosem.protocol.association.general_block import (
    NUMBER_MAXIMUM,
    GeneralBlocks,
    PushLost,
    UnconfirmedBlocks,
    cut,
    room,
    unconfirmed,
)

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[3] / "vectors/general_block.json").read_text("utf-8"))
LIMITS = AssociationLimits()
APDU = bytes(range(0xC0, 0x100)) * 3


def client(window: int = 5, longest: int = 64, limits: AssociationLimits = LIMITS) -> GeneralBlocks:
    return GeneralBlocks(window, longest, limits, serving=False)


def server(window: int = 5, longest: int = 64, limits: AssociationLimits = LIMITS) -> GeneralBlocks:
    return GeneralBlocks(window, longest, limits, serving=True)


def read(octets: bytes) -> tuple[int, int, bool, bool, int]:
    """Return number, acknowledgement, last, streaming, window."""
    block = GeneralBlockTransfer.decode(octets)
    return block.block_number, block.block_number_ack, block.last, block.streaming, block.window


def block(number: int, data: bytes = b"\xc4", *, ack: int = 0, last: bool = False, more: bool = False) -> bytes:
    control = 5 | (BlockControl.LAST_BLOCK if last else 0) | (BlockControl.STREAMING if more else 0)
    return GeneralBlockTransfer(control, number, ack, data).encode()


@pytest.mark.parametrize("scenario", VECTORS["scenarios"], ids=lambda scenario: scenario["name"])
def test_an_answer_as_another_head_end_takes_it(scenario: dict[str, Any]) -> None:
    blocks = client()
    assert blocks.leave(b"\xc0\x01") == [b"\xc0\x01"]
    whole = None
    for arriving, leaving in scenario["blocks"]:
        assert whole is None
        whole, said = blocks.arrive(bytes.fromhex(arriving))
        assert b"".join(said).hex().upper() == leaving
    assert whole is not None
    assert whole.hex().upper() == VECTORS["whole"]


def test_a_long_request_waits_for_the_window_of_the_server_and_then_streams() -> None:
    asking, answering = client(), server(window=3)
    (first,) = asking.leave(APDU)
    assert read(first) == (1, 0, False, False, 5)
    (acknowledgement,) = answering.arrive(first).leaving
    assert read(acknowledgement) == (1, 1, True, False, 3)
    window = asking.arrive(acknowledgement).leaving
    assert [read(each) for each in window] == [(2, 1, False, True, 5), (3, 1, False, True, 5), (4, 1, True, False, 5)]
    assert [answering.arrive(each) for each in window[:-1]] == [(None, ()), (None, ())]
    assert answering.arrive(window[-1]) == (APDU, ())
    # The server follows: a short answer is a block too, and the window of the client is known by now.
    (answer,) = answering.leave(b"\xc5\x01")
    assert read(answer) == (2, 4, True, False, 3)
    assert asking.arrive(answer) == (b"\xc5\x01", ())
    # The next request streams at once.
    assert [read(each)[3] for each in asking.leave(APDU)] == [True, True, False]


def test_what_fits_goes_as_it_is() -> None:
    assert client(longest=64).leave(bytes(64)) == [bytes(64)]
    assert len(client(longest=64).leave(bytes(65))) == 1
    assert client(longest=0).leave(bytes(0xFFFF)) == [bytes(0xFFFF)]
    assert server(longest=64).leave(bytes(64)) == [bytes(64)]


@pytest.mark.parametrize("longest", [8, 9, 64, 133, 134, 135, 136, 137, 262, 263, 264, 265, 266, 1024, 0xFFFF])
def test_blocks_fill_a_pdu_and_never_overfill_it(longest: int) -> None:
    size = room(longest)
    assert len(GeneralBlockTransfer(0, 1, 0, bytes(size)).encode()) <= longest
    assert len(GeneralBlockTransfer(0, 1, 0, bytes(size + 1)).encode()) > longest
    pieces = cut(bytes(3 * size + 1), longest)
    assert [len(piece) for piece in pieces] == [size, size, size, 1]


def test_no_room_for_a_block() -> None:
    with pytest.raises(LocalProtocolError, match="no room"):
        room(7)
    assert room(8) == 1


def test_more_blocks_than_can_be_numbered() -> None:
    assert len(cut(bytes(NUMBER_MAXIMUM), 8)) == NUMBER_MAXIMUM
    with pytest.raises(LocalProtocolError, match="65536 blocks"):
        cut(bytes(NUMBER_MAXIMUM + 1), 8)
    answering = server(longest=8)
    answering.arrive(block(1, b"\xc0", last=True))
    answering.leave(bytes(NUMBER_MAXIMUM))
    answering.arrive(block(1, b"\xc1"))  # acknowledged with our block 1
    answering.arrive(block(2, b"\x01", ack=1, last=True))
    with pytest.raises(LocalProtocolError, match="in one exchange"):
        answering.leave(bytes(NUMBER_MAXIMUM))


@pytest.mark.parametrize("window", [0, 64])
def test_a_window_has_1_to_63_blocks(window: int) -> None:
    with pytest.raises(LocalProtocolError, match="1 to 63"):
        client(window)
    assert client(1) is not client(63)


def test_the_server_repeats_just_the_lost_blocks() -> None:
    asking, answering = client(window=6), server()
    answering.peer_window = 6
    answer = answering.leave(APDU)
    assert len(answer) == 4
    asking.leave(b"\xc0")
    assert asking.arrive(answer[0]) == (None, ())
    (question,) = asking.arrive(answer[3]).leaving
    assert read(question) == (1, 1, True, False, 2)
    resent = answering.arrive(question).leaving
    assert [read(each)[:1] + read(each)[3:4] for each in resent] == [(2, True), (3, False)]
    assert asking.arrive(resent[1]).leaving  # of the two the second comes first, so the first is asked for
    assert asking.arrive(resent[0]) == (APDU, ())


def test_blocks_that_come_again_are_cut_from_the_same_octets() -> None:
    asking, answering = client(), server()
    sent = asking.leave(APDU)
    assert asking.repeat() == sent
    (acknowledgement,) = answering.arrive(sent[0]).leaving
    # The acknowledgement was lost: what comes again gets the same one, and the client acts on it once.
    assert answering.arrive(sent[0]).leaving == (acknowledgement,)
    window = asking.arrive(acknowledgement).leaving
    assert len(window) == 3
    assert asking.arrive(acknowledgement) == (None, ())
    data = [GeneralBlockTransfer.decode(each).block_data for each in (*sent, *window)]
    assert b"".join(data) == APDU


def test_silence_makes_the_client_ask() -> None:
    asking, answering = client(), server()
    asking.leave(b"\xc0\x01")
    answer = answering.leave(APDU)  # lost
    (question,) = asking.repeat()
    assert read(question) == (1, 0, True, False, 5)
    again = answering.arrive(question).leaving
    assert GeneralBlockTransfer.decode(again[0]).block_data == GeneralBlockTransfer.decode(answer[0]).block_data
    for each in again[:-1]:
        assert asking.arrive(each) == (None, ())
    assert asking.arrive(again[-1]) == (APDU, ())


def test_silence_after_a_whole_request_never_sends_it_again_unasked() -> None:
    asking, answering = client(longest=100), server()
    asking.leave(APDU)
    assert read(asking.repeat()[0])[0] == 1  # of two blocks the first is due for an acknowledgement: it comes again
    asking.peer_window = 5
    sent = asking.leave(APDU)
    assert len(sent) == 3
    (question,) = asking.repeat()
    assert GeneralBlockTransfer.decode(question).block_data == b""
    # A server that has seen nothing of it asks for all three.
    (wanted,) = answering.arrive(question).leaving
    assert read(wanted) == (1, 0, True, False, 5)
    assert [read(each)[:2] for each in asking.arrive(wanted).leaving] == [(1, 1), (2, 1), (3, 1)]


def test_repetitions_end() -> None:
    asking = client(limits=AssociationLimits(repeats=3))
    asking.leave(b"\xc0")
    for _ in range(3):
        assert asking.repeat()
    assert asking.repeat() == []


def test_a_gap_that_is_never_filled_ends() -> None:
    asking = client(limits=AssociationLimits(repeats=3))
    asking.leave(b"\xc0")
    assert asking.arrive(block(1)).leaving
    for _ in range(3):
        assert asking.arrive(block(3)).leaving
    with pytest.raises(RemoteProtocolError, match="block 2 is missing"):
        asking.arrive(block(3))
    assert not asking.collecting


def test_a_peer_that_asks_for_the_same_block_again_and_again() -> None:
    answering = server(limits=AssociationLimits(repeats=3))
    answering.arrive(block(1, b"\xc0", last=True))
    answering.leave(APDU)
    for number in range(2, 6):
        assert answering.arrive(block(number, b"", ack=1, last=True)).leaving
    with pytest.raises(RemoteProtocolError, match="asked for again"):
        answering.arrive(block(6, b"", ack=1, last=True))


def test_progress_makes_repetitions_count_anew() -> None:
    asking = client(limits=AssociationLimits(repeats=1))
    asking.leave(b"\xc0")
    for number in range(1, 20):
        asking.arrive(block(number))
        asking.repeat()
    assert asking.progress == 19


def test_the_total_is_bounded() -> None:
    for size, fits in ((100, True), (101, False)):
        asking = client(limits=AssociationLimits(reassembled=100))
        asking.leave(b"\xc0")
        asking.arrive(block(1, b"\xc4" * 50))
        last = block(2, bytes(size - 50), last=True)
        if fits:
            assert asking.arrive(last).whole == b"\xc4" * 50 + bytes(50)
        else:
            with pytest.raises(DecodeError, match="more than 100 octets"):
                asking.arrive(last)


def test_what_is_early_counts_too() -> None:
    asking = client(limits=AssociationLimits(reassembled=100))
    asking.leave(b"\xc0")
    for number in (2, 3):
        asking.arrive(block(number, bytes(50), more=True))
    with pytest.raises(DecodeError, match="more than 100 octets"):
        asking.arrive(block(4, bytes(1), more=True))


def test_the_number_of_blocks_is_bounded() -> None:
    asking = client(limits=AssociationLimits(blocks=3))
    asking.leave(b"\xc0")
    for number in (1, 2):
        asking.arrive(block(number))
    assert asking.arrive(block(3, last=True)).whole == b"\xc4" * 3
    asking.leave(b"\xc0")
    for number in (1, 2, 3):
        asking.arrive(block(number))
    with pytest.raises(DecodeError, match="more than 3 blocks"):
        asking.arrive(block(4, last=True))


def test_empty_blocks_make_no_progress() -> None:
    asking = client()
    asking.leave(b"\xc0")
    asking.arrive(block(1))
    with pytest.raises(RemoteProtocolError, match="block 2 is empty and not the last"):
        asking.arrive(block(2, b""))
    asking.leave(b"\xc0")
    asking.arrive(block(1))
    assert asking.arrive(block(2, b"", last=True)).whole == b"\xc4"  # an end without octets is an end
    asking.leave(b"\xc0")
    before = asking.progress
    for number in range(1, 100):
        assert asking.arrive(block(number, b"", last=True)) == (None, ())
    assert asking.progress == before


def test_a_block_that_comes_twice_must_be_the_same() -> None:
    asking = client()
    asking.leave(b"\xc0")
    asking.arrive(block(1, b"\xc4", more=True))
    assert asking.arrive(block(1, b"\xc4", more=True)) == (None, ())
    asking.arrive(block(3, b"\x03", more=True))
    with pytest.raises(RemoteProtocolError, match="block 1 came twice and differs"):
        asking.arrive(block(1, b"\xc5", more=True))
    asking.leave(b"\xc0")
    asking.arrive(block(3, b"\x03", more=True))
    with pytest.raises(RemoteProtocolError, match="block 3 came twice and differs"):
        asking.arrive(block(3, b"\x04", more=True))


def test_blocks_out_of_order_need_no_question() -> None:
    asking = client()
    asking.leave(b"\xc0")
    said = [asking.arrive(block(number, bytes((0xC4, number)), more=True)).leaving for number in (2, 1, 4, 3)]
    assert said == [()] * 4
    assert asking.arrive(block(5, b"\xc4\x05", last=True)).whole == b"\xc4\x01\xc4\x02\xc4\x03\xc4\x04\xc4\x05"


def test_blocks_of_nothing_under_way_are_dropped_and_counted() -> None:
    asking = client(window=5)
    asking.leave(b"\xc0")
    assert asking.arrive(block(6)) == (None, ())  # beyond the window
    assert asking.arrive(block(1, ack=1)) == (None, ())  # acknowledges what was not sent
    assert asking.strays == 2
    assert not asking.collecting


def test_block_0_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="numbered from 1"):
        client().arrive(block(0))


@pytest.mark.parametrize("octets", ["601D", "6129", "6203", "6303", "E0810001000000"])
def test_associations_and_blocks_never_come_in_blocks(octets: str) -> None:
    with pytest.raises(RemoteProtocolError, match="no APDU that may come so"):
        server().arrive(block(1, bytes.fromhex(octets), last=True))


def test_a_new_request_ends_the_exchange_before() -> None:
    answering = server()
    assert answering.arrive(block(1, b"\xc0\x01", last=True)).whole == b"\xc0\x01"
    answering.leave(APDU)
    # The client gave up and asks for something else; then for the same thing once more, which is a request of its own.
    assert answering.arrive(block(1, b"\xc0\x02", last=True)).whole == b"\xc0\x02"
    answering.leave(b"\xc4")
    assert answering.arrive(block(1, b"\xc0\x02", last=True)).whole == b"\xc0\x02"


def test_a_first_block_that_comes_again_is_no_new_request() -> None:
    answering = server()
    answering.arrive(block(1, b"\xc0\x01"))
    answering.arrive(block(1, b"\xc0\x01"))
    assert answering.arrive(block(2, b"\x02", ack=1, last=True)).whole == b"\xc0\x01\x02"


@pytest.mark.parametrize("before", ["plain", "in blocks"])
def test_a_request_whose_first_block_is_lost_is_not_joined_with_the_exchange_before(before: str) -> None:
    answering = server()
    if before == "plain":
        answering.begin(plainly=True)
    else:
        answering.arrive(block(1, b"\xc0\x01", last=True))
    answering.leave(APDU)
    answering.arrive(block(2 if before == "in blocks" else 1, b"", ack=4 - 3, last=True))
    (wanted,) = answering.arrive(block(2, b"\x02", last=True)).leaving
    assert read(wanted) == (1, 0, True, False, 1)
    assert answering.arrive(block(1, b"\xc1\x01", ack=1)).whole == b"\xc1\x01\x02"


def test_a_late_question_is_no_block_of_a_request() -> None:
    answering = server()
    assert answering.arrive(block(3, b"\x03", last=True)).leaving
    assert answering.arrive(block(1, b"", last=True)).leaving  # asked in an exchange before, and late
    assert answering.arrive(block(2, b"\x02", more=True)).whole is None
    assert answering.arrive(block(1, b"\xc1", more=True)).whole == b"\xc1\x02\x03"


def test_the_blocks_of_a_request_that_come_again_do_not_disturb_the_answer() -> None:
    answering = server(longest=32)
    first = [block(1, b"\xc0\x01", more=True), block(2, b"\x02", last=True)]
    for each in first:
        whole = answering.arrive(each).whole
    assert whole == b"\xc0\x01\x02"
    answer = answering.leave(APDU)
    assert len(answer) == 5
    for each in first:
        assert answering.arrive(each) == (None, ())
    assert read(answering.arrive(block(3, b"", ack=5, last=True)).leaving[0])[:2] == (6, 3)


def test_a_push_in_the_middle_of_an_answer() -> None:
    asking = client()
    asking.leave(b"\xc0")
    push = unconfirmed(b"\x0f" + bytes(100), 64)
    assert asking.arrive(block(1, b"\xc4", more=True)) == (None, ())
    assert asking.arrive(push[0]) == (None, ())
    assert asking.arrive(block(2, b"\x01", more=True)) == (None, ())
    assert asking.arrive(push[1]) == (b"\x0f" + bytes(100), ())
    assert asking.arrive(block(3, b"\x02", last=True)) == (b"\xc4\x01\x02", ())


def test_a_confirmed_push_before_the_answer() -> None:
    asking = client()
    asking.leave(b"\xc0")
    assert asking.arrive(block(1, b"\x0f\x01", more=True)) == (None, ())
    assert asking.arrive(block(2, b"\x02", last=True)) == (b"\x0f\x01\x02", ())
    assert asking.arrive(block(1, b"\xc4", more=True)) == (None, ())
    assert asking.arrive(block(2, b"\x01", last=True)) == (b"\xc4\x01", ())


def test_a_push_while_a_request_is_leaving() -> None:
    asking = client()
    asking.leave(APDU)
    assert asking.arrive(block(1, b"\x0f", last=True)) == (b"\x0f", ())
    assert asking.arrive(block(1, b"", ack=1, last=True)).leaving


def test_a_lost_block_of_a_push_leaves_the_answer_alone() -> None:
    asking = client()
    asking.leave(b"\xc0")
    push = unconfirmed(b"\x0f" + bytes(200), 64)
    asking.arrive(block(1, b"\xc4", more=True))
    asking.arrive(push[0])
    with pytest.raises(PushLost, match="block 3 of an unconfirmed transfer where 2 was due"):
        asking.arrive(push[2])
    assert asking.arrive(push[3]) == (None, ())
    assert asking.arrive(block(2, b"\x02", last=True)).whole == b"\xc4\x02"


# -- blocks that nobody acknowledges ---------------------------------------------------------------------------------


def joined(blocks: list[bytes], limits: AssociationLimits = LIMITS) -> tuple[list[bytes], UnconfirmedBlocks]:
    joining = UnconfirmedBlocks(limits)
    wholes = [joining.take(GeneralBlockTransfer.decode(each)) for each in blocks]
    return [whole for whole in wholes if whole is not None], joining


def test_unconfirmed_blocks_of_a_push() -> None:
    push = unconfirmed(APDU, 64)
    assert [read(each) for each in push] == [
        (1, 0, False, True, 0),
        (2, 0, False, True, 0),
        (3, 0, False, True, 0),
        (4, 0, True, False, 0),
    ]
    assert joined(push * 2)[0] == [APDU, APDU]
    assert joined([push[0], push[0], push[1], push[2], push[2], push[3], push[3]])[0] == [APDU]


def test_a_push_that_lost_a_block_is_one_error_and_the_next_one_is_whole() -> None:
    push, joining = unconfirmed(APDU, 64), UnconfirmedBlocks(LIMITS)
    joining.take(GeneralBlockTransfer.decode(push[0]))
    with pytest.raises(RemoteProtocolError, match="block 3 of an unconfirmed transfer where 2 was due"):
        joining.take(GeneralBlockTransfer.decode(push[2]))
    assert joining.take(GeneralBlockTransfer.decode(push[3])) is None
    assert [joining.take(GeneralBlockTransfer.decode(each)) for each in push][-1] == APDU
    assert joining.given_up == 1


def test_a_push_whose_end_is_lost_gives_way_to_the_next() -> None:
    other = b"\x0f" + bytes(70)
    wholes, joining = joined([*unconfirmed(APDU, 64)[:3], *unconfirmed(other, 64)])
    assert wholes == [other]
    assert joining.given_up == 1
    joining.give_up()
    assert joining.given_up == 1


def test_a_push_that_is_heard_from_its_middle_on() -> None:
    joining = UnconfirmedBlocks(LIMITS)
    with pytest.raises(RemoteProtocolError, match="block 2 of an unconfirmed transfer where 1 was due"):
        joining.take(GeneralBlockTransfer.decode(unconfirmed(APDU, 64)[1]))


def test_unconfirmed_blocks_are_bounded() -> None:
    push = unconfirmed(APDU, 64)
    assert joined(push, AssociationLimits(reassembled=len(APDU)))[0] == [APDU]
    with pytest.raises(DecodeError, match="octets in one block transfer"):
        joined(push, AssociationLimits(reassembled=len(APDU) - 1))
    assert joined(push, AssociationLimits(blocks=4))[0] == [APDU]
    with pytest.raises(DecodeError, match="more than 3 blocks"):
        joined(push, AssociationLimits(blocks=3))
    with pytest.raises(RemoteProtocolError, match="block 1 is empty"):
        joined([GeneralBlockTransfer(BlockControl.STREAMING, 1, 0, b"").encode()])
