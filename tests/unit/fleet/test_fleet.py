"""A fleet on loopback: which meter answers where, who is turned away, and the limits of each meter."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cosem.client.client import AsyncClient
from cosem.errors import ConfigurationError, ConnectionLost, CosemError, ServiceRefused, TransportError
from cosem.fleet.clock import VirtualClock
from cosem.fleet.director import Director
from cosem.fleet.fleet import Fleet
from cosem.fleet.keys import FleetKeys
from cosem.fleet.ledger import Answer, create, open_ledger
from cosem.fleet.limits import FleetLimits
from cosem.fleet.listening import AddressRange
from cosem.fleet.misbehaving import Misbehaving, Misbehaviour
from cosem.fleet.places import MOST_BEHIND_A_GATEWAY, Place, Way, prefix
from cosem.fleet.population import Group, Population, PopulationLimits
from cosem.fleet.scenario import Outage, Scenario
from cosem.io.aio import connect_tcp
from cosem.io.aio.listening import Listener, listen
from cosem.io.bus import Bus
from cosem.meter.attend import ConnectionLimits
from cosem.meter.faults import Faults
from cosem.meter.multidrop import MOST_ON_A_LINE
from cosem.protocol.crypto.key import Secret
from cosem.protocol.dialect import Dialect
from cosem.protocol.model import Data, Register
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.gateway import GatewayLimits
from cosem.protocol.profile.timing import Timing
from cosem.protocol.values.data import OctetString

NAME = Data("0.0.42.0.0.255")
ENERGY = Register("1.0.1.8.0.255")
PUBLIC = bytes.fromhex("601DA109060760857405080101BE10040E01000000065F1F0400001E5DFFFF")
"""An AARQ of the public client, as many stacks send it."""
WRAPPED = bytes.fromhex("000100100001") + len(PUBLIC).to_bytes(2, "big")
"""The header of the wrapper before it: version 1, from client 16 to logical device 1."""


def on_loopback(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(main())


async def name_at(url: ConnectionUrl) -> bytes:
    async with AsyncClient.open(replace(url, client=16)) as client:
        name = await client.get(NAME.value)
        assert isinstance(name, OctetString)
        return bytes(name)


async def associated(url: ConnectionUrl) -> AsyncClient:
    """Come in and stay: whoever has opened an association keeps his place."""
    client = AsyncClient.open(replace(url, client=16))
    await client.connect()
    return client


@pytest.mark.parametrize("number", [0, 299, 300, 599])
def test_meter_n_answers_at_the_address_plus_n(number: int) -> None:
    async def main() -> None:
        async with Fleet(Population(600), "tcp://127.3.255.0:0") as fleet:
            assert await name_at(fleet.url(number)) == f"KFM1020{number:09}".encode()
            assert fleet.state.accepted == 1

    on_loopback(main)


def test_an_address_of_nobody_is_closed_without_a_word() -> None:
    async def main() -> None:
        async with Fleet(Population(2), "tcp://127.3.0.0:0") as fleet:
            beyond = replace(fleet.url(1), host="127.3.0.2")
            with pytest.raises(CosemError):
                await name_at(beyond)
            assert (fleet.state.accepted, fleet.state.refused) == (0, 1)

    on_loopback(main)


def own_addresses() -> list[str]:
    """Return the address that this machine has beside those of loopback: none where it has no network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("192.0.2.1", 9))  # only looks for the way there: nothing is sent
        except OSError:
            return []
        return [asked.getsockname()[0]]


def test_where_the_device_cannot_be_bound_the_address_still_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: socket.socket) -> None:
        raise PermissionError

    async def answer(host: str, port: int) -> bytes:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(WRAPPED + PUBLIC)
            return await reader.read(1)
        except ConnectionError:  # it was closed before what was sent had been read
            return b""
        finally:
            writer.close()

    async def main() -> None:
        async with Fleet(Population(2), "tcp://127.3.0.0:0") as fleet:
            port = fleet.url(0).port
            assert port is not None
            assert await answer("127.3.0.1", port) == b"\x00"
            elsewhere = ["127.2.255.255", "127.3.0.2", *own_addresses()]
            assert [await answer(host, port) for host in elsewhere] == [b""] * len(elsewhere)
            assert (fleet.state.accepted, fleet.state.refused) == (1, len(elsewhere))

    monkeypatch.setattr("cosem.fleet.listening._bind_device", refuse)
    on_loopback(main)


@pytest.mark.parametrize(
    ("first", "count", "fits"),
    [
        ("127.255.255.254", 2, True),
        ("127.255.255.254", 3, False),
        ("192.0.2.1", 1, False),
        ("::1", 1, False),
        ("localhost", 1, False),
    ],
)
def test_the_addresses_are_of_loopback_alone(first: str, count: int, fits: bool) -> None:
    if fits:
        addresses = AddressRange(first, count)
        assert addresses.address(count - 1) == "127.255.255.255"
        assert addresses.number("127.255.255.255") == count - 1
        assert addresses.number("127.255.255.253") is None
        assert addresses.number("") is None
    else:
        with pytest.raises(ConfigurationError, match="127"):
            AddressRange(first, count)


def places(*given: tuple[str, Way, int], behind: int = 1) -> list[Place]:
    """Return places one after the other, each with a URL, a way and how many meters."""
    found: list[Place] = []
    start = 0
    for url, way, count in given:
        shared = behind if way in (Way.GATEWAY, Way.MULTIDROP) else 1
        found.append(Place(range(start, start + count), ConnectionUrl.parse(url), way, shared))
        start += count
    return found


@pytest.mark.parametrize(
    ("url", "way"),
    [
        ("hdlc+tcp://127.0.0.1:0", Way.PORT),
        ("tcp://127.0.0.1:0", Way.PORT),
        ("tcp://127.3.0.0:0", Way.GATEWAY),
        ("hdlc+tcp://127.3.0.0:0", Way.MULTIDROP),
    ],
)
def test_each_meter_answers_by_its_url_however_it_is_told_apart(url: str, way: Way) -> None:
    async def main() -> None:
        async with Fleet(Population(5), places((url, way, 5), behind=2)) as fleet:
            assert len({str(fleet.url(number)) for number in range(5)}) == 5
            shared = {(fleet.url(number).host, fleet.url(number).port) for number in range(5)}
            assert len(shared) == (5 if way is Way.PORT else 3)
            for number in range(5):
                assert await name_at(fleet.url(number)) == f"KFM1020{number:09}".encode()

    on_loopback(main)


@pytest.mark.parametrize(
    ("url", "way"),
    [
        ("tcp://127.3.0.0:0", Way.ADDRESS),
        ("hdlc+tcp://127.3.0.0:0", Way.ADDRESS),
        ("tcp://127.0.0.1:0", Way.PORT),
        ("tcp://127.3.0.0:0", Way.GATEWAY),
        ("hdlc+tcp://127.3.0.0:0", Way.MULTIDROP),
    ],
)
def test_meters_misbehave_wherever_they_are_and_their_neighbours_behave_well(url: str, way: Way) -> None:
    deviant = Misbehaving(Misbehaviour(Faults(deviations=frozenset({"octets_after_apdu"}))))
    restarting = Misbehaving(Misbehaviour(Faults(reboot_after=2)))
    groups = (Group(count=1), Group(count=1, misbehaving=deviant), Group(count=1, misbehaving=restarting))

    async def main() -> None:
        behind = 3 if way in (Way.GATEWAY, Way.MULTIDROP) else 1
        async with Fleet(Population(groups), places((url, way, 3), behind=behind)) as fleet:
            well, deviates, restarts = (replace(fleet.url(number), client=16) for number in range(3))
            with pytest.raises(CosemError, match="2 octets more"):
                await name_at(deviates)
            async with AsyncClient.open(deviates, dialect=Dialect(octets_after_apdu=True)) as client:
                assert await client.get(NAME.value) == b"KFM1020000000001"
            # The line breaks, or a gateway says that nobody answers behind it.
            with pytest.raises(ServiceRefused if way is Way.GATEWAY else TransportError):
                async with AsyncClient.open(restarts, timing=Timing(response=0.2, association=0.2, link=0.1)) as client:
                    await client.get(NAME.value)
            assert await name_at(well) == b"KFM1020000000000"

    on_loopback(main)


def test_places_of_several_kinds_share_one_port() -> None:
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]

    async def main() -> None:
        given = places(
            (f"tcp://127.3.0.0:{port}", Way.ADDRESS, 2),
            (f"tcp://127.3.1.0:{port}", Way.GATEWAY, 3),
            (f"hdlc+tcp://127.3.2.0:{port}", Way.MULTIDROP, 3),
            ("tcp://127.3.3.1:0", Way.PORT, 2),
            behind=2,
        )
        async with Fleet(Population(10), given) as fleet:
            for number in range(10):
                assert await name_at(fleet.url(number)) == f"KFM1020{number:09}".encode()
            assert fleet.state.accepted == 10

    on_loopback(main)


def test_many_clients_at_once_through_one_connection_each_to_lines_and_gateways() -> None:
    """Several meters of one line are read over one connection, turn by turn, each in an association of its own."""

    async def main() -> None:
        given = places(("hdlc+tcp://127.3.0.0:0", Way.MULTIDROP, 3), behind=3)
        async with Fleet(Population(3), given) as fleet:
            bus = Bus.asyncio(fleet.url(0))
            clients = [AsyncClient.open(replace(fleet.url(n), client=16), opener=bus.opener) for n in range(3)]
            names = [NAME.value] * 2
            for client in clients:
                await client.connect()
            for wanted in names:
                for number, client in enumerate(clients):
                    assert await client.get(wanted) == OctetString(f"KFM1020{number:09}".encode())
            for client in clients:
                await client.close()
            assert fleet.state.accepted == 1

    on_loopback(main)


@pytest.mark.parametrize("way", [Way.GATEWAY, Way.MULTIDROP])
def test_a_meter_that_is_not_behind_there_does_not_answer(way: Way) -> None:
    async def main() -> None:
        url = "tcp://127.3.0.0:0" if way is Way.GATEWAY else "hdlc+tcp://127.3.0.0:0"
        async with Fleet(Population(3), places((url, way, 3), behind=2)) as fleet:
            there, other = fleet.url(1), fleet.url(2)
            stranger = replace(other, host=there.host, physical=there.physical and there.physical + 1)
            with pytest.raises(CosemError):
                async with AsyncClient.open(replace(stranger, client=16), timing=Timing(link=0.1)) as client:
                    await client.get(NAME.value)
            assert await name_at(there)

    on_loopback(main)


@pytest.mark.parametrize("most", [1, 2])
def test_so_many_ways_through_a_gateway_on_one_connection(most: int) -> None:
    async def main() -> None:
        limits = FleetLimits(gateway=GatewayLimits(routes=most))
        async with Fleet(
            Population(9), places(("tcp://127.3.0.0:0", Way.GATEWAY, 9), behind=9), limits=limits
        ) as fleet:
            stream = await connect_tcp(fleet.url(0).host, fleet.url(0).port or 0)
            answered = 0
            for number in range(most + 1):
                request = prefix(number).request(PUBLIC)
                await stream.write(b"\0\1\0\x10\0\1" + len(request).to_bytes(2, "big") + request)
                answer = await stream.read(stream.now() + 5)
                answered += answer[8:9] == b"\xe7" and b"\x61" in answer[15:17]
            assert answered == most
            await stream.close()

    on_loopback(main)


@pytest.mark.parametrize("most", [1, 2])
def test_so_many_connections_to_one_meter_and_not_one_more(most: int) -> None:
    async def main() -> None:
        limits = FleetLimits(connections_per_meter=most)
        async with Fleet(Population(2), "tcp://127.3.0.0:0", limits=limits) as fleet:
            url = fleet.url(0)
            held = [await associated(url) for _ in range(most)]
            one_more = await connect_tcp(url.host, url.port or 0)
            with pytest.raises(ConnectionLost):
                await one_more.read(None)
            assert await name_at(fleet.url(1))  # another meter is not concerned
            assert fleet.state.refused == 1
            for each in (*held, one_more):
                await each.close()

    on_loopback(main)


@pytest.mark.parametrize("most", [1, 2])
def test_so_many_connections_to_all_and_not_one_more(most: int) -> None:
    async def main() -> None:
        async with Fleet(Population(9), "tcp://127.3.0.0:0", limits=FleetLimits(connections=most)) as fleet:
            held = [await associated(fleet.url(n)) for n in range(most)]
            one_more = await connect_tcp(fleet.url(most).host, fleet.url(most).port or 0)
            with pytest.raises(ConnectionLost):
                await one_more.read(None)
            assert (fleet.state.accepted, fleet.state.refused) == (most, 1)
            for each in (*held, one_more):
                await each.close()

    on_loopback(main)


@pytest.mark.parametrize("most", [1, 2, 4])
def test_so_many_connections_to_all_at_whatever_places(most: int) -> None:
    """What is at ports of its own, and what is at addresses, shares the room of the fleet."""

    async def main() -> None:
        several = places(("tcp://127.0.0.1:0", Way.PORT, 3), ("tcp://127.3.0.0:0", Way.ADDRESS, 3))
        async with Fleet(Population(6), several, limits=FleetLimits(connections=most)) as fleet:
            held = [await associated(fleet.url(2 * n % 5)) for n in range(most)]
            for number in (1, 5):
                one_more = await connect_tcp(fleet.url(number).host, fleet.url(number).port or 0)
                with pytest.raises(ConnectionLost):
                    await one_more.read(one_more.now() + 5)
                await one_more.close()
            assert (fleet.state.accepted, fleet.state.refused) == (most, 2)
            for each in held:
                await each.close()

    on_loopback(main)


@pytest.mark.parametrize("way", [Way.ADDRESS, Way.PORT])
@pytest.mark.parametrize("burst", [1, 3])
def test_so_many_connections_a_host_may_begin_and_not_one_more(way: Way, burst: int) -> None:
    """To whichever meters; with `new_a_second` left out any number."""

    async def main(rate: float | None) -> tuple[int, int]:
        limits = FleetLimits(new_a_second=rate, burst=burst)
        first = "127.0.0.1" if way is Way.PORT else "127.3.0.0"
        async with Fleet(Population(4), places((f"tcp://{first}:0", way, 4)), limits=limits) as fleet:
            for number in range(burst + 1):
                url = fleet.url(number)
                stream = await connect_tcp(url.host, url.port or 0)
                while fleet.state.accepted + fleet.state.refused == number:
                    await asyncio.sleep(0)
                await stream.close()
            return fleet.state.accepted, fleet.state.refused

    assert asyncio.run(main(1e-6)) == (burst, 1)
    assert asyncio.run(main(None)) == (burst + 1, 0)


@pytest.mark.parametrize("most", [0, 2])
def test_what_a_connection_to_a_meter_of_a_fleet_may_use(most: int) -> None:
    async def main() -> None:
        limits = FleetLimits(connection=ConnectionLimits(refusals=most))
        async with Fleet(Population(1), "tcp://127.3.0.0:0", limits=limits) as fleet:
            stream = await connect_tcp(fleet.url(0).host, fleet.url(0).port or 0)
            request = bytes.fromhex("0001 0010 0001 000D C001C1000100002A0000FF0200")
            for _ in range(most + 1):
                await stream.write(request)  # without an association
                assert (await stream.read(stream.now() + 5))[8] == 0xD8
            with pytest.raises(ConnectionLost):
                await stream.read(stream.now() + 5)
            assert fleet.state.failed == 1
            await stream.close()

    on_loopback(main)


@pytest.mark.parametrize("keys", [FleetKeys.demonstration(), FleetKeys(Secret(bytes(range(100, 132))))])
def test_counters_outlive_the_meters_that_are_forgotten(keys: FleetKeys) -> None:
    async def main() -> None:
        population = Population(2, keys=keys, limits=PopulationLimits(ready=0))
        async with Fleet(population, "tcp://127.3.0.0:0") as fleet:
            own = keys.of(population.title(1))
            client = AsyncClient.open(
                replace(fleet.url(1), client=1),
                auth="gmac",
                ek=own.encryption,
                ak=own.authentication,
                system_title=b"CLI00001",
            )
            for _ in range(2):
                async with client:
                    assert await client.get(ENERGY.value)
            assert population.ready == 0
            assert population.counters.of(1).peek("") > 256  # a second lease: nothing was given out twice
            assert len(population.counters) == 1

    on_loopback(main)


@pytest.mark.parametrize(
    ("url", "way", "behind", "said"),
    [
        ("udp://127.1.0.0:4059", Way.ADDRESS, 1, "tcp"),
        ("hdlc+tcp://127.1.0.0:4059", Way.GATEWAY, 1, "served by tcp"),
        ("tcp://127.1.0.0:4059", Way.MULTIDROP, 1, r"hdlc\+tcp"),
        ("tcp://192.0.2.1:4059", Way.PORT, 1, "beyond"),
        ("tcp://127.0.0.1:65535", Way.PORT, 1, "65535"),
        ("tcp://127.1.0.0:4059", Way.ADDRESS, 2, "behind"),
        ("tcp://127.1.0.0:4059", Way.GATEWAY, 0, "behind"),
        ("tcp://127.1.0.0:4059", Way.GATEWAY, MOST_BEHIND_A_GATEWAY + 1, "behind"),
        ("hdlc+tcp://127.1.0.0:4059", Way.MULTIDROP, MOST_ON_A_LINE + 1, "behind"),
        ("tcp://127.255.255.255:4059", Way.ADDRESS, 1, "fit"),
    ],
)
def test_where_no_fleet_is_served(url: str, way: Way, behind: int, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Fleet(Population(2), [Place(range(2), ConnectionUrl.parse(url), way, behind)])


def test_as_many_as_fit_on_a_line_and_behind_a_gateway() -> None:
    line = Place(range(9), ConnectionUrl.parse("hdlc+tcp://127.1.0.0:0"), Way.MULTIDROP, MOST_ON_A_LINE)
    gateway = Place(range(9), ConnectionUrl.parse("tcp://127.1.0.0:0"), Way.GATEWAY, MOST_BEHIND_A_GATEWAY)
    assert (line.addresses.count, gateway.addresses.count) == (1, 1)
    for fitting in (line, gateway):
        for behind in (0, fitting.behind + 1):
            with pytest.raises(ConfigurationError, match=f"behind: expected 1 to {fitting.behind}"):
                replace(fitting, behind=behind)


PORTS = "tcp://127.0.0.1:5000"


def test_places_do_not_reach_into_each_other() -> None:
    given = places(("tcp://127.1.0.0:4059", Way.ADDRESS, 2), ("tcp://127.1.0.1:4059", Way.ADDRESS, 2))
    with pytest.raises(ConfigurationError, match="reach into"):
        Fleet(Population(4), given)
    apart = places(("tcp://127.1.0.0:4059", Way.ADDRESS, 2), ("tcp://127.1.0.2:4059", Way.ADDRESS, 2))
    assert Fleet(Population(4), apart).url(3).host == "127.1.0.3"


@pytest.mark.parametrize(
    ("url", "way", "apart"),
    [
        ("tcp://127.0.0.1:5002", Way.PORT, False),
        ("tcp://127.0.0.1:5003", Way.PORT, True),
        ("tcp://127.0.0.1:4999", Way.PORT, False),
        ("tcp://127.0.0.1:4998", Way.PORT, True),
        ("tcp://127.0.0.1:0", Way.PORT, True),
        ("tcp://127.0.0.2:5000", Way.PORT, True),
        ("tcp://127.1.0.0:5002", Way.ADDRESS, False),
        ("tcp://127.1.0.0:5003", Way.ADDRESS, True),
    ],
)
def test_nobody_else_has_the_ports_of_a_place(url: str, way: Way, apart: bool) -> None:
    """A socket for meters at addresses has its port at all of them."""
    for first, last in (((url, way, 2), (PORTS, Way.PORT, 3)), ((PORTS, Way.PORT, 3), (url, way, 2))):
        given = places(first, last)
        if apart:
            assert Fleet(Population(5), given)
        else:
            with pytest.raises(ConfigurationError, match="reach into"):
                Fleet(Population(5), given)


def test_demo_keys_stay_on_loopback() -> None:
    place = Place(range(2), ConnectionUrl.parse("tcp://192.0.2.1:1"), Way.PORT, beyond_loopback=True)
    with pytest.raises(ConfigurationError, match="demo keys"):
        Fleet(Population(2, keys=FleetKeys.demonstration()), [place])


def test_a_refused_start_opens_no_ledger() -> None:
    async def main() -> None:
        with socket.create_server(("127.3.1.0", 0)) as taken:
            port = taken.getsockname()[1]
            given = places(("tcp://127.3.0.0:0", Way.ADDRESS, 1), (f"tcp://127.3.1.0:{port}", Way.PORT, 1))
            fleet = Fleet(Population(2), given, ledger=lambda: pytest.fail("a ledger was opened"))
            with pytest.raises(TransportError):
                await fleet.start()

    on_loopback(main)


def test_who_comes_while_ports_are_being_taken_is_in_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        asked: list[asyncio.Task[bytes]] = []

        async def listened(*given: Any, **named: Any) -> Listener:
            listener = await listen(*given, **named)
            if not asked:
                first = ConnectionUrl.parse(f"tcp://{listener.host}:{listener.port}")
                asked.append(asyncio.create_task(name_at(first)))
                await asyncio.wait(asked, timeout=0.2)  # so long the next port is not there
            return listener

        monkeypatch.setattr("cosem.fleet.fleet.listen", listened)
        given = places(("tcp://127.3.0.0:0", Way.PORT, 2))
        async with Fleet(Population(2), given, ledger=lambda: create(tmp_path / "ledger.jsonl")) as fleet:
            assert await asked[0] == b"KFM1020000000000"
            assert fleet.ledger is not None
            fleet.ledger.close()
        with open_ledger(tmp_path / "ledger.jsonl") as ledger:
            assert ledger.meters() == ["KFM1020000000000"]

    on_loopback(main)


def test_an_outage_breaks_connections_and_what_is_answered_is_written_down(tmp_path: Path) -> None:
    async def main() -> None:
        begin = datetime(2026, 3, 1, 8, tzinfo=UTC)
        clock = VirtualClock(begin - timedelta(hours=1), speed=0)
        outage = Outage(at=begin, length=timedelta(hours=1), region=0, last_gasp=1.0)
        director = Director(Scenario(outages=(outage,), regions=2), 10)
        with create(tmp_path / "ledger.sqlite") as ledger:
            population = Population(10, clock=clock)
            async with Fleet(population, "tcp://127.3.0.0:0", director=director, ledger=lambda: ledger) as fleet:
                assert await name_at(fleet.url(0))
                held = await connect_tcp(fleet.url(0).host, fleet.url(0).port or 0)
                await asyncio.sleep(0.01)
                clock.step(timedelta(hours=1, seconds=30))
                assert len(fleet.happen(clock.now())) == 5
                with pytest.raises(ConnectionLost):
                    await held.read(None)
                with pytest.raises(CosemError):
                    await name_at(fleet.url(4))
                assert await name_at(fleet.url(5))
                clock.step(timedelta(hours=1))
                assert len(fleet.happen(clock.now())) == 5
                assert await name_at(fleet.url(4))
                state = fleet.state
                assert (state.dark, state.last_gasps, state.power_ups, state.answers) == (0, 5, 5, 3)
                await held.close()
        with open_ledger(tmp_path / "ledger.sqlite") as ledger:
            said = [each for name in ledger.meters() for each in ledger.of(name)]
        assert [each.meter[-1] for each in said] == ["0", "4", "5"]
        assert {each[2:4] for each in said if isinstance(each, Answer)} == {(16, "1/0.0.42.0.0.255/2")}
        assert said[2].time == begin + timedelta(seconds=30)

    on_loopback(main)
