"""Serving HTTP inside the gateway's loop: who is let in, and how much each may ask."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypedDict, Unpack

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from cosem.errors import ConfigurationError
from cosem.protocol.crypto.key import Secret

_BEARER: Final = "bearer "
_BY_ITSELF: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Bounds of a server.

    Attributes:
        connections: how many are answered at once, streams among them; more are refused, and those beyond twice as
            many not even heard.
        patience: seconds for a request to arrive once a connection is made, and for an answer to be taken.
        head: octets of a request without its body. body: octets of a body.
    """

    connections: int = 64
    patience: float = 10.0
    head: int = 16_384
    body: int = 4096


class HttpServer:
    """Serves an application at a place, until it is closed.

    Args:
        open_paths: what is shown to whoever asks, token or not: a page that asks for the token itself.
        token: what clients show as `Authorization: Bearer …`; None lets in whoever reaches the port by a name of this
            machine, so that no page elsewhere can have a browser ask in its stead.
    """

    def __init__(
        self,
        app: Starlette,
        host: str,
        port: int,
        settings: HttpSettings,
        *,
        tls: ssl.SSLContext | None = None,
        token: Secret | None = None,
        open_paths: frozenset[str] = frozenset(),
    ) -> None:
        self.host = host
        self.port = port
        self._tls = tls
        self._settings = settings
        self._app = _Door(app, token, host, open_paths)
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def scheme(self) -> str:
        """What stands in front of its addresses."""
        return "http" if self._tls is None else "https"

    async def start(self) -> None:
        """Begin to listen. Raises ConfigurationError where nobody can."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            listener = socket.create_server((self.host, self.port), family=family)
        except OSError as error:
            raise ConfigurationError(f"HTTP: cannot listen at {self.host} port {self.port}: {error}") from error
        self.port = listener.getsockname()[1]
        settings, tls = self._settings, self._tls

        def factory(_: uvicorn.Config, __: object) -> ssl.SSLContext:
            assert tls is not None
            return tls

        config = uvicorn.Config(
            self._app,
            http=_protocol(settings),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=settings.connections + 1,
            h11_max_incomplete_event_size=settings.head,
            timeout_graceful_shutdown=1,
            ssl_context_factory=None if tls is None else factory,
        )
        self._server = uvicorn.Server(config)
        # the method that leaves signals alone: they are the gateway's
        self._task = asyncio.create_task(self._server._serve([listener]))  # pyright: ignore[reportPrivateUsage]

    async def close(self) -> None:
        """Stop listening and end what is going on."""
        if self._server is None or self._task is None:
            return
        self._server.should_exit = True
        await asyncio.wait([self._task])
        self._server = self._task = None


class Guard(TypedDict, total=False):
    """Who may ask: `tls` for a server's context, `token` for what clients show."""

    tls: ssl.SSLContext | None
    token: Secret | None


class Served:
    """What all that serve HTTP have in common: where they listen, and for whom."""

    buffered = False

    def __init__(
        self,
        routes: Sequence[BaseRoute],
        host: str,
        port: int,
        settings: HttpSettings | None,
        open_paths: frozenset[str] = frozenset(),
        **guard: Unpack[Guard],
    ) -> None:
        self._settings = settings or HttpSettings()
        app = Starlette(routes=list(routes))
        self._http = HttpServer(app, host, port, self._settings, open_paths=open_paths, **guard)

    @property
    def host(self) -> str:
        """Where it listens."""
        return self._http.host

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._http.port

    @property
    def url(self) -> str:
        """Where it is asked."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self._http.scheme}://{host}:{self.port}/"

    async def close(self) -> None:
        """Stop listening."""
        await self._http.close()


def _protocol(settings: HttpSettings) -> type[asyncio.Protocol]:
    patience = settings.patience

    class Patient(H11Protocol):
        """Ends a connection that does not ask or listen, or not to the end, which the library would keep for ever."""

        stuck: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.loop.call_later(patience, self._look, None)
            if len(self.connections) > 2 * settings.connections:
                transport.abort()

        def connection_lost(self, exc: Exception | None) -> None:
            self._moves()
            super().connection_lost(exc)

        def pause_writing(self) -> None:
            super().pause_writing()
            self.stuck = self.loop.call_later(patience, self.transport.abort)

        def resume_writing(self) -> None:
            self._moves()
            super().resume_writing()

        def _moves(self) -> None:
            if self.stuck is not None:
                self.stuck.cancel()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self.loop.call_later(patience, self._look, self.cycle)

        def _look(self, answered: object) -> None:
            """End it where no request came since the one that was answered."""
            if getattr(self, "cycle", None) is answered and not self.transport.is_closing():
                self.transport.close()

    return Patient


class _Door:
    """Lets in who shows the token, or who asks from this machine."""

    def __init__(self, app: ASGIApp, token: Secret | None, host: str, open_paths: frozenset[str]) -> None:
        self._app = app
        self._open_paths = open_paths
        self._token = token
        self._names = _BY_ITSELF | {host.lower(), f"[{host.lower()}]"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = self._refused(Headers(scope=scope), scope["path"]) if scope["type"] == "http" else None
        if refused is None:
            await self._app(scope, receive, send)
        else:
            await refused(scope, receive, send)

    def _refused(self, headers: Headers, path: str) -> Response | None:
        if self._token is None:
            host = headers.get("host", "")
            name = host if host.endswith("]") else host.rpartition(":")[0] or host
            return None if name.lower() in self._names else Response("not by this name", 421)
        shown = headers.get("authorization", "")
        if path in self._open_paths:
            return None
        if shown[: len(_BEARER)].lower() == _BEARER and self._token.equals(shown[len(_BEARER) :].strip().encode()):
            return None
        return Response("a token is needed", 401, {"WWW-Authenticate": "Bearer"})


class TooLarge(Exception):
    """A body of more than is read."""


async def body(request: Request, settings: HttpSettings) -> bytes:
    """Return the body of a request. Raises TooLarge, TimeoutError, or ClientDisconnect."""
    read = b""
    async with asyncio.timeout(settings.patience):
        async for chunk in request.stream():
            read += chunk
            if len(read) > settings.body:
                raise TooLarge
    return read


def as_json(text: str, status: int = 200, **headers: str) -> Response:
    """Return an answer of JSON that nobody keeps."""
    fixed: dict[str, Any] = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **headers}
    return Response(text, status, fixed, "application/json")
