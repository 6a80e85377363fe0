"""Where the meters of a fleet are: each at a loopback address or a port of its own, or many behind one connection.

Behind a gateway a meter is told apart by the prefix of its APDUs (IEC 62056-5-3, annex C), on a line by the lower
address of its HDLC frames (IEC 62056-46). A concentrator or a line is at a loopback address as a meter would be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType
from typing import Final

from cosem.errors import ConfigurationError
from cosem.fleet.listening import AddressRange
from cosem.io.reach import check_place
from cosem.meter.multidrop import FIRST_PHYSICAL, MOST_ON_A_LINE
from cosem.protocol.apdu.gateway import GatewayAddress
from cosem.protocol.profile.address import ConnectionUrl

HIGHEST_PORT: Final = 65_535
MOST_BEHIND_A_GATEWAY: Final = 65_536
NETWORK: Final = 0
"""The network of all meters behind a gateway."""


class Way(Enum):
    """How meters of one place are told apart."""

    ADDRESS = "address"
    PORT = "port"
    GATEWAY = "gateway"
    MULTIDROP = "multidrop"


SERVED: Final[Mapping[Way, frozenset[str]]] = MappingProxyType(
    {
        Way.ADDRESS: frozenset({"tcp", "hdlc+tcp"}),
        Way.PORT: frozenset({"tcp", "hdlc+tcp"}),
        Way.GATEWAY: frozenset({"tcp"}),
        Way.MULTIDROP: frozenset({"hdlc+tcp"}),
    }
)
"""Which schemes each way has."""

_MOST_BEHIND: Final = {Way.GATEWAY: MOST_BEHIND_A_GATEWAY, Way.MULTIDROP: MOST_ON_A_LINE}


@dataclass(frozen=True, slots=True)
class Place:
    """The place of the meters with some consecutive `numbers`.

    Attributes:
        numbers: which meters.
        url: where the first of them is; port 0 finds a free one.
        way: how they are told apart.
        behind: how many share an address, where they are behind gateways or on lines.
        beyond_loopback: whether ports of an address may be used that other machines can reach.

    Raises:
        ConfigurationError: they cannot be there.
    """

    numbers: range
    url: ConnectionUrl
    way: Way = Way.ADDRESS
    behind: int = 1
    beyond_loopback: bool = False

    def __post_init__(self) -> None:
        schemes, count = SERVED[self.way], len(self.numbers)
        if self.url.scheme not in schemes:
            raise ConfigurationError(
                f"meters told apart by {self.way.value} are served by {' or '.join(sorted(schemes))}, "
                f"not by {self.url.scheme}"
            )
        most = _MOST_BEHIND.get(self.way, 1)
        if not 1 <= self.behind <= most:
            raise ConfigurationError(f"behind: expected 1 to {most} meters, not {self.behind}")
        if self.way is not Way.PORT:
            assert self.addresses.count
        elif self.url.port and self.url.port + count - 1 > HIGHEST_PORT:
            raise ConfigurationError(f"{count} ports from {self.url.port} on go beyond {HIGHEST_PORT}")

    def check(self, demonstration: bool) -> None:
        """Raise ConfigurationError where it reaches beyond loopback without leave, or at all with demo keys."""
        check_place(self.url, demonstration, beyond_loopback=self.beyond_loopback)

    @property
    def addresses(self) -> AddressRange:
        """The addresses of its meters, gateways or lines; ConfigurationError where there are not so many."""
        return AddressRange(self.url.host, -(-len(self.numbers) // self.behind))

    def at(self, address: int) -> range:
        """Return the meters at an address, counted from 0."""
        return self.numbers[address * self.behind : (address + 1) * self.behind]

    def url_of(self, number: int, port: int | None) -> ConnectionUrl:
        """Return how a client reaches a meter, at the port that was found or of its own."""
        address, place = divmod(number - self.numbers.start, self.behind)
        if self.way is Way.PORT:
            return replace(self.url, port=port or (self.url.port + address if self.url.port else 0))
        url = replace(self.url, host=self.addresses.address(address), port=port or self.url.port)
        if self.way is Way.GATEWAY:
            return replace(url, gateway=str(prefix(number)))
        if self.way is Way.MULTIDROP:
            return replace(url, physical=FIRST_PHYSICAL + place, address_size=None)
        return url


def prefix(number: int) -> GatewayAddress:
    """Return the address by which a gateway knows a meter: its number in four octets."""
    return GatewayAddress(NETWORK, number.to_bytes(4, "big"))


def number_of(address: GatewayAddress | None) -> int | None:
    """Return which meter a gateway knows by an address; None where it knows none."""
    if address is None or address.network_id != NETWORK or len(address.physical_device_address) != 4:
        return None
    return int.from_bytes(address.physical_device_address, "big")


def check_apart(places: Iterable[Place]) -> None:
    """Raise ConfigurationError where two places share an address at one port.

    Meters at addresses are reached by a socket that takes their port at all addresses.
    """
    taken: dict[int | None, list[tuple[int, int, Place]]] = {}
    ports: dict[str, list[tuple[int, int, Place]]] = {}
    for place in sorted(places, key=lambda place: place.way is Way.PORT):
        if place.way is Way.PORT:
            if place.url.port:
                _take_ports(place, place.url.port, taken, ports.setdefault(place.url.host, []))
            continue
        begin = place.addresses.first
        end = begin + place.addresses.count
        for low, high, other in taken.setdefault(place.url.port, []):
            if begin < high and low < end:
                raise _reach(other, place)
        taken[place.url.port].append((begin, end, place))


def _take_ports(
    place: Place,
    begin: int,
    addresses: Mapping[int | None, Sequence[tuple[int, int, Place]]],
    ports: list[tuple[int, int, Place]],
) -> None:
    end = begin + len(place.numbers)
    for port, ((_, _, other), *_) in addresses.items():
        if port is not None and begin <= port < end:
            raise _reach(place, other)
    for low, high, other in ports:
        if begin < high and low < end:
            raise _reach(other, place)
    ports.append((begin, end, place))


def _reach(one: Place, other: Place) -> ConfigurationError:
    return ConfigurationError(f"meters from {one.url.place} on reach into those from {other.url.place} on")
