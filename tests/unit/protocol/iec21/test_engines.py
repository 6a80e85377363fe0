"""Reader and meter of IEC 62056-21 on one simulated line, in every mode.

For modes A, B and D there is no other implementation to ask: the text of the standard and captures of meters
(`test_sessions.py`) are the judges there, and what stands here shows that both of our roles go by it.
"""

from __future__ import annotations

from typing import Any

import pytest

from cosem.errors import CosemError, DecodeError, LocalProtocolError, OnlyEcho, RemoteProtocolError, TimedOut
from cosem.protocol.iec21.client import HandHeldUnit
from cosem.protocol.iec21.client_events import (
    Answered,
    BinaryEntered,
    Entered,
    Identified,
    ReadoutReceived,
    Refused,
    SignedOff,
    State,
)
from cosem.protocol.iec21.message import BlockCheck, Check, Command, Identification, Mode, Option
from cosem.protocol.iec21.outbox import LineChange
from cosem.protocol.iec21.server import TariffDevice
from cosem.protocol.iec21.server_events import ReaderGone
from cosem.protocol.iec21.server_events import State as DeviceState
from cosem.protocol.iec21.settings import ClientSettings, ServerSettings, WakeUp
from local_line import Line

DATA = b"F.F(00)\r\n0.0.0(12345678)\r\n1.8.0(000123.456*kWh)\r\n"
PASSWORD = Command("P1", b"(00000000)")
READ = Command("R5", b"1.8.0()")
VALUE = b"1.8.0(000123.456*kWh)"


def answers(asked: Any) -> Any:
    if isinstance(asked, Option):
        return DATA if asked is Option.READOUT else f"P.{asked}(1)\r\n".encode()
    return {"P1": None, "P2": None, "R5": VALUE, "R1": VALUE, "W5": None, "E2": None}.get(asked.name, "ER01")


def line(identification: str = "KFM5MT100", server: dict[str, Any] | None = None, **client: Any) -> Line:
    unit = HandHeldUnit(ClientSettings(**client))
    settings = ServerSettings(identification=Identification.of(identification), **(server or {}))
    return Line(unit, TariffDevice(settings), answers)


def of(line: Line, kind: type[Any]) -> list[Any]:
    return [each for each in line.heard if isinstance(each, kind)]


def entered(identification: str = "KFM5MT100", **client: Any) -> Line:
    """Return a line in programming mode."""
    made = line(identification, **client)
    made.unit.sign_on(0.0, Option.PROGRAMMING)
    made.run(10.0)
    assert of(made, Entered) == [Entered(b"1234567")]
    made.heard.clear()
    return made


def ask(line: Line, command: Command, seconds: float = 10.0) -> list[Any]:
    line.unit.command(command, line.now)
    line.run(line.now + seconds)
    heard, line.heard = line.heard, []
    return heard


# -- the modes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identification", "changes"),
    [
        ("KFM MT100", []),
        ("KFMCMT100", [LineChange(2400, "7E1")]),
        ("KFM5MT100", [LineChange(9600, "7E1")]),
        ("KFM0MT100", []),
        (r"KFM6\2MT100", [LineChange(19200, "7E1")]),
    ],
    ids=["A", "B", "C", "C at 300", "E"],
)
def test_readout(identification: str, changes: list[LineChange]) -> None:
    if identification[3] == " ":
        identification = "KFM-MT100"
    wire = line(identification)
    wire.unit.sign_on(0.0)
    wire.run()
    assert [type(each) for each in wire.heard] == [Identified, ReadoutReceived]
    assert wire.heard[0] == Identified(Identification.of(identification))
    (readout,) = of(wire, ReadoutReceived)
    assert (readout.data, readout.check, readout.fault) == (DATA + b"!\r\n", Check.RIGHT, None)
    assert wire.changes(by_reader=True) == changes
    # the meter goes back by itself, the reader before it calls anew
    assert wire.changes(by_reader=False) == changes + ([LineChange(300, "7E1")] if changes else [])
    assert wire.device.state is DeviceState.IDLE


def test_mode_d_speaks_by_itself_at_2400_baud() -> None:
    wire = line("KFM3MT100", {"mode": Mode.D}, initial_baud=2400)
    wire.lines[True] = LineChange(2400, "7E1")
    wire.unit.listen(0.0)
    wire.run(30.0)
    wire.device.push(DATA, wire.now)
    wire.run(60.0)
    (readout,) = of(wire, ReadoutReceived)
    assert readout.data == b"\r\n" + DATA + b"!\r\n"
    assert readout.check is Check.ABSENT
    assert wire.said(by_reader=True) == b""
    wire.device.receive(b"/?!\r\n", wire.now)
    assert wire.device.outgoing() == []


def test_a_listener_waits_no_longer_than_it_was_told_to() -> None:
    unit = HandHeldUnit()
    unit.listen(0.0, 20.0)
    unit.tick(19.9)
    with pytest.raises(TimedOut, match="listening"):
        unit.tick(20.0)


def test_mode_e_leads_into_hdlc() -> None:
    wire = line(r"KFM5\2MT100")
    wire.unit.sign_on(0.0, Option.BINARY)
    wire.run()
    assert of(wire, BinaryEntered) == [BinaryEntered(9600)]
    assert wire.said(by_reader=True) == b"/?!\r\n\x06252\r\n"
    assert wire.changes(by_reader=True) == wire.changes(by_reader=False) == [LineChange(9600, "8N1")]
    assert wire.device.state is DeviceState.BINARY


def test_a_meter_that_changes_to_hdlc_without_a_word_is_believed() -> None:
    unit = HandHeldUnit()
    unit.sign_on(0.0, Option.BINARY)
    unit.receive(b"/KFM5\\2MT100\r\n", 1.0)
    unit.tick(1.3)
    assert unit.outgoing()
    unit.tick(10.0)
    assert unit.counters["missing_confirmations"] == 1
    assert BinaryEntered(9600) in unit.events()


def test_a_meter_of_mode_c_sends_its_data_where_binary_is_asked_for() -> None:
    wire = line("KFM5MT100")
    wire.unit.sign_on(0.0, Option.BINARY)
    wire.run()
    assert wire.device.counters["refused_selections"] == 1


@pytest.mark.parametrize("option", ["6", "7", "8", "9"])
def test_readouts_of_the_manufacturer(option: str) -> None:
    wire = line()
    wire.unit.sign_on(0.0, Option(option))
    wire.run()
    assert of(wire, ReadoutReceived)[0].data == f"P.{option}(1)\r\n!\r\n".encode()
    assert f"\x0605{option}\r\n".encode() in wire.said(by_reader=True)


def test_over_a_medium_without_speed_it_is_agreed_and_not_switched() -> None:
    wire = line("KFM5MT100", {"switches": False}, switches=False)
    wire.unit.sign_on(0.0)
    wire.run()
    assert of(wire, ReadoutReceived)
    assert b"\x06050\r\n" in wire.said(by_reader=True)
    assert wire.changes(by_reader=True) == wire.changes(by_reader=False) == []


# -- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "own", "answered"),
    [
        ("", "12345678", True),
        ("12345678", "12345678", True),
        ("0012345678", "12345678", True),
        ("12345678", "0012345678", True),
        ("12345679", "12345678", False),
        ("0", "12345678", True),
        ("00000000", "12345678", True),
        ("A" * 32, "A" * 32, True),
    ],
)
def test_only_who_is_called_answers(asked: str, own: str, answered: bool) -> None:
    wire = line("KFM5MT100", {"address": own}, address=asked)
    wire.unit.sign_on(0.0)
    if answered:
        wire.run()
        assert of(wire, ReadoutReceived)
        return
    with pytest.raises(TimedOut, match="sign-on"):
        wire.run()
    assert wire.device.counters["calls_for_others"] == 3


# -- overrides --------------------------------------------------------------------------------------------------------


def test_the_reader_asks_for_no_more_than_it_may() -> None:
    wire = line("KFM6MT100", highest_baud=4800)
    wire.unit.sign_on(0.0)
    wire.run()
    assert b"\x06040\r\n" in wire.said(by_reader=True)
    assert wire.changes(by_reader=True) == [LineChange(4800, "7E1")]


def test_a_meter_that_does_not_follow_its_own_announcement_is_read_all_the_same() -> None:
    """ZMD120AP: it proposes 4800 and stays at 300."""
    wire = line("LGZ4ZMD120AP", {"switches": False})
    wire.unit.sign_on(0.0)
    wire.run()
    assert of(wire, ReadoutReceived)[0].data == DATA + b"!\r\n"
    assert wire.unit.counters["speeds_given_up"] == 1

    told = line("LGZ4ZMD120AP", {"switches": False}, follow=False)
    told.unit.sign_on(0.0)
    told.run()
    assert of(told, ReadoutReceived)
    assert told.changes(by_reader=True) == []
    assert not told.unit.counters["speeds_given_up"]


def test_without_fallback_it_is_not() -> None:
    wire = line("LGZ4ZMD120AP", {"switches": False}, fallback=False)
    wire.unit.sign_on(0.0)
    with pytest.raises(CosemError):
        wire.run()


def test_a_mode_that_is_told_counts_more_than_the_identification() -> None:
    wire = line("KFM5MT100", {"mode": Mode.A}, mode=Mode.A)
    wire.unit.sign_on(0.0)
    wire.run()
    assert of(wire, ReadoutReceived)
    assert wire.said(by_reader=True) == b"/?!\r\n"


def test_a_reader_that_selects_nothing_gets_the_data_at_the_first_speed() -> None:
    wire = line("KFM5MT100", mode=Mode.A)
    wire.unit.sign_on(0.0)
    wire.run()
    assert of(wire, ReadoutReceived)
    assert wire.changes(by_reader=False) == []


# -- waking -----------------------------------------------------------------------------------------------------------


def test_normal_wake_up() -> None:
    wire = line("KFM5MT100", {"wake_up": WakeUp.NORMAL}, wake_up=WakeUp.NORMAL)
    wire.unit.sign_on(0.0)
    wire.run()
    assert of(wire, ReadoutReceived)
    nuls, request = wire.sent[0], wire.sent[1]
    assert nuls[1] == bytes(66)  # 2.2 s of ten bits each at 300 baud
    assert request[1:] == (b"/?!\r\n", pytest.approx(3.8))


def test_a_meter_that_sleeps_hears_no_request() -> None:
    wire = line("KFM5MT100", {"wake_up": WakeUp.NORMAL})
    wire.unit.sign_on(0.0)
    with pytest.raises(TimedOut, match="sign-on"):
        wire.run()


def test_fast_wake_up_ends_with_b1() -> None:
    wire = line("KFM5MT100", {"wake_up": WakeUp.FAST}, wake_up=WakeUp.FAST)
    wire.unit.sign_on(0.0, Option.PROGRAMMING)
    wire.run(20.0)
    assert of(wire, Entered)
    wire.unit.sign_off(wire.now)
    wire.run(40.0)
    assert wire.said(by_reader=True).endswith(bytes.fromhex("0142310370"))
    assert ReaderGone() in wire.wanted


def test_a_meter_that_is_not_woken_ends_in_an_error() -> None:
    unit = HandHeldUnit(ClientSettings(wake_up=WakeUp.FAST))
    unit.sign_on(0.0)
    with pytest.raises(TimedOut, match="wake-up"):
        for step in range(200):
            unit.tick(step * 0.1)
    assert unit.state is State.IDLE


# -- programming mode -------------------------------------------------------------------------------------------------


def test_password_read_write_execute_and_break() -> None:
    wire = entered()
    assert ask(wire, PASSWORD) == [Answered(PASSWORD, None)]
    assert ask(wire, READ) == [Answered(READ, VALUE)]
    write = Command("W5", b"0.9.1(120000)")
    assert ask(wire, write) == [Answered(write, None)]
    execute = Command("E2", b"1(1)")
    assert ask(wire, execute) == [Answered(execute, None)]
    (refused,) = ask(wire, Command("R9", b"1()"))
    assert isinstance(refused, Refused)
    assert refused.error.message == "ER01"
    wire.unit.sign_off(wire.now)
    wire.run(wire.now + 5)
    assert wire.said(by_reader=True).endswith(bytes.fromhex("0142300371"))
    assert wire.wanted[-1] == ReaderGone()
    assert wire.device.state is DeviceState.IDLE


def test_modes_a_and_b_take_commands_behind_the_data() -> None:
    for identification in ("KFM-MT100", "KFMEMT100"):
        wire = line(identification)
        wire.unit.sign_on(0.0, Option.PROGRAMMING)
        wire.run(15.0)
        assert [type(each) for each in wire.heard] == [Identified, ReadoutReceived, Entered]
        assert of(wire, Entered) == [Entered(None)]


def test_a_command_outside_programming_mode_is_our_own_fault() -> None:
    with pytest.raises(LocalProtocolError, match="idle"):
        HandHeldUnit().command(READ, 0.0)
    with pytest.raises(LocalProtocolError):
        line().device.answer(b"", 0.0)


def test_partial_blocks_are_put_together() -> None:
    wire = line("KFM5MT100", {"partial_octets": 24})
    wire.unit.sign_on(0.0)
    wire.run()
    assert of(wire, ReadoutReceived)[0].data == DATA + b"!\r\n"
    assert wire.said(by_reader=False).count(b"\x04") == 3
    assert wire.said(by_reader=True).count(b"\x06") == 4  # option select, and three blocks


def test_partial_blocks_of_a_command_are_put_together() -> None:
    wire = entered()
    asked: list[Command] = []

    def take(command: Any) -> None:
        asked.append(command)

    wire.answers = take
    for part, last in ((b"1.1(1", False), (b"23)", True)):
        ask(wire, Command("W3", part, last))
    assert asked == [Command("W3", b"1.1(123)")]


def test_nak_is_answered_by_the_same_message() -> None:
    wire = entered()
    damaged: list[bytes] = []

    def once(octets: bytes) -> bytes:
        if len(octets) > 1 and not damaged:
            damaged.append(octets)
            return octets.replace(b"123", b"923")
        return octets

    wire.to_reader = once
    assert ask(wire, READ) == [Answered(READ, VALUE)]
    assert damaged
    assert wire.unit.counters["repetitions_asked_for"] == wire.device.counters["repetitions"] == 1


def test_a_command_that_is_damaged_is_said_again() -> None:
    wire = entered()
    damaged: list[bytes] = []

    def once(octets: bytes) -> bytes:
        if not damaged:
            damaged.append(octets)
            return octets[:-1] + b"?"
        return octets

    wire.to_meter = once
    assert ask(wire, READ) == [Answered(READ, VALUE)]
    assert wire.device.counters["commands_not_understood"] == wire.unit.counters["repeated_commands"] == 1


@pytest.mark.parametrize("repeats", [0, 1, 3])
def test_a_meter_that_never_understands_has_refused(repeats: int) -> None:
    wire = entered(repeats=repeats)
    wire.to_meter = lambda octets: octets[:-1] + b"?"
    before = wire.said(by_reader=True)
    (refused,) = ask(wire, READ, 30.0)
    assert isinstance(refused, Refused)
    assert refused.error.message == ""
    assert (len(wire.said(by_reader=True)) - len(before)) // len(READ.encode()) == repeats + 1


@pytest.mark.parametrize("repeats", [0, 2])
def test_data_that_stay_damaged_are_told_as_such(repeats: int) -> None:
    wire = line(repeats=repeats, fallback=False)
    wire.to_reader = lambda octets: octets.replace(b"123.456", b"923.456")
    wire.unit.sign_on(0.0)
    wire.run()
    (readout,) = of(wire, ReadoutReceived)
    assert readout.check is Check.WRONG
    assert "block check" in str(readout.fault)
    assert wire.said(by_reader=True).count(b"\x15") == repeats


# -- silence ----------------------------------------------------------------------------------------------------------


def test_the_meter_signs_off_after_the_agreed_silence_and_not_before() -> None:
    wire = line(keep_alive=0.0, inactivity=100.0)
    wire.unit.sign_on(0.0, Option.PROGRAMMING)
    wire.run(10.0)
    sent = next(at for who, each, at in reversed(wire.sent) if not who and isinstance(each, bytes))
    last = sent + len(b"\x01P0\x02(1234567)\x03\x50") * 10 / 9600
    wire.run(last + 60.0 - 0.01)
    assert wire.device.state is DeviceState.PROGRAMMING
    wire.run(last + 60.0 + 0.01)
    assert wire.device.state is DeviceState.IDLE
    assert wire.wanted[-1] == ReaderGone(automatic=True)


def test_noise_is_no_sign_of_life() -> None:
    wire = line(keep_alive=0.0, inactivity=200.0)
    wire.unit.sign_on(0.0, Option.PROGRAMMING)
    wire.run(10.0)
    for second in range(10, 90):
        wire.device.receive(b"~", float(second))
        wire.device.tick(float(second))
    assert wire.device.state is DeviceState.IDLE


def test_the_reader_knows_when_the_meter_has_gone() -> None:
    unit = HandHeldUnit(ClientSettings(keep_alive=0.0, inactivity=60.0))
    unit.sign_on(0.0, Option.PROGRAMMING)
    unit.receive(b"/KFM5MT100\r\n", 0.5)
    unit.tick(1.0)
    unit.outgoing()
    unit.receive(b"\x01P0\x02(1234567)\x03\x50", 2.0)
    assert unit.deadline() == 62.0
    unit.tick(61.99)
    assert SignedOff(automatic=True) not in unit.events()
    unit.tick(62.0)
    assert unit.events() == [SignedOff(automatic=True)]
    assert unit.state is State.IDLE


def test_the_reader_keeps_the_session_alive() -> None:
    wire = entered()
    wire.run(wire.now + 600.0)
    assert wire.unit.counters["keep_alives"] >= 14
    assert wire.device.state is DeviceState.PROGRAMMING
    assert ask(wire, READ) == [Answered(READ, VALUE)]


def test_a_meter_that_does_not_answer_the_keep_alive_has_gone() -> None:
    wire = entered()
    wire.to_reader = lambda _: b""
    wire.run(wire.now + 60.0)
    assert wire.heard == [SignedOff(automatic=True)]


# -- reaction times ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("identification", "reaction"), [("KFM5MT100", 0.2), ("KFm5MT100", 0.02)])
def test_nobody_answers_before_the_reaction_time(identification: str, reaction: float) -> None:
    wire = entered(identification, acknowledge_delay=0.0)
    wire.unit.command(READ, wire.now)
    wire.run(wire.now + 5)
    assert len(wire.sent) > 5
    last = {True: 0.0, False: 0.0}
    for by_reader, item, at in wire.sent:
        if isinstance(item, LineChange):
            continue
        assert at >= last[not by_reader] + reaction - 0.001 or not last[not by_reader]
        last[by_reader] = at + len(item) * 10 / wire.lines[True].baud


@pytest.mark.parametrize("delay", [0.2, 0.3, 1.5])
def test_the_acknowledgement_waits_as_long_as_it_is_told_to(delay: float) -> None:
    wire = line(acknowledge_delay=delay)
    wire.unit.sign_on(0.0)
    wire.run()
    identified = next(at for who, each, at in wire.sent if not who and isinstance(each, bytes))
    acknowledged = next(at for who, each, at in wire.sent if who and isinstance(each, bytes) and each[0] == 6)
    assert acknowledged - identified - len(b"/KFM5MT100\r\n") / 30 == pytest.approx(delay)


# -- bad lines --------------------------------------------------------------------------------------------------------


def test_an_echo_is_left_out() -> None:
    wire = line("KFM0MT100")
    wire.echoes = True
    wire.unit.sign_on(0.0, Option.PROGRAMMING)
    wire.run(20.0)
    assert of(wire, Entered) == [Entered(b"1234567")]
    wire.heard.clear()
    assert ask(wire, READ) == [Answered(READ, VALUE)]
    assert wire.unit.counters["echoed_octets"]


def test_only_an_echo_is_told_as_such() -> None:
    unit = HandHeldUnit()
    unit.sign_on(0.0)
    with pytest.raises(OnlyEcho, match="is the head on the meter"):
        for step in range(200):
            for each in unit.outgoing():
                if isinstance(each, bytes):
                    unit.receive(each, step / 10)
            unit.tick(step / 10)


def test_silence_ends_after_all_calls() -> None:
    unit = HandHeldUnit(ClientSettings(sign_ons=2, first_octet=2.0))
    unit.sign_on(0.0)
    with pytest.raises(TimedOut, match="sign-on"):
        for step in range(100):
            unit.tick(step / 10)
    assert unit.outgoing() == [b"/?!\r\n"] * 2
    assert unit.state is State.IDLE
    unit.sign_on(20.0)  # and it may be tried again


def test_noise_before_the_identification_is_skipped() -> None:
    wire = line()
    wire.to_reader = lambda octets: b"\x00\x7f/x\xfe" + octets if octets.startswith(b"/") else octets
    wire.unit.sign_on(0.0)
    wire.run()
    assert of(wire, ReadoutReceived)[0].check is Check.RIGHT


def test_what_is_no_identification_is_told() -> None:
    wire = line(sign_ons=1)
    wire.to_reader = lambda octets: octets.replace(b"KFM", b"1FM")
    wire.unit.sign_on(0.0)
    with pytest.raises(DecodeError, match="three letters of the maker"):
        wire.run()


@pytest.mark.parametrize("keep", [3, 30])
def test_a_head_that_falls_off_amid_the_data_ends_in_an_error(keep: int) -> None:
    wire = line(fallback=False)
    state = {"off": False}

    def fall(octets: bytes) -> bytes:
        if state["off"]:
            return b""
        if octets.startswith(b"\x02"):
            state["off"] = True
            return octets[:keep]
        return octets

    wire.to_reader = fall
    wire.unit.sign_on(0.0)
    with pytest.raises(CosemError):
        wire.run()
    assert not of(wire, ReadoutReceived)


@pytest.mark.parametrize("over", [0, 1])
def test_a_meter_that_never_stops_ends_at_the_limit(over: int) -> None:
    unit = HandHeldUnit(ClientSettings(block_octets=1000))
    unit.sign_on(0.0)
    unit.receive(b"/KFM5MT100\r\n", 0.5)
    unit.tick(1.0)
    unit.outgoing()
    endless = b"\x02" + b"1.8.0(1)\r\n" * 200
    unit.receive(endless[:1000], 1.5)
    if over:
        with pytest.raises(DecodeError, match="more than 1000 octets"):
            unit.receive(b"1", 1.6)
        assert unit.state is State.IDLE


def test_a_block_of_just_the_limit_is_taken() -> None:
    body = b"\x02" + b"x" * 997 + b"\r\n"
    for limit, taken in ((len(body) + 1, True), (len(body), False)):
        unit = HandHeldUnit(ClientSettings(block_octets=limit))
        unit.sign_on(0.0)
        unit.receive(b"/KFM5MT100\r\n", 0.5)
        unit.tick(1.0)
        unit.outgoing()
        block = body + b"\x03"
        octets = block + unit_check(block)
        if taken:
            unit.receive(octets, 1.5)
            assert any(isinstance(each, ReadoutReceived) for each in unit.events())
        else:
            with pytest.raises(DecodeError):
                unit.receive(octets, 1.5)


@pytest.mark.parametrize("more", [0, 1])
def test_partial_blocks_have_a_limit_together(more: int) -> None:
    unit = HandHeldUnit(ClientSettings(total_octets=20 - more))
    unit.sign_on(0.0)
    unit.receive(b"/KFM5MT100\r\n", 0.5)
    unit.tick(1.0)
    for _ in range(2):
        block = b"\x02" + b"0123456789" + b"\x04"
        if more and _:
            with pytest.raises(DecodeError, match="more than 19 octets"):
                unit.receive(block + unit_check(block), 1.5)
        else:
            unit.receive(block + unit_check(block), 1.5)


def test_a_meter_that_dribbles_for_ever_ends_with_the_time_of_an_answer() -> None:
    unit = HandHeldUnit(ClientSettings(answer=30.0, fallback=False))
    unit.sign_on(0.0)
    unit.receive(b"/KFM5MT100\r\n", 0.5)
    unit.tick(1.0)
    with pytest.raises(TimedOut, match="whole answer phase within 30 s"):
        for step in range(10, 1000):
            unit.receive(b"\x02" if step == 10 else b"1", step / 10)
            unit.tick(step / 10)


def signed_on(**settings: Any) -> HandHeldUnit:
    """A reader that has asked a meter for its data at 1.0, over a connection that has no speed."""
    unit = HandHeldUnit(ClientSettings(switches=False, fallback=False, repeats=0, **settings))
    unit.sign_on(0.0)
    unit.receive(b"/KFM5MT100\r\n", 0.5)
    unit.tick(1.0)
    unit.outgoing()
    return unit


def test_the_first_octet_may_take_so_long_and_no_longer() -> None:
    unit = signed_on(first_octet=2.0)
    unit.tick(2.999)
    assert unit.deadline() == 3.0
    with pytest.raises(TimedOut, match="readout phase within 2 s"):
        unit.tick(3.0)


def test_the_next_octet_may_take_so_long_and_no_longer() -> None:
    unit = signed_on(inter_octet=0.5)
    unit.receive(b"\x021.8.0(", 2.0)
    unit.tick(2.499)
    unit.receive(b"1", 2.499)
    assert unit.deadline() == 2.999
    with pytest.raises(TimedOut, match="readout"):
        unit.tick(2.999)


def test_the_whole_answer_may_take_so_long_and_no_longer() -> None:
    unit = signed_on(answer=30.0)
    unit.receive(b"\x021.8.0(", 2.0)
    unit.receive(b"1", 30.999)  # of a meter that never pauses, so that no time passes without an octet
    with pytest.raises(TimedOut, match="whole answer phase within 30 s"):
        unit.receive(b"1", 31.0)
    assert unit.state is State.IDLE


def test_the_session_may_take_so_long_and_no_longer() -> None:
    unit = signed_on(session=10.0, first_octet=100.0)
    assert unit.deadline() == 10.0
    unit.tick(9.999)
    with pytest.raises(TimedOut, match="session phase within 10 s"):
        unit.tick(10.0)
    unit = signed_on(session=10.0)
    unit.receive(b"\x02", 9.999)
    with pytest.raises(TimedOut, match="session"):
        unit.receive(b"1", 10.0)
    unit.sign_on(20.0)
    assert unit.outgoing() == [b"/?!\r\n"]  # each session has its own time
    unit.tick(21.0)


def test_a_break_amid_the_sign_on_is_told() -> None:
    unit = HandHeldUnit()
    unit.sign_on(0.0, Option.PROGRAMMING)
    unit.receive(b"/KFM5MT100\r\n", 0.5)
    unit.tick(1.0)
    with pytest.raises(RemoteProtocolError, match="B0"):
        unit.receive(bytes.fromhex("0142300371"), 1.5)


def test_a_meter_without_block_check_is_read_where_that_is_told() -> None:
    absent: dict[str, Any] = {"block_check": BlockCheck.ABSENT}
    wire = line("KFM5MT100", dict(absent), **absent)
    wire.unit.sign_on(0.0)
    wire.run()
    assert of(wire, ReadoutReceived)[0].check is Check.ABSENT
    untold = line("KFM5MT100", dict(absent), repeats=1, fallback=False)
    untold.unit.sign_on(0.0)
    untold.run()
    (readout,) = of(untold, ReadoutReceived)
    assert readout.check is Check.WRONG
    assert "is missing" in str(readout.fault)


def unit_check(octets: bytes) -> bytes:
    """The exclusive or of all behind the first octet, written out for the tests."""
    check = 0
    for octet in octets[1:]:
        check ^= octet
    return bytes((check,))
