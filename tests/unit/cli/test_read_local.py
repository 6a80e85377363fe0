"""`cosem read` at a local port, and `cosem simulate` with one."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import reduce
from operator import xor
from pathlib import Path
from typing import Any

import pytest

from cosem.protocol.iec21.reader import with_parity

PASSWORD = "12345678"


def test_the_readout_as_a_table_and_as_json(cosem: Any, local: str) -> None:
    ran = cosem("read", local)
    assert ran.code == 0
    assert "0-0:42.0.0" in ran.out
    assert "KFm1020012345678" in ran.out
    assert "meter: KFm5MT" in ran.err
    assert "maker: Shenzhen Kaifa" in ran.err
    told = cosem("read", local, "--json").json
    assert (told["identification"], told["check"], told["refused"]) == ("KFm5MT", "right", [])
    assert {line["code"] for line in told["lines"]} == {"0.9.1", "0.9.2", "0-0:42.0.0"}
    assert told["line"] == {}
    assert "line:" not in ran.err


def test_what_was_put_up_with_on_the_line_is_shown(cosem: Any, noisy: str) -> None:
    ran = cosem("read", noisy)
    assert ran.code == 0
    assert "line: 7 skipped octets" in ran.err
    assert cosem("read", noisy, "--json").json["line"] == {"skipped_octets": 7}


def test_lines_that_mean_nothing_are_counted(cosem: Any) -> None:
    with saying(b"1.8.0(123.4*kWh)\r\n2.8.0(123.4*furlong)\r\n3.8.0(12\r\n!\r\n\x03") as url:
        ran = cosem("read", url, "--json")
        assert ran.code == 1
        assert ran.json["line"] == {"lines_not_understood": 2, "skipped_octets": 7}
        assert "line: 2 lines not understood, 7 skipped octets" in cosem("read", url).err


def test_octets_of_wrong_parity_are_counted_where_software_checks_it(cosem: Any) -> None:
    with saying(BODY, line=lambda octets: with_parity(octets).replace(b"\xb4", b"\x34")) as url:  # 4 has odd parity
        ran = cosem("read", f"{url}&parity=software", "--json")
    assert ran.code == 1
    assert not any(line.get("readings") for line in ran.json["lines"])
    assert ran.json["line"]["parity_errors"] == ran.json["line"]["wrong_block_checks"]


def test_how_good_the_line_was_is_told_of_a_readout_that_failed_too(cosem: Any) -> None:
    with saying(BODY[:-4], ends=True) as url:
        ran = cosem("read", url)
    assert ran.code == 2
    assert not ran.out
    assert "line: 7 skipped octets" in ran.err


@pytest.fixture
def noisy() -> Iterator[str]:
    with saying(BODY) as url:
        yield url


BODY = b"1.8.0(123.4*kWh)\r\n!\r\n\x03"


@contextmanager
def saying(body: bytes, *, ends: bool = False, line: Callable[[bytes], bytes] = bytes) -> Iterator[str]:
    """Run a meter of mode A whose identification comes behind a line of noise; it repeats what is asked for again.

    `ends` for one that hangs up in the middle, `line` for what the line makes of octets.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    message = b"\x02" + body + bytes([reduce(xor, body)])

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(100)
                    connection.sendall(line(b"noise\r\n/KFM0MT\r\n" + (message[:-1] if ends else message)))
                    while not ends and connection.recv(100):
                        connection.sendall(line(message))

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"iec21+tcp://127.0.0.1:{listener.getsockname()[1]}?mode=A"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_whose_time_is_meant_is_said(cosem: Any, local: str) -> None:
    note = "taken for that of this machine"
    assert note in cosem("read", local).err
    ran = cosem("read", local, "--zone", "Asia/Tokyo", "--json")
    assert note not in ran.err
    times = {each["time"][-6:] for line in ran.json["lines"] for each in line["readings"]}
    assert times == {"+09:00"}
    assert "+09:00" in cosem("read", local, "--zone", "Asia/Tokyo").out
    ran = cosem("read", local, "--zone", "Nowhere")
    assert (ran.code, "Europe/Amsterdam" in ran.err) == (64, True)
    ran = cosem("read", "tcp://127.0.0.1:1", "1.8.0", "--zone", "Asia/Tokyo")
    assert (ran.code, "local port" in ran.err) == (64, True)


def test_one_line_of_it_and_one_that_is_not_there(cosem: Any, local: str) -> None:
    ran = cosem("read", local, "0-0:42.0.0", "1.8.0")
    assert ran.code == 1
    assert ran.out.count("KFm1020012345678") == 1
    assert "error: 1.8.0: the readout has no such line" in ran.err


def test_single_registers_with_a_password(cosem: Any, local: str, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD)
    ran = cosem("read", local, "1.8.0", "96.1.1", "--programming", "R5", "--password", f"file:{file}", "--json")
    assert ran.code == 0
    values = {line["code"]: line["readings"][0]["value"] for line in ran.json["lines"]}
    assert values == {"1.8.0": 12345678, "96.1.1": "text"}
    without = cosem("read", local, "1.8.0", "--programming", "R1")
    assert without.code == 1
    assert "the meter refused R1: ER04" in without.err
    wrong = cosem("read", local, "1.8.0", "--programming", "R5", "--password", "00000000")
    assert wrong.code != 0
    assert wrong.out == ""


def test_a_meter_that_is_not_there(cosem: Any, local: str) -> None:
    ran = cosem("read", f"{local}?address=7", "--timeout", "0.1")
    assert ran.code == 2
    assert "layer:    IEC 62056-21" in ran.err
    assert "the head straight on the meter" in ran.err


def test_other_commands_say_what_such_a_url_is_for(cosem: Any, local: str) -> None:
    ran = cosem("browse", local)
    assert ran.code == 64
    assert "carries lines of text and no objects" in ran.err
