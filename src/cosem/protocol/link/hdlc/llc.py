"""The three octets of the LLC sublayer (ISO/IEC 8802-2 as IEC 62056-7-6 uses it) in front of each APDU."""

from __future__ import annotations

LAYER = "LLC"
COMMAND = b"\xe6\xe6\x00"
RESPONSE = b"\xe6\xe7\x00"
SIZE = 3

_HEADERS = {
    COMMAND: (COMMAND, b"\xff\xe6\x00"),  # a broadcast goes to all service access points
    RESPONSE: (RESPONSE, b"\xff\xe7\x00"),
}


def split(information: bytes, direction: bytes) -> tuple[bytes, int]:
    """Return the APDU and how many LLC headers of `direction` (COMMAND or RESPONSE) stood in front of it.

    None is a deviation of meters that send the header only with the first of several frames, more than one of meters
    that prepend it twice. A response is looked through for repeated headers; a command is not, for there a second one
    could be the network prefix of a gateway (E6).
    """
    headers = _HEADERS[direction]
    if information[:SIZE] not in headers:
        return information, 0
    count = 1
    if direction is RESPONSE:
        while information[count * SIZE : (count + 1) * SIZE] == RESPONSE:
            count += 1
    return information[count * SIZE :], count
