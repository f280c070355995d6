"""Between documents and the bus: the relay empties outboxes, the handler table opens envelopes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from video_manager.contracts.catalogue import body_of
from video_manager.contracts.envelope import Body, Envelope
from video_manager.errors import NotFound, PermanentError
from video_manager.ports import Clock, DocumentStore, MessageBus, Unsent

BATCH = 100
"""Documents per round: their messages are published together."""

LONGEST_HOLD_SECONDS = 60.0
"""A message nobody is bound to is tried again at least this often."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Hold:
    """A message that could not be published: it waits, and the others go on."""

    until: float
    tries: int


class OutboxRelay:
    """Publishes what the documents' outboxes hold: at once after each write in this process, and by a sweep every
    `interval_seconds` what a crash or another process left there.

    A message is published, then marked as sent; a crash in between sends it again with the same id. Messages of one
    document keep their order, except that one that cannot be routed does not hold up those behind it.
    """

    def __init__(self, store: DocumentStore, bus: MessageBus, clock: Clock, interval_seconds: float = 1.0) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._interval_seconds = interval_seconds
        self._woken = asyncio.Event()
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        self._held: dict[tuple[str, str, str], _Hold] = {}
        self._failures = 0
        self._retry_at = 0.0
        store.on_unsent(lambda _: self._woken.set())

    async def start(self) -> None:
        self._stopping = False
        self._retry_at = self._clock.monotonic()
        self._woken.set()
        self._tasks = [
            asyncio.create_task(self._relay(), name="outbox relay"),
            asyncio.create_task(self._tick(), name="outbox sweep"),
        ]

    async def stop(self) -> None:
        """Finish the round that is running; the rest is sent after the next start."""
        if not self._tasks:
            return
        self._stopping = True
        self._woken.set()
        relay, tick = self._tasks
        tick.cancel()
        await asyncio.gather(relay, tick, return_exceptions=True)
        self._tasks = []

    async def lag_seconds(self) -> float:
        """How long the longest waiting message has been waiting; 0 when none is."""
        oldest = await self._store.oldest_unsent()
        return max(0.0, (self._clock.now() - oldest).total_seconds()) if oldest is not None else 0.0

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(self._interval_seconds)
            self._woken.set()

    async def _relay(self) -> None:
        while not self._stopping:
            await self._woken.wait()
            self._woken.clear()
            if self._clock.monotonic() < self._retry_at:
                continue
            try:
                await self._empty_outboxes()
                self._failures = 0
            except Exception as error:  # noqa: BLE001 - whatever the disk or the broker does, the relay goes on
                self._failures += 1
                delay = min(2.0 ** min(self._failures - 1, 10) * self._interval_seconds, LONGEST_HOLD_SECONDS)
                self._retry_at = self._clock.monotonic() + delay
                _log.warning("messages wait in their outboxes, next try in %.0f s: %s", delay, error, exc_info=error)

    async def _empty_outboxes(self) -> None:
        while not self._stopping:
            held_documents = {(collection, id) for collection, id, _ in self._held}
            limit = BATCH + len(held_documents)
            found = await self._store.unsent(limit)
            waiting = [document for document in map(self._without_held, found) if document.messages]
            if len(found) < limit:
                self._forget_holds(found)
            if not waiting:
                return
            await self._publish(waiting)

    async def _publish(self, documents: Sequence[Unsent]) -> None:
        try:
            await self._bus.publish([message for document in documents for message in document.messages])
        except (NotFound, PermanentError):
            # One of them cannot be routed: find out which. Those published twice carry the same id.
            await asyncio.gather(*(self._publish_singly(document) for document in documents))
            return
        await asyncio.gather(*(self._mark_sent(document, document.messages) for document in documents))

    async def _publish_singly(self, document: Unsent) -> None:
        sent = []
        try:
            for message in document.messages:
                try:
                    await self._bus.publish([message])
                    sent.append(message)
                except (NotFound, PermanentError) as error:
                    self._hold(document, message, error)
        finally:
            await self._mark_sent(document, sent)

    async def _mark_sent(self, document: Unsent, messages: Sequence[Envelope]) -> None:
        if messages:
            await self._store.mark_sent(document.collection, document.id, [message.id for message in messages])
            for message in messages:
                self._held.pop((document.collection, document.id, message.id), None)

    def _hold(self, document: Unsent, message: Envelope, error: Exception) -> None:
        key = (document.collection, document.id, message.id)
        tries = self._held[key].tries + 1 if key in self._held else 1
        delay = min(2.0 ** min(tries - 1, 10) * self._interval_seconds, LONGEST_HOLD_SECONDS)
        self._held[key] = _Hold(self._clock.monotonic() + delay, tries)
        _log.warning(
            "message %s (%s) of %s in %s waits, next try in %.0f s: %s",
            message.id, message.type, document.id, document.collection, delay, error,
        )  # fmt: skip

    def _without_held(self, document: Unsent) -> Unsent:
        now = self._clock.monotonic()
        ready = tuple(
            message
            for message in document.messages
            if (hold := self._held.get((document.collection, document.id, message.id))) is None or hold.until <= now
        )
        return Unsent(document.collection, document.id, ready)

    def _forget_holds(self, found: Sequence[Unsent]) -> None:
        """Drop holds whose message another process has sent meanwhile; `found` are all waiting documents."""
        waiting = {
            (document.collection, document.id, message.id) for document in found for message in document.messages
        }
        self._held = {key: hold for key, hold in self._held.items() if key in waiting}


Method = Callable[[Envelope, Any], Awaitable[None]]


class HandlerTable:
    """A bus handler made of one method per body class: `HandlerTable({RenderFinished: self.render_finished})`.

    The method gets the envelope and the body as an instance of its class. A body that does not fit its class, and a
    type that is not in the table, raise PermanentError: the message becomes a dead letter.
    """

    def __init__(self, methods: Mapping[type[Body], Method]) -> None:
        self._methods = dict(methods)

    @property
    def types(self) -> tuple[str, ...]:
        """The message types of the table, for `Subscription.types`. A worker that takes Render names its own
        (`render.<generator>`), because the type depends on a field."""
        return tuple(body.type for body in self._methods)

    async def __call__(self, envelope: Envelope) -> None:
        try:
            body = body_of(envelope)
        except ValidationError as error:
            raise PermanentError(f"message {envelope.id} ({envelope.type}) does not fit its type: {error}") from error
        method = self._methods.get(type(body))
        if method is None:
            raise PermanentError(f"message {envelope.id} ({envelope.type}) came to a service that does not handle it")
        await method(envelope, body)
