"""The studio on the application: its pages, its style, its live updates."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from nicegui import app as nicegui_app
from nicegui import core, ui

from video_manager.domain.access import Actor, Right
from video_manager.errors import Unauthenticated, VideoManagerError
from video_manager.gateway.origins import socket_origin_check
from video_manager.studio.drafts import Drafts
from video_manager.studio.elements import empty, link_button
from video_manager.studio.formats import sentence
from video_manager.studio.layout import Frame, page_frame
from video_manager.studio.live import Live
from video_manager.studio.pages import (
    admin,
    analytics,
    board,
    calendar,
    channels,
    library,
    new,
    profile,
    review,
    review_queue,
    video,
)
from video_manager.studio.parts import StudioParts
from video_manager.studio.session import ZONE_COOKIE, Visit
from video_manager.studio.theme import FAVICON, apply_theme, install_theme

__all__ = ["StudioParts", "mount"]

Build = Callable[[Visit, Frame], Awaitable[None]]
"""Draws a page into its frame."""

RECONNECT_SECONDS = 20.0
RESPONSE_SECONDS = 15.0
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PageRoute:
    """`here` is the place in the navigation that is marked; `right` what the page is for."""

    path: str
    title: str
    here: str
    build: Build
    subtitle: str = ""
    right: Right = Right.VIEW


PAGES = (
    PageRoute("/", "Board", "/", board.build, "Every video, from request to release"),
    PageRoute("/new", "New video", "/new", new.build, "Choose what makes it, and say what you want", Right.REQUEST),
    PageRoute("/review", "Review", "/review", review_queue.build, "Nothing goes out that nobody approved"),
    PageRoute("/review/{id}", "Review", "/review", review.build),
    PageRoute("/library", "Library", "/library", library.build, "All videos, whatever became of them"),
    PageRoute("/videos/{id}", "Video", "/library", video.build),
    PageRoute("/calendar", "Calendar", "/calendar", calendar.build, "What goes out when"),
    PageRoute("/channels", "Channels", "/channels", channels.build, "Where approved videos are published"),
    PageRoute("/analytics", "Analytics", "/analytics", analytics.build, "What was watched, and what made it work"),
    PageRoute("/admin", "Administration", "/admin", admin.build, right=Right.ADMINISTER),
    PageRoute("/profile", "Profile", "/profile", profile.build),
)


def mount(app: FastAPI, parts: StudioParts) -> None:
    """Register the pages and put them on the application, behind its guard. Call it once, after all routes."""
    live = Live(parts.bus)
    drafts = Drafts(parts.documents, parts.clock)
    install_theme()
    for route in PAGES:
        _register(route, parts, live, drafts)
    nicegui_app.on_shutdown(live.stop)
    # Otherwise a page of any other origin could open our sockets with a person's cookie.
    core.sio.eio.cors_allowed_origins = socket_origin_check(parts.settings)
    ui.run_with(
        app, title="Video Manager", favicon=FAVICON, dark=None, tailwind=False, show_welcome_message=False,
        reconnect_timeout=RECONNECT_SECONDS,
    )  # fmt: skip


def _register(route: PageRoute, parts: StudioParts, live: Live, drafts: Drafts) -> None:
    @ui.page(route.path, title=f"{route.title} · Video Manager", response_timeout=RESPONSE_SECONDS)
    async def page(request: Request) -> Response | None:
        actor = getattr(request.state, "actor", None)
        if not isinstance(actor, Actor):
            return RedirectResponse("/login", status_code=303)
        await live.start()
        visit = Visit(parts, live, drafts, request, actor, viewer_zone(request.cookies))
        apply_theme(request.cookies)
        await _draw(route, visit)
        return None


async def _draw(route: PageRoute, visit: Visit) -> None:
    """The frame, and in it the page, or in its place why it cannot be shown."""
    actor, parts = visit.opener, visit.parts
    counts = await parts.videos.count_by_state(actor) if actor.may(Right.VIEW) else {}
    unread = await parts.notifications.unread(actor) if actor.may(Right.VIEW) else 0
    waiting = counts.get("in_review", 0)
    with page_frame(visit, route.title, route.here, waiting, unread, route.subtitle) as frame:
        try:
            actor.require(route.right)
            await route.build(visit, frame)
        except Unauthenticated as error:
            visit.tell_error(error)
        except VideoManagerError as error:
            if error.status >= 500:
                log.exception("the page %s cannot be shown", visit.request.url.path)
            with empty("search_off", "This cannot be shown", sentence(error.detail)):
                link_button("To the board", "/", "primary")


def viewer_zone(cookies: Mapping[str, str]) -> ZoneInfo:
    """The zone that the browser told by its cookie; UTC when it told none that is known."""
    try:
        return ZoneInfo(unquote(cookies.get(ZONE_COOKIE, "UTC")) or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
