"""The prefix that leads an APDU through a gateway to the device behind it, and back (IEC 62056-5-3, annex C).

Network and address stand in front of the whole APDU, ciphered or not: a gateway looks at nothing behind them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

from cosem.errors import ConfigurationError, DecodeError
from cosem.protocol.codec.dissect import Node
from cosem.protocol.codec.forms import Unfit
from cosem.protocol.codec.schema import U8, OctetsForm, Wire, wire
from cosem.protocol.codec.source import DecodeSource, EncodeSource
from cosem.protocol.codec.walk import Walk

REQUEST: Final = b"\xe6"
RESPONSE: Final = b"\xe7"

LONGEST_ADDRESS: Final = 127
"""Octets of a physical device address: up to here a length octet is the same for those who read it as A-XDR does."""

_BAD_STARTS: Final = frozenset((b"", REQUEST, RESPONSE))
_NOT_CARRIED: Final = "need an APDU without a prefix of its own behind the prefix of a gateway"


class DeviceAddress(OctetsForm):
    """Up to 127 octets with their length in one octet in front."""

    def decoding(self, source: DecodeSource) -> str:
        source.flush()
        source.line(f"if octets[{source.at()}] > {LONGEST_ADDRESS}: raise Refused")
        return super().decoding(source)

    def encoding(self, source: EncodeSource, value: str) -> None:
        source.flush()
        source.line(f"if len({value}) > {LONGEST_ADDRESS}: raise ValueError")
        super().encoding(source, value)

    def walk(self, walk: Walk, offset: int) -> tuple[bytes, int]:
        size = walk.octets[offset : offset + 1]
        if size and size[0] > LONGEST_ADDRESS:
            raise DecodeError(f"need a length of at most {LONGEST_ADDRESS}, have {size[0]}", offset)
        return super().walk(walk, offset)

    def check(self, value: Any) -> None:
        super().check(value)
        if len(value) > LONGEST_ADDRESS:
            raise Unfit(f"need at most {LONGEST_ADDRESS} octets, have {len(value)}")


class CarriedApdu(OctetsForm):
    """All octets that follow: one APDU, which has no such prefix itself."""

    def decoding(self, source: DecodeSource) -> str:
        source.flush()
        value, stop = source.name(), source.name("o")
        source.line(f"{value} = octets[{source.at()}:]")
        source.line(f"if {value}[:1] in {source.constant(_BAD_STARTS, 'bad_starts')}: raise Refused")
        source.line(f"{stop} = len(octets)")
        source.move(stop)
        return value

    def encoding(self, source: EncodeSource, value: str) -> None:
        source.flush()
        source.line(f"if {value}[:1] in {source.constant(_BAD_STARTS, 'bad_starts')}: raise ValueError")
        source.line(f"out += {value}")

    def walk(self, walk: Walk, offset: int) -> tuple[bytes, int]:
        value = walk.octets[offset:]
        if value[:1] in _BAD_STARTS:
            raise DecodeError(_NOT_CARRIED, offset)
        inner = walk.inside(walk.octets) if walk.grow and walk.inside else None
        if inner is not None:
            walk.add(Node(inner.name, offset, len(value), inner.text, inner.children, inner.inner))
        return value, len(walk.octets)

    def check(self, value: Any) -> None:
        super().check(value)
        if bytes(value[:1]) in _BAD_STARTS:
            raise Unfit(_NOT_CARRIED)


@wire(tag=REQUEST)
class GatewayRequest(Wire):
    """An APDU for the device with that address in that network behind the gateway."""

    network_id: U8
    physical_device_address: Annotated[bytes, DeviceAddress()]
    apdu: Annotated[bytes, CarriedApdu()]


@wire(tag=RESPONSE)
class GatewayResponse(Wire):
    """An APDU from the device with that address in that network behind the gateway."""

    network_id: U8
    physical_device_address: Annotated[bytes, DeviceAddress()]
    apdu: Annotated[bytes, CarriedApdu()]


_WRITTEN: Final = re.compile(r"(\d{1,3}):((?:[0-9a-fA-F]{2})*)")


@dataclass(frozen=True, slots=True)
class GatewayAddress:
    """Which device: `network_id` from 0 to 255, and up to 127 octets of physical device address.

    Raises:
        ConfigurationError: one of them is out of its range.
    """

    network_id: int
    physical_device_address: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.network_id <= 0xFF:
            raise ConfigurationError(f"network: expected 0 to 255, not {self.network_id}")
        if len(self.physical_device_address) > LONGEST_ADDRESS:
            raise ConfigurationError(
                f"address: expected at most {LONGEST_ADDRESS} octets, not {len(self.physical_device_address)}"
            )

    @classmethod
    def parse(cls, text: str) -> GatewayAddress:
        """Read `network:address` with the network in decimal and the address in hexadecimal digits, as in 0:4D31."""
        found = _WRITTEN.fullmatch(text)
        if not found:
            raise ConfigurationError(
                "gateway: write network:address, the network in decimal and the address in hexadecimal digits, "
                "as in gateway=0:4D31"
            )
        return cls(int(found[1]), bytes.fromhex(found[2]))

    @classmethod
    def of(cls, prefixed: GatewayRequest | GatewayResponse) -> GatewayAddress:
        """Return whom a prefix names."""
        return cls(prefixed.network_id, prefixed.physical_device_address)

    def __str__(self) -> str:
        return f"{self.network_id}:{self.physical_device_address.hex().upper()}"

    def request(self, apdu: bytes) -> bytes:
        """Return an APDU with the prefix that leads to this device; raise LocalProtocolError where it has one."""
        return GatewayRequest(self.network_id, self.physical_device_address, apdu).encode()

    def response(self, apdu: bytes) -> bytes:
        """Return an APDU with the prefix that tells it comes from this device."""
        return GatewayResponse(self.network_id, self.physical_device_address, apdu).encode()
