"""Telling people: what happened, who has read it, and what has to be sent because of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from video_manager.contracts.envelope import Body, Envelope, envelope
from video_manager.contracts.events import NotificationCreated
from video_manager.domain.access import Actor, Right
from video_manager.domain.model import derived_id
from video_manager.notifications.model import Delivery, Notification, ReadMarks, RecipientKind
from video_manager.notifications.stores import Stores
from video_manager.notifications.targets import TargetService
from video_manager.notifications.texts import Message, describe_event
from video_manager.notifications.webhooks import WebhookService
from video_manager.ports import Clock, Op, Query, Where
from video_manager.repository import Page, instant_text

MOST_RECIPIENTS = 500
_COMPACT_AFTER = 500
"""Single read marks of a person before those of removed notifications are dropped."""

Hint = Callable[[Envelope], Awaitable[None]]


@dataclass(frozen=True)
class Shown:
    """A notification as one person sees it."""

    notification: Notification
    read: bool


class NotificationService:
    """`hint` is the bus's; `wake` starts the delivery loop at once. `targets` and `webhooks` administer where
    notifications and events go."""

    def __init__(
        self, stores: Stores, clock: Clock, hint: Hint, targets: TargetService, webhooks: WebhookService
    ) -> None:
        self._stores = stores
        self._clock = clock
        self._hint = hint
        self._wakers: list[Callable[[], None]] = []
        self.targets = targets
        self.webhooks = webhooks

    def on_delivery(self, wake: Callable[[], None]) -> None:
        """Call `wake` whenever something new is to be sent."""
        self._wakers.append(wake)

    # ---- for people ---------------------------------------------------------------------------------------

    async def list(self, actor: Actor, cursor: str | None = None, limit: int = 50) -> Page[Shown]:
        """The newest first, each with whether this person has read it."""
        actor.require(Right.VIEW)
        marks = await self._marks(actor)
        page = await self._stores.notifications.page(order_by="created_at", descending=True, limit=limit, cursor=cursor)
        shown = (Shown(item.value, marks.has_read(item.value)) for item in page.items)
        return Page(tuple(shown), page.next)

    async def unread(self, actor: Actor) -> int:
        actor.require(Right.VIEW)
        marks = await self._marks(actor)
        until = marks.all_until
        where = [] if until is None else [Where("created_at", Op.GT, instant_text(until))]
        newer = await self._stores.notifications.count(*where)
        return max(0, newer - len(await self._stores.notifications.load_many(marks.read)))

    async def mark_read(self, actor: Actor, id: str) -> None:
        """Raises NotFound. Again without effect."""
        actor.require(Right.VIEW)
        notification = (await self._stores.notifications.load(id)).value
        marks = await self._marks(actor)
        existing: set[str] | None = None
        if len(marks.read) > _COMPACT_AFTER:
            existing = {item.value.id for item in await self._stores.notifications.load_many(marks.read)}

        def decide(current: ReadMarks) -> ReadMarks | None:
            if current.has_read(notification):
                return None
            kept = [one for one in current.read if existing is None or one in existing]
            return current.with_(read=(*kept, id))

        await self._change_marks(actor, decide)

    async def mark_all_read(self, actor: Actor) -> None:
        """Everything there is now; what comes later is unread."""
        actor.require(Right.VIEW)
        newest = await self._stores.notifications.find(Query(order_by="created_at", descending=True, limit=1))
        if not newest:
            return
        until = newest[0].value.created_at

        def decide(current: ReadMarks) -> ReadMarks | None:
            if current.all_until is not None and current.all_until >= until:
                return None
            return current.with_(all_until=until, read=())

        await self._change_marks(actor, decide)

    async def _marks(self, actor: Actor) -> ReadMarks:
        loaded = await self._stores.read_marks.get(actor.id)
        return loaded.value if loaded is not None else ReadMarks(id=actor.id)

    async def _change_marks(self, actor: Actor, decide: Callable[[ReadMarks], ReadMarks | None]) -> None:
        await self._stores.read_marks.add_if_absent(ReadMarks(id=actor.id))
        await self._stores.read_marks.change(actor.id, decide)

    # ---- for the handlers and the delivery loop -----------------------------------------------------------

    async def hear(self, actor: Actor, event: Envelope, body: Body) -> None:
        """Take in one event. All ids derive from it: heard again, also after a crash half-way, nothing doubles."""
        actor.require(Right.ADMINISTER)
        message = describe_event(body)
        if message is not None:
            await self.tell(actor, message, event.id)
        await self._deliver_to_webhooks(event)

    async def tell(self, actor: Actor, message: Message, cause: str) -> None:
        """Write a notification and what has to be sent of it. `cause` is the id of what it is about."""
        actor.require(Right.ADMINISTER)
        now = self._clock.now()
        notification = Notification(
            id=derived_id("notification", cause), kind=message.kind, title=message.title, text=message.text,
            link=message.link, severity=message.severity, created_at=now,
        )  # fmt: skip
        added = await self._stores.notifications.add_if_absent(notification)
        wanted = Query(where=(_ENABLED,), limit=MOST_RECIPIENTS)
        for loaded in await self._stores.targets.find(wanted):
            if message.kind in loaded.value.kinds:
                await self._deliver_to_target(loaded.value.id, notification)
        if added:
            await self._hint_at(notification)

    async def _deliver_to_target(self, target_id: str, notification: Notification) -> None:
        now = self._clock.now()
        delivery = Delivery(
            id=derived_id("delivery", notification.id, target_id), recipient_kind=RecipientKind.TARGET,
            recipient_id=target_id, kind=notification.kind, notification_id=notification.id, due_at=now,
            created_at=now,
        )  # fmt: skip
        await self._add(delivery)

    async def _deliver_to_webhooks(self, event: Envelope) -> None:
        now = self._clock.now()
        for loaded in await self._stores.webhooks.find(Query(where=(_ENABLED,), limit=MOST_RECIPIENTS)):
            if not loaded.value.wants(event.type):
                continue
            delivery = Delivery(
                id=derived_id("delivery", event.id, loaded.value.id), recipient_kind=RecipientKind.WEBHOOK,
                recipient_id=loaded.value.id, kind=event.type, event=event.model_dump(mode="json"), due_at=now,
                created_at=now,
            )  # fmt: skip
            await self._add(delivery)

    async def _add(self, delivery: Delivery) -> None:
        if await self._stores.deliveries.add_if_absent(delivery):
            for wake in self._wakers:
                wake()

    async def _hint_at(self, notification: Notification) -> None:
        body = NotificationCreated(notification_id=notification.id, title=notification.title)
        await self._hint(envelope(body, source="notifications", subject=notification.id, now=self._clock.now()))


_ENABLED = Where("enabled", Op.EQ, value=True)
