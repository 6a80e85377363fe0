"""The line that `cosem simulate` opens itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cosem.io.aio import open_serial
from cosem.io.aio.pseudo_terminal import PseudoTerminal


def test_octets_go_from_either_end_to_the_other() -> None:
    async def scenario() -> None:
        async with PseudoTerminal() as line:
            near, far = await open_serial(line.near, 9600), await open_serial(line.far, 300)
            for one, other in ((near, far), (far, near)):
                await one.write(bytes(range(256)))
                heard = b""
                while len(heard) < 256:
                    heard += await other.read(other.now() + 10)
                assert heard == bytes(range(256))
            await near.close()
            await far.close()

    asyncio.run(scenario())


def test_nobody_waits_for_an_end_that_nobody_reads() -> None:
    async def scenario() -> None:
        async with PseudoTerminal() as line:
            near = await open_serial(line.near, 9600)
            for _ in range(64):
                await near.write(bytes(4096))
            await near.close()
            far = await open_serial(line.far, 9600)  # and whoever comes later hears what is said then
            again = await open_serial(line.near, 9600)
            await again.write(b"\x01")
            heard = b""
            while b"\x01" not in heard:
                heard = await far.read(far.now() + 10)
                assert heard
            await far.close()
            await again.close()

    asyncio.run(scenario())


def test_the_devices_are_gone_with_the_line() -> None:
    async def scenario() -> tuple[str, str]:
        async with PseudoTerminal() as line:
            return line.near, line.far

    for each in asyncio.run(scenario()):
        assert not Path(each).exists()
