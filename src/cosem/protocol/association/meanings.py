"""What the refusals of a meter mean, what likely caused each, and what to try next: one table for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from cosem.protocol.apdu.acse import AcseServiceProvider, AcseServiceUser
from cosem.protocol.apdu.exception import ConfirmedServiceError, ServiceError, ServiceErrorCode, StateError
from cosem.protocol.apdu.result import ActionResult, DataAccessResult


@dataclass(frozen=True, slots=True)
class Meaning:
    """A refusal in a sentence, its likely causes with the likeliest first, and the next thing to try."""

    sentence: str
    causes: tuple[str, ...]
    remedy: str


_USER_TITLES: Final = (
    "the meter does not go by the titles and qualifiers that we sent",
    ("it expects a particular system title of its client", "it knows no users, or not the one that was named"),
    "--system-title as the meter's owner gave it, and no --user",
)
_LONG: Final = (
    "the transfer in blocks is over, and the meter keeps nothing of it",
    ("a block was lost or came twice", "the meter ran out of time or memory for the transfer"),
    "once more; fewer objects or rows at a time if it happens again",
)
_HARDWARE: Final = (
    "the meter says that its hardware has failed",
    ("a memory or a module of the meter is broken or not fitted",),
    "0.0.97.97.0.255, its error register, and whoever services the meter",
)
_TEMPORARY: Final = (
    "the meter cannot do it at the moment",
    ("it is busy, with a capture or with another client", "a method has not ended yet"),
    "again in a minute",
)
_DENIED: Final = (
    "the association that is open has no right to this",
    ("this client may not do it: the public client sees very little", "the attribute can only be read, or only set"),
    "cosem browse URL, which shows the rights of this client; a client with more rights",
)
_UNDEFINED: Final = (
    "the meter has no such object for this client",
    ("the model or its configuration lacks it", "another client sees it", "it is in another logical device"),
    "cosem browse URL, which shows what this client sees; another client or server in the URL",
)
_INCONSISTENT: Final = (
    "the meter has this object, in another class",
    ("makers use data, register and extended register for the same code",),
    "cosem browse URL shows the class; write class/obis/attribute",
)
_UNAVAILABLE: Final = (
    "the object exists and cannot be had at the moment",
    ("what it stands for is not fitted or not connected", "the meter is being configured"),
    "again later",
)
_TYPE: Final = (
    "the meter expects data of another type there",
    ("the value has another type or length than the attribute", "the range or selection is not supported in this form"),
    "cosem read URL of the attribute with --json, which shows its type; a selection in another form, or none",
)
_SCOPE: Final = (
    "what was asked for lies outside of what this association may reach",
    ("the object belongs to another client", "the service needs messages that are protected"),
    "another client, or --ek, --ak and --protection as the meter's owner gave them",
)
_BLOCK_UNAVAILABLE: Final = (
    "the meter has no such block",
    ("the transfer was over already, or never began",),
    "once more, in a new session",
)
_NO_LONG: Final = (
    "the meter knows of no transfer in blocks under way",
    ("it was reset, or gave the transfer up after a pause", "another client has taken its place"),
    "once more, in a new session",
)
_OTHER: Final = (
    "the meter refuses and does not say why",
    ("it does not support the service or the selection for this object", "an internal limit was reached"),
    "the same for a single object, without a selection; another client",
)
_CONTEXT: Final = (
    "the meter does not offer the kind of association that was asked for",
    (
        "it wants ciphered messages and we sent plain ones, or the other way round",
        "it refers to objects by short names and we by logical names, or the other way round",
        "this client address stands for another kind of association",
    ),
    "--ek and --ak, or neither; the other --naming; another client in the URL",
)
_CREDENTIALS: Final = (
    "the meter does not believe that we are who we say",
    (
        "the password or key is wrong, or written in another form (text or hexadecimal)",
        "it belongs to another client address",
        "the invocation counter is not above the last one that the meter has seen",
        "too many failures before: meters lock clients out for a while",
    ),
    "the password or keys as the owner gave them for this client address, and not more than a few times; "
    "--invocation-counter read",
)
_MECHANISM: Final = (
    "the meter does not know, or does not accept, the way we authenticate",
    ("this client address authenticates in another way", "the meter has no such mechanism"),
    "another --auth: low with a password, gmac with keys; another client in the URL",
)
_NO_REASON: Final = (
    "the meter refuses the association and does not say why",
    (
        "it does not know this client address",
        "the mechanism, the password or the keys are not those of this client",
        "the invocation counter is not above the last one that the meter has seen",
        "another association is open, or was not closed",
    ),
    "another client in the URL (16 is the public one), and again in a minute",
)
_DECIPHER: Final = (
    "the meter could not decipher what we sent",
    (
        "the encryption or the authentication key is wrong, or they are interchanged",
        "the client's system title is not the one that the meter knows",
        "the invocation counter is not above the last one that the meter has seen",
    ),
    "--ek, --ak and --system-title as the owner gave them; --invocation-counter read",
)
_COUNTER: Final = (
    "the invocation counter of our message is not above the last one that the meter has seen",
    (
        "another program uses the same key and system title and has counted further",
        "what we remembered of our counter was lost",
    ),
    "--invocation-counter read, or a higher number",
)
_TOO_LONG: Final = (
    "the message is longer than the meter takes",
    ("too many objects in one request", "the meter's largest PDU is smaller than what it agreed to"),
    "fewer objects at a time",
)
_UNSUPPORTED: Final = (
    "the meter does not have this service",
    ("it agreed to a service that it lacks", "it refers to objects by the other kind of names"),
    "single objects in place of several; the other --naming",
)
_NOT_ALLOWED: Final = (
    "the meter does not allow this service now",
    (
        "no association is open for this client: the meter has closed it after a pause, or never opened it",
        "an earlier association of this client was left open",
        "the service needs messages that are protected",
    ),
    "a new session, after a minute; --auth and keys if the meter wants protection",
)
_INITIATE: Final = (
    "the meter does not accept the terms of the association",
    ("it does not want the services that we propose, or another DLMS version", "it takes longer messages than ours"),
    "the other --naming, or another client",
)
_SHORT_PDU: Final = (
    "the meter does not accept the longest message that we are willing to take",
    ("the maximum PDU size that we propose is too small for it",),
    "a greater max_receive_pdu_size of `Access`",
)


def _rows() -> dict[tuple[type[IntEnum], int], Meaning]:
    user, provider, state, code = AcseServiceUser, AcseServiceProvider, StateError, ServiceErrorCode
    titles = (each for each in user if "INVOCATION" in each.name or "TITLE" in each.name or "QUALIFIER" in each.name)
    results: dict[str, tuple[str, tuple[str, ...], str]] = {
        "HARDWARE_FAULT": _HARDWARE,
        "TEMPORARY_FAILURE": _TEMPORARY,
        "READ_WRITE_DENIED": _DENIED,
        "OBJECT_UNDEFINED": _UNDEFINED,
        "OBJECT_CLASS_INCONSISTENT": _INCONSISTENT,
        "OBJECT_UNAVAILABLE": _UNAVAILABLE,
        "TYPE_UNMATCHED": _TYPE,
        "SCOPE_OF_ACCESS_VIOLATED": _SCOPE,
        "DATA_BLOCK_UNAVAILABLE": _BLOCK_UNAVAILABLE,
        "LONG_GET_ABORTED": _LONG,
        "LONG_SET_ABORTED": _LONG,
        "LONG_ACTION_ABORTED": _LONG,
        "NO_LONG_GET_IN_PROGRESS": _NO_LONG,
        "NO_LONG_SET_IN_PROGRESS": _NO_LONG,
        "NO_LONG_ACTION_IN_PROGRESS": _NO_LONG,
        "DATA_BLOCK_NUMBER_INVALID": _LONG,
        "OTHER_REASON": _OTHER,
    }
    found: dict[tuple[type[IntEnum], int], Meaning] = {}
    for each, words in (
        *((each, _USER_TITLES) for each in titles),
        (user.NO_REASON_GIVEN, _NO_REASON),
        (user.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED, _CONTEXT),
        (user.AUTHENTICATION_MECHANISM_NAME_NOT_RECOGNISED, _MECHANISM),
        (user.AUTHENTICATION_MECHANISM_NAME_REQUIRED, _MECHANISM),
        (user.AUTHENTICATION_FAILURE, _CREDENTIALS),
        (user.AUTHENTICATION_REQUIRED, _MECHANISM),
        (provider.NO_REASON_GIVEN, _NO_REASON),
        (provider.NO_COMMON_ACSE_VERSION, _INITIATE),
        (user.NULL, _NO_REASON),
        (provider.NULL, _NO_REASON),
        (state.SERVICE_NOT_ALLOWED, _NOT_ALLOWED),
        (state.SERVICE_UNKNOWN, _UNSUPPORTED),
        (code.OPERATION_NOT_POSSIBLE, _NOT_ALLOWED),
        (code.SERVICE_NOT_SUPPORTED, _UNSUPPORTED),
        (code.OTHER_REASON, _OTHER),
        (code.PDU_TOO_LONG, _TOO_LONG),
        (code.DECIPHERING_ERROR, _DECIPHER),
        (code.INVOCATION_COUNTER_ERROR, _COUNTER),
        *((each, results[each.name]) for each in DataAccessResult if each),
        *((each, results[each.name]) for each in ActionResult if each),
    ):
        found[type(each), int(each)] = Meaning(*words)
    return found


MEANINGS: Final[Mapping[tuple[type[IntEnum], int], Meaning]] = _rows()
"""By the enumeration of the standard that a refusal uses, and its number there."""

SERVICE_ERRORS: Final[Mapping[ServiceError, tuple[Meaning | None, ...]]] = {
    ServiceError.APPLICATION_REFERENCE: (
        *(Meaning(*_OTHER), Meaning(*_TEMPORARY), Meaning(*_NO_REASON), Meaning(*_NO_REASON)),
        *(Meaning(*_CONTEXT), Meaning(*_TEMPORARY), Meaning(*_DECIPHER)),
    ),
    ServiceError.HARDWARE_RESOURCE: (Meaning(*_HARDWARE),) * 5,
    ServiceError.VDE_STATE_ERROR: (
        *(Meaning(*_NOT_ALLOWED), Meaning(*_NOT_ALLOWED), Meaning(*_TEMPORARY), Meaning(*_NOT_ALLOWED)),
        Meaning(*_HARDWARE),
    ),
    ServiceError.SERVICE: (Meaning(*_OTHER), Meaning(*_TOO_LONG), Meaning(*_UNSUPPORTED)),
    ServiceError.DEFINITION: (*(Meaning(*_OTHER), Meaning(*_UNDEFINED), Meaning(*_INCONSISTENT), Meaning(*_TYPE)),),
    ServiceError.ACCESS: (
        *(Meaning(*_OTHER), Meaning(*_SCOPE), Meaning(*_DENIED), Meaning(*_HARDWARE), Meaning(*_UNAVAILABLE)),
    ),
    ServiceError.INITIATE: (
        *(Meaning(*_INITIATE), Meaning(*_INITIATE), Meaning(*_INITIATE), Meaning(*_SHORT_PDU)),
        Meaning(*_NO_REASON),
    ),
    ServiceError.LOAD_DATA_SET: (Meaning(*_LONG),) * 8,
    ServiceError.TASK: (Meaning(*_OTHER),) * 5,
    ServiceError.OTHER: (Meaning(*_OTHER),),
}
"""By the kind of a confirmed-service-error, in the order of its numbers (`ERROR_NAMES` has their words)."""


def meaning(refused: IntEnum | ConfirmedServiceError | None) -> Meaning | None:
    """Return what a result, a diagnostic or a confirmed-service-error means; None for numbers without a meaning."""
    if isinstance(refused, ConfirmedServiceError):
        row = SERVICE_ERRORS.get(refused.error, ())
        return row[refused.value] if refused.value < len(row) else None
    return None if refused is None else MEANINGS.get((type(refused), int(refused)))
