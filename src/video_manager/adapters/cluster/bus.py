"""The bus of the cluster: RabbitMQ. docs/messages.md has the names, docs/decisions/0008-rabbitmq.md the reasons."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from aio_pika import Message
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelNotFoundEntity

from video_manager.adapters.backoff import Backoff
from video_manager.adapters.cluster.bindings import Bindings
from video_manager.adapters.cluster.broker_address import SETTING, BrokerAddress
from video_manager.adapters.cluster.broker_answers import answering
from video_manager.adapters.cluster.broker_link import BrokerLink
from video_manager.adapters.cluster.broker_table import BrokerTable
from video_manager.adapters.cluster.dead_letters import DeadLetters
from video_manager.adapters.cluster.delays import Delays
from video_manager.adapters.cluster.message_handling import Means
from video_manager.adapters.cluster.publisher import Outgoing, Publisher, Unroutable, message_of
from video_manager.adapters.cluster.queue_consumer import QueueConsumer
from video_manager.adapters.cluster.topology import PREFIX, Topology
from video_manager.adapters.cluster.watching import HintSender, WatchQueue
from video_manager.adapters.routing import is_command
from video_manager.contracts.envelope import Envelope
from video_manager.errors import NotFound, Unavailable
from video_manager.ports import DeadLetter, Handler, Subscription

DRAIN_SECONDS = 30.0
CONNECT_SECONDS = 60.0
_RETRY_SECONDS = 0.5

_log = logging.getLogger(__name__)


class RabbitBus:
    """MessageBus on RabbitMQ 3.10 or later. Any number of processes publish and consume.

    Two connections: the broker stops reading from one that publishes when it runs out of memory or disk, and the
    acknowledgements that would relieve it must not wait behind that.
    """

    def __init__(
        self, url: str, backoff: Backoff | None = None, drain_seconds: float = DRAIN_SECONDS,
        connect_seconds: float = CONNECT_SECONDS, prefix: str = PREFIX,
    ) -> None:  # fmt: skip
        self._address = BrokerAddress.parse(url)
        self._topology = Topology(prefix)
        self._drain_seconds = drain_seconds
        self._connect_seconds = connect_seconds
        self._sending = BrokerLink(self._address, "publishing")
        self._publisher = Publisher(self._sending, self._address)
        letters, rows = (
            BrokerTable(self._address, self._publisher, queue)
            for queue in (self._topology.dead, self._topology.bindings)
        )
        self._dead_letters = DeadLetters(self._topology, self._publisher, letters)
        self._taking = BrokerLink(self._address, "consuming")
        self._bindings = Bindings(self._topology, self._address, self._taking, self._publisher, rows)
        self._taking.on_open = self._bindings.restore
        delays = Delays(self._topology, self._sending, self._publisher, self._address)
        self._means = Means(
            self._topology, self._address, self._taking, delays, self._dead_letters, backoff or Backoff()
        )
        self._consumers: list[QueueConsumer] = []
        self._watch_queue = WatchQueue(self._topology, self._taking, self._address)
        self._hints: HintSender | None = None
        self._counting: AbstractChannel | None = None
        self._counting_turn = asyncio.Lock()

    @property
    def is_connected(self) -> bool:
        """Whether messages can be taken now."""
        return self._taking.is_up

    async def open(self) -> None:
        """Raises SettingsError for a wrong address, user, virtual host, release or permission, and Unavailable when
        nothing answers within the time."""
        try:
            await self._taking.open(self._connect_seconds)
            await self._sending.open(self._connect_seconds)
            await self._prepare()
        except Unavailable as error:
            await self.close()
            named = SETTING in error.detail
            raise Unavailable(error.detail if named else f"{SETTING} names {self._address}: {error.detail}") from error
        except BaseException:
            await self.close()
            raise
        self._hints = HintSender(self._topology, self._sending)

    async def close(self) -> None:
        await asyncio.gather(*(consumer.close(self._drain_seconds) for consumer in self._consumers))
        self._consumers.clear()
        hints, self._hints = self._hints, None
        await asyncio.gather(self._watch_queue.close(), *([hints.close()] if hints is not None else []))
        await asyncio.gather(self._sending.close(), self._taking.close())

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        outgoing = [
            Outgoing(self._topology.messages, one.type, message_of(one), must_arrive=is_command(one.type))
            for one in envelopes
        ]
        try:
            await self._publisher.send(outgoing)
        except Unroutable as error:
            kind = error.outgoing.routing_key
            raise NotFound(f"nobody handles {kind!r}: start the service or the worker that does") from error

    async def declare(self, queue: str, types: Sequence[str]) -> None:
        await self._bindings.replace(queue, types)

    async def consume(self, subscription: Subscription) -> QueueConsumer:
        await self.declare(subscription.queue, subscription.types)
        consumer = QueueConsumer(subscription, self._means)
        await consumer.start()
        self._consumers.append(consumer)
        return consumer

    async def watch(self, types: Sequence[str], handler: Handler) -> Callable[[], Awaitable[None]]:
        return await self._watch_queue.add(types, handler)

    async def hint(self, envelope: Envelope) -> None:
        if self._hints is not None and self._sending.is_up:
            self._hints.send(envelope)

    async def ping(self) -> None:
        """By one round trip on each connection: a broker that is out of memory or disk blocks the publishing one alone.
        No more than that, because probes ask every few seconds."""
        await self._check_publishing()
        await self._count(self._topology.bindings)

    async def depth(self) -> dict[str, int]:
        """Those that wait in the queues themselves: neither what is being handled, nor what is delayed."""
        queues = await self._bindings.queues()
        counts = {queue: await self._count(self._topology.queue(queue)) for queue in queues}
        return {queue: count for queue, count in counts.items() if count is not None}

    async def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        return await self._dead_letters.newest(limit)

    async def resend(self, dead_letter_id: str) -> None:
        await self._dead_letters.resend(dead_letter_id)

    async def drop(self, dead_letter_id: str) -> None:
        await self._dead_letters.drop(dead_letter_id)

    async def _count(self, queue: str) -> int | None:
        """By its whole name. None for a queue that somebody has deleted."""
        async with self._counting_turn:
            if self._counting is None or self._counting.is_closed:
                self._counting = await self._taking.channel()
            async with answering(f"counting {queue}"):
                try:
                    found = await self._counting.declare_queue(queue, passive=True)
                except ChannelNotFoundEntity:
                    return None
            return found.declaration_result.message_count

    async def _prepare(self) -> None:
        """Also this is tried again for a while: a broker that has just come up may still look for its queues."""
        deadline = time.monotonic() + self._connect_seconds
        while True:
            try:
                await self._check_publishing()
                await self._bindings.read()
            except Unavailable as error:
                if time.monotonic() > deadline:
                    raise
                _log.info("waiting for RabbitMQ at %s: %s", self._address, error)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return

    async def _check_publishing(self) -> None:
        """A message that nobody gets: whether we may publish is not told before."""
        probe = Message(b"", type="probe")
        await self._publisher.send(
            [Outgoing(exchange, "probe", probe, must_arrive=False) for exchange in self._topology.published_to]
        )
