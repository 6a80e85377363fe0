"""MQTT with discovery by Home Assistant: beside its values, each signal is described once, retained.

The description of a signal is at `<discovery>/<component>/<device>/<signal>/config`; its values stay on its topic. What
we described once and is no signal any more, or another kind of one, is taken back when we connect.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from cosem.gateway.northbound import Obey, Point
from cosem.gateway.northbound.mqtt import PORT, Message, MqttOutput, MqttSettings
from cosem.gateway.value import NumberType, Sample
from cosem.protocol.crypto.key import Secret

CLASSES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        **dict.fromkeys(("Wh", "kWh", "MWh"), ("energy", "total_increasing")),
        **dict.fromkeys(("W", "kW", "MW"), ("power", "measurement")),
        **dict.fromkeys(("VA", "kVA"), ("apparent_power", "measurement")),
        **dict.fromkeys(("var", "kvar"), ("reactive_power", "measurement")),
        **dict.fromkeys(("V", "mV", "kV"), ("voltage", "measurement")),
        **dict.fromkeys(("A", "mA"), ("current", "measurement")),
        "Hz": ("frequency", "measurement"),
        "°C": ("temperature", "measurement"),
    }
)
"""Device class and state class of a unit, where the unit alone settles them."""

ORIGIN: Final[Mapping[str, str]] = MappingProxyType({"name": "cosem"})
"""Who describes."""

LONGEST_DESCRIPTION: Final = 16_384
"""Octets of a description that is looked at; ours have about 600."""

EXACT: Final = 1 << 53
"""The greatest whole number that is exact there, where every number is a floating one in the browser."""
WIDEST: Final = 1e9
"""What a floating number can be set to there at most, where every number has bounds."""

_VALUE: Final = "{{ value_json.value if value_json.value is defined }}"
_ON_OR_OFF: Final = "{{ ('ON' if value_json.value else 'OFF') if value_json.value is defined }}"
_TRUSTED: Final = (
    "{{ 'offline' if value_json.quality is defined and "
    "('invalid' in value_json.quality or 'not topical' in value_json.quality) else 'online' }}"
)


class HomeAssistantOutput(MqttOutput):
    """Publishes samples as `MqttOutput` does, and what Home Assistant needs to show them.

    Args:
        discovery: what it listens to, `homeassistant` unless it was told otherwise.
        expire_after: seconds after which a value counts as unknown; 0 for never.

    A number whose unit only the meter knows is described when its first value comes.
    """

    def __init__(
        self,
        host: str,
        port: int = PORT,
        settings: MqttSettings | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        username: str = "",
        password: Secret | None = None,
        discovery: str = "homeassistant",
        expire_after: int = 0,
    ) -> None:
        super().__init__(host, port, settings, tls=tls, username=username, password=password)
        self._discovery = discovery
        self._expire_after = expire_after
        self._units: dict[str, str] = {}

    async def start(self, points: Sequence[Point], obey: Obey) -> None:
        """Begin to connect. Raises ConfigurationError for topics that cannot be or that collide."""
        known = {each.signal: each.unit for each in points if each.unit or not _is_number(each)}
        self._units = {**{name: unit for name, unit in self._units.items() if name not in known}, **known}
        await super().start(points, obey)

    def greetings(self) -> Sequence[Message]:
        """Return the description of each signal that can be described."""
        return [self.description(each, self._units[name]) for name, each in self._points.items() if name in self._units]

    def listened(self) -> Sequence[str]:
        """Return where descriptions are: those of everybody, of which ours are known by our status topic."""
        return (f"{self._discovery}/+/+/+/config",)

    def overheard(self, topic: str, payload: bytes) -> Sequence[Message]:
        """Return the empty message that takes a description back which was ours and is of no signal of now."""
        if not _is_of(payload, self.status_topic) or topic in {self._place(each) for each in self._points.values()}:
            return ()
        return (Message(topic, "", retain=True),)

    def messages(self, sample: Sample) -> Sequence[Message]:
        """Return what one sample becomes: its value, and a description where it is the first or the unit is new."""
        told = super().messages(sample)
        point = self._points.get(sample.signal)
        unit = sample.unit or self._units.get(sample.signal, "")
        if point is None or self._units.get(sample.signal) == unit:
            return told
        self._units[sample.signal] = unit
        return [self.description(point, unit), *told]

    def description(self, point: Point, unit: str) -> Message:
        """Return the retained message that describes a signal."""
        component, particular = _particular(point, unit, self.topic_of(point))
        device = f"{self.settings.prefix}_{point.device}"
        config: dict[str, Any] = {
            "name": point.name or point.signal,
            "unique_id": f"{self.settings.prefix}_{point.signal}",
            "state_topic": self.topic_of(point),
            "availability": [
                {"topic": self.status_topic},
                {"topic": self.topic_of(point), "value_template": _TRUSTED},
            ],
            "availability_mode": "all",
            "device": {"identifiers": [device], "name": point.device},
            "origin": dict(ORIGIN),
            **particular,
        }
        if self._expire_after and component in ("sensor", "binary_sensor"):
            config["expire_after"] = self._expire_after
        return Message(self._place(point), json.dumps(config, ensure_ascii=False), retain=True)

    def _place(self, point: Point) -> str:
        component, _ = _particular(point, "", "")
        device = f"{self.settings.prefix}_{point.device}"
        return "/".join((self._discovery, component, _plain(device), _plain(point.signal), "config"))


def _is_of(payload: bytes, status_topic: str) -> bool:
    """Tell whether a description is one of ours; those of others may be anything."""
    if len(payload) > LONGEST_DESCRIPTION:
        return False
    try:
        found: Any = json.loads(payload)
        return bool(found["origin"] == ORIGIN and found["availability"][0]["topic"] == status_topic)
    except (ValueError, TypeError, LookupError, RecursionError):
        return False


def _particular(point: Point, unit: str, topic: str) -> tuple[str, dict[str, Any]]:
    """Return the component that shows a signal, and what only that component has."""
    command = {"command_topic": f"{topic}/set"}
    if point.number_type is NumberType.DIGITAL:
        shown: dict[str, Any] = {"value_template": _ON_OR_OFF}
        if not point.writable:
            return "binary_sensor", shown
        words = {"state_on": "ON", "state_off": "OFF", "payload_on": "1", "payload_off": "0"}
        return "switch", {**shown, **command, **words}
    shown = {"value_template": _VALUE, **({"unit_of_measurement": unit} if unit else {})}
    bounds = point.number_type.bounds
    if bounds is not None and _is_number(point):
        if point.writable:
            most, step = (EXACT, 1) if point.number_type.whole else (WIDEST, 0.001)
            settable = {"min": max(bounds[0], -most), "max": min(bounds[1], most), "step": step, "mode": "box"}
            return "number", {**shown, **command, **settable}
        if unit in CLASSES:
            shown["device_class"], shown["state_class"] = CLASSES[unit]
        return "sensor", shown
    if point.writable and point.number_type is NumberType.TEXT:
        return "text", {"value_template": _VALUE, **command, "max": 255}
    return "sensor", {**shown, **({"device_class": "timestamp"} if point.number_type is NumberType.TIME else {})}


def _is_number(point: Point) -> bool:
    return point.number_type.bounds is not None and point.number_type is not NumberType.BITSTRING


def _plain(text: str) -> str:
    """Return a name as discovery takes it: letters, digits, _ and -."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)
