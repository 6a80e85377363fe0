"""Whether a head-end stored what the meters of a fleet measured and answered: value by value, by logical devices.

A value of a profile is held against what the meter captured at that time, a spot value against what the meter was
asked: it counts as often as it was answered, in any order, for the two clocks need not be the same. Values that nobody
stored of any meter were not wanted, and are not lost; neither are those that were captured a short time before the end
and never asked for. What nobody captured, as without power, cannot be lost: who stored it stored something wrong.
Of what is stored that the ledger cannot know, as rows that no profile held any more, values are counted, not judged.
The verdict on each logical device says what its meter does wrong.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, NamedTuple

from cosem.errors import CosemError
from cosem.fleet.ledger import DIGEST, REFUSED, Answer, Entry, Faulty, Ledger, Measured
from cosem.fleet.models import meter_of
from cosem.protocol.codec import axdr
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.obis import Obis
from cosem.readings import extract
from cosem.readings.reading import Reading

LATE: Final = timedelta(days=1)
"""How long after it was captured a value may be answered, unless told otherwise."""

MOST_FINDINGS: Final = 1000
"""Findings that are told one by one of each logical device; the rest are counted."""


class Kind(Enum):
    """What is wrong with a value."""

    LOST = "lost"
    WRONG = "wrong"
    DOUBLED = "doubled"
    LATE = "late"


class Finding(NamedTuple):
    """One value that is not as it should be: `stored` of a lost one and `true` of an unknown one are None."""

    kind: Kind
    reference: str
    profile: str
    time: datetime | None
    stored: int | str | None
    true: int | str | None


@dataclass(slots=True)
class Verdict:
    """How what is stored of one logical device compares: how many values are right, and what is wrong with others.

    `name` is its own, `faults` what its meter does wrong, in the words of `cosem simulate --fault`, empty where that
    behaves well. What profiles captured is judged from `since` to `until`, and what is stored from before or after is
    `not_judged`, as are spot values that the ledger has only digests of.
    """

    name: str
    faults: str = ""
    since: datetime | None = None
    until: datetime | None = None
    right: int = 0
    not_judged: int = 0
    counts: Counter[Kind] = field(default_factory=Counter[Kind])
    findings: list[Finding] = field(default_factory=list[Finding])

    def find(self, finding: Finding) -> None:
        """Count one value that is not as it should be."""
        self.counts[finding.kind] += 1
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)

    @property
    def meter(self) -> str:
        """The name of the meter that it is of."""
        return meter_of(self.name)

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.counts


def compare(
    ledger: Ledger,
    stored: Callable[[str], Sequence[Reading]],
    names: Iterable[str],
    signals: Iterable[tuple[Obis | None, CaptureObject]],
    *,
    late: timedelta = LATE,
) -> Iterator[Verdict]:
    """Give a verdict on each logical device that is in the ledger or among `names`, those of which something is stored.

    Args:
        stored: the readings of a logical device by its name.
        signals: profile, None for spot values, and column of all that is stored of anybody.
        late: how long after it was captured a value of a profile may be answered.
    """
    wanted = {_signal(profile, column) for profile, column in signals}
    for name in sorted({*ledger.meters(), *names}):
        yield verdict(name, ledger.of(name), stored(name), wanted, late=late)


_Signal = tuple[str, str]


def _signal(profile: Obis | None, column: CaptureObject) -> _Signal:
    return str(profile or ""), str(column)


def verdict(
    name: str, entries: Iterable[Entry], stored: Sequence[Reading], wanted: set[_Signal], *, late: timedelta = LATE
) -> Verdict:
    """Return how readings of a logical device compare with the entries of a ledger.

    `wanted` are profile and reference.
    """
    entries = list(entries)
    found = Verdict(name, next((each.faults for each in entries if isinstance(each, Faulty)), ""))
    answered = [each for each in entries if isinstance(each, Answer)]
    captured = [each for each in entries if isinstance(each, Measured)]
    _captured(
        found, captured, [each for each in stored if each.profile is not None], wanted, _Delivered(answered), late
    )
    _spot(found, answered, [each for each in stored if each.profile is None], wanted)
    return found


class _Delivered:
    """When each row of a profile was answered first."""

    def __init__(self, answered: Iterable[Answer]) -> None:
        self._spans: defaultdict[str, list[tuple[datetime, datetime, datetime]]] = defaultdict(list)
        for each in sorted(answered, key=lambda answer: answer.time):
            if each.first is not None and each.last is not None:
                self._spans[each.reference].append((each.first, each.last, each.time))

    def when(self, profile: str, captured: datetime) -> datetime | None:
        spans = self._spans.get(f"7/{profile}/2", ())
        return next((time for first, last, time in spans if first <= captured <= last), None)


def _captured(
    found: Verdict,
    captured: list[Measured],
    stored: list[Reading],
    wanted: set[_Signal],
    delivered: _Delivered,
    late: timedelta,
) -> None:
    truth = {(each.profile, each.reference, each.time): each.raw for each in captured}
    begin = found.since = min((each.time for each in captured), default=None)
    begins: dict[str, datetime] = {}  # one profile holds fewer days than another
    for row in captured:
        begins[row.profile] = min(row.time, begins.get(row.profile, row.time))
    end = found.until = max((each.time for each in captured), default=None)
    seen: set[tuple[str, str, datetime]] = set()
    for each in stored:
        profile, reference = _signal(each.profile, each.column)
        if begin is None or end is None or not begins.get(profile, begin) <= each.time <= end:
            found.not_judged += 1  # the ledger does not go that far
            continue
        key = profile, reference, each.time
        true = truth.get(key)
        if key in seen:
            found.find(Finding(Kind.DOUBLED, reference, profile, each.time, each.raw, true))
        elif true is None or str(true) != str(each.raw):
            found.find(Finding(Kind.WRONG, reference, profile, each.time, each.raw, true))
        else:
            found.right += 1
            answered = delivered.when(profile, each.time)
            if answered is not None and answered - each.time > late:
                found.find(Finding(Kind.LATE, reference, profile, each.time, each.raw, true))
        seen.add(key)
    for key, raw in truth.items():
        if key in seen or key[:2] not in wanted or end is None:
            continue
        if end - key[2] >= late or delivered.when(key[0], key[2]) is not None:  # there was time, or it was answered
            found.find(Finding(Kind.LOST, key[1], key[0], key[2], None, raw))


def _spot(found: Verdict, answered: list[Answer], stored: list[Reading], wanted: set[_Signal]) -> None:
    said: defaultdict[str, Counter[str]] = defaultdict(Counter)
    unreadable: set[str] = set()
    for answer in answered:
        if answer.value.startswith(DIGEST):
            unreadable.add(answer.reference)
        elif not answer.value.startswith(REFUSED):
            for reading in _readings(answer):
                said[reading.reference][str(reading.raw)] += 1
    kept: defaultdict[str, Counter[str]] = defaultdict(Counter)
    seen: set[tuple[str, datetime]] = set()
    for each in stored:
        reference, raw = each.reference, str(each.raw)
        if reference in unreadable:
            found.not_judged += 1
            continue
        kept[reference][raw] += 1
        if (reference, each.time) in seen or 0 < said[reference][raw] < kept[reference][raw]:
            found.find(Finding(Kind.DOUBLED, reference, "", each.time, each.raw, each.raw))
        elif not said[reference][raw]:
            true = next(iter(said[reference]), None) if len(said[reference]) == 1 else None
            found.find(Finding(Kind.WRONG, reference, "", each.time, each.raw, true))
        else:
            found.right += 1
        seen.add((reference, each.time))
    for reference, values in said.items():
        if ("", reference) in wanted:
            lost = values.total() - kept[reference].total()
            for raw in (values - kept[reference]).elements():
                if lost <= 0:
                    break  # as many are stored, though with another value, which was told
                lost -= 1
                found.find(Finding(Kind.LOST, reference, "", None, None, raw))


def _readings(answer: Answer) -> list[Reading]:
    """Return what a head-end makes of an answer."""
    class_id, instance, attribute = answer.reference.split("/")
    column = CaptureObject(int(class_id), Obis(instance), int(attribute), 0)
    try:
        value, _ = axdr.decode(bytes.fromhex(answer.value))
    except (ValueError, CosemError):
        return []
    return extract.spot(answer.meter, column, value, answer.time)
