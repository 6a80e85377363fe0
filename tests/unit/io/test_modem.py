"""Dial-up with a scripted modem on a pseudo-terminal, and each of its words as an error that says what to try."""

from __future__ import annotations

import asyncio
import os
import select
import threading
import tty
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cosem.errors import ConfigurationError, ConnectionFailed, ConnectionLost, DialFailed
from cosem.io import blocking, modem
from cosem.io.modem import DialScript, dial
from cosem.io.open import open_async, open_blocking
from cosem.io.simulated import SimulatedStream, World
from cosem.io.stream import Stream
from cosem.protocol.crypto.key import Secret

READY = {"ATE0V1": "OK", "ATD0123": "CONNECT 9600", "ATH": "OK"}


class ScriptedModem:
    """Answers what its script says, with echo until that is switched off; data in a call come back in capitals."""

    def __init__(self, script: dict[str, str]) -> None:
        self.script = script
        self.said: list[str] = []
        self._line = b""
        self._echo = True
        self.in_call = False

    def take(self, octets: bytes) -> bytes:
        if self.in_call:
            if octets == b"+++":
                self.in_call = False
                return b"\r\nOK\r\n"
            return octets.upper() if octets != b"lose" else b"last\r\nNO CARRIER\r\n"
        answer = b""
        for octet in octets:
            answer += bytes((octet,)) if self._echo else b""
            if octet != 0x0D:
                self._line += bytes((octet,))
                continue
            command, self._line = self._line.decode(), b""
            self.said.append(command)
            self._echo = self._echo and command != "ATE0V1"
            word = self.script.get(command, "ERROR")
            self.in_call = word.startswith("CONNECT")
            answer += b"" if word == "-" else f"\r\n{word}\r\n".encode()
        return answer


@contextmanager
def plugged_in(scripted: ScriptedModem) -> Generator[str]:
    """Put the modem on a pseudo-terminal."""
    master, slave = os.openpty()
    tty.setraw(slave)
    stop_read, stop_write = os.pipe()

    def run() -> None:
        while stop_read not in (ready := select.select([master, stop_read], [], [])[0]):
            if ready:
                os.write(master, scripted.take(os.read(master, 1024)))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield os.ttyname(slave)
    finally:
        os.write(stop_write, b"x")
        thread.join()
        for each in (master, slave, stop_read, stop_write):
            os.close(each)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modem, "GUARD_SECONDS", 0.05)
    monkeypatch.setattr(modem, "COMMAND_SECONDS", 0.9)


async def call(stream: Stream) -> bytes:
    await stream.write(b"hello")
    got = b""
    while len(got) < 5:
        octets = await stream.read(stream.now() + 5)
        assert octets
        got += octets
    await stream.close()
    return got


def test_blocking_with_a_pin(tmp_path: Path) -> None:
    (tmp_path / "pin").write_text("4711")
    (tmp_path / "pin").chmod(0o600)
    locked = {"AT+CPIN?": "+CPIN: SIM PIN\r\n\r\nOK", 'AT+CPIN="4711"': "OK", "AT&F": "OK"}
    scripted = ScriptedModem({**READY, **locked})
    with plugged_in(scripted) as path:
        url = f"hdlc+modem://{path}?number=0123&init=AT%26F&pin=file:{tmp_path / 'pin'}"
        assert blocking.run(call(open_blocking(url))) == b"HELLO"
    assert scripted.said == ["ATE0V1", "AT&F", "AT+CPIN?", 'AT+CPIN="4711"', "ATD0123", "ATH"]
    assert not scripted.in_call


ELGAMA = "&model=epqs&serial=925948&experimental=yes"


@pytest.mark.parametrize(("framing", "more"), [("hdlc", ""), ("iec21", ""), ("elgama", ELGAMA)])
def test_on_asyncio(framing: str, more: str) -> None:
    scripted = ScriptedModem(READY)

    async def scenario(path: str) -> bytes:
        return await call(await open_async(f"{framing}+modem://{path}?number=0123{more}"))

    with plugged_in(scripted) as path:
        assert asyncio.run(scenario(path)) == b"HELLO"
    assert scripted.said[-1] == "ATH"


def test_a_url_without_a_number() -> None:
    with pytest.raises(ConfigurationError, match="number="):
        open_blocking("hdlc+modem:///dev/ttyUSB0")


def dialled(script: dict[str, str], dial_script: DialScript, after: bytes = b"") -> tuple[bytes, ScriptedModem]:
    """Dial a simulated modem, and say something in the call."""
    world = World(1)
    near, far = world.pair(latency=0.001)
    scripted = ScriptedModem(script)

    async def run_modem(end: SimulatedStream) -> None:
        while True:
            try:
                answer = scripted.take(await end.read(None))
            except ConnectionLost:
                return
            for octet in answer:
                await end.write(bytes((octet,)))

    async def scenario() -> bytes:
        stream = await dial(near, dial_script)
        await stream.write(after)
        got = b""
        try:
            while octets := await stream.read(stream.now() + 1):
                got += octets
        finally:
            assert got.rstrip(b"\r\nNO CARI") in (b"", b"last")
        return got

    world.spawn(run_modem(far))
    return world.run(scenario()), scripted


@pytest.mark.parametrize(
    ("word", "advice"),
    [
        ("BUSY", "another reader"),
        ("NO CARRIER", "CBST"),
        ("NO ANSWER", "answer_wait"),
        ("NO DIALTONE", "cable"),
        ("NO DIAL TONE", "cable"),
        ("+CME ERROR: 30", "registered"),
        ("BLACKLISTED", "off and on"),
        ("ERROR", "init=AT"),
    ],
)
def test_the_words_of_a_modem(word: str, advice: str) -> None:
    with pytest.raises(DialFailed, match=advice) as failed:
        dialled({**READY, "ATD0123": word}, DialScript(number="0123"))
    assert failed.value.result == word


def test_nobody_answers_in_time() -> None:
    with pytest.raises(DialFailed, match="after 20 s") as failed:
        dialled({**READY, "ATD0123": "-"}, DialScript(number="0123", answer_wait=20))
    assert failed.value.result == "no result"


def test_a_command_of_the_user_that_the_modem_refuses() -> None:
    with pytest.raises(DialFailed, match=r"for AT\+CBST=71"):
        dialled(READY, DialScript(number="0123", commands=["AT+CBST=71"]))


def test_a_wrong_pin_is_tried_once() -> None:
    script = {**READY, "AT+CPIN?": "+CPIN: SIM PIN\r\nOK"}
    with pytest.raises(DialFailed, match="once only") as failed:
        dialled(script, DialScript(number="0123", pin=Secret(b"1234")))
    assert "1234" not in str(failed.value)
    assert "1234" not in repr(DialScript(number="0123", pin=Secret(b"1234")))


def test_a_locked_card_and_one_that_is_ready() -> None:
    pin = Secret(b"1234")
    with pytest.raises(DialFailed, match="PUK"):
        dialled({**READY, "AT+CPIN?": "+CPIN: SIM PUK\r\nOK"}, DialScript(number="0123", pin=pin))
    _, scripted = dialled({**READY, "AT+CPIN?": "+CPIN: READY\r\nOK"}, DialScript(number="0123", pin=pin))
    assert 'AT+CPIN="1234"' not in scripted.said


def test_no_modem_and_what_is_none() -> None:
    with pytest.raises(ConnectionFailed, match="no modem answers AT"):
        dialled({"ATE0V1": "-"}, DialScript(number="0123"))
    with pytest.raises(ConnectionFailed, match="is no modem"):
        dialled({"ATE0V1": "\xff" * 300}, DialScript(number="0123"))


def test_a_carrier_that_is_lost_in_the_call() -> None:
    with pytest.raises(ConnectionLost, match="lost the carrier"):
        dialled(READY, DialScript(number="0123"), b"lose")


@pytest.mark.parametrize("number", ["", "12\r34", "12\n"])
def test_nothing_is_smuggled_into_a_command(number: str) -> None:
    with pytest.raises(ConfigurationError):
        DialScript(number=number)
