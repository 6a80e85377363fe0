"""The disconnect control: what each mode lets a client, a hand and the meter itself do."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from cosem.errors import ConfigurationError
from cosem.meter import Meter
from cosem.meter.behaviour.disconnect_control import By, operate
from cosem.meter.item import Refusal
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.model.classes.time_and_event import (
    ControlMode,
    ControlState,
    DisconnectControl,
    DisconnectControlCommon,
    DisconnectControlVersion0,
)
from cosem.protocol.values.data import Enumerated
from described import MANAGING, act, done, put

BREAKER = DisconnectControl()

TEXT = {
    1: "Disconnection: Remote (b, c), manual (f), local (g). Reconnection: Remote (d), manual (e).",
    2: "Disconnection: Remote (b, c), manual (f), local (g). Reconnection: Remote (a), manual (e).",
    3: "Disconnection: Remote (b, c), manual (-), local (g). Reconnection: Remote (d), manual (e).",
    4: "Disconnection: Remote (b, c), manual (-), local (g). Reconnection: Remote (a), manual (e).",
    5: "Disconnection: Remote (b, c), manual (f), local (g). Reconnection: Remote (d), manual (e), local (h).",
    6: "Disconnection: Remote (b, c), manual (-), local (g). Reconnection: Remote (d), manual (e), local (h).",
}
"""The modes, as the enumeration of an independent implementation quotes the standard."""

ARROWS = {"a": (0, 1), "b": (1, 0), "c": (2, 0), "d": (0, 2), "e": (2, 1), "f": (1, 2), "g": (1, 2), "h": (2, 1)}
"""The transitions of its figure: 0 disconnected, 1 connected, 2 ready for reconnection."""

WORDS = {"remote": By.REMOTE, "manual": By.MANUAL, "local": By.LOCAL}


def arrows(mode: int, by: By, *, connect: bool) -> dict[int, int]:
    half = TEXT[mode].split("Reconnection:")[connect].lower()
    letters = {WORDS[word]: re.findall("[a-h]", found) for word, found in re.findall(r"(\w+) \(([^)]*)\)", half)}
    return dict(ARROWS[letter] for letter in letters.get(by, ()))


def breaker(mode: int, state: int, address: DisconnectControlCommon = BREAKER) -> Meter:
    meter = Meter("KFM1", clock=lambda: datetime(2026, 7, 1, tzinfo=UTC))
    values = {"output_state": state == 1, "control_state": Enumerated(state), "control_mode": Enumerated(mode)}
    meter.add(address, writable=("control_mode",), **values)
    meter.offer(MANAGING)
    return meter


def states(meter: Meter) -> tuple[int, bool]:
    return int(meter.value(BREAKER.control_state)), bool(meter.value(BREAKER.output_state))


@pytest.mark.parametrize("state", range(3))
@pytest.mark.parametrize("connect", [False, True])
@pytest.mark.parametrize("by", By)
@pytest.mark.parametrize("mode", TEXT)
def test_a_mode_has_the_ways_that_the_standard_gives_it(mode: int, by: By, connect: bool, state: int) -> None:
    meter, found = breaker(mode, state), arrows(mode, by, connect=connect)
    visit = meter.management.visit()
    item = visit.find(BREAKER.instance)
    assert item is not None
    if not found:
        with pytest.raises(Refusal):
            operate(visit, item, by, connect=connect)
    else:
        assert operate(visit, item, by, connect=connect) is (state in found)
    after = found.get(state, state)
    assert states(meter) == (after, after == 1)


@pytest.mark.parametrize("by", By)
@pytest.mark.parametrize("connect", [False, True])
def test_in_mode_0_it_is_always_connected(by: By, connect: bool) -> None:
    meter = breaker(0, 1)
    visit = meter.management.visit()
    item = visit.find(BREAKER.instance)
    assert item is not None
    with pytest.raises(Refusal):
        operate(visit, item, by, connect=connect)
    assert states(meter) == (1, True)


def test_a_breaker_that_is_put_into_mode_0_is_connected() -> None:
    meter = breaker(4, 0)
    done(put(meter, BREAKER.control_mode, ControlMode.ALWAYS_CONNECTED))
    assert states(meter) == (1, True)


@pytest.mark.parametrize(("address", "mode"), [(BREAKER, 8), (BREAKER, 255), (DisconnectControlVersion0(), 7)])
def test_a_mode_that_there_is_not_is_refused(address: DisconnectControlCommon, mode: int) -> None:
    meter = breaker(6, 1, address)
    assert put(meter, address.control_mode, ControlMode(mode)) is DataAccessResult.TYPE_UNMATCHED
    assert meter.value(address.control_mode) == 6
    done(act(meter, address.remote_disconnect))
    with pytest.raises(ConfigurationError, match=f"control_mode: {mode} is none of version {address.version}"):
        breaker(mode, 1, address)


def test_mode_7_is_reconnected_from_afar_and_by_itself() -> None:
    meter = breaker(7, 0)
    visit = meter.management.visit()
    item = visit.find(BREAKER.instance)
    assert item is not None
    assert operate(visit, item, By.REMOTE, connect=True)
    assert operate(visit, item, By.LOCAL, connect=False)
    assert states(meter) == (ControlState.READY_FOR_RECONNECTION, False)
    assert operate(visit, item, By.LOCAL, connect=True)
    assert (ControlMode.MODE_7, states(meter)) == (7, (ControlState.CONNECTED, True))
