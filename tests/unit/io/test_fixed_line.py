"""A raw TCP serial server: a change of speed is acknowledged, not done, and said once."""

from __future__ import annotations

import logging
from typing import Any

from cosem.errors import TimedOut
from cosem.io import blocking
from cosem.io.fixed_line import FixedLine
from cosem.io.simulated import World
from cosem.io.stream import LineStream, explained


def test_said_once(caplog: Any) -> None:
    near, far = (world := World(1)).pair()
    stream = FixedLine(near, "192.0.2.7:2000")
    assert isinstance(stream, LineStream)
    assert explained(plain := TimedOut("response"), stream) is plain

    async def scenario() -> bytes:
        await stream.write(b"\x06050\r\n")
        await stream.configure(9600, "7E1")
        await stream.configure(300, "7E1")
        await stream.send_break()
        await stream.write(b"x")
        await world.sleep(1)
        return await far.read(None)

    with caplog.at_level(logging.WARNING, "cosem.io"):
        assert world.run(scenario()) == b"\x06050\r\nx"
    assert [record.getMessage()[:67] for record in caplog.records] == [
        "the line of the meter is not set from here, but behind 192.0.2.7:20"
    ]
    assert "set elsewhere, was not set to 300 baud 7E1" in str(explained(plain, stream))
    assert blocking.run(stream.close()) is None
