"""Every limit that a server keeps, and the test that tries it at its edge and one beyond: none is without.

That a test has both edges is told by reading it: what is at the edge is let in, done or remembered, and what is one
beyond is not, in one function or in the parameters of one.
"""

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

SOURCES = TESTS.parent / "src" / "cosem"
FOLDERS = "meter", "fleet", "io/aio"
WORDS = ("MOST_", "LONGEST_", "LARGEST_", "DEEPEST_")
MONITORS, SCHEDULES = "unit/meter/test_monitors.py", "unit/meter/test_schedules.py"
IMAGE, REGISTERS = "unit/meter/test_image_transfer.py", "unit/meter/test_registers.py"
ADMINISTERED = "simulation/test_association_object.py"
POWER, EFFECTS, PUSHING = "unit/meter/test_power.py", "unit/fleet/test_effects.py", "unit/fleet/test_pushing.py"

CONSTANTS: dict[str, tuple[str, str]] = {
    "fleet/compare.py:MOST_FINDINGS": ("unit/fleet/test_compare.py", "test_so_many_findings_are_told_one_by_one"),
    "fleet/places.py:MOST_BEHIND_A_GATEWAY": (FLEET, "test_as_many_as_fit_on_a_line_and_behind_a_gateway"),
    "fleet/models.py:MOST_METERS": ("unit/fleet/test_population.py", "test_a_population_has_one_meter_to_so_many"),
    "fleet/population.py:MOST_SUSPICIOUS": (
        "unit/fleet/test_population.py",
        "test_of_so_many_forgotten_meters_it_is_known_who_is_locked_out_and_of_no_more",
    ),
    "fleet/push_setup.py:LONGEST_CYCLE": (PUSHING, "test_how_meters_may_push"),
    "fleet/push_setup.py:LONGEST_WAIT": (PUSHING, "test_how_meters_may_push"),
    "fleet/push_setup.py:MOST_RETRIES": (PUSHING, "test_how_meters_may_push"),
    "fleet/scenario.py:LONGEST_SPAN": ("unit/fleet/test_file.py", "test_what_no_fleet_could_be_is_refused_at_its_key"),
    "fleet/scenario.py:LONGEST_VERSION": (EFFECTS, "test_what_can_happen"),
    "fleet/scenario.py:MOST_PPM": (EFFECTS, "test_what_can_happen"),
    "io/aio/scrape.py:LONGEST_HEAD": ("unit/io/aio/test_scrape.py", "test_how_long_a_request_may_be"),
    "meter/agenda.py:LONGEST_SILENCE": (
        SCHEDULES,
        "test_after_a_silence_that_is_too_long_the_meter_goes_on_from_the_present",
    ),
    "meter/agenda.py:MOST_STEPS": (
        SCHEDULES,
        "test_after_a_silence_that_is_too_long_the_meter_goes_on_from_the_present",
    ),
    "meter/behaviour/association_ln.py:LONGEST_SECRET": (
        ADMINISTERED,
        "test_the_secret_of_high_level_security_is_changed_in_an_encrypted_association",
    ),
    "meter/behaviour/association_ln.py:MOST_USERS": (ADMINISTERED, "test_a_list_of_users_is_bounded"),
    "meter/behaviour/clock.py:LONGEST_SHIFT": ("unit/meter/test_clock.py", "test_shifting_is_bounded"),
    "meter/behaviour/disconnect_control.py:MOST_CHANGES": (
        "unit/meter/test_supply.py",
        "test_more_openings_than_a_breaker_remembers_leave_its_state_right",
    ),
    "meter/behaviour/image_transfer.py:BLOCK_SIZES": (IMAGE, "test_a_block_has_so_many_octets_and_not_one_more"),
    "meter/behaviour/image_transfer.py:LARGEST_IMAGE": (IMAGE, "test_an_image_has_so_many_octets_and_not_one_more"),
    "meter/behaviour/monitors.py:LONGEST_WATCH": (MONITORS, "test_so_much_of_a_silence_is_looked_at_and_no_more"),
    "meter/behaviour/monitors.py:MOST_THRESHOLDS": (MONITORS, "test_so_many_thresholds_are_looked_at_and_not_one_more"),
    "meter/behaviour/profile_generic.py:MOST_CAPTURES": (
        "unit/meter/test_profile_order.py",
        "test_so_many_rows_are_made_up_for_and_no_more",
    ),
    "meter/behaviour/profile_generic.py:MOST_COLUMNS": (
        "unit/meter/test_profile_structure.py",
        "test_a_profile_has_so_many_columns_and_rows_of_so_many_octets",
    ),
    "meter/behaviour/profile_generic.py:MOST_ENTRIES": (
        "unit/meter/test_profile_structure.py",
        "test_a_client_gets_so_many_entries_and_no_more",
    ),
    "meter/behaviour/profile_generic.py:MOST_ROW": (
        "unit/meter/test_profile_structure.py",
        "test_a_profile_has_so_many_columns_and_rows_of_so_many_octets",
    ),
    "meter/behaviour/registers.py:MOST_MASKS": (
        REGISTERS,
        "test_a_register_activation_has_so_many_registers_and_masks",
    ),
    "meter/behaviour/registers.py:MOST_REGISTERS": (
        REGISTERS,
        "test_a_register_activation_has_so_many_registers_and_masks",
    ),
    "meter/behaviour/registers.py:MOST_STRETCHES": (
        REGISTERS,
        "test_a_register_remembers_so_many_stretches_and_no_more",
    ),
    "meter/behaviour/schedules.py:MOST_ENTRIES": (SCHEDULES, "test_entries_come_and_go"),
    "meter/behaviour/scripts.py:DEEPEST_SCRIPT": (
        SCHEDULES,
        "test_scripts_run_so_deep_inside_each_other_and_no_deeper",
    ),
    "meter/behaviour/security_setup.py:MOST_CERTIFICATES": (
        "simulation/test_security_setup.py",
        "test_a_table_of_certificates_is_bounded",
    ),
    "meter/behaviour/special_days.py:MOST_SPECIAL_DAYS": (
        SCHEDULES,
        "test_a_table_has_so_many_special_days_and_not_one_more",
    ),
    "meter/device.py:MOST_SHIFTS": (
        "unit/meter/test_feed.py",
        "test_a_meter_remembers_so_many_settings_of_its_clock_and_no_more",
    ),
    "meter/lockout.py:LONGEST_LOCK": (LOCKOUT, "test_each_lock_is_twice_as_long_up_to_an_hour"),
    "meter/logical_device.py:LONGEST_NAME": ("unit/meter/test_logical_device.py", "test_names_that_cannot_be"),
    "meter/misbehave.py:MOST_EARLY": (
        "unit/meter/test_misbehave.py",
        "test_so_much_is_heard_while_an_answer_is_held_up_and_no_more",
    ),
    "meter/multidrop.py:MOST_ON_A_LINE": (FLEET, "test_as_many_as_fit_on_a_line_and_behind_a_gateway"),
    "meter/power.py:LONGEST_OUTAGE": (POWER, "test_limits_of_an_outage"),
    "meter/power.py:MOST_FAILURES": (POWER, "test_so_many_failures_are_remembered_and_over_a_restart"),
    "meter/profile_status.py:MOST_MARKS": (
        "unit/meter/test_profile_status.py",
        "test_so_much_is_remembered_and_no_more",
    ),
    "meter/provoked.py:LONGEST_QUIET": (
        "unit/meter/test_provoked.py",
        "test_a_flood_is_noted_after_one_two_four_minutes_and_then_each_hour",
    ),
}
"""Limits that are the same for every meter, by the module that has them."""

OF_OUR_OWN = {
    "meter/behaviour/demand.py:MOST_SAMPLES",
    "meter/behaviour/push_setup.py:LONGEST_WAIT",
    "meter/han_lists.py:LONGEST_INFORMATION",
    "meter/push_sending.py:LONGEST_LOOK",
}
"""What looks like a limit to what comes in, and is none: how far or how finely the simulation itself looks."""


@cache
def functions_of(path: str) -> frozenset[str]:
    tree = ast.parse((TESTS / path).read_text("utf-8"))
    return frozenset(each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("limits", TABLE, ids=lambda limits: limits.__name__)
def test_each_limit_is_tried_at_its_edge(limits: type[Any]) -> None:
    assert TABLE[limits].keys() == {each.name for each in fields(limits)}
    for name, (path, test) in TABLE[limits].items():
        assert test in functions_of(path), f"{limits.__name__}.{name}"


def test_each_limit_that_is_the_same_for_every_meter_is_tried_too() -> None:
    """Those of modules that meters, fleets and listeners are made of, told by their names."""
    found = {
        f"{module.relative_to(SOURCES).as_posix()}:{target.id}"
        for folder in FOLDERS
        for module in (SOURCES / folder).rglob("*.py")
        for statement in ast.parse(module.read_text("utf-8")).body
        for target in (statement.target if isinstance(statement, ast.AnnAssign) else None,)
        if isinstance(target, ast.Name) and (target.id.startswith(WORDS) or target.id == "BLOCK_SIZES")
    }
    assert found == CONSTANTS.keys() | OF_OUR_OWN
    for name, (path, test) in CONSTANTS.items():
        assert test in functions_of(path), name
