"""The TCP-UDP/IP wrapper of IEC 62056-4-7: eight octets of version, ports and length before each APDU."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections import Counter, deque
from dataclasses import dataclass

from cosem.errors import ConfigurationError, DecodeError, LocalProtocolError, RemoteProtocolError, TimedOut
from cosem.protocol.link import ApduReceived, LinkConnected, LinkDisconnected, LinkEvent

LAYER = "wrapper"
VERSION = 1
HEADER = struct.Struct(">HHHH")  # version, source wPort, destination wPort, length
HEADER_OCTETS = HEADER.size
ALL_STATION = 0x7F
_pack, _unpack = HEADER.pack, HEADER.unpack_from


@dataclass(frozen=True, slots=True, kw_only=True)
class WrapperSettings:
    """Limits of one wrapper engine; times in seconds, None for no limit.

    `apdu_octets` bounds the length an APDU may have (the field itself ends at 65535). `header_time_out` runs from the
    first octet of a header to its last, `body_time_out` from there to the end of the APDU. `inactivity_time_out` ends a
    connection on which nothing moves.
    """

    apdu_octets: int = 0xFFFF
    header_time_out: float | None = 10.0
    body_time_out: float | None = 30.0
    inactivity_time_out: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.apdu_octets <= 0xFFFF:
            raise ConfigurationError(f"apdu_octets: expected 1 to 65535, not {self.apdu_octets}")


CLIENT_SETTINGS = WrapperSettings()
SERVER_SETTINGS = WrapperSettings(inactivity_time_out=120.0)


class _Wrapper(ABC):
    """What both roles share: cutting the stream into wrapped APDUs, and the clocks that run meanwhile."""

    def __init__(self, settings: WrapperSettings, datagram: bool) -> None:
        self.counters: Counter[str] = Counter()
        self._settings = settings
        self._datagram = datagram
        self._pending = bytearray()
        self._need = HEADER_OCTETS
        self._begun: float | None = None  # when the header, or the body, under way began
        self._moved: float | None = None  # when octets last went either way
        self._broken: RemoteProtocolError | None = None
        self._outgoing: deque[bytes] = deque()
        self._events: list[LinkEvent] = []

    def receive(self, octets: bytes, now: float) -> None:
        """Take octets from the stream, or one whole datagram."""
        if self._broken is not None:
            raise self._broken
        self._moved = now
        if self._datagram:
            self._receive_datagram(bytes(octets))
            return
        pending = self._pending
        size = len(octets) - HEADER_OCTETS
        if not pending and size >= 0:
            # Most reads bring one whole APDU, which then is not copied into `pending` and out again.
            version, source, destination, length = _unpack(octets)
            if version != VERSION or not 1 <= length <= self._settings.apdu_octets:
                self._header(octets, 0)  # refuses it
            if length == size:
                self._take(bytes(octets[HEADER_OCTETS:]), source, destination)
                return
        pending += octets
        start, need = 0, HEADER_OCTETS
        while len(pending) - start >= HEADER_OCTETS:
            source, destination, length = self._header(pending, start)
            need = HEADER_OCTETS + length
            if len(pending) - start < need:
                break
            self._take(bytes(pending[start + HEADER_OCTETS : start + need]), source, destination)
            start, need = start + need, HEADER_OCTETS
        if start:
            del pending[:start]
        if not pending:
            self._begun = None
        elif start or need != self._need or self._begun is None:
            self._begun = now
        self._need = need

    def outgoing(self) -> bytes:
        """Hand over the octets to write; over datagrams one datagram a call."""
        if not self._outgoing:
            return b""
        if self._datagram:
            return self._outgoing.popleft()
        octets = b"".join(self._outgoing)
        self._outgoing.clear()
        return octets

    def events(self) -> list[LinkEvent]:
        """Hand over what has happened since the last call."""
        events, self._events = self._events, []
        return events

    def deadline(self) -> float | None:
        """Tell when `tick` is wanted next."""
        if self._begun is None:
            limit = self._settings.inactivity_time_out
            return None if limit is None or self._moved is None else self._moved + limit
        times = [time for time, _ in self._clocks()]
        return min(times) if times else None

    def tick(self, now: float) -> None:
        """Raise TimedOut when an APDU stays unfinished, or the connection silent, for too long."""
        for time, limit in self._clocks():
            if now >= time:
                self._pending.clear()
                self._need, self._begun, self._moved = HEADER_OCTETS, None, None
                raise TimedOut("link", limit)

    def _clocks(self) -> list[tuple[float, float]]:
        """Return the clocks that run: when each ends, and its limit."""
        settings = self._settings
        part = settings.header_time_out if self._need == HEADER_OCTETS else settings.body_time_out
        pairs = ((self._begun, part), (self._moved, settings.inactivity_time_out))
        return [(begun + limit, limit) for begun, limit in pairs if begun is not None and limit is not None]

    def _header(self, octets: bytes | bytearray, start: int) -> tuple[int, int, int]:
        version, source, destination, length = HEADER.unpack_from(octets, start)
        if version != VERSION:
            raise self._refuse(f"expected wrapper version 1, not {version}", 0, "version")
        if not 1 <= length <= self._settings.apdu_octets:
            raise self._refuse(f"expected a length of 1 to {self._settings.apdu_octets}, not {length}", 6, "length")
        return source, destination, length

    def _refuse(self, reason: str, offset: int, field: str) -> DecodeError:
        """Count what is refused; a stream has lost its place for good, the next datagram starts anew."""
        error = DecodeError(reason, offset, (field,), layer=LAYER)
        self.counters["headers_refused"] += 1
        if not self._datagram:
            self._broken = error
            self._pending.clear()
            self._need, self._begun = HEADER_OCTETS, None
        return error

    def _receive_datagram(self, octets: bytes) -> None:
        if len(octets) < HEADER_OCTETS:
            raise self._refuse(f"expected a datagram of at least 8 octets, not {len(octets)}", 0, "header")
        source, destination, length = self._header(octets, 0)
        if len(octets) != HEADER_OCTETS + length:
            have = len(octets) - HEADER_OCTETS
            raise self._refuse(f"expected a datagram with {length} octets after its header, not {have}", 6, "length")
        self._take(octets[HEADER_OCTETS:], source, destination)

    @abstractmethod
    def _take(self, apdu: bytes, source: int, destination: int) -> None:
        """Make an event of one APDU, in the view of the role."""

    def _put(self, apdu: bytes, source: int, destination: int, now: float) -> None:
        if not 1 <= len(apdu) <= self._settings.apdu_octets:
            raise LocalProtocolError(f"an APDU of 1 to {self._settings.apdu_octets} octets fits, not {len(apdu)}")
        try:
            header = _pack(VERSION, source, destination, len(apdu))
        except struct.error:
            raise ConfigurationError(f"expected wPorts from 0 to 65535, not {source} and {destination}") from None
        self.counters["apdus_sent"] += 1
        self._outgoing.append(header + apdu)
        self._moved = now


class WrapperClient(_Wrapper):
    """The client's end: wPort `client` here, wPort `server` there; connecting needs no exchange.

    An APDU between other wPorts is handed over as unsolicited, with the wPorts it names: meters push that way on the
    connection a client has opened.
    """

    progressed: float = 0.0
    echoed: bool = False
    awaiting: bool = False
    ends_associations: bool = False
    octets_in_a_turn: int | None = None

    def __init__(
        self, client: int, server: int, *, datagram: bool = False, settings: WrapperSettings = CLIENT_SETTINGS
    ) -> None:
        super().__init__(settings, datagram)
        self._client = _port("client", client)
        self._server = _port("server", server)
        self._connected = False

    def connect(self, now: float) -> None:
        """Count the link as connected: the wrapper has no opening of its own."""
        if self._connected:
            raise LocalProtocolError("the link is connected already")
        self._connected = True
        self._moved = now
        self._events.append(LinkConnected(self._client, self._server))

    def send(self, apdu: bytes, now: float, *, confirmed: bool = True) -> None:
        """Send one APDU; whether it will be answered makes no difference here."""
        if not self._connected:
            raise LocalProtocolError("the link is not connected")
        self._put(apdu, self._client, self._server, now)

    def poll(self, now: float) -> None:
        """Do nothing: here the server speaks when it wants to."""

    def disconnect(self, now: float) -> None:
        """Count the link as disconnected; closing the stream is the caller's."""
        self._connected = False
        self._moved = None
        self._events.append(LinkDisconnected(self._client, self._server))

    def _take(self, apdu: bytes, source: int, destination: int) -> None:
        self.counters["apdus_received"] += 1
        other = source != self._server or destination != self._client
        if other:
            self.counters["apdus_between_other_ports"] += 1
        self._events.append(ApduReceived(apdu, destination, source, other))


class WrapperServer(_Wrapper):
    """The server's end of one stream, for any number of wPort pairs; also what listens for pushed APDUs of clients.

    The wrapper has no link connections, so this end reports none: `ApduReceived` is all there is. What is sent to all
    stations comes once for each of `servers`.
    """

    def __init__(
        self,
        *,
        datagram: bool = False,
        settings: WrapperSettings = SERVER_SETTINGS,
        servers: frozenset[int] = frozenset(),
    ) -> None:
        super().__init__(settings, datagram)
        self._servers = sorted(servers)

    def send(self, apdu: bytes, now: float, *, client: int, server: int, unsolicited: bool = False) -> None:
        """Send one APDU from wPort `server` to wPort `client`."""
        self._put(apdu, server, client, now)

    def unsolicited_octets(self, *, client: int, server: int) -> int | None:
        """Return None: an APDU of any length that the wrapper can count is one PDU."""
        return None

    def acknowledge(self, now: float, *, client: int, server: int) -> None:
        """Do nothing: the wrapper acknowledges nothing."""

    def _take(self, apdu: bytes, source: int, destination: int) -> None:
        self.counters["apdus_received"] += 1
        if destination == ALL_STATION and self._servers:
            self._events += [ApduReceived(apdu, source, server, True, True) for server in self._servers]
        else:
            self._events.append(ApduReceived(apdu, source, destination))


def _port(name: str, number: int) -> int:
    if not 0 <= number <= 0xFFFF:
        raise ConfigurationError(f"{name}: expected a wPort from 0 to 65535, not {number}")
    return number
