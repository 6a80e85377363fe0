"""Compact arrays: what they cost is known before they are expanded."""

import pytest

from cosem.errors import DecodeError, LocalProtocolError
from cosem.protocol.codec import axdr
from cosem.protocol.codec.compact import compact, describe, expand
from cosem.protocol.codec.reader import DEFAULT, Limits
from cosem.protocol.values.data import (
    Array,
    CompactArray,
    Data,
    LongUnsigned,
    OctetString,
    Structure,
    Unsigned,
)


def decode(octets: str, limits: Limits = DEFAULT) -> Data:
    return axdr.decode_all(bytes.fromhex(octets), limits)


def test_expand_and_compact_are_inverse() -> None:
    rows = Array(Structure((Unsigned(n), Array((LongUnsigned(n), LongUnsigned(n + 1))), None)) for n in range(5))
    value = compact(rows)
    assert value.description.hex() == "0203110100021200"
    assert value.contents[:10].hex() == "00000000010100010002"
    assert expand(value) == rows
    assert axdr.decode_all(axdr.encode(value)) == value


def test_compact_of_scalars_and_strings() -> None:
    assert compact([OctetString(b"\xaa"), OctetString(b"")]) == CompactArray(b"\x09", b"\x01\xaa\x00")


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ([], "no elements"),
        ([Unsigned(1), LongUnsigned(1)], "element 1 is not of the type"),
        ([Structure((Unsigned(1),)), Structure((Unsigned(1), Unsigned(2)))], "element 1"),
        ([Array((Unsigned(1),)), Array((Unsigned(1), Unsigned(2)))], "element 1"),
        ([Array((Unsigned(1), LongUnsigned(2)))], "all of one type"),
        ([Array()], "all of one type"),
        ([Array((Unsigned(1),) * 65536)], "at most 65535"),
        ([CompactArray(b"\x11", b"")], "inside another"),
        ([None, None], "take no octet"),
        ([Structure()], "take no octet"),
    ],
)
def test_what_is_no_compact_array(elements: list[Data], reason: str) -> None:
    with pytest.raises(LocalProtocolError, match=reason):
        compact(elements)


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        ("13", "compact-array: need the tag of a type, have no octet left, at octet 1"),
        ("1307", "compact-array: need the tag of a type, have 0x07, at octet 1"),
        ("131311 00", "compact-array: need the tag of a type, have 0x13, at octet 1"),
        ("130100", "compact-array: need 2 octets, have 1, at octet 2"),
        ("1302051111", "compact-array: need 5 types, have 2 octets, at octet 3"),
        ("1311", "compact-array: need a length, have no octet left, at octet 2"),
        ("131102 01", "compact-array: need 2 octets, have 1, at octet 3"),
        ("1302021112 04 01020304", "compact-array: need elements of 3 octets, have 4 octets, at octet 6"),
        ("1309 04 01aa02bb", "compact-array.element[1].octet-string: need 2 octets, have 1, at octet 6"),
        (
            "1302020911 05 01aa0502bb",
            "compact-array.element[1].structure[0].octet-string: need 2 octets, have 1, at octet 10",
        ),
        ("1302020911 03 02aabb", "compact-array.element[0].structure[1].unsigned: need 1 octet, have 0, at octet 9"),
    ],
)
def test_errors_say_what_where_and_what_was_expected(octets: str, message: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(octets)
    assert str(caught.value) == message


@pytest.mark.parametrize("description", ["00", "ff", "0200", "01000011", "01ffff00", "0202000101ffff0200"])
def test_types_that_take_no_octet_are_refused(description: str) -> None:
    for contents in ("00", "0100"):
        with pytest.raises(DecodeError):
            decode("13" + description + contents)


@pytest.mark.parametrize("levels", [1, 2, 10, 30])
def test_counts_are_multiplied_before_anything_is_expanded(levels: int) -> None:
    """One octet of contents must not become 65535 ** levels values."""
    nulls = "01ffff" * levels + "00"
    with pytest.raises(DecodeError, match="need fewer values"):
        decode(f"130202{nulls}11" + "0105")
    octets = "01ffff" * levels + "11"
    with pytest.raises(DecodeError, match="need elements of"):
        decode(f"13{octets}" + "0105")
    strings = "01ffff" * levels + "09"
    with pytest.raises(DecodeError, match="need elements of"):
        decode(f"13{strings}" + "0100")


def test_contents_longer_than_what_came_are_refused_at_once() -> None:
    with pytest.raises(DecodeError, match="need 2147483648 octets, have 1"):
        decode("1311" + "8480000000" + "01")


def test_node_budget() -> None:
    rows = "1302021111 04 01020304"  # 2 structures of 2 values
    assert decode(rows, Limits(nodes=7))
    decode("0101" + rows, Limits(nodes=7))
    with pytest.raises(DecodeError, match="need fewer values"):
        decode("0101" + rows, Limits(nodes=6))
    value = decode(rows)
    assert isinstance(value, CompactArray)
    assert len(expand(value, Limits(nodes=6))) == 2
    with pytest.raises(DecodeError, match="need fewer values"):
        expand(value, Limits(nodes=5))


def test_compact_arrays_share_one_budget() -> None:
    one = "13 0202 0011 02 0101"
    decode("0102" + one * 2, Limits(nodes=2 + 12))
    with pytest.raises(DecodeError, match="need fewer values"):
        decode("0102" + one * 2, Limits(nodes=2 + 11))


def test_depth_counts_the_containers_described() -> None:
    inner = "0201" * 31 + "11" + "0105"
    decode("13" + inner)
    with pytest.raises(DecodeError, match="too many containers"):
        decode("13" + "0201" + inner)
    with pytest.raises(DecodeError, match="too many containers"):
        decode("0101" + "13" + inner)
    with pytest.raises(DecodeError, match="too many containers"):
        decode("0201" * 32 + "1311" + "0105")


def test_description_alone() -> None:
    element = describe(CompactArray(bytes.fromhex("020211010003 12"), b""))
    assert (element.width, element.exact, element.nodes) == (7, True, 6)
    with pytest.raises(DecodeError, match="need the end of the description"):
        describe(CompactArray(b"\x11\x11", b""))
    with pytest.raises(DecodeError):
        expand(CompactArray(b"\x12", b"\x01"))
