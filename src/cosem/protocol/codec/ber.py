"""The part of BER that ACSE needs: tags of one octet, definite lengths, and sequences declared as wire types.

Written are the shortest lengths and the components in the order of their declaration. Read are also longer length
forms and components in another order, both of which meters send; a component twice, an unknown one, a missing one and a
length that does not fit are errors.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NoReturn, cast

from cosem.errors import DecodeError
from cosem.protocol.codec.dissect import octets_text
from cosem.protocol.codec.forms import Form, OpenEnum, Unfit
from cosem.protocol.codec.reader import Limits, count, put_length
from cosem.protocol.codec.schema import Body, Wire
from cosem.protocol.codec.source import DecodeSource, EncodeSource, Refused
from cosem.protocol.codec.walk import Walk

OCTET_STRING, INTEGER, OBJECT_IDENTIFIER = 0x04, 0x02, 0x06
"""Universal tags."""


def element(octets: bytes, offset: int, stop: int) -> tuple[int, int, int]:
    """Read the element at `offset`, which ends by `stop`; return its tag and the start and end of its contents."""
    if offset >= stop:
        raise DecodeError("need a tag, have no octet left", offset)
    tag = octets[offset]
    if tag & 0x1F == 0x1F:
        raise DecodeError(f"need a tag of one octet, have 0x{tag:02X}", offset)
    size, start = octets[offset + 1] if offset + 1 < stop else 0x80, offset + 2
    if size > 0x7F:
        size, start = count(octets[:stop], offset + 1)
    if size > stop - start:
        raise DecodeError(f"need {size} octets, have {stop - start}", start)
    return tag, start, start + size


def put(tag: int, contents: bytes, out: bytearray) -> None:
    """Append an element to `out`."""
    out += enclosed(tag, contents)


def enclosed(tag: int, contents: bytes) -> bytes:
    """Return an element."""
    size = len(contents)
    if size < 0x80:
        return bytes((tag, size)) + contents
    out = bytearray((tag,))
    put_length(size, out)
    return bytes(out) + contents


class Contents:
    """How the contents of an element read and write a Python value; here they are the value."""

    few = False
    """Whether there are few values, each of them hashable."""

    def read(self, walk: Walk, offset: int, stop: int) -> Any:
        """Read the contents from `offset` to `stop`; raise DecodeError."""
        return walk.octets[offset:stop]

    def write(self, value: Any) -> bytes:
        """Return the contents for a value; raise Unfit."""
        if value.__class__ is bytes:
            return value
        if not isinstance(value, (bytes, bytearray, memoryview)):
            raise Unfit(f"need octets, have {value!r}")
        return bytes(cast(bytes, value))

    def text(self, value: Any) -> str:
        """Say what a value means."""
        return octets_text(value)


class Whole(Contents):
    """INTEGER of up to 8 octets."""

    def read(self, walk: Walk, offset: int, stop: int) -> int:
        if not 1 <= stop - offset <= 8:
            raise DecodeError(f"need a number of 1 to 8 octets, have {stop - offset}", offset)
        return int.from_bytes(walk.octets[offset:stop], "big", signed=True)

    def write(self, value: Any) -> bytes:
        if not isinstance(value, int) or not -(1 << 63) <= value < 1 << 63:
            raise Unfit(f"need a whole number of 64 bits, have {value!r}")
        return value.to_bytes((value + (value < 0)).bit_length() // 8 + 1, "big", signed=True)

    def text(self, value: Any) -> str:
        return str(value)


class Named(Contents):
    """INTEGER whose numbers have names."""

    few = True

    def __init__(self, kind: type[OpenEnum]) -> None:
        self.kind = kind
        self._named = {bytes((member,)): member for member in kind if member < 0x80}

    def read(self, walk: Walk, offset: int, stop: int) -> OpenEnum:
        named = self._named.get(walk.octets[offset:stop])
        if named is not None:
            return named
        number = Whole().read(walk, offset, stop)
        if not 0 <= number <= 255:
            raise DecodeError(f"need a number from 0 to 255, have {number}", offset)
        return self.kind(number)

    def write(self, value: Any) -> bytes:
        if not isinstance(value, int) or not 0 <= value <= 255:
            raise Unfit(f"need a {self.kind.__name__}, have {value!r}")
        return Whole().write(int(value))

    def text(self, value: Any) -> str:
        return self.kind(value).text


class Bits(Contents):
    """BIT STRING as a text of 0 and 1, the first bit first."""

    few = True

    def read(self, walk: Walk, offset: int, stop: int) -> str:
        octets = walk.octets[offset:stop]
        if not octets or octets[0] > 7 or (octets[0] and len(octets) == 1):
            raise DecodeError(f"need the number of unused bits and the bits, have {octets_text(octets)}", offset)
        bits = "".join(f"{octet:08b}" for octet in octets[1:])
        return bits[: len(bits) - octets[0]]

    def write(self, value: Any) -> bytes:
        if not isinstance(value, str) or value.strip("01"):
            raise Unfit(f"need a text of 0 and 1, have {value!r}")
        size = (len(value) + 7) // 8
        return bytes((8 * size - len(value),)) + int("0" + value.ljust(8 * size, "0"), 2).to_bytes(size, "big")

    def text(self, value: Any) -> str:
        return str(value) or "no bits"


class Identifier(Contents):
    """OBJECT IDENTIFIER out of one family: `prefix` and an octet that has a name; another one stays octets."""

    few = True

    def __init__(self, prefix: bytes, kind: type[OpenEnum]) -> None:
        self.prefix = prefix
        self.kind = kind
        self._named = {prefix + bytes((member,)): member for member in kind if member < 0x80}

    def read(self, walk: Walk, offset: int, stop: int) -> OpenEnum | bytes:
        octets = walk.octets[offset:stop]
        if octets in self._named:
            return self._named[octets]
        if len(octets) == len(self.prefix) + 1 and octets.startswith(self.prefix) and octets[-1] < 0x80:
            return self.kind(octets[-1])
        if not octets or octets[-1] >= 0x80:
            raise DecodeError(f"need an object identifier, have {octets_text(octets)}", offset)
        return octets

    def write(self, value: Any) -> bytes:
        if isinstance(value, int) and 0 <= value < 0x80:
            return self.prefix + bytes((value,))
        if isinstance(value, bytes) and value and value[-1] < 0x80:
            return value
        raise Unfit(f"need a {self.kind.__name__} or the octets of an object identifier, have {value!r}")

    def text(self, value: Any) -> str:
        return value.text if isinstance(value, OpenEnum) else octets_text(value)


class Inside(Contents):
    """EXPLICIT: an element with the tag `tag` and nothing else."""

    def __init__(self, tag: int, contents: Contents) -> None:
        self.tag = tag
        self.contents = contents
        self.few = contents.few

    def read(self, walk: Walk, offset: int, stop: int) -> Any:
        inside = offset + 2
        if inside <= stop and walk.octets[offset] == self.tag and stop - inside == walk.octets[offset + 1] < 0x80:
            return self.contents.read(walk, inside, stop)
        tag, start, end = element(walk.octets, offset, stop)
        if tag != self.tag:
            raise DecodeError(f"need tag 0x{self.tag:02X}, have 0x{tag:02X}", offset)
        if end != stop:
            raise DecodeError(f"need the end of the component, have {stop - end} octets more", end)
        return self.contents.read(walk, start, end)

    def write(self, value: Any) -> bytes:
        return enclosed(self.tag, self.contents.write(value))

    def text(self, value: Any) -> str:
        return self.contents.text(value)


class Alternatives(Contents):
    """EXPLICIT CHOICE between kinds of named numbers: by tag on the wire, by type in Python."""

    few = True

    def __init__(self, choices: dict[int, type[OpenEnum]], inner: int = INTEGER) -> None:
        self.choices = {tag: (kind, Inside(inner, Named(kind))) for tag, kind in choices.items()}

    def read(self, walk: Walk, offset: int, stop: int) -> OpenEnum:
        tag, start, end = element(walk.octets, offset, stop)
        if tag not in self.choices:
            raise DecodeError(f"need a tag of {_tags(self.choices)}, have 0x{tag:02X}", offset)
        if end != stop:
            raise DecodeError(f"need the end of the component, have {stop - end} octets more", end)
        return cast(OpenEnum, self.choices[tag][1].read(walk, start, end))

    def write(self, value: Any) -> bytes:
        for tag, (kind, contents) in self.choices.items():
            if type(value) is kind:
                return enclosed(tag, contents.write(value))
        raise Unfit(f"need one of {', '.join(kind.__name__ for kind, _ in self.choices.values())}, have {value!r}")

    def text(self, value: Any) -> str:
        return f"{type(value).__name__} {value.text}"


class Component(Form):
    """One component of a sequence: its tag and its contents. With a default it is absent when it has that value."""

    def __init__(self, tag: int, contents: Contents) -> None:
        self.tag = tag
        self.contents = contents
        self.write: Callable[[Any], bytes] = self._write_once if contents.few else self._write
        """Returns the element of a value, made once where there are few values; raises Unfit."""
        self._written = lru_cache(maxsize=64, typed=True)(self._write)
        self.known: Callable[[bytes], Any] | None = lru_cache(maxsize=64)(self._of) if contents.few else None
        """Returns the value of contents, read once where there are few values; raises DecodeError."""

    def _write_once(self, value: Any) -> bytes:
        try:
            return self._written(value)
        except TypeError:  # nothing that could be among the few
            return self._write(value)

    def _write(self, value: Any) -> bytes:
        return enclosed(self.tag, self.contents.write(value))

    def _of(self, contents: bytes) -> Any:
        return self.contents.read(Walk(contents), 0, len(contents))

    def walk(self, walk: Walk, offset: int) -> tuple[Any, int]:
        _, start, stop = element(walk.octets, offset, len(walk.octets))
        return self.contents.read(walk, start, stop), stop

    def check(self, value: Any) -> None:
        self.contents.write(value)

    def text(self, value: Any) -> str:
        return self.contents.text(value)

    def same(self, left: Any, right: Any) -> str | None:
        if not isinstance(self.contents, Alternatives):
            return None
        return f"({left}.__class__ is {right}.__class__ and {left} == {right})"

    def decoding(self, source: DecodeSource) -> NoReturn:
        raise TypeError("a component of BER stands in a sequence of BER")

    def encoding(self, source: EncodeSource, value: str) -> NoReturn:
        raise TypeError("a component of BER stands in a sequence of BER")


class BerSequence(Body):
    """IMPLICIT SEQUENCE under the tag of the class. Its contents are not compiled: a session has four of them."""

    loose_end = False
    """Whether the octets given end the sequence and its last component, whatever their lengths say."""

    def __init__(self, cls: type[Wire], fields: dict[str, Form]) -> None:
        super().__init__(cls, fields)
        self._by_tag = {component.tag: (name, component) for name, component in self._by_name().items()}
        self._last = max(self._by_tag)
        self._needed = fields.keys() - self.defaults.keys()

    def walk(self, walk: Walk, offset: int) -> tuple[Any, int]:
        tag, start, stop = self._frame(walk, offset)
        if tag != self.cls.TAG[0]:
            raise DecodeError(f"need {self.cls.TAG.hex().upper()}, have {tag:02X}", offset)
        values, stop = self._components(walk, start, stop)
        missing = [name for name in self.fields if name not in values and name not in self.defaults]
        if missing:
            raise DecodeError(f"need {' and '.join(missing)}, which is missing", stop)
        return self.cls(**values), stop

    def check(self, value: Any) -> None:
        self.write(value, bytearray())

    def write(self, value: Any, out: bytearray) -> None:
        """Append the octets of a value; raise Unfit with the path."""
        contents = bytearray()
        for name, component in self._by_name().items():
            item = getattr(value, name)
            if name in self.defaults and item == self.defaults[name]:
                continue
            try:
                put(component.tag, component.contents.write(item), contents)
            except Unfit as unfit:
                raise self.placed(unfit, name) from None
        put(self.cls.TAG[0], bytes(contents), out)

    def _frame(self, walk: Walk, offset: int) -> tuple[int, int, int]:
        if not self.loose_end:
            return element(walk.octets, offset, len(walk.octets))
        tag = walk.octet(offset)
        size, start = count(walk.octets, offset + 1)
        if size > len(walk.octets) - start:
            raise DecodeError(f"need {size} octets, have {len(walk.octets) - start}", start)
        return tag, start, len(walk.octets)

    def _components(self, walk: Walk, offset: int, stop: int) -> tuple[dict[str, Any], int]:
        by_tag = self._by_tag
        values: dict[str, Any] = {}
        while offset < stop:
            tag, start, end = element(walk.octets, offset, stop)
            if tag not in by_tag:
                raise DecodeError(f"need a component with one of {_tags(by_tag)}, have 0x{tag:02X}", offset)
            name, component = by_tag[tag]
            if name in values:
                raise DecodeError(f"{name} comes twice", offset)
            if self.loose_end and tag == self._last:
                end = stop
            walk.open(name, offset)
            values[name] = component.contents.read(walk, start, end)
            walk.close(end, component.text(values[name]) if walk.grow else "")
            offset = end
        return values, stop

    def _read(self, octets: bytes, limits: Limits) -> Any:
        """Decode octets with short lengths and nothing wrong; of all others the walk tells more."""
        stop = len(octets)
        if octets[0] != self.cls.TAG[0] or octets[1] != stop - 2 or not 2 < stop <= min(0x81, limits.octets):
            raise Refused
        walk = Walk(octets, limits)
        by_tag, offset = self._by_tag, 2
        values: dict[str, Any] = {}
        while offset < stop:
            tag, size, start = octets[offset], octets[offset + 1], offset + 2
            offset = start + size
            found = by_tag.get(tag)
            if (
                found is None
                or size > 0x7F
                or offset > stop
                or (self.loose_end and tag == self._last and offset < stop)
            ):
                raise Refused
            name, component = found
            if name in values:
                raise Refused
            known = component.known
            values[name] = (
                component.contents.read(walk, start, offset) if known is None else known(octets[start:offset])
            )
        if not self._needed <= values.keys():
            raise Refused
        return self.cls(**values)

    def _by_name(self) -> dict[str, Component]:
        return cast("dict[str, Component]", self.fields)

    def codec(self) -> list[str]:
        names = self.namespace
        names["read"], names["enclosed"] = self._read, enclosed
        lines: list[str] = []
        for name, component in self._by_name().items():
            names[f"write_{name}"] = component.write
            differs = "is not None" if self.defaults.get(name, ...) is None else f"!= default_{name}"
            line = f"contents += write_{name}(self.{name})"
            lines.append(f"if self.{name} {differs}: {line}" if name in self.defaults else line)
        return [
            "def decode(octets, limits=DEFAULT):",
            "    if octets.__class__ is not bytes: octets = bytes(octets)",
            "    try:",
            "        return read(octets, limits)",
            "    except WRONG: pass",
            "    return walked(cls, octets, limits)",
            "def decode_from(octets, offset, limits=DEFAULT):",
            "    return walked_from(cls, bytes(octets), offset, limits)",
            "def encode(self):",
            "    try:",
            "        contents = b''",
            *(f"        {line}" for line in lines),
            f"        return enclosed({self.cls.TAG[0]}, contents)",
            "    except UNFIT as error: raise explained(self, error) from None",
            "def encode_into(self, out):",
            "    out += self.encode()",
        ]


class LooseBerSequence(BerSequence):
    """A sequence whose octets end it: a widely used server counts the lengths of its RLRE too short."""

    loose_end = True


def _tags(tags: Any) -> str:
    return ", ".join(f"0x{tag:02X}" for tag in sorted(tags))
