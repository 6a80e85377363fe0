"""For the tests of meters: one that lives again and again, on a state of either form."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from behaving import Now
from described import NOON, Life


@pytest.fixture(params=["state", "state.sqlite"])
def life(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Life]:
    made = Life(tmp_path, request.param, "", Now(NOON))
    yield made
    made.end()
