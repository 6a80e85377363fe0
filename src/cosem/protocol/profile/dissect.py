"""Which layers octets consist of, guessed from the octets themselves, and the tree of what is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Final, TypeAlias

from cosem import danger
from cosem.danger import Weakness
from cosem.errors import CosemError, DecodeError, SecurityError
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu import (
    AssociationRequest,
    AssociationResponse,
    GeneralBlockTransfer,
    GetResponseWithDatablock,
    InitiateRequest,
)
from cosem.protocol.apdu.ciphered import SecurityControl
from cosem.protocol.association.envelope import is_dedicated, is_envelope, is_of_client, open_envelope
from cosem.protocol.association.layers import GeneralKeys
from cosem.protocol.codec import axdr
from cosem.protocol.codec.dissect import MALFORMED, Node, data_nodes, data_text
from cosem.protocol.codec.reader import TRANSFER
from cosem.protocol.crypto.key import Key
from cosem.protocol.crypto.suite import Protection
from cosem.protocol.link import dissect as frames
from cosem.protocol.link.hdlc.frame import FLAG, KINDS, Kind
from cosem.protocol.link.hdlc.llc import COMMAND, RESPONSE
from cosem.protocol.link.hdlc.llc import SIZE as LLC_OCTETS
from cosem.protocol.link.wrapper import HEADER, VERSION
from cosem.protocol.values.system_title import TITLE_OCTETS, title_text

_Look: TypeAlias = Callable[[bytes], tuple[Node, ...]]

LLC: Final = {COMMAND: "command", RESPONSE: "response"}
CARRIERS: Final = (Kind.INFORMATION, Kind.UNNUMBERED_INFORMATION)
M_BUS_START: Final = 0x68
TITLES: Final = frozenset({"system_title", "calling_ap_title", "responding_ap_title"})
"""Fields that hold a system title."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What some octets are: the name of the outermost layer, and the tree."""

    layer: str
    octets: bytes
    tree: Node

    @property
    def sound(self) -> bool:
        """True when nothing in it is damaged, unknown, or refused to open."""
        return self.layer == NOISE or not any(
            node.name in UNSOUND or node.text.startswith(NOT_OPENED) or node.text.endswith(", damaged")
            for node in _every(self.tree)
        )

    @property
    def closed(self) -> bool:
        """True when there is something ciphered in it for which there was no key."""
        return any(
            any(child.name == "protected" for child in node.children)
            and not any(child.name == "plain" for child in node.children)
            for node in _every(self.tree)
        )


class Dissector:
    """Takes octets in the order of a conversation, and remembers of it what later octets need to be understood.

    Args:
        encryption_key, authentication_key: the keys for ciphered APDUs, as far as they are known.
        titles: system titles of those who may have sent them, where they do not say so themselves.
        broadcast_key: the key of what is sent to many.
        keys: those of general-ciphering and general-signing.
    """

    def __init__(
        self,
        encryption_key: Key | None = None,
        authentication_key: Key | None = None,
        titles: Iterable[bytes] = (),
        broadcast_key: Key | None = None,
        keys: GeneralKeys | None = None,
    ) -> None:
        self._encryption_key = encryption_key
        self._broadcast_key = broadcast_key
        self._keys = keys
        self._authentication_key = authentication_key
        self._given = tuple(titles)
        self._client_title: bytes | None = None
        self._server_title: bytes | None = None
        self._dedicated_key: Key | None = None
        self._segments: dict[tuple[bytes, bytes], list[bytes]] = {}
        self._blocks: list[bytes] = []
        self._general: dict[bool, dict[int, GeneralBlockTransfer]] = {True: {}, False: {}}
        """Blocks of general block transfer by their number: those that are acknowledged, and those of pushes."""
        self._verdicts: dict[bytes, str] = {}
        self._extra: list[Finding] = []

    def dissect(self, octets: bytes) -> list[Finding]:
        """Return what the octets are, and what they complete of earlier ones."""
        self._extra = []
        findings = self._layers(octets)
        return [replace(each, tree=self._annotated(each.tree)) for each in (*findings, *self._extra)]

    # -- layers -------------------------------------------------------------------------------------------------------

    def _layers(self, octets: bytes) -> list[Finding]:
        if _is_wrapped(octets):
            return [self._wrapped(octets, node) for node in frames.wrapped(octets)]
        framed, nodes = _frames(octets)
        if nodes:
            return [self._framed(framed, node) for node in nodes if node.name != "flags"]
        if octets[:LLC_OCTETS] in LLC:
            return [Finding("LLC", octets, Node("llc-pdu", 0, len(octets), "", self._apdus(octets)))]
        if len(octets) > 3 and octets[0] == octets[3] == M_BUS_START:
            return [_unknown(octets, "a wired M-Bus frame, which is not decoded in this version")]
        return [self._bare(octets)]

    def _wrapped(self, octets: bytes, node: Node) -> Finding:
        children = tuple(
            self._inside(octets, child, self._apdus) if child.name == "apdu" else child for child in node.children
        )
        return _cut("wrapper", octets, replace(node, children=children))

    def _framed(self, octets: bytes, node: Node) -> Finding:
        if node.name != "frame":
            return _cut(NOISE, octets, node)
        named = {child.name: child for child in node.children}
        kind = KINDS[octets[named["control"].offset]]
        pair = _at(octets, named["destination"]), _at(octets, named["source"])
        information = named.get("information")
        if kind is Kind.SET_NORMAL_RESPONSE_MODE:
            self._segments.clear()
        if information is None or kind not in CARRIERS:
            return _cut("HDLC", octets, node)
        segmented = bool(octets[named["format"].offset] & 0x08)
        before = self._segments.pop(pair, [])
        if segmented or before:
            pieces = [*before, _at(octets, information)]
            if segmented:
                self._segments[pair] = pieces
            else:
                whole = b"".join(pieces)
                tree = Node("reassembled", 0, len(whole), f"from {len(pieces)} frames", self._apdus(whole))
                self._extra.append(Finding("HDLC segments", whole, tree))
            return _cut("HDLC", octets, node)
        opened = self._inside(octets, replace(information, children=()), self._apdus)
        children = tuple(opened if child is information else child for child in node.children)
        return _cut("HDLC", octets, replace(node, children=children))

    def _bare(self, octets: bytes) -> Finding:
        """Take octets without any frame for an APDU where they are one, else for Data."""
        try:
            apdus.decode(octets)
        except DecodeError as refused:
            try:
                value = axdr.decode_all(octets, TRANSFER)
            except DecodeError as error:
                if octets[:1] == bytes((FLAG,)):
                    return _unknown(octets, "begins as an HDLC frame does, but is cut off, or is none")
                if apdus.kind_of(octets) is None:
                    return _unknown(octets, f"neither an APDU ({refused}) nor Data ({error})")
            else:
                return Finding("Data", octets, Node("data", 0, len(octets), data_text(value), data_nodes(octets, 0)))
        children = self._apdus(octets)
        tree = children[0] if len(children) == 1 else Node("apdus", 0, len(octets), "", children)
        return Finding("APDU", octets, tree)

    def _inside(self, octets: bytes, node: Node, look: _Look) -> Node:
        """Return `node` with what `look` finds in its octets as children."""
        found = look(_at(octets, node))
        return replace(node, text="", children=tuple(child.moved(node.offset) for child in found))

    # -- APDUs --------------------------------------------------------------------------------------------------------

    def _apdus(self, octets: bytes) -> tuple[Node, ...]:
        """Return the APDUs in `octets`, each with or without an LLC header in front."""
        nodes: list[Node] = []
        at = 0
        while at < len(octets):
            header = octets[at : at + LLC_OCTETS]
            if header in LLC:
                nodes.append(Node("llc", at, LLC_OCTETS, LLC[header]))
                at += LLC_OCTETS
                continue
            size = _size(octets[at:])
            nodes.append(self._apdu(octets[at : at + size]).moved(at))
            at += size
        return tuple(nodes)

    def _apdu(self, octets: bytes) -> Node:
        self._follow(octets)
        return apdus.dissect(octets, self._open, TRANSFER)

    def _follow(self, octets: bytes) -> None:
        """Take from a plain APDU what is needed to understand others."""
        try:
            apdu = apdus.decode(octets, TRANSFER)
        except DecodeError:
            return
        follow = self._FOLLOWED.get(type(apdu))
        if follow is not None:
            follow(self, apdu)

    def _asked(self, apdu: AssociationRequest) -> None:
        self._client_title = apdu.calling_ap_title or self._client_title

    def _answered(self, apdu: AssociationResponse) -> None:
        self._server_title = apdu.responding_ap_title or self._server_title

    def _initiated(self, apdu: InitiateRequest) -> None:
        if apdu.dedicated_key is None:
            return
        try:
            self._dedicated_key = Key(apdu.dedicated_key)
        except CosemError:
            self._dedicated_key = None

    def _block(self, apdu: GetResponseWithDatablock) -> None:
        if not isinstance(apdu.result.result, bytes):
            self._blocks.clear()
            return
        if apdu.result.block_number == 1:
            self._blocks.clear()
        self._blocks.append(apdu.result.result)
        if not apdu.result.last_block:
            return
        octets, count = b"".join(self._blocks), len(self._blocks)
        self._blocks.clear()
        try:
            text, children = data_text(axdr.decode_all(octets, TRANSFER)), data_nodes(octets, 0)
        except DecodeError as error:
            # The list of a GET with list is no Data, and a capture may begin in the middle.
            text, children = f"{len(octets)} octets, no Data by themselves: {error}", ()
        tree = Node("data", 0, len(octets), f"from {count} blocks: {text}", children)
        self._extra.append(Finding("datablocks", octets, tree))

    def _general_block(self, block: GeneralBlockTransfer) -> None:
        """Keep a block, and when it was the last that was missing, say what all of them carry."""
        number, kept = block.block_number, self._general[bool(block.window)]
        if not block.block_data:
            return  # it only acknowledges
        if number in kept and kept[number].block_data != block.block_data:
            kept.clear()  # of another transfer; the numbers begin anew
        kept[number] = block
        first = min(kept)
        numbers = range(first, first + len(kept))
        last = kept.get(numbers[-1])
        if last is None or not last.last or apdus.kind_of(kept[first].block_data) is None:
            return
        whole = b"".join(kept[each].block_data for each in numbers)
        kept.clear()
        tree = Node("reassembled", 0, len(whole), f"from {len(numbers)} blocks", self._apdus(whole))
        self._extra.append(Finding("general block transfer", whole, tree))

    # -- ciphered APDUs -----------------------------------------------------------------------------------------------

    def _open(self, envelope: bytes) -> bytes | None:
        if not is_envelope(envelope):
            return None
        key = self._dedicated_key if is_dedicated(envelope) else self._encryption_key
        by_client = is_of_client(envelope)
        first, second = self._client_title, self._server_title
        likely = (first, *self._given, second) if by_client else (second, *self._given, first)
        try:
            opened = open_envelope(
                envelope,
                key,
                self._authentication_key,
                [title for title in likely if title is not None],
                danger.allow(Weakness.UNVERIFIED_CIPHERTEXT),
                broadcast_key=self._broadcast_key,
                keys=self._keys,
            )
        except SecurityError:
            if not self._given_keys:
                return None  # what can be seen from outside is all there is
            raise
        if opened.protection is Protection.SIGNATURE:
            verdict = (
                "signature verified" if opened.authenticated else "NOT AUTHENTICATED: no key to check the signature"
            )
        elif opened.authenticated:
            verdict = "opened, authentication verified"
        elif opened.protection & SecurityControl.ENCRYPTION:
            why = "it has no tag" if not opened.protection & SecurityControl.AUTHENTICATION else "no authentication key"
            verdict = f"decrypted, NOT AUTHENTICATED: {why}"
        else:
            verdict = "was never encrypted; NOT AUTHENTICATED: keys are needed to check its tag"
        self._verdicts[opened.apdu] = verdict
        self._follow(opened.apdu)
        return opened.apdu

    _FOLLOWED: ClassVar[Mapping[type, Callable[..., None]]] = {
        AssociationRequest: _asked,
        AssociationResponse: _answered,
        InitiateRequest: _initiated,
        GetResponseWithDatablock: _block,
        GeneralBlockTransfer: _general_block,
    }
    """What is needed of which APDU to understand others."""

    @property
    def _given_keys(self) -> bool:
        return any((self._encryption_key, self._dedicated_key, self._broadcast_key, self._keys))

    def _annotated(self, node: Node) -> Node:
        """Say of system titles whose they are, and of opened APDUs what was verified."""
        text = node.text
        if node.name == "plain" and node.inner is not None:
            text = self._verdicts.get(node.inner, text)
        children = tuple(self._annotated(child) for child in node.children)
        return replace(node, text=text, children=children)


def with_titles(node: Node, octets: bytes) -> Node:
    """Return the tree with every system title in words."""
    text = node.text
    if node.name in TITLES:
        title = _at(octets, node)[-TITLE_OCTETS:]
        text = title_text(title) if len(title) == TITLE_OCTETS else text
    inside = octets if node.inner is None else node.inner
    return replace(node, text=text, children=tuple(with_titles(child, inside) for child in node.children))


UNSOUND: Final = frozenset((MALFORMED, "noise"))
"""Nodes whose octets are not what they claim to be, or nothing at all."""

NOISE: Final = "noise"
"""The layer of octets between frames: they belong to nothing, and harm nothing."""

NOT_OPENED: Final = "not opened"
"""How the text of a node begins whose octets the keys did not open."""


def _is_wrapped(octets: bytes) -> bool:
    """Tell whether octets begin with a wrapper header; Data and APDUs may begin with the same two octets."""
    if len(octets) < HEADER.size:
        return False
    version, _, _, length = HEADER.unpack_from(octets)
    return version == VERSION and length > 0 and (length <= len(octets) - HEADER.size or len(octets) > 2 * HEADER.size)


def _frames(octets: bytes) -> tuple[bytes, tuple[Node, ...]]:
    """Return the HDLC frames in octets; flags that a log left out are put back."""
    bare = len(octets) > 2 and octets[0] & 0xF0 == 0xA0
    if bare and int.from_bytes(octets[:2], "big") & 0x7FF == len(octets):
        octets = bytes((FLAG, *octets, FLAG))
    if FLAG not in octets:
        return octets, ()
    nodes = frames.hdlc(octets)
    found = [node for node in nodes if node.name == "frame"]
    sound = any(not node.text.endswith(", damaged") for node in found)
    return octets, nodes if sound or (found and octets[0] == FLAG) else ()


def _size(octets: bytes) -> int:
    """Return how many octets the first APDU has: all, unless another one with its own LLC header follows."""
    kind = apdus.kind_of(octets)
    if kind is None:
        return len(octets)
    try:
        _, stop = kind.decode_from(octets, 0)
    except DecodeError:
        return len(octets)
    return stop if octets[stop : stop + LLC_OCTETS] in LLC else len(octets)


def _cut(layer: str, octets: bytes, node: Node) -> Finding:
    """Return a finding of the octets of `node` alone."""
    return Finding(layer, _at(octets, node), node.moved(-node.offset))


def _unknown(octets: bytes, why: str) -> Finding:
    return Finding("unknown", octets, Node("octets", 0, len(octets), "", (Node(MALFORMED, 0, len(octets), why),)))


def _at(octets: bytes, node: Node) -> bytes:
    return octets[node.offset : node.offset + node.length]


def _every(node: Node) -> Iterator[Node]:
    stack = [node]
    while stack:
        item = stack.pop()
        yield item
        stack.extend(item.children)
