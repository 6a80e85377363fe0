"""A firmware image, taken in blocks, verified and activated (IEC 62056-6-2, class 18).

What a manufacturer would check, a signature above all, is his own affair: an image is verified here by all its octets
being there. Activation is told by the status alone.
"""

from __future__ import annotations

from typing import Final, cast

from cosem.errors import ConfigurationError
from cosem.meter.events import MeterEvent
from cosem.meter.item import Behaviour, Item, Refusal, Visit
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.model.classes.access_control import (
    ImageToActivateInfo,
    ImageTransfer,
    ImageTransferStatus,
)
from cosem.protocol.values.data import BitString, Data, DoubleLongUnsigned, Enumerated

LARGEST_IMAGE: Final = 16 * 1024 * 1024
"""Octets; a larger image is refused when it is announced."""

BLOCK_SIZE: Final = 200
"""Octets in a block, unless the description of the meter says otherwise."""

BLOCK_SIZES: Final = range(1, 65_536)

_SIZE, _BLOCKS, _FIRST, _ENABLED, _STATUS, _INFO = (
    attribute.index
    for attribute in (
        ImageTransfer.image_block_size,
        ImageTransfer.image_transferred_blocks_status,
        ImageTransfer.image_first_not_transferred_block_number,
        ImageTransfer.image_transfer_enabled,
        ImageTransfer.image_transfer_status,
        ImageTransfer.image_to_activate_info,
    )
)


class Image:
    """An image on its way: which blocks are there."""

    __slots__ = ("arrived", "block_size", "identifier", "missing", "octets", "size", "status")

    def __init__(self, identifier: bytes, size: int, block_size: int) -> None:
        self.identifier = identifier
        self.size = size
        self.block_size = block_size
        self.octets = bytearray(size)
        self.missing = dict.fromkeys(range(-(-size // block_size)))
        self.arrived: list[int] = []
        """The numbers of its blocks in the order in which they came."""
        self.status = ImageTransferStatus.INITIATED

    @property
    def blocks(self) -> int:
        return -(-self.size // self.block_size)

    def take(self, number: int, octets: bytes) -> None:
        """Take one block; Refusal when there is no such block, or when it has another size."""
        start = number * self.block_size
        if number >= self.blocks or len(octets) != min(self.block_size, self.size - start):
            raise Refusal(DataAccessResult.TYPE_UNMATCHED)
        if number not in self.missing and self.block(number) == octets:
            return
        self.octets[start : start + len(octets)] = octets
        self.missing.pop(number, None)
        self.arrived.append(number)
        if len(self.arrived) > 2 * self.blocks:  # blocks that came again with other octets
            self.arrived = list(dict.fromkeys(self.arrived))

    def block(self, number: int) -> bytes:
        """Return the octets of a block."""
        return bytes(self.octets[number * self.block_size : (number + 1) * self.block_size])


def _image(item: Item) -> Image | None:
    return cast("Image | None", item.state)


def _blocks(_: Visit, item: Item) -> Data:
    image = _image(item)
    if image is None:
        return BitString("")
    return BitString("".join("0" if number in image.missing else "1" for number in range(image.blocks)))


def _first(_: Visit, item: Item) -> Data:
    image = _image(item)
    return DoubleLongUnsigned(0 if image is None else next(iter(sorted(image.missing)), image.blocks))


def _status(_: Visit, item: Item) -> Data:
    image = _image(item)
    return Enumerated(ImageTransferStatus.NOT_INITIATED if image is None else image.status)


def _info(_: Visit, item: Item) -> Data:
    image = _image(item)
    ready = image is not None and image.status is ImageTransferStatus.VERIFICATION_SUCCESSFUL
    listed = (ImageToActivateInfo(image.size, image.identifier, b""),) if image is not None and ready else ()
    return ImageTransfer.image_to_activate_info.shape.encode(listed)


def _initiate(visit: Visit, item: Item, argument: Data) -> Data:
    """Begin anew with an image; the same image goes on where it was."""
    if item.read(visit, _ENABLED) is not True:
        raise Refusal(DataAccessResult.READ_WRITE_DENIED)
    wanted = ImageTransfer.image_transfer_initiate.argument.decode(argument)
    if not 0 < wanted.image_size <= LARGEST_IMAGE:
        raise Refusal(DataAccessResult.OTHER_REASON)
    own, known = visit.device.owned(item), _image(item)
    same = known is not None and (known.identifier, known.size) == (wanted.image_identifier, wanted.image_size)
    if not same or known is None or known.status is not ImageTransferStatus.INITIATED:
        own.state = Image(bytes(wanted.image_identifier), wanted.image_size, cast("int", item.read(visit, _SIZE)))
    return None


def _transfer(visit: Visit, item: Item, argument: Data) -> Data:
    image = _image(visit.device.owned(item))
    if image is None or image.status is not ImageTransferStatus.INITIATED:
        raise Refusal(DataAccessResult.OTHER_REASON)
    block = ImageTransfer.image_block_transfer.argument.decode(argument)
    image.take(block.image_block_number, bytes(block.image_block_value))
    return None


def _verify(visit: Visit, item: Item, _: Data) -> Data:
    image = _image(visit.device.owned(item))
    if image is None or image.status > ImageTransferStatus.VERIFICATION_FAILED:
        raise Refusal(DataAccessResult.OTHER_REASON)
    if image.missing:
        raise Refusal(DataAccessResult.OTHER_REASON)
    image.status = ImageTransferStatus.VERIFICATION_SUCCESSFUL
    return None


def _activate(visit: Visit, item: Item, _: Data) -> Data:
    image = _image(visit.device.owned(item))
    if image is None or image.status is not ImageTransferStatus.VERIFICATION_SUCCESSFUL:
        raise Refusal(DataAccessResult.OTHER_REASON)
    image.status = ImageTransferStatus.ACTIVATION_SUCCESSFUL
    visit.device.note(MeterEvent.IMAGE_ACTIVATED, visit.time)
    return None


def _adopt(item: Item, _: dict[int, object]) -> None:
    """Fill in what a description leaves out."""
    size = cast("int", item.values.setdefault(_SIZE, DoubleLongUnsigned(BLOCK_SIZE)))
    item.values.setdefault(_ENABLED, True)
    if size not in BLOCK_SIZES:
        raise ConfigurationError(f"image_block_size: {BLOCK_SIZES[0]} to {BLOCK_SIZES[-1]} octets")


def _enable(_: Visit, item: Item, value: Data) -> None:
    item.values[_ENABLED] = value


BEHAVIOUR: Final = Behaviour(
    reads={_BLOCKS: _blocks, _FIRST: _first, _STATUS: _status, _INFO: _info},
    writes={_ENABLED: _enable},
    methods={1: _initiate, 2: _transfer, 3: _verify, 4: _activate},
    adopt=_adopt,
)
