"""What goes over the lines of devices: who is told of it, and the last of it, decoded when asked, without secrets."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeAlias

from cosem.client.client import Opener
from cosem.errors import ConfigurationError
from cosem.gateway.config import Device, DlmsParameters
from cosem.gateway.config.reference import Reference
from cosem.io.capture import Direction, Tap, TraceEntry
from cosem.io.open import open_async
from cosem.io.stream import Stream
from cosem.protocol.codec.dissect import Node, render
from cosem.protocol.crypto.ring import KeyKind
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.dissect import Dissector

MASK: Final = "*"
KEPT: Final = 60
"""Pieces that are kept of a device, the newest."""
KEPT_OCTETS: Final = 16_384
"""Octets that are kept of a device, in however many pieces; of a longer piece the first."""

Heard: TypeAlias = Callable[[TraceEntry], object]
"""Is told of octets as they go over the line of a device."""

_KEYS: Final = (
    ("encryption_key", KeyKind.ENCRYPTION),
    ("authentication_key", KeyKind.AUTHENTICATION),
    ("master_key", KeyKind.MASTER),
)
_OFFERED: Final = re.compile(rb"(?s:\xc3\x01.\x00\x0f.{6}\x01\x01|\x05\x01\x04\xfa\x58\x00)\x09[\x01-\x7f]")
"""In front of a client's proof: reply_to_HLS_authentication by ACTION, or by READ with parameterized access."""
_ANSWERED: Final = re.compile(rb"(?s:\xc7\x01.\x00\x01\x00|\x0c\x01\x00)\x09[\x01-\x7f]")
"""In front of the server's."""
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
        self._secrets: dict[bytes, None] = {}
        self.belongs_to(device)
        self._pieces: deque[tuple[Direction, str, bytearray]] = deque()
        self._size = 0
        self.octets: dict[Direction, int] = {"TX": 0, "RX": 0}
        """How many there were since the beginning."""
        self.exchanges = 0
        """How often something was sent, in however many pieces, after the other side had spoken."""

    def belongs_to(self, device: Device) -> None:
        """Learn that the row of the device may have changed; what was secret before is not shown either."""
        self._device = device
        self._secrets |= dict.fromkeys(secrets_of(device))

    def __call__(self, entry: TraceEntry) -> None:
        """Take what went over the line."""
        self.octets[entry.direction] += len(entry.octets)
        if not self._pieces or self._pieces[-1][0] != entry.direction:
            self._pieces.append((entry.direction, entry.time, bytearray()))
            self.exchanges += entry.direction == "TX"
        piece = self._pieces[-1][2]
        taken = entry.octets[: KEPT_OCTETS - len(piece)]
        piece += taken
        self._size += len(taken)
        while len(self._pieces) > KEPT or self._size > KEPT_OCTETS:
            self._size -= len(self._pieces.popleft()[2])

    def decoded(self) -> tuple[Decoded, ...]:
        """Return it as a person reads it, without secrets."""
        self.belongs_to(self._device)  # what a reference leads to may have changed
        dissector, secrets = Dissector(), Secrets(list(self._secrets))
        return tuple(decoded(way, time, bytes(piece), secrets, dissector) for way, time, piece in self._pieces)


class Secrets:
    """What of a conversation must not be shown: the secrets of a device, and proofs that were made with them.

    From a proof of high level security who knows the challenge can find a weak secret by trying.
    """

    def __init__(self, known: Sequence[bytes] = ()) -> None:
        self._known = tuple(known)
        self._awaited = True  # what went before may have been the client's proof

    def of(self, octets: bytes) -> tuple[bytes, ...]:
        """Return what must not be shown of octets, which come next in the conversation."""
        offered = _proofs(_OFFERED, octets)
        self._awaited = self._awaited or bool(offered)
        answers = _proofs(_ANSWERED, octets) if self._awaited else []
        self._awaited = self._awaited and not answers
        return (*self._known, *offered, *answers)


def _proofs(pattern: re.Pattern[bytes], octets: bytes) -> list[bytes]:
    """Return the octet-strings that follow a pattern, whole or as much of them as there is."""
    begins = [each.end() for each in pattern.finditer(octets)]
    return [octets[at : at + octets[at - 1]] for at in begins if octets[at : at + 1]]


@dataclass(frozen=True, slots=True)
class Decoded:
    """Octets as a person reads them: in hexadecimal, in short (their characters where they are text), and in full."""

    direction: Direction
    time: str
    octets: str
    summary: str
    lines: tuple[str, ...] = ()


def decoded(direction: Direction, time: str, octets: bytes, without: Secrets, dissector: Dissector) -> Decoded:
    """Return octets as a person reads them, without secrets."""
    secrets = without.of(octets)
    hidden = _places(octets, secrets)
    shown = " ".join(2 * MASK if at in hidden else f"{octet:02X}" for at, octet in enumerate(octets))
    if _CHARACTERS.fullmatch(octets):
        text = "".join(MASK if at in hidden else _character(octet) for at, octet in enumerate(octets))
        return Decoded(direction, time, shown, text)
    findings = dissector.dissect(octets)
    trees = [_without(each.tree, _places(each.octets, secrets), secrets) for each in findings]
    lines = [line for tree in trees for line in masked(render(tree), secrets).splitlines()]
    return Decoded(direction, time, shown, masked(" · ".join(map(_summary, trees)), secrets), tuple(lines))


def _summary(tree: Node) -> str:
    """Return what a frame is, and the name of the APDU in it."""
    inside = next((node for node in _every(tree) if node.name == "apdu" and node.children), None)
    return ": ".join(filter(None, (tree.text or tree.name, "" if inside is None else inside.children[0].name)))


def _without(node: Node, hidden: set[int], secrets: Sequence[bytes]) -> Node:
    """Return a tree without the words of octets that are hidden: they may be shortened, or written in another way."""
    inside = hidden if node.inner is None else _places(node.inner, secrets)
    shows = node.children or hidden.isdisjoint(range(node.offset, node.offset + node.length))
    children = tuple(_without(each, inside, secrets) for each in node.children)
    return replace(node, text=node.text if shows else 8 * MASK, children=children)


def _every(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _every(child)


def masked(text: str, secrets: Iterable[bytes]) -> str:
    """Return a text without secrets: neither as characters nor in hexadecimal, with or without spaces."""
    for secret in filter(None, secrets):
        for shown in (secret.hex(" ").upper(), secret.hex().upper(), secret.decode("latin-1")):
            text = text.replace(shown, MASK * len(shown))
    return text


def secrets_of(device: Device) -> tuple[bytes, ...]:
    """Return what of a device must not be shown: its password and its keys, where it has some that can be read."""
    parameters = device.parameters
    references = [(parameters.password, Reference.password)]
    if isinstance(parameters, DlmsParameters):
        references += [(getattr(parameters, name), partial(Reference.key, kind=kind)) for name, kind in _KEYS]
    found: list[bytes] = []
    for reference, read in references:
        with suppress(ConfigurationError):  # what cannot be read goes over no line
            found += [] if reference is None else [read(reference).reveal()]
    return tuple(found)


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
