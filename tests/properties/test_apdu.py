"""Every wire type: round trips, the compiled decoder against the walk, and nothing but our own errors."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cosem.errors import DecodeError, LocalProtocolError
from cosem.protocol import apdu
from cosem.protocol.codec.dissect import Node, as_dict, render
from cosem.protocol.codec.reader import Limits
from cosem.protocol.codec.schema import Sequence, Wire
from cosem.testing import strategies

EVERY_KIND = pytest.mark.parametrize("kind", apdu.KINDS, ids=lambda kind: kind.NAME)
# The strategies are wide; a small number of examples for each of the kinds makes a large one together.
FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


class WentTheSlowWay(Exception):
    """The compiled decoder refused."""


def compiled(kind: type[Wire], octets: bytes) -> tuple[str, ...]:
    """What the compiled decoder makes of octets, without the walk that follows when it refuses."""
    kind.FORM.compile()
    names = kind.decode.__globals__  # type: ignore[attr-defined]
    walked = names["walked"]

    def refuse(*_: object) -> None:
        raise WentTheSlowWay

    names["walked"] = refuse
    try:
        return outcome(kind.decode, octets)
    except WentTheSlowWay:
        return ("refused",)
    finally:
        names["walked"] = walked


def outcome(decode: Any, octets: bytes, *arguments: Any) -> tuple[str, ...]:
    """What a decoder makes of octets, in a form that compares tags, hidden fields and NaN."""
    try:
        value = decode(octets, *arguments)
    except DecodeError as error:
        assert error.offset is None or 0 <= error.offset <= len(octets)
        return ("error", str(error))
    return ("value", repr(value), value.encode().hex())


@EVERY_KIND
@FEW
@given(sample=st.data())
def test_a_value_survives_its_octets(kind: type[Wire], sample: st.DataObject) -> None:
    value = sample.draw(strategies.wire(kind))
    octets = value.encode()
    if isinstance(kind.FORM, Sequence):
        assert compiled(kind, octets) == ("value", repr(value), octets.hex())
    decoded = apdu.decode(octets)
    assert type(decoded) is kind
    assert decoded == value
    assert hash(decoded) == hash(value)
    assert repr(decoded) == repr(value)
    assert decoded.encode() == octets
    assert kind.decode(bytearray(octets)) == kind.decode(memoryview(octets)) == kind.walk(octets) == value
    out = bytearray(b"before")
    value.encode_into(out)
    assert out == b"before" + octets
    assert kind.decode_from(b"before" + octets, 6) == (value, len(octets) + 6)
    _covers(kind.dissect(octets), len(octets))


@EVERY_KIND
@FEW
@given(sample=st.data())
def test_damaged_octets_give_the_same_from_the_compiled_decoder_and_the_walk(
    kind: type[Wire], sample: st.DataObject
) -> None:
    octets = bytearray(sample.draw(strategies.wire(kind)).encode())
    for _ in range(sample.draw(st.integers(1, 3))):
        place = sample.draw(st.integers(len(kind.TAG) or 1, max(len(kind.TAG) or 1, len(octets) - 1)))
        if place < len(octets):
            octets[place] = sample.draw(st.integers(0, 255))
    octets = octets[: sample.draw(st.integers(0, len(octets)))] + sample.draw(st.binary(max_size=3))
    whole = outcome(kind.decode, bytes(octets))
    walked = outcome(kind.walk, bytes(octets))
    assert whole == walked
    if isinstance(kind.FORM, Sequence):
        fast = compiled(kind, bytes(octets))
        assert fast == walked or (fast == ("refused",) and (walked[0] == "error" or _is_tolerated(bytes(octets))))
    within = _within(kind, bytes(octets))
    if whole[0] == "value":
        assert within == whole
    _covers(apdu.dissect(bytes(octets)), len(octets))


@settings(max_examples=400, deadline=None)
@given(first=st.sampled_from([kind.TAG or b"\xc8" for kind in apdu.KINDS]), rest=st.binary(max_size=200))
def test_random_octets_raise_nothing_but_decode_errors(first: bytes, rest: bytes) -> None:
    octets = first + rest
    kind = apdu.kind_of(octets)
    assert kind is not None
    assert outcome(apdu.decode, octets) == outcome(kind.walk, octets)
    tree = apdu.dissect(octets)
    _covers(tree, len(octets))
    assert render(tree, octets)
    assert as_dict(tree)["offset"] == 0


@settings(max_examples=300, deadline=None)
@given(octets=st.binary(max_size=60))
def test_any_octets_raise_nothing_but_decode_errors(octets: bytes) -> None:
    outcome(apdu.decode, octets)
    render(apdu.dissect(octets), octets)


@FEW
@given(sample=strategies.apdus(), junk=st.one_of(st.none(), st.text(), st.floats(), st.lists(st.integers(0, 255))))
def test_a_field_of_a_wrong_type_raises_nothing_but_our_error(sample: apdu.Apdu, junk: object) -> None:
    fields = {name: getattr(sample, name) for name in sample.FORM.fields}
    for name in fields:
        wrong: Any = type(sample)(**{**fields, name: junk})
        try:
            octets = wrong.encode()
        except LocalProtocolError:
            continue
        apdu.decode(octets)


@EVERY_KIND
@FEW
@given(sample=st.data())
def test_more_octets_than_the_limit_are_refused(kind: type[Wire], sample: st.DataObject) -> None:
    octets = sample.draw(strategies.wire(kind)).encode()
    assert outcome(kind.decode, octets, Limits(octets=len(octets)))[0] == "value"
    limited = outcome(kind.decode, octets, Limits(octets=len(octets) - 1))
    assert limited[0] == "error"
    assert "octets" in limited[1]


def _is_tolerated(octets: bytes) -> bool:
    """Octets of a form that only the walk accepts: an old conformance tag, a date-time as tagged Data."""
    return b"\x5f\x04\x00" in octets or b"\x09\x0c" in octets


def _within(kind: type[Wire], octets: bytes) -> tuple[str, ...]:
    def decode(octets: bytes) -> Wire:
        value, stop = kind.decode_from(b"\xff" + octets, 1)
        assert stop <= len(octets) + 1
        return value

    try:
        return outcome(decode, octets)
    except AssertionError:
        return ("error", "")


def _covers(node: Node, size: int) -> None:
    """Every node lies within the octets, and children within their parent, in order."""
    stack = [(node, 0, size)]
    while stack:
        here, low, high = stack.pop()
        assert low <= here.offset <= here.offset + here.length <= high, here
        if here.inner is None:
            at = here.offset
            for child in here.children:
                stack.append((child, at, here.offset + here.length))
                at = child.offset if child.name == "plain" else child.offset + child.length
