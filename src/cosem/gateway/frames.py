"""What goes over the lines of devices: who is told of it, and the last of it, decoded when asked, without secrets."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from cosem.client.client import Opener
from cosem.errors import ConfigurationError
from cosem.gateway.config import Device
from cosem.io.capture import Direction, Tap, TraceEntry
from cosem.io.open import open_async
from cosem.io.stream import Stream
from cosem.protocol.codec.dissect import Node, render
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.dissect import Dissector

MASK: Final = "*"
KEPT: Final = 60
"""Pieces that are kept of a device, the newest."""
KEPT_OCTETS: Final = 16_384
"""Octets that are kept of a device, in however many pieces; of a longer piece the first."""

Heard: TypeAlias = Callable[[TraceEntry], object]
"""Is told of octets as they go over the line of a device."""

_CHARACTERS: Final = re.compile(rb"[\x01-\x06\x15\r\n\x20-\x7e]+")


def tapped(heard: Sequence[Heard]) -> Opener | None:
    """Return what opens a stream that somebody is told of; None, for the usual way, where nobody wants to know."""
    if not heard:
        return None

    def tell(entry: TraceEntry) -> None:
        for each in heard:
            each(entry)

    async def opened(url: ConnectionUrl, seconds: float) -> Stream:
        return Tap(await open_async(url, seconds), tell)

    return opened


class Kept:
    """The last of what went over the line of a device: what one side said before the other did is one piece."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._pieces: deque[tuple[Direction, str, bytearray]] = deque()
        self._size = 0
        self.octets: dict[Direction, int] = {"TX": 0, "RX": 0}
        """How many there were since the beginning."""

    def __call__(self, entry: TraceEntry) -> None:
        """Take what went over the line."""
        self.octets[entry.direction] += len(entry.octets)
        if not self._pieces or self._pieces[-1][0] != entry.direction:
            self._pieces.append((entry.direction, entry.time, bytearray()))
        piece = self._pieces[-1][2]
        taken = entry.octets[: KEPT_OCTETS - len(piece)]
        piece += taken
        self._size += len(taken)
        while len(self._pieces) > KEPT or self._size > KEPT_OCTETS:
            self._size -= len(self._pieces.popleft()[2])

    def decoded(self) -> tuple[Decoded, ...]:
        """Return it as a person reads it, without secrets."""
        dissector, secrets = Dissector(), secrets_of(self._device)
        return tuple(decoded(way, time, bytes(piece), secrets, dissector) for way, time, piece in self._pieces)


@dataclass(frozen=True, slots=True)
class Decoded:
    """Octets as a person reads them: in hexadecimal, in short (their characters where they are text), and in full."""

    direction: Direction
    time: str
    octets: str
    summary: str
    lines: tuple[str, ...] = ()


def decoded(direction: Direction, time: str, octets: bytes, secrets: Sequence[bytes], dissector: Dissector) -> Decoded:
    """Return octets as a person reads them, without secrets."""
    hidden = _places(octets, secrets)
    shown = " ".join(2 * MASK if at in hidden else f"{octet:02X}" for at, octet in enumerate(octets))
    if _CHARACTERS.fullmatch(octets):
        text = "".join(MASK if at in hidden else _character(octet) for at, octet in enumerate(octets))
        return Decoded(direction, time, shown, text)
    trees = [finding.tree for finding in dissector.dissect(octets)]
    lines = [line for tree in trees for line in masked(render(tree), secrets).splitlines()]
    return Decoded(direction, time, shown, masked(" · ".join(map(_summary, trees)), secrets), tuple(lines))


def _summary(tree: Node) -> str:
    """Return what a frame is, and the name of the APDU in it."""
    inside = next((node for node in _every(tree) if node.name == "apdu" and node.children), None)
    return ": ".join(filter(None, (tree.text or tree.name, "" if inside is None else inside.children[0].name)))


def _every(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _every(child)


def masked(text: str, secrets: Iterable[bytes]) -> str:
    """Return a text without secrets: neither as characters nor in hexadecimal, with or without spaces."""
    for secret in secrets:
        for shown in (secret.hex(" ").upper(), secret.hex().upper(), secret.decode("latin-1")):
            text = text.replace(shown, MASK * len(shown))
    return text


def secrets_of(device: Device) -> tuple[bytes, ...]:
    """Return what of a device must not be shown: its password, where it has one that can be read."""
    password = device.parameters.password
    if password is None:
        return ()
    try:
        return (password.password().reveal(),)
    except ConfigurationError:
        return ()  # what cannot be read goes over no line


def _places(octets: bytes, secrets: Iterable[bytes]) -> set[int]:
    return {
        at
        for secret in secrets
        if secret
        for found in re.finditer(b"(?=" + re.escape(secret) + b")", octets)
        for at in range(found.start(), found.start() + len(secret))
    }


def _character(octet: int) -> str:
    return chr(octet) if 0x20 <= octet < 0x7F else chr(0x2400 + octet)
