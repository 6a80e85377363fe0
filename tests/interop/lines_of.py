"""A peer of the set `scada` as a process that is asked and heard by lines of JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".peers" / "scada" / "bin" / "python"
DRIVERS = ROOT / "tests" / "interop" / "peers"
PATIENCE = 30


class Peer:
    """The process; `heard` is all that it said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.heard: list[dict[str, Any]] = []

    async def hear(self) -> dict[str, Any]:
        """Return what it says next."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            line = await self._process.stdout.readline()
        assert line, "the peer has ended"
        told: dict[str, Any] = json.loads(line)
        self.heard.append(told)
        return told

    async def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Hear it until it says something."""
        while not wanted(told := await self.hear()):
            pass
        return told

    async def tell(self, *words: object) -> None:
        """Say a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words).encode() + b"\n")
        await self._process.stdin.drain()

    async def ask(self, *words: object) -> Any:
        """Say a line and return its answer."""
        await self.tell(*words)
        told = await self.until(lambda each: "did" in each)
        assert "error" not in told, told["error"]
        return told["result"]


@asynccontextmanager
async def peer(driver: str, **settings: Any) -> AsyncGenerator[Peer]:
    """Start a driver of `peers` under the peers' interpreter, isolated; it ends when its stdin does."""
    if not PYTHON.exists():
        pytest.fail("the peers' environment is missing. Type: make setup")
    process = await asyncio.create_subprocess_exec(
        *(str(PYTHON), "-I", str(DRIVERS / driver), json.dumps({"host": "127.0.0.1", **settings})),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Peer(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(PATIENCE):
                await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
