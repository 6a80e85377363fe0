"""Checking a whole configuration: all faults at once, and those of one driver stop that driver alone."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cosem.errors import CosemError
from cosem.gateway.config.book import Book, Reported
from cosem.gateway.config.check_devices import CheckedDevices, check_devices
from cosem.gateway.config.check_outputs import check_outputs, check_ports, check_settings
from cosem.gateway.config.check_signals import check_signals
from cosem.gateway.config.configuration import Configuration, Settings
from cosem.gateway.config.finding import ALL_DRIVERS, DriverName, Fault, Place
from cosem.gateway.config.rows import NOBODY, Findings
from cosem.store.keys import FileKeyRing

TABLES: Final = frozenset({"devices", "signals", "outputs", "ports", "settings"})
_NEEDED: Final = ("devices", "signals")


def check(book: Book) -> Configuration:
    """Return what a book says, with everything that is wrong with it."""
    findings = Findings()
    for each in book.reported:
        _report(each, findings)
    broken = {each.sheet.lower() for each in book.reported if each.fatal}
    for name in _NEEDED:
        if name not in book.sheets and name not in broken:
            findings.fault(Place(name.capitalize()), "there is no such table", "", ALL_DRIVERS)
    ports = check_ports(book.sheets.get("ports"), findings)
    settings = check_settings(book.sheets.get("settings"), findings)
    ring = _ring(settings, findings)
    devices = CheckedDevices()
    if "devices" in book.sheets:
        devices = check_devices(book.sheets["devices"], ports, ring, findings)
    signals = check_signals(book.sheets["signals"], devices, findings) if book.sheets.keys() >= set(_NEEDED) else []
    outputs = check_outputs(book.sheets.get("outputs"), findings)
    if not any(each.enabled for each in outputs):
        findings.warn(Place("Outputs"), "there is no output: values are shown, and go nowhere")
    stopped = frozenset(driver for fault in findings.faults for driver in fault.stops)
    running = [each for each in devices.devices if each.driver not in stopped]
    aliases = {each.alias for each in running}
    return Configuration(
        devices=tuple(running),
        signals=tuple(each for each in signals if each.device in aliases),
        outputs=tuple(outputs),
        faults=tuple(findings.faults),
        notices=tuple(findings.notices),
        settings=settings,
        ports=ports,
    )


def unreadable(path: Path, reason: str) -> Configuration:
    """Return what comes of a file that cannot be read at all."""
    return Configuration(faults=(Fault(Place(str(path)), reason, "", ALL_DRIVERS),))


def _report(reported: Reported, findings: Findings) -> None:
    place = Place(reported.sheet, reported.row)
    if reported.fatal:
        stops: frozenset[DriverName] = ALL_DRIVERS if reported.sheet.lower() in _NEEDED else NOBODY
        findings.fault(place, reported.text, "", stops)
    else:
        findings.warn(place, reported.text)


def _ring(settings: Settings, findings: Findings) -> FileKeyRing | None:
    if not settings.keyring:
        return None
    place = Place("Settings", 0, "keyring", settings.keyring)
    if settings.keyring_secret is None:
        findings.fault(place, "keyring_secret, which opens it, is missing", "env:NAME or file:PATH")
        return None
    try:
        return FileKeyRing(Path(settings.keyring).expanduser(), settings.keyring_secret.password())
    except CosemError as refused:
        findings.fault(place, str(refused))
        return None
