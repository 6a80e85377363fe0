"""`cosem simulate --state` is killed in the middle of its work: what it has acknowledged is there afterwards."""

from __future__ import annotations

import json
import random
import shlex
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from commands import cosem
from cosem import Client
from cosem.errors import CosemError
from cosem.protocol.crypto.key import Key
from cosem.protocol.model import Data, ProfileGeneric
from cosem.protocol.model.classes.access_control import ImageBlock, ImageTransfer, ImageTransferInitiate
from cosem.protocol.values.data import DoubleLongUnsigned, Integer
from cosem.store.counters import FileCounterStore
from e2e.test_security_suites import environment

EK, AK = "71" * 8 + "17" * 8, "93" * 8 + "39" * 8
LIVES = 5
COUNTED, IMAGE, PROFILE = Data("0.0.96.14.0.255"), ImageTransfer(), ProfileGeneric("1.0.99.1.0.255")
METER = f"""
[meter]
name = "KFM1020012345678"

[[object]]
class = "Data"
instance = "0.0.96.14.0.255"
value = {{ double-long-unsigned = 0 }}
writable = ["value"]

[[object]]
class = "ImageTransfer"
instance = "0.0.44.0.0.255"
image_block_size = 16

[[profile]]
instance = "1.0.99.1.0.255"
columns = ["0.0.1.0.0.255:time", "0.0.96.14.0.255:value"]
entries = 5000

[[association]]
client = 1
auth = "gmac"
protection = "auth+enc"
encryption_key = "{EK}"
authentication_key = "{AK}"
access = "manage"
"""


@contextmanager
def started(folder: Path, *words: object) -> Generator[tuple[Any, subprocess.Popen[str]], None, None]:
    """Run `cosem simulate`, give what it says of its meters, and kill it."""
    command = [sys.executable, "-m", "cosem", "simulate", "--json", "--listen", "tcp://127.0.0.1:0", *map(str, words)]
    with subprocess.Popen(
        command,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = ""
        while not said.endswith("\n}\n") and (line := process.stdout.readline()):
            said += line
        try:
            assert said, process.communicate()[1]
            yield json.loads(said), process
        finally:
            process.kill()


class Simulator:
    """The program with its state, in one life after another."""

    def __init__(self, folder: Path, state: str) -> None:
        self._folder = folder
        self._state = folder / state
        (folder / "meter.toml").write_text(METER)

    @contextmanager
    def life(self) -> Generator[tuple[str, subprocess.Popen[str]], None, None]:
        with started(self._folder, self._folder / "meter.toml", "--state", self._state) as (told, process):
            yield str(told["meters"][0]["url"]), process

    def client(self, url: str) -> Client:
        """Return a client that refuses a meter whose invocation counter went back."""
        counters = FileCounterStore(self._folder / "client-counters")
        keys = {"ek": Key(bytes.fromhex(EK)), "ak": Key(bytes.fromhex(AK))}
        return Client.open(url, auth="gmac", system_title=b"KFMCLIEN", counters=counters, **keys)

    def until_killed(self, work: Callable[[Client, int], None], after: int, begin: int) -> int:
        """Work step by step, the program being killed behind one of them; return how many were acknowledged."""
        done = begin
        with self.life() as (url, process):
            reached = threading.Event()

            def kill() -> None:
                reached.wait()
                process.send_signal(signal.SIGKILL)

            killer = threading.Thread(target=kill)
            killer.start()
            try:
                with self.client(url) as client:
                    while True:
                        work(client, done)
                        done += 1
                        if done - begin == after:
                            reached.set()
            except CosemError:
                assert reached.is_set()
            finally:
                reached.set()
                killer.join()
            assert process.wait() == -signal.SIGKILL
        return done


@pytest.mark.parametrize("state", ["meter.state", "meter.sqlite"])
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_what_was_written_captured_and_transferred_is_there_after_each_kill(state: str, tmp_path: Path) -> None:
    chance = random.Random(20261126)  # when it dies
    simulator = Simulator(tmp_path, state)
    octets = chance.randbytes(16 * 4000)

    def step(client: Client, number: int) -> None:
        client.set(COUNTED.value, DoubleLongUnsigned(number + 1))
        client.act(PROFILE.capture, Integer(0))
        if not number:
            client.act(IMAGE.image_transfer_initiate, ImageTransferInitiate(b"firmware", len(octets)))
        client.act(IMAGE.image_block_transfer, ImageBlock(number, octets[16 * number : 16 * number + 16]))

    done = 0
    for _ in range(LIVES):
        done = simulator.until_killed(step, chance.randint(1, 25), done)
        with simulator.life() as (url, _process), simulator.client(url) as client:
            value: Any = client.get(COUNTED.value)
            assert value in (done, done + 1)  # what was under way may have come as far as to be kept
            rows: Any = client.get(PROFILE.buffer)
            captured = [int(row[1]) for row in rows]
            assert captured in (list(range(1, done + 1)), list(range(1, done + 2)))
            blocks = str(client.get(IMAGE.image_transferred_blocks_status))
            assert blocks.rstrip("0") in ("1" * done, "1" * (done + 1))
            assert value >= len(captured) >= blocks.count("1") >= done
            if len(captured) > done:  # so that each number is captured once
                client.act(IMAGE.image_block_transfer, ImageBlock(done, octets[16 * done : 16 * done + 16]))
                done += 1


def test_two_programs_do_not_share_a_state(tmp_path: Path) -> None:
    simulator = Simulator(tmp_path, "meter.state")
    with simulator.life():
        words = [
            str(tmp_path / "meter.toml"),
            "--state",
            str(tmp_path / "meter.state"),
            "--listen",
            "tcp://127.0.0.1:0",
        ]
        again = cosem("simulate", *words, state=tmp_path)
    assert again.returncode != 0
    assert "another running meter" in again.stderr


def test_damage_is_told_and_the_second_copy_taken_or_nothing_served(tmp_path: Path) -> None:
    simulator = Simulator(tmp_path, "meter.state")
    with simulator.life() as (url, _process), simulator.client(url) as client:
        client.set(COUNTED.value, DoubleLongUnsigned(7))
    first, second = tmp_path / "meter.state" / "state", tmp_path / "meter.state" / "state.copy"
    first.write_bytes(first.read_bytes()[:-100])
    with simulator.life() as (url, process):
        with simulator.client(url) as client:
            assert client.get(COUNTED.value) == 7
        process.kill()
        assert "the first copy of the state is damaged" in process.communicate()[1]
    for each in (first, second):
        each.write_bytes(each.read_bytes()[:-1])
    with pytest.raises(AssertionError, match="every copy of the state is damaged"), simulator.life():
        pass


def test_several_meters_have_a_state_each(tmp_path: Path) -> None:
    for _ in range(2):
        with started(tmp_path, "--count", "2", "--state", tmp_path / "states") as (told, _process):
            names = [each["meter"] for each in told["meters"]]
        assert [(tmp_path / "states" / name / "state").is_file() for name in names] == [True, True]


def place_and_options(told: Any, number: int = 0) -> tuple[str, list[str]]:
    """Return where a meter is, with the client that reads it, and the options that the printed command has for it."""
    _, _, place, _, *options = shlex.split(told["meters"][number]["command"])
    return place, options


def secrets_in(options: list[str]) -> dict[str, str]:
    """Return what is in the files that options name, which nobody else may read."""
    files = [Path(each.removeprefix("file:")) for each in options if each.startswith("file:")]
    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}
    return {each.name: each.read_text().strip() for each in files}


COMPANION = '[meter]\nname = "KFM1020012345678"\ncompanion = "idis"\n'


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("meter.state", ("--security", "low")),
        ("meter.state", ("--security", "gmac")),
        ("meter.sqlite", ("--security", "gmac", "--suite", "2")),
        ("meter.sqlite", ("--security", "ecdsa")),
        ("meter.state", ("companion.toml",)),
    ],
)
def test_secrets_that_were_drawn_at_the_first_start_open_the_meter_at_the_next(
    state: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "companion.toml").write_text(COMPANION)
    words = tuple(str(tmp_path / word) if word.endswith(".toml") else word for word in words)
    lives: list[dict[str, str]] = []
    first: list[str] = []
    for number in range(2):
        with started(tmp_path, *words, "--state", tmp_path / state, "--keys", tmp_path / f"keys-{number}") as life:
            told, process = life
            place, options = place_and_options(told)
            first = first or options
            for given in (first, options):
                ran = cosem("read", place, "0.0.42.0.0.255", "--json", *given, state=tmp_path / "client")
                assert ran.returncode == 0, ran.stderr
            lives.append(secrets_in(options))
            process.kill()
            said = json.dumps(told) + "".join(process.communicate())
        assert not [name for name, secret in lives[0].items() if secret in said]
    assert lives[0] == lives[1] != {}
    kept = list(tmp_path.glob(f"{state}*/*" if (tmp_path / state).is_dir() else f"{state}*"))
    assert {stat.S_IMODE(each.stat().st_mode) for each in kept} == {0o600}
    with started(tmp_path, *words) as (told, _process):  # without a state they are new
        assert not lives[0].items() & secrets_in(place_and_options(told)[1]).items()


def test_a_meter_more_has_the_secrets_of_those_that_were_there(tmp_path: Path) -> None:
    words = ("--security", "gmac", "--state", tmp_path / "states", "--keys", tmp_path / "keys", "--count")
    with started(tmp_path, *words, "2") as (told, _process):
        before = secrets_in(place_and_options(told, 1)[1])
    with started(tmp_path, *words, "3") as (told, _process):
        for number in range(3):
            place, options = place_and_options(told, number)
            assert secrets_in(options) == before
            ran = cosem("read", place, "0.0.42.0.0.255", *options, state=tmp_path / "client")
            assert ran.returncode == 0, ran.stderr


def test_what_a_state_cannot_keep_is_refused_at_the_start(tmp_path: Path) -> None:
    state = ("--state", str(tmp_path / "meter.state"), "--listen", "tcp://127.0.0.1:0")
    with started(tmp_path, "--security", "gmac", *state):
        pass
    for words, why in (
        (("--security", "gmac", "--suite", "1"), "ask for suite 0, or begin a new state"),
        (("--security", "gmac", "--fault", "counter_back=3"), "leave out the fault, or the state"),
    ):
        ran = cosem("simulate", *words, *state, state=tmp_path)
        assert (ran.returncode, why in ran.stderr) == (64, True), ran.stderr
