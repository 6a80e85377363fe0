"""Checking Signals: each row by the columns of its device's driver, and what must be there once only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from cosem.errors import ConfigurationError
from cosem.gateway.config.book import Row, Sheet
from cosem.gateway.config.check_devices import CheckedDevices
from cosem.gateway.config.columns import SIGNALS
from cosem.gateway.config.configuration import (
    DlmsJob,
    ElgamaJob,
    Iec21Job,
    Job,
    Signal,
    Source,
    Verb,
    Writing,
)
from cosem.gateway.config.elgama_jobs import check_job, check_tag
from cosem.gateway.config.finding import DriverName
from cosem.gateway.config.kinds import Job as JobKind
from cosem.gateway.config.rows import Entry, Findings, check_headings, entry
from cosem.gateway.value import NumberType
from cosem.protocol.values.obis import Obis

_KNOWN: Final = MappingProxyType(
    {name: True for table in SIGNALS.values() for column in table for name in (column.name, *column.synonyms)}
)
_TYPES: Final = MappingProxyType({str(each.value): each for each in NumberType})
_ALWAYS: Final = ("signal_name", "device_alias", "signal_alias")
_JOBS: Final = frozenset({"obis_job", "tag_job_todo", "job_todo", "number_type"})
"""Columns that say what is read; a status signal has none."""

_ONCE: Final = MappingProxyType({"topic": "topic", "ioa": "information object address", "node": "node"})


def check_signals(sheet: Sheet, devices: CheckedDevices, findings: Findings) -> list[Signal]:
    """Return the signals of a sheet; what is wrong with it goes to `findings`."""
    check_headings(sheet, _KNOWN, _ALWAYS, findings)
    signals: list[Signal] = []
    aliases: dict[str, Entry] = {}
    taken: dict[tuple[str, Any], Entry] = {}
    registers: dict[int, Entry] = {}
    for row in sheet.rows:
        alias = row.cells["device_alias"].text if "device_alias" in row.cells else ""
        if alias in devices.drivers and devices.drivers[alias] is None:
            continue  # its device has no driver, which was said
        driver = devices.drivers.get(alias) or _driver_of(row)
        if driver is None:
            _orphan(sheet, row, alias, findings)
            continue
        status = "source" in row.cells and row.cells["source"].text.lower() == Source.STATUS.value
        excused = _JOBS if status else frozenset[str]()
        found = entry(sheet, row, SIGNALS[driver], findings, stops=frozenset({driver}), excused=excused)
        if found["device_alias"] is not None and alias not in devices.drivers:
            found.fault("device_alias", "there is no such device", "an alias of the sheet Devices")
        _check_once(found, aliases, taken, registers)
        signal = _signal(found, driver, devices.models.get(alias), status=status)
        if signal is not None:
            signals.append(signal)
    return signals


def _driver_of(row: Row) -> DriverName | None:
    """Return the driver that a row is made for by its columns, where its device is not known."""
    for column, driver in (
        ("obis_job", DriverName.DLMS),
        ("job_todo", DriverName.ELGAMA),
        ("tag_job_todo", DriverName.IEC21),
    ):
        if column in row.cells:
            return driver
    return None


def _orphan(sheet: Sheet, row: Row, alias: str, findings: Findings) -> None:
    found = Entry(sheet.name, row, findings, frozenset())
    reason = "there is no such device" if alias else "it is required, and empty"
    found.fault("device_alias", reason, "an alias of the sheet Devices")


def _check_once(
    found: Entry, aliases: dict[str, Entry], taken: dict[tuple[str, Any], Entry], registers: dict[int, Entry]
) -> None:
    alias = found["signal_alias"]
    if alias is not None:
        _first(found, aliases.setdefault(alias, found), "signal_alias", "an alias of its own")
    for column, what in _ONCE.items():
        if found[column] is not None:
            _first(found, taken.setdefault((column, found[column]), found), column, f"a {what} of its own")
    start = found["register"]
    if start is None:
        return
    word = found["number_type"]
    width = _TYPES[word].registers if word else 1
    if width is None:
        found.fault("register", f"Modbus does not carry {word}", "an empty cell")
        return
    coil = width == 0
    for register in range(start, start + max(width, 1)):
        if register > 0xFFFF:
            found.fault(
                "register", f"{word} takes {width} registers, and the last is 65535", f"up to {0x10000 - width}"
            )
            return
        key = -1 - register if coil else register  # coils have numbers of their own
        first = registers.setdefault(key, found)
        if first is not found:
            _first(found, first, "register", "registers of its own")
            return


def _first(found: Entry, first: Entry, column: str, allowed: str) -> None:
    if first is not found:
        found.stops |= first.stops
        found.fault(column, f"it is that of row {first.row.number} already", allowed)


def _signal(found: Entry, driver: DriverName, model: int | None, *, status: bool) -> Signal | None:
    job = None if status else _READ[driver](found, model)
    source = Source(found["source"])
    if source in (Source.PROFILE, Source.EVENTS) and not found["profile"]:
        found.fault(
            "profile", f"it is required with source {source.value}, and empty", "the OBIS code of a profile or log"
        )
    if driver is DriverName.DLMS and found["profile"]:
        try:
            found.values["profile"] = str(Obis(found["profile"]))
        except ConfigurationError:
            found.fault("profile", "it is no OBIS code", "an OBIS code as in 1.0.99.1.0.255")
    writing = _writing(found, driver) if found["write"] else None
    if not found.sound:
        return None
    word = found["number_type"]
    number_type = None if word is None else _TYPES[word]
    return Signal(
        alias=found["signal_alias"],
        name=found["signal_name"],
        device=found["device_alias"],
        job=job,
        enabled=bool(found["enable"]),
        log=found["log"],
        number_type=NumberType.DIGITAL if status and number_type is None else number_type,
        source=source,
        profile=found["profile"],
        units=found["units"],
        multiply=Decimal(found["multiply"]),
        offset=Decimal(found["offset"]),
        deadband=Decimal(found["deadband"]),
        on_change=bool(found["publish_on_change"]),
        topic=found["topic"],
        register=found["register"],
        ioa=found["ioa"],
        node=found["node"],
        writing=writing,
        row=found.row.number,
    )


def _dlms(found: Entry, model: int | None) -> Job | None:
    if found["obis_job"] is None:
        return None
    obis, attribute = found["obis_job"]
    return DlmsJob(obis, attribute, found["short_name"] or 0, found["class_id"] or 0)


def _iec21(found: Entry, model: int | None) -> Job | None:
    tag = found["tag_job_todo"]
    return None if tag is None else Iec21Job(tag)


def _elgama(found: Entry, model: int | None) -> Job | None:
    job, tag = found["job_todo"], found["tag_job_todo"]
    if job is None or tag is None or model is None:
        return None
    column = "job_todo"
    try:
        check_job(model, job)
        column = "tag_job_todo"
        check_tag(model, job, tag)
    except ConfigurationError as refused:
        found.fault(column, str(refused))
        return None
    return ElgamaJob(job, tag)


_READ: Final[Mapping[DriverName, Callable[[Entry, int | None], Job | None]]] = MappingProxyType(
    {DriverName.DLMS: _dlms, DriverName.IEC21: _iec21, DriverName.ELGAMA: _elgama}
)


def _writing(found: Entry, driver: DriverName) -> Writing | None:
    if driver is DriverName.ELGAMA:
        found.fault("write", "nothing public says how these meters are written", "0")
        return None
    verb, text = Verb(found["command"]), found["command_job"]
    job: DlmsJob | Iec21Job | None = None
    if driver is DriverName.IEC21:
        if verb is Verb.METHOD:
            found.fault("command", "IEC 62056-21 has no methods", Verb.SET.value)
        job = Iec21Job(text) if text else None
    elif text:
        try:
            obis, attribute = JobKind().read(text)
            job = DlmsJob(obis, attribute)
        except ValueError as refused:
            found.fault("command_job", str(refused), JobKind().allowed)
    if (
        driver is DriverName.DLMS
        and verb is Verb.METHOD
        and not (isinstance(job, DlmsJob) and job.attribute is not None)
    ):
        found.fault("command_job", "a method is named by its object and number", "OBIS:NUMBER as in 0.0.96.3.10.255:1")
    if not text and found["source"] != Source.VALUE.value:
        found.fault(
            "command_job", f"a signal of source {found['source']} reads nothing that could be written", "what is"
        )
    lowest, highest = found["lowest"], found["highest"]
    if lowest is not None and highest is not None and lowest > highest:
        found.fault("highest", "it is below lowest", f"{lowest} or more")
    origins = frozenset(each.strip().lower() for each in (found["command_from"] or "").split(",") if each.strip())
    found.note("write", f"commands to it are taken from {', '.join(sorted(origins)) or 'all outputs'}")
    return Writing(verb=verb, job=job, select=found["select_seconds"], origins=origins, lowest=lowest, highest=highest)
