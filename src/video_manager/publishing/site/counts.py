"""The counts of the site's pages."""

from collections.abc import Mapping
from dataclasses import dataclass

from video_manager.domain.metrics import Metric
from video_manager.errors import NotFound
from video_manager.ports import Clock, CollectionSpec, Op, Where
from video_manager.publishing.site import visit as rules
from video_manager.publishing.site.page import SitePage
from video_manager.publishing.site.shelf import Site
from video_manager.publishing.site.visit import Visit
from video_manager.repository import Repository

VISITS = CollectionSpec("site_visits", indexed=("page_id", "views", "watch_seconds", "liked"))
FRESH_SECONDS = 3.0
"""Pages show totals that may be this old; a busy page is not added up for each of its visitors."""
KEPT_TOTALS = 1000


@dataclass(frozen=True)
class Totals:
    views: int
    watch_seconds: int
    likes: int


class SiteCountsService:
    """Writes one visitor's document per beacon; a beacon that was answered is on disk. It is the collectors'
    SiteCounts."""

    def __init__(self, visits: Repository[Visit], site: Site, clock: Clock) -> None:
        self._visits = visits
        self._site = site
        self._clock = clock
        self._known: dict[str, tuple[float, Totals]] = {}

    async def watched(self, page: SitePage, visitor: str, seconds: float) -> None:
        """The visitor's page says it played so long since its last word; 0 when it begins."""
        claimed_ms, duration_ms = int(seconds * 1000), int(page.duration_seconds * 1000)
        now = self._clock.now()
        await self._change(page, visitor, lambda visit: rules.watch(visit, claimed_ms, duration_ms, now))

    async def like(self, page: SitePage, visitor: str, *, liked: bool) -> Totals:
        await self._change(page, visitor, lambda visit: rules.like(visit, liked))
        self._known.pop(page.id, None)
        return await self.totals(page.id)

    async def has_liked(self, page_id: str, visitor: str) -> bool:
        loaded = await self._visits.get(rules.visit_id(page_id, visitor))
        return loaded is not None and loaded.value.liked

    async def counts(self, page_id: str) -> Mapping[str, float] | None:
        """For collectors: exact, None when there is no such page."""
        try:
            await self._site.public_page(page_id)
        except NotFound:
            return None
        totals = await self._add_up(page_id)
        return {
            Metric.VIEWS.value: float(totals.views),
            Metric.WATCH_SECONDS.value: float(totals.watch_seconds),
            Metric.LIKES.value: float(totals.likes),
        }

    async def totals(self, page_id: str) -> Totals:
        """For pages: a few seconds old at most."""
        now = self._clock.monotonic()
        known = self._known.get(page_id)
        if known is not None and now - known[0] < FRESH_SECONDS:
            return known[1]
        totals = await self._add_up(page_id)
        if len(self._known) >= KEPT_TOTALS:
            self._known.clear()
        self._known[page_id] = (now, totals)
        return totals

    async def _add_up(self, page_id: str) -> Totals:
        of_page = Where("page_id", Op.EQ, page_id)
        views = await self._visits.count_by("views", of_page, Where("views", Op.GT, 0))
        seconds = await self._visits.count_by("watch_seconds", of_page, Where("watch_seconds", Op.GT, 0))
        likes = await self._visits.count(of_page, Where("liked", Op.EQ, value=True))
        return Totals(_sum(views), _sum(seconds), likes)

    async def _change(self, page: SitePage, visitor: str, decide: rules.Decide) -> None:
        begun = rules.begin(page.id, visitor, self._clock.now())
        if not await self._visits.add_if_absent(decide(begun)):
            await self._visits.change(begun.id, decide)


def _sum(counted: "Mapping[str | int | float | bool | None, int]") -> int:
    return sum(int(value) * times for value, times in counted.items() if isinstance(value, int | float))
