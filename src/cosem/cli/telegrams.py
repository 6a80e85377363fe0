"""How what meters say that only speak is shown: by `cosem listen` as it comes, and by `cosem decode` from a paste."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from cosem.cli.report import escaped, plain_error, put, say
from cosem.client.follow import Heard, lines_of
from cosem.errors import ConfigurationError
from cosem.protocol.iec21 import Discarded, p1, tic
from cosem.protocol.iec21.p1 import P1Keys, Telegram
from cosem.protocol.iec21.tic import Frame
from cosem.protocol.model import catalogue
from cosem.readings.han import HanTelegram
from cosem.readings.reading import Reading
from cosem.readings.telegram import Line

HEADINGS: Final = ("time", "code", "value", "unit", "what it is")
SHOWN: Final = 64
"""Octets that are shown of what was no telegram; --json gives all of them."""


def headings() -> None:
    """Write the headings, once."""
    put(_row(*HEADINGS))


def show(heard: Heard, zone: tzinfo, *, believed_only: bool = True) -> None:
    """Write the lines of a telegram on stdout, and what is wrong with them on stderr.

    Of a telegram whose check is wrong nothing is shown, unless `believed_only` is off.
    """
    error = heard.error if isinstance(heard, Telegram) else None
    if error is not None:
        say(f"set aside, {_name(heard)}: {error}")
        if believed_only:
            return
    for line in lines_of(heard, zone, datetime.now(UTC)):
        if line.readings:
            for reading in line.readings:
                put(_reading_row(reading))
        elif line.text and (line.fault is None or error is not None):
            put(_line_row(line))
        elif line.fault is not None:
            say(f"not understood: {line.code}{'' if line.code else '-'} {line.text[:SHOWN]}: {line.fault}")


def set_aside(discarded: Discarded) -> None:
    """Say what was no telegram."""
    octets = discarded.octets[:SHOWN].hex().upper() + ("..." if len(discarded.octets) > SHOWN else "")
    say(f"set aside: {discarded.error}; {len(discarded.octets)} octets: {octets}")


def plain(heard: Heard | Discarded, zone: tzinfo) -> dict[str, Any]:
    """Return a telegram, or what was none, for JSON."""
    if isinstance(heard, Discarded):
        return {
            "kind": "discarded",
            "verified": False,
            "octets": heard.octets.hex().upper(),
            "error": plain_error(heard.error),
        }
    lines = lines_of(heard, zone, datetime.now(UTC))
    error = heard.error if isinstance(heard, Telegram) else None
    return {
        **_head(heard),
        "error": None if error is None else plain_error(error),
        "readings": [_plain_reading(reading, line) for line in lines for reading in line.readings],
        "other": [_plain_line(line) for line in lines if not line.readings and line.fault is None and line.text],
        "not_understood": [
            {"code": line.code, "text": line.text, "fault": line.fault} for line in lines if line.fault is not None
        ],
    }


def quality(counters: Mapping[str, int]) -> str:
    """Return the quality of a line in words."""
    found = [f"{count} {name.replace('_', ' ')}" for name, count in sorted(counters.items()) if count]
    return ", ".join(found) or "nothing was heard"


def pasted(text: str) -> list[Heard | Discarded]:
    """Return the telegrams in a paste of text: P1, whole or without its end, and TIC; none where it is neither."""
    lines = [line.strip("\r\x02\x03") for line in text.splitlines()]
    first = next((at for at, line in enumerate(lines) if _IDENTIFICATION.match(line.strip())), None)
    if first is not None and any(_DATA_LINE.match(line.strip()) for line in lines[first:]):
        body = "".join(f"{line.strip()}\r\n" for line in lines[first:])
        ended = any(line.strip().startswith("!") for line in lines[first:])
        return list(p1.telegrams(_octets(body if ended else f"{body}!\r\n")))
    groups = tic.groups(_octets("".join(f"\n{line}\r" for line in lines if line.strip())))
    sound = sum(group.error is None for group in groups)
    if sound >= _TIC_GROUPS and 2 * sound >= len(groups):
        return [Frame(b"", groups)]
    return []


def telegrams_in(octets: bytes, keys: P1Keys | None) -> list[Heard | Discarded]:
    """Return the P1 telegrams that octets consist of, opened with the keys; none where there is none."""
    if not (octets.lstrip(b"\r\n")[:1] == b"/" or (octets[:2] == b"\xdb\x08" and keys is not None)):
        return []
    found: list[Heard | Discarded] = list(p1.telegrams(octets, keys))
    return found if any(isinstance(each, Telegram) for each in found) else []


def _octets(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise ConfigurationError(f"a telegram has no character like {text[error.start]!r}") from None


def _head(heard: Heard) -> dict[str, Any]:
    if isinstance(heard, Telegram):
        return {
            "kind": "p1",
            "identification": heard.identification,
            "version": heard.version,
            "check": heard.check.value,
            "verified": heard.error is None,
            "system_title": None if heard.seal is None else heard.seal.system_title.hex().upper(),
            "invocation_counter": None if heard.seal is None else heard.seal.invocation_counter,
        }
    if isinstance(heard, Frame):
        return {"kind": "tic", "mode": heard.mode.value, "meter": heard.meter, "complete": heard.complete}
    if isinstance(heard, HanTelegram):
        title = heard.system_title
        return {
            "kind": "han",
            "list": None if heard.list is None else heard.list.name,
            "verified": heard.verified,
            "system_title": None if title is None else title.hex().upper(),
            "invocation_counter": heard.invocation_counter,
        }
    return {"kind": "sml", "server_id": heard.server_id}


def _name(heard: Heard) -> str:
    return heard.identification if isinstance(heard, Telegram) else str(_head(heard)["kind"])


def _plain_reading(reading: Reading, line: Line) -> dict[str, Any]:
    return {
        "obis": str(reading.obis),
        "code": line.code,
        "name": catalogue.lookup(reading.obis).name,
        "value": reading.value,
        "unit": reading.unit.symbol,
        "time": reading.time.isoformat(),
        "profile": None if reading.profile is None else str(reading.profile),
        "channel": reading.obis.b,
    }


def _plain_line(line: Line) -> dict[str, Any]:
    return {
        "code": line.code,
        "name": line.meaning,
        "value": line.text if line.quantity is None else line.quantity.value,
        "unit": "" if line.quantity is None else line.quantity.symbol,
        "time": None if line.time is None else line.time.isoformat(),
    }


def _reading_row(reading: Reading) -> str:
    name = catalogue.lookup(reading.obis).name
    if reading.profile is not None:
        name += f", of {catalogue.lookup(reading.profile).name}"
    return _row(_time(reading.time), str(reading.obis), reading.text, reading.unit.symbol, name)


def _line_row(line: Line) -> str:
    value, unit = (
        (line.text.strip(), "") if line.quantity is None else (f"{line.quantity.value:f}", line.quantity.symbol)
    )
    return _row("" if line.time is None else _time(line.time), line.code, value, unit, line.meaning)


def _time(moment: datetime) -> str:
    return moment.isoformat(sep=" ", timespec="seconds")


def _row(moment: str, code: str, value: str, unit: str, name: str) -> str:
    return escaped(f"{moment:<25}  {code:<17}  {value:>14}  {unit:<5}  {name}").rstrip()


_IDENTIFICATION: Final = re.compile(r"/[A-Za-z]{3}")
_DATA_LINE: Final = re.compile(r"\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3}[^()]*\(")
_TIC_GROUPS: Final = 2
"""Groups with right checksums that make a paste one of the TIC."""
