"""Each parameter of the gateway's tables has a test of what it does, by name, beside those of its check."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from cosem.gateway.config.columns import DEVICES, OUTPUTS, PORTS, SETTINGS, SIGNALS

TESTS = Path(__file__).parents[2]
ASKED = tomllib.loads((TESTS / "vectors" / "gateway_parameters.toml").read_text("utf-8"))

_WIRE = "unit/gateway/drivers/test_wire.py::"
_TIMING = "unit/gateway/drivers/test_timing.py::"
_ENTRY = "unit/gateway/drivers/test_entry.py::"
_SIGNALS = "unit/gateway/test_signals.py::"
_LINE = "unit/gateway/test_line.py::"
_OUTPUTS = "unit/gateway/test_outputs.py::"
_PAGE = "unit/gateway/page/test_page.py::"
_SETTINGS = "unit/gateway/test_settings.py::"

_SERIAL = f"{_WIRE}test_a_serial_port_is_opened_as_its_row_says"
_PLACE = f"{_WIRE}test_ip_port_and_bind_address_are_where_is_connected_and_from_where"

_WHO: Mapping[str, str] = {
    "name": f"{_SETTINGS}test_name_and_description_are_shown_and_protocol_chooses_the_driver",
    "description": f"{_SETTINGS}test_name_and_description_are_shown_and_protocol_chooses_the_driver",
    "protocol": f"{_SETTINGS}test_name_and_description_are_shown_and_protocol_chooses_the_driver",
    "device_alias": f"{_SIGNALS}test_signal_name_signal_alias_and_device_alias_are_what_outputs_call_it",
    "enable": f"{_SETTINGS}test_enable_of_a_device",
}
_EVERY_DEVICE: Mapping[str, str] = {
    **_WHO,
    **dict.fromkeys(("baudrate", "databits", "stopbits", "parity", "flowcontrol"), _SERIAL),
    "device": f"{_WIRE}test_device_may_be_a_name_of_the_sheet_ports",
    **dict.fromkeys(("ip", "port", "bind_address"), _PLACE),
    "timeout_ms": f"{_TIMING}test_timeout_ms_is_the_silence_before_an_answer",
    "scan_rate_ms": f"{_LINE}test_scan_rate_ms_is_kept_and_an_overrun_counted",
    "retry_counter": f"{_LINE}test_a_device_that_does_not_answer_so_often_is_lost",
    "reconnect_time": f"{_LINE}test_a_lost_device_is_tried_again",
    "reconnect_longest_ms": f"{_LINE}test_a_lost_device_is_tried_again",
    "poll_delay_ms": f"{_LINE}test_waits_before_it_speaks_and_after_the_port_was_closed",
    "serial_close_delay": f"{_LINE}test_waits_before_it_speaks_and_after_the_port_was_closed",
    "echo": f"{_TIMING}test_echo_is_taken_away",
}
_ADDRESSES = ("serial_number", "physical_address", "logical_address", "address_size", "client_address", "address_rule")
_EVERY_SIGNAL: Mapping[str, str] = {
    "signal_name": f"{_SIGNALS}test_signal_name_signal_alias_and_device_alias_are_what_outputs_call_it",
    "signal_alias": f"{_SIGNALS}test_signal_name_signal_alias_and_device_alias_are_what_outputs_call_it",
    "device_alias": f"{_SIGNALS}test_signal_name_signal_alias_and_device_alias_are_what_outputs_call_it",
    "enable": f"{_SIGNALS}test_enable_0_is_neither_read_nor_shown",
    "log": f"{_SIGNALS}test_log_writes_its_values_to_the_event_log",
    "number_type": f"{_SIGNALS}test_number_type_is_the_type_that_goes_out",
    **dict.fromkeys(("units", "multiply", "offset"), f"{_SIGNALS}test_units_multiply_and_offset"),
    **dict.fromkeys(("deadband", "publish_on_change"), f"{_SIGNALS}test_deadband_and_publish_on_change"),
    **dict.fromkeys(("topic", "register", "ioa", "node"), f"{_SIGNALS}test_topic_register_ioa_and_node_are_its_places"),
    "source": f"{_SIGNALS}test_source_status_reads_nothing_and_tells_whether_the_device_answers",
    "profile": f"{_SIGNALS}test_source_profile_is_the_rows_of_its_profile",
}
_COMMANDS: Mapping[str, str] = {
    "write": f"{_SIGNALS}test_write_lets_commands_through",
    "command_from": f"{_SIGNALS}test_command_from_names_whose_commands_are_taken",
    "lowest": f"{_SIGNALS}test_lowest_and_highest_bound_commands",
    "highest": f"{_SIGNALS}test_lowest_and_highest_bound_commands",
    "select_seconds": f"{_SIGNALS}test_select_seconds_is_what_outputs_are_told",
}

BEHAVIOURS: Mapping[str, Mapping[str, str]] = {
    "DLMS devices": {
        **_EVERY_DEVICE,
        **dict.fromkeys(_ADDRESSES, f"{_WIRE}test_addresses"),
        "type": f"{_WIRE}test_type_of_names",
        "mode": f"{_WIRE}test_mode",
        **dict.fromkeys(("auth", "password"), f"{_WIRE}test_auth_and_password"),
        "keep_open": f"{_TIMING}test_keep_open_keeps_the_session_between_scans",
        **dict.fromkeys(
            ("security_suite", "protection"),
            f"{_ENTRY}test_security_suite_and_protection_are_in_the_security_control_byte",
        ),
        **dict.fromkeys(
            ("encryption_key", "authentication_key"),
            f"{_ENTRY}test_encryption_key_and_authentication_key_make_the_context_one_with_ciphering",
        ),
        **dict.fromkeys(
            ("master_key", "signing_key", "peer_signing_key", "certificate", "agreement_key", "peer_agreement_key"),
            f"{_ENTRY}test_keys_of_signature_and_agreement",
        ),
        **dict.fromkeys(("client_system_title", "user"), f"{_ENTRY}test_client_system_title_and_user_are_told"),
        **dict.fromkeys(
            ("meter_system_title", "envelope", "key_info", "dialect"),
            f"{_ENTRY}test_meter_system_title_envelope_key_info_and_dialect",
        ),
        "dedicated_key": f"{_ENTRY}test_dedicated_key_is_made_for_each_association",
        "counter_object": f"{_ENTRY}test_counter_object_is_read_by_the_public_client_first",
        "gateway": f"{_ENTRY}test_gateway_is_the_prefix_of_every_message",
        **dict.fromkeys(("max_information", "window"), f"{_ENTRY}test_max_information_and_window_are_proposed"),
    },
    "IEC 62056-21 devices": {
        **_EVERY_DEVICE,
        "serialnumber": f"{_WIRE}test_serialnumber_is_called",
        "type": f"{_TIMING}test_type_is_the_mode_that_a_meter_is_read_in",
        "t2": f"{_TIMING}test_t2_passes_before_the_acknowledgement_of_mode_c",
        "meter_model": f"{_WIRE}test_meter_model_of_iec_62056_21_is_reserved_and_changes_nothing",
        "password": f"{_TIMING}test_password_enters_programming_mode",
    },
    "Elgama devices": {
        **_EVERY_DEVICE,
        **dict.fromkeys(("id", "client_address", "password"), f"{_WIRE}test_addresses"),
        "meter_model": f"{_WIRE}test_meter_model_of_elgama_chooses_the_protocol",
        "use_time": f"{_TIMING}test_use_time_of_a_gama_is_read_with_its_values",
        "keep_open": f"{_TIMING}test_keep_open_keeps_the_session_between_scans",
    },
    "DLMS signals": {
        **_EVERY_SIGNAL,
        **_COMMANDS,
        "short_name": f"{_SIGNALS}test_short_name_spares_the_object_list",
        "obis_job": f"{_SIGNALS}test_obis_job",
        "class_id": f"{_SIGNALS}test_class_id_spares_the_object_list",
        **dict.fromkeys(("command", "command_job"), f"{_SIGNALS}test_command_and_command_job_are_what_is_done"),
    },
    "IEC 62056-21 signals": {
        **_EVERY_SIGNAL,
        **_COMMANDS,
        "tag_job_todo": f"{_SIGNALS}test_tag_job_todo_is_the_text_exactly_as_the_meter_prints_it",
        **dict.fromkeys(("command", "command_job"), f"{_SIGNALS}test_command_job_of_iec_62056_21"),
    },
    "Elgama signals": {
        **_EVERY_SIGNAL,
        **dict.fromkeys((*_COMMANDS, "command", "command_job"), f"{_SIGNALS}test_nothing_is_ever_written_to_elgama"),
        **dict.fromkeys(("job_todo", "tag_job_todo"), f"{_SIGNALS}test_job_todo_and_tag_job_todo_of_elgama"),
    },
    "Outputs": {
        "kind": f"{_OUTPUTS}test_every_kind_of_the_tables_has_its_maker",
        "name": f"{_SIGNALS}test_command_from_names_whose_commands_are_taken",
        "enable": f"{_SETTINGS}test_enable_of_an_output",
        "address": f"{_OUTPUTS}test_addresses",
        "tls": f"{_OUTPUTS}test_tls",
        "ca": f"{_OUTPUTS}test_tls",
        "certificate": f"{_OUTPUTS}test_tls",
        "key": f"{_OUTPUTS}test_tls",
        "username": "interop/test_mqtt.py::test_by_tls_with_a_password",
        "password": "interop/test_mqtt.py::test_by_tls_with_a_password",
        "token": "unit/gateway/northbound/test_rest.py::test_by_tls_with_a_token",
        "options": f"{_OUTPUTS}test_an_output_with_all_its_options",
    },
    "Ports": dict.fromkeys(("port", "device"), f"{_WIRE}test_device_may_be_a_name_of_the_sheet_ports"),
    "Settings": {
        "buffer": f"{_SETTINGS}test_buffer_and_audit_are_files_beside_the_tables",
        "audit": f"{_SETTINGS}test_buffer_and_audit_are_files_beside_the_tables",
        "buffer_mb": "unit/gateway/test_engine.py::test_a_full_buffer_lets_the_oldest_go_and_says_so",
        "keyring": "unit/gateway/config/test_check.py::test_keys_of_a_key_ring",
        "keyring_secret": "unit/gateway/config/test_check.py::test_keys_of_a_key_ring",
        **dict.fromkeys(
            ("page", "page_certificate", "page_key", "page_token"),
            f"{_SETTINGS}test_page_and_what_guards_it",
        ),
    },
}
"""The test of each parameter of each table, by its file and name."""

TABLES: Mapping[str, frozenset[str]] = {
    **{f"{driver.value} devices": frozenset(each.name for each in table) for driver, table in DEVICES.items()},
    **{f"{driver.value} signals": frozenset(each.name for each in table) for driver, table in SIGNALS.items()},
    "Outputs": frozenset(each.name for each in OUTPUTS),
    "Ports": frozenset(each.name for each in PORTS),
    "Settings": frozenset(each.name for each in SETTINGS),
}


def parameters() -> Iterator[tuple[str, str]]:
    for table, names in BEHAVIOURS.items():
        for name in names:
            yield table, name


@pytest.mark.parametrize("table", list(TABLES))
def test_each_parameter_has_a_behaviour(table: str) -> None:
    driver, _, sheet = table.rpartition(" ")
    asked = frozenset(ASKED[driver][sheet]) if driver else frozenset[str]()
    assert frozenset(BEHAVIOURS[table]) == TABLES[table] | asked


@pytest.mark.parametrize(("table", "name"), list(parameters()))
def test_its_test_is_there_and_speaks_of_it(table: str, name: str) -> None:
    path, _, test = BEHAVIOURS[table][name].partition("::")
    assert test in _tests(path), f"{path} has no {test}"
    assert name in _tests(path)[test], f"{test} does not speak of {name}"


@cache
def _tests(path: str) -> Mapping[str, str]:
    """Return the text of each test of a file, with what it is parametrized by."""
    text = (TESTS / path).read_text("utf-8")
    lines = text.splitlines()
    found: dict[str, str] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            found[node.name] = "\n".join(lines[first - 1 : node.end_lineno])
    return found
