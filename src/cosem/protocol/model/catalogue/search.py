"""Codes by words: what people call a value, matched with the names that the rules make."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from cosem.errors import ConfigurationError
from cosem.protocol.model.catalogue.naming import LAST_CHANNEL, Entry, lookup
from cosem.protocol.model.catalogue.patterns import MeasuredRule, measured_rules, object_rules
from cosem.protocol.model.catalogue.rules import Medium, Named, Row, media, numbers, shared, slots
from cosem.protocol.values.obis import Obis

LONGEST: Final = 200
"""Characters of a query that are looked at."""


@dataclass(frozen=True, slots=True)
class Found:
    """A code that a search found, and what is known of it."""

    obis: Obis
    entry: Entry


def search(words: str, limit: int = 20) -> tuple[Found, ...]:
    """Return the codes whose names fit words best, the best first: `reactive import tariff 2` finds 1.0.3.8.2.255.

    Words may be shortened and have a slip of the pen. Where no name has them all, those with most of them are returned.
    Raises ConfigurationError for no words.
    """
    query = _Query(words[:LONGEST])
    best: dict[Obis, tuple[int, ...]] = {}
    for medium in media().values():
        for obis, rank in _candidates(medium, query):
            if rank > best.get(obis, ()):
                best[obis] = rank
    ranked = sorted(best, key=lambda obis: (tuple(-part for part in best[obis]), obis))
    most = best[ranked[0]][0] if ranked else 0
    found: dict[tuple[int, str], Found] = {}
    for obis in ranked:
        if len(found) == limit or not 0 < best[obis][0] == most:
            break
        entry = lookup(obis)
        found.setdefault((obis.a, entry.name), Found(obis, entry))
    return tuple(found.values())


_WORD: Final = re.compile(r"[^\W\d_]+[0-9]*|[0-9]+|[+-](?:a\b)?")
_TARIFF: Final = re.compile(r"\b(?:t|rate|tariff)([0-9]+)\b")
_CHANNEL: Final = re.compile(r"\bchannel\s+([0-9]{1,3})")
_WITHOUT_WEIGHT: Final = frozenset(
    ["a", "an", "and", "at", "by", "for", "from", "in", "of", "or", "the", "to", "while"]
)
_SHORTEST_PREFIX: Final = 3
_SLIPS: Final = ((8, 2), (4, 1))
"""How many letters may differ from which length of a word on."""
_FAVOURED: Final = frozenset({0, 1})
"""Media whose codes go first when the words name no medium."""
_UNNAMED_MEDIUM: Final = 2
_PREFERRED_PROCESSINGS: Final[Mapping[int, int]] = {8: 2, 7: 1, 0: 1}


@dataclass(frozen=True, slots=True)
class _Part:
    """Which words of the query a part of a name has, exactly or nearly, as bits, and how many words it has besides."""

    exact: int
    near: int
    others: int


_NO_PART: Final = _Part(0, 0, 0)


class _Query:
    """The words that somebody looks for, and what parts of names have of them."""

    def __init__(self, text: str) -> None:
        lowered = _TARIFF.sub(r"tariff \1", text.lower())
        channel = _CHANNEL.search(lowered)
        self.channel = 0
        if channel is not None and int(channel[1]) <= LAST_CHANNEL:
            self.channel = int(channel[1])
            lowered = lowered.replace(channel[0], " ")
        self.words = tuple(word for word in _WORD.findall(lowered) if word not in _WITHOUT_WEIGHT)
        if not self.words and not self.channel:
            raise ConfigurationError("there is nothing to look for: write words such as reactive import tariff 2")
        synonyms: Mapping[str, list[str]] = {word.lower(): meant for word, meant in shared()["words"].items()}
        self._meant = tuple({each.lower() for each in synonyms.get(word, ())} | {word} for word in self.words)
        self._fits: dict[str, tuple[int, int]] = {}
        self._parts: dict[str, _Part] = {}

    def part(self, words: str) -> _Part:
        """Return what a part of a name has of the words; slots for numbers do not count."""
        found = self._parts.get(words)
        if found is None:
            found = self._parts[words] = self._compared(words)
        return found

    def number(self, words: str, values: tuple[int, ...], shift: int) -> tuple[int, int] | None:
        """Return the value that a number of the query gives to a slot, and the bit of that number; None for none.

        A number that follows one of the words of the part goes first: the 2 of `tariff 2 billing period 3` is a tariff.
        """
        part = self.part(words)
        fitting = [
            (not bool((part.exact | part.near) >> at - 1 & 1 if at else 0), at)
            for at, word in enumerate(self.words)
            if word.isdecimal() and len(word) <= 3 and int(word) - shift in values
        ]
        if not fitting:
            return None
        _, at = min(fitting)
        return int(self.words[at]) - shift, 1 << at

    def _compared(self, words: str) -> _Part:
        exact = near = others = 0
        for word in _WORD.findall(re.sub(r"\{[^}]*\}", " ", words.lower())):
            if word in _WITHOUT_WEIGHT:
                continue
            same, like = self._fit(word)
            exact |= same
            near |= like
            others += not (same or like)
        return _Part(exact, near & ~exact, others)

    def _fit(self, word: str) -> tuple[int, int]:
        """The words of the query that a word of a name is, and those that it is nearly."""
        found = self._fits.get(word)
        if found is None:
            same = sum(1 << at for at, meant in enumerate(self._meant) if word in meant)
            like = sum(1 << at for at, wanted in enumerate(self.words) if _nearly(wanted, word))
            found = self._fits[word] = same, like & ~same
        return found


def _candidates(medium: Medium, query: _Query) -> Iterator[tuple[Obis, tuple[int, ...]]]:
    """Codes of a medium that have any of the words, and how well they fit: the greater the better."""
    named = query.part(medium.name)
    away = 0 if named.exact or medium.number in _FAVOURED else _UNNAMED_MEDIUM
    context = _Part(named.exact, named.near, away)
    for named_object in object_rules(medium):
        yield from _object(named_object, context, query)
    for rule in measured_rules(medium.number):
        yield from _measured(medium, rule, context, query)


def _object(rule: Named, context: _Part, query: _Query) -> Iterator[tuple[Obis, tuple[int, ...]]]:
    part = query.part(rule.name)
    if not part.exact | part.near:
        return
    octets = bytearray(rule.pattern.first.octets)
    exact, others = part.exact, part.others
    for group, shift in slots(rule.name):
        number = query.number(rule.name, numbers(rule.pattern.values(group.upper()).replace("*", "0-255")), shift)
        others += number is None
        if number is not None:
            octets["abcdef".index(group)] = number[0]
            exact |= number[1]
    if rule.pattern.admits("B", query.channel):
        octets[1] = query.channel
    if rule.periods:
        octets[5] = 255
    yield from _with_periods(octets, rule.periods, (context, _Part(exact, part.near, others)), query, 0)


def _measured(
    medium: Medium, rule: MeasuredRule, context: _Part, query: _Query
) -> Iterator[tuple[Obis, tuple[int, ...]]]:
    quantity = query.part(rule.measured)
    processing = query.part(rule.processed)
    row = query.part(rule.row.words) if rule.row.words else _NO_PART
    if not (quantity.exact | quantity.near | row.exact | row.near):
        return
    e = rule.values[0]
    for _, shift in slots(rule.row.words):
        number = query.number(rule.row.words, rule.values, shift)
        if number is None:
            row = _Part(row.exact, row.near, row.others + 1)
        else:
            e, bit = number
            row = _Part(row.exact | bit, row.near, row.others)
    octets = bytearray((medium.number, query.channel, rule.c, rule.d, e, 255))
    preference = _PREFERRED_PROCESSINGS.get(rule.d, 0)
    yield from _with_periods(octets, rule.processing.period, (context, quantity, processing, row), query, preference)


def _with_periods(
    octets: bytearray, periods: Mapping[int, Row], parts: tuple[_Part, ...], query: _Query, preference: int
) -> Iterator[tuple[Obis, tuple[int, ...]]]:
    """The code itself, where F need not be given, and those of the billing periods that the query speaks of."""
    if octets[5] in periods or not periods:
        yield Obis(bytes(octets)), _rank(parts, preference)
    for row in dict.fromkeys(periods.values()):
        part = query.part(row.words)
        if part.exact or octets[5] not in periods:
            values = numbers(row.values)
            f = values[0]
            bits, others = part.exact, part.others
            for _, shift in slots(row.words):
                number = query.number(row.words, values, shift)
                others += number is None
                if number is not None:
                    f, bit = number
                    bits |= bit
            code = Obis(bytes((*octets[:5], f)))
            yield code, _rank((*parts, _Part(bits, part.near, others)), preference)


def _rank(parts: tuple[_Part, ...], preference: int) -> tuple[int, ...]:
    exact = near = others = 0
    for part in parts:
        exact |= part.exact
        near |= part.near
        others += part.others
    return (exact | near).bit_count(), exact.bit_count(), -others, preference


def _nearly(wanted: str, word: str) -> bool:
    """Tell whether a word was meant: it begins so, or differs by as many letters as its length allows."""
    if wanted.isdecimal() or word.isdecimal():
        return False
    if len(wanted) >= _SHORTEST_PREFIX and word.startswith(wanted):
        return True
    slips = next((slips for length, slips in _SLIPS if len(wanted) >= length), 0)
    return bool(slips) and abs(len(wanted) - len(word)) <= slips and _distance(wanted, word) <= slips


def _distance(one: str, other: str) -> int:
    """The letters to change, leave out, put in or exchange with their neighbour to make one word of another."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        current = [row]
        for column, against in enumerate(other, 1):
            change = last[column - 1] + (letter != against)
            steps = min(change, last[column] + 1, current[-1] + 1)
            if row > 1 and column > 1 and letter == other[column - 2] and one[row - 2] == against:
                steps = min(steps, before[column - 2] + 1)
            current.append(steps)
        before, last = last, current
    return last[-1]
