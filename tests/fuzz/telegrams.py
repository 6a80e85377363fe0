"""What meters say that only speak: P1, TIC, SML and HAN; the first octet of an input says how the stream is cut."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from cosem.client.follow import lines_of
from cosem.client.han import HanReader
from cosem.protocol.association.counter import InvocationCounter
from cosem.protocol.association.layers import Envelope, Layer
from cosem.protocol.association.security import SecurityContext
from cosem.protocol.crypto.key import Key
from cosem.protocol.iec21 import Discarded
from cosem.protocol.iec21.p1 import P1Keys, P1Reader, P1Settings, Telegram, seal, telegram
from cosem.protocol.iec21.tic import Frame, Mode, TicReader, TicSettings, checksum, frame
from cosem.protocol.link.hdlc import llc
from cosem.protocol.link.hdlc.frame import encode
from cosem.protocol.link.hdlc.transfer import segments
from cosem.readings.han import push_lists
from cosem.readings.sml import SmlReader, SmlSettings
from cosem.store.memory import MemoryCounterStore

KEYS = P1Keys(encryption_key=Key(bytes(range(16))), system_title=b"KFM12345")
OPEN = P1Keys(encryption_key=Key(bytes(range(16))), authentication_key=Key(bytes(range(16, 32))))
SEALED = SecurityContext(
    *(0, b"KFM12345", None, Key(bytes(range(16))), Key(bytes(range(16, 32)))),
    counter=InvocationCounter(MemoryCounterStore(), "push"),
)
ZONE = ZoneInfo("Europe/Amsterdam")
NOW = datetime(2024, 1, 1, tzinfo=UTC)
LIMIT = 256
"""Octets of a telegram: small, so that the fuzzer reaches it."""


def p1(octets: bytes) -> None:
    """P1: any cutting gives the same, values stand in what was sent, and what is written is read as it was.

    With bit 6 of the first octet the rest is a body that gets a right check, with bit 7 it is encrypted as well.
    """
    if not octets:
        return
    stream = octets[1:]
    if octets[0] & 0xC0:
        stream = b"/ISK5\r\n\r\n" + stream.replace(b"/", b"").replace(b"!", b"")
        for whole in heard(P1Reader(), stream + b"\r\n!\r\n", 0):
            if isinstance(whole, Telegram):
                stream = telegram(whole.identification, whole.sets)
        if octets[0] & 0x80:
            stream = seal(stream, KEYS, b"KFM12345", 1)
    settings = P1Settings(telegram_octets=LIMIT)
    events = heard(P1Reader(KEYS, settings), stream, 0)
    assert repr(heard(P1Reader(KEYS, settings), stream, octets[0])) == repr(events)
    for event in events:
        assert len(event.octets) <= LIMIT + 8
        if isinstance(event, Discarded):
            continue
        assert not octets[0] & 0x80 or event.seal is not None or event.octets in stream
        said(event)
        for each in event.sets:
            assert each.octets in event.octets
            if each.error is None:
                assert str(each).encode("latin-1").replace(b" ", b"") in event.octets.replace(b" ", b"")


def tic(octets: bytes) -> None:
    """TIC: any cutting gives the same, and a sound group is written as it was read.

    With bit 6 of the first octet each line of the rest becomes a group with a right checksum.
    """
    if not octets:
        return
    stream = octets[1:]
    if octets[0] & 0x40:
        stream = b"\x02" + b"".join(map(summed, stream.split(b"\n"))) + b"\x03"
    settings = TicSettings(frame_octets=LIMIT)
    events = heard(TicReader(settings), stream, 0)
    assert repr(heard(TicReader(settings), stream, octets[0])) == repr(events)
    for event in events:
        assert event.octets in stream and len(event.octets) <= LIMIT
        if isinstance(event, Frame):
            said(event)
            sound = [group for group in event.groups if group.error is None]
            for group in sound:
                assert group.octets in event.octets
                assert group.encode() == b"\n" + group.octets + b"\r"
            (again,) = heard(TicReader(), frame(sound), 0)
            assert [(each.label, each.data, each.time) for each in again.groups] == [
                (each.label, each.data, each.time) for each in sound
            ]


def sml(octets: bytes) -> None:
    """SML: any cutting gives the same; with bit 6 of the first octet the rest gets its escapes and a right check."""
    if not octets:
        return
    stream = octets[1:]
    if octets[0] & 0x40:
        stream = escaped(stream)
    settings = SmlSettings(telegram_octets=LIMIT)
    events = heard(SmlReader(settings), stream, 0)
    assert repr(heard(SmlReader(settings), stream, octets[0])) == repr(events)
    for event in events:
        assert event.octets in stream and len(event.octets) <= LIMIT
        if not isinstance(event, Discarded):
            said(event)


def han(octets: bytes) -> None:
    """HAN: any cutting gives the same, and whatever is pushed is told; the rest of an input is frames.

    With bit 6 of the first octet the rest is the body of a push that gets its frame, and with bit 7 it is sealed.
    """
    if not octets:
        return
    stream = octets[1:]
    if octets[0] & 0xC0:
        apdu = b"\x0f\x40\x00\x00\x00\x00" + stream
        if octets[0] & 0x80:
            apdu = SEALED.wrap(apdu, (Layer(Envelope.GENERAL),))
        cut = segments(llc.RESPONSE + apdu, LIMIT)
        stream = b"".join(encode(b"\x41", b"\x08\x83", 0x13, part, more) for part, more in cut)
    keys = OPEN if octets[0] & 0x80 else None
    events = heard(HanReader(push_lists(), keys), stream, 0)
    assert repr(heard(HanReader(push_lists(), keys), stream, octets[0])) == repr(events)
    for event in events:
        if not isinstance(event, Discarded):
            assert event.verified is (keys is not None)
            said(event)


def heard(reader: Any, stream: bytes, cut: int) -> list[Any]:
    """Return what a reader finds in a stream that is cut into pieces, or not at all."""
    events: list[Any] = []
    size = cut % 37 + 1 if cut else max(len(stream), 1)
    for start in range(0, len(stream), size):
        reader.receive(stream[start : start + size], 0.0)
        events += reader.events()
    reader.finish()
    events += reader.events()
    assert reader.deadline() is None
    return events


def said(event: Any) -> None:
    """Make readings: each line has them, or a fault, or nothing that is measured; a wrong check gives none."""
    for line in lines_of(event, ZONE, NOW):
        assert not (line.readings and line.fault)
        assert not line.readings or not isinstance(event, Telegram) or event.error is None


def summed(body: bytes) -> bytes:
    mode = Mode.STANDARD if b"\t" in body else Mode.HISTORIQUE
    return b"\n" + body + mode.separator + bytes((checksum(body, mode),)) + b"\r"


def escaped(messages: bytes) -> bytes:
    padding = -len(messages) % 4
    octets = (
        b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01" + messages + bytes(padding) + b"\x1b\x1b\x1b\x1b\x1a" + bytes((padding,))
    )
    crc = 0xFFFF
    for octet in octets:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)
    return octets + (crc ^ 0xFFFF).to_bytes(2, "little")
