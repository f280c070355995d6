"""The collections of notifications, opened together."""

from dataclasses import dataclass

from video_manager.notifications.model import (
    DELIVERIES,
    NOTIFICATIONS,
    READ_MARKS,
    TARGETS,
    WEBHOOKS,
    Delivery,
    Notification,
    ReadMarks,
    Target,
    Webhook,
)  # fmt: skip
from video_manager.ports import DocumentStore
from video_manager.repository import Repository


@dataclass(frozen=True)
class Stores:
    notifications: Repository[Notification]
    read_marks: Repository[ReadMarks]
    targets: Repository[Target]
    webhooks: Repository[Webhook]
    deliveries: Repository[Delivery]

    @classmethod
    def over(cls, store: DocumentStore) -> "Stores":
        return cls(
            Repository(store, NOTIFICATIONS, Notification),
            Repository(store, READ_MARKS, ReadMarks),
            Repository(store, TARGETS, Target),
            Repository(store, WEBHOOKS, Webhook),
            Repository(store, DELIVERIES, Delivery),
        )

    async def register(self) -> None:
        await self.notifications.register()
        await self.read_marks.register()
        await self.targets.register()
        await self.webhooks.register()
        await self.deliveries.register()
