"""What happens to a fleet, as data: outages, firmware waves, changes of tariff, drifting clocks and tampering.

    regions = 4                         # which share the numbers of the meters evenly

    [[outage]]
    at = 2026-03-01T08:00:00+01:00
    length = 7200                       # seconds
    region = 2                          # left out, as in all tables: everybody
    last_gasp = 0.8                     # how many meters have the strength to say so
    storm = 300                         # seconds in which all come back and say so

    [[firmware]]
    at = 2026-03-02T01:00:00+01:00
    version = "1.1.0"                   # noted in event logs as 18, or by the code of a companion
    length = 3600                       # seconds in which one meter after the other is updated
    reboot = 30                         # seconds without power for each

    [[tariff]]
    at = 2026-04-01T00:00:00+02:00
    form = "single"                     # all counts in tariff 1; or swapped: 1 and 2 change places; or usual again

    [[drift]]
    at = 2026-03-01T00:00:00+01:00
    share = 0.01                        # of the meters
    ppm = 200                           # their clocks go wrong by as much at most, ahead or behind

    [[tamper]]
    at = 2026-03-03T00:00:00+01:00
    length = 86400                      # seconds in which it happens
    share = 0.001
    code = 40                           # what the event log says; that of a meter of a companion says it by its own

Everything follows from the seed: which meters gasp, and in which order all come back. In an outage a meter captures
nothing and its registers of electrical energy stand still (see `cosem.fleet.outages`); the restart after an update is
no outage, and what was due in it is made up for. A meter without power is updated when that is back; who is tampered
with in the dark notes it, and says nothing.

A firmware wave and a change of tariff are what the image transfer and the activity calendar of a meter tell as well.
Where a client has activated an image or a calendar of its own, what that says holds from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, Final

from cosem.errors import ConfigurationError
from cosem.io.text_file import text_of
from cosem.protocol.model.gathered import Gathered
from cosem.protocol.model.table import Table, tables_of

MOST_PPM: Final = 100_000
"""A clock that goes wrong by more would run past the others within a day."""

LONGEST_VERSION: Final = 64

FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 2999
LONGEST_SPAN: Final = timedelta(days=36_525)
"""Times and spans of a fleet end long before the calendar does, which rows and outages would run out of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that begins at `at` in one region, or everywhere; see this module for what the fields say."""

    at: datetime
    region: int | None = None

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ConfigurationError("at: it begins at a time with its offset, such as 2026-03-01T08:00:00+01:00")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage(Happening):
    """The power of a region goes for `length`."""

    length: timedelta
    last_gasp: float = 0.0
    storm: timedelta = timedelta()

    def __post_init__(self) -> None:
        Happening.__post_init__(self)
        if self.length <= timedelta() or self.storm < timedelta():
            raise ConfigurationError("an outage has a length above 0, and a storm of 0 seconds or more")
        _check_share("last_gasp", self.last_gasp)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareWave(Happening):
    """One meter after the other gets another firmware, in chance order, and restarts."""

    version: str
    length: timedelta = timedelta()
    reboot: timedelta = timedelta(seconds=30)

    def __post_init__(self) -> None:
        Happening.__post_init__(self)
        if not 0 < len(self.version) <= LONGEST_VERSION or not self.version.isascii() or not self.version.isprintable():
            raise ConfigurationError(f"version: expected 1 to {LONGEST_VERSION} printable ASCII characters")
        if self.length < timedelta() or self.reboot <= timedelta():
            raise ConfigurationError("a firmware wave has a length of 0 or more, and a reboot above 0 seconds")


class TariffForm(Enum):
    """How energy is counted in tariffs."""

    USUAL = "usual"
    SINGLE = "single"
    SWAPPED = "swapped"


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffChange(Happening):
    """From then on energy is counted in other tariffs; what was counted before stays."""

    form: TariffForm


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift(Happening):
    """The clocks of a share of the meters go wrong, each by its own rate up to `ppm`, ahead or behind."""

    ppm: float
    share: float = 1.0

    def __post_init__(self) -> None:
        Happening.__post_init__(self)
        if not 0 < self.ppm <= MOST_PPM:
            raise ConfigurationError(f"ppm: expected above 0 and up to {MOST_PPM}, not {self.ppm:g}")
        _check_share("share", self.share)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tamper(Happening):
    """Somebody opens the covers of a share of the meters, which note it and say so."""

    share: float
    length: timedelta = timedelta()
    code: int = 40

    def __post_init__(self) -> None:
        Happening.__post_init__(self)
        _check_share("share", self.share)
        if self.length < timedelta():
            raise ConfigurationError("tampering has a length of 0 or more")
        if not 0 <= self.code <= 0xFF:
            raise ConfigurationError(f"code: expected 0 to 255, not {self.code}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """All that happens; `regions` share the numbers of the meters evenly, in their order."""

    outages: tuple[Outage, ...] = ()
    firmware: tuple[FirmwareWave, ...] = ()
    tariffs: tuple[TariffChange, ...] = ()
    drifts: tuple[Drift, ...] = ()
    tampers: tuple[Tamper, ...] = ()
    regions: int = 1

    def __post_init__(self) -> None:
        if self.regions < 1:
            raise ConfigurationError(f"a fleet has 1 region or more, not {self.regions}")
        for each in (*self.outages, *self.firmware, *self.tariffs, *self.drifts, *self.tampers):
            if each.region is not None and not 0 <= each.region < self.regions:
                raise ConfigurationError(f"region {each.region}: there are the regions 0 to {self.regions - 1}")

    def numbers(self, region: int | None, count: int) -> range:
        """Return the meters of a region in a fleet of `count`."""
        if region is None:
            return range(count)
        return range(region * count // self.regions, (region + 1) * count // self.regions)

    @property
    def changes_meters(self) -> bool:
        """Whether anything changes that meters tell of, were it in their event logs alone."""
        return bool(self.outages or self.firmware or self.tariffs or self.drifts or self.tampers)


def _check_share(name: str, share: float) -> None:
    if not 0 <= share <= 1:
        raise ConfigurationError(f"{name} is a share from 0 to 1, not {share:g}")


def load(path: Path) -> Scenario:
    """Return the scenario of a TOML file. Raises ConfigurationError that says all that is wrong in it."""
    return parse(tables_of(text_of(path), str(path)), str(path))


def parse(said: Mapping[str, Any], source: str = "scenario") -> Scenario:
    """Return the scenario that tables of TOML describe. Raises ConfigurationError that says all that is wrong."""
    gathered = Gathered()
    whole = Table(source, "", dict(said))
    found = read(whole, gathered)
    gathered.finish(whole)
    gathered.check()
    return found


def read(whole: Table, gathered: Gathered) -> Scenario:
    """Return the scenario of a file that may say more; what is wrong is gathered, and what it is of left out."""
    regions = gathered.take(lambda: whole.integer("regions", 1), 1)
    found: dict[str, tuple[Any, ...]] = {}
    for key, (name, make) in _TABLES.items():
        tables: list[Table] = gathered.take(partial(whole.tables, key), [])
        made = [gathered.made(table, make) for table in tables]
        kept: list[Happening] = []
        for table, each in zip(tables, made, strict=True):
            if each is not None and each.region is not None and not 0 <= each.region < regions:
                gathered.add(table.refusal("region", f"there are the regions 0 to {regions - 1}, not {each.region}"))
            elif each is not None:
                kept.append(each)
        found[name] = tuple(kept)
    return gathered.take(lambda: whole.guarded(lambda: Scenario(regions=regions, **found), "regions"), Scenario())


def _outage(table: Table, gathered: Gathered) -> dict[str, Any]:
    return {
        "length": gathered.take(lambda: span_of(table, "length")),
        "last_gasp": gathered.take(lambda: table.number("last_gasp", 0.0)),
        "storm": gathered.take(lambda: span_of(table, "storm", 0.0)),
    }


def _firmware(table: Table, gathered: Gathered) -> dict[str, Any]:
    return {
        "version": gathered.take(lambda: table.text("version")),
        "length": gathered.take(lambda: span_of(table, "length", 0.0)),
        "reboot": gathered.take(lambda: span_of(table, "reboot", 30.0)),
    }


def _tariff(table: Table, gathered: Gathered) -> dict[str, Any]:
    return {"form": gathered.take(lambda: table.converted("form", _form))}


def _drift(table: Table, gathered: Gathered) -> dict[str, Any]:
    return {
        "ppm": gathered.take(lambda: table.number("ppm")),
        "share": gathered.take(lambda: table.number("share", 1.0)),
    }


def _tamper(table: Table, gathered: Gathered) -> dict[str, Any]:
    return {
        "share": gathered.take(lambda: table.number("share")),
        "length": gathered.take(lambda: span_of(table, "length", 0.0)),
        "code": gathered.take(lambda: table.integer("code", 40)),
    }


def _happening(
    kind: type[Happening], read_rest: Callable[[Table, Gathered], dict[str, Any]]
) -> Callable[[Table, Gathered], Any]:
    def make(table: Table, gathered: Gathered) -> Happening:
        at = gathered.take(lambda: table.given("at", time_of), _SOME_TIME)
        region = gathered.take(lambda: table.optional_integer("region"))
        rest = read_rest(table, gathered)
        gathered.finish(table)
        gathered.unless_faulty()
        return table.guarded(lambda: kind(at=at, region=region, **rest))

    return make


_SOME_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Stands for a time that is wrong, of which nothing is made."""

_TABLES: Final[Mapping[str, tuple[str, Callable[[Table, Gathered], Any]]]] = {
    "outage": ("outages", _happening(Outage, _outage)),
    "firmware": ("firmware", _happening(FirmwareWave, _firmware)),
    "tariff": ("tariffs", _happening(TariffChange, _tariff)),
    "drift": ("drifts", _happening(Drift, _drift)),
    "tamper": ("tampers", _happening(Tamper, _tamper)),
}
"""The tables of a scenario: which field of `Scenario` each fills, and how it is read."""


def time_of(given: object) -> datetime:
    """Return a time of TOML that knows its offset."""
    if not isinstance(given, datetime):
        raise ConfigurationError("expected a time such as 2026-03-01T08:00:00+01:00")
    if given.tzinfo is None:
        raise ConfigurationError("expected a time with its offset, such as 2026-03-01T08:00:00+01:00")
    if not FIRST_YEAR <= given.year <= LAST_YEAR:
        raise ConfigurationError(f"expected a time in the years {FIRST_YEAR} to {LAST_YEAR}, not in {given.year}")
    return given


def _form(word: str) -> TariffForm:
    try:
        return TariffForm(word)
    except ValueError:
        raise ConfigurationError(f"{word!r}: write {' or '.join(form.value for form in TariffForm)}") from None


def span_of(table: Table, key: str, default: float | None = None) -> timedelta:
    """Return a number of seconds of a table as a time span."""
    seconds = table.number(key) if default is None else table.number(key, default)
    if not abs(seconds) <= LONGEST_SPAN.total_seconds():
        raise table.refusal(key, f"{seconds:g} seconds are no span of time of a fleet: that is 100 years at most")
    return timedelta(seconds=seconds)
