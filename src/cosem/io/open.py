"""Opens the stream that a connection URL means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosem.errors import ConfigurationError
from cosem.io import blocking
from cosem.io.stream import CONNECT_TIMEOUT, Stream
from cosem.protocol.profile.address import ConnectionUrl

if TYPE_CHECKING:
    from cosem.io.aio import Handler, Listener, ListenLimits

AVAILABLE = frozenset({("wrapper", "tcp"), ("wrapper", "udp"), ("hdlc", "tcp"), ("hdlc", "serial")})
"""Framing and medium of every connection this version can open; the grammar of URLs knows more words."""


def open_blocking(url: ConnectionUrl | str, timeout: float = CONNECT_TIMEOUT) -> Stream:
    """Open a stream that blocks. Raises ConfigurationError before anything is sent, or ConnectionFailed."""
    url = _checked(url)
    if url.medium == "serial":
        assert url.baud is not None and url.format is not None
        return blocking.open_serial(url.path, url.baud, url.format)
    assert url.port is not None
    if url.medium == "udp":
        return blocking.connect_udp(url.host, url.port)
    return blocking.connect_tcp(url.host, url.port, timeout)


async def open_async(url: ConnectionUrl | str, timeout: float = CONNECT_TIMEOUT) -> Stream:
    """Open a stream on the running event loop. Raises as `open_blocking` does."""
    from cosem.io import aio  # here, as asyncio is half of what a blocking program would wait for at its start

    url = _checked(url)
    if url.medium == "serial":
        assert url.baud is not None and url.format is not None
        return await aio.open_serial(url.path, url.baud, url.format)
    assert url.port is not None
    if url.medium == "udp":
        return await aio.connect_udp(url.host, url.port)
    return await aio.connect_tcp(url.host, url.port, timeout)


async def listen(url: ConnectionUrl | str, handler: Handler, limits: ListenLimits | None = None) -> Listener:
    """Listen where the URL says and serve every connection with `handler`. Raises as `open_blocking` does."""
    from cosem.io import aio

    url = _checked(url)
    if url.port is None:
        raise ConfigurationError(f"{url.medium} cannot be listened on; use tcp or udp")
    if url.medium == "udp":
        return await aio.listen_datagrams(url.host, url.port, handler, limits)
    return await aio.listen(url.host, url.port, handler, limits)


def _checked(url: ConnectionUrl | str) -> ConnectionUrl:
    url = url if isinstance(url, ConnectionUrl) else ConnectionUrl.parse(url)
    if (url.framing, url.medium) not in AVAILABLE:
        can = ", ".join(f"{framing}+{medium}" for framing, medium in sorted(AVAILABLE))
        raise ConfigurationError(f"{url.framing}+{url.medium} is not available in this version; there are: {can}")
    if url.sign_on is not None:
        raise ConfigurationError("sign_on=iec21 is not available in this version; leave it out to speak HDLC at once")
    return url
