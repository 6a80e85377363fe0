"""Surveys in a simulated world: what is found by whom, in how few exchanges, and which object lists are believed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cosem import AsyncClient, Data, Meter, ProfileGeneric, Register, Unit
from cosem.client.access import access
from cosem.client.browse import BrowsedDevice, Level, Wanted
from cosem.errors import (
    AssociationRejected,
    CosemError,
    DataAccessError,
    LocalProtocolError,
    ShapeError,
    TransportError,
)
from cosem.io.simulated import SimulatedStream, World
from cosem.io.stream import Stream
from cosem.meter import Access, AssociationDescription, Keys, Rights
from cosem.meter.attend import attend
from cosem.meter.item import Item
from cosem.meter.rights import Rule
from cosem.protocol.association.context import AssociationLimits
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.codec import axdr
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.model import UnknownClass
from cosem.protocol.model.rights import AttributeAccess
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.data import DoubleLongUnsigned, LongUnsigned, OctetString, VisibleString
from cosem.protocol.values.obis import Obis, ObisPattern
from cosem.store.memory import MemoryCounterStore
from cosem.store.object_lists import ObjectLists

pytestmark = pytest.mark.filterwarnings("ignore::cosem.errors.SecurityWarning")

ENCRYPTION_KEY = bytes.fromhex("11223344556677889900AABBCCDDEEFF")
AUTHENTICATION_KEY = bytes.fromhex("D1D2D3D4D5D6D7D8D9DADBDCDDDEDF00")
PASSWORD = "s3cret-of-the-meter"
SECURED: dict[str, Any] = {
    "auth": "gmac",
    "ek": ENCRYPTION_KEY,
    "ak": AUTHENTICATION_KEY,
    "system_title": bytes.fromhex("4D4D4D0000000001"),
}
CLIENTS: dict[str, tuple[int, dict[str, Any]]] = {
    "public": (16, {}),
    "password": (2, {"password": PASSWORD}),
    "challenge": (1, SECURED),
}


class Lane:
    """A stream that counts what is said on it, with the octets of each message."""

    def __init__(self, inner: Stream, said: list[int]) -> None:
        self.inner = inner
        self.said = said

    async def read(self, deadline: float | None, /) -> bytes:
        return await self.inner.read(deadline)

    async def write(self, octets: bytes, /) -> None:
        self.said.append(len(octets))
        await self.inner.write(octets)

    async def close(self) -> None:
        await self.inner.close()

    def now(self) -> float:
        return self.inner.now()


class Bench:
    """A meter over a slow link; `said` are the octets of each message of clients, `opened` their SAPs."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.world = World(1)
        self.said: list[int] = []
        self.opened: list[int] = []
        self.lines: list[SimulatedStream] = []

    def survey(self, level: str = "public", wanted: Wanted | None = None, **words: Any) -> tuple[BrowsedDevice, ...]:
        client, given = CLIENTS[level]
        self.said.clear()
        self.opened.clear()

        async def opener(url: ConnectionUrl, _seconds: float) -> Stream:
            near, far = self.world.pair(latency=0.15)
            self.lines.append(far)
            self.world.spawn(self._attend(far))
            self.opened.append(url.client)
            return Lane(near, self.said)

        async def main() -> tuple[BrowsedDevice, ...]:
            entry = access(**{"counters": MemoryCounterStore(), **given, **words})
            url = ConnectionUrl.parse(f"tcp://192.0.2.1?client={client}")
            surveyor = AsyncClient(url, entry, opener=opener, entropy=self.world.random.randbytes)
            return await surveyor.survey() if wanted is None else await surveyor.survey(wanted)

        return self.world.run(main())

    async def _attend(self, far: SimulatedStream) -> None:
        with contextlib.suppress(CosemError):
            await attend(self.meter, far, entropy=self.world.random.randbytes)
        await far.close()


ROOMY = AssociationLimits(listed=128)
"""For a meter that takes as long a list as its PDU has room for."""


def offered(meter: Meter, *more: AssociationDescription) -> Meter:
    keys = Keys(Key(ENCRYPTION_KEY), Key(AUTHENTICATION_KEY), temporary=True)
    meter.offer(
        *more,
        AssociationDescription(client=2, mechanism=MECHANISMS[1], secret=Secret(PASSWORD.encode())),
        AssociationDescription(
            client=1,
            mechanism=MECHANISMS[5],
            keys=keys,
            protection=AUTHENTICATED_ENCRYPTION,
            limits=ROOMY,
            rights=Rights(Access.MANAGE),
        ),
    )
    return meter


def broken(_: datetime) -> object:
    """A value that its meter cannot tell: hardware-fault."""
    raise ShapeError("out of order")


def small(*more: AssociationDescription) -> Meter:
    meter = Meter("KFM1020012345678")
    meter.add(Register("1.0.1.8.0.255"), value=DoubleLongUnsigned(12_345_678), scaler_unit=(-1, Unit.WATT_HOUR))
    meter.add(Data("0.0.96.1.0.255"), value=OctetString(b"12345678"), writable=("value",))
    meter.add(Data("1.0.0.2.0.255"), value=VisibleString("1.0.0"))
    meter.add(Data("0.0.96.3.10.255"), value=broken)
    meter.add(
        ProfileGeneric("1.0.99.1.0.255"),
        capture_objects=[CaptureObject(3, Obis("1.0.1.8.0.255"), 2)],
        buffer=[(DoubleLongUnsigned(number),) for number in range(9)],
    )
    return offered(meter, *(more or (AssociationDescription(client=16, rights=Rights(Access.PUBLIC)),)))


def found(device: BrowsedDevice, name: str) -> Any:
    return next(each for each in device.objects if str(each.address.instance) == name)


# -- what is found ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", CLIENTS)
def test_each_level_opens_what_it_may(level: str) -> None:
    (device,) = Bench(small()).survey(level)
    assert [(view.client, view.level) for view in device.views][-1] == (CLIENTS[level][0], Level(level))
    assert device.views[0].level is Level.PUBLIC
    assert all(view.error is None for view in device.views)
    assert device.name == b"KFM1020012345678"
    assert (device.title is not None) is (level == "challenge")
    listed = {str(each.address.instance) for each in device.objects}
    assert ("1.0.1.8.0.255" in listed) is (level != "public")
    if level == "challenge":
        serial = found(device, "0.0.96.1.0.255")
        assert serial.attribute_access(2) == {1: AttributeAccess.READ_WRITE}
        assert found(device, "0.0.42.0.0.255").attribute_access(2) == dict.fromkeys((16, 1), AttributeAccess.READ)


def test_values_are_typed_with_units_and_a_refusal_is_one_of_them() -> None:
    (device,) = Bench(small()).survey("password")
    energy = found(device, "1.0.1.8.0.255")
    assert str(energy.quantity(2)) == "1234567.8 Wh"
    assert energy.value(1) == Obis("1.0.1.8.0.255")
    refused = found(device, "0.0.96.3.10.255").value(2)
    assert isinstance(refused, DataAccessError)
    assert refused.name == "hardware-fault"
    assert found(device, "1.0.0.2.0.255").value(2) == "1.0.0"
    assert found(device, "1.0.99.1.0.255").attributes == (1, 2, 3, 4, 5, 6, 7, 8)
    assert 2 not in found(device, "1.0.99.1.0.255").values


def test_buffers_come_where_they_are_wanted() -> None:
    (device,) = Bench(small()).survey("password", Wanted(buffers=True))
    assert len(found(device, "1.0.99.1.0.255").value(2)) == 9
    assert len(found(device, "0.0.40.0.0.255").value(2)) == len(device.views[-1].objects)


def test_only_what_is_wanted_is_read() -> None:
    pattern = ObisPattern("1-*:1.8.0")
    (device,) = Bench(small()).survey("password", Wanted(objects=lambda each: pattern.matches(each.logical_name)))
    (energy,) = device.objects
    assert energy.values.keys() == {1, 2, 3}
    assert device.name == b"KFM1020012345678"
    (device,) = Bench(small()).survey("password", Wanted(attributes=lambda each: each.name == "scaler_unit"))
    assert {index for each in device.objects for index in each.values} == {3}
    (device,) = Bench(small()).survey("password", Wanted(values=False))
    assert not any(each.values for each in device.objects)
    assert found(device, "1.0.1.8.0.255").attribute_access(2) == {2: AttributeAccess.READ}


def test_every_logical_device_of_the_sap_assignment_is_browsed() -> None:
    meter = small()
    other = meter.add_device(2, "KFM2")
    other.add(Register("1.0.2.8.0.255"), value=DoubleLongUnsigned(5), scaler_unit=(0, Unit.WATT_HOUR))
    other.offer(AssociationDescription(client=2, mechanism=MECHANISMS[1], secret=Secret(PASSWORD.encode())))
    meter.add_device(3, "KFM3")
    first, second, third = Bench(meter).survey("password")
    assert [(each.sap, each.name) for each in (first, second, third)] == [
        (1, b"KFM1020012345678"),
        (2, b"KFM2"),
        (3, b"KFM3"),
    ]
    assert str(found(second, "1.0.2.8.0.255").quantity(2)) == "5 Wh"
    assert isinstance(second.views[0].error, AssociationRejected)
    assert not third.objects and isinstance(third.views[-1].error, AssociationRejected)
    (only,) = Bench(meter).survey("password", Wanted(devices=frozenset({2})))
    assert only.sap == 2


def test_what_only_the_public_client_may_read_is_read_by_it() -> None:
    rule = Rule(ObisPattern("0.0.96.1.0.255"), AttributeAccess.NONE)
    meter = Meter("KFM1")
    meter.add(Data("0.0.96.1.0.255"), value=OctetString(b"12345678"))
    meter.offer(
        AssociationDescription(client=16),
        AssociationDescription(
            client=2, mechanism=MECHANISMS[1], secret=Secret(PASSWORD.encode()), rights=Rights(Access.READ, (rule,))
        ),
    )
    bench = Bench(meter)
    (device,) = bench.survey("password")
    assert found(device, "0.0.96.1.0.255").value(2) == b"12345678"
    assert bench.opened == [16, 2, 16]


def test_where_the_given_client_does_not_get_in_the_public_one_reads() -> None:
    bench = Bench(small())
    (device,) = bench.survey("password", password="wrong")
    assert isinstance(device.views[-1].error, AssociationRejected)
    assert found(device, "0.0.1.0.0.255").value(9) == 1
    assert bench.opened == [16, 2, 16]


def test_a_meter_without_public_client() -> None:
    (device,) = Bench(offered(Meter("KFM1"))).survey("password")
    assert isinstance(device.views[0].error, AssociationRejected)
    assert device.views[1].error is None


def test_a_lost_session_keeps_what_came_before() -> None:
    bench = Bench(large(400))
    bench.world.at(1.7, lambda: bench.lines[-1].reset())
    (device,) = bench.survey("public")
    read = [value for each in device.objects for value in each.values.values()]
    assert isinstance(device.views[-1].error, TransportError)
    assert any(isinstance(each, TransportError) for each in read)
    assert sum(isinstance(each, DoubleLongUnsigned) for each in read) > 50


def test_a_survey_opens_associations_of_its_own() -> None:
    bench = Bench(small())

    async def opener(_url: ConnectionUrl, _seconds: float) -> Stream:
        near, far = bench.world.pair()
        bench.world.spawn(attend(bench.meter, far))
        return near

    async def main() -> None:
        async with AsyncClient.open("tcp://192.0.2.1?client=16", opener=opener) as client:
            with pytest.raises(LocalProtocolError, match="close this one first"):
                await client.survey()

    bench.world.run(main())


# -- in how few exchanges ---------------------------------------------------------------------------------------------


def large(objects: int) -> Meter:
    """A meter with so many registers, of values of different lengths, and open to everybody."""
    meter = Meter("KFM1020012345678", clock=lambda: datetime(2026, 7, 1, tzinfo=UTC))
    for number in range(objects):
        value = DoubleLongUnsigned(number) if number % 2 else LongUnsigned(number)
        meter.add(Register(f"1.{number // 200}.{number % 200 + 1}.8.0.255"), value=value, scaler_unit=(0, Unit.WATT))
    return offered(meter, AssociationDescription(client=16, limits=ROOMY))


ITEM = 10
"""Octets of one attribute in a GET with list: class 2, logical name 6, attribute 1, no selection 1."""


def length_octets(length: int) -> int:
    return 1 if length < 0x80 else 2 if length < 0x100 else 3


def forced(device: BrowsedDevice, pdu: int, answer_pdu: int, protection: int) -> int:
    """Return how many exchanges the sizes force: requests of one PDU each, and their answers in blocks.

    `protection` are the octets that an envelope adds to a PDU.
    """
    asked = [
        value
        for each in device.objects
        for index, value in each.values.items()
        if index != 1  # the object list has told it
    ]
    room = pdu - protection - 3
    most = next(number for number in range(200, 0, -1) if length_octets(number) + ITEM * number <= room)
    exchanges = blocks(len(axdr.encode(device.views[-1].listed)), answer_pdu - protection)
    for start in range(0, len(asked), most):
        answers = asked[start : start + most]
        assert not any(isinstance(each, Exception) for each in answers)
        octets = sum(1 + len(axdr.encode(each)) for each in answers)
        exchanges += blocks(length_octets(len(answers)) + octets, answer_pdu - protection)
    return exchanges


def blocks(octets: int, pdu: int) -> int:
    """Return in how many PDUs so many octets come: whole, or in blocks with a number and a length."""
    if octets + 4 <= pdu:
        return 1
    carried = pdu - 3 - 1 - 4 - 1
    return -(-octets // (carried - length_octets(carried)))


@pytest.mark.parametrize("answer_pdu", [512, 2048, 0xFFFF])
@pytest.mark.parametrize(("level", "around", "protection"), [("public", 2, 0), ("challenge", 3, 1 + 3 + 5 + 12)])
def test_500_objects_take_no_more_exchanges_than_the_sizes_force(
    level: str, around: int, protection: int, answer_pdu: int
) -> None:
    bench = Bench(large(500))
    wanted = Wanted(devices=frozenset({1}))
    before = bench.world.now()
    (device,) = bench.survey(level, wanted, max_receive_pdu_size=answer_pdu)
    assert bench.world.now() - before < 0.3 * (len(bench.said) + 1)
    first = 0 if level == "public" else public_part(bench, answer_pdu)
    assert sum(len(each.values) for each in device.objects) > 1500
    least = forced(device, 1024, answer_pdu, protection)
    assert len(bench.said) - first <= least + around
    assert max(bench.said) <= 1024 + 8  # with the wrapper's header


def public_part(bench: Bench, answer_pdu: int) -> int:
    """Return how often the public client speaks in a survey before anybody else."""
    said = list(bench.said)
    bench.survey("public", Wanted(values=False), max_receive_pdu_size=answer_pdu)
    alone = len(bench.said) + 1  # and once more for its own association, which it alone sees
    bench.said[:] = said
    return alone


# -- object lists that are known --------------------------------------------------------------------------------------


@pytest.fixture
def lists(tmp_path: Path) -> Iterator[ObjectLists]:
    yield ObjectLists(tmp_path / "lists")


def test_a_known_object_list_is_not_read_again(lists: ObjectLists) -> None:
    bench = Bench(large(300))
    wanted = Wanted(known=lists)
    words = {"max_receive_pdu_size": 1024}
    (before,) = bench.survey("public", wanted, **words)
    first = len(bench.said)
    (after,) = bench.survey("public", wanted, **words)
    second = len(bench.said)
    assert second <= first - 15
    assert [each.address for each in after.objects] == [each.address for each in before.objects]
    assert [each.values for each in after.objects] == [each.values for each in before.objects]
    bench.survey("public", Wanted(known=lists, fresh=True), **words)
    assert len(bench.said) == first


def test_what_a_meter_takes_in_one_list_is_learnt_once(lists: ObjectLists) -> None:
    meter = Meter("KFM1020012345678", clock=lambda: datetime(2026, 7, 1, tzinfo=UTC))
    for number in range(1, 101):
        meter.add(Register(f"1.0.{number}.8.0.255"), value=DoubleLongUnsigned(number), scaler_unit=(0, Unit.WATT))
    bench = Bench(offered(meter, AssociationDescription(client=16)))  # it serves lists of 64
    (device,) = bench.survey("public", Wanted(known=lists))
    refused = [octets for octets in bench.said if octets > ITEM * 64 + 8 + 4]
    assert len(refused) == 1
    assert not any(isinstance(value, CosemError) for each in device.objects for value in each.values.values())
    bench.survey("public", Wanted(known=lists))
    assert max(bench.said) <= ITEM * 64 + 8 + 4


def test_another_configuration_is_another_list(lists: ObjectLists) -> None:
    meter = small()
    wanted = Wanted(known=lists)
    Bench(meter).survey("password", wanted)
    meter.add(Data("0.0.96.1.9.255"), value=OctetString(b"new"))
    (same,) = Bench(meter).survey("password", wanted)
    assert all(str(each.address.instance) != "0.0.96.1.9.255" for each in same.objects)
    meter.put(Data("1.0.0.2.0.255").value, VisibleString("1.0.1"))
    (device,) = Bench(meter).survey("password", wanted)
    assert found(device, "0.0.96.1.9.255").value(2) == b"new"


def test_each_association_and_meter_has_its_own_list(lists: ObjectLists) -> None:
    wanted = Wanted(known=lists)
    counts = {
        (name, level): len(Bench(meter).survey(level, wanted)[0].views[-1].objects)
        for _ in range(2)
        for name, meter in (("small", small()), ("other", offered(Meter("KFM1"))))
        for level in ("password", "challenge")
    }
    assert len(set(counts.values())) == 4


def test_a_list_whose_objects_are_gone_is_read_anew(lists: ObjectLists) -> None:
    wanted = Wanted(known=lists)
    Bench(small()).survey("password", wanted)
    less = Meter("KFM1020012345678")
    less.add(Data("1.0.0.2.0.255"), value=VisibleString("1.0.0"))
    (device,) = Bench(offered(less)).survey("password", wanted)
    assert all(str(each.address.instance) != "1.0.1.8.0.255" for each in device.objects)
    assert not any(isinstance(value, CosemError) for each in device.objects for value in each.values.values())


def test_a_damaged_entry_is_as_if_there_were_none(lists: ObjectLists, tmp_path: Path) -> None:
    wanted = Wanted(known=lists)
    (before,) = Bench(small()).survey("password", wanted)
    (entry,) = (tmp_path / "lists").iterdir()
    for damaged in (b"", b"{", b"[]", entry.read_bytes().replace(b'"object_list": "01', b'"object_list": "02')):
        entry.write_bytes(damaged)
        (after,) = Bench(small()).survey("password", wanted)
        assert len(after.objects) == len(before.objects)


def test_the_name_of_an_entry_tells_nobody_which_meter_it_is_of(lists: ObjectLists, tmp_path: Path) -> None:
    Bench(small()).survey("password", Wanted(known=lists))
    (entry,) = (tmp_path / "lists").iterdir()
    assert "KFM" not in entry.name and b"KFM" not in entry.read_bytes()
    assert entry.stat().st_mode & 0o077 == 0


def test_an_unknown_class_goes_by_number() -> None:
    meter = small()
    address = UnknownClass(9000, 3, "0.0.128.0.0.255")
    meter.management.put_in(Item(address, {2: LongUnsigned(7)}))
    (device,) = Bench(meter).survey("password")
    strange = found(device, "0.0.128.0.0.255")
    assert isinstance(strange.address, UnknownClass)
    assert strange.values[2] == LongUnsigned(7)
    assert strange.version == 3
