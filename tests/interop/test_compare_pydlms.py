"""`cosem compare` against the simulated meter of pydlms-client: what it lists, and what of that is as it should be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cosem import Client, Meter, Register, Unit
from cosem.client.compare import Aspect, compare_meters, compare_with
from cosem.protocol.model.companion import companion
from interop.served import served


def test_the_meter_of_pydlms_is_compared(pydlms_simulator: Callable[[str, str], Any]) -> None:
    simulator = pydlms_simulator("wrapper", "none")
    with Client.open(simulator.url) as client:
        shown = client.shown()
        again = client.shown()
    assert [each for each in compare_meters(shown, again) if each.aspect is not Aspect.METROLOGY] == []
    against = compare_with(shown, companion("generic"))
    assert not {Aspect.MISSING, Aspect.CLASS, Aspect.EXTRA} & {each.aspect for each in against}
    ours = Meter("TST0000000000010")
    ours.add(Register("1.0.1.8.0.255"), value=1, scaler_unit=(3, Unit.WATT_HOUR))
    with served(ours) as port, Client.open(f"tcp://127.0.0.1:{port}") as client:
        found = compare_meters(shown, client.shown())
    energy = {each.aspect for each in found if str(each.obis) == "1.0.1.8.0.255"}
    assert Aspect.SCALER in energy and Aspect.MISSING not in energy
    assert any(each.aspect is Aspect.MISSING for each in found)
