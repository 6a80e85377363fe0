"""What every verb says about itself, and how an interrupt ends one."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cosem.cli import collect, decode

Cosem = Callable[..., Any]

VERBS = (
    "read",
    "probe",
    "browse",
    "profile",
    "clock",
    "events",
    "image",
    "set",
    "act",
    "classes",
    "decode",
    "obis",
    "standards",
    "simulate",
    "fleet",
    "collect",
    "demo",
    "elgama",
)


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_shows_an_example(cosem: Cosem, verb: str) -> None:
    shown = cosem(verb, "--help").out.partition("Examples:\n")[2].partition("\n\n")[0].splitlines()
    assert shown
    assert all(f"cosem {verb}" in line for line in shown)


@pytest.mark.parametrize("verb", ["set", "act"])
def test_the_examples_of_writing_show_what_would_be_sent(cosem: Cosem, verb: str) -> None:
    for line in cosem(verb, "--help").out.partition("Examples:\n")[2].partition("\n\n")[0].splitlines():
        words = [word for word in shlex.split(line)[1:] if word != "--write"]
        ran = cosem(*words)
        assert ran.code == 64
        assert "request: C" in ran.out
        assert "nothing was sent" in ran.err


def test_an_interrupt_is_said_and_has_its_code(cosem: Cosem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "parts", interrupted)
    ran = cosem("decode", "C001C1")
    assert (ran.code, ran.out, ran.err) == (130, "", "interrupted\n")


def test_an_interrupted_collection_says_where_the_readings_are(
    cosem: Cosem, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(collect, "run", interrupted)
    (plan := tmp_path / "plan.toml").write_text(
        'store = "kept.sqlite"\n[[meter]]\nname = "a"\nurl = "tcp://192.0.2.7"\n'
    )
    ran = cosem("collect", plan)
    assert ran.code == 130
    assert f"what was read so far is kept in {tmp_path / 'kept.sqlite'}" in ran.err


@pytest.mark.parametrize("number", ["-5", "4294967296", "many"])
def test_an_invocation_counter_that_cannot_be_is_bad_usage(cosem: Cosem, number: str) -> None:
    ran = cosem(
        "read", "tcp://192.0.2.7", "1.8.0", "--ek", "11" * 16, "--ak", "22" * 16, "--invocation-counter", number
    )
    assert ran.code == 64
    assert "write a number, or read; it counts from 0 to 4294967295" in ran.err
