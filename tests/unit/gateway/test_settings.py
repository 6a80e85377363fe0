"""What rows as a whole do in a gateway that runs: devices and outputs in use or not, files and the page of Settings."""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import gateway_tables as tables
from certified import certified
from cosem.gateway.config import Configuration
from cosem.gateway.devices import driver_of
from cosem.gateway.drivers.dlms import DlmsDriver
from cosem.gateway.drivers.iec21 import Iec21Driver
from cosem.gateway.engine import Gateway
from cosem.gateway.line import Clock
from cosem.gateway.page.page import Page
from cosem.gateway.page.plant import device as shown_of
from cosem.gateway.value import Command
from gateway_bench import NOON, ROWS, SIGNALS


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of outputs are beside whoever runs the gateway."""
    monkeypatch.chdir(tmp_path)


async def never(seconds: float) -> None:
    await asyncio.Event().wait()


def run(folder: Path, found: Configuration, story: Callable[[Gateway], Awaitable[None]], **more: Any) -> None:
    """Run a configuration whose devices have no turn, so that nothing is asked of them."""
    assert found.faults == ()

    async def main() -> None:
        gateway = Gateway(folder, clock=Clock(now=lambda: NOON, sleep=never), claims=folder / "claims", **more)
        try:
            await gateway.start(found)
            await story(gateway)
        finally:
            await gateway.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("protocol", "kind"), [("DLMS", DlmsDriver), ("IEC 62056-21", Iec21Driver), ("Elgama", DlmsDriver)]
)
def test_name_and_description_are_shown_and_protocol_chooses_the_driver(
    protocol: str, kind: type, tmp_path: Path
) -> None:
    row = {**ROWS[protocol], "name": "Hall", "description": "behind the door", "protocol": protocol}
    found = tables.configured(tmp_path, [row], [SIGNALS[protocol]])
    assert isinstance(driver_of(found.devices[0], found.signals, now=lambda: NOON), kind)

    async def story(gateway: Gateway) -> None:
        (attended,) = gateway.devices.values()
        shown = shown_of(attended, None)
        assert (shown["name"], shown["description"]) == ("Hall", "behind the door")

    run(tmp_path, found, story)


@pytest.mark.parametrize("protocol", list(ROWS))
@pytest.mark.parametrize("enable", [0, 1])
def test_enable_of_a_device(protocol: str, enable: int, tmp_path: Path) -> None:
    found = tables.configured(tmp_path, [{**ROWS[protocol], "enable": enable}], [SIGNALS[protocol]])

    async def story(gateway: Gateway) -> None:
        assert len(gateway.devices) == enable

    run(tmp_path, found, story)


@pytest.mark.parametrize("enable", [0, 1])
def test_enable_of_an_output(enable: int, tmp_path: Path) -> None:
    output = {"kind": "csv", "name": "log", "address": str(tmp_path / "values.csv"), "enable": enable}
    found = tables.configured(tmp_path, outputs=[output])

    async def story(gateway: Gateway) -> None:
        assert list(gateway.outputs) == ["log"] * enable

    run(tmp_path, found, story)


@pytest.mark.parametrize(
    ("settings", "buffer", "audit"),
    [
        ({}, "gateway-buffer.sqlite", "gateway-buffer.sqlite.audit"),
        ({"buffer": "waiting.sqlite"}, "waiting.sqlite", "waiting.sqlite.audit"),
        ({"buffer": "waiting.sqlite", "audit": "commands.log"}, "waiting.sqlite", "commands.log"),
    ],
)
def test_buffer_and_audit_are_files_beside_the_tables(
    settings: dict[str, str], buffer: str, audit: str, tmp_path: Path
) -> None:
    output = {"kind": "mqtt", "name": "broker", "address": "127.0.0.1:1"}
    found = tables.configured(tmp_path, outputs=[output], settings=settings)

    async def story(gateway: Gateway) -> None:
        await gateway._obey("broker", "mqtt")(Command("meter1.energy", 5, "a test"))

    run(tmp_path, found, story)
    assert (tmp_path / buffer).exists()
    (line,) = (tmp_path / audit).read_text().splitlines()
    assert json.loads(line)["reason"] == "the signal is not write-enabled"


def test_page_and_what_guards_it(tmp_path: Path) -> None:
    certified(tmp_path)
    settings = {
        "page": "127.0.0.1:0",
        "page_certificate": str(tmp_path / "certificate.pem"),
        "page_key": f"file:{tmp_path / 'key.pem'}",
        "page_token": "open sesame",
    }
    context = ssl.create_default_context(cafile=str(tmp_path / "certificate.pem"))
    found = tables.configured(tmp_path, settings=settings)

    def asked(page: Page, **headers: str) -> int:
        connection = http.client.HTTPSConnection("127.0.0.1", page.port, timeout=30, context=context)
        try:
            connection.request("GET", "/api/plant", headers=headers)
            return connection.getresponse().status
        finally:
            connection.close()

    async def story(gateway: Gateway) -> None:
        assert gateway.page is not None
        assert await asyncio.to_thread(asked, gateway.page) == 401
        assert await asyncio.to_thread(asked, gateway.page, Authorization="Bearer open sesame") == 200

    run(tmp_path, found, story)
