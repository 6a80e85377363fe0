"""`cosem probe` finds meters that are each configured in their own way, and the command it prints goes on from there.

Meters, and the commands that follow on lines where something speaks by itself, are processes of their own, on TCP and
on pseudo-terminals.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from commands import cosem
from cosem import Meter, Register, Unit
from cosem.meter import serving
from cosem.meter.local import LocalPort
from cosem.protocol.iec21 import p1
from cosem.protocol.link.hdlc import HdlcAddress
from lines import serial_line

TESTS = Path(__file__).resolve().parents[1]
EXAMPLES = TESTS.parent / "examples"
ENOUGH = 120
"""Seconds after which a process has hung; nothing here takes half as long."""


class World:
    """What one test has: processes, with what survives them in a directory of the test, and lines."""

    def __init__(self, directory: Path, running: ExitStack) -> None:
        scripts = str(Path(sys.executable).parent)
        self.directory = directory
        self.environment = {
            **os.environ,
            "PATH": scripts + os.pathsep + os.environ.get("PATH", ""),
            "XDG_STATE_HOME": str(directory / "state"),
        }
        self.running = running

    def start(self, words: str | list[str], **pipes: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            words, shell=isinstance(words, str), env=self.environment, text=True, start_new_session=True, **pipes
        )
        self.running.callback(_end, process)
        return process

    def simulate(self, *words: str) -> str:
        """Start simulated meters; return where the first is."""
        process = self.start(["cosem", "simulate", "--json", *words], stdout=subprocess.PIPE)
        assert process.stdout is not None
        text = ""
        while not text.endswith("\n}\n"):
            line = process.stdout.readline()
            assert line, "the simulation has ended"
            text += line
        return re.sub(r"\?.*", "", json.loads(text)["meters"][0]["url"]).partition("://")[2]

    def line(self, *, strict: bool = True) -> tuple[str, str]:
        return self.running.enter_context(serial_line(strict=strict))

    def serve(self, url: str, port: LocalPort) -> str:
        """Serve a meter from a thread of this process; return where."""
        return self.running.enter_context(_served(url, port))

    def repeat(self, path: str, line: str, octets: bytes) -> None:
        """Send the same again and again over a line; `line` is its speed and format, as stty has them."""
        subprocess.run(["stty", "-F", path, *line.split()], check=True, env=self.environment)
        self.running.enter_context(_repeated(path, octets))

    def relay(self, to: str, passes: Callable[[bytes], bool]) -> str:
        """Pass on what goes to a place and is let through, and all that comes back; return where that is."""
        return self.running.enter_context(_relayed(to, passes))


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
    process.wait(ENOUGH)
    if process.stdout is not None:
        process.stdout.close()


def _described() -> Meter:
    meter = Meter("KFM1020012345678")
    meter.add(Register("1.0.1.8.0.255"), value=12_345_678, scaler_unit=(0, Unit.WATT_HOUR))
    return meter


@contextmanager
def _served(url: str, port: LocalPort) -> Iterator[str]:
    ready, stop = threading.Event(), threading.Event()
    places: list[str] = []

    async def run() -> None:
        async with serving(_described(), url, beyond_loopback=True, port=port) as server:
            places.append(server.url.place)
            ready.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert ready.wait(ENOUGH)
        yield places[0]
    finally:
        stop.set()
        thread.join(ENOUGH)


@contextmanager
def _repeated(path: str, octets: bytes) -> Iterator[None]:
    over = threading.Event()

    def speak() -> None:
        with Path(path).open("wb", buffering=0) as port:
            while not over.wait(0.3):
                port.write(octets)

    thread = threading.Thread(target=speak)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(ENOUGH)


@contextmanager
def _relayed(to: str, passes: Callable[[bytes], bool]) -> Iterator[str]:
    host, _, port = to.rpartition(":")
    listener = socket.create_server(("127.0.0.1", 0))
    open_ones: list[socket.socket] = []

    def pump(source: socket.socket, sink: socket.socket, let: Callable[[bytes], bool]) -> None:
        try:
            while octets := source.recv(4096):
                if let(octets):
                    sink.sendall(octets)
        except OSError:
            pass
        for each in (source, sink):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def accept() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection((host, int(port)))
            open_ones.extend((near, far))
            for one, other, let in ((near, far, passes), (far, near, bool)):
                threading.Thread(target=pump, args=(one, other, let), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(ENOUGH)
        for each in open_ones:
            each.close()


def _to_server(sap: int) -> Callable[[bytes], bool]:
    return lambda octets: octets[4:6] == sap.to_bytes(2)


def _to_address(address: HdlcAddress, *, otherwise: bool = False) -> Callable[[bytes], bool]:
    """Return what lets frames to an address through, and what is no frame if `otherwise`."""
    wire = address.encode()
    return lambda octets: octets[3 : 3 + len(wire)] == wire if octets[:1] == b"\x7e" else otherwise


def _hdlc_line(world: World, query: str, *, strict: bool = True) -> list[str]:
    meters_end, ours = world.line(strict=strict)
    world.simulate("--listen", f"hdlc+serial://{meters_end}?{query}", "--beyond-loopback")
    return [ours]


def _local_line(world: World, url: str) -> list[str]:
    meters_end, ours = world.line(strict=False)
    world.simulate("--listen", url.format(meters_end), "--beyond-loopback")
    return [ours]


def _described_line(world: World, query: str, port: LocalPort) -> list[str]:
    meters_end, ours = world.line(strict=False)
    world.serve(f"iec21+serial://{meters_end}?{query}", port)
    return [ours]


def _speaking(world: World, line: str, octets: bytes) -> list[str]:
    meters_end, ours = world.line()
    world.repeat(meters_end, line, octets)
    return [ours]


def _with_parity(octets: bytes) -> bytes:
    """Return octets of 7E1 as a line of 8N1 carries them: pseudo-terminals have eight bits."""
    return bytes(octet | (octet.bit_count() & 1) << 7 for octet in octets)


def _vector(name: str, key: str) -> Any:
    first = (TESTS / "vectors" / name).read_text(encoding="utf-8").splitlines()[0]
    return json.loads(first)[key]


def _with_password(world: World) -> list[str]:
    where = world.simulate("--listen", "tcp://127.0.0.1:0", "--security", "low", "--keys", str(world.directory))
    return [where, "--password", f"file:{world.directory / 'password'}"]


def _gama(world: World, *words: str) -> list[str]:
    url = "hdlc+tcp://127.0.0.1:0?physical=2421&address_size=4"
    where = world.simulate(str(EXAMPLES / "gama300.toml"), "--listen", url)
    address = HdlcAddress(1, 2421, 4)
    return [world.relay(where, _to_address(address)), "--serial-number", "02141421", *words]


def _tcp(world: World, scheme: str, query: str = "") -> list[str]:
    return [world.simulate("--listen", f"{scheme}://127.0.0.1:0{query}")]


class Case(NamedTuple):
    """A meter: how it is set up, and what is printed.

    `prepare` gives the words behind `cosem probe`; `url` is the URL without its place, `says` what is told of the
    meter, and `reads` what the printed command shows.
    """

    prepare: Callable[[World], list[str]]
    url: str
    says: str
    reads: str


NAME = "KFM1020000000001"
"""The first simulated household."""

CASES: dict[str, Case] = {
    "the wrapper": Case(lambda world: _tcp(world, "tcp"), "tcp://{}", NAME, NAME),
    "the wrapper, logical device 16 alone": Case(
        lambda world: [world.relay(world.simulate("devices.toml", "--listen", "tcp://127.0.0.1:0"), _to_server(16))],
        "tcp://{}?server=16",
        "KFM1020012345679",
        "KFM1020012345679",
    ),
    "the wrapper, with a password": Case(_with_password, "tcp://{}?client=32", "the access that was given", NAME),
    "HDLC over TCP, an address of one octet": Case(
        lambda world: [world.relay(*_tcp(world, "hdlc+tcp"), _to_address(HdlcAddress(1, None, 1)))],
        "hdlc+tcp://{}",
        NAME,
        NAME,
    ),
    "HDLC over TCP, an address of two octets": Case(
        lambda world: [world.relay(*_tcp(world, "hdlc+tcp", "?physical=17"), _to_address(HdlcAddress(1, 17, 2)))],
        "hdlc+tcp://{}?physical=17",
        NAME,
        NAME,
    ),
    "HDLC over TCP, by short names, an address from the serial number": Case(
        _gama, "hdlc+tcp://{}?physical=2421", "--naming sn", "EGM0000002141421"
    ),
    "HDLC on a line of 9600 baud": Case(lambda world: _hdlc_line(world, "baud=9600"), "hdlc+serial://{}", NAME, NAME),
    "HDLC on a line of 19200 baud": Case(
        lambda world: _hdlc_line(world, "baud=19200"), "hdlc+serial://{}?baud=19200", NAME, NAME
    ),
    "IEC 62056-21 mode C on a line": Case(
        lambda world: _local_line(world, "iec21+serial://{}?parity=software"),
        "iec21+serial://{}?parity=software",
        "KFM5",
        "1.8.0 ",
    ),
    "IEC 62056-21 mode C over TCP": Case(lambda world: _tcp(world, "iec21+tcp"), "iec21+tcp://{}", "KFM5", "1.8.0 "),
    "IEC 62056-21 mode A over TCP": Case(
        lambda world: [world.serve("iec21+tcp://127.0.0.1:0", LocalPort(identification="KFM9METER"))],
        "iec21+tcp://{}",
        "KFM9METER",
        "12345678",
    ),
    "IEC 62056-21 mode B on a line": Case(
        lambda world: _described_line(world, "parity=software", LocalPort(identification="KFMEMETER")),
        "iec21+serial://{}?parity=software",
        "KFMEMETER",
        "12345678",
    ),
    "IEC 62056-21 mode E on a line, which leads to HDLC": Case(
        lambda world: _local_line(world, "hdlc+serial://{}?sign_on=iec21&parity=software"),
        "hdlc+serial://{}?sign_on=iec21&parity=software",
        NAME,
        NAME,
    ),
    "IEC 62056-21 mode E over TCP, an address from the serial number that it tells": Case(
        lambda world: [
            world.relay(
                *_tcp(world, "hdlc+tcp", "?sign_on=iec21&physical=1001&address_size=4"),
                _to_address(HdlcAddress(1, 1001, 4), otherwise=True),
            )
        ],
        "hdlc+tcp://{}?physical=1001&sign_on=iec21",
        NAME,
        NAME,
    ),
    "P1 over TCP": Case(lambda world: _tcp(world, "p1+tcp"), "p1+tcp://{}", "KFM5SIMULATED", "1.0.1.8.0.255"),
    "P1 on a line": Case(
        lambda world: _speaking(world, "115200 raw", TELEGRAM), "p1+serial://{}", "ISK5", "1.0.1.8.1.255"
    ),
    "TIC on a line": Case(
        lambda world: _speaking(world, "1200 raw", _with_parity(_vector("tic.jsonl", "text").encode("latin-1"))),
        "tic+serial://{}?parity=software",
        "TIC",
        "ADCO",
    ),
    "SML on a line": Case(
        lambda world: _speaking(world, "9600 raw", bytes.fromhex(_vector("sml.jsonl", "hex"))),
        "sml+serial://{}",
        "neighbour",
        "1.0.1.8.0.255",
    ),
}

TELEGRAM = p1.telegram(
    "ISK5\\2M550T-1012", [p1.data_set("1-3:0.2.8", "50"), p1.data_set("1-0:1.8.1", "000051.775*kWh")]
)

DEVICES = """
[meter]
name = "KFM1020012345678"

[[device]]
sap = 16
name = "KFM1020012345679"

[[association]]
client = 16
device = 16
access = "read"
"""


@pytest.mark.parametrize("name", CASES)
def test_a_meter_is_found_and_the_printed_command_reads_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[name]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GAMA_PASSWORD", "OPERATOR")
    monkeypatch.setenv("COLUMNS", "500")
    (tmp_path / "devices.toml").write_text(DEVICES, encoding="utf-8")
    with ExitStack() as running:
        world = World(tmp_path, running)
        target, *options = case.prepare(world)
        probed = cosem("probe", target, *options, state=tmp_path / "state")
        print(probed.stderr)
        assert probed.returncode == 0, probed.stderr
        assert probed.stdout.strip() == case.url.format(target)
        assert case.says in probed.stderr
        command = re.findall(r"^next: +(cosem .*)$", probed.stderr, re.MULTILINE)[-1]
        assert command.split()[1] == ("listen" if case.url.startswith(("p1", "tic", "sml")) else "read")
        assert case.reads in shown(world, command, case.reads)


def shown(world: World, command: str, wanted: str) -> str:
    """Give a command as it was printed; return what it shows, of one that goes on until that is there."""
    _, verb, *words = shlex.split(command)
    if verb == "read":
        read = cosem(verb, *words, state=world.directory / "state")
        assert read.returncode == 0, read.stderr
        return read.stdout
    process = world.start(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    out = ""
    while wanted not in out:
        line = process.stdout.readline()
        assert line, out
        out += line
    return out
