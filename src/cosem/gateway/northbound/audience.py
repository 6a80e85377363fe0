"""Server-sent events: everybody who listens is told of each sample as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Final

from starlette.responses import Response, StreamingResponse

from cosem.gateway.northbound.text import sample_json
from cosem.gateway.value import Sample

WAITING: Final = 10_000
"""Samples that wait for a listener; who is slower is sent away, and sees the newest when it comes back."""

ALIVE: Final = 15.0
"""Seconds of silence after which a listener is told that there is nothing."""


class Audience:
    """Those who listen."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[Sample | None]] = set()

    def tell(self, sample: Sample) -> None:
        """Tell a sample to everybody."""
        for queue in list(self._queues):
            if queue.full():
                self._dismiss(queue)
            else:
                queue.put_nowait(sample)

    def dismiss(self) -> None:
        """Send everybody away."""
        for queue in list(self._queues):
            self._dismiss(queue)

    def response(self, first: Sequence[Sample], wanted: Callable[[Sample], bool]) -> Response:
        """Return an answer that tells some samples at once, and then each new one that is wanted."""
        headers = {"Cache-Control": "no-store"}
        return StreamingResponse(self._events(first, wanted), media_type="text/event-stream", headers=headers)

    async def _events(self, first: Sequence[Sample], wanted: Callable[[Sample], bool]) -> AsyncGenerator[str]:
        queue: asyncio.Queue[Sample | None] = asyncio.Queue(WAITING)
        self._queues.add(queue)
        try:
            for each in first:
                yield _event(each)
            while True:
                try:
                    async with asyncio.timeout(ALIVE):
                        sample = await queue.get()
                except TimeoutError:
                    yield ": alive\n\n"
                    continue
                if sample is None:
                    return
                if wanted(sample):
                    yield _event(sample)
        finally:
            self._queues.discard(queue)

    def _dismiss(self, queue: asyncio.Queue[Sample | None]) -> None:
        self._queues.discard(queue)
        while queue.full():
            queue.get_nowait()
        queue.put_nowait(None)


def told(sample: Sample) -> str:
    """Return a sample as JSON that names its signal."""
    return sample_json(sample, signal=sample.signal)


def _event(sample: Sample) -> str:
    return f"event: sample\ndata: {told(sample)}\n\n"
