"""Faults as data: in TOML, and as words of the command line."""

from __future__ import annotations

import pytest

from cosem.errors import ConfigurationError
from cosem.meter.describe import parse
from cosem.meter.faults import WELL_BEHAVED, Faults, of_words, words

METER = '[meter]\nname = "KFM1020012345678"\n'


def test_a_table_of_toml() -> None:
    text = '[faults]\nseed = 7\nlate = 1\nlatency = 0.25\nwrong_keys = true\ndeviations = ["MISSING_LLC"]\n'
    expected = Faults(seed=7, late=1.0, latency=0.25, wrong_keys=True, deviations=frozenset({"MISSING_LLC"}))
    assert parse(METER + text).faults == expected
    assert parse(METER).faults == WELL_BEHAVED


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("lost = 0.1", "lost: this key is not known here"),
        ('loss = "often"', "loss: expected a number"),
        ("loss = true", "loss: expected a number"),
        ("loss = 2", "loss: expected odds from 0 to 1"),
        ("reboot_after = 1.5", "reboot_after: expected a whole number"),
        ('deviations = ["none_such"]', "no deviation none_such; there are .*any_invoke_id.*REPEATED_LLC"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(line: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"description: \[faults\]: .*{why}"):
        parse(f"{METER}[faults]\n{line}\n")


def test_words() -> None:
    given = ["loss=0.1", "deviation=any_invoke_id", "deviation=OTHER_CLIENT", "wrong_keys=true"]
    expected = Faults(loss=0.1, wrong_keys=True, deviations=frozenset({"any_invoke_id", "OTHER_CLIENT"}))
    assert of_words(given) == expected
    assert of_words(()) == WELL_BEHAVED


@pytest.mark.parametrize("word", ["loss", "loss=", "=1", "loss=a b", f"loss={'[' * 5000}", "deviations=3"])
def test_words_that_are_none(word: str) -> None:
    with pytest.raises(ConfigurationError, match="is no fault: write one such as"):
        of_words([word, "deviation=any_invoke_id"])


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("often=1", "often: this key is not known"),
        (f"loss=1{400 * '0'}", "loss: expected odds from 0 to 1, not inf"),
        (f"clock_drift=-1{400 * '0'}", "clock_drift: expected less than a day a day, not -inf"),
    ],
)
def test_words_of_what_cannot_be(word: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        of_words([word])


@pytest.mark.parametrize(
    ("faults", "told"),
    [
        (WELL_BEHAVED, ()),
        (Faults(late_by=30), ()),
        (
            Faults(seed=3, loss=0.25, late_by=1e-5, reboot_after=2, clock_drift=-3, wrong_keys=True),
            ("seed=3", "loss=0.25", "late_by=1e-05", "reboot_after=2", "clock_drift=-3", "wrong_keys=true"),
        ),
        (
            Faults(deviations=frozenset({"any_invoke_id", "OTHER_CLIENT"})),
            ("deviation=OTHER_CLIENT", "deviation=any_invoke_id"),
        ),
    ],
)
def test_faults_are_told_in_the_words_they_are_made_of(faults: Faults, told: tuple[str, ...]) -> None:
    assert words(faults) == told
    assert of_words(told) == faults
