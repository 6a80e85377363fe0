"""What Home Assistant is told of each kind of signal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cosem.gateway.northbound import Point
from cosem.gateway.northbound.home_assistant import HomeAssistantOutput
from cosem.gateway.northbound.mqtt import MqttSettings
from cosem.gateway.value import NumberType


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


def test_a_topic_of_its_own() -> None:
    config = described(Point("s", "m", "", NumberType.FLOAT, topic="hall/power"))[1]
    assert config["state_topic"] == config["availability"][1]["topic"] == "hall/power"
    assert config["name"] == "s"
    assert "expire_after" not in config
