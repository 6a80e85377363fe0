"""A reading keeps what the meter said, digit for digit."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosem.errors import LocalProtocolError
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.quantity import Quantity
from cosem.protocol.values.units import Unit
from cosem.readings.reading import Quality, Reading, Source

ENERGY = CaptureObject(3, Obis("1.0.1.8.0.255"), 2, 0)
NOON = datetime(2024, 2, 29, 12, tzinfo=timezone(timedelta(hours=1)))


def reading(raw: int | str, scaler: int = 0, unit: Unit = Unit.WATT_HOUR) -> Reading:
    return Reading(meter="KFM1020012345678", column=ENERGY, time=NOON, raw=raw, scaler=scaler, unit=unit)


@pytest.mark.parametrize(
    ("raw", "scaler", "text"),
    [
        (12345678, 0, "12345678"),
        (12345678, 3, "12345678000"),
        (12345678, -2, "123456.78"),
        (-5, -3, "-0.005"),
        (0, 3, "0"),
        (0, -1, "0.0"),
        (2**64 - 1, -1, "1844674407370955161.5"),
    ],
)
def test_numbers(raw: int, scaler: int, text: str) -> None:
    assert reading(raw, scaler).text == text
    assert reading(raw, scaler).value == Decimal(text)


def test_quantity() -> None:
    assert reading(12345678).quantity == Quantity(Decimal(12345678), Unit.WATT_HOUR)
    assert str(reading(12345678, -3).quantity) == "12345.678 Wh"
    assert reading("ready").quantity is None
    assert reading("ready").text == "ready"


@given(st.integers(-(2**63), 2**64), st.integers(-128, 127))
def test_no_digit_is_lost_in_any_context(raw: int, scaler: int) -> None:
    with localcontext() as context:
        context.prec = 3
        value = reading(raw, scaler).value
    assert isinstance(value, Decimal)
    assert value.as_tuple().exponent == scaler
    with localcontext() as context:
        context.prec = 400
        assert value == Decimal(raw) * Decimal(10) ** scaler


def test_what_makes_it_the_same_reading() -> None:
    one = reading(1)
    later = Reading(
        meter=one.meter,
        column=one.column,
        time=NOON.astimezone(UTC),
        raw=2,
        quality=Quality.CLOCK_DOUBTFUL,
        source=Source.PUSHED,
    )
    assert one.key == later.key
    assert one != later
    assert one.reference == "3/1.0.1.8.0.255/2"
    assert one.obis == Obis("1.0.1.8.0.255")
    assert hash(one) != hash(later)


def test_a_time_without_offset_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="offset"):
        Reading(meter="m", column=ENERGY, time=datetime(2024, 2, 29, 12), raw=1)
