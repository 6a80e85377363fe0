"""Between a misbehaving meter and its line: streams that harm what is said, and links that say it in their own way."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from cosem.errors import ConnectionLost, LocalProtocolError
from cosem.io.stream import LineStream, Stream
from cosem.meter.device import Meter
from cosem.meter.faults import LINK_DEVIATIONS, Faults
from cosem.protocol.apdu.acse import AssociationResponse, ReleaseRequest
from cosem.protocol.apdu.ciphered import GeneralDedicatedCiphering, GeneralGlobalCiphering
from cosem.protocol.link import ApduReceived, LinkEvent, ServerLink
from cosem.protocol.link.hdlc import HdlcServer
from cosem.protocol.link.hdlc.address import CALLING_DEVICE, HdlcAddress
from cosem.protocol.link.hdlc.frame import Frame, FrameReader, Kind
from cosem.protocol.link.hdlc.llc import RESPONSE
from cosem.protocol.link.hdlc.parameters import Parameters

MOST_EARLY: Final = 262_144
"""Octets that a client may say while an answer is held up; the meter breaks off with one who says more."""


class FaultyStream:
    """The meter's end of a line that holds up, loses, repeats and damages what the meter says (see `Faults`)."""

    def __init__(
        self,
        stream: Stream,
        faults: Faults,
        chance: random.Random,
        *,
        restart: Callable[[], None],
        restarts: Callable[[], int],
    ) -> None:
        self.stream = stream
        self._faults = faults
        self._chance = chance
        self._restart = restart
        self._restarts = restarts
        """How often the meter has restarted."""
        self._restarted = restarts()
        self.broken_off = False
        self._early = bytearray()
        """What the client said while an answer was held up."""
        self._answers = 0

    def now(self) -> float:
        return self.stream.now()

    async def read(self, deadline: float | None, /) -> bytes:
        if self._early:
            octets = bytes(self._early)
            self._early.clear()
        else:
            octets = await self.stream.read(deadline)
        self._check()
        if octets and self._chance.random() < self._faults.reflection:
            await self.stream.write(octets)
        return octets

    # Chance is drawn in the same order whatever the odds are, so that changing one leaves the fate of the rest alone.

    async def write(self, octets: bytes, /) -> None:
        faults, draw = self._faults, self._chance.random
        resets, lost, twice, damaged, shortened, late, more = (draw() for _ in range(7))
        self._answers += 1
        if self._answers == faults.reboot_after:
            self._restart()
        self._check()
        if resets < faults.reset:
            self.broken_off = True
            raise ConnectionLost("the meter breaks off")
        await self._pause(faults.latency + faults.jitter * more + (faults.late_by if late < faults.late else 0.0))
        if lost < faults.loss:
            return
        if damaged < faults.damage:
            octets = _damaged(octets, self._chance)
        if shortened < faults.truncation:
            octets = octets[: self._chance.randrange(len(octets))]
        for _ in range(2 if twice < faults.duplication else 1):
            if octets:
                await self.stream.write(octets)

    def _check(self) -> None:
        if self._restarts() != self._restarted:
            self.broken_off = True
            raise ConnectionLost("the meter has restarted")

    async def close(self) -> None:
        await self.stream.close()

    async def configure(self, baud: int, character_format: str = "8N1", /) -> None:
        await self._line().configure(baud, character_format)

    async def send_break(self, seconds: float = 0.25, /) -> None:
        await self._line().send_break(seconds)

    def _line(self) -> LineStream:
        if not isinstance(self.stream, LineStream):
            raise LocalProtocolError("only a serial line can be configured")
        return self.stream

    async def _pause(self, seconds: float) -> None:
        until = self.stream.now() + seconds
        while seconds and self.stream.now() < until:
            self._early += await self.stream.read(until)
            if len(self._early) > MOST_EARLY:
                self.broken_off = True
                raise ConnectionLost(f"more than {MOST_EARLY} octets came while an answer was held up")


def faulty(stream: Stream, meter: Meter) -> Stream:
    """Return the meter's end of a line with its faults: the stream itself where it has none."""
    if meter.chance is None:
        return stream
    return FaultyStream(
        stream,
        meter.faults,
        meter.chance,
        restart=lambda: meter.power.restart(),
        restarts=lambda: restarts(meter),
    )


def restarts(meter: Meter) -> int:
    """Return how often a meter has restarted by itself."""
    return meter.power.restarts if meter.has_outages else 0


def broke_off(stream: Stream) -> bool:
    """Tell whether it was the meter that broke off, and not its line that went away."""
    return isinstance(stream, FaultyStream) and stream.broken_off


def harmless(stream: Stream) -> Stream:
    """Return the line itself."""
    return stream.stream if isinstance(stream, FaultyStream) else stream


def _damaged(octets: bytes, chance: random.Random) -> bytes:
    harmed = bytearray(octets)
    bit = chance.randrange(8 * len(harmed))
    harmed[bit // 8] ^= 1 << bit % 8
    return bytes(harmed)


class DeviantLink:
    """A link whose APDUs, and on HDLC frames, deviate from the standard as `deviations` say."""

    def __init__(self, link: ServerLink, deviations: frozenset[str]) -> None:
        self.link = link
        self._deaf_to = tuple(refuses for name, refuses in _DEAF.items() if name in deviations)
        self._apdu = tuple(change for name, change in _APDU.items() if name in deviations)
        self._frame = tuple(change for name, change in _FRAME.items() if name in deviations)
        self._damaged = "DAMAGED_INFORMATION" in deviations
        self._within_apdu = False

    @property
    def counters(self) -> Mapping[str, int]:
        return self.link.counters

    def receive(self, octets: bytes, now: float) -> None:
        self.link.receive(octets, now)

    def send(self, apdu: bytes, now: float, *, client: int, server: int, unsolicited: bool = False) -> None:
        for change in self._apdu:
            apdu = change(apdu)
        self.link.send(apdu, now, client=client, server=server, unsolicited=unsolicited)

    def unsolicited_octets(self, *, client: int, server: int) -> int | None:
        return self.link.unsolicited_octets(client=client, server=server)

    def acknowledge(self, now: float, *, client: int, server: int) -> None:
        self.link.acknowledge(now, client=client, server=server)

    def outgoing(self) -> bytes:
        octets = self.link.outgoing()
        if not octets or not (self._frame or self._damaged):
            return octets
        return b"".join(map(self._deviant, _frames(octets)))

    def events(self) -> list[LinkEvent]:
        return [event for event in self.link.events() if not self._ignores(event)]

    def deadline(self) -> float | None:
        return self.link.deadline()

    def tick(self, now: float) -> None:
        self.link.tick(now)

    def _ignores(self, event: LinkEvent) -> bool:
        return isinstance(event, ApduReceived) and any(refuses(event.apdu) for refuses in self._deaf_to)

    def _deviant(self, frame: Frame) -> bytes:
        begins, informs = not self._within_apdu, frame.kind is Kind.INFORMATION
        if informs:
            self._within_apdu = frame.segmented
        for change in self._frame:
            frame = change(frame, begins)
        octets = frame.encode()
        if self._damaged and informs and frame.information:
            octets = octets[:-2] + bytes((octets[-2] ^ 0xFF,)) + octets[-1:]
        return octets


def deviant(link: ServerLink, faults: Faults) -> ServerLink:
    """Return what says the same in the meter's own way: the link itself where it deviates from nothing."""
    ways = {*_DEAF, *_APDU, *(LINK_DEVIATIONS if isinstance(link, HdlcServer) else ())}
    deviations = faults.deviations & ways
    return DeviantLink(link, deviations) if deviations else link


def _frames(octets: bytes) -> list[Frame]:
    reader = FrameReader(Counter())
    reader.feed(octets)
    frames: list[Frame] = []
    while (frame := reader.frame()) is not None:
        frames.append(frame)
    return frames


# -- APDUs ------------------------------------------------------------------------------------------------------------

_RESPONSES: Final = frozenset((0xC4, 0xC5, 0xC7))
"""Responses of services by logical names, in clear: the third octet has the invoke-id."""
_GENERAL_CIPHERING: Final = 0xDD
_GENERAL: Final = frozenset((GeneralGlobalCiphering.TAG[0], GeneralDedicatedCiphering.TAG[0]))


def _fixed_invoke_id(apdu: bytes) -> bytes:
    """Always the same invoke-id; in a protected association it cannot be changed from here, and stays right."""
    return apdu if apdu[0] not in _RESPONSES else apdu[:2] + bytes((apdu[2] & 0xF0,)) + apdu[3:]


def _other_transaction(apdu: bytes) -> bytes:
    """A transaction-id of its own: its last octet is turned over."""
    if apdu[0] != _GENERAL_CIPHERING or not apdu[1]:
        return apdu
    at = 1 + apdu[1]
    return apdu[:at] + bytes((apdu[at] ^ 0xFF,)) + apdu[at + 1 :]


def _without_title(apdu: bytes) -> bytes:
    """A general envelope that does not say whose it is."""
    return apdu if apdu[0] not in _GENERAL else apdu[:1] + b"\0" + apdu[2 + apdu[1] :]


def _without_initiate(apdu: bytes) -> bytes:
    """An AARE that accepts and tells nothing of what was granted."""
    if apdu[0] != AssociationResponse.TAG[0]:
        return apdu
    response = AssociationResponse.decode(apdu)
    if response.result:
        return apdu
    return dataclasses.replace(response, user_information=None).encode()


_APDU: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "any_invoke_id": _fixed_invoke_id,
    "any_transaction_id": _other_transaction,
    "accepted_without_initiate": _without_initiate,
    "empty_system_title": _without_title,
    "octets_after_apdu": lambda apdu: apdu + b"\0\0",
}
"""How what the meter says differs, by the field of `Dialect` that puts up with it."""


def _released_with_more(apdu: bytes) -> bool:
    return apdu[0] == ReleaseRequest.TAG[0] and ReleaseRequest.decode(apdu).user_information is not None


_DEAF: Final[Mapping[str, Callable[[bytes], bool]]] = {
    "release_without_user_information": _released_with_more,
    "no_release_request": lambda apdu: apdu[0] == ReleaseRequest.TAG[0],
}
"""What the meter does not answer, by the field of `Dialect` that spares it."""


# -- HDLC frames ------------------------------------------------------------------------------------------------------


def _without_llc(frame: Frame, begins: bool) -> Frame:
    if not begins or not frame.information.startswith(RESPONSE):
        return frame
    return frame._replace(information=frame.information.removeprefix(RESPONSE))


def _with_llc_twice(frame: Frame, begins: bool) -> Frame:
    if not begins or not frame.information.startswith(RESPONSE):
        return frame
    return frame._replace(information=RESPONSE + frame.information)


def _in_other_size(frame: Frame, _: bool) -> Frame:
    """The server's address in four octets, or in one where it had four."""
    address = HdlcAddress.decode(frame.source)
    lower = CALLING_DEVICE[14] if address.lower is None else address.lower
    other = HdlcAddress(address.upper, None, 1) if address.size == 4 else HdlcAddress(address.upper, lower, 4)
    return frame._replace(source=other.encode())


def _as_other_server(frame: Frame, _: bool) -> Frame:
    address = HdlcAddress.decode(frame.source)
    return frame._replace(source=HdlcAddress(address.upper + 1, address.lower, address.size).encode())


def _to_other_client(frame: Frame, _: bool) -> Frame:
    address = HdlcAddress.decode(frame.destination)
    return frame._replace(destination=HdlcAddress(address.upper + 1, address.lower, address.size).encode())


def _wrongly_acknowledging(frame: Frame, _: bool) -> Frame:
    if frame.kind is not Kind.INFORMATION:
        return frame
    return frame._replace(control=frame.control & 0x1F | (frame.receive_sequence + 3 & 7) << 5)


def _promising_less(frame: Frame, _: bool) -> Frame:
    """A UA that promises the shortest information fields there are, whatever is sent then."""
    if frame.kind is not Kind.UNNUMBERED_ACKNOWLEDGE or not frame.information:
        return frame
    agreed = Parameters.decode(frame.information)
    promised = Parameters(8, agreed.maximum_information_receive, agreed.window_transmit, agreed.window_receive)
    return frame._replace(information=promised.encode())


_FRAME: Final[Mapping[str, Callable[[Frame, bool], Frame]]] = {
    "MISSING_LLC": _without_llc,
    "REPEATED_LLC": _with_llc_twice,
    "OTHER_ADDRESS_SIZE": _in_other_size,
    "OTHER_SERVER": _as_other_server,
    "OTHER_CLIENT": _to_other_client,
    "WRONG_ACKNOWLEDGEMENT": _wrongly_acknowledging,
    "LONG_INFORMATION": _promising_less,
}
"""How its frames differ, by the tolerance of HDLC; whether a frame begins an APDU is told."""
