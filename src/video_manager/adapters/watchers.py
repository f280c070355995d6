"""In-process listeners for live pages: fast, and allowed to lose."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from video_manager.adapters.routing import matches
from video_manager.contracts.envelope import Envelope
from video_manager.ports import Handler
from video_manager.tasks import end_tasks

BACKLOG = 1000
"""What a slow watcher may fall behind before it loses the oldest."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Watcher:
    types: tuple[str, ...]
    handler: Handler
    queue: asyncio.Queue[Envelope]


class Watchers:
    """Everybody who watches in this process."""

    def __init__(self) -> None:
        self._watchers: dict[_Watcher, asyncio.Task[None]] = {}

    def add(self, types: Sequence[str], handler: Handler) -> Callable[[], Awaitable[None]]:
        """Returns the call that stops watching."""
        watcher = _Watcher(tuple(types), handler, asyncio.Queue(BACKLOG))
        self._watchers[watcher] = asyncio.create_task(self._deliver(watcher), name="watcher")

        async def stop() -> None:
            await self._stop(watcher)

        return stop

    def tell(self, envelope: Envelope) -> None:
        for watcher in self._watchers:
            if matches(watcher.types, envelope.type):
                if watcher.queue.full():
                    watcher.queue.get_nowait()
                watcher.queue.put_nowait(envelope)

    async def close(self) -> None:
        for watcher in list(self._watchers):
            await self._stop(watcher)

    async def _stop(self, watcher: _Watcher) -> None:
        task = self._watchers.pop(watcher, None)
        # A watcher that stops itself from its own handler must not wait for itself: its loop ends by itself.
        if task is not None and task is not asyncio.current_task():
            await end_tasks([task])

    async def _deliver(self, watcher: _Watcher) -> None:
        while watcher in self._watchers:
            envelope = await watcher.queue.get()
            try:
                await watcher.handler(envelope)
            except Exception as error:  # noqa: BLE001 - a page that is gone must not stop the others
                _log.warning("a watcher of %s failed: %s", envelope.type, error, exc_info=error)
