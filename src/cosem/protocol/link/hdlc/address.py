"""HDLC addresses of one, two or four octets: seven bits an octet, the lowest bit set in the last (IEC 62056-7-6)."""

from __future__ import annotations

from dataclasses import dataclass

from cosem.errors import ConfigurationError, DecodeError

LAYER = "HDLC"
NO_STATION = 0
ALL_STATION = {7: 0x7F, 14: 0x3FFF}  # by the number of bits of the part
CALLING_DEVICE = {7: 0x7E, 14: 0x3FFE}

_FORMS = "1 octet without a lower part (upper 0-127), 2 octets (both 0-127), 4 octets (both 0-16383)"
_BITS = {1: 7, 2: 7, 4: 14}


@dataclass(frozen=True, slots=True)
class HdlcAddress:
    """One station: `upper` names the logical device (or the client), `lower` the physical device.

    `size` is the number of octets on the wire. One octet has no lower part, two and four always have one. Addresses
    that differ in size only are different octets for the same station.
    """

    upper: int
    lower: int | None
    size: int

    def __post_init__(self) -> None:
        limit = 1 << _BITS.get(self.size, 0)
        fits = (self.size == 1) == (self.lower is None) and self.size in _BITS
        if not fits or not 0 <= self.upper < limit or not 0 <= (self.lower or 0) < limit:
            raise ConfigurationError(
                f"HDLC address upper={self.upper} lower={self.lower} size={self.size}: expected {_FORMS}"
            )

    @classmethod
    def of(cls, upper: int, lower: int | None = None, size: int | None = None) -> HdlcAddress:
        """Return the address in `size` octets, or in as few as it needs: one without `lower`, else two or four."""
        if size is None:
            size = 1 if lower is None else 2 if upper < 0x80 and lower < 0x80 else 4
        return cls(upper, lower, size)

    @classmethod
    def decode(cls, octets: bytes) -> HdlcAddress:
        """Read the octets of one address, all of them."""
        size = len(octets)
        if size not in _BITS or any(octet & 1 for octet in octets[:-1]) or not octets[-1] & 1:
            raise DecodeError(f"expected an address of 1, 2 or 4 octets, not {octets.hex(' ')}", 0, layer=LAYER)
        parts = [octet >> 1 for octet in octets]
        if size == 1:
            return cls(parts[0], None, 1)
        if size == 2:
            return cls(parts[0], parts[1], 2)
        return cls(parts[0] << 7 | parts[1], parts[2] << 7 | parts[3], 4)

    def encode(self) -> bytes:
        """Return the octets as sent."""
        if self.lower is None:
            return bytes((self.upper << 1 | 1,))
        if self.size == 2:
            return bytes((self.upper << 1, self.lower << 1 | 1))
        upper, lower = self.upper, self.lower
        return bytes((upper >> 6 & 0xFE, upper << 1 & 0xFE, lower >> 6 & 0xFE, (lower << 1 & 0xFE) | 1))

    @property
    def broadcast(self) -> bool:
        """Tell whether it names all stations, in one of its parts: nobody may answer then."""
        return ALL_STATION[self.bits] in (self.upper, self.lower)

    def in_every_size(self) -> tuple[HdlcAddress, ...]:
        """Return the address in each size that can hold it, the one it has first.

        A station without a lower part is called as "whoever is there" (the calling physical device) where one is
        needed, and one octet leaves the lower part out.
        """
        others: list[HdlcAddress] = []
        for size in (1, 2, 4):
            limit = 1 << _BITS[size]
            lower = None if size == 1 else CALLING_DEVICE[_BITS[size]] if self.lower is None else self.lower
            if size != self.size and self.upper < limit and (lower or 0) < limit:
                others.append(HdlcAddress(self.upper, lower, size))
        return (self, *others)

    @property
    def bits(self) -> int:
        """Return how many bits each part has in this size."""
        return _BITS[self.size]

    def __str__(self) -> str:
        return f"{self.upper}" if self.lower is None else f"{self.upper}/{self.lower}"


def client_address(client: int) -> HdlcAddress:
    """Return the one-octet address of a client."""
    if not 1 <= client < 0x7F:
        raise ConfigurationError(f"client: expected an HDLC client address from 1 to 126, not {client}")
    return HdlcAddress(client, None, 1)
