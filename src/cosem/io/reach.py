"""From where what listens here can be reached: loopback, unless somebody says otherwise."""

from __future__ import annotations

import ipaddress
from typing import Final

from cosem.errors import ConfigurationError
from cosem.protocol.profile.address import ConnectionUrl

LOCAL_NAME: Final = "localhost"


def check_place(url: ConnectionUrl, demonstration: bool, *, beyond_loopback: bool) -> None:
    """Raise ConfigurationError where a URL reaches beyond loopback without leave, or at all with demo keys."""
    if _is_loopback(url):
        return
    if demonstration:
        raise ConfigurationError(
            f"demo keys, which everybody knows, are served on loopback only (127.0.0.1), not on {url.place}"
        )
    if not beyond_loopback:
        raise ConfigurationError(
            f"{url.place} can be reached from elsewhere: listen on 127.0.0.1, "
            "or allow it with beyond_loopback=True (on the command line --beyond-loopback)"
        )


def _is_loopback(url: ConnectionUrl) -> bool:
    if url.host.lower() == LOCAL_NAME:
        return True
    try:
        return ipaddress.ip_address(url.host).is_loopback
    except ValueError:  # another name, or a serial line
        return False
