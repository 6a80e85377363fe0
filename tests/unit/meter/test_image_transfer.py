"""Class 18: expected statuses are those of the texts of its methods, as jDLMS and others quote them.

image_verify and image_activate: "the result of the invocation of this method may be success, temporary-failure or
other-reason. If it is not success, then the result can be learned by retrieving the value of image_transfer_status";
"if the image transferred has not been verified before, then this is done as part of the activation".
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from behaving import Now, run
from cosem.errors import ConfigurationError
from cosem.meter import Access, AssociationDescription, Meter, Rights
from cosem.meter.behaviour.image_transfer import BLOCK_SIZES, LARGEST_IMAGE
from cosem.meter.demo import household
from cosem.meter.describe import parse
from cosem.meter.faults import Faults, of_words
from cosem.meter.item import Refusal
from cosem.meter.memory import remember
from cosem.protocol.apdu.action import ActionResult
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.model import Data
from cosem.protocol.model.classes.access_control import (
    ImageBlock,
    ImageTransfer,
    ImageTransferInitiate,
    ImageTransferStatus,
)
from cosem.protocol.values.data import OctetString, VisibleString
from cosem.store.state import open_state
from described import act

IMAGE = ImageTransfer()
FIRMWARE = Data("1.0.0.2.0.255")
OCTETS = bytes(range(50))
Status = ImageTransferStatus
OTHER, TEMPORARY = DataAccessResult.OTHER_REASON, DataAccessResult.TEMPORARY_FAILURE


def made(faults: Faults | None = None, now: Now | None = None) -> Meter:
    meter = Meter("KFM1020012345678", clock=now or Now(), faults=faults or Faults())
    meter.add(FIRMWARE, value=OctetString(b"1.0.0"))
    meter.add(IMAGE, image_block_size=20)
    meter.offer(AssociationDescription(client=1, rights=Rights(Access.MANAGE)))
    return meter


def initiate(meter: Meter, octets: bytes = OCTETS) -> None:
    run(meter, IMAGE.image_transfer_initiate, ImageTransferInitiate(b"2.0.0", len(octets)))


def block(meter: Meter, number: int) -> None:
    run(meter, IMAGE.image_block_transfer, ImageBlock(number, OCTETS[20 * number : 20 * number + 20]))


def sent(meter: Meter) -> Meter:
    initiate(meter)
    for number in range(3):
        block(meter, number)
    return meter


def status(meter: Meter) -> Status:
    meter.settle()
    found = meter.value(IMAGE.image_transfer_status)
    assert isinstance(found, Status)
    return found


def refused(meter: Meter, method: Any, argument: Any = None) -> DataAccessResult:
    with pytest.raises(Refusal) as refusal:
        run(meter, method, *(() if argument is None else (argument,)))
    return refusal.value.result


def test_an_image_has_so_many_octets_and_not_one_more() -> None:
    meter = Meter("KFM1020012345678", clock=Now())
    meter.add(IMAGE, image_block_size=BLOCK_SIZES[-1])
    for octets in (0, LARGEST_IMAGE + 1):
        begin = ImageTransferInitiate(b"2.0.0", octets)
        assert refused(meter, IMAGE.image_transfer_initiate, begin) is OTHER
        assert status(meter) is Status.NOT_INITIATED
    run(meter, IMAGE.image_transfer_initiate, ImageTransferInitiate(b"2.0.0", LARGEST_IMAGE))
    assert status(meter) is Status.INITIATED


def test_a_block_has_so_many_octets_and_not_one_more() -> None:
    for octets in (BLOCK_SIZES[0], BLOCK_SIZES[-1]):
        meter = Meter("KFM1020012345678", clock=Now())
        meter.add(IMAGE, image_block_size=octets)
        assert meter.value(IMAGE.image_block_size) == octets
    for octets in (BLOCK_SIZES[0] - 1, BLOCK_SIZES[-1] + 1):
        with pytest.raises(ConfigurationError, match="1 to 65535"):
            Meter("KFM1020012345678", clock=Now()).add(IMAGE, image_block_size=octets)


def test_the_statuses_of_a_transfer_that_goes_well() -> None:
    meter = made()
    assert status(meter) is Status.NOT_INITIATED
    initiate(meter)
    assert status(meter) is Status.INITIATED
    assert meter.value(IMAGE.image_first_not_transferred_block_number) == 0
    assert meter.value(IMAGE.image_to_activate_info) == ()
    for number in range(3):
        block(meter, number)
    assert meter.value(IMAGE.image_first_not_transferred_block_number) >= 3
    run(meter, IMAGE.image_verify)
    assert status(meter) is Status.VERIFICATION_SUCCESSFUL
    (info,) = meter.value(IMAGE.image_to_activate_info)
    assert (info.image_to_activate_size, info.image_to_activate_identification) == (50, b"2.0.0")
    assert info.image_to_activate_signature == hashlib.sha256(OCTETS).digest()
    assert meter.value(FIRMWARE.value) == b"1.0.0"
    run(meter, IMAGE.image_activate)
    assert status(meter) is Status.ACTIVATION_SUCCESSFUL
    assert meter.value(FIRMWARE.value) == b"2.0.0"
    assert meter.value(IMAGE.image_to_activate_info) == ()


def test_each_initiation_begins_anew_with_the_same_image_too() -> None:
    meter = made()
    initiate(meter)
    block(meter, 0)
    initiate(meter)
    assert str(meter.value(IMAGE.image_transferred_blocks_status)) == "000"
    assert meter.value(IMAGE.image_first_not_transferred_block_number) == 0


def test_blocks_that_are_missing_fail_the_verification() -> None:
    meter = made()
    initiate(meter)
    block(meter, 0)
    block(meter, 2)
    assert refused(meter, IMAGE.image_verify) is OTHER
    assert status(meter) is Status.VERIFICATION_FAILED
    assert meter.value(IMAGE.image_to_activate_info) == ()
    assert refused(meter, IMAGE.image_activate) is OTHER
    initiate(meter)
    assert status(meter) is Status.INITIATED


def test_nothing_is_verified_or_activated_that_was_not_initiated() -> None:
    meter = made()
    assert refused(meter, IMAGE.image_verify) is OTHER
    assert refused(meter, IMAGE.image_activate) is OTHER
    assert refused(meter, IMAGE.image_block_transfer, ImageBlock(0, OCTETS[:20])) is OTHER
    assert status(meter) is Status.NOT_INITIATED


def test_an_image_that_was_not_verified_is_so_with_its_activation() -> None:
    meter = sent(made())
    run(meter, IMAGE.image_activate)
    assert status(meter) is Status.ACTIVATION_SUCCESSFUL
    other = made()
    initiate(other)
    assert refused(other, IMAGE.image_activate) is OTHER
    assert status(other) is Status.ACTIVATION_FAILED


def test_a_verification_that_fails() -> None:
    meter = sent(made(Faults(verification_fails=True)))
    assert refused(meter, IMAGE.image_verify) is OTHER
    assert status(meter) is Status.VERIFICATION_FAILED
    assert meter.value(IMAGE.image_to_activate_info) == ()


def test_an_activation_that_fails() -> None:
    meter = sent(made(Faults(activation_fails=True)))
    run(meter, IMAGE.image_verify)
    assert refused(meter, IMAGE.image_activate) is OTHER
    assert status(meter) is Status.ACTIVATION_FAILED
    assert meter.value(FIRMWARE.value) == b"1.0.0"
    assert len(meter.value(IMAGE.image_to_activate_info)) == 1


@pytest.mark.parametrize("fails", [False, True])
def test_a_verification_that_takes_its_time(fails: bool) -> None:
    now = Now()
    meter = sent(made(Faults(verification_time=30, verification_fails=fails), now))
    assert refused(meter, IMAGE.image_verify) is TEMPORARY
    assert status(meter) is Status.VERIFICATION_INITIATED
    now.later(seconds=29)
    assert refused(meter, IMAGE.image_verify) is TEMPORARY
    assert refused(meter, IMAGE.image_activate) is TEMPORARY
    assert status(meter) is Status.VERIFICATION_INITIATED
    now.later(seconds=1)
    assert status(meter) is (Status.VERIFICATION_FAILED if fails else Status.VERIFICATION_SUCCESSFUL)


def test_an_activation_that_takes_its_time_is_over_though_nobody_looks_at_its_status() -> None:
    now = Now()
    meter = sent(made(Faults(activation_time=30), now))
    run(meter, IMAGE.image_verify)
    assert refused(meter, IMAGE.image_activate) is TEMPORARY
    assert status(meter) is Status.ACTIVATION_INITIATED
    assert refused(meter, IMAGE.image_transfer_initiate, ImageTransferInitiate(b"3", 5)) is TEMPORARY
    now.later(seconds=40)
    meter.settle()
    assert meter.value(FIRMWARE.value) == b"2.0.0"
    assert status(meter) is Status.ACTIVATION_SUCCESSFUL


def test_a_clock_that_is_set_forward_ends_it_too() -> None:
    now = Now()
    meter = sent(made(Faults(verification_time=3600), now))
    assert refused(meter, IMAGE.image_verify) is TEMPORARY
    meter.set_time(now().replace(hour=20))
    assert status(meter) is Status.VERIFICATION_SUCCESSFUL


def test_blocks_that_get_lost_leave_gaps_until_they_are_sent_again() -> None:
    meter = made(Faults(block_loss=0.5, seed=1))
    initiate(meter)
    tries = 0
    while (first := int(meter.value(IMAGE.image_first_not_transferred_block_number))) < 3 and tries < 100:
        block(meter, first)
        tries += 1
    assert 3 < tries < 100
    run(meter, IMAGE.image_verify)
    again = made(Faults(block_loss=0.5, seed=1))
    initiate(again)
    for number in range(3):
        block(again, number)
    once = meter.value(IMAGE.image_transferred_blocks_status)
    assert str(once) == "111"
    assert "0" in str(again.value(IMAGE.image_transferred_blocks_status))


def test_all_blocks_get_lost() -> None:
    meter = made(Faults(block_loss=1))
    initiate(meter)
    for number in range(3):
        block(meter, number)
    assert str(meter.value(IMAGE.image_transferred_blocks_status)) == "000"
    assert refused(meter, IMAGE.image_block_transfer, ImageBlock(3, b"")) is DataAccessResult.TYPE_UNMATCHED


def test_a_restart_is_counted_and_breaks_connections() -> None:
    meter = sent(made(Faults(activation_restarts=True)))
    run(meter, IMAGE.image_verify)
    broken: list[int] = []
    with meter.power.cutting(lambda: broken.append(1)):
        run(meter, IMAGE.image_activate)
    assert broken == [1]
    assert meter.power.restarts == 1
    assert meter.powered
    assert status(meter) is Status.ACTIVATION_SUCCESSFUL


def test_nothing_restarts_that_is_not_activated() -> None:
    meter = made(Faults(activation_restarts=True))
    assert refused(meter, IMAGE.image_activate) is OTHER
    assert not meter.has_outages


def test_what_is_under_way_survives_a_restart(tmp_path: Path) -> None:
    now = Now()

    def started() -> tuple[Meter, Any]:
        meter = made(Faults(activation_time=60), now)
        store = open_state(tmp_path / "state")
        remember(meter, store)
        return meter, store

    meter, store = started()
    sent(meter)
    assert act(meter, IMAGE.image_verify) is ActionResult.SUCCESS
    assert act(meter, IMAGE.image_activate) is ActionResult.TEMPORARY_FAILURE
    store.close()
    meter, store = started()
    assert status(meter) is Status.ACTIVATION_INITIATED
    now.later(seconds=61)
    assert status(meter) is Status.ACTIVATION_SUCCESSFUL
    assert meter.value(FIRMWARE.value) == b"2.0.0"
    store.close()


def test_a_verification_that_failed_has_failed_after_a_restart_too(tmp_path: Path) -> None:
    for _ in range(2):
        meter = made()
        store = open_state(tmp_path / "state")
        remember(meter, store)
        if status(meter) is Status.NOT_INITIATED:
            initiate(meter)
            assert act(meter, IMAGE.image_verify) is ActionResult.OTHER_REASON
        store.close()
    assert status(meter) is Status.VERIFICATION_FAILED


def test_the_firmware_of_a_household_is_named_in_its_type() -> None:
    meter = household(1)
    meter.add(IMAGE, image_block_size=20)
    sent(meter)
    run(meter, IMAGE.image_activate)
    assert meter.value(FIRMWARE.value) == b"2.0.0"
    visible = Meter("KFM1020012345678")
    visible.add(FIRMWARE, value=VisibleString("1"))
    visible.add(IMAGE, image_block_size=20)
    sent(visible)
    run(visible, IMAGE.image_activate)
    found = visible.value(FIRMWARE.value)
    assert isinstance(found, VisibleString) and found == "2.0.0"


def test_a_described_firmware_tells_by_objects_of_its_own() -> None:
    meter = parse("""
[meter]
name = "KFM1020012345678"
[[object]]
class = "Data"
instance = "1.0.0.2.0.255"
value = { octet-string = "31" }
[[object]]
class = "Data"
instance = "1.1.0.2.0.255"
value = { octet-string = "31" }
[[object]]
class = "Data"
instance = "1.1.0.2.8.255"
value = { octet-string = "00" }
[[object]]
class = "ImageTransfer"
instance = "0.0.44.0.0.255"
image_block_size = 20
[[firmware]]
identifier = "1.1.0.2.0.255"
signature = "1.1.0.2.8.255"
image = "0.0.44.0.0.255"
""")
    sent(meter)
    run(meter, IMAGE.image_activate)
    assert meter.value(Data("1.1.0.2.0.255").value) == b"2.0.0"
    assert meter.value(FIRMWARE.value) == b"1"


def test_the_faults_by_their_words() -> None:
    words = ("block_loss=0.2", "verification_time=5", "activation_restarts=true", "verification_fails=true")
    faults = of_words(words)
    assert (faults.block_loss, faults.verification_time) == (0.2, 5.0)
    assert faults.activation_restarts and faults.verification_fails
    assert faults.of_line
    assert not of_words(("block_loss=0.2", "activation_fails=true", "activation_time=5")).of_line


@pytest.mark.parametrize("wrong", [{"block_loss": 1.1}, {"verification_time": -1}, {"activation_time": 3601}])
def test_what_no_fault_is(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Faults(**wrong)  # type: ignore[arg-type]
