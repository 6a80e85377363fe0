"""Objects that tell which firmware measures: its identifier and its signature, an SHA-256 of all its octets.

What a manufacturer signs, and how, is his affair: here the signature is the digest that anybody can reckon again. When
an image is activated, both objects tell of it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from cosem.errors import ConfigurationError
from cosem.meter.behaviour.image_transfer import Image
from cosem.meter.events import MeterEvent
from cosem.protocol.model.classes.access_control import ImageTransfer, ImageTransferStatus
from cosem.protocol.model.classes.data_storage import Data as DataObject
from cosem.protocol.values.data import OctetString
from cosem.protocol.values.obis import Obis

if TYPE_CHECKING:
    from cosem.meter.logical_device import LogicalDevice

_VALUE: Final = DataObject.value.index


@dataclass(frozen=True, slots=True)
class Firmware:
    """One firmware: the Data objects that tell of it, and the image transfer that brings another one, if any does."""

    identifier: Obis
    signature: Obis
    image: Obis | None = None

    def begin(self, device: LogicalDevice, version: str = "", octets: bytes | None = None) -> None:
        """Tell of a firmware: its version, and the digest of its octets where they are given.

        What is left out is what the objects hold already. Raises ConfigurationError where an object is missing.
        """
        self._check(device)
        if version:
            self._tell(device, self.identifier, version.encode("ascii", "replace"))
        if octets is not None:
            self._tell(device, self.signature, hashlib.sha256(octets).digest())

    def attach(self, device: LogicalDevice) -> None:
        """Follow what is activated from now on; ConfigurationError where an object is missing, or tells nothing."""
        self._check(device)
        for instance in (self.identifier, self.signature):
            item = device.find(instance)
            if item is None or not item.has(_VALUE):
                raise ConfigurationError(f"{instance}: it has no value, and none was given")

    def noted(self, device: LogicalDevice, event: MeterEvent, time: datetime) -> None:
        """Tell of an image that was activated."""
        found = None if self.image is None or event is not MeterEvent.IMAGE_ACTIVATED else device.find(self.image)
        image = None if found is None else found.state
        if isinstance(image, Image) and image.status is ImageTransferStatus.ACTIVATION_SUCCESSFUL:
            self._tell(device, self.identifier, image.identifier)
            self._tell(device, self.signature, hashlib.sha256(image.octets).digest())

    def _check(self, device: LogicalDevice) -> None:
        for instance in (self.identifier, self.signature):
            item = device.find(instance)
            if item is None or item.class_id != DataObject.class_id:
                raise ConfigurationError(f"{instance}: there is no such Data object; describe it first")
        found = None if self.image is None else device.find(self.image)
        if self.image is not None and (found is None or found.class_id != ImageTransfer.class_id):
            raise ConfigurationError(f"{self.image}: there is no such image transfer; describe it first")

    @staticmethod
    def _tell(device: LogicalDevice, instance: Obis, octets: bytes) -> None:
        item = device.find(instance)
        assert item is not None  # looked for before
        device.owned(item).values[_VALUE] = OctetString(octets)
