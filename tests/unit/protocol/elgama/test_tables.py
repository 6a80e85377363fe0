"""Records of EPQS and EPQM by hand-made octets: there is no capture of an answer, so the rules are checked alone."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest

from cosem.errors import ConfigurationError, DecodeError
from cosem.protocol.elgama import tables
from cosem.protocol.elgama.tables import Scale

ONE = (1 << 32).to_bytes(6, "little")


def test_packed_time() -> None:
    # 24 (7 bits) 05 (4) 17 (5) 13 (5) 45 (6) 11 (5): 0011000 0101 10001 01101 101101 01011
    octets = int("00110000101100010110110110101011", 2).to_bytes(4, "little")
    assert tables.packed_time(octets) == datetime(2024, 5, 17, 13, 45, 22)
    assert tables.pack_time(datetime(2024, 5, 17, 13, 45, 23)) == octets


@pytest.mark.parametrize("octets", [b"", bytes(4), b"\xff" * 4, bytes(5), bytes.fromhex("00000132")])
def test_what_is_no_time(octets: bytes) -> None:
    with pytest.raises(DecodeError):
        tables.packed_time(octets)


def test_years_that_do_not_fit() -> None:
    for year in (1999, 2128):
        with pytest.raises(ConfigurationError):
            tables.pack_time(datetime(year, 1, 1))


def test_clock_records() -> None:
    time = datetime(2024, 5, 17, 13, 45, 22)
    octets = tables.pack_time(time)
    assert tables.epqs_clock(octets + b"\x84\x03\x77") == tables.ClockRecord(time, 900, b"\x77")
    record = tables.epqm_clock(octets + b"\x01\x02\x04\x05")
    assert (record.time, record.interval, record.rest) == (time, 900, b"\x01\x02\x04\x05")
    for read, short in ((tables.epqs_clock, octets + b"\x84"), (tables.epqm_clock, octets + b"\x00\x00\x07")):
        with pytest.raises(DecodeError):
            read(short)


@pytest.mark.parametrize(
    ("octets", "number", "value"),
    [
        (ONE + b"\x00\x00", 12345, "12345"),
        (ONE + b"\x03\x6b", 12345, "12345"),
        (ONE + b"\x03\x6d", 12345, "12345000"),
        (ONE + b"\x04\x00", 12345, "1.2345"),
        ((1 << 31).to_bytes(6, "little") + b"\x00\x00", 3, "1.5"),
        (b"\x01" + bytes(5) + b"\x00\x00", 1, "2.3283064365386962890625E-10"),
        (ONE + b"\x04\x00", 0, "0"),
    ],
)
def test_scales_are_exact(octets: bytes, number: int, value: str) -> None:
    assert Scale.decode(octets).value(number) == Decimal(value)


@pytest.mark.parametrize("octets", [b"", ONE, ONE + b"\x00\x01", ONE + bytes(3)])
def test_scales_that_are_none(octets: bytes) -> None:
    with pytest.raises(DecodeError):
        Scale.decode(octets)


def test_profiles() -> None:
    record = tables.epqs_profile_record(ONE + b"\x01\x00" + bytes.fromhex("0100 FF00 00FF"))
    assert record.numbers == (1, 255, 65280)
    with pytest.raises(DecodeError, match="numbers of 2"):
        tables.epqs_profile_record(ONE + b"\x01\x00\x01")


def test_registers() -> None:
    numbers = bytes.fromhex("01000000 FFFFFFFF 03000000 FEFFFFFF")
    record = tables.epqs_register_record(b"\x02\x00\x00" + ONE + b"\x00\x00" + numbers)
    assert record.periods == ((1, None), (3, 0xFFFF_FFFE))
    for tariffs, size in ((0, 8), (9, 8), (2, 4), (1, 28), (1, 5)):
        with pytest.raises(DecodeError):
            tables.epqs_register_record(bytes((tariffs, 0, 0)) + ONE + b"\x00\x00" + bytes(size))
    assert len(tables.epqs_register_record(b"\x01\x00\x00" + ONE + b"\x00\x00" + bytes(24)).periods) == 6


def test_records_of_octets() -> None:
    assert tables.events(bytes(16)) == (bytes(8), bytes(8))
    assert tables.epqm_records(bytes(98), tables.EPQM_DAILY_OCTETS) == (bytes(49), bytes(49))
    for octets, size in ((bytes(9), 8), (bytes(66), 65)):
        with pytest.raises(DecodeError):
            tables.epqm_records(octets, size)


def test_requests() -> None:
    assert tables.epqs_registers(tables.MONTHLY, 2, 0).hex() == "210010"
    assert tables.epqs_registers(tables.DAILY, 2, 1).hex() == "310011"
    assert tables.epqm_profile(3, 5, second_half=True).hex() == "0385"
    assert (tables.epqm_daily(7).hex(), tables.epqm_monthly(8).hex()) == ("0607", "0708")
    for refused in (
        lambda: tables.epqs_profile(8, 0),
        lambda: tables.epqs_profile(0, 0x10000),
        lambda: tables.epqs_registers(0x22, 0, 0),
        lambda: tables.epqs_registers(tables.DAILY, 0x2000, 0),
        lambda: tables.epqm_profile(0, 0x80),
    ):
        with pytest.raises(ConfigurationError):
            refused()
