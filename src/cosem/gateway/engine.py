"""The gateway as a whole: lines that scan, outputs that are told, commands that come back, changes of the tables."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeAlias, TypeVar

from cosem.errors import CosemError
from cosem.gateway.buffer import Buffer
from cosem.gateway.claim import Claim
from cosem.gateway.commands import Commands
from cosem.gateway.config import Configuration, Device, OutputRow, Signal
from cosem.gateway.devices import driver_of
from cosem.gateway.drivers import Driver
from cosem.gateway.frames import Heard, tapped
from cosem.gateway.line import Attended, Clock, Line, Positions
from cosem.gateway.northbound import Obey, Output, Point
from cosem.gateway.outputs import host_and_port, needing, output_of, server_tls
from cosem.gateway.points import Changes, point_of
from cosem.gateway.value import Command, CommandResult, Sample

if TYPE_CHECKING:
    from cosem.gateway.page.page import Page

P = ParamSpec("P")
R = TypeVar("R")

_log = logging.getLogger(__name__)
_events = logging.getLogger("cosem.gateway.events")
"""Where the values of signals with `log` go."""

BATCH: Final = 500
"""Samples that are handed to an output at once."""
AGAIN: Final = 1.0
LONGEST: Final = 30.0
"""Seconds after which an output that was away is tried again: doubled each time up to the longest."""

MakeDriver: TypeAlias = Callable[[Device, Sequence[Signal]], Driver]
MakeOutput: TypeAlias = Callable[[OutputRow], Output]


@dataclass(slots=True)
class Northbound:
    """An output that runs: its row, how often it failed, and why it last did."""

    row: OutputRow
    output: Output
    failures: int = 0
    last_error: str = ""
    published: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)
    sending: asyncio.Task[None] | None = None


@dataclass(slots=True)
class _Running:
    line: Line
    rows: tuple[tuple[Device, tuple[Signal, ...]], ...]
    task: asyncio.Task[None]


class Gateway:
    """Runs a configuration, from `start` to `close`.

    Args:
        folder: where relative paths of the configuration are.
        make_driver, make_output: other drivers and outputs than the usual ones.
        heard: gives what is told of the octets of a device, None where nobody wants to know.
        clock: the time.
        claims: where the locks of lines are; None for the usual place.
    """

    def __init__(
        self,
        folder: Path,
        *,
        make_driver: MakeDriver | None = None,
        make_output: MakeOutput = output_of,
        heard: Callable[[Device], Heard | None] = lambda _: None,
        clock: Clock | None = None,
        claims: Path | None = None,
    ) -> None:
        self._folder = folder
        self._clock = clock or Clock()
        self._make_driver = make_driver or self._usual_driver
        self._make_output = make_output
        self._heard = heard
        self._page: Page | None = None
        self._claim = Claim(place=claims)
        self._disk = ThreadPoolExecutor(1, "gateway-buffer")
        self._configuration = Configuration()
        self._buffer: Buffer | None = None
        self._lines: dict[str, _Running] = {}
        self._outputs: dict[str, Northbound] = {}
        self._points: tuple[Point, ...] = ()
        self._changes = Changes(())
        self._logged: dict[str, str] = {}
        self._commands: Commands | None = None
        self._places: dict[str, str] = {}

    @property
    def configuration(self) -> Configuration:
        """What runs."""
        return self._configuration

    @property
    def devices(self) -> Mapping[str, Attended]:
        """Every device that is attended, by alias."""
        return {alias: each for running in self._lines.values() for alias, each in running.line.devices.items()}

    @property
    def outputs(self) -> Mapping[str, Northbound]:
        """Every output, by name."""
        return dict(self._outputs)

    @property
    def page(self) -> Page | None:
        """The status page that is served."""
        return self._page

    @property
    def points(self) -> tuple[Point, ...]:
        """The signals as outputs know them."""
        return self._points

    async def start(self, configuration: Configuration, *, scanning: bool = True) -> None:
        """Begin to run a configuration, or go on with another: lines and outputs that did not change are left alone.

        Raises ConfigurationError where a line belongs to another gateway, an output cannot be, or the buffer cannot be
        opened; what ran before goes on then.
        """
        wanted = _by_line(configuration)
        self._claim.hold(list(wanted) if scanning else [])
        points = tuple(point_of(each) for each in configuration.signals if each.enabled)
        enabled = {each.name: each for each in configuration.outputs if each.enabled}
        made = {
            name: self._make_output(row)
            for name, row in enabled.items()
            if points != self._points or name not in self._outputs or self._outputs[name].row != row
        }
        if self._buffer is None and any(each.buffered for each in made.values()):
            settings = configuration.settings
            self._buffer = Buffer(self._folder / settings.buffer, settings.buffer_mb * 1_000_000)
        if scanning:
            await self._settle_page(configuration)
        self._take_over(configuration, points)
        for name in [each for each in self._outputs if each not in enabled or each in made]:
            await self._end_output(self._outputs.pop(name))
        for name, output in made.items():
            await self._begin_output(enabled[name], output)
        if self._buffer is not None:
            self._buffer.forget(enabled)
        if scanning:
            await self._begin_lines(wanted)

    async def once(self) -> None:
        """Scan every device once; the lines must not run."""
        lines = [self._line(name, rows) for name, rows in _by_line(self._configuration).items()]
        self._claim.hold([each.name for each in lines])
        try:
            await asyncio.gather(*(each.once() for each in lines))
            await self._settle()
        finally:
            for each in lines:
                await each.close()

    async def close(self) -> None:
        """Leave every device in good order, deliver what can be, and let go of lines and outputs."""
        for running in self._lines.values():
            await _end_line(running)
        self._lines.clear()
        for each in self._outputs.values():
            await self._end_output(each)
        self._outputs.clear()
        if self._page is not None:
            await self._page.close()
            self._page = None
        if self._buffer is not None:
            await self._on_disk(self._buffer.close)
            self._buffer = None
        self._disk.shutdown()
        self._claim.close()

    # -- samples ------------------------------------------------------------------------------------------------------

    async def deliver(self, samples: Sequence[Sample]) -> None:
        """Hand samples to every output: through the buffer where it may be away."""
        for each in samples:
            device = self._logged.get(each.signal)
            if device is not None:
                told = (each.signal, each.value, each.unit, each.quality.name)
                _events.info("%s = %s %s (%s)", *told, extra={"device": device})
        if self._page is not None:
            self._page.take(samples)
        news = self._changes.of(samples)
        if not news:
            return
        outputs = list(self._outputs.values())
        buffered = [each for each in outputs if each.output.buffered]
        if buffered and self._buffer is not None:
            gone = await self._on_disk(self._buffer.add, [each.row.name for each in buffered], news)
            if gone:
                _log.warning("the buffer is full: %d values that waited longest are gone", gone)
            for output in buffered:
                output.news.set()
        for output in outputs:
            if not output.output.buffered:
                await self._publish(output, news)

    async def _publish(self, to: Northbound, samples: Sequence[Sample]) -> bool:
        try:
            await to.output.publish(samples)
        except CosemError as error:
            to.failures += 1
            to.last_error = str(error)
            _log.warning("%s: %s", to.row.name, error)
            return False
        to.published += len(samples)
        to.last_error = ""
        return True

    async def _send(self, to: Northbound, buffer: Buffer) -> None:
        """Deliver what waits for an output, in order, for as long as it runs."""
        delay = AGAIN
        while True:
            to.news.clear()
            while batch := await self._on_disk(buffer.take, to.row.name, BATCH):
                if await self._publish(to, [each.sample for each in batch]):
                    await self._on_disk(buffer.done, to.row.name, batch[-1].number)
                    delay = AGAIN
                else:
                    await self._clock.sleep(delay)
                    delay = min(2 * delay, LONGEST)
            await to.news.wait()

    async def _settle(self, seconds: float = 10.0) -> None:
        """Wait until nothing waits any more, for a while."""
        buffer = self._buffer
        if buffer is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for each in self._outputs.values():
                    while each.output.buffered and await self._on_disk(buffer.waiting, each.row.name) > 0:
                        await asyncio.sleep(0.02)

    async def _on_disk(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run what blocks in the one thread that has the buffer."""
        return await asyncio.get_running_loop().run_in_executor(self._disk, partial(function, *args, **kwargs))

    # -- commands -----------------------------------------------------------------------------------------------------

    def _obey(self, name: str, kind: str) -> Obey:
        async def obey(command: Command) -> CommandResult:
            assert self._commands is not None, "started"
            return await self._commands.obey(command, name, kind)

        return obey

    async def _carry(self, signal: Signal, command: Command) -> CommandResult:
        running = self._lines.get(self._places.get(signal.device, ""))
        if running is None:
            return CommandResult(False, "its device does not run")
        return await running.line.obey(command, signal.device)

    # -- lines and outputs --------------------------------------------------------------------------------------------

    async def _settle_page(self, configuration: Configuration) -> None:
        """Have the page that is wanted."""
        row, before = configuration.settings.page_row, self._configuration.settings.page_row
        if self._page is not None and row != before:
            await self._page.close()
            self._page = None
        if self._page is None and row is not None:
            page = page_of(row, self)
            await page.start()
            self._page = page

    def _take_over(self, configuration: Configuration, points: tuple[Point, ...]) -> None:
        audit = configuration.settings.audit or f"{configuration.settings.buffer}.audit"
        enabled = [each for each in configuration.signals if each.enabled]
        if self._page is not None:
            self._page.changed(points)
        self._configuration, self._points = configuration, points
        self._changes = Changes(enabled)
        self._logged = {each.alias: each.device for each in enabled if each.log}
        self._commands = Commands(enabled, self._carry, self._folder / audit, self._clock.now)
        self._places = {each.alias: each.parameters.line for each in configuration.devices}

    async def _begin_output(self, row: OutputRow, output: Output) -> None:
        await output.start(self._points, self._obey(row.name, row.kind))
        begun = self._outputs[row.name] = Northbound(row, output)
        if output.buffered and self._buffer is not None:
            begun.news.set()
            begun.sending = asyncio.create_task(self._send(begun, self._buffer))

    async def _end_output(self, ended: Northbound) -> None:
        if ended.sending is not None:
            ended.sending.cancel()
            await asyncio.wait([ended.sending])
        await ended.output.close()

    async def _begin_lines(self, wanted: Mapping[str, tuple[tuple[Device, tuple[Signal, ...]], ...]]) -> None:
        for name in [each for each, running in self._lines.items() if wanted.get(each) != running.rows]:
            await _end_line(self._lines.pop(name))
        for name, rows in wanted.items():
            if name not in self._lines:
                line = self._line(name, rows)
                self._lines[name] = _Running(line, rows, _attended(line))

    def _line(self, name: str, rows: Iterable[tuple[Device, tuple[Signal, ...]]]) -> Line:
        devices = [Attended(device, signals, self._make_driver(device, signals)) for device, signals in rows]
        positions = Positions() if self._buffer is None else _Kept(self._buffer, self._on_disk)
        return Line(name, devices, self.deliver, clock=self._clock, positions=positions)

    def _usual_driver(self, device: Device, signals: Sequence[Signal]) -> Driver:
        told = (self._heard(device), None if self._page is None else self._page.heard(device))
        opener = tapped([each for each in told if each is not None])
        return driver_of(device, signals, now=self._clock.now, opener=opener, alone=self._alone(device))

    def _alone(self, device: Device) -> bool:
        """Tell whether no other device that is in use has the same line."""
        others = (each for each in self._configuration.devices if each.enabled and each.alias != device.alias)
        return all(each.parameters.line != device.parameters.line for each in others)


def page_of(row: OutputRow, gateway: Gateway) -> Page:
    """Return the status page of a gateway. Raises ConfigurationError where a package is missing."""
    with needing("gateway"):
        from cosem.gateway.page.page import PORT, Page
    token = None if row.token is None else row.token.password()
    return Page(gateway, *host_and_port(row, PORT), tls=server_tls(row), token=token)


class _Kept(Positions):
    """Positions that survive the process, in the file of the buffer."""

    def __init__(self, buffer: Buffer, on_disk: Callable[..., Awaitable[Any]]) -> None:
        super().__init__()
        self._buffer = buffer
        self._on_disk = on_disk

    async def get(self, device: str) -> datetime | None:
        found: datetime | None = await self._on_disk(self._buffer.position, device)
        return found

    async def put(self, device: str, until: datetime) -> None:
        await self._on_disk(self._buffer.remember, device, until)


def _attended(line: Line) -> asyncio.Task[None]:
    """Run a line; a defect of ours stops it alone, and is written down."""

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            _log.error("the line %s has stopped", line.name, exc_info=task.exception())

    task = asyncio.create_task(line.run())
    task.add_done_callback(ended)
    return task


async def _end_line(running: _Running) -> None:
    running.task.cancel()
    await asyncio.wait([running.task])
    await running.line.close()


def _by_line(configuration: Configuration) -> dict[str, tuple[tuple[Device, tuple[Signal, ...]], ...]]:
    """Return the enabled devices with their enabled signals, by the line that they share."""
    found: defaultdict[str, list[tuple[Device, tuple[Signal, ...]]]] = defaultdict(list)
    for device in configuration.devices:
        if device.enabled:
            signals = tuple(each for each in configuration.signals_of(device) if each.enabled)
            found[device.parameters.line].append((device, signals))
    return {name: tuple(rows) for name, rows in found.items()}
