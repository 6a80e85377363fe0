"""Rows of the same types are written as they are one value after another, and what is no such rows is left alone."""

from typing import Any

import pytest

from cosem.errors import LocalProtocolError
from cosem.protocol.codec import axdr
from cosem.protocol.codec.alike import FEWEST, rows_alike
from cosem.protocol.values.data import (
    Array,
    Bcd,
    DoubleLong,
    DoubleLongUnsigned,
    Enumerated,
    Long64Unsigned,
    OctetString,
    Structure,
    Unsigned,
    VisibleString,
)

TIME = OctetString(bytes.fromhex("07e80501030c000000000000"))


def rows(*made: tuple[Any, ...]) -> Array:
    return Array(map(Structure, made))


def one_by_one(array: Array) -> bytes:
    return b"".join(map(axdr.encode, array))


@pytest.mark.parametrize(
    "array",
    [
        rows(*((TIME, Unsigned(n), DoubleLongUnsigned(1 << n), DoubleLong(-n)) for n in range(30))),
        rows(*((Enumerated(n), Bcd(n), Long64Unsigned((1 << 64) - n), OctetString(b"")) for n in range(1, 4))),
        rows(*((OctetString(bytes((n,)) * 127), OctetString(b"ab")) for n in range(3))),
    ],
)
def test_rows_of_the_same_types(array: Array) -> None:
    assert rows_alike(array) == one_by_one(array)
    assert axdr.decode_all(axdr.encode(array)) == array


def test_octets_of_a_buffer() -> None:
    array = rows(*((OctetString(b"\x01\x02"), DoubleLongUnsigned(n)) for n in (1, 2, 0xFFFFFFFF)))
    expected = "0103 0202 09020102 0600000001 0202 09020102 0600000002 0202 09020102 06ffffffff"
    assert axdr.encode(array) == bytes.fromhex(expected)


@pytest.mark.parametrize(
    "array",
    [
        Array(),
        rows((), (), ()),
        rows(*((Unsigned(n),) for n in range(FEWEST - 1))),
        Array((Unsigned(1), Unsigned(2), Unsigned(3))),
        Array((Structure((Unsigned(1),)), Structure((Unsigned(1),)), Array((Unsigned(1),)))),
        Array((Structure((Unsigned(1),)), Structure((Unsigned(1),)), Unsigned(1))),
        rows((Unsigned(1),), (Unsigned(1),), (Enumerated(1),)),
        rows((Unsigned(1),), (Unsigned(1),), (Unsigned(1), Unsigned(2))),
        rows((OctetString(b"1"),), (OctetString(b"2"),), (OctetString(b"34"),)),
        rows((None,), (None,), (None,)),
        rows((Unsigned(1),), (None,), (Unsigned(1),)),
        rows(*((VisibleString("a"),) for _ in range(3))),
        rows(*((OctetString(bytes(128)),) for _ in range(3))),
        rows(*((Unsigned(1),) * 128 for _ in range(3))),
        rows(*((Structure((Unsigned(1),)),) for _ in range(3))),
    ],
)
def test_what_is_written_one_by_one(array: Array) -> None:
    assert rows_alike(array) is None
    assert axdr.decode_all(axdr.encode(array)) == array


def test_a_value_that_does_not_fit_is_told_as_ever() -> None:
    array = rows((Unsigned(1),), (Unsigned(256),), (Unsigned(1),))
    assert rows_alike(array) is None
    with pytest.raises(LocalProtocolError, match="256 does not fit"):
        axdr.encode(array)
