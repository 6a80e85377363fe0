"""The objects that tell which firmware measures, before and after an image was activated."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from behaving import run
from cosem.errors import ConfigurationError
from cosem.meter import Meter
from cosem.meter.describe import parse
from cosem.protocol.model import Data
from cosem.protocol.model.classes.access_control import ImageBlock, ImageTransfer, ImageTransferInitiate

IDENTIFIER = Data("1.0.0.2.0.255")
SIGNATURE = Data("1.0.0.2.8.255")
IMAGE = ImageTransfer()
OLD, NEW = b"what measures now", b"what will measure from then on" * 20

METER = """
[meter]
name = "KFM1020012345678"

[[object]]
class = "Data"
instance = "1.0.0.2.0.255"

[[object]]
class = "Data"
instance = "1.0.0.2.8.255"

[[object]]
class = "ImageTransfer"
instance = "0.0.44.0.0.255"
"""
FIRMWARE = """
[[firmware]]
identifier = "1.0.0.2.0.255"
signature = "1.0.0.2.8.255"
version = "1.4.2"
file = "old.bin"
image = "0.0.44.0.0.255"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "old.bin").write_bytes(OLD)
    return tmp_path


def told(meter: Meter) -> tuple[bytes, bytes]:
    return bytes(meter.value(IDENTIFIER.value)), bytes(meter.value(SIGNATURE.value))


def test_version_and_checksum_are_told_and_follow_what_is_activated(folder: Path) -> None:
    meter = parse(METER + FIRMWARE, folder=folder)
    assert told(meter) == (b"1.4.2", hashlib.sha256(OLD).digest())
    run(meter, IMAGE.image_transfer_initiate, ImageTransferInitiate(b"1.5.0", len(NEW)))
    for number in range(0, len(NEW), 200):
        run(meter, IMAGE.image_block_transfer, ImageBlock(number // 200, NEW[number : number + 200]))
    run(meter, IMAGE.image_verify)
    assert told(meter)[0] == b"1.4.2"
    run(meter, IMAGE.image_activate)
    assert told(meter) == (b"1.5.0", hashlib.sha256(NEW).digest())


def test_what_the_objects_hold_is_enough() -> None:
    held = METER.replace('2.0.255"\n', '2.0.255"\nvalue = { octet-string = "312E34" }\n', 1)
    held = held.replace('2.8.255"\n', '2.8.255"\nvalue = { octet-string = "00FF" }\n', 1)
    meter = parse(held + '[[firmware]]\nidentifier = "1.0.0.2.0.255"\nsignature = "1.0.0.2.8.255"\n')
    assert told(meter) == (b"1.4", b"\x00\xff")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('identifier = "1.0.0.2.0.255"', 'identifier = "1.0.0.2.1.255"', "no such Data object"),
        ('image = "0.0.44.0.0.255"', 'image = "0.0.44.0.1.255"', "no such image transfer"),
        ('file = "old.bin"', 'file = "nowhere.bin"', "cannot read"),
        ('file = "old.bin"\n', "", "no value, and none was given"),
    ],
)
def test_what_cannot_be_told(folder: Path, old: str, new: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        parse(METER + FIRMWARE.replace(old, new), folder=folder)
