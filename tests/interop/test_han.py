"""Customer (HAN) ports: amshan and pydlms-client read what our meter says, with the values that DLMS shows.

amshan is of Norwegian and Swedish meters, in clear. The listener of pydlms-client reads ciphered pushes and Swiss ones.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cosem import Meter, Register
from cosem.meter.associations import Keys
from cosem.meter.demo import household
from cosem.meter.han_lists import ListSpeaker, security_of
from cosem.meter.one_way import quantity
from cosem.protocol.model import Data
from cosem.protocol.model.companion import companion
from interop.conftest import peer

Amshan = Callable[[list[str]], dict[str, Any]]

ZONE = ZoneInfo("Europe/Oslo")
NOW = datetime(2026, 3, 1, 11, 59, 49, tzinfo=UTC)
FIELDS = {
    "active_power_import": "1.0.1.7.0.255",
    "active_power_export": "1.0.2.7.0.255",
    **{f"current_l{n}": f"1.0.{11 + 20 * n}.7.0.255" for n in (1, 2, 3)},
    **{f"voltage_l{n}": f"1.0.{12 + 20 * n}.7.0.255" for n in (1, 2, 3)},
    "active_power_import_total": "1.0.1.8.0.255",
    "active_power_export_total": "1.0.2.8.0.255",
}
STEPS = {
    "kaifa": {},
    "aidon": {"current": Decimal("0.1"), "total": 10},
    "kamstrup": {"voltage": 1, "total": 10},
}
"""What a list counts in, where DLMS shows more digits."""
CLEAR = [(country, port) for country in ("norway", "sweden") for port in ("kaifa", "aidon", "kamstrup")]


@pytest.fixture
def line() -> tuple[Meter, list[datetime]]:
    now = [NOW]
    return household(1, zone=ZONE, clock=lambda: now[0]), now


@pytest.mark.parametrize(("country", "port"), CLEAR)
def test_amshan_reads_the_same_values_as_dlms_shows(
    amshan: Amshan, line: tuple[Meter, list[datetime]], country: str, port: str
) -> None:
    meter, now = line
    speaker = ListSpeaker(meter, companion(country).han_port(port))
    said: list[tuple[datetime, bytes]] = []
    for _ in range(12):  # over the hour, so that every list comes
        said.append((now[0], speaker.telegram()))
        now[0] += timedelta(seconds=2)
    heard = amshan([octets.hex() for _, octets in said if octets])["lines"]
    seen: set[str] = set()
    for (moment, _), frames in zip([each for each in said if each[1]], heard, strict=True):
        now[0] = moment
        (frame,) = frames
        assert frame["valid"] and frame["decoder"] == f"{port.capitalize()}_frame"
        told = frame["told"]
        if "meter_id" in told:
            assert told["meter_id"] == meter.value(Data("0.0.96.1.0.255").value).decode()
        if "meter_datetime" in told:
            assert datetime.fromisoformat(told["meter_datetime"]) == moment.astimezone(ZONE).replace(tzinfo=None)
        for field in FIELDS.keys() & told.keys():
            exact = quantity(meter, Register(FIELDS[field])).value
            step = next((Decimal(each) for part, each in STEPS[port].items() if part in field), Decimal(0))
            if (country, port) == ("sweden", "aidon") and "total" in field:
                step = Decimal(0)
            assert 0 <= exact - Decimal(str(told[field])) <= step, field
            seen.add(field)
    assert seen == set(FIELDS)


def ciphered(lists: str, keys: Keys) -> tuple[Meter, bytes]:
    meter = household(1, zone=ZONE, clock=lambda: NOW, security="gmac", keys=keys)
    country, _, port = lists.partition(":")
    rule = companion(country).han_port(port)
    return meter, ListSpeaker(meter, rule, security_of(meter, rule)).telegram()


@pytest.mark.parametrize(
    ("lists", "options"),
    [
        ("austria:wiener-netze", ["--key"]),
        ("austria:e450", ["--key", "--auth-key"]),
        ("switzerland:e450", []),
    ],
)
def test_pydlms_reads_the_same_values_as_dlms_shows(lists: str, options: list[str]) -> None:
    keys = Keys.random(0)
    assert keys.authentication is not None
    given = {"--key": keys.encryption.reveal().hex(), "--auth-key": keys.authentication.reveal().hex()}
    meter, octets = ciphered(lists, keys)
    done = subprocess.run(
        [
            peer("pydlms"),
            "push",
            "-",
            "--framing",
            "hdlc",
            *(word for option in options for word in (option, given[option])),
            "--once",
        ],
        input=octets.hex() + "\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    numbers = set(re.findall(r"\d+", done.stdout))
    for code in ("1.0.1.8.0.255", "1.0.1.7.0.255"):
        assert str(quantity(meter, Register(code)).value) in numbers, (code, done.stdout)
    assert "2026-03-01 12:59:49" in done.stdout, done.stdout
