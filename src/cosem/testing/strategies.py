"""Hypothesis strategies for COSEM Data and, derived from its declaration, for every wire type. Needs `hypothesis`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from hypothesis import strategies as st

from cosem.protocol import apdu
from cosem.protocol.apdu.gateway import CarriedApdu, DeviceAddress
from cosem.protocol.apdu.initiate import Conformance, ConformanceForm
from cosem.protocol.apdu.short_name import SuccessForm
from cosem.protocol.codec import ber
from cosem.protocol.codec.compact import compact
from cosem.protocol.codec.forms import (
    NULL_DATA,
    Boolean,
    DataForm,
    Default,
    Enumeration,
    Fixed,
    Form,
    Int,
    ObisForm,
    OctetsForm,
    Optional,
    SequenceOf,
    Tagged,
    TimeOctets,
    When,
)
from cosem.protocol.codec.schema import Body, Choice, OpenEnum, Wire
from cosem.protocol.values.data import (
    KINDS,
    Array,
    BitString,
    CompactArray,
    Data,
    DontCare,
    Float32,
    Float64,
    Number,
    OctetString,
    Structure,
    Utf8String,
    VisibleString,
)
from cosem.protocol.values.dates import Date, DateTime, Time
from cosem.protocol.values.obis import Obis

_W = TypeVar("_W", bound=Wire)


@cache
def obis() -> st.SearchStrategy[Obis]:
    """OBIS codes."""
    return st.binary(min_size=6, max_size=6).map(Obis.from_octets)


@cache
def scalars() -> st.SearchStrategy[Data]:
    """Data of every type but the containers; no NaN, which is not equal to itself."""
    numbers = [st.integers(kind.LOW, kind.HIGH).map(kind) for kind in KINDS.values() if issubclass(kind, Number)]
    others: list[st.SearchStrategy[Any]] = [
        st.none(),
        st.booleans(),
        st.binary(max_size=140).map(OctetString),
        st.text(st.characters(max_codepoint=255), max_size=12).map(VisibleString),
        st.binary(max_size=12).map(lambda octets: Utf8String(octets.decode("utf-8", "surrogateescape"))),
        st.text("01", max_size=20).map(BitString),
        st.floats(width=32, allow_nan=False).map(Float32),
        st.floats(allow_nan=False).map(Float64),
        st.binary(min_size=12, max_size=12).map(DateTime.from_octets),
        st.binary(min_size=5, max_size=5).map(Date.from_octets),
        st.binary(min_size=4, max_size=4).map(Time.from_octets),
        st.just(DontCare()),
    ]
    return st.one_of(*numbers, *others)


@cache
def compact_arrays() -> st.SearchStrategy[CompactArray]:
    """Compact arrays of numbers, or of structures of two numbers."""
    kinds = [kind for kind in KINDS.values() if issubclass(kind, Number)]

    def numbers(kind: type[Number]) -> st.SearchStrategy[Any]:
        return st.integers(kind.LOW, kind.HIGH).map(kind)

    def pairs(one: type[Number], other: type[Number]) -> st.SearchStrategy[Any]:
        return st.tuples(numbers(one), numbers(other)).map(lambda pair: Structure(pair))

    kind = st.sampled_from(kinds)
    elements = st.one_of(kind.map(numbers), st.builds(pairs, kind, kind))
    return elements.flatmap(lambda element: st.lists(element, min_size=1, max_size=5)).map(lambda items: compact(items))


@cache
def data(max_leaves: int = 12) -> st.SearchStrategy[Data]:
    """Data of every type, containers in containers included."""
    leaves: st.SearchStrategy[Any] = st.one_of(scalars(), compact_arrays())
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4).map(Array),
            st.lists(inner, max_size=4).map(Structure),
        ),
        max_leaves=max_leaves,
    )


def wire(kind: type[_W]) -> st.SearchStrategy[_W]:
    """Instances of a wire type, field by field as it is declared."""
    if kind not in _WIRE:
        _WIRE[kind] = _wire(kind)
    return _WIRE[kind]


def _wire(kind: type[_W]) -> st.SearchStrategy[_W]:
    conditional = {name: form for name, form in kind.FORM.fields.items() if isinstance(form, When)}
    plain = {name: of(form) for name, form in kind.FORM.fields.items() if name not in conditional}
    if isinstance(kind.FORM, ber.BerSequence):
        absent = {name for name, default in kind.FORM.defaults.items() if default is None}
        plain = {name: st.one_of(st.none(), field) if name in absent else field for name, field in plain.items()}
    if not conditional:
        return st.builds(kind, **plain)

    @st.composite
    def build(draw: st.DrawFn) -> _W:
        values = {name: draw(strategy) for name, strategy in plain.items()}
        for name, form in conditional.items():
            values[name] = draw(of(form)) if values[form.field] == form.equals else None
        return kind(**values)

    return build()


@cache
def apdus() -> st.SearchStrategy[apdu.Apdu]:
    """APDUs of every kind."""
    return st.one_of(*(wire(kind) for kind in apdu.KINDS))


def of(form: Form) -> st.SearchStrategy[Any]:
    """Values of the field that a form describes."""
    for kind in type(form).__mro__:
        if kind in _OF:
            return _OF[kind](form)
    raise TypeError(f"no strategy for {type(form).__name__}")


def _int(form: Int) -> st.SearchStrategy[int]:
    return st.integers(form.low, form.high) if form.among is None else st.sampled_from(sorted(form.among))


def _data(form: DataForm) -> st.SearchStrategy[Any]:
    return data().map(lambda value: NULL_DATA if value is None else value) if form.nullable else data()


def _contents(contents: ber.Contents) -> st.SearchStrategy[Any]:
    for kind in type(contents).__mro__:
        if kind in _OF_CONTENTS:
            return _OF_CONTENTS[kind](contents)
    raise TypeError(f"no strategy for {type(contents).__name__}")


def _numbers(kind: type[OpenEnum]) -> st.SearchStrategy[OpenEnum]:
    return st.integers(0, 255).map(kind)


def _identifier(contents: ber.Identifier) -> st.SearchStrategy[Any]:
    known = st.integers(0, 127).map(contents.kind)
    other = st.tuples(st.binary(max_size=8), st.integers(0, 127)).map(lambda parts: parts[0] + bytes((parts[1],)))
    return st.one_of(known, other.filter(lambda octets: len(octets) != 7 or not octets.startswith(contents.prefix)))


_WIRE: dict[type[Wire], st.SearchStrategy[Any]] = {}
_OF: dict[type[Form], Callable[[Any], st.SearchStrategy[Any]]] = {
    Int: _int,
    Boolean: lambda form: st.booleans(),
    Enumeration: lambda form: st.sampled_from(form.members),
    OctetsForm: lambda form: st.binary(max_size=300),
    DeviceAddress: lambda form: st.binary(max_size=127),
    CarriedApdu: lambda form: st.binary(min_size=1, max_size=300).filter(lambda octets: octets[0] not in (0xE6, 0xE7)),
    TimeOctets: lambda form: st.one_of(st.just(b""), st.binary(min_size=12, max_size=12)),
    Fixed: lambda form: st.binary(min_size=form.size, max_size=form.size),
    ObisForm: lambda form: obis(),
    DataForm: _data,
    Optional: lambda form: st.one_of(st.none(), of(form.inner)),
    Default: lambda form: of(form.inner),
    When: lambda form: st.one_of(st.none(), of(form.inner)),
    SequenceOf: lambda form: st.lists(of(form.inner), max_size=5).map(tuple),
    Tagged: lambda form: st.one_of(*(of(choice) for _, _, choice, _ in form.choices)),
    Body: lambda form: wire(form.cls),
    SuccessForm: lambda form: st.just(NULL_DATA),
    Choice: lambda form: st.one_of(*(wire(kind) for kind in form.by_tag.values())),
    ConformanceForm: lambda form: st.integers(0, (1 << 24) - 1).map(Conformance),
    ber.Component: lambda form: _contents(form.contents),
}

_OF_CONTENTS: dict[type[ber.Contents], Callable[[Any], st.SearchStrategy[Any]]] = {
    ber.Contents: lambda contents: st.binary(max_size=200),
    ber.Whole: lambda contents: st.integers(-(1 << 63), (1 << 63) - 1),
    ber.Named: lambda contents: _numbers(contents.kind),
    ber.Bits: lambda contents: st.text("01", max_size=20),
    ber.Identifier: _identifier,
    ber.Inside: lambda contents: _contents(contents.contents),
    ber.Alternatives: lambda contents: st.one_of(*(_numbers(kind) for kind, _ in contents.choices.values())),
}
