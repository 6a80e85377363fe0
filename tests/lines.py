"""A serial line for tests: two real pseudo-terminals with a wire between."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

SERVER = Path(__file__).parent / "rfc2217_server.py"


Answer = Callable[[bytes], bytes | None]
"""What the other end's line answers by itself to octets of that end, or None where they go on to the first one."""


NOISE = b"x"
"""What octets are to an end of another speed."""


@contextmanager
def serial_line(answer: Answer = lambda _: None, *, strict: bool = False) -> Iterator[tuple[str, str]]:
    """Give the names of the two ends of a serial line.

    On a `strict` one octets are noise where the two ends have different speeds. Nothing takes time there: it is for
    ends that do not change their speed while octets are under way.
    """
    ends = [os.openpty() for _ in range(2)]
    for _, slave in ends:
        tty.setraw(slave)
    stop_read, stop_write = os.pipe()
    one, other = ends[0][0], ends[1][0]
    os.set_blocking(one, False)  # a line waits for nobody: what is not taken is gone
    os.set_blocking(other, False)

    def as_heard(octets: bytes) -> bytes:
        speeds = {termios.tcgetattr(slave)[5] for _, slave in ends}
        return NOISE * len(octets) if strict and len(speeds) > 1 else octets

    def carry() -> None:
        while True:
            ready, _, _ = select.select([one, other, stop_read], [], [])
            if stop_read in ready:
                return
            for end in ready:
                octets = os.read(end, 4096)
                said = None if end == one else answer(octets)
                with suppress(BlockingIOError):
                    if said is None:
                        os.write(other if end == one else one, as_heard(octets))
                    else:
                        os.write(end, said)

    wire = threading.Thread(target=carry)
    wire.start()
    try:
        yield os.ttyname(ends[0][1]), os.ttyname(ends[1][1])
    finally:
        os.write(stop_write, b"x")
        wire.join()
        for descriptor in (stop_read, stop_write, *ends[0], *ends[1]):
            os.close(descriptor)


@contextmanager
def shared_line(stations: int) -> Iterator[tuple[str, list[str]]]:
    """Give the name of a client's end of a line, and of the ends of so many stations: each hears all others."""
    ends = [os.openpty() for _ in range(stations + 1)]
    for _, slave in ends:
        tty.setraw(slave)
    stop_read, stop_write = os.pipe()
    masters = [master for master, _ in ends]
    for each in masters:
        os.set_blocking(each, False)  # a line waits for nobody: what is not taken is gone

    def carry() -> None:
        while True:
            ready, _, _ = select.select([*masters, stop_read], [], [])
            if stop_read in ready:
                return
            for end in ready:
                octets = os.read(end, 4096)
                for other in masters:
                    if other != end:
                        with suppress(BlockingIOError):
                            os.write(other, octets)

    wire = threading.Thread(target=carry)
    wire.start()
    try:
        client, *others = (os.ttyname(slave) for _, slave in ends)
        yield client, others
    finally:
        os.write(stop_write, b"x")
        wire.join()
        for descriptor in (stop_read, stop_write, *(each for pair in ends for each in pair)):
            os.close(descriptor)


def dialled(octets: bytes) -> bytes | None:
    """Answer as a modem that gets through to everybody; the escape sequence ends the call."""
    words = {b"AT": b"\r\nOK\r\n", b"AT" + b"D": b"\r\nCONNECT 9600\r\n", b"++": b"\r\nOK\r\n"}
    return words.get(octets[:3] if octets[:3] == b"ATD" else octets[:2])


@contextmanager
def serial_port_server(path: str) -> Iterator[tuple[int, IO[str]]]:
    """Serve a serial port by RFC 2217 in a process of its own; give the TCP port, and what it says of its line."""
    process = subprocess.Popen([sys.executable, str(SERVER), path], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        while said.startswith("line"):
            said = process.stdout.readline()
        yield int(said), process.stdout
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
