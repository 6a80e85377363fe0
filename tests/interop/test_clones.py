"""Clones of meters that others made are browsed as their originals are, also where these do not list all they have."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cosem.cli.app import app
from cosem.cli.simulated_meters import cloned
from cosem.protocol.values.obis import Obis
from cosem.store.snapshot import read
from interop.conftest import DRIVERS, listening, peer
from interop.served import served

CLOCK, COUNTER, ASSOCIATION = "0.0.1.0.0.255", "0.0.43.1.0.255", "0.0.40.0.0.255"
SCHEMES = {"wrapper": "tcp", "hdlc": "hdlc+tcp"}

Cosem = Callable[..., Any]


@pytest.fixture
def cosem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cosem:
    """Call it with the words behind `cosem`; returns what it printed as JSON."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def run(*words: object) -> Any:
        result = CliRunner().invoke(app, [*map(str, words), "--json"], prog_name="cosem")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    return run


@pytest.mark.parametrize("auth", ["none", "low", "gmac"])
@pytest.mark.parametrize("framing", SCHEMES)
def test_a_clone_of_a_pydlms_meter_shows_what_its_original_shows(
    pydlms_simulator: Callable[[str, str], Any], cosem: Cosem, tmp_path: Path, framing: str, auth: str
) -> None:
    simulator = pydlms_simulator(framing, auth)
    given = {"--password": simulator.password, "--ek": simulator.encryption_key, "--ak": simulator.authentication_key}
    options = list(secrets_in_files({name: each for name, each in given.items() if each}, tmp_path))
    file = tmp_path / "meter.json"
    before = cosem("browse", simulator.url, *options, "--buffers", "--keep-identity", "--snapshot", file)
    (device,) = read(file).devices
    assert all(each.instance != Obis(ASSOCIATION) for each in device.objects)  # it does not list what it is in

    meter, hand_out = cloned(file, False, tmp_path / "clone", undo=ExitStack())
    own = hand_out()[meter.name]
    with served(meter, SCHEMES[framing]) as port:
        place = f"{SCHEMES[framing]}://127.0.0.1:{port}?client={simulator.client}"
        after = cosem("browse", place, *own, "--buffers", "--fresh")
        listed = cosem("read", place, f"15/{ASSOCIATION}/2", *own)
        if auth == "gmac":
            counted = [cosem("read", place, f"1/{COUNTER}/2", *own)["readings"][0]["value"] for _ in range(2)]
            assert counted[0] < counted[1]  # what the meter has received, and not what its original had
    assert len(after["devices"][0]["objects"]) == len(before["devices"][0]["objects"]) > 5
    assert list(differences(before["devices"], after["devices"])) == []
    assert len(listed["readings"][0]["value"]) == len(device.associations[-1].object_list)


@pytest.mark.parametrize("words", [(), ("unlisted",)], ids=["listed", "unlisted"])
def test_a_clone_of_a_gurux_meter_shows_what_its_original_shows(
    cosem: Cosem, tmp_path: Path, words: tuple[str, ...]
) -> None:
    file = tmp_path / "meter.json"
    command = [peer("python"), "-I", str(DRIVERS / "gurux_meter.py"), *words]
    with listening(command, r"listening on 127\.0\.0\.1:(\d+)") as port:
        original = f"tcp://127.0.0.1:{port}"
        before = cosem("browse", original, "--buffers", "--keep-identity", "--snapshot", file)
        meter, _ = cloned(file, False, tmp_path / "clone", undo=ExitStack())
        with served(meter) as other:
            copy = f"tcp://127.0.0.1:{other}"
            after = cosem("browse", copy, "--buffers", "--fresh")
            compared = cosem("compare", original, "--companion", copy)
    objects = [each["obis"] for each in after["devices"][0]["objects"]]
    assert (ASSOCIATION in objects) is not bool(words)
    assert len(objects) == 4 + (not words)
    assert list(differences(before["devices"], after["devices"])) == []
    assert compared["differences"] == []


def secrets_in_files(given: dict[str, str], folder: Path) -> Iterator[str]:
    for name, secret in given.items():
        path = folder / name.strip("-")
        path.write_text(secret)
        yield from (name, f"file:{path}")


LIVE = {CLOCK: 2, COUNTER: 2}
"""What goes on in a clone: an attribute by its object."""


def differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Say where two documents differ, but for the values that go on."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        live = LIVE.get(str(one.get("obis")))
        for key, each in one.items():
            if key == "attributes" and live is not None:
                each, other[key] = ([cell for cell in cells if cell["index"] != live] for cells in (each, other[key]))
            yield from differences(each, other[key], f"{path}/{one.get('obis', '')}/{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, each in enumerate(one):
            yield from differences(each, other[place], f"{path}/{place}")
    elif one != other:
        yield f"{path}: {one!r} became {other!r}"
