"""`cosem probe`: how to talk to an unknown meter."""

from __future__ import annotations

from shlex import quote
from typing import Annotated, Any, Final

import typer

from cosem.cli.failure import NOT_CONNECTED, Ended
from cosem.cli.options import Json, key, secret
from cosem.cli.report import escaped, plain_error, plain_value, put, put_json, say, value_text
from cosem.cli.session import warnings_on_stderr
from cosem.client.access import Access, access
from cosem.client.attempts import target_of
from cosem.client.client import Client
from cosem.client.probe import probe as search
from cosem.client.verdict import READ, Found, NotFound
from cosem.io import blocking

NAME: Final = "0.0.42.0.0.255"
CLOCK: Final = "0.0.1.0.0.255:time"
"""What the printed command reads: the logical device name where the meter tells it, else its time."""

KEPT_ELSEWHERE: Final = ("file:", "env:")
PLACEHOLDER: Final = "file:PATH"
"""How the printed command names a secret that was written out: it is shown to nobody."""


def probe(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="Where the meter is: HOST[:PORT], a serial device such as /dev/ttyUSB0 or COM3, or a URL.",
            show_default=False,
        ),
    ],
    password: Annotated[
        str | None,
        typer.Option(metavar="SECRET", help="Password to enter with: file:PATH, env:NAME or text.", show_default=False),
    ] = None,
    ek: Annotated[
        str | None, typer.Option(metavar="KEY", help="Encryption key to enter with.", show_default=False)
    ] = None,
    ak: Annotated[
        str | None, typer.Option(metavar="KEY", help="Authentication key to enter with.", show_default=False)
    ] = None,
    serial_number: Annotated[
        str | None,
        typer.Option(
            "--serial-number",
            metavar="DIGITS",
            help="What the plate of the meter says: makers derive HDLC addresses from it, which are tried first.",
            show_default=False,
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(min=1, help="How long it may take.", show_default="60 on a network, 300 on a serial line"),
    ] = None,
    json: Json = False,
) -> None:
    """Find how to talk to an unknown meter: framing, speed, sign-on, addresses, client; and who it is.

    It only reads, begins as the public client, and uses no password unless one is given. What it tries and sees is told
    on stderr, with the command that goes on from there at the end; stdout gets the connection URL.

    \b
    Examples:
      cosem probe 192.0.2.7
      cosem probe /dev/ttyUSB0
      cosem probe /dev/ttyUSB0 --serial-number 02141421
      cosem probe 192.0.2.7:8000 --json
    """
    place, entry = target_of(target), _entry(password, ek, ak)
    secrets = secrets_as_given({"--password": password, "--ek": ek, "--ak": ak})
    found: list[Found | NotFound] = []

    async def run() -> None:
        words: dict[str, Any] = {"entry": entry, "serial_number": serial_number, "seconds": seconds}
        found.append(await search(place, Client.open_stream, say, **words))

    with warnings_on_stderr():
        blocking.run(run())
    (result,) = found
    if json:
        put_json(plain(result, secrets))
    elif isinstance(result, Found):
        put(escaped(str(result.url)))
    if isinstance(result, Found):
        for line in described(result, secrets):
            say(line)
        return
    for line in failed(result):
        say(line)
    raise Ended(NOT_CONNECTED)


def plain(result: Found | NotFound, secrets: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a result for JSON; `secrets` are the options with which they are given to the next command."""
    if isinstance(result, NotFound):
        return {
            "url": None,
            "layer": result.layer,
            "means": result.meaning.sentence,
            "causes": list(result.meaning.causes),
            "try": result.meaning.remedy,
            "heard": [each.value for each in result.heard],
        }
    who = result.identity
    return {
        "url": str(result.url),
        "speaks": result.speech.value,
        "options": list(result.options),
        "command": result.command,
        "next": _next(result, secrets) or None,
        "note": result.note or None,
        "entered": result.entered,
        "refused": None if result.refused is None else plain_error(result.refused),
        "logical_device_name": who.logical_device_name,
        "maker": who.maker,
        "firmware": who.firmware,
        "objects": result.objects,
        "readable_attributes": result.readable,
        "health": {str(instance): plain_value(value) for instance, value in result.health},
        "clock_offset_seconds": None if result.clock is None else round(result.clock.total_seconds(), 1),
    }


def described(found: Found, secrets: tuple[str, ...] = ()) -> list[str]:
    """Say what was found, one thing a line, and last the command that goes on from there."""
    who = found.identity
    clock = None if found.clock is None else f"{found.clock.total_seconds():+.1f} s against this computer"
    lines = None if found.readable is None else f"{found.readable} lines in its readout"
    seen = lines if found.objects is None else f"{found.objects} objects, {found.readable} attributes to be read"
    health = ", ".join(f"{instance} is {value_text(value)}" for instance, value in found.health)
    refused = None if found.refused is None else f"{found.refused}"
    needs = " ".join((*found.options, *(("the access that was given",) if found.given else ())))
    rows = (
        ("found", f"{found.speech.value}; {found.url.interpreted()}"),
        ("meter", who.logical_device_name),
        ("maker", who.maker),
        ("firmware", who.firmware),
        ("shows", seen),
        ("health", health),
        ("clock", clock),
        ("refused", refused),
        ("needs", needs),
        ("note", found.note),
        ("next", _next(found, secrets) or UNASKED),
    )
    return [f"{name + ':':10}{text}" for name, text in rows if text]


UNASKED: Final = "nothing to ask: it pushes, and answers nobody; cosem decode looks into what it sends"


def _next(found: Found, secrets: tuple[str, ...]) -> str:
    """Return the command that goes on from here, as a shell takes it; "" where there is none."""
    if not found.command:
        return ""
    words = ["cosem", found.command, str(found.url)]
    if found.command == READ and found.url.framing in ("wrapper", "hdlc"):
        words.append(NAME if found.identity.logical_device_name or found.clock is None else CLOCK)
        words += [word for each in found.options if each.startswith("--naming") for word in each.split()]
        words += secrets if found.given else _asked_for(found)
    return " ".join(map(quote, words))


def _asked_for(found: Found) -> tuple[str, ...]:
    """Return the option that a meter which has let nobody in wants first."""
    return ("--password", PLACEHOLDER) if any(each.startswith("--password") for each in found.options) else ()


def secrets_as_given(given: dict[str, str | None]) -> tuple[str, ...]:
    """Return options for secrets as they were given, but for those that were written out."""
    options: list[str] = []
    for option, value in given.items():
        if value is not None:
            options += [option, value if value.startswith(KEPT_ELSEWHERE) else PLACEHOLDER]
    return tuple(options)


def failed(result: NotFound) -> list[str]:
    """Say which layer failed, and why that may be."""
    heard = ", ".join(each.value for each in result.heard)
    return [
        f"error: no meter found: {result.meaning.sentence}",
        f"  layer:    {result.layer}",
        *([f"  heard:    {heard}"] if heard else []),
        *(f"  {'likely:' if not number else '':9} {cause}" for number, cause in enumerate(result.meaning.causes)),
        f"  try:      {result.meaning.remedy}",
    ]


def _entry(password: str | None, ek: str | None, ak: str | None) -> Access | None:
    if password is None and ek is None and ak is None:
        return None
    return access(password=secret(password), ek=key("--ek", ek), ak=key("--ak", ak))
