"""The closed list of number types, by the numbers of IEC 60870-5-101 and the built-in types of OPC UA."""

from __future__ import annotations

import math
import struct
from decimal import Decimal

import pytest

from cosem.gateway.value import NumberType, Plain, Quality, number_of


@pytest.mark.parametrize(
    ("word", "plain", "tagged", "registers"),
    [
        ("DIGITAL", 1, 30, 0),  # M_SP_NA_1, M_SP_TB_1
        ("SIGNED16", 11, 35, 1),  # M_ME_NB_1, M_ME_TE_1
        ("SIGNED32", 15, 37, 2),  # M_IT_NA_1, M_IT_TB_1
        ("FLOAT", 13, 36, 2),  # M_ME_NC_1, M_ME_TF_1
        ("DOUBLE", 13, 36, 4),
        ("BITSTRING", 7, 33, 2),  # M_BO_NA_1, M_BO_TB_1
    ],
)
def test_types_of_other_protocols(word: str, plain: int, tagged: int, registers: int) -> None:
    number_type = NumberType(word)
    assert number_type.iec104 == (plain, tagged)
    assert number_type.registers == registers


def test_text_and_times_go_neither_to_modbus_nor_to_104() -> None:
    for word in ("TEXT", "TIME"):
        assert (NumberType(word).iec104, NumberType(word).registers) == (None, None)


def test_the_bits_of_quality_are_those_of_the_quality_descriptor() -> None:
    assert [each.value for each in Quality] == [0x01, 0x20, 0x40, 0x80]


@pytest.mark.parametrize(
    ("word", "form"),
    [("SIGNED16", "h"), ("UNSIGNED16", "H"), ("SIGNED32", "i"), ("UNSIGNED32", "I"), ("SIGNED64", "q"),
     ("UNSIGNED64", "Q"), ("BITSTRING", "I")],
)  # fmt: skip
def test_whole_numbers_fill_their_octets(word: str, form: str) -> None:
    kind = NumberType(word)
    assert kind.whole
    assert kind.bounds is not None
    for bound, past in zip(kind.bounds, (-1, 1), strict=True):
        struct.pack(f">{form}", bound)
        with pytest.raises(struct.error):
            struct.pack(f">{form}", bound + past)
        assert kind.carried(bound) == (bound, Quality.GOOD)
        assert kind.carried(bound + past) == (bound, Quality.OVERFLOW)


def test_floating_numbers_end_where_those_of_ieee_754_do() -> None:
    for word, form, largest in (("FLOAT", ">f", "7f7fffff"), ("DOUBLE", ">d", "7fefffffffffffff")):
        kind, (bound,) = NumberType(word), struct.unpack(form, bytes.fromhex(largest))
        assert kind.bounds == (-bound, bound)
        assert not kind.whole
        for number in (math.inf, 10**400, Decimal("1e400")):
            assert kind.carried(number) == (bound, Quality.OVERFLOW)
            assert kind.carried(-number) == (-bound, Quality.OVERFLOW)


@pytest.mark.parametrize(
    ("number", "carried", "quality"),
    [
        (Decimal("65535.4"), 65535, Quality.GOOD),
        (65535.6, 65535, Quality.OVERFLOW),
        (-0.4, 0, Quality.GOOD),
        (math.inf, 65535, Quality.OVERFLOW),
        (10**400, 65535, Quality.OVERFLOW),
        (Decimal("-1e999999"), 0, Quality.OVERFLOW),
    ],
)
def test_what_is_not_whole_is_rounded_before_it_is_too_large(
    number: Decimal | float, carried: int, quality: Quality
) -> None:
    found = NumberType.UNSIGNED16.carried(number)
    assert found == (carried, quality)
    assert isinstance(found[0], int)


@pytest.mark.parametrize(
    ("value", "number"),
    [(True, 1), (5, 5), (1.5, 1.5), (Decimal("0.1"), Decimal("0.1")), (Decimal("1e400"), Decimal("1e400"))]
    + [(each, None) for each in (math.nan, -math.inf, Decimal("NaN"), Decimal("Infinity"), "5", b"5", None)],
)
def test_numbers(value: Plain, number: Decimal | float | None) -> None:
    found = number_of(value)
    assert found == number
    assert not isinstance(found, bool)
