"""A fleet described in TOML: who is in it, where they are, when it is, what happens, and where they push.

    [fleet]
    seed = 7                            # other seeds give other measurements
    listen = "tcp://127.1.0.0:4059"     # where meters are that have no place of their own, each at the next address
    secret = "env:FLEET_SECRET"         # what all keys are derived from: file:PATH or env:NAME, 32 octets or more

    [time]
    start = 2026-03-28T22:00:00+01:00   # left out: now
    speed = 60                          # virtual seconds in a real one
    zone = "Europe/Berlin"

    [[meters]]                          # meters count on from one group to the next
    count = 1000
    kind = "household"                  # or shop, heat_pump, pv, gas, water, heat; or shares of several:
    # kind = { household = 0.9, pv = 0.1 }
    seed = 1                            # left out: that of the fleet
    companion = "smr-5.0"               # a companion specification whose objects they have, or a file of one; or
    # description = "meter.toml"        # what they are like, in place of kind and companion: a described meter,
    # snapshot = "meter.json"           # or one of which there is a snapshot (see `cosem.fleet.models`)
    faults = { share = 0.03, loss = 0.1 }   # what some of them do wrong, see `cosem.fleet.misbehaving`
    security = "gmac"                   # or none, which is usual where there are no keys
    place = "address"                   # or port, gateway, multidrop
    listen = "tcp://127.2.0.0:4059"     # where the first of them is
    behind = 100                        # how many share an address, behind a gateway or on a line

    [limits]                            # what is taken from outside at most, see `cosem.fleet.limits`
    connections = 20000
    connections_per_meter = 4
    ready = 4096                        # meters that nobody visits are held ready
    connection = { half_open = 2 }      # of each; and tables gateway, timing, lockout and association (sizes)

    [push]
    to = "tcp://127.0.0.1:4061"         # see `cosem.fleet.pushing`

    [[outage]]                          # and the other tables of a scenario, see `cosem.fleet.scenario`
    at = 2026-03-29T02:30:00+02:00
    length = 1800

Everything but [[meters]] may be left out; `docs/fleet.md` has every key, with what it is when left out. All that is
wrong is told at once, with table and key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, cast

from cosem.errors import ConfigurationError
from cosem.fleet.kinds import KINDS, Kinds
from cosem.fleet.limits import FleetLimits
from cosem.fleet.misbehaving import read as read_misbehaving
from cosem.fleet.misfits import misfits
from cosem.fleet.models import MOST_METERS, Cloned, Described, Model
from cosem.fleet.places import Place, Way, check_apart
from cosem.fleet.population import Group, PopulationLimits
from cosem.fleet.push_setup import PushSettings
from cosem.fleet.push_setup import read as read_push
from cosem.fleet.scenario import Scenario, time_of
from cosem.fleet.scenario import read as read_scenario
from cosem.fleet.scripted import refusals
from cosem.io.text_file import text_of
from cosem.meter.describe.meter import companion_from, zone_of
from cosem.meter.limits import inner, limits_from
from cosem.protocol.model.gathered import Gathered
from cosem.protocol.model.table import Table, tables_of
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.timing import ServerTiming

USUAL_PLACE: Final = "tcp://127.1.0.0:4059"
FASTEST: Final = 1e6
_PUSH: Final = "push"
SECURITIES: Final[Mapping[str, bool]] = MappingProxyType({"gmac": True, "none": False})
"""Whether a group has keys, by the word for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetFile:
    """What a file says of a fleet; `secret` names where the keys come from."""

    groups: tuple[Group, ...]
    places: tuple[Place, ...]
    seed: int = 0
    secret: str | None = None
    start: datetime | None = None
    speed: float = 1.0
    zone: tzinfo = UTC
    scenario: Scenario = field(default_factory=Scenario)
    push: PushSettings | None = None
    limits: FleetLimits = field(default_factory=FleetLimits)
    timing: ServerTiming | None = None
    population: PopulationLimits = field(default_factory=PopulationLimits)

    @property
    def count(self) -> int:
        """How many meters there are."""
        return sum(group.count for group in self.groups)


def load(path: Path) -> FleetFile:
    """Return what a file says. Raises ConfigurationError that says all that is wrong with it."""
    return parse(text_of(path), str(path), path.parent)


def parse(text: str, source: str = "fleet", folder: Path = Path()) -> FleetFile:
    """Return what a text says; `source` names it in errors, companions are in `folder` (see `load`)."""
    whole, gathered = Table(source, "", tables_of(text, source)), Gathered()
    found: dict[str, Any] = {}
    for key, read in (("fleet", _fleet), ("time", _time), ("limits", _limits), ("push", _push)):
        if key in whole:
            table = gathered.take(partial(whole.table, key))
            if table is not None:
                found |= read(table, gathered)
    usual = found.pop("listen", ConnectionUrl.parse(USUAL_PLACE))
    found["scenario"] = read_scenario(whole, gathered)
    lasting = found.get("secret") is not None
    found["groups"], found["places"] = _meters(whole, gathered, usual, folder, lasting)
    _check_scripted(whole, gathered, found["groups"], found["scenario"], pushing=found.get("push") is not None)
    gathered.finish(whole)
    gathered.check()
    return FleetFile(**found)


def _fleet(table: Table, gathered: Gathered) -> dict[str, Any]:
    found: dict[str, Any] = {"seed": gathered.take(lambda: table.integer("seed", 0), 0)}
    if "listen" in table:
        listen = gathered.take(lambda: table.converted("listen", _usual))
        if listen is not None:
            found["listen"] = listen
    found["secret"] = gathered.take(lambda: table.optional("secret", str))
    gathered.finish(table)
    return found


def _usual(text: str) -> ConnectionUrl:
    """Return the URL where meters are that have no place of their own: one meter at least can be there."""
    return Place(range(1), ConnectionUrl.parse(text)).url


def _time(table: Table, gathered: Gathered) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "start" in table:
        found["start"] = gathered.take(lambda: table.given("start", time_of))
    speed = gathered.take(lambda: table.number("speed", 1.0), 1.0)
    if not 0 <= speed <= FASTEST:
        gathered.add(table.refusal("speed", f"expected 0 to {FASTEST:.0f} virtual seconds in a real one"))
    found["speed"] = speed
    found["zone"] = gathered.take(lambda: table.optional("zone", zone_of)) or UTC
    gathered.finish(table)
    return found


def _limits(table: Table, gathered: Gathered) -> dict[str, Any]:
    usual, meters = FleetLimits(), PopulationLimits()
    found: dict[str, Any] = {
        "limits": replace(
            gathered.take(partial(limits_from, table, usual), usual),
            connection=gathered.take(partial(inner, table, "connection", usual.connection), usual.connection),
            gateway=gathered.take(partial(inner, table, "gateway", usual.gateway), usual.gateway),
        ),
        "population": replace(
            gathered.take(partial(limits_from, table, meters), meters),
            lockout=gathered.take(partial(inner, table, "lockout", meters.lockout), meters.lockout),
            association=gathered.take(partial(inner, table, "association", meters.association), meters.association),
        ),
    }
    if "timing" in table:
        found["timing"] = gathered.take(partial(inner, table, "timing", ServerTiming()), ServerTiming())
    gathered.finish(table)
    return found


def _push(table: Table, gathered: Gathered) -> dict[str, Any]:
    return {"push": gathered.made(table, read_push)}


def _meters(
    whole: Table, gathered: Gathered, usual: ConnectionUrl, folder: Path, lasting: bool
) -> tuple[tuple[Group, ...], tuple[Place, ...]]:
    """Return the groups, and their places; groups without one of their own share the usual place.

    `lasting` is whether the keys of the fleet outlive it.
    """
    groups: list[Group] = []
    places: list[Place] = []
    start = 0
    tables: list[Table] = gathered.take(partial(whole.tables, "meters"), [])
    for table in tables:
        found = gathered.made(table, lambda table, gathered: _group(table, gathered, folder))
        group, wrong = found or (None, ())
        numbers = range(start, start + (group.count if group is not None else 1))
        place = gathered.take(partial(_place, table, gathered, numbers, usual))
        gathered.finish(table)
        if group is not None and place is not None:
            start = numbers.stop
            groups.append(group)
            places.append(place)
            for kind, kinds_table in zip(group.misbehaving.kinds, wrong, strict=True):
                for key, why in misfits(kind.faults, group, place, keyed=group.secured, lasting=lasting):
                    gathered.add(kinds_table.refusal(key, why))
    if not groups and not gathered.faults:
        gathered.add(whole.refusal("meters", "a fleet has a group of meters, as in [[meters]] count = 100"))
    if start > MOST_METERS:
        gathered.add(whole.refusal("meters", f"a fleet has {MOST_METERS} meters at most, not {start}"))
    gathered.take(lambda: whole.guarded(lambda: check_apart(places), "meters"))
    return tuple(groups), tuple(places)


def _check_scripted(
    whole: Table, gathered: Gathered, groups: tuple[Group, ...], scenario: Scenario, *, pushing: bool
) -> None:
    """Refuse what a scenario or pushing has for meters that have objects of their own, and cannot be done there."""
    count, start = sum(group.count for group in groups), 0
    for group in groups:
        numbers = range(start, start + group.count)
        start = numbers.stop
        lacks = group.lacks
        refused = [*refusals(lacks, numbers, scenario, count)]
        if pushing and _PUSH in lacks:
            refused.append((_PUSH, lacks[_PUSH]))
        for table, why in refused:
            gathered.add(whole.refusal(table, f"meters {numbers.start} to {numbers.stop - 1}: {why}"))


def _group(table: Table, gathered: Gathered, folder: Path) -> tuple[Group, tuple[Table, ...]]:
    """Return a group, and the tables of what its meters do wrong."""
    count = gathered.take(lambda: table.integer("count"), 1)
    if count < 1:
        gathered.add(table.refusal("count", f"expected 1 or more, not {count}"))
    if count > MOST_METERS:
        gathered.add(table.refusal("count", f"a fleet has {MOST_METERS} meters at most, not {count}"))
    kinds = gathered.take(lambda: table.given("kind", _kinds), Kinds()) if "kind" in table else Kinds()
    seed = gathered.take(lambda: table.optional_integer("seed"))
    secured = gathered.take(lambda: table.converted("security", _security, True), True)
    companion = gathered.take(lambda: companion_from(table, folder))
    model = gathered.take(partial(_model, table, folder))
    misbehaving, wrong = read_misbehaving(table, gathered)
    gathered.unless_faulty()
    group = Group(
        count=count,
        kinds=kinds,
        seed=seed,
        secured=secured,
        companion=companion,
        model=model,
        misbehaving=misbehaving,
    )
    return group, wrong


def _model(table: Table, folder: Path) -> Model | None:
    """Return what the meters of a group are like: as a description or a snapshot in `folder` has it."""
    named = {key: table.text(key) for key in _MODELS if key in table}
    key = next(iter(named), None)
    if key is None:
        return None
    for other in ("kind", "companion", *_MODELS):
        if other != key and other in table:
            raise table.refusal(key, f"it says what these meters are, and so does {other}: leave one of them out")
    if key == "snapshot" and "seed" in table:
        raise table.refusal("seed", "what a snapshot shows stands still, and follows from no seed: leave it out")
    return table.guarded(lambda: _MODELS[key](folder / named[key]), key)


_MODELS: Final[Mapping[str, Callable[[Path], Model]]] = MappingProxyType({"description": Described, "snapshot": Cloned})
"""What reads the file that says what meters are like, by its key."""


def _place(table: Table, gathered: Gathered, numbers: range, usual: ConnectionUrl) -> Place:
    """Return where a group is: without a URL of its own at the usual place, as far on as its numbers are."""
    way = gathered.take(lambda: table.converted("place", _way, Way.ADDRESS), Way.ADDRESS)
    own = gathered.take(lambda: table.optional("listen", ConnectionUrl.parse))
    behind = gathered.take(lambda: table.integer("behind", 1), 1)
    beyond = gathered.take(lambda: table.boolean("beyond_loopback", False), False)
    if own is None and way is not Way.ADDRESS and "listen" not in table:
        raise table.refusal("listen", f"this key is missing: meters with place = {way.value!r} have one of their own")
    url = own
    if url is None:
        here = Place(range(numbers.stop), usual)
        url = table.guarded(lambda: replace(usual, host=here.addresses.address(numbers.start)), "count")
    return table.guarded(lambda: Place(numbers, url, way, behind, beyond), "place")


def _kinds(given: object) -> Kinds:
    if isinstance(given, str):
        return Kinds({given: 1.0})
    shares = cast("dict[str, Any]", given if isinstance(given, dict) else {})
    if not shares or any(isinstance(share, bool) or not isinstance(share, int | float) for share in shares.values()):
        raise ConfigurationError(
            f"expected a kind, or shares such as {{ household = 0.9 }}; there is {', '.join(KINDS)}"
        )
    return Kinds(shares)


def _security(word: str) -> bool:
    if word not in SECURITIES:
        raise ConfigurationError(f"{word!r} is not known: write {' or '.join(SECURITIES)}")
    return SECURITIES[word]


def _way(word: str) -> Way:
    try:
        return Way(word)
    except ValueError:
        raise ConfigurationError(f"{word!r} is not known: write {' or '.join(way.value for way in Way)}") from None
