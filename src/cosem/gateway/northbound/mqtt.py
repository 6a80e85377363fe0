"""Samples to an MQTT broker, one topic a signal; commands come back on `<topic>/set`.

The topic of a signal is its own or `<prefix>/<device>/<signal>`. `<prefix>/status` is `online` as long as we are
connected, and `offline` by our last will otherwise. What becomes of a command is said on `<topic>/result`.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import aiomqtt

from cosem.errors import ConfigurationError, ConnectionFailed, ConnectionLost
from cosem.gateway.northbound import Obey, Point, carried_out
from cosem.gateway.northbound.text import as_json, commanded, sample_json
from cosem.gateway.value import Command, CommandResult, Sample
from cosem.protocol.crypto.key import Secret

_log = logging.getLogger(__name__)
_library_log = logging.getLogger(f"{__name__}.library")
_library_log.setLevel(logging.ERROR)  # it warns of every message that is not acknowledged at once

PORT: Final = 1883
SECURE_PORT: Final = 8883
"""The ports that are registered for the protocol, and for it over TLS."""

LONGEST_TOPIC: Final = 65535
"""Octets of a topic (MQTT 3.1.1, 4.7.3)."""

_MOST_UNSEEN: Final = 1000
"""Messages that wait to be looked at, which takes no longer than a turn of the loop; the library drops what is more."""


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """How the broker is spoken to.

    Attributes:
        prefix: what topics begin with. retain: whether the broker keeps the last value of each.
        qos: of values and results: 1 waits for the broker to have them, 0 does not.
        client_id: "" lets the library choose one.
        keepalive: seconds after which a silent connection is tested.
        timeout: seconds for the broker to answer, and for a value to wait for the connection.
        retry: seconds until a lost broker is tried again; doubled each time up to `longest_retry`.
        commands: how many may be under way at once.
    """

    prefix: str = "cosem"
    retain: bool = True
    qos: int = 1
    client_id: str = ""
    keepalive: int = 60
    timeout: float = 10.0
    retry: float = 1.0
    longest_retry: float = 30.0
    commands: int = 16

    def __post_init__(self) -> None:
        if self.qos not in (0, 1):
            raise ConfigurationError(f"MQTT: qos {self.qos} is neither 0 nor 1")


@dataclass(frozen=True, slots=True)
class Message:
    """What goes to the broker."""

    topic: str
    payload: str
    retain: bool


class MqttOutput:
    """Publishes samples to a broker, each one acknowledged by it before `publish` returns.

    Args:
        host, port: of the broker.
        settings: topics, delivery and time-outs.
        tls: makes it TLS; without, the password and all values go in clear.
        username, password: how we show who we are.

    `start` does not wait for the broker, which may be away for long.
    """

    buffered = True

    def __init__(
        self,
        host: str,
        port: int = PORT,
        settings: MqttSettings | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        username: str = "",
        password: Secret | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.settings = settings or MqttSettings()
        self._tls = tls
        self._username = username
        self._password = password
        self._points: dict[str, Point] = {}
        self._topics: dict[str, str] = {}
        self._commanded: dict[str, Point] = {}
        self._obey: Obey | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._client: aiomqtt.Client | None = None
        self._here = asyncio.Event()
        self._reason = "no connection was made yet"
        self._sending: set[asyncio.Task[None]] = set()
        self._obeying: set[asyncio.Task[None]] = set()
        self._delivered: tuple[Sample, ...] = ()

    @property
    def connected(self) -> bool:
        """Whether the broker is there."""
        return self._here.is_set()

    @property
    def status_topic(self) -> str:
        """Where `online` and `offline` are said."""
        return f"{self.settings.prefix}/status"

    def topic_of(self, point: Point) -> str:
        """Return where a signal is."""
        return point.topic or f"{self.settings.prefix}/{point.device}/{point.signal}"

    async def start(self, points: Sequence[Point], obey: Obey) -> None:
        """Begin to connect. Raises ConfigurationError for topics that cannot be or that collide."""
        self._points = {each.signal: each for each in points}
        self._topics = {each.signal: self.topic_of(each) for each in points}
        self._commanded = {f"{self.topic_of(each)}/set": each for each in points if each.writable}
        _check([self.status_topic, *self._topics.values(), *self._commanded, *map(_result_topic, self._commanded)])
        self._obey = obey
        self._keeping = asyncio.create_task(self._keep())

    async def publish(self, samples: Sequence[Sample]) -> None:
        """Hand samples over. Raises ConnectionFailed or ConnectionLost when the broker has not got all of them.

        What it did get of them then is not sent again when the same samples come next.
        """
        client = await self._broker()
        done = self._delivered if tuple(samples[: len(self._delivered)]) == self._delivered else ()
        self._delivered = ()
        tasks = [asyncio.create_task(self._tell(client, each)) for each in samples[len(done) :]]
        self._sending.update(tasks)
        try:
            if tasks:
                await asyncio.wait(tasks)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            raise
        finally:
            self._sending.difference_update(tasks)
        went = [_succeeded(each) for each in tasks]
        if not all(went):
            told = went.index(False)
            self._delivered = tuple(samples[: len(done) + told])
            raise ConnectionLost(f"MQTT: {self.host} port {self.port} did not take a value: {self._why(tasks[told])}")

    async def close(self) -> None:
        """Say that we are offline, and leave."""
        if self._keeping is None:
            return
        keeping, self._keeping = self._keeping, None
        if self._client is not None:
            with suppress(aiomqtt.MqttError):
                await self._client.publish(self.status_topic, "offline", qos=1, retain=True, timeout=1.0)
        keeping.cancel()
        await asyncio.wait([keeping])
        for task in list(self._obeying):
            task.cancel()

    def plan(self, points: Sequence[Point]) -> Sequence[tuple[str, ...]]:
        """Return the topics: with signal, type, unit and where it is commanded, a heading first."""
        topics = {each.signal: self.topic_of(each) for each in points}
        commanded = [f"{topics[each.signal]}/set" for each in points if each.writable]
        _check([self.status_topic, *topics.values(), *commanded, *map(_result_topic, commanded)])
        heading = ("topic", "signal", "type", "unit", "command")
        rows = [
            (topic, each.signal, each.number_type.value, each.unit, f"{topic}/set" if each.writable else "")
            for each, topic in zip(points, topics.values(), strict=True)
        ]
        return (heading, *rows)

    def map(self) -> Sequence[tuple[str, ...]]:
        """Return the same of its points."""
        return self.plan(tuple(self._points.values()))

    # -- what others build on it --------------------------------------------------------------------------------------

    def greetings(self) -> Sequence[Message]:
        """Return what the broker is told at each connection, before values."""
        return ()

    def listened(self) -> Sequence[str]:
        """Return topics, with wildcards where wanted, whose retained messages `overheard` is to be told of."""
        return ()

    def overheard(self, topic: str, payload: bytes) -> Sequence[Message]:
        """Return what the broker is told of a retained message that it has."""
        return ()

    def messages(self, sample: Sample) -> Sequence[Message]:
        """Return what one sample becomes; what is backfilled never takes the place of a newer value."""
        topic = self._topics.get(sample.signal)
        if topic is None:
            return ()
        return (Message(topic, sample_json(sample), self.settings.retain and not sample.backfilled),)

    # -- the connection -----------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        """Connect, for as long as the output runs."""
        delay = self.settings.retry
        while True:
            try:
                async with self._new_client() as client:
                    await self._greet(client)
                    delay, self._client = self.settings.retry, client
                    self._here.set()
                    _log.info("MQTT: connected to %s port %d", self.host, self.port)
                    async for message in client.messages:
                        self._receive(client, message)
            except (aiomqtt.MqttError, OSError, ValueError) as error:
                if self._client is not None:
                    _log.warning("MQTT: %s port %d is away: %s", self.host, self.port, error)
                self._reason = str(error)
            finally:
                self._leave()
            await asyncio.sleep(delay)
            delay = min(2 * delay, self.settings.longest_retry)

    def _leave(self) -> None:
        self._client = None
        self._here.clear()
        for task in self._sending:
            task.cancel()

    def _new_client(self) -> aiomqtt.Client:
        settings = self.settings
        return aiomqtt.Client(
            self.host,
            self.port,
            username=self._username or None,
            password=None if self._password is None else self._password.reveal().decode(),
            identifier=settings.client_id or None,
            will=aiomqtt.Will(self.status_topic, "offline", qos=1, retain=True),
            keepalive=settings.keepalive,
            timeout=settings.timeout,
            tls_context=self._tls,
            max_queued_incoming_messages=_MOST_UNSEEN,
            logger=_library_log,
        )

    async def _greet(self, client: aiomqtt.Client) -> None:
        if topics := (*self._commanded, *self.listened()):
            await client.subscribe([(topic, 1) for topic in topics])
        for each in self.greetings():
            await client.publish(each.topic, each.payload, qos=1, retain=each.retain)
        await client.publish(self.status_topic, "online", qos=1, retain=True)

    async def _broker(self) -> aiomqtt.Client:
        try:
            async with asyncio.timeout(self.settings.timeout):
                await self._here.wait()
        except TimeoutError:
            raise ConnectionFailed(f"MQTT: {self.host} port {self.port} is away: {self._reason}") from None
        client = self._client
        if client is None:
            raise ConnectionFailed(f"MQTT: {self.host} port {self.port} is away: {self._reason}")
        return client

    async def _tell(self, client: aiomqtt.Client, sample: Sample) -> None:
        for each in self.messages(sample):
            await client.publish(each.topic, each.payload, qos=self.settings.qos, retain=each.retain)

    def _why(self, task: asyncio.Task[None]) -> str:
        return self._reason if task.cancelled() else str(task.exception())

    # -- commands -----------------------------------------------------------------------------------------------------

    def _receive(self, client: aiomqtt.Client, message: aiomqtt.Message) -> None:
        topic = str(message.topic)
        point = self._commanded.get(topic)
        if point is None:
            told = self.overheard(topic, message.payload) if message.retain and message.payload else ()
            for each in told:
                self._begin(self._say(client, each))
            return
        self._begin(self._carry_out(client, topic, point, message))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._obeying.add(task)
        task.add_done_callback(self._obeying.discard)

    async def _say(self, client: aiomqtt.Client, message: Message) -> None:
        with suppress(aiomqtt.MqttError):
            await client.publish(message.topic, message.payload, qos=1, retain=message.retain)

    async def _carry_out(self, client: aiomqtt.Client, topic: str, point: Point, message: aiomqtt.Message) -> None:
        result = await self._result(topic, point, message)
        payload = f'{{"done":{as_json(result.done)},"reason":{as_json(result.reason)}}}'
        with suppress(aiomqtt.MqttError):
            await client.publish(_result_topic(topic), payload, qos=self.settings.qos)

    async def _result(self, topic: str, point: Point, message: aiomqtt.Message) -> CommandResult:
        if message.retain:  # else it would be carried out again at every connection
            return CommandResult(False, "a command must not be retained")
        if len(self._obeying) > self.settings.commands:
            return CommandResult(False, "too many commands at once")
        try:
            value = commanded(message.payload, point.number_type)
        except ValueError as error:
            return CommandResult(False, str(error))
        return await carried_out(self._obey, Command(point.signal, value, f"MQTT {topic}"))


def _result_topic(set_topic: str) -> str:
    return f"{set_topic.removesuffix('/set')}/result"


def _succeeded(task: asyncio.Task[None]) -> bool:
    return not task.cancelled() and task.exception() is None


def _check(topics: Sequence[str]) -> None:
    seen: set[str] = set()
    for topic in topics:
        if not topic or topic.startswith("$") or any(each in topic for each in "+#\0"):
            raise ConfigurationError(f"MQTT: nothing can be published on the topic {topic!r}")
        if len(topic.encode()) > LONGEST_TOPIC:
            raise ConfigurationError(f"MQTT: a topic of more than {LONGEST_TOPIC} octets: {topic:.60}…")
        if topic in seen:
            raise ConfigurationError(f"MQTT: {topic} would be used twice")
        seen.add(topic)
