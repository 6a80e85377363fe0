"""The reader of IEC 62056-21, which the standard calls hand-held unit: sign-on, readout, programming mode, sign-off.

unit = HandHeldUnit()
unit.sign_on(now)                # or unit.listen(now), for meters of mode D
unit.receive(octets, now)        # what the stream read
unit.outgoing()                  # octets to write, and changes of the line, in order
unit.events()                    # what happened
unit.deadline(), unit.tick(now)  # time
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cosem.errors import CommandRefused, CosemError, DecodeError, LocalProtocolError, RemoteProtocolError, TimedOut
from cosem.protocol.iec21.caller import FAST_WAKE_UP, Caller
from cosem.protocol.iec21.client_events import (
    Answered,
    BinaryEntered,
    Entered,
    ReadoutReceived,
    Refused,
    SignedOff,
    State,
)
from cosem.protocol.iec21.message import (
    ACK,
    BREAK,
    FAST_BREAK,
    LAYER,
    NAK,
    STX,
    Block,
    Check,
    Command,
    Mode,
    Option,
    error_message,
)
from cosem.protocol.iec21.reader import Checked, Message, Signal
from cosem.protocol.iec21.settings import ClientSettings, WakeUp

SEVEN_BITS: Final = bytes(octet & 0x7F for octet in range(256))


class HandHeldUnit(Caller):
    """One reader at one meter.

    Errors are raised from `receive` and `tick`: TimedOut with the state's word as its phase, or "whole answer" or
    "session" (OnlyEcho where nothing but our own octets came back), DecodeError for octets that are no message,
    RemoteProtocolError where the meter does what its mode does not allow. After any of them the engine is idle, and may
    sign on anew.
    """

    def __init__(self, settings: ClientSettings | None = None) -> None:
        super().__init__(settings or ClientSettings())
        self._request: Command | None = None
        self._handlers |= {
            State.READING: self._read,
            State.ENTERING: self._enter,
            State.CONFIRMING: self._confirm,
            State.BUSY: self._answer,
            State.KEEPING: self._kept,
        }

    # -- what the floor above wants ---------------------------------------------------------------------------------

    def sign_on(self, now: float, option: Option = Option.READOUT) -> None:
        """Call the meter and lead it to where `option` says.

        `Identified` follows; then `ReadoutReceived`, for programming mode `Entered`, for mode E `BinaryEntered`. Meters
        of modes A and B send their data in any case, and take commands behind them.
        """
        self._begin(option, now)
        self._sign_ons = self._settings.sign_ons
        self._call(now)

    def listen(self, now: float, patience: float | None = None) -> None:
        """Wait for a meter of mode D, `patience` seconds at most; `Identified` and `ReadoutReceived` follow."""
        self._begin(Option.READOUT, now)
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
        octets = self._echo.without(octets, kept=self.state is State.CONFIRMING)
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
            self._check_limits(now)
        except CosemError:
            self._give_up()
            raise
        self._release(now)

    # -- sign-on ----------------------------------------------------------------------------------------------------

    def _begin(self, option: Option, now: float) -> None:
        if self.state is not State.IDLE:
            raise LocalProtocolError(f"the reader is busy: {self.state.value}")
        self._option = option
        self._began = now
        self._mode = None
        self._trials = None
        self.identification = None
        self._reset()
        self._reader.fault = None

    # -- what the meter says ----------------------------------------------------------------------------------------

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
        silence, session = self._silence_expires(), self._settings.session
        if self.state is State.IDLE or not session:
            return silence
        return self._began + session if silence is None else min(silence, self._began + session)

    def _silence_expires(self) -> float | None:
        """Return when silence means something."""
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
        try:
            self._check_limits(now)
            acts.get(self.state, self._silent)(now)
            self._go_on(now)
        except CosemError:
            self._give_up()
            raise

    def _check_limits(self, now: float) -> None:
        """Give up on a meter that never stops, and on a session that is over its time."""
        session, answer = self._settings.session, self._settings.answer
        if self.state is not State.IDLE and session and now >= self._began + session:
            raise TimedOut("session", session)
        if self.state in _ANSWERS and self._heard is not None and now >= self._asked + answer:
            raise TimedOut("whole answer", answer)

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
        spoilt = self._spoilt
        if self.state is State.READING and spoilt is not None and isinstance(spoilt.message, Block):
            self._data += spoilt.message.data
            self._read_out(spoilt, now)
            return
        raise self._why_silent()

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


_ANSWERS: Final = frozenset({State.READING, State.ENTERING, State.BUSY})
