"""A client's link through a gateway: the prefix goes on and comes off, and nothing else gets through."""

from __future__ import annotations

import pytest

from cosem.errors import ConfigurationError, DecodeError, RemoteProtocolError
from cosem.protocol.apdu.gateway import GatewayAddress
from cosem.protocol.link import ApduReceived, LinkConnected
from cosem.protocol.link.gateway import GatewayClient
from cosem.protocol.link.hdlc import HdlcAddress, HdlcClient
from cosem.protocol.link.wrapper import WrapperClient
from cosem.protocol.profile import profile_of
from cosem.protocol.profile.address import ConnectionUrl

DEVICE = GatewayAddress(3, b"M1")


def connected() -> GatewayClient:
    link = GatewayClient(WrapperClient(16, 1), DEVICE)
    link.connect(0.0)
    assert link.events() == [LinkConnected(16, 1)]
    return link


def wrapped(apdu: str) -> bytes:
    octets = bytes.fromhex(apdu)
    return bytes.fromhex("000100010010") + len(octets).to_bytes(2, "big") + octets


def test_the_prefix_goes_on_and_comes_off() -> None:
    link = connected()
    link.send(b"\xc0\x01", 0.0)
    assert link.outgoing().hex() == "0001001000010007" + "e603024d31" + "c001"
    link.receive(wrapped("e703024d31c401"), 0.0)
    assert link.events() == [ApduReceived(b"\xc4\x01", 16, 1)]


@pytest.mark.parametrize("octets", ["e704024d31c401", "e703024d32c401", "e70300c401"])
def test_another_device_does_not_answer_for_ours(octets: str) -> None:
    link = connected()
    link.receive(wrapped(octets), 0.0)
    assert link.events() == []
    assert link.counters["apdus_from_other_devices"] == 1
    assert link.counters["apdus_received"] == 1


@pytest.mark.parametrize("octets", ["c401c100", "e603024d31c401", "0f"])
def test_what_comes_without_the_prefix_of_an_answer_is_refused(octets: str) -> None:
    link = connected()
    link.receive(wrapped(octets), 0.0)
    with pytest.raises(RemoteProtocolError, match="is there a gateway"):
        link.events()


@pytest.mark.parametrize("octets", ["e7", "e703024d31", "e7037f4d31c401", "e70300e70300c401"])
def test_a_prefix_that_lies_is_refused(octets: str) -> None:
    link = connected()
    link.receive(wrapped(octets), 0.0)
    with pytest.raises(DecodeError):
        link.events()


def test_a_url_leads_through_a_gateway() -> None:
    url = ConnectionUrl.parse("tcp://192.0.2.7?gateway=3:4d31")
    assert url.gateway == "3:4D31"
    assert str(url) == "tcp://192.0.2.7?gateway=3:4D31"
    assert ConnectionUrl.parse(str(url)) == url
    assert "through the gateway to device 3:4D31" in url.interpreted()
    link = profile_of(url).lower_layers.client_link(url)
    assert isinstance(link, GatewayClient)
    link.connect(0.0)
    link.send(b"\xc0", 0.0)
    assert link.outgoing().hex().endswith("e603024d31c0")


@pytest.mark.parametrize("url", ["tcp://h?gateway=4D31", "tcp://h?gateway=0:4D3", "p1+serial:///dev/x?gateway=0:4D"])
def test_urls_that_lead_nowhere(url: str) -> None:
    with pytest.raises(ConfigurationError, match="gateway"):
        ConnectionUrl.parse(url)


def test_the_prefix_takes_its_part_of_a_turn() -> None:
    inner = HdlcClient(16, HdlcAddress.of(1, 17))
    link = GatewayClient(inner, DEVICE)
    assert inner.octets_in_a_turn == 125
    assert link.octets_in_a_turn == 125 - len(bytes.fromhex("e603024d31"))
    assert GatewayClient(WrapperClient(16, 1), DEVICE).octets_in_a_turn is None


def test_the_end_of_the_link_to_the_gateway_ends_no_association_behind_it() -> None:
    inner = HdlcClient(16, HdlcAddress.of(1, 17))
    assert inner.ends_associations
    assert not GatewayClient(inner, DEVICE).ends_associations
    assert not WrapperClient(16, 1).ends_associations
