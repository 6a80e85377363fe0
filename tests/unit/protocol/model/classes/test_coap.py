"""The classes for CoAP: what another implementation encodes is what they declare."""

from __future__ import annotations

from typing import Any

import pytest

from cosem.protocol.model.classes.coap import CoapDiagnostic, CoapSetup
from typed import holds, recorded


@pytest.mark.parametrize("case", recorded("classes_communication.json", "coap"))
def test_octets_are_the_typed_values(case: dict[str, Any]) -> None:
    holds(case)


def test_the_version_of_the_wrapper_is_not_that_of_the_class() -> None:
    assert CoapSetup.version == 0
    assert CoapSetup().wrapper_version.index == 12


def test_counts_agree_with_other_sources() -> None:
    # Gurux, and the tables of the Blue Book that public text quotes.
    assert (len(CoapSetup.declared_attributes), len(CoapSetup.declared_methods)) == (13, 0)
    assert (len(CoapDiagnostic.declared_attributes), list(CoapDiagnostic.declared_methods)) == (5, [1])
