"""`cosem read` at the local port of a meter: readouts of IEC 62056-21, and single registers in programming mode."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from typing import Any

from cosem.cli.failure import SOME_FAILED, Ended, Phase, complain, exit_code
from cosem.cli.options import Connection, secret
from cosem.cli.report import plain_error, put_json, put_table, say
from cosem.cli.session import ECHO, TRACE
from cosem.cli.telegrams import quality
from cosem.cli.zone import LocalZone
from cosem.client.iec21 import LocalClient
from cosem.errors import CommandRefused, ConfigurationError, CosemError
from cosem.io.capture import Recorder
from cosem.io.stream import Stream
from cosem.protocol.iec21.message import Check, Command, Option
from cosem.protocol.iec21.readout import Readout
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.local import reader_settings
from cosem.protocol.values.maker import maker
from cosem.protocol.values.obis import Obis
from cosem.readings.reading import Quality, Reading
from cosem.readings.readout import lines
from cosem.readings.telegram import Line

READS = re.compile(r"R[0-9]")


def read_local(
    connection: Connection,
    url: ConnectionUrl,
    wanted: Sequence[str],
    programming: str | None,
    option: str | None,
    zone: tzinfo,
) -> None:
    """Read the whole readout or those lines of it that are wanted; with `programming` each by a command of its own."""
    if programming is not None and not (READS.fullmatch(programming) and wanted):
        raise ConfigurationError("--programming takes a command that reads (R5, R1 …), and what to read with it: 1.8.0")
    if option is not None and option not in tuple(Option):
        raise ConfigurationError(f"--option {option!r}: 0 is the usual readout, 6 to 9 are those of the manufacturer")
    with local_client(connection, url) as client:
        try:
            if programming is None:
                readout = client.readout(Option(option or Option.READOUT))
                refused: list[tuple[str, CosemError]] = []
            else:
                readout, refused = _asked(client, wanted, programming)
        except ConfigurationError:
            raise
        except CosemError as error:
            complain(error, Phase.CONNECTING, url)
            _tell_line(client.counters)
            raise Ended(exit_code(error, Phase.CONNECTING)) from None
    found = lines(readout, zone, datetime.now(UTC))
    if programming is None and wanted:
        found, missing = _chosen(found, wanted)
        refused += [(each, CosemError("the readout has no such line")) for each in missing]
    marked = 0 if readout.fault is not None else sum(line.fault is not None for line in found)
    counters = {**client.counters, "lines_not_understood": marked}
    _show(url, readout, found, refused, counters, as_json=connection.json)
    readings = [reading for line in found for reading in line.readings]
    if isinstance(zone, LocalZone) and any(Quality.ZONE_ASSUMED & reading.quality for reading in readings):
        say(zone.taken)
    if refused or readout.fault is not None or any(line.fault for line in found):
        raise Ended(SOME_FAILED)


def local_client(connection: Connection, url: ConnectionUrl) -> LocalClient:
    if connection.verbose >= ECHO:
        say(f"url:        {url}")
        say(f"understood: {url.interpreted()}")
    settings = reader_settings(url)
    if connection.timeout is not None:
        settings = replace(settings, first_octet=connection.timeout)
    settings = replace(settings, **connection.limits())
    return LocalClient.open(
        url,
        password=secret(connection.password),
        settings=settings,
        opener=_traced if connection.verbose >= TRACE else None,
    )


async def _traced(url: ConnectionUrl, seconds: float) -> Stream:
    return Recorder(await LocalClient.open_stream(url, seconds), say)


def _asked(client: LocalClient, wanted: Sequence[str], command: str) -> tuple[Readout, list[tuple[str, CosemError]]]:
    """Ask for each address by itself; what is refused is told, and the others are read all the same."""
    data = b""
    refused: list[tuple[str, CosemError]] = []
    client.enter()
    for address in wanted:
        try:
            answer = client.command(Command(command, f"{address}()".encode("ascii", "replace")))
        except CommandRefused as error:
            refused.append((address, error))
            continue
        answer = answer or b""
        data += (
            (address.encode("ascii", "replace") if answer.startswith(b"(") else b"") + answer.rstrip(b"\r\n") + b"\r\n"
        )
    return Readout.of(client.identification, data, Check.RIGHT), refused


def _chosen(found: list[Line], wanted: Sequence[str]) -> tuple[list[Line], list[str]]:
    chosen: list[Line] = []
    missing: list[str] = []
    for each in wanted:
        code = _code(each)
        fits = [line for line in found if line.code == each or (code is not None and _code(line.code) == code)]
        chosen += fits
        missing += [] if fits else [each]
    return chosen, missing


def _code(text: str) -> Obis | None:
    try:
        return Obis(text)
    except ConfigurationError:
        return None


def _show(
    url: ConnectionUrl,
    readout: Readout,
    found: list[Line],
    refused: list[tuple[str, CosemError]],
    counters: Mapping[str, int],
    *,
    as_json: bool,
) -> None:
    if as_json:
        put_json(
            {
                "url": str(url),
                "identification": None if readout.identification is None else str(readout.identification),
                "maker": None if readout.identification is None else maker(readout.identification.manufacturer),
                "check": readout.check.value,
                "line": {name: count for name, count in counters.items() if count},
                "lines": [_plain(line) for line in found],
                "refused": [{"asked": asked, "error": plain_error(error)} for asked, error in refused],
            }
        )
    else:
        if readout.identification is not None:
            say(f"meter: {readout.identification}")
            made = maker(readout.identification.manufacturer)
            if made is not None:
                say(f"maker: {made}")
        sound = [line for line in found if line.fault is None]
        if sound:
            put_table(
                ("code", "name", "value", "unit", "time"),
                [row for line in sound for row in _rows(line)],
                right=("value",),
            )
    if readout.fault is not None:
        say(f"error: nothing of this readout can be believed: {readout.fault}")
    else:
        for line in found:
            if line.fault is not None:
                say(f"error: {line.code or line.text}: {line.fault}; the line says {line.text}")
    for asked, error in refused:
        say(f"error: {asked}: {error}")
    _tell_line(counters)


def _tell_line(counters: Mapping[str, int]) -> None:
    if any(counters.values()):
        say(f"line: {quality(counters)}")


def _rows(line: Line) -> list[tuple[str, str, str, str, str]]:
    if not line.readings:
        return [(line.code, line.meaning, line.text, "", "")]
    return [(line.code, line.meaning, *_shown(reading), _time(reading.time)) for reading in line.readings]


def _time(moment: datetime) -> str:
    return moment.isoformat(sep=" ", timespec="seconds")


def _shown(reading: Reading) -> tuple[str, str]:
    quantity = reading.quantity
    return reading.text, "" if quantity is None else quantity.symbol


def _plain(line: Line) -> dict[str, Any]:
    described: dict[str, Any] = {"code": line.code, "name": line.meaning, "text": line.text}
    if line.fault is not None:
        return described | {"fault": line.fault}
    return described | {
        "readings": [
            {
                "obis": str(reading.obis),
                "value": reading.value,
                "unit": _shown(reading)[1],
                "time": reading.time.isoformat(),
            }
            for reading in line.readings
        ]
    }
