"""Delta values: the client of pydlms-client adds up the rows that our meter sends in deltas.

What the standard says of how deltas add up is not public. pydlms-client calls its reading provisional, and ours is the
same; no peer has a meter that sends deltas.
"""

from __future__ import annotations

from typing import Any

import pytest

from cosem import Client, ProfileGeneric
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.association.context import IMPLEMENTED_LOGICAL_NAME_SERVICES
from interop.served import served
from interop.test_pydlms_reads_our_meter import PROFILE, described

VALUES = [1000 + 7 * number for number in range(96)]


@pytest.mark.interop(feature="delta values", peer="pydlms-client", role="server")
def test_the_client_of_pydlms_adds_up_what_our_meter_sends(pydlms: Any) -> None:
    with served(described()) as port:
        asked = [["get", PROFILE, 7, 2], ["profile", PROFILE, True]]
        answer = pydlms(port, asked, settings={"conformance": int(IMPLEMENTED_LOGICAL_NAME_SERVICES)})
        plain = pydlms(port, [["get", PROFILE, 7, 2]])
    assert "error" not in answer, answer["error"]
    buffer, profile = answer["results"]
    assert [row[1] for row in profile["value"]] == VALUES
    assert buffer["value"].count("1F07") == 95
    assert len(plain["results"][0]["value"]) - len(buffer["value"]) == 95 * 3 * 2


def test_our_client_reads_the_same_with_and_without() -> None:
    with served(described()) as port:
        url = f"tcp://127.0.0.1:{port}?client=16&server=1"
        for wanted in (True, False):
            with Client.open(url, delta_values=wanted) as meter:
                assert meter.negotiated is not None
                assert (Conformance.DELTA_VALUE_ENCODING in meter.negotiated.conformance) is wanted
                assert [row[1] for row in meter.profile(ProfileGeneric(PROFILE))] == VALUES
                assert [row[1] for row in meter.get(ProfileGeneric(PROFILE).buffer.entries(2, 4))] == VALUES[1:4]
