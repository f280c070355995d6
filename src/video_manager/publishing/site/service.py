"""What the public pages do: no sign-in, so every request is bounded and believed only as far as it can be checked."""

import math
import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass

from video_manager.errors import TooManyRequests
from video_manager.ports import Clock, FileStore
from video_manager.publishing.site.counts import SiteCountsService, Totals
from video_manager.publishing.site.page import SitePage
from video_manager.publishing.site.shelf import Site

PAGE_SIZE = 24
FEED_SIZE = 100
BEACONS_PER_MINUTE_VISITOR = 60
BEACONS_PER_MINUTE_ADDRESS = 600
_REMEMBERED = 20_000
_VISITOR = re.compile(r"[0-9a-f]{32}")
_BOT = re.compile(
    r"bot\b|bot/|crawl|spider|slurp|preview|facebookexternalhit|embedly|monitor|scan|fetch|curl/|wget/|python-|httpx"
    r"|aiohttp|go-http-client|java/|okhttp|libwww|feedparser|podcast|axios|node",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Listing:
    """One page of the index. `next` is the cursor of the following one."""

    pages: tuple[SitePage, ...]
    next: str | None


class SiteService:
    def __init__(self, site: Site, counts: SiteCountsService, files: FileStore, clock: Clock) -> None:
        self._site = site
        self._counts = counts
        self.files = files
        self._visitors = RateLimit(BEACONS_PER_MINUTE_VISITOR, clock)
        self._addresses = RateLimit(BEACONS_PER_MINUTE_ADDRESS, clock)

    @property
    def url(self) -> str:
        return self._site.url

    def url_of(self, page: SitePage) -> str:
        return self._site.url_of(page.id)

    async def page(self, page_id: str) -> SitePage:
        """Raises NotFound for one that is not public."""
        return await self._site.public_page(page_id)

    async def newest(self, cursor: str | None = None, limit: int = PAGE_SIZE) -> Listing:
        found = await self._site.public_pages(limit, cursor)
        return Listing(tuple(loaded.value for loaded in found.items), found.next)

    async def totals(self, page: SitePage) -> Totals:
        return await self._counts.totals(page.id)

    async def has_liked(self, page: SitePage, visitor: str | None) -> bool:
        return visitor is not None and await self._counts.has_liked(page.id, visitor)

    async def watched(self, page: SitePage, visitor: str, address: str, seconds: float) -> None:
        """Raises TooManyRequests."""
        self._admit(visitor, address)
        await self._counts.watched(page, visitor, seconds)

    async def like(self, page: SitePage, visitor: str, address: str, *, liked: bool) -> Totals:
        """Raises TooManyRequests."""
        self._admit(visitor, address)
        return await self._counts.like(page, visitor, liked=liked)

    def _admit(self, visitor: str, address: str) -> None:
        self._addresses.take(address)
        self._visitors.take(visitor)


class RateLimit:
    """So many a minute for each key, refilled steadily. Kept in memory: a restart forgives."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> None:
        """Raises TooManyRequests."""
        now = self._clock.monotonic()
        left, since = self._left.pop(key, (float(self._per_minute), now))
        left = min(float(self._per_minute), left + (now - since) * self._per_minute / 60)
        if left < 1:
            self._left[key] = (left, now)
            wait = math.ceil((1 - left) * 60 / self._per_minute)
            raise TooManyRequests(f"too many requests: try again in {wait} s")
        self._left[key] = (left - 1, now)
        while len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)


def new_visitor() -> str:
    return secrets.token_hex(16)


def known_visitor(cookie: str | None) -> str | None:
    """The visitor of a cookie that we may have given out."""
    return cookie if cookie is not None and _VISITOR.fullmatch(cookie) else None


def is_bot(user_agent: str | None) -> bool:
    """By its own word; nobody without a name is counted."""
    return not user_agent or _BOT.search(user_agent) is not None
