"""The command that is printed for a clone is that of the client whom it names, whichever others have secrets too."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from cosem.cli.simulated_meters import cloned, shown

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "meter.json"
MANAGING = {"client": 1, "level": "managing", "mechanism": 5, "protection": 3, "suite": 0}
READING = {"client": 2, "level": "reading", "mechanism": 1}


@pytest.mark.parametrize(
    ("others", "client", "words"),
    [
        ([MANAGING, READING], 1, ["--ek", "--ak", "--auth"]),
        ([READING, MANAGING], 2, ["--password", "--auth"]),
    ],
    ids=["managing first", "reading first"],
)
def test_the_options_are_of_the_client_that_is_shown(
    tmp_path: Path, others: list[dict[str, object]], client: int, words: list[str]
) -> None:
    snapshot = json.loads(EXAMPLE.read_text("utf-8"))
    device = snapshot["devices"][0]
    public = device["associations"][0]
    device["associations"] = [public, *({**public, **other} for other in others)]
    file = tmp_path / "meter.json"
    file.write_text(json.dumps(snapshot))
    meter, hand_out = cloned(file, False, tmp_path / "keys", undo=ExitStack())
    options = hand_out()[meter.name]
    assert shown(meter.management).client == client
    assert list(options[::2]) == words
    assert all(f"client-{client}/" in each for each in options if each.startswith("file:"))
