"""Points as variables of an OPC UA server, by the library asyncua, which is used as it is.

Each device is a folder below Objects, each signal a variable in it: `ns=2;s=DEVICE.SIGNAL` unless its row says more.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.address_space import AttributeService
from asyncua.server.internal_session import SessionState
from asyncua.server.server import Server
from asyncua.server.user_managers import UserManager
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from cosem.errors import ConfigurationError
from cosem.gateway.northbound import Obey, Point, carried_out
from cosem.gateway.northbound.text import LONGEST
from cosem.gateway.value import Command, NumberType, Plain, Quality, Sample, number_of
from cosem.protocol.crypto.key import Secret

ua: Any = importlib.import_module("asyncua.ua")
"""The types of the standard; the library gathers them with stars, which no checker follows."""

NodeId: TypeAlias = Any
_SERVER: Final = User(role=UserRole.Admin)
_log = logging.getLogger(__name__)
PORT: Final = 4840
NAMESPACE: Final = "urn:cosem:gateway"
INDEX: Final = 2
"""The number of the namespace: the first one after those of the standard and of the server itself."""

LARGEST: Final = 1 << 20
"""Octets of a message."""

SLICE: Final = 25
"""Points whose nodes are made at once, some milliseconds of work, before the rest of the gateway has its turn."""

_POLICIES: Final = [
    ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
    ua.SecurityPolicyType.Aes128Sha256RsaOaep_SignAndEncrypt,
    ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt,
]


@dataclass(frozen=True, slots=True)
class Protection:
    """What makes it secure: our certificate and key (RSA), and whom certificates of clients must be issued by.

    Without `ca` every certificate is taken, as long as the user is known.
    """

    certificate: Path
    key: Path
    ca: Path | None = None


@dataclass(frozen=True, slots=True)
class OpcuaSettings:
    """How much clients may ask for.

    Attributes:
        connections: how many there may be at once.
        sessions: how many of all connections; of those that nobody ever activated the oldest makes room.
        session_seconds: silence after which a session ends, at most.
        subscriptions: how many of all sessions.
        queue: values of one item that wait for a client which does not fetch them.
    """

    connections: int = 64
    sessions: int = 64
    session_seconds: float = 600.0
    subscriptions: int = 256
    queue: int = 1000

    def __post_init__(self) -> None:
        for name in ("connections", "sessions", "session_seconds", "subscriptions", "queue"):
            if not getattr(self, name) > 0:
                raise ConfigurationError(f"OPC UA: {name} has to be above 0, not {getattr(self, name)}")


class OpcuaOutput:
    """Shows points to OPC UA clients.

    Args:
        host, port: where to listen; port 0 takes a free one, see `port` afterwards.
        settings: how much clients may ask for.
        protection: with it, clients must sign and encrypt; without, whoever reaches the port reads and commands.
        username, password: what clients must show; "" lets in everybody.
    """

    buffered = False

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = PORT,
        settings: OpcuaSettings | None = None,
        *,
        protection: Protection | None = None,
        username: str = "",
        password: Secret | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.settings = settings or OpcuaSettings()
        self._protection = protection
        self._users = _Users(username, password)
        self._points: dict[str, Point] = {}
        self._nodes: dict[str, NodeId] = {}
        self._server: Server | None = None

    async def start(self, points: Sequence[Point], obey: Obey) -> None:
        """Begin to listen. Raises ConfigurationError for nodes that collide, or where nobody can listen."""
        nodes = _nodes(points)
        server = Server(user_manager=self._users)
        await server.init()
        server.set_server_name("cosem gateway")
        await server.set_application_uri(NAMESPACE)
        place = f"[{self.host}]" if ":" in self.host else self.host
        server.set_endpoint(f"opc.tcp://{place}:{self.port}/cosem")
        server.limits.max_message_size = LARGEST
        server.limits.max_chunk_count = LARGEST // server.limits.max_recv_buffer + 1
        self._bound(server.iserver)
        server.set_identity_tokens([self._users.token])
        await self._protect(server)
        index = await server.register_namespace(f"{NAMESPACE}:points")
        assert index == INDEX, "the namespaces before ours are fixed"
        folders: dict[str, Any] = {}
        for number, each in enumerate(points):
            if number % SLICE == 0:
                await asyncio.sleep(0)
            folder = folders.get(each.device)
            if folder is None:
                folder = await server.nodes.objects.add_folder(ua.NodeId(each.device, index), f"{index}:{each.device}")
                folders[each.device] = folder
            await _add(folder, nodes[each.signal], each, index)
        commanded = {nodes[each.signal]: each for each in points if each.writable}
        server.iserver.attribute_service = _Attributes(server.iserver.aspace, commanded, obey)
        try:
            await server.start()
        except OSError as error:
            raise ConfigurationError(f"OPC UA: cannot listen at {self.host} port {self.port}: {error}") from error
        assert server.bserver is not None, "started"
        self.port = server.bserver.port
        self._points, self._nodes, self._server = {each.signal: each for each in points}, nodes, server

    async def publish(self, samples: Sequence[Sample]) -> None:
        """Show new values; what is backfilled is older than what is there."""
        assert self._server is not None, "started"
        for each in samples:
            point = self._points.get(each.signal)
            if point is not None and not each.backfilled:
                await self._server.write_attribute_value(self._nodes[each.signal], shown(point.number_type, each))

    async def close(self) -> None:
        """End every connection and stop listening."""
        if self._server is not None:
            server, self._server = self._server, None
            await server.stop()

    def plan(self, points: Sequence[Point]) -> Sequence[tuple[str, ...]]:
        """Return the nodes of points, a heading first. Raises ConfigurationError for nodes that collide."""
        nodes = _nodes(points)
        rows = [
            (
                *(nodes[each.signal].to_string(), each.number_type.opcua, each.signal, each.unit),
                "write" if each.writable else "",
            )
            for each in points
        ]
        return (("node", "type", "signal", "unit", "command"), *rows)

    def map(self) -> Sequence[tuple[str, ...]]:
        """Return the same of its points."""
        return self.plan(tuple(self._points.values()))

    def _bound(self, internal: Any) -> None:
        settings = self.settings
        internal.max_connections = settings.connections
        internal.max_subscriptions = settings.subscriptions
        internal.max_session_timeout_ms = 1000 * settings.session_seconds
        internal.min_session_timeout_ms = min(internal.min_session_timeout_ms, internal.max_session_timeout_ms)
        internal.max_monitored_item_queue_size = settings.queue
        internal.create_session = _Sessions(internal, settings.sessions)

    async def _protect(self, server: Server) -> None:
        given = self._protection
        if given is None:
            server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
            return
        server.set_security_policy(_POLICIES)
        try:
            await server.load_certificate(given.certificate)
            await server.load_private_key(given.key)
            issuers = [] if given.ca is None else x509.load_pem_x509_certificates(given.ca.read_bytes())
        except (OSError, ValueError) as problem:
            raise ConfigurationError(f"OPC UA: certificate or key cannot be read: {problem}") from problem
        if given.ca is not None:
            server.set_certificate_validator(_validator(issuers))


class _Sessions:
    """Creates sessions for clients, as many at once as there may be."""

    def __init__(self, internal: Any, most: int) -> None:
        self._internal = internal
        self._create = internal.create_session
        self._most = most
        self._known: list[Any] = []

    def __call__(self, name: str, user: User = _SERVER, external: bool = False) -> Any:
        """Return a new session. Raises ServiceError where there are too many."""
        if not external:
            return self._create(name, user=user)
        self._known = [each for each in self._known if each.state is not SessionState.Closed]
        if len(self._known) >= self._most:
            unused = next((each for each in self._known if each.state is SessionState.Created), None)
            if unused is None:
                raise ServiceError(ua.StatusCodes.BadTooManySessions)
            unused.state = SessionState.Closed
            self._internal.unregister_external_session(unused)
            self._known.remove(unused)
        session = self._create(name, external=True)
        self._known.append(session)
        return session


class _Users(UserManager):
    """Who is let in; nobody is an administrator."""

    def __init__(self, username: str, password: Secret | None) -> None:
        self._username = username
        self._password = password
        self.token: type = ua.UserNameIdentityToken if username else ua.AnonymousIdentityToken

    def get_user(
        self, iserver: Any, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> User | None:
        """Return the user of what was shown; None turns it away."""
        known = not self._username or (
            username == self._username
            and self._password is not None
            and self._password.equals((password or "").encode())
        )
        return User(role=UserRole.User, name=username) if known else None


class _Attributes(AttributeService):
    """Makes commands of what clients write; the value changes when the device has it."""

    def __init__(self, aspace: Any, commanded: Mapping[NodeId, Point], obey: Obey) -> None:
        super().__init__(aspace)
        self._commanded = commanded
        self._obey = obey

    async def write(self, params: Any, user: User = _SERVER) -> list[Any]:
        """Answer a request of a client point by point, or do what the server itself wants."""
        if user.role == UserRole.Admin:  # the server itself
            return await super().write(params, user)
        return [ua.StatusCode(await self._command(each, user)) for each in params.NodesToWrite]

    async def _command(self, wanted: Any, user: User) -> Any:
        point = self._commanded.get(wanted.NodeId)
        if point is None or wanted.AttributeId != ua.AttributeIds.Value or wanted.IndexRange:
            return ua.StatusCodes.BadUserAccessDenied
        variant = wanted.Value.Value
        if variant is None or variant.is_array or variant.VariantType.name != point.number_type.opcua:
            return ua.StatusCodes.BadTypeMismatch
        value = _COMMANDED.get(point.number_type, _same)(variant.Value)
        if isinstance(value, float) and number_of(value) is None:
            return ua.StatusCodes.BadOutOfRange
        if isinstance(value, str) and len(value) > LONGEST:
            return ua.StatusCodes.BadOutOfRange
        result = await carried_out(self._obey, Command(point.signal, value, f"OPC UA {user.name or 'anybody'}"))
        if not result.done:
            _log.warning("OPC UA: %s was not written: %s", point.signal, result.reason)
        return ua.StatusCodes.Good if result.done else ua.StatusCodes.BadDeviceFailure


def shown(kind: NumberType, sample: Sample) -> Any:
    """Return a sample as OPC UA has it: value, status, times."""
    value, against = _VALUES[kind](sample.value)
    quality = sample.quality | against
    status = next((code for flag, code in _STATUS if flag in quality), ua.StatusCodes.Good)
    none = bool(quality & Quality.INVALID)
    source = sample.source_time or sample.gateway_time
    return ua.DataValue(
        Value=ua.Variant() if none else ua.Variant(value, ua.VariantType[kind.opcua]),
        StatusCode=ua.StatusCode(status),
        SourceTimestamp=source.astimezone(UTC),
        ServerTimestamp=sample.gateway_time.astimezone(UTC),
    )


_STATUS: Final = (
    (Quality.INVALID, ua.StatusCodes.BadNoData),
    (Quality.NOT_TOPICAL, ua.StatusCodes.UncertainLastUsableValue),
    (Quality.OVERFLOW, ua.StatusCodes.UncertainEngineeringUnitsExceeded),
    (Quality.SUBSTITUTED, ua.StatusCodes.UncertainSubstituteValue),
)
"""The status of what is against a value; the first one counts."""


def _same(value: Any) -> Plain:
    known: Plain = value
    return known


def _aware(value: datetime) -> Plain:
    return value if value.tzinfo else value.replace(tzinfo=UTC)


_COMMANDED: Final[Mapping[NumberType, Callable[[Any], Plain]]] = MappingProxyType(
    {NumberType.BITSTRING: lambda value: f"{value:032b}", NumberType.TIME: _aware}
)


def _number(kind: NumberType) -> Callable[[Plain], tuple[Any, Quality]]:
    def read(value: Plain) -> tuple[Any, Quality]:
        number = number_of(value)
        if number is None:
            return None, Quality.INVALID
        known, against = kind.carried(number)
        return known if kind.whole else float(known), against

    return read


def _bits(value: Plain) -> tuple[Any, Quality]:
    if isinstance(value, str) and value and not value.strip("01"):
        return NumberType.BITSTRING.carried(int(value, 2))
    return None, Quality.INVALID


def _digital(value: Plain) -> tuple[Any, Quality]:
    number = number_of(value)
    return (None, Quality.INVALID) if number is None else (bool(number), Quality.GOOD)


def _text(value: Plain) -> tuple[Any, Quality]:
    return (value, Quality.GOOD) if isinstance(value, str) else (None, Quality.INVALID)


def _time(value: Plain) -> tuple[Any, Quality]:
    return (value.astimezone(UTC), Quality.GOOD) if isinstance(value, datetime) else (None, Quality.INVALID)


_VALUES: Final[Mapping[NumberType, Callable[[Plain], tuple[Any, Quality]]]] = MappingProxyType(
    {
        NumberType.DIGITAL: _digital,
        **{kind: _number(kind) for kind in NumberType if kind.bounds is not None},
        NumberType.BITSTRING: _bits,
        NumberType.TEXT: _text,
        NumberType.TIME: _time,
    }
)
"""What a value is in each type, and what is against it then."""


def _nodes(points: Sequence[Point]) -> dict[str, NodeId]:
    found: dict[str, NodeId] = {}
    taken: dict[NodeId, str] = {ua.NodeId(each.device, INDEX): f"device {each.device}" for each in points}
    for each in points:
        node = each.node or f"{each.device}.{each.signal}"
        try:
            chosen = ua.NodeId.from_string(node) if "=" in node else ua.NodeId(node, INDEX)
        except (ValueError, ua.UaError) as error:
            raise ConfigurationError(f"OPC UA: {each.signal}: {node!r} is no node id: {error}") from None
        if chosen.NamespaceIndex != INDEX:
            raise ConfigurationError(f"OPC UA: {each.signal}: {node!r} is not in namespace {INDEX}, which is ours")
        if chosen in taken:
            raise ConfigurationError(f"OPC UA: {each.signal}: {node!r} is that of {taken[chosen]}")
        taken[chosen] = each.signal
        found[each.signal] = chosen
    return found


async def _add(folder: Any, node: NodeId, point: Point, index: int) -> None:
    variant_type = ua.VariantType[point.number_type.opcua]
    variable = await folder.add_variable(
        node, f"{index}:{point.signal}", _FIRST.get(variant_type, 0), varianttype=variant_type
    )
    await variable.write_attribute(
        ua.AttributeIds.DisplayName, ua.DataValue(ua.Variant(ua.LocalizedText(point.name or point.signal)))
    )
    if point.unit:
        await variable.write_attribute(
            ua.AttributeIds.Description, ua.DataValue(ua.Variant(ua.LocalizedText(point.unit)))
        )
    if point.writable:
        await variable.set_writable()
    unknown = ua.DataValue(Value=ua.Variant(), StatusCode=ua.StatusCode(ua.StatusCodes.BadWaitingForInitialData))
    await variable.write_value(unknown)


_FIRST: Final[Mapping[Any, Any]] = MappingProxyType(
    {
        ua.VariantType.Boolean: False,
        ua.VariantType.String: "",
        ua.VariantType.Float: 0.0,
        ua.VariantType.Double: 0.0,
        ua.VariantType.DateTime: datetime(1970, 1, 1, tzinfo=UTC),
    }
)
"""What a variable is made with, so that the library knows its type."""


def _validator(issuers: Sequence[x509.Certificate]) -> Callable[[x509.Certificate, Any], Any]:
    async def validate(certificate: x509.Certificate, _: Any) -> None:
        now = datetime.now(UTC)
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise ServiceError(ua.StatusCodes.BadCertificateTimeInvalid)
        if not any(certificate == each or _issued(certificate, each) for each in issuers):
            raise ServiceError(ua.StatusCodes.BadCertificateUntrusted)

    return validate


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
        return False  # by another name, by another key, or by a key of a kind that nobody can check
    return True
