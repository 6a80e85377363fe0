"""The secrets of simulated meters: what goes together, the files they are handed out in, and those of a state."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from cosem.cli.simulated_secrets import Secrets, draw, hand_out, in_force
from cosem.errors import ConfigurationError
from cosem.io import credentials
from cosem.meter.demo import MANAGEMENT_CLIENT, PASSWORD_CLIENT, household
from cosem.meter.device import Meter
from cosem.meter.faults import Faults
from cosem.meter.memory import Memory, remember
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.mechanism import named
from cosem.store.state import open_state

CLIENTS = {"low": PASSWORD_CLIENT, "gmac": MANAGEMENT_CLIENT, "ecdsa": MANAGEMENT_CLIENT}


def test_secrets_replace_what_lay_there_before(tmp_path: Path) -> None:
    bait = tmp_path / "bait"
    bait.write_text("kept")
    (tmp_path / "ek.hex").symlink_to(bait)
    hand_out(draw("gmac", None, False), tmp_path)
    assert bait.read_text() == "kept"
    assert not (tmp_path / "ek.hex").is_symlink()
    assert stat.S_IMODE((tmp_path / "ek.hex").stat().st_mode) == 0o600
    with pytest.raises(ConfigurationError, match="name another place"):
        hand_out(draw("low", None, False), bait / "below")


@pytest.mark.parametrize("password", [b"plain text", b"\x00\xff", "größer".encode(), b"0xAB", b"two\nlines"])
def test_a_password_of_any_octets_comes_back_from_its_file(tmp_path: Path, password: bytes) -> None:
    _, given, *auth = hand_out(Secrets(password=Secret(password)), tmp_path, named("sha256"))
    assert auth == ["--auth", "sha256"]
    assert credentials.password(given) == Secret(password)


def test_what_needs_no_secret_has_no_options(tmp_path: Path) -> None:
    assert hand_out(draw("none", None, False), tmp_path, named("none")) == ()
    assert hand_out(draw("gmac", 1, True), tmp_path) == ("--demo-keys", "--suite", "1")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("security", "suite", "demo", "why"),
    [
        ("high", None, False, "none, low, gmac"),
        ("low", 1, False, "--suite goes with"),
        ("ecdsa", None, True, "--demo-keys goes with"),
        ("ecdsa", 0, False, "write --suite 1"),
    ],
)
def test_what_does_not_go_together(security: str, suite: int | None, demo: bool, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        draw(security, suite, demo)


def life(folder: Path, security: str, drawn: Secrets, faults: Faults = Faults()) -> tuple[Meter, Secrets]:  # noqa: B008
    """Return a meter with a state, at one of its starts, and what its client needs then."""
    store = open_state(folder / "state")
    meter = household(
        1, security=security, keys=drawn.keys, password=drawn.shared, counters=store.counters, faults=faults
    )
    try:
        remember(meter, store)
        return meter, in_force(meter, {CLIENTS[security]: drawn})[CLIENTS[security]]
    finally:
        store.close()


def test_without_a_state_those_of_this_start_count() -> None:
    drawn = draw("gmac", None, False)
    meter = household(1, security="gmac", keys=drawn.keys)
    assert in_force(meter, {1: drawn}) == {1: drawn}


@pytest.mark.parametrize("security", CLIENTS)
def test_with_a_state_those_of_the_first_start_count(tmp_path: Path, security: str) -> None:
    meter, first = life(tmp_path, security, draw(security, None, False))
    again, next_start = life(tmp_path, security, draw(security, None, False))
    assert next_start == first
    before, after = (each.management.association(CLIENTS[security]) for each in (meter, again))
    assert before is not None
    assert after is not None
    assert (after.keys, after.secret) == (before.keys, before.secret) == (first.keys, first.shared)
    assert first.keys is None or not first.keys.temporary
    assert "not shown" in repr(first)


def test_a_key_that_the_client_has_transferred_since_is_the_one_handed_out(tmp_path: Path) -> None:
    store = open_state(tmp_path / "state")
    drawn = draw("gmac", None, False)
    meter = household(1, security="gmac", keys=drawn.keys, counters=store.counters)
    remember(meter, store)
    in_force(meter, {1: drawn})
    offered = meter.management.association(1)
    assert offered is not None
    assert offered.keys is not None
    new = replace(offered.keys, encryption=Key(bytes.fromhex("8C0FBE1167D8D6A24ABF71580CF4F3C1")))
    meter.management.replace(1, replace(offered, keys=new))
    store.close()
    _, found = life(tmp_path, "gmac", draw("gmac", None, False))
    assert found.keys == new


def test_a_password_that_the_client_has_changed_since_is_the_one_handed_out(tmp_path: Path) -> None:
    store = open_state(tmp_path / "state")
    drawn = draw("low", None, False)
    meter = household(1, security="low", password=drawn.shared, counters=store.counters)
    remember(meter, store)
    in_force(meter, {PASSWORD_CLIENT: drawn})
    offered = meter.management.association(PASSWORD_CLIENT)
    assert offered is not None
    meter.management.replace(PASSWORD_CLIENT, replace(offered, secret=Secret(b"another")))
    store.close()
    _, found = life(tmp_path, "low", draw("low", None, False))
    assert found.password == Secret(b"another")


def test_demo_keys_are_kept_by_nobody(tmp_path: Path) -> None:
    meter, found = life(tmp_path, "gmac", draw("gmac", None, True))
    assert found.keys is not None
    assert found.keys.demonstration
    assert found.keys.temporary
    _, lasting = life(tmp_path, "gmac", draw("gmac", None, False))
    assert lasting.keys is not None
    assert not lasting.keys.demonstration
    assert meter.demonstration


def test_wrong_keys_stay_wrong(tmp_path: Path) -> None:
    drawn = draw("gmac", None, False)
    meter, found = life(tmp_path, "gmac", drawn, Faults(wrong_keys=True))
    assert found == drawn
    offered = meter.management.association(1)
    assert offered is not None
    assert offered.keys != drawn.keys


def test_keys_that_fall_back_are_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="leave out the fault, or the state"):
        life(tmp_path, "gmac", draw("gmac", None, False), Faults(counter_back=1))


def test_a_state_that_cannot_keep_them_ends_the_start(tmp_path: Path) -> None:
    store = open_state(tmp_path / "state")
    drawn = draw("gmac", None, False)
    meter = household(1, security="gmac", keys=drawn.keys)  # whose counters nobody keeps
    assert isinstance(remember(meter, store), Memory)
    with pytest.raises(ConfigurationError, match="counter store"):
        in_force(meter, {1: drawn})
    store.close()
