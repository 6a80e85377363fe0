"""What `cosem simulate` prints of the meters it has started: where each is found, and the command that reads it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain, pairwise
from shlex import quote
from typing import Any, Final

from cosem.cli.report import put, put_json, say
from cosem.cli.simulated_meters import Options, shown
from cosem.cli.simulated_secrets import suite_option
from cosem.cli.spot import Spot
from cosem.meter.associations import AssociationDescription
from cosem.meter.elgama import ElgamaServer
from cosem.meter.han import HanPort
from cosem.meter.one_way import SpeakingPort
from cosem.meter.serve import Server
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.obis import Obis

LOGICAL_DEVICE_NAME: Final = Obis("0.0.42.0.0.255")
EXAMPLES: Final = tuple(map(Obis, ("1.0.1.8.0.255", "7.0.3.0.0.255", "8.0.1.0.0.255", "6.0.1.0.0.255")))
"""What the printed command reads: energy or volume where the meter counts it, else what every meter has."""


def announce(
    servers: Sequence[tuple[Server | SpeakingPort, Spot]], options: Mapping[str, Options], *, as_json: bool
) -> None:
    """Print one line for each meter: its name, the URL where it is found, and the command that reads it."""
    _put([_described(each, spot.seen(each.url), options[each.meter.name]) for each, spot in servers], as_json=as_json)


def announce_elgama(servers: Sequence[ElgamaServer], *, as_json: bool) -> None:
    """Print one line for each Elgama meter."""
    lines = [
        {"meter": str(each.url.serial), "url": str(each.url), "command": f"cosem elgama {quote(str(each.url))}"}
        for each in servers
    ]
    _put(lines, as_json=as_json)


def _put(lines: list[dict[str, Any]], *, as_json: bool) -> None:
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
    association = shown(server.meter.management)
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
    keys = given or _placeholders(shown(port.meter.management))
    return tuple(chain.from_iterable(pair for pair in pairwise(keys) if pair[0] in wanted))


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
