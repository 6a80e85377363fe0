"""The clients of IEC 62056-21 at our meter's local port, in simulated time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pytest

from cosem import Clock, Data, Meter, ProfileGeneric, Register, Unit
from cosem.client.iec21 import AsyncLocalClient, LocalClient
from cosem.errors import CommandRefused, ConfigurationError, ConnectionLost, CosemError, TimedOut
from cosem.io.simulated import Faults, World
from cosem.io.stream import Stream
from cosem.meter import Access, AssociationDescription, LocalPort, Rights, attend_local
from cosem.meter.events import MeterEvent
from cosem.meter.logical_device import LogicalDevice
from cosem.protocol.crypto.key import Secret
from cosem.protocol.crypto.mechanism import named
from cosem.protocol.iec21.message import Check, Command, Mode, Option
from cosem.protocol.iec21.moment import Moment
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.data import DoubleLongUnsigned, OctetString, Unsigned
from cosem.protocol.values.obis import Obis

R = TypeVar("R")

ENERGY = Register("1.0.1.8.0.255")
TEXT = Data("0.0.96.1.1.255")
LOG = ProfileGeneric("1.0.99.1.0.255")
NOON = datetime(2026, 7, 1, 10, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
URL = "iec21+tcp://192.0.2.7:8000"


def described(*, secured: bool = True) -> Meter:
    meter = Meter("KFM1020012345678", clock=lambda: NOON, zone=BERLIN)
    meter.add(ENERGY, value=12_345_678, scaler_unit=(0, Unit.WATT_HOUR), writable=("value",))
    meter.add(TEXT, value=OctetString(b"before"), writable=("value",))
    status = meter.add(Data("0.0.96.10.1.255"), value=Unsigned(0))
    rows = [
        (NOON + timedelta(minutes=15 * number), Unsigned(8 if number == 4 else 0), DoubleLongUnsigned(1000 + number))
        for number in range(6)
    ]
    meter.add(LOG, capture_objects=[Clock().time, status.value, ENERGY.value], capture_period=900, buffer=rows)
    if secured:
        meter.offer(
            AssociationDescription(client=16),
            AssociationDescription(
                client=32, mechanism=named("low"), secret=Secret(b"12345678"), rights=Rights(Access.MANAGE)
            ),
        )
    return meter


def run(
    dialogue: Callable[[AsyncLocalClient], Awaitable[R]],
    meter: Meter | None = None,
    port: LocalPort | None = None,
    *,
    url: str = URL,
    faults: Faults | None = None,
    **words: Any,
) -> R:
    """Let a client talk to a meter over a simulated connection."""
    world = World(1)
    served = meter or described()

    async def opener(_: ConnectionUrl, __: float) -> Stream:
        near, far = world.pair(faults)

        async def attend() -> None:
            await attend_local(served, far, port, switches=False, entropy=lambda size: bytes(range(size)))
            await far.close()

        world.spawn(attend())
        return near

    async def main() -> R:
        async with AsyncLocalClient.open(url, opener=opener, **words) as client:
            return await dialogue(client)

    return world.run(main())


class Knowing:
    """A stream that knows why nothing comes."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.read, self.write, self.close, self.now = stream.read, stream.write, stream.close, stream.now

    def explain(self, error: TimedOut, /) -> TimedOut:
        return TimedOut(error.phase, error.seconds, "the line is cut")


def test_what_a_stream_knows_of_a_silence_is_told() -> None:
    world = World(1)

    async def opener(_: ConnectionUrl, __: float) -> Stream:
        return Knowing(world.pair()[0])

    async def main() -> None:
        async with AsyncLocalClient.open(URL, opener=opener) as client:
            await client.readout()

    with pytest.raises(TimedOut, match="the line is cut"):
        world.run(main())


# -- readouts ---------------------------------------------------------------------------------------------------------


async def whole(client: AsyncLocalClient) -> list[str]:
    readout = await client.readout()
    assert readout.check is Check.RIGHT
    return [str(each) for each in readout.sets]


def test_a_readout_has_what_its_client_may_read() -> None:
    assert run(whole) == [
        "0.9.1(120000)",
        "0.9.2(260701)",
        "0-0:42.0.0(KFM1020012345678)",
        "1.8.0(12345.678*kWh)",
        "96.1.1(before)",
        "96.10.1(0)",
    ]


def test_a_public_client_sees_next_to_nothing() -> None:
    meter = Meter("KFM1020012345678", clock=lambda: NOON)
    meter.add(ENERGY, value=1, scaler_unit=(0, Unit.WATT_HOUR))
    meter.offer(AssociationDescription(client=16, rights=Rights(Access.PUBLIC)))
    assert run(whole, meter) == ["0.9.1(100000)", "0.9.2(260701)", "0-0:42.0.0(KFM1020012345678)"]


def test_a_readout_of_ones_own_choice_and_those_of_the_manufacturer() -> None:
    port = LocalPort(readout=(ENERGY.instance,), manufacturer={Option.MANUFACTURER_6: (Obis("0.0.96.1.1.255"),)})
    assert run(whole, port=port) == ["1.8.0(12345.678*kWh)"]

    async def other(client: AsyncLocalClient) -> list[str]:
        return [str(each) for option in "67" for each in (await client.readout(option)).sets]

    assert run(other, port=port) == ["96.1.1(before)"]


@pytest.mark.parametrize("identification", ["KFM-MT", "KFMCMT", "KFM5MT", r"KFM5\2MT"])
def test_every_mode_that_is_called(identification: str) -> None:
    assert len(run(whole, port=LocalPort(identification=identification))) == 6


def test_a_meter_of_mode_d_is_listened_to() -> None:
    port = LocalPort(identification="KFM3MT", mode=Mode.D, interval=5.0)

    async def listen(client: AsyncLocalClient) -> list[str]:
        return [str(each) for each in (await client.readout()).sets]

    assert run(listen, port=port, url=f"{URL}?mode=D")[-1] == "96.10.1(0)"


def test_another_meter_is_called_in_vain() -> None:
    assert len(run(whole, url=f"{URL}?address=1020012345678")) == 6
    assert len(run(whole, url=f"{URL}?address=0")) == 6
    with pytest.raises(TimedOut, match="sign-on"):
        run(whole, url=f"{URL}?address=7")


@pytest.mark.parametrize("seed", range(20))
def test_a_bad_line_gives_the_data_or_an_error(seed: int) -> None:
    """Lost, doubled and damaged octets: never a value that was not sent, never a hang."""
    world = World(seed)
    meter = described()

    async def opener(_: ConnectionUrl, __: float) -> Stream:
        near, far = world.pair(Faults(loss=0.1, duplication=0.1, damage=0.15, split=0.5))

        async def attend() -> None:
            await attend_local(meter, far, switches=False)
            await far.close()

        world.spawn(attend())
        return near

    async def main() -> list[str]:
        async with AsyncLocalClient.open(URL, opener=opener) as client:
            readout = await client.readout()
            return [str(each) for each in readout.sets if each.error is None] if readout.fault is None else []

    try:
        found = world.run(main())
    except CosemError:
        return
    assert set(found) <= set(run(whole))


# -- programming mode -------------------------------------------------------------------------------------------------


def test_reads_writes_and_runs_with_a_password() -> None:
    meter = described()

    async def dialogue(client: AsyncLocalClient) -> list[str]:
        assert await client.enter() == b""
        await client.write("96.1.1", "after")
        await client.write("1.8.0", "1.5*kWh", command="W1")
        said = [str(each) for address in ("96.1.1", "1.8.0", "0.9.1") for each in await client.read(address)]
        with pytest.raises(CommandRefused, match="ER04"):
            await client.read("9.9.9")
        with pytest.raises(CommandRefused):
            await client.write("0-0:42.0.0", "x")
        return said

    assert run(dialogue, meter, password=Secret(b"12345678")) == ["96.1.1(after)", "1.8.0(1.500*kWh)", "0.9.1(120000)"]
    assert meter.value(ENERGY.value) == 1500


@pytest.mark.parametrize(
    ("address", "value"),
    [("1.8.0", "1.5*kvarh"), ("1.8.0", "abc"), ("1.8.0", "0.0001"), ("1.8.0", "99999999999"), ("9.9.9", "1")],
)
def test_what_does_not_fit_is_not_written(address: str, value: str) -> None:
    meter = described()

    async def dialogue(client: AsyncLocalClient) -> None:
        with pytest.raises(CommandRefused):
            await client.write(address, value)

    run(dialogue, meter, password=Secret(b"12345678"))
    assert meter.value(ENERGY.value) == 12_345_678


def test_the_clock_is_set_and_asked() -> None:
    meter = described()

    async def dialogue(client: AsyncLocalClient) -> list[str]:
        await client.write("0.9.1", "130000")
        await client.write("0.9.2", "261224")
        for wrong in ("250000", "1", "abcdef"):
            with pytest.raises(CommandRefused):
                await client.write("0.9.1", wrong)
        return [str(each) for address in ("0.9.1", "0.9.2") for each in await client.read(address)]

    assert run(dialogue, meter, password=Secret(b"12345678")) == ["0.9.1(130000)", "0.9.2(261224)"]


def test_without_a_password_nothing_is_written() -> None:
    meter = described()

    async def dialogue(client: AsyncLocalClient) -> str:
        with pytest.raises(CommandRefused, match="ER03"):
            await client.write("96.1.1", "after")
        return str((await client.read("1.8.0"))[0])

    assert run(dialogue, meter) == "1.8.0(12345.678*kWh)"
    assert bytes(meter.value(TEXT.value)) == b"before"


class Told:
    """Who is told of the events of a meter."""

    def __init__(self) -> None:
        self.events: list[MeterEvent] = []

    def attach(self, device: LogicalDevice) -> None:
        """Nothing is needed."""

    def noted(self, _: LogicalDevice, event: MeterEvent, __: datetime) -> None:
        self.events.append(event)


def test_wrong_passwords_end_the_session_and_lock_out() -> None:
    meter, told = described(), Told()
    meter.management.listen(told)

    async def wrong(client: AsyncLocalClient) -> None:
        with pytest.raises(CommandRefused):
            await client.enter()

    for _ in range(3):
        run(wrong, meter, password=Secret(b"00000000"))
    assert told.events == [MeterEvent.AUTHENTICATION_FAILED, MeterEvent.LOCKED_OUT]

    async def right(client: AsyncLocalClient) -> None:
        with pytest.raises(CommandRefused):
            await client.enter()

    run(right, meter, password=Secret(b"12345678"))

    async def guess(client: AsyncLocalClient) -> None:
        await client.command(Command("R5", b"1.8.0()"))
        for _ in range(2):
            with pytest.raises(CommandRefused):
                await client.command(Command("P1", b"(1)"))
        with pytest.raises((CommandRefused, ConnectionLost)):
            await client.command(Command("P1", b"(1)"))
            await client.command(Command("R5", b"1.8.0()"))

    run(guess, described())


def test_a_password_that_goes_through_an_algorithm() -> None:
    def reversed_sum(operand: bytes, password: bytes) -> bytes:
        return (operand + password)[::-1]

    meter = described()
    port = LocalPort(algorithm=reversed_sum)

    async def dialogue(client: AsyncLocalClient) -> bytes | None:
        operand = await client.enter()
        await client.write("96.1.1", "after")
        return operand

    assert run(dialogue, meter, port, password=Secret(b"12345678"), algorithm=reversed_sum) == b"00010203"
    with pytest.raises(CommandRefused):
        run(dialogue, meter, port, password=Secret(b"12345678"))  # as it is, it is none


@pytest.mark.parametrize("command", ["R5", "R6"])
def test_load_profiles(command: str) -> None:
    """A heading wherever the status changes; R6 asks for partial blocks."""

    async def dialogue(client: AsyncLocalClient) -> Any:
        return await client.load_profile(command=command)

    rows = run(dialogue, port=LocalPort(partial_octets=60))
    assert [row.error for row in rows] == [None] * 6
    assert [row.status for row in rows] == ["00", "00", "00", "00", "08", "00"]
    assert rows[0].moment == Moment(datetime(2026, 7, 1, 12, 0), summer=True)
    assert rows[5].moment == Moment(datetime(2026, 7, 1, 13, 15), summer=True)
    assert [str(row.values[0]) for row in rows[:2]] == ["(1.000*kWh)", "(1.001*kWh)"]


def test_a_part_of_a_load_profile() -> None:
    async def dialogue(client: AsyncLocalClient) -> Any:
        since, until = NOON + timedelta(minutes=15), NOON + timedelta(minutes=30)
        empty = await client.load_profile(NOON + timedelta(days=1), None)
        assert empty == () or all(row.error is not None for row in empty)
        return await client.load_profile(since.astimezone(BERLIN), until.astimezone(BERLIN))

    assert [row.moment.local.minute for row in run(dialogue)] == [15, 30]


def test_a_session_outlives_the_silence_of_its_user() -> None:
    async def kept(client: AsyncLocalClient) -> str:
        await client.enter()
        await client.keep_alive(600.0)
        return str((await client.read("1.8.0"))[0])

    assert run(kept) == "1.8.0(12345.678*kWh)"


def test_what_a_stream_knows_is_told_of_a_silence_between_two_questions() -> None:
    world = World(1)
    line: list[Knowing] = []

    async def opener(_: ConnectionUrl, __: float) -> Stream:
        near, far = world.pair()
        world.spawn(attend_local(described(), far, switches=False))
        line.append(Knowing(near))
        return line[0]

    async def cut(_: float | None, /) -> bytes:
        if _ is not None:
            await world.sleep(max(0.0, _ - world.now()))
        return b""

    async def main() -> None:
        async with AsyncLocalClient.open(URL, opener=opener) as client:
            await client.enter()
            line[0].read = cut
            with pytest.raises(ConnectionLost, match="silent for too long; the line is cut"):
                await client.keep_alive(600.0)
            with pytest.raises(ConnectionLost):
                await client.keep_alive(1.0)

    world.run(main())


def test_who_comes_too_late_is_told() -> None:
    world = World(1)
    meter = described()

    async def opener(_: ConnectionUrl, __: float) -> Stream:
        near, far = world.pair()
        world.spawn(attend_local(meter, far, switches=False))
        return near

    async def main() -> None:
        async with AsyncLocalClient.open(URL, opener=opener) as client:
            await client.enter()
            await world.sleep(500.0)
            with pytest.raises(ConnectionLost, match="signed off"):
                await client.read("1.8.0")
            assert await client.enter() == b""

    world.run(main())


def test_words_that_are_not_sent() -> None:
    with pytest.raises(ConfigurationError, match="no URL of IEC 62056-21"):
        LocalClient.open("tcp://192.0.2.7")

    async def dialogue(client: AsyncLocalClient) -> None:
        with pytest.raises(ConfigurationError, match="without parentheses"):
            await client.write("96.1.1", "a)b")

    run(dialogue)
