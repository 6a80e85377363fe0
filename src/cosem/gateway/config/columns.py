"""The columns of all tables, as data: what each is called, holds and means, and what an empty cell stands for.

The first part of each table is that of the driver it is compatible with, name for name; what stands behind `BEYOND` is
ours and may be left out with its column. A required column that has a default may be empty: the check says what it
took. `topic`, `units` and `multiply`, which only some editions of that driver name, are columns of Signals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any, Final

from cosem.client.access import ENVELOPES, KEY_CHOICES, PROTECTIONS
from cosem.errors import ConfigurationError
from cosem.gateway.config.configuration import Source, Verb
from cosem.gateway.config.finding import DriverName
from cosem.gateway.config.kinds import (
    FLAG,
    Among,
    Checked,
    Hexadecimal,
    Hidden,
    Job,
    Kind,
    Number,
    Options,
    Text,
    Whole,
    Words,
)
from cosem.gateway.config.parameters import MECHANISMS, PARITIES
from cosem.gateway.value import NumberType
from cosem.protocol.apdu.gateway import GatewayAddress
from cosem.protocol.link.hdlc.parameters import MAXIMUM_INFORMATION, MAXIMUM_WINDOW
from cosem.protocol.link.hdlc.serial_number import USUAL, rule_of
from cosem.protocol.model.classes.access_control import GREATEST_USER
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.obis import Obis

BAUD_RATES: Final = (300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
SUSPECTS: Final = ("16", "17", "32", "48", "64", "102")
"""Client addresses as text that are usual in decimal, while the column is hexadecimal."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        default: the value of an empty cell; None for nothing.
        required: whether it must be there.
        synonyms: what other editions call it.
        beyond: it is ours, and not of the driver that the table is compatible with.
        unless: it is not required where all of these columns are given.
    """

    name: str
    kind: Kind
    meaning: str
    default: Any = None
    required: bool = False
    synonyms: tuple[str, ...] = ()
    beyond: bool = False
    unless: tuple[str, ...] = ()

    @property
    def secret(self) -> bool:
        """Whether its value is never shown."""
        return isinstance(self.kind, Hidden)


def _beyond(*columns: Column) -> tuple[Column, ...]:
    return tuple(replace(each, beyond=True) for each in columns)


def _title(text: str) -> None:
    try:
        octets = bytes.fromhex(text.replace(":", " "))
    except ValueError:
        octets = b""
    if len(octets) != 8:
        raise ConfigurationError("it has not 8 octets")


def _host(text: str) -> None:
    try:
        ConnectionUrl(framing="hdlc", medium="tcp", host=text)
    except ConfigurationError as refused:
        raise ConfigurationError(str(refused).partition("; a right URL is")[0]) from None


def _address(text: str) -> None:
    try:
        ip_address(text)
    except ValueError:
        raise ConfigurationError("it is no IP address") from None


_ALIAS: Final = Text("letters, digits, _ and -", r"[A-Za-z0-9_-]+", 64)
_KEPT: Final = "1: the {} is kept between scans, unless others share the line; 0: one for each scan."
_NAME: Final = Text()
_PATH: Final = Text("a path")
_HOST: Final = Checked("a host name or IP address", _host)
_OURS: Final = Checked("an IP address of this machine", _address)
_TITLE: Final = Checked("16 hexadecimal digits", _title)
_KEY: Final = Hidden("env:NAME, file:PATH, keyring:OWNER, or 32 or 64 hexadecimal digits")
_PUBLIC: Final = Hidden("env:NAME, file:PATH (PEM, DER or hexadecimal), or hexadecimal digits")
_SERIAL: Final = Whole(0, 999_999_999_999)
_MILLISECONDS: Final = Whole()
_SOME_MILLISECONDS: Final = Whole(1)
_PROTOCOLS: Final = Words(
    tuple(each.value for each in DriverName),
    (("IEC62056-21", "IEC 62056-21"), ("IEC-62056-21", "IEC 62056-21"), ("62056-21", "IEC 62056-21")),
)


# --- Devices -------------------------------------------------------------------------------------------------------

WHO: Final = (
    Column("name", _NAME, "What people call the device.", required=True),
    Column("description", Text("text", longest=1024), "For people."),
    Column("device_alias", _ALIAS, "What signals call it; unique.", required=True),
    Column("enable", FLAG, "1: in use, 0: not.", 1),
    Column("protocol", _PROTOCOLS, "Which driver.", required=True),
)

_LINE: Final = (
    Column("databits", Whole(6, 9), "Data bits of a character on a serial line.", 8),
    Column("stopbits", Whole(1, 2), "Stop bits.", 1),
    Column("parity", Words(tuple(PARITIES)), "Parity.", "none"),
)
_SPELLINGS: Final = (("hardware", "rtscts"), ("rts/cts", "rtscts"), ("software", "xonxoff"), ("xon/xoff", "xonxoff"))
_FLOW: Final = Column(
    "flowcontrol",
    Words(("none", "rtscts"), _SPELLINGS[:2]),
    "Flow control of a serial line; rtscts by its wires.",
    "none",
)
_TEXT_FLOW: Final = replace(
    _FLOW,
    kind=Words(("none", "rtscts", "xonxoff"), _SPELLINGS),
    meaning="Flow control of a serial line; rtscts by its wires, xonxoff by characters.",
)
_BAUDRATE: Final = Column("baudrate", Among(BAUD_RATES), "Speed of the serial line.", 9600)
_DEVICE: Final = Column(
    "device", _PATH, "Serial port: PORT1 or PORT2 as the sheet Ports says, or a path such as /dev/ttyUSB0 or COM3."
)
_TIMEOUT: Final = Column("timeout_ms", _SOME_MILLISECONDS, "Silence before an answer begins, at most.", 2500)
_SCAN_RATE: Final = Column(
    "scan_rate_ms",
    _MILLISECONDS,
    "All reads and writes of the device are done within it; 0: as fast as it goes.",
    10_000,
)
_RETRIES: Final = Column(
    "retry_counter", Whole(), "Requests unanswered before the device counts as lost.", 3, synonyms=("retry_count",)
)
_RECONNECT: Final = Column("reconnect_time", _SOME_MILLISECONDS, "ms: how often a lost device is tried again.", 1000)
_LONGEST: Final = Column(
    "reconnect_longest_ms", _MILLISECONDS, "Above reconnect_time, the delays double up to it; 0: they stay the same.", 0
)
_PORT: Final = Column("port", Whole(0, 65535), "TCP port.")
_IP: Final = Column("ip", _HOST, "Host name or IP address of the device or its serial server.", synonyms=("host",))
_BIND: Final = Column("bind_address", _OURS, "The one of our addresses that connections are made from; empty: any.", "")
_ECHO: Final = Column("echo", Words(("keep", "strip")), "strip: what is sent comes back, and is taken away.", "")
_POLL_DELAY: Final = "Silence before anything is sent on the port."
_CLOSE_DELAY: Final = "How long the port is left alone after it was closed."

DLMS: Final = (
    *WHO,
    Column(
        "serial_number",
        _SERIAL,
        "When given, physical and logical address are ignored: the lower HDLC address follows the maker's rule.",
        0,
    ),
    Column(
        "physical_address",
        Whole(0, 0x3FFF),
        "Lower HDLC address; 0: none.",
        1600,
        synonyms=("server_address",),
    ),
    Column("logical_address", Whole(0, 0xFFFF), "Upper HDLC address or wrapper port of the server; 0: 1.", 0),
    Column("address_size", Whole(1, 4), "Octets of the server's HDLC address at least: 1, 2 or 4.", 1),
    Column(
        "client_address",
        Hexadecimal(1, 0xFFFF),
        "HEXADECIMAL: 10 is client 16, the public one.",
        required=True,
        synonyms=("master_address",),
    ),
    Column("type", Words(("SN", "LN")), "Objects are referred to by short names or by logical names.", "SN"),
    Column(
        "mode",
        Words(("IEC", "DLMS", "DLMS-HDLC", "DLMS-WRAPPER")),
        "IEC: sign-on of IEC 62056-21 at 300 7E1, then HDLC. DLMS and DLMS-HDLC: HDLC at once.",
        "DLMS-HDLC",
        required=True,
    ),
    _TIMEOUT,
    Column("auth", Words(tuple(MECHANISMS)), "How the client authenticates.", "None"),
    Column("password", Hidden(), "Password or secret; required unless auth is None."),
    _IP,
    _PORT,
    _DEVICE,
    _BAUDRATE,
    *_LINE,
    _FLOW,
    _RETRIES,
    _SCAN_RATE,
    _RECONNECT,
    *_beyond(
        _LONGEST,
        _BIND,
        _ECHO,
        Column("poll_delay_ms", _MILLISECONDS, _POLL_DELAY, 0),
        Column("serial_close_delay", _MILLISECONDS, _CLOSE_DELAY, 0),
        Column(
            "keep_open",
            FLAG,
            _KEPT.format("association"),
            1,
        ),
        Column(
            "address_rule",
            Checked("landis-gyr, elgama, emh, milur, or modulus+offset", rule_of),
            "How serial_number becomes the lower address.",
            USUAL,
        ),
        Column("security_suite", Whole(0, 2), "Security suite; empty: the lowest that the keys fit."),
        Column(
            "protection",
            Words(tuple(PROTECTIONS)),
            "Of every message; empty: auth+enc with encryption_key, else none.",
            "",
        ),
        Column("encryption_key", _KEY, "Global unicast encryption key (GUEK)."),
        Column("authentication_key", _KEY, "Authentication key (GAK)."),
        Column("master_key", _KEY, "Master key (KEK), for key_info wrapped."),
        Column("signing_key", _PUBLIC, "Our private signing key, for HighEcdsa and signed messages."),
        Column("peer_signing_key", _PUBLIC, "The meter's public signing key, or its certificate."),
        Column("certificate", _PUBLIC, "The certificate of our signing key, for a meter that lacks it."),
        Column("agreement_key", _PUBLIC, "Our private key agreement key."),
        Column("peer_agreement_key", _PUBLIC, "The meter's public key agreement key, or its certificate."),
        Column("client_system_title", _TITLE, "Ours; empty: made once and kept.", ""),
        Column("meter_system_title", _TITLE, "The meter's, where it cannot tell it itself.", ""),
        Column("dedicated_key", FLAG, "1: a key made anew for each association.", 0),
        Column("envelope", Words(tuple(ENVELOPES)), "Of every ciphered message; empty: that of the service.", ""),
        Column("key_info", Words(tuple(KEY_CHOICES)), "How general-ciphering tells its key; empty: identified.", ""),
        Column("counter_object", Checked("an OBIS code", Obis), "Where the meter keeps the invocation counter.", ""),
        Column("user", Whole(0, GREATEST_USER), "Who uses this client, for a meter that lists users."),
        Column(
            "gateway", Checked("NETWORK:ADDRESS, as in 0:4D31", GatewayAddress.parse), "Device behind a gateway.", ""
        ),
        Column(
            "dialect", Text("MAKER or MAKER/MODEL", r"[A-Za-z]{3}(/.{1,40})?"), "What the meter does its own way.", ""
        ),
        Column("max_information", Whole(8, MAXIMUM_INFORMATION), "Octets of an HDLC information field at most."),
        Column("window", Whole(1, MAXIMUM_WINDOW), "HDLC frames in a row at most."),
    ),
)

IEC21: Final = (
    *WHO,
    Column(
        "serialnumber",
        Text("the number of the meter, or 0 for any", r"[0-9A-Za-z ]+", 32),
        "Whom the sign-on calls; 0: any meter, by /?!.",
        "1",
        required=True,
        synonyms=("serial_number",),
    ),
    Column("poll_delay_ms", _MILLISECONDS, _POLL_DELAY, 200),
    _SCAN_RATE,
    Column("serial_close_delay", _MILLISECONDS, _CLOSE_DELAY, 400),
    _TIMEOUT,
    Column("type", Words(("A", "B", "C")), "Protocol mode.", "C"),
    Column("t2", Whole(200, 1500), "ms before the acknowledgement of mode C.", 300),
    Column("meter_model", Whole(), "Reserved; 1.", 1),
    _IP,
    _PORT,
    _DEVICE,
    Column("baudrate", Among(BAUD_RATES), "Speed of the sign-on; the standard's is 300.", 9600),
    *_LINE,
    _TEXT_FLOW,
    *_beyond(
        _RETRIES,
        _RECONNECT,
        _LONGEST,
        _BIND,
        _ECHO,
        Column("password", Hidden(), "Of programming mode, for write-enabled signals."),
    ),
)

ELGAMA: Final = (
    *WHO,
    Column("device", _PATH, _DEVICE.meaning, required=True, unless=("ip", "port")),
    _BAUDRATE,
    Column("serial_close_delay", _MILLISECONDS, _CLOSE_DELAY, 400),
    Column("timeout_ms", _SOME_MILLISECONDS, _TIMEOUT.meaning, required=True),
    Column("id", _SERIAL, "Serial number of the meter.", required=True, synonyms=("serial_number",)),
    Column("meter_model", Whole(0, 4), "0 EPQM/LZQM, 1 EPQS, 2 GAMA300, 3 GAMA100, 4 ITS cl.", required=True),
    Column("use_time", FLAG, "Time of values: 0 that of the system, 1 that of the meter.", 0),
    *_beyond(
        _SCAN_RATE,
        _RETRIES,
        _RECONNECT,
        _LONGEST,
        Column("poll_delay_ms", _MILLISECONDS, _POLL_DELAY, 0),
        *_LINE,
        _FLOW,
        _IP,
        _PORT,
        _BIND,
        _ECHO,
        Column(
            "keep_open",
            FLAG,
            _KEPT.format("session"),
            1,
        ),
        Column("password", Hidden(), "Password of the meter."),
        Column("client_address", Hexadecimal(1, 0x7E), "Of a GAMA; empty: 20 with a password, else 1."),
    ),
)

DEVICES: Final[Mapping[DriverName, tuple[Column, ...]]] = MappingProxyType(
    {DriverName.DLMS: DLMS, DriverName.IEC21: IEC21, DriverName.ELGAMA: ELGAMA}
)


# --- Signals -------------------------------------------------------------------------------------------------------

_NUMBER_TYPES: Final = Words(tuple(each.value for each in NumberType))
_WHAT: Final = (
    Column("signal_name", _NAME, "What people call the signal.", required=True),
    Column("device_alias", _ALIAS, "The device it is of.", required=True),
    Column("signal_alias", Text("letters, digits, _ - and .", r"[A-Za-z0-9_.-]+", 64), "Unique.", required=True),
    Column("enable", FLAG, "1: in use, 0: not.", 1),
)
_LOG: Final = Column("log", Whole(), "Above 0: into the event log.", 0)
_NUMBER_TYPE: Final = Column("number_type", _NUMBER_TYPES, "How it goes out.", required=True)

_BEYOND_SIGNALS: Final = _beyond(
    Column(
        "source",
        Words(tuple(each.value for each in Source)),
        "value: what the device has now. profile, events: each row of a profile or log, by its time. "
        "status: 1 while the device answers, else 0.",
        Source.VALUE.value,
    ),
    Column(
        "profile", Text("the OBIS code of a profile or log"), "What was missed is read from it after an outage.", ""
    ),
    Column("units", Text("a unit", longest=32), "What goes out in place of the meter's own unit.", ""),
    Column("multiply", Number(zero=False), "What is read times this …", 1),
    Column("offset", Number(), "… plus this goes out.", 0),
    Column("deadband", Number(negative=False), "A change of no more than this is none.", 0),
    Column("publish_on_change", FLAG, "1: publish only what changed by more than the deadband.", 0),
    Column("topic", Text("a topic of MQTT without + and #", r"[^+#]+"), "In place of the one made from the aliases."),
    Column("register", Whole(0, 65535), "Modbus: the first register or coil, counted from 0."),
    Column("ioa", Whole(1, 0xFFFFFF), "IEC 60870-5-104: information object address."),
    Column("node", Text("a node id as OPC UA writes it, or the last part of one"), "OPC UA."),
    Column("write", FLAG, "1: commands to it are taken.", 0),
    Column("command", Words(tuple(each.value for each in Verb)), "What a command does.", Verb.SET.value),
    Column("command_job", Text("as obis_job or tag_job_todo"), "What a command goes to; empty: what is read.", ""),
    Column("command_from", Text("kinds or names of outputs, with commas"), "Whose commands are taken; empty: all.", ""),
    Column(
        "select_seconds",
        Whole(0, 3600),
        "IEC 104: select before operate, within so many seconds; 0: as the station.",
        0,
    ),
    Column("lowest", Number(), "Commands below it are refused."),
    Column("highest", Number(), "Commands above it are refused."),
)

SIGNALS: Final[Mapping[DriverName, tuple[Column, ...]]] = MappingProxyType(
    {
        DriverName.DLMS: (
            *_WHAT,
            Column("log", FLAG, _LOG.meaning, 0),
            Column(
                "short_name", Whole(0, 0xFFF8), "Base name of the object, where short names are used; 0: found out.", 0
            ),
            Column("obis_job", Job(), "What is read, as in 1.0.1.8.0.255:2.", required=True),
            *_beyond(
                Column("number_type", _NUMBER_TYPES, "How it goes out; empty: by the type of the value."),
                Column("class_id", Whole(0, 0xFFFF), "Interface class; 0: as the meter's object list says.", 0),
            ),
            *_BEYOND_SIGNALS,
        ),
        DriverName.IEC21: (
            *_WHAT,
            _LOG,
            _NUMBER_TYPE,
            Column(
                "tag_job_todo", _NAME, "The OBIS text exactly as the meter prints it, as in 1.8.0*24.", required=True
            ),
            *_BEYOND_SIGNALS,
        ),
        DriverName.ELGAMA: (
            *_WHAT,
            _LOG,
            _NUMBER_TYPE,
            Column("job_todo", _NAME, "The data set that is read.", required=True),
            Column("tag_job_todo", _NAME, "The value in it.", required=True),
            *_BEYOND_SIGNALS,
        ),
    }
)


# --- Outputs, ports, settings --------------------------------------------------------------------------------------

OUTPUT_KINDS: Final = ("mqtt", "home_assistant", "modbus", "iec104", "opcua", "rest", "prometheus", "csv", "sqlite")
SERVED: Final = frozenset({"modbus", "iec104", "opcua", "rest", "prometheus"})
"""Kinds that others connect to."""

OUTPUTS: Final = (
    Column("kind", Words(OUTPUT_KINDS), "Which northbound.", required=True),
    Column("name", _ALIAS, "Unique; empty: the kind.", ""),
    Column("enable", FLAG, "1: in use, 0: not.", 1),
    Column("address", _NAME, "HOST:PORT to connect to or to bind to, or the path of a file.", ""),
    Column("tls", FLAG, "1: TLS is spoken.", 0),
    Column("ca", _PATH, "Certificates that are trusted (PEM); empty: those of the system.", ""),
    Column("certificate", _PATH, "Our certificate (PEM).", ""),
    Column("key", Hidden("env:NAME or file:PATH"), "The key of our certificate (PEM)."),
    Column("username", _NAME, "User name.", ""),
    Column("password", Hidden(), "Password."),
    Column("token", Hidden(), "Token that clients of a served output show."),
    Column("options", Options(), "What only this kind has: name=value; name=value."),
)

PORTS: Final = (
    Column("port", Text("PORT1 or PORT2", r"(?i:PORT[0-9]{1,3})", 8), "Its name in Devices.", required=True),
    Column("device", _PATH, "The serial port of this system.", required=True),
)

SETTINGS: Final = (
    Column("buffer", _PATH, "File that values wait in while an output is away.", "gateway-buffer.sqlite"),
    Column("buffer_mb", Whole(1, 1_000_000), "Its greatest size; beyond it the oldest values go.", 256),
    Column("audit", _PATH, "File that each command leaves a line in; empty: beside the buffer.", ""),
    Column("keyring", _PATH, "Key ring that keyring:OWNER looks in.", ""),
    Column("keyring_secret", Hidden("env:NAME or file:PATH"), "What opens the key ring."),
    Column("page", _NAME, "HOST:PORT of the status page; empty: none.", ""),
    Column("page_certificate", _PATH, "Certificate of the status page (PEM).", ""),
    Column("page_key", Hidden("env:NAME or file:PATH"), "Its key (PEM)."),
    Column("page_token", Hidden(), "Token that visitors of the status page show."),
)
