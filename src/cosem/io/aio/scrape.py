"""A place where metrics are scraped: one text at /metrics over HTTP/1.1, nothing else, and nothing of a client kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

from cosem.errors import ConfigurationError, ConnectionLost, RemoteProtocolError, TimedOut
from cosem.io.aio.listening import ListenLimits
from cosem.io.aio.place import Place
from cosem.io.aio.tcp import SocketStream
from cosem.io.aio.udp import DatagramStream
from cosem.io.metrics import TYPE
from cosem.protocol.profile.address import ConnectionUrl

LONGEST_HEAD: Final = 8192
"""Octets of a request; it has no body."""

PATIENCE: Final = 5.0
"""Seconds in which a request must be there."""


class Scrape(Place):
    """Serves what `shown` returns, to whoever asks for /metrics.

    Args:
        shown: the metrics as text, made anew for each request.
        address: host:port; port 0 finds a free one.
        beyond_loopback: allow an address that other machines can reach.

    Raises:
        ConfigurationError: this is no address with a port, or it reaches beyond loopback without leave.
    """

    NAME: ClassVar[str] = "the place of metrics"

    def __init__(self, shown: Callable[[], str], address: str, *, beyond_loopback: bool = False) -> None:
        if not address.rpartition(":")[2].isdecimal():  # a URL without a port means that of DLMS/COSEM
            raise ConfigurationError(f"{address!r}: expected an address with a port, such as 127.0.0.1:9100")
        url = ConnectionUrl.parse(f"tcp://{address}")
        super().__init__(url, beyond_loopback=beyond_loopback, limits=ListenLimits(connections=16))
        self._shown = shown
        self._check()

    async def _attend(self, stream: SocketStream | DatagramStream) -> None:
        head, until = b"", stream.now() + PATIENCE
        while b"\r\n\r\n" not in head:
            try:
                octets = await stream.read(until)
            except ConnectionLost:
                return
            if not octets:
                raise TimedOut("request", PATIENCE)
            head += octets
            if len(head) > LONGEST_HEAD:
                raise RemoteProtocolError(f"a request of more than {LONGEST_HEAD} octets")
        await stream.write(self._answer(head.split(b" ", 2)))

    def _answer(self, words: list[bytes]) -> bytes:
        if len(words) != 3 or words[0] != b"GET":
            return _response("405 Method Not Allowed", "GET /metrics\n")
        if words[1].partition(b"?")[0] != b"/metrics":
            return _response("404 Not Found", "GET /metrics\n")
        return _response("200 OK", self._shown())


def _response(status: str, text: str) -> bytes:
    body = text.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {TYPE}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body
