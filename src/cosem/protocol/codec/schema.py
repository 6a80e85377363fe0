"""Wire types: one annotated class gives encode, decode, equality, error path, dissection and strategy.

    @wire(tag=b"\\xc0\\x01")
    class GetRequestNormal(Wire):
        invoke_id_and_priority: InvokeIdAndPriority
        attribute: AttributeDescriptor
        access_selection: SelectiveAccess | None = None

Field order is wire order and constructor order. `X | None` is OPTIONAL, `tuple[X, ...]` a SEQUENCE OF, a union of wire
types a CHOICE by their tags, `Annotated[X, form]` whatever the form says. Instances are frozen. The codec of a class is
Python source written from the declaration and compiled when it is first used; the fast path only raises, and a walk
along the same declaration then finds the path and the offset for the error.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import struct
import sys
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Final, TypeAlias, TypeVar, cast, dataclass_transform, get_args, get_origin

from cosem.errors import DecodeError, LocalProtocolError
from cosem.protocol.codec.dissect import Node
from cosem.protocol.codec.forms import (
    NULL_DATA,
    UNUSED,
    Boolean,
    DataForm,
    Default,
    Enumeration,
    Fixed,
    Form,
    Int,
    InvokeId,
    NullData,
    ObisForm,
    OctetsForm,
    OpenEnum,
    Optional,
    OptionalTime,
    SequenceOf,
    Tagged,
    TimeOctets,
    Unfit,
    When,
)
from cosem.protocol.codec.reader import DEFAULT, Limits, Octets, admit
from cosem.protocol.codec.record import frozen
from cosem.protocol.codec.source import DecodeSource, EncodeSource, Refused
from cosem.protocol.codec.walk import Inside, Walk, joined
from cosem.protocol.values.data import Data
from cosem.protocol.values.obis import Obis

__all__ = [
    "I8",
    "I16",
    "I32",
    "I64",
    "NULL_DATA",
    "U8",
    "U16",
    "U32",
    "U64",
    "Boolean",
    "DataField",
    "DataForm",
    "Default",
    "Enumeration",
    "Fixed",
    "Form",
    "Int",
    "InvokeIdAndPriority",
    "LongInvokeIdAndPriority",
    "NullData",
    "NullableData",
    "OctetsForm",
    "OpenEnum",
    "Optional",
    "OptionalTime",
    "SequenceOf",
    "Tagged",
    "TimeOctets",
    "When",
    "Wire",
    "wire",
]

U8: TypeAlias = Annotated[int, Int(1)]
U16: TypeAlias = Annotated[int, Int(2)]
U32: TypeAlias = Annotated[int, Int(4)]
U64: TypeAlias = Annotated[int, Int(8)]
I8: TypeAlias = Annotated[int, Int(1, signed=True)]
I16: TypeAlias = Annotated[int, Int(2, signed=True)]
I32: TypeAlias = Annotated[int, Int(4, signed=True)]
I64: TypeAlias = Annotated[int, Int(8, signed=True)]
InvokeIdAndPriority: TypeAlias = Annotated[int, InvokeId(1)]
LongInvokeIdAndPriority: TypeAlias = Annotated[int, InvokeId(4)]
DataField: TypeAlias = Annotated[Data, DataForm()]
"""COSEM Data, null-data being None."""
NullableData: TypeAlias = Annotated[Data | NullData | None, Optional(DataForm(nullable=True))]
"""COSEM Data that may be absent: None when absent, NULL_DATA when null-data is present."""

_S = TypeVar("_S", bound="Wire")

UNDECLARED: Final = "a subclass of Wire gets its codec from @wire"


class Wire:
    """Base of everything with a wire form of its own: frozen, comparable, hashable."""

    __slots__ = ()
    TAG: ClassVar[bytes] = b""
    NAME: ClassVar[str] = ""
    FORM: ClassVar[Body]

    def encode(self) -> bytes:
        """Return the octets; raise LocalProtocolError that names the field which does not fit."""
        raise AssertionError(UNDECLARED)  # pragma: no cover

    def encode_into(self, out: bytearray) -> None:
        """Append the octets to `out`."""
        out += self.encode()

    @classmethod
    def decode(cls: type[_S], octets: Octets, limits: Limits = DEFAULT) -> _S:
        """Decode octets that are this and nothing else; raise DecodeError with path and offset."""
        raise AssertionError(UNDECLARED)  # pragma: no cover

    @classmethod
    def decode_from(cls: type[_S], octets: Octets, offset: int, limits: Limits = DEFAULT) -> tuple[_S, int]:
        """Decode at `offset` and return the value with the offset after it; raise DecodeError."""
        raise AssertionError(UNDECLARED)  # pragma: no cover

    @classmethod
    def walk(cls: type[_S], octets: Octets, limits: Limits = DEFAULT) -> _S:
        """Decode step by step along the declaration: the same results as `decode`, slowly."""
        return cast(_S, _walked(cls, octets, limits))

    @classmethod
    def dissect(cls, octets: Octets, limits: Limits = DEFAULT, inside: Inside = None) -> Node:
        """Return the annotated tree of `octets`; where they are wrong it ends in a node named `malformed`.

        `inside` is asked for the tree of what a ciphered envelope holds.
        """
        walk = Walk(bytes(octets), limits, grow=True, inside=inside)
        try:
            _walk_whole(cls, walk)
        except DecodeError as error:
            return walk.broken(error)
        assert walk.root is not None
        return walk.root


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def wire(
    *, tag: bytes = b"", name: str = "", kw_only: bool = False, body: type[Body] | None = None
) -> Callable[[type[_S]], type[_S]]:
    """Make a wire type of an annotated subclass of `Wire`.

    `tag` are the octets in front of its fields, `name` what errors and dissections call it (by default its class name
    in the standard's spelling), `body` how the fields follow one another (A-XDR by default).
    """

    def declare(cls: type[_S]) -> type[_S]:
        fields = _field_forms(cls)
        made = frozen(cls, kw_only=kw_only)
        made.TAG = tag
        made.NAME = name or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()
        made.FORM = (body or Sequence)(made, fields)
        made.FORM.install(kw_only=kw_only)
        return made

    return declare


class Body(Form):
    """How the fields of a wire type follow one another; `install` gives the class its methods."""

    def __init__(self, cls: type[Wire], fields: dict[str, Form]) -> None:
        self.cls = cls
        self.fields = fields
        self.defaults: dict[str, Any] = {
            field.name: field.default
            for field in dataclasses.fields(cast(Any, cls))
            if field.default is not dataclasses.MISSING
        }
        self.secret = frozenset(field.name for field in dataclasses.fields(cast(Any, cls)) if not field.repr)
        self.namespace = self._names()
        self._compiled = False
        self.smallest = len(cls.TAG) + sum(form.smallest for form in fields.values())

    def install(self, *, kw_only: bool) -> None:
        """Give the class its constructor, equality and hash, and a codec that compiles itself when first used."""
        lines = [*self._constructor(kw_only), *self._equality(), *self._hash()]
        self._execute(lines, names=("__init__", "__eq__", "__hash__"))
        for name in _CODEC:
            self._set(name, self._first_use(name))

    def compile(self) -> None:
        """Compile the codec of the class now, unless that is done."""
        if not self._compiled:
            self._compiled = True
            self._execute(self.codec(), names=_CODEC)

    def codec(self) -> list[str]:
        """Return the source of `decode`, `decode_from`, `encode` and `encode_into`."""
        raise AssertionError(UNUSED)  # pragma: no cover

    def walk_fields(self, walk: Walk, offset: int) -> tuple[dict[str, Any], int]:
        """Decode the fields step by step."""
        raise AssertionError(UNUSED)  # pragma: no cover

    def walk(self, walk: Walk, offset: int) -> tuple[Any, int]:
        tag = self.cls.TAG
        if tag:
            stop = walk.need(len(tag), offset)
            if walk.octets[offset:stop] != tag:
                raise DecodeError(f"need {tag.hex().upper()}, have {walk.octets[offset:stop].hex().upper()}", offset)
            offset = stop
        values, offset = self.walk_fields(walk, offset)
        return self.cls(**values), offset

    def check(self, value: Any) -> None:
        if type(value) is not self.cls:
            raise Unfit(f"need {self.cls.__name__}, have {value!r}")
        for name, form in self.fields.items():
            try:
                if isinstance(form, When):
                    form.check_after(getattr(value, name), value)
                else:
                    form.check(getattr(value, name))
            except Unfit as unfit:
                raise self.placed(unfit, name) from None

    def placed(self, unfit: Unfit, name: str) -> Unfit:
        """Return `unfit` as seen from outside the field `name`; what a secret field holds is not repeated."""
        if name in self.secret:
            unfit.reason = unfit.reason.partition(", have")[0]
        unfit.path.insert(0, name)
        return unfit

    def text(self, value: Any) -> str:
        return str(getattr(value, "text", ""))

    def _names(self) -> dict[str, Any]:
        names: dict[str, Any] = {
            "cls": self.cls,
            "new": object.__new__,
            "DEFAULT": DEFAULT,
            "Refused": Refused,
            "WRONG": (Refused, DecodeError, IndexError, struct.error),
            "UNFIT": (
                *(struct.error, TypeError, ValueError, AttributeError, KeyError, OverflowError),
                *(Unfit, LocalProtocolError),
            ),
            "walked": _walked,
            "walked_from": _walked_from,
            "explained": _explained,
        }
        for name, form in self.fields.items():
            names[f"set_{name}"] = self.cls.__dict__[name].__set__
            names.update(_kinds(form))
        for name, default in self.defaults.items():
            names[f"default_{name}"] = default
        return names

    def _constructor(self, kw_only: bool) -> list[str]:
        parameters = ["self"]
        if kw_only and self.fields:
            parameters.append("*")
        parameters += [f"{name}=default_{name}" if name in self.defaults else name for name in self.fields]
        body = [f"    set_{name}(self, {name})" for name in self.fields] or ["    pass"]
        return [f"def __init__({', '.join(parameters)}):", *body]

    def _equality(self) -> list[str]:
        terms: list[str] = []
        for name, form in self.fields.items():
            mine, other = f"self.{name}", f"other.{name}"
            terms.append(form.same(mine, other) or f"{mine} == {other}")
        return [
            "def __eq__(self, other):",
            "    if other.__class__ is not cls: return NotImplemented",
            f"    return {' and '.join(terms) or 'True'}",
        ]

    def _hash(self) -> list[str]:
        return ["def __hash__(self):", f"    return hash((cls, {', '.join(f'self.{name}' for name in self.fields)}))"]

    def _first_use(self, name: str) -> Callable[..., Any]:
        def compile_and_call(*arguments: Any) -> Any:
            self.compile()
            return getattr(self.cls, name)(*arguments)

        return compile_and_call

    def _execute(self, lines: list[str], *, names: tuple[str, ...]) -> None:
        text = compile("\n".join(lines), f"<wire {self.cls.__name__}>", "exec")
        made: dict[str, Any] = {}
        exec(text, self.namespace, made)  # noqa: S102  our own text, no input
        for name in names:
            self._set(name, made[name])

    def _set(self, name: str, function: Callable[..., Any]) -> None:
        function.__name__ = name
        function.__qualname__ = f"{self.cls.__qualname__}.{name}"
        function.__module__ = self.cls.__module__
        function.__doc__ = getattr(Wire, name).__doc__ if name in _CODEC else None
        setattr(self.cls, name, staticmethod(function) if name.startswith("decode") else function)


_CODEC = ("decode", "decode_from", "encode", "encode_into")


class Sequence(Body):
    """A-XDR: the tag, then one field after the other."""

    def decoding(self, source: DecodeSource) -> str:
        for octet in self.cls.TAG:
            source.then(f"if {source.fixed('B')} != {octet}: raise Refused")
        expressions: dict[str, str] = {}
        for name, form in self.fields.items():
            if isinstance(form, When):
                form.expression = expressions[form.field]
            expressions[name] = form.decoding(source)
        made = source.name("made")
        source.then(f"{made} = new({source.constant(self.cls, 'cls')})")
        for name, expression in expressions.items():
            source.then(f"{source.constant(self.cls.__dict__[name].__set__, 'set')}({made}, {expression})")
        return made

    def encoding(self, source: EncodeSource, value: str) -> None:
        source.literal(self.cls.TAG)
        if not value.isidentifier():
            local = source.name("x")
            source.line(f"{local} = {value}")
            value = local
        for name, form in self.fields.items():
            form.encoding(source, f"{value}.{name}")

    def walk_fields(self, walk: Walk, offset: int) -> tuple[dict[str, Any], int]:
        values: dict[str, Any] = {}
        for name, form in self.fields.items():
            walk.open(name, offset)
            if isinstance(form, When):
                values[name], offset = form.walk_after(walk, offset, values)
            else:
                values[name], offset = form.walk(walk, offset)
            walk.close(offset, form.text(values[name]) if walk.grow else "")
        return values, offset

    def codec(self) -> list[str]:
        namespace = self.namespace
        whole = DecodeSource(namespace, "")
        made = self.decoding(whole)
        whole.flush()
        within = DecodeSource(namespace, "offset")
        made_within = self.decoding(within)
        within.flush()
        encode = EncodeSource(namespace, out_given=False)
        self.encoding(encode, "self")
        encode.finish()
        encode_into = EncodeSource(namespace, out_given=True)
        self.encoding(encode_into, "self")
        encode_into.flush()
        return [
            "def decode(octets, limits=DEFAULT):",
            "    if octets.__class__ is not bytes: octets = bytes(octets)",
            "    try:",
            *whole.lines,
            f"        if {whole.at()} == len(octets) <= limits.octets: return {made}",
            "    except WRONG: pass",
            "    return walked(cls, octets, limits)",
            "def decode_from(octets, offset, limits=DEFAULT):",
            "    if octets.__class__ is not bytes: octets = bytes(octets)",
            "    start = offset",
            "    try:",
            *within.lines,
            f"        stop = {within.at()}",
            f"        if stop <= len(octets) <= limits.octets + start: return {made_within}, stop",
            "    except WRONG: pass",
            "    return walked_from(cls, octets, start, limits)",
            "def encode(self):",
            "    try:",
            *encode.lines,
            "    except UNFIT as error: raise explained(self, error) from None",
            "def encode_into(self, out):",
            "    try:",
            *(encode_into.lines or ["        pass"]),
            "    except UNFIT as error: raise explained(self, error) from None",
        ]


class Choice(Form):
    """A CHOICE between wire types by their tags, which all have the same number of octets."""

    def __init__(self, kinds: tuple[type[Wire], ...]) -> None:
        self.by_tag = {kind.TAG: kind for kind in kinds}
        sizes = {len(tag) for tag in self.by_tag}
        if len(self.by_tag) != len(kinds) or len(sizes) != 1 or 0 in sizes:
            raise TypeError(f"alternatives need different tags of one size: {kinds}")
        self.size = sizes.pop()
        self.smallest = min(kind.FORM.smallest for kind in kinds)
        self.kinds = frozenset(kinds)

    def decoding(self, source: DecodeSource) -> str:
        source.flush()
        kind, value, stop = source.name("k"), source.name(), source.name("o")
        for alternative in self.kinds:
            alternative.FORM.compile()
        by_tag = {tag: alternative.decode_from for tag, alternative in self.by_tag.items()}
        decoders = source.constant(by_tag, "decoders")
        source.line(f"{kind} = {decoders}.get(octets[{source.at()}:{source.at(self.size)}])")
        source.line(f"if {kind} is None: raise Refused")
        source.line(f"{value}, {stop} = {kind}(octets, {source.at()}, limits)")
        source.move(stop)
        return value

    def encoding(self, source: EncodeSource, value: str) -> None:
        source.flush()
        if not value.isidentifier():
            local = source.name("x")
            source.line(f"{local} = {value}")
            value = local
        source.line(f"if {value}.__class__ not in {source.constant(self.kinds, 'kinds')}: raise TypeError")
        source.line(f"{value}.encode_into(out)")

    def walk(self, walk: Walk, offset: int) -> tuple[Any, int]:
        tag = walk.octets[offset : walk.need(self.size, offset)]
        kind = self.by_tag.get(tag)
        if kind is None:
            known = ", ".join(f"{known.hex().upper()} ({kind.NAME})" for known, kind in self.by_tag.items())
            raise DecodeError(f"need {known}, have {tag.hex().upper()}", offset)
        walk.open(kind.NAME, offset)
        value, stop = kind.FORM.walk(walk, offset)
        walk.close(stop)
        return value, stop

    def check(self, value: Any) -> None:
        kind = cast("type[Wire]", type(value))
        if kind not in self.kinds:
            raise Unfit(f"need one of {', '.join(sorted(kind.__name__ for kind in self.kinds))}, have {value!r}")
        kind.FORM.check(value)

    def text(self, value: Any) -> str:
        return ""


def form_of(hint: Any) -> Form:
    """Return the form of an annotation: the one place that turns a type into a form."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        for extra in arguments[1:]:
            if isinstance(extra, Form):
                return extra
        return form_of(arguments[0])
    if hint == Data:
        return DataForm()
    if origin is tuple:
        if len(arguments) != 2 or arguments[1] is not Ellipsis:
            raise TypeError(f"a SEQUENCE OF is tuple[X, ...], not {hint}")
        return SequenceOf(form_of(arguments[0]))
    if origin is typing.Union or origin is types.UnionType:
        others = tuple(argument for argument in arguments if argument is not types.NoneType)
        inner = form_of(others[0]) if len(others) == 1 else Choice(others)
        return inner if len(others) == len(arguments) else Optional(inner)
    if isinstance(hint, type):
        if issubclass(hint, Wire):
            return hint.FORM
        if issubclass(hint, OpenEnum):
            return Enumeration(hint)
        if hint in _PLAIN:
            return _PLAIN[hint]
    raise TypeError(f"no wire form for {hint!r}")


_PLAIN: dict[type, Form] = {bytes: OctetsForm(), bool: Boolean(), Obis: ObisForm()}


def _field_forms(cls: type[Wire]) -> dict[str, Form]:
    scope = vars(sys.modules[cls.__module__])
    forms: dict[str, Form] = {}
    for name, annotation in inspect.get_annotations(cls).items():
        if isinstance(annotation, str):
            if annotation.startswith("ClassVar"):
                continue
            annotation = eval(annotation, scope)  # noqa: S307  an annotation of ours, no input
        forms[name] = form_of(annotation)
    return forms


def _kinds(form: Form) -> dict[str, type]:
    if isinstance(form, Tagged):
        return form.kinds()
    if isinstance(form, (Optional, SequenceOf)):
        return _kinds(form.inner)
    return {}


def _walk_whole(cls: type[Wire], walk: Walk) -> Any:
    walk.open(cls.NAME, 0)
    admit(walk.octets, 0, walk.limits)
    value, offset = cls.FORM.walk(walk, 0)
    left = len(walk.octets) - offset
    if left:
        raise DecodeError(f"need the end, have {left} {'octet' if left == 1 else 'octets'} more", offset)
    walk.close(offset, cls.FORM.text(value))
    return value


def _walked(cls: type[Wire], octets: Octets, limits: Limits) -> Any:
    walk = Walk(bytes(octets), limits)
    try:
        return _walk_whole(cls, walk)
    except DecodeError as error:
        raise walk.located(error) from None


def _walked_from(cls: type[Wire], octets: bytes, offset: int, limits: Limits) -> tuple[Any, int]:
    walk = Walk(octets, limits)
    walk.open(cls.NAME, offset)
    try:
        admit(octets, offset, limits)
        return cls.FORM.walk(walk, offset)
    except DecodeError as error:
        raise walk.located(error) from None


def _explained(value: Wire, error: Exception) -> LocalProtocolError:
    try:
        value.FORM.check(value)
    except Unfit as unfit:
        return LocalProtocolError(f"{'.'.join(joined((value.NAME, *unfit.path)))}: {unfit.reason}")
    except LocalProtocolError as local:
        return local
    return LocalProtocolError(f"{value.NAME}: cannot be encoded ({error})")
