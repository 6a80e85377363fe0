"""The HDLC listener: takes what meters push without being asked, and never says anything (IEC 62056-7-5, -7-6)."""

from __future__ import annotations

from collections import Counter

from cosem.protocol.link import ApduReceived, LinkEvent
from cosem.protocol.link.hdlc import llc
from cosem.protocol.link.hdlc.address import HdlcAddress
from cosem.protocol.link.hdlc.frame import Frame, FrameReader, Kind
from cosem.protocol.link.hdlc.settings import ListenerSettings, Tolerance
from cosem.protocol.link.hdlc.transfer import Unnumbered

_PUSHED = (Kind.UNNUMBERED_INFORMATION, Kind.INFORMATION)


class HdlcListener:
    """Every APDU that any server sends to any client, in UI frames, or in I frames outside any connection.

    Both kinds are in use, whole and in segments. `ApduReceived` names the upper address of either side. Several APDUs
    in one information field, each behind its own LLC header, come as one: only their decoder knows where they end.
    """

    def __init__(self, settings: ListenerSettings | None = None) -> None:
        self.counters: Counter[str] = Counter()
        self._settings = settings or ListenerSettings()
        self._reader = FrameReader(
            self.counters,
            octets=self._settings.frame_octets,
            accept_damaged=Tolerance.DAMAGED_INFORMATION in self._settings.tolerances,
        )
        self._unnumbered = Unnumbered(self.counters, self._settings.apdu_octets + llc.SIZE, self._settings.senders)
        self._events: list[LinkEvent] = []
        self._heard = 0.0

    def receive(self, octets: bytes, now: float) -> None:
        """Take octets from the stream; whatever they are, this does not raise."""
        self._heard = now
        self._reader.feed(octets)
        self._read()

    def outgoing(self) -> bytes:
        """Return nothing: a listener does not speak."""
        return b""

    def events(self) -> list[LinkEvent]:
        """Hand over what has happened since the last call."""
        events, self._events = self._events, []
        return events

    def deadline(self) -> float | None:
        """Tell when `tick` is wanted next."""
        return self._heard + self._settings.inter_octet_time_out if self._reader.partial else None

    def tick(self, now: float) -> None:
        """Give up frames whose rest does not come."""
        while self._reader.partial and now >= self._heard + self._settings.inter_octet_time_out:
            self._reader.abandon()
            self._read()

    def _read(self) -> None:
        while (frame := self._reader.frame()) is not None:
            if frame.kind not in _PUSHED:
                self.counters["unexpected_frames"] += 1
                continue
            information = self._unnumbered.take(frame)
            if information is not None:
                self._deliver(frame, information)

    def _deliver(self, frame: Frame, information: bytes) -> None:
        apdu, headers = llc.split(information, llc.RESPONSE)
        if not headers:
            apdu, headers = llc.split(information, llc.COMMAND)
        if not headers and not self._settings.tolerances.permit(Tolerance.MISSING_LLC, self.counters):
            self.counters["llc_headers_missing"] += 1
        elif headers > 1 and not self._settings.tolerances.permit(Tolerance.REPEATED_LLC, self.counters):
            self.counters["llc_headers_repeated"] += 1
        elif apdu:
            client, server = HdlcAddress.decode(frame.destination), HdlcAddress.decode(frame.source)
            self._events.append(ApduReceived(apdu, client.upper, server.upper, True))
