"""The power goes while a client talks: the connection breaks, and what was under way goes on afterwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cosem import AsyncClient
from cosem.errors import TransportError
from cosem.meter import Access, AssociationDescription, Meter, Rights
from cosem.meter.power import Outage
from cosem.protocol.model import Clock
from cosem.protocol.model.classes.access_control import ImageBlock, ImageTransfer, ImageTransferInitiate
from simulation.bench import Bench

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
IMAGE = ImageTransfer()
OCTETS = bytes(range(40))


class Powered(Bench):
    """A meter that takes an image in blocks of four octets."""

    def __init__(self) -> None:
        super().__init__()
        self.meter = Meter("KFM1020012345678", clock=lambda: NOON + timedelta(seconds=self.world.now()))
        self.meter.add(IMAGE, image_block_size=4)
        self.meter.offer(AssociationDescription(client=1, rights=Rights(Access.MANAGE)))
        self.words = {}


async def transfer(client: AsyncClient, blocks: range) -> None:
    for number in blocks:
        await client.act(IMAGE.image_block_transfer, ImageBlock(number, OCTETS[4 * number : 4 * number + 4]))


def test_a_connection_breaks_and_an_image_goes_on_where_it_was() -> None:
    bench = Powered()

    async def begin(client: AsyncClient) -> None:
        await client.act(IMAGE.image_transfer_initiate, ImageTransferInitiate(b"firmware", len(OCTETS)))
        await transfer(client, range(4))
        bench.meter.power.down()
        await transfer(client, range(4, 10))

    with pytest.raises(TransportError):
        bench.run(begin)

    async def nothing(client: AsyncClient) -> object:
        return await client.get(Clock().time)

    with pytest.raises(TransportError):
        bench.run(nothing)
    bench.meter.power.up()

    async def go_on(client: AsyncClient) -> object:
        first = await client.get(IMAGE.image_first_not_transferred_block_number)
        await transfer(client, range(int(first), 10))
        return first

    assert bench.run(go_on) == 4
    item = bench.meter.management.find(IMAGE.instance)
    assert item is not None
    assert bytes(item.state.octets) == OCTETS


def test_an_outage_of_a_script_breaks_a_connection_on_which_nobody_speaks() -> None:
    bench = Powered()
    bench.meter.power.describe([Outage(at=NOON + timedelta(seconds=60), length=timedelta(seconds=30))])

    async def wait(client: AsyncClient) -> float:
        await client.get(Clock().time)
        await bench.line.read(bench.world.now() + 1000)
        return bench.world.now()

    with pytest.raises(TransportError):
        bench.run(wait)
    assert bench.world.now() == pytest.approx(60, abs=1)
