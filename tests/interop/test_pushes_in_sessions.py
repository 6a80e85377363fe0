"""The meter of pydlms-client pushes before it answers: our client gets the answer, and the push by itself.

It carries what others have made: the octets of vectors, and of the notifier of gurux-dlms, which has no meter.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cosem import Client, Register
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu.notification import EventNotification
from cosem.protocol.apdu.short_name import InformationReportRequest, VariableName
from cosem.protocol.association.context import Notified
from cosem.protocol.values.data import DoubleLongUnsigned
from cosem.store.memory import MemoryCounterStore
from interop.conftest import drive
from interop.matrix import asks
from interop.test_security_suites import TITLE, symmetric

ENERGY = Register("1.0.1.8.0.255")
VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "apdu.jsonl"
EK, AK = symmetric(1)


def vector(name: str) -> str:
    """Return the octets of an APDU that another program has made."""
    cases = (json.loads(line) for line in VECTORS.read_text(encoding="utf-8").splitlines() if line.startswith("{"))
    return str(next(case["octets"] for case in cases if case["id"] == name))


DATA, EVENT = vector("amshan-aidon-no-list-1"), vector("pydlms-event-notification")
REPORT = vector("pydlms-information-report-with-its-time")
WRAPPER_DIGITS = 16
SHORT_NAMES = ["READ", "WRITE", "INFORMATION_REPORT"]


@pytest.mark.filterwarnings("ignore:after the authentication:cosem.errors.SecurityWarning")
@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
@pytest.mark.parametrize(
    ("octets", "protection"),
    [
        pytest.param(DATA, None, marks=asks("pydlms-client", "client", "DataNotification")),
        pytest.param(EVENT, None, marks=asks("pydlms-client", "client", "EventNotification")),
        pytest.param(DATA, "general-glo", marks=asks("pydlms-client", "client", "DataNotification")),
        pytest.param(EVENT, "glo", marks=asks("pydlms-client", "client", "EventNotification")),
        pytest.param(REPORT, None, marks=asks("pydlms-client", "client", "InformationReport")),
        pytest.param(REPORT, "glo", marks=asks("pydlms-client", "client", "InformationReport")),
    ],
)
def test_a_push_in_the_middle(pydlms_meter: Callable[..., int], framing: str, octets: str, protection: Any) -> None:
    """Protected ones are sealed by the peer; where nothing is protected they come in clear."""
    pushed = in_the_middle(pydlms_meter, framing, octets, protection, "sn" if octets == REPORT else "ln")
    assert pushed.apdu == apdus.decode(bytes.fromhex(octets))
    assert bool(pushed.protection) is bool(protection)


@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
@pytest.mark.parametrize("time", [{}, {"time": "2020-02-15T01:25:34+00:00"}])
@pytest.mark.parametrize(
    "naming",
    [
        pytest.param("ln", marks=asks("gurux-dlms", "client", "EventNotification")),
        pytest.param("sn", marks=asks("gurux-dlms", "client", "InformationReport")),
    ],
)
def test_what_the_notifier_of_gurux_tells(
    pydlms_meter: Callable[..., int], framing: str, naming: str, time: dict[str, str]
) -> None:
    """It leaves the time of an InformationReport out, whatever it is given."""
    octets = drive("gurux_notifier.py", json.dumps({"kind": "report", "naming": naming, **time}))["octets"]
    told = in_the_middle(pydlms_meter, framing, octets[WRAPPER_DIGITS:], None, naming).apdu
    if naming == "ln":
        assert isinstance(told, EventNotification)
        assert (told.attribute.instance_id, told.attribute.attribute_id) == (ENERGY.instance, 2)
        assert (told.value, bool(told.time)) == (DoubleLongUnsigned(12_345_678), bool(time))
    else:
        assert isinstance(told, InformationReportRequest)
        assert told.variable_access_specification == (VariableName(0x1008),)
        assert told.list_of_data == (DoubleLongUnsigned(12_345_678),)


def in_the_middle(
    meter: Callable[..., int], framing: str, octets: str, protection: str | None, naming: str
) -> Notified:
    """Let the meter push these octets while our client reads, and return the push that it got."""
    settings: dict[str, Any] = {"pushes": [{"apdu": octets, "protection": protection}], "framing": framing}
    settings |= {"conformance": SHORT_NAMES} if naming == "sn" else {}
    words: dict[str, Any] = {}
    client = 16
    if protection:
        client = 1
        settings |= {"ek": EK, "ak": AK, "clients": {"1": {"mechanism": 5, "ciphered": True}}}
        words = {"auth": "gmac", "ek": EK, "ak": AK, "system_title": TITLE, "counters": MemoryCounterStore()}
        words["meter_title"] = "5059440000000001"  # the push comes before the AARE that tells it
    scheme = "tcp" if framing == "wrapper" else "hdlc+tcp"
    url = f"{scheme}://127.0.0.1:{meter(**settings)}?client={client}&server=1"
    with Client.open(url, naming=naming, **words) as session:
        session.get(ENERGY.value)
        assert str(session.quantity(ENERGY)) == "12345678 Wh"
        pushed = session.notification(0)
    assert pushed is not None and pushed.error is None, pushed
    return pushed
