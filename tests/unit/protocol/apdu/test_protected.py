"""general-ciphering and general-signing: every envelope that a peer made, the choices of key-info, and dissections."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cosem.errors import DecodeError, LocalProtocolError, SecurityError
from cosem.protocol import apdu
from cosem.protocol.apdu.dissection import LAYERS
from cosem.protocol.codec.dissect import render

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[3] / "vectors" / "general.json").read_text("utf-8"))
MADE: dict[str, bytes] = {case["name"]: bytes.fromhex(case["envelope"]) for case in VECTORS["made"]}
SIGNED = MADE["suite 1, signed"]
GET = bytes.fromhex("C001C100080000010000FF0200")


@pytest.mark.parametrize("octets", MADE.values(), ids=MADE.keys())
def test_envelopes_of_a_peer_come_back_as_they_were(octets: bytes) -> None:
    envelope = apdu.decode(octets)
    assert isinstance(envelope, apdu.GeneralCiphering | apdu.GeneralSigning)
    assert envelope.encode() == octets
    assert envelope.originator_system_title.hex().upper() == VECTORS["originator"]
    assert envelope.recipient_system_title.hex().upper() == VECTORS["recipient"]
    assert octets[1:].startswith(envelope.fields)
    for size in range(len(octets)):
        with pytest.raises(DecodeError):
            apdu.decode(octets[:size])
    with pytest.raises(DecodeError):
        apdu.decode(octets + b"\0")


def test_the_fields_count_with_their_lengths_empty_ones_too() -> None:
    envelope = apdu.decode(SIGNED)
    assert isinstance(envelope, apdu.GeneralSigning)
    assert envelope.fields == bytes.fromhex("080102030405060708084D4D4D0000000001084D4D4D0000BC614E0000")
    long = apdu.GeneralSigning(bytes(200), b"", b"", b"", b"", GET, b"")
    assert long.fields == b"\x81\xc8" + bytes(204)


def test_a_choice_of_key_info_that_is_reserved() -> None:
    octets = MADE["suite 0, identified key, unicast"]
    place = octets.index(bytes.fromhex("010000")) + 1
    with pytest.raises(DecodeError, match=r"key_info.*need .*identified-key"):
        apdu.decode(octets[:place] + b"\x03" + octets[place + 1 :])
    reserved = apdu.decode(octets[: place + 1] + b"\x07" + octets[place + 2 :])
    assert isinstance(reserved, apdu.GeneralCiphering)
    assert reserved.key_info == apdu.IdentifiedKey(apdu.KeyId(7))


def test_a_presence_octet_that_is_neither() -> None:
    octets = MADE["suite 0, no key-info"]
    place = 1 + len(bytes.fromhex("080102030405060708084D4D4D0000000001084D4D4D0000BC614E0000"))
    assert octets[place] == 0
    with pytest.raises(DecodeError, match="need 0"):
        apdu.decode(octets[:place] + b"\x02" + octets[place + 1 :])


def test_a_wrong_field_is_named() -> None:
    with pytest.raises(LocalProtocolError, match=r"general-ciphering\.key_info"):
        apdu.GeneralCiphering(b"", b"", b"", b"", b"", b"", b"").encode()  # type: ignore[arg-type]


def test_a_dissection_shows_the_choice_and_the_header() -> None:
    octets = MADE["suite 1, one-pass Diffie-Hellman"]
    text = render(apdu.dissect(octets), octets)
    assert "agreed-key" in text
    assert "key_parameters: 01" in text
    assert "control: 0x31 (suite 1, authentication, encryption)" in text
    assert "key_id: global-broadcast-encryption-key (1)" in render(
        apdu.dissect(MADE["suite 0, identified key, broadcast"])
    )


def test_what_is_only_signed_is_shown_without_a_key() -> None:
    assert "signature not checked" in render(apdu.dissect(SIGNED))
    assert "instance_id: 0.0.1.0.0.255" in render(apdu.dissect(SIGNED))
    assert "signature not checked" in render(apdu.dissect(SIGNED, lambda _: None))
    assert "signature not checked" not in render(apdu.dissect(SIGNED, lambda _: GET))

    def refuse(_: bytes) -> bytes:
        raise SecurityError("another key")

    text = render(apdu.dissect(SIGNED, refuse))
    assert "not verified: another key" in text
    assert "instance_id: 0.0.1.0.0.255" in text


def nested(layers: int) -> bytes:
    octets = GET
    for _ in range(layers - 1):
        octets = apdu.GeneralSigning(b"", b"", b"", b"", b"", octets, b"").encode()
    return octets


def test_layers_are_gone_into_up_to_a_bound() -> None:
    assert "instance_id: 0.0.1.0.0.255" in render(apdu.dissect(nested(LAYERS)))
    beyond = render(apdu.dissect(nested(LAYERS + 1)))
    assert "instance_id" not in beyond
    assert "not gone into: too many layers" in beyond
    assert "instance_id" in render(apdu.dissect(nested(LAYERS + 1), layers=LAYERS + 1))
    assert "too many layers" in render(apdu.dissect(nested(4000)))
