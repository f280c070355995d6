"""One delivered message: its handler runs, then it is settled by how the handler ended."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import CONNECTION_EXCEPTIONS
from pydantic import ValidationError

from video_manager.adapters.backoff import Backoff
from video_manager.adapters.cluster.broker_address import BrokerAddress
from video_manager.adapters.cluster.broker_link import BrokerLink
from video_manager.adapters.cluster.dead_letters import ATTEMPTS, DeadLetters
from video_manager.adapters.cluster.delays import Delays
from video_manager.adapters.cluster.publisher import persistent
from video_manager.adapters.cluster.topology import Topology
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


class MessageHandling:
    """Of one subscription. Handlers of a channel that was closed may still be running when the next one delivers:
    `prefetch` bounds them together."""

    def __init__(self, subscription: Subscription, means: Means) -> None:
        self.closing = False
        self._subscription = subscription
        self._name = subscription.queue
        self._means = means
        self._queue = means.topology.queue(subscription.queue)
        self._places = asyncio.Semaphore(subscription.prefetch)

    async def handle(self, message: AbstractIncomingMessage) -> None:
        async with self._places:
            if self.closing or _is_stale(message):
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
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Something inside the handler was cancelled, not we: unsettled, the message would hold its place for ever.
            return self._after_failure(message, envelope, RuntimeError(f"it was cancelled from within: {error!r}"))
        except Exception as error:  # noqa: BLE001 - any failure of a handler is an attempt
            return self._after_failure(message, envelope, error)
        return None

    def _burial(self, message: AbstractIncomingMessage, reason: str) -> _Write:
        _log.warning("%s (%s) is now a dead letter of %s: %s", message.message_id, message.type, self._name, reason)
        attempts = _attempts(message) + 1
        return lambda: self._means.dead_letters.bury(message, self._name, reason, attempts)

    def _after_failure(self, message: AbstractIncomingMessage, envelope: Envelope, error: Exception) -> _Write:
        before = _attempts(message)
        failed, delay_seconds = self._means.backoff.after(error, before)
        if failed >= self._subscription.max_attempts:
            return self._burial(message, f"gave up after {failed} attempts; the last said: {_reason(error)}")
        expected = isinstance(error, RetryableError)
        _log.warning(
            "attempt %d of %s (%s) in %s failed, next in %.1f s: %s",
            before + 1, envelope.id, envelope.type, self._name, delay_seconds, _reason(error),
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
                if self.closing:
                    raise
                _log.warning("cannot settle a message of %s, trying again: %s", self._name, error)
                await asyncio.sleep(_RETRY_SECONDS)
        try:
            await message.ack()
        except CONNECTION_EXCEPTIONS as error:
            _log.info(
                "a message of %s comes again: its channel was closed while it was handled, for %.1f s (%s)",
                self._name, time.monotonic() - began, str(error) or type(error).__name__,
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
