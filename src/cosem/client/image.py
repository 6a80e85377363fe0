"""Sending a firmware image: what is missing of it, round after round, then its verification and its activation.

A meter that has a part of the same image already goes on with that. Blocks that did not arrive are sent again, as the
bitmap of the meter tells; where that cannot be read, as its first missing block tells (IEC 62056-6-2, class 18).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from cosem.client.services import Services
from cosem.client.several import LIST_LENGTH
from cosem.client.writing import require
from cosem.errors import ActionError, ConfigurationError, CosemError, RemoteProtocolError
from cosem.protocol.apdu.action import ActionResult
from cosem.protocol.model.classes.access_control import (
    ImageBlock,
    ImageToActivateInfo,
    ImageTransfer,
    ImageTransferInitiate,
    ImageTransferStatus,
)
from cosem.protocol.model.reference import MethodRef

ROUNDS: Final = 5
"""How often what is missing is sent before the transfer is given up."""

PATIENCE: Final = 600.0
"""Seconds that a meter may take to verify or to activate an image."""

POLL: Final = 5.0
"""Seconds between two looks at how far it is."""

MOST_BLOCKS: Final = 1 << 24
"""More blocks no image has."""

Progress = Callable[[int, int], None]
"""Told how many blocks are there, and of how many."""


@dataclass(frozen=True, slots=True)
class ImageState:
    """What a meter says of its image transfer; None for what it does not tell.

    `missing` are the numbers of the blocks that its bitmap shows as not transferred.
    """

    enabled: bool | None
    block_size: int | None
    status: ImageTransferStatus | None
    first_missing: int | None
    missing: tuple[int, ...] | None
    blocks: int | None
    to_activate: tuple[ImageToActivateInfo, ...]


async def image_state(services: Services, image: ImageTransfer | None) -> ImageState:
    """Read all there is about the transfer of images."""
    where = image or ImageTransfer()
    answers = await services.get_many(
        [
            where.image_transfer_enabled,
            where.image_block_size,
            where.image_transfer_status,
            where.image_first_not_transferred_block_number,
            where.image_transferred_blocks_status,
            where.image_to_activate_info,
        ]
    )
    if all(isinstance(answer, CosemError) for answer in answers):
        raise answers[0]
    enabled, size, status, first, bitmap, info = (None if isinstance(each, CosemError) else each for each in answers)
    return ImageState(
        enabled,
        None if size is None else int(size),
        status,
        None if first is None else int(first),
        None if bitmap is None else tuple(number for number, bit in enumerate(bitmap) if bit == "0"),
        None if bitmap is None else len(bitmap),
        () if info is None else tuple(info),
    )


async def send_image(
    services: Services,
    octets: bytes,
    identifier: bytes,
    image: ImageTransfer | None,
    *,
    resume: bool = False,
    verify: bool = True,
    activate: bool = False,
    progress: Progress | None = None,
    patience: float = PATIENCE,
    write: bool = False,
) -> ImageState:
    """Send an image (see `Conveniences.send_image`)."""
    require(write, "sends a firmware image to the meter")
    if not octets or not identifier:
        raise ConfigurationError("an image has octets and an identifier")
    where = image or ImageTransfer()
    state = await image_state(services, where)
    size = state.block_size
    if not size:
        raise RemoteProtocolError("the meter tells no size for the blocks of an image")
    if state.enabled is False:
        await services.set(where.image_transfer_enabled, True)
    if not (resume and state.status is ImageTransferStatus.INITIATED):
        await services.act(where.image_transfer_initiate, ImageTransferInitiate(identifier, len(octets)))
    await _send(services, where, [octets[at : at + size] for at in range(0, len(octets), size)], progress)
    if verify or activate:
        await _do(services, where, where.image_verify, ImageTransferStatus.VERIFICATION_SUCCESSFUL, patience)
    if activate:
        await activate_image(services, where, patience=patience, write=write)
    return await image_state(services, where)


async def activate_image(
    services: Services, image: ImageTransfer | None, *, patience: float = PATIENCE, write: bool = False
) -> None:
    """Activate the image that was verified (see `Conveniences.activate_image`)."""
    require(write, "activates a firmware image in the meter")
    where = image or ImageTransfer()
    await _do(services, where, where.image_activate, ImageTransferStatus.ACTIVATION_SUCCESSFUL, patience)


async def _send(services: Services, where: ImageTransfer, blocks: Sequence[bytes], progress: Progress | None) -> None:
    if len(blocks) > MOST_BLOCKS:
        raise ConfigurationError(f"{len(blocks)} blocks are more than an image has")
    missing = await _missing(services, where, len(blocks))
    refusal: CosemError | None = None
    for _ in range(ROUNDS):
        done = len(blocks) - len(missing)
        for at in range(0, len(missing), LIST_LENGTH):
            part = missing[at : at + LIST_LENGTH]
            calls = [(where.image_block_transfer, ImageBlock(number, blocks[number])) for number in part]
            answers = await services.access(calls)
            refusal = next((answer for answer in answers if isinstance(answer, CosemError)), refusal)
            done += sum(not isinstance(answer, CosemError) for answer in answers)
            if progress is not None:
                progress(done, len(blocks))
        left = await _missing(services, where, len(blocks))
        if not left:
            return
        if refusal is not None and len(left) == len(missing):
            raise refusal
        missing = left
    raise RemoteProtocolError(f"{len(missing)} of {len(blocks)} blocks of the image are still missing in the meter")


async def _missing(services: Services, where: ImageTransfer, blocks: int) -> list[int]:
    """Return the numbers of the blocks that the meter does not have; all where it tells nothing."""
    bitmap, first = await services.get_many(
        [where.image_transferred_blocks_status, where.image_first_not_transferred_block_number]
    )
    if not isinstance(bitmap, CosemError) and len(bitmap) >= blocks:
        return [number for number in range(blocks) if bitmap[number] == "0"]
    if isinstance(first, CosemError):
        raise first
    return list(range(min(int(first), blocks), blocks))


async def _do(
    services: Services,
    where: ImageTransfer,
    method: MethodRef[int, None],
    wanted: ImageTransferStatus,
    patience: float,
) -> None:
    """Run a method that may take its time, and wait until the status says that it is done."""
    failed = ImageTransferStatus(wanted + 1)
    try:
        await services.act(method, 0)
    except ActionError as refusal:
        if refusal.result != ActionResult.TEMPORARY_FAILURE:
            if await services.get(where.image_transfer_status) is failed:  # what other-reason means is told there
                raise RemoteProtocolError(f"the meter says {words_of(failed)}") from refusal
            raise
    waited = 0.0
    while True:
        status = await services.get(where.image_transfer_status)
        if status is wanted:
            return
        if status is failed or waited >= patience:
            raise RemoteProtocolError(f"the meter says {words_of(status)}")
        await services.exchange.pause(POLL)
        waited += POLL


def words_of(status: ImageTransferStatus) -> str:
    """Return a status as a person reads it."""
    return status.name.lower().replace("_", " ")
