"""`cosem ports`: a table for people, JSON for programs, and a hint where a port cannot be opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cosem.cli import ports
from cosem.io.ports import FoundPort

Cosem = Callable[..., Any]

HEAD = FoundPort(
    device="/dev/ttyUSB0",
    description="CP2102N\x1b[2J",
    manufacturer="Silicon Labs",
    usb="10C4:EA60",
    serial_number="0001",
    stable_name="/dev/serial/by-id/usb-head",
    hint="this user may not open it: add yourself to group dialout",
)


def test_a_table_and_a_hint(cosem: Cosem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "serial_ports", lambda: [HEAD])
    ran = cosem("ports")
    for word in ("/dev/ttyUSB0", "Silicon Labs", "10C4:EA60", "0001", "/dev/serial/by-id/usb-head"):
        assert word in ran.out
    assert "\x1b" not in ran.everything
    assert ran.err == "hint: /dev/ttyUSB0: this user may not open it: add yourself to group dialout\n"


def test_json(cosem: Cosem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "serial_ports", lambda: [HEAD])
    [port] = cosem("ports", "--json").json["ports"]
    assert port["usb"] == "10C4:EA60"
    assert port["url"] == "iec21+serial:///dev/serial/by-id/usb-head"


def test_none(cosem: Cosem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "serial_ports", list)
    ran = cosem("ports")
    assert (ran.code, ran.out) == (0, "")
    assert "no serial port" in ran.err
