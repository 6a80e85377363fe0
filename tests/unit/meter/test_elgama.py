"""Simulated Elgama stations on sockets, read by our client: the two sides of one text, as there is no peer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cosem.client.elgama import ElgamaReader
from cosem.errors import ConfigurationError, ConnectionLost, CosemError, LocalProtocolError, ServiceRefused, TimedOut
from cosem.meter.elgama import ElgamaServer, table_of
from cosem.meter.faults import Faults
from cosem.protocol.crypto.key import Secret
from cosem.protocol.elgama import models, tables
from cosem.protocol.elgama.client import Settings
from cosem.protocol.elgama.frame import LONGEST_BODY
from interop.served import running

NOW = datetime(2024, 5, 17, 13, 45, 22, tzinfo=UTC)
CHALLENGE = bytes(range(8))
HASTY = Settings(answer=0.05, inter_octet=0.05, repeats=0)
"""Who does not wait for what never comes."""


def place(model: str, port: int = 0) -> str:
    return f"elgama+tcp://127.0.0.1:{port}?model={model}&serial=925948&experimental=yes"


def server(model: str, **more: Any) -> ElgamaServer:
    return ElgamaServer(place(model), clock=lambda: NOW, zone=UTC, **more)


@pytest.mark.parametrize("model", ["epqs", "epqm"])
def test_the_clock_of_both(model: str) -> None:
    with running(server(model)) as port, ElgamaReader.open(place(model, port)) as meter:
        record = meter.clock()
        assert record.time == NOW.replace(tzinfo=None)
        assert record.interval == 900
        with pytest.raises(ServiceRefused, match="no table 99"):
            meter.table(b"\x99\x99\x99")
        assert meter.clock().time == NOW.replace(tzinfo=None)  # a no does not end the session


def test_an_epqs() -> None:
    with running(server("epqs")) as port, ElgamaReader.open(place("epqs", port)) as meter:
        assert meter.table(tables.EPQS_MODEL) == b"EPQS"
        profile = tables.epqs_profile_record(meter.table(tables.epqs_profile(1, 0)))
        assert [str(profile.scale.value(number)) for number in profile.numbers[:2]] == ["20", "20.1"]
        registers = tables.epqs_register_record(meter.table(tables.epqs_registers(tables.DAILY, 1, 0)))
        assert (len(registers.periods), registers.tariffs, registers.periods[0][3]) == (6, 4, None)
        assert len(tables.events(meter.table(tables.epqs_events(0)))) == 2


def test_an_epqm() -> None:
    with running(server("epqm")) as port, ElgamaReader.open(place("epqm", port)) as meter:
        assert len(tables.epqm_records(meter.table(tables.epqm_daily(0)), tables.EPQM_DAILY_OCTETS)) == 2
        assert len(tables.epqm_records(meter.table(tables.epqm_monthly(0)), tables.EPQM_MONTHLY_OCTETS)) == 2
        assert meter.table(tables.epqm_profile(1, 3)) == bytes(96)
        assert meter.table(tables.EPQM_POWER_FAILS) == b""


def test_protected_requests() -> None:
    secret = Secret(b"12345")
    with running(server("epqs", password=secret)) as port:
        with ElgamaReader.open(place("epqs", port), password=secret) as meter:
            meter.protected(CHALLENGE, CHALLENGE)
        with ElgamaReader.open(place("epqs", port)) as meter:
            assert meter.clock().interval == 900
            with pytest.raises(LocalProtocolError, match="password"):
                meter.protected(CHALLENGE, CHALLENGE)
            with pytest.raises(LocalProtocolError, match="closed"):
                meter.clock()


@pytest.mark.parametrize("model", [models.EPQS, models.EPQM])
def test_no_table_is_larger_than_a_frame(model: models.Model) -> None:
    for first in range(256):
        for rest in (0, 1, 0xFF):
            table = bytes((first,)) + rest.to_bytes(model.table_octets - 1, "big")
            data = table_of(model, table, NOW)
            assert data is None or len(data) <= LONGEST_BODY
    assert table_of(model, b"", NOW) is None


@pytest.mark.parametrize("url", ["tcp://127.0.0.1:0", "elgama+udp://127.0.0.1:0?model=epqs&serial=1&experimental=yes"])
def test_other_places_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"elgama\+tcp"):
        ElgamaServer(url)


def test_it_is_kept_on_loopback() -> None:
    with pytest.raises(ConfigurationError, match="beyond_loopback"):
        ElgamaServer("elgama+tcp://192.0.2.7:0?model=epqs&serial=1&experimental=yes")


def test_the_reader_wants_its_own_urls() -> None:
    with pytest.raises(ConfigurationError, match=r"expected elgama\+tcp"):
        ElgamaReader.open("tcp://127.0.0.1:1")


def test_a_clock_that_drifts() -> None:
    hours = iter(range(1000))
    faults = Faults(clock_drift=3600)
    drifting = ElgamaServer(place("epqs"), clock=lambda: NOW + timedelta(hours=next(hours)), zone=UTC, faults=faults)
    with running(drifting) as port, ElgamaReader.open(place("epqs", port)) as meter:
        first, second = meter.clock().time, meter.clock().time
    assert second - first == timedelta(hours=1, seconds=150)


@pytest.mark.parametrize(("faults", "error"), [(Faults(loss=1), TimedOut), (Faults(damage=1), CosemError)])
def test_answers_that_are_lost_or_damaged(faults: Faults, error: type[CosemError]) -> None:
    with running(server("epqs", faults=faults)) as port:
        where = place("epqs", port)
        with ElgamaReader.open(where, settings=HASTY) as meter, pytest.raises(error):
            meter.clock()


def test_a_meter_that_restarts_breaks_off_and_answers_again() -> None:
    with running(server("epqs", faults=Faults(reboot_after=2))) as port:
        with ElgamaReader.open(place("epqs", port)) as meter, ElgamaReader.open(place("epqs", port)) as other:
            assert meter.clock().interval == other.clock().interval == 900
            with pytest.raises(ConnectionLost):
                meter.clock()
            with pytest.raises(ConnectionLost):
                other.clock()
        with ElgamaReader.open(place("epqs", port)) as meter:
            assert meter.clock().interval == 900


@pytest.mark.parametrize("faults", [Faults(wrong_keys=True), Faults(activation_restarts=True), Faults(seed=1)])
def test_faults_that_it_cannot_have(faults: Faults) -> None:
    with pytest.raises(ConfigurationError, match=faults.named[0]):
        server("epqs", faults=faults)
