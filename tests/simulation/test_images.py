"""Our client sends firmware images to meters that take their time, lose blocks, find images wrong, or restart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cosem import AsyncClient, Data
from cosem.client.image import ImageState
from cosem.errors import ConnectionLost, RemoteProtocolError
from cosem.meter import Access, AssociationDescription, Meter, Rights
from cosem.meter.faults import Faults
from cosem.protocol.model.classes.access_control import ImageTransfer, ImageTransferStatus
from cosem.protocol.values.data import OctetString
from simulation.bench import Bench

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
IMAGE = ImageTransfer()
FIRMWARE = Data("1.0.0.2.0.255")
OCTETS = bytes(range(200)) * 3


class Imaged(Bench):
    """A meter that takes images in blocks of 40 octets, by the time of its world."""

    def __init__(self, faults: Faults) -> None:
        super().__init__()
        self.meter = Meter("KFM1020012345678", clock=lambda: NOON + timedelta(seconds=self.world.now()), faults=faults)
        self.meter.add(FIRMWARE, value=OctetString(b"1.0.0"))
        self.meter.add(IMAGE, image_block_size=40)
        self.meter.offer(AssociationDescription(client=1, rights=Rights(Access.MANAGE)))
        self.words = {}


async def send(client: AsyncClient) -> ImageState:
    return await client.send_image(OCTETS, b"2.0.0", activate=True, write=True)


@pytest.mark.parametrize(
    "faults",
    [
        Faults(),
        Faults(block_loss=0.3),
        Faults(verification_time=45),
        Faults(activation_time=120),
        Faults(block_loss=0.3, verification_time=12, activation_time=7),
    ],
    ids=["well behaved", "blocks lost", "slow to verify", "slow to activate", "all of it"],
)
def test_the_image_is_active_in_the_end(faults: Faults) -> None:
    bench = Imaged(faults)
    state = bench.run(send)
    assert state.status is ImageTransferStatus.ACTIVATION_SUCCESSFUL
    assert state.missing == ()
    assert bench.meter.value(FIRMWARE.value) == b"2.0.0"
    assert bench.world.now() >= faults.verification_time + faults.activation_time


@pytest.mark.parametrize("seconds", [0, 20])
@pytest.mark.parametrize("what", ["verification", "activation"])
def test_a_failure_is_told_as_the_status_says(what: str, seconds: float) -> None:
    faults = (
        Faults(verification_fails=True, verification_time=seconds)
        if what == "verification"
        else Faults(activation_fails=True, activation_time=seconds)
    )
    bench = Imaged(faults)
    with pytest.raises(RemoteProtocolError, match=f"the meter says {what} failed"):
        bench.run(send)
    assert bench.meter.value(FIRMWARE.value) == b"1.0.0"


def test_blocks_that_never_arrive_are_given_up() -> None:
    with pytest.raises(RemoteProtocolError, match="15 of 15 blocks of the image are still missing"):
        Imaged(Faults(block_loss=1)).run(send)


def test_a_meter_that_takes_longer_than_one_waits() -> None:
    bench = Imaged(Faults(verification_time=3000))

    async def impatient(client: AsyncClient) -> ImageState:
        return await client.send_image(OCTETS, b"2.0.0", patience=60, write=True)

    with pytest.raises(RemoteProtocolError, match="the meter says verification initiated"):
        bench.run(impatient)


@pytest.mark.parametrize("seconds", [0, 30])
def test_a_meter_that_restarts_breaks_the_connection_off_and_has_the_image_afterwards(seconds: float) -> None:
    bench = Imaged(Faults(activation_restarts=True, activation_time=seconds))
    with pytest.raises(ConnectionLost):
        bench.run(send)

    async def look(client: AsyncClient) -> ImageState:
        return await client.image_state()

    first = bench.run(look).status
    expected = ImageTransferStatus.ACTIVATION_INITIATED if seconds else ImageTransferStatus.ACTIVATION_SUCCESSFUL
    assert first is expected
