"""The status page asked by the standard library: what it tells, to whom, and what it never tells."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from certified import certified
from cosem.errors import ConnectionFailed
from cosem.gateway.config import Device, DlmsParameters, DriverName, OutputRow, Signal
from cosem.gateway.config.reference import Reference
from cosem.gateway.line import Attended
from cosem.gateway.northbound import Point
from cosem.gateway.page.page import FILES, Page
from cosem.gateway.value import NumberType, Quality, Sample
from cosem.io.capture import TraceEntry
from cosem.protocol.crypto.key import Secret

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
PASSWORD = "a password of the house"
HOUSE = Device(
    alias="house", name="House 1", driver=DriverName.DLMS, parameters=DlmsParameters(password=Reference(PASSWORD))
)


def energy(value: str, quality: Quality = Quality.GOOD) -> Sample:
    return Sample("energy", Decimal(value), quality, None, NOON, "kWh")


class Plant:
    """A gateway of one device, as the page sees it."""

    points: Sequence[Point] = (Point("energy", "house", "Energy", NumberType.DOUBLE),)

    def __init__(self) -> None:
        signal = Signal(alias="energy", name="Energy", device="house", job=None)
        self.house = Attended(HOUSE, (signal,), SimpleNamespace())  # type: ignore[arg-type]
        self.house.last["energy"] = energy("1.5")
        self.devices: Mapping[str, Attended] = {"house": self.house}
        broker = OutputRow(kind="mqtt", name="broker", address="127.0.0.1:1883", password=Reference("of the broker"))
        self.outputs: Mapping[str, Any] = {
            "broker": SimpleNamespace(row=broker, published=7, failures=1, last_error="the broker is away")
        }


def ask(page: Page, path: str, context: Any = None, **headers: str) -> tuple[int, Any, Mapping[str, str]]:
    connection = (
        http.client.HTTPSConnection("127.0.0.1", page.port, timeout=30, context=context)
        if context
        else http.client.HTTPConnection("127.0.0.1", page.port, timeout=30)
    )
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        is_json = "json" in (answer.getheader("content-type") or "")
        return answer.status, json.loads(text) if is_json else text, dict(answer.getheaders())
    finally:
        connection.close()


def serving(test: Callable[[Page, Plant], Coroutine[Any, Any, None]], **guard: Any) -> None:
    async def run() -> None:
        plant = Plant()
        page = Page(plant, port=0, **guard)
        page.changed(plant.points)
        await page.start()
        try:
            async with asyncio.timeout(60):
                await test(page, plant)
        finally:
            await page.close()

    asyncio.run(run())


def asking(test: Callable[[Page, Plant], None], **guard: Any) -> None:
    async def run(page: Page, plant: Plant) -> None:
        await asyncio.to_thread(test, page, plant)

    serving(run, **guard)


def test_devices_and_outputs_with_how_they_fare() -> None:
    def test(page: Page, plant: Plant) -> None:
        found = ask(page, "/api/plant")[1]["devices"][0]
        names = ("device", "name", "state", "error")
        assert [found[name] for name in names] == ["house", "House 1", "not asked yet", None]
        assert (found["signals"], found["qualities"]) == (1, {"good": 1})
        plant.house.last_success, plant.house.scans = NOON, 3
        found = ask(page, "/api/plant")[1]["devices"][0]
        assert (found["state"], found["last_success"]) == ("answers", "2026-11-26T12:00:00+00:00")
        plant.house.lost, plant.house.failures = True, 1
        plant.house.last_error = ConnectionFailed("the door is closed")
        page.heard(HOUSE)(TraceEntry("TX", b"\x00\x01"))
        found = ask(page, "/api/plant")[1]
        house, broker = found["devices"][0], found["outputs"][0]
        assert (house["state"], house["error"]) == ("lost", "the door is closed")
        assert house["causes"]
        assert house["remedy"]
        assert house["counters"] == {
            "scans": 3,
            "retries": 0,
            "failures": 1,
            "time-outs": 0,
            "overruns": 0,
            "exchanges": 1,
            "octets sent": 2,
            "octets received": 0,
        }
        assert (broker["output"], broker["error"], broker["published"]) == ("broker", "the broker is away", 7)

    asking(test)


def test_signals_their_samples_and_numbers() -> None:
    def test(page: Page, _: Plant) -> None:
        page.take([energy("1.5"), energy("2", Quality.INVALID), Sample("other", 1, Quality.GOOD, None, NOON)])
        found = ask(page, "/api/devices/house")[1]
        assert [each["signal"] for each in found["signals"]] == ["energy"]
        assert [(each["signal"], each["value"], each["unit"]) for each in found["samples"]] == [("energy", 1.5, "kWh")]
        assert ask(page, "/api/points")[1] == found["signals"]
        assert ask(page, "/api/signals/energy/history")[1] == [[NOON.timestamp(), 1.5], [NOON.timestamp(), None]]

    asking(test)


@pytest.mark.parametrize("path", ["devices/cellar", "devices/cellar/frames", "signals/other/history"])
def test_what_is_not_there(path: str) -> None:
    def test(page: Page, _: Plant) -> None:
        assert ask(page, f"/api/{path}")[0] == 404

    asking(test)


def test_frames_are_decoded_and_no_secret_is_told_anywhere() -> None:
    def test(page: Page, plant: Plant) -> None:
        kept = page.heard(HOUSE)
        kept(TraceEntry("TX", b"\x01P1\x02(" + PASSWORD.encode() + b")\x03", "12:00:00.000"))
        kept(TraceEntry("RX", bytes.fromhex("7EA00802212193 05D17E"), "12:00:00.100"))
        told = ask(page, "/api/devices/house/frames")[1]
        assert [each["direction"] for each in told] == ["TX", "RX"]
        assert told[1]["summary"] == "SNRM P/F, 16 to 1/16"
        for path in ("/api/plant", "/api/points", "/api/devices/house", "/api/devices/house/frames", *FILES):
            text = str(ask(page, path)[1])
            for secret in (PASSWORD, "of the broker"):
                assert secret not in text
                assert secret.encode().hex(" ").upper() not in text

    asking(test)


@pytest.mark.parametrize("path", FILES)
def test_its_files_ask_no_other_host_for_anything(path: str) -> None:
    def test(page: Page, _: Plant) -> None:
        status, text, headers = ask(page, path)
        assert status == 200
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        names = text.replace("http://www.w3.org/", "")  # of SVG and HTML
        assert "://" not in names

    asking(test)


def test_a_public_page_shows_its_files_and_nothing_else_without_the_token(tmp_path: Path) -> None:
    server, client = certified(tmp_path)
    data = ("/api/plant", "/api/points", "/api/devices/house", "/api/events", "/api/signals/energy/history")

    def test(page: Page, _: Plant) -> None:
        assert page.url.startswith("https://")
        assert {ask(page, path, client)[0] for path in FILES} == {200}
        assert {ask(page, path, client)[0] for path in data} == {401}
        assert ask(page, "/api/plant", client, Authorization="Bearer wrong")[0] == 401
        assert ask(page, "/api/plant", client, Authorization="Bearer open sesame")[0] == 200

    asking(test, tls=server, token=Secret(b"open sesame"))


def test_without_a_token_only_a_name_of_this_machine_is_answered() -> None:
    def test(page: Page, _: Plant) -> None:
        assert ask(page, "/api/plant", Host="elsewhere.example")[0] == 421

    asking(test)


def test_tables_that_change() -> None:
    async def test(page: Page, plant: Plant) -> None:
        page.take([energy("1.5")])
        kept = page.heard(HOUSE)
        kept(TraceEntry("TX", b"another password", "12:00:00.000"))
        before = await asyncio.to_thread(ask, page, "/api/plant")
        page.changed(plant.points)
        assert page.heard(replace(HOUSE, parameters=DlmsParameters(password=Reference("another password")))) is kept
        after = await asyncio.to_thread(ask, page, "/api/plant")
        assert before[1]["tables"] != after[1]["tables"]
        assert (await asyncio.to_thread(ask, page, "/api/signals/energy/history"))[1] == [[NOON.timestamp(), 1.5]]
        told = (await asyncio.to_thread(ask, page, "/api/devices/house/frames"))[1]
        assert [each["summary"] for each in told] == ["*" * 16]
        plant.devices = {}
        assert (await asyncio.to_thread(ask, page, "/api/devices/house/frames"))[0] == 404

    serving(test)


def test_events_of_the_devices_that_are_wanted() -> None:
    async def test(page: Page, _: Plant) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", page.port)
        writer.write(b"GET /api/events?device=house&device=cellar HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b'"value":1.5')
        page.take([Sample("other", 3, Quality.GOOD, None, NOON), energy("2.5")])
        assert b'"value":3' not in await reader.readuntil(b'"value":2.5')
        writer.close()

    serving(test)
