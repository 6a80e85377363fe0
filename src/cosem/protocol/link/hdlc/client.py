"""The HDLC client: the primary station, which opens, asks, and asks again when nothing comes (IEC 62056-7-6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import Enum
from typing import ClassVar

from cosem.errors import DecodeError, LocalProtocolError, OnlyEcho, RemoteProtocolError, TimedOut
from cosem.protocol.link import ApduReceived, LinkConnected, LinkDisconnected, LinkEvent
from cosem.protocol.link.hdlc import llc
from cosem.protocol.link.hdlc.address import ALL_STATION, CALLING_DEVICE, LAYER, HdlcAddress, client_address
from cosem.protocol.link.hdlc.frame import DISC, FINAL, RR, SNRM, UI, Frame, FrameReader, Kind, encode
from cosem.protocol.link.hdlc.parameters import Parameters
from cosem.protocol.link.hdlc.reject import FrameReject
from cosem.protocol.link.hdlc.settings import ClientSettings, Tolerance
from cosem.protocol.link.hdlc.transfer import Transfer, Unnumbered, segments


class State(Enum):
    """Where the client stands."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTING = "disconnecting"


class HdlcClient:
    """One client address talking to one server address.

    The client holds the turn: it sends, gives the turn away with the poll bit, and has it back with the final bit of
    the answer. `deadline` is when an answer is overdue: then the identical octets go out again, or where a part of the
    answer has come, what asks for its rest; after the last repetition `tick` raises TimedOut("link"), or OnlyEcho where
    nothing came but what was sent. An answer that shows what was lost is taken up at once, without waiting: from the
    first missing frame on all goes out again. Segments are asked for and acknowledged in here; a whole APDU comes out.

    A server that does not answer to its address is called by the `alternatives` in turn; whichever answers is the
    `server` from then on. One that does not answer to the proposed parameters, or refuses them, is called without any,
    which proposes the defaults. An address of all stations is a broadcast: there is nothing to connect or to answer,
    and what is sent goes in UI frames.

    Raised, besides: RemoteProtocolError when the server refuses (DM), rejects a frame (FRMR), or acknowledges what was
    not sent; DecodeError when UA or FRMR are malformed. After any of them the engine is disconnected. Where the server
    may not know it, one DISC is left in `outgoing`, whose answer is not waited for.
    """

    def __init__(
        self,
        client: int,
        server: HdlcAddress,
        parameters: Parameters | None = None,
        settings: ClientSettings | None = None,
        *,
        alternatives: Sequence[HdlcAddress] = (),
    ) -> None:
        self.counters: Counter[str] = Counter()
        self.state = State.DISCONNECTED
        self._client = client
        self._server: HdlcAddress = server
        self._own = client_address(client).encode()
        self._peer = server.encode()
        self._stations: tuple[HdlcAddress, ...] = (server, *(each for each in alternatives if each != server))
        self._peers: dict[bytes, HdlcAddress] = {each.encode(): each for each in self._stations}
        self._proposed = parameters or Parameters()
        self._settings = settings or ClientSettings()
        tolerances = self._settings.tolerances
        self._reader = FrameReader(
            self.counters,
            octets=self._settings.frame_octets,
            accept_damaged=Tolerance.DAMAGED_INFORMATION in tolerances,
        )
        # Until the server has agreed to more, the defaults hold.
        self._transfer = Transfer(Parameters(), self._settings.apdu_octets + llc.SIZE)
        self._unnumbered = Unnumbered(self.counters, self._settings.apdu_octets + llc.SIZE)
        self._events: list[LinkEvent] = []
        self._outgoing = bytearray()
        self._last = b""  # what went out with the last poll bit, for repeating it
        self._awaiting = False  # the server has the turn
        self._expected = 0  # APDUs that must still come
        self._polls = 0  # asked in a row without getting one
        self._repeated = 0
        self._calls = 0  # how often SNRM went out
        self._bare = False  # SNRM without parameters went out
        self._advanced = False  # a part of the answer has come
        self._twice = 0  # commands that may be answered twice, since they were repeated
        self._recoveries = 0  # in a row without getting on
        self._echoed = self._answered = False  # what came since the last command
        self._due: float | None = None  # when to repeat, or to ask
        self._heard = 0.0
        self._moved = 0.0
        self._progressed = 0.0
        self._passed = 0  # frames that came, or stopped, since a part of an APDU came on

    @property
    def agreed(self) -> Parameters:
        """Return the parameters in force; the defaults, until connected."""
        return self._transfer.agreed

    def tolerate(self, more: Tolerance) -> None:
        """Put up with more than the settings say, from the next octet on."""
        self._settings = replace(self._settings, tolerances=self._settings.tolerances | more)
        self._reader = FrameReader(
            self.counters,
            octets=self._settings.frame_octets,
            accept_damaged=Tolerance.DAMAGED_INFORMATION in self._settings.tolerances,
        )

    @property
    def server(self) -> HdlcAddress:
        """Return the address the server answers to, or is being called by."""
        return self._server

    @property
    def progressed(self) -> float:
        """Return when a part of an APDU last came on, in either direction."""
        return self._progressed

    @property
    def awaiting(self) -> bool:
        """Tell whether the server has the turn."""
        return self._awaiting

    @property
    def echoed(self) -> bool:
        """Tell whether nothing but our own octets has come back since we last spoke."""
        return self._echoed and not self._answered

    @property
    def ends_associations(self) -> bool:
        """Tell that DISC ends the association too; all stations were never connected."""
        return not self._server.broadcast

    @property
    def octets_in_a_turn(self) -> int | None:
        """Return how long an APDU may be to go out in one window."""
        agreed = self._transfer.agreed
        return agreed.window_transmit * agreed.maximum_information_transmit - llc.SIZE

    def connect(self, now: float) -> None:
        """Send SNRM; with all stations there is nothing to connect."""
        if self.state is not State.DISCONNECTED:
            raise LocalProtocolError(f"the link is {self.state.value}")
        self._expected = self._polls = self._calls = self._twice = self._recoveries = 0
        self._bare = False
        self._reader.clear()
        self._outgoing.clear()
        self._transfer = Transfer(Parameters(), self._settings.apdu_octets + llc.SIZE)
        if self._server.broadcast:
            self.state = State.CONNECTED
            self._moved = now
            self._events.append(LinkConnected(self._client, self._server.upper))
            return
        self.state = State.CONNECTING
        self._call(now)

    def send(self, apdu: bytes, now: float, *, confirmed: bool = True, unnumbered: bool = False) -> None:
        """Send one APDU when it is our turn; in UI frames, which nobody acknowledges, to all or when `unnumbered`."""
        if not 1 <= len(apdu) <= self._settings.apdu_octets:
            raise LocalProtocolError(f"an APDU of 1 to {self._settings.apdu_octets} octets fits, not {len(apdu)}")
        information = llc.COMMAND + apdu
        if self._server.broadcast and confirmed:
            raise LocalProtocolError("nobody answers what all stations are told: only unconfirmed services go")
        if unnumbered or self._server.broadcast:
            size = self._transfer.agreed.maximum_information_transmit
            for part, more in segments(information, size):
                self._outgoing += encode(self._peer, self._own, UI, part, more)
            return
        if self.state is not State.CONNECTED:
            raise LocalProtocolError(f"the link is {self.state.value}")
        self._transfer.put(information)
        self._expected += confirmed
        if not self._awaiting:
            self._continue(now)

    def poll(self, now: float) -> None:
        """Ask for one more APDU than the requests sent account for, as block transfer with windows needs it."""
        if self.state is not State.CONNECTED or self._server.broadcast:
            raise LocalProtocolError(f"the link is {self.state.value}, or to all stations")
        self._expected += 1
        if not self._awaiting:
            self._continue(now)

    def disconnect(self, now: float) -> None:
        """Send DISC at once, whatever is under way; without a connection there is nothing to send."""
        if self.state is State.DISCONNECTED:
            self._events.append(LinkDisconnected(self._client, self._server.upper))
            return
        if self.state is State.DISCONNECTING:
            return
        if self._server.broadcast:
            self._down()
            return
        self.state = State.DISCONNECTING
        self._poll(encode(self._peer, self._own, DISC | FINAL), now)

    def receive(self, octets: bytes, now: float) -> None:
        """Take octets from the stream."""
        self._heard = now
        self._reader.feed(octets)
        self._read(now)
        if self._reader.partial and not self._passed:
            # On a slow line one frame takes a minute. Only the first counts, lest chatter of others bought time.
            self._progressed = now

    def outgoing(self) -> bytes:
        """Hand over the octets to write."""
        octets = bytes(self._outgoing)
        self._outgoing.clear()
        return octets

    def events(self) -> list[LinkEvent]:
        """Hand over what has happened since the last call."""
        events, self._events = self._events, []
        return events

    def deadline(self) -> float | None:
        """Tell when `tick` is wanted next."""
        if self._reader.partial:
            return self._heard + self._settings.inter_octet_time_out
        if self._due is not None:
            return self._due
        if self.state is State.CONNECTED:
            return min((self._moved + limit for limit in self._idle_limits()), default=None)
        return None

    def tick(self, now: float) -> None:
        """Repeat or ask again when it is time, give up when it has been enough."""
        settings = self._settings
        while self._reader.partial:
            # A frame under way is an answer under way: the answer is not overdue before its octets stop coming.
            if now < self._heard + settings.inter_octet_time_out:
                return
            self._reader.abandon()
            self._passed += 1
            self._read(now)
        if self._due is not None:
            if now >= self._due:
                self._overdue(now)
        elif self.state is State.CONNECTED:
            idle, alive = settings.inactivity_time_out, settings.keep_alive
            if idle is not None and now >= self._moved + idle:
                self.counters["inactivity_time_outs"] += 1
                self._down()
            elif alive is not None and not self._server.broadcast and now >= self._moved + alive:
                self.counters["kept_alive"] += 1
                self._ask(now)

    # What is due

    def _idle_limits(self) -> list[float]:
        alive = None if self._server.broadcast else self._settings.keep_alive
        return [limit for limit in (self._settings.inactivity_time_out, alive) if limit is not None]

    def _call(self, now: float) -> None:
        """Send SNRM to the next of the addresses; in the second half of all calls without parameters."""
        settings = self._settings
        count, which = divmod(self._calls, len(self._stations))
        self._server = self._stations[which]
        self._peer = self._server.encode()
        bare = self._bare or count > settings.retransmissions // 2
        # Saying nothing means the defaults, and every station understands it.
        self._bare = bare or self._proposed == Parameters()
        information = b"" if self._bare else self._proposed.encode(settings.window_octets)
        self._calls += 1
        self._poll(encode(self._peer, self._own, SNRM | FINAL, information), now, settings.connect_time_out)

    def _poll(self, octets: bytes, now: float, patience: float | None = None) -> None:
        """Send octets whose last frame gives the turn away."""
        self._last = octets
        self._awaiting = True
        self._repeated = 0
        self._echoed = self._answered = False
        self.counters["polls"] += 1
        self._say(octets, now, self._settings.response_time_out if patience is None else patience)

    def _say(self, octets: bytes, now: float, patience: float) -> None:
        self._outgoing += octets
        self._advanced = False
        self._passed = 0
        self._moved = now + len(octets) * self._settings.octet_time
        self._due = self._moved + patience

    def _ask(self, now: float) -> None:
        control = RR | FINAL | self._transfer.receive_state << 5
        self._poll(encode(self._peer, self._own, control), now)

    def _continue(self, now: float) -> None:
        """Use the turn: send what waits, else ask for what must still come, else rest."""
        transfer = self._transfer
        self._due = None
        if transfer.has_to_send and not transfer.peer_busy:
            self._poll(transfer.frames(self._peer, self._own), now)
            self._progressed = self._moved
        elif transfer.has_to_send or transfer.collecting or self._expected:
            if self._polls == 0:
                self._ask(now)
            else:
                self._due = now + self._settings.poll_interval
        else:
            self._polls = 0

    def _recover(self, now: float) -> None:
        """Send again from the first missing frame on, or ask for it: the turn is ours, and something was lost.

        Unless the answer may be a second one, to a command that was repeated: to answer each of these at once would
        double them for ever, so then, and when it has not helped, the command waits for its time.
        """
        if self._twice or self._recoveries >= self._settings.retransmissions:
            self._twice = max(0, self._twice - 1)
            self.counters["stale_frames"] += 1
            return
        self._recoveries += 1
        self.counters["recoveries"] += 1
        transfer = self._transfer
        if transfer.unacknowledged and not transfer.peer_busy:
            self._poll(transfer.frames(self._peer, self._own), now)
        else:
            self._ask(now)

    def _got_on(self, now: float) -> None:
        """Take note that a part of an APDU has come through."""
        self._progressed = now
        self._recoveries = self._passed = 0

    def _overdue(self, now: float) -> None:
        settings = self._settings
        if not self._awaiting:
            if self._polls > settings.polls:
                self._give_up()
                raise TimedOut("link", settings.polls * settings.poll_interval)
            self._ask(now)
        elif self.state is State.CONNECTING:
            if self._calls >= (1 + settings.retransmissions) * len(self._stations):
                raise self._silence(settings.connect_time_out * self._calls)
            self.counters["retransmissions"] += 1
            echoed, answered = self._echoed, self._answered
            self._call(now)
            self._echoed, self._answered = echoed, answered
        elif self._repeated < settings.retransmissions:
            self._repeated += 1
            self._twice += 1
            self.counters["retransmissions"] += 1
            if self._advanced:
                transfer = self._transfer
                control = RR | FINAL | transfer.receive_state << 5
                waiting = transfer.unacknowledged and not transfer.peer_busy
                self._last = (
                    transfer.frames(self._peer, self._own) if waiting else encode(self._peer, self._own, control)
                )
            self._say(self._last, now, settings.response_time_out)
        else:
            raise self._silence(settings.response_time_out * (1 + settings.retransmissions))

    def _silence(self, seconds: float) -> TimedOut:
        kind = OnlyEcho if self.echoed else TimedOut
        self._give_up()
        return kind("link", seconds)

    def _down(self) -> None:
        """Be disconnected, and say so if we were more than that."""
        if self.state in (State.CONNECTED, State.DISCONNECTING):
            self._events.append(LinkDisconnected(self._client, self._server.upper))
        self.state = State.DISCONNECTED
        self._awaiting = False
        self._expected = 0
        self._due = None
        self._last = b""

    def _give_up(self) -> None:
        """Be disconnected; tell the server, but do not wait for it: it may hold the connection still."""
        if self.state in (State.CONNECTING, State.CONNECTED):
            self._outgoing += encode(self._peer, self._own, DISC | FINAL)
        self._down()

    def _refuse(self, reason: str) -> RemoteProtocolError:
        self._give_up()
        return RemoteProtocolError(reason, layer=LAYER)

    # What arrives

    def _read(self, now: float) -> None:
        while (frame := self._reader.frame()) is not None:
            self._passed += 1
            if self._is_for_us(frame):
                self._answered = True
                self._HANDLERS[frame.kind](self, frame, now)

    def _is_for_us(self, frame: Frame) -> bool:
        if frame.destination == self._own and frame.source == self._peer:
            if self._own != self._peer or frame.encode() not in self._last:
                return True
            return self._echo()  # both addresses alike: only the whole frame tells
        if frame.source == self._own and frame.destination in self._peers:
            return self._echo()
        destination, source = HdlcAddress.decode(frame.destination), HdlcAddress.decode(frame.source)
        if self._is_client(destination, frame.kind) and self._is_server(source):
            return True
        self.counters["frames_for_others"] += 1
        return False

    def _echo(self) -> bool:
        self.counters["echoes"] += 1
        self._passed -= 1
        self._echoed = True
        return False

    def _is_client(self, address: HdlcAddress, kind: Kind) -> bool:
        if address.upper == self._client and address.size == 1:
            return True
        if kind is Kind.UNNUMBERED_INFORMATION and address.upper in (self._client, ALL_STATION[address.bits]):
            return True
        return self._tolerates(Tolerance.OTHER_CLIENT)

    def _is_server(self, address: HdlcAddress) -> bool:
        asked = self._server
        if address == asked or (self.state is State.CONNECTING and address in self._stations):
            return True
        same_upper = address.upper == asked.upper
        if same_upper and (asked.lower is None or address.lower is None or address.lower == asked.lower):
            return self._tolerates(Tolerance.OTHER_ADDRESS_SIZE)
        # Who is called as "whoever calls" answers with the name it has.
        if asked.lower == CALLING_DEVICE[asked.bits] and same_upper:
            return True
        return self._tolerates(Tolerance.OTHER_SERVER)

    def _acknowledged(self, frame: Frame, now: float) -> None:
        if self.state is State.CONNECTING:
            self._settle(frame)
            # Once SNRM went out without parameters nobody knows which of the two this answers: the defaults are safe.
            proposed = Parameters() if self._bare else self._proposed
            try:
                agreed = proposed.agreed_with(Parameters.decode(frame.information))
            except DecodeError:
                self._give_up()
                raise
            self._transfer = Transfer(agreed, self._settings.apdu_octets + llc.SIZE)
            self.state = State.CONNECTED
            self._awaiting = False
            self._due = None
            self._moved = now
            self._events.append(LinkConnected(self._client, self._server.upper))
        elif self.state is State.DISCONNECTING:
            self._down()
        else:
            self._ignore(frame, now)

    def _disconnected(self, frame: Frame, now: float) -> None:
        if self.state is State.DISCONNECTED:
            self._ignore(frame, now)
            return
        if self._refuses_parameters(frame, now):
            return
        state, asked = self.state, self._awaiting or self._expected
        self._down()
        if state is State.CONNECTING:
            raise RemoteProtocolError(
                "the server refuses the connection (DM)", layer=LAYER, evidence=(frame.kind, state)
            )
        if state is State.CONNECTED and asked:
            raise RemoteProtocolError("the server is disconnected (DM)", layer=LAYER, evidence=(frame.kind, state))

    def _rejected(self, frame: Frame, now: float) -> None:
        if self.state is State.DISCONNECTED:
            self._ignore(frame, now)
            return
        if self._refuses_parameters(frame, now):
            return
        self._give_up()
        rejected = FrameReject.decode(frame.information)
        raise RemoteProtocolError(f"the server {rejected}", layer=LAYER, evidence=rejected)

    def _settle(self, frame: Frame) -> None:
        """Keep to the address that was answered from."""
        self._server = self._peers.get(frame.source, self._server)
        self._peer = self._server.encode()

    def _refuses_parameters(self, frame: Frame, now: float) -> bool:
        """Tell whether SNRM was refused that may be accepted without parameters, which is then tried at once."""
        if self.state is not State.CONNECTING or self._bare:
            return False
        self._settle(frame)
        self._stations = (self._server,)
        self._calls, self._bare = 0, True
        self.counters["parameters_refused"] += 1
        self._call(now)
        return True

    def _ready(self, frame: Frame, now: float) -> None:
        self._supervised(frame, now, busy=False)

    def _sent_back(self, frame: Frame, now: float) -> None:
        self._supervised(frame, now, busy=False, rejected=True)

    def _not_ready(self, frame: Frame, now: float) -> None:
        self._supervised(frame, now, busy=True)

    def _supervised(self, frame: Frame, now: float, *, busy: bool, rejected: bool = False) -> None:
        if self.state is not State.CONNECTED:
            self._ignore(frame, now)
            return
        transfer = self._transfer
        waiting, was_busy = transfer.unacknowledged, transfer.peer_busy
        progress = transfer.acknowledge(frame.receive_sequence)
        if progress is None:
            progress = self._acknowledge_anyway(frame)
        self._moved = now
        transfer.peer_busy = busy
        if progress:
            self._got_on(now)
        if not frame.final:
            return
        if not self._awaiting:
            self._twice = max(0, self._twice - 1)
            return
        if waiting and not progress and not busy and not was_busy:
            # Of one frame that came the answer acknowledges it, and one that did not come is not answered: this is an
            # answer to something older. Of several the last may have come and the others not.
            if rejected or waiting > 1:
                self._recover(now)
            else:
                self._twice = max(0, self._twice - 1)
                self.counters["stale_frames"] += 1
            return
        self._awaiting = False
        self._polls = 0 if progress and not busy else self._polls + 1
        self._continue(now)

    def _informed(self, frame: Frame, now: float) -> None:
        if self.state is not State.CONNECTED:
            self._ignore(frame, now)
            return
        transfer = self._transfer
        if not transfer.is_next(frame):
            repeated = transfer.is_repeated(frame)
            self.counters["repeated_frames" if repeated else "frames_out_of_sequence"] += 1
            if frame.final and (repeated or not self._awaiting):
                self._twice = max(0, self._twice - 1)
            elif frame.final and transfer.agreed.window_receive > 1:
                self._recover(now)
            return
        if transfer.acknowledge(frame.receive_sequence) is None:
            self._acknowledge_anyway(frame)
        elif (
            transfer.unacknowledged
            and transfer.agreed.window_transmit == 1
            and self._tolerates(Tolerance.WRONG_ACKNOWLEDGEMENT)
        ):
            # New information can only be the answer to the one frame that is out, even if N(R) says otherwise.
            transfer.acknowledge_all()
        longest = transfer.agreed.maximum_information_receive
        if len(frame.information) > longest and not self._tolerates(Tolerance.LONG_INFORMATION):
            raise self._refuse(f"information of {len(frame.information)} octets, agreed were {longest}")
        try:
            information = transfer.take(frame)
        except OverflowError:
            raise self._refuse(f"an APDU of more than {self._settings.apdu_octets} octets") from None
        self._moved = now
        self._polls = 0
        self._advanced = True
        self._got_on(now)
        transfer.peer_busy = False
        if information is not None:
            self._deliver(information, unsolicited=not self._expected)
            self._expected = max(0, self._expected - 1)
        if frame.final:
            self._awaiting = False
            self._continue(now)
        elif self._awaiting:
            self._repeated = 0
            self._due = now + self._settings.response_time_out

    def _acknowledge_anyway(self, frame: Frame) -> int:
        """Take an N(R) that cannot be right as right, if that is put up with."""
        if self._transfer.agreed.window_transmit > 1 or not self._tolerates(Tolerance.WRONG_ACKNOWLEDGEMENT):
            raise self._refuse(f"the server acknowledges what was not sent (N(R) {frame.receive_sequence})")
        return self._transfer.acknowledge_all()

    def _notified(self, frame: Frame, now: float) -> None:
        information = self._unnumbered.take(frame)
        if information is not None:
            self._deliver(information, unsolicited=True)

    def _deliver(self, information: bytes, *, unsolicited: bool) -> None:
        apdu, headers = llc.split(information, llc.RESPONSE)
        if headers == 0 and not self._tolerates(Tolerance.MISSING_LLC):
            self.counters["llc_headers_missing"] += 1
        elif headers > 1 and not self._tolerates(Tolerance.REPEATED_LLC):
            self.counters["llc_headers_repeated"] += 1
        elif apdu:
            self._events.append(ApduReceived(apdu, self._client, self._server.upper, unsolicited))

    def _tolerates(self, deviation: Tolerance) -> bool:
        return self._settings.tolerances.permit(deviation, self.counters)

    def _ignore(self, frame: Frame, now: float) -> None:
        self.counters["unexpected_frames"] += 1

    _HANDLERS: ClassVar[dict[Kind, Callable[[HdlcClient, Frame, float], None]]] = {
        Kind.INFORMATION: _informed,
        Kind.RECEIVE_READY: _ready,
        Kind.RECEIVE_NOT_READY: _not_ready,
        Kind.REJECT: _sent_back,
        Kind.UNNUMBERED_ACKNOWLEDGE: _acknowledged,
        Kind.DISCONNECTED_MODE: _disconnected,
        Kind.FRAME_REJECT: _rejected,
        Kind.UNNUMBERED_INFORMATION: _notified,
        Kind.SET_NORMAL_RESPONSE_MODE: _ignore,
        Kind.DISCONNECT: _ignore,
        Kind.UNDEFINED: _ignore,
    }
