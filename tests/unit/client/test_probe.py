"""A probe keeps to its time, whatever the other end does, and says which layer failed."""

from __future__ import annotations

import functools
import operator
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from cosem.client.attempts import (
    C12_IDENTIFICATION,
    IEC_102_LINK_STATUS,
    MODBUS_IDENTIFICATION,
    MODBUS_OVER_TCP,
    SIGN_ON_WITH_PARITY,
    Attempt,
    plan,
    target_of,
)
from cosem.client.probe import ON_A_LINE, ON_IP, probe
from cosem.client.recognise import Speech
from cosem.client.verdict import Found, NotFound
from cosem.errors import ConfigurationError, ConnectionFailed, ConnectionLost, TimedOut
from cosem.io.simulated import SimulatedStream, World
from cosem.io.stream import Stream
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu.acse import AssociationRequest
from cosem.protocol.link.hdlc import Frame, Kind
from cosem.protocol.link.hdlc.frame import FINAL, UA, encode
from cosem.protocol.profile.address import ConnectionUrl

READS_AND_NO_MORE = (
    b"",
    b"/?!\r\n",
    SIGN_ON_WITH_PARITY,
    C12_IDENTIFICATION,
    IEC_102_LINK_STATUS,
    MODBUS_IDENTIFICATION,
    MODBUS_OVER_TCP,
)
SNRM = encode(b"\x03", b"\x21", 0x93)


class Place:
    """Gives streams of a world whose other ends a coroutine attends."""

    def __init__(self, attend: Callable[[SimulatedStream, bytes], Awaitable[None]] | None = None) -> None:
        self.world = World(seed=1)
        self.opened: list[ConnectionUrl] = []
        self.told: list[str] = []
        self.attend = attend
        self.sent = b""

    async def open(self, url: ConnectionUrl, _: float) -> Stream:
        self.opened.append(url)
        near, far = self.world.pair()
        self.world.spawn(self.serve(far))
        return near

    async def serve(self, far: SimulatedStream) -> None:
        try:
            while octets := await far.read(None):
                self.sent += octets
                if self.attend is not None:
                    await self.attend(far, octets)
        except ConnectionLost:
            return

    def probe(self, target: str, **words: float) -> Found | NotFound:
        return self.world.run(probe(target_of(target), self.open, self.told.append, **words))  # type: ignore[arg-type]


RFC2217 = "hdlc+rfc2217://192.0.2.7:2217"
MODEM = "hdlc+modem:///dev/ttyUSB0?number=12345"


@pytest.mark.parametrize(
    ("target", "limit"),
    [("192.0.2.7", ON_IP), ("/dev/ttyUSB0", ON_A_LINE), (RFC2217, ON_A_LINE), (MODEM, ON_A_LINE)],
)
def test_silence_ends_in_time_with_three_causes(target: str, limit: float) -> None:
    place = Place()
    found = place.probe(target)
    assert isinstance(found, NotFound)
    assert place.world.now() <= limit
    assert len(found.meaning.causes) == 3
    assert not found.heard


@pytest.mark.parametrize("target", ["192.0.2.7", "/dev/ttyUSB0"])
def test_the_plan_alone_takes_no_more_than_the_time_there_is(target: str) -> None:
    place = target_of(target)
    whole = sum(each.wait * len(each.questions) for each in plan(place))
    assert whole < (ON_IP if place.medium == "tcp" else ON_A_LINE) * 0.9


def test_a_serial_port_server_is_tried_at_all_speeds_and_formats() -> None:
    def lines(target: str) -> list[tuple[str, int, str]]:
        return [(each.name, *each.url.line) for each in plan(target_of(target))]

    assert lines(RFC2217) == lines("/dev/ttyUSB0")
    place = Place()
    place.probe(RFC2217)
    assert {url.place for url in place.opened} == {"192.0.2.7:2217"}
    assert {(url.baud, url.format) for url in place.opened} >= {(300, "7E1"), (2400, "8N1"), (115200, "8N1")}


def test_a_modem_dials_the_number_each_time() -> None:
    place = Place()
    place.probe(MODEM)
    assert {(url.medium, url.number) for url in place.opened} == {("modem", "12345")}


def test_the_time_is_what_was_given() -> None:
    place = Place()
    assert isinstance(place.probe("192.0.2.7", seconds=5.0), NotFound)
    assert place.world.now() <= 5.1
    assert "seconds are over" in place.told[-1]


def test_a_meter_that_never_stops_to_talk_nonsense() -> None:
    async def babble(far: SimulatedStream, _octets: bytes) -> None:
        for _time in range(3):
            await far.write(b"\x00\xff" * 100)

    found = Place(babble).probe("192.0.2.7")
    assert isinstance(found, NotFound)
    assert found.heard == (Speech.NOISE,)


def test_a_meter_that_answers_snrm_and_then_never_again() -> None:
    async def once(far: SimulatedStream, octets: bytes) -> None:
        if octets == SNRM:
            await far.write(encode(b"\x21", b"\x03", UA | FINAL))

    place = Place(once)
    found = place.probe("192.0.2.7")
    assert isinstance(found, Found)
    assert isinstance(found.refused, TimedOut)
    assert place.world.now() <= ON_IP + 1  # the farewells


@pytest.mark.parametrize("target", ["192.0.2.7", "/dev/ttyUSB0", "udp://192.0.2.7"])
def test_no_question_authenticates_or_changes_anything(target: str) -> None:
    for attempt in plan(target_of(target)):
        for question in attempt.questions:
            if attempt.name.startswith("the wrapper"):
                request: Any = apdus.decode(question[8:])
                assert isinstance(request, AssociationRequest)
                assert request.calling_authentication_value is None
                assert request.mechanism_name is None
            elif question.startswith(b"\x7e"):
                assert Frame.decode(question).kind is Kind.SET_NORMAL_RESPONSE_MODE
            else:
                assert question in READS_AND_NO_MORE


def test_no_connection_at_all_is_the_transport() -> None:
    async def nowhere(url: ConnectionUrl, seconds: float) -> Stream:
        raise ConnectionFailed("refused")

    world = World(seed=1)
    told: list[str] = []
    found = world.run(probe(target_of("192.0.2.7"), nowhere, told.append))
    assert isinstance(found, NotFound)
    assert found.layer == "transport (TCP)"


def test_a_port_that_cannot_run_at_seven_bits_is_tried_at_eight() -> None:
    place = Place()

    async def picky(url: ConnectionUrl, seconds: float) -> Stream:
        if url.format == "7E1" and url.parity is None:
            raise ConfigurationError("no")
        return await place.open(url, seconds)

    assert isinstance(place.world.run(probe(target_of("/dev/ttyUSB0"), picky, place.told.append)), NotFound)
    assert {(url.format, url.parity) for url in place.opened} == {("8N1", None), ("8E1", None), ("7E1", "software")}


def test_a_port_that_runs_in_no_way_is_a_matter_of_configuration() -> None:
    async def none(url: ConnectionUrl, seconds: float) -> Stream:
        raise ConfigurationError("pyserial is missing")

    told: list[str] = []
    with pytest.raises(ConfigurationError, match="pyserial"):
        World(seed=1).run(probe(target_of("/dev/ttyUSB0"), none, told.append))


def test_a_plan_is_data() -> None:
    place = Place()
    url = target_of("192.0.2.7")
    attempt = Attempt("a question of my own", url, (b"\x01\x02",), 0.5)
    world = place.world
    world.run(probe(url, place.open, place.told.append, attempts=[attempt]))
    assert place.sent == b"\x01\x02"
    assert place.told[0] == "trying a question of my own"


@pytest.mark.parametrize(
    ("text", "scheme", "where"),
    [
        ("192.0.2.7", "tcp", "192.0.2.7:4059"),
        ("meter.example:8000", "tcp", "meter.example:8000"),
        ("com.example.net", "tcp", "com.example.net:4059"),
        ("[2001:db8::7]:4059", "tcp", "[2001:db8::7]:4059"),
        ("/dev/ttyUSB0", "hdlc+serial", "/dev/ttyUSB0"),
        ("COM3", "hdlc+serial", "COM3"),
        ("udp://192.0.2.7", "udp", "192.0.2.7:4059"),
    ],
)
def test_targets(text: str, scheme: str, where: str) -> None:
    url = target_of(text)
    assert (url.scheme, url.place) == (scheme, where)


def test_a_target_that_is_none() -> None:
    with pytest.raises(ConfigurationError):
        target_of("a b")


def test_a_sign_on_at_9600_baud_keeps_its_speed_in_the_url() -> None:
    place = Place()

    async def at_9600(url: ConnectionUrl, seconds: float) -> Stream:
        place.attend = answer if url.baud == 9600 and url.format == "7E1" else None
        return await place.open(url, seconds)

    async def answer(far: SimulatedStream, octets: bytes) -> None:
        if octets == b"/?!\r\n":
            await far.write(b"/KFM5METER\r\n")

    found = place.world.run(probe(target_of("/dev/ttyUSB0"), at_9600, place.told.append))
    assert isinstance(found, Found)
    assert str(found.url) == "iec21+serial:///dev/ttyUSB0?baud=9600"
    assert found.identity.logical_device_name == "KFM5METER"


def test_errors_and_clock_of_a_readout_are_the_health_of_its_meter() -> None:
    data = b"F.F(00000004)\r\n0.9.1(121500)\r\n0.9.2(261126)\r\n1.8.0(000123.4*kWh)\r\n!\r\n\x03"
    bcc = bytes((functools.reduce(operator.xor, data),))

    async def answer(far: SimulatedStream, octets: bytes) -> None:
        if octets == b"/?!\r\n":
            await far.write(b"/KFM5METER\r\n")
        elif octets.startswith(b"\x06"):
            assert octets == b"\x06050\r\n", "the readout is asked for, and nothing else"
            await far.write(b"\x02" + data + bcc)

    found = Place(answer).probe("192.0.2.7:8000")
    assert isinstance(found, Found)
    assert found.readable == 4
    assert {str(instance): value for instance, value in found.health} == {
        "0.0.97.97.0.255": "00000004",
        "0.0.0.9.1.255": "121500",
        "0.0.0.9.2.255": "261126",
    }
