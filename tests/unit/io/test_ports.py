"""Serial ports as people know them, from what pyserial and the file system say."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cosem.io import ports
from cosem.io.ports import serial_ports, why_refused


def listed(device: str, **said: Any) -> SimpleNamespace:
    nothing = dict.fromkeys(("vid", "pid", "serial_number", "manufacturer", "product"))
    return SimpleNamespace(device=device, description="n/a", **{**nothing, **said})


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Path, Path]:
    """An optical head with a name that stays, and a port of which nothing is known."""
    head, plain = tmp_path / "ttyUSB1", tmp_path / "ttyS0"
    for each in (head, plain):
        each.touch()
        each.chmod(0o660)
    names = tmp_path / "by-id"
    names.mkdir()
    (names / "usb-Silicon_Labs_CP2102N_0001").symlink_to(head)
    monkeypatch.setattr(ports, "STABLE_NAMES", names)
    said = {"vid": 0x10C4, "pid": 0xEA60, "serial_number": "0001", "manufacturer": "Silicon Labs", "product": "CP2102N"}
    found = [listed(str(head), **said), listed(str(plain))]
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: found)
    return head, plain


def test_what_is_plugged_in(two: tuple[Path, Path]) -> None:
    plain, head = serial_ports()
    assert (plain.device, plain.description, plain.usb, plain.stable_name) == (str(two[1]), "", "", "")
    assert (head.manufacturer, head.description, head.usb) == ("Silicon Labs", "CP2102N", "10C4:EA60")
    assert (head.serial_number, head.chip) == ("0001", "Silicon Labs CP210x")
    assert head.stable_name.endswith("by-id/usb-Silicon_Labs_CP2102N_0001")
    assert head.url == f"iec21+serial://{head.stable_name}"


def test_a_port_of_a_group_that_this_user_is_not_in(two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(ports, "_group", lambda _: "dialout")
    assert "add yourself to group dialout" in why_refused(str(two[0]))
    assert "add yourself to group dialout" in serial_ports()[0].hint
    two[0].chmod(0o600)
    assert "udev" in why_refused(str(two[0]))


def test_a_port_that_may_be_opened_or_is_not_there(two: tuple[Path, Path]) -> None:
    assert why_refused(str(two[0])) == ""
    assert why_refused("/dev/no-such-port") == ""
