"""What the operating system says when a connection fails, turned into errors that say what to try."""

from __future__ import annotations

import errno
import socket

from cosem.errors import ConnectionFailed, ConnectionLost


def connection_failed(error: OSError, host: str, port: int, seconds: float | None = None) -> ConnectionFailed:
    """Explain why no connection to `host` could be made."""
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if isinstance(error, socket.gaierror):
        return ConnectionFailed(f"{host!r} is not a known host; check its spelling, or give the IP address")
    if isinstance(error, TimeoutError):
        limit = "" if seconds is None else f" within {seconds:g} s"
        return ConnectionFailed(
            f"{where} did not answer{limit}; check the address, the route and any firewall between (does ping answer?)"
        )
    if isinstance(error, ConnectionRefusedError):
        return ConnectionFailed(
            f"{where} refused the connection; check the port (DLMS/COSEM uses 4059), "
            "and that no other client holds the meter: many accept one at a time"
        )
    if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return ConnectionFailed(f"no route leads to {where}; check the address and this machine's network")
    return ConnectionFailed(f"no connection to {where}: {reason(error)}")


def cannot_listen(error: OSError, host: str, port: int) -> ConnectionFailed:
    """Explain why nobody can come to a port here."""
    return ConnectionFailed(
        f"cannot listen on {host} port {port}: {reason(error)}; "
        "choose another port (0 finds a free one) or an address of this machine"
    )


def connection_lost(error: OSError) -> ConnectionLost:
    """Explain why a connection that was there is gone."""
    if isinstance(error, ConnectionRefusedError):  # what a datagram medium says when nobody listens
        return ConnectionLost("nothing listens there; check the port, and that the meter is running")
    if isinstance(error, (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)):
        return ConnectionLost("the peer broke the connection off")
    return ConnectionLost(f"the connection failed: {reason(error)}")


def closed_by_peer() -> ConnectionLost:
    return ConnectionLost("the peer closed the connection")


def closed_here() -> ConnectionLost:
    return ConnectionLost("the connection was closed on this side")


def reason(error: OSError) -> str:
    """Return the operating system's words, without its number."""
    return error.strerror or str(error) or type(error).__name__
