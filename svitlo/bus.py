"""The MQTT seam: every connection our services hold to the broker.

Two clients stand behind it. `Firehose` (gmqtt) carries what all boards publish, tens of thousands of messages a
second, one way. `ServiceLink` (aiomqtt) is for conversation: it announces the service with a will, publishes with
an acknowledgement, and takes wake-ups. Both reconnect by themselves, with jitter, and begin each connection with a
clean session: what a broker queues while we are away carries no times and would only mislead.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Any

import aiomqtt
import gmqtt  # type: ignore[import-untyped]

from svitlo import __version__
from svitlo.contracts import ServiceStatus, encode, topics
from svitlo.errors import BrokerRefusedError, BrokerUnavailableError
from svitlo.settings import BrokerAddress
from svitlo.wire import take_messages

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 10.0
KEEPALIVE_S = 10
FAULTS_EVERY_S = 60.0
READ_BYTES = 64 * 1024
"""What the firehose takes from its socket at once, a few milliseconds' work; asyncio would take four times as much, and
let everything else of ours wait as long."""
MQTT_311 = 4
REFUSED = 0x80
"""SUBACK return code for a denied subscription (MQTT 3.1.1, section 3.9.3)."""

MessageHandler = Callable[[str, bytes, bool], None]
"""Called with topic, payload and whether it is a retained message (memory, not news)."""


class Backoff:
    """Waits 0.25, 0.5, 1 .. 5 s with jitter; `reset` after a success."""

    def __init__(self, first_s: float = 0.25, limit_s: float = 5.0) -> None:
        self._first, self._limit, self._next = first_s, limit_s, first_s

    def reset(self) -> None:
        """Begin again with the shortest wait."""
        self._next = self._first

    async def wait(self) -> None:
        """Sleep for the next delay."""
        delay, self._next = self._next, min(self._next * 2, self._limit)
        await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret


def tls_context(address: BrokerAddress) -> ssl.SSLContext | None:
    """The TLS context for an `mqtts` address, None for a plain one."""
    return ssl.create_default_context(cafile=address.ca) if address.tls else None


def honour_cancellation() -> None:
    """Raises `CancelledError` if the current task was cancelled and nobody has said so.

    Before Python 3.12 `asyncio.wait_for`, which aiomqtt uses, swallows a cancellation that comes together with the
    acknowledgement it waited for; a service told to stop would then run on.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class _Faults:
    """Messages that could not be handled: the first is told in full, their number at most once a minute.

    It stands where gmqtt expects its logger, for gmqtt gives up a packet that it cannot read with no more than a word
    to that. Whatever else gmqtt says our own loops notice and report once.
    """

    def __init__(self) -> None:
        self.count = 0
        self._said = 0
        self._quiet: asyncio.TimerHandle | None = None

    def exception(self, what: str, *details: object) -> None:
        self.count += 1
        if self._quiet is None:
            log.exception(what, *details)
            self._rest()

    def debug(self, *_: object, **__: object) -> None:
        pass

    info = warning = error = critical = debug

    def _rest(self) -> None:
        self._said = self.count
        self._quiet = asyncio.get_running_loop().call_later(FAULTS_EVERY_S, self._say)

    def _say(self) -> None:
        self._quiet = None
        if self.count > self._said:
            log.error("%d messages could not be handled so far", self.count)
            self._rest()


class Firehose:
    """Everything the boards publish, as fast as Python can take it (MQTT 3.1.1, QoS as published)."""

    def __init__(
        self,
        address: BrokerAddress,
        client_id: str,
        subscriptions: Sequence[tuple[str, int]],
        on_message: MessageHandler,
        *,
        on_up: Callable[[], None] | None = None,
        on_down: Callable[[], None] | None = None,
    ) -> None:
        self._address = address
        self._client_id = client_id
        self._subscriptions = subscriptions
        self._on_message = on_message
        self._on_up = on_up
        self._on_down = on_down
        self._client: Any = None
        self._faults = _Faults()
        self.connected = False

    @property
    def failed(self) -> int:
        """How many messages reached us and could not be handled."""
        return self._faults.count

    async def run(self) -> None:
        """Hold the connection until cancelled."""
        backoff = Backoff()
        said = ""
        while True:
            try:
                await self._session(backoff)
                said = ""
            except BrokerUnavailableError as error:
                if str(error) != said:
                    log.warning("%s; trying again", error)
                    said = str(error)
            await backoff.wait()

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 0; silently nothing while the link is down."""
        if self.connected:
            self._client.publish(topic, payload, qos=0)

    async def _session(self, backoff: Backoff) -> None:
        """One connection, CONNECT to loss, with a client object of its own: nothing is carried over."""
        lost = asyncio.Event()
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        client = gmqtt.Client(self._client_id, clean_session=True, logger=self._faults)
        client.set_config({"reconnect_retries": -2})  # -1 means for ever, 0 still tries once
        client.set_auth_credentials(self._address.username or "", self._address.password or "")

        def subscribed(_client: Any, _mid: int, granted: Sequence[int], _properties: Any) -> None:
            if ready.done():
                return
            if any(code >= REFUSED for code in granted):
                ready.set_exception(BrokerRefusedError(f"the broker refuses {self._client_id} a subscription"))
            else:
                ready.set_result(None)
                # Here, before the retained messages that follow the SUBACK are handed out.
                self._up()

        def received(_client: Any, topic: str | bytes, payload: bytes, _qos: int, properties: dict[str, Any]) -> None:
            self._take(_text(topic), payload, bool(properties["retain"]))

        client.on_disconnect = lambda *_: lost.set()
        client.on_subscribe = subscribed
        client.on_message = received
        self._client = client
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await client.connect(
                    self._address.host,
                    self._address.port,
                    ssl=tls_context(self._address) or False,
                    keepalive=KEEPALIVE_S,
                    version=MQTT_311,
                )
                self._hasten(client)
                client.subscribe([gmqtt.Subscription(topic, qos=qos) for topic, qos in self._subscriptions])
                await _first(ready, lost)
            backoff.reset()
            await lost.wait()
            raise BrokerUnavailableError(f"the broker at {self._address.url} closed the connection")
        except gmqtt.mqtt.handler.MQTTConnectError as error:
            raise BrokerRefusedError(f"the broker refuses {self._client_id}: {error.message}") from error
        except (OSError, TimeoutError) as error:
            raise BrokerUnavailableError(f"no answer from the broker at {self._address.url} ({error})") from error
        finally:
            self._down()
            with contextlib.suppress(Exception):
                async with asyncio.timeout(2):
                    await client.disconnect()

    def _take(self, topic: str, payload: bytes, retained: bool) -> None:
        try:
            self._on_message(topic, payload, retained)
        except Exception:
            # gmqtt would swallow it unseen; one message must neither hide a fault nor end the service.
            self._faults.exception("a message on %s could not be handled", topic[:80])

    def _hasten(self, client: Any) -> None:
        """Read what comes in floods past gmqtt, which spends on such a message as long as we do on all the rest.

        Everything else stays gmqtt's: connecting, subscribing, pings, acknowledgements, messages with QoS 1.
        """
        try:
            connection = client._connection
            read_all, _ = connection._protocol._read_packet, connection._transport.max_size
        except AttributeError:  # another gmqtt inside: slower, and right all the same
            log.info("this gmqtt is not the one we know; it reads every message itself")
            return

        def read(data: bytes) -> int:
            taken = take_messages(data, self._take)
            connection._last_data_in = time.monotonic()
            rest: int = read_all(data[taken:])
            return rest if rest < 0 else taken + rest

        connection._protocol._read_packet = read
        connection._transport.max_size = READ_BYTES

    def _up(self) -> None:
        self.connected = True
        log.info("connected to the broker as %s", self._client_id)
        if self._on_up is not None:
            self._on_up()

    def _down(self) -> None:
        if self.connected:
            self.connected = False
            if self._on_down is not None:
                self._on_down()


def _text(topic: str | bytes) -> str:
    return topic if isinstance(topic, str) else topic.decode("utf-8", errors="replace")


async def _first(ready: asyncio.Future[None], lost: asyncio.Event) -> None:
    """Wait for `ready`; a connection lost before it counts as an error."""
    loss = asyncio.create_task(lost.wait(), name="firehose-loss")
    try:
        waiting: set[asyncio.Future[Any]] = {ready, loss}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            raise BrokerUnavailableError("the broker closed the connection before it answered")
        ready.result()
    finally:
        loss.cancel()


class ServiceLink:
    """A service's conversation with the broker: a status with a will, acknowledged publishes, wake-ups."""

    def __init__(
        self,
        address: BrokerAddress,
        service: str,
        instance: str,
        *,
        subscriptions: Sequence[tuple[str, int]] = (),
        on_message: MessageHandler | None = None,
        on_up: Callable[[], None] | None = None,
    ) -> None:
        self._address = address
        self._service = service
        self._topic = topics.service(service, instance)
        self._client_id = f"svitlo.{service}.{instance}.link"
        self._subscriptions = subscriptions
        self._on_message = on_message
        self._on_up = on_up
        self._client: aiomqtt.Client | None = None
        self.connected_since: float | None = None

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us and our subscriptions."""
        return self._client is not None

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1) -> None:
        """Publish and wait for the broker's acknowledgement. Raises `BrokerUnavailableError`."""
        client = self._client
        if client is None:
            raise BrokerUnavailableError(f"not connected to the broker at {self._address.url}")
        try:
            await client.publish(topic, payload, qos=qos, retain=retain)
        except aiomqtt.MqttError as error:
            raise BrokerUnavailableError(f"the broker did not take a message: {error}") from error
        honour_cancellation()

    async def run(self) -> None:
        """Hold the connection until cancelled; says offline itself when it goes in order."""
        backoff = Backoff()
        said = ""
        while True:
            try:
                await self._session(backoff)
            except BrokerUnavailableError as error:
                honour_cancellation()
                if str(error) != said:
                    log.warning("%s; trying again", error)
                    said = str(error)
            else:
                said = ""
            await backoff.wait()

    async def _session(self, backoff: Backoff) -> None:
        offline = encode(ServiceStatus(state="offline", version=__version__))
        try:
            async with aiomqtt.Client(
                self._address.host,
                self._address.port,
                username=self._address.username,
                password=self._address.password,
                identifier=self._client_id,
                clean_session=True,
                keepalive=KEEPALIVE_S,
                timeout=CONNECT_TIMEOUT_S,
                will=aiomqtt.Will(self._topic, offline, qos=1, retain=True),
                tls_context=tls_context(self._address),
            ) as client:
                try:
                    await self._announce(client)
                    backoff.reset()
                    await self._listen(client)
                finally:
                    self._client = None
                    self.connected_since = None
                    with contextlib.suppress(aiomqtt.MqttError, TimeoutError):
                        async with asyncio.timeout(2):
                            await client.publish(self._topic, offline, qos=1, retain=True)
        except aiomqtt.MqttCodeError as error:
            refused = "uthori" in str(error) or "user name" in str(error)
            kind = BrokerRefusedError if refused else BrokerUnavailableError
            raise kind(f"the broker at {self._address.url} does not accept {self._client_id}: {error}") from error
        except aiomqtt.MqttError as error:
            raise BrokerUnavailableError(f"no link to the broker at {self._address.url}: {error}") from error

    async def _announce(self, client: aiomqtt.Client) -> None:
        if self._subscriptions:
            granted = await client.subscribe([(topic, qos) for topic, qos in self._subscriptions])
            if any((code if isinstance(code, int) else code.value) >= REFUSED for code in granted):
                raise BrokerRefusedError(f"the broker refuses {self._client_id} a subscription")
        online = encode(ServiceStatus(state="online", version=__version__))
        await client.publish(self._topic, online, qos=1, retain=True)
        honour_cancellation()
        self._client = client
        self.connected_since = time.monotonic()
        log.info("connected to the broker as %s", self._client_id)
        if self._on_up is not None:
            self._on_up()

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            if self._on_message is not None and isinstance(message.payload, bytes):
                self._on_message(str(message.topic), message.payload, bool(message.retain))
