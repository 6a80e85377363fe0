"""`cosem probe` prints a URL on stdout, with which `cosem read` works, and everything else on stderr."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cosem.cli.probe import described, plain, secrets_as_given
from cosem.client.recognise import Speech
from cosem.client.verdict import Found, Identity
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.obis import Obis

Cosem = Callable[..., Any]


def test_a_meter_is_found_and_read(cosem: Cosem, served: Any) -> None:
    ran = cosem("probe", served.wrapper.partition("://")[2])
    assert ran.code == 0
    url = ran.out.strip()
    assert url.startswith("tcp://127.0.0.1:")
    assert "TST0000000000001" in ran.err
    assert "objects" in ran.err
    assert cosem("read", url, "1.8.0").code == 0


def test_as_json(cosem: Cosem, served: Any) -> None:
    ran = cosem("probe", served.household, "--json")
    found = ran.json
    assert found["entered"] is True
    assert found["objects"] > 1
    assert found["readable_attributes"] > 1
    assert abs(found["clock_offset_seconds"]) < 3600
    assert found["command"] == "read"


def test_nobody_there(cosem: Cosem, nobody: str) -> None:
    ran = cosem("probe", nobody)
    assert (ran.code, ran.out) == (2, "")
    assert "layer:    transport (TCP)" in ran.err
    assert ran.err.count("\n  ") >= 4
    failed = cosem("probe", nobody, "--json")
    assert failed.json["layer"] == "transport (TCP)"
    assert len(failed.json["causes"]) == 3


def test_what_is_seen_is_told_and_health_and_clock_are_at_the_end(cosem: Cosem, served: Any) -> None:
    ran = cosem("probe", served.wrapper.partition("://")[2])
    told = ran.err.splitlines()
    assert told[0] == "trying listening"
    assert "  heard the DLMS/COSEM wrapper" in told
    assert any(line.startswith("meter:    TST0000000000001") for line in told)
    assert any(line.startswith("clock:    ") for line in told)
    assert any(re.fullmatch(r"shows: +[0-9]+ objects, [0-9]+ attributes to be read", line) for line in told)
    assert told[-1] == f"next:     cosem read {ran.out.strip()} 0.0.42.0.0.255"


FOUND = Found(
    ConnectionUrl.parse("tcp://192.0.2.7?client=32"),
    Speech.WRAPPER,
    entered=True,
    identity=Identity("KFM1020012345678"),
    health=((Obis("0.0.97.97.0.255"), 4),),
    clock=timedelta(seconds=-3),
)
SECRET = "OPERATOR"


@pytest.mark.parametrize(
    ("given", "printed"),
    [
        ({"--password": "file:pw.txt"}, "--password file:pw.txt"),
        ({"--password": "env:PW", "--ek": None}, "--password env:PW"),
        ({"--password": SECRET}, "--password file:PATH"),
        ({"--ek": "env:EK", "--ak": "file:my keys/ak"}, "--ek env:EK --ak 'file:my keys/ak'"),
    ],
)
def test_the_printed_command_names_what_was_given_and_shows_no_secret(
    given: dict[str, str | None], printed: str
) -> None:
    told = described(replace(FOUND, given=True), secrets_as_given(given))
    assert told[-1] == f"next:     cosem read 'tcp://192.0.2.7?client=32' 0.0.42.0.0.255 {printed}"
    assert SECRET not in "\n".join(told)
    assert SECRET not in str(plain(replace(FOUND, given=True), secrets_as_given(given)))


def test_access_that_was_not_needed_is_not_printed() -> None:
    assert described(FOUND, ("--password", "env:PW"))[-1].endswith(" 0.0.42.0.0.255")


def test_a_meter_that_lets_nobody_in_without_a_password_wants_one() -> None:
    refused = replace(FOUND, entered=False, options=("--password or --ek and --ak",))
    assert described(refused)[-1].endswith(" --password file:PATH")


def test_a_meter_without_a_name_is_asked_for_its_time_by_its_way_of_naming() -> None:
    nameless = replace(FOUND, identity=Identity(), options=("--naming sn",))
    assert described(nameless)[-1].endswith("0.0.1.0.0.255:time --naming sn")


def test_error_objects_and_clock_are_told() -> None:
    told = described(FOUND)
    assert "health:   0.0.97.97.0.255 is 4" in told
    assert "clock:    -3.0 s against this computer" in told


def test_a_meter_that_pushes_is_not_asked() -> None:
    pushing = replace(FOUND, command="")
    assert "it pushes" in described(pushing)[-1]
    assert plain(pushing)["next"] is None


def test_a_serial_number_that_is_none(cosem: Cosem, nobody: str) -> None:
    assert cosem("probe", nobody, "--serial-number", "12A").code == 64
