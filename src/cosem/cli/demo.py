"""`cosem demo`: twenty simulated meters, collected into one file and shown; nothing but this machine is needed."""

from __future__ import annotations

import asyncio
import secrets
import warnings
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cosem.cli.collect import verdict
from cosem.cli.failure import Ended
from cosem.cli.options import Json
from cosem.cli.progress import progress
from cosem.cli.report import put_json, put_table, say
from cosem.client.access import Access, access
from cosem.client.collect import Collected, Target, WantedProfile, collect
from cosem.errors import SecurityWarning
from cosem.meter.associations import PUBLIC_CLIENT, Keys
from cosem.meter.demo import LOAD_PROFILE, MANAGEMENT_CLIENT, PASSWORD_CLIENT, household
from cosem.meter.serve import serving
from cosem.protocol.crypto.key import Secret
from cosem.protocol.model import catalogue
from cosem.protocol.model.reference import Reference
from cosem.protocol.values.obis import Obis
from cosem.readings.reading import Reading
from cosem.store.memory import MemoryCounterStore
from cosem.store.readings import ReadingStore

METERS: Final = 20
SCHEMES: Final = ("tcp", "hdlc+tcp")
CLIENTS: Final = {"none": PUBLIC_CLIENT, "low": PASSWORD_CLIENT, "gmac": MANAGEMENT_CLIENT}
"""The client that reads a household meter, by its security."""

REGISTERS: Final = tuple(
    Reference(Obis(code))
    for code in (
        *("1.0.1.8.0.255", "1.0.1.8.1.255", "1.0.1.8.2.255", "1.0.2.8.0.255", "1.0.1.7.0.255", "1.0.2.7.0.255"),
        *("1.0.31.7.0.255", "1.0.32.7.0.255", "1.0.51.7.0.255", "1.0.52.7.0.255", "1.0.71.7.0.255", "1.0.72.7.0.255"),
        "1.0.14.7.0.255",
    )
)
"""Every register of a household meter."""

NEXT: Final = (
    ("cosem simulate", "a meter of your own to play with"),
    ("cosem read tcp://127.0.0.1:4059 1.8.0 0.0.1.0.0.255", "read it, in another terminal"),
    ("cosem profile tcp://127.0.0.1:4059 1.0.99.1.0.255", "its load profile"),
    ("cosem collect --help", "how to collect real meters"),
)
"""What to type after the demonstration, and why."""

ONE_DAY: Final = WantedProfile(profile=LOAD_PROFILE, span=timedelta(days=1))


def demo(
    store: Annotated[Path, typer.Option(metavar="PATH", help="The file the readings go to.")] = Path(
        "cosem-demo.sqlite"
    ),
    json: Json = False,
) -> None:
    """Start 20 simulated meters, collect them into one SQLite file, and show what was read.

    Some speak the TCP wrapper and some HDLC; some are open, some want a password, and some authenticate with GMAC and
    encrypt everything. Keys and passwords are made for this run and forgotten after it.

    \b
    Examples:
      cosem demo
      cosem demo --store meters.sqlite --json
    """
    with ReadingStore(store) as readings, warnings.catch_warnings():
        # The passwords in clear never leave this machine.
        warnings.simplefilter("ignore", SecurityWarning)
        collected = asyncio.run(_run(readings))
        names = {each.target.name for each in collected}
        latest = [reading for reading in readings.rows(latest=True) if reading.meter in names]
        count = readings.count()
    if json:
        put_json({"store": str(store), "readings": [_plain(reading) for reading in latest]})
    else:
        put_table(("meter", "OBIS", "name", "value", "unit", "time"), map(_row, latest), right=("value",))
    _conclude(collected, store, count, len(latest))
    code = verdict(collected)
    if code:
        raise Ended(code)


async def _run(store: ReadingStore) -> list[Collected]:
    async with AsyncExitStack() as running:
        targets: list[Target] = []
        for number in range(METERS):
            scheme = SCHEMES[number % len(SCHEMES)]
            security = tuple(CLIENTS)[number // len(SCHEMES) % len(CLIENTS)]
            keys = Keys.random() if security == "gmac" else None
            password = Secret(secrets.token_hex(4).encode()) if security == "low" else None
            meter = household(number + 1, security=security, keys=keys, password=password)
            server = await running.enter_async_context(serving(meter, f"{scheme}://127.0.0.1:0"))
            targets.append(
                Target(
                    name=meter.name,
                    url=replace(server.url, client=CLIENTS[security]),
                    entry=_entry(keys, password),
                    references=REGISTERS,
                    profiles=(ONE_DAY,),
                )
            )
        with progress("collecting 20 meters", len(targets)) as advance:
            return await collect(targets, store, finished=lambda _: advance())


def _entry(keys: Keys | None, password: Secret | None) -> Access:
    if keys is None:
        return access(password=password)
    return access(
        ek=keys.encryption,
        ak=keys.authentication,
        system_title=b"COS" + secrets.token_bytes(5),
        counters=MemoryCounterStore(),
    )


def _row(reading: Reading) -> tuple[str, ...]:
    return (
        reading.meter,
        str(reading.obis),
        _name(reading),
        reading.text,
        reading.unit.symbol if reading.quantity is not None else "",
        reading.time.isoformat(sep=" ", timespec="seconds"),
    )


def _name(reading: Reading) -> str:
    name = catalogue.lookup(reading.obis).name
    return name if reading.profile is None else f"{name} ({catalogue.lookup(reading.profile).name})"


def _plain(reading: Reading) -> dict[str, Any]:
    return {
        "meter": reading.meter,
        "reference": reading.reference,
        "obis": str(reading.obis),
        "name": catalogue.lookup(reading.obis).name,
        "profile": None if reading.profile is None else str(reading.profile),
        "value": reading.value,
        "unit": reading.unit.symbol,
        "time": reading.time.isoformat(),
    }


def _conclude(collected: list[Collected], store: Path, count: int, shown: int) -> None:
    for each in collected:
        for failure in each.failures:
            say(f"error: {each.target.name}: {failure.what}: {failure.error}")
    new = sum(each.stored.new for each in collected)
    say(f"{len(collected)} meters read, {new} new readings. The newest {shown} of each kind are shown;")
    say(f"all {count} are in {store.resolve()} (SQLite; the view is called reading).")
    say("")
    say("What to type next:")
    for command, what in NEXT:
        say(f"  {command:<52} {what}")
