"""Our MQTT output, a real Mosquitto, and paho-mqtt as whoever listens and commands."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from certified import certified
from cosem.errors import ConnectionFailed, TransportError
from cosem.gateway.config import Configuration, OutputRow
from cosem.gateway.config.reference import Reference
from cosem.gateway.engine import Gateway
from cosem.gateway.line import Clock
from cosem.gateway.northbound import Point
from cosem.gateway.northbound.home_assistant import HomeAssistantOutput
from cosem.gateway.northbound.mqtt import MqttOutput, MqttSettings
from cosem.gateway.outputs import output_of
from cosem.gateway.value import Command, CommandResult, NumberType, Plain, Quality, Sample
from interop.broker import Broker
from interop.lines_of import Peer, peer

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
POINTS = [
    Point("energy", "meter", "Energy", NumberType.DOUBLE, unit="kWh"),
    Point("limit", "meter", "Limit", NumberType.UNSIGNED16, writable=True, topic="plant/limit"),
    Point("relay", "meter", "Relay", NumberType.DIGITAL, writable=True),
    Point("power", "meter", "Power", NumberType.FLOAT),
]
QUICK = MqttSettings(timeout=5, retry=0.05, longest_retry=0.05)


def measured(value: Plain, signal: str = "energy", **more: Any) -> Sample:
    return Sample(signal, value, Quality.GOOD, NOON, NOON + timedelta(seconds=1), "kWh", **more)


async def obey(command: Command) -> CommandResult:
    return CommandResult(command.value != 7, "" if command.value != 7 else "seven is too much")


async def connected(to: Peer) -> None:
    await to.until(lambda each: "connected" in each)


def on(topic: str) -> Any:
    return lambda each: each.get("topic") == topic


def test_values_commands_and_last_will(tmp_path: Path) -> None:
    async def run() -> None:
        broker = Broker(tmp_path)
        await broker.start()
        output = MqttOutput("127.0.0.1", broker.port, QUICK)
        async with peer("mqtt_client.py", port=broker.port) as client:
            await connected(client)
            await output.start(POINTS, obey)
            assert (await client.until(on("cosem/status")))["payload"] == "online"
            await output.publish([measured(Decimal("12345.678901234567890"))])
            told = await client.until(on("cosem/meter/energy"))
            assert json.loads(told["payload"], parse_float=Decimal) == {
                "value": Decimal("12345.678901234567890"),
                "unit": "kWh",
                "quality": ["good"],
                "source_time": "2026-11-26T12:00:00+00:00",
                "gateway_time": "2026-11-26T12:00:01+00:00",
            }
            await output.publish([measured(1, backfilled=True)])
            assert json.loads((await client.until(on("cosem/meter/energy")))["payload"])["backfilled"] is True
            for payload, result in (
                ("6", {"done": True, "reason": ""}),
                ('{"value": 7}', {"done": False, "reason": "seven is too much"}),
                ("65536", {"done": False, "reason": "65536 is no value of UNSIGNED16"}),
            ):
                await client.tell("publish", "plant/limit/set", payload, False)
                assert json.loads((await client.until(on("plant/limit/result")))["payload"]) == result
            await client.tell("publish", "cosem/meter/relay/set", "on", True)  # kept: it comes again to who is new
            await client.until(on("cosem/meter/relay/result"))
            await output.close()
            await output.close()
            assert (await client.until(on("cosem/status")))["payload"] == "offline"
        again = MqttOutput("127.0.0.1", broker.port, QUICK)
        async with peer("mqtt_client.py", port=broker.port) as late:
            await connected(late)
            await again.start(POINTS, obey)
            kept = await late.until(on("cosem/meter/energy"))  # the newest value, not the one from the profile
            assert (kept["retain"], json.loads(kept["payload"])["value"]) == (True, 12345.678901234567890)
            refused = json.loads((await late.until(on("cosem/meter/relay/result")))["payload"])
            assert refused == {"done": False, "reason": "a command must not be retained"}
        await again.close()
        await broker.stop()

    asyncio.run(run())


# paho leaves the socket of a failed handshake to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_by_tls_with_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certified(tmp_path)
    monkeypatch.setenv("BROKER_PASSWORD", "open sesame")

    def row(port: int, **given: Any) -> OutputRow:
        options = MappingProxyType({"timeout": "0.5", "retry": "0.05", "prefix": "plant"})
        usual: dict[str, Any] = {
            "tls": True,
            "ca": str(tmp_path / "certificate.pem"),
            "username": "gateway",
            "password": Reference("env:BROKER_PASSWORD"),
        }
        return OutputRow(kind="mqtt", name="broker", address=f"127.0.0.1:{port}", options=options, **(usual | given))

    async def run() -> None:
        broker = Broker(tmp_path, secure=True)
        await broker.start()
        port, ca = broker.port, str(tmp_path / "certificate.pem")
        async with peer("mqtt_client.py", port=port, ca=ca, username="gateway", password="open sesame") as client:
            await connected(client)
            output = output_of(row(port))
            await output.start(POINTS, obey)
            await output.publish([measured(5)])
            assert json.loads((await client.until(on("plant/meter/energy")))["payload"])["value"] == 5
            await output.close()
        for wrong in ({"password": Reference("guessed")}, {"tls": False, "ca": ""}, {"ca": ""}):
            stranger = output_of(row(port, **wrong))
            await stranger.start(POINTS, obey)
            with pytest.raises(ConnectionFailed) as refused:
                await stranger.publish([measured(6)])
            assert "sesame" not in str(refused.value)
            await stranger.close()
        await broker.stop()

    asyncio.run(run())


def test_a_broker_that_goes_away_and_comes_back_gets_everything_in_order(tmp_path: Path) -> None:
    async def run() -> None:
        broker = Broker(tmp_path)
        await broker.start()
        options = {"timeout": "0.2", "retry": "0.05", "keepalive": "5"}
        row = OutputRow(kind="mqtt", name="mqtt", address=f"127.0.0.1:{broker.port}", options=MappingProxyType(options))
        made: list[Watched] = []

        def make(row: OutputRow) -> Watched:
            made.append(Watched(row))
            return made[-1]

        async def soon(_: float) -> None:
            await asyncio.sleep(0.01)

        gateway = Gateway(
            tmp_path,
            make_output=make,
            clock=Clock(lambda: NOON, asyncio.get_running_loop().time, soon),
            claims=tmp_path / "claims",
        )
        async with peer("mqtt_client.py", port=broker.port, client_id="reader") as client:
            await connected(client)
            await gateway.start(Configuration(outputs=(row,)), scanning=False)
            for number in range(10):
                await gateway.deliver([measured(number)])
            await client.until(on("cosem/meter/energy"))
            await broker.stop()
            for number in range(10, 1210):
                await gateway.deliver([measured(number)])
            async with asyncio.timeout(30):
                await made[0].refused.wait()
            await broker.start()
            await client.until(lambda each: on("cosem/meter/energy")(each) and '"value":1209,' in each["payload"])
        told = [json.loads(each["payload"])["value"] for each in client.heard if on("cosem/meter/energy")(each)]
        assert list(dict.fromkeys(told)) == list(range(1210))  # some of them twice, none missing, none out of order
        assert gateway.outputs["mqtt"].failures > 0
        await gateway.close()
        await broker.stop()

    asyncio.run(run())


class Watched:
    """The output of a row, with an event for its refusal; it has one point whatever the configuration says."""

    buffered = True

    def __init__(self, row: OutputRow) -> None:
        self._output = output_of(row)
        self.refused = asyncio.Event()

    async def start(self, points: Sequence[Point], obey: Any) -> None:
        await self._output.start(POINTS, obey)

    async def publish(self, samples: Sequence[Sample]) -> None:
        try:
            await self._output.publish(samples)
        except TransportError:
            self.refused.set()
            raise

    async def close(self) -> None:
        await self._output.close()

    def plan(self, points: Sequence[Point]) -> Sequence[tuple[str, ...]]:
        return self._output.plan(points)

    def map(self) -> Sequence[tuple[str, ...]]:
        return self._output.map()


def test_home_assistant_is_told_what_there_is(tmp_path: Path) -> None:
    async def run() -> None:
        broker = Broker(tmp_path)
        await broker.start()
        output = HomeAssistantOutput("127.0.0.1", broker.port, QUICK, expire_after=60)
        async with peer("mqtt_client.py", port=broker.port) as client:
            await connected(client)
            await output.start(POINTS, obey)
            await client.until(on("cosem/status"))
            described = {each["topic"]: json.loads(each["payload"]) for each in client.heard if "config" in str(each)}
            assert list(described) == ["homeassistant/sensor/cosem_meter/energy/config",
                                       "homeassistant/switch/cosem_meter/relay/config"]  # fmt: skip
            energy = described["homeassistant/sensor/cosem_meter/energy/config"]
            assert energy["state_topic"] == "cosem/meter/energy"
            assert (energy["device_class"], energy["state_class"]) == ("energy", "total_increasing")
            assert (energy["unit_of_measurement"], energy["expire_after"]) == ("kWh", 60)
            assert energy["availability"][0] == {"topic": "cosem/status"}
            await output.publish([Sample("power", 5.5, Quality.GOOD, None, NOON, "W")])
            power = json.loads((await client.until(on("homeassistant/sensor/cosem_meter/power/config")))["payload"])
            assert (power["unit_of_measurement"], power["device_class"]) == ("W", "power")
            assert json.loads((await client.until(on("cosem/meter/power")))["payload"])["value"] == 5.5
            relay = described["homeassistant/switch/cosem_meter/relay/config"]
            await client.tell("publish", relay["command_topic"], relay["payload_on"], False)
            done = await client.until(on("cosem/meter/relay/result"))
            assert json.loads(done["payload"])["done"] is True
            await output.close()
            # the tables have changed: one signal is left, and its description stays
            less = HomeAssistantOutput("127.0.0.1", broker.port, QUICK, expire_after=60)
            await less.start(POINTS[:1], obey)
            gone = {"homeassistant/switch/cosem_meter/relay/config", "homeassistant/sensor/cosem_meter/power/config"}
            while gone:
                told = await client.hear()
                if told.get("payload") == "":
                    gone.remove(told["topic"])
            await less.close()
        async with peer("mqtt_client.py", port=broker.port) as client:
            await connected(client)
            await client.until(on("cosem/status"))
            left = [each["topic"] for each in client.heard if "config" in str(each)]
            assert left == ["homeassistant/sensor/cosem_meter/energy/config"]
        await broker.stop()

    asyncio.run(run())
