"""Events into use cases."""

from video_manager.analytics.loader import HEARD_EVENTS
from video_manager.analytics.service import AnalyticsService
from video_manager.contracts.envelope import Body, Envelope
from video_manager.contracts.events import MetricsCollected
from video_manager.domain.access import SYSTEM
from video_manager.messaging import HandlerTable
from video_manager.ports import Subscription

QUEUE = "analytics"


def subscription(service: AnalyticsService) -> Subscription:
    """The durable queue of this service."""

    async def hear(event: Envelope, body: Body) -> None:
        await service.hear(SYSTEM, event, body)

    async def load(_event: Envelope, body: MetricsCollected) -> None:
        await service.load(SYSTEM, body.payload_ids)

    table = HandlerTable({**dict.fromkeys(HEARD_EVENTS, hear), MetricsCollected: load})
    return Subscription(QUEUE, table.types, table)
