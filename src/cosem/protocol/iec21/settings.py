"""Every limit, time and override of the IEC 62056-21 engines, by name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cosem.errors import ConfigurationError
from cosem.protocol.iec21.message import BAUD_RATES, BlockCheck, Identification, Mode

LONGEST_REACTION = 1.5
"""Seconds after which an answer is overdue, and after which the rest of a message is, by the standard."""


class WakeUp(Enum):
    """How a battery operated meter is woken before the sign-on (annex B)."""

    NONE = "none"
    NORMAL = "normal"
    """NUL characters for 2.2 s, then a pause of 1.6 s."""
    FAST = "fast"
    """Strings of NUL characters until the meter says ACK; such a meter is signed off with B1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What both roles need. Times are seconds, lengths octets.

    `line_octets` is how long a line of sign-on and identification may be, `block_octets` how long a block with its
    first and last character, `total_octets` how much all partial blocks together. `inter_octet` gives up a message
    whose rest does not come; `repeats` is how often the reader repeats a command that was not understood, or asks for
    an answer again; a meter repeats as often as it is asked.
    Where the line has no speed that could change, as in TCP, `switches` is False: the speed is agreed and not switched.
    """

    block_check: BlockCheck = BlockCheck.XOR
    character_format: str = "7E1"
    initial_baud: int = 300
    switches: bool = True
    line_octets: int = 80
    block_octets: int = 0x10000
    total_octets: int = 0x100000
    inter_octet: float = LONGEST_REACTION
    repeats: int = 3

    def __post_init__(self) -> None:
        for name, least in (("line_octets", 8), ("block_octets", 8), ("total_octets", 8), ("repeats", 0)):
            if getattr(self, name) < least:
                raise ConfigurationError(f"{name}: expected at least {least}, not {getattr(self, name)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings(Settings):
    """What the reader needs besides.

    `mode` None goes by the identification; others are for meters that announce what they do not do. `highest_baud`
    bounds the speed that is asked for; with `follow` False it is asked for and the line stays as it is, for meters
    that do the same. Without `fallback` a meter that stays silent at the new speed is not tried at others.

    An answer must begin after `first_octet` and end after `answer`, and the session must end after `session`, 0 for
    never; the acknowledgement waits for
    `acknowledge_delay`, 0.2 to 1.5, and never less than the meter's reaction time. In programming mode the meter signs
    off by itself after `inactivity` of silence; it is reminded of us after `keep_alive`, 0 for never. `sign_ons` is how
    often it is called, until it tells who it is.
    """

    address: str = ""
    mode: Mode | None = None
    wake_up: WakeUp = WakeUp.NONE
    highest_baud: int | None = None
    follow: bool = True
    fallback: bool = True
    acknowledge_delay: float = 0.3
    first_octet: float = 2.5
    answer: float = 300.0
    session: float = 0.0
    inactivity: float = 60.0
    keep_alive: float = 40.0
    sign_ons: int = 3

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        if self.highest_baud is not None and self.highest_baud < min(BAUD_RATES.values()):
            raise ConfigurationError(f"highest_baud: expected at least 300, not {self.highest_baud}")
        if not 0 <= self.acknowledge_delay <= LONGEST_REACTION:
            raise ConfigurationError(f"acknowledge_delay: expected 0 to 1.5 s, not {self.acknowledge_delay}")
        if self.keep_alive >= self.inactivity:
            raise ConfigurationError("keep_alive: expected less than inactivity")
        if self.sign_ons < 1:
            raise ConfigurationError(f"sign_ons: expected at least 1, not {self.sign_ons}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings(Settings):
    """What the meter needs besides: who it is, its `address`, and its `mode`; None goes by the identification.

    `reaction` is how long it waits before it answers, None for the least that its identification allows.
    `acknowledgement` is how long it waits for an option select, 1.5 s and its own length; after that it sends its data
    at the speed of the sign-on if `unasked`. Readouts longer than `partial_octets` go in partial blocks, cut behind a
    line, with 0 never; answers do where partial blocks are asked for (R3, R4, R6). `inactivity` is the silence after
    which it signs off by itself, 60 to 120 by the standard.
    """

    identification: Identification
    address: str = ""
    mode: Mode | None = None
    wake_up: WakeUp = WakeUp.NONE
    acknowledgement: float = LONGEST_REACTION + 0.5
    unasked: bool = True
    reaction: float | None = None
    partial_octets: int = 0
    inactivity: float = 60.0

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        if self.reaction is not None and not self.identification.reaction <= self.reaction <= LONGEST_REACTION:
            least = self.identification.reaction
            raise ConfigurationError(f"reaction: expected {least} to {LONGEST_REACTION} s, not {self.reaction}")
        if self.partial_octets < 0:
            raise ConfigurationError(f"partial_octets: expected at least 0, not {self.partial_octets}")

    @property
    def protocol_mode(self) -> Mode:
        """The mode the meter speaks."""
        return self.identification.mode if self.mode is None else self.mode
