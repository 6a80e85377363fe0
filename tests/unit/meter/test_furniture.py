"""What every logical device has, by the associations that it offers and who asks by which names."""

from __future__ import annotations

from cosem.meter.associations import Furnishing
from cosem.meter.furniture import furniture
from cosem.protocol.values.obis import Obis

OPEN, CIPHERED, OF_SUITE_1 = Furnishing(), Furnishing(suite=0), Furnishing(suite=1)

NAME, CLOCK, SAPS = "0.0.42.0.0.255", "0.0.1.0.0.255", "0.0.41.0.0.255"


def shape(furnishings: tuple[Furnishing, ...], number: int, *, sn: bool = False, management: bool = False) -> set[str]:
    made = furniture(management, furnishings, number, sn)
    return {f"{item.class_id}v{item.version} {instance}" for instance, item in made.items()}


def test_name_and_clock_are_in_all_and_the_sap_list_in_the_management_logical_device() -> None:
    assert shape((OPEN,), 0) == {f"1v0 {NAME}", f"8v0 {CLOCK}"}
    assert shape((OPEN,), 0, management=True) == {f"1v0 {NAME}", f"8v0 {CLOCK}", f"17v0 {SAPS}"}


def test_who_asks_sees_his_own_association_under_its_number_and_as_the_current_one() -> None:
    both = {f"1v0 {NAME}", f"8v0 {CLOCK}"}
    assert shape((OPEN, OPEN), 2) - both == {"15v1 0.0.40.0.0.255", "15v1 0.0.40.0.2.255"}
    assert shape((OPEN, Furnishing(users=True)), 2) - both == {"15v2 0.0.40.0.0.255", "15v2 0.0.40.0.2.255"}
    assert shape((OPEN, OPEN), 2, sn=True) - both == {"12v1 0.0.40.0.0.255"}


def test_who_manages_the_meter_sees_the_associations_of_the_others_too() -> None:
    manager, users = Furnishing(observes=True), Furnishing(users=True)
    offered = (OPEN, manager, users)
    assert {each for each in shape(offered, 2) if "0.0.40." in each} == {
        *("15v1 0.0.40.0.0.255", "15v1 0.0.40.0.1.255", "15v1 0.0.40.0.2.255", "15v2 0.0.40.0.3.255")
    }
    assert {each for each in shape(offered, 1) if "0.0.40." in each} == {"15v1 0.0.40.0.0.255", "15v1 0.0.40.0.1.255"}
    assert {each for each in shape(offered, 2, sn=True) if "0.0.40." in each} == {"12v1 0.0.40.0.0.255"}


def test_ciphered_associations_bring_their_security_setup_and_the_counter_that_all_may_read() -> None:
    counters = {"1v0 0.0.43.1.0.255", "1v0 0.0.43.1.2.255", "1v0 0.0.43.1.3.255"}
    offered = (OPEN, CIPHERED, OF_SUITE_1)
    assert {each for each in shape(offered, 1) if "0.0.43." in each} == counters
    assert {each for each in shape(offered, 2) if "0.0.43." in each} == counters | {"64v0 0.0.43.0.2.255"}
    assert {each for each in shape(offered, 3) if "0.0.43." in each} == counters | {"64v1 0.0.43.0.3.255"}


def test_the_counter_where_clients_look_unless_told_otherwise_is_that_of_the_first_with_keys() -> None:
    made = furniture(False, (OPEN, CIPHERED, OF_SUITE_1), 1, False)
    assert [made[Obis.of(0, 0, 43, 1, e)].state for e in (0, 2, 3)] == [2, 2, 3]


def test_meters_that_offer_the_same_share_one_set() -> None:
    assert furniture(True, (OPEN,), 1, False) is furniture(True, (Furnishing(),), 1, False)
