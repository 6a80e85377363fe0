"""A whole configuration, checked: what the gateway runs by, and what was wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import TypeAlias

from cosem.gateway.config.finding import DriverName, Fault, Notice
from cosem.gateway.config.parameters import Parameters
from cosem.gateway.config.reference import Reference
from cosem.gateway.value import NumberType
from cosem.protocol.values.obis import Obis


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A row of Devices; `row` is where it stands."""

    alias: str
    name: str
    driver: DriverName
    parameters: Parameters
    description: str = ""
    enabled: bool = True
    row: int = 0


class Source(Enum):
    """What a signal takes its values from: the word of the column `source`."""

    VALUE = "value"
    """What the device has now."""
    PROFILE = "profile"
    """Each row of a load profile, by the time of the row."""
    EVENTS = "events"
    """Each entry of an event log, by its time."""
    STATUS = "status"
    """Whether the device answers: 1 or 0. Nothing of the device is read for it."""


@dataclass(frozen=True, slots=True)
class DlmsJob:
    """What is read of a DLMS device.

    `attribute` None is the value of a register with its scaler applied, or attribute 2 of any other class; a number is
    that attribute as it is. `short_name` and `class_id` 0 are not given.
    """

    obis: Obis
    attribute: int | None = None
    short_name: int = 0
    class_id: int = 0


@dataclass(frozen=True, slots=True)
class Iec21Job:
    """What is read of a readout: the OBIS text exactly as the meter prints it."""

    tag: str


@dataclass(frozen=True, slots=True)
class ElgamaJob:
    """What is read of a meter of Elgama: `job` names the data set, `tag` the value in it (see `elgama_jobs`)."""

    job: str
    tag: str


Job: TypeAlias = DlmsJob | Iec21Job | ElgamaJob


class Verb(Enum):
    """What a command to a signal does: the word of the column `command`."""

    SET = "set"
    METHOD = "method"


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How a write-enabled signal is written.

    Attributes:
        verb: set an attribute, or run a method.
        job: which one, where it is not what the signal reads: attribute or method number in `attribute`.
        select: seconds between select and operate at most; 0 where select is not asked for.
        origins: the kinds or names of outputs that commands are taken from; empty for all.
        lowest, highest: bounds of the value; None for none.
    """

    verb: Verb = Verb.SET
    job: Job | None = None
    select: int = 0
    origins: frozenset[str] = frozenset()
    lowest: Decimal | None = None
    highest: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A row of Signals.

    Attributes:
        job: what is read; None for a status signal.
        number_type: how it goes out; None lets the type of the value decide, for DLMS only.
        log: above 0, into the event log.
        multiply, offset: what is read times `multiply` plus `offset` is what goes out.
        units: what goes out in place of the unit of the meter; "" leaves that.
        deadband: a change of no more than this is none.
        on_change: publish only what changed by more than the deadband.
        profile: the load profile or log that what was missed is read from after an outage; "" for none.
        writing: how it is written; None where it is not.
        topic, register, ioa, node: where it is in MQTT, Modbus, IEC 104 and OPC UA; None lets the output choose.
    """

    alias: str
    name: str
    device: str
    job: Job | None
    enabled: bool = True
    log: int = 0
    number_type: NumberType | None = None
    source: Source = Source.VALUE
    profile: str = ""
    units: str = ""
    multiply: Decimal = Decimal(1)
    offset: Decimal = Decimal(0)
    deadband: Decimal = Decimal(0)
    on_change: bool = False
    topic: str | None = None
    register: int | None = None
    ioa: int | None = None
    node: str | None = None
    writing: Writing | None = None
    row: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputRow:
    """A row of Outputs: one northbound.

    Attributes:
        kind: a word of the closed list of `columns.OUTPUT_KINDS`.
        name: unique; the kind itself where none is given.
        address: host:port to connect to or to bind to, or the path of a file.
        tls: whether TLS is spoken; `ca`, `certificate` and `key` are its files.
        username, password, token: credentials, by reference.
        options: what only this kind has, by name.
    """

    kind: str
    name: str
    address: str = ""
    enabled: bool = True
    tls: bool = False
    ca: str = ""
    certificate: str = ""
    key: Reference | None = None
    username: str = ""
    password: Reference | None = None
    token: Reference | None = None
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    row: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is of the gateway as a whole: the sheet Settings, a name and a value in a row.

    Attributes:
        buffer: the file that values wait in; buffer_mb: its greatest size.
        audit: the file that each command leaves a line in; "" beside the buffer.
        keyring, keyring_secret: the key ring of `keyring:`, and what opens it.
        page: host:port of the status page, "" for none; page_certificate, page_key, page_token as it is guarded.
    """

    buffer: str = "gateway-buffer.sqlite"
    buffer_mb: int = 256
    audit: str = ""
    keyring: str = ""
    keyring_secret: Reference | None = None
    page: str = ""
    page_certificate: str = ""
    page_key: Reference | None = None
    page_token: Reference | None = None

    @property
    def page_row(self) -> OutputRow | None:
        """The status page as a row that is served; None where there is none."""
        if not self.page:
            return None
        return OutputRow(
            kind="page",
            name="page",
            address=self.page,
            tls=bool(self.page_certificate),
            certificate=self.page_certificate,
            key=self.page_key,
            token=self.page_token,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What a file says, checked.

    `devices` and `signals` are those of drivers that may start: where a driver has a fault, none of it is here
    (`stopped`). Disabled rows are here, and are not to be run.
    """

    devices: tuple[Device, ...] = ()
    signals: tuple[Signal, ...] = ()
    outputs: tuple[OutputRow, ...] = ()
    faults: tuple[Fault, ...] = ()
    notices: tuple[Notice, ...] = ()
    settings: Settings = Settings()
    ports: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    _by_device: dict[str, list[Signal]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        grouped: dict[str, list[Signal]] = {}
        for signal in self.signals:
            grouped.setdefault(signal.device, []).append(signal)
        object.__setattr__(self, "_by_device", grouped)

    @property
    def stopped(self) -> frozenset[DriverName]:
        """Drivers that do not start, because of a fault."""
        return frozenset(driver for fault in self.faults for driver in fault.stops)

    @property
    def warnings(self) -> tuple[Notice, ...]:
        """Notices of what was probably not meant."""
        return tuple(each for each in self.notices if each.warning)

    def signals_of(self, device: Device) -> tuple[Signal, ...]:
        """Return the signals of a device, in the order of the table."""
        return tuple(self._by_device.get(device.alias, ()))
