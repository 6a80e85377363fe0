"""The driver of IEC 62056-21: one readout a scan, of which each signal takes the value that stands at its address."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo

from cosem.client.client import Opener
from cosem.client.iec21 import AsyncLocalClient
from cosem.errors import CommandRefused, DecodeError
from cosem.gateway.config import Iec21Job, Iec21Parameters, Signal, Source, Verb
from cosem.gateway.points import Measured, sample
from cosem.gateway.value import Command, CommandResult, Sample
from cosem.protocol.iec21.readout import Readout
from cosem.protocol.iec21.telegram import Value
from cosem.protocol.profile.local import reader_settings


class Iec21Driver:
    """One meter of IEC 62056-21.

    Args:
        parameters: the row of the device.
        signals: its enabled signals.
        now: the time of the gateway, aware.
        opener: gives the stream for a URL.
        zone: where the meter's clock is; readouts give local time.
    """

    def __init__(
        self,
        parameters: Iec21Parameters,
        signals: Sequence[Signal],
        *,
        now: Callable[[], datetime],
        opener: Opener | None = None,
        zone: tzinfo | None = None,
    ) -> None:
        self._parameters = parameters
        self._spot = tuple(each for each in signals if each.source is Source.VALUE and each.job is not None)
        self._signals = {each.alias: each for each in signals}
        self._now = now
        self._opener = opener
        self._zone = zone

    async def scan(self) -> Sequence[Sample]:
        """Read the meter out. Raises CosemError where it does not answer, or its block check is wrong."""
        if not self._spot:
            return []
        async with self._client() as client:
            readout = await client.readout()
        if readout.fault is not None:
            raise readout.fault
        now = self._now()
        return [sample(each, _found(readout, each), now, self._zone) for each in self._spot]

    async def backfill(self, signals: Sequence[Signal], since: datetime, until: datetime) -> Sequence[Sample]:
        """Return nothing: load profiles of makers are read by `cosem read`, not by tables of this form."""
        return []

    async def obey(self, command: Command) -> CommandResult:
        """Write a value or run a command in programming mode; a refusal of the meter is a result."""
        signal = self._signals[command.signal]
        assert signal.writing is not None, "only what is write-enabled is commanded"
        job = signal.writing.job or signal.job
        assert isinstance(job, Iec21Job), "a device of IEC 62056-21 has such jobs"
        async with self._client() as client:
            try:
                if signal.writing.verb is Verb.METHOD:
                    await client.execute(job.tag, _text(command))
                else:
                    await client.write(job.tag, _text(command))
            except CommandRefused as refused:
                return CommandResult(False, str(refused))
        return CommandResult(True)

    async def close(self) -> None:
        """Do nothing: a session ends with its readout."""

    def _client(self) -> AsyncLocalClient:
        parameters = self._parameters
        url = parameters.url()
        settings = replace(
            reader_settings(url),
            acknowledge_delay=parameters.t2 / 1000,
            first_octet=parameters.timeout_ms / 1000,
            sign_ons=1,  # whoever owns the line repeats
        )
        return AsyncLocalClient.open(url, password=parameters.secret(), settings=settings, opener=self._opener)


def _found(readout: Readout, signal: Signal) -> Measured:
    assert isinstance(signal.job, Iec21Job), "a device of IEC 62056-21 has such jobs"
    found = readout.find(signal.job.tag)
    if found is None or not found.values:
        return Measured(DecodeError(f"{signal.job.tag} is not in the readout, or its line is damaged"))
    value: Value = found.values[0]
    return Measured(value.text if value.number is None else value.number, value.unit)


def _text(command: Command) -> str:
    return "" if command.value is None else f"{command.value!s}"
