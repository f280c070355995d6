"""Any bus, with a record of what was handled: what shows that messages move, and how long they waited."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from video_manager.contracts.envelope import Envelope
from video_manager.ports import Clock, Consumer, DeadLetter, Handler, MessageBus, Subscription

_AGE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)


@dataclass(frozen=True)
class Handled:
    """The newest message of one queue that this process has handled."""

    at: datetime
    type: str


class BusActivity:
    """What this process has handled. The metrics are its own until `register` puts them into a registry. Labels are
    queues, never ids."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.last_handled: dict[str, Handled] = {}
        self._handled = Counter(
            "video_manager_messages_handled", "Messages that were handled.", ["queue", "outcome"], registry=None
        )
        self._last = Gauge(
            "video_manager_last_message_handled_timestamp_seconds", "When the newest message was handled.", ["queue"],
            registry=None,
        )  # fmt: skip
        self._age = Histogram(
            "video_manager_message_age_seconds", "From a message's making to the start of its handling.", ["queue"],
            buckets=_AGE_BUCKETS, registry=None,
        )  # fmt: skip
        self._seconds = Histogram(
            "video_manager_message_handling_seconds", "How long handling takes.", ["queue"], registry=None
        )

    def register(self, registry: CollectorRegistry) -> None:
        for metric in (self._handled, self._last, self._age, self._seconds):
            registry.register(metric)

    def watched(self, queue: str, handler: Handler) -> Handler:
        """The handler, with its calls recorded."""

        async def handle(envelope: Envelope) -> None:
            self._age.labels(queue).observe(max(0.0, (self._clock.now() - envelope.time).total_seconds()))
            began = time.perf_counter()
            try:
                await handler(envelope)
            except BaseException:
                self._handled.labels(queue, "failed").inc()
                raise
            self._seconds.labels(queue).observe(time.perf_counter() - began)
            self._handled.labels(queue, "handled").inc()
            now = self._clock.now()
            self._last.labels(queue).set(now.timestamp())
            self.last_handled[queue] = Handled(now, envelope.type)

        return handle


class ObservedBus:
    """MessageBus: everything is the inner one's, and its handlers' calls are recorded."""

    def __init__(self, bus: MessageBus, activity: BusActivity) -> None:
        self._bus = bus
        self._activity = activity

    async def open(self) -> None:
        await self._bus.open()

    async def close(self) -> None:
        await self._bus.close()

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        await self._bus.publish(envelopes)

    async def declare(self, queue: str, types: Sequence[str]) -> None:
        await self._bus.declare(queue, types)

    async def consume(self, subscription: Subscription) -> Consumer:
        handler = self._activity.watched(subscription.queue, subscription.handler)
        return await self._bus.consume(replace(subscription, handler=handler))

    async def watch(self, types: Sequence[str], handler: Handler) -> Callable[[], Awaitable[None]]:
        return await self._bus.watch(types, handler)

    async def hint(self, envelope: Envelope) -> None:
        await self._bus.hint(envelope)

    async def ping(self) -> None:
        await self._bus.ping()

    async def depth(self) -> dict[str, int]:
        return await self._bus.depth()

    async def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        return await self._bus.dead_letters(limit)

    async def resend(self, dead_letter_id: str) -> None:
        await self._bus.resend(dead_letter_id)

    async def drop(self, dead_letter_id: str) -> None:
        await self._bus.drop(dead_letter_id)
