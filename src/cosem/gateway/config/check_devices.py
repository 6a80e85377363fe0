"""Checking Devices: each row by the columns of its driver, then what no column can tell by itself."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Final

from cosem.errors import ConfigurationError, CosemError
from cosem.gateway.config.book import Row, Sheet
from cosem.gateway.config.columns import DEVICES, SUSPECTS, WHO, Column
from cosem.gateway.config.configuration import Device
from cosem.gateway.config.finding import DriverName
from cosem.gateway.config.parameters import (
    DlmsParameters,
    ElgamaParameters,
    Iec21Parameters,
    LineParameters,
    Parameters,
)
from cosem.gateway.config.reference import KEYRING, Reference
from cosem.gateway.config.rows import Entry, Findings, check_headings, entry
from cosem.io.credentials import hint
from cosem.io.open import AVAILABLE
from cosem.protocol.crypto.ring import KeyKind
from cosem.protocol.elgama import models
from cosem.store.keys import FileKeyRing
from cosem.store.memory import MemoryCounterStore

_TYPES: Final[Mapping[DriverName, type[LineParameters]]] = MappingProxyType(
    {DriverName.DLMS: DlmsParameters, DriverName.IEC21: Iec21Parameters, DriverName.ELGAMA: ElgamaParameters}
)
_KNOWN: Final = MappingProxyType(
    {name: True for table in DEVICES.values() for column in table for name in (column.name, *column.synonyms)}
)
_PROTOCOL: Final = next(column for column in WHO if column.name == "protocol")
_STATION_OF_ALL: Final = frozenset({0x7F, 0x3FFF})
_ANY_TITLE: Final = "0000000000000001"

_LOOKED_UP: Final[Mapping[str, Callable[[Reference], object]]] = MappingProxyType(
    {
        "password": Reference.password,
        "encryption_key": lambda each: each.key(KeyKind.ENCRYPTION),
        "authentication_key": lambda each: each.key(KeyKind.AUTHENTICATION),
        "master_key": lambda each: each.key(KeyKind.MASTER),
        "signing_key": Reference.signer,
        "peer_signing_key": Reference.public_key,
        "certificate": Reference.certificate,
        "agreement_key": Reference.agreer,
        "peer_agreement_key": Reference.public_key,
    }
)
_PUBLIC: Final = frozenset({"peer_signing_key", "certificate", "peer_agreement_key"})


@dataclass(slots=True)
class CheckedDevices:
    """What came of the sheet: devices, and by alias which driver each row is of, faulty ones too (None: no driver)."""

    devices: list[Device] = field(default_factory=list[Device])
    drivers: dict[str, DriverName | None] = field(default_factory=dict[str, DriverName | None])
    models: dict[str, int] = field(default_factory=dict[str, int])


def check_devices(
    sheet: Sheet, ports: Mapping[str, str], ring: FileKeyRing | None, findings: Findings
) -> CheckedDevices:
    """Return the devices of a sheet; what is wrong with it goes to `findings`."""
    check_headings(sheet, _KNOWN, [each.name for each in WHO if each.required], findings)
    checked = CheckedDevices()
    rows: dict[str, Entry] = {}
    strangers: dict[tuple[DriverName, str], int] = {}
    for row in sheet.rows:
        driver = _driver(sheet, row, findings)
        if driver is None:
            if "device_alias" in row.cells:
                checked.drivers.setdefault(row.cells["device_alias"].text, None)
            continue
        found = entry(sheet, row, DEVICES[driver], findings, stops=frozenset({driver}))
        _count_strangers(found, driver, strangers)
        alias = found.text("device_alias")  # a faulty one too: its signals are no orphans
        if alias:
            first = rows.setdefault(alias, found)
            if first is not found:
                found.stops |= first.stops
                found.fault("device_alias", f"it is that of row {first.row.number} already", "an alias of its own")
            checked.drivers.setdefault(alias, driver)
        device = _device(found, driver, ports, ring)
        if device is not None:
            checked.devices.append(device)
            if isinstance(device.parameters, ElgamaParameters):
                checked.models[device.alias] = device.parameters.meter_model
    for (driver, name), number in strangers.items():
        place = Entry(sheet.name, Row(number, {}), findings, frozenset()).place(name)
        findings.note(place, f"driver {driver.value} has no such column: not used")
    _check_lines(checked.devices, rows)
    return checked


def _driver(sheet: Sheet, row: Row, findings: Findings) -> DriverName | None:
    """Return the driver of a row; what may have been meant for one is a fault of that one."""
    cell = row.cells.get("protocol")
    text = "" if cell is None else cell.text
    try:
        if text:
            return DriverName(_PROTOCOL.kind.read(text))
    except ValueError:
        pass
    known = {each.value.lower(): each for each in DriverName}
    close = difflib.get_close_matches(text.lower(), known, n=1)
    stops = frozenset({known[close[0]]}) if close else frozenset[DriverName]()
    place = Entry(sheet.name, row, findings, stops)
    place.fault("protocol", "there is no such driver" if text else "it is required, and empty", _PROTOCOL.kind.allowed)
    return None


def _count_strangers(found: Entry, driver: DriverName, strangers: dict[tuple[DriverName, str], int]) -> None:
    used = set(found.headings.values()) | {name for column in DEVICES[driver] for name in column.synonyms}
    for name in found.row.cells:
        if name in _KNOWN and name not in used:
            strangers.setdefault((driver, name), found.row.number)


def _device(found: Entry, driver: DriverName, ports: Mapping[str, str], ring: FileKeyRing | None) -> Device | None:
    """Return the device of a row, None where it has a fault."""
    values = dict(found.values)
    _references(found, values, DEVICES[driver], ring)
    _PLACES[driver](found, values, ports)
    _CHECKS[driver](found, values)
    if not found.sound:
        return None
    names = {each.name for each in fields(_TYPES[driver])}
    chosen = {name: value for name, value in values.items() if name in names and value is not None}
    for name in ("keep_open", "dedicated_key"):
        if name in chosen:
            chosen[name] = bool(chosen[name])
    if chosen.get("echo") == "keep":
        del chosen["echo"]
    parameters: Any = _TYPES[driver](**chosen)
    _try(found, parameters)
    if not found.sound:
        return None
    return Device(
        alias=found["device_alias"],
        name=found["name"],
        driver=driver,
        parameters=parameters,
        description=found["description"] or "",
        enabled=bool(found["enable"]),
        row=found.row.number,
    )


# --- places --------------------------------------------------------------------------------------------------------


def _port_of(found: Entry, values: dict[str, Any], ports: Mapping[str, str]) -> None:
    """Put the serial port of this system in place of PORT1."""
    name = values["device"]
    if name is not None and name.upper().startswith("PORT"):
        if name.upper() not in ports:
            known = (
                f"{', '.join(ports)}, or a path" if ports else "a path such as /dev/ttyUSB0, or PORT1 and a table Ports"
            )
            found.fault("device", "the table Ports does not say which serial port that is", known)
            return
        values["device"] = ports[name.upper()]
    if name is not None and "serial" not in {medium for _, medium in AVAILABLE}:
        found.fault("device", "serial lines are not available here")


def _place_by_both(found: Entry, values: dict[str, Any], ports: Mapping[str, str]) -> None:
    """DLMS and Elgama: TCP when ip and port are both given."""
    tcp = {"ip", "port"} & found.given
    if len(tcp) == 2:
        if "device" in found.given:
            found.note("device", "ip and port are given, so the serial line is not used")
        values["device"] = ""
        return
    if "device" in found.given:
        for name in tcp:
            found.warn(name, "ip and port belong together: the serial line is used")
        values["ip"], values["port"] = "", None
        _port_of(found, values, ports)
    elif tcp:
        missing = next(name for name in ("ip", "port") if name not in tcp)
        found.fault(missing, "it is required for TCP, and empty", "ip and port together, or device")
    elif "device" not in DEVICES_WITH_REQUIRED_DEVICE[found.stops]:
        found.fault("device", "neither a serial line nor ip and port are given", "ip and port together, or device")


def _place_by_either(found: Entry, values: dict[str, Any], ports: Mapping[str, str]) -> None:
    """IEC 62056-21: TCP when either of ip and port is given."""
    if not {"ip", "port"} & found.given:
        if "device" not in found.given:
            found.fault("device", "neither a serial line nor ip and port are given", "ip and port, or device")
        else:
            _port_of(found, values, ports)
        return
    for name in ("ip", "port"):
        if name not in found.given:
            found.fault(name, "one of ip and port means TCP, which needs both", "ip and port, or neither")
    if "device" in found.given:
        found.note("device", "ip or port is given, so the serial line is not used")
    values["device"] = ""


DEVICES_WITH_REQUIRED_DEVICE: Final[Mapping[frozenset[DriverName], frozenset[str]]] = MappingProxyType(
    {
        frozenset({driver}): frozenset(each.name for each in table if each.required and each.name == "device")
        for driver, table in DEVICES.items()
    }
)
"""Where the table itself says already that device is missing."""

_PLACES: Final = MappingProxyType(
    {DriverName.DLMS: _place_by_both, DriverName.IEC21: _place_by_either, DriverName.ELGAMA: _place_by_both}
)


# --- drivers -------------------------------------------------------------------------------------------------------


def _check_dlms(found: Entry, values: dict[str, Any]) -> None:
    _check_line(found, values)
    _check_client(found, values)
    _check_entry(found, values)
    wrapper = values["mode"] == "DLMS-WRAPPER"
    if wrapper and values["device"]:
        found.fault("mode", "the wrapper does not go over a serial line", "DLMS-HDLC or IEC, or ip and port")
    if not wrapper and values["logical_address"] > 0x3FFF and not values["serial_number"]:
        found.fault("logical_address", "an HDLC address goes up to 16383", "a whole number from 0 to 16383")


def _check_client(found: Entry, values: dict[str, Any]) -> None:
    client, text = values["client_address"], found.text("client_address")
    if client is None:
        return
    found.note("client_address", f"hexadecimal {client:X}, which is decimal {client}")
    meant = (
        f"{text} is hexadecimal, and decimal {client}: for decimal {text} write {int(text):X}"
        if text in SUSPECTS
        else ""
    )
    if meant:
        found.warn("client_address", meant)
    if client > 0x7E and values["mode"] != "DLMS-WRAPPER":
        found.fault("client_address", f"an HDLC client goes up to 7E. {meant}".rstrip(". "), "hexadecimal from 1 to 7E")


def _check_entry(found: Entry, values: dict[str, Any]) -> None:
    """Check that what the mechanism needs is there, and say what the row consents to."""
    auth = values["auth"]
    needs: dict[str, tuple[str, ...]] = {
        "None": (),
        "HighGmac": ("encryption_key",),
        "HighEcdsa": ("signing_key", "peer_signing_key"),
    }
    beyond = needs.get(auth, ())
    if auth != "None" and "password" not in found.given and not (beyond and found.given.issuperset(beyond)):
        found.fault("password", f"it is required with auth {auth}, and empty", "env:NAME, file:PATH, or the password")
    if auth == "None" and "password" in found.given:
        found.warn("password", "it does nothing with auth None")
    for name in beyond:
        if name not in found.given:
            found.fault(
                name, f"it is required with auth {auth}, and empty", _column(DriverName.DLMS, name).kind.allowed
            )
    if auth == "High":
        found.note(
            "auth", "mechanism 2 is the manufacturer's own; AES-128 under the password is used, as most meters do"
        )
    if auth == "Low" and "ip" in found.given and values["device"] == "" and not values["encryption_key"]:
        found.warn("auth", "the password goes over the network in clear")


def _check_iec21(found: Entry, values: dict[str, Any]) -> None:
    _check_line(found, values)
    number = values["serialnumber"]
    if number is not None and not number.strip("0 "):
        values["serialnumber"] = ""
    if values["type"] is not None and "type" in found.given and values["type"] != "C" and "t2" in found.given:
        found.note("t2", "it counts in mode C only")
    if values["device"] and values["baudrate"] is not None:
        line = (values["baudrate"], values["databits"], values["parity"], values["stopbits"])
        if line != (300, 7, "even", 1):
            found.warn(
                "baudrate",
                f"the sign-on goes out at {line[0]} baud with {line[1]} data bits, parity {line[2]} and "
                f"stopbits {line[3]}; that of the standard, which nearly all meters want, is at 300 with 7, even and 1",
            )
    if values["meter_model"] not in (None, 1):
        found.note("meter_model", "it is reserved, and 1 is the only one: not used")


def _check_elgama(found: Entry, values: dict[str, Any]) -> None:
    _check_line(found, values)
    model = values["meter_model"]
    if model is None:
        return
    word = models.NUMBERS[str(model)]
    if model == 4:
        found.fault("meter_model", models.REFUSED[word], "0, 1, 2 or 3")
    elif word in models.MODELS:
        found.warn(
            "meter_model",
            f"by naming {models.MODELS[word].title} this row consents to an experiment: values may "
            "be wrong, since the protocol rests on four captured frames and one implementation",
        )
        if "keep_open" in found.given:
            found.note("keep_open", "its protocol has no session that could be kept: not used")


def _check_line(found: Entry, values: dict[str, Any]) -> None:
    if values.get("mode") == "IEC":
        for name in ("databits", "parity", "stopbits"):
            if name in found.given:
                found.note(name, "mode IEC begins with 7E1 and goes on with 8N1: not used")
    elif values["databits"] == 9 and values["device"]:
        found.warn("databits", "serial ports of this system have 5 to 8 data bits: the line will not be opened")
    if values["device"] and values["bind_address"]:
        found.note("bind_address", "a serial line has no address: not used")
    longest = values["reconnect_longest_ms"]
    if longest and values["reconnect_time"] and longest < values["reconnect_time"]:
        found.fault("reconnect_longest_ms", "it is below reconnect_time", f"0, or {values['reconnect_time']} and more")


_CHECKS: Final = MappingProxyType(
    {DriverName.DLMS: _check_dlms, DriverName.IEC21: _check_iec21, DriverName.ELGAMA: _check_elgama}
)


# --- secrets -------------------------------------------------------------------------------------------------------


def _references(found: Entry, values: dict[str, Any], columns: tuple[Column, ...], ring: FileKeyRing | None) -> None:
    """Put references in place of texts, and look each up once: one that leads nowhere now is said."""
    for column in columns:
        text = values.get(column.name)
        if not column.secret or text is None:
            continue
        reference = Reference(text, ring)
        values[column.name] = reference
        try:
            _LOOKED_UP[column.name](reference)
        except CosemError as refused:
            if reference.written_out or (text.startswith(KEYRING) and column.name == "password"):
                found.fault(column.name, str(refused), column.kind.allowed)
            elif values["enable"]:
                found.warn(column.name, f"{refused}: as long as that is so, the device is not entered")
            continue
        if reference.written_out and column.name not in _PUBLIC:
            found.warn(column.name, "it stands in the table, where whoever has the file reads it: env: or file: do not")
        elif text.startswith("file:") and (unsafe := hint(text)) is not None:
            found.warn(column.name, unsafe)


def _column(driver: DriverName, name: str) -> Column:
    return next(each for each in DEVICES[driver] if each.name == name)


# --- the whole device ----------------------------------------------------------------------------------------------


def _try(found: Entry, parameters: Parameters) -> None:
    """Make of the parameters what a session needs, as far as that touches nothing outside."""
    try:
        parameters.url()
    except ConfigurationError as refused:
        if parameters.databits != 9:  # which the check accepts, and said
            found.fault("", _before_example(refused))
    if isinstance(parameters, DlmsParameters):
        _say_address(found, parameters)
        _try_entry(found, parameters)


def _try_entry(found: Entry, parameters: DlmsParameters) -> None:
    for weakness in sorted(parameters.permitted, key=lambda each: each.name):
        column = "protection" if parameters.protection == "enc" and "AUTHENTICATION" not in weakness.name else "auth"
        found.warn(column, f"by naming it this row consents to {weakness.value}")
    titled = replace(parameters, client_system_title=parameters.client_system_title or _ANY_TITLE)
    try:
        titled.access(MemoryCounterStore())
    except ConfigurationError as refused:
        if all(_leads_somewhere(parameters, name) for name in _LOOKED_UP):
            found.fault("auth", str(refused))


def _leads_somewhere(parameters: DlmsParameters, name: str) -> bool:
    reference = getattr(parameters, name)
    if reference is None:
        return True
    try:
        _LOOKED_UP[name](reference)
    except CosemError:
        return False
    return True


def _say_address(found: Entry, parameters: DlmsParameters) -> None:
    """Say how the address came out where that is not what the cells say."""
    if parameters.mode == "DLMS-WRAPPER":
        if parameters.logical_address == 0:
            found.note("logical_address", "0 is nobody: 1 is asked, the management logical device")
        return
    lower = parameters.lower_address
    if parameters.serial_number:
        for name in ("physical_address", "logical_address"):
            if name in found.given and found[name]:
                found.note(name, "serial_number is given, so it is not used")
    size = parameters.address_octets
    below = "none" if lower is None else f"{lower} (0x{lower:X})"
    note = f"the server is upper {parameters.upper_address}, lower {below}, in {size} octet{'s' if size > 1 else ''}"
    found.note("serial_number" if parameters.serial_number else "physical_address", note)
    if "address_size" in found.given and found["address_size"] not in (size, 1):
        found.note("address_size", f"it is a minimum: {size} octets are used")
    if parameters.upper_address in _STATION_OF_ALL:
        found.warn("logical_address", "it is the address of all stations, to which none answers")


def _before_example(refused: ConfigurationError) -> str:
    return str(refused).partition("; a right URL is")[0]


def _check_lines(devices: list[Device], rows: Mapping[str, Entry]) -> None:
    """Say what devices on one line do to each other."""
    lines: dict[str, list[Device]] = {}
    for device in devices:
        if device.enabled:
            lines.setdefault(device.parameters.line, []).append(device)
    for line, sharing in lines.items():
        if len(sharing) == 1:
            continue
        addresses: dict[str, Device] = {}
        for device in sharing:
            found, parameters = rows[device.alias], device.parameters
            if isinstance(parameters, Iec21Parameters) and parameters.serialnumber == "":
                found.warn(
                    "serialnumber", f"0 calls every meter, and {len(sharing)} devices share {line}: all answer at once"
                )
            if parameters.databits == 9:
                continue
            first = addresses.setdefault(f"{device.driver.value} {parameters.url()}", device)
            if first is not device:
                found.warn("device_alias", f"it has the line and the address of {first.alias}")
