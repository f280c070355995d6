"""Messages of the generation service."""

from collections.abc import Awaitable, Callable

from video_manager.contracts.commands import Render
from video_manager.contracts.envelope import Envelope
from video_manager.contracts.events import JobCancelled
from video_manager.generation.service import GenerationService
from video_manager.messaging import HandlerTable
from video_manager.ports import MessageBus, Subscription


class GenerationHandlers:
    def __init__(self, service: GenerationService, bus: MessageBus) -> None:
        self._service = service
        self._bus = bus
        self._stop_watching: Callable[[], Awaitable[None]] | None = None

    @property
    def running(self) -> int:
        """Jobs that run in this process now."""
        return self._service.worker.running

    def subscriptions(self) -> list[Subscription]:
        """One durable queue for each generator, called like its command."""
        table = HandlerTable({Render: self.render})
        return [
            Subscription(f"render.{name}", (f"render.{name}",), table, prefetch=1) for name in self._service.generators
        ]

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

    async def render(self, message: Envelope, body: Render) -> None:
        await self._service.worker.take(body.job_id, message)

    async def job_cancelled(self, message: Envelope, body: JobCancelled) -> None:  # noqa: ARG002 - the table's shape
        self._service.worker.cancel(body.job_id, body.attempt)
