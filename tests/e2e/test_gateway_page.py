"""The status page of a running gateway in a real browser: values, a lost device, frames, a plot, a phone, a token."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from browser import DESK, PHONE, browsing
from certified import certified
from cosem import Meter, Register, Unit
from cosem.gateway import config
from cosem.gateway.engine import Gateway
from cosem.meter import serving

ENERGY = Register("1.0.1.8.0.255")
TABLES = """
[[devices]]
name = "House 1"
device_alias = "house"
protocol = "DLMS"
type = "LN"
mode = "DLMS-WRAPPER"
client_address = "10"
logical_address = 1
ip = "127.0.0.1"
port = {port}
scan_rate_ms = 200
timeout_ms = 5000
retry_counter = 1
reconnect_time = 200

[[devices]]
name = "A meter with a name that is far longer than what a telephone has room for in one line"
device_alias = "cellar"
protocol = "DLMS"
type = "LN"
mode = "DLMS-WRAPPER"
client_address = "10"
ip = "127.0.0.1"
port = 1
retry_counter = 1

[[signals]]
signal_name = "Active energy import"
device_alias = "house"
signal_alias = "energy"
obis_job = "1.0.1.8.0.255"

[[signals]]
signal_name = "Clock"
device_alias = "house"
signal_alias = "clock"
obis_job = "0.0.1.0.0.255"

[[signals]]
signal_name = "Energy of the cellar"
device_alias = "cellar"
signal_alias = "cellar_energy"
obis_job = "1.0.1.8.0.255"

[[outputs]]
kind = "csv"
name = "log"
address = "{folder}/log.csv"

[[settings]]
name = "page"
value = "127.0.0.1:0"
"""


class Plant:
    """A meter and a gateway that reads it."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.meter = Meter("KFM1020012345678")
        self.meter.add(ENERGY, value=1000, scaler_unit=(0, Unit.WATT_HOUR))
        self.server = serving(self.meter, "tcp://127.0.0.1:0")
        self.gateway = Gateway(folder, claims=folder / "locks")
        self._folder, self._more = folder, more

    async def start(self) -> None:
        await self.server.__aenter__()
        tables = self._folder / "gateway.toml"
        tables.write_text(TABLES.format(port=self.server.url.port, folder=self._folder) + self._more)
        found = config.read(tables)
        assert not found.faults
        await self.gateway.start(found)

    @property
    def url(self) -> str:
        assert self.gateway.page is not None
        return self.gateway.page.url


@asynccontextmanager
async def running(folder: Path, more: str = "") -> AsyncGenerator[Plant]:
    plant = Plant(folder, more)
    await plant.start()
    try:
        yield plant
    finally:
        await plant.gateway.close()
        await plant.server.close()


async def fits(page: Page) -> bool:
    """Tell whether nothing hangs out of the window at the side."""
    found: bool = await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    return found


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "light"), (DESK, "dark")])
def test_a_plant_is_looked_after(tmp_path: Path, size: dict[str, int], scheme: str) -> None:
    async def run() -> None:
        async with running(tmp_path) as plant, browsing(viewport=size, color_scheme=scheme) as page:
            await page.goto(plant.url)
            house, cellar = page.locator("#device-house"), page.locator("#device-cellar")
            await expect(house.locator(".state")).to_have_text("answers")
            await expect(cellar.locator(".state")).to_have_text("lost")
            await expect(page.locator("#outputs")).to_contain_text("delivers")
            assert await fits(page)

            await house.locator("summary").first.click()
            value = house.locator("tr[data-signal=energy] .value")
            await expect(value).to_have_text("1,000 Wh")
            plant.meter.put(ENERGY.value, 2500)
            await expect(value).to_have_text("2,500 Wh")

            await house.get_by_role("button", name="Active energy import").click()
            await expect(house.locator("svg.plot path")).to_have_attribute("d", re.compile("M.*L"))
            await expect(house.locator("figcaption")).to_contain_text("1,000 to 2,500 Wh")
            await house.get_by_role("button", name="Show the last frames").click()
            frame = house.locator(".frame.RX").first
            await frame.locator("summary").click()
            await expect(frame.locator(".tree")).to_contain_text("get-response")
            assert await fits(page)

            await cellar.locator("summary").first.click()
            await expect(cellar.locator(".why")).to_contain_text("refused the connection")
            await expect(cellar.locator(".why")).to_contain_text("Try:")

            await plant.server.close()
            await expect(house.locator(".state")).to_have_text("lost")
            await expect(house.locator("tr[data-signal=energy] .quality")).to_have_text("not topical")
            assert await fits(page)

    asyncio.run(run())


def test_a_device_is_found_by_its_signals(tmp_path: Path) -> None:
    async def run() -> None:
        async with running(tmp_path) as plant, browsing(viewport=PHONE) as page:
            await page.goto(plant.url)
            house, cellar = page.locator("#device-house"), page.locator("#device-cellar")
            await expect(cellar.locator(".state")).to_have_text("lost")
            await page.get_by_label("Find a device or signal").fill("of the cellar")
            await expect(house).to_be_hidden()
            await expect(cellar).to_be_visible()
            await page.get_by_label("Find a device or signal").fill("")
            await expect(house).to_be_visible()
            await page.get_by_role("button", name="Lost only").click()
            await expect(house).to_be_hidden()
            await page.keyboard.press("Enter")  # the button has the focus: it works without a mouse
            await expect(house).to_be_visible()

    asyncio.run(run())


def test_a_guarded_page_asks_for_its_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGE_TOKEN", "open sesame")
    certified(tmp_path)

    def setting(name: str, value: Any) -> str:
        return f'\n[[settings]]\nname = "{name}"\nvalue = "{value}"\n'

    more = "".join(
        setting(f"page_{name}", value)
        for name, value in (
            ("certificate", tmp_path / "certificate.pem"),
            ("key", f"file:{tmp_path / 'key.pem'}"),
            ("token", "env:PAGE_TOKEN"),
        )
    )

    async def run() -> None:
        async with running(tmp_path, more) as plant, browsing("401", viewport=PHONE, ignore_https_errors=True) as page:
            assert plant.url.startswith("https://")
            refused: list[int] = []
            page.on("response", lambda answer: refused.append(answer.status) if answer.status == 401 else None)
            await page.goto(plant.url)
            await expect(page.locator("#door")).to_be_visible()
            await expect(page.locator("#plant")).to_be_hidden()
            await page.get_by_label("This page needs the token").fill("wrong")
            await page.get_by_role("button", name="Open").click()
            await expect(page.locator("#refused")).to_have_text("That is not the token.")
            await page.get_by_label("This page needs the token").fill("open sesame")
            await page.get_by_role("button", name="Open").click()
            await expect(page.locator("#device-house .state")).to_have_text("answers")
            assert len(refused) == 2

    asyncio.run(run())
