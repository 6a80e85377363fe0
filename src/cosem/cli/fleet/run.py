"""The verb `fleet run`: simulate very many meters in one process."""

from __future__ import annotations

import asyncio
import importlib
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cosem.cli.failure import NOT_CONNECTED, Ended
from cosem.cli.options import Json
from cosem.cli.report import put, put_json, say
from cosem.errors import ConfigurationError, TransportError
from cosem.fleet.clock import VirtualClock
from cosem.fleet.fleet import Fleet
from cosem.fleet.inventory import FORMS, Inventory
from cosem.fleet.keys import FleetKeys
from cosem.fleet.ledger import Ledger, create
from cosem.fleet.limits import FleetLimits
from cosem.fleet.places import Place, Way
from cosem.fleet.population import Population, first_counter
from cosem.fleet.scenario import Director, load
from cosem.fleet.truth import measured
from cosem.io.credentials import password
from cosem.protocol.profile.address import ConnectionUrl

SPARE: Final = 64
"""Files that a process has open besides its connections."""


def fleet(
    count: Annotated[int, typer.Option(min=1, help="How many meters; they count from 0.")] = 1000,
    listen: Annotated[
        str, typer.Option(metavar="URL", help="Where meter 0 is: tcp or hdlc+tcp; port 0: any.")
    ] = "tcp://127.1.0.0:4059",
    by_port: Annotated[
        bool, typer.Option("--by-port", help="Meter n at the port + n of one address, in place of the address + n.")
    ] = False,
    secret: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="The secret that each meter's keys are made from: file:PATH or env:NAME, 32 octets or more. "
            "With it client 1 manages by HLS-GMAC, authenticated and encrypted.",
            show_default=False,
        ),
    ] = None,
    use_demo_keys: Annotated[
        bool, typer.Option("--demo-keys", help="The published example keys for all meters; only on loopback.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Other seeds give other measurements.")] = 0,
    inventory: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write who is where into a file: .csv or .json, and end.", show_default=False
        ),
    ] = None,
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="Put the keys into the inventory, which only you can read then.")
    ] = False,
    connections: Annotated[
        int | None,
        typer.Option(min=1, help="How many connections at once. Left out: up to 20000, as the system allows."),
    ] = None,
    per_meter: Annotated[int, typer.Option("--per-meter", min=1, help="How many of them to one meter.")] = 4,
    start: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%dT%H:%M:%S%z"],
            metavar="TIME",
            help="When virtual time begins, such as 2026-03-29T00:00:00+0100. Left out: now.",
            show_default=False,
        ),
    ] = None,
    speed: Annotated[float, typer.Option(min=0, help="Virtual seconds in a real one.")] = 1.0,
    scenario: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What happens: outages of regions, in TOML.", show_default=False),
    ] = None,
    ledger: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write down each answer, and at the end what profiles captured: .sqlite, or else JSON lines.",
            show_default=False,
        ),
    ] = None,
    beyond_loopback: Annotated[
        bool, typer.Option("--beyond-loopback", help="With --by-port: listen where other machines can reach.")
    ] = False,
    json: Json = False,
) -> None:
    """Simulate a fleet of meters until Ctrl-C: meter n answers at the listen address + n.

    Each loopback address (127.0.0.0/8) is a meter of its own, served by one listening socket. A meter that nobody
    visits costs nothing but its number: what it measures is computed from the seed and the time.

    \b
    Examples:
      cosem fleet --count 100000
      cosem fleet --count 100000 --listen tcp://127.1.0.0:4059 --demo-keys
      cosem fleet --count 100 --by-port --listen hdlc+tcp://127.0.0.1:5000
      cosem fleet --count 100000 --secret file:fleet.secret --inventory fleet.csv
    """
    clock = VirtualClock(start, speed=speed)
    served = Fleet(
        _population(count, seed, secret, use_demo_keys, clock),
        [
            Place(
                range(count),
                ConnectionUrl.parse(listen),
                Way.PORT if by_port else Way.ADDRESS,
                beyond_loopback=beyond_loopback,
            )
        ],
        limits=FleetLimits(connections=allow_files(connections), connections_per_meter=per_meter),
        director=None if scenario is None else Director(load(scenario), count, seed),
    )
    if inventory is not None:
        _write_inventory(Inventory(served, with_keys=with_keys), inventory)
        return
    served.ledger = None if ledger is None else create(ledger)
    begun = clock.now()
    try:
        run(_serve(served, lambda: _announce(served, as_json=json)))
    except TransportError as error:
        say(f"error: cannot listen: {error}")
        raise Ended(NOT_CONNECTED) from None
    except KeyboardInterrupt:
        pass  # where the system has no signal handlers of the event loop
    finally:
        if served.ledger is not None:
            with served.ledger as truth:
                _write_measured(served.population, truth, begun, clock.now())
    state = asdict(served.state)
    say("stopped: " + ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in state.items() if value))


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine on uvloop where it is installed, which takes half the time for a connection."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with suppress(ImportError):
        factory = importlib.import_module("uvloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)


def allow_files(connections: int | None) -> int:
    """Let the process have as many files open as there may be connections, and return how many may be.

    Without a wish that is the usual number, or what the system allows; ConfigurationError where a wish goes beyond it.
    """
    wished = FleetLimits().connections if connections is None else connections
    try:
        import resource  # no such thing on Windows
    except ImportError:
        return wished
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and wished + SPARE > hard:
        if connections is not None:
            raise ConfigurationError(
                f"this process may have {hard} files open: allow {max(1, hard - SPARE)} --connections at most"
            )
        wished = max(1, hard - SPARE)
    if soft != resource.RLIM_INFINITY and soft < wished + SPARE:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wished + SPARE, hard))
    return wished


def _population(count: int, seed: int, secret: str | None, use_demo_keys: bool, clock: VirtualClock) -> Population:
    if secret is not None and use_demo_keys:
        raise ConfigurationError("--secret or --demo-keys, not both")
    keys = None
    if secret is not None:
        keys = FleetKeys(password(secret))
    elif use_demo_keys:
        keys = FleetKeys.demonstration()
    first = 0 if secret is None else first_counter(datetime.now(UTC))
    return Population(count, seed=seed, keys=keys, first_counter=first, clock=clock)


def _write_inventory(inventory: Inventory, path: Path) -> None:
    if path.suffix.lower() not in FORMS:
        raise ConfigurationError(f"{path}: an inventory is written as {' or '.join(FORMS)}")
    inventory.write(path)
    say(f"wrote {inventory.count} meters into {path}{', which only you can read' if inventory.with_keys else ''}")


def _write_measured(population: Population, ledger: Ledger, since: datetime, until: datetime) -> None:
    say(f"writing down what {population.count} meters measured")
    for each in measured(population, range(population.count), since, until):
        ledger.record(each)


async def _serve(served: Fleet, started: Callable[[], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    if sys.platform != "win32":  # whose event loops take no signal handlers
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
    async with served:
        started()
        await stop.wait()


def _announce(served: Fleet, *, as_json: bool) -> None:
    population = served.population
    first, last = served.url(0), served.url(population.count - 1)
    client = 16 if population.keys is None else 1
    if population.is_demonstration:
        say("notice: demo keys, which everybody knows")
    elif population.keys is None:
        say("notice: client 16 reads everything of every meter without authentication, and writes nothing")
    if as_json:
        put_json({"meters": population.count, "first": str(first), "last": str(last), "client": client})
    else:
        put(f"{population.count} meters  {first} … {last}  client {client}")
    sys.stdout.flush()
    say("stop with Ctrl-C")
