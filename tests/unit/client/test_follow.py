"""Following meters that only speak: telegrams in order, silence, and the end of the connection."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cosem.client.follow import Follower, follow, follow_async, lines_of, reader_for
from cosem.errors import ConfigurationError, ConnectionLost
from cosem.io.open import hear_async, listen
from cosem.io.simulated import World
from cosem.protocol.crypto.key import Key
from cosem.protocol.iec21 import Discarded
from cosem.protocol.iec21.p1 import P1Keys, P1Reader, Telegram, telegram
from cosem.protocol.iec21.tic import Frame, Group, frame
from cosem.protocol.profile.address import ConnectionUrl
from cosem.readings.han import HanTelegram
from cosem.readings.sml import SmlTelegram

ROOT = Path(__file__).resolve().parents[3]
P1 = telegram("ISK5TEST", [("1-0:1.8.0", "000001.000*kWh")])
TIC = frame([Group("BASE", "000001000"), Group("PAPP", "00230")])
SML = bytes.fromhex(json.loads((ROOT / "tests/vectors/sml.jsonl").read_text("utf-8"))["hex"])
HAN = bytes.fromhex("7EA02A410883130413E6E7000F40000000000101020309060100010700FF060000067D02020F00161B1C057E")
"""toreamun/amshan tests/test_hdlc.py (MIT)."""
NOW = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("framing", "octets", "kind"),
    [("p1", P1, Telegram), ("tic", TIC, Frame), ("sml", SML, SmlTelegram), ("han", HAN, HanTelegram)],
)
def test_files(tmp_path: Path, framing: str, octets: bytes, kind: type) -> None:
    (tmp_path / "said").write_bytes(octets * 3)
    heard = list(follow(f"{framing}+file://{tmp_path}/said"))
    assert [type(each) for each in heard] == [kind] * 3
    for each in heard:
        assert not isinstance(each, Discarded)
        assert [str(r.value) for line in lines_of(each, UTC, NOW) for r in line.readings]


def test_silence_ends_what_is_not_whole_and_the_connection_what_is_left() -> None:
    world = World(1)

    async def speak(stream: object) -> None:
        await stream.write(P1[:30])  # type: ignore[attr-defined]
        await world.sleep(5.0)
        await stream.write(P1 + P1[:40])  # type: ignore[attr-defined]
        await stream.close()  # type: ignore[attr-defined]

    async def scenario() -> None:
        near, far = world.pair()
        world.spawn(speak(far))
        follower = Follower(near, P1Reader())
        kinds = [type(await follower.next()) for _ in range(3)]
        assert kinds == [Discarded, Telegram, Discarded]
        for _ in range(2):
            with pytest.raises(ConnectionLost):
                await follower.next()
        assert follower.counters["telegrams"] == 1
        assert follower.counters["telegrams_discarded"] == 2

    world.run(scenario())


def test_a_serial_server_that_stays_8n1() -> None:
    even = bytes(octet | (octet.bit_count() & 1) << 7 for octet in TIC)

    async def speak(stream: Any) -> None:
        await stream.write(even[:-9] + bytes((even[-9] ^ 0x80,)) + even[-8:])

    async def scenario() -> None:
        async with await listen("tcp://127.0.0.1:0", speak) as listener:
            url = ConnectionUrl.parse(f"tic+tcp://127.0.0.1:{listener.port}?parity=software")
            follower = Follower(await hear_async(url), reader_for(url))
            heard = await follower.next()
            assert isinstance(heard, Frame)
            assert [group.error is None for group in heard.groups] == [True, False]
            assert follower.counters["parity_errors"] == 1
            await follower.stream.close()

    asyncio.run(scenario())


def test_what_is_not_followed() -> None:
    with pytest.raises(ConfigurationError, match="p1"):
        reader_for(ConnectionUrl.parse("tcp://meter"))
    keys = P1Keys(encryption_key=Key(bytes(16)))
    with pytest.raises(ConfigurationError, match="never encrypted"):
        reader_for(ConnectionUrl.parse("tic+tcp://meter:1"), keys)
    with pytest.raises(ConfigurationError):
        next(follow("hdlc+tcp://meter"))

    async def scenario() -> None:
        with pytest.raises(ConfigurationError):
            async for _ in follow_async("udp://meter"):
                raise AssertionError

    asyncio.run(scenario())
