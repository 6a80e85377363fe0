"""Sessions with meters as they were recorded, played again to our reader."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cosem.protocol.iec21.client import HandHeldUnit
from cosem.protocol.iec21.client_events import Answered, Entered, Identified, ReadoutReceived
from cosem.protocol.iec21.message import BlockCheck, Check, Command, Mode, Option
from cosem.protocol.iec21.readout import Readout
from cosem.protocol.iec21.settings import ClientSettings

VECTORS = Path(__file__).parents[3] / "vectors" / "iec21.jsonl"
CASES = {case["id"]: case for case in map(json.loads, VECTORS.read_text(encoding="utf-8").splitlines())}


def test_a_session_of_programming_mode_with_an_energomera_meter() -> None:
    """Its block check is a sum, its registers have names instead of OBIS codes."""
    exchange = [(each["dir"], each["text"].encode("latin-1")) for each in CASES["energomera-ce301-session"]["exchange"]]
    unit = HandHeldUnit(ClientSettings(block_check=BlockCheck.SUM, switches=False))
    now = 0.0
    unit.sign_on(now, Option.PROGRAMMING)
    answers: list[bytes | None] = []
    for direction, octets in exchange:
        if direction == "rx":
            now += 0.1
            unit.receive(octets, now)
        else:
            if octets[0] == 1:
                name, _, data = octets[1:-2].partition(b"\x02")
                unit.command(Command(name.decode(), data), now)
            now += 0.5
            unit.tick(now)
            assert b"".join(each for each in unit.outgoing() if isinstance(each, bytes)) == octets
        answers += [event.data for event in unit.events() if isinstance(event, Answered)]
    assert answers[0] is None
    assert answers[1] == b"HELLO(2,CE301,12,00123456,dummy)\r\n"
    assert answers[2] is not None
    assert answers[2].startswith(b"ET0PE(16907.9477764)\r\n")


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_an_iskra_meter_in_mode_c(size: int) -> None:
    """It repeats the option select before its data."""
    octets = CASES["apollon-iskra-mt174"]["text"].encode("latin-1")
    unit = HandHeldUnit(ClientSettings(switches=False))
    unit.sign_on(0.0)
    end = octets.index(b"\n") + 1
    unit.receive(octets[:end], 0.5)
    unit.tick(1.0)
    for at in range(end, len(octets), size):
        unit.receive(octets[at : at + size], 1.0 + at / 960)
    identified, received = unit.events()
    assert isinstance(identified, Identified)
    assert identified.identification.reaction == 0.02
    assert isinstance(received, ReadoutReceived)
    assert received.check is Check.RIGHT
    readout = Readout.of(received.identification, received.data, received.check)
    assert len(readout.sets) == CASES["apollon-iskra-mt174"]["sets"]


def test_an_itron_meter_that_echoes_the_request_and_never_ends_its_block() -> None:
    octets = CASES["apollon-itron-em214"]["text"].encode("latin-1")
    unit = HandHeldUnit(ClientSettings(block_check=BlockCheck.ABSENT, switches=False))
    unit.sign_on(0.0)
    unit.receive(octets[:17], 0.5)
    unit.tick(1.0)
    unit.receive(octets[17:], 1.2)
    unit.tick(5.0)
    received = unit.events()[-1]
    assert isinstance(received, ReadoutReceived)
    assert received.check is Check.ABSENT
    assert unit.counters["blocks_without_end"] == 1


def test_a_heat_meter_in_mode_b_whose_block_check_is_wrong() -> None:
    """SIEC2WR5: baud character C, no option select; the capture's check is wrong, so that nothing of it is believed."""
    octets = CASES["apollon-sie-uh50"]["text"].encode("latin-1")
    unit = HandHeldUnit(ClientSettings(repeats=0))
    unit.sign_on(0.0)
    unit.outgoing()
    unit.receive(octets, 0.5)
    identified, received = unit.events()
    assert isinstance(identified, Identified)
    assert identified.identification.mode is Mode.B
    assert isinstance(received, ReadoutReceived)
    assert received.check is Check.WRONG
    assert [str(each) for each in unit.outgoing()] == ["LineChange(baud=2400, character_format='7E1')"]


@pytest.mark.parametrize("name", ["apollon-emh-ehz", "ndokter-easymeter-q3da1004", "ndokter-easymeter-q3db1024"])
def test_meters_that_speak_by_themselves(name: str) -> None:
    """Mode D: there is no other implementation to ask, captures are the judges."""
    case = CASES[name]
    octets = case["text"].encode("latin-1")
    unit = HandHeldUnit()
    unit.listen(0.0)
    for at, octet in enumerate(b"\x00~" + octets):
        unit.receive(bytes((octet,)), at / 240)
    identified, received = unit.events()
    assert isinstance(identified, Identified)
    assert isinstance(received, ReadoutReceived)
    readout = Readout.of(received.identification, received.data, received.check)
    assert len(readout.sets) == case["sets"]
    assert not any(isinstance(each, Entered) for each in unit.events())
