"""The status page of a running gateway in a real browser: values, a lost device, frames, a plot, a phone, a token."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from browser import DESK, PHONE, browsing
from certified import certified
from cosem import Meter, Register, Unit
from cosem.errors import TimedOut
from cosem.gateway import config
from cosem.gateway.config import Configuration, Device, DlmsParameters, DriverName, Signal
from cosem.gateway.engine import Gateway
from cosem.gateway.points import Measured, sample
from cosem.gateway.value import Command, CommandResult, Sample
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
value = "{place}"
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
        await self.change()

    async def change(self, more: str = "", place: str = "127.0.0.1:0") -> None:
        """Run the tables with some rows more, and the page at another place."""
        tables = self._folder / "gateway.toml"
        filled = TABLES.format(port=self.server.url.port, folder=self._folder, place=place)
        tables.write_text(filled + self._more + more)
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
            await house.get_by_text("The newest numbers").click()
            await expect(house.locator(".listed td.value").first).to_have_text("2,500 Wh")
            assert await fits(page)

            await cellar.locator("summary").first.click()
            await expect(cellar.locator(".why")).to_contain_text("refused the connection")
            await expect(cellar.locator(".why")).to_contain_text("Try:")

            await expect(page.locator("#news")).to_be_empty()
            await plant.server.close()
            await expect(house.locator(".state")).to_have_text("lost")
            await expect(page.locator("#news")).to_have_text("Lost: House 1.")
            await expect(page).to_have_title("2 lost – cosem gateway")
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


def test_everything_is_done_with_the_keyboard_alone(tmp_path: Path) -> None:
    async def run() -> None:
        async with running(tmp_path) as plant, browsing(viewport=DESK) as page:
            await page.goto(plant.url)
            house = page.locator("#device-house")
            await expect(house.locator(".state")).to_have_text("answers")
            presses = iter(range(40))

            async def reach(what: Locator) -> None:
                """Go there by the key Tab."""
                while not await what.evaluate("element => element === document.activeElement"):
                    next(presses)
                    await page.keyboard.press("Tab")
                outline = await what.evaluate("element => getComputedStyle(element).outlineStyle")
                assert outline == "solid", "who looks sees where they are"

            await reach(house.locator("summary").first)
            await page.keyboard.press("Enter")
            signal = house.get_by_role("button", name="Active energy import")
            await expect(signal).to_have_attribute("aria-expanded", "false")
            await reach(signal)
            await page.keyboard.press("Enter")
            await expect(signal).to_have_attribute("aria-expanded", "true")
            await expect(house.get_by_role("img", name="Active energy import: always 1,000 Wh")).to_be_visible()
            await page.keyboard.press("Enter")
            await expect(house.locator("svg.plot")).to_have_count(0)
            await reach(house.get_by_role("button", name="Show the last frames"))
            await page.keyboard.press("Enter")
            frame = house.locator(".frame > summary").first
            await expect(frame).to_be_visible()
            await reach(frame)
            await page.keyboard.press("Space")
            await expect(house.locator(".frame").first.locator(".octets")).to_be_visible()

    asyncio.run(run())


def test_numbers_are_shown_with_every_digit_and_new_rows_appear(tmp_path: Path) -> None:
    counter = Register("1.0.2.8.0.255")
    row = '\n[[signals]]\nsignal_name = "Export"\ndevice_alias = "house"\nsignal_alias = "export"\n'

    async def run() -> None:
        async with running(tmp_path) as plant, browsing(viewport=PHONE) as page:
            plant.meter.add(counter, value=12_345_678_901_234_567, scaler_unit=(-2, Unit.WATT_HOUR))
            await page.goto(plant.url)
            house = page.locator("#device-house")
            await house.locator("summary").first.click()
            await expect(house.locator("tr[data-signal=energy] .value")).to_have_text("1,000 Wh")
            await plant.change(f'{row}obis_job = "1.0.2.8.0.255"\n')
            await expect(house.locator("tr[data-signal=export] .value")).to_have_text("123,456,789,012,345.67 Wh")
            await page.get_by_label("Find a device or signal").fill("export")
            await expect(house).to_be_visible()
            await expect(page.locator("#device-cellar")).to_be_hidden()
            await page.get_by_label("Find a device or signal").fill("import export")
            await expect(page.get_by_text("No device is like that.")).to_be_visible()

    asyncio.run(run())


def test_a_gateway_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    async def run() -> None:
        async with running(tmp_path) as plant, browsing("Failed to load resource", viewport=PHONE) as page:
            await page.goto(plant.url)
            house, connection = page.locator("#device-house"), page.locator("#connection")
            await expect(house.locator(".state")).to_have_text("answers")
            port = plant.gateway.page.port if plant.gateway.page is not None else 0
            await plant.gateway.close()
            await expect(connection).to_contain_text("does not answer")
            await house.locator("summary").first.click()
            await expect(house.locator(".notice")).to_contain_text("Try again.")
            assert await fits(page)
            plant.gateway = Gateway(tmp_path, claims=tmp_path / "locks")
            await plant.change(place=f"127.0.0.1:{port}")
            await expect(connection).to_have_text("live")
            await expect(house.locator("tr[data-signal=energy] .value")).to_have_text("1,000 Wh")

    asyncio.run(run())


def test_a_plant_of_three_hundred_devices(tmp_path: Path) -> None:
    """Each of which has a driver of its own that asks nobody, so that the page is what is tried."""

    class Imagined:
        def __init__(self, device: Device, signals: Sequence[Signal]) -> None:
            self._well, self._signals = int(device.alias[1:]) % 20 != 7, signals

        async def scan(self) -> Sequence[Sample]:
            if not self._well:
                raise TimedOut("response", 2.5)
            return [sample(each, Measured(230, "V"), datetime.now(UTC)) for each in self._signals]

        async def backfill(self, signals: Sequence[Signal], since: datetime, until: datetime) -> Sequence[Sample]:
            return []

        async def obey(self, command: Command) -> CommandResult:
            return CommandResult(False, "nobody is there")

        async def close(self) -> None:
            pass

    devices = [
        Device(
            alias=f"d{number}",
            name=f"House {number}",
            driver=DriverName.DLMS,
            parameters=DlmsParameters(ip=f"192.0.2.{number % 250}", port=4059 + number // 250, retry_counter=1),
        )
        for number in range(300)
    ]
    signals = [
        Signal(alias=f"{each.alias}_{phase}", name=f"Voltage L{phase}", device=each.alias, job=None)
        for each in devices
        for phase in (1, 2, 3)
    ]

    async def run() -> None:
        gateway = Gateway(tmp_path, claims=tmp_path / "locks", make_driver=Imagined)
        settings = config.Settings(page="127.0.0.1:0")
        await gateway.start(Configuration(devices=tuple(devices), signals=tuple(signals), settings=settings))
        try:
            assert gateway.page is not None
            async with browsing(viewport=PHONE) as page:
                await page.goto(gateway.page.url)
                shown = page.locator(".device:visible")
                await expect(shown).to_have_count(300)
                await expect(page.locator("#figures")).to_contain_text("855 of 900")
                await page.get_by_role("button", name="Lost only").click()
                await expect(shown).to_have_count(15)
                await expect(shown.first.locator(".reason")).to_contain_text("no answer in the response phase")
                await page.get_by_role("button", name="Lost only").click()
                await page.get_by_label("Find a device or signal").fill("house 299")
                await expect(shown).to_have_count(1)
                await shown.first.locator("summary").click()
                await expect(page.locator("tr[data-signal=d299_3] .value")).to_have_text("230 V")
                await page.get_by_label("Find a device or signal").fill("")
                await expect(shown).to_have_count(300)
                assert await fits(page)
        finally:
            await gateway.close()

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
