"""The meter of IEC 62056-21, which the standard calls tariff device: it is called, tells who it is, and serves.

device = TariffDevice(ServerSettings(identification=Identification.of("KFM5MT100")))
device.receive(octets, now)      # what the stream read
device.events()                  # what is wanted; `readout`, `answer`, `acknowledge` and `refuse` give it
device.outgoing()                # octets to write, and changes of the line, in order
device.deadline(), device.tick(now)
"""

from __future__ import annotations

from collections import deque
from typing import Final

from cosem.errors import DecodeError, LocalProtocolError
from cosem.protocol.iec21.message import (
    ACK,
    BAUD_RATES,
    BREAK,
    END,
    FAST_BREAK,
    NAK,
    Acknowledgement,
    Block,
    BlockCheck,
    Check,
    Command,
    Mode,
    Option,
)
from cosem.protocol.iec21.outbox import CHARACTER_BITS
from cosem.protocol.iec21.reader import Checked, Signal, with_parity
from cosem.protocol.iec21.server_events import (
    BinaryWanted,
    Called,
    CommandReceived,
    ProgrammingWanted,
    ReaderGone,
    ReadoutWanted,
    ServerEvent,
    State,
)
from cosem.protocol.iec21.settings import LONGEST_REACTION, ServerSettings, WakeUp
from cosem.protocol.iec21.station import BINARY_FORMAT, MODE_D_BAUD, Station

WAKING_NULS: Final = 5
"""NUL characters after which a meter that sleeps is awake."""

PARTIAL_OCTETS: Final = 1024
"""How long partial blocks are, where the settings say nothing."""

AWAKE: Final = 5.0
"""Seconds for which it stays awake without a request."""


class TariffDevice(Station[ServerEvent, State]):
    """One meter at one line. Whatever comes, nothing is raised but LocalProtocolError for answers nobody asked for."""

    def __init__(self, settings: ServerSettings) -> None:
        super().__init__(settings, State.IDLE)
        self._settings = settings
        self._heard = 0.0
        self._sent = 0.0
        self._moved = 0.0  # when the last message was understood
        self._not_before = 0.0
        self._nuls = 0
        self._awake_until: float | None = None
        self._said: bytes = b""
        self._blocks: deque[bytes] = deque()
        self._collected = bytearray()
        self._collecting: str | None = None
        self._handlers = {
            State.IDLE: self._called,
            State.SELECTING: self._selected,
            State.SENT: self._commanded,
            State.PROGRAMMING: self._commanded,
        }

    @property
    def mode(self) -> Mode:
        """The protocol mode that the meter speaks."""
        return self._settings.protocol_mode

    # -- what the floor above gives ---------------------------------------------------------------------------------

    def readout(self, data: bytes, now: float) -> None:
        """Send the data that were wanted: lines, each with CR LF."""
        self._must_be_asked()
        self._answer_in_blocks(data + b"!" + END, now, self._settings.partial_octets)
        self.state = State.SENT

    def push(self, data: bytes, now: float) -> None:
        """Speak by itself, as meters of mode D do when something calls them otherwise."""
        if self._settings.protocol_mode is not Mode.D or self.state is not State.IDLE:
            raise LocalProtocolError("only a meter of mode D speaks by itself")
        self._change(MODE_D_BAUD, self._settings.character_format, now)
        self._outbox.put(self._settings.identification.encode() + END + data + b"!" + END, now)
        self._release(now)

    def enter(self, operand: bytes, now: float) -> None:
        """Let the reader into programming mode: P0 with an operand, empty where passwords go as they are."""
        self._must_be_asked()
        self.state = State.PROGRAMMING
        self._say(Command("P0", b"(" + operand + b")").encode(self._settings.block_check), now)

    def answer(self, data: bytes, now: float, *, partial: bool = False) -> None:
        """Answer a command with data, in partial blocks where such were asked for and the data are long."""
        self._must_be_asked()
        self.state = State.PROGRAMMING
        self._answer_in_blocks(data, now, (self._settings.partial_octets or PARTIAL_OCTETS) if partial else 0)

    def acknowledge(self, now: float) -> None:
        """Answer a command with ACK."""
        self._must_be_asked()
        self.state = State.PROGRAMMING
        self._say(bytes((ACK,)), now)

    def refuse(self, message: str, now: float) -> None:
        """Answer a command with an error message, which begins with ER; with NAK where it is empty."""
        self._must_be_asked()
        self.state = State.PROGRAMMING
        words = f"({message})".encode("ascii", "replace")
        self._say(Block(words).encode(self._settings.block_check) if message else bytes((NAK,)), now)

    def break_off(self, now: float) -> None:
        """Sign off, as a meter does after wrong passwords."""
        self._outbox.clear()
        self._put(BREAK.encode(self._settings.block_check), now)
        self._end(now)

    def resume(self, now: float) -> None:
        """Go back from the other protocol, to be called anew."""
        self._to_idle(now)

    # -- the verbs of an engine -------------------------------------------------------------------------------------

    def receive(self, octets: bytes, now: float) -> None:
        """Take octets from the stream; never raises, whatever they are."""
        self._heard = now
        deaf = self.state not in self._handlers or self._settings.protocol_mode is Mode.D
        if deaf or (self.state is State.IDLE and self._sleeps(octets, now)):
            return
        limit = self._settings.block_octets
        for start in range(0, len(octets), limit):
            self._reader.feed(octets[start : start + limit])
            self._go_on(now)
        self._release(now)

    # -- being called -----------------------------------------------------------------------------------------------

    def _sleeps(self, octets: bytes, now: float) -> bool:
        """Count the NUL characters that wake a battery operated meter; tell whether it sleeps on."""
        if self._settings.wake_up is WakeUp.NONE:
            return False
        awake = self._awake_until is not None and now < self._awake_until
        if awake and octets.strip(b"\0"):
            return False
        self._nuls += octets.count(0)
        if not awake and self._nuls >= WAKING_NULS:
            self._nuls = 0
            self._awake_until = now + AWAKE
            if self._settings.wake_up is WakeUp.FAST:
                self._put(bytes((ACK,)), now)
                self._release(now)
        elif awake:
            self._awake_until = now + AWAKE
        return True

    def _called(self, now: float) -> bool:
        found = self._reader.sign_on()
        if found is None:
            return False
        settings = self._settings
        if not found.means(settings.address):
            self.counters["calls_for_others"] += 1
            return True
        self._reader.clear()
        self._nuls = 0
        self._moved = now
        self._events.append(Called())
        identification = settings.identification.encode()
        self._put(identification, now)
        mode = settings.protocol_mode
        if mode in (Mode.C, Mode.E):
            self.state = State.SELECTING
            return True
        # The data follow by themselves, a reaction time behind the identification.
        seconds = len(identification) * CHARACTER_BITS / settings.initial_baud if settings.switches else 0.0
        ends = max(now, self._heard + self._reaction) + seconds
        self._not_before = ends + self._reaction
        if mode is Mode.B and settings.identification.baud_rate is not None:
            self._change(settings.identification.baud_rate, settings.character_format, ends)
        self._want(ReadoutWanted(Option.READOUT))
        return True

    def _called_meanwhile(self, now: float) -> bool | None:
        """Be called anew where a request comes, for us or for another meter of the line: our session is over."""
        call = self._reader.call()
        if call:
            octets = self._reader.remains()
            if self.state is State.PROGRAMMING:
                self._events.append(ReaderGone(False))
            self._to_idle(now)
            self._reader.feed(octets)
        return call

    def _selected(self, now: float) -> bool:
        call = self._called_meanwhile(now)
        if call is not False:
            return bool(call)
        found = self._reader.acknowledgement()
        if found is None:
            return False
        self._moved = now
        option = next((each for each in Option if each == found.option), None)
        baud = BAUD_RATES.get(found.baud)
        if option is None or baud is None or found.baud > self._settings.identification.baud:
            self.counters["refused_selections"] += 1
            self._unasked(now)
            return True
        if option is Option.BINARY:
            self._select_binary(found, baud, now)
            return True
        self._change(baud, self._settings.character_format, now + self._reaction)
        self._want(ProgrammingWanted() if option is Option.PROGRAMMING else ReadoutWanted(option))
        return True

    def _select_binary(self, found: Acknowledgement, baud: int, now: float) -> None:
        if self._settings.protocol_mode is not Mode.E:
            self.counters["refused_selections"] += 1
            self._unasked(now)
            return
        self._change(baud, BINARY_FORMAT, now + self._reaction)
        # The confirmation has its parity bit still, on a line that has eight bits already.
        parity = self._settings.switches and self._settings.character_format == "7E1"
        self._put(with_parity(found.encode()) if parity else found.encode(), now)
        self.state = State.BINARY
        self._events.append(BinaryWanted(baud))

    def _unasked(self, now: float) -> None:
        """Without a valid option select the data go at the speed of the sign-on, where that is allowed."""
        if self._settings.unasked:
            self._want(ReadoutWanted(Option.READOUT))
        else:
            self._to_idle(now)

    def _want(self, event: ServerEvent) -> None:
        self.state = State.ASKED
        self._events.append(event)

    def _must_be_asked(self) -> None:
        if self.state is not State.ASKED:
            raise LocalProtocolError(f"nothing was asked: {self.state.value}")

    # -- being asked ------------------------------------------------------------------------------------------------

    def _commanded(self, now: float) -> bool:
        """Take a command; behind data, what the reader says to partial blocks, or once more please."""
        call = self._called_meanwhile(now)
        if call is not False:
            return bool(call)
        try:
            message = self._reader.message()
        except DecodeError:
            self.counters["endless_messages"] += 1
            self._put(bytes((NAK,)), now)
            return False
        if message is not None:
            self._moved = now
        if isinstance(message, Signal):
            self._signalled(message, now)
        elif isinstance(message, Checked):
            self._take(message, now)
        return message is not None

    def _signalled(self, signal: Signal, now: float) -> None:
        if signal.octet == ACK and self._blocks:
            self._say(self._blocks.popleft(), now, follows=True)
        elif signal.octet == NAK and self._said:
            self.counters["repetitions"] += 1
            self._put(self._said, now)

    def _take(self, message: Checked, now: float) -> None:
        command = message.message
        if self.state is State.SENT and isinstance(command, Block):  # another meter of the line speaks
            self._to_idle(now)
            return
        if message.check is Check.WRONG or isinstance(command, Block):
            self.counters["commands_not_understood"] += 1
            self._put(bytes((NAK,)), now)
            return
        if command.name in (BREAK.name, FAST_BREAK.name):
            if command.name == FAST_BREAK.name:
                self._put(bytes((ACK,)), now)
            self._end(now)
            return
        if self.state is State.SENT and self._settings.protocol_mode not in (Mode.A, Mode.B):
            return
        self._blocks.clear()
        if not self._collect(command, now):
            return
        whole = Command(command.name, bytes(self._collected) if command.data is not None else None)
        self._collected.clear()
        self._collecting = None
        self._want(CommandReceived(whole))

    def _collect(self, command: Command, now: float) -> bool:
        """Put partial blocks together; tell whether the command is whole."""
        if self._collecting != command.name:
            self._collected.clear()
        self._collecting = command.name
        self._collected += command.data or b""
        if len(self._collected) > self._settings.total_octets:
            self._collected.clear()
            self._collecting = None
            self.counters["endless_messages"] += 1
            self._put(bytes((NAK,)), now)
            return False
        if not command.last:
            self._say(bytes((ACK,)), now)
        return command.last

    # -- answering --------------------------------------------------------------------------------------------------

    def _answer_in_blocks(self, data: bytes, now: float, size: int) -> None:
        pieces = _pieces(data, size)
        blocks = [
            Block(each, number == len(pieces)).encode(self._settings.block_check)
            for number, each in enumerate(pieces, 1)
        ]
        self._say(blocks[0], now)
        self._blocks.extend(blocks[1:])

    def _say(self, octets: bytes, now: float, *, follows: bool = False) -> None:
        """Send what is sent again when it was not understood."""
        if not follows:
            self._blocks.clear()
        self._said = octets
        self._put(octets, now)

    @property
    def _reaction(self) -> float:
        own = self._settings.reaction
        return self._settings.identification.reaction if own is None else own

    def _put(self, octets: bytes, now: float) -> None:
        self._outbox.put(octets, max(now, self._heard + self._reaction, self._not_before))
        self._release(now)

    def _spoken(self, octets: bytes, ends: float) -> None:
        self._sent = ends

    # -- leaving ----------------------------------------------------------------------------------------------------

    def _expiry(self) -> float | None:
        settings, since = self._settings, max(self._moved, self._sent)
        patience = {
            State.SELECTING: settings.acknowledgement,
            State.SENT: settings.inactivity if self._blocks else settings.inter_octet + LONGEST_REACTION,
            State.PROGRAMMING: settings.inactivity,
        }.get(self.state)
        if patience is None:
            return None
        if self.state is State.PROGRAMMING and self._reader.partial:
            return min(since + patience, max(self._heard, self._sent) + settings.inter_octet)
        return since + patience

    def _overdue(self, now: float) -> None:
        if self.state is State.SELECTING:
            self._unasked(now)
        elif self.state is State.SENT:
            self._to_idle(now)
        elif self.state is State.PROGRAMMING:
            self._silent(now)

    def _silent(self, now: float) -> None:
        if now >= max(self._moved, self._sent) + self._settings.inactivity:
            self._end(now, automatic=True)
            return
        unfinished = self._reader.unfinished()
        self._reader.clear()
        if isinstance(unfinished, Checked) and self._settings.block_check is BlockCheck.ABSENT:
            self._take(unfinished, now)
        else:
            self.counters["commands_not_understood"] += 1
            self._put(bytes((NAK,)), now)

    def _end(self, now: float, *, automatic: bool = False) -> None:
        self._events.append(ReaderGone(automatic))
        self._to_idle(now)

    def _to_idle(self, now: float) -> None:
        self.state = State.IDLE
        self._reader.clear()
        self._blocks.clear()
        self._collected.clear()
        self._collecting = None
        self._said = b""
        self._awake_until = None
        self._change(self._settings.initial_baud, self._settings.character_format, now)
        self._release(now)


def _pieces(data: bytes, size: int) -> list[bytes]:
    """Cut data behind lines into pieces of up to so many octets; a line that is longer stays whole."""
    if not size or len(data) <= size:
        return [data]
    pieces: list[bytes] = []
    piece = b""
    for line in data.splitlines(keepends=True):
        if piece and len(piece) + len(line) > size:
            pieces.append(piece)
            piece = b""
        piece += line
    return [*pieces, piece]
