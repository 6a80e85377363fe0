"""`cosem simulate` refuses each option that would do nothing, with the reason."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cosem.cli.failure import NOT_CONNECTED
from cosem.protocol.values.data import Array
from cosem.store import snapshot as snapshots
from cosem.store.snapshot import RecordedAssociation, RecordedDevice, Snapshot

DESCRIPTION = """
[meter]
name = "KFM1020012345678"
"""
ELGAMA = ["--listen", "elgama+tcp://127.0.0.1:0?model=epqs&serial=1&experimental=yes"]
OPTIONS = {
    "--security": ["--security", "gmac"],
    "--suite": ["--suite", "1"],
    "--load": ["--load", "shop"],
    "--fault": ["--fault", "loss=0.1"],
    "--keys": ["--keys", "keys"],
    "--demo-keys": ["--demo-keys"],
    "--state": ["--state", "meter.state"],
    "--control": ["--control"],
}


@pytest.mark.parametrize("option", ["--security", "--suite", "--load", "--fault"])
def test_a_description_says_it_itself(cosem: Callable[..., Any], tmp_path: Path, option: str) -> None:
    file = tmp_path / "meter.toml"
    file.write_text(DESCRIPTION)
    ran = cosem("simulate", str(file), "--listen", "tcp://127.0.0.1:0", *OPTIONS[option])
    assert ran.code == 64
    assert f"{option}: a description says" in ran.err


@pytest.mark.parametrize("option", ["--security", "--suite", "--load"])
def test_a_clone_is_as_its_original(cosem: Callable[..., Any], tmp_path: Path, option: str) -> None:
    ran = cosem("simulate", str(tmp_path / "none.json"), "--listen", "tcp://127.0.0.1:0", *OPTIONS[option])
    assert ran.code == 64
    assert f"{option}: a clone" in ran.err


@pytest.mark.parametrize("option", sorted({*OPTIONS} - {"--fault"}))
def test_an_elgama_meter_has_none(cosem: Callable[..., Any], option: str) -> None:
    ran = cosem("simulate", *ELGAMA, *OPTIONS[option])
    assert ran.code == 64
    assert f"{option}: an Elgama meter of this protocol has none" in ran.err


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("wrong_keys=true", "wrong_keys: an Elgama meter .* it takes loss, .*clock_drift"),
        ("block_loss=0.1", "block_loss: an Elgama meter"),
        ("deviation=REPEATED_LLC", "REPEATED_LLC: an Elgama meter"),
        ("activation_restarts=true", "activation_restarts: an Elgama meter"),
        ("late_by=5", "late_by: no answer comes late"),
    ],
)
def test_an_elgama_meter_misbehaves_on_its_line_alone(cosem: Callable[..., Any], word: str, why: str) -> None:
    ran = cosem("simulate", *ELGAMA, "--fault", word)
    assert ran.code == 64
    assert re.search(why, ran.err), ran.err


LOCAL = ["--listen", "iec21+tcp://127.0.0.1:0"]
TCP, HDLC = ["--listen", "tcp://127.0.0.1:0"], ["--listen", "hdlc+tcp://127.0.0.1:0"]
P1, HAN = ["--listen", "p1+tcp://127.0.0.1:0"], ["--listen", "han+tcp://127.0.0.1:0?lists=norway:aidon"]


@pytest.mark.parametrize("security", ["low", "gmac", "ecdsa"])
@pytest.mark.parametrize("place", [P1, HAN, [*TCP, *P1]], ids=["p1", "han", "tcp and p1"])
def test_what_speaks_in_clear_is_refused_before_secrets_are_written(
    cosem: Callable[..., Any], tmp_path: Path, security: str, place: list[str]
) -> None:
    ran = cosem("simulate", *place, "--security", security, "--keys", tmp_path / "keys")
    assert (ran.code, "does so in clear" in ran.err) == (64, True)
    assert not list((tmp_path / "keys").glob("*")), ran.err


@pytest.mark.parametrize("security", ["gmac", "ecdsa"])
def test_keys_where_nobody_uses_them(cosem: Callable[..., Any], tmp_path: Path, security: str) -> None:
    ran = cosem("simulate", *LOCAL, "--security", security, "--keys", tmp_path / "keys")
    assert (ran.code, f"--security {security}: nobody uses keys" in ran.err) == (64, True)
    assert not list((tmp_path / "keys").glob("*")), ran.err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([*TCP, "wrong_keys=true"], "--fault wrong_keys: no association of this meter has keys; take --security gmac"),
        ([*TCP, "counter_back=1"], "--fault counter_back: no association of this meter has keys"),
        ([*TCP, "deviation=MISSING_LLC"], "--fault deviation MISSING_LLC: it is of HDLC"),
        ([*LOCAL, "deviation=any_invoke_id"], "--fault deviation any_invoke_id: no client speaks DLMS/COSEM"),
        ([*HDLC, "late_by=5"], "--fault late_by: no answer comes late; say how many do"),
    ],
)
def test_a_fault_that_cannot_befall_the_meter(cosem: Callable[..., Any], words: list[str], why: str) -> None:
    *place, word = words
    ran = cosem("simulate", *place, "--fault", word)
    assert (ran.code, why in ran.err) == (64, True), ran.err


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("block_loss = 0.1", "[faults]: block_loss: this meter has no image transfer (class 18)"),
        ("wrong_keys = true", "[faults]: wrong_keys: no association"),
        ('deviations = ["OTHER_CLIENT"]', "[faults]: deviation OTHER_CLIENT: it is of HDLC"),
    ],
)
def test_a_fault_of_a_description_that_cannot_befall_it(
    cosem: Callable[..., Any], tmp_path: Path, line: str, why: str
) -> None:
    file = tmp_path / "meter.toml"
    file.write_text(f"{DESCRIPTION}[faults]\n{line}\n")
    ran = cosem("simulate", str(file), *TCP)
    assert (ran.code, f"{file}: {why}" in ran.err) == (64, True), ran.err


KEYED = '[[association]]\nclient = 1\nauth = "gmac"\nprotection = "auth+enc"\nkeys = "demo"\n'


@pytest.mark.parametrize(
    ("content", "words", "why"),
    [
        (None, ["--keys", "keys"], "--keys: no keys and no passwords are handed out"),
        (None, ["--security", "gmac", "--demo-keys", "--keys", "keys"], "--keys: no keys and no passwords"),
        (DESCRIPTION, ["--keys", "keys"], "--keys: no keys and no passwords are handed out"),
        (DESCRIPTION + KEYED, ["--demo-keys", "--keys", "keys"], "--keys: no keys and no passwords are handed out"),
        (DESCRIPTION, ["--demo-keys"], "--demo-keys: no association of this meter uses published keys"),
    ],
)
def test_secrets_where_there_are_none(
    cosem: Callable[..., Any], tmp_path: Path, content: str | None, words: list[str], why: str
) -> None:
    file = tmp_path / "meter.toml"
    if content is not None:
        file.write_text(content)
    ran = cosem("simulate", *([] if content is None else [str(file)]), *TCP, *words)
    assert (ran.code, why in ran.err) == (64, True), ran.err
    assert not Path("keys").exists()


# -- a start that is refused leaves nothing ----------------------------------------------------------------------------

COMPANION = f'{DESCRIPTION}companion = "smr-5.0"\n'
RECORDED = RecordedDevice(
    1, b"KFM1020012345678", None, (RecordedAssociation(16, "public", 0, 0, None, 0x10, 1024, Array(())),), ()
)
UNFIT = ["--fault", "deviation=MISSING_LLC"]  # of HDLC


@pytest.fixture
def taken() -> Iterator[list[str]]:
    """A place where somebody else listens already."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield ["--listen", f"tcp://127.0.0.1:{server.getsockname()[1]}"]


@pytest.mark.parametrize("state", ["states/kept", "states/kept.sqlite"])
@pytest.mark.parametrize(
    "words",
    [
        [*TCP, *UNFIT],
        [*TCP, *UNFIT, "--security", "gmac"],
        [*TCP, "--keys", "keys"],
        [*TCP, "--security", "gmac", "--fault", "counter_back=1"],
        [*TCP, "--security", "gmac", "--keys", "meter.toml/keys"],
        [*TCP, "--count", "2", "--security", "gmac", "--keys", "meter.toml/keys"],
        ["meter.toml", *TCP, "--demo-keys"],
        ["wrong.toml", *TCP],
        ["companion.toml", *TCP, "--keys", "meter.toml/keys"],
        ["meter.json", *TCP, *UNFIT],
        ["nothing.json", *TCP],
    ],
    ids=" ".join,
)
def test_a_start_that_is_refused_leaves_no_state(
    cosem: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], state: str
) -> None:
    monkeypatch.chdir(tmp_path)
    files = {"meter": DESCRIPTION, "wrong": f"{DESCRIPTION}[nonsense]\n", "companion": COMPANION}
    for name, content in files.items():
        Path(f"{name}.toml").write_text(content)
    snapshots.write(Path("meter.json"), Snapshot("", (RECORDED,)))
    before = {*tmp_path.rglob("*")}
    place = state if "--count" not in words else "states/many"
    ran = cosem("simulate", *words, "--state", place)
    assert ran.code == 64, ran.err
    own = tmp_path / "state"  # of the user, who was one before
    assert {each for each in tmp_path.rglob("*") if not each.is_relative_to(own)} == before


@pytest.mark.parametrize("words", [[], ["--security", "gmac"], ["companion.toml"]], ids=" ".join)
def test_where_a_port_is_taken_neither_state_nor_keys_are_made(
    cosem: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: list[str], words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("companion.toml").write_text(COMPANION)
    ran = cosem("simulate", *words, *taken, "--state", "kept", *(["--keys", "keys"] if words else []))
    assert (ran.code, "cannot listen" in ran.err) == (NOT_CONNECTED, True), ran.err
    assert not Path("kept").exists()
    assert not Path("keys").exists()


def test_the_keys_of_a_running_meter_outlive_a_start_at_its_port(
    cosem: Callable[..., Any], tmp_path: Path, taken: list[str]
) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "ek.hex").write_text("of the one that runs")
    ran = cosem("simulate", *taken, "--security", "gmac", "--keys", keys)
    assert ran.code == NOT_CONNECTED, ran.err
    assert [each.read_text() for each in keys.iterdir()] == ["of the one that runs"]
