"""What the fuzzer ever found is tried again, and so is every vector, whole and cut."""

from __future__ import annotations

import pytest

from fuzz.boundaries import BOUNDARIES
from fuzz.corpus import found, known


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_inputs_that_were_found(boundary: str) -> None:
    inputs = found(boundary)
    assert inputs
    for octets in inputs:
        BOUNDARIES[boundary](octets)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_vectors(boundary: str) -> None:
    for octets in known()[::3]:
        for size in {len(octets), len(octets) // 2, len(octets) - 1}:
            BOUNDARIES[boundary](octets[:size])
