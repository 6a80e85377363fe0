"""OBIS codes: every text form in use gives the code it means, one is printed, the rest is refused."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosem.errors import ConfigurationError, CosemError
from cosem.protocol.values.obis import Obis, ObisPattern

groups = st.integers(0, 255)
codes = st.builds(Obis.of, groups, groups, groups, groups, groups, groups)


# What each form means is stated by IEC 62056-6-1 and IEC 62056-21 and by readouts of real meters.
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1.0.1.8.0.255", "1.0.1.8.0.255"),
        ("1.0.1.8.0", "1.0.1.8.0.255"),
        ("1.0.1.8.0*01", "1.0.1.8.0.1"),
        ("1-0:1.8.0*255", "1.0.1.8.0.255"),
        ("1-0:1.8.0", "1.0.1.8.0.255"),
        ("1-0:1.8.0.255", "1.0.1.8.0.255"),
        ("1-0:32.7.0", "1.0.32.7.0.255"),
        ("1-1:1.8.0", "1.1.1.8.0.255"),
        ("0-0:96.1.1", "0.0.96.1.1.255"),
        ("0-1:24.2.1", "0.1.24.2.1.255"),
        ("1-0:99.97.0", "1.0.99.97.0.255"),
        ("1.8.0", "1.0.1.8.0.255"),
        ("  1.8.0\r\n", "1.0.1.8.0.255"),
        ("1.8", "1.0.1.8.0.255"),
        ("1.8.0*255", "1.0.1.8.0.255"),
        ("1.8.1*01", "1.0.1.8.1.1"),
        ("1.8.1*00", "1.0.1.8.1.0"),
        ("0.1.0&12", "0.0.0.1.0.12"),
        ("1.8.1&12", "1.0.1.8.1.12"),
        ("31.7.0", "1.0.31.7.0.255"),
        ("0.9.1", "0.0.0.9.1.255"),
        ("0.0.0", "0.0.0.0.0.255"),
        ("96.1.0", "0.0.96.1.0.255"),
        ("97.97.0", "0.0.97.97.0.255"),
        ("98.1.0", "0.0.98.1.0.255"),
        ("99.98.0", "0.0.99.98.0.255"),
        ("99.1.0", "1.0.99.1.0.255"),
        ("99.2.0", "1.0.99.2.0.255"),
        ("100.1.0", "1.0.100.1.0.255"),
        ("C.1.0", "0.0.96.1.0.255"),
        ("C.7.21", "0.0.96.7.21.255"),
        ("c.1.0", "0.0.96.1.0.255"),
        ("F.F", "0.0.97.97.0.255"),
        ("F.F.0", "0.0.97.97.0.255"),
        ("L.1.0", "0.0.98.1.0.255"),
        ("L.1.0*126", "0.0.98.1.0.126"),
        ("P.01", "1.0.99.1.0.255"),
        ("P.98", "0.0.99.98.0.255"),
        ("0100010800FF", "1.0.1.8.0.255"),
        ("0100010800ff", "1.0.1.8.0.255"),
        ("010001080000", "1.0.1.8.0.0"),
        ("01 00 01 08 00 FF", "1.0.1.8.0.255"),
        ("01:00:01:08:00:FF", "1.0.1.8.0.255"),
        ("01-00-01-08-00-FF", "1.0.1.8.0.255"),
        ("0x0100010800FF", "1.0.1.8.0.255"),
        ("0x01, 0x00, 0x01, 0x08, 0x00, 0xFF", "1.0.1.8.0.255"),
        ("77070100010800FF", "1.0.1.8.0.255"),
        ("77070100010800ff@", "1.0.1.8.0.255"),
    ],
)
def test_text_forms(text: str, code: str) -> None:
    assert str(Obis(text)) == code


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "1.0.1.8",
        "1.0.1.8.0.255.7",
        "1.0.1.8.0.256",
        "1-0:1.8.300",
        "1-1.8.0",
        "1.8.0*",
        "1.8.0*1000",
        "-1.8.0",
        "1..8.0",
        "1.8.O",
        "X.1.0",
        "1.8.0:2",
        "energy",
        "0100010800",
        "0100010800FF00",
        "010001080",
        "12345678100010800FF",
        "01.00.01.08.00.FF",
        "１.８.０",
        "1.8.0\n1.8.1",
        "1-*:1.8.0",
        "78070100010800FF",
    ],
)
def test_refused_with_the_right_forms(text: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        Obis(text)
    assert repr(text) in str(refusal.value)
    assert "write 1.0.1.8.0.255, 1-0:1.8.0*255, 1.8.0 or 0100010800FF" in str(refusal.value)


@given(st.text(max_size=20) | st.from_regex(r"[0-9A-F.:*&x -]{1,24}", fullmatch=True))
def test_any_text_is_a_code_or_refused(text: str) -> None:
    try:
        code = Obis(text)
    except CosemError:
        return
    assert Obis(str(code)) == code


@given(codes)
def test_round_trips(code: Obis) -> None:
    assert Obis(str(code)) == code
    assert Obis(code.separated) == code
    assert Obis(code.octets) == code
    assert Obis(code.octets.hex()) == code
    assert Obis(code.octets.hex(" ")) == code
    assert Obis(code) == code
    assert bytes(code) == code.octets
    assert eval(repr(code)) == code
    assert pickle.loads(pickle.dumps(code)) == code
    assert copy.deepcopy(code) == code
    assert Obis.of(code.a, code.b, code.c, code.d, code.e, code.f) == code
    assert Obis.from_octets(code.octets) == code


@given(codes, codes)
def test_ordered_and_hashed_by_octets(one: Obis, other: Obis) -> None:
    assert (one < other) == (one.octets < other.octets)
    assert (one >= other) == (one.octets >= other.octets)
    assert (one == other) == (one.octets == other.octets)
    assert len({one, other, Obis(str(one))}) == (1 if one == other else 2)


def test_octets_may_be_any_buffer() -> None:
    octets = bytes.fromhex("0100010800ff")
    assert Obis(bytearray(octets)) == Obis(memoryview(octets)) == Obis("1.8.0")


@pytest.mark.parametrize("octets", [b"", b"\x01" * 5, b"\x01" * 7])
def test_other_than_six_octets(octets: bytes) -> None:
    with pytest.raises(ConfigurationError, match="6 octets"):
        Obis(octets)


def test_groups_out_of_range() -> None:
    with pytest.raises(ConfigurationError, match="0 … 255"):
        Obis.of(1, 0, 256, 8, 0)
    with pytest.raises(ConfigurationError, match="0 … 255"):
        Obis.of(1, 0, -1, 8, 0)
    assert str(Obis.of(1, 0, 1, 8, 0)) == "1.0.1.8.0.255"


def test_is_no_other_value() -> None:
    code = Obis("1.8.0")
    assert code != "1.0.1.8.0.255"
    assert code != code.octets
    with pytest.raises(TypeError):
        _ = code < "1.0.1.8.0.255"  # type: ignore[operator]


def test_does_not_change() -> None:
    code = Obis("1.8.0")
    with pytest.raises(AttributeError):
        code.octets = b"\x00" * 6
    with pytest.raises(AttributeError):
        del code.octets
    assert not hasattr(code, "__dict__")


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("1-*:1.8.0", ["1-0:1.8.0", "1-1:1.8.0"], ["1-0:1.8.1", "1-0:1.8.0*1", "2-0:1.8.0"]),
        ("1.8.0", ["1-0:1.8.0", "1-1:1.8.0", "7-0:1.8.0"], ["1-0:1.8.0*1"]),
        ("*.8.0", ["1.8.0", "2.8.0", "1-3:5.8.0"], ["1.7.0"]),
        ("1.8.*", ["1.8.0", "1.8.4"], ["1.8.4*1"]),
        ("1-0:1.8.0**", ["1.8.0", "1.8.0*12"], ["1.8.1"]),
        ("1-0:1.8.1-4*255", ["1.8.1", "1.8.4"], ["1.8.0", "1.8.5"]),
        ("1.*.1-2.8.0-4.255", ["1.8.0", "2.8.4", "1-9:1.8.2"], ["3.8.0", "1.8.5"]),
        ("1.0.1,3,5-7.8.0.255", ["1.8.0", "3.8.0", "6.8.0"], ["2.8.0", "8.8.0"]),
        ("1.0.1.8.0.*", ["1.8.0*0", "1.8.0"], ["1.8.1"]),
        ("0.*.C.1.*.255", ["C.1.0", "0-1:96.1.9"], ["0-0:97.1.0"]),
        ("F.F", ["F.F"], ["F.1"]),
        ("0100010800FF", ["1.8.0"], ["1.8.1"]),
        ("*.*.*.*.*.*", ["1.8.0", "F.F*3"], []),
    ],
)
def test_patterns(pattern: str, matching: list[str], others: list[str]) -> None:
    compiled = ObisPattern(pattern)
    assert all(compiled.matches(code) for code in matching)
    assert not any(compiled.matches(code) for code in others)
    assert all(compiled.matches(Obis(code)) and compiled.matches(Obis(code).octets) for code in matching)


@given(codes, codes)
def test_a_code_is_a_pattern_of_itself_alone(code: Obis, other: Obis) -> None:
    assert ObisPattern(str(code)).matches(code)
    assert ObisPattern(code.separated).matches(code)
    assert ObisPattern(str(code)).matches(other) == (code == other)


@pytest.mark.parametrize("text", ["", "*", "1.8.4-1", "1.8.0-256", "a.b.c", "1.8.1,", "1.0.1.8.0.255:2", "1.8.**.1"])
def test_patterns_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is no OBIS pattern"):
        ObisPattern(text)


def test_patterns_are_values() -> None:
    pattern = ObisPattern("1-*:1.8.0")
    assert str(pattern) == "1-*:1.8.0"
    assert repr(pattern) == "ObisPattern('1-*:1.8.0')"
    assert pattern == ObisPattern("1.*.1.8.0.255") != ObisPattern("1.8.0")
    assert pattern != "1-*:1.8.0"
    assert hash(pattern) == hash(ObisPattern("1.*.1.8.0.255"))
    assert pickle.loads(pickle.dumps(pattern)) == pattern
    with pytest.raises(AttributeError):
        pattern.text = "1.8.0"
    with pytest.raises(AttributeError):
        del pattern.text


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("1.*.1-2.8.*.255", "1-0:1.8.0-4", "1.0.1.8.0-4.255"),
        ("1.0.1,3,5-7.8.0.255", "1.0.2-6.8.0.255", "1.0.3,5-6.8.0.255"),
        ("*.*.*.*.*.*", "1.0.1.8.0-254.*", "1.0.1.8.0-254.*"),
        ("1.0.1.8.0.255", "1.0.2.8.0.255", None),
    ],
)
def test_what_two_patterns_have_in_common(one: str, other: str, both: str | None) -> None:
    found = ObisPattern(one) & ObisPattern(other)
    assert (None if found is None else str(found)) == both
    assert found == ObisPattern(other) & ObisPattern(one)


def test_patterns_of_values() -> None:
    assert ObisPattern.of((1,), range(256), (1, 2), (8,), (4, 0), (255,)) == ObisPattern("1.*.1-2.8.0,4.255")
    assert str(ObisPattern.of((1,), range(256), (2, 1), (8,), (4, 0), (255,))) == "1.*.1-2.8.0,4.255"
    for groups in (((1,),) * 5, (*((1,),) * 5, (256,)), (*((1,),) * 5, (-1,)), (*((1,),) * 5, ())):
        with pytest.raises(ConfigurationError, match="six groups"):
            ObisPattern.of(*groups)


def test_the_groups_of_a_pattern() -> None:
    pattern = ObisPattern("1.*.1,3,5-7.8.0.255")
    assert [pattern.values(group) for group in "ABCDEF"] == ["1", "*", "1,3,5-7", "8", "0", "255"]
    assert pattern.admits("C", 6) and not pattern.admits("C", 2)
    assert pattern.first == Obis("1.0.1.8.0.255")
    assert pattern.count == 256 * 5
    assert pattern.matches(pattern.first)
