"""The parts of notifications put together: what bootstrap builds, starts and stops."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import SecretStr

from video_manager.notifications.attempts import Attempts
from video_manager.notifications.chat import AppriseSender
from video_manager.notifications.delivery import DeliveryLoop
from video_manager.notifications.handlers import subscription
from video_manager.notifications.recipients import TargetDeliverer, WebhookDeliverer
from video_manager.notifications.service import Hint, NotificationService
from video_manager.notifications.stores import Stores
from video_manager.notifications.targets import TargetService, targets_of_settings
from video_manager.notifications.web_push import TIMEOUT_SECONDS, SignedPush
from video_manager.notifications.webhooks import WebhookService
from video_manager.ports import Clock, DocumentStore, Subscription

_LEASE_MARGIN_SECONDS = 30.0


@dataclass(frozen=True)
class Notifications:
    """`open` on every process that uses the service; `start` and `stop` where its loop runs."""

    service: NotificationService
    loop: DeliveryLoop
    stores: Stores
    chat: AppriseSender

    def subscription(self) -> Subscription:
        return subscription(self.service)

    async def open(self) -> None:
        """Make the collections and adopt the addresses of the settings. Raises SettingsError for a wrong one."""
        await self.stores.register()
        await self.service.targets.adopt_settings()

    async def start(self) -> None:
        await self.loop.start()

    async def stop(self) -> None:
        await self.loop.stop()
        self.chat.close()


def build_notifications(
    store: DocumentStore, clock: Clock, hint: Hint, *, base_url: str, notify_urls: Sequence[SecretStr] = (),
    notify_timeout_seconds: float = 30.0, webhook_allow_private: bool = False,
) -> Notifications:  # fmt: skip
    """`hint` is `MessageBus.hint`; the rest are settings of the same names."""
    stores = Stores.over(store)
    chat = AppriseSender(notify_timeout_seconds)
    push = SignedPush(allow_private=webhook_allow_private)
    targets = TargetService(stores, chat, clock, targets_of_settings(notify_urls))
    service = NotificationService(stores, clock, hint, targets, WebhookService(stores, push, clock))
    attempts = Attempts(stores, clock, max(notify_timeout_seconds, TIMEOUT_SECONDS) + _LEASE_MARGIN_SECONDS)
    loop = DeliveryLoop(
        stores, clock, TargetDeliverer(stores, clock, attempts, chat, targets, base_url),
        WebhookDeliverer(stores, clock, attempts, push, service),
    )  # fmt: skip
    service.on_delivery(loop.wake)
    return Notifications(service, loop, stores, chat)
