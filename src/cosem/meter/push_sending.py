"""Sending what a meter has to push, on asyncio: to loopback unless told otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Final

from cosem.errors import ConfigurationError, CosemError
from cosem.io.reach import check_place
from cosem.meter.device import Meter
from cosem.meter.push import CONFIRMATION_WAIT, push
from cosem.meter.pushing import PushAttempt, PushEnded

LONGEST_LOOK: Final = 1.0
"""Seconds after which a meter is looked at again in any case: its clock may be set, and scripts come due."""

_log = logging.getLogger("cosem.meter")


class PushDispatch:
    """Sends the pushes of one meter, from `start` until `close`.

    Args:
        meter: whose pushes.
        beyond_loopback: allow destinations on other machines.
        confirmation_wait: seconds in which a push is confirmed that wants to be.
    """

    def __init__(
        self, meter: Meter, *, beyond_loopback: bool = False, confirmation_wait: float = CONFIRMATION_WAIT
    ) -> None:
        self._meter = meter
        self._beyond_loopback = beyond_loopback
        self._wait = confirmation_wait
        self._looks: asyncio.Task[None] | None = None
        self._attempts = set[asyncio.Task[None]]()
        self._look = asyncio.Event()

    def start(self) -> None:
        """Begin to send, on the running event loop."""
        assert self._looks is None
        self._meter.pushes.wake = self._look.set
        self._looks = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop sending; what is under way is given up."""
        if self._looks is None:
            return
        self._meter.pushes.wake = None
        tasks = (self._looks, *self._attempts)
        self._looks = None
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async def _run(self) -> None:
        meter = self._meter
        while True:
            self._look.clear()
            meter.settle()
            meter.pushes.tick(meter.time())
            for attempt in meter.pushes.outgoing():
                task = asyncio.create_task(self._send(attempt))
                self._attempts.add(task)
                task.add_done_callback(self._attempts.discard)
            for ended in meter.pushes.events():
                _tell(meter, ended)
            self._keep()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._patience()):  # `wait_for` may swallow that it was cancelled
                    await self._look.wait()

    def _patience(self) -> float:
        meter, waits = self._meter, [LONGEST_LOOK]
        deadline = meter.pushes.deadline()
        if deadline is not None:
            waits.append((deadline - meter.time()).total_seconds())
        change = meter.power.deadline() if meter.has_outages else None
        if change is not None:
            waits.append((change - meter.true_time()).total_seconds())
        return max(min(waits), 0.0)

    async def _send(self, attempt: PushAttempt) -> None:
        pushes = self._meter.pushes
        try:
            check_place(attempt.place, self._meter.demonstration, beyond_loopback=self._beyond_loopback)
        except ConfigurationError as error:
            pushes.refused(attempt, self._meter.time(), str(error))
        else:
            await self._try(attempt)
        self._look.set()

    async def _try(self, attempt: PushAttempt) -> None:
        pushes = self._meter.pushes
        try:
            await push(
                attempt.place,
                attempt.notification,
                security=attempt.security,
                confirmed=attempt.confirmed,
                wait=self._wait,
                meter=self._meter,
            )
        except CosemError as error:
            _log.info("push %s of %s, attempt %d: %s", attempt.instance, self._meter.name, attempt.number, error)
            pushes.failed(attempt, self._meter.time(), str(error))
        else:
            pushes.delivered(attempt, self._meter.time())
            if attempt.confirmed:
                self._keep()  # the client's counter has risen

    def _keep(self) -> None:
        try:
            self._meter.keep()
        except ConfigurationError as error:
            _log.error("%s: %s", self._meter.name, error)


def _tell(meter: Meter, ended: PushEnded) -> None:
    if ended.delivered:
        _log.info("push %s of %s: delivered in attempt %d", ended.instance, meter.name, ended.attempts)
    else:
        _log.warning(
            "push %s of %s: given up after %d attempts: %s", ended.instance, meter.name, ended.attempts, ended.reason
        )
