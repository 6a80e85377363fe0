"""`cosem simulate`: meters on this machine, to read and to try things on."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from cosem.cli.announcement import announce, announce_elgama
from cosem.cli.control import Control, obey
from cosem.cli.failure import NOT_CONNECTED, Ended
from cosem.cli.options import Json
from cosem.cli.report import say
from cosem.cli.simulated_meters import cloned, described, households
from cosem.cli.simulated_refusals import (
    NOT_OF_DESCRIPTIONS,
    NOT_OF_ELGAMA,
    NOT_OF_SNAPSHOTS,
    Asked,
    place_of,
    refuse,
)
from cosem.cli.simulated_secrets import draw
from cosem.cli.spot import spots
from cosem.errors import ConfigurationError, TransportError
from cosem.io.aio import Place
from cosem.io.aio.pseudo_terminal import PseudoTerminal
from cosem.meter.elgama import ElgamaServer
from cosem.meter.faults import WELL_BEHAVED, Faults, of_words
from cosem.meter.loads import KINDS
from cosem.protocol.profile.address import ConnectionUrl
from cosem.store.directory import default_state_directory

FIRST_PLACE: Final = "tcp://127.0.0.1:4059"
HIGHEST_PORT: Final = 0xFFFF


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
            help="The meters do something wrong, for testing clients: loss=0.1, late=0.2, reboot_after=3, "
            "deviation=any_invoke_id and others (see cosem.meter.Faults). Give it several times. A description says "
            "[faults] itself; what cannot befall the meter at its places is refused.",
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
    control: Annotated[
        bool,
        typer.Option(
            "--control",
            help="Do what lines on the standard input say: cover open, seal break, breaker off, supply off and others; "
            "help lists them.",
        ),
    ] = False,
    beyond_loopback: Annotated[
        bool, typer.Option("--beyond-loopback", help="Listen where other machines can reach the meters.")
    ] = False,
    json: Json = False,
) -> None:
    """Simulate meters until Ctrl-C; each is printed with its URL and how to read it.

    Without FILE they are household meters, or those of --load. With --security gmac or ecdsa their client manages them:
    those of electricity can be disconnected, take a firmware image and another calendar of tariffs, those of gas and
    water have a valve.

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
      cosem simulate meter.toml --control
      cosem simulate snapshot.json
      cosem simulate --listen 'elgama+tcp://127.0.0.1:4001?model=epqs&serial=925948&experimental=yes'
    """
    with ExitStack() as undo, spots(listen or [FIRST_PLACE]) as where:
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
            "--control": control or None,
        }
        if urls[0].framing == "elgama":
            refuse(given_options, NOT_OF_ELGAMA)
            simulate_elgama(urls, file, faults=of_words(fault or ()), beyond_loopback=beyond_loopback, as_json=json)
            return
        if file is not None and count != 1:
            raise ConfigurationError("a file describes one meter: leave --count out, or the file")
        if file is not None:
            refuse(given_options, NOT_OF_SNAPSHOTS if file.suffix == ".json" else NOT_OF_DESCRIPTIONS)
        approve = Asked(
            tuple(where),
            beyond_loopback=beyond_loopback,
            faults="--fault " if fault else f"{file}: [faults]: ",
            security=security or "none",
            keys=keys is not None,
            demo_keys=use_demo_keys,
        ).approve
        directory = keys or default_state_directory() / f"simulate-{_mark(urls[0])}"
        if file is not None and file.suffix == ".json":
            faults = of_words(fault or ())
            meter, hand_out = cloned(
                file, use_demo_keys, directory, state=state, faults=faults, approve=approve, undo=undo
            )
            meters = [meter]
        elif file is not None:
            meter, hand_out = described(file, use_demo_keys, directory, state, approve=approve, undo=undo)
            meters = [meter]
        else:
            drawn, faults = draw(security or "none", suite, use_demo_keys), of_words(fault or ())
            meters, hand_out = households(
                count,
                security or "none",
                drawn,
                directory,
                state,
                faults=faults,
                load=load or "household",
                approve=approve,
                undo=undo,
            )
        served = [(meter, replace(where[0], url=url)) for meter, url in zip(meters, urls, strict=True)]
        served += [(meters[0], each) for each in where[1:]]
        servers = [(place_of(meter, spot, beyond_loopback), spot) for meter, spot in served]
        for notice in dict.fromkeys(notice for server, _ in servers for notice in server.notices):
            say(f"notice: {notice}")

        def started() -> None:
            announce(servers, hand_out(), as_json=json)
            undo.pop_all()
            if control:
                obey(Control(meters))
                say("type help for what can be moved")

        _run(
            [server for server, _ in servers],
            started,
            [each.line for each in where if each.line is not None],
        )


def simulate_elgama(
    urls: Sequence[ConnectionUrl],
    file: Path | None,
    *,
    faults: Faults = WELL_BEHAVED,
    beyond_loopback: bool,
    as_json: bool,
) -> None:
    """Simulate Elgama meters by their byte protocol, which is EXPERIMENTAL; serial numbers count up."""
    if file is not None:
        raise ConfigurationError("a file describes no Elgama meter of this protocol: leave it out")
    numbered = (replace(url, serial=(url.serial or 0) + at) for at, url in enumerate(urls))
    servers = [ElgamaServer(url, beyond_loopback=beyond_loopback, faults=faults) for url in numbered]
    say("warning: this protocol is experimental")
    _run(servers, lambda: announce_elgama(servers, as_json=as_json))


def _run(servers: Sequence[Place], started: Callable[[], None], lines: Sequence[PseudoTerminal] = ()) -> None:
    try:
        asyncio.run(serve(servers, started, lines))
    except TransportError as error:
        say(f"error: cannot listen: {error}")
        raise Ended(NOT_CONNECTED) from None
    except KeyboardInterrupt:
        pass  # where the system has no signal handlers of the event loop
    say("stopped")


def places(first: ConnectionUrl, count: int) -> list[ConnectionUrl]:
    """Return where `count` meters listen: on ports counted up from the first, or on any free ones."""
    if first.port is None:
        if count > 1:
            raise ConfigurationError(f"{first.place} is one line: it takes one meter, not {count}")
        return [first]
    if first.port and first.port + count - 1 > HIGHEST_PORT:
        raise ConfigurationError(f"{count} ports from {first.port} on go beyond {HIGHEST_PORT}")
    return [replace(first, port=first.port + number if first.port else 0) for number in range(count)]


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


def _mark(url: ConnectionUrl) -> str:
    """Return what tells the secrets of simulators apart that run at the same time."""
    return str(url.port or f"process-{os.getpid()}")
