"""Whatever is put in, nothing comes out but a value or one of our errors, in little time and little memory."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cosem.errors import CosemError, DecodeError
from cosem.io import credentials
from cosem.io.capture import parse_trace
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu.access import AccessRequest, AccessResponse, AccessResponseGet
from cosem.protocol.apdu.acse import AssociationRequest, AssociationResponse, ReleaseRequest, ReleaseResponse
from cosem.protocol.apdu.dissection import dissect
from cosem.protocol.apdu.get import AttributeDescriptor, GetRequestNormal, GetResponseNormal
from cosem.protocol.apdu.initiate import InitiateRequest, InitiateResponse
from cosem.protocol.apdu.result import DataAccessResult
from cosem.protocol.association.admission import ServerPolicy
from cosem.protocol.association.client import ClientAssociation
from cosem.protocol.association.context import ClientSettings, Requested
from cosem.protocol.association.security import Protection
from cosem.protocol.association.server import ServerAssociation
from cosem.protocol.association.state import State
from cosem.protocol.codec import axdr, columns
from cosem.protocol.codec.dissect import as_dict, render
from cosem.protocol.crypto.key import Key
from cosem.protocol.link import dissect as links
from cosem.protocol.link.hdlc import FrameReader
from cosem.protocol.model.reference import parse_reference
from cosem.protocol.profile import profile_of
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.communication import Station
from cosem.protocol.profile.session import ClientSession, ServerSession
from cosem.protocol.profile.timing import ServerTiming, Timing
from cosem.protocol.values.data import CompactArray, OctetString
from cosem.protocol.values.dates import Date, DateTime, Time
from cosem.protocol.values.obis import Obis, ObisPattern
from pair import BOTH, CLIENT_TITLE, SERVER_TITLE, Pair, chance, pair, security

VECTORS = Path(__file__).parent.parent / "vectors"
ENERGY = AttributeDescriptor(3, Obis("1.0.1.8.0.255"), 2)

QUICK = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def known_octets() -> list[bytes]:
    """Return the octets of every vector: what the mutations begin with."""
    found: list[bytes] = []
    for path in sorted(VECTORS.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            case = json.loads(line)
            for name in ("octets", "hex"):
                with suppress(ValueError):
                    found.append(bytes.fromhex(case.get(name, "")))
    return [octets for octets in found if 0 < len(octets) < 2000]


KNOWN = known_octets()


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Octets that were right once: cut, filled, overwritten, put together."""
    octets = bytearray(draw(st.sampled_from(KNOWN)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(octets)))
        kind = draw(st.integers(0, 4))
        if kind == 0:
            octets[at : at + 1] = bytes((draw(st.sampled_from((0, 1, 2, 0x13, 0x7F, 0x80, 0x81, 0x84, 0xFE, 0xFF))),))
        elif kind == 1:
            del octets[at:]
        elif kind == 2:
            octets[at:at] = draw(st.binary(max_size=6))
        elif kind == 3:
            octets[at:at] = draw(st.sampled_from(KNOWN))[:50]
        else:
            del octets[at : at + draw(st.integers(1, 4))]
    return bytes(octets)


ANY = st.one_of(mutated(), st.binary(max_size=60))


def read_frames(octets: bytes) -> None:
    reader = FrameReader(Counter())
    reader.feed(octets)
    while reader.frame() is not None:
        pass


DECODERS: dict[str, Callable[[bytes], object]] = {
    "data": axdr.decode_all,
    "data at an offset": lambda octets: axdr.decode(octets, min(3, len(octets))),
    "data as bytearray": lambda octets: axdr.decode_all(memoryview(bytearray(octets))),
    "rows": lambda octets: columns.rows(octets).all(),
    "apdu": apdus.decode,
    "aarq": AssociationRequest.decode,
    "aare": AssociationResponse.decode,
    "rlrq": ReleaseRequest.decode,
    "rlre": ReleaseResponse.decode,
    "initiate request": InitiateRequest.decode,
    "initiate response": InitiateResponse.decode,
    "dissection": lambda octets: (render(node := dissect(octets), octets), as_dict(node)),
    "dissection of frames": links.hdlc,
    "dissection of wrapped": links.wrapped,
    "frames": read_frames,
    "envelope": lambda octets: security(CLIENT_TITLE, SERVER_TITLE).unprotect(octets),
    "envelope of a stranger": lambda octets: security(CLIENT_TITLE, None, Protection.NONE).unprotect(octets),
    "date-time": DateTime.from_octets,
    "date": Date.from_octets,
    "time": Time.from_octets,
    "obis": Obis,
    "key": Key,
}


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_gives_a_value_or_our_error(name: str) -> None:
    decoder = DECODERS[name]

    @settings(QUICK, max_examples=150)
    @given(ANY)
    def check(octets: bytes) -> None:
        with suppress(CosemError):
            str(decoder(octets))

    check()


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_survives_every_truncation_of_what_is_known(name: str) -> None:
    for octets in KNOWN[::4]:
        for end in range(0, min(len(octets), 120), 3):
            with suppress(CosemError):
                DECODERS[name](octets[:end])


TEXTS: dict[str, Callable[[str], object]] = {
    "obis": Obis,
    "pattern": ObisPattern,
    "url": lambda text: profile_of(ConnectionUrl.parse(text)),
    "reference": parse_reference,
    "key": lambda text: credentials.key(text.replace("file:", "").replace("env:", "")),
    "password": lambda text: credentials.password(text.replace("file:", "").replace("env:", "")),
    "hint": lambda text: credentials.hint(text),
    "hex": Key.from_hex,
    "date-time": DateTime.parse,
    "date": Date.parse,
    "time": Time.parse,
    "trace": parse_trace,
}

PIECES = st.sampled_from(
    [
        *(
            "tcp",
            "udp",
            "hdlc",
            "+",
            "://",
            "127.0.0.1",
            "[::1]",
            ":4059",
            "?",
            "&",
            "client=",
            "server=",
            "16",
            "0x10",
        ),
        *(
            "1-0:1.8.0*255",
            "1.0.1.8.0.255",
            "C.1.0",
            ".",
            "-",
            ":",
            "*",
            "/",
            "3/",
            "0100010800FF",
            "0x",
            "value",
            "...",
        ),
        *(
            "2024-02-30",
            "T",
            "12:00:61",
            "+99:99",
            "TX:",
            "RX:",
            "7E",
            "-1",
            "99999999999999999999",
            "\x00",
            "²",
            "٣",
            "%",
        ),
    ]
)


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_gives_a_value_or_our_error(name: str) -> None:
    parse = TEXTS[name]

    @settings(QUICK, max_examples=300)
    @given(st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=8).map("".join)))
    def check(text: str) -> None:
        with suppress(CosemError):
            str(parse(text))

    check()


# -- engines in every state -------------------------------------------------------------------------------------------

ACCESSES: list[dict[str, Any]] = [
    {},
    {"mechanism": 1, "secret": b"12345678"},
    {"mechanism": 5},
    {"mechanism": 5, "protection": BOTH},
]


def answered(request: Any) -> Any:
    if isinstance(request, AccessRequest):
        value, result = OctetString(b"x" * 300), AccessResponseGet(DataAccessResult.SUCCESS)
        return AccessResponse(request.long_invoke_id_and_priority, b"", None, (value,), (result,))
    return GetResponseNormal(request.invoke_id_and_priority, OctetString(b"x" * 300))


def reached(access: dict[str, Any], stage: int) -> Pair:
    """Return both engines so far: 0 nothing said … 3 open, 4 a request due, 5 amid blocks, 6 released."""
    both = pair(client_max_pdu=100, **access)
    if stage == 0:
        return both
    both.client.associate()
    (request,) = both.client.outgoing()
    if stage == 1:
        return both
    both.server.receive(request)
    if stage == 2:
        return both
    both.client.receive(both.server.outgoing()[0])
    both.answer = answered
    both.run()
    if stage == 3 or both.client.state is not State.ASSOCIATED:
        return both
    both.client.send(GetRequestNormal(both.client.invoke_id_and_priority(), ENERGY))
    (request,) = both.client.outgoing()
    if stage == 4:
        return both
    both.server.receive(request)
    for event in both.server.events():
        if isinstance(event, Requested):
            both.server.respond(answered(event.apdu))
    both.client.receive(both.server.outgoing()[0])
    both.client.outgoing()
    if stage == 6:
        both.client.abort()
        both.server.abort()
    return both


@QUICK
@given(st.sampled_from(ACCESSES), st.integers(0, 6), st.lists(ANY, min_size=1, max_size=6))
def test_association_engines_take_anything_in_every_state(
    access: dict[str, Any], stage: int, received: list[bytes]
) -> None:
    both = reached(access, stage)
    both.server.outgoing()
    for octets in received:
        with suppress(CosemError):
            both.client.receive(octets)
        both.client.events()
        both.client.outgoing()
        both.server.receive(octets)
        for event in both.server.events():
            if isinstance(event, Requested):
                both.server.respond(answered(event.apdu))
        assert len(both.server.outgoing()) <= 1


@settings(QUICK, max_examples=150)
@given(st.integers(0, 6), st.lists(ANY, min_size=1, max_size=4), st.booleans())
def test_what_is_wrong_inside_a_right_envelope(stage: int, plains: list[bytes], truncated: bool) -> None:
    both = reached(ACCESSES[-1], stage)
    sides = {
        title: security(title, peer) for title, peer in ((CLIENT_TITLE, SERVER_TITLE), (SERVER_TITLE, CLIENT_TITLE))
    }
    for context in sides.values():
        context._counter.raise_to(10_000, operator_approved=True)
    for plain in plains:
        for title, engine in ((SERVER_TITLE, both.client), (CLIENT_TITLE, both.server)):
            with suppress(CosemError):
                octets = sides[title].protect(plain)
                engine.receive(octets[:-1] if truncated else octets)
            for event in engine.events():
                if isinstance(event, Requested):
                    both.server.respond(answered(event.apdu))
            engine.outgoing()


def carry(client: ClientSession, server: ServerSession, now: float) -> None:
    for taker, giver in ((server, client), (client, server)):
        octets = giver.outgoing()
        if octets:
            taker.receive(octets, now)


@pytest.mark.parametrize("scheme", ["tcp", "udp", "hdlc+tcp", "hdlc+serial"])
def test_sessions_take_anything_from_the_stream(scheme: str) -> None:
    url = ConnectionUrl.parse(
        "hdlc+serial:///dev/null?client=16&server=1" if "serial" in scheme else f"{scheme}://h?client=16"
    )
    layers = profile_of(url).lower_layers

    @settings(QUICK, max_examples=120)
    @given(st.lists(ANY, min_size=1, max_size=6), st.integers(0, 3))
    def check(received: list[bytes], stage: int) -> None:
        client = ClientSession(layers.client(url), ClientAssociation(ClientSettings()), Timing())
        server = ServerSession(
            layers.server(Station(frozenset((1,)), None)),
            lambda _: ServerAssociation(ServerPolicy(), chance),
            ServerTiming(),
        )
        now = 0.0
        client.connect(now)
        if stage:
            carry(client, server, now)
            client.associate(now)
        if stage > 1:
            carry(client, server, now)
        if stage > 2:
            client.send(GetRequestNormal(0xC1, ENERGY), now)
        for octets in received:
            now += 0.1
            for session in (client, server):
                with suppress(CosemError):
                    session.receive(octets, now)
                with suppress(CosemError):
                    session.tick(now)
                session.events()
                session.outgoing()

    check()


# -- bombs ------------------------------------------------------------------------------------------------------------

DEEP = 100_000

BOMBS: dict[str, bytes] = {
    "arrays in arrays": b"\x01\x01" * DEEP,
    "structures in structures": b"\x02\x01" * (DEEP // 4),
    "an array of four thousand million": b"\x01\x84\xff\xff\xff\xff\x00",
    "an octet string of four thousand million": b"\x09\x84\xff\xff\xff\xff\x00",
    "a bit string of four thousand million": b"\x04\x84\xff\xff\xff\xff\x00",
    "a length of 127 octets": b"\x09\xff" + b"\xff" * 127,
    "a length without end": b"\x09\x80" + bytes(100),
    "nulls, a great many": b"\x01\x82\xff\xff" + bytes(0xFFFF),
    "a compact array of arrays of arrays": b"\x13" + b"\x01\xff\xff" * 20 + b"\x00" + b"\x00",
    "a compact array of a great many nothings": b"\x13\x00\x84\x7f\xff\xff\xff",
    "a compact array of structures of nulls": b"\x13\x02\x03\x00\x00\x00\x81\xc8" + bytes(200),
    "a compact array, deep": b"\x13" + b"\x01\x00\x01" * (DEEP // 10) + b"\x11\x01\x00",
    "compact arrays in compact arrays": b"\x13\x13" * 20_000,
    "wide structures in a compact array": b"\x13" + b"\x02\xff" * 5_000,
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("door", ["data", "transfer", "rows", "get-response", "dissection", "client", "server"])
def test_bomb_is_decided_quickly_and_in_little_memory(bomb: str, door: str) -> None:
    octets = BOMBS[bomb]
    both = reached({}, 4)
    doors: dict[str, Callable[[], object]] = {
        "data": lambda: axdr.decode(octets),
        "transfer": lambda: expanded(axdr.decode_all(octets)),
        "rows": lambda: columns.rows(octets).all(),
        "get-response": lambda: apdus.decode(b"\xc4\x01\xc1\x00" + octets),
        "dissection": lambda: render(dissect(b"\xc4\x01\xc1\x00" + octets)),
        "client": lambda: both.client.receive(b"\xc4\x01\xc1\x00" + octets),
        "server": lambda: both.server.receive(b"\xc1\x01\xc1\x00\x03\x01\x00\x01\x08\x00\xff\x02\x00" + octets),
    }
    tracemalloc.start()
    before = time.process_time()
    try:
        with suppress(CosemError):
            doors[door]()
        spent = time.process_time() - before
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Generous, since tracing slows it down tenfold and the machine may be busy: a bomb that works takes far more.
    assert spent < 3.0
    assert most < 64 * len(octets) + 8 * 1024 * 1024


def expanded(value: object) -> object:
    return axdr.expand(value) if isinstance(value, CompactArray) else value


@pytest.mark.parametrize("bomb", [name for name in BOMBS if "nulls, a great many" not in name])
def test_bomb_is_an_error_and_no_value(bomb: str) -> None:
    with pytest.raises(DecodeError):
        expanded(axdr.decode_all(BOMBS[bomb]))


def test_bomb_of_ber_lengths() -> None:
    for octets in (
        b"\x60\x84\xff\xff\xff\xff\xa1",
        b"\x61\x80\xa1\x00",
        b"\x60\xff" + bytes(127),
        b"\x60\x82\x00" * 999,
    ):
        with pytest.raises(DecodeError):
            apdus.decode(octets)
    with pytest.raises(DecodeError):
        apdus.decode(b"\x60" + b"\xbe\x82\xff\xff" * 1000)
