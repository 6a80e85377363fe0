"""Every limit that a server keeps, and the test that tries it with one less and one more: none is without."""

from __future__ import annotations

import ast
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cosem.fleet.limits import FleetLimits
from cosem.fleet.population import PopulationLimits
from cosem.io.aio.listening import ListenLimits
from cosem.meter.attend import ConnectionLimits
from cosem.meter.lockout import LockoutLimits
from cosem.protocol.association.context import AssociationLimits
from cosem.protocol.profile.gateway import GatewayLimits
from cosem.protocol.profile.timing import ServerTiming

TESTS = Path(__file__).resolve().parent.parent
FLEET, AIO, ATTEND = "unit/fleet/test_fleet.py", "unit/io/aio/test_aio.py", "unit/meter/test_attend.py"
GATEWAY, LOCKOUT, SIGN_OFF = "unit/meter/test_gateway.py", "unit/meter/test_lockout.py", "simulation/test_sign_off.py"
BLOCKS = "conformance/security/test_keys_and_size.py"

TABLE: dict[type[Any], dict[str, tuple[str, str]]] = {
    ListenLimits: {
        "connections": (AIO, "test_limits_of_a_listener"),
        "connections_per_host": (AIO, "test_limits_of_a_listener"),
        "grace": (AIO, "test_a_stranger_has_just_his_time_to_be_let_in"),
        "new_a_second": (AIO, "test_so_many_connections_a_host_may_begin_in_the_long_run"),
        "burst": (AIO, "test_so_many_connections_a_host_may_begin_at_once_and_not_one_more"),
        "known": (AIO, "test_who_proved_himself_before_need_not_wait_for_a_place"),
        "idle": (AIO, "test_a_datagram_peer_is_forgotten_after_its_silence"),
    },
    ConnectionLimits: {
        "associations": (ATTEND, "test_so_many_associations_on_one_connection_and_not_one_more"),
        "half_open": (ATTEND, "test_so_many_half_open_associations_on_one_connection_and_not_one_more"),
        "refusals": (ATTEND, "test_so_many_refusals_on_one_connection_and_not_one_more"),
    },
    ServerTiming: {
        "idle": (SIGN_OFF, "test_whoever_is_idle_for_as_long_as_was_said"),
        "proof": (SIGN_OFF, "test_whoever_takes_his_time_to_prove_who_he_is"),
    },
    GatewayLimits: {
        "routes": (FLEET, "test_so_many_ways_through_a_gateway_on_one_connection"),
        "waiting": (GATEWAY, "test_so_many_apdus_wait_for_a_device_and_not_one_more"),
        "refusals": (GATEWAY, "test_what_leads_nowhere_is_refused_until_it_is_too_much"),
    },
    LockoutLimits: {
        "attempts": ("conformance/security/test_associations.py", "test_t09_how_long_is_a_setting_meter"),
        "first_lock": (LOCKOUT, "test_two_failures_do_not_lock_three_do"),
        "longest_lock": (LOCKOUT, "test_each_lock_is_twice_as_long_up_to_an_hour"),
        "forgotten_after": (LOCKOUT, "test_a_failure_is_forgotten_when_its_time_has_come"),
        "remembered": (LOCKOUT, "test_so_many_are_remembered_and_not_one_more"),
    },
    AssociationLimits: {
        "smallest_pdu": (
            "unit/protocol/association/test_engines.py",
            "test_sec_07_a_uselessly_small_pdu_size_is_refused",
        ),
        "reassembled": (BLOCKS, "test_t19_blocks_of_a_request_are_counted_numbered_and_not_empty_meter"),
        "blocks": (BLOCKS, "test_t19_blocks_of_a_request_are_counted_numbered_and_not_empty_meter"),
        "transfer_seconds": (
            "unit/protocol/profile/test_general_block_sessions.py",
            "test_a_meter_waits_so_long_for_each_next_block_however_long_the_whole_takes",
        ),
        "repeats": (
            "unit/protocol/association/test_general_block.py",
            "test_a_peer_that_asks_for_the_same_block_again_and_again",
        ),
        "listed": ("conformance/security/test_services.py", "test_t23_a_list_is_bounded_meter"),
        "response": ("unit/meter/test_access.py", "test_t23_values_are_answered_until_there_is_no_room"),
        "refused_apdus": (
            "conformance/security/test_messages.py",
            "test_t01_plain_apdu_on_a_ciphered_association_meter",
        ),
        "confirmations": (
            "unit/protocol/association/test_unasked.py",
            "test_no_more_confirmations_wait_than_the_limit_says",
        ),
    },
    FleetLimits: {
        "connections": (FLEET, "test_so_many_connections_to_all_at_whatever_places"),
        "connections_per_meter": (FLEET, "test_so_many_connections_to_one_meter_and_not_one_more"),
        "new_a_second": (FLEET, "test_so_many_connections_a_host_may_begin_and_not_one_more"),
        "burst": (FLEET, "test_so_many_connections_a_host_may_begin_and_not_one_more"),
        "connection": (FLEET, "test_what_a_connection_to_a_meter_of_a_fleet_may_use"),
        "gateway": (FLEET, "test_so_many_ways_through_a_gateway_on_one_connection"),
    },
    PopulationLimits: {
        "ready": ("unit/fleet/test_population.py", "test_only_so_many_are_held_ready"),
        "lockout": ("unit/fleet/test_population.py", "test_every_meter_has_the_limits_of_the_population"),
        "association": ("unit/fleet/test_population.py", "test_every_meter_has_the_limits_of_the_population"),
    },
}


@cache
def functions_of(path: str) -> frozenset[str]:
    tree = ast.parse((TESTS / path).read_text("utf-8"))
    return frozenset(each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("limits", TABLE, ids=lambda limits: limits.__name__)
def test_each_limit_is_tried_at_its_edge(limits: type[Any]) -> None:
    assert TABLE[limits].keys() == {each.name for each in fields(limits)}
    for name, (path, test) in TABLE[limits].items():
        assert test in functions_of(path), f"{limits.__name__}.{name}"
