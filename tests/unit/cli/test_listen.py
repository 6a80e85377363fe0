"""`cosem listen`: one line for each push of a known meter, on stdout; all else is set aside, on stderr."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from cosem.cli import listen
from cosem.meter.push import push
from cosem.protocol.apdu.notification import DataNotification
from cosem.protocol.apdu.short_name import InformationReportRequest, VariableName
from cosem.protocol.association.counter import InvocationCounter
from cosem.protocol.association.security import SecurityContext
from cosem.protocol.association.services import Notification
from cosem.protocol.crypto.key import Key
from cosem.protocol.link.wrapper import HEADER
from cosem.protocol.values.data import DoubleLongUnsigned, Structure
from cosem.store.memory import MemoryCounterStore

EK, AK, TITLE = "5A1B2C3D4E5F60718293A4B5C6D7E8F9", "C4B1E07A93D25F6884AA10F7362B9ED3", "4B464D1020304050"
NOTE = DataNotification(0x40000001, bytes.fromhex("07E4020F06011922FF800000"), Structure((DoubleLongUnsigned(4711),)))


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Queue[str]:
    """Where the command says that it listens."""
    found: Queue[str] = Queue()

    def say(text: str) -> None:
        told = re.match(r"listening at (\S+);", text)
        if told:
            found.put(told[1])
        print(text, file=sys.stderr)

    monkeypatch.setattr(listen, "say", say)
    return found


def pushing(place: Queue[str], *securities: SecurityContext | None, note: Notification = NOTE) -> threading.Thread:
    def run() -> None:
        url = place.get(timeout=20)
        for security in securities:
            asyncio.run(push(url, note, security=security))

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def security(title: str = TITLE) -> SecurityContext:
    counter = InvocationCounter(MemoryCounterStore(), "push")
    return SecurityContext(
        0, bytes.fromhex(title), None, Key(bytes.fromhex(EK)), Key(bytes.fromhex(AK)), counter=counter
    )


@pytest.fixture
def keys(tmp_path: Path) -> list[str]:
    for name, key in (("ek", EK), ("ak", AK)):
        (tmp_path / name).write_text(key)
        (tmp_path / name).chmod(0o600)
    return ["--meter", TITLE, "--ek", f"file:{tmp_path / 'ek'}", "--ak", f"file:{tmp_path / 'ak'}"]


@pytest.mark.parametrize("scheme", ["tcp", "udp", "hdlc+tcp"])
def test_pushes_are_printed(cosem: Callable[..., Any], place: Queue[str], keys: list[str], scheme: str) -> None:
    thread = pushing(place, security())
    ran = cosem("listen", f"{scheme}://127.0.0.1:0", "--count", 1, *keys)
    thread.join()
    assert ran.code == 0
    assert "4711" in ran.out
    assert "2020-02-15" in ran.out
    assert EK not in ran.everything


def test_json_says_what_is_verified(cosem: Callable[..., Any], place: Queue[str], keys: list[str]) -> None:
    thread = pushing(place, security(), None, security("4B464D1020304051"))
    ran = cosem("listen", "udp://127.0.0.1:0", "--count", 3, "--json", *keys)
    thread.join()
    told = [json.loads(line) for line in ran.out.splitlines()]
    assert sorted(each["verified"] for each in told) == [False, False, True]
    good = next(each for each in told if each["verified"])
    assert (good["meter"], good["value"], good["kind"]) == (TITLE, [4711], "data-notification")
    assert all("4711" not in str(each.get("value")) for each in told if not each["verified"])


def test_reports_are_told_by_their_short_names(cosem: Callable[..., Any], place: Queue[str], keys: list[str]) -> None:
    report = InformationReportRequest(
        NOTE.date_time, (VariableName(0x1008), VariableName(0x1010)), (DoubleLongUnsigned(4711), DoubleLongUnsigned(9))
    )
    thread = pushing(place, security(), note=report)
    ran = cosem("listen", "tcp://127.0.0.1:0", "--count", 1, "--json", *keys)
    thread.join()
    told = json.loads(ran.out)
    assert (told["kind"], told["value"]) == ("information-report-request", [4711, 9])
    assert told["variables"] == [{"variable_name": 0x1008}, {"variable_name": 0x1010}]
    assert told["time"].startswith("2020-02-15")


def test_without_keys_nothing_is_believed(cosem: Callable[..., Any], place: Queue[str]) -> None:
    thread = pushing(place, None)
    ran = cosem("listen", "tcp://127.0.0.1:0", "--count", 1)
    thread.join()
    assert ran.out == ""
    assert "set aside, from 127.0.0.1" in ran.err
    assert "nothing is believed" in ran.err


@pytest.mark.parametrize(
    "words",
    [
        ["--meter", TITLE],
        ["--meter", "4B46"],
        ["--meter", "no hex at all!!!"],
        ["--ek", "env:NOWHERE"],
        ["tcp://192.0.2.1:0"],
        ["hdlc+serial:///dev/x"],
    ],
)
def test_what_cannot_be_listened_for(cosem: Callable[..., Any], words: list[str]) -> None:
    assert cosem("listen", *words).code == 64


def test_a_dialect_is_permitted_and_what_is_put_up_with_is_told(
    cosem: Callable[..., Any], place: Queue[str], keys: list[str]
) -> None:
    words = ("--dialect", "EGM/G35", "--allow", "empty-system-title")
    sender = pushing(place, security())
    ran = cosem("listen", "tcp://127.0.0.1:0", *keys, "--count", "1", *words)
    sender.join()
    assert ran.code == 0
    assert "warning: messages without a system title" in ran.err
    assert "tolerated" not in ran.err
    refused = cosem("listen", "tcp://127.0.0.1:0", *keys, *words[:2])
    assert (refused.code, "--allow empty-system-title" in refused.err) == (64, True)
    refused = cosem("listen", "tcp://127.0.0.1:0", *keys, "--dialect", "QQQ")
    assert (refused.code, "no dialect is known" in refused.err) == (64, True)


@pytest.mark.parametrize("as_json", [False, True])
def test_what_is_put_up_with_in_a_push_is_told_with_it(
    cosem: Callable[..., Any], place: Queue[str], keys: list[str], *, as_json: bool
) -> None:
    titled = security().protect(NOTE.encode(), general=True)
    assert titled[1:10] == b"\x08" + bytes.fromhex(TITLE)
    untitled = titled[:1] + b"\x00" + titled[10:]

    def send() -> None:
        url = place.get(timeout=20)
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as connection:
            connection.sendall(HEADER.pack(1, 1, 16, len(untitled)) + untitled)
            connection.recv(1)

    thread = threading.Thread(target=send)
    thread.start()
    words = ("--dialect", "EGM/G35", "--allow", "empty-system-title", *(("--json",) if as_json else ()))
    ran = cosem("listen", "tcp://127.0.0.1:0", *keys, "--count", "1", *words)
    thread.join()
    assert ran.code == 0
    assert "4711" in ran.out
    assert "tolerated: empty system title, 1 time" in ran.err
    if as_json:
        assert json.loads(ran.out)["tolerated"] == {"empty_system_title": 1}
