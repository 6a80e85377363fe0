"""Checking Outputs, Ports and Settings."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from cosem.errors import ConfigurationError
from cosem.gateway.config.book import EMPTY, Row, Sheet
from cosem.gateway.config.columns import OUTPUTS, PORTS, SERVED, SETTINGS
from cosem.gateway.config.configuration import OutputRow, Settings
from cosem.gateway.config.finding import Place
from cosem.gateway.config.reference import Reference
from cosem.gateway.config.rows import Entry, Findings, check_headings, entry

_WITH_TOKEN: Final = frozenset({"rest", "prometheus"})
_PLAIN: Final = frozenset({"modbus", "iec104", "opcua"})
"""Kinds that have neither TLS nor a token in most of the plants where they are used."""

_BROKERS: Final = frozenset({"mqtt", "home_assistant"})
_FILES: Final = frozenset({"csv", "sqlite"})


def check_ports(sheet: Sheet | None, findings: Findings) -> Mapping[str, str]:
    """Return which serial port each name means."""
    ports: dict[str, str] = {}
    for row in () if sheet is None else sheet.rows:
        assert sheet is not None
        found = entry(sheet, row, PORTS, findings)
        if found.sound:
            name = found["port"].upper()
            if name in ports:
                found.fault("port", "it is there twice", "each port once")
            ports.setdefault(name, found["device"])
    return MappingProxyType(ports)


def check_settings(sheet: Sheet | None, findings: Findings) -> Settings:
    """Return the settings of the gateway; a fault leaves the default in place."""
    known = {column.name: column for column in SETTINGS}
    values: dict[str, Any] = {}
    for row in () if sheet is None else sheet.rows:
        assert sheet is not None
        name = row.cells.get("name", EMPTY).text.lower()
        if name not in known:
            findings.fault(
                Place(sheet.name, row.number, "name", name[:60]), "there is no such setting", ", ".join(known)
            )
            continue
        if "value" not in row.cells:
            continue
        renamed = Row(row.number, MappingProxyType({name: row.cells["value"]}))
        found = entry(sheet, renamed, (known[name],), findings)
        if name in values:
            found.fault(name, "it is there twice", "each setting once")
        elif found.sound:
            values[name] = Reference(found[name]) if known[name].secret else found[name]
    settings = Settings(**values)
    if sheet is not None:
        _check_page(settings, sheet, findings)
    return settings


def _check_page(settings: Settings, sheet: Sheet, findings: Findings) -> None:
    if settings.page and is_public(settings.page):
        for name in ("page_certificate", "page_key", "page_token"):
            if not getattr(settings, name):
                findings.fault(Place(sheet.name, 0, name), f"others can reach {settings.page}, so it is required")


def check_outputs(sheet: Sheet | None, findings: Findings) -> list[OutputRow]:
    """Return the outputs; a faulty one is left out, and the others go on."""
    if sheet is None:
        return []
    known = {column.name: True for column in OUTPUTS}
    check_headings(sheet, known, ("kind",), findings)
    outputs: list[OutputRow] = []
    names: dict[str, int] = {}
    for row in sheet.rows:
        found = entry(sheet, row, OUTPUTS, findings)
        kind = found["kind"]
        if kind is None:
            continue
        name = found["name"] or kind
        if name in names:
            found.fault("name", f"it is that of row {names[name]} already", "a name of its own")
        names.setdefault(name, row.number)
        _check_output(found, kind)
        if found.sound:
            outputs.append(_output(found, kind, name))
    return outputs


def _output(found: Entry, kind: str, name: str) -> OutputRow:
    def reference(column: str) -> Reference | None:
        return None if found[column] is None else Reference(found[column])

    return OutputRow(
        kind=kind,
        name=name,
        address=found["address"],
        enabled=bool(found["enable"]),
        tls=bool(found["tls"]),
        ca=found["ca"],
        certificate=found["certificate"],
        key=reference("key"),
        username=found["username"],
        password=reference("password"),
        token=reference("token"),
        options=MappingProxyType(found["options"] or {}),
        row=found.row.number,
    )


def _check_output(found: Entry, kind: str) -> None:
    address = found["address"]
    if kind in _BROKERS | _FILES and not address:
        wanted = "the path of a file" if kind in _FILES else "HOST:PORT of the broker"
        found.fault("address", f"{kind} needs it", wanted)
    in_clear = kind in _BROKERS and found["password"] and not found["tls"]
    if in_clear and address and is_public(address):
        found.warn("password", "it goes over the network in clear: tls 1 protects it")
    for name in ("password", "token"):
        if found[name] is None:
            continue
        reference = Reference(found[name])
        try:
            reference.password()
        except ConfigurationError as refused:
            found.warn(name, f"{refused}: as long as that is so, the output does not start")
        if reference.written_out:
            found.warn(name, "it stands in the table, where whoever has the file reads it: env: or file: do not")
    for name in ("ca", "certificate"):
        if found[name] and not Path(found[name]).expanduser().is_file():
            found.warn(name, "there is no such file now")
    if kind in SERVED and address:
        _check_served(found, kind, address)


def _check_served(found: Entry, kind: str, address: str) -> None:
    if not is_public(address):
        return
    options: dict[str, str] = found["options"] or {}
    plain = options.get("plain", "").lower() == "yes"
    if kind in _WITH_TOKEN:
        for name in ("tls", "token"):
            if not found[name]:
                found.fault(name, f"others can reach {address}, so TLS and a token are required", "tls 1 and a token")
    elif not found["tls"]:
        if plain:
            found.warn("options", f"plain=yes: whoever reaches {address} reads, and commands are not protected")
        else:
            found.fault("tls", f"others can reach {address}, so TLS is required", "1, or plain=yes in options")
    if found["tls"]:
        for name in ("certificate", "key"):
            if not found[name]:
                found.fault(name, "a server with TLS needs it", "a path" if name == "certificate" else "file:PATH")


def is_public(address: str) -> bool:
    """Tell whether host:port is anything but this machine."""
    host = address.rpartition(":")[0] if ":" in address else address
    host = host.strip("[]").lower()
    if host in ("localhost", ""):
        return host == "" and ":" in address
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True
