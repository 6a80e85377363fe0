"""`cosem simulate`: meters on this machine, to read and to try things on."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from itertools import chain, pairwise
from pathlib import Path
from shlex import quote
from typing import Annotated, Any, Final

import typer

from cosem.cli.failure import NOT_CONNECTED, Ended
from cosem.cli.options import Json
from cosem.cli.report import put, put_json, say
from cosem.cli.simulated_secrets import Secrets, draw, hand_out, in_force, suite_option
from cosem.cli.spot import Spot, spots
from cosem.errors import ConfigurationError, TransportError
from cosem.io.aio import Place
from cosem.io.aio.pseudo_terminal import PseudoTerminal
from cosem.meter import describe
from cosem.meter.associations import PUBLIC_CLIENT, AssociationDescription, Keys
from cosem.meter.by_companion import ciphered, mechanism_of
from cosem.meter.clone import Entry, clone
from cosem.meter.demo import household, household_name
from cosem.meter.device import Meter, system_clock
from cosem.meter.elgama import ElgamaServer
from cosem.meter.faults import WELL_BEHAVED, Faults, of_words
from cosem.meter.han import HanPort
from cosem.meter.loads import KINDS
from cosem.meter.logical_device import LogicalDevice
from cosem.meter.memory import remember
from cosem.meter.one_way import SpeakingPort
from cosem.meter.p1 import P1Port
from cosem.meter.serve import Server
from cosem.meter.tic import TicPort
from cosem.protocol.crypto.mechanism import MECHANISMS, Mechanism, SharedSecret
from cosem.protocol.model.companion import AssociationRule
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.obis import Obis
from cosem.store import snapshot as snapshots
from cosem.store.counters import default_counter_store
from cosem.store.directory import default_state_directory
from cosem.store.snapshot import RecordedAssociation
from cosem.store.state import open_state

FIRST_PLACE: Final = "tcp://127.0.0.1:4059"
HIGHEST_PORT: Final = 0xFFFF
_SPEAKING: Final[Mapping[str, Callable[..., Server | SpeakingPort]]] = {"p1": P1Port, "tic": TicPort, "han": HanPort}
LOGICAL_DEVICE_NAME: Final = Obis("0.0.42.0.0.255")
EXAMPLES: Final = tuple(map(Obis, ("1.0.1.8.0.255", "7.0.3.0.0.255", "8.0.1.0.0.255", "6.0.1.0.0.255")))
"""What the printed command reads: energy or volume where the meter counts it, else what every meter has."""


Options = tuple[str, ...]
"""Words of a command, with which a client gives its secrets."""


def simulate(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="A description (.toml) or a snapshot of cosem browse (.json); left out: household meters.",
            show_default=False,
        ),
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="How many meters; ports count up from the first.")] = 1,
    listen: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="Where: tcp, udp, or hdlc, iec21, p1, tic, han over +tcp (port 0: any), over a serial line, or +pty: "
            "a serial line that it opens itself, between two pseudo-terminals. Given several times, one meter is at "
            "all these places.",
            show_default=FIRST_PLACE,
        ),
    ] = None,
    security: Annotated[
        str | None,
        typer.Option(
            metavar="none|low|gmac|ecdsa",
            help="Household meters: open to client 16, a password for client 32, or GMAC or signatures, and "
            "authenticated encryption, for client 1. Keys are made anew at each start without --state.",
            show_default="none",
        ),
    ] = None,
    suite: Annotated[
        int | None,
        typer.Option(metavar="0|1|2", help="Security suite. Left out: 0, or 1 for ecdsa.", show_default=False),
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option("--keys", metavar="DIR", help="Where keys and passwords made for it are put.", show_default=False),
    ] = None,
    use_demo_keys: Annotated[
        bool, typer.Option("--demo-keys", help="Use the published example keys; only on loopback.")
    ] = False,
    load: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help=f"What flows where the meters are: {', '.join(KINDS)}. A description says [load] itself.",
            show_default="household",
        ),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            metavar="NAME=VALUE",
            help="Household meters and clones do something wrong, for testing clients: loss=0.1, late=0.2, "
            "reboot_after=3, deviation=any_invoke_id and others (see cosem.meter.Faults). Give it several times.",
            show_default=False,
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state",
            metavar="PATH",
            help="Where the state of the meter survives a restart, even kill -9: a directory, or an SQLite file by its "
            "name (.sqlite, .db). Keys and passwords made for it stay there too, for this user alone. Several meters "
            "have one each in a directory. A description may say [state] itself.",
            show_default=False,
        ),
    ] = None,
    beyond_loopback: Annotated[
        bool, typer.Option("--beyond-loopback", help="Listen where other machines can reach the meters.")
    ] = False,
    json: Json = False,
) -> None:
    """Simulate meters until Ctrl-C; each is printed with its URL and how to read it.

    A snapshot that cosem browse --snapshot has made is served as a clone of that meter, with new keys and passwords
    where there were some. FILE.toml describes one meter of your own:

    \b
      [meter]
      name = "KFM1020012345678"        # logical device name
      zone = "Europe/Berlin"
      template = "household"           # begin with the objects of a household meter
      companion = "smr-5.0"            # have the objects and clients that it asks for

    \b
      [[object]]
      class = "Register"               # by name or number; attributes by their names
      instance = "1.0.1.8.0.255"
      value = 12345678
      scaler_unit = [0, "Wh"]

    \b
      [[association]]                  # with none of these, client 16 reads everything
      client = 1
      auth = "gmac"
      protection = "auth+enc"
      encryption_key = "file:ek.hex"   # or env:NAME
      authentication_key = "file:ak.hex"
      access = "manage"                # public, read or manage
      gbt_window = 16                  # grant general block transfer; with 0, as usual, not

    A customer (HAN) port pushes what lists= in its URL names: a companion and one of its ports, as norway:kaifa (the
    usual one), or the logical name of a push setup of the meter. Lists that are ciphered take the keys of the meter.

    \b
    Examples:
      cosem simulate
      cosem simulate --count 5 --listen hdlc+tcp://127.0.0.1:5000
      cosem simulate --load heat_pump
      cosem simulate --listen p1+tcp://127.0.0.1:5100
      cosem simulate --listen iec21+tcp://127.0.0.1:8000
      cosem simulate --listen iec21+pty:
      cosem simulate --listen tic+pty:
      cosem simulate --listen 'han+pty:?lists=norway:aidon'
      cosem simulate --security gmac --listen 'han+pty:?lists=austria:e450'
      cosem simulate --fault late=0.2 --fault deviation=octets_after_apdu
      cosem simulate --listen tcp://127.0.0.1:4059 --listen iec21+tcp://127.0.0.1:8000
      cosem simulate --security gmac
      cosem simulate --security ecdsa --suite 2
      cosem simulate meter.toml --listen 'tcp://[::1]:4059'
      cosem simulate meter.toml --state meter.state
      cosem simulate snapshot.json
      cosem simulate --listen 'elgama+tcp://127.0.0.1:4001?model=epqs&serial=925948&experimental=yes'
    """
    with spots(listen or [FIRST_PLACE]) as where:
        several = len(where) > 1
        if several and (count != 1 or any(each.url.framing == "elgama" for each in where)):
            raise ConfigurationError(
                "several places are for one meter of DLMS/COSEM: leave --count out, or name one place"
            )
        urls = places(where[0].url, count)
        given_options = {
            "--security": security,
            "--suite": suite,
            "--load": load,
            "--fault": fault or None,
            "--state": state,
            "--keys": keys,
            "--demo-keys": use_demo_keys or None,
        }
        if urls[0].framing == "elgama":
            _refuse(given_options, _NOT_OF_ELGAMA)
            simulate_elgama(urls, file, beyond_loopback=beyond_loopback, as_json=json)
            return
        if file is not None and count != 1:
            raise ConfigurationError("a file describes one meter: leave --count out, or the file")
        if file is not None:
            _refuse(given_options, _NOT_OF_SNAPSHOTS if file.suffix == ".json" else _NOT_OF_DESCRIPTIONS)
        directory = keys or default_state_directory() / f"simulate-{_mark(urls[0])}"
        if file is not None and file.suffix == ".json":
            given, meter = cloned(file, use_demo_keys, directory, state=state, faults=of_words(fault or ()))
            meters, options = [meter], {meter.name: given}
        elif file is not None:
            given, meter = described(file, use_demo_keys, directory, state)
            meters, options = [meter], {meter.name: given}
        else:
            drawn, faults = draw(security or "none", suite, use_demo_keys), of_words(fault or ())
            meters, options = households(
                count, security or "none", drawn, directory, state, faults=faults, load=load or "household"
            )
        served = [(meter, replace(where[0], url=url)) for meter, url in zip(meters, urls, strict=True)]
        served += [(meters[0], each) for each in where[1:]]
        servers = [(_served(meter, spot, beyond_loopback), spot) for meter, spot in served]
        if security not in (None, "none") and any(
            isinstance(each, SpeakingPort) and not each.ciphered for each, _ in servers
        ):
            raise ConfigurationError("a simulated port that only speaks does so in clear: leave --security out")
        for notice in dict.fromkeys(notice for server, _ in servers for notice in server.notices):
            say(f"notice: {notice}")
        _run(
            [server for server, _ in servers],
            lambda: announce(servers, options, as_json=json),
            [each.line for each in where if each.line is not None],
        )


_NOT_OF_ELGAMA: Final[Mapping[str, str]] = dict.fromkeys(
    ("--security", "--suite", "--load", "--fault", "--state", "--keys", "--demo-keys"),
    "an Elgama meter of this protocol has none",
)
_NOT_OF_DESCRIPTIONS: Final[Mapping[str, str]] = {
    "--security": "a description says [[association]] itself",
    "--suite": "a description says it of each [[association]] itself",
    "--load": "a description says [load] itself",
    "--fault": "a description says [faults] itself",
}
_NOT_OF_SNAPSHOTS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("--security", "--suite"), "a clone has the associations of its original"),
    "--load": "a clone shows what was read of its original",
}


def _refuse(given: Mapping[str, object], reasons: Mapping[str, str]) -> None:
    """ConfigurationError for an option that would do nothing, with the reason."""
    for option, why in reasons.items():
        if given[option] is not None:
            raise ConfigurationError(f"{option}: {why}; leave it out")


def simulate_elgama(urls: Sequence[ConnectionUrl], file: Path | None, *, beyond_loopback: bool, as_json: bool) -> None:
    """Simulate Elgama meters by their byte protocol, which is EXPERIMENTAL; serial numbers count up."""
    if file is not None:
        raise ConfigurationError("a file describes no Elgama meter of this protocol: leave it out")
    numbered = (replace(url, serial=(url.serial or 0) + at) for at, url in enumerate(urls))
    servers = [ElgamaServer(url, beyond_loopback=beyond_loopback) for url in numbered]
    say("warning: this protocol is experimental")
    _run(servers, lambda: _announce_elgama(servers, as_json=as_json))


def _announce_elgama(servers: Sequence[ElgamaServer], *, as_json: bool) -> None:
    lines = [
        {"meter": str(each.url.serial), "url": str(each.url), "command": f"cosem elgama {quote(str(each.url))}"}
        for each in servers
    ]
    _print_lines(lines, as_json=as_json)


def _run(servers: Sequence[Place], started: Callable[[], None], lines: Sequence[PseudoTerminal] = ()) -> None:
    try:
        asyncio.run(serve(servers, started, lines))
    except TransportError as error:
        say(f"error: cannot listen: {error}")
        raise Ended(NOT_CONNECTED) from None
    except KeyboardInterrupt:
        pass  # where the system has no signal handlers of the event loop
    say("stopped")


def _served(meter: Meter, spot: Spot, beyond_loopback: bool) -> Server | SpeakingPort:
    made = _SPEAKING.get(spot.url.framing, Server)
    return made(meter, spot.url, beyond_loopback=beyond_loopback or spot.local)


def places(first: ConnectionUrl, count: int) -> list[ConnectionUrl]:
    """Return where `count` meters listen: on ports counted up from the first, or on any free ones."""
    if first.port is None:
        if count > 1:
            raise ConfigurationError(f"{first.place} is one line: it takes one meter, not {count}")
        return [first]
    if first.port and first.port + count - 1 > HIGHEST_PORT:
        raise ConfigurationError(f"{count} ports from {first.port} on go beyond {HIGHEST_PORT}")
    return [replace(first, port=first.port + number if first.port else 0) for number in range(count)]


def households(
    count: int,
    security: str,
    drawn: Secrets,
    directory: Path,
    state: Path | None = None,
    *,
    faults: Faults = WELL_BEHAVED,
    load: str = "household",
) -> tuple[list[Meter], dict[str, Options]]:
    """Return household meters, and by their names the options with which their client gives its secrets.

    Meters without states have the same secrets; so have new states, but each keeps those that it has.
    """
    meters: list[Meter] = []
    options: dict[str, Options] = {}
    handed_out: list[tuple[Secrets, Options]] = []
    for number in range(1, count + 1):
        store = None if state is None else open_state(state if count == 1 else state / household_name(number))
        counters = None if store is None else store.counters
        meter = household(
            number,
            security=security,
            keys=drawn.keys,
            password=drawn.shared,
            counters=counters,
            faults=faults,
            load=load,
        )
        if store is not None:
            remember(meter, store)
        client = _shown(meter.management).client
        found = in_force(meter, {client: drawn})[client]
        if not handed_out:
            drawn = found  # new meters have the secrets of those that were there before
        known = next((given for each, given in handed_out if each == found), None)
        if known is None:
            known = hand_out(found, directory / meter.name if handed_out else directory)
            handed_out.append((found, known))
        meters.append(meter)
        options[meter.name] = known
    return meters, options


def described(file: Path, use_demo_keys: bool, directory: Path, state: Path | None = None) -> tuple[Options, Meter]:
    """Return the meter of a description, and the options of its first client where its secrets were drawn for it."""
    rules: dict[int, AssociationRule] = {}
    drawn: dict[int, Secrets] = {}

    def secrets_of(rule: AssociationRule) -> tuple[SharedSecret | None, Keys | None]:
        keys = draw("gmac", rule.suite, use_demo_keys).keys if ciphered(rule) else None
        password = draw("low", None, False).password if mechanism_of(rule).secret else None
        rules[rule.client], drawn[rule.client] = rule, Secrets(keys, password)
        return password, keys

    counters = default_counter_store()
    meter = describe.load(file, counters=counters, allow_demo_keys=use_demo_keys, secrets=secrets_of, state=state)
    options = {
        client: hand_out(each, directory / f"client-{client}", mechanism_of(rules[client]))
        for client, each in in_force(meter, drawn).items()
    }
    return options.get(_shown(meter.management).client, ()), meter


def cloned(
    file: Path,
    use_demo_keys: bool,
    directory: Path,
    clock: Callable[[], datetime] = system_clock,
    state: Path | None = None,
    faults: Faults = WELL_BEHAVED,
) -> tuple[Options, Meter]:
    """Return the meter of a snapshot with secrets drawn for it, and the options of the last client that needs some.

    A client has the same secrets for all logical devices.
    """
    mechanisms: dict[int, Mechanism] = {}
    drawn: dict[int, Secrets] = {}

    def entry(association: RecordedAssociation) -> Entry:
        mechanism, client = MECHANISMS.get(association.mechanism), association.client
        if mechanism is not None and client not in drawn and (mechanism.identifier or association.protection):
            mechanisms[client], drawn[client] = mechanism, _drawn_for(association, mechanism, use_demo_keys)
        found = drawn.get(client, Secrets())
        return Entry(found.shared, found.keys)

    store = None if state is None else open_state(state)
    counters = default_counter_store() if store is None else store.counters
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        meter = clone(snapshots.read(file), entry, clock=clock, counters=counters, faults=faults)
    if store is not None:
        remember(meter, store)
    for each in said:
        say(f"warning: {each.message}")
    options: Options = ()
    for client, given in in_force(meter, drawn).items():
        options = hand_out(given, directory / f"client-{client}", mechanisms[client])
    return options, meter


def _drawn_for(association: RecordedAssociation, mechanism: Mechanism, use_demo_keys: bool) -> Secrets:
    found = Secrets()
    if association.protection or mechanism.keys or mechanism.signatures:
        security = "ecdsa" if mechanism.signatures else "gmac"
        found = draw(security, association.suite, use_demo_keys and security == "gmac")
    return replace(found, password=draw("low", None, False).password) if mechanism.secret else found


async def serve(servers: Sequence[Place], started: Callable[[], None], lines: Sequence[PseudoTerminal] = ()) -> None:
    """Serve until the process is asked to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    if sys.platform != "win32":  # whose event loops take no signal handlers
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as running:
        for line in lines:
            await running.enter_async_context(line)
        for server in servers:
            await running.enter_async_context(server)
        started()
        await stop.wait()


def announce(
    servers: Sequence[tuple[Server | SpeakingPort, Spot]], options: Mapping[str, Options], *, as_json: bool
) -> None:
    """Print one line for each meter: its name, the URL where it is found, and the command that reads it."""
    _print_lines(
        [_described(each, spot.seen(each.url), options[each.meter.name]) for each, spot in servers], as_json=as_json
    )


def _print_lines(lines: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        put_json({"meters": lines})
    else:
        for line in lines:
            put(f"{line['meter']}  {line['url']}  {line['command']}")
    sys.stdout.flush()
    say("stop with Ctrl-C")


def _described(server: Server | SpeakingPort, url: ConnectionUrl, given: Options) -> dict[str, Any]:
    if isinstance(server, SpeakingPort):
        place = str(url)
        words = " ".join(map(quote, (place, *_of_line(server, given))))
        return {"meter": server.meter.name, "url": place, "client": None, "command": f"cosem listen {words}"}
    association = _shown(server.meter.management)
    if url.framing == "iec21":
        command = " ".join(("cosem read", quote(str(url))))
        return {"meter": server.meter.name, "url": str(url), "client": association.client, "command": command}
    url = replace(url, client=association.client)
    options = given or _placeholders(association)
    counted = (code for code in EXAMPLES if server.meter.management.find(code) is not None)
    example = next(counted, LOGICAL_DEVICE_NAME)
    command = " ".join(("cosem read", *map(quote, (str(url), str(example), *options))))
    return {"meter": server.meter.name, "url": str(url), "client": association.client, "command": command}


def _of_line(port: SpeakingPort, given: Options) -> Options:
    """Return the options of cosem listen for a port that only speaks: the keys, where it is ciphered by them."""
    if not isinstance(port, HanPort) or not port.ciphered:
        return ()
    wanted = ("--ek", "--ak") if port.authenticated else ("--ek",)
    keys = given or _placeholders(_shown(port.meter.management))
    return tuple(chain.from_iterable(pair for pair in pairwise(keys) if pair[0] in wanted))


def _shown(device: LogicalDevice) -> AssociationDescription:
    """Return the association that the printed command uses."""
    offered = device.associations
    return next((each for each in offered if each.client != PUBLIC_CLIENT and not each.pre_established), offered[0])


def _placeholders(association: AssociationDescription) -> tuple[str, ...]:
    """Return the options for what a description holds and is not shown."""
    options: list[str] = []
    if association.mechanism.identifier:
        options += ["--auth", association.mechanism.name]
    if association.mechanism.secret:
        options += ["--password", "file:PATH"]
    if association.mechanism.signatures:
        options += ["--signing-key", "file:PATH", "--peer-signing-key", "file:PATH"]
    if association.keys is not None:
        options += ["--ek", "file:PATH", "--ak", "file:PATH", *suite_option(association.keys.suite or None)]
    return tuple(options)


def _mark(url: ConnectionUrl) -> str:
    """Return what tells the secrets of simulators apart that run at the same time."""
    return str(url.port or f"process-{os.getpid()}")
