"""A clone equals its original: the same `cosem browse --json`, but for what its snapshot says it has replaced."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from cosem import Data, Meter, ProfileGeneric, Register, Unit
from cosem.cli.app import app
from cosem.cli.simulated_meters import cloned
from cosem.cli.simulated_secrets import draw, hand_out
from cosem.errors import ShapeError
from cosem.meter import Access, AssociationDescription, Rights
from cosem.meter.demo import furnish, household
from cosem.protocol.crypto.key import Secret
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.data import DoubleLongUnsigned, LongUnsigned, OctetString
from cosem.protocol.values.obis import Obis
from interop.served import served

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
PASSWORD = "s3cret-of-the-meter"

Cosem = Callable[..., Any]


@pytest.fixture
def browse(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cosem:
    """Call it with the words behind `cosem browse --json`; returns what it printed."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def run(*words: object) -> Any:
        result = CliRunner().invoke(app, ["browse", "--json", *map(str, words)], prog_name="cosem")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    return run


def broken(_: datetime) -> object:
    """A value that its meter cannot tell: hardware-fault."""
    raise ShapeError("out of order")


def of_several_devices() -> Meter:
    """A meter in a zone with daylight saving, with two logical devices, a refusal and rows."""
    meter = Meter("KFM1020000000001", zone=ZoneInfo("Europe/Berlin"), clock=lambda: NOON)
    meter.add(Register("1.0.1.8.0.255"), value=DoubleLongUnsigned(12_345_678), scaler_unit=(-1, Unit.WATT_HOUR))
    meter.add(Data("0.0.96.1.0.255"), value=OctetString(b"1020000000001"))
    meter.add(Data("0.0.96.1.1.255"), value=OctetString(b"customer of KFM1020000000001"))
    meter.add(Data("0.0.96.2.0.255"), value=LongUnsigned(3), writable=("value",))
    meter.add(Data("0.0.128.0.0.255"), value=OctetString(b"paired with KFM1020000000001"))
    meter.add(Data("0.0.96.3.10.255"), value=broken)
    meter.add(
        ProfileGeneric("1.0.99.1.0.255"),
        capture_objects=[CaptureObject(8, Obis("0.0.1.0.0.255"), 2), CaptureObject(3, Obis("1.0.1.8.0.255"), 2)],
        capture_period=900,
        buffer=[(NOON, DoubleLongUnsigned(number)) for number in range(5)],
    )
    other = meter.add_device(2, "KFM2")
    other.add(Register("1.0.2.8.0.255"), value=DoubleLongUnsigned(5), scaler_unit=(0, Unit.WATT_HOUR))
    for device in (meter.management, other):
        device.offer(
            AssociationDescription(client=16, rights=Rights(Access.PUBLIC)),
            AssociationDescription(
                client=2, mechanism=MECHANISMS[1], secret=Secret(PASSWORD.encode()), rights=Rights(Access.MANAGE)
            ),
        )
    return meter


@contextmanager
def original(security: str, tmp_path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Serve a meter and give its place and the options to enter it."""
    if security == "devices":
        (tmp_path / "password").write_text(PASSWORD)
        meter, options = of_several_devices(), ("--password", f"file:{tmp_path / 'password'}", "--buffers")
    else:
        drawn = draw(security, None, False)
        meter = household(7, clock=lambda: NOON, security=security, keys=drawn.keys, password=drawn.shared)
        options = hand_out(drawn, tmp_path / "original")
    with served(meter) as port:
        yield f"tcp://127.0.0.1:{port}", options


CLIENTS = {"none": 16, "low": 32, "gmac": 1, "ecdsa": 1, "devices": 2}


@pytest.mark.parametrize("security", CLIENTS)
def test_a_clone_equals_its_original_but_for_what_was_replaced(browse: Cosem, tmp_path: Path, security: str) -> None:
    file, client = tmp_path / "meter.json", CLIENTS[security]
    with original(security, tmp_path) as (place, options):
        before = browse(f"{place}?client={client}", *options, "--snapshot", file)
    meter, hand_out = cloned(file, False, tmp_path / "clone", lambda: NOON, undo=ExitStack())
    given = hand_out()[meter.name]
    more = [word for word in options if word == "--buffers"]
    with served(meter) as port:
        after = browse(f"tcp://127.0.0.1:{port}?client={client}", *given, *more)
    refused = [a for d in before["devices"] for o in d["objects"] for a in o["attributes"] if "error" in a]
    assert [each["error"]["name"] for each in refused] == (["hardware-fault"] if security == "devices" else [])
    replaced = masked(json.loads(file.read_text()), before, after)
    assert list(differences(before["devices"], after["devices"])) == []
    assert replaced >= {"name", "0.0.96.1.0.255", "0.0.42.0.0.255"}
    assert "1020000000" not in file.read_text()
    assert b"1020000000".hex().upper() not in file.read_text()
    assert PASSWORD.encode().hex().upper() not in file.read_text()


def differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Say where two documents differ."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for key, each in one.items():
            yield from differences(each, other[key], f"{path}/{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, each in enumerate(one):
            yield from differences(each, other[place], f"{path}/{place}")
    elif one != other:
        yield f"{path}: {one!r} became {other!r}"


def masked(snapshot: Any, *browsed: Any) -> set[str]:
    """Take out of what was browsed all that the snapshot says it has replaced, and say what that was."""
    gone: set[str] = set()
    for document in browsed:
        for device, kept in zip(document["devices"], snapshot["devices"], strict=True):
            for key in kept["replaced"]:
                device[key] = None
                gone.add(key)
            cells = {(each["class_id"], each["obis"]): each["attributes"] for each in kept["objects"]}
            for each in device["objects"]:
                for attribute in each["attributes"]:
                    cell = cells[each["class_id"], each["obis"]].get(str(attribute["index"]), {})
                    if "replaced" in cell:
                        attribute["value"] = attribute["octets"] = None
                        gone.add(each["obis"])
    return gone


def test_with_its_identity_everything_is_the_same(browse: Cosem, tmp_path: Path) -> None:
    file = tmp_path / "meter.json"
    with original("none", tmp_path) as (place, _):
        before = browse(place, "--snapshot", file, "--keep-identity")
    meter, _ = cloned(file, False, tmp_path / "clone", lambda: NOON, undo=ExitStack())
    with served(meter) as port:
        after = browse(f"tcp://127.0.0.1:{port}")
    assert list(differences(before["devices"], after["devices"])) == []
    assert after["devices"][0]["name"] == "KFM1020000000007"


def test_the_clock_of_a_clone_goes_on(browse: Cosem, tmp_path: Path) -> None:
    file = tmp_path / "meter.json"
    with original("devices", tmp_path) as (place, options):
        browse(f"{place}?client=2", *options, "--snapshot", file)
    later = datetime(2026, 7, 1, 13, 30, tzinfo=UTC)
    meter, hand_out = cloned(file, False, tmp_path / "clone", lambda: later, undo=ExitStack())
    given = hand_out()[meter.name]
    with served(meter) as port:
        after = browse(f"tcp://127.0.0.1:{port}?client=2", *given, "--class", "Clock")
    times = [each["attributes"][1]["value"] for device in after["devices"] for each in device["objects"]]
    assert times[0].startswith("2026-07-01 Wed 15:30:00.00 +02:00")


def test_a_template_is_a_meter_that_can_be_cloned_too(browse: Cosem, tmp_path: Path) -> None:
    meter = Meter("KFM1020000000001", clock=lambda: NOON)
    furnish(meter, 1)
    file = tmp_path / "meter.json"
    with served(meter) as port:
        browse(f"tcp://127.0.0.1:{port}", "--snapshot", file)
    assert cloned(file, False, tmp_path, lambda: NOON, undo=ExitStack())[0].name == "KFM0000000000001"
