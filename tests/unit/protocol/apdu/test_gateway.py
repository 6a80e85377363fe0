"""The prefix of a gateway: octets of a peer, limits and one past, and lengths that lie."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cosem.errors import ConfigurationError, DecodeError, LocalProtocolError
from cosem.protocol import apdu
from cosem.protocol.apdu.dissection import dissect
from cosem.protocol.apdu.gateway import GatewayAddress, GatewayRequest, GatewayResponse
from cosem.protocol.codec.dissect import render

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[3] / "vectors/gateway.json").read_text("utf-8"))
DEVICE = GatewayAddress(VECTORS["network_id"], bytes.fromhex(VECTORS["physical_device_address"]))
GET = "c001c100030100010800ff0200"


@pytest.mark.parametrize("vector", VECTORS["requests"], ids=lambda vector: vector["inside"])
def test_a_peer_writes_the_prefix_as_we_do(vector: dict[str, str]) -> None:
    octets = bytes.fromhex(vector["octets"])
    request = apdu.decode(octets)
    assert isinstance(request, GatewayRequest)
    assert GatewayAddress.of(request) == DEVICE
    assert vector["inside"] == apdu.decode(request.apdu).NAME
    assert DEVICE.request(request.apdu) == request.encode() == octets
    assert str(DEVICE) == "3:4D31"


def test_the_answer_differs_in_its_first_octet_alone() -> None:
    """No peer at hand writes an answer; gurux-dlms reads ours in `tests/interop/test_gateway.py`."""
    answer = DEVICE.response(bytes.fromhex(GET))
    assert answer.hex() == "e703024d31" + GET
    assert apdu.decode(answer) == GatewayResponse(3, b"M1", bytes.fromhex(GET))


def test_a_dissection_goes_behind_the_prefix() -> None:
    tree = render(dissect(DEVICE.request(bytes.fromhex(GET))))
    assert "physical" in tree
    assert "get-request-normal" in tree
    assert "1.0.1.8.0.255" in tree
    assert "malformed" not in tree


@pytest.mark.parametrize(
    "octets",
    [
        "e6",
        "e603",
        "e60302",
        "e603024d",
        "e603024d31",  # nothing behind it
        "e603ff4d31" + GET,
        "e603804d31" + GET,
        "e60381024d31" + GET,
        "e603824d31" + GET,
        "e60300e60300" + GET,  # a prefix behind a prefix
        "e60300e70300" + GET,
        "e70300e60300" + GET,
        "e60380" + "00" * 128 + GET,
        "e6038180" + "00" * 128 + GET,
    ],
)
def test_lengths_that_lie_and_prefixes_behind_prefixes_are_refused(octets: str) -> None:
    for decode in (apdu.decode, GatewayRequest.walk if octets.startswith("e6") else GatewayResponse.walk):
        with pytest.raises(DecodeError):
            decode(bytes.fromhex(octets))
    assert "malformed" in render(dissect(bytes.fromhex(octets)))


def test_an_address_has_up_to_127_octets() -> None:
    longest = GatewayAddress(255, bytes(127))
    assert GatewayAddress.of(GatewayRequest.decode(longest.request(b"\xc0"))) == longest
    with pytest.raises(ConfigurationError, match="at most 127"):
        GatewayAddress(255, bytes(128))
    with pytest.raises(ConfigurationError, match="0 to 255"):
        GatewayAddress(256, b"")
    with pytest.raises(LocalProtocolError):
        GatewayRequest(0, bytes(128), b"\xc0").encode()


@pytest.mark.parametrize("carried", [b"", b"\xe6\x00\x00\xc0", b"\xe7\x00\x00\xc0"])
def test_what_has_a_prefix_gets_no_second_one(carried: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        DEVICE.request(carried)
    with pytest.raises(LocalProtocolError):
        DEVICE.response(carried)


@pytest.mark.parametrize(
    "text", ["", "0", ":", "0:4D3", "256:00", "1000:00", "0:xy", "0x3:4D", "-1:00", "0:" + "00" * 128]
)
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(ConfigurationError):
        GatewayAddress.parse(text)
