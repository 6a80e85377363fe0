"""A-XDR against published octets and octets read by an independent decoder, and its bounds."""

import json
from pathlib import Path
from typing import Any

import pytest

from cosem.errors import DecodeError, LocalProtocolError
from cosem.protocol.codec import axdr
from cosem.protocol.codec.reader import DEFAULT, Limits
from cosem.protocol.values.data import (
    TAG_NAMES,
    Array,
    Bcd,
    BitString,
    CompactArray,
    Data,
    DontCare,
    DoubleLong,
    DoubleLongUnsigned,
    Enumerated,
    Float32,
    Float64,
    Integer,
    Long64Unsigned,
    LongUnsigned,
    OctetString,
    Structure,
    Unsigned,
    Utf8String,
    VisibleString,
    same,
    tag,
)
from cosem.protocol.values.dates import Date, DateTime, Time

ROOT = Path(__file__).parents[4]
CASES = [
    case
    for line in (ROOT / "tests" / "vectors" / "axdr.jsonl").read_text("utf-8").splitlines()
    if "octets" in (case := json.loads(line))
]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])


def meaning(value: Data) -> Any:
    """Write a value the way tests/vectors/axdr.jsonl does."""
    if value is None or isinstance(value, bool):
        return value
    name = TAG_NAMES[tag(value)]
    if isinstance(value, CompactArray):
        return {name: [meaning(element) for element in axdr.expand(value)]}
    if isinstance(value, (Array, Structure)):
        return {name: [meaning(item) for item in value]}
    if isinstance(value, (DateTime, Date, Time)):
        return {name: value.octets.hex()}
    if isinstance(value, bytes):
        return {name: value.hex()}
    return {name: None if isinstance(value, DontCare) else value}


@every_case
def test_decode(case: dict[str, Any]) -> None:
    octets = bytes.fromhex(case["octets"])
    value = axdr.decode_all(octets)
    assert meaning(value) == case["value"]
    assert same(axdr.decode_all(bytearray(octets)), value)
    assert same(axdr.decode_all(memoryview(octets)), value)
    found, end = axdr.decode(b"\xff\x06" + octets + b"\x06", 2)
    assert same(found, value)
    assert end == 2 + len(octets)


@every_case
def test_encode(case: dict[str, Any]) -> None:
    octets = bytes.fromhex(case["octets"])
    value = axdr.decode_all(octets)
    written = axdr.encode(value)
    assert (written == octets) == case["canonical"]
    assert same(axdr.decode_all(written), value)


@every_case
def test_truncated_at_every_length(case: dict[str, Any]) -> None:
    octets = bytes.fromhex(case["octets"])
    for end in range(len(octets)):
        with pytest.raises(DecodeError) as caught:
            axdr.decode_all(octets[:end])
        assert caught.value.offset is not None
        assert 0 <= caught.value.offset <= end


@every_case
def test_trailing_octets(case: dict[str, Any]) -> None:
    octets = bytes.fromhex(case["octets"])
    with pytest.raises(DecodeError, match="need the end of the value, have 1 octets more") as caught:
        axdr.decode_all(octets + b"\x00")
    assert caught.value.offset == len(octets)


def test_every_type_has_a_vector() -> None:
    seen = {bytes.fromhex(case["octets"])[0] for case in CASES}
    assert seen == set(TAG_NAMES)


def test_corpus_beside_the_clone() -> None:
    """Cases whose licence does not permit copying run where they lie; without the corpus there are none."""
    corpus = ROOT.parent / "shared" / "corpus" / "cases_dev.jsonl"
    cases = map(json.loads, corpus.read_text("utf-8").splitlines()) if corpus.exists() else ()
    for case in cases:
        if case["kind"] != "axdr" or case["key"]:  # with a key it is a wrapped key, no Data
            continue
        octets = bytes.fromhex(case["hex"])
        value = axdr.decode_all(octets)
        assert same(axdr.decode_all(axdr.encode(value)), value)
        for end in range(len(octets)):
            with pytest.raises(DecodeError):
                axdr.decode_all(octets[:end])
        with pytest.raises(DecodeError):
            axdr.decode_all(octets + b"\x00")


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        ("", "need the tag of a data type, have no octet left, at octet 0"),
        ("07", "need the tag of a data type, have 0x07, at octet 0"),
        ("060000", "double-long-unsigned: need 4 octets, have 2, at octet 1"),
        ("03", "boolean: need 1 octet, have 0, at octet 1"),
        ("09", "octet-string: need a length, have no octet left, at octet 1"),
        ("090301", "octet-string: need 3 octets, have 1, at octet 2"),
        ("0480", "bit-string: a length starts with 0x00 to 0x7F or 0x81 to 0x84, not 0x80, at octet 1"),
        ("040900", "bit-string: need 2 octets, have 1, at octet 2"),
        ("1907e2", "date-time: need 12 octets, have 2, at octet 1"),
        ("0102110112", "array[1].long-unsigned: need 2 octets, have 0, at octet 5"),
        ("010111", "array[0].unsigned: need 1 octet, have 0, at octet 3"),
        ("010202020f01060000", "array[0].structure[1].double-long-unsigned: need 4 octets, have 2, at octet 7"),
        ("02020f0102050f01", "structure[1].structure: need 5 items, have 2 octets, at octet 6"),
        ("0184ffffffff00", "array: need 4294967295 items, have 1 octets, at octet 6"),
        ("0984ffffffff00", "octet-string: need 4294967295 octets, have 1, at octet 6"),
        ("02010984ffffffff00", "structure[0].octet-string: need 4294967295 octets, have 1, at octet 8"),
        ("0484ffffffff00", "bit-string: need 536870912 octets, have 1, at octet 6"),
        ("02021101ee", "structure[1]: need the tag of a data type, have 0xEE, at octet 4"),
        ("020313", "structure: need 3 items, have 1 octets, at octet 2"),
        ("0201130900ff", "need the end of the value, have 1 octets more, at octet 5"),
    ],
)
def test_errors_say_what_where_and_what_was_expected(octets: str, message: str) -> None:
    with pytest.raises(DecodeError) as caught:
        axdr.decode_all(bytes.fromhex(octets))
    assert str(caught.value) == message


@pytest.mark.parametrize("kind", ["01", "02"])
def test_depth_limit(kind: str) -> None:
    deepest = bytes.fromhex((kind + "01") * DEFAULT.depth + "00")
    assert axdr.encode(axdr.decode_all(deepest)) == deepest
    with pytest.raises(DecodeError, match="at most 32 containers inside each other") as caught:
        axdr.decode_all(bytes.fromhex(kind + "01") + deepest)
    assert caught.value.offset == 2 * DEFAULT.depth
    assert len(caught.value.path) == DEFAULT.depth + 1


def test_depth_limit_is_settable() -> None:
    octets = bytes.fromhex("0101010100")
    axdr.decode_all(octets, Limits(depth=2))
    with pytest.raises(DecodeError):
        axdr.decode_all(octets, Limits(depth=1))


def test_nodes_limit() -> None:
    octets = bytes.fromhex("01020201000200")  # 2 structures and 1 value in the array
    axdr.decode_all(octets, Limits(nodes=3))
    with pytest.raises(DecodeError, match="need fewer values"):
        axdr.decode_all(octets, Limits(nodes=2))


def test_octets_limit() -> None:
    octets = b"\x09\x82\x01\x00" + bytes(256)
    axdr.decode(octets, 0, Limits(octets=260))
    with pytest.raises(DecodeError, match="at most 259 octets"):
        axdr.decode(octets, 0, Limits(octets=259))
    with pytest.raises(DecodeError, match="at most 65536 octets"):
        axdr.decode(bytes(65537))
    with pytest.raises(DecodeError, match="octets more"):  # a reassembled transfer may be larger
        axdr.decode_all(bytes(65537))


def test_deep_values_do_not_recurse() -> None:
    value: Data = None
    for _ in range(100_000):
        value = Structure((value,))
    assert axdr.encode(value) == b"\x02\x01" * 100_000 + b"\x00"
    with pytest.raises(DecodeError):
        axdr.decode_all(b"\x02\x01" * 100_000 + b"\x00")


def test_values_remember_their_tag() -> None:
    value = axdr.decode_all(bytes.fromhex("02050f05110512000516050305"))
    assert value == (5, 5, 5, 5, True)
    assert isinstance(value, Structure)
    assert [type(item) for item in value] == [Integer, Unsigned, LongUnsigned, Enumerated, bool]


@pytest.mark.parametrize("octets", ["177fa00001", "17ffc00001", "187ff4000000000001"])
def test_the_bits_of_a_nan_are_kept(octets: str) -> None:
    value = axdr.decode_all(bytes.fromhex(octets))
    assert value != value
    assert axdr.encode(value).hex() == octets


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        (VisibleString("ÿ"), "0a01ff"),
        (Utf8String("\udcff"), "0c01ff"),
        (BitString("101"), "0403a0"),
        (Float32(-0.0), "1780000000"),
        (Bcd(0x99), "0d99"),
    ],
)
def test_encode_what_decode_may_make(value: Data, octets: str) -> None:
    assert axdr.encode(value).hex() == octets
    assert same(axdr.decode_all(bytes.fromhex(octets)), value)


@pytest.mark.parametrize(
    "value",
    [
        LongUnsigned(65536),
        LongUnsigned(-1),
        Unsigned(256),
        Integer(128),
        DoubleLong(-(1 << 31) - 1),
        Long64Unsigned(1 << 64),
        DoubleLongUnsigned(1 << 200),
        Float32(1e39),
        VisibleString("€"),
        Utf8String("\ud800"),
        BitString("102"),
        CompactArray(b"\x01", b""),
        CompactArray(b"\x06\x06", b""),
        CompactArray(b"\x12", b"\x01"),
        CompactArray(b"\x09", b"\x02\x01"),
    ],
)
def test_what_a_type_cannot_hold_is_not_written(value: Data) -> None:
    with pytest.raises(LocalProtocolError):
        axdr.encode(value)
    with pytest.raises(LocalProtocolError):
        axdr.encode(Structure((Array((value,)),)))


@pytest.mark.parametrize("value", [5, "text", b"octets", 1.5, (1, 2), [Unsigned(1)], object()])
def test_plain_python_values_have_no_tag(value: Any) -> None:
    with pytest.raises(LocalProtocolError, match="no COSEM Data"):
        axdr.encode(value)
    with pytest.raises(LocalProtocolError, match="no COSEM Data"):
        axdr.encode(Structure((value,)))


def test_encode_into_appends() -> None:
    out = bytearray(b"\xc4")
    axdr.encode_into(Float64(-2.0), out)
    axdr.encode_into(OctetString(b"\x01"), out)
    assert out.hex() == "c418c000000000000000090101"
