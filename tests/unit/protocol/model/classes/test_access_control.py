"""The classes for access control and management: what another implementation encodes is what they declare."""

from __future__ import annotations

from typing import Any

import pytest

from typed import holds, recorded


@pytest.mark.parametrize("case", recorded("classes_management.json", "access_control"))
def test_octets_are_the_typed_values(case: dict[str, Any]) -> None:
    holds(case)
