"""The ledger of truth: what was answered, written, read back and compared with readings."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cosem.errors import ConfigurationError
from cosem.fleet.ledger import WHOLE_OCTETS, Answer, Ledger, compare, read, value_of
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.data import DoubleLongUnsigned, OctetString
from cosem.protocol.values.obis import Obis
from cosem.readings.reading import Reading

TIME = datetime(2026, 3, 1, 8, tzinfo=UTC)
REFERENCE = "3/1.0.1.8.0.255/2"


def answer(value: str, meter: str = "KFM1") -> Answer:
    return Answer(TIME, meter, 1, REFERENCE, value)


def reading(raw: int, meter: str = "KFM1") -> Reading:
    return Reading(meter=meter, column=CaptureObject(3, Obis("1.0.1.8.0.255"), 2), time=TIME, raw=raw)


def test_values_are_written_whole_or_by_their_digest() -> None:
    assert value_of(DoubleLongUnsigned(0x186A0)) == "06000186a0"
    assert value_of(DataAccessResult.READ_WRITE_DENIED) == "refused read-write-denied"
    assert value_of(OctetString(bytes(WHOLE_OCTETS - 2))) == "093e" + "00" * (WHOLE_OCTETS - 2)
    # sha256 of 09 3F and 63 zeros, by sha256sum
    assert value_of(OctetString(bytes(WHOLE_OCTETS - 1))).startswith("sha256 ")


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    said = [answer("06000186a0"), answer("refused read-write-denied", "KFM2")]
    with Ledger(tmp_path / "ledger") as ledger:
        for each in said:
            ledger.record(each)
    assert list(read(tmp_path / "ledger")) == said
    (tmp_path / "ledger").write_text("{}\n")
    with pytest.raises(ConfigurationError, match="line 1"):
        list(read(tmp_path / "ledger"))
    with pytest.raises(ConfigurationError, match="cannot read"):
        list(read(tmp_path / "none"))
    with pytest.raises(ConfigurationError, match="cannot write"):
        Ledger(tmp_path / "nowhere" / "ledger")


def test_each_reading_is_true_false_or_unheard() -> None:
    said = [answer("06000186a0"), answer("06000186a1")]
    found = compare([reading(100_001), reading(100_000), reading(100_000), reading(7, "KFM9")], said)
    assert (found.true, found.false, found.unheard) == (2, (reading(100_000),), (reading(7, "KFM9"),))
