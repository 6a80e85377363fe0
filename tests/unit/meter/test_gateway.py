"""A gateway in front of meters: each device answers for itself, and what leads nowhere is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from cosem.client.client import AsyncClient
from cosem.errors import ConfigurationError, ConnectionLost, CosemError
from cosem.io.aio import SocketStream, connect_tcp, listen
from cosem.io.aio.memory import MemoryStream
from cosem.io.aio.waiting import READ_AHEAD
from cosem.meter import AssociationDescription, Gateway, Keys, Meter, demo_keys, serving
from cosem.protocol.apdu.gateway import GatewayAddress
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.crypto.mechanism import named
from cosem.protocol.model import Register
from cosem.protocol.profile.gateway import REFUSAL, GatewayLimits

ENERGY = Register("1.0.1.8.0.255")
AARQ = bytes.fromhex("601da109060760857405080101be10040e01000000065f1f0400401e5dffff")
GET = bytes.fromhex("c001c100030100010800ff0200")


def meter(value: int) -> Meter:
    made = Meter("KFM1020012345678")
    made.add(ENERGY, value=value, scaler_unit=(0, 30))
    return made


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(coroutine, 20))


async def read(url: object, device: str | None, **words: Any) -> Any:
    word = "" if device is None else f"?gateway={device}"
    async with AsyncClient.open(f"{url}{word}", **words) as client:
        return await client.get(ENERGY.value)


class Raw:
    """What a client sends by hand, wrapped between wPorts 16 and 1."""

    def __init__(self, stream: SocketStream) -> None:
        self.stream = stream
        self.octets = b""

    async def send(self, *apdus: bytes) -> None:
        for apdu in apdus:
            await self.stream.write(bytes.fromhex("000100100001") + len(apdu).to_bytes(2, "big") + apdu)

    async def receive(self) -> bytes:
        while len(self.octets) < 8 or len(self.octets) < 8 + int.from_bytes(self.octets[6:8], "big"):
            self.octets += await self.stream.read(None)
        size = 8 + int.from_bytes(self.octets[6:8], "big")
        apdu, self.octets = self.octets[8:size], self.octets[size:]
        return apdu


@pytest.mark.parametrize("medium", ["tcp", "udp"])
def test_one_endpoint_fronts_many_meters(medium: str) -> None:
    async def main() -> None:
        devices = {f"0:{number:04X}": meter(number) for number in range(4)}
        async with Gateway({**devices, "7:0001": meter(71)}, f"{medium}://127.0.0.1:0", own=meter(99)) as gateway:
            for number in range(4):
                assert await read(gateway.url, f"0:{number:04X}") == number
            assert await read(gateway.url, "7:0001") == 71
            assert await read(gateway.url, None) == 99

    run(main())


@pytest.mark.parametrize("scheme", ["tcp", "udp", "hdlc+tcp"])
def test_a_relay_passes_on_to_meters_elsewhere(scheme: str) -> None:
    async def main() -> None:
        async with serving(meter(5), f"{scheme}://127.0.0.1:0") as far, serving(meter(6), "tcp://127.0.0.1:0") as other:
            devices = {"0:05": str(far.url), GatewayAddress(0, b"\x06"): other.url}
            async with Gateway(devices, "tcp://127.0.0.1:0") as gateway:
                assert await read(gateway.url, "0:05") == 5
                assert await read(gateway.url, "0:06") == 6
                assert await read(gateway.url, "0:05") == 5

    run(main())


def test_gateways_behind_gateways() -> None:
    async def main() -> None:
        async with (
            Gateway({"1:0A": meter(10)}, "tcp://127.0.0.1:0") as inner,
            Gateway({"0:01": f"{inner.url}?gateway=1:0A"}, "tcp://127.0.0.1:0") as outer,
        ):
            assert await read(outer.url, "0:01") == 10

    run(main())


def test_what_is_ciphered_passes_unopened() -> None:
    async def main() -> None:
        made, keys = meter(7), Keys.random(0)
        made.offer(
            AssociationDescription(client=1, mechanism=named("gmac"), keys=keys, protection=AUTHENTICATED_ENCRYPTION)
        )
        async with Gateway({"0:01": made}, "tcp://127.0.0.1:0") as gateway:
            words = {"auth": "gmac", "ek": keys.encryption, "ak": keys.authentication, "system_title": b"CLI00001"}
            assert await read(gateway.url, "0:01&client=1", **words) == 7
        made.offer(AssociationDescription(client=2, mechanism=named("gmac"), keys=demo_keys()))
        with pytest.raises(ConfigurationError, match="demo keys"):
            Gateway({"0:01": made}, "tcp://192.0.2.1:0", beyond_loopback=True)

    run(main())


def test_an_unknown_device_is_refused_and_the_others_go_on() -> None:
    async def main() -> None:
        async with Gateway({"0:01": meter(1)}, "tcp://127.0.0.1:0") as gateway:
            with pytest.raises(CosemError, match="operation"):
                await read(gateway.url, "0:02")
            with pytest.raises(CosemError):
                await read(gateway.url, None)
            stream = Raw(await connect_tcp("127.0.0.1", gateway.url.port or 0))
            there, nowhere = GatewayAddress(0, b"\x01"), GatewayAddress(1, b"\x01")
            await stream.send(nowhere.request(AARQ), there.request(AARQ))
            assert await stream.receive() == nowhere.response(REFUSAL)
            answer = await stream.receive()
            assert answer.startswith(there.response(b"\x61"))
            await stream.send(there.request(GET))
            assert (await stream.receive()).hex() == there.response(b"\xc4\x01\xc1\x00\x06\x00\x00\x00\x01").hex()
            await stream.stream.close()

    run(main())


@pytest.mark.parametrize("octets", ["e6", "e6007f01c0", "e60001", "e6000101", "e6000101e6000101c0", "e7000101c0", "c0"])
def test_what_leads_nowhere_is_refused_until_it_is_too_much(octets: str) -> None:
    async def main() -> None:
        limits = GatewayLimits(refusals=3)
        async with Gateway({"0:01": meter(1)}, "tcp://127.0.0.1:0", gateway_limits=limits) as gateway:
            stream = Raw(await connect_tcp("127.0.0.1", gateway.url.port or 0))
            for _ in range(limits.refusals):
                await stream.send(bytes.fromhex(octets))
                assert await stream.receive() == REFUSAL
            await stream.send(bytes.fromhex(octets))
            assert await stream.receive() == REFUSAL
            with pytest.raises(ConnectionLost):
                await stream.receive()
            assert await read(gateway.url, "0:01") == 1

    run(main())


def test_a_client_has_so_many_routes_and_no_more() -> None:
    async def main() -> None:
        devices = {f"0:{number:02X}": meter(number) for number in range(3)}
        async with Gateway(devices, "tcp://127.0.0.1:0", gateway_limits=GatewayLimits(routes=2)) as gateway:
            stream = Raw(await connect_tcp("127.0.0.1", gateway.url.port or 0))
            for number in range(2):
                device = GatewayAddress(0, bytes([number]))
                await stream.send(device.request(AARQ))
                assert (await stream.receive()).startswith(device.response(b"\x61"))
            third = GatewayAddress(0, b"\x02")
            await stream.send(third.request(AARQ))
            assert await stream.receive() == third.response(REFUSAL)
            await stream.stream.close()

    run(main())


def test_a_device_that_cannot_be_reached_answers_as_one_that_is_not_there() -> None:
    async def main() -> None:
        async with serving(meter(5), "tcp://127.0.0.1:0") as far:
            gone = str(far.url)
        async with Gateway({"0:05": gone}, "tcp://127.0.0.1:0", gateway_limits=GatewayLimits(waiting=2)) as gateway:
            stream = Raw(await connect_tcp("127.0.0.1", gateway.url.port or 0))
            device = GatewayAddress(0, b"\x05")
            for _ in range(2):
                await stream.send(device.request(AARQ))
                assert await stream.receive() == device.response(REFUSAL)
            await stream.stream.close()

    run(main())


@pytest.mark.parametrize("most", [1, 3])
def test_so_many_apdus_wait_for_a_device_and_not_one_more(most: int) -> None:
    """The device takes connections, and never says a word to those who want to set up a link with it."""

    async def main() -> None:
        taken = asyncio.Event()

        async def silent(stream: object) -> None:
            assert isinstance(stream, SocketStream)
            await stream.read(None)
            taken.set()
            await asyncio.Event().wait()

        async with await listen("127.0.0.1", 0, silent) as far:
            devices = {"0:05": f"hdlc+tcp://127.0.0.1:{far.port}"}
            async with Gateway(devices, "tcp://127.0.0.1:0", gateway_limits=GatewayLimits(waiting=most)) as gateway:
                stream = Raw(await connect_tcp("127.0.0.1", gateway.url.port or 0))
                device, other = GatewayAddress(0, b"\x05"), GatewayAddress(0, b"\x06")
                await stream.send(*[device.request(AARQ)] * most)
                await taken.wait()
                await stream.send(other.request(AARQ))
                assert await stream.receive() == other.response(REFUSAL), "all that came before is waiting"
                await stream.send(device.request(AARQ))
                async with asyncio.timeout(5):  # less than the link is waited for
                    assert await stream.receive() == device.response(REFUSAL)
                await stream.stream.close()

    run(main())


def test_a_device_that_goes_away_in_the_middle() -> None:
    async def main() -> None:
        far = serving(meter(5), "tcp://127.0.0.1:0")
        await far.start()
        async with Gateway({"0:05": str(far.url)}, "tcp://127.0.0.1:0") as gateway:
            stream = Raw(await connect_tcp("127.0.0.1", gateway.url.port or 0))
            device = GatewayAddress(0, b"\x05")
            await stream.send(device.request(AARQ))
            assert (await stream.receive()).startswith(device.response(b"\x61"))
            await far.close()
            await stream.send(device.request(GET))
            assert await stream.receive() == device.response(REFUSAL)
            await stream.stream.close()

    run(main())


@pytest.mark.parametrize("url", ["hdlc+tcp://127.0.0.1:0", "hdlc+serial:///dev/x", "tcp://192.0.2.1:0"])
def test_where_no_gateway_is_served(url: str) -> None:
    with pytest.raises(ConfigurationError):
        Gateway({"0:01": meter(1)}, url)


@pytest.mark.parametrize("words", [{"routes": 0}, {"waiting": 0}, {"refusals": -1}])
def test_limits_that_are_none(words: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError):
        GatewayLimits(**words)


def test_who_writes_in_memory_waits_for_who_reads() -> None:
    async def main() -> None:
        near = MemoryStream()
        await near.write(bytes(READ_AHEAD))
        writing = asyncio.create_task(near.write(b"1"))
        await asyncio.sleep(0)
        assert not writing.done()
        assert len(await near.other.read(None)) == READ_AHEAD
        await writing
        assert await near.other.read(None) == b"1"
        await near.close()
        with pytest.raises(ConnectionLost):
            await near.other.read(None)
        with pytest.raises(ConnectionLost):
            await near.other.write(b"2")

    run(main())
