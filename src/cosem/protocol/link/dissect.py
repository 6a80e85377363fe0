"""HDLC frames and wrapped APDUs shown as annotated trees; damage is shown too, not refused.

Where an APDU stands whole in a frame its node is named "apdu", for the floors above to look inside.
"""

from __future__ import annotations

from cosem.errors import DecodeError
from cosem.protocol.codec.dissect import Node
from cosem.protocol.link.hdlc import llc
from cosem.protocol.link.hdlc.address import HdlcAddress
from cosem.protocol.link.hdlc.fcs import check_sequence, is_good
from cosem.protocol.link.hdlc.frame import FLAG, Frame, Kind, behind_address
from cosem.protocol.link.hdlc.parameters import PARAMETER_NAMES, parameter_fields
from cosem.protocol.link.hdlc.reject import FrameReject
from cosem.protocol.link.wrapper import HEADER, VERSION

_NUMBERED = {Kind.INFORMATION, Kind.RECEIVE_READY, Kind.RECEIVE_NOT_READY, Kind.REJECT}
_LLC_NAMES = {llc.COMMAND: "command", llc.RESPONSE: "response"}


def hdlc(octets: bytes) -> tuple[Node, ...]:
    """Return the frames in `octets`, and as "noise" what stands between them."""
    nodes: list[Node] = []
    at = noise = 0
    while at < len(octets):
        stop = _frame_end(octets, at) if octets[at] == FLAG else 0
        if not stop:
            at += 1
            continue
        if noise < at:
            nodes.append(_outside(octets, noise, at))
        nodes.append(_frame(octets, at, stop))
        # The closing flag may be the opening flag of the next frame, but belongs to this one when another flag follows.
        at = noise = stop + 1
        if at < len(octets) and octets[at] != FLAG and _frame_end(octets, stop):
            at = noise = stop
    if noise < at:
        nodes.append(_outside(octets, noise, at))
    return tuple(nodes)


def wrapped(octets: bytes) -> tuple[Node, ...]:
    """Return the wrapped APDUs in `octets`; what does not fit a header is "noise"."""
    nodes: list[Node] = []
    at = 0
    while at < len(octets):
        if at + HEADER.size > len(octets):
            nodes.append(Node("noise", at, len(octets) - at, "a wrapper header has 8 octets"))
            break
        version, source, destination, length = HEADER.unpack_from(octets, at)
        if version != VERSION:
            nodes.append(Node("noise", at, len(octets) - at, f"wrapper version {version}, expected 1"))
            break
        body = at + HEADER.size
        have = min(length, len(octets) - body)
        missing = "" if have == length else f", {length - have} missing"
        children = (
            Node("version", at, 2, str(version)),
            Node("source", at + 2, 2, str(source)),
            Node("destination", at + 4, 2, str(destination)),
            Node("length", at + 6, 2, f"{length}{missing}"),
            Node("apdu" if have == length else "apdu-part", body, have),
        )
        nodes.append(Node("wrapper", at, HEADER.size + have, f"{source} to {destination}{missing}", children))
        at = body + have
    return tuple(nodes)


def _frame_end(octets: bytes, at: int) -> int:
    """Return where the closing flag of the frame at `at` stands, or 0; neither check need be right."""
    if octets[at + 1 : at + 2] == b"" or octets[at + 1] & 0xF0 != 0xA0:
        return 0
    _, control = _addresses_end(octets, at)
    stop = at + 1 + (int.from_bytes(octets[at + 1 : at + 3], "big") & 0x7FF)
    whole = stop < len(octets) and octets[stop] == FLAG
    return stop if whole and control and (stop == control + 3 or stop > control + 5) else 0


def _addresses_end(octets: bytes, at: int) -> tuple[int, int]:
    """Return where the source address and the control octet of the frame at `at` stand, 0 where they do not."""
    head = octets[at : at + 12] + bytes(12)  # so that there is always an octet to look at
    source = behind_address(head, 3)
    control = behind_address(head, source)
    return (at + source, at + control) if control else (0, 0)


def _outside(octets: bytes, at: int, stop: int) -> Node:
    flags = octets[at:stop].count(FLAG) == stop - at
    return Node("flags" if flags else "noise", at, stop - at)


def _frame(octets: bytes, at: int, stop: int) -> Node:
    source, control = _addresses_end(octets, at)
    body = control + 3
    frame = Frame(
        octets[at + 3 : source],
        octets[source:control],
        octets[control],
        octets[body : stop - 2],
        bool(octets[at + 1] & 8),
    )
    to, by = HdlcAddress.decode(frame.destination), HdlcAddress.decode(frame.source)
    children = [
        Node("flag", at, 1),
        Node("format", at + 1, 2, f"type 3, {stop - at - 1} octets" + (", segmented" if frame.segmented else "")),
        Node("destination", at + 3, len(frame.destination), str(to)),
        Node("source", source, len(frame.source), str(by)),
        Node("control", control, 1, _control_text(frame)),
    ]
    good = is_good(octets[at + 1 : body])
    check = _check_text(good, octets[at + 1 : control + 1])
    if frame.information:
        children.append(Node("header-check", control + 1, 2, check))
        children.append(_information(frame, body))
        whole = is_good(octets[at + 1 : stop])
        check = _check_text(whole, octets[at + 1 : stop - 2])
        good = good and whole
    children.append(Node("frame-check", stop - 2, 2, check))
    children.append(Node("flag", stop, 1))
    text = f"{_control_text(frame)}, {by} to {to}" + ("" if good else ", damaged")
    return Node("frame", at, stop + 1 - at, text, tuple(children))


def _check_text(good: bool, octets: bytes) -> str:
    return "good" if good else f"wrong, expected {check_sequence(octets).hex().upper()}"


def _control_text(frame: Frame) -> str:
    words = [frame.kind.value]
    if frame.kind is Kind.INFORMATION:
        words.append(f"N(S) {frame.send_sequence}")
    if frame.kind in _NUMBERED:
        words.append(f"N(R) {frame.receive_sequence}")
    if frame.final:
        words.append("P/F")
    return " ".join(words)


def _information(frame: Frame, at: int) -> Node:
    octets = frame.information
    children: list[Node] = []
    text = ""
    if frame.kind in (Kind.SET_NORMAL_RESPONSE_MODE, Kind.UNNUMBERED_ACKNOWLEDGE):
        try:
            children = [
                Node(PARAMETER_NAMES.get(number, f"parameter {number}"), at + start, size, str(value))
                for number, start, size, value in parameter_fields(octets)
            ]
        except DecodeError as error:
            text = str(error)
    elif frame.kind is Kind.FRAME_REJECT and len(octets) >= 3:
        text = str(FrameReject.decode(octets))
    elif octets[: llc.SIZE] in _LLC_NAMES:
        rest = len(octets) - llc.SIZE
        children.append(Node("llc", at, llc.SIZE, _LLC_NAMES[octets[: llc.SIZE]]))
        children.append(Node("apdu-part" if frame.segmented else "apdu", at + llc.SIZE, rest))
    elif frame.kind in (Kind.INFORMATION, Kind.UNNUMBERED_INFORMATION):
        text = "without LLC header: a later segment, or a deviation"
    return Node("information", at, len(octets), text, tuple(children))
