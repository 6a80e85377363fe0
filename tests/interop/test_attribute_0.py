"""Attribute 0 between us and the peers: the client of pydlms-client reads and writes whole objects of our meter.

No peer has a meter that serves it: that of pydlms-client negotiates it and answers object-unavailable, as meters in the
field do, and then our client goes on attribute by attribute.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cosem import Client, Obis, Register
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.association.context import IMPLEMENTED_LOGICAL_NAME_SERVICES
from interop.served import served
from interop.test_pydlms_reads_our_meter import ENERGY, TEXT, described

WHOLE_REGISTER = "0203" + "09060100010800FF" + "0600BC614E" + "02020F00161E"


@pytest.mark.interop(feature="attribute 0", peer="pydlms-client", role="server")
def test_the_client_of_pydlms_reads_and_writes_whole_objects(pydlms: Any) -> None:
    asked = [
        ["get", ENERGY, 3, 0],
        ["set", TEXT, 1, 0, "0202000902AABB"],
        ["list", [[ENERGY, 3, 0], [TEXT, 1, 0]]],
        ["set", ENERGY, 3, 0, "0203000600000001" + "00"],
    ]
    with served(described()) as port:
        answer = pydlms(port, asked, settings={"conformance": int(IMPLEMENTED_LOGICAL_NAME_SERVICES)})
    assert "error" not in answer, answer["error"]
    register, written, several, refused = answer["results"]
    assert register["value"] == WHOLE_REGISTER
    assert written == {"value": None}
    assert several["value"] == [WHOLE_REGISTER, "020209060000600100FF0902AABB"]
    assert refused["refused"] == 3


def test_a_meter_that_negotiates_it_and_refuses_it_is_read_attribute_by_attribute(
    pydlms_meter: Callable[..., int],
) -> None:
    with Client.open(f"tcp://127.0.0.1:{pydlms_meter()}?client=16&server=1") as meter:
        assert meter.negotiated is not None
        assert Conformance.ATTRIBUTE_0_SUPPORTED_WITH_GET in meter.negotiated.conformance
        found = meter.get_object(Register(ENERGY))
    assert found["logical_name"] == Obis(ENERGY)
    assert found["value"] == 12_345_678
    assert found["scaler_unit"].unit == 30
