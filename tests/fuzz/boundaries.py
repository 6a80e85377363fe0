"""Where octets from outside come in: one harness for each boundary, which takes any octets and says what must hold.

A harness raises AssertionError where a promise is broken. Our own errors are answers, anything else is a finding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from cosem.errors import CosemError, DecodeError
from cosem.gateway.northbound import Point
from cosem.gateway.northbound.iec104.apdu import FrameReader as MasterReader
from cosem.gateway.northbound.iec104.station import Station, StationSettings
from cosem.gateway.value import CommandResult, NumberType
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu.acse import AssociationRequest, AssociationResponse, ReleaseRequest, ReleaseResponse
from cosem.protocol.apdu.get import GetRequestNormal
from cosem.protocol.association.context import Requested
from cosem.protocol.association.counter import InvocationCounter
from cosem.protocol.association.security import SecurityContext
from cosem.protocol.association.state import State
from cosem.protocol.codec import axdr
from cosem.protocol.codec.dissect import as_dict, render
from cosem.protocol.crypto.compression import Compression
from cosem.protocol.crypto.key import Secret
from cosem.protocol.elgama import tables as elgama_tables
from cosem.protocol.elgama.client import ElgamaClient
from cosem.protocol.elgama.frame import LONGEST_BODY, Command
from cosem.protocol.elgama.frame import Frame as ElgamaFrame
from cosem.protocol.elgama.models import EPQS
from cosem.protocol.elgama.station import ElgamaStation
from cosem.protocol.iec21.client import HandHeldUnit
from cosem.protocol.iec21.message import Identification, Option
from cosem.protocol.iec21.reader import MessageReader
from cosem.protocol.iec21.readout import parse
from cosem.protocol.iec21.server import TariffDevice
from cosem.protocol.iec21.server_events import CommandReceived, ProgrammingWanted, ReadoutWanted
from cosem.protocol.iec21.settings import ClientSettings as ReaderSettings
from cosem.protocol.iec21.settings import ServerSettings
from cosem.protocol.iec21.settings import Settings as LocalSettings
from cosem.protocol.link import Link
from cosem.protocol.link.hdlc import Frame, FrameReader, HdlcAddress, HdlcClient, HdlcListener, HdlcServer
from cosem.protocol.link.wrapper import WrapperClient, WrapperServer
from cosem.store.memory import MemoryCounterStore
from fuzz.bench import ENERGY, answered
from fuzz.envelopes import general_ciphering, general_signing
from fuzz.exchanges import gateway, general_blocks, short_names
from fuzz.telegrams import han, p1, sml, tic
from pair import AK, BOTH, CLIENT_TITLE, EK, SERVER_TITLE, Pair, pair


def data(octets: bytes) -> None:
    """A-XDR: what decodes encodes again, and then to the same octets each time."""
    with suppress(CosemError):
        encoded = axdr.encode(axdr.decode_all(octets))
        assert axdr.encode(axdr.decode_all(encoded)) == encoded


def apdu(octets: bytes) -> None:
    """APDUs of every kind: the same, and the dissector shows whatever there is."""
    node = apdus.dissect(octets)
    render(node, octets)
    as_dict(node)
    with suppress(CosemError):
        value = apdus.decode(octets)
        encoded = apdus.encode(value)
        assert apdus.encode(apdus.decode(encoded)) == encoded


def acse(octets: bytes) -> None:
    """Opening and closing: the decoders of BER, and both engines where these APDUs are due."""
    for kind in (AssociationRequest, AssociationResponse, ReleaseRequest, ReleaseResponse):
        with suppress(CosemError):
            value: Any = kind.decode(octets)
            encoded = value.encode()
            assert kind.decode(encoded).encode() == encoded
    for access in ({}, {"mechanism": 1, "secret": b"12345678"}, {"mechanism": 5, "protection": BOTH}):
        both = pair(**access)
        both.server.receive(octets)
        assert len(both.server.outgoing()) <= 1
        if access:
            assert both.server.state is not State.ASSOCIATED
        both.client.associate()
        both.client.outgoing()
        with suppress(CosemError):
            both.client.receive(octets)
        assert not access or both.client.state is not State.ASSOCIATED or access["mechanism"] == 1


def hdlc(octets: bytes) -> None:
    """The octets of a line: any way of cutting them gives the same frames, and no station is put out by them.

    An even first octet has frames made of the rest, each a control octet, a length and that many octets, which then
    have right checks; an odd one leaves the rest as it is.
    """
    if not octets:
        return
    stream = octets[1:] if octets[0] & 1 else _framed(octets[1:])
    whole, pieces = FrameReader(Counter()), FrameReader(Counter())
    whole.feed(stream)
    frames = list(iter(whole.frame, None))
    apart: list[Frame] = []
    for octet in stream:
        pieces.feed(bytes((octet,)))
        apart += iter(pieces.frame, None)
    assert apart == frames
    address = HdlcAddress.of(1)
    for station in (HdlcServer(frozenset((1,)), None), HdlcClient(16, address), HdlcListener()):
        if isinstance(station, HdlcClient):
            station.connect(0.0)
        _fed(station, stream, octets[0] >> 1)


def wrapper(octets: bytes) -> None:
    """The octets of a TCP connection with the wrapper, and datagrams; the first octet says how they are cut."""
    if octets:
        for station in (WrapperServer(), WrapperClient(16, 1), WrapperServer(datagram=True)):
            _fed(station, octets[1:], octets[0])


def ciphered(octets: bytes) -> None:
    """Whatever somebody with the right keys says: the first octet chooses to whom, how, and in which state."""
    if not octets:
        return
    both = _reached(octets[0] & 3)
    to_server, dedicated, general = (bool(octets[0] & bit) for bit in (4, 8, 16))
    own, peer = (CLIENT_TITLE, SERVER_TITLE) if to_server else (SERVER_TITLE, CLIENT_TITLE)
    counter = InvocationCounter(MemoryCounterStore(), "adversary")
    counter.raise_to(100_000, operator_approved=True)
    sender = SecurityContext(0, own, peer, EK, AK, required=BOTH, counter=counter)
    engine = both.server if to_server else both.client
    with suppress(CosemError):
        if dedicated:
            sender.use_dedicated(EK)
        engine.receive(sender.protect(octets[1:], dedicated=dedicated, general=general))
    for event in engine.events():
        if isinstance(event, Requested):
            with suppress(CosemError):
                both.server.respond(answered(event.apdu))
    assert len(engine.outgoing()) <= 1


def compressed(octets: bytes) -> None:
    """Packets of V.44: bounded, and what we compress comes back."""
    settings = Compression()
    with suppress(CosemError):
        assert len(settings.decompress(octets)) <= len(octets) * settings.largest_ratio
    packet = settings.compress(octets)
    assert packet is None or settings.decompress(packet) == octets


def elgama(octets: bytes) -> None:
    """The byte protocol of Elgama: octets of a line, and, where the first octet is odd, records with right checks."""
    if not octets:
        return
    body = octets[1:]
    for read in (
        *(elgama_tables.packed_time, elgama_tables.epqs_clock, elgama_tables.epqm_clock, elgama_tables.events),
        *(elgama_tables.epqs_profile_record, elgama_tables.epqs_register_record),
    ):
        with suppress(DecodeError):
            read(body)
    with suppress(DecodeError):
        assert ElgamaFrame.decode(body).encode() == body
    command = list(Command)[octets[0] >> 1 & 3]
    stream = ElgamaFrame(1, 1, command, body[:LONGEST_BODY]).encode() if octets[0] & 1 else body
    password = Secret(b"12345")
    station = ElgamaStation(EPQS, 1, {b"": b""}.get, password=password, entropy=bytes)
    client = ElgamaClient(EPQS, 1, password)
    client.request(b"", bytes(8), 0.0)
    size = octets[0] % 37 + 1
    for start in range(0, len(stream), size):
        station.receive(stream[start : start + size], 0.0)
        with suppress(CosemError):
            client.receive(stream[start : start + size], 0.0)
    station.tick(500.0)
    assert station.deadline() is None
    with suppress(CosemError):
        client.tick(500.0)
    assert len(station.outgoing()) <= 27 * len(stream)


def local_port(octets: bytes) -> None:
    """What a local port carries, to reader and meter of IEC 62056-21: the first octet says how, and how it is cut.

    However it is cut, the same messages are found; what was recorded is a readout of nothing that was not sent.
    """
    if not octets:
        return
    stream, size = octets[1:], octets[0] % 37 + 1
    whole, pieces = (MessageReader(Counter(), LocalSettings()) for _ in range(2))
    found: list[Any] = []
    with suppress(CosemError):
        whole.feed(stream)
        expected = list(iter(whole.message, None))
        for start in range(0, len(stream), size):
            pieces.feed(stream[start : start + size])
            found += iter(pieces.message, None)
        assert found == expected
    for each in parse(stream).sets:
        assert each.error is not None or each.octets in stream or max(stream) >= 0x80
    unit = HandHeldUnit(ReaderSettings(switches=False))
    unit.sign_on(0.0, tuple(Option)[octets[0] % len(Option)])
    device = TariffDevice(ServerSettings(identification=Identification.of("KFM5MT"), switches=False))
    device.receive(b"/?!\r\n\x06051\r\n", 0.0)
    now = 0.5
    with suppress(CosemError):
        unit.receive(b"/KFM5MT\r\n", now)
        unit.tick(now + 1.0)
        for start in range(0, len(stream), size):
            now += 0.5
            unit.receive(stream[start : start + size], now)
            unit.tick(now)
            unit.events()
            unit.outgoing()
        unit.tick(now + 500.0)
    for start in range(0, len(stream), size):
        device.receive(stream[start : start + size], now)
        for event in device.events():
            if isinstance(event, CommandReceived):
                device.answer(b"1.8.0(1)", now)
            elif isinstance(event, ProgrammingWanted):
                device.enter(b"", now)
            elif isinstance(event, ReadoutWanted):
                device.readout(b"1.8.0(1)\r\n", now)
        device.outgoing()
    device.tick(now + 500.0)


def iec104(octets: bytes) -> None:
    """A control system of IEC 60870-5-104: answers are frames, and only commands are obeyed."""
    kinds = (NumberType.DIGITAL, NumberType.FLOAT, NumberType.SIGNED16, NumberType.UNSIGNED32, NumberType.BITSTRING)
    points = [Point(kind.value, "meter", "", kind, writable=True) for kind in kinds]
    station = Station(points, StationSettings(answers=8, commands=2), time=lambda: datetime(2026, 11, 26, tzinfo=UTC))
    conversation = station.converse(0.0)
    with suppress(CosemError):
        for wanted in conversation.receive(octets, 0.0):
            assert wanted.command.signal in {kind.value for kind in kinds}
            conversation.obeyed(wanted, CommandResult(True), 0.0)
        conversation.tick(min(conversation.deadline(), 9.0))
    MasterReader().take(conversation.outgoing())
    conversation.close()


BOUNDARIES: Final[Mapping[str, Callable[[bytes], None]]] = MappingProxyType(
    {
        "data": data,
        "apdu": apdu,
        "acse": acse,
        "hdlc": hdlc,
        "wrapper": wrapper,
        "local_port": local_port,
        "ciphered": ciphered,
        "compressed": compressed,
        "general_blocks": general_blocks,
        "gateway": gateway,
        "short_names": short_names,
        "general_ciphering": general_ciphering,
        "general_signing": general_signing,
        "p1": p1,
        "tic": tic,
        "sml": sml,
        "han": han,
        "elgama": elgama,
        "iec104": iec104,
    }
)


def _framed(octets: bytes) -> bytes:
    """Return frames to server 1 from client 16, or the other way about, made of instructions."""
    out, at = bytearray(), 0
    server, client = HdlcAddress.of(1).encode(), HdlcAddress.of(16).encode()
    while at + 1 < len(octets):
        control, size = octets[at], octets[at + 1] & 0x3F
        information = octets[at + 2 : at + 2 + size]
        ends = (server, client) if octets[at + 1] & 0x40 else (client, server)
        with suppress(CosemError):
            out += Frame(*ends, control, information, bool(octets[at + 1] & 0x80)).encode()
        at += 2 + size
    return bytes(out)


def _fed(station: Link, stream: bytes, cut: int) -> None:
    """Give a station the stream in pieces, with time passing between them, as long as it goes on."""
    now, size = 0.0, cut % 37 + 1
    with suppress(CosemError):
        for start in range(0, len(stream), size):
            now += 0.5
            station.receive(stream[start : start + size], now)
            station.events()
            station.outgoing()
        station.tick(now + 500.0)
        station.events()
        station.outgoing()


def _reached(stage: int) -> Pair:
    """Return both engines of a ciphered association: 0 not begun, 1 proving, 2 open, 3 amid an exchange."""
    both = pair(mechanism=5, protection=BOTH, client_max_pdu=200)
    if stage:
        both.client.associate()
        both.server.receive(both.client.outgoing()[0])
        both.client.receive(both.server.outgoing()[0])
    if stage > 1:
        both.run()
    if stage > 2:
        both.client.send(GetRequestNormal(both.client.invoke_id_and_priority(), ENERGY))
        both.client.outgoing()
    return both
