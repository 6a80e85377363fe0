"""A meter described by its companion: what `cosem simulate` serves conforms to what `cosem compare` asks for."""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cosem.cli.app import app
from cosem.cli.simulated_meters import described
from interop.served import served

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)

OWN = ("0.0.1.0.0.", "0.0.13.0.0.", "0.0.40.0.", "0.0.43.")
"""Clock, calendar, associations and security set-ups are what they are in every meter of ours: further ones, of other
versions or types, or with less that a client may write."""


@pytest.mark.parametrize("companion", ["smr-5.0", "smr-5.5", "idis", "spodes"])
def test_nothing_is_missing_that_the_companion_asks_for(
    companion: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    file = tmp_path / "meter.toml"
    file.write_text(f'[meter]\nname = "KFM1020000000001"\nzone = "Europe/Amsterdam"\ncompanion = "{companion}"\n')
    meter, hand_out = described(file, False, tmp_path / "keys", undo=ExitStack())
    given = hand_out()[meter.name]
    client = next(each.client for each in meter.management.associations if each.client not in (16, 102))
    with served(meter) as port:
        place = f"tcp://127.0.0.1:{port}?client={client}"
        ran = CliRunner().invoke(app, ["compare", place, "--companion", companion, "--json", *given], prog_name="cosem")
    assert ran.exit_code in (0, 1), ran.stderr
    differences = json.loads(ran.stdout)["differences"]
    assert not [each for each in differences if each["differs"] in ("missing", "class", "value", "unit", "scaler")]
    assert not [each for each in differences if not each["obis"].startswith(OWN)]
