"""Lines that move the cover, seal, breaker and supply of simulated meters: what they do, and why they cannot."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from behaving import Now, run, write
from cosem.cli.control import LONGEST_LINE, Control, Lines
from cosem.errors import ConfigurationError
from cosem.meter import Meter
from cosem.meter.demo import household
from cosem.meter.describe import parse
from cosem.meter.memory import remember
from cosem.protocol.model.classes.time_and_event import ControlMode, ControlState, DisconnectControl
from cosem.store.state import open_state
from described import BREAKER, ENERGY, HEAD, LOG, NAME, NOON, log, thing

VALVE = DisconnectControl("0.1.96.3.10.255")
METROLOGY = thing("Data", "0.0.128.0.0.255") + '[[metrology]]\nmode = "0.0.128.0.0.255"\n'
NOTED = log(
    cover_opened=40,
    cover_closed=41,
    seal_broken=42,
    calibration_ended=43,
    disconnected_manually=44,
    reconnected_manually=45,
    power_down=46,
    power_up=47,
)


def breaker(mode: int, instance: str = "0.0.96.3.10.255") -> str:
    return thing("DisconnectControl", instance, f"control_mode = {mode}")


def made(text: str, now: Now | None = None) -> Meter:
    return parse(HEAD + text, clock=now or Now(NOON))


def noted(meter: Meter) -> list[int]:
    return [int(row[1]) for row in meter.value(LOG.buffer)]


def refusal(control: Control, line: str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        control.act(line)
    return str(refused.value)


def test_the_case_is_opened_and_closed_and_that_is_noted() -> None:
    meter = made(NOTED + METROLOGY)
    control, metrology = Control([meter]), meter.management.metrology
    assert metrology is not None
    assert control.act("cover open") == f"{NAME}: the cover is open"
    assert control.act(" SEAL  break ") == f"{NAME}: the seal is broken"
    assert (metrology.calibration.cover_off, metrology.calibration.seal_broken) == (True, True)
    assert control.act("cover open") == f"{NAME}: the cover is open"
    assert control.act("cover close") == f"{NAME}: the cover is closed"
    assert control.act("seal mend") == f"{NAME}: the seal is whole"
    assert (metrology.calibration.cover_off, metrology.calibration.seal_broken) == (False, False)
    assert noted(meter) == [47, 40, 42, 41]


@pytest.mark.parametrize(
    ("mode", "off", "on"),
    # By IEC 62056-6-2: who is not in mode 0 may be reconnected by hand; disconnected only in modes 1, 2 and 5.
    [
        (0, False, False),
        (1, True, True),
        (2, True, True),
        (3, False, True),
        (4, False, True),
        (5, True, True),
        (6, False, True),
    ],
)
def test_a_breaker_is_moved_by_hand_as_its_mode_has_it(mode: int, off: bool, on: bool) -> None:
    meter = made(breaker(mode) + NOTED)
    control = Control([meter])
    if off:
        assert control.act("breaker off") == f"{NAME}: 0.0.96.3.10.255 is off, and ready to be switched on"
        assert meter.value(BREAKER.output_state) is False
        assert meter.value(BREAKER.control_state) is ControlState.READY_FOR_RECONNECTION
    else:
        assert f"control mode {mode} has no manual disconnection" in refusal(control, "breaker off")
        assert meter.value(BREAKER.output_state) is True
    if on:
        assert control.act("breaker on") == f"{NAME}: 0.0.96.3.10.255 is on"
    else:
        assert f"control mode {mode} has no manual reconnection" in refusal(control, "breaker on")
    assert meter.value(BREAKER.control_state) is ControlState.CONNECTED
    assert noted(meter) == [47, 44, 45] if off else [47]


def test_what_was_disconnected_from_afar_is_not_switched_on_by_hand() -> None:
    meter = made(breaker(1))
    run(meter, BREAKER.remote_disconnect)
    assert "disconnected from afar" in refusal(Control([meter]), "breaker on")
    assert meter.value(BREAKER.control_state) is ControlState.DISCONNECTED
    assert Control([meter]).act("breaker off") == f"{NAME}: 0.0.96.3.10.255 is off"


def test_a_breaker_that_slept_until_then_stops_what_flows() -> None:
    now = Now(NOON)
    meter = household(1, clock=now)
    write(meter, BREAKER.control_mode, ControlMode.MODE_1)
    control = Control([meter])
    assert control.act("breaker off") == f"{meter.name}: 0.0.96.3.10.255 is off, and ready to be switched on"
    before = int(meter.value(ENERGY.value))
    now.later(hours=5)
    assert int(meter.value(ENERGY.value)) == before
    assert control.act("breaker on") == f"{meter.name}: 0.0.96.3.10.255 is on"
    now.later(hours=5)
    assert int(meter.value(ENERGY.value)) > before


def test_one_of_several_breakers_is_named_behind() -> None:
    meter = made(breaker(1) + breaker(1, "0.1.96.3.10.255"))
    control = Control([meter])
    assert control.act("breaker off 0-1:96.3.10") == f"{NAME}: 0.1.96.3.10.255 is off, and ready to be switched on"
    assert (meter.value(BREAKER.output_state), meter.value(VALVE.output_state)) == (True, False)
    control.act("breaker off")
    assert meter.value(BREAKER.output_state) is False
    assert "there is no 0.2.96.3.10.255, but 0.0.96.3.10.255, 0.1.96.3.10.255" in refusal(
        control, "breaker on 0.2.96.3.10.255"
    )
    only = made(breaker(1, "0.1.96.3.10.255"))
    assert "0.1.96.3.10.255 is off" in Control([only]).act("breaker off")
    two = made(breaker(1, "0.1.96.3.10.255") + breaker(1, "0.2.96.3.10.255"))
    assert "which one: 0.1.96.3.10.255, 0.2.96.3.10.255" in refusal(Control([two]), "breaker off")


def test_the_supply_fails_and_comes_back() -> None:
    now = Now(NOON)
    meter = made(NOTED + METROLOGY, now)
    control = Control([meter])
    assert control.act("supply off") == f"{NAME}: the supply is off"
    now.later(minutes=5)
    assert not meter.powered
    assert "no power: type supply on first" in refusal(control, "cover open")
    assert control.act("supply on") == f"{NAME}: the supply is on"
    assert meter.power.failures == ((NOON, NOON + timedelta(minutes=5)),)
    assert noted(meter) == [47, 46, 47]


def test_an_outage_of_the_description_goes_on() -> None:
    now = Now(NOON)
    meter = made("[[power]]\nat = 2026-03-28T12:01:00+00:00\nlength = 60\n", now)
    now.later(seconds=90)
    assert "an outage of [[power]] goes on" in refusal(Control([meter]), "supply on")


def test_what_a_meter_does_not_have_is_refused() -> None:
    control = Control([household(1, load="heat", clock=Now(NOON))])
    assert "describe [[metrology]]" in refusal(control, "cover open")
    assert "no disconnect control (class 70)" in refusal(control, "breaker off")


@pytest.mark.parametrize("line", ["open", "cover", "cover ajar", "breakers off", "help me"])
def test_a_line_that_is_not_known_is_told_what_there_is(line: str) -> None:
    said = refusal(Control([made("")]), line)
    assert f"there is no {line!r}: there is cover open, cover close, seal break" in said


def test_words_too_many_are_not_passed_over() -> None:
    control = Control([made(METROLOGY + breaker(1))])
    assert "what is 'now'?" in refusal(control, "cover open now")
    assert "what is 'now'?" in refusal(control, "breaker off 0.0.96.3.10.255 now")
    assert control.act("  ") == ""


def test_of_several_meters_one_is_named_in_front() -> None:
    meters = [household(number, clock=Now(NOON)) for number in range(1, 12)]
    control = Control(meters)
    assert "which one: KFM1020000000001, KFM1020000000002" in refusal(control, "supply off")
    assert "and 3 more" in refusal(control, "supply off")
    assert control.act("kfm1020000000002 supply off") == "KFM1020000000002: the supply is off"
    assert [meter.powered for meter in meters].count(False) == 1 and not meters[1].powered
    assert "nothing is called 'KFM'" in refusal(control, "KFM supply on")
    told = control.act("help")
    assert "KFM1020000000008 and 3 more" in told
    assert len(told.splitlines()) == 10


def test_the_only_one_that_has_such_a_thing_needs_no_name() -> None:
    text = '[[device]]\nsap = 17\nname = "KFMG200012345678"\n' + thing(
        "DisconnectControl", "0.0.96.3.10.255", "device = 17", "control_mode = 1"
    )
    control = Control([made(text)])
    assert control.act("breaker off").startswith("KFMG200012345678: ")
    assert control.act("supply off") == f"{NAME}: the supply is off"
    assert "the supply is that of the whole meter" in refusal(control, "KFMG200012345678 supply on")
    assert f"{NAME}: there is no disconnect control" in refusal(control, f"{NAME} breaker on")


def test_what_was_done_is_kept(tmp_path: Path) -> None:
    now = Now(NOON)
    store = open_state(tmp_path / "state")
    meter = made(METROLOGY + breaker(1), now)
    remember(meter, store)
    for line in ("cover open", "breaker off", "supply off"):
        Control([meter]).act(line)
    store.close()
    again = made(METROLOGY + breaker(1), now)
    remember(again, open_state(tmp_path / "state"))
    assert again.management.metrology is not None
    assert again.management.metrology.calibration.cover_off
    assert again.value(BREAKER.output_state) is False
    assert not again.powered


def test_lines_are_cut_wherever_they_come_apart_and_the_last_one_needs_no_end() -> None:
    lines = Lines()
    assert list(lines.feed(b"cover o")) == []
    assert list(lines.feed(b"pen\nseal break\r\n\nsup")) == ["cover open", "seal break\r"]
    assert list(lines.feed(b"ply off")) == []
    assert list(lines.feed(b"")) == ["supply off"]
    assert list(lines.feed(b"")) == []


@pytest.mark.parametrize(("octets", "fits"), [(LONGEST_LINE, True), (LONGEST_LINE + 1, False)])
def test_a_line_is_not_endless(octets: int, fits: bool) -> None:
    lines = Lines()
    for at in range(octets):
        assert list(lines.feed(b"x")) == [], at
    assert list(lines.feed(b"\nhelp\n")) == ["x" * octets if fits else None, "help"]
