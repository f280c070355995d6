"""Connecting channels over HTTP: the operator's app, the sign-in at the platform and its callback, and the keys."""

import html
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import HTMLResponse, RedirectResponse

from video_manager.domain.access import COMMAND_LINE
from video_manager.errors import NotFound
from video_manager.ports import Clock
from video_manager.publishing.access.comeback import Comeback
from video_manager.publishing.access.rotation import Rotation, RotationStep
from video_manager.publishing.connecting import ConnectingService
from video_manager.publishing.connection import (
    AppEdit,
    AppView,
    BegunView,
    Connection,
    ConnectionState,
    ConnectionView,
    NewConnection,
    Reconnection,
    connection_view,
)
from video_manager.publishing.views import ChannelView, channel_view
from video_manager.web import CurrentActor, RequestIds, set_etag

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
Word = Annotated[str | None, Query(max_length=8000)]


class RotationRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cursor: str | None = Field(None, max_length=500, description="`next` of the step before; null begins.")


def connection_router(service: ConnectingService, rotation: Rotation, clock: Clock) -> APIRouter:
    """Below the API."""
    routes = APIRouter(tags=["publishing"])

    @routes.get("/platforms/{platform}/app")
    async def get_app(platform: str, actor: CurrentActor) -> AppView:
        """What was registered at the platform, and what is to be registered there. The secret is never shown."""
        return await service.app(actor, platform)

    @routes.put("/platforms/{platform}/app")
    async def put_app(platform: str, body: AppEdit, actor: CurrentActor) -> AppView:
        return await service.edit_app(actor, platform, body)

    @routes.post("/platforms/{platform}/connections", status_code=201)
    async def begin_connection(
        platform: str, body: NewConnection, actor: CurrentActor, new_id: RequestIds
    ) -> BegunView:  # fmt: skip
        """Begin a sign-in at the platform: open `authorize_url` in a browser that is signed in here as you."""
        connection, address = await service.begin(actor, new_id("connection"), platform, body)
        view = connection_view(connection, clock.now())
        return BegunView(
            **view.model_dump(), authorize_url=address, redirect_url=service.redirect_url(platform)
        )  # fmt: skip

    @routes.get("/platforms/{platform}/connections/{id}")
    async def get_connection(platform: str, id: str, actor: CurrentActor) -> ConnectionView:
        """How the sign-in goes; `ready` lists the accounts to choose from (`POST /channels` with `connection`)."""
        return connection_view(await service.get(actor, id, platform), clock.now())

    @routes.post("/channels/{id}/reconnect")
    async def reconnect_channel(id: str, body: Reconnection, actor: CurrentActor, response: Response) -> ChannelView:
        """The same account, newly signed in: what waited goes on. 409 for another account."""
        changed = await service.reconnect(actor, id, body)
        set_etag(response, changed.revision)
        return channel_view(changed)

    @routes.post("/credentials/rotate")
    async def rotate_credentials(body: RotationRequest, actor: CurrentActor) -> RotationStep:
        """Encrypt stored secrets with the newest key, a part at a time: repeat with `next` until it is null."""
        return await rotation.step(actor, body.cursor)

    return routes


def callback_router(service: ConnectingService) -> APIRouter:
    """At the root: where platforms send people back to. Whoever is not signed in signs in first, and comes back."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/oauth/{platform}/callback")
    async def callback(
        platform: str, actor: CurrentActor, state: Word = None, code: Word = None,
        error: Word = None, error_description: Word = None, iss: Word = None,
    ) -> Response:  # fmt: skip
        try:
            back = Comeback(state or "", code, error, error_description, iss)
            connection = await service.come_back(actor, platform, back)
        except NotFound as refusal:
            return _page("This did not work", refusal.detail, refusal.status)
        if connection.actor_id != COMMAND_LINE:
            return RedirectResponse(f"/channels?connection={connection.id}", status_code=303)
        return _told(connection)

    return routes


def _told(connection: Connection) -> Response:
    if connection.state is ConnectionState.FAILED:
        return _page("This did not work", connection.error or "", 200)
    return _page("You are signed in", "Go back to the command line: it goes on there.", 200)


def _page(title: str, text: str, status: int) -> Response:
    body = (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{html.escape(title)}</title><body style='font-family:sans-serif;max-width:36rem;margin:4rem auto;"
        f"padding:0 1rem'><h1>{html.escape(title)}</h1><p>{html.escape(text)}</p><p><a href='/channels'>To the "
        "channels</a></p>"
    )
    return HTMLResponse(body, status, {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"})
