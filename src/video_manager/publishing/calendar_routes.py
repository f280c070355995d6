"""The calendar address: public to whoever has its token, as calendar programs cannot sign in."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Query, Response

from video_manager.domain.access import Actor
from video_manager.errors import NotFound
from video_manager.publishing.calendar_feed import CalendarFeed

ActorOf = Callable[[str], Awaitable[Actor | None]]
"""Whose token it is."""


def calendar_router(feed: CalendarFeed, actor_of: ActorOf) -> APIRouter:
    routes = APIRouter(tags=["publishing"])

    @routes.get("/calendar.ics", response_class=Response)
    async def calendar(token: Annotated[str, Query(max_length=200)] = "") -> Response:
        """The schedule for calendar programs. The token is a person's own and reads only."""
        actor = await actor_of(token)
        if actor is None:
            raise NotFound("there is no such calendar: its address may have been replaced; make one in the studio")
        headers = {
            "Cache-Control": "private, max-age=300",
            "Content-Disposition": 'inline; filename="publications.ics"',
        }
        return Response(await feed.written(actor), media_type="text/calendar; charset=utf-8", headers=headers)

    return routes
