"""Opens the stream that a connection URL means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosem.errors import ConfigurationError
from cosem.io import blocking
from cosem.io.credentials import password
from cosem.io.echo import EchoStripping
from cosem.io.fixed_line import FixedLine
from cosem.io.modem import ANSWER_WAIT, DialScript, dial
from cosem.io.rfc2217 import Rfc2217Stream
from cosem.io.software_parity import PLAIN, SoftwareParity
from cosem.io.stream import CONNECT_TIMEOUT, Stream
from cosem.protocol.profile.address import ONE_WAY, ConnectionUrl

if TYPE_CHECKING:
    from cosem.io.aio import Handler, Listener, ListenLimits

AVAILABLE = frozenset(
    {
        ("wrapper", "tcp"),
        ("wrapper", "udp"),
        ("hdlc", "tcp"),
        ("hdlc", "serial"),
        ("elgama", "tcp"),
        ("elgama", "serial"),
        ("elgama", "rfc2217"),
        ("elgama", "modem"),
        ("hdlc", "rfc2217"),
        ("hdlc", "modem"),
        ("iec21", "tcp"),
        ("iec21", "serial"),
        ("iec21", "rfc2217"),
        ("iec21", "modem"),
    }
)
"""Framing and medium of every connection this version can open; the grammar of URLs knows more words."""

HEARD = frozenset((framing, medium) for framing in ONE_WAY for medium in ("tcp", "serial", "rfc2217", "file"))
"""Framing and medium of every meter that only speaks, and can be listened to."""


def open_blocking(url: ConnectionUrl | str, timeout: float = CONNECT_TIMEOUT) -> Stream:
    """Open a stream that blocks. Raises ConfigurationError before anything is sent, or ConnectionFailed."""
    url = _checked(url)
    return _dressed(blocking.run(_reached(_open_blocking(url, timeout), url)), url)


def open_raw(url: ConnectionUrl | str, timeout: float = CONNECT_TIMEOUT) -> Stream:
    """Open a stream that blocks to hear what a line carries, whatever that is. Raises as `open_blocking` does."""
    url = url if isinstance(url, ConnectionUrl) else ConnectionUrl.parse(url)
    _check_medium(url)
    return _dressed(blocking.run(_reached(_open_blocking(url, timeout), url)), url)


def _open_blocking(url: ConnectionUrl, timeout: float) -> Stream:
    if url.medium in ("serial", "modem"):
        return blocking.open_serial(url.path, *_opened(url), url.rs485, url.flow)
    assert url.port is not None
    if url.medium == "udp":
        return blocking.connect_udp(url.host, url.port)
    return blocking.connect_tcp(url.host, url.port, timeout, url.bind)


def hear_blocking(url: ConnectionUrl | str, timeout: float = CONNECT_TIMEOUT) -> Stream:
    """Open a stream that blocks, to listen to a meter that only speaks, or to a file of what one said (`-` is standard
    input). Raises as `open_blocking` does.
    """
    url = _checked_to_hear(url)
    if url.medium == "file":
        return blocking.open_file(url.path)
    return _dressed(blocking.run(_reached(_open_blocking(url, timeout), url)), url)


async def open_async(url: ConnectionUrl | str, timeout: float = CONNECT_TIMEOUT) -> Stream:
    """Open a stream on the running event loop. Raises as `open_blocking` does."""
    url = _checked(url)
    return _dressed(await _reached(await _open_async(url, timeout), url), url)


async def _open_async(url: ConnectionUrl, timeout: float) -> Stream:
    from cosem.io import aio  # here, as asyncio is half of what a blocking program would wait for at its start

    if url.medium in ("serial", "modem"):
        return await aio.open_serial(url.path, *_opened(url), url.rs485, url.flow)
    assert url.port is not None
    if url.medium == "udp":
        return await aio.connect_udp(url.host, url.port)
    return await aio.connect_tcp(url.host, url.port, timeout, url.bind)


async def hear_async(url: ConnectionUrl | str, timeout: float = CONNECT_TIMEOUT) -> Stream:
    """Open a stream on the running event loop, as `hear_blocking` does; files are for blocking programs only."""
    url = _checked_to_hear(url)
    if url.medium == "file":
        raise ConfigurationError("a file is read by blocking programs: use the blocking way, or a thread")
    return _dressed(await _reached(await _open_async(url, timeout), url), url)


async def listen(url: ConnectionUrl | str, handler: Handler, limits: ListenLimits | None = None) -> Listener:
    """Listen where the URL says and serve every connection with `handler`. Raises as `open_blocking` does."""
    from cosem.io import aio

    url = _checked(url)
    if url.port is None:
        raise ConfigurationError(f"{url.medium} cannot be listened on; use tcp or udp")
    if url.medium == "udp":
        return await aio.listen_datagrams(url.host, url.port, handler, limits)
    return await aio.listen(url.host, url.port, handler, limits)


def _opened(url: ConnectionUrl) -> tuple[int, str]:
    """Return speed and character format that a line of this machine is opened with."""
    baud, character_format = url.line
    return baud, PLAIN if url.parity else character_format


async def _reached(stream: Stream, url: ConnectionUrl) -> Stream:
    """Go the rest of the way to the meter's line: through a serial port server, or by telephone."""
    if url.medium == "rfc2217":
        port = Rfc2217Stream(stream, url.place)
        await port.begin(*_opened(url))
        return port
    if url.medium == "modem":
        return await dial(stream, _script(url))
    return stream


def _dressed(stream: Stream, url: ConnectionUrl) -> Stream:
    """Put around a stream what its line does on its own."""
    if url.medium in ("tcp", "tls", "modem") and url.framing != "wrapper" and _is_switched(url):
        stream = FixedLine(stream, url.place)
    if url.parity is not None:
        stream = SoftwareParity(stream, url.line[1])
    if url.echo is not None:
        stream = EchoStripping(stream, url.line[0])
    return stream


def _is_switched(url: ConnectionUrl) -> bool:
    """Tell whether a line is there to be switched: where IEC 62056-21 is spoken, or parity or echo are looked after."""
    return url.framing == "iec21" or any((url.sign_on, url.parity, url.echo))


def _script(url: ConnectionUrl) -> DialScript:
    if url.number is None:
        raise ConfigurationError("a modem must be told whom to dial: add number=…")
    return DialScript(
        number=url.number,
        pin=None if url.pin is None else password(url.pin),
        commands=() if url.init is None else (url.init,),
        answer_wait=ANSWER_WAIT if url.answer_wait is None else float(url.answer_wait),
    )


def _check_medium(url: ConnectionUrl) -> None:
    """Raise ConfigurationError for what is known to fail before anything is opened."""
    media = {medium for _, medium in AVAILABLE}
    if url.medium not in media:
        can = ", ".join(sorted(media))
        raise ConfigurationError(f"{url.medium} is not available in this version; there are: {can}")
    if url.medium == "modem":
        _script(url)


def _checked_to_hear(url: ConnectionUrl | str) -> ConnectionUrl:
    url = url if isinstance(url, ConnectionUrl) else ConnectionUrl.parse(url)
    if (url.framing, url.medium) not in HEARD:
        can = ", ".join(f"{framing}+{medium}" for framing, medium in sorted(HEARD))
        raise ConfigurationError(f"{url.scheme} is not listened to in this version; there are: {can}")
    return url


def _checked(url: ConnectionUrl | str) -> ConnectionUrl:
    url = url if isinstance(url, ConnectionUrl) else ConnectionUrl.parse(url)
    if url.framing in ONE_WAY:
        raise ConfigurationError(
            f"{url.scheme} is not available in this version as a connection that can be asked: such a meter only "
            f"speaks, so follow it with cosem listen {url}"
        )
    if (url.framing, url.medium) not in AVAILABLE:
        can = ", ".join(f"{framing}+{medium}" for framing, medium in sorted(AVAILABLE))
        raise ConfigurationError(f"{url.framing}+{url.medium} is not available in this version; there are: {can}")
    _check_medium(url)
    return url
