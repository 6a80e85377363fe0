"""The state table is total in what matters and leads nowhere it should not."""

import pytest

from cosem.protocol.association.state import TRANSITIONS, State, Step, after


def test_every_state_has_a_row() -> None:
    assert set(TRANSITIONS) == set(State)


def test_every_state_is_reached_and_can_be_left() -> None:
    reached = {State.IDLE}
    for row in TRANSITIONS.values():
        reached.update(row.values())
    assert reached == set(State)
    assert all(any(after is not state for after in row.values()) for state, row in TRANSITIONS.items())


@pytest.mark.parametrize("state", State)
def test_an_abort_always_ends_in_idle(state: State) -> None:
    assert after(state, Step.ABORT) is State.IDLE


@pytest.mark.parametrize("state", [state for state in State if state is not State.ASSOCIATED])
def test_services_need_an_association(state: State) -> None:
    assert after(state, Step.SERVICE) is None


def test_high_level_security_needs_a_proof() -> None:
    assert after(State.ASSOCIATING, Step.PROOF_ACCEPTED) is None
    assert after(State.AUTHENTICATING, Step.ACCEPTED) is None
