"""Messages of the processing service."""

from video_manager.contracts.commands import Process
from video_manager.contracts.envelope import Envelope
from video_manager.messaging import HandlerTable
from video_manager.ports import MessageBus, Subscription
from video_manager.processing.service import ProcessingService
from video_manager.worker import WorkerHandlers


class ProcessingHandlers(WorkerHandlers):
    def __init__(self, service: ProcessingService, bus: MessageBus) -> None:
        super().__init__(service.worker, bus)

    def subscriptions(self) -> list[Subscription]:
        table = HandlerTable({Process: self._process})
        return [Subscription(Process.type, (Process.type,), table, prefetch=1)]

    async def _process(self, message: Envelope, body: Process) -> None:
        await self.worker.take(body.job_id, message)
