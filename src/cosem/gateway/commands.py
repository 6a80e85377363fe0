"""The one way that commands take from outputs to devices: allowed or not, within bounds, written down."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Awaitable, Callable, Generator, Iterable
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from cosem.errors import ConfigurationError, CosemError
from cosem.gateway.config import Signal
from cosem.gateway.value import Command, CommandResult, Plain, number_of

_log = logging.getLogger(__name__)

Carry = Callable[[Signal, Command], Awaitable[CommandResult]]
LONGEST_VALUE: Final = 200
"""Characters of a value in the audit."""


class Commands:
    """Takes commands for the write-enabled signals among `signals`, and hands what is allowed to `carry`.

    Each leaves a line of JSON in `audit`, whatever becomes of it: when, from where, what, and with what result.
    Nothing is carried out while that file cannot be opened.
    """

    def __init__(
        self, signals: Iterable[Signal], carry: Carry, audit: Path | None, now: Callable[[], datetime]
    ) -> None:
        self._signals = {each.alias: each for each in signals if each.enabled}
        self._carry = carry
        self._audit = audit
        self._now = now

    async def obey(self, command: Command, output: str, kind: str) -> CommandResult:
        """Carry a command out that came through an output of a name and a kind."""
        result = self._refused(command, output, kind)
        if result is None:
            try:
                if self._audit is not None:
                    with _opened(self._audit):
                        pass
                result = await self._carry(self._signals[command.signal], command)
            except CosemError as error:
                result = CommandResult(False, str(error))
        try:
            self._note(command, output, result)
        except ConfigurationError as problem:
            _log.error("a command to %.80s is not in the audit: %s", command.signal, problem)
            result = CommandResult(result.done, result.reason or f"it is not in the audit: {problem}")
        return result

    def _refused(self, command: Command, output: str, kind: str) -> CommandResult | None:
        signal = self._signals.get(command.signal)
        if signal is None:
            return CommandResult(False, "there is no such signal")
        writing = signal.writing
        if writing is None:
            return CommandResult(False, "the signal is not write-enabled")
        if writing.origins and not {output, kind} & writing.origins:
            return CommandResult(False, f"commands to it are not taken from {output}")
        for bound, outside in ((writing.lowest, Decimal.__lt__), (writing.highest, Decimal.__gt__)):
            if bound is None:
                continue
            number = _number(command.value)
            if number is None or outside(number, bound):
                return CommandResult(False, f"{command.value!s:.40} is out of bounds")
        return None

    def _note(self, command: Command, output: str, result: CommandResult) -> None:
        line = {
            "time": self._now().isoformat(),
            "output": output,
            "origin": command.origin,
            "signal": command.signal,
            "value": f"{command.value!s:.{LONGEST_VALUE}}",
            "done": result.done,
            "reason": result.reason,
        }
        signal = self._signals.get(command.signal)
        _log.info("command %s", line, extra={} if signal is None else {"device": signal.device})
        if self._audit is not None:
            append(self._audit, json.dumps(line, ensure_ascii=False))


def append(path: Path, line: str) -> None:
    """Add a line to a file that only its owner reads, and have it on disk. Raises ConfigurationError."""
    with _opened(path) as descriptor:
        os.write(descriptor, line.encode() + b"\n")
        os.fsync(descriptor)


@contextmanager
def _opened(path: Path) -> Generator[int]:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
    except OSError as problem:
        raise ConfigurationError(f"cannot write {path}: {problem.strerror}") from problem


def _number(value: Plain) -> Decimal | None:
    number = number_of(value)
    return None if number is None else Decimal(str(number))
