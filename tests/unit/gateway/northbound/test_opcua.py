"""Samples and places of points as OPC UA has them; a client is in `tests/interop/test_opcua.py`."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from asyncua.common.utils import ServiceError
from asyncua.server.internal_session import SessionState

from cosem.errors import ConfigurationError
from cosem.gateway.northbound import Point, opcua
from cosem.gateway.northbound.opcua import SLICE, OpcuaOutput, OpcuaSettings, shown, ua
from cosem.gateway.value import Command, CommandResult, NumberType, Plain, Quality, Sample

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
EAST = NOON.astimezone(timezone(timedelta(hours=2)))


def told(kind: NumberType, value: Plain, quality: Quality = Quality.GOOD) -> tuple[Any, str]:
    found = shown(kind, Sample("s", value, quality, EAST, NOON))
    assert (found.SourceTimestamp, found.ServerTimestamp) == (NOON, NOON)
    assert found.SourceTimestamp.tzinfo is UTC
    return found.Value.Value, found.StatusCode.name


@pytest.mark.parametrize(
    ("kind", "value", "shown_value", "status"),
    [
        (NumberType.DIGITAL, 1, True, "Good"),
        (NumberType.SIGNED16, 32767, 32767, "Good"),
        (NumberType.SIGNED16, 32768, 32767, "UncertainEngineeringUnitsExceeded"),
        (NumberType.UNSIGNED16, -1, 0, "UncertainEngineeringUnitsExceeded"),
        (NumberType.UNSIGNED64, 2**64 - 1, 2**64 - 1, "Good"),
        (NumberType.SIGNED64, Decimal(2**63 - 1), 2**63 - 1, "Good"),
        (NumberType.UNSIGNED32, Decimal("1.6"), 2, "Good"),
        (NumberType.BITSTRING, "1" * 32, 2**32 - 1, "Good"),
        (NumberType.BITSTRING, "1" * 33, 2**32 - 1, "UncertainEngineeringUnitsExceeded"),
        (NumberType.BITSTRING, 5, None, "BadNoData"),
        (NumberType.DOUBLE, "text", None, "BadNoData"),
        (NumberType.DOUBLE, math.inf, None, "BadNoData"),
        (NumberType.DOUBLE, 10**400, 1.7976931348623157e308, "UncertainEngineeringUnitsExceeded"),
        (NumberType.FLOAT, 1e39, 3.4028234663852886e38, "UncertainEngineeringUnitsExceeded"),
        (NumberType.TEXT, "text", "text", "Good"),
        (NumberType.TEXT, 5, None, "BadNoData"),
        (NumberType.TIME, EAST, NOON, "Good"),
        (NumberType.TIME, "noon", None, "BadNoData"),
        (NumberType.FLOAT, None, None, "BadNoData"),
    ],
)
def test_values(kind: NumberType, value: Plain, shown_value: Any, status: str) -> None:
    assert told(kind, value) == (shown_value, status)


@pytest.mark.parametrize(
    ("quality", "status"),
    [
        (Quality.SUBSTITUTED, "UncertainSubstituteValue"),
        (Quality.OVERFLOW | Quality.SUBSTITUTED, "UncertainEngineeringUnitsExceeded"),
        (Quality.NOT_TOPICAL | Quality.OVERFLOW, "UncertainLastUsableValue"),
        (Quality.INVALID | Quality.NOT_TOPICAL, "BadNoData"),
    ],
)
def test_what_is_against_a_value(quality: Quality, status: str) -> None:
    assert told(NumberType.UNSIGNED16, 5, quality) == (None if status == "BadNoData" else 5, status)


def test_every_type_has_its_own() -> None:
    samples: dict[NumberType, Plain] = {NumberType.TEXT: "1", NumberType.TIME: NOON, NumberType.BITSTRING: "1"}
    for kind in NumberType:
        found = shown(kind, Sample("s", samples.get(kind, 1), Quality.GOOD, None, NOON))
        assert found.Value.VariantType == ua.VariantType[kind.opcua]


def test_the_plan() -> None:
    points = [
        Point("a", "m", "", NumberType.FLOAT, unit="W"),
        Point("b", "m", "", NumberType.TEXT, writable=True, node="plant.b"),
        Point("c", "m", "", NumberType.TIME, node="ns=2;i=5"),
    ]
    assert list(OpcuaOutput().plan(points)) == [
        ("node", "type", "signal", "unit", "command"),
        ("ns=2;s=m.a", "Float", "a", "W", ""),
        ("ns=2;s=plant.b", "String", "b", "", "write"),
        ("ns=2;i=5", "DateTime", "c", "", ""),
    ]
    assert len(OpcuaOutput().map()) == 1


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        ("m.a", "is that of a"),
        ("m", "is that of device m"),
        ("ns=3;s=x", "not in namespace 2"),
        ("i=2256", "not in namespace 2"),
        ("ns=2;i=five", "is no node id"),
    ],
)
def test_nodes_that_cannot_be(node: str, reason: str) -> None:
    points = [Point("a", "m", "", NumberType.FLOAT), Point("b", "m", "", NumberType.FLOAT, node=node)]
    with pytest.raises(ConfigurationError, match=reason):
        OpcuaOutput().plan(points)


class Internal:
    """Sessions as the library has them."""

    def __init__(self) -> None:
        self.registered: list[Any] = []

    def create_session(self, name: str, user: Any = None, external: bool = False) -> Any:
        session = SimpleNamespace(name=name, state=SessionState.Created)
        if external:
            self.registered.append(session)
        return session

    def unregister_external_session(self, session: Any) -> None:
        self.registered.remove(session)


@pytest.mark.parametrize(("count", "taken"), [(3, True), (4, False)])
def test_so_many_sessions(count: int, taken: bool) -> None:
    internal = Internal()
    create = opcua._Sessions(internal, 3)
    for number in range(count - 1):
        create(f"client {number}", external=True).state = SessionState.Activated
    create("the server itself")
    if taken:
        create("the last", external=True)
    else:
        with pytest.raises(ServiceError) as refused:
            create("one too many", external=True)
        assert refused.value.code == ua.StatusCodes.BadTooManySessions
    assert len(internal.registered) == 3


def test_sessions_that_have_ended_or_were_never_used_make_room() -> None:
    internal = Internal()
    create = opcua._Sessions(internal, 2)
    used, unused = create("used", external=True), create("unused", external=True)
    used.state = SessionState.Activated
    third = create("third", external=True)
    assert unused.state is SessionState.Closed
    assert internal.registered == [used, third]
    used.state = third.state = SessionState.Closed
    create("fourth", external=True)


@pytest.mark.parametrize("name", [each.name for each in fields(OpcuaSettings)])
@pytest.mark.parametrize(("value", "fine"), [(1, True), (0, False)])
def test_settings(name: str, value: int, fine: bool) -> None:
    if fine:
        assert getattr(OpcuaSettings(**{name: value}), name) == value
    else:
        with pytest.raises(ConfigurationError, match=name):
            OpcuaSettings(**{name: value})


@pytest.mark.timeout(300)  # making the nodes of the standard takes seconds, on a busy machine many
def test_the_rest_of_the_gateway_has_its_turn_while_nodes_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    async def obey(command: Command) -> CommandResult:
        return CommandResult(True, command.signal)

    async def run() -> Counter[int]:
        """Return how many nodes are made between two turns of another task, by the number of its turn."""
        output, turn, made = OpcuaOutput(port=0), 0, Counter[int]()

        async def turns() -> None:
            nonlocal turn
            while True:
                turn += 1
                await asyncio.sleep(0)

        async def add(*_: Any) -> None:
            made[turn] += 1

        monkeypatch.setattr(opcua, "_add", add)
        other = asyncio.create_task(turns())
        await output.start([Point(f"s{each}", "m", "", NumberType.FLOAT) for each in range(3 * SLICE + 1)], obey)
        other.cancel()
        await output.close()
        return made

    assert sorted(asyncio.run(run()).values()) == [1, SLICE, SLICE, SLICE]
