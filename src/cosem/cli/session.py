"""One open association for the length of a command: what is echoed, what is traced, and how it ends."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from cosem.cli.failure import Ended, Phase, complain, exit_code
from cosem.cli.options import Connection
from cosem.cli.report import flags_text, often, say
from cosem.client.client import Client
from cosem.errors import ConfigurationError, CosemError, IncompleteWarning, SecurityWarning
from cosem.io.capture import Recorder
from cosem.io.stream import Stream
from cosem.protocol.association.context import Negotiated
from cosem.protocol.profile import profile_of
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.system_title import title_text

ECHO, TRACE = 1, 2
"""How often -v was given for the interpreted URL, and for every octet."""


@contextmanager
def session(connection: Connection) -> Generator[Client, None, None]:
    """Connect, run the body with the client, and release whatever happens.

    Errors of the meter end in `Ended` after they were explained; ConfigurationError is left to the caller.
    """
    url = connection.address()
    client = prepared(connection, url)
    with warnings_on_stderr():
        try:
            negotiated = client.connect()
        except ConfigurationError:
            raise
        except CosemError as error:
            complain(error, Phase.CONNECTING, url, _maker(client, client.entry.meter_title))
            raise Ended(exit_code(error, Phase.CONNECTING)) from None
        try:
            if connection.verbose >= ECHO:
                for line in negotiated_lines(negotiated):
                    say(line)
            yield client
        except ConfigurationError:
            raise
        except CosemError as error:
            complain(error, Phase.CONNECTED, url, _maker(client, negotiated.peer_title))
            raise Ended(exit_code(error)) from None
        finally:
            if connection.verbose >= ECHO and client.services is not None:
                for name, times in sorted(client.services.exchange.tolerated.items()):
                    say(f"tolerated:  {often(name, times)}")
            client.close()


def prepared(connection: Connection, url: ConnectionUrl) -> Client:
    """Return the client that the options describe, not connected yet; nothing was sent."""
    profile = profile_of(url)
    entry = connection.entry(url)
    opener = _traced if connection.verbose >= TRACE else None
    client = Client.open(url, entry=entry, timing=connection.timing(url), opener=opener)
    if connection.verbose >= ECHO:
        say(f"url:        {url}")
        say(f"understood: {url.interpreted()}")
        say(f"addresses:  {profile.addressing.describe(url)}")
    if connection.verbose >= TRACE and entry.sends_password:
        say("warning: the trace that follows contains the password: change it before you show the trace to anybody")
    return client


def negotiated_lines(negotiated: Negotiated) -> list[str]:
    """Say what an open association allows."""
    services = [each.replace(" ", "-") for each in flags_text(negotiated.conformance).split(", ")]
    lines = [
        f"context:    {_words(negotiated.application_context.name)}, mechanism {_words(negotiated.mechanism.name)}, "
        f"protection {flags_text(negotiated.protection)}",
        f"sizes:      {negotiated.max_send_pdu_size} octets to the meter, {negotiated.max_receive_pdu_size} from it",
        f"services:   {', '.join(services)}",
    ]
    if negotiated.peer_title is not None:
        lines.append(f"meter:      system title {title_text(negotiated.peer_title)}")
    return lines


@contextmanager
def warnings_on_stderr() -> Generator[None, None, None]:
    """Show warnings about security and lost values as one line each, without file names and code."""

    def show(message: Any, category: type[Warning], *_: Any, **__: Any) -> None:
        say(f"warning: {message}")

    with warnings.catch_warnings():
        warnings.simplefilter("always", SecurityWarning)
        warnings.simplefilter("always", IncompleteWarning)
        warnings.showwarning = show
        yield


async def _traced(url: ConnectionUrl, seconds: float) -> Stream:
    return Recorder(await Client.open_stream(url, seconds), say)


def _words(name: str) -> str:
    return name.lower().replace("_", " ").replace("|", " and ")


def _maker(client: Client, title: bytes | None) -> str:
    """Return the letters that a system title begins with, or those of the identification before it."""
    if title is not None:
        return title[:3].decode("latin-1")
    return "" if client.identification is None else client.identification.manufacturer
