"""T13 to T20: keys that travel or are shared by many, and what must not grow: compression, lengths, depth, blocks."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from conformance.security.bench import (
    AK,
    BOTH,
    CLIENT_TITLE,
    EK,
    ENERGY,
    GET,
    SERVER_TITLE,
    Bench,
    asking,
    associated,
    by_client,
    by_meter,
    ciphered,
    refusal,
    sealed,
    served,
)
from cosem import AsyncClient, Meter, Register, Unit
from cosem.client.services import Services
from cosem.errors import ActionError, ConfigurationError, CosemError, DecodeError, RemoteProtocolError, SecurityError
from cosem.meter import AssociationDescription, Keys
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu.action import ActionRequestNormal, MethodDescriptor
from cosem.protocol.apdu.block import DataBlockSA
from cosem.protocol.apdu.exception import ExceptionResponse
from cosem.protocol.apdu.get import DataBlockG, GetResponseNormal, GetResponseWithDatablock
from cosem.protocol.apdu.set import (
    SetRequestNormal,
    SetRequestWithDatablock,
    SetRequestWithFirstDatablock,
    SetResponseDatablock,
)
from cosem.protocol.association.context import AssociationLimits, ClientSettings, Requested
from cosem.protocol.association.counter import InvocationCounter
from cosem.protocol.association.security import SecurityContext
from cosem.protocol.codec import axdr
from cosem.protocol.codec.reader import Limits
from cosem.protocol.crypto.compression import Compression
from cosem.protocol.crypto.gcm import Gcm, nonce
from cosem.protocol.crypto.key import Key
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.crypto.ring import KeyKind, KeyName, MemoryKeyRing, candidates
from cosem.protocol.crypto.wrap import unwrap, wrap
from cosem.protocol.link.hdlc.frame import FrameReader, encode
from cosem.protocol.model.classes.access_control import KeyId
from cosem.protocol.values.data import OctetString
from cosem.protocol.values.obis import Obis
from cosem.store.memory import MemoryCounterStore
from pair import Pair, pair
from simulation.test_security_setup import SetUp, key

REGISTER = Register("1.0.1.8.0.255")
NEXT_EK, KEK = Key(b"the next of keys"), Key(b"a key for keys..")

# -- T13: a change of key ---------------------------------------------------------------------------------------------


def meter(encryption: Key) -> Meter:
    made = Meter("KFM1020012345678")
    made.add(REGISTER, value=5, scaler_unit=(0, Unit.WATT_HOUR))
    keys = Keys(encryption, Key(b"authenticates it"), temporary=True)
    made.offer(AssociationDescription(client=1, mechanism=MECHANISMS[5], keys=keys, protection=BOTH))
    return made


@pytest.mark.parametrize("changed", [False, True])
def test_t13_active_then_new_opens_a_meter_whose_change_of_key_is_in_doubt_client(changed: bool) -> None:
    """The new key is kept before the meter hears of it: whether it took it or not, one of the two opens it."""
    ring, owner = MemoryKeyRing(), b"KFM\0\0\0\0\1"
    ring.activate(ring.add(owner, KeyKind.ENCRYPTION, Key(b"the key till now")))
    ring.add(owner, KeyKind.ENCRYPTION, NEXT_EK)
    known = {Key(b"the key till now").fingerprint: Key(b"the key till now"), NEXT_EK.fingerprint: NEXT_EK}
    bench = Bench(meter(NEXT_EK if changed else Key(b"the key till now")))

    async def read(services: Services) -> int:
        return await services.get(REGISTER.value)

    counters = MemoryCounterStore()

    def opens(name: KeyName) -> bool:
        entry = ciphered(ek=known[ring.fingerprint(name)], ak=Key(b"authenticates it"), counters=counters)
        try:
            return bench.run(read, 1, entry) == 5
        except CosemError:
            return False

    names = candidates(ring, owner, KeyKind.ENCRYPTION)
    assert [opens(name) for name in names] == [not changed, changed]
    if changed:
        ring.activate(names[1])
        assert [opens(name) for name in candidates(ring, owner, KeyKind.ENCRYPTION)] == [True]


def test_t13_a_key_that_does_not_unwrap_is_no_key_both_roles() -> None:
    """Under another master key, with any bit flipped, or cut short, a wrapped key is refused and none results."""
    wrapped = wrap(KEK, NEXT_EK)
    assert unwrap(KEK, wrapped) == NEXT_EK
    spoilt = [wrapped[:place] + bytes((wrapped[place] ^ 1,)) + wrapped[place + 1 :] for place in range(len(wrapped))]
    spoilt += [wrapped[:size] for size in range(len(wrapped))]
    for octets in spoilt:
        with pytest.raises(SecurityError, match="does not open"):
            unwrap(KEK, octets)
    with pytest.raises(SecurityError, match="does not open"):
        unwrap(NEXT_EK, wrapped)


@pytest.mark.parametrize("cause", ["another master key", "what keeps keys fails"])
def test_t13_a_transfer_that_fails_anywhere_leaves_all_keys_meter(cause: str) -> None:
    """The meter answers that it took a key only when the key is kept; otherwise the one before goes on opening it."""
    bench = SetUp()
    bench.keeper.failing = cause == "what keeps keys fails"
    before = bench.keys
    new = {KeyId.AUTHENTICATION: key(0, 12), KeyId.GLOBAL_UNICAST_ENCRYPTION: key(0, 11)}

    async def transfer(client: AsyncClient) -> None:
        await client.transfer_keys(new, keep=lambda _: None)

    with pytest.raises(ActionError):
        bench.run(transfer, **({"master_key": key(0, 8)} if cause == "another master key" else {}))
    assert bench.keys == before and not bench.keeper.kept
    assert bench.reads()
    bench.keeper.failing = False
    bench.run(transfer)
    assert bench.reads(ek=key(0, 11), ak=key(0, 12)) and not bench.reads()


# -- T14: the broadcast key -------------------------------------------------------------------------------------------

BROADCAST_KEY = Key(b"a key of them al")
ADJUST = MethodDescriptor(8, Obis("0.0.1.0.0.255"), 6)


def broadcast(apdu: bytes, counter: int) -> bytes:
    protected = Gcm(BROADCAST_KEY, AK).protect(0x70, nonce(CLIENT_TITLE, counter), apdu)
    body = b"\x70" + counter.to_bytes(4, "big") + protected
    return bytes((0xCB, len(body))) + body


def station(broadcast_key: Key | None) -> SecurityContext:
    counter = InvocationCounter(MemoryCounterStore(), "name")
    return SecurityContext(0, SERVER_TITLE, CLIENT_TITLE, EK, AK, broadcast_key=broadcast_key, counter=counter)


def test_t14_broadcast_is_off_unless_there_is_a_key_both_roles() -> None:
    """Nothing under a broadcast key is opened by who was given none."""
    unconfirmed = ActionRequestNormal(0x01, ADJUST, OctetString(b"")).encode()
    with pytest.raises(SecurityError, match="broadcast key"):
        station(None).unprotect(broadcast(unconfirmed, 7))
    refusal(associated(5).server, broadcast(unconfirmed, 2000))


def test_t14_only_unconfirmed_services_and_a_counter_of_its_own_meter() -> None:
    """Many hold the key: what wants an answer is refused; its counter is not that of the unicast key."""
    context = station(BROADCAST_KEY)
    unconfirmed = ActionRequestNormal(0x01, ADJUST, OctetString(b"")).encode()
    confirmed = ActionRequestNormal(0x41, ADJUST, OctetString(b"")).encode()
    with pytest.raises(SecurityError, match="unconfirmed"):
        context.unprotect(broadcast(confirmed, 50))
    assert context.unprotect(broadcast(unconfirmed, 60)).apdu == unconfirmed
    with pytest.raises(SecurityError, match="used before"):
        context.unprotect(broadcast(unconfirmed, 60))
    assert context.unprotect(by_client(7)).apdu == GET.encode()
    assert context.unprotect(broadcast(unconfirmed, 61)).apdu == unconfirmed


def test_t14_what_may_be_broadcast_is_a_list_of_methods_meter() -> None:
    """A meter runs the methods described for it, and nothing else; with none described none.

    (How it stays silent on a real line: tests/unit/meter/test_broadcast.py.)
    """
    nothing = AssociationDescription(client=102, pre_established=True)
    assert nothing.broadcast == frozenset()
    with pytest.raises(ConfigurationError, match="pre-established"):
        AssociationDescription(client=102, broadcast=frozenset({(8, 6)}))


# -- T15: compression -------------------------------------------------------------------------------------------------


def test_t15_compression_is_off_unless_asked_for_both_roles() -> None:
    """Bit 7 of the security control octet is refused before anything is opened."""
    refusal(associated(5).server, by_client(100, control=0xB0))
    with pytest.raises(SecurityError, match="compressed"):
        asking(associated(5)).receive(by_meter(100, control=0xB0))


@pytest.mark.parametrize("spare", [0, -1])
def test_t15_a_bomb_is_capped_in_size_and_ratio_both_roles(spare: int) -> None:
    """What would become longer than negotiated, or more than 64 times as long, is given up on the way."""
    octets = bytes(range(256)) * 8
    packet = Compression().compress(octets)
    assert packet is not None
    limited = Compression(largest_output=len(octets) + spare)
    if spare:
        with pytest.raises(DecodeError):
            limited.decompress(packet)
    else:
        assert limited.decompress(packet) == octets
    zeros = Compression(largest_ratio=1 << 20).compress(bytes(60_000))
    assert zeros is not None
    assert 64 * len(zeros) < 60_000
    with pytest.raises(DecodeError):
        Compression().decompress(zeros)
    assert Compression().largest_ratio == 64


def test_t15_the_negotiated_size_bounds_what_an_envelope_becomes_both_roles() -> None:
    """A context takes no more from a packet than it was told (`longest`), whatever the compression allows."""
    apdu = GetResponseNormal(0xC1, OctetString(bytes(3000))).encode()
    packet = Compression(largest_ratio=1 << 20).compress(apdu)
    assert packet is not None
    protected = sealed_packet(packet)
    for longest, fits in ((len(apdu), True), (len(apdu) - 1, False)):
        counter = InvocationCounter(MemoryCounterStore(), "name")
        compression = Compression(largest_ratio=1 << 20)
        context = SecurityContext(
            0, CLIENT_TITLE, SERVER_TITLE, EK, AK, counter=counter, compression=compression, longest=longest
        )
        if fits:
            assert context.unprotect(protected).apdu == apdu
        else:
            with pytest.raises((DecodeError, SecurityError)):
                context.unprotect(protected)


def sealed_packet(packet: bytes) -> bytes:
    iv = SERVER_TITLE + (9).to_bytes(4, "big")
    body = b"\xb0" + iv[8:] + AESGCM(EK.reveal()).encrypt(iv, packet, b"\xb0" + AK.reveal())[:-4]
    length = bytes((len(body),)) if len(body) < 0x80 else b"\x82" + len(body).to_bytes(2, "big")
    return b"\xcc" + length + body


# -- T16, T17, T18: lengths, depth, compact arrays --------------------------------------------------------------------

LENGTHS: dict[str, bytes] = {
    "an array of 2^32 - 1": bytes.fromhex("0184FFFFFFFF"),
    "an octet-string of 2^32 - 1": bytes.fromhex("0984FFFFFFFF"),
    "a length of 127 octets": b"\x09\xff" + bytes(200),
    "an indefinite length": b"\x09\x80" + bytes(50),
}
DEPTHS: dict[str, bytes] = {
    "structures within structures": b"\x02\x01" * 10_000 + b"\x00",
    "arrays within structures": b"\x02\x01\x01\x01" * 5_000 + b"\x00",
}
COMPACT: dict[str, bytes] = {
    "arrays of 65535 in one another": bytes.fromhex("13" + "01FFFF" * 8 + "11" + "0105"),
    "arrays of nothing": bytes.fromhex("1301FFFF00840FFFFFFF") + bytes(100),
    "contents of 2^31": bytes.fromhex("1311847FFFFFFF"),
}


def bombs(kind: dict[str, bytes]) -> Any:
    return pytest.mark.parametrize("bomb", kind.values(), ids=kind)


def refused_by_meter(bomb: bytes) -> None:
    """In a SET: an exception-response, nothing for the meter to do, and the association lives on."""
    server = associated().server
    apdu = SetRequestNormal(0xC1, ENERGY, None, OctetString(b"")).encode()[:-2] + bomb
    answer = refusal(server, envelope(apdu, CLIENT_TITLE, 100))
    assert isinstance(answer, ExceptionResponse)
    assert served(server, by_client(101))


def refused_by_client(bomb: bytes) -> None:
    """In an answer: a typed error, and no value."""
    client = asking(associated())
    with pytest.raises(RemoteProtocolError):
        client.receive(envelope(bytes.fromhex("C401C100") + bomb, SERVER_TITLE, 100))
        for event in client.events():
            axdr.decode_all(event.raw)  # type: ignore[union-attr,arg-type]


@bombs(LENGTHS)
def test_t16_a_length_is_checked_before_anything_is_made_of_it_meter(bomb: bytes) -> None:
    """More than the octets that are left, or in more than four octets, is refused at once."""
    refused_by_meter(bomb)


@bombs(LENGTHS)
def test_t16_a_length_is_checked_before_anything_is_made_of_it_client(bomb: bytes) -> None:
    """The same in an answer."""
    refused_by_client(bomb)


@bombs(DEPTHS)
def test_t17_depth_is_bounded_meter(bomb: bytes) -> None:
    """Thousands of levels end in an error of ours, not in a stack that overflows."""
    refused_by_meter(bomb)


@bombs(DEPTHS)
def test_t17_depth_is_bounded_client(bomb: bytes) -> None:
    """The same in an answer."""
    refused_by_client(bomb)


@bombs(COMPACT)
def test_t18_a_compact_array_is_counted_before_it_is_expanded_meter(bomb: bytes) -> None:
    """The counts multiplied, the contents measured, elements without octets refused."""
    refused_by_meter(bomb)


@bombs(COMPACT)
def test_t18_a_compact_array_is_counted_before_it_is_expanded_client(bomb: bytes) -> None:
    """The same in an answer."""
    refused_by_client(bomb)


def envelope(apdu: bytes, title: bytes, counter: int) -> bytes:
    """Return a sealed APDU of any length."""
    short = sealed(apdu[:1], title, counter)
    protected = Gcm(EK, AK).protect(0x30, nonce(title, counter), apdu)
    body = b"\x30" + counter.to_bytes(4, "big") + protected
    size = len(body)
    length = bytes((size,)) if size < 0x80 else b"\x83" + size.to_bytes(3, "big")
    return short[:1] + length + body


BER_BOMBS = [
    "6084FFFFFFFF",
    "60FF" + "00" * 126,
    "6080A1090607608574050801010000",
    "6003A184FF",
    "60847FFFFFFF" + "00" * 64,
]


@pytest.mark.parametrize("octets", BER_BOMBS)
@pytest.mark.parametrize("tag", ["60", "61"])
def test_t16_lengths_of_acse_both_roles(octets: str, tag: str) -> None:
    """BER lengths that claim more than there is, that have too many octets, or that are indefinite."""
    hostile = bytes.fromhex(tag + octets[2:])
    with pytest.raises(DecodeError):
        apdus.decode(hostile)
    both = pair(5, protection=BOTH)
    both.server.receive(hostile)
    assert not any(isinstance(event, Requested) for event in both.server.events())
    both.client.associate()
    with pytest.raises((RemoteProtocolError, SecurityError)):
        both.client.receive(hostile)
    assert both.client.events() == []


@pytest.mark.parametrize(("depth", "accepted"), [(32, True), (33, False)])
def test_t17_depth_at_the_limit_both_roles(depth: int, accepted: bool) -> None:
    """32 containers in one another, and one more."""
    octets = b"\x02\x01" * depth + b"\x11\x05"
    assert Limits().depth == 32
    if accepted:
        axdr.decode_all(octets)
    else:
        with pytest.raises(DecodeError):
            axdr.decode_all(octets)


# -- T19: blocks ------------------------------------------------------------------------------------------------------


def limited(limits: AssociationLimits) -> Pair:
    """Return engines with an open association in clear and with these limits."""
    both = pair()
    both.server._limits = limits
    both.client.settings = ClientSettings(limits=limits)
    both.client.associate()
    both.run()
    return both


def get_block(number: int, octets: bytes, *, last: bool = False) -> bytes:
    return GetResponseWithDatablock(0xC1, DataBlockG(last, number, octets)).encode()


def test_t19_blocks_of_an_answer_are_counted_numbered_and_not_empty_client() -> None:
    """Gaps, repeats, empty blocks, one too many and one octet too many end the transfer."""
    for wrong in (get_block(3, b"x"), get_block(1, b"x"), get_block(2, b"")):
        client = limited(AssociationLimits()).client
        client.send(GET)
        client.receive(get_block(1, b"\x09"))
        with pytest.raises(RemoteProtocolError):
            client.receive(wrong)
    for limits, blocks, octets in (
        (AssociationLimits(blocks=3), 3, 1),
        (AssociationLimits(reassembled=30), 3, 10),
    ):
        for beyond in (0, 1):
            client = limited(limits).client
            client.send(GET)
            with pytest.raises(RemoteProtocolError) if beyond else nullcontext():
                for number in range(1, blocks + beyond + 1):
                    last = number == blocks + beyond
                    whole = b"\x09" + bytes((blocks * octets - 2,)) + bytes(blocks * octets)
                    client.receive(get_block(number, whole[(number - 1) * octets : number * octets], last=last))


def set_blocks(server: Any, blocks: list[tuple[int, bytes, bool]]) -> list[Any]:
    said: list[Any] = []
    for place, (number, octets, last) in enumerate(blocks):
        block = DataBlockSA(last, number, octets)
        request = (
            SetRequestWithDatablock(0xC1, block) if place else SetRequestWithFirstDatablock(0xC1, ENERGY, None, block)
        )
        server.receive(request.encode())
        said += [apdus.decode(each) for each in server.outgoing()]
    return said


def test_t19_blocks_of_a_request_are_counted_numbered_and_not_empty_meter() -> None:
    """The same of a SET: what is wrong is refused by name, and nothing reaches the meter."""
    for second in ((3, b"x", False), (1, b"x", False), (2, b"", False)):
        server = limited(AssociationLimits()).server
        said = set_blocks(server, [(1, b"\x09", False), second])
        assert isinstance(said[0], SetResponseDatablock)
        assert not isinstance(said[1], SetResponseDatablock)
        assert not any(isinstance(event, Requested) for event in server.events())
    for limits, count, size in ((AssociationLimits(blocks=3), 3, 1), (AssociationLimits(reassembled=30), 3, 10)):
        for beyond in (0, 1):
            server = limited(limits).server
            whole = b"\x09" + bytes((count * size - 2,)) + bytes(count * size)
            total = count + beyond
            blocks = [(n, whole[(n - 1) * size : n * size], n == total) for n in range(1, total + 1)]
            set_blocks(server, blocks)
            assert any(isinstance(event, Requested) for event in server.events()) is not bool(beyond)


# -- T20: the parser of HDLC ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("garbage", [b"\x7e" * 5000, b"\xa0" * 5000, b"\x7e\xa7\xff" * 3000, bytes(range(256)) * 40])
def test_t20_garbage_does_not_wedge_the_parser_both_roles(garbage: bytes) -> None:
    """After any octets the next good frame is found, and no more than one frame is ever kept."""
    frame = encode(b"\x03", b"\x21", 0x93, b"")
    for step in (1, 7, len(garbage)):
        reader, found = FrameReader(Counter()), 0
        for place in range(0, len(garbage), step):
            reader.feed(garbage[place : place + step])
            while reader.frame() is not None:
                pass
            assert reader.waiting <= 2 * 2049 + step
        reader.abandon()
        for _ in range(3):
            reader.feed(b"\x7e" * 2100 + frame)
            while (each := reader.frame()) is not None:
                found += each.control == 0x93
        assert found
