"""The HDLC server: the secondary station, for all logical devices and clients on one stream (IEC 62056-7-6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from typing import ClassVar

from cosem.errors import ConfigurationError, DecodeError, LocalProtocolError
from cosem.protocol.link import ApduReceived, LinkConnected, LinkDisconnected, LinkEvent
from cosem.protocol.link.hdlc import llc
from cosem.protocol.link.hdlc.address import ALL_STATION, CALLING_DEVICE, NO_STATION, HdlcAddress, client_address
from cosem.protocol.link.hdlc.frame import DM, FINAL, FRMR, RR, UA, UI, Frame, FrameReader, Kind, encode
from cosem.protocol.link.hdlc.parameters import Parameters, window_octets
from cosem.protocol.link.hdlc.reject import FrameReject
from cosem.protocol.link.hdlc.settings import ServerSettings, Tolerance
from cosem.protocol.link.hdlc.transfer import Transfer, Unnumbered, segments


class _Connection:
    """What the server keeps for one client address and one logical device."""

    __slots__ = ("address", "answering", "client", "heard", "peer", "polled", "rejected", "server", "transfer")

    def __init__(self, client: int, server: int, frame: Frame, transfer: Transfer, now: float) -> None:
        self.client = client
        self.server = server
        self.peer = frame.source
        self.address = frame.destination  # as the client writes it, so that it is answered alike
        self.transfer = transfer
        self.heard = now
        self.polled = False  # we have the turn
        self.answering = False  # the floor above has an APDU to answer
        self.rejected: FrameReject | None = None


class HdlcServer:
    """All the `servers` (logical devices, the upper address) of the physical device with the lower address `physical`.

    Without `physical` every lower address is taken, as suits a line with one device on it. `clients` limits who may
    talk. A connection is a client and a logical device; each has its own sequence numbers. Nothing a client sends
    raises: it is answered as the standard says (DM, FRMR, or silence) and counted.

    The server speaks when it is asked to: `send` goes out at once if the client waits for it, else with the next poll.
    After an APDU that has no answer call `acknowledge`.
    """

    def __init__(
        self,
        servers: Collection[int],
        physical: int | None = None,
        parameters: Parameters | None = None,
        settings: ServerSettings | None = None,
        *,
        clients: Collection[int] | None = None,
        calling: bool = False,
    ) -> None:
        for server in servers:
            HdlcAddress.of(server, 1)  # refuses what no address can hold
            if server in (NO_STATION, ALL_STATION[14]):
                raise ConfigurationError(f"server {server} is reserved")
        if physical is not None and not 0 < physical < CALLING_DEVICE[14]:
            raise ConfigurationError(f"physical: expected 1 to {CALLING_DEVICE[14] - 1}, not {physical}")
        self.counters: Counter[str] = Counter()
        self._servers = frozenset(servers)
        self._physical = physical
        self._parameters = parameters or Parameters()
        self._settings = settings or ServerSettings()
        self._clients = None if clients is None else frozenset(clients)
        self._calling = calling
        self._reader = FrameReader(
            self.counters,
            octets=self._settings.frame_octets,
            accept_damaged=Tolerance.DAMAGED_INFORMATION in self._settings.tolerances,
        )
        self._unnumbered = Unnumbered(self.counters, self._settings.apdu_octets + llc.SIZE, self._settings.connections)
        self._connections: dict[tuple[int, int], _Connection] = {}
        self._events: list[LinkEvent] = []
        self._outgoing = bytearray()
        self._heard = 0.0

    def agreed(self, *, client: int, server: int) -> Parameters:
        """Return the parameters in force between two stations."""
        return self._connection(client, server).transfer.agreed

    def send(self, apdu: bytes, now: float, *, client: int, server: int, unsolicited: bool = False) -> None:
        """Send one APDU over the connection; in UI frames, without any connection, when `unsolicited`.

        What came in a UI frame came without a connection: there is no way back, and an answer to it is left unsaid.
        """
        if not 1 <= len(apdu) <= self._settings.apdu_octets:
            raise LocalProtocolError(f"an APDU of 1 to {self._settings.apdu_octets} octets fits, not {len(apdu)}")
        information = llc.RESPONSE + apdu
        if unsolicited:
            self._push(information, client, server)
            return
        connection = self._connections.get((client, server))
        if connection is None:
            self.counters["answers_without_connection"] += 1
            return
        connection.transfer.put(information)
        connection.answering = False

    def unsolicited_octets(self, *, client: int, server: int) -> int | None:
        """Return how many octets of an APDU fit into one UI frame to `client`."""
        connection = self._connections.get((client, server))
        if connection is not None:
            return connection.transfer.agreed.maximum_information_transmit - llc.SIZE
        return self._unagreed - llc.SIZE

    def acknowledge(self, now: float, *, client: int, server: int) -> None:
        """Tell that the last APDU of `client` will have no answer: RR says that it arrived."""
        connection = self._connections.get((client, server))
        if connection is None:
            return
        connection.answering = False
        if connection.polled:
            self._answer(connection)

    def abort(self, *, client: int, server: int) -> None:
        """Drop a connection from this side; the client learns it by DM when it speaks next."""
        if self._connections.pop((client, server), None) is not None:
            self._events.append(LinkDisconnected(client, server))

    def receive(self, octets: bytes, now: float) -> None:
        """Take octets from the stream."""
        self._heard = now
        self._reader.feed(octets)
        self._read(now)

    def outgoing(self) -> bytes:
        """Hand over the octets to write; what waits to be sent uses the turn now, as much of it as the window takes."""
        for connection in self._connections.values():
            if connection.polled and connection.transfer.has_to_send and not connection.answering:
                self._answer(connection)
        octets = bytes(self._outgoing)
        self._outgoing.clear()
        return octets

    def events(self) -> list[LinkEvent]:
        """Hand over what has happened since the last call."""
        events, self._events = self._events, []
        return events

    def deadline(self) -> float | None:
        """Tell when `tick` is wanted next."""
        times: list[float] = []
        if self._reader.partial:
            times.append(self._heard + self._settings.inter_octet_time_out)
        if self._settings.inactivity_time_out is not None and self._connections:
            oldest = min(connection.heard for connection in self._connections.values())
            times.append(oldest + self._settings.inactivity_time_out)
        return min(times, default=None)

    def tick(self, now: float) -> None:
        """Give up frames whose rest does not come, and connections nobody uses."""
        while self._reader.partial and now >= self._heard + self._settings.inter_octet_time_out:
            self._reader.abandon()
            self._read(now)
        limit = self._settings.inactivity_time_out
        if limit is not None:
            for connection in [each for each in self._connections.values() if now >= each.heard + limit]:
                self.counters["inactivity_time_outs"] += 1
                self.abort(client=connection.client, server=connection.server)

    # What goes out

    def _connection(self, client: int, server: int) -> _Connection:
        connection = self._connections.get((client, server))
        if connection is None:
            raise LocalProtocolError(f"client {client} is not connected to server {server}")
        return connection

    def _answer(self, connection: _Connection) -> None:
        """Use the turn: what waits to be sent, else RR."""
        transfer = connection.transfer
        connection.polled = False
        if transfer.has_to_send and not transfer.peer_busy:
            self._outgoing += transfer.frames(connection.peer, connection.address)
        else:
            control = RR | FINAL | transfer.receive_state << 5
            self._outgoing += encode(connection.peer, connection.address, control)

    def _reply(self, frame: Frame, control: int, information: bytes = b"") -> None:
        self._outgoing += encode(frame.source, frame.destination, control | FINAL, information)

    @property
    def _unagreed(self) -> int:
        """Octets of information that may go to a client with which nothing was agreed."""
        longest = self._parameters.maximum_information_transmit
        return min(longest, self._settings.unsolicited_octets or longest)

    def _push(self, information: bytes, client: int, server: int) -> None:
        connection = self._connections.get((client, server))
        if connection is not None:
            peer, own = connection.peer, connection.address
            size = connection.transfer.agreed.maximum_information_transmit
        else:
            peer, own = client_address(client).encode(), HdlcAddress.of(server, self._physical).encode()
            size = self._unagreed
        for part, more in segments(information, size):
            self._outgoing += encode(peer, own, UI | (0 if more else FINAL), part, more)

    # What comes in

    def _read(self, now: float) -> None:
        while (frame := self._reader.frame()) is not None:
            client = self._client_of(frame.source)
            servers = self._servers_of(frame.destination)
            if client is None or not servers:
                self.counters["frames_for_others"] += 1
            elif frame.kind is Kind.UNNUMBERED_INFORMATION:
                self._notified(frame, client, servers)
            elif HdlcAddress.decode(frame.destination).broadcast:
                self.counters["broadcasts_ignored"] += 1  # nobody may answer what all were asked
            else:
                (server,) = servers
                self._handle(frame, client, server, now)

    def _client_of(self, octets: bytes) -> int | None:
        client = octets[0] >> 1
        if len(octets) != 1 or client in (NO_STATION, ALL_STATION[7]):
            return None
        return client if self._clients is None or client in self._clients else None

    def _servers_of(self, octets: bytes) -> tuple[int, ...]:
        """Return which of our logical devices an address names: one, all, or none."""
        address = HdlcAddress.decode(octets)
        lower, bits = address.lower, address.bits
        if lower is not None and lower != ALL_STATION[bits]:
            if lower == NO_STATION:
                return ()
            if lower == CALLING_DEVICE[bits]:
                if not self._calling:
                    return ()
            elif self._physical is not None and lower != self._physical:
                return ()
        if address.upper == ALL_STATION[bits]:
            return tuple(sorted(self._servers))
        return (address.upper,) if address.upper in self._servers else ()

    def _notified(self, frame: Frame, client: int, servers: tuple[int, ...]) -> None:
        information = self._unnumbered.take(frame)
        if information is not None and (apdu := self._unwrap(information)):
            broadcast = HdlcAddress.decode(frame.destination).broadcast
            self._events += [ApduReceived(apdu, client, server, True, broadcast) for server in servers]

    def _handle(self, frame: Frame, client: int, server: int, now: float) -> None:
        kind = frame.kind
        connection = self._connections.get((client, server))
        if kind is Kind.SET_NORMAL_RESPONSE_MODE:
            self._connect(frame, client, server, now)
        elif connection is None:
            if kind in _RESPONSES:
                self.counters["unexpected_frames"] += 1
            elif frame.final:
                self._reply(frame, DM)
        else:
            connection.heard = now
            connection.peer, connection.address = frame.source, frame.destination
            if kind is Kind.DISCONNECT:
                self._disconnect(frame, connection)
            elif connection.rejected is None:
                self._HANDLERS[kind](self, frame, connection)
            elif frame.final:
                self._reply(frame, FRMR, connection.rejected.encode())

    def _connect(self, frame: Frame, client: int, server: int, now: float) -> None:
        if not frame.final:
            self.counters["unexpected_frames"] += 1
            return
        pair = client, server
        try:
            proposed = Parameters.decode(frame.information)
        except DecodeError:
            self.counters["parameters_refused"] += 1
            self._reply(frame, DM)
            return
        if pair not in self._connections and len(self._connections) >= self._settings.connections:
            self.counters["connections_refused"] += 1
            self._reply(frame, DM)
            return
        agreed = self._parameters.agreed_with(proposed)
        self.abort(client=client, server=server)
        transfer = Transfer(agreed, self._settings.apdu_octets + llc.SIZE)
        self._connections[pair] = _Connection(client, server, frame, transfer, now)
        self._events.append(LinkConnected(client, server))
        silent = not frame.information and agreed == Parameters()
        self._reply(frame, UA, b"" if silent else agreed.encode(window_octets(frame.information)))

    def _disconnect(self, frame: Frame, connection: _Connection) -> None:
        if not frame.final:
            self.counters["unexpected_frames"] += 1
            return
        self.abort(client=connection.client, server=connection.server)
        self._reply(frame, UA)

    def _informed(self, frame: Frame, connection: _Connection) -> None:
        transfer = connection.transfer
        if transfer.acknowledge(frame.receive_sequence) is None:
            self._reject(frame, connection, invalid_receive_sequence=True)
            return
        if len(frame.information) > transfer.agreed.maximum_information_receive and not self._tolerates(
            Tolerance.LONG_INFORMATION
        ):
            self._reject(frame, connection, information_too_long=True)
            return
        connection.polled = connection.polled or frame.final
        if not transfer.is_next(frame):
            self.counters["repeated_frames" if transfer.is_repeated(frame) else "frames_out_of_sequence"] += 1
            # A repetition of the request being answered now gets the answer when it is there.
            if frame.final and (transfer.unacknowledged or not connection.answering):
                self._answer(connection)
            return
        transfer.peer_busy = False
        try:
            information = transfer.take(frame)
        except OverflowError:
            self._reject(frame, connection, information_too_long=True)
            return
        apdu = None if information is None else self._unwrap(information)
        if apdu:
            connection.answering = True
            self._events.append(ApduReceived(apdu, connection.client, connection.server))
        elif frame.final:
            self._answer(connection)

    def _ready(self, frame: Frame, connection: _Connection) -> None:
        self._supervised(frame, connection, busy=False)

    def _not_ready(self, frame: Frame, connection: _Connection) -> None:
        self._supervised(frame, connection, busy=True)

    def _supervised(self, frame: Frame, connection: _Connection, *, busy: bool) -> None:
        if frame.information:
            self._reject(frame, connection, undefined_control=True, information_not_permitted=True)
        elif connection.transfer.acknowledge(frame.receive_sequence) is None:
            self._reject(frame, connection, invalid_receive_sequence=True)
        else:
            connection.transfer.peer_busy = busy
            if frame.final:
                self._answer(connection)

    def _undefined(self, frame: Frame, connection: _Connection) -> None:
        self._reject(frame, connection, undefined_control=True)

    def _ignore(self, frame: Frame, connection: _Connection) -> None:
        self.counters["unexpected_frames"] += 1

    def _reject(
        self,
        frame: Frame,
        connection: _Connection,
        *,
        undefined_control: bool = False,
        information_not_permitted: bool = False,
        information_too_long: bool = False,
        invalid_receive_sequence: bool = False,
    ) -> None:
        transfer = connection.transfer
        connection.rejected = FrameReject(
            frame.control,
            transfer.send_state,
            transfer.receive_state,
            undefined_control=undefined_control,
            information_not_permitted=information_not_permitted,
            information_too_long=information_too_long,
            invalid_receive_sequence=invalid_receive_sequence,
        )
        self.counters["frames_rejected"] += 1
        if frame.final:
            self._reply(frame, FRMR, connection.rejected.encode())

    def _unwrap(self, information: bytes) -> bytes | None:
        apdu, headers = llc.split(information, llc.COMMAND)
        if not headers and not self._tolerates(Tolerance.MISSING_LLC):
            self.counters["llc_headers_missing"] += 1
            return None
        return apdu

    def _tolerates(self, deviation: Tolerance) -> bool:
        return self._settings.tolerances.permit(deviation, self.counters)

    _HANDLERS: ClassVar[dict[Kind, Callable[[HdlcServer, Frame, _Connection], None]]] = {
        Kind.INFORMATION: _informed,
        Kind.RECEIVE_READY: _ready,
        Kind.RECEIVE_NOT_READY: _not_ready,
        Kind.REJECT: _ready,
        Kind.UNNUMBERED_ACKNOWLEDGE: _ignore,
        Kind.DISCONNECTED_MODE: _ignore,
        Kind.FRAME_REJECT: _ignore,
        Kind.UNDEFINED: _undefined,
    }


_RESPONSES = frozenset({Kind.UNNUMBERED_ACKNOWLEDGE, Kind.DISCONNECTED_MODE, Kind.FRAME_REJECT})
