"""What a reader of IEC 62056-21 wants of a meter, and where the meter stands."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from cosem.protocol.iec21.message import Command, Option


@dataclass(frozen=True, slots=True)
class Called:
    """A reader has signed on."""


@dataclass(frozen=True, slots=True)
class ReadoutWanted:
    """The data are wanted: all of them, or those that an option of the manufacturer means; see `readout`."""

    option: Option


@dataclass(frozen=True, slots=True)
class ProgrammingWanted:
    """Programming mode is wanted; see `enter`."""


@dataclass(frozen=True, slots=True)
class CommandReceived:
    """A command of programming mode; see `answer`, `acknowledge` and `refuse`."""

    command: Command


@dataclass(frozen=True, slots=True)
class BinaryWanted:
    """The line carries HDLC as soon as what is outgoing has gone."""

    baud: int


@dataclass(frozen=True, slots=True)
class ReaderGone:
    """The session is over: the reader signed off, or was silent for too long."""

    automatic: bool = False


ServerEvent: TypeAlias = Called | ReadoutWanted | ProgrammingWanted | CommandReceived | BinaryWanted | ReaderGone


class State(Enum):
    """Where the meter stands."""

    IDLE = "idle"
    SELECTING = "waiting for an option select"
    ASKED = "asked"
    SENT = "data were sent"
    PROGRAMMING = "programming mode"
    BINARY = "another protocol"
