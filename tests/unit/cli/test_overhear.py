"""`cosem listen --raw`: a line's octets as a trace that can be read back, and what the line was like."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cosem.io.capture import parse_trace

Cosem = Callable[..., Any]

SNRM = bytes.fromhex("7EA0070321930F017E")


@contextmanager
def saying(*pieces: bytes) -> Iterator[int]:
    """A raw serial server whose line carries something, and that stays for a while."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = threading.Event()

        def serve() -> None:
            connected, _ = server.accept()
            with connected:
                for piece in pieces:
                    connected.sendall(piece)
                done.wait(10)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            done.set()
            thread.join()


def test_a_trace_that_can_be_read_back(cosem: Cosem) -> None:
    with saying(SNRM) as port:
        ran = cosem("listen", "--raw", f"hdlc+tcp://127.0.0.1:{port}", "--seconds", "0.3")
    assert ran.code == 0
    assert b"".join(entry.octets for entry in parse_trace(ran.out)) == SNRM
    assert "recognised: 1 x HDLC frame" in ran.err
    assert "octets:     9, 0" in ran.err or "octets:     9, 1" in ran.err


def test_json_with_parity_errors(cosem: Cosem) -> None:
    with saying(b"\xaf\x3f\x21\x8d\x0a\x01") as port:
        url = f"iec21+tcp://127.0.0.1:{port}?parity=software"
        ran = cosem("listen", "--raw", url, "--seconds", "0.3", "--json")
    *octets, last = [json.loads(line) for line in ran.out.splitlines()]
    assert "".join(each["octets"] for each in octets) == "2F3F210D0AFF"
    assert last["quality"]["parity_errors"] == 1
    assert last["recognised"] == {"IEC 62056-21 sign-on": 1}


def test_7e1_read_as_8n1_is_said(cosem: Cosem) -> None:
    with saying(b"\xaf\x3f\x21\x8d\x0a" * 4) as port:
        ran = cosem("listen", "--raw", f"hdlc+tcp://127.0.0.1:{port}", "--seconds", "0.3")
    assert "format=7E1" in ran.err


def test_silence_says_what_to_try(cosem: Cosem) -> None:
    with saying() as port:
        ran = cosem("listen", "--raw", f"hdlc+tcp://127.0.0.1:{port}", "--seconds", "0.1")
    assert "the head on the meter" in ran.err


def test_a_line_that_goes_away_and_one_that_is_not_there(cosem: Cosem) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        threading.Thread(target=lambda: server.accept()[0].close()).start()
        ran = cosem("listen", "--raw", f"hdlc+tcp://127.0.0.1:{port}", "--seconds", "5")
    assert ran.code == 3
    ran = cosem("listen", "--raw", "hdlc+serial:///dev/no-such-port")
    assert ran.code == 2
    assert "does not open" in ran.err


@pytest.mark.parametrize("words", [("--raw",), ("--seconds", "3")])
def test_what_does_not_go_together(cosem: Cosem, words: tuple[str, ...]) -> None:
    assert cosem("listen", "tcp://127.0.0.1:0", *words, "--meter", "4B464D1020304050").code == 64
