"""The states of an application association, as one table that does not know which side it serves.

Rule 1: what may be said when is decided here and nowhere else. Rule 2: this file does not know whether it judges the
client or the server; the engine that asks decides whom to blame. Unsolicited notifications are legal in every state and
therefore have no row. (IEC 62056-5-3, the control function of the application layer.)
"""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """Where an association stands."""

    IDLE = "idle"
    ASSOCIATING = "associating"
    AUTHENTICATING = "authenticating"
    ASSOCIATED = "associated"
    RELEASING = "releasing"

    __hash__ = object.__hash__  # each is one object, and that of Enum is slow


class Step(Enum):
    """What can happen to an association, named after the APDU or the fact that brings it about."""

    ASSOCIATION_REQUEST = "association request"
    ACCEPTED = "association accepted"
    PRE_ESTABLISHED = "pre-established association"
    AUTHENTICATION_REQUIRED = "authentication required"
    REJECTED = "association rejected"
    PROOF = "proof of the client"
    PROOF_ACCEPTED = "proof accepted"
    PROOF_REFUSED = "proof refused"
    SERVICE = "service"
    RELEASE_REQUEST = "release request"
    RELEASE_RESPONSE = "release response"
    ABORT = "abort"

    __hash__ = object.__hash__


TRANSITIONS: dict[State, dict[Step, State]] = {
    State.IDLE: {
        Step.ASSOCIATION_REQUEST: State.ASSOCIATING,
        Step.PRE_ESTABLISHED: State.ASSOCIATED,
        Step.ABORT: State.IDLE,
    },
    State.ASSOCIATING: {
        Step.ACCEPTED: State.ASSOCIATED,
        Step.AUTHENTICATION_REQUIRED: State.AUTHENTICATING,
        Step.REJECTED: State.IDLE,
        Step.ABORT: State.IDLE,
    },
    State.AUTHENTICATING: {
        Step.PROOF: State.AUTHENTICATING,
        Step.PROOF_ACCEPTED: State.ASSOCIATED,
        Step.PROOF_REFUSED: State.IDLE,
        Step.RELEASE_REQUEST: State.RELEASING,
        Step.ABORT: State.IDLE,
    },
    State.ASSOCIATED: {
        Step.SERVICE: State.ASSOCIATED,
        Step.RELEASE_REQUEST: State.RELEASING,
        Step.ABORT: State.IDLE,
    },
    State.RELEASING: {
        Step.RELEASE_RESPONSE: State.IDLE,
        Step.ABORT: State.IDLE,
    },
}


def after(state: State, step: Step) -> State | None:
    """Return the state that follows, or None where the table has no such step."""
    return TRANSITIONS[state].get(step)
