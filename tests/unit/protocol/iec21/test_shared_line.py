"""Meters that hear each other on one line: none disturbs the session of another, whatever it was doing itself."""

from __future__ import annotations

import pytest

from cosem.protocol.iec21.message import Acknowledgement, Block, Command, Identification, Mode, SignOn
from cosem.protocol.iec21.server import TariffDevice
from cosem.protocol.iec21.server_events import Called, ProgrammingWanted, ReaderGone, ReadoutWanted, State
from cosem.protocol.iec21.settings import ServerSettings

DATA = b"1.8.0(1*kWh)\r\n"
OWN, OTHER = "41", "42"


def said(device: TariffDevice, now: float) -> bytes:
    device.tick(now)
    return b"".join(each for each in device.outgoing() if isinstance(each, bytes))


def sent(mode: Mode) -> TariffDevice:
    """Return a meter that has sent its readout a moment ago."""
    settings = ServerSettings(identification=Identification.of("KFM5MT"), address=OWN, mode=mode, switches=False)
    device = TariffDevice(settings)
    device.receive(SignOn(OWN).encode(), 0.0)
    assert said(device, 0.5).startswith(b"/KFM5")
    if mode is Mode.C:
        device.receive(Acknowledgement("0", "5", "0").encode(), 0.6)
    assert [each for each in device.events() if isinstance(each, ReadoutWanted)]
    device.readout(DATA, 0.8)
    assert DATA in said(device, 1.0)
    assert device.state is State.SENT
    return device


@pytest.mark.parametrize("mode", [Mode.A, Mode.B, Mode.C])
@pytest.mark.parametrize("size", [1, 100])
def test_a_call_for_another_ends_what_was_waited_for(mode: Mode, size: int) -> None:
    device, call = sent(mode), SignOn(OTHER).encode()
    for start in range(0, len(call), size):
        device.receive(call[start : start + size], 1.1)
    assert (device.state, said(device, 1.6)) == (State.IDLE, b"")
    assert device.counters["calls_for_others"] == 1
    device.receive(b"\x15", 1.7)  # a reader asks the other meter for its data once more
    assert said(device, 2.2) == b""


@pytest.mark.parametrize("mode", [Mode.A, Mode.B, Mode.C])
def test_the_data_of_another_are_not_commented_on(mode: Mode) -> None:
    device = sent(mode)
    device.receive(Block(DATA + b"!\r\n").encode(), 1.1)
    assert (device.state, said(device, 1.6)) == (State.IDLE, b"")


@pytest.mark.parametrize("mode", [Mode.A, Mode.C])
def test_ones_own_reader_is_answered_at_once(mode: Mode) -> None:
    device = sent(mode)
    device.events()
    device.receive(SignOn(OWN).encode(), 1.1)
    assert said(device, 1.6).startswith(b"/KFM5")
    assert [each for each in device.events() if isinstance(each, Called)]


def test_a_reader_that_asks_for_a_repetition_has_it_still() -> None:
    device = sent(Mode.C)
    device.receive(b"\x15", 1.1)
    assert DATA in said(device, 1.6)


def test_who_was_called_and_not_selected_does_not_speak_into_the_session_of_another() -> None:
    settings = ServerSettings(identification=Identification.of("KFM5MT"), address=OWN, switches=False)
    device = TariffDevice(settings)
    device.receive(SignOn(OWN).encode(), 0.0)
    assert said(device, 1.0)
    device.receive(SignOn(OTHER).encode(), 1.1)
    assert (device.state, said(device, 60.0)) == (State.IDLE, b"")


def test_a_call_ends_programming_mode() -> None:
    settings = ServerSettings(identification=Identification.of("KFM5MT"), address=OWN, switches=False)
    device = TariffDevice(settings)
    device.receive(SignOn(OWN).encode(), 0.0)
    said(device, 1.0)
    device.receive(Acknowledgement("0", "5", "1").encode(), 1.1)
    assert [each for each in device.events() if isinstance(each, ProgrammingWanted)]
    device.enter(b"", 1.2)
    said(device, 2.0)
    device.receive(Command("R5", b"1.8.0(/?)").encode(), 2.1)  # which is no call
    assert device.state is State.ASKED
    device.answer(b"(1)", 2.2)
    said(device, 3.0)
    device.events()
    device.receive(SignOn(OTHER).encode(), 3.1)
    assert [type(each) for each in device.events()] == [ReaderGone]
    assert (device.state, said(device, 4.0)) == (State.IDLE, b"")
