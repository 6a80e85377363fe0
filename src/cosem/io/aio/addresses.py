"""Looking up where a host is, without a resolver thread where none is needed."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from typing import Any

from cosem.errors import ConnectionFailed
from cosem.io import failure


async def addresses(host: str, port: int, kind: socket.SocketKind) -> list[tuple[socket.AddressFamily, Any]]:
    """Return family and socket address of every way to `host`; a numeric address asks no resolver thread."""
    with contextlib.suppress(ValueError):
        if isinstance(ipaddress.ip_address(host), ipaddress.IPv4Address):
            return [(socket.AF_INET, (host, port))]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=kind)
    except OSError as error:
        raise failure.connection_failed(error, host, port) from error
    except UnicodeError as error:  # a label of the name is empty or too long
        raise ConnectionFailed(f"{host!r} is not a known host; check its spelling, or give the IP address") from error
    return [(family, address) for family, _, _, _, address in found]


def host_of(address: Any) -> str:
    """Return the host of a socket address; what is no IP socket has none."""
    return str(address[0]) if address else ""
