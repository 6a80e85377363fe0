"""A serial port server that speaks RFC 2217, as a process of its own: pyserial's PortManager in front of a port."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import termios
from typing import Any

import serial
import serial.rfc2217


class Port(serial.Serial):
    """A pseudo-terminal has no modem lines to be asked for, and keeps parity and breaks to itself: they are told."""

    cts = dsr = ri = cd = True

    @property
    def break_condition(self) -> bool:
        return False

    @break_condition.setter
    def break_condition(self, on: bool) -> None:
        print(f"break {'on' if on else 'off'}", flush=True)

    def _reconfigure_port(self, *arguments: Any, **options: Any) -> None:
        with contextlib.suppress(OSError, termios.error):  # what the pseudo-terminal does not keep
            super()._reconfigure_port(*arguments, **options)
        print(f"line {self.baudrate} {self.bytesize}{self.parity}{self.stopbits}", flush=True)


class Wire:
    def __init__(self, connected: socket.socket) -> None:
        self.write = connected.sendall


def main(path: str) -> None:
    port = Port(path, timeout=0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        connected, _ = server.accept()
        manager = serial.rfc2217.PortManager(port, Wire(connected))
        while True:
            ready, _, _ = select.select([connected, port.fileno()], [], [])
            if connected in ready:
                octets = connected.recv(1024)
                if not octets:
                    return
                for octet in manager.filter(octets):
                    os.write(port.fileno(), octet)
            if port.fileno() in ready:
                connected.sendall(b"".join(manager.escape(port.read(1024))))


main(sys.argv[1])
