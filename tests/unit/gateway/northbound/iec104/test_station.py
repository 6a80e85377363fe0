"""A controlled station of IEC 60870-5-104: what it tells, what it answers, and which commands it takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cosem.errors import ConfigurationError, RemoteProtocolError
from cosem.gateway.northbound import Point
from cosem.gateway.northbound.iec104.apdu import Asdu, FrameReader, Information, Supervisory
from cosem.gateway.northbound.iec104.elements import time_tag
from cosem.gateway.northbound.iec104.station import Conversation, Station, StationSettings, Wanted, addressed
from cosem.gateway.value import CommandResult, NumberType, Quality, Sample

NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
TAG = "0000000c9a0b1a"  # Thursday
START, STOP = bytes.fromhex("680407000000"), bytes.fromhex("680413000000")


def point(signal: str, number_type: NumberType, ioa: int | None = None, *, writable: bool = False) -> Point:
    return Point(signal, "meter", signal, number_type, ioa=ioa, writable=writable)


POINTS = [
    point("breaker", NumberType.DIGITAL, 10, writable=True),
    point("limit", NumberType.FLOAT, 11, writable=True),
    point("rate", NumberType.SIGNED16, 12, writable=True),
    point("bits", NumberType.BITSTRING, 13, writable=True),
    point("energy", NumberType.UNSIGNED32),
    point("power", NumberType.FLOAT),
    point("name", NumberType.TEXT),
]
BREAKER, LIMIT, RATE, BITS, ENERGY, POWER = 10, 11, 12, 13, 1, 2


def sample(signal: str, value: float, *, backfilled: bool = False) -> Sample:
    return Sample(signal, value, Quality.GOOD, NOON, NOON, backfilled=backfilled)


class Master:
    """The other side of one connection: numbers its frames and acknowledges all that it gets."""

    def __init__(self, station: Station, *, start: bool = True, acknowledges: bool = True) -> None:
        self.conversation: Conversation = station.converse(0, "192.0.2.7")
        self.acknowledges = acknowledges
        self.sent = self.received = 0
        self._reader = FrameReader()
        if start:
            self.raw(START)

    def raw(self, octets: bytes, now: float = 0) -> list[Wanted]:
        return self.conversation.receive(octets, now)

    def ask(self, asdu: str, now: float = 0) -> list[Wanted]:
        frame = Information(self.sent, self.received, bytes.fromhex(asdu))
        self.sent += 1
        return self.raw(frame.encode(), now)

    def told(self) -> list[str]:
        """Return the data units that have come, in hexadecimal."""
        found: list[str] = []
        while octets := self.conversation.outgoing():
            for frame in self._reader.take(octets):
                if isinstance(frame, Information):
                    found.append(frame.asdu.hex())
                    self.received += 1
            if self.acknowledges:
                self.raw(Supervisory(self.received).encode())
        return found


@pytest.fixture
def station() -> Station:
    return Station(POINTS, time=lambda: NOON)


def test_addresses_are_those_named_and_the_lowest_free_ones() -> None:
    assert {address: each.signal for address, each in addressed(POINTS).items()} == {
        ENERGY: "energy", POWER: "power", 10: "breaker", 11: "limit", 12: "rate", 13: "bits",
    }  # fmt: skip


@pytest.mark.parametrize("ioa", [0, 1 << 24, 10])
def test_addresses_that_cannot_be(ioa: int) -> None:
    with pytest.raises(ConfigurationError):
        addressed([*POINTS, point("more", NumberType.FLOAT, ioa)])
    assert addressed([point("last", NumberType.FLOAT, (1 << 24) - 1)])


@pytest.mark.parametrize("address", [0, 65535])
def test_common_addresses_that_cannot_be(address: int) -> None:
    with pytest.raises(ConfigurationError):
        StationSettings(common_address=address)
    assert StationSettings(common_address=65534).common_address == 65534


def test_news_go_out_with_their_time_and_those_of_one_type_together(station: Station) -> None:
    master = Master(station)
    station.publish([sample("power", 1.5), sample("limit", 2), sample("breaker", 1), sample("name", 0)])
    master.conversation.pump(0)
    assert master.told() == [
        "2402030001000200000000c03f00" + TAG + "0b00000000004000" + TAG,
        "1e01030001000a000001" + TAG,
    ]


def test_a_station_interrogation_shows_all_but_counters(station: Station) -> None:
    master = Master(station)
    station.publish([sample("breaker", 1)])
    master.conversation.pump(0)
    master.told()
    master.ask("64010600010000000014")
    assert master.told() == [
        "64010700010000000014",
        "0101140001000a000001",
        "0701140001000d00000000000080",
        "0b01140001000c0000000080",
        "0d02140001000200000000000080" + "0b00000000000080",
        "64010a00010000000014",
    ]


def test_an_interrogation_of_counters(station: Station) -> None:
    master = Master(station)
    station.publish([sample("energy", 123456)])
    master.told()
    master.ask("65010600010000000005")
    assert master.told()[-3:] == ["65010700010000000005", "0f0125000100010000" + "40e2010000", "65010a00010000000005"]


def test_an_interrogation_with_time_tags() -> None:
    station = Station(POINTS[:1], StationSettings(tagged_interrogation=True))
    station.publish([sample("breaker", 1)])
    master = Master(station)
    master.told()
    master.ask("64010600010000000014")
    assert master.told()[1] == "1e01140001000a000001" + TAG


def test_one_interrogation_at_a_time() -> None:
    many = Station([point(f"s{each}", NumberType.FLOAT) for each in range(1000)])
    master = Master(many, acknowledges=False)
    master.ask("64010600010000000014")
    master.ask("64010600010000000014")
    master.acknowledges = True
    told = master.told()
    assert [each for each in told if each.startswith("6401")] == [
        "64010700010000000014", "64014700010000000014", "64010a00010000000014",
    ]  # fmt: skip
    assert sum(Asdu.decode(bytes.fromhex(each)).count for each in told if each.startswith("0d")) == 1000
    master.ask("64010600010000000014")
    assert master.told()[0] == "64010700010000000014"


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("660105000100020000", "0d0105000100020000" + "0000000080"),  # read
        ("660105000100630000", "66016f000100630000"),  # … of an object that is not there
        ("660106000100020000", "66016d000100020000"),  # … for another reason
        ("64010600020000000014", "64016e00020000000014"),  # another station
        ("64010600ffff00000014", "64010700010000000014"),  # all stations
        ("66010500ffff020000", "66016e00ffff020000"),  # of which nobody reads
        ("64010500010000000014", "64016d00010000000014"),  # an interrogation that is no activation
        ("64010600010001000014", "64016f00010001000014"),  # … of an object
        ("640106000100000000", "64016d000100000000"),  # … without qualifier
        ("64010600010000000015", "64014700010000000015"),  # … of a group
        ("65010600010000000045", "65014700010000000045"),  # … that freezes counters
        ("6701060001000000000000000c9a0b1a", "6701470001000000000000000c9a0b1a"),  # the clock
        ("680106000100000000aa55", "680107000100000000aa55"),  # a test
        ("680106000100000000aa5500", "68016d000100000000aa5500"),  # … of the wrong length
        ("69010600010000000001", "69016c00010000000001"),  # reset of the process
        ("2d010600010063000001", "2d016f00010063000001"),  # a command to nobody
        ("2d010600010002000001", "2d016f00010002000001"),  # … to what takes none
        ("3201060001000a00000000c03f00", "32016f0001000a00000000c03f00"),  # … of another kind
        ("2d01050001000a000001", "2d016d0001000a000001"),  # … for another reason
        ("2d01080001000a000001", "2d01490001000a000001"),  # … which is not selected, given up
        ("2d01060001000a00000100", "2d01470001000a00000100"),  # … of the wrong length
        ("2e01060001000a000003", "2e01470001000a000003"),  # … neither on nor off
        ("3201060001000b00000000c07f00", "3201470001000b00000000c07f00"),  # … that is no number
    ],
)
def test_what_is_answered(station: Station, asked: str, answer: str) -> None:
    master = Master(station)
    assert master.ask(asked) == []
    told = master.told()
    assert told[0] == answer


@pytest.mark.parametrize(
    ("asked", "signal", "value"),
    [
        ("2d01060001000a000001", "breaker", True),
        ("2e01060001000a000001", "breaker", False),
        ("3101060001000c0000fbff00", "rate", -5),
        ("3201060001000b00000000c03f00", "limit", 1.5),
        ("3201060001000c00000000c03f00", "rate", 1.5),
        ("3301060001000d000005000000", "bits", "0" * 29 + "101"),
        ("3a01060001000a000001" + TAG, "breaker", True),
    ],
)
def test_commands(station: Station, asked: str, signal: str, value: object) -> None:
    master = Master(station)
    (wanted,) = master.ask(asked)
    assert (wanted.command.signal, wanted.command.value) == (signal, value)
    assert "192.0.2.7" in wanted.command.origin
    assert master.told() == []
    master.conversation.obeyed(wanted, CommandResult(True), 1)
    head, tail = asked[:4], asked[8:]
    assert master.told() == [f"{head}0700{tail}", f"{head}0a00{tail}"]


def test_a_command_that_fails(station: Station) -> None:
    master = Master(station)
    (wanted,) = master.ask("2d01060001000a000001")
    master.conversation.obeyed(wanted, CommandResult(False, "the meter said no"), 1)
    assert master.told() == ["2d01470001000a000001"]
    master.conversation.obeyed(wanted, CommandResult(True), 1)
    assert master.told() == []


def test_one_command_to_a_point_at_a_time(station: Station) -> None:
    master = Master(station)
    (wanted,) = master.ask("2d01060001000a000001")
    assert master.ask("2d01060001000a000000") == []
    assert master.told() == ["2d01470001000a000000"]
    master.conversation.obeyed(wanted, CommandResult(True), 1)
    assert len(master.ask("2d01060001000a000000")) == 1


@pytest.mark.parametrize(("most", "taken"), [(2, 1), (1, 0)])
def test_so_many_commands_at_once(most: int, taken: int) -> None:
    master = Master(Station(POINTS, StationSettings(commands=most)))
    master.ask("2d01060001000a000001")
    assert len(master.ask("3101060001000c0000fbff00")) == taken


def test_select_before_operate() -> None:
    master = Master(Station(POINTS, StationSettings(select_first=True, select_time=10)))
    assert master.ask("2d01060001000a000001") == []
    assert master.told() == ["2d01470001000a000001"]  # not selected
    for seconds, taken in ((9.9, 1), (10.0, 0)):
        assert master.ask("2d01060001000a000081", 0) == []
        assert master.told() == ["2d01070001000a000081"]
        found = master.ask("2d01060001000a000001", seconds)
        assert len(found) == taken
        for each in found:
            master.conversation.obeyed(each, CommandResult(True), seconds)
        master.told()
    master.ask("2d01060001000a000081", 0)
    assert master.ask("2d01060001000a000000", 0) == []  # another than was selected
    master.ask("2d01060001000a000081", 0)
    master.ask("2d01080001000a000081", 0)
    assert master.told()[-1] == "2d01090001000a000081"  # given up
    assert master.ask("2d01060001000a000001", 0) == []
    assert len(master.ask("3301060001000d000005000000", 0)) == 1  # bit-strings have nothing to select


@pytest.mark.parametrize(("seconds", "taken"), [(3.9, 1), (4.0, 0)])
def test_select_before_operate_of_one_point_alone(seconds: float, taken: int) -> None:
    """Select or execute is a bit of each command (IEC 60870-5-101), so that each point may want it."""
    points = [replace(each, select=4 if each.number_type is NumberType.DIGITAL else 0) for each in POINTS]
    master = Master(Station(points, StationSettings()))
    assert master.ask("2d01060001000a000001", 0) == []
    assert master.told() == ["2d01470001000a000001"]
    master.ask("2d01060001000a000081", 0)
    assert master.told() == ["2d01070001000a000081"]
    assert len(master.ask("2d01060001000a000001", seconds)) == taken
    assert len(master.ask("3101060001000c0000fbff00", seconds)) == 1  # which wants no selection


@pytest.mark.parametrize(("seconds", "taken"), [(60, 1), (61, 0), (-60, 1), (-61, 0)])
def test_a_command_of_another_time_is_not_taken(station: Station, seconds: int, taken: int) -> None:
    tag = time_tag(NOON + timedelta(seconds=seconds)).hex()
    assert len(Master(station).ask("3a01060001000a000001" + tag)) == taken


def test_a_command_whose_time_is_invalid(station: Station) -> None:
    assert Master(station).ask("3a01060001000a000001" + "00008000000000") == []


def test_commands_at_addresses_of_their_own() -> None:
    master = Master(Station(POINTS, StationSettings(command_offset=1000)))
    assert master.ask("2d01060001000a000001") == []
    (wanted,) = master.ask("2d0106000100f2030001")
    assert wanted.command.signal == "breaker"


def test_what_nobody_takes_waits_up_to_the_limit() -> None:
    station = Station(POINTS, StationSettings(waiting=3))
    station.publish([sample("power", each) for each in range(3)])
    assert station.lost == 0
    station.publish([sample("power", 3)])
    assert station.lost == 1
    (told,) = Master(station).told()
    assert Asdu.decode(bytes.fromhex(told)).count == 3
    assert told[18:26] == "0000803f"  # from 1 on


def test_what_was_not_acknowledged_is_told_to_the_next(station: Station) -> None:
    deaf = Master(station, acknowledges=False)
    for each in range(20):  # more than k frames
        station.publish([sample("power", each), sample("breaker", 1)])
        deaf.conversation.pump(0)
    deaf.told()
    deaf.conversation.close()
    told = Master(station).told()
    assert sum(Asdu.decode(bytes.fromhex(each)).count for each in told) == 40


def test_what_was_acknowledged_is_not(station: Station) -> None:
    first = Master(station)
    station.publish([sample("power", 1)])
    first.conversation.pump(0)
    assert len(first.told()) == 1
    first.conversation.close()
    assert Master(station).told() == []


def test_two_masters_are_told_the_same_and_a_stopped_one_nothing(station: Station) -> None:
    masters = Master(station), Master(station)
    station.publish([sample("power", 1)])
    for each in masters:
        each.conversation.pump(0)
        assert len(each.told()) == 1
    masters[0].raw(STOP)
    station.publish([sample("power", 2)])
    for each, count in zip(masters, (0, 1), strict=True):
        each.conversation.pump(0)
        assert len(each.told()) == count
    masters[1].conversation.close()
    station.publish([sample("power", 3)])
    masters[0].raw(START)
    assert len(masters[0].told()) == 1


def test_what_comes_late_does_not_take_the_place_of_the_last_value(station: Station) -> None:
    station.publish([sample("breaker", 1), replace(sample("breaker", 0), backfilled=True)])
    master = Master(station)
    assert len(master.told()) == 1
    master.ask("6601050001000a0000")
    assert master.told() == ["0101050001000a000001"]


def test_a_master_that_asks_more_than_it_takes_is_sent_away() -> None:
    settings = StationSettings(answers=20)
    master = Master(Station(POINTS, settings), acknowledges=False)
    for _ in range(12 + 20):  # k frames are sent, and so many wait
        master.ask("6601050001000a0000")
        master.conversation.outgoing()
    with pytest.raises(RemoteProtocolError):
        master.ask("6601050001000a0000")
