"""The reader of IEC 62056-21, which the standard calls hand-held unit: sign-on, readout, programming mode, sign-off.

unit = HandHeldUnit()
unit.sign_on(now)                # or unit.listen(now), for meters of mode D
unit.receive(octets, now)        # what the stream read
unit.outgoing()                  # octets to write, and changes of the line, in order
unit.events()                    # what happened
unit.deadline(), unit.tick(now)  # time
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple, TypeAlias

from cosem.errors import (
    CommandRefused,
    CosemError,
    DecodeError,
    LocalProtocolError,
    OnlyEcho,
    RemoteProtocolError,
    TimedOut,
)
from cosem.protocol.iec21.message import (
    ACK,
    BAUD_RATES,
    BREAK,
    FAST_BREAK,
    LAYER,
    NAK,
    REACTION,
    STX,
    Acknowledgement,
    Block,
    Check,
    Command,
    Identification,
    Mode,
    Option,
    SignOn,
    error_message,
)
from cosem.protocol.iec21.outbox import CHARACTER_BITS, LineChange, Outbox, Outgoing
from cosem.protocol.iec21.reader import Checked, Message, MessageReader, Signal
from cosem.protocol.iec21.settings import ClientSettings, WakeUp

WAKE_UP: Final = 2.2
WAKE_UP_PAUSE: Final = 1.6
"""Seconds of NUL characters, and of silence behind them (2.1 to 2.3 and 1.5 to 1.7)."""

FAST_WAKE_UP: Final = 0.55
FAST_WAKE_UP_LONGEST: Final = 5.0
FAST_WAKE_UP_SETTLING: Final = 0.3
"""Seconds of one string of NUL characters, of all of them, and between the meter's ACK and the request."""

MODE_D_BAUD: Final = 2400
BINARY_FORMAT: Final = "8N1"
SEVEN_BITS: Final = bytes(octet & 0x7F for octet in range(256))


@dataclass(frozen=True, slots=True)
class Identified:
    """The meter has told who it is."""

    identification: Identification


@dataclass(frozen=True, slots=True)
class ReadoutReceived:
    """The meter has sent its data; `fault` says why none of them may be believed, where that is so."""

    identification: Identification
    data: bytes
    check: Check
    fault: DecodeError | None = None


@dataclass(frozen=True, slots=True)
class Entered:
    """Programming mode is entered; `operand` is what P0 gave, None where the meter sent no P0."""

    operand: bytes | None


@dataclass(frozen=True, slots=True)
class Answered:
    """The meter has done what a command asked; `data` are those it gave, None for ACK."""

    command: Command
    data: bytes | None


@dataclass(frozen=True, slots=True)
class Refused:
    """The meter has not done what a command asked; the session goes on."""

    command: Command
    error: CommandRefused


@dataclass(frozen=True, slots=True)
class BinaryEntered:
    """From here on the line carries HDLC."""

    baud: int


@dataclass(frozen=True, slots=True)
class SignedOff:
    """The session is over: by us, by the meter, or because both were silent for too long."""

    by_meter: bool = False
    automatic: bool = False


ClientEvent: TypeAlias = Identified | ReadoutReceived | Entered | Answered | Refused | BinaryEntered | SignedOff


class State(Enum):
    """Where the reader stands; what it waits for, in words."""

    IDLE = "idle"
    WAKING = "wake-up"
    SIGNING_ON = "sign-on"
    LISTENING = "listening"
    READING = "readout"
    ENTERING = "programming mode"
    CONFIRMING = "mode E"
    PROGRAMMING = "waiting for a command"
    BUSY = "answer"
    KEEPING = "keep-alive"


class _Trial(NamedTuple):
    """One way to go on behind the identification: the baud character that is asked for, and whether we follow."""

    baud: str
    follow: bool


class HandHeldUnit:
    """One reader at one meter.

    Errors are raised from `receive` and `tick`: TimedOut with the state's word as its phase (OnlyEcho where nothing but
    our own octets came back), DecodeError for octets that are no message, RemoteProtocolError where the meter does what
    its mode does not allow. After any of them the engine is idle, and may sign on anew.
    """

    def __init__(self, settings: ClientSettings | None = None) -> None:
        self.counters: Counter[str] = Counter()
        self.state = State.IDLE
        self.identification: Identification | None = None
        self._settings = settings or ClientSettings()
        self._reader = MessageReader(self.counters, self._settings)
        self._outbox = Outbox()
        self._events: list[ClientEvent] = []
        self._line = LineChange(self._settings.initial_baud, self._settings.character_format)
        self._option = Option.READOUT
        self._mode: Mode | None = None
        self._trials: deque[_Trial] | None = None
        self._sign_ons = 0
        self._woken_since = 0.0
        self._request: Command | None = None
        self._data = bytearray()
        self._spoilt: Checked | None = None  # data that came with a wrong check, should nothing better come
        self._unhappy = 0  # repetitions asked for, or asked of us, in a row
        self._echo = bytearray()  # what was sent and may come back
        self._held = bytearray()  # what has come, as long as it is the beginning of that
        self._echoes = False
        self._asked = 0.0
        self._heard: float | None = None
        self._patience: float | None = None
        self._handlers: dict[State, Callable[[float], bool]] = {
            State.WAKING: self._woken,
            State.SIGNING_ON: self._identified,
            State.LISTENING: self._identified,
            State.READING: self._read,
            State.ENTERING: self._enter,
            State.CONFIRMING: self._confirm,
            State.BUSY: self._answer,
            State.KEEPING: self._kept,
        }

        self._behind_identification: dict[Mode, Callable[[Identification, float], None]] = {
            Mode.A: self._stay,
            Mode.B: self._follow,
            Mode.C: self._select,
            Mode.D: self._stay,
            Mode.E: self._select,
        }

    # -- what the floor above wants ---------------------------------------------------------------------------------

    def sign_on(self, now: float, option: Option = Option.READOUT) -> None:
        """Call the meter and lead it to where `option` says.

        `Identified` follows; then `ReadoutReceived`, for programming mode `Entered`, for mode E `BinaryEntered`. Meters
        of modes A and B send their data in any case, and take commands behind them.
        """
        self._begin(option)
        self._sign_ons = self._settings.sign_ons
        self._call(now)

    def listen(self, now: float, patience: float | None = None) -> None:
        """Wait for a meter of mode D, `patience` seconds at most; `Identified` and `ReadoutReceived` follow."""
        self._begin(Option.READOUT)
        self._mode = Mode.D
        self.state = State.LISTENING
        self._patience = patience
        self._asked = now

    def command(self, command: Command, now: float) -> None:
        """Send a command of programming mode; `Answered` or `Refused` follow."""
        if self.state is not State.PROGRAMMING:
            raise LocalProtocolError(f"a command needs programming mode, and this is: {self.state.value}")
        self.state = State.BUSY
        self._request = command
        self._reset()
        self._put(command.encode(self._settings.block_check), now)

    def sign_off(self, now: float) -> None:
        """Send B0, or B1 to a meter of the fast wake-up; nobody answers. `SignedOff` follows."""
        if self.state is State.IDLE:
            return
        mute = self._mode in (None, Mode.D) or self.state in (State.WAKING, State.SIGNING_ON, State.LISTENING)
        self._outbox.clear()
        if not mute:
            bye = FAST_BREAK if self._settings.wake_up is WakeUp.FAST else BREAK
            self._outbox.put(bye.encode(self._settings.block_check), now)
        self._over(SignedOff())
        self._release(now)

    # -- the verbs of an engine -------------------------------------------------------------------------------------

    def receive(self, octets: bytes, now: float) -> None:
        """Take octets from the stream."""
        octets = self._without_echo(octets)
        if not octets:
            return
        self._heard = now
        if self.state is State.CONFIRMING:
            octets = octets.translate(SEVEN_BITS)  # the confirmation has its parity bit still, on a line of eight bits
        if self.state not in self._handlers:
            self.counters["unasked_octets"] += len(octets)
            return
        try:
            self._reader.feed(octets)
            self._go_on(now)
        except CosemError:
            self._give_up()
            raise
        self._release(now)

    def outgoing(self) -> list[Outgoing]:
        """Hand over what is to be written and how the line is to be changed, in order."""
        return self._outbox.take()

    def events(self) -> list[ClientEvent]:
        """Hand over what has happened since the last call."""
        events, self._events = self._events, []
        return events

    def deadline(self) -> float | None:
        """Tell when `tick` is wanted next."""
        due = self._outbox.deadline
        return self._expiry() if due is None else due

    def tick(self, now: float) -> None:
        """Send what is due, and act on silence."""
        self._release(now)
        expiry = self._expiry()
        if self._outbox.deadline is not None or expiry is None or now < expiry:
            return
        try:
            self._overdue(now)
            self._go_on(now)
        except CosemError:
            self._give_up()
            raise
        self._release(now)

    # -- sign-on ----------------------------------------------------------------------------------------------------

    def _begin(self, option: Option) -> None:
        if self.state is not State.IDLE:
            raise LocalProtocolError(f"the reader is busy: {self.state.value}")
        self._option = option
        self._mode = None
        self._trials = None
        self.identification = None
        self._reset()
        self._reader.fault = None

    def _call(self, now: float) -> None:
        """Wake the meter where it sleeps, then send the request."""
        self._sign_ons -= 1
        self._reset()
        self._change(self._settings.initial_baud, self._settings.character_format, now)
        wake_up = self._settings.wake_up
        if wake_up is WakeUp.FAST:
            self.state = State.WAKING
            self._woken_since = now
            self._outbox.put(self._nuls(FAST_WAKE_UP), now)
        elif wake_up is WakeUp.NORMAL:
            self._outbox.put(self._nuls(WAKE_UP), now)
            self._ask(now + WAKE_UP + WAKE_UP_PAUSE)
        else:
            self._ask(now)
        self._release(now)

    def _ask(self, at: float) -> None:
        self.state = State.SIGNING_ON
        self._reset()
        self._outbox.put(SignOn(self._settings.address).encode(), at)

    def _nuls(self, seconds: float) -> bytes:
        return bytes(int(seconds * self._settings.initial_baud / CHARACTER_BITS))

    def _woken(self, now: float) -> bool:
        message = self._reader.message()
        if isinstance(message, Signal) and message.octet == ACK:
            self._ask(now + FAST_WAKE_UP_SETTLING)
        return message is not None

    def _identified(self, now: float) -> bool:
        found = self._reader.identification()
        if found is None:
            return False
        self.identification = found
        self._events.append(Identified(found))
        self._reset(keep=True)
        if self.state is not State.LISTENING:
            self._mode = self._settings.mode or found.mode
        assert self._mode is not None
        self.state = State.READING
        self._behind_identification[self._mode](found, now)
        return True

    def _stay(self, _: Identification, now: float) -> None:
        """Modes A and D: the data follow."""
        self._asked, self._heard = now, None

    def _follow(self, found: Identification, now: float) -> None:
        """Mode B: the meter changes the speed, and so do we."""
        if found.baud_rate is not None and self._settings.follow:
            self._change(found.baud_rate, self._settings.character_format, now)
        self._asked, self._heard = now, None

    def _select(self, found: Identification, now: float) -> None:
        """Modes C and E: say what is wanted, and at which speed."""
        if self._trials is None:
            self._trials = self._plan(found)
        trial = self._trials.popleft()
        at = now + max(self._settings.acknowledge_delay, found.reaction)
        binary = self._option is Option.BINARY
        self._outbox.put(Acknowledgement("2" if binary else "0", trial.baud, self._option).encode(), at)
        baud = BAUD_RATES[trial.baud] if trial.follow else self._settings.initial_baud
        self._change(baud, BINARY_FORMAT if binary else self._settings.character_format, at)
        self.state = _BEHIND_SELECTION.get(self._option, State.READING)

    def _plan(self, found: Identification) -> deque[_Trial]:
        """Return what is tried one after the other: the agreed speed, the agreed speed in word only, and the lowest."""
        highest = self._settings.highest_baud
        fits = [each for each, rate in BAUD_RATES.items() if each <= found.baud and (not highest or rate <= highest)]
        wanted = _Trial(max(fits) if found.baud in BAUD_RATES else "0", self._settings.follow)
        trials = [wanted]
        if self._settings.fallback and self._option is not Option.BINARY and wanted.baud != "0":
            trials += [_Trial(wanted.baud, not wanted.follow)] if self._settings.switches else []
            trials.append(_Trial("0", True))
        return deque(trials)

    # -- what the meter says ----------------------------------------------------------------------------------------

    def _go_on(self, now: float) -> None:
        while (handler := self._handlers.get(self.state)) is not None and handler(now):
            pass

    def _read(self, now: float) -> bool:
        plain = self._mode not in (Mode.C, Mode.E) and not self._reader.holds(STX)
        message: Message | None
        if plain:
            block = self._reader.lines()
            message = None if block is None else Checked(block, Check.ABSENT)
        else:
            message = self._reader.message()
        if isinstance(message, Checked):
            if isinstance(message.message, Command):
                raise self._broken_off(message.message)
            self._take(message, message.message, now)
        return message is not None

    def _enter(self, now: float) -> bool:
        message = self._reader.message()
        if isinstance(message, Checked):
            if isinstance(message.message, Block):
                self._take(message, message.message, now)
            elif message.message.name == "P0":
                self._enter_with(_bare(message.message.data), message, now)
            else:
                raise self._broken_off(message.message)
        elif isinstance(message, Signal) and message.octet == ACK:
            self._entered(None)
        elif isinstance(message, Signal):
            raise RemoteProtocolError("the meter refused programming mode with NAK", layer=LAYER)
        return message is not None

    def _enter_with(self, operand: bytes, message: Checked, now: float) -> None:
        if message.check is Check.WRONG and self._unhappy < self._settings.repeats:
            self._repeat(now)
        elif message.fault is not None:
            raise message.fault
        else:
            self._entered(operand)

    def _confirm(self, now: float) -> bool:
        """In mode E the meter repeats the option select message, at the new speed."""
        if self._reader.acknowledgement() is None:
            return False
        self._binary()
        return False

    def _answer(self, now: float) -> bool:
        message = self._reader.message()
        if isinstance(message, Checked):
            if isinstance(message.message, Block):
                self._take(message, message.message, now)
            else:
                self._over(SignedOff(by_meter=True))
        elif isinstance(message, Signal) and message.octet == ACK:
            self._done(None)
        elif isinstance(message, Signal):
            self._refused(now)
        return message is not None

    def _kept(self, _: float) -> bool:
        """Whatever the meter repeats, it is still there."""
        message = self._reader.message()
        if message is not None:
            self._settle()
        return message is not None

    def _take(self, message: Checked, block: Block, now: float) -> None:
        if message.check is Check.WRONG and self._mode is not Mode.D and self._unhappy < self._settings.repeats:
            self._spoilt = message
            self._repeat(now)
            return
        if message.check is Check.WRONG and self.state is not State.READING:
            assert message.fault is not None
            raise message.fault
        self._unhappy = 0
        self._data += block.data
        if len(self._data) > self._settings.total_octets:
            raise DecodeError(
                f"the blocks of one answer have more than {self._settings.total_octets} octets",
                self._settings.total_octets,
                layer=LAYER,
            )
        if not block.last and message.check is not Check.WRONG:
            self._put(bytes((ACK,)), now)
        elif self.state is State.READING:
            self._read_out(message, now)
        else:
            self._done(bytes(self._data))

    def _read_out(self, message: Checked, now: float) -> None:
        assert self.identification is not None
        self._events.append(ReadoutReceived(self.identification, bytes(self._data), message.check, message.fault))
        if self._option is Option.PROGRAMMING and self._mode in (Mode.A, Mode.B):
            self._entered(None)
        else:
            self._settle(State.IDLE)

    def _done(self, data: bytes | None) -> None:
        said = None if data is None else error_message(data)
        if self.state is State.ENTERING:
            raise RemoteProtocolError(f"the meter refused programming mode: {said or data!r}", layer=LAYER)
        assert self._request is not None
        if said is None:
            self._events.append(Answered(self._request, data))
        else:
            self._events.append(Refused(self._request, CommandRefused(self._request.name, said)))
        self._settle()

    def _refused(self, now: float) -> None:
        """NAK: the meter has not understood; say it again, up to a limit."""
        assert self._request is not None
        if self._unhappy < self._settings.repeats:
            self._unhappy += 1
            self.counters["repeated_commands"] += 1
            self._put(self._request.encode(self._settings.block_check), now)
            return
        self._events.append(Refused(self._request, CommandRefused(self._request.name)))
        self._settle()

    def _repeat(self, now: float) -> None:
        """Ask for the last message again."""
        self._unhappy += 1
        self.counters["repetitions_asked_for"] += 1
        self._reader.clear()
        self._put(bytes((NAK,)), now)

    def _entered(self, operand: bytes | None) -> None:
        self._events.append(Entered(operand))
        self._settle()

    def _binary(self) -> None:
        self._events.append(BinaryEntered(self._line.baud))
        self._settle(State.IDLE)

    def _settle(self, state: State = State.PROGRAMMING) -> None:
        self.state = state
        self._request = None
        self._reset(keep=True)

    def _over(self, event: SignedOff) -> None:
        self._events.append(event)
        self._settle(State.IDLE)

    def _broken_off(self, command: Command) -> RemoteProtocolError:
        return RemoteProtocolError(f"the meter sent {command.name} instead of its data", layer=LAYER)

    # -- time -------------------------------------------------------------------------------------------------------

    def _expiry(self) -> float | None:
        """When silence means something."""
        settings, heard = self._settings, self._heard
        if self.state is State.IDLE:
            return None
        if self.state is State.PROGRAMMING:
            patience = settings.keep_alive or settings.inactivity
            return max(self._asked, heard or 0.0) + patience
        if self.state is State.LISTENING and not self._reader.partial:
            return None if self._patience is None else self._asked + self._patience
        if self.state is State.WAKING:
            return self._asked + FAST_WAKE_UP
        begun = heard is not None and heard >= self._asked
        silent = (heard or 0.0) + settings.inter_octet if begun else self._asked + settings.first_octet
        return min(silent, self._asked + settings.answer)

    def _overdue(self, now: float) -> None:
        acts: dict[State, Callable[[float], None]] = {
            State.PROGRAMMING: self._remind,
            State.KEEPING: self._lost,
            State.WAKING: self._wake_again,
            State.SIGNING_ON: self._call_again,
            State.CONFIRMING: self._unconfirmed,
            State.READING: self._incomplete,
            State.ENTERING: self._incomplete,
            State.BUSY: self._incomplete,
        }
        acts.get(self.state, self._silent)(now)

    def _remind(self, now: float) -> None:
        """Let the meter repeat its last message, so that it knows of us; without that, it has signed off by now."""
        since = max(self._asked, self._heard or 0.0)
        if not self._settings.keep_alive or now >= since + self._settings.inactivity:
            self._lost(now)
            return
        self.state = State.KEEPING
        self.counters["keep_alives"] += 1
        self._put(bytes((NAK,)), now)

    def _lost(self, _: float) -> None:
        self._over(SignedOff(automatic=True))

    def _wake_again(self, now: float) -> None:
        if now >= self._woken_since + FAST_WAKE_UP_LONGEST:
            raise self._timed_out(FAST_WAKE_UP_LONGEST)
        self._outbox.put(self._nuls(FAST_WAKE_UP), now)

    def _call_again(self, now: float) -> None:
        if self._sign_ons > 0:
            self.counters["repeated_sign_ons"] += 1
            self._keep_fault()
            self._call(now)
        else:
            self._silent(now)

    def _unconfirmed(self, now: float) -> None:
        """Some meters change to HDLC without a word."""
        self.counters["missing_confirmations"] += 1
        self._binary()

    def _incomplete(self, now: float) -> None:
        """Nothing, or only a part of a message, came."""
        late = now >= self._asked + self._settings.answer
        unfinished = None if late else self._reader.unfinished()
        begun = self._heard is not None and self._heard >= self._asked
        if isinstance(unfinished, Checked) and isinstance(unfinished.message, Block):
            self._take(unfinished, unfinished.message, now)
        elif self._trials and not self._data and self.state is not State.BUSY and not self._reader.holds(STX):
            self.counters["speeds_given_up"] += 1
            self._sign_ons = 1
            self._keep_fault()
            self._call(now)
        elif begun and not late and self._mode is not Mode.D and self._unhappy < self._settings.repeats:
            self._repeat(now)
        else:
            self._silent(now)

    def _silent(self, now: float) -> None:
        spoilt, fault = self._spoilt, self._reader.fault
        if self.state is State.READING and spoilt is not None and isinstance(spoilt.message, Block):
            self._data += spoilt.message.data
            self._read_out(spoilt, now)
            return
        if fault is not None:
            raise fault
        raise self._timed_out(self._settings.first_octet)

    def _timed_out(self, seconds: float) -> TimedOut:
        phase = self.state.value
        if self._echoes and self._heard is None:
            return OnlyEcho(phase, seconds)
        return TimedOut(phase, seconds)

    # -- the line ---------------------------------------------------------------------------------------------------

    def _put(self, octets: bytes, now: float) -> None:
        """Answer the meter, not before its reaction time."""
        reaction = REACTION if self.identification is None else self.identification.reaction
        self._outbox.put(octets, now if self._heard is None else max(now, self._heard + reaction))
        self._release(now)

    def _change(self, baud: int, character_format: str, at: float) -> None:
        wanted = LineChange(baud, character_format)
        if wanted != self._line:
            self._line = wanted
            if self._settings.switches:
                self._outbox.put(wanted, at)

    def _release(self, now: float) -> None:
        before = len(self._outbox.ready)
        octets = self._outbox.release(now)
        if not octets:
            return
        sent = b"".join(each for each in self._outbox.ready[before:] if isinstance(each, bytes))
        self._asked = now + octets * CHARACTER_BITS / self._line.baud if self._settings.switches else now
        self._heard = None
        self._held.clear()
        self._echo[:] = sent if len(sent) > 1 or self._echoes else b""

    def _without_echo(self, octets: bytes) -> bytes:
        """Leave out what we sent ourselves; it comes back before anything else, and whole, or not at all."""
        if not self._echo:
            return octets
        expected, held = self._echo, self._held
        held += octets
        if len(held) < len(expected) and expected.startswith(held):
            return b""
        rest = bytes(held)
        if held.startswith(expected) and self.state is not State.CONFIRMING:
            self.counters["echoed_octets"] += len(expected)
            self._echoes = True
            rest = rest[len(expected) :]
        expected.clear()
        held.clear()
        return rest

    def _keep_fault(self) -> None:
        """What was wrong before is told, should nothing better come of it."""
        fault = self._reader.fault
        self._reader.clear()
        self._reader.fault = fault

    def _reset(self, *, keep: bool = False) -> None:
        """Begin to hear something new; `keep` what has come already."""
        if not keep:
            self._keep_fault()
        self._data.clear()
        self._spoilt = None
        self._unhappy = 0
        if keep:
            self._reader.fault = None

    def _give_up(self) -> None:
        self.state = State.IDLE
        self._outbox.clear()
        self._request = None


def _bare(data: bytes | None) -> bytes:
    """Return what stands between the parentheses of an operand."""
    if data is None:
        return b""
    begin, end = data.find(b"("), data.rfind(b")")
    return data[begin + 1 : end] if 0 <= begin < end else data


_BEHIND_SELECTION: Final = {Option.PROGRAMMING: State.ENTERING, Option.BINARY: State.CONFIRMING}
