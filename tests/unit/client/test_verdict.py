"""Where nothing is found, three causes are told, and what to try."""

from __future__ import annotations

import pytest

from cosem.client.explain import ECHO, HUNG_UP, UNREACHABLE
from cosem.client.verdict import NOISE, NOTHING_ON_A_LINE, NOTHING_ON_IP
from cosem.protocol.association.meanings import Meaning


@pytest.mark.parametrize("meaning", [NOTHING_ON_IP, NOTHING_ON_A_LINE, NOISE, HUNG_UP, UNREACHABLE])
def test_three_causes_and_a_remedy(meaning: Meaning) -> None:
    assert len(meaning.causes) == 3
    assert meaning.remedy


def test_an_echo_has_causes_too() -> None:
    assert ECHO.causes
