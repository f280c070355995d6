"""Taking messages from one queue, running the handler, and settling each message by how the handler ended."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from pydantic import ValidationError

from video_manager.adapters.backoff import Backoff
from video_manager.adapters.embedded.message_table import MessageTable, Row
from video_manager.contracts.envelope import Envelope
from video_manager.errors import PermanentError, RetryableError
from video_manager.ports import Subscription
from video_manager.tasks import end_tasks

_log = logging.getLogger(__name__)

_SETTLE_RETRY_SECONDS = 1.0


@dataclass
class Taken:
    """What this process has taken from one queue and not yet settled; shared by the queue's consumers."""

    seqs: set[int] = field(default_factory=set)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class QueueConsumer:
    """The Consumer of one subscription."""

    def __init__(
        self, subscription: Subscription, table: MessageTable, taken: Taken, backoff: Backoff,
        on_delay: Callable[[float], None],
    ) -> None:  # fmt: skip
        self._subscription = subscription
        self._table = table
        self._taken = taken
        self._backoff = backoff
        self._on_delay = on_delay
        self._woken = asyncio.Event()
        self._woken.set()
        self._paused = False
        self._closing = False
        self._running: set[asyncio.Task[None]] = set()
        self._loop = asyncio.create_task(self._take_messages(), name=f"consumer of {subscription.queue}")

    @property
    def queue(self) -> str:
        return self._subscription.queue

    def wake(self) -> None:
        """Something may wait in the queue."""
        self._woken.set()

    async def pause(self) -> None:
        self._paused = True

    async def resume(self) -> None:
        self._paused = False
        self._woken.set()

    async def close(self, drain_seconds: float) -> None:
        """Take nothing more, let the handlers end; those that do not in time are cancelled, and their messages stay."""
        self._closing = True
        await end_tasks([self._loop])
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=drain_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _take_messages(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                while await self._take_some():
                    pass
            except Exception as error:  # noqa: BLE001 - a disk that is full for a moment must not end the consumer
                _log.warning("cannot read queue %s, trying again: %s", self.queue, error, exc_info=error)
                await asyncio.sleep(_SETTLE_RETRY_SECONDS)
                self._woken.set()

    async def _take_some(self) -> bool:
        """Start handlers for what waits, up to the free places; whether there may be more to take."""
        async with self._taken.lock:
            free = self._free_places()
            if free <= 0:
                return False
            # Remembered before reading: what is settled meanwhile may still be among the rows.
            known = frozenset(self._taken.seqs)
            limit = free + len(known)
            rows = await self._table.ready(self.queue, limit)
            for row in [row for row in rows if row.seq not in known][: self._free_places()]:
                self._taken.seqs.add(row.seq)
                task = asyncio.create_task(self._handle(row), name=f"{self.queue} {row.seq}")
                self._running.add(task)
                task.add_done_callback(self._ended)
            return len(rows) == limit

    def _free_places(self) -> int:
        return 0 if self._paused else max(0, self._subscription.prefetch - len(self._running))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._woken.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("settling a message of %s failed", self.queue, exc_info=error)

    async def _handle(self, row: Row) -> None:
        try:
            settle = await self._outcome(row)
            await self._settle(settle)
        finally:
            self._taken.seqs.discard(row.seq)

    async def _outcome(self, row: Row) -> Callable[[], Awaitable[None]]:
        """Run the handler; what is to be written about the message afterwards."""
        try:
            envelope = Envelope.model_validate_json(row.envelope)
        except ValidationError as error:
            reason = f"unreadable message: {error}"
            return lambda: self._table.bury(row, reason)
        try:
            await self._subscription.handler(envelope)
        except PermanentError as error:
            _log.warning("%s (%s) is now a dead letter of %s: %s", envelope.id, envelope.type, self.queue, error)
            reason = _reason(error)
            return lambda: self._table.bury(row, reason)
        except Exception as error:  # noqa: BLE001 - any failure of a handler is an attempt
            return self._after_failure(row, envelope, error)
        return lambda: self._table.remove(row.seq)

    def _after_failure(self, row: Row, envelope: Envelope, error: Exception) -> Callable[[], Awaitable[None]]:
        failed, delay = self._backoff.after(error, row.attempts)
        expected = isinstance(error, RetryableError)
        if failed >= self._subscription.max_attempts:
            reason = f"gave up after {failed} attempts; the last said: {_reason(error)}"
            _log.warning("%s (%s) is now a dead letter of %s: %s", envelope.id, envelope.type, self.queue, reason)
            return lambda: self._table.bury(row, reason)
        _log.warning(
            "attempt %d of %s (%s) in %s failed, next in %.1f s: %s",
            row.attempts + 1, envelope.id, envelope.type, self.queue, delay, _reason(error),
            exc_info=None if expected else error,
        )  # fmt: skip
        return lambda: self._delay(row, failed, delay)

    async def _delay(self, row: Row, failed: int, delay_seconds: float) -> None:
        due_at = time.time() + delay_seconds
        await self._table.delay(row, failed, due_at)
        self._on_delay(due_at)

    async def _settle(self, write: Callable[[], Awaitable[None]]) -> None:
        """Try until it is on disk: a message that was handled must not be handled again because the disk was full
        for a moment. Given up at close; then it comes back, and its handler knows its id."""
        while True:
            try:
                return await write()
            except Exception as error:
                if self._closing:
                    raise
                _log.warning("cannot settle a message of %s, trying again: %s", self.queue, error)
                await asyncio.sleep(_SETTLE_RETRY_SECONDS)


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
