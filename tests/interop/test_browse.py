"""What a survey finds, judged by others: values of a peer's meter, and our meter as a peer's client sees it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from cosem import Client, Meter
from cosem.client.browse import BrowsedObject
from cosem.errors import CosemError
from cosem.meter.item import Item
from cosem.protocol.codec import axdr
from cosem.protocol.model import REGISTRY, UnknownClass
from cosem.protocol.values.obis import Obis
from interop.conftest import peer
from interop.served import served
from interop.test_client_reads_pydlms import how

pytestmark = pytest.mark.filterwarnings("ignore::cosem.errors.SecurityWarning")

UNCERTAIN = "docs/model-uncertain.md says what the higher version rests on"
OTHER_PEER = "pydlms-client (cosem/interface_classes.py) has the higher version too"

VERSIONS: dict[int, tuple[int, int, str]] = {
    12: (4, 2, UNCERTAIN),
    15: (3, 2, UNCERTAIN),
    24: (1, 0, UNCERTAIN),
    27: (1, 0, OTHER_PEER),
    28: (2, 0, OTHER_PEER),
    40: (3, 2, UNCERTAIN),
    47: (2, 1, UNCERTAIN),
    65: (1, 0, UNCERTAIN),
    72: (2, 1, UNCERTAIN),
    91: (4, 3, UNCERTAIN),
    92: (4, 3, UNCERTAIN),
    151: (1, 0, UNCERTAIN),
}
"""Where our highest version of a class and that of gurux-dlms differ: ours, theirs, and a source for ours."""

GENERIC = "GXDLMSObject"
"""What gurux-dlms makes of a class that it does not implement."""


def registers(objects: tuple[BrowsedObject, ...]) -> list[BrowsedObject]:
    return [each for each in objects if each.address.class_id == 3]


@pytest.mark.parametrize("auth", ["none", "low", "gmac"])
@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
def test_the_meter_of_pydlms_is_browsed_whole(
    pydlms_simulator: Callable[[str, str], Any], framing: str, auth: str
) -> None:
    simulator = pydlms_simulator(framing, auth)
    (device,) = Client.open(simulator.url, **how(simulator)).survey()
    assert device.views[-1].error is None
    assert device.name == b"PYD1000000000001"
    assert not [each for each in device.objects if isinstance(each.address, UnknownClass)]
    assert not [value for each in device.objects for value in each.values.values() if isinstance(value, CosemError)]
    assert len(registers(device.objects)) >= 5


def test_its_registers_are_what_the_peer_prints(
    pydlms_simulator: Callable[[str, str], Any], pydlms: Callable[..., dict[str, Any]]
) -> None:
    simulator = pydlms_simulator("wrapper", "none")
    (device,) = Client.open(simulator.url).survey()
    found = registers(device.objects)
    asked = [["get", str(each.address.instance), 3, index] for each in found for index in (2, 3)]
    printed = [result["value"] for result in pydlms(simulator.port, asked)["results"]]
    assert [axdr.encode(each.values[index]).hex() for each in found for index in (2, 3)] == [
        each.lower() for each in printed
    ]
    for each in found[:2]:
        words = [peer("pydlms"), "--json", "read", f"tcp://127.0.0.1:{simulator.port}", "--register", "--obis"]
        shown = subprocess.run([*words, str(each.address.instance)], capture_output=True, text=True, timeout=60)
        (reading,) = json.loads(shown.stdout, parse_float=Decimal)
        quantity = each.quantity(2)
        assert quantity is not None
        assert (quantity.value, quantity.symbol) == (Decimal(reading["value"]), reading["unit"])


def test_gurux_sees_every_class_and_version_that_our_meter_has(gurux: Callable[..., dict[str, Any]]) -> None:
    """An object of each class and version; what the peer implements is of the same version but where it is listed."""
    meter = Meter("KFM1020012345678")
    for number, (_, kind) in enumerate(sorted(REGISTRY.items())):
        meter.management.put_in(Item(kind(Obis.of(0, 0, 200, number // 250, number % 250, 255))))
    with served(meter) as port:
        answer = gurux(port, [["objects"]])
    assert "error" not in answer, answer["error"]
    seen = [each for each in answer["results"][0]["value"] if each["obis"].startswith("0.0.200.")]
    assert [(each["class_id"], each["version"]) for each in seen] == sorted(REGISTRY)
    implemented = {each["class_id"]: each["usual"] for each in seen if each["kind"] != GENERIC}
    assert len(implemented) > 40
    highest = {class_id: max(version for known, version in REGISTRY if known == class_id) for class_id in implemented}
    differing = {
        class_id: (ours, implemented[class_id]) for class_id, ours in highest.items() if ours != implemented[class_id]
    }
    assert differing == {class_id: (ours, theirs) for class_id, (ours, theirs, _) in VERSIONS.items()}
