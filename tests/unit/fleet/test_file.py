"""A fleet in TOML: what it says, and all that is wrong with it at once, with table and key."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cosem.errors import ConfigurationError
from cosem.fleet.file import FASTEST, FleetFile, load, parse
from cosem.fleet.places import Way
from cosem.fleet.scenario import TariffForm
from cosem.protocol.model.gathered import MOST_FAULTS
from cosem.protocol.profile.timing import ServerTiming

WHOLE = """
regions = 2
[fleet]
seed = 7
listen = "tcp://127.9.0.0:4059"
secret = "env:FLEET"
[time]
start = 2026-03-28T23:00:00+01:00
speed = 0.5
zone = "Europe/Berlin"
[[meters]]
count = 3
kind = { household = 3, pv = 1 }
[[meters]]
count = 2
kind = "gas"
seed = 1
security = "none"
place = "gateway"
listen = "tcp://127.9.1.0:4059"
behind = 2
[[meters]]
count = 1
companion = "smr-5.0"
[push]
to = "udp://127.0.0.1:4061"
every = 900
growth = 100
[[tariff]]
at = 2026-04-01T00:00:00Z
form = "swapped"
region = 1
"""


def test_what_a_file_says() -> None:
    said = parse(WHOLE)
    assert (said.count, said.seed, said.secret, said.speed) == (6, 7, "env:FLEET", 0.5)
    assert said.start == datetime(2026, 3, 28, 22, tzinfo=UTC)
    assert said.zone == ZoneInfo("Europe/Berlin")
    assert [(place.way, str(place.url.host), place.numbers) for place in said.places] == [
        (Way.ADDRESS, "127.9.0.0", range(3)),
        (Way.GATEWAY, "127.9.1.0", range(3, 5)),
        (Way.ADDRESS, "127.9.0.5", range(5, 6)),
    ]
    assert [group.secured for group in said.groups] == [True, False, True]
    assert [group.seed for group in said.groups] == [None, 1, None]
    assert said.groups[2].companion is not None
    assert said.push is not None
    assert (said.push.every, said.push.growth, said.push.retries) == (timedelta(minutes=15), 100, 3)
    (tariff,) = said.scenario.tariffs
    assert (tariff.form, tariff.region) == (TariffForm.SWAPPED, 1)


LIMITS: dict[str, Callable[[FleetFile], Any]] = {
    "": lambda said: said.limits,
    "connection": lambda said: said.limits.connection,
    "gateway": lambda said: said.limits.gateway,
    "timing": lambda said: said.timing or ServerTiming(),
    "lockout": lambda said: said.population.lockout,
    "association": lambda said: said.population.association,
}
USUAL = parse("[[meters]]\ncount = 1")
NUMBERS = [
    (table, each.name)
    for table, read in LIMITS.items()
    for each in fields(read(USUAL))
    if table or each.name not in LIMITS  # the others are tables
]


def limited(table: str, name: str, number: object) -> FleetFile:
    return parse(f"[[meters]]\ncount = 1\n[limits{'.' * bool(table)}{table}]\n{name} = {number}\n")


@pytest.mark.parametrize(("table", "name"), NUMBERS)
def test_each_limit_is_settable(table: str, name: str) -> None:
    said = limited(table, name, 7)
    for other, field in NUMBERS:
        usual = getattr(LIMITS[other](USUAL), field)
        assert getattr(LIMITS[other](said), field) == (7 if (other, field) == (table, name) else usual)
    assert said.population.ready == USUAL.population.ready


def test_how_many_meters_are_held_ready() -> None:
    assert limited("", "ready", 0).population.ready == 0
    assert limited("", "ready", 5).population.ready == 5


def test_what_is_no_limit_is_told_with_all_else_that_is_wrong() -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse(
            "[limits]\nconnections = 0\nready = -1\ncolour = 1\nconnection = { half_open = 0 }\n"
            "[limits.timing]\nidle = 0\n[limits.gateway]\nroutes = true\n[[meters]]\ncount = 1\n"
        )
    told = str(refused.value).splitlines()[1:]
    for key in ("connections", "ready", "colour", "half_open", "idle", "routes"):
        assert sum(f": {key}: " in line for line in told) == 1, key
    assert len(told) == 6


OUTAGE = "[[outage]]\nat = 2026-03-28T23:00:00Z\n"

FAULTY = """
colour = 1
[fleet]
seed = "seven"
lissen = "tcp://127.9.0.0:4059"
[time]
start = 2026-03-28T23:00:00
speed = -1
zone = "Mars"
[[meters]]
count = 0
kind = "toaster"
[[meters]]
place = "multidrop"
listen = "tcp://127.9.0.0:4059"
security = "wax"
[[meters]]
count = 1
place = "port"
[push]
to = "tcp://127.0.0.1:4061"
retries = 256
[[outage]]
at = 2026-03-28T23:00:00Z
region = 1
length = 1
[[outage]]
length = "long"
[[firmware]]
at = 2026-03-28T23:00:00Z
version = ""
[[tamper]]
at = 2026-03-28T23:00:00Z
share = 2
"""


def test_all_that_is_wrong_is_told_at_once_with_table_and_key() -> None:
    with pytest.raises(ConfigurationError) as told:
        parse(FAULTY, "my.toml")
    head, *faults = str(told.value).split("\n")
    assert head == f"{len(faults)} things are wrong:"
    assert all(each.startswith("  my.toml: ") for each in faults)
    for wanted in (
        "colour: this key is not known",
        "[fleet]: seed: expected a whole number",
        "[fleet]: lissen: this key is not known",
        "[time]: start: expected a time with its offset",
        "[time]: speed: expected 0 to 1000000",
        "[time]: zone: 'Mars'",
        "[[meters]] 1: count: expected 1 or more, not 0",
        "[[meters]] 1: kind: 'toaster'",
        "[[meters]] 2: count: this key is missing",
        "[[meters]] 2: security: 'wax'",
        "[[meters]] 2: place: meters told apart by multidrop",
        "[[meters]] 3: listen: this key is missing",
        "[push]: retries: expected 0 to 255",
        "[[outage]] 1: region: there are the regions 0 to 0, not 1",
        "[[outage]] 2: at: this key is missing",
        "[[outage]] 2: length: expected a number",
        "[[firmware]] 1: version",
        "[[tamper]] 1: share is a share",
    ):
        assert sum(wanted in each for each in faults) == 1, (wanted, faults)
    assert len(faults) == 18


@pytest.mark.parametrize(
    ("fits", "beyond", "told"),
    [
        ("[time]\nstart = 1900-01-01T00:00:00+14:00", "[time]\nstart = 1899-12-31T23:59:59Z", "[time]: start: "),
        ("[time]\nstart = 2999-12-31T23:59:59Z", "[time]\nstart = 3000-01-01T00:00:00Z", "[time]: start: "),
        (f"{OUTAGE}length = 3155760000", f"{OUTAGE}length = 3155760001", "[[outage]] 1: length: "),
        (f"{OUTAGE}length = 1\nstorm = 0", f"{OUTAGE}length = 1\nstorm = -3155760001", "[[outage]] 1: storm: "),
        ('[[meters]]\nplace = "port"\nlisten = "tcp://127.0.0.1:0"\ncount = 1000000000', "", ""),
        ("", "[[meters]]\ncount = 1000000001", "[[meters]] 2: count: "),
        ("", "[[meters]]\ncount = 99999999999999999999", "[[meters]] 2: count: "),
        ('[fleet]\nlisten = "hdlc+tcp://127.9.0.0:1"', '[fleet]\nlisten = "udp://127.9.0.0:1"', "[fleet]: listen: "),
        ("", '[fleet]\nlisten = "tcp://[::1]:1"', "[fleet]: listen: "),
        ("", '[[meters]]\ncount = 1\ndescription = "\\u0000"', "[[meters]] 2: description: "),
    ],
)
def test_what_no_fleet_could_be_is_refused_at_its_key(fits: str, beyond: str, told: str) -> None:
    parse(f"[[meters]]\ncount = 1\n{fits}" if "count" not in fits else fits)
    if beyond:
        with pytest.raises(ConfigurationError, match=f"^my.toml: {re.escape(told)}"):
            parse(f"[[meters]]\ncount = 1\n{beyond}", "my.toml")


@pytest.mark.parametrize("more", [0, 1])
def test_of_very_many_faults_the_first_are_told(more: int) -> None:
    with pytest.raises(ConfigurationError) as told:
        parse("[[meters]]\ncount = 1\n" + "".join(f"k{n} = 1\n" for n in range(MOST_FAULTS + more)))
    assert str(told.value).count("\n") == MOST_FAULTS
    assert str(told.value).startswith(f"{MOST_FAULTS + more} things")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "a fleet has a group of meters"),
        ("meters = 1", "meters: expected a list"),
        ("fleet = 1\n[[meters]]\ncount = 1", "fleet: expected a table"),
        ("[[meters]]\ncount = true", "count: expected a whole number"),
        ("[[meters]]\ncount = 1000000001", "behind|fit|at most"),
        (
            '[[meters]]\ncount = 2\nlisten = "tcp://127.1.0.0:1"\n[[meters]]\ncount = 1\nlisten = "tcp://127.1.0.1:1"',
            "reach",
        ),
        ("[[meters]]\ncount = 1\nkind = { household = true }", "expected a kind"),
        ("[[meters]]\ncount = 1\nkind = { household = -1 }", "0 or more"),
        ('[[meters]]\ncount = 1\ncompanion = "nobody"', "companion"),
        ("[[meters", "fleet: "),
    ],
)
def test_what_is_no_fleet(text: str, wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=wrong):
        parse(text)


@pytest.mark.parametrize(("speed", "fits"), [(FASTEST, True), (FASTEST + 1, False), (0, True)])
def test_how_fast_time_may_go(speed: float, fits: bool) -> None:
    text = f"[time]\nspeed = {speed}\n[[meters]]\ncount = 1"
    if fits:
        assert parse(text).speed == speed
    else:
        with pytest.raises(ConfigurationError, match="speed"):
            parse(text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read"):
        load(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="UTF-8"):
        load(tmp_path / "latin.toml")
