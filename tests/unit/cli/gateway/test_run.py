"""`cosem gateway run` and its short form: once, dry, for ever, with the tables changed under its feet."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from cosem.cli.gateway.run import Frames
from cosem.gateway.buffer import Buffer
from cosem.gateway.frames import Secrets
from cosem.io.capture import TraceEntry
from cosem.meter import serving
from cosem.meter.demo import household
from interop.served import running

SOURCES = Path(__file__).parents[4] / "src"
Cosem = Callable[..., Any]

TABLES = """
[[devices]]
name = "A household"
device_alias = "house"
protocol = "DLMS"
type = "LN"
mode = "DLMS-WRAPPER"
client_address = "10"
logical_address = 1
ip = "127.0.0.1"
port = {port}
scan_rate_ms = 100
retry_counter = 1
timeout_ms = 3000
{more}

[[signals]]
signal_name = "Energy"
device_alias = "house"
signal_alias = "energy"
obis_job = "1.0.1.8.0.255"
number_type = "FLOAT"

[[signals]]
signal_name = "Answers"
device_alias = "house"
signal_alias = "answers"
source = "status"
number_type = "DIGITAL"

[[outputs]]
kind = "iec104"
name = "scada"
address = "127.0.0.1:{out}"
"""


@pytest.fixture
def port() -> Iterator[int]:
    with running(serving(household(1), "tcp://127.0.0.1:0")) as found:
        yield found


def free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(autouse=True)
def _own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.chdir(tmp_path)


def tables(folder: Path, port: int, more: str = "") -> Path:
    path = folder / "gateway.toml"
    path.write_text(TABLES.format(port=port, out=0 if not more else free(), more=more))
    return path


def test_once_shows_the_values(cosem: Cosem, tmp_path: Path, port: int) -> None:
    path = tables(tmp_path, port)
    ran = cosem("gateway", "-c", path, "--once")
    assert ran.code == 0, ran.err
    assert "energy" in ran.out
    assert "Wh" in ran.out
    told = cosem("gateway", "run", path, "--once", "--json").json["signals"]
    assert [(each["signal"], each["quality"]) for each in told] == [("energy", "good"), ("answers", "good")]
    assert told[0]["value"] > 0
    assert told[1]["value"] is True


def test_the_template_reads_what_cosem_simulate_serves(cosem: Cosem, tmp_path: Path, port: int) -> None:
    folder = tmp_path / "plant"
    assert cosem("gateway", "new", folder).code == 0
    devices = folder / "devices.csv"
    devices.write_text(devices.read_text("utf-8").replace("4059", str(port)), "utf-8")
    ran = cosem("gateway", "-c", folder, "--once", "--json")
    assert ran.code == 0, ran.err
    assert len(ran.json["signals"]) > 1


def test_once_with_a_meter_that_is_away(cosem: Cosem, tmp_path: Path) -> None:
    ran = cosem("gateway", "-c", tables(tmp_path, free()), "--once", "--json")
    assert ran.code == 1
    assert ran.json["signals"][0]["signal"] == "answers"
    assert ran.json["signals"][0]["value"] is False
    assert "house is lost" in ran.err
    assert "error: energy was not read" in ran.err


def test_a_dry_run_shows_the_maps_and_reaches_nobody(cosem: Cosem, tmp_path: Path) -> None:
    path = tables(tmp_path, 1)
    ran = cosem("gateway", "run", path, "--dry-run")
    assert ran.code == 0
    assert "in use 1 device, 2 signals, 1 output" in ran.err
    assert "scada:" in ran.out
    assert "36" in ran.out
    maps = cosem("gateway", "run", path, "--dry-run", "--json").json["maps"]
    assert maps["scada"][1] == ["1", "13", "36", "energy", "", ""]


def test_level_7_shows_every_frame_decoded(cosem: Cosem, tmp_path: Path, port: int) -> None:
    ran = cosem("gateway", "-c", tables(tmp_path, port), "--once", "-d7")
    assert "house TX: " in ran.err
    assert "aarq" in ran.err
    assert "reason: normal (0)" in ran.err
    for words in (("--iec21",), ("-p", "1")):
        assert "house TX: " not in cosem("gateway", "-c", tables(tmp_path, port), "--once", "-d7", *words).err
    for words in (("--dlms",), ("-p", str(port)), ("-p", f"127.0.0.1:{port}")):
        assert "house TX: " in cosem("gateway", "-c", tables(tmp_path, port), "--once", "-d7", *words).err


TWO = """
[[devices]]
name = "Another"
device_alias = "other"
protocol = "IEC 62056-21"
serialnumber = 0
ip = "127.0.0.1"
port = {port}
timeout_ms = 5000
retry_counter = 1
poll_delay_ms = 0

[[signals]]
signal_name = "Energy"
device_alias = "other"
signal_alias = "of_the_other"
tag_job_todo = "1.8.0"
number_type = "DOUBLE"
log = 1
"""


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ((), {"house", "other"}),
        (("--dlms",), {"house"}),
        (("--iec21",), {"other"}),
        (("--iec-62056-21",), {"other"}),
        (("--elgama",), set()),
        (("--dlms", "--iec21"), {"house", "other"}),
        (("-p", "{house}"), {"house"}),
        (("--port", "127.0.0.1:{other}"), {"other"}),
        (("-p", "PORT9"), set()),
    ],
)
def test_every_channel_of_talk_is_of_the_devices_that_are_wanted(
    cosem: Cosem, tmp_path: Path, port: int, words: tuple[str, ...], shown: set[str]
) -> None:
    """Frames, what becomes of scans, and the event log; what is written to stdout is the same for all."""
    with running(serving(household(2), "iec21+tcp://127.0.0.1:0")) as local:
        path = tables(tmp_path, port)
        text = path.read_text().replace('signal_alias = "energy"', 'signal_alias = "energy"\nlog = 1')
        path.write_text(text + TWO.format(port=local))
        given = [each.format(house=port, other=local) for each in words]
        ran = cosem("gateway", "-c", path, "--once", "-d7", *given)
    assert ran.code == 0, ran.err
    assert {each for each in ("house", "other") if f"{each} TX: " in ran.err} == shown
    logged = {"house": "energy = ", "other": "of_the_other = "}
    assert {each for each, line in logged.items() if f" {line}" in ran.err} == shown
    assert "of_the_other" in ran.out


@pytest.mark.parametrize(("words", "shown"), [((), True), (("--iec21",), False), (("-p", "1"), False)])
def test_what_is_lost_is_told_of_the_devices_that_are_wanted(
    cosem: Cosem, tmp_path: Path, words: tuple[str, ...], shown: bool
) -> None:
    ran = cosem("gateway", "-c", tables(tmp_path, free()), "--once", *words)
    assert ("house is lost" in ran.err) is shown


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_names_every_flag(cosem: Cosem, word: str) -> None:
    ran = cosem("gateway", word)
    assert ran.code == 0
    for flag in ("--version", "--port", "--debug", "--config", "--dlms", "--iec21", "--elgama", "--once", "--dry-run"):
        assert flag in ran.out
    for flag in ("-h", "-V", "-p", "-d", "-c"):
        assert f"{flag} " in ran.out or f"{flag}," in ran.out


@pytest.mark.parametrize(
    "words", [("-c", "{path}"), ("--config", "{path}"), ("run", "{path}"), ("run", "-c", "{path}")]
)
def test_where_the_tables_are(cosem: Cosem, tmp_path: Path, words: tuple[str, ...]) -> None:
    path = tables(tmp_path, 1)
    assert cosem("gateway", *(each.format(path=path) for each in words), "--dry-run").code == 0


@pytest.mark.parametrize("words", [("-d7",), ("-d", "7"), ("--debug", "7"), ("--debug=7",)])
def test_the_level_is_spelled_together_or_apart(
    cosem: Cosem, tmp_path: Path, port: int, words: tuple[str, ...]
) -> None:
    assert "house TX: " in cosem("gateway", "-c", tables(tmp_path, port), "--once", *words).err


@pytest.mark.parametrize("level", ["-1", "8"])
def test_levels_that_there_are_not(cosem: Cosem, tmp_path: Path, level: str) -> None:
    assert cosem("gateway", "-c", tables(tmp_path, 1), f"-d{level}").code == 64


def test_frames_with_a_password_are_shown_without_it(capsys: pytest.CaptureFixture[str]) -> None:
    aarq = (
        "6036A1090607608574050801018A0207808B0760857405080201AC0A80083132333435363738"
        "BE10040E01000000065F1F0400001E1DFFFF"
    )
    Frames("house", Secrets([b"12345678"])).show(TraceEntry("TX", bytes.fromhex(aarq), "09:35:09.123"))
    said = capsys.readouterr().err
    assert "house TX:" in said
    for shown in ("12345678", "3132333435363738", "31 32 33"):
        assert shown not in said


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 64, "say where the tables are"),
        (("nowhere.toml",), 64, "nothing to run"),
    ],
)
def test_what_cannot_be_run(cosem: Cosem, words: tuple[str, ...], code: int, said: str) -> None:
    ran = cosem("gateway", "run", *words)
    assert (ran.code, said in ran.err) == (code, True), ran.err


def test_the_page_is_served_where_the_command_line_says(cosem: Cosem, tmp_path: Path, port: int) -> None:
    path = tables(tmp_path, port)
    with Running(path, "--page", f"127.0.0.1:{(own := free())}") as gateway:
        assert gateway.said("status page").strip() == f"status page: http://127.0.0.1:{own}/"
        with urllib.request.urlopen(f"http://127.0.0.1:{own}/api/plant") as answer:
            assert json.load(answer)["devices"][0]["device"] == "house"
        gateway.stop()
    ran = cosem("gateway", "run", path, "--page", "0.0.0.0:0")
    assert (ran.code, "page_token" in ran.err) == (64, True)


def test_the_version(cosem: Cosem) -> None:
    assert cosem("gateway", "-V").out == cosem("--version").out


class Running:
    """The gateway in a process of its own, and what it says."""

    def __init__(self, path: Path, *words: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cosem", "gateway", "-c", str(path), *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._patience = threading.Timer(60, self.process.kill)
        self._patience.start()

    def said(self, text: str) -> str:
        assert self.process.stderr is not None
        heard: list[str] = []
        for line in self.process.stderr:
            heard.append(line)
            if text in line:
                return line
        raise AssertionError("".join(heard))

    def stop(self) -> None:
        assert self.process.stderr is not None
        self.process.send_signal(signal.SIGTERM)
        rest = self.process.stderr.read()
        assert self.process.wait() == 0
        assert rest.splitlines()[-1] == "stopped"

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self._patience.cancel()
        self.process.kill()
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()


def test_it_runs_reads_changes_and_stops(tmp_path: Path, port: int) -> None:
    path = tables(tmp_path, port)
    with Running(path) as gateway:
        gateway.said("in use 1 device")
        gateway.said("output scada: iec104, 2 points")
        second = Running(path)
        with second:
            line = second.said("another gateway has the line")
        assert f"process {gateway.process.pid}" in line
        assert f"kill {gateway.process.pid}" in line
        path.write_text(path.read_text().replace('number_type = "FLOAT"', 'number_type = "FLOT"'))
        gateway.process.send_signal(signal.SIGHUP)
        gateway.said("faults: what runs goes on")
        path.write_text(path.read_text().replace('number_type = "FLOT"', 'number_type = "DOUBLE"'))
        gateway.said("has changed: 0 faults")
        gateway.stop()


@contextmanager
def overheard(port: int) -> Iterator[tuple[int, bytearray]]:
    """Stand between the gateway and its meter, for one connection; give the port for it, and what the gateway sends."""
    sent = bytearray()

    def pump(source: socket.socket, sink: socket.socket, kept: bytearray) -> None:
        with suppress(OSError):
            while octets := source.recv(4096):
                kept += octets
                sink.sendall(octets)
            sink.shutdown(socket.SHUT_WR)

    def relay() -> None:
        caller, _ = listener.accept()
        with caller, socket.create_connection(("127.0.0.1", port)) as meter:
            answers = threading.Thread(target=pump, args=(meter, caller, bytearray()))
            answers.start()
            pump(caller, meter, sent)
            answers.join()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        thread = threading.Thread(target=relay)
        thread.start()
        yield listener.getsockname()[1], sent
        thread.join()


def test_it_leaves_its_meter_in_good_order_and_keeps_what_nobody_took(tmp_path: Path, port: int) -> None:
    with overheard(port) as (between, sent):
        path = tables(tmp_path, between)
        broker = f'[[outputs]]\nkind = "mqtt"\nname = "broker"\naddress = "127.0.0.1:{free()}"\n'
        path.write_text(path.read_text() + broker)
        with Running(path, "-d7") as gateway:
            gateway.said("broker: ")  # is away
            gateway.said("get-response")
            gateway.said("get-response")
            gateway.stop()
    apdus = []
    while sent:  # in wrappers of IEC 62056-46
        length = int.from_bytes(sent[6:8], "big")
        apdus.append(bytes(sent[8 : 8 + length]))
        del sent[: 8 + length]
    assert [apdus[0][:1], apdus[-1][:1]] == [b"\x60", b"\x62"], "AARQ first, RLRQ last"
    buffer = Buffer(tmp_path / "gateway-buffer.sqlite", 1_000_000)
    waiting = buffer.take("broker", 1000)
    buffer.close()
    assert {each.sample.signal for each in waiting} == {"energy", "answers"}
