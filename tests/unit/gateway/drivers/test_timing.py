"""When a device is spoken to, how long for, and by whose time, in simulated time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cosem.gateway.value import Command, Quality
from cosem.meter import describe
from cosem.meter.attend import attend
from cosem.meter.demo import household
from cosem.meter.elgama import attend as attend_elgama
from cosem.meter.elgama import table_of
from cosem.meter.local import LocalPort
from cosem.meter.local_port import attend_local
from cosem.protocol.elgama import models
from cosem.protocol.elgama.station import ElgamaStation
from cosem.protocol.profile import profile_of
from cosem.protocol.profile.address import ConnectionUrl
from gateway_bench import NOON, WRAPPER, Bench, bench

EXAMPLES = Path(__file__).parents[4] / "examples"
OPTICAL = {"serialnumber": "0", "baudrate": 300, "databits": 7, "parity": "even"}
CLOCK = {"job_todo": "clock", "tag_job_todo": "local time", "number_type": "TEXT"}
YESTERDAY = NOON - timedelta(days=1)


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAMA_PASSWORD", "OPERATOR")


async def local(far: Any) -> None:
    await attend_local(household(2, clock=lambda: NOON), far, switches=True)


async def over_the_wrapper(far: Any) -> None:
    await attend(household(2, clock=lambda: NOON), far, entropy=bytes)


async def gama(far: Any) -> None:
    meter = describe.load(EXAMPLES / "gama300.toml", clock=lambda: YESTERDAY)
    url = ConnectionUrl.parse("hdlc+serial:///dev/ttyUSB2?client=1&physical=2421&address_size=4")
    await attend(meter, far, profile_of(url), physical=2421, entropy=bytes)


def station(number: int) -> Any:
    async def serve(far: Any) -> None:
        model = (models.EPQM, models.EPQS)[number]
        await attend_elgama(ElgamaStation(model, 2141421, lambda table: table_of(model, table, YESTERDAY)), far)

    return serve


# -- silence ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("milliseconds", [1, 700, 2500])
@pytest.mark.parametrize(
    ("driver", "changes", "signal", "call"),
    [
        ("DLMS", WRAPPER, None, 0.0),
        ("DLMS", {}, None, 0.0),
        ("IEC 62056-21", {}, None, 60 / 9600),  # counted from the end of "/?1!\r\n"
        ("Elgama", {}, None, 0.0),
        ("Elgama", {"meter_model": 1}, CLOCK, 0.0),
    ],
)
def test_timeout_ms_is_the_silence_before_an_answer(
    driver: str,
    changes: Any,
    signal: Any,
    call: float,
    milliseconds: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    silent = bench(tmp_path, monkeypatch, driver, {**changes, "timeout_ms": milliseconds}, signal=signal)
    assert silent.fail() == pytest.approx(milliseconds / 1000 + call)


@pytest.mark.parametrize("milliseconds", [700, 2500])
def test_timeout_ms_holds_for_the_sign_on_of_mode_iec(
    milliseconds: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is sent three times, as the standard has it; each takes 50 bits of 300 a second."""
    silent = bench(tmp_path, monkeypatch, "DLMS", {"mode": "IEC", "timeout_ms": milliseconds})
    assert silent.fail() == pytest.approx(3 * (milliseconds / 1000 + 50 / 300))


# -- IEC 62056-21 -----------------------------------------------------------------------------------------------------


def acknowledged(meter: Bench) -> float:
    ((moment, octets),) = meter.said[1:]
    assert octets.startswith(b"\x06")
    return moment


@pytest.mark.parametrize("t2", [200, 300, 1500])
def test_t2_passes_before_the_acknowledgement_of_mode_c(
    t2: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    energy = {"tag_job_todo": "1.8.0", "number_type": "DOUBLE"}
    given = bench(tmp_path, monkeypatch, "IEC 62056-21", {**OPTICAL, "t2": t2}, signal=energy, serve=local)
    least = bench(tmp_path, monkeypatch, "IEC 62056-21", {**OPTICAL, "t2": 200}, signal=energy, serve=local)
    monkeypatch.undo()
    for each in (given, least):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("cosem.io.aio.open_serial", each.open_serial)
            assert each.scan()["local1.energy"].quality is Quality.GOOD
    assert acknowledged(given) - acknowledged(least) == pytest.approx((t2 - 200) / 1000)


@pytest.mark.parametrize(
    ("kind", "identification", "acknowledgement"),
    [("A", "KFMXCONTROL", b""), ("B", "KFMDCONTROL", b""), ("C", "KFM5CONTROL", b"\x06050\r\n")],
)
def test_type_is_the_mode_that_a_meter_is_read_in(
    kind: str, identification: str, acknowledgement: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mode A goes on at 300 baud, B at the 4800 of the letter D without a word, C after an acknowledgement."""

    async def serve(far: Any) -> None:
        await attend_local(
            household(2, clock=lambda: NOON), far, LocalPort(identification=identification), switches=True
        )

    energy = {"tag_job_todo": "1.8.0", "number_type": "DOUBLE"}
    meter = bench(tmp_path, monkeypatch, "IEC 62056-21", {**OPTICAL, "type": kind}, signal=energy, serve=serve)
    assert meter.scan()["local1.energy"].quality is Quality.GOOD
    assert meter.sent == b"/?!\r\n" + acknowledgement


def test_password_enters_programming_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {**OPTICAL, "password": "12345678"}
    meter = bench(tmp_path, monkeypatch, "IEC 62056-21", row, signal={"write": 1}, serve=local)
    result = meter.run(meter.driver.obey(Command("local1.energy", "5", "a test")))
    assert not result.done  # the household takes no password
    assert b"P1\x02(12345678)\x03" in meter.sent


# -- sessions and the line --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("keep_open", "sessions"), [(1, 1), (0, 3)])
@pytest.mark.parametrize(
    ("driver", "changes", "signal", "serve"),
    [
        ("DLMS", WRAPPER, None, over_the_wrapper),
        ("Elgama", {}, {"tag_job_todo": "1.0.32.7.0.255"}, gama),
    ],
)
def test_keep_open_keeps_the_session_between_scans(
    driver: str,
    changes: Any,
    signal: Any,
    serve: Any,
    keep_open: int,
    sessions: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meter = bench(tmp_path, monkeypatch, driver, {**changes, "keep_open": keep_open}, signal=signal, serve=serve)
    for _ in range(3):
        assert all(each.quality is Quality.GOOD for each in meter.scan().values())
    assert (len(meter.opened), len(meter.closed)) == (sessions, 0 if keep_open else 3)


@pytest.mark.parametrize(
    ("driver", "changes", "signal", "serve"),
    [
        ("DLMS", {"serial_number": 2141421, "client_address": "20", "auth": "Low", "password": "OPERATOR"}, None, gama),
        ("IEC 62056-21", OPTICAL, {"tag_job_todo": "1.8.0"}, local),
        ("Elgama", {}, {"tag_job_todo": "1.0.32.7.0.255"}, gama),
    ],
)
def test_echo_is_taken_away(
    driver: str, changes: Any, signal: Any, serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal = signal or {"obis_job": "1.0.32.7.0.255"}
    row = {**changes, "echo": "strip"}
    meter = bench(tmp_path, monkeypatch, driver, row, signal=signal, serve=serve, echo=True)
    (found,) = meter.scan().values()
    assert found.quality is Quality.GOOD


@pytest.mark.parametrize("number", [0, 1])
def test_keep_open_keeps_nothing_of_the_byte_protocol_and_the_check_says_so(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"meter_model": number, "keep_open": 1}
    meter = bench(tmp_path, monkeypatch, "Elgama", row, signal=CLOCK, serve=station(number))
    for _ in range(2):
        meter.scan()
    assert len(meter.closed) == 2
    assert any("not used" in each.text for each in meter.configuration.notices if each.place.column == "keep_open")


# -- the time of values -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("use_time", "time"), [(0, None), (1, YESTERDAY)])
@pytest.mark.parametrize("number", [0, 1])
def test_use_time_of_the_byte_protocol(
    number: int, use_time: int, time: datetime | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"meter_model": number, "use_time": use_time}
    meter = bench(tmp_path, monkeypatch, "Elgama", row, signal=CLOCK, serve=station(number))
    (found,) = meter.scan().values()
    assert found.source_time == time
    assert found.gateway_time.replace(microsecond=0) == NOON


@pytest.mark.parametrize(("use_time", "time"), [(0, None), (1, YESTERDAY)])
def test_use_time_of_a_gama_is_read_with_its_values(
    use_time: int, time: datetime | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"use_time": use_time, "password": "OPERATOR"}
    meter = bench(tmp_path, monkeypatch, "Elgama", row, signal={"tag_job_todo": "1.0.32.7.0.255"}, serve=gama)
    meter.scan()
    before = len(meter.said)
    (found,) = meter.scan().values()
    assert len(meter.said) == before + 1
    assert (found.source_time and found.source_time.astimezone(UTC)) == time
