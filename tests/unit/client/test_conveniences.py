"""Clock, breaker, calendar, scripts, events, images and who the meter is, against a meter of ours on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pytest

from cosem import AsyncClient, Client, Clock, Data, Meter, ProfileGeneric
from cosem.client import image as images
from cosem.client.clock import Adjustment, ClockReading
from cosem.client.control import SPECIAL_DAYS, Calendar
from cosem.errors import ActionError, ConfigurationError, DataAccessError, RemoteProtocolError
from cosem.meter import Access, AssociationDescription, Keys, Rights, serving
from cosem.meter.behaviour import clock as clock_behaviour
from cosem.meter.behaviour import image_transfer
from cosem.meter.item import Refusal
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.crypto.key import Key
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.model.classes.access_control import ImageTransfer, ImageTransferStatus
from cosem.protocol.model.classes.time_and_event import (
    ActionSpecification,
    ActivityCalendar,
    ControlMode,
    ControlState,
    DayProfile,
    DisconnectControl,
    Script,
    ScriptTable,
    Season,
    ServiceId,
    SpecialDay,
    SpecialDaysTable,
    WeekProfile,
)
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.data import DoubleLongUnsigned, LongUnsigned, Unsigned
from cosem.protocol.values.dates import Date, DateTime
from cosem.store.memory import MemoryCounterStore

T = TypeVar("T")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LOG = ProfileGeneric("0.0.99.98.0.255")
IMAGE = bytes(range(256)) * 4 + b"the end"


class Wall:
    """A clock that the test moves."""

    def __init__(self, time: datetime = NOON) -> None:
        self.time = time

    def __call__(self) -> datetime:
        return self.time


def managed(clock: Callable[[], datetime] | None = None, **words: Any) -> Meter:
    meter = Meter("KFM1020012345678", clock=clock or Wall(), **words)
    meter.add(Clock())
    meter.offer(AssociationDescription(client=1, rights=Rights(Access.MANAGE)))
    return meter


def run(meter: Meter, ask: Callable[[AsyncClient], Awaitable[T]]) -> T:
    async def going() -> T:
        async with (
            serving(meter, "tcp://127.0.0.1:0") as server,
            AsyncClient.open(replace(server.url, client=1)) as client,
        ):
            return await ask(client)

    return asyncio.run(going())


# -- the clock --------------------------------------------------------------------------------------------------------


def answering(wall: Wall, seconds: float) -> Callable[[], datetime]:
    """The time of this computer: so many seconds pass between the first look and the second."""
    looks = iter(range(1000))
    return lambda: wall.time + timedelta(seconds=seconds if next(looks) % 2 else 0)


def test_the_offset_is_measured_in_the_middle_of_the_way() -> None:
    ahead = Wall(NOON + timedelta(seconds=10, milliseconds=250))
    found = run(managed(ahead), lambda client: client.read_clock(now=answering(Wall(), 2)))
    assert found.way == timedelta(seconds=1)
    assert found.offset == timedelta(seconds=9, milliseconds=250)
    assert found.uncertainty == timedelta(seconds=1)


def test_a_clock_of_whole_seconds_is_half_a_second_less_certain() -> None:
    found = run(managed(Wall(NOON)), lambda client: client.read_clock(now=Wall()))
    assert found.offset == timedelta(milliseconds=500)
    assert found.uncertainty == timedelta(milliseconds=500)


def test_a_clock_without_deviation_needs_the_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    local = DateTime.from_datetime(NOON.astimezone(ZoneInfo("Europe/Vilnius"))).replace(deviation=None, hundredths=25)
    meter = Meter("KFM1020012345678", clock=Wall())
    meter.add(Clock(), time=local)
    meter.offer(AssociationDescription(client=1, rights=Rights(Access.MANAGE)))
    vilnius = ZoneInfo("Europe/Vilnius")

    async def asked(client: AsyncClient) -> tuple[ClockReading, ClockReading]:
        with pytest.raises(ConfigurationError, match="zone"):
            await client.set_clock(now=Wall(), write=True)
        return await client.read_clock(now=Wall()), await client.read_clock(now=Wall(), zone=vilnius)

    unknown, known = run(meter, asked)
    assert unknown.offset is None
    assert known.offset == timedelta(milliseconds=250)


def test_a_deviation_of_more_than_a_day_is_none() -> None:
    """Whatever a meter says, what comes of it is an error with a name."""
    absurd = DateTime.from_octets(DateTime.from_datetime(NOON).octets[:9] + b"\x7f\xff\x00")
    assert absurd.zone is None
    meter = Meter("KFM1020012345678", clock=Wall())
    meter.add(Clock(), time=absurd, writable=["time"])
    meter.offer(AssociationDescription(client=1, rights=Rights(Access.MANAGE)))

    async def asked(client: AsyncClient) -> ClockReading:
        with pytest.raises(ConfigurationError, match="zone"):
            await client.set_clock(now=Wall(), write=True)
        return await client.read_clock(now=Wall())

    assert run(meter, asked).offset is None


@pytest.mark.parametrize("zone", ["UTC", "Europe/Vilnius"])
def test_a_clock_is_set_to_the_time_of_arrival(zone: str) -> None:
    meter = managed(Wall(NOON - timedelta(days=40)), zone=ZoneInfo(zone))
    found = run(meter, lambda client: client.set_clock(now=answering(Wall(), 4), write=True))
    assert found.time.to_datetime() == NOON + timedelta(seconds=2)


def test_a_clock_is_set_to_a_time_of_ones_own() -> None:
    wanted = NOON + timedelta(days=3)

    async def asked(client: AsyncClient) -> ClockReading:
        with pytest.raises(ConfigurationError, match="no offset from UTC"):
            await client.set_clock(wanted.replace(tzinfo=None), write=True)
        return await client.set_clock(wanted, now=Wall(), write=True)

    assert run(managed(), asked).time.to_datetime() == wanted


@pytest.mark.parametrize(
    ("off", "done"),
    [
        (timedelta(seconds=1), Adjustment.NOTHING),
        (timedelta(seconds=-90), Adjustment.SHIFTED),
        (timedelta(seconds=899), Adjustment.SHIFTED),
        (timedelta(seconds=901), Adjustment.SET),
        (timedelta(days=-3), Adjustment.SET),
    ],
)
def test_a_clock_is_brought_to_the_right_time(off: timedelta, done: Adjustment) -> None:
    found = run(managed(Wall(NOON + off)), lambda client: client.synchronise_clock(now=Wall(), write=True))
    assert found.done is done
    assert found.before.offset is not None
    assert found.after.offset is not None
    assert abs(found.before.offset - off) <= timedelta(milliseconds=500)
    assert abs(found.after.offset) <= timedelta(seconds=2)


def test_a_meter_that_cannot_shift_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> Any:
        raise Refusal(DataAccessResult.OBJECT_UNAVAILABLE)

    monkeypatch.setitem(clock_behaviour.BEHAVIOUR.methods, 6, refused)  # type: ignore[arg-type]
    meter = managed(Wall(NOON + timedelta(minutes=1)))
    found = run(meter, lambda client: client.synchronise_clock(now=Wall(), write=True))
    assert found.done is Adjustment.SET
    assert found.after.time.to_datetime() == NOON


@pytest.mark.parametrize("seconds", [900, -900, 901, -901])
def test_a_shift_has_its_limit(seconds: int) -> None:
    async def asked(client: AsyncClient) -> DateTime:
        await client.shift_clock(seconds, write=True)
        return await client.clock()

    if abs(seconds) > 900:
        with pytest.raises(ConfigurationError, match="900 seconds at most"):
            run(managed(), asked)
    else:
        assert run(managed(), asked).to_datetime() == NOON + timedelta(seconds=seconds)


# -- nothing without the leave to write -------------------------------------------------------------------------------

WRITING: list[Callable[[AsyncClient], Awaitable[Any]]] = [
    lambda client: client.set_clock(),
    lambda client: client.shift_clock(1),
    lambda client: client.synchronise_clock(),
    lambda client: client.disconnect(),
    lambda client: client.reconnect(),
    lambda client: client.reset_demand(),
    lambda client: client.run_script(ScriptTable("0.0.10.0.0.255"), 1),
    lambda client: client.write_calendar(Calendar(b"x", (), (), ())),
    lambda client: client.write_special_days([]),
    lambda client: client.send_image(b"x", b"y"),
    lambda client: client.activate_image(),
]


@pytest.mark.parametrize("ask", WRITING)
def test_nothing_is_sent_without_the_leave_to_write(ask: Callable[[AsyncClient], Awaitable[Any]]) -> None:
    async def asked(client: AsyncClient) -> None:
        assert client.services is not None

        async def sent(*_: object, **__: object) -> Any:
            pytest.fail("something was sent")

        client.services.exchange.request = sent  # type: ignore[method-assign]
        with pytest.raises(ConfigurationError, match="write=True"):
            await ask(client)
        client.services.exchange.open = False

    run(managed(), asked)


# -- breaker, scripts, calendars --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "reconnected"),
    [
        (ControlMode.MODE_2, ControlState.CONNECTED),
        (ControlMode.MODE_3, ControlState.READY_FOR_RECONNECTION),
        (ControlMode.MODE_4, ControlState.CONNECTED),
    ],
)
def test_a_breaker(mode: ControlMode, reconnected: ControlState) -> None:
    meter = managed()
    meter.add(DisconnectControl(), control_mode=mode)

    async def asked(client: AsyncClient) -> list[Any]:
        return [
            await client.disconnect_state(),
            await client.disconnect(write=True),
            await client.reconnect(write=True),
        ]

    states = run(meter, asked)
    assert [each.state for each in states] == [ControlState.CONNECTED, ControlState.DISCONNECTED, reconnected]
    assert [each.output for each in states] == [True, False, reconnected is ControlState.CONNECTED]
    assert {each.mode for each in states} == {mode}


def test_a_breaker_that_is_always_closed() -> None:
    meter = managed()
    meter.add(DisconnectControl(), control_mode=ControlMode.ALWAYS_CONNECTED)
    with pytest.raises(ActionError):
        run(meter, lambda client: client.disconnect(write=True))


def test_a_script_is_run_by_the_meter_itself() -> None:
    counter = Data("0.0.0.1.0.255")
    inner, outer = ScriptTable("0.0.10.0.100.255"), ScriptTable("0.0.10.0.1.255")
    meter = managed()
    meter.add(counter, value=Unsigned(0), writable=["value"])
    meter.add(inner, scripts=[Script(1, (_write(counter, Unsigned(7)),))])
    meter.add(
        outer, scripts=[Script(1, (_run(inner, 1),)), Script(2, (_run(outer, 2),)), Script(3, (_run(counter, 1),))]
    )

    async def asked(client: AsyncClient) -> Any:
        await client.reset_demand(write=True)
        for script in (0, 1):
            await client.run_script(outer, script, write=True)
        for script in (2, 3, 9):  # without end, a method that is not there, no such script
            with pytest.raises(ActionError):
                await client.run_script(outer, script, write=True)
        return await client.get(counter.value)

    assert run(meter, asked) == 7


def _write(target: Data, value: Any) -> ActionSpecification:
    return ActionSpecification(ServiceId.WRITE_ATTRIBUTE, target.class_id, target.instance, 2, value)


def _run(target: Any, argument: int) -> ActionSpecification:
    return ActionSpecification(ServiceId.EXECUTE_METHOD, target.class_id, target.instance, 1, LongUnsigned(argument))


def test_a_calendar_is_written_passive_and_activated() -> None:
    week = WeekProfile(b"w", 1, 1, 1, 1, 1, 2, 2)
    new = Calendar(
        b"winter", (Season(b"s", DateTime(None, 1, 1), b"w"),), (week,), (DayProfile(1, ()), DayProfile(2, ()))
    )
    meter = managed()
    tables = {
        f"{name}_{state}": value
        for state in ("active", "passive")
        for name, value in (
            ("calendar_name", b"old"),
            ("season_profile", ()),
            ("week_profile_table", ()),
            ("day_profile_table", ()),
        )
    }
    meter.add(
        ActivityCalendar(),
        activate_passive_calendar_time=DateTime(),
        writable=[name for name in tables if name.endswith("passive")],
        **tables,
    )
    meter.add(SpecialDaysTable(SPECIAL_DAYS), entries=[], writable=["entries"])
    day = SpecialDay(1, Date(None, 12, 25), 2)

    async def asked(client: AsyncClient) -> tuple[Calendar, Calendar, Calendar]:
        await client.write_special_days([day], write=True)
        await client.write_calendar(new, write=True)
        before, passive = await client.calendar(), await client.calendar(passive=True)
        await client.write_calendar(new, activate=True, write=True)
        return before, passive, await client.calendar()

    before, passive, after = run(meter, asked)
    assert (before.name, before.seasons, before.special_days) == (b"old", (), (day,))
    assert (passive.name, passive.weeks, passive.activation) == (b"winter", (week,), DateTime())
    assert (after.name, after.days, after.special_days) == (b"winter", new.days, (day,))


def test_special_days_one_by_one() -> None:
    table, meter = SpecialDaysTable(SPECIAL_DAYS), managed()
    meter.add(table, entries=[])

    async def asked(client: AsyncClient) -> Any:
        for index, day in ((1, 24), (2, 25), (1, 26)):  # the second with index 1 takes the place of the first
            await client.act(table.insert, SpecialDay(index, Date(None, 12, day), 2))
        await client.act(table.delete, 2)
        with pytest.raises(ActionError):
            await client.act(table.delete, 2)
        return await client.get(table.entries)

    assert run(meter, asked) == (SpecialDay(1, Date(None, 12, 26), 2),)


# -- events -----------------------------------------------------------------------------------------------------------


def test_events_with_their_names() -> None:
    code, counter = Data("0.0.96.11.0.255"), Data("0.0.96.15.0.255")
    meter = managed(Wall(NOON + timedelta(hours=1)))
    for each in (code, counter):
        meter.add(each, value=Unsigned(0))
    meter.add(
        LOG,
        capture_objects=[
            CaptureObject(8, Clock().instance, 2),
            CaptureObject(1, code.instance, 2),
            CaptureObject(1, counter.instance, 2),
        ],
        buffer=[
            (NOON - timedelta(hours=2), Unsigned(1), DoubleLongUnsigned(5)),
            (NOON, Unsigned(2), None),
            (NOON, Unsigned(77), DoubleLongUnsigned(6)),
        ],
    )
    names = {1: "power down", 2: "power up"}
    found = run(meter, lambda client: client.events(codes=names, since=NOON))
    assert [(event.time, event.code, event.name) for event in found] == [(NOON, 2, "power up"), (NOON, 77, None)]
    assert [list(event.values.values()) for event in found] == [[None], [6]]
    assert found[0].moment == DateTime.from_datetime(NOON)


# -- images -----------------------------------------------------------------------------------------------------------


def with_image(**words: Any) -> Meter:
    meter = managed()
    meter.add(ImageTransfer(), image_block_size=100, **words)
    return meter


def test_an_image_arrives_whole_is_verified_and_activated() -> None:
    meter, told = with_image(), list[tuple[int, int]]()

    async def asked(client: AsyncClient) -> list[Any]:
        fresh = await client.image_state()
        sent = await client.send_image(IMAGE, b"v2", progress=lambda done, of: told.append((done, of)), write=True)
        await client.activate_image(write=True)
        return [fresh, sent, await client.image_state()]

    fresh, sent, active = run(meter, asked)
    assert (fresh.status, fresh.first_missing, fresh.enabled) == (ImageTransferStatus.NOT_INITIATED, 0, True)
    assert sent.status is ImageTransferStatus.VERIFICATION_SUCCESSFUL
    assert (sent.blocks, sent.missing, sent.first_missing) == (11, (), 11)
    (info,) = sent.to_activate
    assert (info.image_to_activate_size, info.image_to_activate_identification) == (len(IMAGE), b"v2")
    assert active.status is ImageTransferStatus.ACTIVATION_SUCCESSFUL
    assert told[-1] == (11, 11)
    item = meter.management.find(ImageTransfer().instance)
    assert item is not None
    assert bytes(item.state.octets) == IMAGE


def test_blocks_that_are_lost_are_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    transfer, taken = image_transfer.BEHAVIOUR.methods[2], list[int]()

    def lossy(visit: Any, item: Any, argument: Any) -> Any:
        taken.append(int(argument[0]))
        if argument[0] in (3, 10) and taken.count(argument[0]) == 1:
            raise Refusal(DataAccessResult.TEMPORARY_FAILURE)
        return transfer(visit, item, argument)

    monkeypatch.setitem(image_transfer.BEHAVIOUR.methods, 2, lossy)  # type: ignore[arg-type]
    sent = run(with_image(), lambda client: client.send_image(IMAGE, b"v2", write=True))
    assert sent.status is ImageTransferStatus.VERIFICATION_SUCCESSFUL
    assert taken == [*range(11), 3, 10]


def test_a_meter_that_takes_no_block_ends_the_transfer(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> Any:
        raise Refusal(DataAccessResult.HARDWARE_FAULT)

    monkeypatch.setitem(image_transfer.BEHAVIOUR.methods, 2, refused)  # type: ignore[arg-type]
    with pytest.raises(ActionError, match="hardware-fault"):
        run(with_image(), lambda client: client.send_image(IMAGE, b"v2", write=True))


@pytest.mark.parametrize("resume", [False, True])
def test_a_transfer_that_broke_off_goes_on(monkeypatch: pytest.MonkeyPatch, resume: bool) -> None:
    meter, taken = with_image(), list[int]()
    transfer = image_transfer.BEHAVIOUR.methods[2]
    where = ImageTransfer()

    async def begun(client: AsyncClient) -> None:
        await client.act(where.image_transfer_initiate, images.ImageTransferInitiate(b"v2", len(IMAGE)))
        for number in range(6):
            await client.act(where.image_block_transfer, images.ImageBlock(number, IMAGE[number * 100 :][:100]))

    def counted(visit: Any, item: Any, argument: Any) -> Any:
        taken.append(int(argument[0]))
        return transfer(visit, item, argument)

    run(meter, begun)
    monkeypatch.setitem(image_transfer.BEHAVIOUR.methods, 2, counted)  # type: ignore[arg-type]
    sent = run(meter, lambda client: client.send_image(IMAGE, b"v2", resume=resume, write=True))
    assert sent.status is ImageTransferStatus.VERIFICATION_SUCCESSFUL
    assert taken == list(range(6 if resume else 0, 11))


def test_a_meter_that_verifies_in_the_background_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "POLL", 0.001)
    verify, looks = image_transfer.BEHAVIOUR.methods[3], list[int]()
    status = image_transfer.BEHAVIOUR.reads[6]

    def busy(*_: object) -> Any:
        raise Refusal(DataAccessResult.TEMPORARY_FAILURE)

    def looked(visit: Any, item: Any) -> Any:
        looks.append(1)
        if len(looks) == 4:
            verify(visit, item, 0)
        return status(visit, item)

    monkeypatch.setitem(image_transfer.BEHAVIOUR.methods, 3, busy)  # type: ignore[arg-type]
    monkeypatch.setitem(image_transfer.BEHAVIOUR.reads, 6, looked)  # type: ignore[arg-type]
    sent = run(with_image(), lambda client: client.send_image(IMAGE, b"v2", write=True))
    assert sent.status is ImageTransferStatus.VERIFICATION_SUCCESSFUL
    assert len(looks) >= 4
    looks.clear()
    looks.extend([1] * 100)  # now it never comes to an end
    with pytest.raises(RemoteProtocolError, match="the meter says initiated"):
        run(with_image(), lambda client: client.send_image(IMAGE, b"v3", patience=0.005, write=True))


def test_what_no_image_is() -> None:
    for octets, identifier in ((b"", b"v"), (b"x", b"")):
        with pytest.raises(ConfigurationError, match="octets and an identifier"):
            run(with_image(), lambda client, o=octets, i=identifier: client.send_image(o, i, write=True))  # type: ignore[misc]
    with pytest.raises(DataAccessError):
        run(managed(), lambda client: client.image_state())


# -- who it is --------------------------------------------------------------------------------------------------------


def test_who_the_meter_is() -> None:
    found = run(managed(), lambda client: client.information())
    assert found.logical_device_name == b"KFM1020012345678"
    assert found.logical_devices is not None
    assert [each.sap for each in found.logical_devices] == [1]
    assert found.partners is not None
    assert (found.partners.client_sap, found.partners.server_sap) == (1, 1)
    assert found.context is not None
    assert found.security is None


def test_how_the_association_is_protected() -> None:
    keys = Keys(Key(b"a key of our own"), Key(b"another of these"), temporary=True)
    meter = Meter("KFM1020012345678", clock=Wall())
    meter.offer(
        AssociationDescription(
            client=1,
            mechanism=MECHANISMS[5],
            keys=keys,
            protection=AUTHENTICATED_ENCRYPTION,
            rights=Rights(Access.MANAGE),
        )
    )

    async def going() -> Any:
        async with (
            serving(meter, "tcp://127.0.0.1:0") as server,
            AsyncClient.open(
                replace(server.url, client=1),
                auth="gmac",
                ek=keys.encryption,
                ak=keys.authentication,
                system_title=b"MMM\x00\x00\x00\x00\x01",
                counters=MemoryCounterStore(),
            ) as client,
        ):
            return (await client.information()).security

    security = asyncio.run(going())
    assert security.suite == 0
    assert security.policy == 3  # version 0: authenticated and encrypted
    assert security.client_system_title == b"MMM\x00\x00\x00\x00\x01"
    assert security.server_system_title == meter.system_title
    assert security.certificates is None  # nor has it certificates


def test_the_blocking_client_has_them_too() -> None:
    for name in ("read_clock", "disconnect_state", "calendar", "events", "send_image", "information"):
        assert callable(getattr(Client.open("tcp://127.0.0.1:9"), name))
