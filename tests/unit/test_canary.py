"""LOG-1 and LINT-1: no text the suite makes shows a key, and chance comes from one source."""

from __future__ import annotations

import ast
import logging
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

import cosem
from cosem import danger
from cosem.errors import CosemError
from cosem.io import credentials
from cosem.protocol.association.counter import InvocationCounter, ReceivedCounter, counter_name
from cosem.protocol.association.security import SecurityContext
from cosem.protocol.crypto import mechanism, wrap
from cosem.protocol.crypto.gcm import Gcm, nonce
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.mechanism import Challenges
from cosem.store.memory import MemoryCounterStore

SOURCE = Path(cosem.__file__).parent
CANARY = b"Quokka-in-a-key."
OTHER = b"Zebra.on-a-key.."
CLIENT, SERVER = b"COS12345", b"MMM12345"
PERMITTED = danger.allow(*danger.Weakness)


def shapes(octets: bytes) -> list[str]:
    """Return how octets may leak: as text, as hex in both cases, with blanks, as a list of numbers."""
    part = octets[:6]
    return [
        part.decode(),
        part.hex(),
        part.hex().upper(),
        part.hex(" "),
        part.hex(" ").upper(),
        part.hex(":"),
        ", ".join(str(octet) for octet in part),
    ]


def assert_no_canary(text: str) -> None:
    for octets in (CANARY, OTHER):
        for shape in shapes(octets):
            assert shape not in text


def context(own: bytes = CLIENT, peer: bytes = SERVER) -> SecurityContext:
    counter = InvocationCounter(MemoryCounterStore(), counter_name(Key(CANARY), own))
    return SecurityContext(
        0, own, peer, Key(CANARY), Key(OTHER), dedicated_key=Key(OTHER), broadcast_key=Key(OTHER), counter=counter
    )


def initiate_request() -> bytes:
    return b"\x01\x01\x10" + CANARY + b"\x00\x00\x06_\x1f\x04\x00\x00~\x1f\x04\xb0"


def test_log_1_no_object_shows_a_key(caplog: pytest.LogCaptureFixture) -> None:
    sender, receiver = context(), context(SERVER, CLIENT)
    opened = receiver.unprotect(sender.protect(initiate_request()))
    assert CANARY in opened.apdu
    objects = [
        Key(CANARY),
        Secret(CANARY),
        [Key(CANARY)],
        {Key(CANARY): Secret(OTHER)},
        Gcm(Key(CANARY), Key(OTHER)),
        sender,
        receiver,
        opened,
        InvocationCounter(MemoryCounterStore(), counter_name(Key(CANARY), CLIENT)),
        ReceivedCounter(),
        Challenges(bytes(8), bytes(range(8))),
        mechanism.MECHANISMS,
    ]
    for shown in objects:
        assert_no_canary(f"{shown!r} {shown} {shown:}")
        with caplog.at_level(logging.DEBUG):
            logging.getLogger("leaks").debug("%s %r", shown, shown)
    assert_no_canary(caplog.text)
    assert_no_canary(Key(CANARY).fingerprint + counter_name(Key(CANARY), CLIENT))


FAILURES: list[Callable[[], object]] = [
    lambda: Key(CANARY[:-1]),
    lambda: Key.from_hex(CANARY.hex()[:-1]),
    lambda: Key.from_hex(CANARY.hex() + "zz"),
    lambda: Key.from_hex(CANARY.decode()),
    lambda: credentials.key(CANARY.decode()),
    lambda: credentials.key(CANARY.hex()[:-2]),
    lambda: credentials.key(f"file:{CANARY.hex()}"),
    lambda: credentials.key(f"env:{CANARY.hex()}"),
    lambda: setattr(Key(CANARY), "_octets", b""),
    lambda: Key(CANARY).__reduce_ex__(4),
    lambda: wrap.unwrap(Key(CANARY), CANARY + bytes(8)),
    lambda: SecurityContext(
        2, CLIENT, SERVER, Key(CANARY), Key(OTHER), counter=InvocationCounter(MemoryCounterStore(), "a")
    ),
    lambda: Gcm(Key(CANARY), Key(OTHER)).unprotect(0x30, nonce(CLIENT, 1), CANARY + bytes(12)),
    lambda: Gcm(Key(CANARY)).protect(0x30, nonce(CLIENT, 1), CANARY),
    lambda: context().protect(b"\x60" + CANARY),
    lambda: context().unprotect(b"\xc8\x10" + CANARY),
    lambda: context().unprotect(context().protect(b"\xc0" + CANARY)),
    lambda: context().unprotect(context(SERVER, CLIENT).protect(b"\xc0\x01" + CANARY).replace(b"\xc8", b"\xcc")),
    lambda: context().meet(CANARY),
    lambda: mechanism.of(6).client_proof(Challenges(b"short", b"", CLIENT, SERVER), Secret(CANARY), None),
    lambda: mechanism.of(5).client_proof(Challenges(bytes(8), bytes(9), CLIENT, SERVER), Secret(CANARY), None),
    lambda: mechanism.named(CANARY.decode(), PERMITTED),
]


@pytest.mark.parametrize("failure", FAILURES, ids=[str(number) for number in range(len(FAILURES))])
def test_log_1_no_error_shows_a_key(failure: Callable[[], object]) -> None:
    with pytest.raises(CosemError) as caught:
        failure()
    shown = "".join(traceback.format_exception_only(caught.value)) + repr(caught.value) + repr(vars(caught.value))
    chain = caught.value.__cause__, None if caught.value.__suppress_context__ else caught.value.__context__
    assert_no_canary(shown + "".join(repr(link) for link in chain))


def test_lint_1_chance_comes_from_secrets_alone() -> None:
    # Simulation and its tools take a seed, and so have a generator that can be repeated.
    seeded = ("io/simulated.py", "meter/faults.py", "meter/misbehave.py", "testing/", "fleet/")
    offenders: list[str] = []
    for path in SOURCE.rglob("*.py"):
        place = path.relative_to(SOURCE).as_posix()
        for module, line in imports(path):
            forbidden = {"random"} if not place.startswith(seeded) else set[str]()
            if place.startswith("protocol/"):
                forbidden |= {"secrets", "uuid"}
            if module.split(".")[0] in forbidden:
                offenders.append(f"{place}:{line} imports {module}")
    assert not offenders


def imports(path: Path) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None and not node.level:
            found.append((node.module, node.lineno))
    return found
