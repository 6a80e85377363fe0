"""A Mosquitto of the test's own, on loopback and a free port, that can go away and come back."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

SBIN = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))


class Broker:
    """Mosquitto with its files in a folder; `secure` lets in only who speaks TLS and knows a password.

    What it keeps it has on disk when it ends, so that lasting sessions go on after it comes back.
    """

    def __init__(self, folder: Path, *, secure: bool = False) -> None:
        program = shutil.which("mosquitto", path=SBIN)
        if program is None:
            pytest.fail("the broker is missing. Type: sudo apt-get install -y mosquitto")
        self._program = program
        self._folder = folder
        self._secure = secure
        self._process: asyncio.subprocess.Process | None = None
        self.port = free_port()

    async def start(self) -> None:
        """Start it and wait until it listens."""
        self._process = await asyncio.create_subprocess_exec(
            *(self._program, "-c", str(self._written())),
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        assert self._process.stderr is not None
        said = b""
        async with asyncio.timeout(30):
            while b" running" not in (line := await self._process.stderr.readline()):
                said += line
                assert line, f"mosquitto did not start:\n{said.decode()}"

    async def stop(self) -> None:
        """End it in good order."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(30):
                await self._process.communicate()

    def _written(self) -> Path:
        lines = [
            f"listener {self.port} 127.0.0.1",
            "persistence true",
            f"persistence_location {self._folder}/",
            "max_queued_messages 0",
            "log_dest stderr",
            *(["user root"] if os.geteuid() == 0 else []),  # else it becomes a user who cannot read the folder
        ]
        if self._secure:
            passwords = self._folder / "passwords"
            tool = shutil.which("mosquitto_passwd", path=SBIN)
            assert tool is not None
            subprocess.run((tool, "-b", "-c", str(passwords), "gateway", "open sesame"), check=True)
            lines += [
                *("allow_anonymous false", f"password_file {passwords}"),
                f"certfile {self._folder}/certificate.pem",
                f"keyfile {self._folder}/key.pem",
            ]
        else:
            lines.append("allow_anonymous true")
        path = self._folder / "mosquitto.conf"
        path.write_text("\n".join(lines) + "\n")
        return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
