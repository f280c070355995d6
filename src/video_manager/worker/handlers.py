"""Listening and stopping, as every worker service does it."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence

from video_manager.contracts.envelope import Envelope
from video_manager.contracts.events import JobCancelled
from video_manager.messaging import HandlerTable
from video_manager.ports import MessageBus, Subscription
from video_manager.worker.worker import Worker


class WorkerHandlers(ABC):
    """Starts a worker on its queues, and tells it at once of cancelled jobs."""

    def __init__(self, worker: Worker, bus: MessageBus) -> None:
        self.worker = worker
        self._bus = bus
        self._stop_watching: Callable[[], Awaitable[None]] | None = None

    @property
    def running(self) -> int:
        """Jobs that run in this process now."""
        return self.worker.running

    @abstractmethod
    def subscriptions(self) -> Sequence[Subscription]:
        """The queues with the commands of this service."""

    async def start(self) -> None:
        table = HandlerTable({JobCancelled: self._job_cancelled})
        self._stop_watching = await self._bus.watch((JobCancelled.type,), table)
        await self.worker.start(self.subscriptions())

    async def stop(self) -> None:
        """Call it before the bus is closed."""
        await self.worker.stop()
        if self._stop_watching is not None:
            await self._stop_watching()

    async def _job_cancelled(self, _message: Envelope, body: JobCancelled) -> None:
        self.worker.cancel(body.job_id, body.attempt)
