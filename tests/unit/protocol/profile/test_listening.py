"""A listener's session against captured pushes in blocks, and against what can go wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cosem.errors import DecodeError
from cosem.protocol.apdu import DataNotification, decode
from cosem.protocol.association.context import AssociationLimits
from cosem.protocol.association.envelope import open_envelope
from cosem.protocol.association.general_block import unconfirmed
from cosem.protocol.crypto.key import Key
from cosem.protocol.link.hdlc import HdlcListener, HdlcServer
from cosem.protocol.link.hdlc.frame import encode
from cosem.protocol.profile.listening import Heard, ListenerSession, Unfinished
from cosem.protocol.values.data import Array, OctetString, Structure

ROOT = Path(__file__).parents[4]
CAPTURES: dict[str, Any] = {
    case["id"]: case
    for case in map(json.loads, (ROOT / "tests/vectors/hdlc_captures.jsonl").read_text("utf-8").splitlines())
}
KEYS = json.loads((ROOT / "tests/vectors/security.json").read_text("utf-8"))["keys"]
PUSH = b"\x0f" + bytes(range(200))


def frames(apdus: list[bytes], *, server: int = 1, header: bytes = b"\xe6\xe7\x00") -> list[bytes]:
    """Return each APDU in a UI frame; the LLC header only in front of the first, as meters have it."""
    return [
        encode(b"\xce\xff", bytes((server << 1 | 1,)), 0x13, (b"" if index else header) + apdu)
        for index, apdu in enumerate(apdus)
    ]


def session(**options: Any) -> ListenerSession:
    return ListenerSession(HdlcListener(), **options)


def test_a_captured_push_in_plain_blocks() -> None:
    case, listening = CAPTURES["made-e450-cy-blocks"], session()
    for frame in case["hex"].split()[:-1]:
        listening.receive(bytes.fromhex(frame), 0.0)
        assert listening.events() == []
    listening.receive(bytes.fromhex(case["hex"].split()[-1]), 3.0)
    (heard,) = listening.events()
    assert isinstance(heard, Heard)
    assert (heard.blocks, heard.client, heard.server) == (3, 103, 1)
    push = decode(heard.apdu)
    assert isinstance(push, DataNotification)
    assert push.long_invoke_id_and_priority == 0x007C83D3
    assert isinstance(push.body, Structure)
    described, values = push.body[0], push.body[1:]
    assert isinstance(described, Array)
    expected = [item["value"] for item in case["expected"]["items"]]
    assert [value for value in values if isinstance(value, int)] == [
        value for value in expected if isinstance(value, int)
    ]
    assert OctetString(b"LGZ1020700000001") in values
    assert listening.outgoing() == b""


def test_a_captured_push_in_ciphered_blocks() -> None:
    case, listening = CAPTURES["made-e450-ciphered-blocks"], session()
    listening.receive(bytes.fromhex(case["hex"].replace(" ", "")), 0.0)
    (heard,) = listening.events()
    assert isinstance(heard, Heard)
    opened = open_envelope(heard.apdu, Key.from_hex(KEYS["encryption"]), Key.from_hex(KEYS["authentication"]))
    assert opened.authenticated
    assert opened.apdu.hex() == case["expected"]["plaintext"]


def test_what_comes_in_one_piece_stays_one_piece() -> None:
    listening = session()
    listening.receive(frames([PUSH])[0], 0.0)
    assert listening.events() == [Heard(PUSH, 103, 1)]
    assert listening.deadline() is None


def test_a_lost_frame_is_told_once_and_the_next_push_is_whole() -> None:
    listening, blocks = session(), frames(unconfirmed(PUSH, 64))
    for index in (0, 2, 3, *range(4)):
        listening.receive(blocks[index], 0.0)
    lost, heard = listening.events()
    assert isinstance(lost, Unfinished)
    assert "block 3 of an unconfirmed transfer where 2 was due" in str(lost.error)
    assert heard == Heard(PUSH, 103, 1, 4)


def test_a_push_that_another_one_cuts_short_is_told() -> None:
    listening, blocks = session(), frames(unconfirmed(PUSH, 64))
    other = frames(unconfirmed(b"\x0f" + bytes(100), 64))
    for frame in (*blocks[:3], *other):
        listening.receive(frame, 0.0)
    cut, heard = listening.events()
    assert isinstance(cut, Unfinished)
    assert heard == Heard(b"\x0f" + bytes(100), 103, 1, 2)


def test_several_senders_at_once() -> None:
    listening = session()
    for group in zip(*(frames(unconfirmed(PUSH, 64), server=server) for server in (1, 2, 3)), strict=True):
        for frame in group:
            listening.receive(frame, 0.0)
    assert listening.events() == [Heard(PUSH, 103, server, 4) for server in (1, 2, 3)]


@pytest.mark.parametrize(("senders", "lost"), [(3, 0), (2, 1)])
def test_the_number_of_senders_is_bounded(senders: int, lost: int) -> None:
    listening = session(senders=senders)
    for server in (1, 2, 3):
        listening.receive(frames(unconfirmed(PUSH, 64), server=server)[0], 0.0)
    assert sum(isinstance(event, Unfinished) for event in listening.events()) == lost


def test_the_rest_must_come_in_time() -> None:
    listening = session(limits=AssociationLimits(transfer_seconds=10.0))
    blocks = frames(unconfirmed(PUSH, 64))
    listening.receive(blocks[0], 1.0)
    listening.receive(blocks[1], 5.0)
    assert listening.deadline() == 11.0
    listening.tick(10.9)
    assert listening.events() == []
    listening.tick(11.0)
    (lost,) = listening.events()
    assert isinstance(lost, Unfinished)
    assert "within 10 s" in str(lost.error)
    assert listening.deadline() is None
    for frame in blocks[2:]:
        listening.receive(frame, 12.0)
    assert listening.events() == []


def test_the_size_is_bounded() -> None:
    for limit, whole in ((len(PUSH), True), (len(PUSH) - 1, False)):
        listening = session(limits=AssociationLimits(reassembled=limit))
        for frame in frames(unconfirmed(PUSH, 64)):
            listening.receive(frame, 0.0)
        (event,) = listening.events()
        assert isinstance(event, Heard) is whole


def test_a_malformed_block_is_told() -> None:
    listening = session()
    listening.receive(frames([b"\xe0\x40\x00"])[0], 0.0)
    (lost,) = listening.events()
    assert isinstance(lost, Unfinished)
    assert isinstance(lost.error, DecodeError)


def test_a_meter_of_ours_pushes_a_block_in_each_frame() -> None:
    server = HdlcServer([1])
    frame = server.unsolicited_octets(client=103, server=1)
    assert frame == 125
    for block in unconfirmed(PUSH, frame):
        server.send(block, 0.0, client=103, server=1, unsolicited=True)
    octets = server.outgoing()
    assert octets.count(b"\xe6\xe7\x00\xe0") == 2  # unsegmented: each begins with its own header
    listening = session()
    listening.receive(octets, 0.0)
    assert listening.events() == [Heard(PUSH, 103, 1, 2)]
