"""An independent decompressor of V.44 understands our packets, and ours agrees with it on packets of chance.

The meter of pydlms-client decompresses what our client sends; no peer compresses. Nobody at hand can judge the
parameters: those of the packet method in V.44 are taken by both.
"""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from cosem import Data
from cosem.errors import DecodeError
from cosem.meter import AssociationDescription, Keys, Meter
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.crypto.compression import Compression
from cosem.protocol.crypto.key import Key
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.values.data import OctetString
from interop.conftest import drive
from interop.served import served
from interop.test_security_suites import TITLE, symmetric

V44 = Compression(largest_ratio=1 << 20)


def judged(packets: list[bytes]) -> list[bytes | None]:
    answer = drive("pydlms_v44.py", json.dumps([packet.hex() for packet in packets]))
    return [None if octets is None else bytes.fromhex(octets) for octets in answer["octets"]]


def ours(packet: bytes) -> bytes | None:
    try:
        return V44.decompress(packet)
    except DecodeError:
        return None


def test_the_peer_decompresses_what_we_compress() -> None:
    chance = random.Random(44)
    rows = b"".join(
        bytes.fromhex(f"0203090C07EA0B14050F{row % 60:02X}00FF8000001100060000") + (1000 + 7 * row).to_bytes(2, "big")
        for row in range(200)
    )
    texts = [rows, b"\x00" * 3000, b"AB" * 500, bytes(range(256)) * 4]
    texts += [
        bytes(chance.randrange(kinds) for _ in range(chance.randrange(20, 600)))
        for kinds in (2, 3, 5, 130, 255)
        for _ in range(8)
    ]
    pairs = [(text, packet) for text in texts if (packet := V44.compress(text)) is not None]
    assert len(pairs) > 25
    assert judged([packet for _, packet in pairs]) == [text for text, _ in pairs]


def test_we_and_the_peer_agree_on_packets_of_chance() -> None:
    chance = random.Random(4464)
    packets = [bytes(chance.randrange(256) for _ in range(chance.randrange(1, 12))) for _ in range(1500)]
    for _ in range(300):  # altered packets get further
        packet = bytearray(V44.compress(bytes(chance.randrange(3) for _ in range(60))) or b"")
        packet[chance.randrange(len(packet))] ^= 1 << chance.randrange(8)
        packets.append(bytes(packet))
    answers = judged(packets)
    assert [ours(packet) for packet in packets] == answers
    assert sum(answer is not None for answer in answers) > 20


@pytest.mark.interop(feature="compression", peer="pydlms-client", role="server")
def test_a_session_in_which_our_meter_compresses(pydlms: Any) -> None:
    """The peer takes what is compressed and compresses nothing itself."""
    ek, ak = symmetric(1)
    meter = Meter("KFM1020012345678")
    meter.add(Data("0.0.96.1.0.255"), value=OctetString(b"again and " * 60))
    meter.offer(
        AssociationDescription(
            client=1,
            mechanism=MECHANISMS[5],
            keys=Keys(Key(bytes.fromhex(ek)), Key(bytes.fromhex(ak)), temporary=True, suite=1),
            protection=AUTHENTICATED_ENCRYPTION,
            compression=True,
        )
    )
    words: dict[str, Any] = {"suite": 1, "client": 1, "mechanism": 5, "ek": ek, "ak": ak, "title": TITLE}
    words["settings"] = {"protection": "general-glo"}  # in other envelopes it takes nothing compressed
    read = [["get", "0.0.96.1.0.255", 1, 2]]
    with served(meter) as port:
        answer = pydlms(port, read, **words, context={"decompressor": {}})
        without = pydlms(port, read, **{**words, "counter": 100})
    assert answer.get("results") == [{"value": "09820258" + (b"again and " * 60).hex().upper()}], answer
    assert without.get("results") != answer["results"], "it was compressed, and cannot be read without"
