"""How a reader of IEC 62056-21 calls a meter: wake-up, sign-on, and the choice of speed behind the identification."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from cosem.errors import OnlyEcho, TimedOut
from cosem.protocol.iec21.client_events import ClientEvent, Identified, State
from cosem.protocol.iec21.echo import OwnEcho
from cosem.protocol.iec21.message import (
    ACK,
    BAUD_RATES,
    REACTION,
    Acknowledgement,
    Identification,
    Mode,
    Option,
    SignOn,
)
from cosem.protocol.iec21.outbox import CHARACTER_BITS
from cosem.protocol.iec21.reader import Checked, Signal
from cosem.protocol.iec21.settings import ClientSettings, WakeUp
from cosem.protocol.iec21.station import BINARY_FORMAT, Station

WAKE_UP: Final = 2.2
WAKE_UP_PAUSE: Final = 1.6
"""Seconds of NUL characters, and of silence behind them (2.1 to 2.3 and 1.5 to 1.7)."""

FAST_WAKE_UP: Final = 0.55
FAST_WAKE_UP_LONGEST: Final = 5.0
FAST_WAKE_UP_SETTLING: Final = 0.3
"""Seconds of one string of NUL characters, of all of them, and between the meter's ACK and the request."""


class _Trial(NamedTuple):
    """One way to go on behind the identification: the baud character that is asked for, and whether we follow."""

    baud: str
    follow: bool


class Caller(Station[ClientEvent, State]):
    """The part of a reader that ends where the meter begins to say what was asked for."""

    def __init__(self, settings: ClientSettings) -> None:
        super().__init__(settings, State.IDLE)
        self.identification: Identification | None = None
        self._settings = settings
        self._option = Option.READOUT
        self._mode: Mode | None = None
        self._trials: deque[_Trial] | None = None
        self._sign_ons = 0
        self._woken_since = 0.0
        self._data: bytearray = bytearray()
        self._spoilt: Checked | None = None  # data that came with a wrong check, should nothing better come
        self._unhappy = 0  # repetitions asked for, or asked of us, in a row
        self._echo = OwnEcho(self.counters)
        self._began = 0.0
        self._asked = 0.0
        self._heard: float | None = None
        self._patience: float | None = None
        self._handlers = {
            State.WAKING: self._woken,
            State.SIGNING_ON: self._identified,
            State.LISTENING: self._identified,
        }
        self._behind_identification: dict[Mode, Callable[[Identification, float], None]] = {
            Mode.A: self._stay,
            Mode.B: self._follow,
            Mode.C: self._select,
            Mode.D: self._stay,
            Mode.E: self._select,
        }

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

    # -- silence ----------------------------------------------------------------------------------------------------

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
            raise self._why_silent()

    def _why_silent(self) -> Exception:
        """Return what was wrong with what came last, or that nothing came."""
        return self._reader.fault or self._timed_out(self._settings.first_octet)

    def _timed_out(self, seconds: float) -> TimedOut:
        phase = self.state.value
        if self._echo.comes and self._heard is None:
            return OnlyEcho(phase, seconds)
        return TimedOut(phase, seconds)

    # -- the line ---------------------------------------------------------------------------------------------------

    def _put(self, octets: bytes, now: float) -> None:
        """Answer the meter, not before its reaction time."""
        reaction = REACTION if self.identification is None else self.identification.reaction
        self._outbox.put(octets, now if self._heard is None else max(now, self._heard + reaction))
        self._release(now)

    def _spoken(self, octets: bytes, ends: float) -> None:
        self._asked = ends
        self._heard = None
        self._echo.spoken(octets)

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


_BEHIND_SELECTION: Final = {Option.PROGRAMMING: State.ENTERING, Option.BINARY: State.CONFIRMING}
