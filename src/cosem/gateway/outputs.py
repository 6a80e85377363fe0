"""Which class serves which kind of output, and what of its row it takes."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cosem.errors import ConfigurationError
from cosem.gateway.config import OutputRow
from cosem.gateway.config.columns import SERVED
from cosem.gateway.northbound import Output, iec104
from cosem.gateway.northbound.csv_file import CsvOutput
from cosem.gateway.northbound.sqlite_file import SqliteOutput
from cosem.protocol.crypto.key import Secret

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from cosem.gateway.northbound import http, mqtt

T = TypeVar("T")
S = TypeVar("S", bound="DataclassInstance")


def output_of(row: OutputRow) -> Output:
    """Return the output of a row. Raises ConfigurationError for an option it does not have, or a package missing."""
    make = MAKERS.get(row.kind)
    if make is None:
        raise ConfigurationError(f"{row.name}: there is no output {row.kind}; there are {', '.join(MAKERS)}")
    options = Options(row)
    if row.kind in SERVED:
        options.take("plain", switch, False)  # the check has seen to it
    made = make(row, options)
    options.finish()
    return made


class Options:
    """The options of a row, each taken once by name and kind."""

    def __init__(self, row: OutputRow) -> None:
        self._row = row
        self._left = dict(row.options)

    def take(self, name: str, read: Callable[[str], T], default: T) -> T:
        """Return an option, or its default. Raises ConfigurationError for what it cannot be."""
        text = self._left.pop(name, None)
        if text is None:
            return default
        try:
            return read(text)
        except (ValueError, ZoneInfoNotFoundError):
            raise ConfigurationError(f"{self._row.name}: option {name} = {text!r} cannot be used") from None

    def settings(self, usual: S, **readers: Callable[[str], Any]) -> S:
        """Return settings with the options that are fields of them. Raises ConfigurationError as `take` does."""
        return replace(usual, **{name: self.take(name, read, getattr(usual, name)) for name, read in readers.items()})

    def finish(self) -> None:
        """Refuse what nobody took."""
        if self._left:
            raise ConfigurationError(f"{self._row.name}: {self._row.kind} has no option {', '.join(self._left)}")


def host_and_port(row: OutputRow, port: int) -> tuple[str, int]:
    """Return where an output is or listens; loopback, and the usual port of its protocol, unless the row says more."""
    host, colon, number = row.address.rpartition(":")
    if not row.address:
        return "127.0.0.1", port
    if not colon or "]" in number:
        host, number = row.address, str(port)
    return host.strip("[]") or "127.0.0.1", int(number)


def server_tls(row: OutputRow) -> ssl.SSLContext | None:
    """Return how an output that is connected to speaks TLS; with `ca`, clients must show a certificate of it."""
    if not row.tls:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, row)
    if row.ca:
        context.load_verify_locations(row.ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_tls(row: OutputRow) -> ssl.SSLContext | None:
    """Return how an output that connects speaks TLS."""
    if not row.tls:
        return None
    context = ssl.create_default_context(cafile=row.ca or None)
    if row.certificate:
        _load(context, row)
    return context


def _load(context: ssl.SSLContext, row: OutputRow) -> None:
    key = None if row.key is None else row.key.file()
    try:
        context.load_cert_chain(row.certificate, key)
    except (OSError, ssl.SSLError) as problem:
        raise ConfigurationError(f"{row.name}: certificate or key cannot be read: {problem}") from problem


def switch(text: str) -> bool:
    """Read yes or no."""
    words = {"1": True, "yes": True, "true": True, "0": False, "no": False, "false": False}
    if text.lower() not in words:
        raise ValueError
    return words[text.lower()]


def networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Read networks with commas between them."""
    return tuple(ip_network(each.strip()) for each in text.split(","))


def _iec104(row: OutputRow, options: Options) -> Output:
    host, port = host_and_port(row, iec104.SECURE_PORT if row.tls else iec104.PORT)
    settings = options.settings(
        iec104.StationSettings(),
        common_address=int,
        zone=ZoneInfo,
        waiting=int,
        select_first=switch,
        select_time=float,
        tagged_interrogation=switch,
        command_offset=int,
    )
    return iec104.Iec104Output(host, port, settings, tls=server_tls(row), masters=options.take("masters", networks, ()))


def _mqtt(row: OutputRow, options: Options) -> Output:
    with needing("gateway"):
        from cosem.gateway.northbound import mqtt
    return mqtt.MqttOutput(*_broker(row, options), **_credentials(row))


def _home_assistant(row: OutputRow, options: Options) -> Output:
    with needing("gateway"):
        from cosem.gateway.northbound import home_assistant
    broker = _broker(row, options)
    return home_assistant.HomeAssistantOutput(
        *broker,
        **_credentials(row),
        discovery=options.take("discovery", str, "homeassistant"),
        expire_after=options.take("expire_after", int, 0),
    )


def _broker(row: OutputRow, options: Options) -> tuple[str, int, mqtt.MqttSettings]:
    from cosem.gateway.northbound import mqtt

    host, port = host_and_port(row, mqtt.SECURE_PORT if row.tls else mqtt.PORT)
    settings = options.settings(
        mqtt.MqttSettings(),
        prefix=str,
        retain=switch,
        qos=int,
        client_id=str,
        keepalive=int,
        timeout=float,
        retry=float,
    )
    return host, port, settings


def _credentials(row: OutputRow) -> dict[str, Any]:
    password = None if row.password is None else row.password.password()
    return {"tls": client_tls(row), "username": row.username, "password": password}


def _modbus(row: OutputRow, options: Options) -> Output:
    with needing("gateway"):
        from cosem.gateway.northbound import modbus
    host, port = host_and_port(row, modbus.SECURE_PORT if row.tls else modbus.PORT)
    settings = options.settings(
        modbus.ModbusSettings(),
        word_order=str,
        quality_offset=int,
        gaps=switch,
        unit=int,
        connections=int,
        idle=float,
    )
    return modbus.ModbusOutput(host, port, settings, tls=server_tls(row))


def _rest(row: OutputRow, options: Options) -> Output:
    with needing("gateway"):
        from cosem.gateway.northbound import rest
    return rest.RestOutput(*_place(row, rest.PORT, options), tls=server_tls(row), token=_token(row))


def _prometheus(row: OutputRow, options: Options) -> Output:
    with needing("gateway"):
        from cosem.gateway.northbound import prometheus
    return prometheus.PrometheusOutput(*_place(row, prometheus.PORT, options), tls=server_tls(row), token=_token(row))


def _place(row: OutputRow, port: int, options: Options) -> tuple[str, int, http.HttpSettings]:
    from cosem.gateway.northbound import http

    return *host_and_port(row, port), options.settings(http.HttpSettings(), connections=int)


def _token(row: OutputRow) -> Secret | None:
    return None if row.token is None else row.token.password()


def _opcua(row: OutputRow, options: Options) -> Output:
    with needing("opcua"):
        from cosem.gateway.northbound import opcua
    host, port = host_and_port(row, opcua.PORT)
    protection = None
    if row.tls:
        server_tls(row)  # says what is wrong with the files
        key = Path() if row.key is None else row.key.file()
        protection = opcua.Protection(Path(row.certificate), key, Path(row.ca) if row.ca else None)
    password = None if row.password is None else row.password.password()
    settings = options.settings(
        opcua.OpcuaSettings(),
        connections=int,
        sessions=int,
        session_seconds=float,
        subscriptions=int,
        queue=int,
    )
    return opcua.OpcuaOutput(host, port, settings, protection=protection, username=row.username, password=password)


def _sqlite(row: OutputRow, options: Options) -> Output:
    megabytes = options.take("limit_mb", int, 1000)
    return SqliteOutput(Path(row.address or f"{row.name}.sqlite"), limit=megabytes * 1_000_000)


@contextmanager
def needing(extra: str) -> Generator[None]:
    """Say which extra to install where a package is missing."""
    try:
        yield
    except ImportError as missing:
        raise ConfigurationError(
            f'this output needs the package {missing.name}; install it with: pip install "cosem[{extra}]"'
        ) from None


def _csv(row: OutputRow, options: Options) -> Output:
    megabytes = options.take("limit_mb", int, 100)
    return CsvOutput(
        Path(row.address or f"{row.name}.csv"), limit=megabytes * 1_000_000, kept=options.take("kept", int, 9)
    )


MAKERS: Final[Mapping[str, Callable[[OutputRow, Options], Output]]] = MappingProxyType(
    {
        "csv": _csv,
        "iec104": _iec104,
        "mqtt": _mqtt,
        "home_assistant": _home_assistant,
        "modbus": _modbus,
        "rest": _rest,
        "prometheus": _prometheus,
        "opcua": _opcua,
        "sqlite": _sqlite,
    }
)
