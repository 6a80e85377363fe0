"""Where metrics are scraped: one text for GET /metrics, and little patience with anything else."""

from __future__ import annotations

import asyncio

import pytest

from cosem.errors import ConfigurationError, ConnectionLost
from cosem.io.aio import connect_tcp
from cosem.io.aio.scrape import LONGEST_HEAD, Scrape


def asked(request: bytes) -> bytes:
    """Return all that is answered to a request."""

    async def main() -> bytes:
        async with Scrape(lambda: "m 1\n", "127.0.0.1:0") as scrape:
            stream = await connect_tcp(scrape.url.host, scrape.url.port or 0)
            await stream.write(request)
            answer = b""
            try:
                while octets := await stream.read(stream.now() + 5):
                    answer += octets
            except ConnectionLost:
                pass
            finally:
                await stream.close()
            return answer

    return asyncio.run(main())


@pytest.mark.parametrize("path", [b"/metrics", b"/metrics?x=1"])
def test_metrics_are_served(path: bytes) -> None:
    head, _, body = asked(b"GET " + path + b" HTTP/1.1\r\nHost: here\r\n\r\n").partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[0] == b"HTTP/1.1 200 OK"
    assert b"Content-Type: text/plain; version=0.0.4" in head
    assert b"Content-Length: 4" in head
    assert body == b"m 1\n"


@pytest.mark.parametrize(
    ("request_", "status"),
    [(b"GET / HTTP/1.1\r\n\r\n", b"404"), (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"), (b"\r\n\r\n", b"405")],
)
def test_nothing_else_is(request_: bytes, status: bytes) -> None:
    assert asked(request_).split(b" ")[1] == status


@pytest.mark.parametrize(("octets", "answered"), [(LONGEST_HEAD, True), (LONGEST_HEAD + 1, False)])
def test_how_long_a_request_may_be(octets: int, answered: bool) -> None:
    begin, end = b"GET /metrics HTTP/1.1\r\nA: ", b"\r\n\r\n"
    request = begin + b"a" * (octets - len(begin) - len(end)) + end
    assert bool(asked(request)) is answered


def test_it_stays_on_loopback() -> None:
    with pytest.raises(ConfigurationError, match="elsewhere"):
        Scrape(str, "192.0.2.1:1")
    for address in ("127.0.0.1", "127.0.0.1:", "127.0.0.1:x"):
        with pytest.raises(ConfigurationError, match="with a port, such as"):
            Scrape(str, address)
    assert Scrape(str, "192.0.2.1:1", beyond_loopback=True).url.host == "192.0.2.1"
