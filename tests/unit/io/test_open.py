"""A connection URL opens the stream it means, or is refused before anything is sent."""

import asyncio
import importlib
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cosem.errors import ConfigurationError, ConnectionFailed, ConnectionLost, LocalProtocolError
from cosem.io import blocking
from cosem.io.echo import EchoStripping
from cosem.io.fixed_line import FixedLine
from cosem.io.open import hear_async, hear_blocking, listen, open_async, open_blocking
from cosem.io.software_parity import SoftwareParity


async def echo(stream: Any) -> None:
    await stream.write(await stream.read(None))


@pytest.mark.parametrize("url", ["tcp://127.0.0.1:0", "udp://127.0.0.1:0", "hdlc+tcp://127.0.0.1:0"])
def test_open_async_reaches_what_listens(url: str) -> None:
    async def scenario() -> None:
        async with await listen(url, echo) as listener:
            stream = await open_async(url.removesuffix("0") + str(listener.port))
            await stream.write(b"\x01")
            assert await stream.read(stream.now() + 5) == b"\x01"
            await stream.close()

    asyncio.run(scenario())


def test_open_blocking() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        stream = open_blocking(f"tcp://127.0.0.1:{server.getsockname()[1]}")
        assert isinstance(stream, blocking.SocketStream)
        blocking.run(stream.close())
    udp = open_blocking("udp://127.0.0.1:4059")
    assert isinstance(udp, blocking.DatagramStream)
    blocking.run(udp.close())
    with pytest.raises(ConnectionFailed):
        open_blocking("hdlc+serial:///dev/no-such-port")


@pytest.mark.parametrize(
    "url",
    [
        "tls://meter",
        "hdlc+udp://meter",
        "wrapper+modem:///dev/ttyUSB0?number=1",
        "wrapper+serial:///dev/ttyUSB0",
        "iec21+udp://meter:8000",
        "p1+serial:///dev/ttyUSB0",
        "tic+serial:///dev/ttyUSB0",
        "sml+tcp://meter:1",
        "p1+file://telegrams.txt",
        "mbus+serial:///dev/ttyUSB0",
    ],
)
def test_words_of_the_grammar_that_are_not_opened_yet(url: str) -> None:
    with pytest.raises(ConfigurationError, match="not available in this version"):
        open_blocking(url)
    with pytest.raises(ConfigurationError, match="not available in this version"):
        asyncio.run(open_async(url))


def test_the_words_for_a_wire_put_a_stream_around_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        stream = open_blocking(f"hdlc+tcp://127.0.0.1:{server.getsockname()[1]}?parity=software&echo=strip")
        peer, _ = server.accept()
        assert isinstance(stream, EchoStripping)
        assert isinstance(stream.stream, SoftwareParity)
        assert isinstance(stream.stream.stream, FixedLine)

        async def scenario() -> bytes:
            await stream.configure(300, "7E1")
            await stream.write(b"/?!\r\n")
            peer.sendall(peer.recv(5) + b"\xaf")
            return await stream.read(stream.now() + 5)

        with peer:
            assert blocking.run(scenario()) == b"/"
            blocking.run(stream.close())


def test_a_meter_that_only_speaks_is_heard_over_tcp() -> None:
    async def speak(stream: Any) -> None:
        await stream.write(b"/")

    async def scenario() -> None:
        async with await listen("tcp://127.0.0.1:0", speak) as listener:
            stream = await hear_async(f"p1+tcp://127.0.0.1:{listener.port}")
            assert await stream.read(stream.now() + 5) == b"/"
            await stream.close()

    asyncio.run(scenario())
    with pytest.raises(ConnectionFailed):
        hear_blocking("tic+serial:///dev/no-such-port")


def test_a_file_is_heard_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "said").write_bytes(b"\x02\x03")
    stream = hear_blocking(f"tic+file://{tmp_path}/said")
    assert blocking.run(stream.read(None)) == b"\x02\x03"
    for _ in range(2):
        with pytest.raises(ConnectionLost, match="end"):
            blocking.run(stream.read(None))
    with pytest.raises(LocalProtocolError):
        blocking.run(stream.write(b"?"))
    blocking.run(stream.close())
    with pytest.raises(ConfigurationError, match="cannot read"):
        hear_blocking(f"tic+file://{tmp_path}/nothing")
    with pytest.raises(ConfigurationError, match="blocking"):
        asyncio.run(hear_async(f"tic+file://{tmp_path}/said"))


@pytest.mark.parametrize("url", ["tcp://meter", "p1+udp://meter:1", "tic+modem:///dev/ttyUSB0?number=1"])
def test_what_is_not_heard(url: str) -> None:
    with pytest.raises(ConfigurationError, match="not listened to"):
        hear_blocking(url)


def test_a_serial_line_cannot_be_listened_on() -> None:
    with pytest.raises(ConfigurationError, match="tcp or udp"):
        asyncio.run(listen("hdlc+serial:///dev/ttyUSB0", echo))


def test_serial_without_pyserial_shows_the_line_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def without(name: str, package: str | None = None) -> ModuleType:
        if name.startswith("serial"):
            raise ImportError(name)
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(ConfigurationError, match="pip install"):
        open_blocking("hdlc+serial:///dev/ttyUSB0")


def test_nothing_platform_specific_is_imported_early() -> None:
    code = (
        "import sys; sys.path.insert(0, 'src'); import cosem.io.open, cosem.io.blocking;"
        "print(*(m for m in ('termios', 'fcntl', 'serial', 'asyncio') if m in sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""
