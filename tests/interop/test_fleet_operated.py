"""One meter of a running fleet is disconnected, updated, given another calendar and reconnected by pydlms-client."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cosem.fleet.clock import VirtualClock
from cosem.fleet.fleet import Fleet
from cosem.fleet.inventory import Inventory
from cosem.fleet.keys import FleetKeys
from cosem.fleet.population import Population
from cosem.protocol.codec import axdr
from cosem.protocol.crypto.key import Secret
from cosem.protocol.values.data import (
    Array,
    Data,
    DoubleLongUnsigned,
    Integer,
    LongUnsigned,
    OctetString,
    Structure,
    Unsigned,
)
from interop.served import serving_fleet

AT = datetime(2026, 3, 2, 11, tzinfo=UTC)
NUMBER = 70
BREAKER, IMAGE, CALENDAR = "0.0.96.3.10.255", "0.0.44.0.0.255", "0.0.13.0.0.255"
TOTALS = [[f"1.0.1.8.{tariff}.255", 3, 2] for tariff in (0, 1, 2)]
POWER, FIRMWARE, TARIFF = ["1.0.1.7.0.255", 3, 2], ["1.0.0.2.0.255", 1, 2], ["0.0.96.14.0.255", 1, 2]
OCTETS = bytes(range(256)) * 3
BLOCK = 200


def data(value: Data) -> str:
    return axdr.encode(value).hex()


def image() -> list[list[Any]]:
    blocks = [OCTETS[at : at + BLOCK] for at in range(0, len(OCTETS), BLOCK)]
    return [
        ["act", IMAGE, 18, 1, data(Structure((OctetString(b"3.1"), DoubleLongUnsigned(len(OCTETS)))))],
        *(
            ["act", IMAGE, 18, 2, data(Structure((DoubleLongUnsigned(place), OctetString(block))))]
            for place, block in enumerate(blocks)
        ),
        ["act", IMAGE, 18, 3, data(Integer(0))],
        ["act", IMAGE, 18, 4, data(Integer(0))],
    ]


def calendar() -> list[list[Any]]:
    """All days in the second tariff, by the script that the meter has for it."""
    always, script = OctetString(bytes.fromhex("FFFFFFFFFFFFFFFFFF8000FF")), OctetString(bytes((0, 0, 10, 0, 100, 255)))
    season = Structure((OctetString(b"S"), always, OctetString(b"W")))
    week = Structure((OctetString(b"W"), *(7 * (Unsigned(1),))))
    action = Structure((OctetString(bytes(4)), script, LongUnsigned(2)))
    day = Structure((Unsigned(1), Array((action,))))
    values = {6: OctetString(b"second"), 7: Array((season,)), 8: Array((week,)), 9: Array((day,))}
    written = [["set", CALENDAR, 20, attribute, data(value)] for attribute, value in values.items()]
    return [*written, ["act", CALENDAR, 20, 1, data(Integer(0))]]


def test_meter_70_of_a_fleet_is_operated_and_all_others_are_not(pydlms: Any) -> None:
    clock = VirtualClock(AT, speed=0)
    population = Population(100, keys=FleetKeys(Secret(bytes(range(32)))), clock=clock, first_counter=1000)
    with serving_fleet(Fleet(population, "tcp://127.84.0.0:0")) as fleet:
        listed = list(Inventory(fleet, with_keys=True))
        counter = 0

        def ask(number: int, *operations: list[Any]) -> list[Any]:
            nonlocal counter
            counter += 1000
            url, own = fleet.url(number), listed[number]
            answer = pydlms(
                url.port,
                list(operations),
                host=url.host,
                client=own.client,
                mechanism=5,
                ek=own.encryption_key,
                ak=own.authentication_key,
                title="4142434445464748",
                counter=counter,
            )
            assert "error" not in answer, answer["error"]
            assert all("value" in each for each in answer["results"]), answer["results"]
            found = [each["value"] for each in answer["results"]]
            return [each.lower() if isinstance(each, str) else each for each in found]

        def totals(number: int = NUMBER) -> list[int]:
            (values,) = ask(number, ["list", TOTALS])
            return [int(each[2:], 16) for each in values]

        before = totals()
        _, output, power = ask(
            NUMBER, ["act", BREAKER, 70, 1, data(Integer(0))], ["get", BREAKER, 70, 2], ["get", *POWER]
        )
        assert (output, int(power[2:], 16)) == ("0300", 0)
        clock.step(timedelta(hours=3))
        assert totals() == before
        updated = ask(NUMBER, *image(), ["get", IMAGE, 18, 6], ["get", *FIRMWARE])
        assert updated[-2:] == ["1606", "0903" + b"3.1".hex()]
        _, output = ask(NUMBER, ["act", BREAKER, 70, 2, data(Integer(0))], ["get", BREAKER, 70, 2])
        assert output == "0301"
        assert totals() == before
        changed = ask(NUMBER, *calendar(), ["get", CALENDAR, 20, 2], ["get", *TARIFF])
        assert changed[-2:] == ["0906" + b"second".hex(), "1102"]
        assert totals() == before
        clock.step(timedelta(hours=1))
        total, first, second = totals()
        assert first == before[1]
        assert total - before[0] == second - before[2] > 0
        others = ask(NUMBER + 1, ["get", BREAKER, 70, 2], ["get", *FIRMWARE], ["get", *TARIFF])
        assert others == ["0301", "0905" + b"1.0.0".hex(), "1101"]
    assert population.changed == 1
