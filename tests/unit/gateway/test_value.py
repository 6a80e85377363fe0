"""The closed list of number types, by the numbers of IEC 60870-5-101 and the built-in types of OPC UA."""

from __future__ import annotations

import pytest

from cosem.gateway.value import NumberType, Quality


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
