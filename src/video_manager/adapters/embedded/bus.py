"""The embedded bus: durable queues in one SQLite file, consumers in the same process, woken by the publish itself."""

import asyncio
import contextlib
import fcntl
import logging
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from video_manager.adapters.backoff import Backoff
from video_manager.adapters.embedded.message_table import MessageTable
from video_manager.adapters.embedded.queue_consumer import QueueConsumer, Taken
from video_manager.adapters.routing import is_command, matches
from video_manager.adapters.watchers import Watchers
from video_manager.contracts.envelope import Envelope
from video_manager.errors import NotFound, SettingsError
from video_manager.ports import DeadLetter, Handler, Subscription

OTHER_PROCESS_SECONDS = 2.0
"""How often to look whether another process (the command line) has published; one pragma, microseconds."""

DRAIN_SECONDS = 30.0

_log = logging.getLogger(__name__)


class SqliteBus:
    """MessageBus in the file `path`. Any process may publish; one at a time may consume."""

    def __init__(self, path: Path, backoff: Backoff | None = None, drain_seconds: float = DRAIN_SECONDS) -> None:
        self._path = path
        self._backoff = backoff or Backoff()
        self._drain_seconds = drain_seconds
        self._table = MessageTable(path)
        self._bindings: dict[str, tuple[str, ...]] = {}
        self._consumers: list[QueueConsumer] = []
        self._taken: dict[str, Taken] = {}
        self._watchers = Watchers()
        self._next_due: float | None = None
        self._rescheduled = asyncio.Event()
        self._timer: asyncio.Task[None] | None = None
        self._lock: int | None = None

    async def open(self) -> None:
        await self._table.open()
        self._bindings = await self._table.bindings()
        self._next_due = await self._table.next_due()
        self._timer = asyncio.create_task(self._keep_time(), name="bus timer")

    async def close(self) -> None:
        await asyncio.gather(*(consumer.close(self._drain_seconds) for consumer in self._consumers))
        self._consumers.clear()
        if self._timer is not None:
            self._timer.cancel()
            await asyncio.gather(self._timer, return_exceptions=True)
            self._timer = None
        await self._watchers.close()
        await self._table.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        routed = [(queue, envelope) for envelope in envelopes for queue in self._queues_for(envelope)]
        if routed:
            await self._table.insert(routed)
            self._wake({queue for queue, _ in routed})
        for envelope in envelopes:
            self._watchers.tell(envelope)

    async def declare(self, queue: str, types: Sequence[str]) -> None:
        if set(self._bindings.get(queue, ())) != set(types):
            await self._table.bind(queue, types)
            self._bindings[queue] = tuple(types)

    async def consume(self, subscription: Subscription) -> QueueConsumer:
        """Raises SettingsError when another process consumes from this file."""
        self._lock_consuming()
        await self.declare(subscription.queue, subscription.types)
        taken = self._taken.setdefault(subscription.queue, Taken())
        consumer = QueueConsumer(subscription, self._table, taken, self._backoff, self._on_delay)
        self._consumers.append(consumer)
        return consumer

    async def watch(self, types: Sequence[str], handler: Handler) -> Callable[[], Awaitable[None]]:
        return self._watchers.add(types, handler)

    async def hint(self, envelope: Envelope) -> None:
        self._watchers.tell(envelope)

    async def ping(self) -> None:
        await self._table.depth()

    async def depth(self) -> dict[str, int]:
        found = await self._table.depth()
        taken = {queue: len(one.seqs) for queue, one in self._taken.items()}
        return {queue: max(0, count - taken.get(queue, 0)) for queue, count in found.items()}

    async def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        return await self._table.dead_letters(limit)

    async def resend(self, dead_letter_id: str) -> None:
        self._wake({await self._table.revive(dead_letter_id)})

    async def drop(self, dead_letter_id: str) -> None:
        await self._table.drop(dead_letter_id)

    def _queues_for(self, envelope: Envelope) -> list[str]:
        queues = [queue for queue, patterns in self._bindings.items() if matches(patterns, envelope.type)]
        if not queues and is_command(envelope.type):
            raise NotFound(f"nobody handles {envelope.type!r}: start the service or the worker that does")
        return queues

    def _wake(self, queues: set[str] | None = None) -> None:
        """The consumers of these queues; of all queues for None."""
        for consumer in self._consumers:
            if queues is None or consumer.queue in queues:
                consumer.wake()

    def _on_delay(self, due_at: float) -> None:
        if self._next_due is None or due_at < self._next_due:
            self._next_due = due_at
            self._rescheduled.set()

    async def _keep_time(self) -> None:
        """Wake the consumers for delayed messages when they are due, and for what other processes published."""
        seen = -1
        while True:
            try:
                version = await self._table.data_version()
                if self._next_due is not None and self._next_due <= time.time():
                    await self._table.promote(time.time())
                    await self._find_next_due()
                    self._wake()
                if version != seen:
                    self._bindings = await self._table.bindings()
                    await self._find_next_due()
                    self._wake()
                seen = version
            except Exception as error:  # noqa: BLE001 - a full disk must not stop the clock of the bus
                _log.warning("the timer of %s will try again: %s", self._path, error, exc_info=error)
                await asyncio.sleep(OTHER_PROCESS_SECONDS)
            await self._rest()

    async def _find_next_due(self) -> None:
        self._next_due = None
        found = await self._table.next_due()
        if found is not None:
            # Not a plain assignment: `_on_delay` may have named an earlier one since the read began.
            self._on_delay(found)

    async def _rest(self) -> None:
        due_in = self._next_due - time.time() if self._next_due is not None else OTHER_PROCESS_SECONDS
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.001, min(due_in, OTHER_PROCESS_SECONDS))):
                await self._rescheduled.wait()
        self._rescheduled.clear()

    def _lock_consuming(self) -> None:
        """Taken messages are known to this process only, so a second consumer would get them as well. The kernel
        frees the lock however this process ends."""
        if self._lock is not None:
            return
        descriptor = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise SettingsError(
                f"another process already works with {self._path.parent}: stop it first, or set "
                "VIDEO_MANAGER_DATA_DIR to another folder"
            ) from error
        self._lock = descriptor
