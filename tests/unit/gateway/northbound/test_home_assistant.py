"""What Home Assistant is told of each kind of signal."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from cosem.gateway.northbound import Point
from cosem.gateway.northbound.home_assistant import LONGEST_DESCRIPTION, HomeAssistantOutput
from cosem.gateway.northbound.mqtt import Message, MqttSettings
from cosem.gateway.value import Command, CommandResult, NumberType
from interop.broker import free_port


def described(point: Point, unit: str = "") -> tuple[str, dict[str, Any]]:
    output = HomeAssistantOutput("127.0.0.1", settings=MqttSettings(prefix="plant"), discovery="ha")
    message = output.description(point, unit)
    assert message.retain
    return message.topic, json.loads(message.payload)


@pytest.mark.parametrize(
    ("kind", "writable", "component", "particular"),
    [
        (NumberType.DIGITAL, False, "binary_sensor", {}),
        (NumberType.DIGITAL, True, "switch", {"command_topic": "plant/m1/s.1/set", "payload_on": "1"}),
        (NumberType.FLOAT, False, "sensor", {}),
        (NumberType.UNSIGNED16, True, "number", {"min": 0, "max": 65535, "step": 1}),
        (NumberType.SIGNED32, True, "number", {"min": -(2**31), "max": 2**31 - 1}),
        (NumberType.DOUBLE, True, "number", {"step": 0.001, "command_topic": "plant/m1/s.1/set"}),
        (NumberType.TEXT, True, "text", {"command_topic": "plant/m1/s.1/set"}),
        (NumberType.TEXT, False, "sensor", {}),
        (NumberType.TIME, False, "sensor", {"device_class": "timestamp"}),
        (NumberType.BITSTRING, False, "sensor", {}),
    ],
)
def test_components(kind: NumberType, writable: bool, component: str, particular: dict[str, Any]) -> None:
    topic, config = described(Point("s.1", "m1", "Name", kind, writable=writable))
    assert topic == f"ha/{component}/plant_m1/s_1/config"
    assert (
        config.items()
        >= {
            "name": "Name",
            "unique_id": "plant_s.1",
            "state_topic": "plant/m1/s.1",
            **particular,
        }.items()
    )
    assert config["device"] == {"identifiers": ["plant_m1"], "name": "m1"}
    assert "is defined" in config["value_template"]
    assert ("command_topic" in config) is writable
    assert "unit_of_measurement" not in config


@pytest.mark.parametrize(
    ("unit", "device_class", "state_class"),
    [("kWh", "energy", "total_increasing"), ("W", "power", "measurement"), ("varh", None, None), ("", None, None)],
)
def test_units(unit: str, device_class: str | None, state_class: str | None) -> None:
    config = described(Point("s", "m", "", NumberType.DOUBLE), unit)[1]
    assert (config.get("device_class"), config.get("state_class")) == (device_class, state_class)
    assert config.get("unit_of_measurement") == (unit or None)


@pytest.mark.parametrize(
    ("place", "changes", "taken_back"),
    [
        ("ha/sensor/plant_m/gone/config", {}, True),
        ("ha/binary_sensor/plant_m/s/config", {}, True),  # what was of another type
        ("ha/sensor/plant_m/s/config", {}, False),
        ("ha/sensor/plant_m/gone/config", {"origin": {"name": "somebody"}}, False),
        ("ha/sensor/plant_m/gone/config", {"origin": None}, False),
        ("ha/sensor/plant_m/gone/config", {"availability": [{"topic": "plant_2/status"}]}, False),
        ("ha/sensor/plant_m/gone/config", {"availability": []}, False),
        ("ha/sensor/plant_m/gone/config", {"availability": "plant/status"}, False),
    ],
)
def test_what_is_no_signal_any_more_is_taken_back(place: str, changes: dict[str, Any], taken_back: bool) -> None:
    output, there = known(), described(Point("gone", "m", "", NumberType.DOUBLE))[1]
    found = output.overheard(place, json.dumps({**there, **changes}).encode())
    assert list(found) == ([Message(place, "", retain=True)] if taken_back else [])


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"5", b"\xff", b"[" * 10_000, b"null"])
def test_descriptions_of_others_may_be_anything(payload: bytes) -> None:
    assert list(known().overheard("ha/sensor/other/gone/config", payload)) == []


@pytest.mark.parametrize(("more", "taken_back"), [(0, True), (1, False)])
def test_the_longest_description_that_is_looked_at(more: int, taken_back: bool) -> None:
    text = json.dumps(described(Point("gone", "m", "", NumberType.DOUBLE))[1])
    payload = text.ljust(LONGEST_DESCRIPTION + more).encode()
    assert bool(known().overheard("ha/sensor/plant_m/gone/config", payload)) is taken_back


def known() -> HomeAssistantOutput:
    """Return the output of one signal, which was started and never reached its broker."""

    async def obey(command: Command) -> CommandResult:
        return CommandResult(True, command.signal)

    async def started() -> HomeAssistantOutput:
        output = HomeAssistantOutput("127.0.0.1", free_port(), MqttSettings(prefix="plant"), discovery="ha")
        await output.start([Point("s", "m", "", NumberType.DOUBLE)], obey)
        await output.close()
        return output

    return asyncio.run(started())


def test_a_topic_of_its_own() -> None:
    config = described(Point("s", "m", "", NumberType.FLOAT, topic="hall/power"))[1]
    assert config["state_topic"] == config["availability"][1]["topic"] == "hall/power"
    assert config["name"] == "s"
    assert "expire_after" not in config
