"""Administering webhooks, and looking at what was sent to them."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from video_manager.contracts.envelope import Body, envelope
from video_manager.domain.access import Actor, Right
from video_manager.domain.model import Instant
from video_manager.errors import AlreadyExists, InvalidInput
from video_manager.notifications.events import PUBLIC_EVENTS
from video_manager.notifications.model import Delivery, DeliveryState, Health, SentTest, Webhook
from video_manager.notifications.stores import Stores
from video_manager.notifications.web_push import Push, PushFailed, WebPush, new_secret
from video_manager.ports import Clock, Op, Where
from video_manager.repository import Loaded, Page


class WebhookView(BaseModel):
    """A webhook as people see it. `secret` is set only in the answer to its creation."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    url: str
    secret: str | None = None
    events: tuple[str, ...]
    enabled: bool
    disabled_reason: str | None
    health: Health
    created_at: Instant


class DeliveryView(BaseModel):
    """One event on its way to one webhook."""

    model_config = ConfigDict(frozen=True)

    id: str
    event_id: str | None
    event_type: str
    state: DeliveryState
    tries: int
    next_try_at: Instant | None
    last_status: int | None
    last_error: str | None
    created_at: Instant
    ended_at: Instant | None


def webhook_view(webhook: Webhook, *, with_secret: bool = False) -> WebhookView:
    return WebhookView(
        id=webhook.id, name=webhook.name, url=webhook.url, secret=webhook.secret if with_secret else None,
        events=webhook.events, enabled=webhook.enabled, disabled_reason=webhook.disabled_reason,
        health=webhook.health, created_at=webhook.created_at,
    )  # fmt: skip


class WebhookTest(Body):
    """Sent by hand, to try a webhook."""

    type: ClassVar[str] = "webhook.test"
    webhook_id: str
    sent_by: str


class WebhookService:
    def __init__(self, stores: Stores, push: WebPush, clock: Clock) -> None:
        self._stores = stores
        self._push = push
        self._clock = clock

    async def list(self, actor: Actor, cursor: str | None = None, limit: int = 50) -> Page[Loaded[WebhookView]]:
        actor.require(Right.ADMINISTER)
        page = await self._stores.webhooks.page(order_by="created_at", limit=limit, cursor=cursor)
        return Page(tuple(_viewed(item) for item in page.items), page.next)

    async def get(self, actor: Actor, id: str) -> Loaded[WebhookView]:
        actor.require(Right.ADMINISTER)
        return _viewed(await self._stores.webhooks.load(id))

    async def create(
        self, actor: Actor, id: str, url: str, events: Sequence[str], name: str = "", *, enabled: bool = True
    ) -> Loaded[WebhookView]:
        """The answer alone shows the secret. Again under the same id it changes nothing and answers the same, since
        the first answer may have been lost."""
        actor.require(Right.ADMINISTER)
        self._push.check(url)
        webhook = Webhook(
            id=id, name=name.strip() or url, url=url, secret=new_secret(), events=_known(events), enabled=enabled,
            created_at=self._clock.now(),
        )  # fmt: skip
        try:
            added = await self._stores.webhooks.add(webhook)
        except AlreadyExists:
            added = await self._stores.webhooks.load(id)
        return Loaded(webhook_view(added.value, with_secret=True), added.revision)

    async def change(
        self, actor: Actor, id: str, *, url: str | None = None, events: Sequence[str] | None = None,
        name: str | None = None, enabled: bool | None = None, expected_revision: int | None = None,
    ) -> Loaded[WebhookView]:  # fmt: skip
        """Change what is given. A new address, or switching on again, starts with a clean health."""
        actor.require(Right.ADMINISTER)
        if url is not None:
            self._push.check(url)
        wanted = _known(events) if events is not None else None

        def decide(webhook: Webhook) -> Webhook:
            fresh = url is not None or (enabled is True and not webhook.enabled)
            return webhook.with_(
                url=url or webhook.url,
                events=wanted or webhook.events,
                name=webhook.name if name is None else name.strip() or webhook.url,
                enabled=webhook.enabled if enabled is None else enabled,
                disabled_reason=None if fresh else webhook.disabled_reason,
                health=Health() if fresh else webhook.health,
            )

        return _viewed(await self._stores.webhooks.change(id, decide, expected_revision=expected_revision))

    async def remove(self, actor: Actor, id: str, expected_revision: int | None = None) -> None:
        """What still waits for it is never sent. Raises NotFound."""
        actor.require(Right.ADMINISTER)
        await self._stores.webhooks.load(id)
        await self._stores.webhooks.remove(id, expected_revision)

    async def deliveries(self, actor: Actor, id: str, cursor: str | None = None, limit: int = 50) -> Page[DeliveryView]:
        """What was and will be sent to this webhook, the newest first."""
        actor.require(Right.ADMINISTER)
        await self._stores.webhooks.load(id)
        page = await self._stores.deliveries.page(
            [Where("recipient_id", Op.EQ, id)], order_by="created_at", descending=True, limit=limit, cursor=cursor
        )
        return Page(tuple(_delivery_view(item.value) for item in page.items), page.next)

    async def send_test(self, actor: Actor, id: str) -> SentTest:
        """Send a signed `webhook.test` event now, also to one that is switched off, and say how it went."""
        actor.require(Right.ADMINISTER)
        webhook = (await self._stores.webhooks.load(id)).value
        now = self._clock.now()
        body = WebhookTest(webhook_id=id, sent_by=actor.name)
        event = envelope(body, source="notifications", subject=id, now=now)
        try:
            status = await self._push.send(Push(webhook.url, webhook.secret, event.id, event.model_dump_json()), now)
        except PushFailed as error:
            return SentTest(delivered=False, detail=error.detail, status=error.http_status)
        return SentTest(delivered=True, detail=f"the receiver answered {status}", status=status)


def _viewed(loaded: Loaded[Webhook]) -> Loaded[WebhookView]:
    return Loaded(webhook_view(loaded.value), loaded.revision, loaded.handled)


def _delivery_view(delivery: Delivery) -> DeliveryView:
    return DeliveryView(
        id=delivery.id, event_id=delivery.event.get("id") if delivery.event else None, event_type=delivery.kind,
        state=delivery.state, tries=delivery.tries,
        next_try_at=delivery.due_at if delivery.state is DeliveryState.PENDING else None,
        last_status=delivery.last_status, last_error=delivery.last_error, created_at=delivery.created_at,
        ended_at=delivery.ended_at,
    )  # fmt: skip


def _known(events: Sequence[str]) -> tuple[str, ...]:
    """Raises InvalidInput that lists what may be asked for."""
    known = {kind.type for kind in PUBLIC_EVENTS}
    prefixes = {name.split(".", 1)[0] + ".*" for name in known}
    wrong = [event for event in events if event not in known | prefixes]
    if wrong or not events:
        listed = ", ".join(sorted(known | prefixes))
        reason = f"{', '.join(wrong)} cannot be sent" if wrong else "name at least one"
        raise InvalidInput.field("events", f"{reason}; known: {listed}")
    return tuple(dict.fromkeys(events))
