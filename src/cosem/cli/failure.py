"""What a command says when something fails, and the exit code it ends with."""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from cosem.cli.report import say
from cosem.client.explain import explain as meaning_of
from cosem.errors import (
    ActionError,
    AssociationRejected,
    ConfigurationError,
    ConnectionFailed,
    ConnectionLost,
    CosemError,
    DataAccessError,
    DecodeError,
    InvocationCounterError,
    LocalProtocolError,
    RemoteProtocolError,
    Retry,
    SecurityError,
    ServiceError,
    ServiceRefused,
    ShapeError,
    TimedOut,
    TransportError,
)
from cosem.protocol.apdu.exception import ExceptionResponse, ServiceErrorCode
from cosem.protocol.dialect import known_of
from cosem.protocol.profile.address import ConnectionUrl

ALL_READ: Final = 0
SOME_FAILED: Final = 1
NOT_CONNECTED: Final = 2
SESSION_LOST: Final = 3
BAD_USAGE: Final = 64
INTERRUPTED: Final = 130

DEVIATIONS: Final = (RemoteProtocolError, SecurityError, ShapeError, TimedOut, ConnectionLost)
"""What goes wrong where a meter does something its own way."""


class Phase(Enum):
    """How far a command had come."""

    PREPARING = "nothing was sent"
    CONNECTING = "could not connect"
    CONNECTED = "failed"


class Ended(Exception):
    """The command is over; everything there is to say was said. `code` is the exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def exit_code(error: CosemError, phase: Phase = Phase.CONNECTED) -> int:
    """Return the exit code that `error` means in that phase."""
    if isinstance(error, ConfigurationError) or phase is Phase.PREPARING:
        return BAD_USAGE
    if phase is Phase.CONNECTING:
        return NOT_CONNECTED
    return SOME_FAILED if isinstance(error, ServiceError | ShapeError | LocalProtocolError) else SESSION_LOST


def complain(
    error: CosemError, phase: Phase = Phase.CONNECTED, url: ConnectionUrl | None = None, maker: str = ""
) -> None:
    """Say on stderr what failed, in which layer, what was expected, what to try, and which dialects may help.

    `maker` are the FLAG letters of whoever made the meter, where that is known.
    """
    if isinstance(error, ConfigurationError):
        for line in f"error: {error}".split("\n"):  # all that is wrong in a file, one a line
            say(line)
        return
    if isinstance(error, LocalProtocolError) or phase is Phase.PREPARING:
        say(f"error: {error}")
        return
    lost = exit_code(error, phase) == SESSION_LOST
    head = "the session was lost" if lost else phase.value
    advice = explain(error, phase, url)
    say(f"error: {head}: {error}")
    say(f"  layer:    {advice.layer}")
    say(f"  expected: {advice.expected}")
    known = meaning_of(error)
    if known is not None:
        say(f"  means:    {known.sentence}")
        for number, cause in enumerate(known.causes):
            say(f"  {'likely:' if not number else '':9} {cause}")
    say(f"  try:      {advice.remedy}")
    if isinstance(error, DEVIATIONS):
        for each in known_of(maker):
            say(f"  known:    meters of {each.maker} that deviate: --dialect {each.name} ({each.source})")


class Advice(NamedTuple):
    """Where something failed, what should have happened there, and what to try."""

    layer: str
    expected: str
    remedy: str


def explain(error: CosemError, phase: Phase, url: ConnectionUrl | None) -> Advice:
    """Return the advice for an error that happened in that phase."""
    if isinstance(error, TimedOut):
        return _silence(error, url)
    if isinstance(error, ConnectionLost) and phase is Phase.CONNECTING and url is not None and url.medium != "udp":
        return Advice(
            _medium(url),
            "a meter that keeps the connection while the association is opened",
            f"the framing ({_other_framing(url)} instead), another client address, and a higher "
            "--invocation-counter where keys are used: meters hang up on what they do not understand",
        )
    layer, expected, remedy = next(advice for kind, advice in _ADVICE if isinstance(error, kind))
    known = meaning_of(error)
    if known is not None and not isinstance(error, TransportError):
        remedy = (error.hint if isinstance(error, AssociationRejected) else "") or known.remedy
    if isinstance(error, RemoteProtocolError):
        layer = error.layer
    elif isinstance(error, ConnectionFailed | ConnectionLost) and url is not None:
        layer = _medium(url)
    if isinstance(error, ServiceRefused) and isinstance(error.response, ExceptionResponse):
        remedy = _counter_remedy(error.response) or remedy
    if error.retry is Retry.LATER and isinstance(error, ConnectionFailed):
        remedy = f"{remedy}, and again later"
    return Advice(layer, expected, remedy)


def _silence(error: TimedOut, url: ConnectionUrl | None) -> Advice:
    if url is not None and (url.framing == "iec21" or error.phase in _SIGN_ON):
        return Advice(
            "IEC 62056-21",
            _SIGN_ON.get(error.phase, "the meter's answer"),
            "the head straight on the meter and its cable downwards, baud and format (300 baud 7E1 as a rule), "
            "address=… on a line with several meters, mode=D for one that speaks by itself, wake=normal for one with a "
            "battery",
        )
    if error.phase == "link":
        return Advice(
            "HDLC",
            "a UA frame that answers SNRM",
            "another server, physical or address_size in the URL, baud and format on a serial line, "
            f"or another framing ({_other_framing(url)})",
        )
    if error.phase == "association":
        return Advice(
            "application layer (association)",
            "an AARE that answers AARQ",
            f"another client or server in the URL, another framing ({_other_framing(url)}), "
            "or a higher --invocation-counter where keys are used",
        )
    return Advice("application layer", f"an answer in the {error.phase} phase", "a longer --timeout, and once more")


_SIGN_ON: Final = {
    "sign-on": "an identification such as /ABC5… that answers the request /?!",
    "wake-up": "ACK from a meter that was woken",
    "readout": "data lines behind the identification",
    "programming mode": "P0 behind the option select",
    "listening": "a meter that speaks by itself",
}
"""What was expected at the local port, by phase."""


def _counter_remedy(response: ExceptionResponse) -> str | None:
    """Name the counter where the meter says that ours is too low."""
    if response.service_error is not ServiceErrorCode.INVOCATION_COUNTER_ERROR:
        return None
    if response.invocation_counter is None:
        return "--invocation-counter read, or a higher number"
    return f"--invocation-counter {response.invocation_counter}: the meter wants that or more"


def _medium(url: ConnectionUrl) -> str:
    return {"serial": "serial line", "modem": "modem"}.get(url.medium, f"transport ({url.medium.upper()})")


def _other_framing(url: ConnectionUrl | None) -> str:
    return "tcp:// for the wrapper" if url is not None and url.framing == "hdlc" else "hdlc+tcp:// for HDLC"


_ADVICE: Final[tuple[tuple[type[CosemError], tuple[str, str, str]], ...]] = (
    (
        AssociationRejected,
        (
            "application layer (association)",
            "an AARE with result accepted",
            "--auth, --password, --ek and --ak as the meter's owner gave them for this client address; "
            "another client or server in the URL",
        ),
    ),
    (
        ServiceRefused,
        (
            "application layer",
            "an answer to the request",
            "--auth and keys if the meter wants protection, a higher --invocation-counter (or --invocation-counter "
            "read) if they are right",
        ),
    ),
    (DataAccessError, ("application layer (objects)", "data-access-result success", "cosem browse URL shows rights")),
    (ActionError, ("application layer (objects)", "action-result success", "cosem browse URL shows rights")),
    (
        InvocationCounterError,
        (
            "security",
            "an invocation counter above the last one of this meter",
            "once more; --approve-counter-reset if you know that the meter's counter was set back, for else this is "
            "a recorded session",
        ),
    ),
    (
        SecurityError,
        (
            "security",
            "what was agreed, protected with the keys of this association",
            "--ek, --ak and --protection; --invocation-counter read if the meter has seen a higher counter",
        ),
    ),
    (
        ShapeError,
        ("object model", "data of the type that the class declares", "class/obis/attribute to name another class"),
    ),
    (
        DecodeError,
        (
            "application layer",
            "octets that the standard allows there",
            "-vv to see the octets, and cosem decode to look into them",
        ),
    ),
    (
        RemoteProtocolError,
        ("application layer", "the next step of the protocol", "once more, with -vv to see the octets"),
    ),
    (
        ConnectionFailed,
        ("transport", "a connection that opens", "the address and port, and that no other client holds the meter"),
    ),
    (
        ConnectionLost,
        ("transport", "a connection that stays open", "once more; many meters take one client at a time"),
    ),
    (CosemError, ("this program", "another order of things", "-v, and to report it")),
)
"""What is said by kind of error, the more special kinds first."""
