"""Dial-up: a modem is talked into a call by AT commands, and out of it again, over any stream."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from cosem.errors import ConfigurationError, ConnectionFailed, ConnectionLost, CosemError, DialFailed
from cosem.io import failure
from cosem.io.stream import Stream
from cosem.protocol.crypto.key import Secret

COMMAND_SECONDS: Final = 3.0
"""How long a modem may think about a command."""

ANSWER_WAIT: Final = 60.0
"""Seconds until the meter's modem has answered, unless told otherwise: it rings, picks up, and both try carriers."""

GUARD_SECONDS: Final = 1.1
"""Silence before and after the escape sequence +++; modems want a second of it."""

TRIES: Final = 3
"""How often a modem is called before it counts as absent: the first command may meet it asleep, or in another speed."""

LONGEST_LINE: Final = 256
"""Octets of a line that a modem may say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DialScript:
    """What a modem is told, in order: that it is there, `commands`, the PIN if it asks for one, the number."""

    number: str
    pin: Secret | None = field(default=None, repr=False)
    commands: Sequence[str] = ()
    answer_wait: float = ANSWER_WAIT
    """Seconds until the meter's modem has answered and both agree on a carrier."""

    def __post_init__(self) -> None:
        for each in (self.number, *self.commands):
            if not each or not re.fullmatch(r"[!-~ ]+", each):
                raise ConfigurationError(f"{each!r} cannot be said to a modem")


async def dial(stream: Stream, script: DialScript) -> ModemStream:
    """Dial, and return the stream to whoever answered; on any failure the stream is closed.

    Raises:
        DialFailed: with the modem's word for it in `result`.
        ConnectionFailed: no modem answers.
    """
    modem = _Modem(stream)
    try:
        await modem.wake()
        for command in script.commands:
            await modem.command(command)
        if script.pin is not None:
            await modem.unlock(script.pin)
        word = await modem.say(f"ATD{script.number}", script.answer_wait)
        if not word.startswith("CONNECT"):
            raise _failed(word or "no result", f"after {script.answer_wait:g} s" if not word else "")
    except BaseException:
        await stream.close()
        raise
    return ModemStream(stream, modem.rest())


class ModemStream:
    """A Stream over a call that is up; closing it hangs up.

    When the modem says NO CARRIER in the place of data the call is over.
    """

    def __init__(self, stream: Stream, first: bytes = b"") -> None:
        self.stream = stream
        self._first = first
        self._tail = b""
        self._over: ConnectionLost | None = None

    def now(self) -> float:
        return self.stream.now()

    async def read(self, deadline: float | None, /) -> bytes:
        if self._over is not None:
            raise self._over
        octets, self._first = self._first or await self.stream.read(deadline), b""
        seen = self._tail + octets
        end = seen.find(_NO_CARRIER)
        if end < 0:
            self._tail = seen[-len(_NO_CARRIER) + 1 :]
            return octets
        self._over = ConnectionLost("the modem lost the carrier: the call is over; dial again")
        left = octets[: max(end - len(self._tail), 0)]
        if not left:
            raise self._over
        return left

    async def write(self, octets: bytes, /) -> None:
        if self._over is not None:
            raise self._over
        await self.stream.write(octets)

    async def close(self) -> None:
        """Hang up, as far as the modem takes part, and let go of the port."""
        if self._over is None:
            self._over = failure.closed_here()
            with suppress(CosemError):  # the port may be gone, and what is not there needs not be hung up
                await _Modem(self.stream).hang_up()
        await self.stream.close()


class _Modem:
    """One that is in command mode: it says lines."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._heard = bytearray()

    async def wake(self) -> None:
        for _ in range(TRIES):
            if await self.say("ATE0V1", COMMAND_SECONDS / TRIES) == "OK":
                return
        raise ConnectionFailed(
            "no modem answers AT: is it switched on and on this port, and does it run at this baud and format?"
        )

    async def command(self, command: str) -> None:
        word = await self.say(command, COMMAND_SECONDS)
        if word != "OK":
            raise _failed(word or "no result", f"for {command}")

    async def unlock(self, pin: Secret) -> None:
        """Give the PIN where it is asked for, and once only: cards lock themselves after three wrong ones."""
        state: list[str] = []
        word = await self.say("AT+CPIN?", COMMAND_SECONDS, state)
        asked = next((line.removeprefix("+CPIN:").strip() for line in state if line.startswith("+CPIN:")), word)
        if asked == "READY":
            return
        if asked != "SIM PIN":
            raise _failed(asked or "no result", "where its card should ask for the PIN")
        digits = pin.reveal().decode("ascii", "replace")
        if not _PIN.fullmatch(digits):
            raise ConfigurationError("a PIN has four to eight digits")
        if await self.say(f'AT+CPIN="{digits}"', COMMAND_SECONDS) != "OK":
            raise DialFailed(
                "the card does not take this PIN; it was tried once only, as cards lock themselves after three",
                result="PIN",
            )

    async def hang_up(self) -> None:
        await self._silence(GUARD_SECONDS)
        await self._stream.write(b"+++")
        await self._silence(GUARD_SECONDS)
        await self.say("ATH", COMMAND_SECONDS)

    async def say(self, command: str, seconds: float, others: list[str] | None = None) -> str:
        """Say a command and return the modem's final word, empty when none comes; `others` gets its other lines."""
        self._heard.clear()
        await self._stream.write(command.encode("ascii") + b"\r")
        deadline = self._stream.now() + seconds
        while (line := await self._line(deadline)) is not None:
            if line == command or not line:
                continue  # its echo
            if _FINAL.match(line):
                return line
            if others is not None:
                others.append(line)
        return ""

    def rest(self) -> bytes:
        """Return what came behind the last line: that is data already."""
        rest = bytes(self._heard)
        return rest.removeprefix(b"\n")

    async def _line(self, deadline: float) -> str | None:
        while (end := self._heard.find(b"\r", 0, LONGEST_LINE)) < 0:
            octets = await self._stream.read(deadline) if len(self._heard) < LONGEST_LINE else b""
            if not octets and len(self._heard) < LONGEST_LINE:
                return None
            self._heard += octets
            if not octets:
                raise ConnectionFailed("what answers is no modem: it says no lines; check baud and format")
        line = bytes(self._heard[:end]).decode("ascii", "replace").strip()
        del self._heard[: end + 1]
        return line

    async def _silence(self, seconds: float) -> None:
        until = self._stream.now() + seconds
        while self._stream.now() < until:
            await self._stream.read(until)


def _failed(word: str, where: str) -> DialFailed:
    meaning, remedy = next(
        (told for start, told in _WORDS.items() if word.startswith(start)),
        ("the modem does not know what to do", "its manual, and init=AT… for what it needs first"),
    )
    return DialFailed(f"the modem says {word!r}{' ' + where if where else ''}: {meaning}; try: {remedy}", result=word)


_NO_CARRIER: Final = b"\r\nNO CARRIER\r\n"

_PIN: Final = re.compile(r"[0-9]{4,8}")

_FINAL: Final = re.compile(
    r"(OK|CONNECT.*|BUSY|NO CARRIER|NO ANSWER|NO DIAL ?TONE|ERROR|\+CM[ES] ERROR:.*|BLACKLISTED|DELAYED.*)$"
)
"""The words with which a modem ends what it says to a command (ITU-T V.250, 3GPP TS 27.007)."""

_WORDS: Final = {
    "BUSY": ("the line of the meter is engaged", "later; another reader may be talking to it"),
    "NO ANSWER": ("nobody picks up", "a longer answer_wait, and whether the meter's modem has its power"),
    "NO CARRIER": (
        "the call came to no carrier",
        "the number, whether it is one for data, and the bearer (init=AT+CBST=… on GSM)",
    ),
    "NO DIAL": ("there is no dial tone", "the telephone cable, or a comma behind the digit for an outside line"),
    "no result": ("it has not answered in time", "a longer answer_wait, and the baud of the modem"),
    "SIM PUK": ("its card has locked itself", "the PUK, in a telephone"),
    "+CME ERROR": ("its card or network does not go along", "whether the card is in, has its PIN, and is registered"),
    "BLACKLISTED": ("it refuses a number that failed too often", "to switch it off and on"),
    "DELAYED": ("it wants to wait after failed calls", "again later"),
    "ERROR": ("it refuses the command", "its manual, and init=AT… for what it needs first"),
}
"""What the words of a modem mean, and what to try."""
