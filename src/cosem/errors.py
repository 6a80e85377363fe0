"""Every exception of the suite on one page, by blame, each with its advice on trying again.

CosemError
├── LocalProtocolError       our caller asked for something the protocol does not allow now
├── RemoteProtocolError      the peer broke the protocol
│   └── DecodeError          … with octets that do not say what they claim to say
├── SecurityError            protection is missing, weaker than agreed, or does not verify
│   └── InvocationCounterError   … or verifies, with a number that was used before
├── ServiceError             the peer answered, and the answer is no
│   ├── AssociationRejected
│   ├── DataAccessError
│   ├── ActionError
│   ├── CommandRefused       a command of IEC 62056-21
│   └── ServiceRefused       exception-response or confirmed-service-error
├── ShapeError               legal Data, but not of the shape the attribute has
├── TransportError           the medium failed
│   ├── ConnectionFailed
│   │   └── DialFailed       a modem did not get through
│   ├── ConnectionLost
│   └── TimedOut
│       └── OnlyEcho         … and all that came back was what we had sent
├── StateInDoubt             the disk failed so that nobody can say whether a change was kept
└── ConfigurationError       a URL, key, OBIS code or file is wrong; nothing was sent

`SecurityWarning` is what the suite warns with where something weak is done because it was asked for, and
`IncompleteWarning` where a meter has more than it gave.
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar


class Retry(Enum):
    """What to do next after an error."""

    NEVER = "never"
    SAME_SESSION = "same session"
    NEW_SESSION = "new session"
    LATER = "later"


class CosemError(Exception):
    """Root of every exception that the suite raises on purpose."""

    retry: Retry = Retry.NEVER


class LocalProtocolError(CosemError):
    """The caller asked for what the protocol does not allow in the present state."""


class RemoteProtocolError(CosemError):
    """The peer did what the protocol does not allow; `layer` names the layer that noticed.

    `evidence` is what the peer sent, where that says why (see `cosem.client.explain`).
    """

    retry = Retry.NEW_SESSION

    def __init__(self, reason: str, *, layer: str = "application layer", evidence: object = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.layer = layer
        self.evidence = evidence


class DecodeError(RemoteProtocolError):
    """Octets that do not decode: `reason` says what was expected, `path` and `offset` where."""

    def __init__(
        self, reason: str, offset: int | None = None, path: tuple[str, ...] = (), *, layer: str = "application layer"
    ) -> None:
        super().__init__(reason, layer=layer)
        self.offset = offset
        self.path = path

    def within(self, *names: str) -> DecodeError:
        """Return the same error seen from outside, with `names` in front of its path."""
        return DecodeError(self.reason, self.offset, (*names, *self.path), layer=self.layer)

    def __str__(self) -> str:
        where = ".".join(self.path)
        at = "" if self.offset is None else f", at octet {self.offset}"
        return f"{where}: {self.reason}{at}" if where else f"{self.reason}{at}"


class SecurityError(CosemError):
    """Protection is missing, weaker than agreed, or does not verify."""

    retry = Retry.NEW_SESSION


class VerificationError(SecurityError):
    """A protected message does not verify: it was made with another key, or altered on its way."""


class InvocationCounterError(SecurityError):
    """A message verifies, but its invocation counter is not above the last one: a replay, or a counter set back.

    `number` is the one it has, `expected` the least that would have been accepted.
    """

    def __init__(self, number: int, expected: int) -> None:
        super().__init__(
            f"invocation counter {number} was used before (the last was {expected - 1}): a replayed or late message"
        )
        self.number = number
        self.expected = expected


class ServiceError(CosemError):
    """The peer understood the request and answered no."""


class AssociationRejected(ServiceError):
    """The AARE refused the association: `result`, `diagnostic` as the standard numbers them, `hint` what to try.

    `evidence` is what the meter said, the most telling first: a confirmed-service-error, the diagnostic itself.
    """

    retry = Retry.LATER

    def __init__(
        self,
        reason: str,
        *,
        result: int,
        diagnostic: int | None = None,
        hint: str = "",
        evidence: tuple[object, ...] = (),
    ) -> None:
        super().__init__(f"{reason} ({hint})" if hint else reason)
        self.evidence = evidence
        self.result = result
        self.diagnostic = diagnostic
        self.hint = hint


class DataAccessError(ServiceError):
    """One attribute was not read or written: `result` is the data-access-result, `reference` says which."""

    retry = Retry.SAME_SESSION

    def __init__(self, result: int, name: str, reference: object = None) -> None:
        super().__init__(f"{reference}: {name}" if reference is not None else name)
        self.result = result
        self.name = name
        self.reference = reference


class ActionError(ServiceError):
    """A method did not run: `result` is the action-result, `reference` says which."""

    retry = Retry.SAME_SESSION

    def __init__(self, result: int, name: str, reference: object = None) -> None:
        super().__init__(f"{reference}: {name}" if reference is not None else name)
        self.result = result
        self.name = name
        self.reference = reference


class CommandRefused(ServiceError):
    """A meter of IEC 62056-21 refused a command: `command` is its letter and number, `message` the meter's own words.

    `message` is empty where the meter said NAK as often as it was asked.
    """

    retry = Retry.SAME_SESSION

    def __init__(self, command: str, message: str = "") -> None:
        super().__init__(f"the meter refused {command}" + (f": {message}" if message else " with NAK"))
        self.command = command
        self.message = message


class ServiceRefused(ServiceError):
    """The peer refused the whole service: `response` is its exception-response or confirmed-service-error."""

    retry = Retry.NEW_SESSION

    def __init__(self, reason: str, response: object = None) -> None:
        super().__init__(reason)
        self.response = response


class ShapeError(CosemError):
    """Data is legal but has another shape than the attribute or method declares."""

    def __init__(self, reason: str, path: tuple[str, ...] = ()) -> None:
        super().__init__(f"{'.'.join(path)}: {reason}" if path else reason)
        self.reason = reason
        self.path = path

    def within(self, *names: str) -> ShapeError:
        """Return the same error seen from outside, with `names` in front of its path."""
        return ShapeError(self.reason, (*names, *self.path))


class TransportError(CosemError):
    """The medium below the protocol failed."""

    retry = Retry.NEW_SESSION


class ConnectionFailed(TransportError):
    """No connection could be made."""

    retry = Retry.LATER


class DialFailed(ConnectionFailed):
    """A modem did not get through: `result` is its own word for it, as BUSY or NO CARRIER."""

    def __init__(self, reason: str, *, result: str) -> None:
        super().__init__(reason)
        self.result = result


class ConnectionLost(TransportError):
    """The connection was there and went away."""


class TimedOut(TransportError):
    """No answer in time; `phase` is what was waited for (link, association, response, release), `hint` what to try."""

    def __init__(self, phase: str, seconds: float | None = None, hint: str = "") -> None:
        within = "" if seconds is None else f" within {seconds:g} s"
        super().__init__(f"no answer in the {phase} phase{within}" + (f"; {hint}" if hint else ""))
        self.phase = phase
        self.seconds = seconds
        self.hint = hint


class OnlyEcho(TimedOut):
    """Nothing came but our own octets: a head that lies on no meter reflects them, a two-wire line returns them."""

    def __init__(self, phase: str, seconds: float | None = None) -> None:
        super().__init__(phase, seconds)
        self.args = (f"{self.args[0]}: I only see my own echo: is the head on the meter, the right way up?",)


class StateInDoubt(CosemError):
    """A change can neither be made durable nor be undone where it is kept: after a restart it may be there or not.

    Whoever asked for it is told neither that it was done nor that it was refused.
    """

    retry = Retry.LATER


class ConfigurationError(CosemError):
    """What the user gave cannot be used; the message shows the right form. Nothing was sent."""

    exit_code: ClassVar[int] = 64


class SecurityWarning(UserWarning):
    """Something weak is about to be done because it was asked for."""


class IncompleteWarning(UserWarning):
    """A meter says that it holds more than it has given, so that values may be missing without a trace."""
