"""A serial line for tests: two real pseudo-terminals with a wire between."""

from __future__ import annotations

import os
import select
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def serial_line() -> Iterator[tuple[str, str]]:
    """Give the names of the two ends of a serial line."""
    ends = [os.openpty() for _ in range(2)]
    for _, slave in ends:
        tty.setraw(slave)
    stop_read, stop_write = os.pipe()
    one, other = ends[0][0], ends[1][0]

    def carry() -> None:
        while True:
            ready, _, _ = select.select([one, other, stop_read], [], [])
            if stop_read in ready:
                return
            for end in ready:
                os.write(other if end == one else one, os.read(end, 4096))

    wire = threading.Thread(target=carry)
    wire.start()
    try:
        yield os.ttyname(ends[0][1]), os.ttyname(ends[1][1])
    finally:
        os.write(stop_write, b"x")
        wire.join()
        for descriptor in (stop_read, stop_write, *ends[0], *ends[1]):
            os.close(descriptor)
