"""The limits of a described meter: each can be set, what cannot be is refused, and whoever serves it keeps them."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from typing import Any

import pytest

from cosem.errors import ConfigurationError, ConnectionLost
from cosem.io.aio import ListenLimits, connect_tcp
from cosem.meter import Meter, serving
from cosem.meter.attend import ConnectionLimits
from cosem.meter.describe import parse
from cosem.meter.lockout import LockoutLimits
from cosem.protocol.association.context import AssociationLimits
from cosem.protocol.profile.timing import ServerTiming

METER = """
[meter]
name = "KFM1020012345678"

[[association]]
client = 32
auth = "low"
password = "12345678"
"""
TABLES: dict[str, Any] = {
    "": ListenLimits,
    "connection": ConnectionLimits,
    "timing": ServerTiming,
    "lockout": LockoutLimits,
    "association": AssociationLimits,
}
NAME = bytes.fromhex("000100100001000DC001C1000100002A0000FF0200")
"""GET of the logical device name in a wrapper."""


def limited(table: str, text: str) -> Meter:
    return parse(METER + f"[limits{'.' * bool(table)}{table}]\n{text}\n")


def limits_of(meter: Meter, table: str) -> Any:
    assert meter.limits is not None
    return {
        "": meter.limits.listen,
        "connection": meter.limits.connection,
        "timing": meter.limits.timing,
        "lockout": meter.lockout.limits,
        "association": meter.management.associations[0].limits,
    }[table]


@pytest.mark.parametrize(("table", "name"), [(table, each.name) for table in TABLES for each in fields(TABLES[table])])
def test_each_limit_is_settable(table: str, name: str) -> None:
    usual, meter = TABLES[table](), limited(table, f"{name} = 7")
    found = limits_of(meter, table)
    for each in fields(usual):
        assert getattr(found, each.name) == (7 if each.name == name else getattr(usual, each.name))
    if table == "association":
        assert {each.client: each.limits for each in meter.management.associations} == {32: found, 16: found}


@pytest.mark.parametrize(
    ("table", "text", "why"),
    [
        ("", "connections = 0", "1 or more"),
        ("", "connections = 1.5", "a whole number"),
        ("", "connections = true", "a whole number"),
        ("", 'grace = "2"', "a number"),
        ("", "grace = -0.1", "0 or more"),
        ("", "new_a_second = 0", "more than 0"),
        ("", "new_a_second = nan", "more than 0"),
        ("", "grace = nan", "0 or more"),
        ("", "connection = 1", "a table"),
        ("", "half_open = 1", "not known"),
        ("connection", "half_open = 0", "1 or more"),
        ("connection", "refusals = -1", "0 or more"),
        ("connection", "connections = 1", "not known"),
        ("timing", "idle = 0", "more than 0"),
        ("lockout", "attempts = 0", "1 or more"),
        ("association", "listed = 0", "1 or more"),
    ],
)
def test_what_is_no_limit(table: str, text: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as refused:
        limited(table, text)
    assert "[limits]" in str(refused.value)


@pytest.mark.parametrize("text", ["connections = 1", "new_a_second = 0.001", "grace = 0", "known = 0"])
def test_the_least_of_a_limit(text: str) -> None:
    assert limited("", text).limits is not None


def test_sizes_are_of_associations_that_are_described() -> None:
    with pytest.raises(ConfigurationError, match="there is no"):
        parse('[meter]\nname = "KFM1020012345678"\n[limits.association]\nlisted = 3\n')


def test_without_a_table_a_meter_has_the_usual_limits() -> None:
    assert parse(METER).limits is None


@pytest.mark.parametrize("most", [1, 2])
def test_whoever_serves_a_meter_keeps_its_limits(most: int) -> None:
    async def main() -> None:
        meter = parse(
            METER
            + f"[limits]\nconnections_per_host = {most}\ngrace = 3600\n"
            + f"[limits.connection]\nrefusals = {most}\n[limits.timing]\nidle = 3600\n"
        )
        async with serving(meter, "tcp://127.0.0.1:0") as server:
            streams = [await connect_tcp("127.0.0.1", server.url.port or 0) for _ in range(most + 1)]
            with pytest.raises(ConnectionLost):
                await streams[-1].read(streams[-1].now() + 5)
            assert (server.statistics.accepted, server.statistics.refused) == (most, 1)
            for _ in range(most + 1):
                await streams[0].write(NAME)  # without an association
                assert (await streams[0].read(streams[0].now() + 5))[8] == 0xD8
            with pytest.raises(ConnectionLost):
                await streams[0].read(streams[0].now() + 5)
            for stream in streams:
                await stream.close()

    asyncio.run(main())
