"""Serving one recipient: a mail or chat target, with storms told as one summary, or a signed webhook."""

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta

from video_manager.contracts.envelope import Envelope
from video_manager.domain.access import SYSTEM
from video_manager.errors import NotFound, RetryableError
from video_manager.notifications.attempts import GIVE_UP_AFTER, Attempts, hold_seconds
from video_manager.notifications.chat import ChatMessage, ChatSender
from video_manager.notifications.model import Delivery, Kind, Notification, Target, Webhook
from video_manager.notifications.service import NotificationService
from video_manager.notifications.stores import Stores
from video_manager.notifications.targets import TargetService
from video_manager.notifications.texts import describe_disabled_webhook, describe_many
from video_manager.notifications.web_push import Push, PushFailed, WebPush
from video_manager.ports import Clock, Op, Where
from video_manager.repository import instant_text

MOST_SINGLE_MESSAGES = 5
"""More of one kind within DIGEST_SECONDS become one summary."""
DIGEST_SECONDS = 60
MOST_IN_DIGEST = 1000
WEBHOOK_BATCH = 100

_log = logging.getLogger(__name__)


class TargetDeliverer:
    """`base_url` is where people reach the studio, for links in messages."""

    def __init__(
        self, stores: Stores, clock: Clock, attempts: Attempts, chat: ChatSender, targets: TargetService, base_url: str
    ) -> None:
        self._stores = stores
        self._clock = clock
        self._attempts = attempts
        self._chat = chat
        self._targets = targets
        self._base_url = base_url

    async def serve(self, target_id: str) -> None:
        loaded = await self._stores.targets.get(target_id)
        if loaded is None or self._attempts.held(loaded.value.health):
            return
        by_kind: dict[str, list[Delivery]] = {}
        for delivery in await self._attempts.due(target_id, MOST_IN_DIGEST):
            by_kind.setdefault(delivery.kind, []).append(delivery)
        for kind, due in by_kind.items():
            for batch in await self._batches(target_id, kind, due):
                if not await self._send(loaded.value, Kind(kind), batch):
                    return

    async def _batches(self, target_id: str, kind: str, due: Sequence[Delivery]) -> list[Sequence[Delivery]]:
        """One by one when they are few; all as one when there were many within the window and it is over."""
        oldest = due[0].created_at
        window = timedelta(seconds=DIGEST_SECONDS)
        near = await self._stores.deliveries.count(
            Where("recipient_id", Op.EQ, target_id),
            Where("kind", Op.EQ, kind),
            Where("created_at", Op.GE, instant_text(oldest - window)),
            Where("created_at", Op.LE, instant_text(oldest + window)),
        )
        if near <= MOST_SINGLE_MESSAGES and len(due) <= MOST_SINGLE_MESSAGES:
            return [[delivery] for delivery in due]
        return [due] if self._clock.now() >= oldest + window else []

    async def _send(self, target: Target, kind: Kind, batch: Sequence[Delivery]) -> bool:
        claimed = await self._claim(batch)
        notifications = await self._notifications(claimed)
        if not notifications:
            for delivery in claimed:
                await self._attempts.fail(delivery, "the notification was removed meanwhile", final=True)
            return True
        try:
            await self._chat.send(self._targets.address(target), self._message(kind, notifications))
        except RetryableError as error:
            await self._record_failure(target, claimed, error)
            return False
        for delivery in claimed:
            await self._attempts.succeed(delivery)
        now = self._clock.now()
        await self._change_health(target.id, lambda current: current.with_(health=current.health.succeeded(now)))
        return True

    async def _claim(self, batch: Sequence[Delivery]) -> list[Delivery]:
        """All of the batch, or nothing when another process has just begun with it: a storm is told as one."""
        claimed: list[Delivery] = []
        for delivery in batch:
            found = await self._attempts.claim(delivery)
            if found is not None:
                claimed.append(found)
            elif not claimed:
                break
        return claimed

    async def _notifications(self, claimed: Sequence[Delivery]) -> list[Notification]:
        ids = [delivery.notification_id for delivery in claimed if delivery.notification_id is not None]
        return [loaded.value for loaded in await self._stores.notifications.load_many(ids)]

    def _message(self, kind: Kind, notifications: Sequence[Notification]) -> ChatMessage:
        if len(notifications) == 1:
            one = notifications[0]
            return ChatMessage(one.title, f"{one.text}\n{self._base_url}{one.link}", one.severity)
        digest = describe_many(kind, [one.title for one in notifications])
        return ChatMessage(digest.title, f"{digest.text}\n{self._base_url}/", notifications[-1].severity)

    async def _record_failure(self, target: Target, claimed: Sequence[Delivery], error: RetryableError) -> None:
        _log.info("notification target %s failed: %s", target.name, error.detail)
        now = self._clock.now()
        for delivery in claimed:
            await self._attempts.fail(delivery, error.detail)

        def decide(current: Target) -> Target:
            hold = now + timedelta(seconds=hold_seconds(current.health.failures + 1))
            return current.with_(health=current.health.failed(now, error.detail, hold))

        await self._change_health(target.id, decide)

    async def _change_health(self, target_id: str, decide: Callable[[Target], Target]) -> None:
        try:
            await self._stores.targets.change(target_id, decide)
        except NotFound:
            _log.info("notification target %s was removed while a message was on its way", target_id)


class WebhookDeliverer:
    """After a day of nothing but failures a webhook is switched off, and people are told."""

    def __init__(
        self, stores: Stores, clock: Clock, attempts: Attempts, push: WebPush, service: NotificationService
    ) -> None:
        self._stores = stores
        self._clock = clock
        self._attempts = attempts
        self._push = push
        self._service = service

    async def serve(self, webhook_id: str) -> None:
        loaded = await self._stores.webhooks.get(webhook_id)
        if loaded is None or self._attempts.held(loaded.value.health):
            return
        for delivery in await self._attempts.due(webhook_id, WEBHOOK_BATCH):
            claimed = await self._attempts.claim(delivery)
            if claimed is not None and not await self._send(loaded.value, claimed):
                return

    async def _send(self, webhook: Webhook, delivery: Delivery) -> bool:
        event = Envelope.model_validate(delivery.event)
        now = self._clock.now()
        try:
            push = Push(webhook.url, webhook.secret, event.id, event.model_dump_json())
            status = await self._push.send(push, now)
        except PushFailed as error:
            await self._attempts.fail(
                delivery, error.detail, status=error.http_status, retry_after_seconds=error.retry_after_seconds,
                final=error.gone,
            )  # fmt: skip
            await self._record_failure(webhook, error)
            return False
        await self._attempts.succeed(delivery, status)
        await self._change(webhook.id, lambda current: current.with_(health=current.health.succeeded(now, status)))
        return True

    async def _record_failure(self, webhook: Webhook, error: PushFailed) -> None:
        _log.info("webhook %s failed: %s", webhook.name, error.detail)
        now = self._clock.now()
        disabled: list[Webhook] = []

        def decide(current: Webhook) -> Webhook:
            hold = now + timedelta(seconds=hold_seconds(current.health.failures + 1))
            health = current.health.failed(now, error.detail, hold, error.http_status)
            changed = current.with_(health=health)
            since = health.failing_since or now
            disabled.clear()
            if current.enabled and (error.gone or now - since >= GIVE_UP_AFTER):
                reason = "the receiver asked for no more (410)" if error.gone else "it failed for a day"
                changed = changed.with_(enabled=False, disabled_reason=reason)
                disabled.append(changed)
            return changed

        await self._change(webhook.id, decide)
        for one in disabled:
            message = describe_disabled_webhook(one.name, one.disabled_reason or "", error.detail)
            await self._service.tell(SYSTEM, message, f"{one.id}/{now.isoformat()}")

    async def _change(self, webhook_id: str, decide: Callable[[Webhook], Webhook]) -> None:
        try:
            await self._stores.webhooks.change(webhook_id, decide)
        except NotFound:
            _log.info("webhook %s was removed while an event was on its way", webhook_id)
