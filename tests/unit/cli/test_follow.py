"""`cosem listen` at a meter that only speaks, and `cosem decode` of pasted telegrams."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cosem.cli import follow
from cosem.cli.failure import SESSION_LOST
from cosem.cli.zone import LocalZone
from cosem.protocol.crypto.key import Key
from cosem.protocol.iec21.p1 import P1Keys, seal, telegram
from cosem.protocol.iec21.tic import Group, frame

ROOT = Path(__file__).resolve().parents[3]
CASES = [json.loads(line) for line in (ROOT / "tests/vectors/p1.jsonl").read_text("utf-8").splitlines()]
P1 = next(case["text"] for case in CASES if case["id"] == "robthree-v5-ok")
TIC = [json.loads(line) for line in (ROOT / "tests/vectors/tic.jsonl").read_text("utf-8").splitlines()]
STANDARD = next(case["text"] for case in TIC if case["id"] == "linkytic-standard")
SML = json.loads((ROOT / "tests/vectors/sml.jsonl").read_text("utf-8"))["hex"]
EK = "5A1B2C3D4E5F60718293A4B5C6D7E8F9"


@pytest.fixture
def said(tmp_path: Path) -> Callable[..., str]:
    """Call it with octets: they are what a meter said, at the URL it returns."""

    def write(octets: bytes, framing: str = "p1") -> str:
        (tmp_path / "said").write_bytes(octets)
        return f"{framing}+file://{tmp_path}/said"

    return write


def test_p1_telegrams_are_shown_under_one_heading(cosem: Any, said: Any) -> None:
    ran = cosem("listen", said(P1.encode("latin-1") * 2), "--zone", "Europe/Amsterdam")
    assert ran.code == 0
    rows = ran.out.splitlines()
    assert rows[0].split() == ["time", "code", "value", "unit", "what", "it", "is"]
    assert sum(row.startswith("time ") for row in rows) == 1
    (energy,) = {row for row in rows if "1.0.1.8.1.255" in row}
    assert energy.split()[:5] == ["2010-12-09", "11:30:20+01:00", "1.0.1.8.1.255", "123456789", "Wh"]
    assert sum("1.0.1.8.1.255" in row for row in rows) == 2
    assert "line: 2 telegrams" in ran.err


def test_p1_json_is_one_object_a_telegram(cosem: Any, said: Any) -> None:
    damaged = P1.replace("123456.789", "123456.780")
    ran = cosem("listen", said((P1 + damaged + "/ABC5\r\n").encode("latin-1")), "--zone", "Europe/Amsterdam", "--json")
    good, bad, cut = map(json.loads, ran.out.splitlines())
    assert (good["kind"], good["check"], good["verified"], good["version"]) == ("p1", "right", True, "50")
    energy = next(each for each in good["readings"] if each["obis"] == "1.0.1.8.1.255")
    assert (energy["value"], energy["unit"]) == (123456789, "Wh")
    gas = next(each for each in good["readings"] if each["obis"] == "0.1.24.2.1.255")
    assert (gas["channel"], gas["unit"]) == (1, "m³")
    assert (bad["check"], bad["verified"], bad["readings"]) == ("wrong", False, [])
    assert (cut["kind"], cut["verified"]) == ("discarded", False)
    assert (cut["line"]["telegrams"], cut["line"]["telegrams_discarded"]) == (2, 1)


def test_a_damaged_telegram_is_set_aside(cosem: Any, said: Any) -> None:
    ran = cosem("listen", said(P1.replace("123456.789", "123456.780").encode("latin-1")))
    assert "123456780" not in ran.out
    assert "CRC" in ran.err
    assert ran.code == 1


def test_whose_time_is_meant_is_said(cosem: Any, said: Any) -> None:
    note = "taken for that of this machine"
    assert note in cosem("listen", said(P1.encode("latin-1"))).err
    assert note not in cosem("listen", said(P1.encode("latin-1")), "--zone", "Europe/Amsterdam").err
    assert note not in cosem("listen", said(bytes.fromhex(SML), "sml")).err


def test_count_ends_it(cosem: Any, said: Any) -> None:
    assert cosem("listen", said(P1.encode("latin-1") * 3), "--count", 2, "--json").out.count("\n") == 2


def test_encrypted_p1(cosem: Any, said: Any, tmp_path: Path) -> None:
    octets = seal(
        telegram("ISK5", [("1-0:1.8.0", "000001.500*kWh")]), P1Keys(encryption_key=Key.from_hex(EK)), b"KFM12345", 9
    )
    (tmp_path / "ek").write_text(EK)
    (tmp_path / "ek").chmod(0o600)
    ran = cosem("listen", said(octets), "--ek", f"file:{tmp_path / 'ek'}", "--json")
    assert ran.json["readings"][0]["value"] == 1500
    assert ran.json["invocation_counter"] == 9
    ran = cosem("listen", said(octets))
    assert ran.code == 1
    assert "encrypted" in ran.err
    ran = cosem("decode", octets.hex(), "--key", f"file:{tmp_path / 'ek'}")
    assert "1500" in ran.out


def test_an_encrypted_telegram_that_was_there_before(cosem: Any, said: Any, tmp_path: Path) -> None:
    octets = seal(
        telegram("ISK5", [("1-0:1.8.0", "000001.500*kWh")]), P1Keys(encryption_key=Key.from_hex(EK)), b"KFM12345", 9
    )
    (tmp_path / "ek").write_text(EK)
    (tmp_path / "ek").chmod(0o600)
    words = ("listen", said(octets * 2), "--ek", f"file:{tmp_path / 'ek'}", "--json")
    first, again = map(json.loads, cosem(*words).out.splitlines())
    assert (first["verified"], first["readings"][0]["value"]) == (True, 1500)
    assert (again["verified"], again["check"], again["readings"]) == (False, "replayed", [])
    assert "counter 9" in str(again["error"])
    ran = cosem(*words, "--any-counter")
    assert [json.loads(line)["verified"] for line in ran.out.splitlines()] == [True, True]
    assert "send it again" in ran.err
    assert "2 telegrams" in ran.err


@pytest.fixture
def coming_and_going() -> Iterator[str]:
    """A meter that says one telegram to whoever comes, and goes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(P1.encode("latin-1"))

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"p1+tcp://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def test_a_line_that_falls_away_is_opened_again(
    cosem: Any, coming_and_going: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(follow, "_pause", pause)
    ran = cosem("listen", coming_and_going, "--count", 3, "--json")
    assert ran.code == 0
    assert [json.loads(line)["line"]["reconnections"] for line in ran.out.splitlines()] == [0, 1, 2]
    assert waited == [1.0, 1.0]
    assert ran.err.count("the line fell away") == 2
    assert "opened again in 1 s" in ran.err
    assert "2 reconnections" in ran.err


def test_or_it_is_not(cosem: Any, coming_and_going: str) -> None:
    ran = cosem("listen", coming_and_going, "--count", 3, "--json", "--no-reconnect")
    assert ran.code == SESSION_LOST
    assert ran.out.count("\n") == 1
    assert "the session was lost" in ran.err


def test_tic_and_sml(cosem: Any, said: Any) -> None:
    ran = cosem("listen", said(STANDARD.encode("latin-1"), "tic"), "--zone", "Europe/Paris")
    assert ran.code == 0
    assert "3519702" in ran.out
    assert "Greatest apparent power drawn today" in ran.out
    ran = cosem("listen", said(STANDARD.encode("latin-1"), "tic"), "--json")
    assert ran.json["mode"] == "standard"
    assert {each["code"] for each in ran.json["other"]} > {"SMAXSN", "MSG1", "PREF"}
    ran = cosem("listen", said(bytes.fromhex(SML), "sml"), "--json")
    assert {each["obis"]: each["value"] for each in ran.json["readings"]}["1.0.16.7.0.255"] == 1837


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["p1+file://nothing.txt"], "cannot read"),
        (["p1+udp://meter:1"], "not listened to"),
        (["p1+file://-", "--zone", "Nowhere"], "Europe/Amsterdam"),
        (["p1+file://-", "--ak", EK], "--ek"),
        (["p1+file://-", "--ek", EK, "--meter", "xyz"], "16 hex digits"),
        (["p1+file://-", "--ek", EK, "--meter", "12" * 8, "--meter", "13" * 8], "one --meter"),
        (["tic+file://-", "--ek", EK], "never encrypted"),
        (["tic+file://-", "--any-counter"], "encrypted P1"),
        (["tcp://127.0.0.1:0", "--any-counter"], "--any-counter"),
        (["tcp://127.0.0.1:0", "--zone", "UTC"], "--zone"),
    ],
)
def test_what_is_refused(cosem: Any, words: list[str], named: str) -> None:
    ran = cosem("listen", *words)
    assert ran.code == 64
    assert named in ran.err


def test_nobody_speaks(cosem: Any) -> None:
    assert cosem("listen", "p1+serial:///dev/no-such-port").code == 2


def test_reading_a_meter_that_only_speaks_says_what_to_do(cosem: Any) -> None:
    ran = cosem("read", "p1+tcp://127.0.0.1:1", "1.8.0")
    assert ran.code == 64


@pytest.mark.parametrize(
    ("text", "code", "found"),
    [
        (P1, 0, "123456789"),
        ("my meter says:\n\n" + P1.replace("\r\n", "\n"), 0, "123456789"),
        (P1.replace("123456.789", "123456.780"), 1, "(123456.780*kWh)"),
        (P1[: P1.index("!")], 1, "(123456.789*kWh)"),
        (STANDARD, 0, "3519702"),
        (STANDARD.replace("\r", "").strip("\x02\x03"), 0, "3519702"),
        (frame([Group("BASE", "000001000"), Group("PAPP", "00230")]).decode(), 0, "1.0.9.7.0.255"),
        (P1.encode("latin-1").hex(), 0, "123456789"),
    ],
)
def test_pasted_telegrams(cosem: Any, text: str, code: int, found: str) -> None:
    ran = cosem("decode", given=text)
    assert found in ran.out
    assert ran.code == code
    again = cosem("decode", "--json", given=text)
    assert again.json["telegrams"]


def test_zone_of_this_machine() -> None:
    moment = datetime(2024, 7, 12, 12, 0, tzinfo=LocalZone())
    assert moment.astimezone(UTC) == datetime(2024, 7, 12, 12, 0).astimezone(UTC)
    assert moment.dst() is not None and moment.tzname()
    assert datetime(1, 1, 1, tzinfo=LocalZone()).utcoffset() is not None
