"""A client and a meter in one simulated world: no sockets, and no clock but the world's."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

import pytest

from cosem.client.access import Access as ClientAccess
from cosem.client.access import access
from cosem.client.exchange import Exchange
from cosem.client.services import Services
from cosem.errors import (
    AssociationRejected,
    ConfigurationError,
    ConnectionLost,
    CosemError,
    DataAccessError,
    ServiceRefused,
    TimedOut,
)
from cosem.io.simulated import Faults, SimulatedStream, World
from cosem.meter import (
    PUBLIC_ASSOCIATION,
    RECOMPUTED,
    Access,
    AssociationDescription,
    Keys,
    Meter,
    Rights,
    attend,
)
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.mechanism import named
from cosem.protocol.link.hdlc.address import HdlcAddress, client_address
from cosem.protocol.link.hdlc.frame import FINAL, UI, encode
from cosem.protocol.model import AssociationLN, Clock, Data, ProfileGeneric, Register, object_for
from cosem.protocol.profile import profile_of
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.session import ClientSession
from cosem.protocol.values.data import OctetString
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit
from cosem.store.memory import MemoryCounterStore

R = TypeVar("R")

BEGIN = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)
ENERGY = Register("1.0.1.8.0.255")
SERIAL = Data("0.0.96.1.0.255")
PROFILE = ProfileGeneric("1.0.99.1.0.255")
KEYS = Keys(
    Key(bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C")),
    Key(bytes.fromhex("603DEB1015CA71BE2B73AEF0857D7781")),
    temporary=True,
)
SCHEMES = ("tcp", "udp", "hdlc+tcp")


def energy_at(time: datetime) -> int:
    return int((time - BEGIN).total_seconds()) + 1_000_000


def make_meter(world: World) -> Meter:
    meter = Meter("KFM1020012345678", clock=lambda: BEGIN + timedelta(seconds=world.now()))
    meter.add(ENERGY, value=energy_at, scaler_unit=(0, Unit.WATT_HOUR))
    meter.add(SERIAL, value="1020012345678", writable=("value",))
    meter.add(
        PROFILE,
        capture_objects=(Clock().time, ENERGY.value),
        capture_period=900,
        profile_entries=960,
        buffer=RECOMPUTED,
    )
    return meter


def secure(meter: Meter, keys: Keys = KEYS) -> Meter:
    meter.offer(
        PUBLIC_ASSOCIATION,
        AssociationDescription(
            client=1,
            mechanism=named("gmac"),
            keys=keys,
            protection=AUTHENTICATED_ENCRYPTION,
            rights=Rights(Access.MANAGE),
        ),
        AssociationDescription(client=32, mechanism=named("low"), secret=Secret(b"open sesame")),
    )
    return meter


class Bench:
    """A world with one meter, to which clients dial."""

    def __init__(self, seed: int = 1, scheme: str = "tcp", faults: Faults | None = None) -> None:
        self.world = World(seed)
        self.meter = make_meter(self.world)
        self.url = ConnectionUrl.parse(f"{scheme}://127.0.0.1?client=16")
        self.faults = faults
        self.counters = MemoryCounterStore()
        self.ends: list[CosemError | None] = []

    def entropy(self, octets: int) -> bytes:
        return self.world.random.randbytes(octets)

    async def _attend(self, stream: SimulatedStream, peer: str) -> None:
        error: CosemError | None = None
        try:
            await attend(self.meter, stream, profile_of(self.url), peer=peer, entropy=self.entropy)
        except CosemError as caught:
            error = caught
        self.ends.append(error)
        await stream.close()

    async def dial(self, client: int = 16, entry: ClientAccess | None = None, peer: str = "home") -> Exchange:
        url = replace(self.url, client=client)
        profile = profile_of(url)
        near, far = self.world.pair(self.faults, datagrams=profile.lower_layers.datagrams)
        self.world.spawn(self._attend(far, peer))
        entry = entry or access()
        counter = entry.counter() if entry.secured else None
        session = ClientSession(
            profile.lower_layers.client(url),
            entry.association(profile.application, self.entropy, counter),
            profile.application.timing,
        )
        exchange = Exchange(session, near)
        try:
            await exchange.connect()
            await exchange.associate()
        except BaseException:
            await exchange.close()
            raise
        return exchange

    def gmac(self) -> ClientAccess:
        return access(
            auth="gmac",
            ek=KEYS.encryption,
            ak=KEYS.authentication,
            protection="auth+enc",
            system_title="4142434445464748",
            counters=self.counters,
        )

    def run(
        self, dialogue: Callable[[Services], Awaitable[R]], client: int = 16, entry: ClientAccess | None = None
    ) -> R:
        async def main() -> R:
            exchange = await self.dial(client, entry)
            try:
                return await dialogue(Services(exchange))
            finally:
                await exchange.close()

        return self.world.run(main())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_meter_without_described_associations_is_read_by_client_16(scheme: str) -> None:
    bench = Bench(scheme=scheme)

    async def dialogue(services: Services) -> None:
        assert await services.get(ENERGY.value) == 1_000_000
        assert (await services.get(ENERGY.scaler_unit)).unit is Unit.WATT_HOUR
        assert await services.get(Data("0.0.42.0.0.255").value) == b"KFM1020012345678"
        assert timedelta() <= (await services.get(Clock().time)).to_datetime() - BEGIN < timedelta(seconds=1)
        with pytest.raises(DataAccessError) as refused:
            await services.set(SERIAL.value, OctetString(b"x"))
        assert refused.value.result == DataAccessResult.READ_WRITE_DENIED

    bench.run(dialogue)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_profile_by_range_by_entry_and_whole_in_blocks(scheme: str) -> None:
    bench = Bench(scheme=scheme)

    async def dialogue(services: Services) -> None:
        hour = await services.get(PROFILE.buffer.range(BEGIN - timedelta(hours=1), BEGIN))
        assert [int(row[1]) for row in hour] == [1_000_000 - 900 * back for back in (4, 3, 2, 1, 0)]
        first = await services.get(PROFILE.buffer.entries(1, 2, first_column=2))
        assert [[int(cell) for cell in row] for row in first] == [[1_000_000 - 900 * 959], [1_000_000 - 900 * 958]]
        assert len(await services.get(PROFILE.buffer)) == 960
        assert await services.get(PROFILE.entries_in_use) == 960

    bench.run(dialogue)


def test_every_object_in_the_list_can_be_read_as_the_list_says() -> None:
    bench = Bench()
    secure(bench.meter)

    async def dialogue(services: Services) -> int:
        names = 0
        for element in await services.get(AssociationLN().object_list):
            for item in element.access_rights.attribute_access:
                reference = _reference(element.class_id, element.version, element.logical_name, item.index)
                if item.access & 1:
                    await services.get(reference)
                else:
                    with pytest.raises(DataAccessError):
                        await services.get(reference)
                names += 1
        return names

    for client, entry in ((16, None), (32, access(auth="low", password="open sesame")), (1, bench.gmac())):
        assert bench.run(dialogue, client, entry) > 20


def _reference(class_id: int, version: int, instance: Obis, index: int) -> Any:
    return object_for(class_id, version, instance).attribute(index)


def test_the_public_client_of_a_described_meter_sees_little() -> None:
    bench = Bench()
    secure(bench.meter)

    async def dialogue(services: Services) -> set[str]:
        with pytest.raises(DataAccessError) as refused:
            await services.get(ENERGY.value)
        assert refused.value.result == DataAccessResult.OBJECT_UNDEFINED
        return {str(element.logical_name) for element in await services.get(AssociationLN().object_list)}

    assert bench.run(dialogue) == {
        *("0.0.1.0.0.255", "0.0.42.0.0.255", "0.0.41.0.0.255", "0.0.40.0.0.255", "0.0.40.0.1.255"),
        *("0.0.43.1.0.255", "0.0.43.1.2.255"),
    }


@pytest.mark.parametrize("scheme", SCHEMES)
def test_hls_gmac_with_everything_protected(scheme: str) -> None:
    bench = Bench(scheme=scheme)
    secure(bench.meter)

    async def dialogue(services: Services) -> None:
        assert await services.get(ENERGY.value) >= 1_000_000
        await services.set(SERIAL.value, OctetString(b"another"))
        assert await services.get(SERIAL.value) == b"another"
        assert len(await services.get(PROFILE.buffer)) == 960

    bench.run(dialogue, 1, bench.gmac())


def test_the_counter_object_holds_the_last_counter_received_and_anybody_may_read_it() -> None:
    bench = Bench()
    secure(bench.meter)
    counter = Data("0.0.43.1.2.255")

    async def dialogue(services: Services) -> int:
        await services.get(ENERGY.value)
        return cast("int", await services.get(counter.value))

    async def public(services: Services) -> int:
        return cast("int", await services.get(counter.value))

    assert bench.run(public) == 0
    inside = bench.run(dialogue, 1, bench.gmac())
    assert inside >= 4, "initiate, proof and its envelope, two reads"
    assert bench.run(public) >= inside
    assert bench.run(dialogue, 1, bench.gmac()) > inside


def test_a_replayed_counter_is_refused_even_in_a_new_association() -> None:
    bench = Bench()
    secure(bench.meter)

    async def dialogue(services: Services) -> None:
        await services.get(ENERGY.value)

    bench.run(dialogue, 1, bench.gmac())
    bench.counters = MemoryCounterStore()  # a client that has forgotten what it sent
    with pytest.raises(ServiceRefused, match="the meter expects"):
        bench.run(dialogue, 1, bench.gmac())


def test_wrong_secrets_unknown_clients_and_lock_outs_are_refused_alike() -> None:
    bench = Bench()
    secure(bench.meter)

    async def attempt(client: int, password: str, peer: str = "home") -> tuple[int, int | None]:
        try:
            exchange = await bench.dial(client, access(auth="low", password=password), peer)
        except AssociationRejected as rejected:
            return rejected.result, rejected.diagnostic
        await exchange.close()
        return 0, None

    async def main() -> None:
        unknown = await attempt(77, "anything")
        assert [await attempt(32, "wrong") for _ in range(3)] == [unknown] * 3
        assert await attempt(32, "open sesame") == unknown, "locked"
        assert await attempt(32, "open sesame", peer="elsewhere") == (0, None)
        await bench.world.sleep(61)
        assert await attempt(32, "open sesame") == (0, None)

    bench.world.run(main())


def test_the_lines_of_a_bad_world_never_kill_a_meter() -> None:
    for seed in range(40):
        bench = Bench(seed, SCHEMES[seed % 3], Faults(loss=0.03, damage=0.03, split=0.2, duplication=0.03, reset=0.01))
        secure(bench.meter)

        async def dialogue(services: Services) -> None:
            for _ in range(5):
                await services.get(PROFILE.buffer.entries(1, 40))

        with contextlib.suppress(CosemError):
            bench.run(dialogue, 1, bench.gmac())
        bench.world.run()  # the meter comes to an end as well, by itself
        assert all(end is None or isinstance(end, CosemError) for end in bench.ends)
        assert bench.ends


def test_a_silent_client_is_let_go() -> None:
    bench = Bench()

    async def main() -> None:
        near, far = bench.world.pair()
        bench.world.spawn(bench._attend(far, "home"))
        with pytest.raises((ConnectionLost, TimedOut)):
            while True:
                await near.read(None)

    bench.world.run(main())
    assert [type(end) for end in bench.ends] == [TimedOut]
    assert 119 < bench.world.now() < 121


def test_garbage_on_a_connection_ends_that_connection() -> None:
    bench = Bench()

    async def main() -> None:
        near, far = bench.world.pair()
        bench.world.spawn(bench._attend(far, "home"))
        await near.write(bytes.fromhex("000200100001000101"))
        with pytest.raises(ConnectionLost):
            while True:
                await near.read(None)

    bench.world.run(main())
    assert bench.ends[0] is not None


def test_a_request_outside_any_hdlc_connection_is_not_heard() -> None:
    bench = Bench(scheme="hdlc+tcp")
    request = bytes.fromhex("E6E600C001C1000100002A0000FF0200")
    server, client = HdlcAddress.of(1, None, 1).encode(), client_address(16).encode()

    async def main() -> bytes:
        near, far = bench.world.pair()
        bench.world.spawn(bench._attend(far, "home"))
        await near.write(encode(server, client, UI | FINAL, request))
        heard = await near.read(bench.world.now() + 5)
        await near.close()
        return heard

    assert bench.world.run(main()) == b""
    bench.world.run()
    assert bench.ends == [None]


def test_a_meter_whose_counters_cannot_be_kept_says_so_and_ends_the_connection() -> None:
    class Full(MemoryCounterStore):
        def lease(self, name: str, count: int, at_least: int = 0) -> range:
            raise ConfigurationError("the disk is full")

    bench = Bench()
    bench.meter = Meter("KFM1020012345678", counters=Full())
    secure(bench.meter, replace(KEYS, temporary=False))
    with pytest.raises(CosemError):
        bench.run(lambda services: services.get(ENERGY.value), 1, bench.gmac())
    bench.world.run()
    assert all(end is None or isinstance(end, CosemError) for end in bench.ends)
