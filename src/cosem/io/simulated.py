"""A seeded world with virtual time: streams that delay, lose, damage and reorder, the same way for the same seed.

    world = World(seed=7)
    near, far = world.pair(Faults(loss=0.05, damage=0.01), latency=0.2)
    world.spawn(meter(far))
    result = world.run(client(near))

Hours pass in milliseconds: time jumps to the next thing that happens. Coroutines are driven directly, without an event
loop; all they may await is a stream of this world or `world.sleep`. An error that leaves `run` names the seed.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import random
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

from cosem.errors import ConnectionLost, LocalProtocolError
from cosem.io import failure

R = TypeVar("R")

_Resume = Callable[[], None]
_Park = Callable[[_Resume], None]
"""Given what continues the coroutine, arranges for it to be called once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How often a link harms one write, each as a probability from 0 to 1.

    A stream medium may split a write and delivers what is not reordered in order; a datagram medium does neither.
    """

    loss: float = 0.0
    duplication: float = 0.0
    damage: float = 0.0
    """One bit turned over."""
    split: float = 0.0
    """Delivered in two or more pieces at different times."""
    reorder: float = 0.0
    """May overtake what was written before it."""
    reset: float = 0.0
    """The connection breaks instead, for both sides."""


class World:
    """Virtual time and one source of chance; everything that happens in it is a function of `seed`."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)  # noqa: S311  # chance that can be repeated is the point
        self.steps = 0
        """How many things have happened."""
        self._now = 0.0
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._links = itertools.count(1)
        self._trace = hashlib.sha256()
        self._failed: list[BaseException] = []

    def now(self) -> float:
        return self._now

    @property
    def trace_hash(self) -> str:
        """A digest of every write, delivery and fault so far with its time: equal for equal runs."""
        return self._trace.hexdigest()

    def record(self, who: str, what: str, octets: bytes = b"") -> None:
        """Add an event to the trace."""
        self._trace.update(f"{self._now!r} {who} {what} {octets.hex()}\n".encode())

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Do something at a time; what is due at the same time happens in the order in which it was asked for."""
        heapq.heappush(self._agenda, (max(when, self._now), next(self._order), action))

    async def sleep(self, seconds: float) -> None:
        await _suspend(lambda resume: self.at(self._now + seconds, resume))

    def spawn(self, coroutine: Coroutine[Any, Any, R], name: str = "") -> Activity[R]:
        """Start a coroutine at the present time; an error it raises ends `run`."""
        activity = Activity(coroutine, name or getattr(coroutine, "__name__", "activity"), self._failed.append)
        self.at(self._now, activity.step)
        return activity

    def pair(
        self,
        faults: Faults | None = None,
        *,
        latency: float = 0.01,
        jitter: float = 0.0,
        datagrams: bool = False,
    ) -> tuple[SimulatedStream, SimulatedStream]:
        """Lay a link and return its two ends. `jitter` is the most that chance adds to `latency`."""
        number = next(self._links)
        faults = faults or Faults()
        near = SimulatedStream(self, f"{number}a", faults, latency, jitter, datagrams)
        far = SimulatedStream(self, f"{number}b", faults, latency, jitter, datagrams)
        near.peer, far.peer = far, near
        return near, far

    @overload
    def run(self, main: None = None, *, until: float | None = None, steps: int = ...) -> None: ...
    @overload
    def run(self, main: Coroutine[Any, Any, R], *, until: float | None = None, steps: int = ...) -> R: ...
    def run(
        self, main: Coroutine[Any, Any, Any] | None = None, *, until: float | None = None, steps: int = 10_000_000
    ) -> Any:
        """Let things happen: until `main` is done, or `until` a time, or else until nothing is left to happen.

        Returns what `main` returned. Raises what any activity raised, with the seed in a note of the error, and
        LocalProtocolError when `main` waits for something that never comes, or after `steps` things happened.
        """
        activity = None if main is None else self.spawn(main, "main")
        with _Signed(self):
            return self._run(activity, until, steps)

    def _run(self, main: Activity[Any] | None, until: float | None, steps: int) -> Any:
        last = self.steps + steps
        while self._agenda and not (main is not None and main.done):
            if until is not None and self._agenda[0][0] > until:
                self._now = until
                break
            if self.steps >= last:
                raise LocalProtocolError(f"no end after {steps} steps")
            self.steps += 1
            self._now, _, action = heapq.heappop(self._agenda)
            action()
            if self._failed:
                raise self._failed.pop()
        if main is None:
            return None
        if not main.done:
            raise LocalProtocolError("main waits for something that will never happen")
        return main.result


class _Signed:
    """Writes the seed and the time on whatever error passes through, and lets it pass."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            error.add_note(f"in World(seed={self._world.seed}) at {self._world.now():.6f} s")


class Activity(Generic[R]):
    """A coroutine under way in a world."""

    def __init__(
        self, coroutine: Coroutine[Any, Any, R], name: str, on_failure: Callable[[BaseException], None]
    ) -> None:
        self.name = name
        self.done = False
        self.error: BaseException | None = None
        self._coroutine = coroutine
        self._on_failure = on_failure
        self._result: R | None = None

    @property
    def result(self) -> R:
        """What the coroutine returned, once it is done."""
        if not self.done:
            raise LocalProtocolError(f"{self.name} is not done")
        if self.error is not None:
            raise self.error
        return self._result  # type: ignore[return-value]  # set when done

    def stop(self) -> None:
        """End the coroutine where it stands, as the death of a process or the fall of power does."""
        if not self.done:
            self.done = True
            self._coroutine.close()

    def step(self) -> None:
        """Continue the coroutine to the next thing it waits for."""
        if self.done:
            return
        try:
            park: _Park = self._coroutine.send(None)
        except StopIteration as end:
            self.done, self._result = True, end.value
        except BaseException as error:  # noqa: BLE001  # nothing is swallowed: `run` raises it
            self.done, self.error = True, error
            self._on_failure(error)
        else:
            park(self.step)


class SimulatedStream:
    """One end of a link of a World: a Stream, and a LineStream too."""

    def __init__(self, world: World, name: str, faults: Faults, latency: float, jitter: float, datagrams: bool) -> None:
        self.name = name
        self.peer: SimulatedStream = self
        self.faults = faults
        self.latency = latency
        self.line = (0, "")
        """Speed and character format, as configured last."""
        self._world = world
        self._jitter = jitter
        self._datagrams = datagrams
        self._arrived: deque[bytes] = deque()
        self._gone = ""
        self._resume: _Resume | None = None
        self._last_arrival = 0.0

    def now(self) -> float:
        return self._world.now()

    async def read(self, deadline: float | None, /) -> bytes:
        while not self._arrived:
            if self._gone:
                raise ConnectionLost(self._gone)
            if deadline is not None and self._world.now() >= deadline:
                return b""
            if self._resume is not None:
                raise LocalProtocolError("two tasks read from one stream at the same time")
            await _suspend(lambda resume: self._await_arrival(resume, deadline))
        if self._datagrams:
            return self._arrived.popleft()
        octets = b"".join(self._arrived)
        self._arrived.clear()
        return octets

    async def write(self, octets: bytes, /) -> None:
        if self._gone:
            raise ConnectionLost(self._gone)
        self._world.record(self.name, "write", octets)
        if octets:
            self._send(bytes(octets))

    async def close(self) -> None:
        if self._gone:
            return
        self._world.record(self.name, "close")
        self._end(str(failure.closed_here()))
        self._arrived.clear()
        if not self._datagrams:
            why = str(failure.closed_by_peer())
            self._world.at(self._arrival(in_order=True), lambda: self.peer._end(why))

    async def configure(self, baud: int, character_format: str = "8N1", /) -> None:
        self.line = (baud, character_format)

    async def send_break(self, seconds: float = 0.25, /) -> None:
        """A link without a line has nothing to hold; see `cosem.io.simulated_line` for one that has."""

    def reset(self) -> None:
        """Break the connection now, for both sides; what is under way is lost."""
        self._world.record(self.name, "reset")
        for end in (self, self.peer):
            end._arrived.clear()
            end._end("the peer broke the connection off")

    # Every write draws from the world's chance in the same order, whatever the probabilities are, so that a change of
    # one of them leaves the fate of other writes alone as far as possible.

    def _send(self, octets: bytes) -> None:
        faults, chance = self.faults, self._world.random.random
        resets, lost, twice, damaged, overtakes, splits = (chance() for _ in range(6))
        if resets < faults.reset:
            self.reset()
            return
        if lost < faults.loss:
            self._world.record(self.name, "lost", octets)
            return
        if damaged < faults.damage:
            octets = self._damaged(octets)
        pieces = self._pieces(octets) if splits < faults.split and not self._datagrams else [octets]
        for _ in range(2 if twice < faults.duplication else 1):
            for piece in pieces:
                self._deliver_later(piece, in_order=overtakes >= faults.reorder)

    def _damaged(self, octets: bytes) -> bytes:
        harmed = bytearray(octets)
        bit = self._world.random.randrange(8 * len(harmed))
        harmed[bit // 8] ^= 1 << bit % 8
        return bytes(harmed)

    def _pieces(self, octets: bytes) -> list[bytes]:
        count = self._world.random.randint(2, 4)
        cuts = sorted(self._world.random.randrange(len(octets) + 1) for _ in range(count - 1))
        return [octets[start:end] for start, end in itertools.pairwise([0, *cuts, len(octets)]) if start < end]

    def _deliver_later(self, octets: bytes, *, in_order: bool) -> None:
        self._world.at(self._arrival(in_order=in_order), lambda: self.peer._deliver(octets))

    def _arrival(self, *, in_order: bool) -> float:
        when = self._world.now() + self.latency + self._jitter * self._world.random.random()
        if in_order and not self._datagrams:
            when = max(when, self._last_arrival)
            self._last_arrival = when
        elif not in_order:
            when += (self.latency + self._jitter) * self._world.random.random()
        return when

    def _deliver(self, octets: bytes) -> None:
        if self._gone:
            return
        self._world.record(self.name, "read", octets)
        self._arrived.append(octets)
        self._wake()

    def _end(self, why: str) -> None:
        self._gone = self._gone or why
        self._wake()

    def _wake(self) -> None:
        resume, self._resume = self._resume, None
        if resume is not None:
            self._world.at(self._world.now(), resume)

    def _await_arrival(self, resume: _Resume, deadline: float | None) -> None:
        self._resume = resume
        if deadline is None:
            return

        def too_late() -> None:
            if self._resume is resume:
                self._wake()

        self._world.at(deadline, too_late)


@types.coroutine
def _suspend(park: _Park) -> Generator[_Park, None, None]:
    yield park
