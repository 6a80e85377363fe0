"""A firmware image, taken in blocks, verified and activated (IEC 62056-6-2, class 18).

What a manufacturer would check, a signature above all, is his own affair: an image is verified here by all its octets
being there, and its signature is the SHA-256 of them. An activated image is told by the active firmware identifier
(1.0.0.2.0.255), where the meter has one and no [[firmware]] says which object tells of it.

Methods end in success, in temporary-failure while the meter is at it, or in other-reason; what became of the image
is in its status. Verification and activation take time and fail, and blocks get lost, as `Faults` say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from cosem.errors import ConfigurationError
from cosem.meter.events import MeterEvent
from cosem.meter.item import Behaviour, Item, Outcome, Refusal, Timed, Visit
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.model.classes.access_control import (
    ImageToActivateInfo,
    ImageTransfer,
    ImageTransferStatus,
)
from cosem.protocol.model.classes.data_storage import Data as DataObject
from cosem.protocol.values.data import BitString, Data, DoubleLongUnsigned, Enumerated, OctetString, VisibleString
from cosem.protocol.values.obis import Obis

if TYPE_CHECKING:
    from cosem.meter.logical_device import LogicalDevice

LARGEST_IMAGE: Final = 16 * 1024 * 1024
"""Octets; a larger image is refused when it is announced."""

BLOCK_SIZE: Final = 200
"""Octets in a block, unless the description of the meter says otherwise."""

BLOCK_SIZES: Final = range(1, 65_536)

ACTIVE_FIRMWARE: Final = Obis("1.0.0.2.0.255")
"""The Data object that names the firmware that runs."""

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
    """An image on its way: which blocks are there; `until` is when the meter is done with what it is at, in UTC."""

    __slots__ = ("arrived", "block_size", "identifier", "missing", "octets", "size", "status", "tries", "until")

    def __init__(self, identifier: bytes, size: int, block_size: int) -> None:
        self.identifier = identifier
        self.size = size
        self.block_size = block_size
        self.octets = bytearray(size)
        self.missing = dict.fromkeys(range(-(-size // block_size)))
        self.arrived: list[int] = []
        """The numbers of its blocks in the order in which they came."""
        self.status = ImageTransferStatus.INITIATED
        self.tries = 0
        self.until: datetime | None = None

    @property
    def blocks(self) -> int:
        return -(-self.size // self.block_size)

    def take(self, number: int, octets: bytes) -> None:
        """Take one block; Refusal when there is no such block, or when it has another size."""
        self.check(number, octets)
        start = number * self.block_size
        if number not in self.missing and self.block(number) == octets:
            return
        self.octets[start : start + len(octets)] = octets
        self.missing.pop(number, None)
        self.arrived.append(number)
        if len(self.arrived) > 2 * self.blocks:  # blocks that came again with other octets
            self.arrived = list(dict.fromkeys(self.arrived))

    def check(self, number: int, octets: bytes) -> None:
        """Refusal when there is no such block, or when it has another size."""
        if number >= self.blocks or len(octets) != min(self.block_size, self.size - number * self.block_size):
            raise Refusal(DataAccessResult.TYPE_UNMATCHED)

    def release(self) -> None:
        """Forget the octets of an image that runs, for who holds very many of them."""
        self.octets = bytearray()

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


def _status(visit: Visit, item: Item) -> Data:
    image = _finished(visit, item)
    return Enumerated(ImageTransferStatus.NOT_INITIATED if image is None else image.status)


def _info(visit: Visit, item: Item) -> Data:
    image = _finished(visit, item)
    listed: tuple[ImageToActivateInfo, ...] = ()
    if image is not None and image.status in _TO_ACTIVATE:
        listed = (ImageToActivateInfo(image.size, image.identifier, hashlib.sha256(image.octets).digest()),)
    return ImageTransfer.image_to_activate_info.shape.encode(listed)


def _initiate(visit: Visit, item: Item, argument: Data) -> Data:
    """Begin anew with an image, of which all blocks are needed again, also where it is the same one."""
    if item.read(visit, _ENABLED) is not True:
        raise Refusal(DataAccessResult.READ_WRITE_DENIED)
    wanted = ImageTransfer.image_transfer_initiate.argument.decode(argument)
    if not 0 < wanted.image_size <= LARGEST_IMAGE:
        raise Refusal(DataAccessResult.OTHER_REASON)
    own, known = visit.device.owned(item), _finished(visit, item)
    if known is not None and known.status is ImageTransferStatus.ACTIVATION_INITIATED:
        raise Refusal(DataAccessResult.TEMPORARY_FAILURE)
    own.state = Image(bytes(wanted.image_identifier), wanted.image_size, cast("int", item.read(visit, _SIZE)))
    return None


def _transfer(visit: Visit, item: Item, argument: Data) -> Data:
    image = _image(visit.device.owned(item))
    if image is None or image.status is not ImageTransferStatus.INITIATED:
        raise Refusal(DataAccessResult.OTHER_REASON)
    block = ImageTransfer.image_block_transfer.argument.decode(argument)
    number, octets = int(block.image_block_number), bytes(block.image_block_value)
    image.check(number, octets)
    image.tries += 1
    if not visit.device.meter.faults.loses(f"{image.identifier.hex()} {number} {image.tries}"):
        image.take(number, octets)
    return None


class _Work(NamedTuple):
    """What a meter does with an image, from which statuses on, and what comes of it."""

    begins_in: frozenset[ImageTransferStatus]
    under_way: ImageTransferStatus
    succeeded: ImageTransferStatus
    failed: ImageTransferStatus


_VERIFICATION: Final = _Work(
    frozenset(
        {
            ImageTransferStatus.INITIATED,
            ImageTransferStatus.VERIFICATION_SUCCESSFUL,
            ImageTransferStatus.VERIFICATION_FAILED,
        }
    ),
    ImageTransferStatus.VERIFICATION_INITIATED,
    ImageTransferStatus.VERIFICATION_SUCCESSFUL,
    ImageTransferStatus.VERIFICATION_FAILED,
)
_ACTIVATION: Final = _Work(
    # An image that was not verified before is verified with its activation.
    frozenset(
        {
            ImageTransferStatus.INITIATED,
            ImageTransferStatus.VERIFICATION_SUCCESSFUL,
            ImageTransferStatus.ACTIVATION_FAILED,
        }
    ),
    ImageTransferStatus.ACTIVATION_INITIATED,
    ImageTransferStatus.ACTIVATION_SUCCESSFUL,
    ImageTransferStatus.ACTIVATION_FAILED,
)
_UNDER_WAY: Final[Mapping[ImageTransferStatus, _Work]] = MappingProxyType(
    {work.under_way: work for work in (_VERIFICATION, _ACTIVATION)}
)
_TO_ACTIVATE: Final = frozenset(
    {
        ImageTransferStatus.VERIFICATION_SUCCESSFUL,
        ImageTransferStatus.ACTIVATION_INITIATED,
        ImageTransferStatus.ACTIVATION_FAILED,
    }
)


def _verify(visit: Visit, item: Item, _: Data) -> Data:
    _begin(visit, item, _VERIFICATION, visit.device.meter.faults.verification_time)
    return None


def _activate(visit: Visit, item: Item, _: Data) -> Data:
    faults = visit.device.meter.faults
    try:
        _begin(visit, item, _ACTIVATION, faults.activation_time)
    finally:
        image = _image(item)
        begun = image is not None and image.status in (_ACTIVATION.under_way, _ACTIVATION.succeeded)
        if begun and faults.activation_restarts:
            visit.device.meter.power.restart()
    return None


def _begin(visit: Visit, item: Item, work: _Work, seconds: float) -> None:
    """Begin what takes so long; Outcome with temporary-failure while it is at it, other-reason if it failed."""
    image = _finished(visit, item)
    if image is not None and image.status in _UNDER_WAY:
        raise Refusal(DataAccessResult.TEMPORARY_FAILURE)
    if image is None or image.status not in work.begins_in:
        raise Refusal(DataAccessResult.OTHER_REASON)
    image.status, image.until = work.under_way, visit.time.astimezone(UTC) + timedelta(seconds=seconds)
    _finished(visit, item)
    if image.status in _UNDER_WAY:
        raise Outcome(DataAccessResult.TEMPORARY_FAILURE)
    if image.status is work.failed:
        raise Outcome(DataAccessResult.OTHER_REASON)


def _finished(visit: Visit, item: Item) -> Image | None:
    """Return the image, done with what was due until the visit."""
    image = _image(item)
    if image is not None and image.until is not None and visit.time >= image.until:
        _finish(visit, item, image)
    return image


def _finish(visit: Visit, item: Item, image: Image) -> None:
    work, image.until = _UNDER_WAY[image.status], None
    faults = visit.device.meter.faults
    fails = faults.verification_fails if work is _VERIFICATION else faults.activation_fails
    if image.missing or fails:
        image.status = work.failed
        return
    image.status = work.succeeded
    if work is _ACTIVATION:
        _tell_active(visit.device, item, image)
        visit.device.note(MeterEvent.IMAGE_ACTIVATED, visit.time)


def _tell_active(device: LogicalDevice, item: Item, image: Image) -> None:
    """Let the active firmware identifier name an image, unless somebody else tells of it."""
    found = device.find(ACTIVE_FIRMWARE)
    told = any(getattr(each, "image", None) == item.instance for each in device.listeners)
    if found is None or found.class_id != DataObject.class_id or told:
        return
    held = device.value(DataObject(ACTIVE_FIRMWARE).value)
    name = image.identifier
    value = VisibleString(name.decode("ascii", "replace")) if isinstance(held, VisibleString) else OctetString(name)
    device.owned(found).values[DataObject.value.index] = value


def _following(visit: Visit, item: Item, until: datetime) -> datetime | None:
    image = _image(item)
    due = None if image is None else image.until
    return due if due is not None and visit.time < due <= until else None


def _due(visit: Visit, item: Item) -> None:
    _finished(visit, item)


def _clock_set(visit: Visit, item: Item, _: datetime) -> None:
    _finished(visit, item)


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
    timed=Timed(_following, _due, clock_set=_clock_set),
)
