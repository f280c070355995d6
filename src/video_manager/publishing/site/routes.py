"""The public pages: no sign-in. Every answer says itself what a browser may do with it."""

import asyncio
import json
from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from video_manager.errors import FieldError, Forbidden, InvalidInput, NotFound, TooLarge
from video_manager.publishing.site import pages as html
from video_manager.publishing.site.feed import podcast
from video_manager.publishing.site.page import PageFile, SitePage
from video_manager.publishing.site.service import FEED_SIZE, SiteService, is_bot, known_visitor, new_visitor
from video_manager.web_files import PUBLIC, file_response

COOKIE = "watch_visitor"
COOKIE_SECONDS = 400 * 24 * 3600
LARGEST_BEACON_BYTES = 1024
SHOWN_OTHERS = 6


class Watched(BaseModel):
    """The page played for `seconds` since its last word; 0 when playing begins."""

    model_config = ConfigDict(extra="forbid", strict=True)

    kind: Literal["watch"]
    seconds: float = Field(ge=0, le=3600, allow_inf_nan=False)


class Liked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    kind: Literal["like"]
    liked: bool


Event = Annotated[Watched | Liked, Field(discriminator="kind")]
_EVENT: TypeAdapter[Watched | Liked] = TypeAdapter(Event)


def public_router(site: SiteService) -> APIRouter:
    routes = APIRouter(include_in_schema=False)
    _add_pages(routes, site)
    _add_files(routes, site)
    _add_beacons(routes, site)
    return routes


def _add_pages(routes: APIRouter, site: SiteService) -> None:
    @routes.get("/watch")
    @routes.head("/watch")
    async def index(cursor: str | None = None) -> Response:
        listing = await site.newest(cursor)
        views = [(await site.totals(page)).views for page in listing.pages]
        text = html.index_page(listing.pages, views, site_url=site.url, next_cursor=listing.next, first=cursor is None)
        return _page(text)

    @routes.get("/watch/feed.xml")
    @routes.head("/watch/feed.xml")
    async def feed() -> Response:
        listing = await site.newest(limit=FEED_SIZE)
        content = await asyncio.to_thread(podcast, listing.pages, site.url)
        return Response(
            content, media_type="application/rss+xml; charset=utf-8", headers={"Cache-Control": "public, max-age=60"}
        )

    @routes.get("/watch/assets/{name}")
    @routes.head("/watch/assets/{name}")
    async def asset(name: str) -> Response:
        found = html.asset(name)
        if found is None:
            raise NotFound(f"the site has no file {name!r}")
        content, content_type = found
        return Response(content, headers={"Content-Type": content_type, "Cache-Control": "public, max-age=600"})

    @routes.get("/watch/{id}")
    @routes.head("/watch/{id}")
    async def watch(id: str, request: Request) -> Response:
        try:
            page = await site.page(id)
        except NotFound:
            return _page(html.missing_page(site.url), status=404)
        others = [other for other in (await site.newest(limit=SHOWN_OTHERS + 1)).pages if other.id != id]
        visitor = known_visitor(request.cookies.get(COOKIE))
        text = html.watch_page(
            page, await site.totals(page), others[:SHOWN_OTHERS], url=site.url_of(page), site_url=site.url,
            liked=await site.has_liked(page, visitor),
        )  # fmt: skip
        response = _page(text)
        _remember(response, site, visitor)
        return response


def _add_files(routes: APIRouter, site: SiteService) -> None:
    async def file(page_id: str, which: str, request: Request, suffix: str | None = None) -> Response:
        page = await site.page(page_id)
        found: PageFile | None = getattr(page, which)
        if found is None or suffix not in (None, html.suffix(found).removeprefix(".")):
            raise NotFound(f"this video has no such {which}")
        return await file_response(site.files, found.id, request, found.content_type, cache_control=PUBLIC)

    @routes.get("/watch/{id}/video")
    @routes.head("/watch/{id}/video")
    async def video(id: str, request: Request) -> Response:
        return await file(id, "video", request)

    @routes.get("/watch/{id}/video.{suffix}")
    @routes.head("/watch/{id}/video.{suffix}")
    async def video_by_name(id: str, suffix: str, request: Request) -> Response:
        """The same with an extension, by which podcast readers tell what it is."""
        return await file(id, "video", request, suffix)

    @routes.get("/watch/{id}/thumbnail")
    @routes.head("/watch/{id}/thumbnail")
    async def thumbnail(id: str, request: Request) -> Response:
        return await file(id, "thumbnail", request)

    @routes.get("/watch/{id}/thumbnail.{suffix}")
    @routes.head("/watch/{id}/thumbnail.{suffix}")
    async def thumbnail_by_name(id: str, suffix: str, request: Request) -> Response:
        return await file(id, "thumbnail", request, suffix)

    @routes.get("/watch/{id}/captions.vtt")
    @routes.head("/watch/{id}/captions.vtt")
    async def captions(id: str, request: Request) -> Response:
        return await file(id, "captions", request)


def _add_beacons(routes: APIRouter, site: SiteService) -> None:
    @routes.post("/watch/{id}/events")
    async def event(id: str, request: Request) -> Response:
        """Answered when the count is on disk. Bots, and browsers without our cookie, are thanked and not counted."""
        _refuse_foreign(request)
        said = _read_beacon(await _body(request))
        page = await site.page(id)
        visitor = known_visitor(request.cookies.get(COOKIE))
        if is_bot(request.headers.get("user-agent")):
            return Response(status_code=204)
        if visitor is None:
            response = Response(status_code=204)
            _remember(response, site, None)
            return response
        return await _count(site, page, visitor, request, said)


async def _count(site: SiteService, page: SitePage, visitor: str, request: Request, said: Watched | Liked) -> Response:
    address = request.client.host if request.client else ""
    if isinstance(said, Watched):
        await site.watched(page, visitor, address, said.seconds)
        return Response(status_code=204)
    totals = await site.like(page, visitor, address, liked=said.liked)
    return Response(json.dumps({"liked": said.liked, "likes": totals.likes}), media_type="application/json")


def _page(text: str, status: int = 200) -> Response:
    headers = {
        "Content-Security-Policy": html.POLICY,
        "Cache-Control": "private, no-cache",
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "X-Content-Type-Options": "nosniff",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    }
    return Response(text, status_code=status, media_type="text/html; charset=utf-8", headers=headers)


def _remember(response: Response, site: SiteService, visitor: str | None) -> None:
    """A random number that tells this browser's visits from others', and nothing else."""
    if visitor is None:
        response.set_cookie(
            COOKIE, new_visitor(), max_age=COOKIE_SECONDS, path="/watch", httponly=True, samesite="lax",
            secure=site.url.startswith("https:"),
        )  # fmt: skip


def _refuse_foreign(request: Request) -> None:
    """Only our own page counts. Browsers say where a request comes from; what is no browser has no cookie."""
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise Forbidden("counts come from the video's own page only")


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BEACON_BYTES:
            raise TooLarge(f"an event has at most {LARGEST_BEACON_BYTES} bytes")
    return body


def _read_beacon(body: bytes) -> Watched | Liked:
    try:
        return _EVENT.validate_json(body)
    except ValidationError as error:
        wrong = [
            FieldError(".".join(str(part) for part in item["loc"][1:]) or "body", item["msg"])
            for item in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise InvalidInput("this is no event of a watch page", wrong) from error
