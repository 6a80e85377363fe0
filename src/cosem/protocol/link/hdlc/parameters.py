"""The parameters two HDLC stations agree on in SNRM and UA: information field lengths and windows (IEC 62056-7-6)."""

from __future__ import annotations

from dataclasses import dataclass

from cosem.errors import ConfigurationError, DecodeError

LAYER = "HDLC"
FORMAT_IDENTIFIER = 0x81
GROUP_IDENTIFIER = 0x80
MAXIMUM_INFORMATION = 2030
MAXIMUM_WINDOW = 7

PARAMETER_NAMES = {
    5: "maximum_information_transmit",
    6: "maximum_information_receive",
    7: "window_transmit",
    8: "window_receive",
}
_BOUNDS = {5: MAXIMUM_INFORMATION, 6: MAXIMUM_INFORMATION, 7: MAXIMUM_WINDOW, 8: MAXIMUM_WINDOW}


@dataclass(frozen=True, slots=True)
class Parameters:
    """What one station can do, or what was agreed, seen from that station; lengths in octets of the information field.

    The defaults are those that hold when a station says nothing.
    """

    maximum_information_transmit: int = 128
    maximum_information_receive: int = 128
    window_transmit: int = 1
    window_receive: int = 1

    def __post_init__(self) -> None:
        for number, name in PARAMETER_NAMES.items():
            value = int(getattr(self, name))
            # Below 8 octets an information field would hardly hold more than the LLC header.
            lowest = 8 if number in (5, 6) else 1
            if not lowest <= value <= _BOUNDS[number]:
                raise ConfigurationError(f"{name}: expected {lowest} to {_BOUNDS[number]}, not {value}")

    def agreed_with(self, peer: Parameters) -> Parameters:
        """Return what holds for this station, given what `peer` says it can do."""
        return Parameters(
            min(self.maximum_information_transmit, peer.maximum_information_receive),
            min(self.maximum_information_receive, peer.maximum_information_transmit),
            min(self.window_transmit, peer.window_receive),
            min(self.window_receive, peer.window_transmit),
        )

    def encode(self, window_octets: int = 4) -> bytes:
        """Return the information field of SNRM or UA; windows in one octet or in four."""
        information = bytearray()
        for number, name in PARAMETER_NAMES.items():
            value = int(getattr(self, name))
            size = window_octets if number > 6 else 1 if value < 0x100 else 2
            information += bytes((number, size)) + value.to_bytes(size, "big")
        return bytes((FORMAT_IDENTIFIER, GROUP_IDENTIFIER, len(information))) + information

    @classmethod
    def decode(cls, information: bytes) -> Parameters:
        """Read the information field of SNRM or UA; what it does not name keeps its default.

        Values above what this profile knows are taken as its maximum, parameters it does not know are passed over.
        """
        values = {
            PARAMETER_NAMES[number]: min(value, _BOUNDS[number])
            for number, _, _, value in parameter_fields(information)
            if number in PARAMETER_NAMES
        }
        try:
            return cls(**values)
        except ConfigurationError as error:
            raise DecodeError(str(error), path=("parameters",), layer=LAYER) from None


MOST = Parameters(MAXIMUM_INFORMATION, MAXIMUM_INFORMATION, MAXIMUM_WINDOW, MAXIMUM_WINDOW)
"""The most that this profile allows."""


def window_octets(information: bytes) -> int:
    """Return in how many octets (one or four) a peer writes windows, so that it can be answered alike."""
    sizes = {number: size for number, _, size, _ in parameter_fields(information)}
    return 1 if sizes.get(7, sizes.get(8)) == 1 else 4


def parameter_fields(information: bytes) -> list[tuple[int, int, int, int]]:
    """Return number, offset, size and value of each parameter in the information field of SNRM or UA."""
    if not information:
        return []
    if len(information) < 3 or information[0] != FORMAT_IDENTIFIER or information[1] != GROUP_IDENTIFIER:
        raise DecodeError("expected 81 80 and a length", 0, ("parameters",), layer=LAYER)
    end = 3 + information[2]
    if end > len(information):
        raise DecodeError(f"need {information[2]} octets, have {len(information) - 3}", 2, ("parameters",), layer=LAYER)
    fields: list[tuple[int, int, int, int]] = []
    at = 3
    while at < end:
        stop = at + 2 + information[at + 1] if at + 2 <= end else end + 1
        if stop > end:
            raise DecodeError("the parameter does not end inside its group", at, ("parameters",), layer=LAYER)
        if stop > at + 2:
            value = int.from_bytes(information[at + 2 : stop], "big")
            fields.append((information[at], at + 2, stop - at - 2, value))
        at = stop
    return fields
