"""`cosem simulate`: meters on this machine, to read and to try things on."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Annotated, Any, Final

import typer

from cosem.cli.failure import NOT_CONNECTED, Ended
from cosem.cli.options import Json
from cosem.cli.report import put, put_json, say
from cosem.cli.spot import Spot, spots
from cosem.errors import ConfigurationError, SecurityError, TransportError
from cosem.io.aio import Place
from cosem.io.aio.pseudo_terminal import PseudoTerminal
from cosem.meter import describe
from cosem.meter.associations import PUBLIC_CLIENT, AssociationDescription, Keys, demo_keys
from cosem.meter.by_companion import ciphered, mechanism_of
from cosem.meter.clone import Entry, clone
from cosem.meter.demo import SECURITIES, household
from cosem.meter.device import Meter, system_clock
from cosem.meter.elgama import ElgamaServer
from cosem.meter.faults import of_words
from cosem.meter.loads import KINDS
from cosem.meter.logical_device import LogicalDevice
from cosem.meter.memory import remember
from cosem.meter.one_way import SpeakingPort
from cosem.meter.p1 import P1Port
from cosem.meter.serve import Server
from cosem.meter.tic import TicPort
from cosem.protocol.crypto import suite as suites
from cosem.protocol.crypto.elliptic import PrivateKey, entropy_octets
from cosem.protocol.crypto.key import Secret
from cosem.protocol.crypto.mechanism import MECHANISMS, Mechanism, SharedSecret, Signatures
from cosem.protocol.model.companion import AssociationRule
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.obis import Obis
from cosem.store import snapshot as snapshots
from cosem.store.counters import default_counter_store
from cosem.store.directory import default_state_directory
from cosem.store.snapshot import RecordedAssociation
from cosem.store.state import open_state

CIPHERED: Final = ("gmac", "ecdsa")
FIRST_PLACE: Final = "tcp://127.0.0.1:4059"
HIGHEST_PORT: Final = 0xFFFF
_SPEAKING: Final[Mapping[str, Callable[..., Server | SpeakingPort]]] = {"p1": P1Port, "tic": TicPort}
LOGICAL_DEVICE_NAME: Final = Obis("0.0.42.0.0.255")
EXAMPLES: Final = tuple(map(Obis, ("1.0.1.8.0.255", "7.0.3.0.0.255", "8.0.1.0.0.255", "6.0.1.0.0.255")))
"""What the printed command reads: energy or volume where the meter counts it, else what every meter has."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets of simulated meters, and the options with which the client gives them."""

    keys: Keys | None = None
    password: SharedSecret | None = None
    options: tuple[str, ...] = ()


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
            help="Where: tcp, udp, or hdlc, iec21, p1, tic over +tcp (port 0: any), over a serial line, or over +pty: "
            "a serial line that it opens itself, between two pseudo-terminals. Given several times, one meter is at "
            "all these places.",
            show_default=FIRST_PLACE,
        ),
    ] = None,
    security: Annotated[
        str,
        typer.Option(
            metavar="none|low|gmac|ecdsa",
            help="Household meters: open to client 16, a password for client 32, or GMAC or signatures, and "
            "authenticated encryption, for client 1. Keys are made anew at each start.",
        ),
    ] = "none",
    suite: Annotated[
        int | None,
        typer.Option(metavar="0|1|2", help="Security suite. Left out: 0, or 1 for ecdsa.", show_default=False),
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option("--keys", metavar="DIR", help="Where new keys and passwords are put.", show_default=False),
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
            help="Household meters do something wrong, for testing clients: loss=0.1, late=0.2, reboot_after=3, "
            "deviation=any_invoke_id and others (see cosem.meter.Faults). Give it several times.",
            show_default=False,
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state",
            metavar="PATH",
            help="Where the state of the meter survives a restart, even kill -9: a directory, or an SQLite file by its "
            "name (.sqlite, .db). Several meters have one each in a directory. A description may say [state] itself.",
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

    \b
    Examples:
      cosem simulate
      cosem simulate --count 5 --listen hdlc+tcp://127.0.0.1:5000
      cosem simulate --load heat_pump
      cosem simulate --listen p1+tcp://127.0.0.1:5100
      cosem simulate --listen iec21+tcp://127.0.0.1:8000
      cosem simulate --listen iec21+pty:
      cosem simulate --listen tic+pty:
      cosem simulate --fault late=0.2 --fault deviation=octets_after_apdu
      cosem simulate --listen tcp://127.0.0.1:4059 --listen iec21+tcp://127.0.0.1:8000
      cosem simulate --security gmac
      cosem simulate --security ecdsa --suite 2
      cosem simulate meter.toml --listen 'tcp://[::1]:4059'
      cosem simulate meter.toml --state meter.state
      cosem simulate snapshot.json
      cosem simulate --listen 'elgama+tcp://127.0.0.1:4001?model=epqs&serial=925948&experimental=yes'
    """
    with spots(listen or [FIRST_PLACE]) as given:
        several = len(given) > 1
        if several and (count != 1 or any(each.url.framing == "elgama" for each in given)):
            raise ConfigurationError(
                "several places are for one meter of DLMS/COSEM: leave --count out, or name one place"
            )
        urls = places(given[0].url, count)
        if urls[0].framing == "elgama":
            if state is not None:
                raise ConfigurationError("an Elgama meter of this protocol has no --state: leave it out")
            if load is not None:
                raise ConfigurationError("an Elgama meter of this protocol has no --load: leave it out")
            simulate_elgama(urls, file, beyond_loopback=beyond_loopback, as_json=json)
            return
        if file is not None and count != 1:
            raise ConfigurationError("a file describes one meter: leave --count out, or the file")
        if file is not None and fault:
            raise ConfigurationError("--fault is of household meters: a description says [faults] itself")
        if file is not None and load is not None:
            raise ConfigurationError("--load is of demo meters: a description says [load] itself")
        directory = keys or default_state_directory() / f"simulate-{_mark(urls[0])}"
        if file is not None and file.suffix == ".json":
            found, meter = cloned(file, use_demo_keys, directory, state=state)
            meters = [meter]
        elif file is not None:
            found, meter = described(file, use_demo_keys, directory, state)
            meters = [meter]
        else:
            found = make_secrets(security, suite, use_demo_keys, directory)
            demo = partial(household, security=security, faults=of_words(fault or ()), load=load or "household")
            meters = [demo(number, keys=found.keys, password=found.password) for number in range(1, count + 1)]
            if state is not None:
                for meter in meters:
                    remember(meter, open_state(state if count == 1 else state / meter.name))
        if any(each.url.framing in _SPEAKING for each in given) and security != "none":
            raise ConfigurationError("a simulated port that only speaks does so in clear: leave --security out")
        served = [(meter, replace(given[0], url=url)) for meter, url in zip(meters, urls, strict=True)]
        served += [(meters[0], each) for each in given[1:]]
        servers = [(_served(meter, spot, beyond_loopback), spot) for meter, spot in served]
        for notice in dict.fromkeys(notice for server, _ in servers for notice in server.notices):
            say(f"notice: {notice}")
        _run(
            [server for server, _ in servers],
            lambda: announce(servers, found, as_json=json),
            [each.line for each in given if each.line is not None],
        )


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


def make_secrets(security: str, suite: int | None, use_demo_keys: bool, directory: Path) -> Secrets:
    """Return what the meters ask for, made by chance and put into files that nobody else can read."""
    if security not in SECURITIES:
        raise ConfigurationError(f"--security {security!r}: write one of {', '.join(SECURITIES)}")
    if suite is not None and security not in CIPHERED:
        raise ConfigurationError(f"--suite goes with --security {' or '.join(CIPHERED)}")
    if use_demo_keys:
        if security != "gmac":
            raise ConfigurationError("--demo-keys goes with --security gmac")
        return Secrets(keys=demo_keys(suite or 0), options=("--demo-keys", *_suite_option(suite)))
    if security == "none":
        return Secrets()
    if security == "low":
        password = Secret(secrets.token_hex(4).encode())
        path = private_file(directory / "password", password)
        return Secrets(password=password, options=("--password", f"file:{path}"))
    made = Keys.random((1 if security == "ecdsa" else 0) if suite is None else suite)
    ek = private_file(directory / "ek.hex", made.encryption)
    ak = private_file(directory / "ak.hex", made.authentication)
    options = ("--ek", f"file:{ek}", "--ak", f"file:{ak}", *_suite_option(made.suite or suite))
    if security == "gmac":
        return Secrets(keys=made, options=options)
    try:
        curve = suites.of(made.suite).required_curve
    except SecurityError as error:
        raise ConfigurationError(f"--security ecdsa: {error}; write --suite 1 or --suite 2") from None
    meter, client = (PrivateKey.from_entropy(curve, secrets.token_bytes(entropy_octets(curve))) for _ in range(2))
    own = private_file(directory / "signing.hex", client)
    peer = private_file(directory / "meter-public.hex", Secret(meter.public.octets))
    options += ("--signing-key", f"file:{own}", "--peer-signing-key", f"file:{peer}")
    return Secrets(keys=made, password=Signatures(meter, client.public), options=options)


def described(file: Path, use_demo_keys: bool, directory: Path, state: Path | None = None) -> tuple[Secrets, Meter]:
    """Return the meter of a description, and the secrets of the first client where they are made anew for it."""
    made: dict[int, Secrets] = {}

    def secrets_of(rule: AssociationRule) -> tuple[SharedSecret | None, Keys | None]:
        place, mechanism = directory / f"client-{rule.client}", mechanism_of(rule)
        found = make_secrets("gmac", rule.suite, use_demo_keys, place) if ciphered(rule) else Secrets()
        if mechanism.secret:
            low = make_secrets("low", None, False, place)
            found = Secrets(found.keys, low.password, found.options + low.options)
        made[rule.client] = (
            replace(found, options=(*found.options, "--auth", mechanism.name)) if found.options else found
        )
        return found.password, found.keys

    counters = default_counter_store()
    meter = describe.load(file, counters=counters, allow_demo_keys=use_demo_keys, secrets=secrets_of, state=state)
    return made.get(_shown(meter.management).client, Secrets()), meter


def cloned(
    file: Path,
    use_demo_keys: bool,
    directory: Path,
    clock: Callable[[], datetime] = system_clock,
    state: Path | None = None,
) -> tuple[Secrets, Meter]:
    """Return the meter of a snapshot with new secrets, and those of the last client that needs some.

    A client has the same secrets for all logical devices.
    """
    made: dict[int, Secrets] = {}

    def entry(association: RecordedAssociation) -> Entry:
        mechanism, client = MECHANISMS.get(association.mechanism), association.client
        if mechanism is not None and client not in made and (mechanism.identifier or association.protection):
            made[client] = _secrets_of(association, mechanism, use_demo_keys, directory / f"client-{client}")
        found = made.get(client, Secrets())
        return Entry(found.password, found.keys)

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        meter = clone(snapshots.read(file), entry, clock=clock, counters=default_counter_store())
    if state is not None:
        remember(meter, open_state(state))
    for each in said:
        say(f"warning: {each.message}")
    return next(reversed(made.values()), Secrets()), meter


def _secrets_of(
    association: RecordedAssociation, mechanism: Mechanism, use_demo_keys: bool, directory: Path
) -> Secrets:
    found = Secrets()
    if association.protection or mechanism.keys or mechanism.signatures:
        security = "ecdsa" if mechanism.signatures else "gmac"
        found = make_secrets(security, association.suite, use_demo_keys and security == "gmac", directory)
    if mechanism.secret:
        low = make_secrets("low", None, False, directory)
        found = Secrets(found.keys, low.password, found.options + low.options)
    return replace(found, options=(*found.options, "--auth", mechanism.name))


def _suite_option(suite: int | None) -> tuple[str, ...]:
    return () if suite is None else ("--suite", str(suite))


def private_file(path: Path, secret: Secret) -> Path:
    """Write a secret, keys in hexadecimal, into a file that only this user can read, and say where it is."""
    text = secret.reveal().hex().upper() if path.suffix == ".hex" else secret.reveal().decode("ascii")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # an old one might be a link, or open to others
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{text}\n")
    except OSError as problem:
        raise ConfigurationError(f"cannot write {path}: {problem.strerror}; name another place with --keys") from None
    say(f"new {path.stem} in {path}, which only you can read")
    return path


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


def announce(servers: Sequence[tuple[Server | SpeakingPort, Spot]], found: Secrets, *, as_json: bool) -> None:
    """Print one line for each meter: its name, the URL where it is found, and the command that reads it."""
    _print_lines([_described(each, spot.seen(each.url), found) for each, spot in servers], as_json=as_json)


def _print_lines(lines: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        put_json({"meters": lines})
    else:
        for line in lines:
            put(f"{line['meter']}  {line['url']}  {line['command']}")
    sys.stdout.flush()
    say("stop with Ctrl-C")


def _described(server: Server | SpeakingPort, url: ConnectionUrl, found: Secrets) -> dict[str, Any]:
    if isinstance(server, SpeakingPort):
        place = str(url)
        return {"meter": server.meter.name, "url": place, "client": None, "command": f"cosem listen {quote(place)}"}
    association = _shown(server.meter.management)
    if url.framing == "iec21":
        command = " ".join(("cosem read", quote(str(url))))
        return {"meter": server.meter.name, "url": str(url), "client": association.client, "command": command}
    url = replace(url, client=association.client)
    options = found.options or _placeholders(association)
    counted = (code for code in EXAMPLES if server.meter.management.find(code) is not None)
    example = next(counted, LOGICAL_DEVICE_NAME)
    command = " ".join(("cosem read", *map(quote, (str(url), str(example), *options))))
    return {"meter": server.meter.name, "url": str(url), "client": association.client, "command": command}


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
        options += ["--ek", "file:PATH", "--ak", "file:PATH", *_suite_option(association.keys.suite or None)]
    return tuple(options)


def _mark(url: ConnectionUrl) -> str:
    """Return what tells the secrets of simulators apart that run at the same time."""
    return str(url.port or f"process-{os.getpid()}")
