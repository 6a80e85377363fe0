"""The DLMS driver: all signals of a meter in the fewest exchanges, in one association a scan or in one that stays open.

What a signal means (class, scaler and unit) is asked once and remembered; from then on a scan is the values alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any, Final, cast

from cosem.client.access import Access
from cosem.client.client import AsyncClient, Opener
from cosem.client.resolve import Answer, ObjectDirectory, read_references
from cosem.client.short_names import ShortNames
from cosem.errors import ConfigurationError, CosemError, DataAccessError, ServiceError, ShapeError, TransportError
from cosem.gateway.config import DlmsJob, DlmsParameters, ElgamaJob, ElgamaParameters, Signal, Source, Verb
from cosem.gateway.config.elgama_jobs import short_name
from cosem.gateway.points import Measured, plain, sample
from cosem.gateway.value import Command, CommandResult, Quality, Sample
from cosem.protocol.codec import axdr
from cosem.protocol.elgama import models
from cosem.protocol.model import catalogue
from cosem.protocol.model.classes.access_control import ObjectListElementSN
from cosem.protocol.model.classes.data_storage import ExtendedRegister, ProfileGeneric, Register, ScalerUnit
from cosem.protocol.model.classes.time_and_event import Clock
from cosem.protocol.model.reference import AttributeRef, Reference
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.model.shape import ANY
from cosem.protocol.model.short_name import STEP
from cosem.protocol.profile.timing import Timing
from cosem.protocol.values.data import (
    BitString,
    Float32,
    Float64,
    Number,
    OctetString,
    Utf8String,
    VisibleString,
)
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.quantity import Quantity
from cosem.protocol.values.units import Unit
from cosem.readings.reading import Quality as ReadingQuality
from cosem.readings.reading import Reading

CAPTURE_TIME: Final = 5
"""The attribute of an extended register that says when its value was captured."""


_METER_TIME: Final = Signal(alias="", name="", device="", job=ElgamaJob("clock", "local time"))
"""What is read beside the signals where the time of the meter is that of its values; no signal has that alias."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a signal: the attribute that it reads, the scale of its number, and where its time stands.

    What was `refused` when it was to be learnt is asked for in vain, until it is there one day.
    """

    attribute: AttributeRef[Any]
    scale: ScalerUnit | None
    time: AttributeRef[Any] | None
    refused: bool = False


class DlmsDriver:
    """One meter of DLMS/COSEM, by logical or by short names.

    Args:
        parameters: the row of the device.
        signals: its enabled signals.
        now: the time of the gateway, aware.
        opener: gives the stream for a URL, by default the one that the URL names.
        alone: whether no other device shares the line; if one does, the session ends with each scan.
        zone: where the meter's clock is, for times that leave their deviation from UTC open.
    """

    def __init__(
        self,
        parameters: DlmsParameters | ElgamaParameters,
        signals: Sequence[Signal],
        *,
        now: Callable[[], datetime],
        opener: Opener | None = None,
        zone: tzinfo | None = None,
        alone: bool = True,
    ) -> None:
        self._alone = alone
        self._parameters = parameters
        self._signals = tuple(signals)
        self._spot = tuple(each for each in signals if each.source is Source.VALUE and each.job is not None)
        timed = isinstance(parameters, ElgamaParameters) and bool(parameters.use_time)
        self._asked = (*self._spot, _METER_TIME) if timed and self._spot else self._spot
        self._now = now
        self._zone = zone
        self._opener = opener
        self._client: AsyncClient | None = None
        self._known: dict[str, _Known] = {}
        self._names = _short_names(parameters, signals)
        self._listed: tuple[ObjectListElementSN, ...] = ()

    async def scan(self) -> Sequence[Sample]:
        """Read all values; a session that broke since the last scan is opened again without a word."""
        fresh = self._client is None
        try:
            return await self._scan()
        except TransportError:
            if fresh:
                raise
        return await self._scan()

    async def backfill(self, signals: Sequence[Signal], since: datetime, until: datetime) -> Sequence[Sample]:
        """Read the rows of profiles and logs between two times, each profile once."""
        wanted: defaultdict[str, list[Signal]] = defaultdict(list)
        for signal in signals:
            if signal.profile:
                wanted[signal.profile].append(signal)
        found: list[Sample] = []
        for name, captured in wanted.items():
            found += await self._rows(name, captured, since, until)
        return sorted(found, key=lambda each: each.source_time or each.gateway_time)

    async def obey(self, command: Command) -> CommandResult:
        """Set the attribute or run the method of a signal; a refusal of the meter is a result."""
        signal = next(each for each in self._signals if each.alias == command.signal)
        assert signal.writing is not None, "only what is write-enabled is commanded"
        job = signal.writing.job or signal.job
        assert job is not None, "a command has a job"
        client = await self._connected()
        try:
            reference = self._reference(job)
            if signal.writing.verb is Verb.METHOD:
                method = catalogue.resolve_method(reference)
                await client.act(method, _argument(method.argument, command.value))
            else:
                known = self._known.get(signal.alias)
                same = known is not None and signal.writing.job is None
                attribute = known.attribute if known is not None and same else catalogue.resolve(reference)
                value = _in_units_of(known if same else None, command.value)
                if attribute.shape is ANY:  # the meter's own value tells which type it takes
                    await client.set(attribute, _alike(await client.get(attribute), value))
                else:
                    await client.set(attribute, _typed(attribute.shape, value))
        except (ServiceError, ShapeError, ConfigurationError) as refused:
            return CommandResult(False, str(refused))
        finally:
            await self._leave_unless_kept()
        return CommandResult(True)

    async def close(self) -> None:
        """Release the association."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(CosemError):
                await client.close()

    # -- sessions -----------------------------------------------------------------------------------------------------

    async def _connected(self) -> AsyncClient:
        client = self._client
        if client is not None and client.services is not None and client.services.exchange.open:
            return client
        self._client = client = self._fresh()
        try:
            await client.connect()
        except BaseException:
            self._client = None
            raise
        services = client.services
        if services is not None and isinstance(services.several, ShortNames):
            services.several.know((*self._names, *self._listed))
        return client

    def _fresh(self) -> AsyncClient:
        parameters = self._parameters
        url = parameters.url()
        entry: Access = parameters.access()
        wait = parameters.timeout_ms / 1000
        timing = Timing(wait, wait, wait, wait, min(Timing().release, wait), first_octet=wait if url.sign_on else 0.0)
        # The check of the tables says what is weak about a row.
        return AsyncClient.open(url, entry=entry, timing=timing, opener=self._opener, warns=False)

    async def _leave_unless_kept(self) -> None:
        if not (self._alone and self._parameters.keep_open):
            await self.close()

    # -- values -------------------------------------------------------------------------------------------------------

    async def _scan(self) -> list[Sample]:
        if not self._spot:
            return []
        client = await self._connected()
        try:
            unknown = [each for each in self._asked if each.alias not in self._known]
            measured = await self._learn(client, unknown) if unknown else {}
            rest = [each for each in self._asked if each.alias not in measured]
            measured.update(await self._read(client, rest))
        except BaseException:
            await self.close()
            raise
        await self._leave_unless_kept()
        now, when = self._now(), self._meter_time(measured.get(_METER_TIME.alias))
        timed = {alias: replace(each, time=each.time or when) for alias, each in measured.items()}
        return [sample(each, timed[each.alias], now, self._zone) for each in self._spot]

    def _meter_time(self, told: Measured | None) -> datetime | None:
        when = None if told is None else plain(told.value, self._zone)
        return when if isinstance(when, datetime) else None

    async def _learn(self, client: AsyncClient, signals: Sequence[Signal]) -> dict[str, Measured]:
        """Read signals for the first time, with what their numbers mean, and remember that."""
        references = [self._reference(each.job) for each in signals]
        answers = await client.bind(read_references)(references, ObjectDirectory())
        measured: dict[str, Measured] = {}
        lost: CosemError | None = None
        for signal, answer in zip(signals, answers, strict=True):
            if answer.error is not None and not isinstance(answer.error, (ServiceError, ShapeError)):
                lost = lost or (None if isinstance(answer.error, ConfigurationError) else answer.error)
            measured[signal.alias] = self._learnt(signal, answer)
        if lost is not None:
            raise lost
        services = client.services
        if services is not None and isinstance(services.several, ShortNames):
            self._listed = services.several.known
        return measured

    def _learnt(self, signal: Signal, answer: Answer) -> Measured:
        if answer.error is not None:
            if isinstance(answer.error, DataAccessError):
                self._known[signal.alias] = _Known(answer.attribute, None, None, refused=True)
            return Measured(answer.error)
        job = signal.job
        scaled = not isinstance(job, DlmsJob) or job.attribute is None
        attribute = answer.attribute
        time = None
        if attribute.class_id == ExtendedRegister.class_id and attribute.index == Register.value.index:
            time = ExtendedRegister(attribute.instance).capture_time
        self._known[signal.alias] = known = _Known(attribute, answer.scaler_unit if scaled else None, time)
        return _measured(known, answer.value, None, self._zone)

    async def _read(self, client: AsyncClient, signals: Sequence[Signal]) -> dict[str, Measured]:
        plan: list[AttributeRef[Any]] = []
        for each in signals:
            known = self._known[each.alias]
            plan += [known.attribute] if known.time is None else [known.attribute, known.time]
        if not plan:
            return {}
        found = iter(await client.many(plan))
        measured: dict[str, Measured] = {}
        for each in signals:
            known = self._known[each.alias]
            value = next(found)
            if known.refused and not isinstance(value, CosemError):
                del self._known[each.alias]  # it is there: what it means is asked next time
                value = None
            measured[each.alias] = _measured(known, value, None if known.time is None else next(found), self._zone)
        return measured

    def _reference(self, job: Any) -> Reference:
        if isinstance(job, ElgamaJob):
            return _elgama_reference(cast("ElgamaParameters", self._parameters), job)
        return Reference(job.obis, job.class_id or None, job.attribute)

    # -- profiles -----------------------------------------------------------------------------------------------------

    async def _rows(self, name: str, signals: Sequence[Signal], since: datetime, until: datetime) -> list[Sample]:
        client = await self._connected()
        now = self._now()
        try:
            local = [each.astimezone(self._zone) if self._zone else each for each in (since, until)]
            rows = await client.profile(ProfileGeneric(name), since=local[0], until=local[1])
            readings = rows.readings("", self._zone)
        except (ServiceError, ShapeError) as error:
            return [sample(each, Measured(error, backfilled=True), now, self._zone) for each in signals]
        finally:
            await self._leave_unless_kept()
        return [
            sample(signal, _recorded(reading), now, self._zone)
            for reading in readings
            for signal in signals
            if since < reading.time <= until and _is_of(reading.column, signal)
        ]


# -- from readings and attributes to what was measured ----------------------------------------------------------------


def _measured(known: _Known, value: Any, time: Any, zone: tzinfo | None) -> Measured:
    when = plain(time, zone) if isinstance(time, DateTime) else None
    moment = when if isinstance(when, datetime) else None
    if known.scale is None or isinstance(value, bool) or not isinstance(value, (int, float)):
        return Measured(value, time=moment)
    quantity = Quantity.of(value, known.scale.scaler, known.scale.unit)
    return Measured(quantity.value, _unit(quantity.unit), moment)


def _recorded(reading: Reading) -> Measured:
    value: Any = reading.value
    doubtful = ReadingQuality.CLOCK_INVALID | ReadingQuality.CLOCK_STATUS_INVALID
    quality = Quality.NOT_TOPICAL if reading.quality & doubtful else Quality.GOOD
    return Measured(value, _unit(reading.unit), reading.time, quality, backfilled=True)


def _unit(unit: Unit) -> str:
    return "" if unit is Unit.NO_UNIT else unit.symbol


def _is_of(column: CaptureObject, signal: Signal) -> bool:
    """Tell whether a column of a profile is that of a signal; of an event log, the events are the signal."""
    job = signal.job
    if not isinstance(job, DlmsJob):
        return False
    if signal.source is Source.EVENTS and str(job.obis) == signal.profile:
        return column.attribute_index == Register.value.index and column.class_id != Clock.class_id
    return column.logical_name == job.obis and job.attribute in (None, column.attribute_index)


# -- commands ---------------------------------------------------------------------------------------------------------


def _argument(shape: Any, value: Any) -> Any:
    """Return what a method is given: a number or text is its argument, and "on" runs it with the least it takes."""
    if value is False:
        raise ShapeError("off is nothing that a method can be told; on runs it")
    return _typed(shape, 0 if value in (None, True) else value)


def _in_units_of(known: _Known | None, value: Any) -> Any:
    """Return a value as a meter counts it, whose numbers have a scale."""
    if known is None or known.scale is None or isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return value
    return Decimal(str(value)).scaleb(-known.scale.scaler)


def _alike(present: Any, value: Any) -> Any:
    """Return a value in the type of the one that is there. Raises ShapeError where it cannot be that."""
    refused = ShapeError(f"{value!r} is nothing that can be set where the meter has {type(present).__name__}")
    make = next((make for kinds, make in _ALIKE if isinstance(present, kinds)), None)
    if make is None or value is None:
        raise refused
    try:
        made = make(type(present), value)
        axdr.encode(made)
    except (CosemError, TypeError, ValueError, ArithmeticError):
        raise refused from None
    return made


def _whole(value: Any) -> int:
    if int(value) != value:
        raise ValueError("a part of it would be lost")
    return int(value)


def _switched(value: Any) -> bool:
    if value not in (0, 1):
        raise ValueError("it is neither on nor off")
    return bool(value)


_ALIKE: Final[tuple[tuple[Any, Callable[[Any, Any], Any]], ...]] = (
    (bool, lambda _, value: _switched(value)),
    (Number, lambda kind, value: kind(_whole(value))),
    ((Float32, Float64), lambda kind, value: kind(float(value))),
    (OctetString, lambda kind, value: kind(str(value).encode("ascii"))),
    ((VisibleString, Utf8String, BitString), lambda kind, value: kind(str(value))),
)
"""How a value is made like one that is there, by the kind of that; the first line that fits counts."""


def _typed(shape: Any, value: Any) -> Any:
    """Return a value as the shape wants it. Raises ShapeError where it cannot be that."""
    if isinstance(value, (float, Decimal)) and value == int(value):
        value = int(value)
    candidates = (value, int(value), bool(value)) if isinstance(value, (bool, int)) else (value, str(value))
    for candidate in candidates:
        try:
            axdr.encode(shape.encode(candidate))
        except (CosemError, TypeError, ValueError):
            continue
        return candidate
    raise ShapeError(f"{value!r} is nothing that can be set here")


# -- short names ------------------------------------------------------------------------------------------------------


def _short_names(
    parameters: DlmsParameters | ElgamaParameters, signals: Iterable[Signal]
) -> tuple[ObjectListElementSN, ...]:
    """Return the objects whose base names the table itself tells."""
    found: list[ObjectListElementSN] = []
    for signal in signals:
        job = signal.job
        if isinstance(job, DlmsJob) and job.short_name:
            class_id = job.class_id or catalogue.lookup(job.obis).class_id
            found.append(ObjectListElementSN(job.short_name, class_id, 0, job.obis))
        elif isinstance(job, ElgamaJob) and isinstance(parameters, ElgamaParameters) and job.job == "registers":
            model = models.NUMBERS[str(parameters.meter_model)]
            instance = _tagged(job.tag)
            found.append(ObjectListElementSN(short_name(model, job.tag) - STEP, Register.class_id, 0, instance))
    return tuple(found)


def _elgama_reference(parameters: ElgamaParameters, job: ElgamaJob) -> Reference:
    if job.job == "clock":
        return Reference(Clock().instance, Clock.class_id, Clock.time.index)
    return Reference(_tagged(job.tag), Register.class_id, None)


def _tagged(tag: str) -> Obis:
    """Return the code of a tag; a short name stands for a code of its own, which no meter has."""
    if tag.lower().startswith("0x"):
        number = int(tag, 16)
        return Obis(f"0.0.128.{number >> 8}.{number & 0xFF}.255")
    return Obis(tag)
