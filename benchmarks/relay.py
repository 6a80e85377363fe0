"""A relay on loopback that counts what a client and a meter say to each other: octets each way, and round trips."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

PIECE = 65536


@dataclass
class Count:
    """What went over the line so far. A round trip begins when the client speaks first, or after the meter did."""

    to_meter: int = 0
    from_meter: int = 0
    round_trips: int = 0
    _client_spoke: bool = False

    @property
    def octets(self) -> int:
        return self.to_meter + self.from_meter

    def add(self, octets: int, *, by_client: bool) -> None:
        if by_client:
            self.to_meter += octets
            self.round_trips += not self._client_spoke
        else:
            self.from_meter += octets
        self._client_spoke = by_client


@contextlib.contextmanager
def relay(meter: int, host: str = "127.0.0.1") -> Iterator[tuple[int, Count]]:
    """Pass on what comes to the port that this gives, to the meter's port and back, one connection after the other."""
    count = Count()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, (host, meter), count))
        thread.start()
        try:
            yield listener.getsockname()[1], count
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes the thread out of accept
            thread.join()


def _serve(listener: socket.socket, meter: tuple[str, int], count: Count) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with client, socket.create_connection(meter) as server, contextlib.suppress(OSError):
            _carry(client, server, count)


def _carry(client: socket.socket, meter: socket.socket, count: Count) -> None:
    with selectors.DefaultSelector() as ready:
        for one, other in ((client, meter), (meter, client)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ready.register(one, selectors.EVENT_READ, other)
        while True:
            for key, _ in ready.select():
                one, other = key.fileobj, key.data
                assert isinstance(one, socket.socket)
                octets = one.recv(PIECE)
                if not octets:
                    return
                count.add(len(octets), by_client=one is client)
                other.sendall(octets)
