"""What an error means in a sentence, what likely caused it, and what to try next, for whoever catches it.

    try:
        meter.connect()
    except CosemError as error:
        explanation = explain(error)

The refusals of the application layer are in `cosem.protocol.association.meanings`; here are those of the link, and
silence.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final

from cosem.errors import (
    ActionError,
    AssociationRejected,
    ConnectionFailed,
    ConnectionLost,
    CosemError,
    DataAccessError,
    OnlyEcho,
    RemoteProtocolError,
    ServiceRefused,
    TimedOut,
)
from cosem.protocol.apdu.exception import ConfirmedServiceError, ExceptionResponse, ServiceErrorCode
from cosem.protocol.apdu.result import ActionResult, DataAccessResult
from cosem.protocol.association.meanings import Meaning, meaning
from cosem.protocol.link.hdlc.client import State
from cosem.protocol.link.hdlc.frame import Kind
from cosem.protocol.link.hdlc.reject import FrameReject

REFUSES_CONNECTION: Final = Meaning(
    "a station with this address is there, and refuses the connection",
    (
        "another client is connected to it: many meters take one at a time",
        "an earlier connection was not closed, and lives until its inactivity time-out",
        "the meter does not know this client address",
    ),
    "again in two minutes; another client in the URL",
)
DISCONNECTED: Final = Meaning(
    "the station has no connection with us any more",
    ("it closed the connection after a pause (its inactivity time-out)", "the meter was reset"),
    "a new session",
)
REJECTED: Final[tuple[tuple[str, Meaning], ...]] = (
    (
        "information_too_long",
        Meaning(
            "our frame was longer than the station takes",
            ("it does not keep to the information field length that was negotiated",),
            "a new session; cosem probe, and a report with -vv",
        ),
    ),
    (
        "invalid_receive_sequence",
        Meaning(
            "we and the station have counted differently",
            ("frames were lost or doubled on the line", "two clients speak to the meter at once"),
            "a new session, and that no other program uses the line",
        ),
    ),
    (
        "information_not_permitted",
        Meaning(
            "the station takes no information in such a frame",
            ("it does not negotiate parameters in SNRM",),
            "a new session without parameters of our own",
        ),
    ),
    (
        "undefined_control",
        Meaning(
            "the station does not know this kind of frame",
            ("it speaks another dialect of HDLC, such as one with UI frames only",),
            "cosem probe, and a report with -vv",
        ),
    ),
)
"""By the reason bits of FRMR."""

SILENT: Final = {
    "link": Meaning(
        "nobody answers to SNRM",
        (
            "the HDLC address is another: the physical one, or its size of 1, 2 or 4 octets",
            "it is not HDLC: the wrapper over TCP, or an IEC 62056-21 sign-on first",
            "another speed or character format; the head is off, or A and B are interchanged",
        ),
        "cosem probe, which tries these one after the other",
    ),
    "association": Meaning(
        "the link is there, and nobody answers to AARQ",
        (
            "the meter does not know this client or server address, and ignores it",
            "the invocation counter is not above the last one that the meter has seen",
            "the framing is another",
        ),
        "cosem probe; --invocation-counter read where keys are used",
    ),
    "response": Meaning(
        "the meter did not answer to a request",
        ("it needs longer: profiles and whole object lists take time", "a message was lost on the line"),
        "a longer --timeout, and once more",
    ),
}
"""By the phase of TimedOut."""

ECHO: Final = Meaning(
    "all that comes back is what we sent",
    ("the optical head is not on the meter, and sees itself", "the meter is silent on a two-wire line that echoes"),
    "the head on the meter, the cable downwards; another speed or sign-on",
)
HUNG_UP: Final = Meaning(
    "the meter closed the connection",
    (
        "it takes one client at a time, and another has it",
        "it did not understand: wrong framing, address or invocation counter",
        "it was silent for too long between two requests",
    ),
    "once more, after a pause; cosem probe",
)
UNREACHABLE: Final = Meaning(
    "there is no way to the meter",
    (
        "host, port or device is another",
        "another program holds it: many meters and modems take one connection",
        "a firewall, or a mobile network that lets nobody in",
    ),
    "the address and the port; whether another program is connected",
)


def explain(error: CosemError) -> Meaning | None:
    """Return what an error means; None where its message says all there is to say."""
    return next((found(error) for kind, found in _BY_KIND if isinstance(error, kind)), None)


def _rejection(error: AssociationRejected) -> Meaning | None:
    found = (meaning(each) for each in error.evidence if isinstance(each, IntEnum | ConfirmedServiceError))
    return next((each for each in found if each is not None), None)


def _refusal(error: ServiceRefused) -> Meaning | None:
    response = error.response
    if isinstance(response, ExceptionResponse):
        telling = response.service_error not in (ServiceErrorCode.OTHER_REASON, ServiceErrorCode.OPERATION_NOT_POSSIBLE)
        return meaning(response.service_error if telling else response.state_error) or meaning(response.service_error)
    return meaning(response) if isinstance(response, ConfirmedServiceError) else None


def _link(error: RemoteProtocolError) -> Meaning | None:
    evidence: Any = error.evidence
    if isinstance(evidence, FrameReject):
        return next((each for name, each in REJECTED if getattr(evidence, name)), None)
    if isinstance(evidence, tuple) and evidence[0] is Kind.DISCONNECTED_MODE:
        return REFUSES_CONNECTION if evidence[1] is State.CONNECTING else DISCONNECTED
    return None


def _attribute(error: DataAccessError) -> Meaning | None:
    return meaning(DataAccessResult(error.result))


def _method(error: ActionError) -> Meaning | None:
    return meaning(ActionResult(error.result))


def _silence(error: TimedOut) -> Meaning | None:
    return ECHO if isinstance(error, OnlyEcho) else SILENT.get(error.phase)


def _lost(_: ConnectionLost) -> Meaning:
    return HUNG_UP


def _unreachable(_: ConnectionFailed) -> Meaning:
    return UNREACHABLE


_BY_KIND: Final[tuple[tuple[type[CosemError], Callable[[Any], Meaning | None]], ...]] = (
    (AssociationRejected, _rejection),
    (ServiceRefused, _refusal),
    (DataAccessError, _attribute),
    (ActionError, _method),
    (RemoteProtocolError, _link),
    (TimedOut, _silence),
    (ConnectionLost, _lost),
    (ConnectionFailed, _unreachable),
)
