"""The command as a real process: simulate, demo, signals, exit codes, and the install line."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import split
from typing import Any

import pytest

import cosem.cli
from cosem.cli import simulate
from cosem.protocol.profile.address import ConnectionUrl

SOURCES = Path(__file__).parents[3] / "src"
Cosem = Callable[..., Any]


def environment(state: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SOURCES), "XDG_STATE_HOME": str(state), "PYTHONWARNINGS": "error"}


def program(state: Path, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cosem", *words],
        env=environment(state),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
    )


@contextmanager
def simulated(state: Path, *words: str, ends_with: signal.Signals = signal.SIGTERM) -> Iterator[list[str]]:
    """Run `cosem simulate` and give the lines it prints; it must end cleanly when it is asked to."""
    place = () if "--listen" in words else ("--listen", "tcp://127.0.0.1:0")
    process = subprocess.Popen(
        [sys.executable, "-m", "cosem", "simulate", *place, *words],
        env=environment(state),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    patience = threading.Timer(60, process.kill)
    patience.start()
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        count = int(words[words.index("--count") + 1]) if "--count" in words else 1
        yield [process.stdout.readline() for _ in range(count)]
        process.send_signal(ends_with)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err.splitlines()[-1]) == (0, "", "stopped")
    finally:
        patience.cancel()
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()


@pytest.mark.parametrize("security", ["none", "low", "gmac"])
def test_the_printed_command_reads_the_simulated_meter(tmp_path: Path, security: str) -> None:
    with simulated(tmp_path, "--count", "2", "--security", security) as lines:
        for number, line in enumerate(lines, start=1):
            name, url, command = line.strip().split("  ", 2)
            assert name == f"KFM1020{number:09}"
            assert url.startswith("tcp://127.0.0.1:")
            read = program(tmp_path, *split(command)[1:], "--json")
            assert read.returncode == 0, read.stderr
            (reading,) = json.loads(read.stdout)["readings"]
            assert (reading["unit"], reading["value"] > 0) == ("Wh", True)
    for secret in tmp_path.glob("cosem/simulate-*/*"):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        assert secret.read_text().strip() not in "".join(lines)
    assert len(list(tmp_path.glob("cosem/simulate-*/*"))) == {"none": 0, "low": 1, "gmac": 2}[security]


def test_the_printed_command_follows_the_simulated_p1_port(tmp_path: Path) -> None:
    with simulated(tmp_path, "--listen", "p1+tcp://127.0.0.1:0") as (line,):
        name, _, command = line.split("  ", 2)
        ran = program(tmp_path, *split(command)[1:], "--count", "1", "--json")
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["check"] == "right"
    assert {each["obis"] for each in told["readings"]} > {"1.0.1.8.0.255", "1.0.1.7.0.255"}
    assert name


def test_a_misbehaving_meter_is_refused_with_the_reason(tmp_path: Path) -> None:
    for word, why in (("deviation=octets_after_apdu", "octets"), ("reboot_after=1", "closed")):
        with simulated(tmp_path, "--fault", word) as (line,):
            ran = program(tmp_path, *split(line.split("  ", 2)[2])[1:])
        assert ran.returncode not in (0, 64), ran.stdout
        assert why in ran.stderr
    refused = program(tmp_path, "simulate", "--fault", "loss=2")
    assert (refused.returncode, "odds from 0 to 1" in refused.stderr) == (64, True)


def test_a_meter_of_another_load(tmp_path: Path) -> None:
    with simulated(tmp_path, "--load", "gas") as (line,):
        command = line.split("  ", 2)[2]
        ran = program(tmp_path, *split(command)[1:])
    assert "7.0.3.0.0.255" in command and ran.returncode == 0 and "m³" in ran.stdout
    refused = program(tmp_path, "simulate", "--load", "castle")
    assert (refused.returncode, "heat_pump, shop, pv" in refused.stderr) == (64, True)
    description = tmp_path / "meter.toml"
    description.write_text('[meter]\nname = "TST0000000000001"\n')
    refused = program(tmp_path, "simulate", str(description), "--load", "gas")
    assert (refused.returncode, "[load]" in refused.stderr) == (64, True)


def test_a_described_meter_and_an_interrupt(tmp_path: Path) -> None:
    description = tmp_path / "meter.toml"
    description.write_text('[meter]\nname = "TST0000000000001"\ntemplate = "household"\n')
    with simulated(tmp_path, str(description), ends_with=signal.SIGINT) as (line,):
        assert line.startswith("TST0000000000001  tcp://127.0.0.1:")
        assert program(tmp_path, *split(line.split("  ", 2)[2])[1:]).returncode == 0


def test_demo_keys_are_served_on_loopback_and_read_with_demo_keys(tmp_path: Path) -> None:
    with simulated(tmp_path, "--security", "gmac", "--demo-keys") as (line,):
        assert line.strip().endswith("--demo-keys")
        assert program(tmp_path, *split(line.split("  ", 2)[2])[1:]).returncode == 0
    refused = program(tmp_path, "simulate", "--listen", "tcp://192.0.2.1", "--security", "gmac", "--demo-keys")
    assert (refused.returncode, "loopback only" in refused.stderr) == (64, True)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--listen", "tcp://0.0.0.0:4059"), "can be reached from elsewhere"),
        (("--listen", "tcp://127.0.0.1:65535", "--count", "2"), "beyond 65535"),
        (("--listen", "hdlc+serial:///dev/ttyX", "--count", "2"), "one line"),
        (("--security", "high"), "none, low, gmac"),
        (("--demo-keys",), "--security gmac"),
        (("/there/is/no/such.toml",), "cannot read"),
        (("x.toml", "--count", "2"), "one meter"),
        (("--count", "0"), "count"),
    ],
)
def test_simulate_refuses_what_makes_no_sense(cosem: Cosem, words: tuple[str, ...], complaint: str) -> None:
    ran = cosem("simulate", *words)
    assert (ran.code, ran.out) == (64, "")
    assert complaint in ran.err


def test_a_port_that_is_taken_ends_in_2(cosem: Cosem, served: Any) -> None:
    ran = cosem("simulate", "--listen", served.wrapper)
    assert (ran.code, ran.out) == (2, "")
    assert "cannot listen" in ran.err


def test_ports_count_up_and_zero_stays_zero() -> None:
    ports = [url.port for url in simulate.places(ConnectionUrl.parse("tcp://127.0.0.1:4059"), 3)]
    assert ports == [4059, 4060, 4061]
    assert [url.port for url in simulate.places(ConnectionUrl.parse("tcp://127.0.0.1:0"), 2)] == [0, 0]


def test_the_demonstration(tmp_path: Path) -> None:
    ran = program(tmp_path, "demo", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    head, _, *rows = ran.stdout.splitlines()
    assert head.split() == ["meter", "OBIS", "name", "value", "unit", "time"]
    names = {row.split()[0] for row in rows}
    assert names == {f"KFM1020{number:09}" for number in range(1, 21)}
    assert {"Clock", "Wh", "V"} <= set(ran.stdout.split())
    assert str(tmp_path / "cosem-demo.sqlite") in ran.stderr
    assert "cosem simulate" in ran.stderr
    assert "20/20" in ran.stderr
    with sqlite3.connect(tmp_path / "cosem-demo.sqlite") as store:
        per_meter = store.execute("SELECT meter, count(*) FROM reading WHERE profile IS NOT NULL GROUP BY meter")
        assert {name: 96 * 5 <= count <= 98 * 5 for name, count in per_meter} == dict.fromkeys(names, True)
    store.close()
    assert not list(tmp_path.glob("cosem/*"))  # nothing of it stays with the user


def test_a_second_demonstration_goes_on_in_the_same_file(cosem: Cosem, tmp_path: Path) -> None:
    first = cosem("demo", "--store", tmp_path / "d.sqlite", "--json")
    second = cosem("demo", "--store", tmp_path / "d.sqlite", "--json")
    assert (first.code, second.code) == (0, 0)
    assert len(first.json["readings"]) == len(second.json["readings"])
    reading = first.json["readings"][0]
    assert set(reading) == {"meter", "reference", "obis", "name", "profile", "value", "unit", "time"}


def test_without_the_extra_the_install_line_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cosem.cli, "find_spec", lambda name: None if name == "typer" else object())
    with pytest.raises(SystemExit) as ended:
        cosem.cli.main()
    assert ended.value.code == 64
    assert capsys.readouterr().err == "The command line needs typer. Install it with: pip install 'cosem[cli]'\n"


def test_ctrl_c_while_the_verbs_are_loaded_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Pressed:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "cosem.cli.app":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "cosem.cli.app")
    monkeypatch.setattr(sys, "meta_path", [Pressed(), *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        cosem.cli.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_the_module_without_its_verbs_needs_no_extra() -> None:
    code = (
        "import sys\nsys.modules.update(dict.fromkeys(('typer', 'rich', 'apsw')))\n"
        "import cosem.cli\nassert 'cosem.cli.app' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(SOURCES)}, check=True, timeout=60)


@pytest.mark.parametrize(
    ("words", "code"), [(("--version",), 0), (("--help",), 0), (("read", "--help"), 0), ((), 64), (("raed",), 64)]
)
def test_the_process_ends_with_the_exit_code(tmp_path: Path, words: tuple[str, ...], code: int) -> None:
    ran = program(tmp_path, *words)
    assert ran.returncode == code
    assert "Traceback" not in ran.stderr


def test_an_output_that_knows_few_characters_is_no_traceback(tmp_path: Path, served: Any) -> None:
    poor = environment(tmp_path) | {"PYTHONIOENCODING": "ascii"}
    ran = subprocess.run(
        [sys.executable, "-m", "cosem", "read", served.wrapper, "1.8.0"],
        env=poor,
        capture_output=True,
        timeout=60,
    )
    assert (ran.returncode, b"1234567.8" in ran.stdout, ran.stderr) == (0, True, b"")


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path, served: Any) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "cosem", "profile", served.household, "1.0.99.1.0.255", "--json"],
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    process.wait(60)
    assert "Traceback" not in err


def test_the_printed_command_reads_a_local_port_as_it_is_described(tmp_path: Path) -> None:
    description = tmp_path / "meter.toml"
    description.write_text(
        '[meter]\nname = "TST0000000000001"\ntemplate = "household"\n'
        '[local]\nidentification = "TSt5SHOP"\nblock_check = "sum"\nreadout = ["0.0.42.0.0.255"]\n'
    )
    with simulated(tmp_path, str(description), "--listen", "iec21+tcp://127.0.0.1:0") as (line,):
        ran = program(tmp_path, *split(line.split("  ", 2)[2])[1:])
    assert ran.returncode == 0, ran.stderr
    assert "TST0000000000001" in ran.stdout
    assert "1.8.0" not in ran.stdout
