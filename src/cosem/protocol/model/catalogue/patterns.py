"""Every pattern of codes that the rules name, one after another."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from cosem.protocol.model.catalogue.naming import kind_of
from cosem.protocol.model.catalogue.rules import (
    CHANNELS,
    Medium,
    Named,
    Processing,
    Quantity,
    Row,
    fill,
    media,
    numbers,
)
from cosem.protocol.values.obis import ObisPattern
from cosem.protocol.values.units import Unit


@dataclass(frozen=True, slots=True)
class NamedPattern:
    """Codes that share a rule: their pattern, their name (with the range where a number differs), class and unit.

    What the billing period and the channel add to the name of a single code is left out.
    """

    pattern: ObisPattern
    name: str
    class_id: int
    unit: Unit | None


@dataclass(frozen=True, slots=True)
class MeasuredRule:
    """One way to measure one quantity, and the values of group E that no rule before it has taken."""

    c: int
    d: int
    quantity: Quantity
    processing: Processing
    row: Row
    values: tuple[int, ...]
    measured: str
    """What is measured, in words; with a place for the classification where it is part of them."""
    processed: str
    """How it is processed, in words."""

    @property
    def name(self) -> str:
        """The name with a slot for the number in group E."""
        own = "{classification}" not in self.measured
        name = self.measured.replace("{classification}", self.row.words)
        parts = (name, self.processed, self.row.words if own else "")
        return ", ".join(part for part in parts if part)


_CHANNELS: Final = numbers(CHANNELS)
_EVERYTHING: Final = ObisPattern("*.*.*.*.*.*")


def patterns(within: ObisPattern | str | None = None) -> Iterator[NamedPattern]:
    """Return all patterns that the catalogue names, or what they have in common with one, by medium and rule.

    Raises ConfigurationError for a text that is no pattern.
    """
    wanted = ObisPattern(within) if isinstance(within, str) else within or _EVERYTHING
    for a in sorted(media()):
        if wanted.admits("A", a):
            yield from _objects(media()[a], wanted)
            yield from _measured(media()[a], wanted)


def object_rules(medium: Medium) -> tuple[Named, ...]:
    """Return the objects of a medium that have a name of their own, in the order of their rules."""
    return tuple({id(named): named for of_c in medium.objects.values() for named in of_c}.values())


@cache
def measured_rules(a: int) -> tuple[MeasuredRule, ...]:
    """Return the ways in which a medium measures: each quantity, processing and classification; the first rule wins."""
    return tuple(_measured_rules(media()[a]))


def _measured_rules(medium: Medium) -> Iterator[MeasuredRule]:
    taken: dict[tuple[int, int], set[int]] = {}
    alike: dict[tuple[int, ...], tuple[int, ...]] = {}
    for family in medium.families:
        for c, d in itertools.product(family.quantities, family.processings):
            quantity, processing = family.quantities[c], family.processings[d]
            before = taken.setdefault((c, d), set())
            for row, values in _by_row(processing.classification).items():
                left = tuple(value for value in values if value not in before)
                if left:
                    before.update(left)
                    left = alike.setdefault(left, left)
                    measured = quantity.name.replace("{kind}", kind_of(processing))
                    processed = processing.naming(quantity, row)
                    yield MeasuredRule(c, d, quantity, processing, row, left, measured, processed)


def _objects(medium: Medium, wanted: ObisPattern) -> Iterator[NamedPattern]:
    for named in object_rules(medium):
        found = named.pattern & wanted
        if found is not None:
            yield NamedPattern(found, _ranged(named.name, found), named.class_id, named.unit)


def _measured(medium: Medium, wanted: ObisPattern) -> Iterator[NamedPattern]:
    for rule in measured_rules(medium.number):
        if not (wanted.admits("C", rule.c) and wanted.admits("D", rule.d)):
            continue
        pattern = ObisPattern.of((medium.number,), _CHANNELS, (rule.c,), (rule.d,), rule.values, rule.processing.period)
        found = pattern & wanted
        if found is not None:
            unit = rule.processing.unit(rule.quantity, rule.row)
            yield NamedPattern(found, _ranged(rule.name, found), rule.processing.class_id, unit)


def _by_row(rows: Mapping[int, Row]) -> Mapping[Row, list[int]]:
    """The numbers of each row of a table."""
    found: dict[Row, list[int]] = {}
    for number, row in rows.items():
        found.setdefault(row, []).append(number)
    return found


def _ranged(name: str, pattern: ObisPattern) -> str:
    """A name with the ranges of a pattern in its slots: `Device ID 2…10`."""
    return fill(name, lambda group, shift: _shifted(pattern.values(group.upper()), shift))


def _shifted(values: str, shift: int) -> str:
    if values == "*":
        return "…"
    spans = (span.split("-") for span in values.split(","))
    return ",".join("…".join(str(int(number) + shift) for number in span) for span in spans)
