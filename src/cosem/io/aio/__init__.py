"""Streams on asyncio: TCP, UDP and serial lines for many connections at once, and listening for them.

Built on asyncio's protocols and one future per wait, which costs less than its own streams.
"""

from cosem.io.aio.line import SerialStream, open_serial
from cosem.io.aio.listening import Handler, Listener, ListenLimits, ListenStatistics, listen, listen_datagrams
from cosem.io.aio.place import Place
from cosem.io.aio.tcp import SocketStream, connect_tcp
from cosem.io.aio.udp import DatagramStream, connect_udp

__all__ = [
    "DatagramStream",
    "Handler",
    "ListenLimits",
    "ListenStatistics",
    "Listener",
    "Place",
    "SerialStream",
    "SocketStream",
    "connect_tcp",
    "connect_udp",
    "listen",
    "listen_datagrams",
    "open_serial",
]
