"""The driver of IEC 62056-21: one readout a scan, of which each signal takes the value that stands at its address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cosem.client.iec21 import AsyncLocalClient
from cosem.errors import CommandRefused, DecodeError
from cosem.gateway.config import Iec21Job, Iec21Parameters, Signal, Verb
from cosem.gateway.drivers.one_session import OneSession
from cosem.gateway.points import Measured, sample
from cosem.gateway.value import Command, CommandResult, Sample
from cosem.protocol.iec21.readout import Readout
from cosem.protocol.iec21.telegram import Value
from cosem.protocol.profile.local import reader_settings


class Iec21Driver(OneSession[Iec21Parameters]):
    """One meter of IEC 62056-21."""

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
