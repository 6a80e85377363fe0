"""The verb `fleet compare`: whether a readings store has what the meters of a fleet said."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cosem.cli.failure import SOME_FAILED, Ended
from cosem.cli.options import Json
from cosem.cli.progress import working
from cosem.cli.report import put_json, put_table, say
from cosem.fleet.compare import LATE, Finding, Kind, Verdict, compare
from cosem.fleet.ledger import open_ledger
from cosem.fleet.models import meter_of
from cosem.store.readings import ReadingStore

LONGEST_LATE: Final = timedelta(days=36_525).total_seconds()
"""Seconds: a hundred years, as lengths of time of a fleet."""


def compare_with(
    ledger: Annotated[
        Path,
        typer.Argument(
            metavar="LEDGER", help="What the fleet wrote with --ledger, once it has ended.", show_default=False
        ),
    ],
    store: Annotated[
        Path,
        typer.Argument(metavar="STORE", help="What cosem collect wrote: a readings store.", show_default=False),
    ],
    late: Annotated[
        float,
        typer.Option(
            min=0, max=LONGEST_LATE, help="Seconds after its capture within which a value must have been answered."
        ),
    ] = LATE.total_seconds(),
    json: Json = False,
) -> None:
    """Tell for each logical device of each meter which values of a store were lost, are wrong, doubled or came late.

    What meters captured counts from their profiles, if the ledger has it; what was read at one time counts as often as
    it was answered. What the ledger cannot know is counted, and not judged: so are values from before it began, and
    rows that no profile held any more at the end where they are stored, not computed. Exit code 1 when anything is not
    as it should be.

    \b
    Examples:
      cosem fleet compare day.sqlite readings.sqlite
      cosem fleet compare day.jsonl readings.sqlite --late 3600 --json
    """
    right, not_judged, counts, devices = 0, 0, Counter[Kind](), 0
    spans: list[tuple[datetime, datetime]] = []
    wrong, misbehaving, meters = list[Verdict](), dict[str, str](), set[str]()
    with (
        open_ledger(ledger) as truth,
        ReadingStore(store, writable=False) as readings,
        working("comparing value by value", quiet=json),
    ):
        for each in compare(
            *(truth, readings.rows, readings.meters(), readings.signals()), late=timedelta(seconds=late)
        ):
            devices += 1
            meters.add(each.meter)
            right += each.right
            not_judged += each.not_judged
            if each.since is not None and each.until is not None:
                spans.append((each.since, each.until))
            counts += each.counts
            if each.faults:
                misbehaving[each.name] = each.faults
            if not each.clean:
                wrong.append(each)
    since, until = min((each for each, _ in spans), default=None), max((each for _, each in spans), default=None)
    if json:
        put_json(
            {
                "meters": len(meters),
                "logical_devices": devices,
                "right": right,
                **{kind.value: counts[kind] for kind in Kind},
                "not_judged": not_judged,
                "judged_since": None if since is None else since.isoformat(),
                "judged_until": None if until is None else until.isoformat(),
                "misbehaving": misbehaving,
                "findings": [_plain(each, finding) for each in wrong for finding in each.findings],
            }
        )
    elif wrong:
        put_table(
            ("logical device", "right", *(kind.value for kind in Kind), "does wrong", "first of them"),
            [
                (
                    each.name,
                    str(each.right),
                    *(str(each.counts[kind]) for kind in Kind),
                    each.faults,
                    _text(each.findings[0]),
                )
                for each in wrong
            ],
        )
    told = ", ".join(f"{counts[kind]} {kind.value}" for kind in Kind)
    several = f" with {devices} logical devices" if devices > len(meters) else ""
    say(f"{len(meters)} meters{several} compared: {right} values right, {told}")
    if not_judged:
        span = f"from {since} to {until}" if since is not None else "nothing"
        say(f"notice: {not_judged} values are not judged, for of what profiles captured the ledger has {span}")
    if misbehaving:
        faulty, unlike = {meter_of(name) for name in misbehaving}, {each.meter for each in wrong}
        among = f"{len(faulty & unlike)} of the {len(unlike)}"
        say(f"{len(faulty)} meters misbehave, {among} of whom something is not as it should be")
    if wrong:
        raise Ended(SOME_FAILED)


def _plain(verdict: Verdict, finding: Finding) -> dict[str, Any]:
    return {
        "meter": verdict.meter,
        "logical_device": verdict.name,
        "finding": finding.kind.value,
        "profile": finding.profile or None,
        "reference": finding.reference,
        "time": None if finding.time is None else finding.time.isoformat(),
        "stored": finding.stored,
        "true": finding.true,
    }


def _text(finding: Finding) -> str:
    of = f" of {finding.profile}" if finding.profile else ""
    at = f" at {finding.time.isoformat()}" if finding.time is not None else ""
    said = "" if finding.true is None else f", true is {finding.true}"
    has = "" if finding.stored is None else f": stored is {finding.stored}"
    return f"{finding.kind.value} {finding.reference}{of}{at}{has}{said}"
