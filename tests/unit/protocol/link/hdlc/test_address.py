"""HDLC addresses in one, two and four octets."""

import json
from pathlib import Path

import pytest

from cosem.errors import ConfigurationError, DecodeError
from cosem.protocol.link.hdlc.address import HdlcAddress, client_address

VECTORS = json.loads((Path(__file__).parents[4] / "vectors/hdlc.json").read_text())["addresses"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["octets"])
def test_vectors(vector):
    octets = bytes.fromhex(vector["octets"])
    address = HdlcAddress.decode(octets)
    assert (address.upper, address.lower, address.size) == (vector["upper"], vector["lower"], vector["size"])
    assert address.encode() == octets
    assert HdlcAddress.of(address.upper, address.lower) == address  # each vector is in its smallest size


def test_the_same_station_in_another_size():
    assert HdlcAddress.of(1, 17, 4).encode() == b"\x00\x02\x00\x23"
    assert HdlcAddress.decode(b"\x00\x02\x00\x23") == HdlcAddress(1, 17, 4)


@pytest.mark.parametrize("octets", ["", "02", "0202", "020203", "02020202", "0323", "0203020300", "0102030405", "0002"])
def test_what_is_no_address(octets):
    with pytest.raises(DecodeError) as refused:
        HdlcAddress.decode(bytes.fromhex(octets))
    assert refused.value.layer == "HDLC"


@pytest.mark.parametrize(
    ("upper", "lower", "size"),
    [(128, None, 1), (-1, None, 1), (1, 17, 1), (1, None, 2), (128, 1, 2), (1, 128, 2), (16384, 1, 4), (1, 1, 3)],
)
def test_what_no_address_can_hold(upper, lower, size):
    with pytest.raises(ConfigurationError, match="expected 1 octet"):
        HdlcAddress(upper, lower, size)


def test_edges_fit():
    for upper, lower, size in ((127, None, 1), (0, None, 1), (127, 127, 2), (16383, 16383, 4)):
        address = HdlcAddress(upper, lower, size)
        assert HdlcAddress.decode(address.encode()) == address
    assert HdlcAddress.of(127, 127).size == 2
    assert HdlcAddress.of(128, 127).size == HdlcAddress.of(127, 128).size == 4


def test_client_addresses():
    assert client_address(16).encode() == b"\x21"
    for client in (0, 127, 128):
        with pytest.raises(ConfigurationError, match="1 to 126"):
            client_address(client)


def test_text():
    assert str(HdlcAddress.of(16)) == "16"
    assert str(HdlcAddress.of(1, 17)) == "1/17"
