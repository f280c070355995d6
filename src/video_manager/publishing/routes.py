"""Channels and publications over HTTP. The public pages are in `site/routes.py`."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from video_manager.domain.channel import Channel
from video_manager.domain.publication import Publication, PublicationState
from video_manager.publishing.channels import ChannelEdit, NewChannel
from video_manager.publishing.connecting import ConnectingService
from video_manager.publishing.forecast import MOST_DAYS, Plan
from video_manager.publishing.service import NewTime, PublishingService, Resolution
from video_manager.publishing.site.routes import public_router
from video_manager.publishing.views import ChannelView, PublicationView, channel_view, publication_view
from video_manager.repository import Loaded
from video_manager.web import CurrentActor, Cursor, ExpectedRevision, Items, Limit, RequestIds, set_etag

__all__ = ["api_router", "public_router"]


def api_router(service: PublishingService, connecting: ConnectingService) -> APIRouter:
    routes = APIRouter(tags=["publishing"])
    _add_channel_routes(routes, service, connecting)
    _add_plan_route(routes, service)
    _add_publication_routes(routes, service)
    return routes


def _channel(response: Response, loaded: Loaded[Channel]) -> ChannelView:
    set_etag(response, loaded.revision)
    return channel_view(loaded)


def _publication(response: Response, loaded: Loaded[Publication]) -> PublicationView:
    set_etag(response, loaded.revision)
    return publication_view(loaded)


def _add_channel_routes(routes: APIRouter, service: PublishingService, connecting: ConnectingService) -> None:
    channels = service.channels

    @routes.get("/channels")
    async def list_channels(actor: CurrentActor, cursor: Cursor = None, limit: Limit = 50) -> Items[ChannelView]:
        """By name."""
        page = await channels.list(actor, limit, cursor)
        return Items(items=[channel_view(loaded) for loaded in page.items], next=page.next)

    @routes.post("/channels", status_code=201)
    async def create_channel(
        body: NewChannel, actor: CurrentActor, new_id: RequestIds, response: Response
    ) -> ChannelView:
        """Connect an account. It is tried before it is saved; wrong options are named as `options.<name>`. Where people
        sign in at the platform, `connection` is that sign-in and `account_id` the account that was chosen."""
        create = channels.create if body.connection is None else connecting.create_channel
        return _channel(response, await create(actor, new_id("channel"), body))

    @routes.get("/channels/{id}")
    async def get_channel(id: str, actor: CurrentActor, response: Response) -> ChannelView:
        return _channel(response, await channels.get(actor, id))

    @routes.patch("/channels/{id}")
    async def edit_channel(
        id: str, body: ChannelEdit, actor: CurrentActor, revision: ExpectedRevision, response: Response
    ) -> ChannelView:
        """Rename, pause, disable, or change options, which are tried first."""
        return _channel(response, await service.edit_channel(actor, id, body, revision))

    @routes.delete("/channels/{id}", status_code=204)
    async def delete_channel(id: str, actor: CurrentActor, revision: ExpectedRevision) -> None:
        """409 while publications still wait for it. What it published stays public."""
        await service.delete_channel(actor, id, revision)


def _add_plan_route(routes: APIRouter, service: PublishingService) -> None:
    @routes.get("/publications/plan")
    async def plan_publications(
        actor: CurrentActor, days: Annotated[int, Query(ge=1, le=MOST_DAYS, description="How far ahead.")] = 7
    ) -> Plan:
        """A dry run: what will be published when, and what stands in the way. Nothing is changed."""
        return await service.plan(actor, days)


def _add_publication_routes(routes: APIRouter, service: PublishingService) -> None:
    @routes.get("/publications")
    async def list_publications(
        actor: CurrentActor, state: PublicationState | None = None, video_id: str | None = None,
        channel_id: str | None = None, cursor: Cursor = None, limit: Limit = 50,
    ) -> Items[PublicationView]:  # fmt: skip
        """The newest first."""
        page = await service.list(
            actor, state=state, video_id=video_id, channel_id=channel_id, limit=limit, cursor=cursor
        )
        return Items(items=[publication_view(loaded) for loaded in page.items], next=page.next)

    @routes.get("/publications/{id}")
    async def get_publication(id: str, actor: CurrentActor, response: Response) -> PublicationView:
        return _publication(response, await service.get(actor, id))

    @routes.patch("/publications/{id}")
    async def move_publication(
        id: str, body: NewTime, actor: CurrentActor, revision: ExpectedRevision, response: Response
    ) -> PublicationView:
        """Another time: an instant, a wall-clock time with its zone, or null for as soon as possible."""
        return _publication(response, await service.reschedule(actor, id, body, revision))

    @routes.post("/publications/{id}/cancel")
    async def cancel_publication(
        id: str, actor: CurrentActor, revision: ExpectedRevision, response: Response
    ) -> PublicationView:
        """409 when it may already be public."""
        return _publication(response, await service.cancel(actor, id, revision))

    @routes.post("/publications/{id}/retry")
    async def retry_publication(
        id: str, actor: CurrentActor, revision: ExpectedRevision, response: Response
    ) -> PublicationView:
        """Now, or at its time if that is still to come. One that may be public is asked about, never sent again."""
        return _publication(response, await service.retry(actor, id, revision))

    @routes.post("/publications/{id}/take-down")
    async def take_down_publication(
        id: str, actor: CurrentActor, revision: ExpectedRevision, response: Response
    ) -> PublicationView:
        """Delete the public post on its platform. 409 with the platform's words where that is not possible."""
        return _publication(response, await service.take_down(actor, id, revision))

    @routes.post("/publications/{id}/resolve")
    async def resolve_publication(
        id: str, body: Resolution, actor: CurrentActor, revision: ExpectedRevision, response: Response
    ) -> PublicationView:
        """Say what you found on the platform, for one that may or may not be public."""
        return _publication(response, await service.resolve(actor, id, body, revision))
