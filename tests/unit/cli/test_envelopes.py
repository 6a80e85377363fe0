"""`cosem read` in every envelope and suite, and what it says when a key is missing; the meter is described in TOML."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cosem.meter.describe import load
from cosem.protocol.crypto import suite as suites
from cosem.protocol.crypto.certificate import Use, issue
from cosem.protocol.crypto.elliptic import PrivateKey, entropy_octets
from cosem.store.counters import FileCounterStore
from interop.served import served


def key(suite: int, seed: int) -> str:
    octets = suites.of(suite).key_octets
    return bytes((seed * place * place + 3 * seed + 7) & 0xFF for place in range(octets)).hex()


def private(suite: int, seed: int) -> PrivateKey:
    curve = suites.of(suite).required_curve
    return PrivateKey.from_entropy(curve, bytes((seed,)) * entropy_octets(curve))


class Place:
    """A served meter of one suite, and the options that enter it."""

    def __init__(self, tmp_path: Path, suite: int, protection: str) -> None:
        self.suite = suite
        lines = [
            '[meter]\nname = "KFM1020012345678"',
            '[[object]]\nclass = "Register"\ninstance = "1.0.1.8.0.255"\nvalue = 12345678\nscaler_unit = [0, "Wh"]',
            f'[[association]]\nclient = 1\nauth = "gmac"\nsuite = {suite}\nprotection = "{protection}"',
        ]
        options: dict[str, str] = {}
        for seed, (name, toml, option) in enumerate(
            (
                ("ek", "encryption_key", "--ek"),
                ("ak", "authentication_key", "--ak"),
                ("mk", "master_key", "--master-key"),
            )
        ):
            lines.append(f'{toml} = "{self._file(tmp_path, name, key(suite, seed + 1))}"')
            options[option] = f"file:{tmp_path / name}"
        if suite:
            for seed, name in ((1, "signing"), (2, "agreement")):
                ours, theirs = private(suite, seed), private(suite, seed + 8)
                lines.append(f'{name}_key = "{self._file(tmp_path, "meter-" + name, theirs.reveal().hex())}"')
                lines.append(f'client_{name}_key = "{ours.public.octets.hex()}"')
                options[f"--{name}-key"] = self._file(tmp_path, name, ours.reveal().hex())
                options[f"--peer-{name}-key"] = theirs.public.octets.hex()
        self.options = options
        described = tmp_path / "meter.toml"
        described.write_text("\n".join(lines))
        self.meter = load(described, counters=FileCounterStore(tmp_path / "counters"))

    def words(self, *names: str) -> list[str]:
        return [
            "--auth",
            "gmac",
            "--suite",
            str(self.suite),
            *(word for name in names for word in (name, self.options[name])),
        ]

    @staticmethod
    def _file(folder: Path, name: str, content: str) -> str:
        (folder / name).write_text(content)
        (folder / name).chmod(0o600)
        return f"file:{folder / name}"


@pytest.fixture(params=[0, 1, 2], ids=lambda suite: f"suite {suite}")
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Place, str]]:
    made = Place(tmp_path, request.param, "auth+enc")
    with served(made.meter) as port:
        yield made, f"tcp://127.0.0.1:{port}?client=1&server=1"


BASE = ("--ek", "--ak")
SIGNING = ("--signing-key", "--peer-signing-key")
AGREEMENT = ("--agreement-key", "--peer-agreement-key")
WAYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "service": ((), ()),
    "dedicated": (("--dedicated",), ()),
    "general": (("--envelope", "general"), ()),
    "general, dedicated": (("--envelope", "general", "--dedicated"), ()),
    "identified": (("--envelope", "general-ciphering"), ()),
    "wrapped": (("--envelope", "general-ciphering", "--key-info", "wrapped"), ("--master-key",)),
    "one-pass": (("--envelope", "general-ciphering", "--key-info", "one-pass"), (*SIGNING, *AGREEMENT)),
    "static": (("--envelope", "general-ciphering", "--key-info", "static"), AGREEMENT),
    "signed": (("--protection", "auth+enc+sign"), SIGNING),
    "signed, wrapped": (
        ("--protection", "auth+enc+sign", "--envelope", "general-ciphering", "--key-info", "wrapped"),
        (*SIGNING, "--master-key"),
    ),
}


def test_cosem_read_in_every_envelope(cosem: Callable[..., Any], place: tuple[Place, str]) -> None:
    meter, url = place
    for name, (options, keys) in WAYS.items():
        if not meter.suite and set(keys) - {"--master-key"}:
            continue
        if "sign" in " ".join(options):
            continue  # this meter signs nothing: see below
        ran = cosem("read", url, "1.8.0", *meter.words(*BASE, *keys), *options)
        assert ran.code == 0, (name, ran.err)
        assert "12345678   Wh" in ran.out, name


@pytest.mark.parametrize("suite", [1, 2])
def test_cosem_read_signed(cosem: Callable[..., Any], tmp_path: Path, suite: int) -> None:
    made = Place(tmp_path, suite, "auth+enc+sign")
    with served(made.meter) as port:
        url = f"tcp://127.0.0.1:{port}?client=1&server=1"
        for name in ("signed", "signed, wrapped"):
            options, keys = WAYS[name]
            ran = cosem("read", url, "1.8.0", *made.words(*BASE, *keys), *options)
            assert ran.code == 0, (name, ran.err)
            assert "12345678   Wh" in ran.out
        unsigned = cosem("read", url, "1.8.0", *made.words(*BASE))
        assert unsigned.code != 0


def test_certificates_of_both_sides_go_over_the_line(cosem: Callable[..., Any], tmp_path: Path) -> None:
    """With a challenge each side tells its certificate in the AE-qualifier of the AARQ and AARE."""
    made, day = Place(tmp_path, 1, "auth+enc"), datetime(2026, 1, 1, tzinfo=UTC)
    told = {
        side: issue(signer, None, bytes(range(8)), signer.public, Use.SIGNATURE, 1, day, day + timedelta(days=1))
        for side, signer in (("client", private(1, 1)), ("meter", private(1, 9)))
    }
    for side, octets in told.items():
        (tmp_path / f"{side}.der").write_bytes(octets)
    description = (tmp_path / "meter.toml").read_text()
    (tmp_path / "meter.toml").write_text(f'{description}\ncertificate = "file:{tmp_path / "meter.der"}"')
    with served(load(tmp_path / "meter.toml", counters=FileCounterStore(tmp_path / "counters"))) as port:
        url = f"tcp://127.0.0.1:{port}?client=1&server=1"
        ran = cosem("read", url, "1.8.0", *made.words(*BASE), "--certificate", f"file:{tmp_path / 'client.der'}", "-vv")
    assert ran.code == 0, ran.err
    for side, octets in told.items():
        assert octets.hex() in re.sub(r"\s", "", ran.err).lower(), side


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--envelope", "glo"), "write one of service, general, general-ciphering"),
        (
            ("--envelope", "general-ciphering", "--key-info", "magic"),
            "write one of identified, broadcast, wrapped, one-pass, static",
        ),
        (("--key-info", "wrapped"), "--envelope general-ciphering"),
        (("--envelope", "general-ciphering", "--key-info", "wrapped"), "--master-key"),
        (("--envelope", "general-ciphering", "--key-info", "one-pass"), "--agreement-key"),
        (("--envelope", "general-ciphering", "--key-info", "static"), "--peer-agreement-key"),
        (("--envelope", "general-ciphering", "--dedicated"), "never uses the dedicated key"),
        (("--protection", "auth+enc+sign"), "--signing-key"),
        (("--protection", "none", "--auth", "none", "--envelope", "general"), "needs protection"),
    ],
)
def test_what_is_missing_is_said_with_what_to_write(
    cosem: Callable[..., Any], words: tuple[str, ...], says: str
) -> None:
    ran = cosem("read", "tcp://127.0.0.1:9", "1.8.0", "--ek", key(0, 1), "--ak", key(0, 2), *words)
    assert ran.code != 0
    assert says in " ".join(ran.err.split())
