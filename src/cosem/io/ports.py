"""The serial ports of this machine, as people know them: what is plugged in, its name that stays, and for whom."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cosem.io.serial_line import pyserial

STABLE_NAMES: Final = Path("/dev/serial/by-id")
"""Where Linux keeps a name for each adapter that does not change with the order of plugging in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPort:
    """A serial port. `usb` is vendor:product in hexadecimal; what is not known is empty."""

    device: str
    description: str = ""
    manufacturer: str = ""
    serial_number: str = ""
    usb: str = ""
    chip: str = ""
    """What is known of adapters with such a USB id."""
    stable_name: str = ""
    hint: str = ""
    """Why it cannot be opened, and what to try; empty where it can."""

    @property
    def url(self) -> str:
        """A connection URL to begin with: the name that stays, where there is one."""
        return f"iec21+serial://{self.stable_name or self.device}"


def serial_ports() -> list[FoundPort]:
    """Return the serial ports of this machine, sorted by name. Raises ConfigurationError without pyserial."""
    pyserial()
    listed = importlib.import_module("serial.tools.list_ports").comports()
    links = _stable_names(STABLE_NAMES)
    return sorted((_found(each, links) for each in listed), key=lambda port: port.device)


def why_refused(path: str) -> str:
    """Tell whom a port belongs to and how to get at it; empty where this user may, or nothing is known."""
    try:
        status = Path(path).stat()
    except OSError:
        return ""
    if os.access(path, os.R_OK | os.W_OK):
        return ""
    group = _group(status.st_gid) if status.st_mode & 0o060 == 0o060 else ""
    if not group or group == "root":
        return "this user may not open it; a udev rule has to give its group the right to"
    return (
        f"this user may not open it: add yourself to group {group} (sudo usermod -aG {group} $USER), then log in again"
    )


def _found(info: Any, links: dict[str, str]) -> FoundPort:
    device = str(info.device)
    usb = f"{info.vid:04X}:{info.pid:04X}" if info.vid is not None and info.pid is not None else ""
    return FoundPort(
        device=device,
        description=_text(info.product) or _text(info.description),
        manufacturer=_text(info.manufacturer),
        serial_number=_text(info.serial_number),
        usb=usb,
        chip=_CHIPS.get(usb, ""),
        stable_name=links.get(os.path.realpath(device), ""),
        hint=why_refused(device),
    )


def _text(value: object) -> str:
    text = "" if value is None else str(value)
    return "" if text == "n/a" else text


def _stable_names(folder: Path) -> dict[str, str]:
    try:
        entries: Iterable[Path] = sorted(folder.iterdir())
    except OSError:  # another system, or nothing plugged in
        return {}
    return {os.path.realpath(entry): str(entry) for entry in entries}


def _group(number: int) -> str:
    try:
        found = importlib.import_module("grp").getgrgid(number)
    except (ImportError, KeyError):
        return ""
    return str(found.gr_name)


_CHIPS: Final = {
    "0403:6001": "FTDI FT232R",
    "0403:6010": "FTDI FT2232",
    "0403:6011": "FTDI FT4232",
    "0403:6014": "FTDI FT232H",
    "0403:6015": "FTDI FT-X",
    "067B:2303": "Prolific PL2303",
    "10C4:EA60": "Silicon Labs CP210x",
    "10C4:EA70": "Silicon Labs CP2105",
    "1A86:5523": "WCH CH341",
    "1A86:7523": "WCH CH340",
}
"""The chips in most optical heads, P1 cables and RS-485 adapters, by USB vendor and product."""
