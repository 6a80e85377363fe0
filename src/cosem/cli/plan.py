"""What `cosem collect` is told in a TOML file: the store, the meters, how to enter them, and what to read."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from pathlib import Path
from typing import Any, Final, TypeGuard, cast
from zoneinfo import ZoneInfo

from cosem.cli.options import COUNTER_OBJECT, permitted
from cosem.client.access import Access, access
from cosem.client.collect import AT_ONCE, Target, WantedProfile
from cosem.client.resolve import check
from cosem.errors import ConfigurationError
from cosem.io import credentials
from cosem.io.bus import GAP
from cosem.io.text_file import text_of
from cosem.protocol.association.context import Naming
from cosem.protocol.model.classes.data_storage import ProfileGeneric
from cosem.protocol.model.reference import Reference, parse_reference
from cosem.protocol.model.table import Table, tables_of
from cosem.protocol.profile import profile_of
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.timing import Timing
from cosem.protocol.values.obis import Obis

FORM: Final = """
    store = "readings.sqlite"           # beside this file, unless the path is absolute
    at_once = 32                        # meters talked to at the same time
    gap_milliseconds = 50               # of silence before a turn, where several meters share a line

    [defaults]                          # for every meter that does not say otherwise
    security = "street"
    read = ["1.0.1.8.0.255", "1.0.2.8.0.255", "3/1.0.1.7.0.255/2"]
    profiles = [{ obis = "1.0.99.1.0.255", last = "1 day" }]
    zone = "Europe/Vilnius"             # only for clocks that do not say their offset from UTC
    timeout = 10

    [security.street]                   # secrets are named, not written: file:PATH or env:NAME
    auth = "gmac"                       # none, low, md5, sha1, gmac, sha256
    encryption_key = "file:keys/ek.hex"
    authentication_key = "env:STREET_AK"
    protection = "auth+enc"             # none, auth, enc, auth+enc
    invocation_counter = "read"         # or a number to begin at
    gbt_window = 16                     # propose general block transfer
    naming = "ln"                       # by logical names; or "sn", by short names

    [security.public]
    auth = "none"

    [[meter]]
    name = "Main Street 7"
    url = "tcp://192.0.2.7?client=1"

    [[meter]]
    name = "Main Street 9"
    url = "hdlc+tcp://192.0.2.9:4059?client=16&physical=17"
    security = "public"
    read = ["0.0.96.1.0.255"]
    profiles = []

A profile is read `last` back from the meter's clock the first time, and from the last stored row on after that.
"""
"""An example of the file with every key it can have."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A collection, ready to run."""

    store: Path
    at_once: int
    gap: float
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class _Defaults:
    security: str | None
    references: tuple[Reference, ...]
    profiles: tuple[WantedProfile, ...]
    zone: tzinfo | None
    timeout: int | None


def load(path: Path) -> Plan:
    """Return the plan in a TOML file. Raises ConfigurationError that names file, table and key; nothing was sent."""
    content = tables_of(text_of(path), str(path))
    whole = Table(str(path), "", content)
    store = path.parent / whole.text("store", "readings.sqlite")
    at_once = whole.integer("at_once", AT_ONCE)
    if at_once < 1:
        raise whole.refusal("at_once", "at least one meter at a time")
    gap = whole.integer("gap_milliseconds", round(GAP * 1000))
    if gap < 0:
        raise whole.refusal("gap_milliseconds", "from 0 on")
    security = _securities(whole, content, path.parent)
    defaults = _defaults(whole)
    tables = whole.tables("meter")
    whole.finish()
    if not tables:
        raise whole.refusal("", 'there is no meter: write [[meter]] with name = "…" and url = "…"')
    targets = tuple(_target(table, defaults, security) for table in tables)
    names = [target.name for target in targets]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise whole.refusal("meter", f"there are two meters named {twice!r}")
    return Plan(store, at_once, gap / 1000, targets)


def _defaults(whole: Table) -> _Defaults:
    if "defaults" not in whole:
        return _Defaults(None, (), (), None, None)
    table = whole.table("defaults")
    found = _Defaults(
        table.optional("security", str),
        _references(table, ()),
        _profiles(table, ()),
        table.optional("zone", _zone),
        table.optional_integer("timeout"),
    )
    table.finish()
    return found


def _target(table: Table, defaults: _Defaults, security: dict[str, Access]) -> Target:
    name = table.text("name")
    table.name(name)
    url = table.converted("url", ConnectionUrl.parse)
    word = table.text("security", defaults.security or "")
    if word and word not in security:
        raise table.refusal("security", f"there is no [security.{word}]; there is {', '.join(security) or 'none'}")
    timeout = table.optional_integer("timeout")
    target = Target(
        name=name,
        url=url,
        entry=security[word] if word else Access(),
        timing=table.guarded(lambda: _timing(url, defaults.timeout if timeout is None else timeout)),
        references=_references(table, defaults.references),
        profiles=_profiles(table, defaults.profiles),
        zone=table.converted("zone", _zone, defaults.zone),
    )
    table.finish()
    return target


def _timing(url: ConnectionUrl, seconds: int | None) -> Timing:
    usual = profile_of(url).application.timing
    if seconds is None:
        return usual
    return Timing(seconds, seconds, seconds, seconds, min(usual.release, seconds))


def _references(table: Table, default: tuple[Reference, ...]) -> tuple[Reference, ...]:
    if "read" not in table:
        return default

    def read(given: Any) -> tuple[Reference, ...]:
        if not _is_list_of_text(given):
            raise ConfigurationError('expected a list of references, as ["1.0.1.8.0.255"]')
        found = tuple(parse_reference(each) for each in given)
        check(found)
        return found

    return table.given("read", read)


def _is_list_of_text(given: Any) -> TypeGuard[list[str]]:
    return isinstance(given, list) and all(isinstance(each, str) for each in cast("list[object]", given))


def _profiles(table: Table, default: tuple[WantedProfile, ...]) -> tuple[WantedProfile, ...]:
    if "profiles" not in table:
        return default
    found: list[WantedProfile] = []
    for inner in table.tables("profiles"):
        instance = inner.converted("obis", Obis)
        found.append(WantedProfile(profile=ProfileGeneric(instance), span=inner.optional("last", duration)))
        inner.finish()
    return tuple(found)


def _securities(whole: Table, content: dict[str, Any], base: Path) -> dict[str, Access]:
    if "security" not in whole:
        return {}
    outer = whole.table("security")
    names = cast("dict[str, Any]", content["security"])
    return {name: _security(outer.table(name), name, base) for name in names}


def _security(table: Table, name: str, base: Path) -> Access:
    table.name(f"security {name}")
    auth, protection = table.optional("auth", str), table.optional("protection", str)

    def secret(key: str, read: Callable[[str], Any]) -> Any:
        return table.optional(key, lambda source: read(_placed(source, base)))

    password = secret("password", credentials.password)
    encryption_key = secret("encryption_key", credentials.key)
    authentication_key = secret("authentication_key", credentials.key)
    title = table.optional("system_title", str)
    counter, counter_object = table.given("invocation_counter", _counter) if "invocation_counter" in table else _UNSAID
    counter_object = table.converted("counter_object", Obis, counter_object)
    window = table.integer("gbt_window", 0)
    naming = table.text("naming", Naming.LOGICAL_NAMES.value)
    table.finish()
    return table.guarded(
        lambda: access(
            auth=auth,
            password=password,
            ek=encryption_key,
            ak=authentication_key,
            system_title=title,
            protection=protection,
            invocation_counter=counter,
            counter_object=counter_object,
            gbt_window=window,
            naming=naming,
            permitted=permitted(auth, protection),
        )
    )


def _counter(given: Any) -> tuple[int | None, Obis | None]:
    if given == "read":
        return None, COUNTER_OBJECT
    if isinstance(given, int) and not isinstance(given, bool):
        return given, None
    raise ConfigurationError('expected a number, or "read"')


def _placed(source: str, base: Path) -> str:
    """Return where a secret is; files are looked for beside the plan. A secret itself is not taken."""
    if source.startswith("file:"):
        return f"file:{base / Path(source.removeprefix('file:')).expanduser()}"
    if source.startswith("env:"):
        return source
    raise ConfigurationError("secrets do not stand in this file: write file:PATH or env:NAME")


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ConfigurationError(f"{name!r} is no zone; write for example Europe/Vilnius or UTC") from None


def duration(text: str) -> timedelta:
    """Return a length of time such as `1 day`, `36 h` or `90 min`. Raises ConfigurationError."""
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise ConfigurationError(f"{text!r} is no length of time: write 1 day, 36 h or 90 min")
    return int(match["number"]) * _UNITS[match["unit"][0]]


_UNSAID: Final[tuple[int | None, Obis | None]] = (None, None)
_DURATION: Final = re.compile(r"(?P<number>[0-9]{1,6})\s*(?P<unit>w|weeks?|d|days?|h|hours?|m|min|minutes?)")
_UNITS: Final = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
}
