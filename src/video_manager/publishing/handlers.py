"""Messages to publishing: the manager's commands."""

from video_manager.contracts import commands
from video_manager.messaging import HandlerTable
from video_manager.ports import Subscription
from video_manager.publishing.service import PublishingService

QUEUE = "publishing"


def subscription(service: PublishingService) -> Subscription:
    table = HandlerTable({commands.CreatePublication: service.create, commands.WithdrawPublication: service.withdraw})
    return Subscription(QUEUE, table.types, table)
