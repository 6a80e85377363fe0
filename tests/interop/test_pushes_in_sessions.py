"""The meter of pydlms-client pushes before it answers: our client gets the answer, and the push by itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cosem import Client, Register
from cosem.protocol import apdu as apdus
from cosem.store.memory import MemoryCounterStore
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
    named = "sn" if octets == REPORT else "ln"
    settings: dict[str, Any] = {"pushes": [{"apdu": octets, "protection": protection}], "framing": framing}
    settings |= {"conformance": SHORT_NAMES} if named == "sn" else {}
    words: dict[str, Any] = {}
    client = 16
    if protection:
        client = 1
        settings |= {"ek": EK, "ak": AK, "clients": {"1": {"mechanism": 5, "ciphered": True}}}
        words = {"auth": "gmac", "ek": EK, "ak": AK, "system_title": TITLE, "counters": MemoryCounterStore()}
        words["meter_title"] = "5059440000000001"  # the push comes before the AARE that tells it
    scheme = "tcp" if framing == "wrapper" else "hdlc+tcp"
    with Client.open(
        f"{scheme}://127.0.0.1:{pydlms_meter(**settings)}?client={client}&server=1", naming=named, **words
    ) as meter:
        meter.get(ENERGY.value)
        assert str(meter.quantity(ENERGY)) == "12345678 Wh"
        pushed = meter.notification(0)
    assert pushed is not None and pushed.error is None, pushed
    assert pushed.apdu == apdus.decode(bytes.fromhex(octets))
    assert bool(pushed.protection) is bool(protection)
