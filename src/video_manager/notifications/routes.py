"""HTTP of notifications, targets and webhooks."""

from typing import Annotated

from fastapi import APIRouter, Response, status
from pydantic import BaseModel, ConfigDict, Field

from video_manager.domain.model import Instant
from video_manager.notifications.model import Kind, Level, SentTest
from video_manager.notifications.service import NotificationService, Shown
from video_manager.notifications.targets import DEFAULT_KINDS, TargetService, TargetView
from video_manager.notifications.webhooks import DeliveryView, WebhookService, WebhookView
from video_manager.web import CurrentActor, Cursor, ExpectedRevision, Items, Limit, RequestIds, set_etag

Name = Annotated[str, Field(min_length=1, max_length=200)]
Url = Annotated[str, Field(min_length=1, max_length=2000)]


class NotificationOut(BaseModel):
    id: str
    kind: Kind
    title: str
    text: str
    link: str
    severity: Level
    created_at: Instant
    read: bool


class NotificationItems(Items[NotificationOut]):
    unread: int


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewWebhook(_In):
    url: Url
    events: list[str]
    name: Annotated[str, Field(max_length=200)] = ""
    enabled: bool = True


class WebhookChange(_In):
    url: Url | None = None
    events: list[str] | None = None
    name: Annotated[str, Field(max_length=200)] | None = None
    enabled: bool | None = None


class NewTarget(_In):
    name: Name
    url: Annotated[str, Field(min_length=1, max_length=2000, description="Apprise address; never shown again.")]
    kinds: list[Kind] = list(DEFAULT_KINDS)
    enabled: bool = True


class TargetChange(_In):
    name: Name | None = None
    url: Url | None = None
    kinds: list[Kind] | None = None
    enabled: bool | None = None


def router(service: NotificationService) -> APIRouter:
    """All routes of this service, without the `/api/v1` prefix."""
    routes = APIRouter(tags=["notifications"])
    _add_reading(routes, service)
    _add_webhooks(routes, service.webhooks)
    _add_targets(routes, service.targets)
    return routes


def _out(shown: Shown) -> NotificationOut:
    return NotificationOut(**shown.notification.model_dump(), read=shown.read)


def _add_reading(routes: APIRouter, service: NotificationService) -> None:
    @routes.get("/notifications")
    async def list_notifications(actor: CurrentActor, cursor: Cursor = None, limit: Limit = 50) -> NotificationItems:
        page = await service.list(actor, cursor, limit)
        items = [_out(item) for item in page.items]
        return NotificationItems(items=items, next=page.next, unread=await service.unread(actor))

    @routes.post("/notifications/read-all", status_code=status.HTTP_204_NO_CONTENT)
    async def mark_all_read(actor: CurrentActor) -> None:
        await service.mark_all_read(actor)

    @routes.post("/notifications/{id}/read", status_code=status.HTTP_204_NO_CONTENT)
    async def mark_read(id: str, actor: CurrentActor) -> None:
        await service.mark_read(actor, id)


def _add_webhooks(routes: APIRouter, service: WebhookService) -> None:
    @routes.get("/webhooks")
    async def list_webhooks(actor: CurrentActor, cursor: Cursor = None, limit: Limit = 50) -> Items[WebhookView]:
        page = await service.list(actor, cursor, limit)
        return Items(items=[item.value for item in page.items], next=page.next)

    @routes.post("/webhooks", status_code=status.HTTP_201_CREATED)
    async def create_webhook(
        body: NewWebhook, actor: CurrentActor, new_id: RequestIds, response: Response
    ) -> WebhookView:
        """The answer shows the signing secret once."""
        made = await service.create(
            actor, new_id("webhook"), body.url, body.events, body.name, enabled=body.enabled
        )  # fmt: skip
        set_etag(response, made.revision)
        return made.value

    @routes.get("/webhooks/{id}")
    async def get_webhook(id: str, actor: CurrentActor, response: Response) -> WebhookView:
        found = await service.get(actor, id)
        set_etag(response, found.revision)
        return found.value

    @routes.patch("/webhooks/{id}")
    async def change_webhook(
        id: str, body: WebhookChange, actor: CurrentActor, expected: ExpectedRevision, response: Response
    ) -> WebhookView:
        changed = await service.change(
            actor, id, url=body.url, events=body.events, name=body.name, enabled=body.enabled,
            expected_revision=expected,
        )  # fmt: skip
        set_etag(response, changed.revision)
        return changed.value

    @routes.delete("/webhooks/{id}", status_code=status.HTTP_204_NO_CONTENT)
    async def remove_webhook(id: str, actor: CurrentActor, expected: ExpectedRevision) -> None:
        await service.remove(actor, id, expected)

    @routes.post("/webhooks/{id}/test")
    async def test_webhook(id: str, actor: CurrentActor) -> SentTest:
        """Send a signed `webhook.test` event now."""
        return await service.send_test(actor, id)

    @routes.get("/webhooks/{id}/deliveries")
    async def list_deliveries(
        id: str, actor: CurrentActor, cursor: Cursor = None, limit: Limit = 50
    ) -> Items[DeliveryView]:
        page = await service.deliveries(actor, id, cursor, limit)
        return Items(items=list(page.items), next=page.next)


def _add_targets(routes: APIRouter, service: TargetService) -> None:
    @routes.get("/notification-targets")
    async def list_targets(actor: CurrentActor, cursor: Cursor = None, limit: Limit = 50) -> Items[TargetView]:
        page = await service.list(actor, cursor, limit)
        return Items(items=[item.value for item in page.items], next=page.next)

    @routes.post("/notification-targets", status_code=status.HTTP_201_CREATED)
    async def create_target(body: NewTarget, actor: CurrentActor, new_id: RequestIds, response: Response) -> TargetView:
        made = await service.create(
            actor, new_id("target"), body.name, body.url, body.kinds, enabled=body.enabled
        )  # fmt: skip
        set_etag(response, made.revision)
        return made.value

    @routes.get("/notification-targets/{id}")
    async def get_target(id: str, actor: CurrentActor, response: Response) -> TargetView:
        found = await service.get(actor, id)
        set_etag(response, found.revision)
        return found.value

    @routes.patch("/notification-targets/{id}")
    async def change_target(
        id: str, body: TargetChange, actor: CurrentActor, expected: ExpectedRevision, response: Response
    ) -> TargetView:
        changed = await service.change(
            actor, id, name=body.name, url=body.url, kinds=body.kinds, enabled=body.enabled,
            expected_revision=expected,
        )  # fmt: skip
        set_etag(response, changed.revision)
        return changed.value

    @routes.delete("/notification-targets/{id}", status_code=status.HTTP_204_NO_CONTENT)
    async def remove_target(id: str, actor: CurrentActor, expected: ExpectedRevision) -> None:
        await service.remove(actor, id, expected)

    @routes.post("/notification-targets/{id}/test")
    async def test_target(id: str, actor: CurrentActor) -> SentTest:
        """Send a message now."""
        return await service.send_test(actor, id)
