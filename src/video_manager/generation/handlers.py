"""Messages of the generation service."""

from video_manager.contracts.commands import Render
from video_manager.contracts.envelope import Envelope
from video_manager.generation.service import GenerationService
from video_manager.messaging import HandlerTable
from video_manager.ports import MessageBus, Subscription
from video_manager.worker import WorkerHandlers


def render_topic(generator: str) -> str:
    """The command to the workers of a generator, and the queue in which it waits for them."""
    return f"{Render.type}.{generator}"


class GenerationHandlers(WorkerHandlers):
    def __init__(self, service: GenerationService, bus: MessageBus) -> None:
        super().__init__(service.worker, bus)
        self._service = service

    def subscriptions(self) -> list[Subscription]:
        """One durable queue for each generator, called like its command."""
        table = HandlerTable({Render: self._render})
        return [
            Subscription(render_topic(name), (render_topic(name),), table, prefetch=1)
            for name in self._service.generators
        ]

    async def _render(self, message: Envelope, body: Render) -> None:
        await self.worker.take(body.job_id, message)
