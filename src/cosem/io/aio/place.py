"""The life of what is served at one place: started once, found by its URL, and closed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import ClassVar, Self

from cosem.errors import ConfigurationError
from cosem.io.aio.listening import Listener, ListenLimits, ListenStatistics, listen, listen_datagrams
from cosem.io.aio.tcp import SocketStream
from cosem.io.aio.udp import DatagramStream
from cosem.io.reach import check_place
from cosem.protocol.profile.address import ConnectionUrl


class Place(ABC):
    """A place where each connection, or each sender of datagrams, is attended; also an asynchronous context manager.

    Whoever inherits says who it is in `NAME`, attends in `_attend`, and calls `_check` when it is made.

    Args:
        url: where; port 0 finds a free one.
        beyond_loopback: allow an address that other machines can reach.
        limits: how many connections, or senders of datagrams, at once.
    """

    NAME: ClassVar[str]
    """What errors call it."""

    def __init__(self, url: str | ConnectionUrl, *, beyond_loopback: bool, limits: ListenLimits | None) -> None:
        self._url = ConnectionUrl.parse(url) if isinstance(url, str) else url
        self._beyond_loopback = beyond_loopback
        self._limits = limits or ListenLimits()
        self._listener: Listener | None = None

    @property
    def url(self) -> ConnectionUrl:
        """Where that is, with the port that was found."""
        return self._url if self._listener is None else replace(self._url, port=self._listener.port)

    @property
    def statistics(self) -> ListenStatistics:
        """What has been seen since the start; a serial line counts nothing."""
        return ListenStatistics() if self._listener is None else self._listener.statistics

    async def start(self) -> None:
        """Begin to serve. Raises ConnectionFailed when the port cannot be had, ConfigurationError when it must not."""
        if self._started:
            raise ConfigurationError(f"{self.NAME} was started already")
        self._check()  # what is served may have changed
        await self._begin()

    async def wait_closed(self) -> None:
        """Wait until it is closed."""
        if self._listener is not None:
            await self._listener.wait_closed()

    async def close(self) -> None:
        """Stop serving and close every connection."""
        if self._listener is not None:
            await self._listener.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def _started(self) -> bool:
        return self._listener is not None

    @property
    def _demonstration(self) -> bool:
        """Whether anything is served under keys that everybody knows."""
        return False

    def _check(self) -> None:
        """Raise ConfigurationError where this must not be served."""
        check_place(self._url, self._demonstration, beyond_loopback=self._beyond_loopback)

    async def _begin(self) -> None:
        begin = listen_datagrams if self._url.medium == "udp" else listen
        self._listener = await begin(self._url.host, self._url.port or 0, self._attend, self._limits)

    @abstractmethod
    async def _attend(self, stream: SocketStream | DatagramStream) -> None:
        """Attend one connection until it ends."""
