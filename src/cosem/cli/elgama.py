"""`cosem elgama`: tables of EPQS and EPQM/LZQM meters by their byte protocol, which is experimental."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cosem.cli.failure import NOT_CONNECTED, SESSION_LOST, SOME_FAILED, Ended, complain
from cosem.cli.options import Json
from cosem.cli.report import plain_error, put_json, put_table, say
from cosem.client.elgama import ElgamaReader
from cosem.errors import ConfigurationError, ConnectionFailed, CosemError, DecodeError, ServiceRefused
from cosem.protocol.elgama import words
from cosem.protocol.elgama.words import Asked
from cosem.protocol.profile.address import ConnectionUrl


def elgama(
    url: Annotated[
        str,
        typer.Argument(
            metavar="URL",
            help="elgama+tcp://HOST:PORT?model=epqs&serial=925948&experimental=yes, or elgama+serial://PORT?… (8N1).",
            show_default=False,
        ),
    ],
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TABLE]...", help="What to read, see above. Left out: clock.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Read tables of an Elgama EPQS or EPQM/LZQM. EXPERIMENTAL: values may be wrong.

    What is known of this protocol rests on four captured frames and one implementation, so that the URL has to say
    experimental=yes. GAMA meters are read by short names instead, by cosem read --naming sn.

    \b
    Tables of both: clock, and any table by its octets in hexadecimal
    EPQS: model, profile:CHANNEL:INDEX, monthly:PERIOD:CHANNEL, daily:PERIOD:CHANNEL, events:INDEX
    EPQM: profile:CHANNEL:DAY, daily:NUMBER, monthly:NUMBER, power-fails, phase-fails

    \b
    Examples:
      cosem elgama 'elgama+tcp://192.0.2.7:4001?model=epqs&serial=925948&experimental=yes'
      cosem elgama 'elgama+serial:///dev/ttyUSB0?model=epqm&serial=925948&experimental=yes' clock daily:0
    """
    place = ConnectionUrl.parse(url)
    if place.framing != "elgama" or place.model is None:
        raise ConfigurationError(f"{place.scheme}: cosem elgama takes elgama+tcp or elgama+serial")
    asked = [words.asked(place.model, text) for text in what or ["clock"]]
    say("warning: this protocol is experimental, and values may be wrong")
    answers: list[tuple[Asked, bytes | None, CosemError | None]] = []
    try:
        with ElgamaReader.open(place) as meter:
            for each in asked:
                try:
                    answers.append((each, meter.table(each.octets), None))
                except ServiceRefused as refused:
                    answers.append((each, None, refused))
    except CosemError as error:
        complain(error, url=place)
        raise Ended(NOT_CONNECTED if isinstance(error, ConnectionFailed) else SESSION_LOST) from None
    shown = [_plain(*answer) for answer in answers]
    if json:
        put_json({"url": str(place), "tables": shown})
    else:
        rows = [(given["asked"], name, text) for given in shown for name, text in given.get("content", {}).items()]
        if rows:
            put_table(("table", "what", "value"), rows)
        for described in shown:
            if "error" in described:
                say(f"error: {described['asked']}: {described['error']['message']}")
    if any("error" in given for given in shown):
        raise Ended(SOME_FAILED)


def _plain(asked: Asked, data: bytes | None, error: CosemError | None) -> dict[str, Any]:
    described: dict[str, Any] = {"asked": asked.text, "request": asked.octets.hex().upper()}
    if data is not None:
        described["octets"] = data.hex().upper()
        try:
            described["content"] = dict(asked.read(data))
        except DecodeError as problem:
            error = problem
    return described if error is None else described | {"error": plain_error(error)}
