"""The driver of Elgama's byte protocol: each table that signals need is read once a scan (EXPERIMENTAL)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from cosem.client.elgama import table
from cosem.errors import CosemError, DecodeError, ServiceRefused
from cosem.gateway.config import ElgamaJob, ElgamaParameters, Signal
from cosem.gateway.drivers.one_session import OneSession
from cosem.gateway.points import Measured, sample
from cosem.gateway.value import Command, CommandResult, Sample
from cosem.io.open import open_async
from cosem.io.stream import Stream
from cosem.protocol.elgama import models
from cosem.protocol.elgama.client import ElgamaClient, Settings
from cosem.protocol.elgama.words import asked

CLOCK = "clock"
LOCAL_TIME = "local time"


class ElgamaDriver(OneSession[ElgamaParameters]):
    """One EPQS or EPQM/LZQM; GAMA meters speak DLMS."""

    async def scan(self) -> Sequence[Sample]:
        """Read the tables. Raises CosemError where the meter does not answer."""
        if not self._spot:
            return []
        parameters, url = self._parameters, self._parameters.url()
        assert url.model is not None
        jobs = dict.fromkeys(_job(each).job for each in self._spot)
        if parameters.use_time:
            jobs[CLOCK] = None
        wait = parameters.timeout_ms / 1000
        stream = await (self._opener or open_async)(url, wait)
        try:
            model = models.named(url.model, experimental=True)
            client = ElgamaClient(model, parameters.id, parameters.secret(), Settings(answer=wait, repeats=0))
            found = {job: await _table(client, stream, url.model, job) for job in jobs}
        finally:
            with suppress(CosemError):
                await stream.close()
        time = self._time(found) if parameters.use_time else None
        return [sample(each, _value(found, each, time), self._now(), self._zone) for each in self._spot]

    async def obey(self, command: Command) -> CommandResult:
        """Refuse: no public source tells how these meters are written."""
        return CommandResult(False, "no public source tells how this meter is written")

    def _time(self, found: dict[str, dict[str, str] | CosemError]) -> datetime | None:
        clock = found[CLOCK]
        if isinstance(clock, CosemError):
            return None
        return datetime.fromisoformat(clock[LOCAL_TIME]).replace(tzinfo=self._zone or UTC)


async def _table(client: ElgamaClient, stream: Stream, model: str, job: str) -> dict[str, str] | CosemError:
    """Return a table by the names of its values; an error of the table alone is its content."""
    wanted = asked(model, job)
    try:
        return dict(wanted.read(await table(client, stream, wanted.octets)))
    except (ServiceRefused, DecodeError) as error:
        return error


def _value(found: dict[str, dict[str, str] | CosemError], signal: Signal, time: datetime | None) -> Measured:
    job = _job(signal)
    content = found[job.job]
    if isinstance(content, CosemError):
        return Measured(content)
    value: Any = content.get(job.tag)
    if job.tag == "interval" and value is not None:
        value, unit = value.removesuffix(" s"), "s"
        return Measured(value, unit, time)
    return Measured(DecodeError(f"{job.tag} is not in the table") if value is None else value, time=time)


def _job(signal: Signal) -> ElgamaJob:
    assert isinstance(signal.job, ElgamaJob), "a meter of Elgama has such jobs"
    return signal.job
