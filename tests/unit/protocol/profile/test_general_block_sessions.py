"""General block transfer through sessions: who asks again and when, what buys time, and how old a transfer may get."""

from __future__ import annotations

import pytest

from cosem.errors import TimedOut
from cosem.protocol.apdu import DataNotification
from cosem.protocol.apdu.action import ActionRequestWithFirstPblock, ActionRequestWithPblock, MethodDescriptor
from cosem.protocol.apdu.block import BlockControl, DataBlockSA, GeneralBlockTransfer
from cosem.protocol.apdu.get import AttributeDescriptor, GetRequestNormal, GetResponseNormal
from cosem.protocol.apdu.set import SetRequestWithDatablock, SetRequestWithFirstDatablock
from cosem.protocol.association.admission import ServerPolicy
from cosem.protocol.association.client import ClientAssociation
from cosem.protocol.association.context import (
    Associated,
    AssociationLimits,
    ClientSettings,
    Notified,
    Requested,
    Response,
)
from cosem.protocol.association.server import ServerAssociation
from cosem.protocol.link.hdlc import HdlcAddress, HdlcClient, HdlcServer, Parameters
from cosem.protocol.link.wrapper import WrapperClient, WrapperServer
from cosem.protocol.profile.session import ClientSession, SapPair, ServerSession
from cosem.protocol.profile.timing import ServerTiming, Timing
from cosem.protocol.values.data import OctetString
from cosem.protocol.values.obis import Obis
from pair import chance

ENERGY = AttributeDescriptor(3, Obis("1.0.1.8.0.255"), 2)
REQUEST = GetRequestNormal(0xC1, ENERGY)
VALUE = OctetString(bytes(index % 251 for index in range(1000)))
PUSH = DataNotification(0x40000001, b"", VALUE)
PAIR = SapPair(16, 1)


def opened(
    *,
    repeat: float = 0.0,
    limits: AssociationLimits | None = None,
    hdlc: bool = False,
    windows: tuple[int, int] = (1, 1),
) -> tuple[ClientSession, ServerSession]:
    limits = limits or AssociationLimits()
    settings = ClientSettings(general_block_window=16, max_receive_pdu_size=200, limits=limits)
    policy = ServerPolicy(general_block_window=16, max_receive_pdu_size=200, limits=limits)
    parameters = Parameters(window_transmit=windows[0], window_receive=windows[1])
    client = ClientSession(
        HdlcClient(16, HdlcAddress.of(1), parameters) if hdlc else WrapperClient(16, 1),
        ClientAssociation(settings),
        Timing(response=10.0, repeat=repeat),
    )
    server = ServerSession(
        HdlcServer([1], parameters=parameters) if hdlc else WrapperServer(),
        lambda _: ServerAssociation(policy, chance),
        ServerTiming(),
    )
    client.connect(0.0)
    carry(client, server)
    client.associate(0.0)
    carry(client, server)
    assert [type(event) for event in client.events()][-1] is Associated
    return client, server


def carry(client: ClientSession, server: ServerSession, now: float = 0.0) -> int:
    """Carry octets to and fro until both are silent; return how often the client was answered."""
    answered = 0
    while octets := client.outgoing():
        server.receive(octets, now)
        for pair, event in server.events():
            if isinstance(event, Requested):
                server.respond(pair, GetResponseNormal(0xC1, VALUE), now)
        octets = server.outgoing()
        answered += bool(octets)
        client.receive(octets, now)
    return answered


def test_silence_makes_a_client_ask_again_where_the_medium_loses() -> None:
    client, server = opened(repeat=1.0)
    client.send(REQUEST, 0.0)
    server.receive(client.outgoing(), 0.0)
    server.respond(PAIR, GetResponseNormal(0xC1, VALUE), 0.0)
    server.events()
    server.outgoing()  # lost
    assert client.deadline() == 1.0
    client.tick(0.9)
    assert client.outgoing() == b""
    client.tick(1.0)
    carry(client, server, 1.0)
    (response,) = client.events()
    assert isinstance(response, Response)
    assert client.deadline() is None


def test_it_asks_only_so_often_and_then_the_time_runs_out() -> None:
    client, _ = opened(repeat=1.0, limits=AssociationLimits(repeats=3))
    client.send(REQUEST, 0.0)
    client.outgoing()
    asked = []
    for second in range(1, 10):
        client.tick(float(second))
        asked.append(bool(client.outgoing()))
    assert asked == [True] * 3 + [False] * 6
    with pytest.raises(TimedOut, match="response"):
        client.tick(10.0)


def test_where_nothing_is_lost_nothing_is_asked_again() -> None:
    client, _ = opened()
    client.send(REQUEST, 0.0)
    client.outgoing()
    assert client.deadline() == 10.0
    client.tick(9.0)
    assert client.outgoing() == b""


def wrapped(apdu: bytes) -> bytes:
    return b"".join(number.to_bytes(2, "big") for number in (1, 1, 16, len(apdu))) + apdu


def test_every_block_that_is_new_buys_time_and_a_copy_does_not() -> None:
    client, _ = opened()
    client.send(REQUEST, 0.0)
    blocks = [GeneralBlockTransfer(BlockControl.STREAMING | 16, number, 0, b"\xc4").encode() for number in (1, 2, 3)]
    for second, block in zip((5.0, 12.0, 20.0), blocks, strict=True):
        client.receive(wrapped(block), second)
        assert client.deadline() == second + 10.0
    client.receive(wrapped(blocks[2]), 25.0)
    assert client.deadline() == 30.0
    with pytest.raises(TimedOut):
        client.tick(30.0)


@pytest.mark.parametrize(("seconds", "ends"), [(15.0, 16.0), (1000.0, 17.0)])
def test_a_transfer_may_not_get_older_than_the_limit(seconds: float, ends: float) -> None:
    client, _ = opened(limits=AssociationLimits(transfer_seconds=seconds))
    client.send(REQUEST, 0.0)
    for number in range(1, 8):
        block = GeneralBlockTransfer(BlockControl.STREAMING | 16, number, 0, b"\xc4").encode()
        client.receive(wrapped(block), float(number))
    assert client.deadline() == ends


def blocks_of(kind: str) -> list[bytes]:
    """Return three parts of a request that has more, as this service sends them."""
    raw = b"\x09\x82"
    if kind == "general":
        return [GeneralBlockTransfer(BlockControl.STREAMING | 16, n, 0, b"\xc1\x01").encode() for n in (1, 2, 3)]
    if kind == "set":
        first = SetRequestWithFirstDatablock(0xC1, ENERGY, None, DataBlockSA(False, 1, raw))
        return [first.encode()] + [SetRequestWithDatablock(0xC1, DataBlockSA(False, n, raw)).encode() for n in (2, 3)]
    method = MethodDescriptor(3, Obis("1.0.1.8.0.255"), 1)
    action = ActionRequestWithFirstPblock(0xC1, method, DataBlockSA(False, 1, raw))
    return [action.encode()] + [ActionRequestWithPblock(0xC1, DataBlockSA(False, n, raw)).encode() for n in (2, 3)]


def to_meter(apdu: bytes) -> bytes:
    return b"".join(number.to_bytes(2, "big") for number in (1, 16, 1, len(apdu))) + apdu


@pytest.mark.parametrize("kind", ["general", "set", "action"])
def test_a_meter_waits_so_long_for_each_next_block_however_long_the_whole_takes(kind: str) -> None:
    _, server = opened(limits=AssociationLimits(transfer_seconds=30.0))
    for second, block in zip((5.0, 34.0, 63.0), blocks_of(kind), strict=True):
        server.receive(to_meter(block), second)
        assert server.deadline() == second + 30.0
    server.tick(92.9)
    assert server.associations[PAIR].transferring
    server.tick(93.0)
    assert not server.associations[PAIR].transferring
    assert server.deadline() == 63.0 + ServerTiming().idle  # nothing but the idle time


def test_a_block_again_keeps_no_request_alive() -> None:
    _, server = opened(limits=AssociationLimits(transfer_seconds=30.0))
    first = blocks_of("general")[0]
    server.receive(to_meter(first), 5.0)
    server.receive(to_meter(first), 20.0)
    assert server.deadline() == 35.0


def test_a_request_that_was_forgotten_is_not_gone_on_with() -> None:
    _, server = opened(limits=AssociationLimits(transfer_seconds=30.0))
    first, second, _ = blocks_of("set")
    server.receive(to_meter(first), 5.0)
    server.outgoing()
    server.tick(35.0)
    server.receive(to_meter(second), 35.1)
    assert server.outgoing()[8:].hex() == "c501c112"  # no-long-set-in-progress


@pytest.mark.parametrize(("windows", "spoken"), [((1, 1), 11), ((7, 7), 2)])
def test_blocks_over_hdlc_are_polled_for(windows: tuple[int, int], spoken: int) -> None:
    client, server = opened(hdlc=True, windows=windows)
    turns = 0
    for _ in range(3):
        client.send(REQUEST, 0.0)
        turns = carry(client, server)
        (response,) = client.events()
        assert isinstance(response, Response)
        assert isinstance(response.apdu, GetResponseNormal)
        assert response.apdu.result == VALUE
        assert client.link.deadline() is None  # nothing more is expected
    # Six blocks of 200 octets in eleven frames: with a window of seven they take two turns instead of eleven.
    assert turns == spoken


def test_a_long_push_over_hdlc_has_a_block_in_each_frame() -> None:
    client, server = opened(hdlc=True)
    server.notify(PAIR, PUSH, 0.0)
    octets = server.outgoing()
    assert octets.count(b"\xe6\xe7\x00\xe0") == -(-len(PUSH.encode()) // 118)
    client.receive(octets, 0.0)
    (notified,) = client.events()
    assert isinstance(notified, Notified)
    assert notified.apdu == PUSH


def test_a_push_in_the_middle_of_an_answer_over_hdlc() -> None:
    client, server = opened(hdlc=True)
    client.send(REQUEST, 0.0)
    server.receive(client.outgoing(), 0.0)
    server.events()
    server.respond(PAIR, GetResponseNormal(0xC1, VALUE), 0.0)
    server.notify(PAIR, PUSH, 0.0)
    client.receive(server.outgoing(), 0.0)
    carry(client, server)
    assert [type(event) for event in client.events()] == [Notified, Response]
