"""`cosem simulate` refuses each option that would do nothing, with the reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
