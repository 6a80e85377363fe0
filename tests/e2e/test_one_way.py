"""Meters that only speak, on the other end of a real pseudo-terminal."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from contextlib import aclosing, closing
from pathlib import Path

from cosem import Meter, Register, Unit
from cosem.client.follow import follow, follow_async
from cosem.meter.p1 import P1Port
from cosem.protocol.iec21.p1 import Check, Telegram
from lines import serial_line

SOURCES = Path(__file__).resolve().parents[2] / "src"


def described() -> Meter:
    meter = Meter("KFM1020012345678")
    meter.add(Register("1.0.1.8.0.255"), value=12_345_678, scaler_unit=(0, Unit.WATT_HOUR))
    return meter


def test_a_p1_meter_is_followed_live_on_a_serial_line() -> None:
    async def scenario() -> None:
        with serial_line() as (meters_end, clients_end):
            url = f"p1+serial://{clients_end}"

            async def on_asyncio() -> None:
                heard = 0
                async with aclosing(follow_async(url)) as telegrams:
                    async for telegram in telegrams:
                        if isinstance(telegram, Telegram):  # the line was joined in the middle of one, it may be
                            assert telegram.check is Check.RIGHT
                            heard += 1
                            if heard == 3:
                                return

            def blocking() -> None:
                with closing(follow(url)) as found:
                    assert any(isinstance(next(found), Telegram) for _ in range(3))

            def command() -> dict[str, object]:
                words = [sys.executable, "-m", "cosem", "listen", url, "--count", "3", "--json", "--zone", "UTC"]
                environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
                ran = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60)
                assert ran.returncode == 0, ran.stderr
                assert "line: " in ran.stderr
                told: dict[str, object] = json.loads(ran.stdout.splitlines()[-1])
                return told

            async with P1Port(described(), f"p1+serial://{meters_end}", interval=0.05, beyond_loopback=True):
                await on_asyncio()
                await asyncio.to_thread(blocking)
                told = await asyncio.to_thread(command)
                assert told["check"] == "right"
                assert told["readings"][-1]["value"] == 12345678  # type: ignore[index]

    asyncio.run(scenario())
