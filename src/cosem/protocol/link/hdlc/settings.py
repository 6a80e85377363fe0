"""Every limit, time and tolerance of the HDLC engines, by name."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Flag, auto

from cosem.errors import ConfigurationError
from cosem.protocol.link.hdlc.frame import MAXIMUM_FRAME


class Tolerance(Flag):
    """Deviations of real stations that an engine puts up with; each use is counted as `tolerated_<name>`.

    MISSING_LLC             information without an LLC header is an APDU all the same
    REPEATED_LLC            a response may carry its LLC header more than once
    OTHER_ADDRESS_SIZE      the server may answer with its address in another size, or name a lower part unasked
    OTHER_SERVER            any server may answer (only sound where there is but one on the line)
    OTHER_CLIENT            the server may answer to another client address (likewise)
    WRONG_ACKNOWLEDGEMENT   N(R) may be nonsense where the window is one frame: an answer is acknowledgement enough
                            (some servers count the RR they receive, too)
    LONG_INFORMATION        an information field may be longer than agreed
    DAMAGED_INFORMATION     information may fail the frame check if the header passes its own
    """

    NONE = 0
    MISSING_LLC = auto()
    REPEATED_LLC = auto()
    OTHER_ADDRESS_SIZE = auto()
    OTHER_SERVER = auto()
    OTHER_CLIENT = auto()
    WRONG_ACKNOWLEDGEMENT = auto()
    LONG_INFORMATION = auto()
    DAMAGED_INFORMATION = auto()

    def permit(self, deviation: Tolerance, counters: Counter[str]) -> bool:
        """Tell whether `deviation` is put up with; if so, count it."""
        if deviation not in self:
            return False
        counters[f"tolerated_{str(deviation.name).lower()}"] += 1
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What both roles need. Times are seconds.

    `inter_octet_time_out` gives up a frame whose rest does not come: after so long a silence since its last octet, and
    not before. The usual set-up of a meter says 25 ms, which suits a wire; what comes through a packet network or the
    buffers of an operating system needs more. `inactivity_time_out` ends a connection on which no frame arrives; None
    never does.
    """

    frame_octets: int = MAXIMUM_FRAME
    apdu_octets: int = 0x10000
    inter_octet_time_out: float = 1.0
    inactivity_time_out: float | None = None
    tolerances: Tolerance = Tolerance.NONE

    def __post_init__(self) -> None:
        if not 7 <= self.frame_octets <= MAXIMUM_FRAME:
            raise ConfigurationError(f"frame_octets: expected 7 to {MAXIMUM_FRAME}, not {self.frame_octets}")
        if self.apdu_octets < 1:
            raise ConfigurationError(f"apdu_octets: expected at least 1, not {self.apdu_octets}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings(Settings):
    """What a client needs besides.

    A command without response is repeated after `response_time_out`, SNRM after `connect_time_out`, both
    `retransmissions` times at most. A server that
    has nothing to say yet (or is not ready) is asked again at once, then each `poll_interval`, `polls` times at most.
    `octet_time` is how long an octet takes on the line: what is written has not left before, and no answer is late
    that could not yet have begun. `keep_alive` asks a server on which nothing has moved for so long, so that it does
    not end the connection; None lets it.
    `window_octets` is how many octets windows take in SNRM (one or four; both are in use).
    """

    response_time_out: float = 5.0
    connect_time_out: float = 2.5
    octet_time: float = 0.0
    keep_alive: float | None = None
    retransmissions: int = 3
    poll_interval: float = 0.5
    polls: int = 60
    window_octets: int = 4
    tolerances: Tolerance = (
        Tolerance.MISSING_LLC
        | Tolerance.REPEATED_LLC
        | Tolerance.OTHER_ADDRESS_SIZE
        | Tolerance.WRONG_ACKNOWLEDGEMENT
        | Tolerance.LONG_INFORMATION
    )

    def __post_init__(self) -> None:
        # Named in full: dataclasses with slots are made anew, which a bare super() does not follow.
        Settings.__post_init__(self)
        if self.window_octets not in (1, 4):
            raise ConfigurationError(f"window_octets: expected 1 or 4, not {self.window_octets}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings(Settings):
    """What a server needs besides.

    It keeps as many `connections` at once, over all pairs of addresses. `unsolicited_octets` is the information of a UI
    frame to a client with which nothing was agreed; None stands for the longest the server can send.
    """

    inactivity_time_out: float | None = 120.0
    connections: int = 16
    unsolicited_octets: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerSettings(Settings):
    """What a listener needs besides: from how many `senders` it collects segments at once."""

    senders: int = 16
    tolerances: Tolerance = Tolerance.MISSING_LLC | Tolerance.REPEATED_LLC
