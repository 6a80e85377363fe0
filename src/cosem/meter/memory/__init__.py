"""The memory of a meter: its state outlives the process, and what a client was told was done is there afterwards.

    meter = describe.load("meter.toml")
    remember(meter, open_state(Path("meter.state")))

What is kept: attributes that are no longer as described, what objects count, capture and have under way, how far the
clock was set and which time is preset, up to when everything due was done, pushes, whether there is power, who is
locked out, and what clients changed in their associations. What was due while the meter was off is made up for as if
it had run, as far as `LONGEST_SILENCE` goes; then it notes that it has power. A push that was under way counts as an
attempt that failed. Of keys that die with the process nothing is kept, unless they were drawn by chance and are kept
from the first start on (`Memory.keep_drawn`). Invocation counters have stores of their own.
"""

from __future__ import annotations

from cosem.meter.device import Meter
from cosem.meter.memory.keeping import VERSION, Memory
from cosem.store.state import StateStore

__all__ = ["VERSION", "Memory", "remember"]


def remember(meter: Meter, store: StateStore) -> Memory:
    """Let a meter, described whole, go on from its state in a store, and keep it there from now on.

    Raises ConfigurationError where the state is damaged or that of another meter, or cannot be kept.
    """
    memory = Memory(meter, store)
    memory.begin()
    return memory
