"""What happens to a reader of IEC 62056-21, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from cosem.errors import CommandRefused, DecodeError
from cosem.protocol.iec21.message import Check, Command, Identification


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
