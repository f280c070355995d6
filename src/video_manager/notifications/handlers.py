"""Events into the use case."""

from video_manager.contracts.envelope import Body, Envelope
from video_manager.domain.access import SYSTEM
from video_manager.messaging import HandlerTable
from video_manager.notifications.events import PUBLIC_EVENTS
from video_manager.notifications.service import NotificationService
from video_manager.ports import Subscription

QUEUE = "notifications"


def subscription(service: NotificationService) -> Subscription:
    """The durable queue of this service."""

    async def hear(event: Envelope, body: Body) -> None:
        await service.hear(SYSTEM, event, body)

    table = HandlerTable(dict.fromkeys(PUBLIC_EVENTS, hear))
    return Subscription(QUEUE, table.types, table)
