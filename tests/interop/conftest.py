"""Peers as separate processes: a simulated meter to read, and a client that reads our meter."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PEERS = ROOT / ".peers"
DRIVERS = Path(__file__).resolve().parent / "peers"

# The example keys that the standard's own worked examples use.
ENCRYPTION_KEY = "000102030405060708090A0B0C0D0E0F"
AUTHENTICATION_KEY = "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF"
PASSWORD = "12345678"

# authentication → client address of the simulator, and how it is told so
ACCESS = {"none": (16, "16:0"), "low": (32, f"32:1:{PASSWORD}"), "gmac": (1, "1:5")}


@dataclass(frozen=True)
class Simulator:
    """A meter that listens on loopback, and what a client needs to read it."""

    framing: str  # "wrapper" or "hdlc"
    auth: str  # "none", "low" or "gmac" (then every APDU is authenticated and encrypted)
    host: str
    port: int
    client: int
    server: int = 1
    password: str | None = None
    encryption_key: str | None = None
    authentication_key: str | None = None

    @property
    def url(self) -> str:
        scheme = {"wrapper": "tcp", "hdlc": "hdlc+tcp"}[self.framing]
        return f"{scheme}://{self.host}:{self.port}?client={self.client}&server={self.server}"


@pytest.fixture
def pydlms_simulator() -> Iterator[Callable[[str, str], Simulator]]:
    """Call it with (framing, auth): starts the simulator of pydlms-client, which ends with the test."""
    with contextlib.ExitStack() as running:

        def start(framing: str = "wrapper", auth: str = "none") -> Simulator:
            client, spoken = ACCESS[auth]
            words = ["simulate", "--host", "127.0.0.1", "--port", "0", "--client", spoken]
            words += ["--hdlc"] if framing == "hdlc" else []
            given: dict[str, Any] = {"password": PASSWORD} if auth == "low" else {}
            if auth == "gmac":
                words += ["--key", ENCRYPTION_KEY, "--auth-key", AUTHENTICATION_KEY]
                given = {"encryption_key": ENCRYPTION_KEY, "authentication_key": AUTHENTICATION_KEY}
            port = running.enter_context(listening([peer("pydlms"), *words], r"listening on 127\.0\.0\.1:(\d+)"))
            return Simulator(framing, auth, "127.0.0.1", port, client, **given)

        yield start


@pytest.fixture
def pydlms_meter() -> Iterator[Callable[..., int]]:
    """Call it with the settings of `peers/pydlms_meter.py`: serves the peer's example meter, returns its port."""
    with contextlib.ExitStack() as running:

        def start(**settings: Any) -> int:
            command = [peer("python"), "-I", str(DRIVERS / "pydlms_meter.py"), json.dumps(settings)]
            return running.enter_context(listening(command, r"listening on 127\.0\.0\.1:(\d+)"))

        yield start


@pytest.fixture
def pydlms() -> Callable[..., dict[str, Any]]:
    """Call it with (port, operations, mechanism=5, …): runs `peers/pydlms_client.py`, returns its answer."""

    def run(port: int, operations: list[list[Any]], **settings: Any) -> dict[str, Any]:
        return drive("pydlms_client.py", json.dumps({"port": port, **settings}), json.dumps(operations))

    return run


@pytest.fixture
def dlms_cosem() -> Callable[..., dict[str, Any]]:
    """Call it with (port, operations, auth="gmac", …): runs `peers/dlms_cosem_client.py`, returns its answer."""

    def run(port: int, operations: list[list[Any]], **settings: Any) -> dict[str, Any]:
        return drive("dlms_cosem_client.py", json.dumps({"port": port, **settings}), json.dumps(operations))

    return run


@pytest.fixture
def gurux() -> Callable[..., dict[str, Any]]:
    """Call it with (port, operations, auth="gmac", client=1, …): runs `peers/gurux_client.py`, returns its answer."""

    def run(port: int, operations: list[list[Any]], *, host: str = "127.0.0.1", **options: Any) -> dict[str, Any]:
        words = [f"--{name.replace('_', '-')}={value}" for name, value in options.items() if value is not None]
        return drive("gurux_client.py", *words, host, str(port), json.dumps(operations))

    return run


@pytest.fixture
def dsmr_parser() -> Callable[[list[str], list[list[str]]], dict[str, Any]]:
    """Call it with P1 telegrams in clear, and sealed ones: runs `peers/p1_dsmr_parser.py`, returns its answer."""

    def run(clear: list[str], sealed: list[list[str]]) -> dict[str, Any]:
        interpreter = PEERS / "p1" / "bin" / "python"
        return drive("p1_dsmr_parser.py", json.dumps(clear), json.dumps(sealed), interpreter=interpreter)

    return run


@pytest.fixture
def amshan() -> Callable[[list[str]], dict[str, Any]]:
    """Call it with the octets of lines in hexadecimal: runs `peers/han_amshan.py`, returns its answer."""

    def run(lines: list[str]) -> dict[str, Any]:
        return drive("han_amshan.py", json.dumps(lines), interpreter=PEERS / "han" / "bin" / "python")

    return run


def drive(driver: str, *words: str, interpreter: Path | None = None) -> dict[str, Any]:
    """Run one of our drivers under the peers' interpreter (isolated: it can import nothing of ours)."""
    if interpreter is not None and not interpreter.exists():
        pytest.fail("the peers' environment is missing. Type: make setup")
    done = subprocess.run(
        [str(interpreter or peer("python")), "-I", str(DRIVERS / driver), *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode != 0:
        pytest.fail(f"{driver} ended with {done.returncode}:\n{done.stderr}")
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


@contextlib.contextmanager
def listening(command: list[str], pattern: str) -> Iterator[int]:
    """Run a server that says on stderr which port it took; end it by its own process id."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    patience = threading.Timer(60, process.kill)  # ends the wait below, should the server never say it
    patience.start()
    said: list[str] = []
    drain = threading.Thread(target=process.stderr.read)  # a full pipe would stop the server
    try:
        for line in process.stderr:
            said.append(line.decode(errors="replace"))
            if found := re.search(pattern, said[-1]):
                break
        else:
            pytest.fail(f"{command[0]} did not start:\n{''.join(said)}")
        patience.cancel()
        drain.start()
        yield int(found[1])
    finally:
        patience.cancel()
        process.kill()
        process.wait()
        if drain.ident is not None:
            drain.join()
        process.stderr.close()


def peer(program: str) -> str:
    path = PEERS / "dlms" / "bin" / program
    if not path.exists():
        pytest.fail("the peers' environment is missing. Type: make setup")
    return str(path)
