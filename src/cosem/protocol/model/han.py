"""Customer (HAN) ports: which lists a meter speaks there, how often, and in which octets; the tables [[han]].

What the values of a list are is said by the [[push]] list of its name (see `push_list`), by which listeners read it.
What remains to be said is how a meter writes it:

    [[han]]
    name = "kaifa"
    form = "values"                 # values alone; or pairs, structures, or listed (as they are, behind their names)
    frame = { destination = "01", source = "0201", control = 0x10 }     # of HDLC
    date_time = "tagged"            # before the body: none, plain, or tagged (a superfluous 09 before the length)
    invoke_id = 0x40000000          # always this; left out, they are counted
    protection = "none"             # or enc, auth+enc: general-glo under the global unicast key
    deviation = false               # whether times tell how far they are from UTC
    blocks = 129                    # general block transfer, a block in each frame of so much information; left out,
                                    # the APDU goes whole
    absent = "zero"                 # what stands for what the meter has not: zero, null (twice, in pairs), or nothing
    values = [                      # how values are written; the first pattern counts, and double-long-unsigned else
        { obis = "1.1.0.2.129.255", type = "octet-string", text = "KFM_001" },
        { obis = "1.1.0.0.5.255", type = "visible-string", of = "0.0.96.1.0.255" },
        { obis = "1.*.31,51,71.7.0.255", type = "long", unit = "A", scaler = -1 },
    ]

    [[han.lists]]
    list = "Kaifa list 1"           # of the same companion
    every = 2                       # seconds; of lists that are due together the one that comes last here is sent
    objects = ["1.0.1.7.0.255"]     # in this order, where values name themselves; [class, code, attribute] where listed
    phases = 3                      # left out, whatever phases the meter has
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, TypeVar, cast

from cosem.errors import ConfigurationError
from cosem.protocol.model.push_list import PushItem, PushList
from cosem.protocol.model.table import Table
from cosem.protocol.values.data import TAG_NAMES
from cosem.protocol.values.obis import Obis, ObisPattern
from cosem.protocol.values.units import Unit


class Form(Enum):
    """How the values of a body are named."""

    VALUES = "values"
    PAIRS = "pairs"
    STRUCTURES = "structures"
    LISTED = "listed"


class HeadTime(Enum):
    """The time of a data-notification before its body."""

    NONE = "none"
    PLAIN = "plain"
    TAGGED = "tagged"


class Absent(Enum):
    """What stands for what a meter has not."""

    ZERO = "zero"
    NULL = "null"
    NOTHING = "nothing"


class Sealed(Enum):
    """How a push is protected."""

    NONE = "none"
    ENCRYPTED = "enc"
    AUTHENTICATED = "auth+enc"


@dataclass(frozen=True, slots=True)
class HanFrame:
    """The addresses of an HDLC frame as they are on the line, and its control octet."""

    destination: bytes
    source: bytes
    control: int


@dataclass(frozen=True, slots=True)
class HanValue:
    """How a value is written: `type` by the standard's name; `text` is always the same, `of` is the object it is of."""

    pattern: ObisPattern
    type: str = "double-long-unsigned"
    unit: Unit | None = None
    scaler: int | None = None
    text: str | None = None
    of: Obis | None = None


@dataclass(frozen=True, slots=True)
class HanObject:
    """What a list has at one place: the code that names it, and where it is listed, its class and attribute."""

    obis: Obis
    class_id: int = 0
    attribute: int = 2


@dataclass(frozen=True, slots=True)
class HanList:
    """One list and how often it is sent, in seconds; `phases` for meters with so many alone."""

    push: PushList
    every: float
    objects: tuple[HanObject, ...]
    phases: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HanRule:
    """What a meter says at its customer port (see the module)."""

    name: str
    form: Form
    frame: HanFrame
    lists: tuple[HanList, ...]
    values: tuple[HanValue, ...] = ()
    date_time: HeadTime = HeadTime.PLAIN
    invoke_id: int | None = None
    protection: Sealed = Sealed.NONE
    deviation: bool = True
    blocks: int | None = None
    absent: Absent = Absent.NOTHING

    def written(self, listed: HanList, at: int) -> HanValue:
        """Return how the value at a place of a list is written: the unit and scaler of the list count before ours."""
        code = listed.objects[at].obis
        said = next((each for each in self.values if each.pattern.matches(code)), None) or HanValue(
            ObisPattern(str(code))
        )
        item = _item(listed.push, code, at)
        unit, scaler = (None, None) if item is None or item.unit is None else (item.unit, item.scaler)
        if unit is None:
            unit, scaler = said.unit, said.scaler
        return replace(said, unit=unit, scaler=scaler)


def han_from(table: Table, lists: Iterable[PushList]) -> HanRule:
    """Return the port that a table of a companion describes, by the `lists` of that; ConfigurationError."""
    name = table.text("name")
    table.name(name)
    known = {each.name: each for each in lists}
    frame = table.table("frame")
    rule = HanRule(
        name=name,
        form=_word(table, "form", Form),
        frame=HanFrame(
            frame.converted("destination", bytes.fromhex),
            frame.converted("source", bytes.fromhex),
            frame.integer("control"),
        ),
        lists=tuple(_list(each, known) for each in table.tables("lists")),
        values=tuple(map(_value, table.tables("values"))),
        date_time=_word(table, "date_time", HeadTime, HeadTime.PLAIN),
        invoke_id=table.optional_integer("invoke_id"),
        protection=_word(table, "protection", Sealed, Sealed.NONE),
        deviation=table.boolean("deviation", True),
        blocks=table.optional_integer("blocks"),
        absent=_word(table, "absent", Absent, Absent.NOTHING),
    )
    frame.finish()
    table.finish()
    if not rule.lists:
        raise table.refusal("lists", "a port says at least one list")
    return rule


W = TypeVar("W", bound=Enum)


def _word(table: Table, key: str, kind: type[W], default: W | None = None) -> W:
    words: Mapping[str, W] = MappingProxyType({str(each.value): each for each in kind})
    text = table.text(key) if default is None else table.text(key, str(default.value))
    if text not in words:
        raise table.refusal(key, f"{text!r} is none of {', '.join(words)}")
    return words[text]


def _list(table: Table, known: Mapping[str, PushList]) -> HanList:
    name = table.text("list")
    table.name(name)
    if name not in known:
        raise table.refusal("list", f"there is no [[push]] of this name, but {', '.join(known)}")
    every = table.seconds("every")
    push = known[name]
    # Values alone are those of the list, in its order; others come in an order of their own.
    own = tuple(HanObject(item.obis) for item in push.leading if item.obis is not None)
    named = table.given("objects", _objects) if "objects" in table else ()
    phases = table.optional_integer("phases")
    table.finish()
    return HanList(push, every, (*own, *named), phases)


def _objects(value: Any) -> tuple[HanObject, ...]:
    if not isinstance(value, list):
        raise ConfigurationError("expected a list of codes")
    return tuple(map(_object, cast("list[object]", value)))


def _object(value: Any) -> HanObject:
    if isinstance(value, str):
        return HanObject(Obis(value))
    try:
        class_id, code, attribute = value
        return HanObject(Obis(code), int(class_id), int(attribute))
    except (TypeError, ValueError):
        raise ConfigurationError(f"{value!r} is no object: write a code, or [class, code, attribute]") from None


def _value(table: Table) -> HanValue:
    value = HanValue(
        table.converted("obis", ObisPattern),
        table.text("type", _USUAL_TYPE),
        table.optional("unit", Unit.parse),
        table.optional_integer("scaler"),
        table.text("text") if "text" in table else None,
        table.optional("of", Obis),
    )
    table.finish()
    if value.type not in TAG_NAMES.values():
        raise table.refusal("type", f"there is no data type {value.type!r}")
    return value


def _item(push: PushList, code: Obis, at: int) -> PushItem | None:
    if at < len(push.leading):
        return push.leading[at]
    return next((each for each in push.named if each.pattern.matches(code)), None)


_USUAL_TYPE: Final = "double-long-unsigned"
