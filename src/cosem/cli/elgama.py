"""`cosem elgama`: tables of EPQS and EPQM/LZQM meters by their byte protocol, which is experimental."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Annotated, Any, Final, NamedTuple, TypeAlias

import typer

from cosem.cli.failure import NOT_CONNECTED, SESSION_LOST, SOME_FAILED, Ended, complain
from cosem.cli.options import Json
from cosem.cli.report import plain_error, put_json, put_table, say
from cosem.client.elgama import ElgamaReader
from cosem.errors import ConfigurationError, ConnectionFailed, CosemError, DecodeError, ServiceRefused
from cosem.protocol.elgama import models, tables
from cosem.protocol.profile.address import ConnectionUrl

Rows: TypeAlias = list[tuple[str, str]]


class Asked(NamedTuple):
    """One table: how it was written, the octets that ask for it, and what its own octets say."""

    text: str
    octets: bytes
    read: Callable[[bytes], Rows]


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
    asked = [_asked(place.model, text) for text in what or ["clock"]]
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


# --- what a word asks for -------------------------------------------------------------------------------------------


def _octets(data: bytes) -> Rows:
    return [("octets", data.hex(" ").upper() or "none")]


def _clock(read: Callable[[bytes], tables.ClockRecord]) -> Callable[[bytes], Rows]:
    def rows(data: bytes) -> Rows:
        record = read(data)
        return [
            ("local time", record.time.isoformat(" ")),
            ("interval", f"{record.interval} s"),
            ("not understood", record.rest.hex(" ").upper() or "none"),
        ]

    return rows


def _profile(data: bytes) -> Rows:
    record = tables.epqs_profile_record(data)
    return [(f"number {at}", f"{record.scale.value(number):f}") for at, number in enumerate(record.numbers)]


def _registers(data: bytes) -> Rows:
    record = tables.epqs_register_record(data)
    return [
        (f"period {period}, tariff {tariff}", "absent" if number is None else f"{record.scale.value(number):f}")
        for period, numbers in enumerate(record.periods)
        for tariff, number in enumerate(numbers, 1)
    ]


def _records(split: Callable[[bytes], tuple[bytes, ...]]) -> Callable[[bytes], Rows]:
    return lambda data: [(f"record {at}", each.hex(" ").upper()) for at, each in enumerate(split(data))]


class _Word(NamedTuple):
    numbers: tuple[str, ...]
    request: Callable[..., bytes]
    read: Callable[[bytes], Rows]


_EPQS: Final[Mapping[str, _Word]] = MappingProxyType(
    {
        "model": _Word((), lambda: tables.EPQS_MODEL, _octets),
        "clock": _Word((), lambda: tables.EPQS_CLOCK, _clock(tables.epqs_clock)),
        "profile": _Word(("CHANNEL", "INDEX"), tables.epqs_profile, _profile),
        "monthly": _Word(
            ("PERIOD", "CHANNEL"),
            partial(tables.epqs_registers, tables.MONTHLY),
            _registers,
        ),
        "daily": _Word(
            ("PERIOD", "CHANNEL"),
            partial(tables.epqs_registers, tables.DAILY),
            _registers,
        ),
        "events": _Word(("INDEX",), tables.epqs_events, _records(tables.events)),
    }
)
_EPQM: Final[Mapping[str, _Word]] = MappingProxyType(
    {
        "clock": _Word((), lambda: tables.EPQM_CLOCK, _clock(tables.epqm_clock)),
        "profile": _Word(("CHANNEL", "DAY"), tables.epqm_profile, _octets),
        "daily": _Word(
            ("NUMBER",),
            tables.epqm_daily,
            _records(lambda data: tables.epqm_records(data, tables.EPQM_DAILY_OCTETS)),
        ),
        "monthly": _Word(
            ("NUMBER",),
            tables.epqm_monthly,
            _records(lambda data: tables.epqm_records(data, tables.EPQM_MONTHLY_OCTETS)),
        ),
        "power-fails": _Word((), lambda: tables.EPQM_POWER_FAILS, _octets),
        "phase-fails": _Word((), lambda: tables.EPQM_PHASE_FAILS, _octets),
    }
)
_WORDS: Final = {models.EPQS.word: _EPQS, models.EPQM.word: _EPQM}


def _asked(model: str, text: str) -> Asked:
    words = _WORDS[models.named(model, experimental=True).word]
    name, *numbers = text.split(":")
    word = words.get(name.lower())
    if word is None:
        try:
            octets = bytes.fromhex(text)
        except ValueError:
            octets = b""
        if not octets:
            known = ", ".join(":".join((each, *known.numbers)) for each, known in words.items())
            raise ConfigurationError(
                f"{text[:40]!r} is no table of this model: write {known}, or octets in hexadecimal"
            )
        return Asked(text, octets, _octets)
    if len(numbers) != len(word.numbers) or not all(each.isdecimal() and each.isascii() for each in numbers):
        raise ConfigurationError(f"{text[:40]!r}: write {':'.join((name, *word.numbers))}, with decimal numbers")
    return Asked(text, word.request(*(int(each[:9]) for each in numbers)), word.read)
