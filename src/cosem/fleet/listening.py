"""One listening socket for a meter at each loopback address: whoever comes is told apart by the address he came to.

It is bound to the wildcard and to the loopback device, which systems other than Linux do not know: there, and where it
is not allowed, a connection to any other address is closed before an octet is read of it.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Address
from typing import Final

from cosem.errors import ConfigurationError
from cosem.io import failure
from cosem.io.aio import SocketStream

LOOPBACK: Final = ipaddress.ip_network("127.0.0.0/8")
WILDCARD: Final = "0.0.0.0"  # noqa: S104  # `open_listener` lets nothing in but what comes to a loopback address
DEVICE: Final = b"lo"


class AddressRange:
    """`count` addresses of 127.0.0.0/8 from `first` on; ConfigurationError where they do not fit in it."""

    def __init__(self, first: str, count: int) -> None:
        try:
            begin = IPv4Address(first)
        except ValueError:
            raise ConfigurationError(f"{first!r}: a meter at each address begins with one such as 127.1.0.0") from None
        if begin not in LOOPBACK or int(begin) + count - 1 > int(LOOPBACK.broadcast_address):
            raise ConfigurationError(
                f"{count} meters from {first} on do not fit into 127.0.0.0/8: begin at 127.1.0.0, or give each a port"
            )
        self.count = count
        self.first = int(begin)

    def address(self, number: int) -> str:
        """Return the address of a meter."""
        return str(IPv4Address(self.first + number))

    def number(self, address: str) -> int | None:
        """Return which meter is at an address; None for one of nobody."""
        try:
            number = int.from_bytes(socket.inet_aton(address), "big") - self.first
        except OSError:
            return None
        return number if 0 <= number < self.count else None


def open_listener(port: int, *, bind_device: Callable[[socket.socket], None] | None = None) -> socket.socket:
    """Return a socket bound to a port of all addresses, reached by the loopback device alone where that can be had.

    Raises ConnectionFailed when the port cannot be had.
    """
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError, AttributeError):  # not allowed, or not Linux: see `whose`
            (bind_device or _bind_device)(opened)
        opened.bind((WILDCARD, port))
    except OSError as error:
        opened.close()
        raise failure.cannot_listen(error, WILDCARD, port) from error
    return opened


def whose(*ranges: AddressRange) -> Callable[[SocketStream], str]:
    """Return what says to which meter's account a connection goes: to its address, and to none where none is there."""

    def account(stream: SocketStream) -> str:
        local = stream.local
        return local if any(addresses.number(local) is not None for addresses in ranges) else ""

    return account


def _bind_device(opened: socket.socket) -> None:
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, DEVICE)
