"""`cosem gateway run`: read devices by the tables and hand their values on, until it is asked to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cosem.cli.failure import BAD_USAGE, NOT_CONNECTED, SOME_FAILED, Ended
from cosem.cli.gateway.check import plain as checked
from cosem.cli.gateway.check import summary
from cosem.cli.options import Json
from cosem.cli.report import own_version, plain_value, put, put_json, put_table, say
from cosem.errors import ConfigurationError
from cosem.gateway import config
from cosem.gateway.config import Configuration, Device, DriverName
from cosem.gateway.config.check_outputs import is_public
from cosem.gateway.engine import Gateway
from cosem.gateway.frames import Heard, Secrets, decoded, secrets_of
from cosem.gateway.northbound.text import words
from cosem.gateway.outputs import output_of
from cosem.gateway.points import point_of
from cosem.gateway.value import Quality, Sample
from cosem.io.capture import TraceEntry
from cosem.protocol.profile.dissect import Dissector

LEVELS: Final = (
    *(logging.CRITICAL, logging.CRITICAL, logging.CRITICAL, logging.ERROR),
    *(logging.WARNING, logging.WARNING, logging.INFO, logging.DEBUG),
)
"""What is shown at each level, from 0 to 7, as the log levels of systems are counted."""
FRAMES: Final = 7
"""The level at which every frame is shown."""
USUAL: Final = 5
LOOK_SECONDS: Final = 2.0
"""How often the file of the tables is looked at."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What of a running gateway is shown: up to which level, of which drivers, and of which port; empty for all."""

    level: int = USUAL
    drivers: frozenset[DriverName] = frozenset()
    port: str = ""

    def has(self, device: Device) -> bool:
        """Tell whether something of a device is shown."""
        parameters = device.parameters
        ports = (parameters.line, parameters.device, str(parameters.port or ""))
        return (not self.drivers or device.driver in self.drivers) and (not self.port or self.port in ports)


ConfigOption = Annotated[
    Path | None,
    typer.Option("-c", "--config", metavar="FILE", help="The tables: .xlsx, .json, .toml, or a folder of CSV files."),
]
PortOption = Annotated[
    str, typer.Option("-p", "--port", metavar="PORT", help="Show what happens on this port or line only.")
]
LevelOption = Annotated[
    int, typer.Option("-d", "--debug", min=0, max=7, help="How much is shown: 0 to 7; 7 shows every frame decoded.")
]
OnceOption = Annotated[bool, typer.Option("--once", help="Scan every device once, show the values, and end.")]
DryOption = Annotated[
    bool, typer.Option("--dry-run", help="Check, show what would run and the maps of the outputs, and end.")
]
PageOption = Annotated[
    str,
    typer.Option(
        "--page", metavar="HOST:PORT", help="Serve the status page there, as 127.0.0.1:8088.", show_default=False
    ),
]
DlmsOption = Annotated[bool, typer.Option("--dlms", help="Show what the DLMS driver does.")]
Iec21Option = Annotated[bool, typer.Option("--iec21", "--iec-62056-21", help="… the driver of IEC 62056-21.")]
ElgamaOption = Annotated[bool, typer.Option("--elgama", help="… the driver of Elgama.")]


def run(
    path: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="The tables, as with -c.", show_default=False),
    ] = None,
    configuration: ConfigOption = None,
    port: PortOption = "",
    level: LevelOption = USUAL,
    once: OnceOption = False,
    dry_run: DryOption = False,
    page: PageOption = "",
    dlms: DlmsOption = False,
    iec21: Iec21Option = False,
    elgama: ElgamaOption = False,
    json: Json = False,
) -> None:
    """Run the gateway: scan the devices of the tables and hand their values to the outputs, until Ctrl-C.

    When the file changes it is read again: lines and outputs that did not change go on, and a faulty file changes
    nothing. A driver whose rows have faults does not start; the others do.

    \b
    Examples:
      cosem gateway -c gateway.xlsx
      cosem gateway run gateway.toml --once --json
      cosem gateway run plant/ -d7 --dlms
    """
    given = path or configuration
    if given is None:
        raise ConfigurationError("say where the tables are: cosem gateway -c FILE; cosem gateway new writes a template")
    chosen = {DriverName.DLMS: dlms, DriverName.IEC21: iec21, DriverName.ELGAMA: elgama}
    start(
        given,
        Shown(level, frozenset(name for name, on in chosen.items() if on), port),
        once=once,
        dry_run=dry_run,
        as_json=json,
        page=page,
    )


def start(path: Path, shown: Shown, *, once: bool, dry_run: bool, as_json: bool, page: str = "") -> None:
    """Run tables, or with `once` or `dry_run` only a part of that; `page` is where the status page is to be."""
    found = _read(path, page)
    _complain(found)
    if dry_run:
        _show_plan(found, as_json=as_json)
        if found.faults:
            raise Ended(SOME_FAILED)
        return
    if not found.devices:
        say("error: there is nothing to run; cosem gateway check says why, all at once")
        raise Ended(BAD_USAGE)
    _log_to_stderr(found, shown)
    if once:
        asyncio.run(_once(path, found, shown, as_json=as_json))
    else:
        asyncio.run(_forever(path, found, shown, page))


def _read(path: Path, page: str) -> Configuration:
    """Read the tables, with the page where the command line wants it."""
    found = config.read(path)
    if not page:
        return found
    settings = replace(found.settings, page=page)
    if is_public(page) and not (settings.page_certificate and settings.page_key and settings.page_token):
        raise ConfigurationError(
            f"others can reach {page}: the sheet Settings has to have page_certificate, page_key and page_token"
        )
    return replace(found, settings=settings)


# -- running ----------------------------------------------------------------------------------------------------------


async def _once(path: Path, found: Configuration, shown: Shown, *, as_json: bool) -> None:
    gateway = _Showing(path.parent, shown)
    try:
        await gateway.start(found, scanning=False)
        await gateway.once()
    finally:
        await gateway.close()
    _show_samples(found, gateway.seen, as_json=as_json)
    missing = [each for each in gateway.seen.values() if each.quality & (Quality.INVALID | Quality.NOT_TOPICAL)]
    devices = {each.alias for each in found.devices if each.enabled}
    unread = {each.alias for each in found.signals if each.enabled and each.device in devices} - set(gateway.seen)
    for alias in sorted(unread):
        say(f"error: {alias} was not read")
    if unread or missing:
        raise Ended(NOT_CONNECTED if not gateway.seen else SOME_FAILED)


async def _forever(path: Path, found: Configuration, shown: Shown, page: str) -> None:
    stop, again = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    if sys.platform != "win32":  # whose event loops take no signal handlers
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, again.set)
    gateway = _Showing(path.parent, shown)
    try:
        await gateway.start(found)
        say(f"running {path}: {summary(found)[0]}; stop with Ctrl-C")
        for name, each in gateway.outputs.items():
            say(f"output {name}: {each.row.kind}, {len(each.output.map()) - 1} points")
        if gateway.page is not None:
            say(f"status page: {gateway.page.url}")
        watching = asyncio.create_task(_watch(path, page, gateway, again))
        await stop.wait()
        watching.cancel()
        await asyncio.wait([watching])
    finally:
        await gateway.close()
    say("stopped")


async def _watch(path: Path, page: str, gateway: Gateway, again: asyncio.Event) -> None:
    """Read the tables again when their file changes, or when somebody asks for it."""
    before = _state(path)
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await again.wait()
        now = _state(path)
        if not again.is_set() and now == before:
            continue
        again.clear()
        before = now
        found = await asyncio.to_thread(_read, path, page)
        if found.faults:
            say(f"{path} has changed and has {len(found.faults)} faults: what runs goes on; cosem gateway check {path}")
            continue
        try:
            await gateway.start(found)
        except ConfigurationError as refused:
            say(f"{path} has changed and cannot be run: {refused}; what ran goes on")
        else:
            say(f"{path} has changed: {summary(found)[0]}")


def _state(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Return what tells one version of the tables from another."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    found: list[tuple[str, int, int]] = []
    for each in files:
        with contextlib.suppress(OSError):
            about = each.stat()
            found.append((each.name, about.st_mtime_ns, about.st_size))
    return tuple(found)


class _Showing(Gateway):
    """A gateway whose frames are shown where that is wanted, and whose last values are known."""

    def __init__(self, folder: Path, shown: Shown) -> None:
        super().__init__(folder, heard=self._shows)
        self.seen: dict[str, Sample] = {}
        self._shown = shown

    async def deliver(self, samples: Sequence[Sample]) -> None:
        self.seen.update({each.signal: each for each in samples})
        await super().deliver(samples)

    def _shows(self, device: Device) -> Heard | None:
        wanted = self._shown.level >= FRAMES and self._shown.has(device)
        return Frames(device.alias, Secrets(secrets_of(device))).show if wanted else None


@dataclass(slots=True)
class Frames:
    """Shows what goes over the line of a device: a line of trace, and what is in it."""

    alias: str
    secrets: Secrets = field(default_factory=Secrets)
    dissector: Dissector = field(default_factory=Dissector)

    def show(self, entry: TraceEntry) -> None:
        """Show octets that went one way."""
        found = decoded(entry.direction, entry.time, entry.octets, self.secrets, self.dissector)
        say(f"{self.alias} {found.direction}: {found.time} {found.octets}")
        for text in found.lines or (found.summary,):
            say(f"{self.alias}      {text}")


# -- what is shown ----------------------------------------------------------------------------------------------------


def _log_to_stderr(found: Configuration, shown: Shown) -> None:
    """Send what the gateway has to say to stderr, as much of it as is wanted."""
    aliases = {each.alias for each in found.devices if shown.has(each)}

    class OfDevice(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            alias = getattr(record, "device", None)
            return alias is None or alias in aliases

    class Say(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            say(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {record.getMessage()}")

    handler = Say()
    handler.addFilter(OfDevice())
    logger = logging.getLogger("cosem.gateway")
    logger.setLevel(LEVELS[shown.level])
    logger.handlers = [handler]


def _complain(found: Configuration) -> None:
    for fault in found.faults:
        say(f"error: {fault}")
    for warning in found.warnings:
        say(f"warning: {warning}")


def _show_samples(found: Configuration, seen: dict[str, Sample], *, as_json: bool) -> None:
    samples = [seen[each.alias] for each in found.signals if each.alias in seen]
    if as_json:
        put_json({"signals": [plain(each) for each in samples]})
    elif samples:
        put_table(
            ("signal", "value", "unit", "quality", "time"),
            [
                (each.signal, _text(each.value), each.unit, ", ".join(words(each.quality)), _time(each))
                for each in samples
            ],
            right=("value",),
        )


def plain(sample: Sample) -> dict[str, Any]:
    """Return a sample for JSON."""
    return {
        "signal": sample.signal,
        "value": plain_value(sample.value),
        "unit": sample.unit,
        "quality": ", ".join(words(sample.quality)),
        "source_time": None if sample.source_time is None else sample.source_time.isoformat(),
        "gateway_time": sample.gateway_time.isoformat(),
        "backfilled": sample.backfilled,
    }


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _time(sample: Sample) -> str:
    return (sample.source_time or sample.gateway_time).isoformat(sep=" ", timespec="seconds")


def _show_plan(found: Configuration, *, as_json: bool) -> None:
    """Show what would run, and where each output would have which signal."""
    points = [point_of(each) for each in found.signals if each.enabled]
    maps: dict[str, list[tuple[str, ...]]] = {}
    for row in found.outputs:
        if row.enabled:
            output = output_of(row)
            maps[row.name] = list(output.plan(points))
    if as_json:
        put_json({**checked(found), "maps": maps})
        return
    for line in summary(found):
        say(line)
    for name, (heading, *rows) in maps.items():
        put(f"{name}:")
        put_table(heading, rows)


def version(value: bool) -> None:
    """Print the version and end."""
    if value:
        put(own_version())
        raise typer.Exit
