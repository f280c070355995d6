"""Messages of the processing service."""

from collections.abc import Awaitable, Callable

from video_manager.contracts.commands import Process
from video_manager.contracts.envelope import Envelope
from video_manager.contracts.events import JobCancelled
from video_manager.messaging import HandlerTable
from video_manager.ports import MessageBus, Subscription
from video_manager.processing.service import ProcessingService


class ProcessingHandlers:
    def __init__(self, service: ProcessingService, bus: MessageBus) -> None:
        self._service = service
        self._bus = bus
        self._stop_watching: Callable[[], Awaitable[None]] | None = None

    @property
    def running(self) -> int:
        """Jobs that run in this process now."""
        return self._service.worker.running

    def subscriptions(self) -> list[Subscription]:
        table = HandlerTable({Process: self.process})
        return [Subscription(Process.type, (Process.type,), table, prefetch=1)]

    async def start(self) -> None:
        self._stop_watching = await self._bus.watch(
            (JobCancelled.type,), HandlerTable({JobCancelled: self.job_cancelled})
        )
        await self._service.worker.start(self.subscriptions())

    async def stop(self) -> None:
        """Call it before the bus is closed."""
        await self._service.worker.stop()
        if self._stop_watching is not None:
            await self._stop_watching()

    async def process(self, message: Envelope, body: Process) -> None:
        await self._service.worker.take(body.job_id, message)

    async def job_cancelled(self, message: Envelope, body: JobCancelled) -> None:  # noqa: ARG002 - the table's shape
        self._service.worker.cancel(body.job_id, body.attempt)
