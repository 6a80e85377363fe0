"""`cosem clock`, `events` and `image` against a meter on loopback: what they show, and that they ask before writing."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cosem import Clock, Data, Meter, ProfileGeneric
from cosem.meter import Access, AssociationDescription, Rights
from cosem.meter.faults import Faults
from cosem.protocol.model.classes.access_control import ImageTransfer
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.data import OctetString, Unsigned
from interop.served import served

Cosem = Callable[..., Any]
SIGNATURE = hashlib.sha256(bytes(range(250))).hexdigest().upper()
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def url() -> Iterator[str]:
    """A meter that client 16 manages, two hours ahead of this computer."""
    meter = Meter("TST0000000000002", clock=lambda: datetime.now(UTC) + timedelta(hours=2))
    meter.add(Clock())
    meter.add(Data("0.0.96.11.0.255"), value=Unsigned(0))
    meter.add(
        ProfileGeneric("0.0.99.98.0.255"),
        capture_objects=[CaptureObject(8, Clock().instance, 2), CaptureObject(1, Data("0.0.96.11.0.255").instance, 2)],
        buffer=[(NOON, Unsigned(1)), (NOON + timedelta(minutes=5), Unsigned(2))],
    )
    meter.add(ImageTransfer(), image_block_size=100)
    meter.offer(AssociationDescription(client=16, rights=Rights(Access.MANAGE)))
    with served(meter) as port:
        yield f"tcp://127.0.0.1:{port}"


def test_the_clock_is_shown_with_how_far_it_is_off(cosem: Cosem, url: str) -> None:
    told = cosem("clock", url, "--json").json
    assert abs(told["offset_seconds"] - 7200) < 5
    assert 0 < told["uncertainty_seconds"] < 5
    assert "+7" in cosem("clock", url).out


def test_the_clock_is_brought_to_the_right_time(cosem: Cosem, url: str) -> None:
    asked = cosem("clock", url, "--synchronise")
    assert asked.code == 64
    assert "nothing was changed; add --write" in asked.err
    assert abs(cosem("clock", url, "--json").json["offset_seconds"] - 7200) < 5
    done = cosem("clock", url, "--synchronise", "--write", "--json").json
    assert done["done"] == "set"
    assert abs(done["after"]["offset_seconds"]) < 5
    assert cosem("clock", url, "--synchronise", "--tolerance", 60, "--write", "--json").json["done"] == "nothing"
    assert cosem("clock", url, "--shift", "-30", "--write", "--json").json["done"] == "shifted"
    set_ = cosem("clock", url, "--set", "2026-01-02T03:04+00:00", "--write", "--json").json
    assert set_["after"]["time"].startswith("2026-01-02")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--set", "now", "--shift", "5"), "give one"),
        (("--set", "tomorrow"), "write now, or date"),
        (("--zone", "Nowhere/Land"), "such as Europe/Vilnius"),
        (("--shift", "0"), "changes nothing"),
        (("--shift", "901", "--write"), "900 seconds at most"),
    ],
)
def test_what_the_clock_command_refuses(cosem: Cosem, url: str, words: tuple[str, ...], says: str) -> None:
    ran = cosem("clock", url, *words)
    assert ran.code == 64
    assert says in " ".join(ran.err.split())


def test_events_in_every_form(cosem: Cosem, url: str) -> None:
    told = cosem("events", url, "--json").json["events"]
    assert [(event["time"], event["code"]) for event in told] == [
        ("2026-11-20T12:00:00+00:00", 1),
        ("2026-11-20T12:05:00+00:00", 2),
    ]
    rows = list(csv.DictReader(io.StringIO(cosem("events", url, "--format", "csv").out)))
    assert [row["code"] for row in rows] == ["1", "2"]
    table = cosem("events", url, "--since", "2026-11-20T12:01+00:00")
    assert "12:05:00" in table.out
    assert "12:00:00" not in table.out
    assert "1 event" in table.err


def test_a_companion_names_the_events(cosem: Cosem, url: str, tmp_path: Path) -> None:
    told = cosem("events", url, "--json", "--companion", "dsmr-4.2.2").json["events"]
    assert [event["event"] for event in told] == ["power failure", "power returned"]
    assert cosem("events", url, "--json").json["events"][0]["event"] is None
    own = tmp_path / "own.toml"
    own.write_text(
        'name = "own"\ntitle = "Own"\ninherits = "dsmr-4.2.2"\nsource = []\nlicence = ""\n'
        '[[events]]\nlogs = ["0.0.99.98.0.255"]\ncodes = { 1 = "dark" }\n'
    )
    assert "dark" in cosem("events", url, "--companion", own).out
    for wrong, says in (("x", "these are austria, "), (tmp_path / "x.toml", "cannot read")):
        refused = cosem("events", url, "--companion", wrong)
        assert refused.code == 64 and says in refused.err


def test_an_event_log_is_a_profile(cosem: Cosem, url: str) -> None:
    assert "an event log is a profile" in cosem("events", url, "3/1.0.1.8.0.255/2").err


def test_an_image_is_sent_and_activated(cosem: Cosem, url: str, tmp_path: Path) -> None:
    file = tmp_path / "v2.bin"
    file.write_bytes(bytes(range(250)))
    assert cosem("image", url, "--json").json["status"] == "not_initiated"
    asked = cosem("image", url, file)
    assert asked.code == 64
    assert "nothing was sent of 250 octets; add --write" in asked.err
    sent = cosem("image", url, file, "--write", "--json").json
    assert (sent["status"], sent["blocks"], sent["missing"]) == ("verification_successful", 3, [])
    assert sent["to_activate"] == [{"size": 250, "identification": b"v2.bin".hex().upper(), "signature": SIGNATURE}]
    assert cosem("image", url, "--activate").code == 64
    assert "activation successful" in cosem("image", url, "--activate", "--write").out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--resume",), "about a FILE"),
        (("missing.bin",), "cannot read missing.bin"),
        (("--identifier", "x"), "about a FILE"),
    ],
)
def test_what_the_image_command_refuses(cosem: Cosem, url: str, words: tuple[str, ...], says: str) -> None:
    ran = cosem("image", url, *words)
    assert ran.code == 64
    assert says in ran.err


def test_no_activation_without_verification(cosem: Cosem, url: str, tmp_path: Path) -> None:
    file = tmp_path / "empty"
    file.write_bytes(b"")
    assert "is empty" in cosem("image", url, file).err
    file.write_bytes(b"x")
    assert "leave --no-verify out" in cosem("image", url, file, "--no-verify", "--activate").err


def imaged(faults: Faults) -> Meter:
    meter = Meter("TST0000000000003", faults=faults)
    meter.add(Data("1.0.0.2.0.255"), value=OctetString(b"1.0.0"))
    meter.add(ImageTransfer(), image_block_size=100)
    meter.offer(AssociationDescription(client=16, rights=Rights(Access.MANAGE)))
    return meter


def test_a_meter_that_restarts_into_the_image_is_looked_for(cosem: Cosem, tmp_path: Path) -> None:
    file = tmp_path / "firmware.bin"
    file.write_bytes(bytes(range(250)))
    meter = imaged(Faults(activation_restarts=True))
    with served(meter) as port:
        ran = cosem("image", f"tcp://127.0.0.1:{port}", file, "--activate", "--write", "--json")
    assert ran.code == 0
    assert ran.json["status"] == "activation_successful"
    assert "the meter restarts, it seems" in ran.err
    assert meter.power.restarts == 1


def test_an_image_that_did_not_become_active_is_an_error(cosem: Cosem, tmp_path: Path) -> None:
    file = tmp_path / "firmware.bin"
    file.write_bytes(bytes(range(250)))
    with served(imaged(Faults(activation_restarts=True, activation_time=3000))) as port:
        ran = cosem("image", f"tcp://127.0.0.1:{port}", file, "--activate", "--write", "--patience", "0")
    assert ran.code != 0
    assert "did not come back with the image: it says activation initiated" in ran.err
    with served(imaged(Faults(verification_fails=True))) as port:
        ran = cosem("image", f"tcp://127.0.0.1:{port}", file, "--activate", "--write")
    assert ran.code != 0
    assert "verification failed" in ran.err
