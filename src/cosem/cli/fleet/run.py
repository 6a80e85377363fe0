"""The verb `fleet run`: simulate very many meters in one process."""

from __future__ import annotations

import asyncio
import gc
import importlib
import signal
import sys
from collections.abc import Callable, Coroutine, Generator, Iterable
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cosem.cli.failure import INTERRUPTED, NOT_CONNECTED, Ended
from cosem.cli.fleet.telling import line, tell
from cosem.cli.options import Json
from cosem.cli.progress import progress
from cosem.cli.report import put, put_json_line, say
from cosem.errors import ConfigurationError, TransportError
from cosem.fleet.clock import VirtualClock
from cosem.fleet.director import Director
from cosem.fleet.file import USUAL_PLACE, FleetFile, load
from cosem.fleet.fleet import Fleet
from cosem.fleet.inventory import FORMS, Inventory
from cosem.fleet.keys import FleetKeys
from cosem.fleet.ledger import Ledger, create
from cosem.fleet.limits import FleetLimits
from cosem.fleet.metrics import metrics as shown
from cosem.fleet.misbehaving import Misbehaving, Misbehaviour
from cosem.fleet.models import MOST_METERS
from cosem.fleet.places import Place, Way
from cosem.fleet.population import Group, Population, first_counter
from cosem.fleet.push_setup import PushSettings
from cosem.fleet.scenario import Scenario, time_of
from cosem.fleet.scenario import load as load_scenario
from cosem.fleet.truth import measured, misbehaved
from cosem.io.aio.scrape import Scrape
from cosem.io.credentials import password
from cosem.meter.associations import PUBLIC_CLIENT
from cosem.meter.demo import MANAGEMENT_CLIENT
from cosem.meter.faults import of_words
from cosem.protocol.profile.address import ConnectionUrl

RARELY: Final = (100_000, 50, 100)
"""After how many new objects, and how many times that, cycles among them are looked for."""

PUSH_EVERY: Final = timedelta(minutes=15)
"""How often meters push that are told only whereto."""

ENDING: Final = (signal.SIGINT, signal.SIGTERM)
"""Signals that tell a fleet to end."""

SPARE: Final = 64
"""Files that a process has open besides its connections."""


def fleet(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="What the fleet is, in TOML: groups, places, time, scenarios."),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_METERS, help="How many meters; they count from 0. Left out: 1000.", show_default=False
        ),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help=f"Where meter 0 is: tcp or hdlc+tcp; port 0: any. Left out: {USUAL_PLACE}.",
            show_default=False,
        ),
    ] = None,
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
    seed: Annotated[
        int | None, typer.Option(help="Other seeds give other measurements. Left out: 0.", show_default=False)
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            metavar="NAME=VALUE",
            help="Meters do something wrong, for testing clients: loss=0.1, late=0.2, reboot_after=3, "
            "deviation=any_invoke_id and others (see cosem.meter.Faults). Give it several times.",
            show_default=False,
        ),
    ] = None,
    fault_share: Annotated[
        float | None,
        typer.Option(
            "--fault-share",
            min=0,
            max=1,
            help="How many of them, drawn by the seed. Left out: all.",
            show_default=False,
        ),
    ] = None,
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
    per_meter: Annotated[
        int | None,
        typer.Option("--per-meter", min=1, help="How many of them to one meter. Left out: 4.", show_default=False),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            help="How many connections a second a client may begin in the long run. Left out: any.",
            show_default=False,
        ),
    ] = None,
    start: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%dT%H:%M:%S%z"],
            metavar="TIME",
            help="When virtual time begins, such as 2026-03-29T00:00:00+0100. Left out: now.",
            show_default=False,
        ),
    ] = None,
    speed: Annotated[
        float | None, typer.Option(min=0, help="Virtual seconds in a real one. Left out: 1.", show_default=False)
    ] = None,
    scenario: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="What happens: outages, firmware waves and so on, in TOML.", show_default=False
        ),
    ] = None,
    ledger: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write down each answer, and at the end what profiles captured: .sqlite, or else JSON lines.",
            show_default=False,
        ),
    ] = None,
    push: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Let each meter push there every 15 minutes, and when something happens to it.",
            show_default=False,
        ),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Serve metrics to Prometheus at host:port.", show_default=False),
    ] = None,
    state: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            metavar="SECONDS",
            help="How often to tell the state: with --json a line each time; left out, on a terminal alone.",
            show_default=False,
        ),
    ] = None,
    beyond_loopback: Annotated[
        bool,
        typer.Option("--beyond-loopback", help="Let ports, metrics and pushes reach other machines, and be reached."),
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
      cosem fleet examples/fleet.toml --ledger day.sqlite
      cosem fleet --count 1000 --push tcp://127.0.0.1:4061
      cosem fleet --count 1000 --fault loss=0.1 --fault late=0.01 --fault-share 0.03
      cosem fleet --count 100000 --secret file:fleet.secret --inventory fleet.csv
    """
    alone: dict[str, object] = {
        "--count": count,
        "--listen": listen,
        "--seed": seed,
        "--start": start,
        "--speed": speed,
    }
    alone |= {"--scenario": scenario, "--fault": fault or None, "--fault-share": fault_share}
    given = [name for name, value in alone.items() if value is not None]
    if file is not None and (given or by_port):
        raise typer.BadParameter(f"{', '.join(given) or '--by-port'}: with a file, what it says counts")
    if fault_share is not None and not fault:
        raise typer.BadParameter("--fault-share: say what they do wrong, as in --fault loss=0.1")
    said = load(file) if file is not None else _said(count, listen, by_port, seed, start, speed, scenario)
    if fault:
        misbehaving = Misbehaving(Misbehaviour(of_words(fault), 1.0 if fault_share is None else fault_share))
        said = replace(said, groups=tuple(replace(group, misbehaving=misbehaving) for group in said.groups))
    if push is not None:
        to = ConnectionUrl.parse(push)
        pushing = PushSettings(to=to, every=PUSH_EVERY, spread=PUSH_EVERY, beyond_loopback=beyond_loopback)
        said = replace(said, push=pushing)
    if beyond_loopback:
        said = replace(said, places=tuple(replace(place, beyond_loopback=True) for place in said.places))
    clock = VirtualClock(said.start, speed=said.speed)
    begun = clock.now()
    director = Director(said.scenario, said.count, said.seed)
    population = _population(said, secret if secret is not None else said.secret, use_demo_keys, clock, director)
    ports = 0 if inventory is not None else sum(len(each.numbers) for each in said.places if each.way is Way.PORT)
    served = Fleet(
        population,
        said.places,
        limits=_limits(said.limits, connections, per_meter, rate, ports),
        timing=said.timing,
        director=director,
        ledger=None if ledger is None else partial(_ledger, ledger, population, begun),
    )
    if inventory is not None:
        _write_inventory(Inventory(served, with_keys=with_keys), inventory, served.places)
        return
    scrape = None if metrics is None else Scrape(_shown_by(served), metrics, beyond_loopback=beyond_loopback)
    try:
        run(
            lambda: _serve(
                *(served, scrape, lambda: _announce(served, scrape, as_json=json)),
                lambda: tell(served, every=state, as_json=json),
            )
        )
    except TransportError as error:
        say(f"error: {error}")
        raise Ended(NOT_CONNECTED) from None
    except KeyboardInterrupt:
        if not served.begun:
            raise  # else the system has no signal handlers of the event loop
    finally:
        clock.speed = 0  # profiles hold so many rows, and those of the run must not leave them while they are written
        if served.ledger is not None:
            with served.ledger as truth:
                _write_measured(population, truth, begun, clock.now())
    say(f"stopped at {line(served.state, clock.now())}")


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run what `main` makes on uvloop where it is installed, which takes half the time for a connection.

    What is there already lives as long as the process, and meters are held by the thousand: looking through them for
    cycles as often as usual takes a tenth of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*RARELY)
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with suppress(ImportError):
        factory = importlib.import_module("uvloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())


def allow_files(connections: int | None, ports: int = 0) -> int:
    """Let the process have as many files open as there may be connections, and return how many may be.

    Without a wish that is the usual number, or what the system allows beside the ports that are listened on;
    ConfigurationError where a wish goes beyond it.
    """
    wished = FleetLimits().connections if connections is None else connections
    try:
        import resource  # no such thing on Windows
    except ImportError:
        return wished
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    others = SPARE + ports
    if hard != resource.RLIM_INFINITY and wished + others > hard:
        if hard <= others:
            raise ConfigurationError(f"this process may have {hard} files open: too few to listen on {ports} ports")
        if connections is not None:
            raise ConfigurationError(
                f"this process may have {hard} files open: allow {hard - others} --connections at most"
            )
        wished = hard - others
    if soft != resource.RLIM_INFINITY and soft < wished + others:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wished + others, hard))
    return wished


def _limits(
    said: FleetLimits, connections: int | None, per_meter: int | None, rate: float | None, ports: int
) -> FleetLimits:
    """Return what a file says, or where an option says something else, that; `ports` are listened on beside it."""
    wished = said.connections if connections is None and said.connections != FleetLimits().connections else connections
    return replace(
        said,
        connections=allow_files(wished, ports),
        connections_per_meter=said.connections_per_meter if per_meter is None else per_meter,
        new_a_second=said.new_a_second if rate is None else rate,
    )


def _said(
    count: int | None,
    listen: str | None,
    by_port: bool,
    seed: int | None,
    start: datetime | None,
    speed: float | None,
    scenario: Path | None,
) -> FleetFile:
    """Return what the options say, as a file would."""
    meters = 1000 if count is None else count
    if start is not None:
        try:
            time_of(start)
        except ConfigurationError as error:
            raise typer.BadParameter(f"--start: {error}") from None
    url = ConnectionUrl.parse(USUAL_PLACE if listen is None else listen)
    return FleetFile(
        groups=(Group(count=meters),),
        places=(Place(range(meters), url, Way.PORT if by_port else Way.ADDRESS),),
        seed=0 if seed is None else seed,
        start=start,
        speed=1.0 if speed is None else speed,
        scenario=Scenario() if scenario is None else load_scenario(scenario),
    )


def _population(
    said: FleetFile, secret: str | None, use_demo_keys: bool, clock: VirtualClock, director: Director
) -> Population:
    if secret is not None and use_demo_keys:
        raise ConfigurationError("a secret or --demo-keys, not both")
    keys = None
    if secret is not None:
        keys = FleetKeys(password(secret))
    elif use_demo_keys:
        keys = FleetKeys.demonstration()
    first = 0 if secret is None else first_counter(datetime.now(UTC))
    return Population(
        said.groups,
        seed=said.seed,
        keys=keys,
        zone=said.zone,
        first_counter=first,
        clock=clock,
        effects=director.effects,
        push=said.push,
        limits=said.population,
    )


def _write_inventory(inventory: Inventory, path: Path, places: Iterable[Place]) -> None:
    if path.suffix.lower() not in FORMS:
        raise ConfigurationError(f"{path}: an inventory is written as {' or '.join(FORMS)}")
    inventory.write(path)
    say(f"wrote {inventory.count} meters into {path}{', which only you can read' if inventory.with_keys else ''}")
    if any(place.url.port == 0 for place in places):
        say("notice: ports that are 0 there are found at each start: give the meters ports of their own")


def _ledger(path: Path, population: Population, since: datetime) -> Ledger:
    """Return a new ledger that says who misbehaves."""
    ledger = create(path)
    for each in misbehaved(population, since):
        ledger.record(each)
    return ledger


def _write_measured(population: Population, ledger: Ledger, since: datetime, until: datetime) -> None:
    """Write down what profiles captured, meter by meter; whoever is in a hurry ends that, and gets a whole file."""
    with _ending() as is_ending, progress("writing", population.count) as written:
        say(f"writing down what {population.count} meters measured; Ctrl-C ends that")
        for number in range(population.count):
            if is_ending():
                say(f"notice: what meters from {number} on measured is not in the ledger")
                raise Ended(INTERRUPTED)
            for each in measured(population, (number,), since, until):
                ledger.record(each)
            written()


@contextmanager
def _ending() -> Generator[Callable[[], bool], None, None]:
    """Give what tells whether this process was told to end meanwhile."""
    told: list[int] = []
    before = {each: signal.signal(each, lambda number, _: told.append(number)) for each in ENDING}
    try:
        yield lambda: bool(told)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _shown_by(served: Fleet) -> Callable[[], str]:
    return lambda: shown(served.state, served.population.clock())


async def _serve(
    served: Fleet,
    scrape: Scrape | None,
    started: Callable[[], None],
    telling: Callable[[], Coroutine[Any, Any, None]],
) -> None:
    """Serve until the process is told to end; until all is there that ends it at once, as any other command."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    ending = () if sys.platform == "win32" else ENDING  # whose event loops take no signal handlers
    async with AsyncExitStack() as entered:
        for number in ending:
            entered.callback(loop.remove_signal_handler, number)  # uvloop would leave its own, which hears nothing
        if scrape is not None:
            await entered.enter_async_context(scrape)
        await entered.enter_async_context(served)
        for number in ending:
            loop.add_signal_handler(number, stop.set)
        if scrape is not None:
            say(f"metrics at http://{scrape.url.place}/metrics")
        started()
        told = asyncio.create_task(telling())
        await stop.wait()
        told.cancel()
        await asyncio.wait([told])


def _announce(served: Fleet, scrape: Scrape | None, *, as_json: bool) -> None:
    population = served.population
    first, last = served.url(0), served.url(population.count - 1)
    client = MANAGEMENT_CLIENT if population.secured(0) else PUBLIC_CLIENT
    if population.is_demonstration:
        say("notice: demo keys, which everybody knows")
    unsecured = sum(group.count for group in population.groups if population.keys is None or not group.secured)
    if unsecured:
        whose = "every meter" if unsecured == population.count else f"{unsecured} meters"
        say(f"notice: client 16 reads everything of {whose} without authentication, and writes nothing")
    if population.misbehaving:
        say(f"notice: {population.misbehaving} meters misbehave; --inventory and --ledger name them")
    if as_json:
        said = {"meters": population.count, "first": str(first), "last": str(last), "client": client}
        if scrape is not None:
            said["metrics"] = f"http://{scrape.url.place}/metrics"
        put_json_line(said)
    else:
        put(f"{population.count} meters  {first} … {last}  client {client}")
    sys.stdout.flush()
    say("stop with Ctrl-C")
