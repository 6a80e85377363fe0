"""A real browser without a window, for pages."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright, expect

QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
"""As it starts as root, and asks nobody but the page's host for anything."""

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 900}


@asynccontextmanager
async def browsing(expected: str = "", **context: Any) -> AsyncGenerator[Page]:
    """Open a window; what the browser complains of fails the test in the end, unless it is `expected`."""
    program = shutil.which("chromium")
    if program is None:
        pytest.fail("the browser is missing. Type: sudo apt-get install -y chromium")
    complaints: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(QUIET))
        page = await (await browser.new_context(**context)).new_page()
        page.set_default_timeout(60_000)
        expect.set_options(timeout=30_000)  # pages ask again every few seconds
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        try:
            yield page
        finally:
            await browser.close()
    assert [each for each in complaints if not expected or expected not in each] == []
