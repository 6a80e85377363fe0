"""General block transfer over any cut, any windows and any wire: the whole APDU or a typed error, never a wrong one."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from cosem.errors import CosemError, RemoteProtocolError, TimedOut
from cosem.protocol.apdu.block import GeneralBlockTransfer
from cosem.protocol.association.context import AssociationLimits
from cosem.protocol.association.general_block import GeneralBlocks, UnconfirmedBlocks, room, unconfirmed
from cosem.protocol.association.transfer import BLOCK_OVERHEAD, longest_plain

PATIENCE = 10_000
"""How often both sides may be silent before a test gives up: never reached, for the engines give up before."""


class Wire:
    """Carries what leaves one of two engines to the other, harming it as its chance has it."""

    def __init__(self, chance: random.Random, loss: float, duplication: float, reorder: float) -> None:
        self.chance, self.loss, self.duplication, self.reorder = chance, loss, duplication, reorder
        self.under_way: list[tuple[str, bytes]] = []

    def put(self, to: str, octets: list[bytes] | tuple[bytes, ...]) -> None:
        for each in octets:
            for _ in range(2 if self.chance.random() < self.duplication else 1):
                if self.chance.random() >= self.loss:
                    self.under_way.append((to, each))

    def take(self) -> tuple[str, bytes]:
        overtakes = len(self.under_way) > 1 and self.chance.random() < self.reorder
        return self.under_way.pop(self.chance.randrange(len(self.under_way)) if overtakes else 0)


def exchange(request: bytes, response: bytes, asking: GeneralBlocks, answering: GeneralBlocks, wire: Wire) -> list[str]:
    """Carry out one exchange; return what happened at either end."""
    seen: list[str] = []
    asking.begin()
    answering.begin()
    wire.put("server", asking.leave(request))
    for _ in range(PATIENCE):
        while wire.under_way:
            to, octets = wire.take()
            if octets[:1] != GeneralBlockTransfer.TAG:
                assert octets == (request if to == "server" else response)
                whole: bytes | None = octets
                if to == "server":
                    answering.begin(plainly=True)  # as the association does for all that comes plainly
            else:
                engine = answering if to == "server" else asking
                whole, leaving = engine.arrive(octets)
                wire.put("client" if to == "server" else "server", leaving)
            if whole is None:
                continue
            assert whole == (request if to == "server" else response)
            seen.append(to)
            if to == "client":
                return seen
            wire.put("client", answering.leave(response))
        again = asking.repeat()
        if not again:
            raise TimedOut("response", 0.0)
        wire.put("server", again)
    raise AssertionError("neither an answer nor an error")


apdu = st.integers(1, 600).map(lambda size: bytes((0xC0, *(index % 251 for index in range(size - 1)))))
window = st.integers(1, 63)
longest = st.integers(8, 300)


@settings(max_examples=200)
@given(apdu, apdu, longest, longest, window, window)
def test_a_good_wire_carries_everything_in_either_window(
    request: bytes, response: bytes, to_server: int, to_client: int, taken: int, served: int
) -> None:
    asking = GeneralBlocks(taken, to_server, AssociationLimits(), serving=False)
    answering = GeneralBlocks(served, to_client, AssociationLimits(), serving=True)
    wire = Wire(random.Random(0), 0.0, 0.0, 0.0)
    for _ in range(2):
        assert exchange(request, response, asking, answering, wire) == ["server", "client"]
    assert asking.strays == answering.strays == 0


@settings(max_examples=400)
@given(
    apdu,
    apdu,
    st.integers(8, 100),
    window,
    window,
    st.integers(0, 2**32),
    st.sampled_from((0.0, 0.1, 0.3)),
    st.sampled_from((0.0, 0.1, 0.3)),
    st.sampled_from((0.0, 0.1, 0.5)),
)
def test_a_bad_wire_ends_in_the_whole_apdu_or_in_a_typed_error(
    request: bytes,
    response: bytes,
    size: int,
    taken: int,
    served: int,
    seed: int,
    loss: float,
    duplication: float,
    reorder: float,
) -> None:
    asking = GeneralBlocks(taken, size, AssociationLimits(), serving=False)
    answering = GeneralBlocks(served, size, AssociationLimits(), serving=True)
    try:
        exchange(request, response, asking, answering, Wire(random.Random(seed), loss, duplication, reorder))
    except CosemError as error:
        assert isinstance(error, RemoteProtocolError | TimedOut)
        assert loss or duplication or reorder


def test_a_wire_that_loses_a_tenth_mostly_carries_long_answers() -> None:
    response = bytes(index % 251 for index in range(4000))
    arrived = 0
    for seed in range(100):
        asking = GeneralBlocks(16, 64, AssociationLimits(), serving=False)
        answering = GeneralBlocks(16, 64, AssociationLimits(), serving=True)
        answering.peer_window = asking.peer_window = 16
        try:
            exchange(bytes(200), response, asking, answering, Wire(random.Random(seed), 0.1, 0.05, 0.1))
        except (RemoteProtocolError, TimedOut):
            continue
        arrived += 1
    assert arrived >= 95


@given(st.lists(st.binary(max_size=40).map(lambda octets: b"\xe0" + octets), max_size=20), st.booleans())
def test_any_octets_are_blocks_or_a_typed_error(octets: list[bytes], serving: bool) -> None:
    blocks = GeneralBlocks(5, 64, AssociationLimits(), serving=serving)
    blocks.leave(bytes(200))
    for each in octets:
        try:
            blocks.arrive(each)
        except CosemError as error:
            assert isinstance(error, RemoteProtocolError)


numbered = st.builds(
    lambda control, number, ack, data: GeneralBlockTransfer(control, number, ack, data).encode(),
    st.integers(0, 255),
    st.integers(0, 8),
    st.integers(0, 4),
    st.sampled_from((b"", b"\xc4", b"\xc0\x01", b"\x60\x00")),
)


@settings(max_examples=300)
@given(st.lists(numbered, max_size=30), st.booleans())
def test_whatever_a_peer_sends_in_blocks_is_bounded(blocks: list[bytes], serving: bool) -> None:
    engine = GeneralBlocks(5, 64, AssociationLimits(reassembled=20, blocks=10), serving=serving)
    engine.leave(bytes(200))
    for each in blocks:
        try:
            whole, leaving = engine.arrive(each)
        except RemoteProtocolError:
            continue
        assert whole is None or len(whole) <= 20
        assert len(leaving) <= 63


@given(st.binary(min_size=1, max_size=300).map(lambda octets: b"\x0f" + octets), longest, st.data())
def test_unconfirmed_blocks_are_joined_or_lost(octets: bytes, size: int, data: st.DataObject) -> None:
    blocks = [GeneralBlockTransfer.decode(each) for each in unconfirmed(octets, size)]
    assert all(len(block.encode()) <= size for block in blocks)
    kept = data.draw(st.lists(st.booleans(), min_size=len(blocks), max_size=len(blocks)))
    joining = UnconfirmedBlocks(AssociationLimits())
    wholes: list[bytes] = []
    for block, arrives in zip(blocks, kept, strict=True):
        try:
            whole = joining.take(block) if arrives else None
        except RemoteProtocolError:
            continue
        wholes += [] if whole is None else [whole]
    assert wholes == ([octets] if all(kept) else [])


@given(st.integers(64, 2000), st.booleans(), st.integers(0, 6000), window)
def test_general_block_transfer_never_takes_more_round_trips(
    size: int, protected: bool, more: int, answering: int
) -> None:
    # An APDU that does not fit, and the same in blocks of its service, each of which waits for the one before.
    plain = longest_plain(size, protected=protected)
    assert plain is not None
    octets = plain + 1 + more
    of_service = -(-octets // (plain - BLOCK_OVERHEAD))
    protected_octets = octets + size - plain
    first, rest = 1, -(-protected_octets // room(size)) - 1  # the window is not known before the first block
    general = first + -(-rest // answering)
    assert general <= of_service


def test_the_cut_of_an_apdu_is_the_same_whatever_the_window() -> None:
    data = []
    for served in (1, 2, 63):
        asking = GeneralBlocks(1, 40, AssociationLimits(), serving=False)
        answering = GeneralBlocks(served, 40, AssociationLimits(), serving=True)
        pieces: list[bytes] = []
        leaving: list[bytes] = asking.leave(bytes(range(0xC0, 0x100)) * 4)
        while leaving:
            pieces += [GeneralBlockTransfer.decode(each).block_data for each in leaving]
            said = [answer for each in leaving for answer in answering.arrive(each).leaving]
            leaving = [block for each in said for block in asking.arrive(each).leaving]
        data.append(pieces)
    assert all(one == other for one, other in pairwise(data))
