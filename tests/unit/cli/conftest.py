"""What the tests of the command line need: a runner, and meters that are really served on loopback."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from typer.testing import CliRunner

from cosem import Clock, Data, Meter, ProfileGeneric, Register, Unit
from cosem.cli.app import app
from cosem.meter import Access, AssociationDescription, Keys, LocalPort, Rights, serving
from cosem.meter.demo import household
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.mechanism import MECHANISMS, named
from cosem.protocol.values.data import LongUnsigned, OctetString, Utf8String

EK = "5A1B2C3D4E5F60718293A4B5C6D7E8F9"
AK = "C4B1E07A93D25F6884AA10F7362B9ED3"
PASSWORD = "s3cret-of-the-meter"
LOCAL_PASSWORD = "12345678"
HOSTILE = "\x1b[2J[bold]=cmd\u202e"


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def everything(self) -> str:
        return self.out + self.err


@pytest.fixture
def cosem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Ran]:
    """Call it with the words of a command line; what survives the command is kept in a directory of the test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    runner = CliRunner()

    def run(*words: object, given: str | None = None) -> Ran:
        result = runner.invoke(app, [str(word) for word in words], input=given, prog_name="cosem")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run


def _meter() -> Meter:
    """A meter with what tests ask for: a Data where the catalogue expects a register, and text that means harm."""
    meter = Meter("TST0000000000001")
    meter.add(Register("1.0.1.8.0.255"), value=12_345_678, scaler_unit=(-1, Unit.WATT_HOUR))
    meter.add(Data("1.0.2.8.0.255"), value=LongUnsigned(77))
    meter.add(Data("0.0.96.1.0.255"), value=Utf8String(HOSTILE))
    meter.add(Data("0.0.96.1.1.255"), value=LongUnsigned(5), writable=("value",))
    meter.add(
        ProfileGeneric("1.0.99.1.0.255"),
        capture_objects=(Clock().time, Register("1.0.1.8.0.255").value, Data("0.0.96.1.0.255").value),
        capture_period=900,
        profile_entries=10,
    )
    keys = Keys(Key(bytes.fromhex(EK)), Key(bytes.fromhex(AK)), temporary=True)
    meter.offer(
        AssociationDescription(client=16, name="everything", rights=Rights(Access.MANAGE), general_block_window=8),
        AssociationDescription(
            client=32, name="with a password", mechanism=MECHANISMS[1], secret=Secret(PASSWORD.encode())
        ),
        AssociationDescription(
            client=1, name="ciphered", mechanism=MECHANISMS[5], keys=keys, protection=AUTHENTICATED_ENCRYPTION
        ),
    )
    return meter


@dataclass(frozen=True)
class Served:
    """Where the meters are; the same one over the wrapper and over HDLC, and a household."""

    wrapper: str
    hdlc: str
    household: str


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    """Meters that listen on loopback as long as the tests run."""
    ready: list[Served] = []
    started, stop = threading.Event(), threading.Event()

    async def serve() -> None:
        async with AsyncExitStack() as running:
            meter = _meter()
            wrapper = await running.enter_async_context(serving(meter, "tcp://127.0.0.1:0"))
            hdlc = await running.enter_async_context(serving(meter, "hdlc+tcp://127.0.0.1:0"))
            house = await running.enter_async_context(serving(household(1), "tcp://127.0.0.1:0"))
            ready.append(Served(*(f"{each.url.scheme}://{each.url.place}" for each in (wrapper, hdlc, house))))
            started.set()
            await asyncio.get_running_loop().run_in_executor(None, stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert started.wait(30)
    yield ready[0]
    stop.set()
    thread.join(30)


# An AARE of the standard's worked examples: accepted, no ciphering, 500 octets.
ACCEPTED = bytes.fromhex("6129A109060760857405080101A203020100A305A103020100BE10040E0800065F1F040000501F01F40007")


@pytest.fixture
def deserter() -> Iterator[str]:
    """A meter that opens an association, answers nothing else and hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                connection.sendall(bytes.fromhex("000100010010") + len(ACCEPTED).to_bytes(2, "big") + ACCEPTED)
                connection.recv(4096)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(10)


@pytest.fixture
def nobody() -> str:
    """A place where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"tcp://127.0.0.1:{taken.getsockname()[1]}"


def _described() -> Meter:
    meter = Meter("KFm1020012345678")
    meter.add(Register("1.0.1.8.0.255"), value=12_345_678, scaler_unit=(0, Unit.WATT_HOUR))
    meter.add(Data("0.0.96.1.1.255"), value=OctetString(b"text"))
    meter.offer(
        AssociationDescription(client=16, rights=Rights(Access.PUBLIC)),
        AssociationDescription(client=32, mechanism=named("low"), secret=Secret(LOCAL_PASSWORD.encode())),
    )
    return meter


@pytest.fixture
def local() -> Iterator[str]:
    """The URL of a meter whose local port reads out two objects, of which the public client may see one."""
    ready: Queue[str] = Queue()
    ended = threading.Event()
    port = LocalPort(identification="KFm5MT", settings={"reaction": 0.02})

    async def run() -> None:
        async with serving(_described(), "iec21+tcp://127.0.0.1:0", port=port) as server:
            ready.put(str(server.url))
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        yield ready.get(timeout=30)
    finally:
        ended.set()
        thread.join()
