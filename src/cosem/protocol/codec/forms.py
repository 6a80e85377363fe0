"""How a single field looks on the wire: each form writes its part of a compiled codec and can also be walked."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum
from functools import cached_property
from typing import Any, Final

from cosem.errors import DecodeError
from cosem.protocol.codec import axdr
from cosem.protocol.codec.dissect import data_nodes, data_text, octets_text
from cosem.protocol.codec.reader import count, length, put_length
from cosem.protocol.codec.scalars import PACKED, SIMPLE
from cosem.protocol.codec.source import DecodeSource, EncodeSource
from cosem.protocol.codec.walk import Walk
from cosem.protocol.values.data import OctetString
from cosem.protocol.values.obis import Obis


class NullData(Enum):
    """The one value `NULL_DATA`: null-data that is present where the field might also be absent (None)."""

    NULL_DATA = "null-data"

    def __repr__(self) -> str:
        return "NULL_DATA"


NULL_DATA: Final = NullData.NULL_DATA


class OpenEnum(IntEnum):
    """An enumeration of one octet that also holds numbers it has no name for, so that they survive a round trip."""

    @classmethod
    def _missing_(cls, value: object) -> OpenEnum | None:
        if not isinstance(value, int) or not 0 <= value <= 255:
            return None
        member = int.__new__(cls, value)
        member._name_ = f"UNKNOWN_{value}"
        member._value_ = value
        return member

    @property
    def text(self) -> str:
        """The name as the standard writes it, with the number: `object-undefined (4)`."""
        return f"{self._name_.lower().replace('_', '-')} ({int(self)})"


class Unfit(Exception):
    """A value does not fit its form; `path` leads to it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path: list[str] = []


UNUSED: Final = "this form is never asked for this by itself"


class Form:
    """Base of all forms. `smallest` is the least number of octets of one value."""

    smallest: int = 1

    def decoding(self, source: DecodeSource) -> str:
        """Write the lines that decode, and return the expression of the value."""
        raise AssertionError(UNUSED)  # pragma: no cover

    def encoding(self, source: EncodeSource, value: str) -> None:
        """Write the lines that encode the expression `value`."""
        raise AssertionError(UNUSED)  # pragma: no cover

    def walk(self, walk: Walk, offset: int) -> tuple[Any, int]:
        """Decode one value step by step; raise DecodeError."""
        raise AssertionError(UNUSED)  # pragma: no cover

    def check(self, value: Any) -> None:
        """Raise Unfit when `value` cannot be encoded."""
        raise AssertionError(UNUSED)  # pragma: no cover

    def text(self, value: Any) -> str:
        """Say what a value means, for the dissection."""
        return str(value)

    def same(self, left: Any, right: Any) -> str | None:
        """Return an expression for equality of two expressions; None when `==` is right."""
        return None


class Int(Form):
    """A whole number of 1, 2, 4 or 8 octets; with `among`, one of these numbers only."""

    def __init__(self, size: int, *, signed: bool = False, among: frozenset[int] | None = None) -> None:
        code = {1: "B", 2: "H", 4: "I", 8: "Q"}[size]
        self.size = size
        self.format = code.lower() if signed else code
        self.low = -(1 << (8 * size - 1)) if signed else 0
        self.high = self.low + (1 << (8 * size)) - 1
        self.signed = signed
        self.among = among

    def decoding(self, source: DecodeSource) -> str:
        value = source.fixed(self.format)
        if self.among is not None:
            source.then(f"if {value} not in {source.constant(self.among, 'among')}: raise Refused")
        return value

    def encoding(self, source: EncodeSource, value: str) -> None:
        if self.among is not None:
            source.line(f"if {value} not in {source.constant(self.among, 'among')}: raise ValueError")
        source.put(self.format, value)

    def walk(self, walk: Walk, offset: int) -> tuple[int, int]:
        stop = walk.need(self.size, offset)
        value = int.from_bytes(walk.octets[offset:stop], "big", signed=self.signed)
        if self.among is not None and value not in self.among:
            raise DecodeError(f"need one of {_listed(self.among)}, have {value} (0x{value:02X})", offset)
        return value, stop

    def check(self, value: Any) -> None:
        if not isinstance(value, int):
            raise Unfit(f"need a whole number, have {value!r}")
        if not self.low <= value <= self.high:
            raise Unfit(f"need {self.low} to {self.high}, have {value}")
        if self.among is not None and value not in self.among:
            raise Unfit(f"need one of {_listed(self.among)}, have {value}")


class InvokeId(Int):
    """The octet or the four octets that tie a response to its request and say how the request is to be treated."""

    def text(self, value: int) -> str:
        if self.size == 1:
            number, confirmed, high = value & 0x0F, value & 0x40, value & 0x80
            extra = ""
        else:
            number, confirmed, high = value & 0xFFFFFF, value & 0x40000000, value & 0x80000000
            extra = ", self-descriptive" if value & 0x10000000 else ""
            extra += ", break on error" if value & 0x20000000 else ""
        service = "confirmed" if confirmed else "unconfirmed"
        priority = "high" if high else "normal"
        return f"0x{value:0{2 * self.size}X} (invoke-id {number}, {service}, {priority} priority{extra})"


class Boolean(Form):
    """One octet: 0 is false; 1 is written for true, and whatever is not 0 is read as true, as A-XDR has it."""

    def decoding(self, source: DecodeSource) -> str:
        return f"({source.fixed('B')} != 0)"

    def encoding(self, source: EncodeSource, value: str) -> None:
        source.line(f"if {value} is not True and {value} is not False: raise TypeError")
        source.put("B", value)

    def walk(self, walk: Walk, offset: int) -> tuple[bool, int]:
        return walk.octet(offset) != 0, offset + 1

    def check(self, value: Any) -> None:
        if not isinstance(value, bool):
            raise Unfit(f"need True or False, have {value!r}")

    def text(self, value: bool) -> str:
        return "true" if value else "false"


class Enumeration(Form):
    """One octet out of an `OpenEnum`."""

    def __init__(self, kind: type[OpenEnum]) -> None:
        self.kind = kind

    @cached_property
    def members(self) -> tuple[OpenEnum, ...]:
        """One for each octet; made when first needed."""
        return tuple(self.kind(number) for number in range(256))

    def decoding(self, source: DecodeSource) -> str:
        return f"{source.constant(self.members, 'members')}[{source.fixed('B')}]"

    def encoding(self, source: EncodeSource, value: str) -> None:
        source.put("B", value)

    def walk(self, walk: Walk, offset: int) -> tuple[OpenEnum, int]:
        return self.members[walk.octet(offset)], offset + 1

    def check(self, value: Any) -> None:
        if not isinstance(value, int) or not 0 <= value <= 255:
            raise Unfit(f"need a {self.kind.__name__}, have {value!r}")

    def text(self, value: int) -> str:
        return self.kind(value).text


class OctetsForm(Form):
    """Octets with their length in front."""

    def decoding(self, source: DecodeSource) -> str:
        source.flush()
        size, start, stop, value = source.name("n"), source.name("o"), source.name("o"), source.name()
        at = source.at()
        source.line(f"{size} = octets[{at}]")
        source.line(f"{start} = {source.at(1)}")
        source.line(f"if {size} > 127: {size}, {start} = {source.constant(length, 'length')}(octets, {at})")
        source.line(f"{stop} = {start} + {size}")
        source.line(f"{value} = octets[{start}:{stop}]")
        source.move(stop)
        return value

    def encoding(self, source: EncodeSource, value: str) -> None:
        source.flush()
        size = source.name("n")
        source.line(f"{size} = len({value})")
        source.line(f"if {size} < 128: out.append({size})")
        source.line(f"else: {source.constant(put_length, 'put_length')}({size}, out)")
        source.line(f"out += {value}")

    def walk(self, walk: Walk, offset: int) -> tuple[bytes, int]:
        size, offset = length(walk.octets, offset)
        return walk.octets[offset : offset + size], offset + size

    def check(self, value: Any) -> None:
        if not isinstance(value, (bytes, bytearray, memoryview)):
            raise Unfit(f"need octets, have {value!r}")

    def text(self, value: bytes) -> str:
        return octets_text(value)


class TimeOctets(OctetsForm):
    """Octets of a date-time, or none, with their length in front.

    Also read is a date-time as tagged Data (09 0C …), as Kaifa meters push it; no date-time has nine octets.
    """

    _TAGGED = b"\x09\x0c"

    def decoding(self, source: DecodeSource) -> str:
        value = super().decoding(source)
        source.line(f"if len({value}) == 9 and {value}[0] == 12: raise Refused")
        return value

    def walk(self, walk: Walk, offset: int) -> tuple[bytes, int]:
        return super().walk(walk, offset + walk.octets.startswith(self._TAGGED, offset))

    def text(self, value: bytes) -> str:
        return data_text(OctetString(value)) if value else "empty"


class Fixed(Form):
    """Exactly `size` octets, without a length."""

    def __init__(self, size: int) -> None:
        self.size = size

    def decoding(self, source: DecodeSource) -> str:
        return source.fixed(f"{self.size}s")

    def encoding(self, source: EncodeSource, value: str) -> None:
        source.line(f"if len({value}) != {self.size}: raise ValueError")
        source.put(f"{self.size}s", value)

    def walk(self, walk: Walk, offset: int) -> tuple[bytes, int]:
        stop = walk.need(self.size, offset)
        return walk.octets[offset:stop], stop

    def check(self, value: Any) -> None:
        if not isinstance(value, bytes) or len(value) != self.size:
            raise Unfit(f"need {self.size} octets, have {value!r}")

    def text(self, value: bytes) -> str:
        return octets_text(value)


class ObisForm(Form):
    """A logical name: six octets."""

    def decoding(self, source: DecodeSource) -> str:
        return f"{source.constant(Obis.from_octets, 'obis')}({source.fixed('6s')})"

    def encoding(self, source: EncodeSource, value: str) -> None:
        source.put("6s", f"{value}.octets")

    def walk(self, walk: Walk, offset: int) -> tuple[Obis, int]:
        stop = walk.need(6, offset)
        return Obis.from_octets(walk.octets[offset:stop]), stop

    def check(self, value: Any) -> None:
        if not isinstance(value, Obis):
            raise Unfit(f"need an Obis, have {value!r}")


class DataForm(Form):
    """COSEM Data. With `nullable`, null-data is `NULL_DATA`, since None already says that the field is absent."""

    def __init__(self, *, nullable: bool = False) -> None:
        self.nullable = nullable

    def decoding(self, source: DecodeSource) -> str:
        source.flush()
        value, stop, simple = source.name(), source.name("o"), source.name("d")
        # Most Data are no container: they are decoded from here, since the checks of `axdr.decode` are those of the
        # APDU around them.
        source.line(f"{simple} = {source.constant(SIMPLE, 'simple')}[octets[{source.at()}]]")
        source.line(f"if {simple}: {value}, {stop} = {simple}(octets, {source.at(1)})")
        source.line(f"else: {value}, {stop} = {source.constant(axdr.decode, 'data')}(octets, {source.at()}, limits)")
        if self.nullable:
            source.line(f"if {value} is None: {value} = {source.constant(NULL_DATA, 'null')}")
        source.move(stop)
        return value

    def encoding(self, source: EncodeSource, value: str) -> None:
        source.flush()
        encode, packed = source.constant(axdr.encode_into, "data"), source.name("p")
        # Most Data are whole numbers, which are written from here.
        source.line(f"{packed} = {source.constant(PACKED, 'packed')}.get({value}.__class__)")
        source.line(f"if {packed}: out += {packed}({value})")
        if self.nullable:
            value = f"None if {value} is {source.constant(NULL_DATA, 'null')} else {value}"
        source.line(f"else: {encode}({value}, out)")

    def walk(self, walk: Walk, offset: int) -> tuple[Any, int]:
        value, stop = axdr.decode(walk.octets, offset, walk.limits)
        if walk.grow:
            for node in data_nodes(walk.octets, offset):
                walk.add(node)
        return (NULL_DATA if value is None and self.nullable else value), stop

    def check(self, value: Any) -> None:
        axdr.encode(None if self.nullable and isinstance(value, NullData) else value)

    def text(self, value: Any) -> str:
        return data_text(None if value is NULL_DATA else value)


class Optional(Form):
    """A presence octet, 0 or 1, then the value when it is 1."""

    def __init__(self, inner: Form) -> None:
        self.inner = inner

    def decoding(self, source: DecodeSource) -> str:
        source.flush()
        flag, value, stop = source.name("f"), source.name(), source.name("o")
        source.line(f"{flag} = octets[{source.at()}]")
        source.skip(1)
        start = source.position()
        with source.block(f"if {flag} == 0:"):
            source.line(f"{value} = None")
            source.line(f"{stop} = {source.at()}")
        with source.block(f"elif {flag} == 1:"):
            inner = self.inner.decoding(source)
            source.flush()
            source.line(f"{value} = {inner}")
            source.line(f"{stop} = {source.at()}")
        source.line("else: raise Refused")
        source.back(start)
        source.move(stop)
        return value

    def encoding(self, source: EncodeSource, value: str) -> None:
        value = _local(source, value)
        with source.block(f"if {value} is None:"):
            source.literal(b"\0")
        with source.block("else:"):
            source.literal(b"\1")
            self.inner.encoding(source, value)

    def walk(self, walk: Walk, offset: int) -> tuple[Any, int]:
        flag = walk.octet(offset)
        if flag == 0:
            return None, offset + 1
        if flag != 1:
            raise DecodeError(f"need 0 (absent) or 1 (present), have {flag}", offset)
        return self.inner.walk(walk, offset + 1)

    def check(self, value: Any) -> None:
        if value is not None:
            self.inner.check(value)

    def text(self, value: Any) -> str:
        return "absent" if value is None else self.inner.text(value)

    def same(self, left: Any, right: Any) -> str | None:
        return self.inner.same(left, right)


class OptionalTime(Optional):
    """A presence octet, then a date-time when it is 1.

    Gurux notifiers are read as well: they leave the octet out in an InformationReport, and have in its place the tag of
    an octet-string in an EventNotification.
    """

    _WITHOUT_PRESENCE = b"\x0c", b"\x09\x0c"

    def __init__(self) -> None:
        super().__init__(TimeOctets())

    def walk(self, walk: Walk, offset: int) -> tuple[bytes | None, int]:
        if walk.octets.startswith(self._WITHOUT_PRESENCE, offset):
            found: tuple[bytes, int] = self.inner.walk(walk, offset)
            return found
        return super().walk(walk, offset)


class Default(Form):
    """An octet that is 0 when the value is the default; otherwise 1 and the value."""

    def __init__(self, inner: Form, default: Any) -> None:
        self.inner = inner
        self.default = default

    def decoding(self, source: DecodeSource) -> str:
        source.flush()
        flag, value, stop = source.name("f"), source.name(), source.name("o")
        source.line(f"{flag} = octets[{source.at()}]")
        source.skip(1)
        with source.block(f"if {flag} == 0:"):
            source.line(f"{value} = {source.constant(self.default, 'default')}")
            source.line(f"{stop} = {source.at()}")
        with source.block(f"elif {flag} == 1:"):
            inner = self.inner.decoding(source)
            source.flush()
            source.line(f"{value} = {inner}")
            source.line(f"{stop} = {source.at()}")
        source.line("else: raise Refused")
        source.move(stop)
        return value

    def encoding(self, source: EncodeSource, value: str) -> None:
        value = _local(source, value)
        with source.block(f"if {value} == {source.constant(self.default, 'default')}:"):
            source.literal(b"\0")
        with source.block("else:"):
            source.literal(b"\1")
            self.inner.encoding(source, value)

    def walk(self, walk: Walk, offset: int) -> tuple[Any, int]:
        flag = walk.octet(offset)
        if flag == 0:
            return self.default, offset + 1
        if flag != 1:
            raise DecodeError(f"need 0 (default) or 1 (value follows), have {flag}", offset)
        return self.inner.walk(walk, offset + 1)

    def check(self, value: Any) -> None:
        self.inner.check(value)

    def text(self, value: Any) -> str:
        return self.inner.text(value)


class When(Form):
    """A value that is there only if the field `field` before it has the value `equals`, and octets are left.

    It has no presence octet of its own: the number of the field before tells. A peer that leaves it out although the
    field says that it follows is understood; None stands for it.
    """

    smallest = 0

    def __init__(self, field: str, equals: int, inner: Form) -> None:
        self.field = field
        self.equals = equals
        self.inner = inner
        self.expression = ""  # of that field, while the struct around writes its decoder

    def decoding(self, source: DecodeSource) -> str:
        source.flush()
        value, stop = source.name(), source.name("o")
        with source.block(f"if {self.expression} == {self.equals} and len(octets) > {source.at()}:"):
            start = source.position()
            inner = self.inner.decoding(source)
            source.flush()
            source.line(f"{value} = {inner}")
            source.line(f"{stop} = {source.at()}")
        source.back(start)
        with source.block("else:"):
            source.line(f"{value} = None")
            source.line(f"{stop} = {source.at()}")
        source.move(stop)
        return value

    def encoding(self, source: EncodeSource, value: str) -> None:
        owner = value.rpartition(".")[0]
        value = _local(source, value)
        with source.block(f"if {value} is not None:"):
            source.line(f"if {owner}.{self.field} != {self.equals}: raise ValueError")
            self.inner.encoding(source, value)

    def walk_after(self, walk: Walk, offset: int, values: Mapping[str, Any]) -> tuple[Any, int]:
        """Walk it, knowing the fields before."""
        if values[self.field] != self.equals or offset >= len(walk.octets):
            return None, offset
        return self.inner.walk(walk, offset)

    def check_after(self, value: Any, owner: Any) -> None:
        """Check it, knowing the object it belongs to."""
        if value is None:
            return
        if getattr(owner, self.field) != self.equals:
            raise Unfit(f"is there only when {self.field} is {self.equals}")
        self.inner.check(value)

    def text(self, value: Any) -> str:
        return "absent" if value is None else self.inner.text(value)


class SequenceOf(Form):
    """A count, then as many values; a tuple in Python."""

    def __init__(self, inner: Form) -> None:
        self.inner = inner

    def decoding(self, source: DecodeSource) -> str:
        source.flush()
        size, base, items, value = source.name("n"), source.name("o"), source.name("items"), source.name()
        at = source.at()
        source.line(f"{size} = octets[{at}]")
        source.line(f"{base} = {source.at(1)}")
        source.line(f"if {size} > 127: {size}, {base} = {source.constant(count, 'count')}(octets, {at})")
        source.line(f"if {size} * {self.inner.smallest} > len(octets) - {base}: raise Refused")
        source.line(f"{items} = []")
        source.move(base)
        with source.block(f"for _ in range({size}):"):
            inner = self.inner.decoding(source)
            source.flush()
            source.line(f"{items}.append({inner})")
            source.line(f"{base} = {source.at()}")
        source.move(base)
        source.line(f"{value} = tuple({items})")
        return value

    def encoding(self, source: EncodeSource, value: str) -> None:
        source.flush()
        value = _local(source, value)
        item = source.name("i")
        source.line(f"if {value}.__class__ is not tuple: raise TypeError")
        source.line(f"{source.constant(put_length, 'put_length')}(len({value}), out)")
        with source.block(f"for {item} in {value}:"):
            self.inner.encoding(source, item)

    def walk(self, walk: Walk, offset: int) -> tuple[tuple[Any, ...], int]:
        start = offset
        size, offset = count(walk.octets, offset)
        if size * self.inner.smallest > len(walk.octets) - offset:
            raise DecodeError(f"{size} items announced, have {len(walk.octets) - offset} octets left", start)
        items: list[Any] = []
        for index in range(size):
            walk.open(f"[{index}]", offset)
            item, offset = self.inner.walk(walk, offset)
            walk.close(offset, self.inner.text(item) if walk.grow else "")
            items.append(item)
        return tuple(items), offset

    def check(self, value: Any) -> None:
        if not isinstance(value, tuple):
            raise Unfit(f"need a tuple, have {value!r}")
        items: list[Any] = [*value]
        for index, item in enumerate(items):
            checked(self.inner, item, f"[{index}]")

    def text(self, value: tuple[Any, ...]) -> str:
        return f"{len(value)} items" if len(value) != 1 else "1 item"

    def same(self, left: Any, right: Any) -> str | None:
        inner = self.inner.same("x", "y")
        if inner is None:
            return None
        return f"(len({left}) == len({right}) and all({inner} for x, y in zip({left}, {right})))"


class Tagged(Form):
    """A CHOICE between plain values: an octet, then the value in the form that the octet stands for.

    Each choice is given as octet, name, form and the exact Python type that selects it when encoding; the choice with
    the type None takes all others.
    """

    def __init__(self, *choices: tuple[int, str, Form, type | None]) -> None:
        self.choices = choices

    def decoding(self, source: DecodeSource) -> str:
        source.flush()
        tag, value, stop = source.name("t"), source.name(), source.name("o")
        source.line(f"{tag} = octets[{source.at()}]")
        source.skip(1)
        start = source.position()
        word = "if"
        for number, _, form, _ in self.choices:
            with source.block(f"{word} {tag} == {number}:"):
                inner = form.decoding(source)
                source.flush()
                source.line(f"{value} = {inner}")
                source.line(f"{stop} = {source.at()}")
            source.back(start)
            word = "elif"
        source.line("else: raise Refused")
        source.move(stop)
        return value

    def encoding(self, source: EncodeSource, value: str) -> None:
        value = _local(source, value)
        word = "if"
        rest: list[tuple[int, Form]] = []
        for number, _, form, kind in self.choices:
            if kind is None:
                rest.append((number, form))
                continue
            with source.block(f"{word} {value}.__class__ is {source.constant(kind, 'kind')}:"):
                source.literal(bytes((number,)))
                form.encoding(source, value)
            word = "elif"
        with source.block("else:"):
            if not rest:
                source.line("raise TypeError")
            for number, form in rest:
                source.literal(bytes((number,)))
                form.encoding(source, value)

    def walk(self, walk: Walk, offset: int) -> tuple[Any, int]:
        tag = walk.octet(offset)
        for number, name, form, _ in self.choices:
            if number == tag:
                walk.open(name, offset + 1)
                value, stop = form.walk(walk, offset + 1)
                walk.close(stop, form.text(value) if walk.grow else "")
                return value, stop
        known = " or ".join(f"{number} ({name})" for number, name, _, _ in self.choices)
        raise DecodeError(f"need {known}, have {tag}", offset)

    def check(self, value: Any) -> None:
        self._of(value).check(value)

    def text(self, value: Any) -> str:
        return ""

    def same(self, left: Any, right: Any) -> str | None:
        # An enumeration equals the number it is; the choice tells a refusal from a value, so equality asks for both.
        kinds = " and ".join(
            f"({left}.__class__ is {kind.__name__}) is ({right}.__class__ is {kind.__name__})"
            for _, _, _, kind in self.choices
            if kind is not None
        )
        return f"({kinds} and {left} == {right})"

    def kinds(self) -> dict[str, type]:
        """Return the types that `same` names."""
        return {kind.__name__: kind for _, _, _, kind in self.choices if kind is not None}

    def _of(self, value: Any) -> Form:
        others: list[Form] = []
        for _, _, form, kind in self.choices:
            if kind is None:
                others.append(form)
            elif type(value) is kind:
                return form
        if not others:
            raise Unfit(f"{value!r} is none of the choices")
        return others[0]


def checked(form: Form, value: Any, name: str) -> None:
    """Check a value of the field `name`, so that Unfit tells the path."""
    try:
        form.check(value)
    except Unfit as unfit:
        unfit.path.insert(0, name)
        raise


def _local(source: EncodeSource, value: str) -> str:
    if value.isidentifier():
        return value
    name = source.name("x")
    source.line(f"{name} = {value}")
    return name


def _listed(numbers: frozenset[int]) -> str:
    return ", ".join(str(number) for number in sorted(numbers))
