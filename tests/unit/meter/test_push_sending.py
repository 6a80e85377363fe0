"""Pushes of served meters on loopback: by every transport, protected, confirmed, and where nobody may be reached."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

import pytest

from behaving import NOON, Now
from cosem.client.listen import PushListener
from cosem.client.reception import Pushed, PushingMeter, PushReception, Quarantined
from cosem.errors import ConnectionLost, CosemError, SecurityError, TimedOut
from cosem.meter import Faults, Keys, Meter
from cosem.meter.associations import AssociationDescription
from cosem.meter.device import system_clock
from cosem.meter.events import MeterEvent
from cosem.meter.power import START_UP, Outage, Power
from cosem.meter.push import push
from cosem.meter.push_sending import PushDispatch
from cosem.meter.pushing import PushEnded
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu.notification import DataNotification, DataNotificationConfirm
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.model import Register
from cosem.protocol.model.classes.push import (
    MessageType,
    PushOperationMethod,
    PushSetup,
    SendDestinationAndMethod,
    TransportService,
)
from cosem.protocol.values.data import DoubleLongUnsigned, Integer, OctetString, Structure, Unsigned
from cosem.protocol.values.obis import Obis
from cosem.store.memory import MemoryCounterStore

SETUP = PushSetup(Obis("0.4.25.9.0.255"))
TRANSPORTS = {"tcp": TransportService.TCP, "udp": TransportService.UDP, "hdlc+tcp": TransportService.HDLC}
CLIENT = 5


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(coroutine, 20))


def a_meter(
    keys: Keys | None = None, faults: Faults | None = None, clock: Callable[[], datetime] = system_clock, **values: Any
) -> Meter:
    meter = Meter("KFM1020012345678", counters=MemoryCounterStore(), faults=faults or Faults(), clock=clock)
    meter.add(Register("1.0.1.8.0.255"), value=DoubleLongUnsigned(4711))
    if keys is not None:
        meter.offer(AssociationDescription(client=CLIENT, keys=keys, protection=AUTHENTICATED_ENCRYPTION))
    wanted = [(3, Obis("1.0.1.8.0.255"), 2, 0, (0, None), [])]
    meter.add(SETUP, **{"push_object_list": wanted, "push_client_sap": Integer(CLIENT), **values})
    return meter


def reception(meter: Meter, keys: Keys) -> PushReception:
    known = PushingMeter(
        system_title=meter.system_title, encryption_key=keys.encryption, authentication_key=keys.authentication
    )
    return PushReception(b"HES\0\0\0\0\1", [known], MemoryCounterStore())


def begin(meter: Meter, place: str, transport: str = "tcp") -> None:
    there = SendDestinationAndMethod(TRANSPORTS[transport], place.encode(), MessageType.A_XDR)
    meter.put(SETUP.send_destination_and_method, there)
    item = meter.management.find(SETUP.instance)
    assert item is not None
    meter.pushes.begin(meter.management, item, meter.time())


async def until_ended(meter: Meter) -> PushEnded:
    while True:
        await asyncio.sleep(0)
        for ended in meter.pushes.events():
            return ended


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_protected_push_arrives(transport: str) -> None:
    async def main() -> None:
        keys = Keys.random()
        meter = a_meter(keys)
        dispatch = PushDispatch(meter)
        async with PushListener(f"{transport}://127.0.0.1:0", reception(meter, keys)) as listener:
            dispatch.start()
            for counter in (1, 2):
                begin(meter, f"127.0.0.1:{listener.url.port}", transport)
                heard = await listener.next()
                assert isinstance(heard, Pushed), heard
                assert isinstance(heard.notification, DataNotification)
                assert heard.notification.body == Structure((DoubleLongUnsigned(4711),))
                assert (heard.protection, heard.invocation_counter) == (AUTHENTICATED_ENCRYPTION, counter)
                while meter.pushes.running:
                    await asyncio.sleep(0)
        await dispatch.close()

    run(main())


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("title", [None, b"HES\0\0\0\0\1"])
def test_a_confirmed_push_is_confirmed(transport: str, title: bytes | None) -> None:
    """By our own listener: no peer knows a DataNotification-Confirm. What others encode is tried below."""

    async def main() -> None:
        keys = Keys.random()
        meter = a_meter(push_operation_method=PushOperationMethod.CONFIRMED)
        meter.offer(
            AssociationDescription(client=CLIENT, keys=keys, protection=AUTHENTICATED_ENCRYPTION, client_title=title)
        )
        dispatch = PushDispatch(meter)
        async with PushListener(f"{transport}://127.0.0.1:0", reception(meter, keys)) as listener:
            dispatch.start()
            begin(meter, f"127.0.0.1:{listener.url.port}", transport)
            assert isinstance(await listener.next(), Pushed)
            while meter.pushes.running:
                await asyncio.sleep(0)
        assert meter.value(SETUP.last_confirmation_date_time).year == meter.time().year
        await dispatch.close()

    run(main())


class Recorder:
    """Somebody who takes what is pushed and answers what he is told to."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.heard = 0

    async def attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        header = await reader.readexactly(8)
        await reader.readexactly(int.from_bytes(header[6:8], "big"))
        self.heard += 1
        if self.answer:
            writer.write(header[:2] + header[4:6] + header[2:4] + len(self.answer).to_bytes(2, "big") + self.answer)
        await reader.read()
        writer.close()


@pytest.mark.parametrize(
    "answer",
    [b"", DataNotificationConfirm(0x40FFFFFF, b"").encode(), bytes.fromhex("D80102"), b"\xff"],
    ids=["silence", "of another push", "an error", "garbage"],
)
def test_without_its_confirmation_a_confirmed_push_is_tried_again(answer: bytes) -> None:
    async def main() -> None:
        meter = a_meter(push_operation_method=PushOperationMethod.CONFIRMED, number_of_retries=2)
        dispatch = PushDispatch(meter, confirmation_wait=0.05)
        somebody = Recorder(answer)
        server = await asyncio.start_server(somebody.attend, "127.0.0.1", 0)
        dispatch.start()
        begin(meter, f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        while meter.pushes.running:
            await asyncio.sleep(0)
        assert somebody.heard == 3
        await dispatch.close()
        server.close()

    run(main())


@pytest.mark.parametrize(
    ("answer", "confirmed"),
    [
        ("104000000100", True),
        ("10400000010C07EA0B1B05173A1E00FFC400", True),  # with the time
        ("10C000000100", True),  # of high priority
        ("104000000200", False),  # of another push
        ("11400000010000", False),  # another tag
    ],
)
def test_what_an_independent_encoder_makes_confirms_a_push(answer: str, confirmed: bool) -> None:
    """The octets of COSEMpdu, as in tests/vectors/apdu.jsonl, for the push with invoke-id 1."""

    async def main() -> None:
        notification = DataNotification(0x40000001, b"", Unsigned(1))
        somebody = Recorder(bytes.fromhex(answer))
        server = await asyncio.start_server(somebody.attend, "127.0.0.1", 0)
        place = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            with contextlib.nullcontext() if confirmed else pytest.raises(CosemError):
                await push(place, notification, confirmed=True, wait=5.0 if confirmed else 0.05)
        assert somebody.heard == 1

    run(main())


def test_a_confirmation_without_protection_confirms_nothing() -> None:
    async def main() -> None:
        keys = Keys.random()
        meter = a_meter(keys, push_operation_method=PushOperationMethod.CONFIRMED)
        association = meter.management.association(CLIENT)
        assert association is not None
        security = association.push_security(meter.system_title, meter.counters, 1)
        notification = DataNotification(0x40000001, b"", Structure(()))
        somebody = Recorder(DataNotificationConfirm(0x40000001, b"").encode())
        server = await asyncio.start_server(somebody.attend, "127.0.0.1", 0)
        place = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(SecurityError):
            await push(place, notification, security=security, confirmed=True)
        await push(place, notification, confirmed=True)
        somebody.answer = b""
        with pytest.raises(TimedOut, match="confirmation"):
            await push(place, notification, confirmed=True, wait=0.01)
        server.close()

    run(main())


def test_where_nobody_listens_it_is_tried_as_often_as_it_may() -> None:
    async def main() -> None:
        meter = a_meter(number_of_retries=3)
        begin(meter, "127.0.0.1:9")
        tried = 0
        dispatch = PushDispatch(meter)
        failed = meter.pushes.failed

        def count(*words: Any) -> None:
            nonlocal tried
            tried += 1
            failed(*words)

        meter.pushes.failed = count  # type: ignore[method-assign]
        dispatch.start()
        while meter.pushes.running:
            await asyncio.sleep(0)
        assert tried == 4
        await dispatch.close()

    run(main())


@pytest.mark.parametrize("beyond", [False, True])
def test_nothing_leaves_loopback_without_leave(beyond: bool, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        meter = a_meter(send_destination_and_method=(TransportService.TCP, b"x", MessageType.A_XDR))
        dispatch = PushDispatch(meter, beyond_loopback=beyond)
        begin(meter, "no-such-host.invalid:4059")
        dispatch.start()
        while meter.pushes.running:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        await dispatch.close()

    run(main())
    reason = "no-such-host.invalid" if beyond else "can be reached from elsewhere"
    assert reason in caplog.text


def test_a_listener_confirms_only_what_asks_for_it_and_is_known() -> None:
    keys = Keys.random()
    meter = a_meter(keys)
    hears = reception(meter, keys)
    notes = [DataNotification(number, b"", Structure(())) for number in (0x40000007, 0x00000008)]
    events: list[Any] = []
    for note in notes:
        association = meter.management.association(CLIENT)
        assert association is not None
        security = association.push_security(meter.system_title, meter.counters, 1)
        events.append(hears.receive(security.protect(note.encode(), general=True), "127.0.0.1"))
    assert [isinstance(event, Pushed) for event in events] == [True, True]
    confirmation = hears.confirmation(events[0])
    assert confirmation is not None
    opened = security.unprotect(confirmation)
    assert apdus.decode(opened.apdu) == DataNotificationConfirm(0x40000007, b"")
    assert hears.confirmation(events[1]) is None
    assert hears.confirmation(hears.receive(notes[0].encode(), "127.0.0.1")) is None
    assert isinstance(hears.quarantine[-1], Quarantined)


def test_a_closed_dispatch_sends_nothing_more() -> None:
    async def main() -> None:
        meter = a_meter(randomisation_start_interval=1)
        dispatch = PushDispatch(meter)
        dispatch.start()
        await dispatch.close()
        await dispatch.close()
        begin(meter, "127.0.0.1:9")
        assert meter.pushes.running
        assert meter.pushes.wake is None

    run(main())


class Hearing:
    """Somebody who takes what is pushed, connection by connection, and says nothing."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    async def attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard.append(await reader.read(-1))
        writer.close()


NOTE = bytes.fromhex("0001 0001 0010 0008 0F40000001 00 0200")
"""Wrapper from server 1 to client 16 (IEC 62056-47), data-notification 1 without a time, an empty structure."""
MORE = bytes.fromhex("0001 0001 0010 000A 0F40000001 00 0200 0000")


@pytest.mark.parametrize(
    ("faults", "heard"),
    [
        (Faults(), NOTE),
        (Faults(loss=1), b""),
        (Faults(duplication=1), NOTE + NOTE),
        (Faults(deviations=frozenset({"octets_after_apdu"})), MORE),
    ],
    ids=["nothing", "loss", "duplication", "a deviation"],
)
def test_what_a_meter_does_wrong_befalls_its_pushes(faults: Faults, heard: bytes) -> None:
    async def main() -> None:
        somebody = Hearing()
        async with await asyncio.start_server(somebody.attend, "127.0.0.1", 0) as server:
            place = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            await push(place, DataNotification(0x40000001, b"", Structure(())), meter=a_meter(faults=faults))
            while not somebody.heard:
                await asyncio.sleep(0)
        assert somebody.heard == [heard]

    run(main())


def test_a_push_is_broken_off_where_its_meter_restarts() -> None:
    async def main() -> None:
        somebody = Hearing()
        async with await asyncio.start_server(somebody.attend, "127.0.0.1", 0) as server:
            place = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            note = DataNotification(0x40000001, b"", Structure(()))
            with pytest.raises(ConnectionLost, match="has restarted"):
                await push(place, note, note, meter=a_meter(faults=Faults(reboot_after=2)))
            while not somebody.heard:
                await asyncio.sleep(0)
        assert somebody.heard == [NOTE]

    run(main())


def test_a_served_meter_tries_again_what_it_lost_of_a_push() -> None:
    async def main() -> None:
        confirmed = {"push_operation_method": PushOperationMethod.CONFIRMED, "number_of_retries": 2}
        meter = a_meter(faults=Faults(loss=1), **confirmed)
        somebody = Hearing()
        async with await asyncio.start_server(somebody.attend, "127.0.0.1", 0) as server:
            dispatch = PushDispatch(meter, confirmation_wait=0.05)
            dispatch.start()
            begin(meter, f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
            while meter.pushes.running or len(somebody.heard) < 3:
                await asyncio.sleep(0)
            await dispatch.close()
        assert somebody.heard == [b"", b"", b""]

    run(main())


# -- without power -----------------------------------------------------------------------------------------------------


class Silent(Recorder):
    """Somebody who takes what is pushed and never answers; he notes when each connection is gone."""

    def __init__(self) -> None:
        super().__init__(b"")
        self.gone = 0

    async def attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await super().attend(reader, writer)
        self.gone += 1


OUTAGE = Outage(at=NOON + timedelta(seconds=1), length=timedelta(days=1))


@pytest.mark.parametrize(
    ("retries", "on", "happens"),
    [
        (0, [], lambda power: power.down()),
        (0, [], lambda power: (power.describe([OUTAGE]), power.on)),
        (1, [], lambda power: power.restart()),
        (0, [MeterEvent.POWER_UP], lambda power: power.restart()),
        (0, [MeterEvent.POWER_UP], lambda power: (power.down(), power.up())),
        (0, [MeterEvent.POWER_DOWN], lambda power: power.down()),
    ],
    ids=[
        "an outage",
        "one of the script",
        "a restart, tried again",
        "a restart, told",
        "an outage, told",
        "a last gasp",
    ],
)
def test_a_push_breaks_with_the_power_of_its_meter(
    retries: int, on: list[MeterEvent], happens: Callable[[Power], object]
) -> None:
    """What is tried again or told afterwards goes over a connection of its own, which lasts."""

    async def main() -> None:
        now = Now()
        meter = a_meter(clock=now, push_operation_method=PushOperationMethod.CONFIRMED, number_of_retries=retries)
        dispatch = PushDispatch(meter, confirmation_wait=3600)
        somebody = Silent()
        async with await asyncio.start_server(somebody.attend, "127.0.0.1", 0) as server:
            dispatch.start()
            begin(meter, f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
            meter.pushes.describe(meter.management, SETUP.instance, on=on)
            while not somebody.heard:
                await asyncio.sleep(0)
            now.later(seconds=1)
            happens(meter.power)
            now.time += START_UP
            more = bool(retries or on)
            while somebody.gone < 1 or somebody.heard < 1 + more or bool(meter.pushes.running) != more:
                await asyncio.sleep(0)
            assert (somebody.heard, somebody.gone) == (1 + more, 1)
            await dispatch.close()

    run(main())


def test_what_a_push_has_not_got_rid_of_is_lost_with_the_power() -> None:
    async def main() -> None:
        meter, heard, reads = a_meter(), bytearray(), asyncio.Event()
        over = asyncio.Event()

        async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reads.wait()
            with contextlib.suppress(ConnectionError):
                while octets := await reader.read(1 << 20):
                    heard.extend(octets)
            writer.close()
            over.set()

        note = DataNotification(1, b"", OctetString(bytes(60_000)))
        async with await asyncio.start_server(attend, "127.0.0.1", 0) as server:
            place = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            pushing = asyncio.create_task(push(place, *[note] * 500, meter=meter))
            for _ in range(100):
                await asyncio.sleep(0)
            assert not pushing.done()
            meter.power.down()
            with pytest.raises(ConnectionLost, match="power"):
                await pushing
            reads.set()
            await over.wait()
        assert len(heard) < 500 * 60_000

    run(main())


def test_nobody_is_called_any_more_when_the_power_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_: object) -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        meter = a_meter()
        monkeypatch.setattr("cosem.meter.push.open_async", never)
        pushing = asyncio.create_task(push("tcp://127.0.0.1:9", DataNotification(1, b"", Unsigned(1)), meter=meter))
        await asyncio.sleep(0)
        meter.power.restart()
        meter.power.restart()
        with pytest.raises(ConnectionLost, match="power"):
            await pushing

    run(main())


@pytest.mark.parametrize("retries", [0, 3])
def test_a_meter_that_restarts_at_its_push_takes_its_time_to_start_up(retries: int) -> None:
    """It pushes that it has power, and restarts at that: once each time, and not as fast as it can."""

    async def main() -> None:
        now = Now()
        meter = a_meter(clock=now, faults=Faults(reboot_after=1), number_of_retries=retries)
        dispatch, somebody = PushDispatch(meter), Hearing()
        async with await asyncio.start_server(somebody.attend, "127.0.0.1", 0) as server:
            dispatch.start()
            look = meter.pushes.wake
            assert look is not None
            begin(meter, f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
            meter.pushes.describe(meter.management, SETUP.instance, on=[MeterEvent.POWER_UP])
            for restarts in range(1, 7):
                while meter.power.restarts < restarts:
                    await asyncio.sleep(0)
                now.time += START_UP - timedelta(seconds=1)
                for _ in range(50):
                    look()
                    await asyncio.sleep(0)
                assert meter.power.restarts == restarts
                now.later(seconds=1)
                assert meter.pushes.deadline() == now()
                look()
            await dispatch.close()

    run(main())
