"""LLC headers in front of APDUs, and what meters make of them."""

import pytest

from cosem.protocol.link.hdlc.llc import COMMAND, RESPONSE, split


@pytest.mark.parametrize(
    ("information", "direction", "apdu", "headers"),
    [
        ("e6e600c001", COMMAND, "c001", 1),
        ("e6e700c401", RESPONSE, "c401", 1),
        ("ffe700c401", RESPONSE, "c401", 1),
        ("e6e700e6e7006129", RESPONSE, "6129", 2),
        ("e6e600e6e600c001", COMMAND, "e6e600c001", 1),  # a gateway prefix: network E6, no address
        ("e040", RESPONSE, "e040", 0),
        ("e6e700", COMMAND, "e6e700", 0),
        ("e6e6", COMMAND, "e6e6", 0),
        ("e6e700", RESPONSE, "", 1),
        ("", RESPONSE, "", 0),
    ],
)
def test_split(information, direction, apdu, headers):
    assert split(bytes.fromhex(information), direction) == (bytes.fromhex(apdu), headers)
