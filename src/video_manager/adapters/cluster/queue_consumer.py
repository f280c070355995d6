"""Taking messages from one queue, running the handler, and settling each message by how the handler ended.

Handlers run in tasks of ours, not in the driver's callbacks: those it cancels when the connection is lost. A handler
that outlives its channel ends in peace; its message comes again, and handlers know the ids they have handled.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aio_pika.exceptions import CONNECTION_EXCEPTIONS
from pydantic import ValidationError

from video_manager.adapters.cluster.broker_address import BrokerAddress
from video_manager.adapters.cluster.broker_answers import ANSWER_SECONDS, answering
from video_manager.adapters.cluster.broker_link import BrokerLink, close_quietly
from video_manager.adapters.cluster.dead_letters import ATTEMPTS, DeadLetters
from video_manager.adapters.cluster.delays import Delays
from video_manager.adapters.cluster.publisher import persistent
from video_manager.adapters.cluster.topology import Topology
from video_manager.adapters.embedded.queue_consumer import Backoff
from video_manager.contracts.envelope import Envelope
from video_manager.errors import PermanentError, RetryableError
from video_manager.ports import Subscription

_RETRY_SECONDS = 1.0

_log = logging.getLogger(__name__)

_Write = Callable[[], Awaitable[None]]
"""What is written elsewhere before a message is acknowledged."""


@dataclass(frozen=True)
class Means:
    """What the consumers of one bus share."""

    topology: Topology
    address: BrokerAddress
    link: BrokerLink
    delays: Delays
    dead_letters: DeadLetters
    backoff: Backoff


class QueueConsumer:
    """The Consumer of one subscription, on a channel of its own."""

    def __init__(self, subscription: Subscription, means: Means) -> None:
        self._subscription = subscription
        self._means = means
        self._queue = means.topology.queue(subscription.queue)
        self._places = asyncio.Semaphore(subscription.prefetch)
        self._running: set[asyncio.Task[None]] = set()
        self._paused = False
        self._closing = False
        self._changed = asyncio.Event()
        self._started: asyncio.Future[None] | None = None
        self._resting = asyncio.Event()
        self._resting.set()
        self._loop: asyncio.Task[None] | None = None

    @property
    def queue(self) -> str:
        return self._subscription.queue

    async def start(self) -> None:
        """Returns when the broker delivers. Raises Unavailable or SettingsError when it does not come to that."""
        self._started = asyncio.get_running_loop().create_future()
        self._loop = asyncio.create_task(self._keep_consuming(), name=f"consumer of {self.queue}")
        try:
            async with answering(f"taking from queue {self.queue}", 2 * ANSWER_SECONDS):
                await self._started
        except BaseException:
            await self.close(0)
            raise

    async def pause(self) -> None:
        """Returns when the broker delivers no more. Without a connection nothing comes either, nor later."""
        self._paused = True
        self._changed.set()
        await self._resting.wait()

    async def resume(self) -> None:
        self._paused = False
        self._changed.set()

    async def close(self, drain_seconds: float) -> None:
        """Take nothing more, let the handlers end; those that do not in time are cancelled. What is not acknowledged
        goes back to the queue with the channel."""
        self._closing = True
        if self._loop is None:
            return
        if not self._loop.done():
            await self.pause()
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=drain_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._loop.cancel()
        await asyncio.gather(self._loop, return_exceptions=True)

    # ---- the channel ----------------------------------------------------------------------------------

    async def _keep_consuming(self) -> None:
        while True:
            try:
                channel = await self._means.link.channel(within_seconds=None)
                try:
                    await self._consume(channel)
                finally:
                    self._resting.set()
                    await close_quietly(channel)
                _log.warning("the broker has closed the channel of queue %s; it is opened again", self.queue)
            except Exception as error:  # noqa: BLE001 - whatever the broker does, the consumer must come back
                if self._started is not None and not self._started.done():
                    self._started.set_exception(error)
                _log.warning("cannot take from queue %s, trying again: %s", self.queue, error)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _consume(self, channel: AbstractChannel) -> None:
        """Take while not paused, until the channel is closed or the broker ends the consumer."""
        ended = asyncio.Event()

        def end(*_: object) -> None:
            ended.set()
            self._changed.set()

        channel.close_callbacks.add(end)
        (await channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(end)
        async with answering(f"preparing to take from {self._queue}"):
            await channel.set_qos(prefetch_count=self._subscription.prefetch)
        queue = await channel.get_queue(self._queue, ensure=False)
        tag: str | None = None
        while not ended.is_set() and not channel.is_closed:
            self._changed.clear()
            if self._paused and tag is not None:
                async with answering(f"pausing {self._queue}"):
                    await queue.cancel(tag)
                tag = None
            elif not self._paused and tag is None:
                self._resting.clear()
                with self._means.address.permission():
                    async with answering(f"taking from {self._queue}"):
                        tag = await queue.consume(self._deliver)
            if tag is None:
                self._resting.set()
            elif self._started is not None and not self._started.done():
                self._started.set_result(None)
            await self._changed.wait()

    async def _deliver(self, message: AbstractIncomingMessage) -> None:
        task = asyncio.create_task(self._handle(message), name=f"{self.queue} {message.delivery_tag}")
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("settling a message of %s failed", self.queue, exc_info=error)

    # ---- one message ----------------------------------------------------------------------------------

    async def _handle(self, message: AbstractIncomingMessage) -> None:
        # The broker keeps to the prefetch of one channel; handlers of the one before may still be running.
        async with self._places:
            if self._closing or _is_stale(message):
                return
            await self._settle(message, await self._outcome(message))

    async def _outcome(self, message: AbstractIncomingMessage) -> _Write | None:
        """Run the handler; what is to be written before the message is acknowledged."""
        try:
            envelope = Envelope.model_validate_json(message.body)
        except ValidationError as error:
            return self._burial(message, f"unreadable message: {error}")
        try:
            await self._subscription.handler(envelope)
        except PermanentError as error:
            return self._burial(message, _reason(error))
        except Exception as error:  # noqa: BLE001 - any failure of a handler is an attempt
            return self._after_failure(message, envelope, error)
        return None

    def _burial(self, message: AbstractIncomingMessage, reason: str) -> _Write:
        _log.warning("%s (%s) is now a dead letter of %s: %s", message.message_id, message.type, self.queue, reason)
        attempts = _attempts(message) + 1
        return lambda: self._means.dead_letters.bury(message, self.queue, reason, attempts)

    def _after_failure(self, message: AbstractIncomingMessage, envelope: Envelope, error: Exception) -> _Write:
        failed = _attempts(message) + 1
        if failed >= self._subscription.max_attempts:
            return self._burial(message, f"gave up after {failed} attempts; the last said: {_reason(error)}")
        expected = isinstance(error, RetryableError)
        named = error.retry_after_seconds if isinstance(error, RetryableError) else None
        delay_seconds = named if named is not None else self._means.backoff.delay_seconds(failed)
        _log.warning(
            "attempt %d of %s (%s) in %s failed, next in %.1f s: %s",
            failed, envelope.id, envelope.type, self.queue, delay_seconds, _reason(error),
            exc_info=None if expected else error,
        )  # fmt: skip
        again = persistent(
            message.body, message_id=message.message_id, type=message.type, priority=message.priority,
            headers={ATTEMPTS: failed},
        )  # fmt: skip
        return lambda: self._means.delays.send(again, self._queue, delay_seconds)

    async def _settle(self, message: AbstractIncomingMessage, write: _Write | None) -> None:
        """First write, confirmed, then acknowledge: a crash in between makes two of the message, never none. What
        cannot be settled because the channel is gone comes again by itself."""
        began = time.monotonic()
        while write is not None:
            if _is_stale(message):
                break
            try:
                await write()
                break
            except Exception as error:
                if self._closing:
                    raise
                _log.warning("cannot settle a message of %s, trying again: %s", self.queue, error)
                await asyncio.sleep(_RETRY_SECONDS)
        try:
            await message.ack()
        except CONNECTION_EXCEPTIONS as error:
            _log.info(
                "a message of %s comes again: its channel was closed while it was handled, for %.1f s (%s)",
                self.queue, time.monotonic() - began, error or type(error).__name__,
            )  # fmt: skip


def _attempts(message: AbstractIncomingMessage) -> int:
    """How often it has failed before."""
    found = message.headers.get(ATTEMPTS)
    return found if isinstance(found, int) else 0


def _is_stale(message: AbstractIncomingMessage) -> bool:
    """Whether the channel it came by is closed: then it is in its queue again."""
    try:
        return message.channel.is_closed
    except CONNECTION_EXCEPTIONS:
        return True


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
