"""Where the `site` publisher puts pages: staged with their own copies of the files, then shown."""

from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

from video_manager.domain.model import derived_id
from video_manager.domain.publication import Approved
from video_manager.domain.video import MediaFile
from video_manager.errors import NotFound, PermanentError
from video_manager.plugins.api import Post
from video_manager.ports import Clock, FileStore, Op, Query, Where
from video_manager.publishing.site.page import FILE_PATHS, PageFile, SitePage, page_id_of
from video_manager.repository import Loaded, Page, Repository

STAGED_KEPT = timedelta(days=2)
"""A staged page whose attempt never came to an end lets its files go after this."""


class Site:
    def __init__(self, pages: Repository[SitePage], files: FileStore, clock: Clock, base_url: str) -> None:
        self._pages = pages
        self._files = files
        self._clock = clock
        self.base_url = base_url.rstrip("/")

    # ---- reading ------------------------------------------------------------------------------------------

    async def public_page(self, page_id: str) -> SitePage:
        """Raises NotFound for one that is not public."""
        loaded = await self._pages.get(page_id)
        if loaded is None or not loaded.value.public:
            raise NotFound("there is no such video here: it was removed, or the address is wrong")
        return loaded.value

    async def public_pages(self, limit: int, cursor: str | None = None) -> Page[Loaded[SitePage]]:
        """The newest first."""
        return await self._pages.page(
            [Where("public", Op.EQ, value=True)], order_by="published_at", descending=True, limit=limit, cursor=cursor
        )

    @property
    def url(self) -> str:
        return f"{self.base_url}/watch"

    def url_of(self, page_id: str) -> str:
        return f"{self.url}/{page_id}"

    async def files_in_use(self, file_ids: Collection[str]) -> set[str]:
        """Those of the files that pages need."""
        oldest = self._clock.now() - STAGED_KEPT
        used: set[str] = set()
        for path in FILE_PATHS:
            # One file has one page, as its id derives from it.
            query = Query((Where(path, Op.IN, list(file_ids)),), limit=len(file_ids))
            for loaded in await self._pages.find(query):
                if loaded.value.public or loaded.value.staged_at > oldest:
                    used |= {file.id for file in loaded.value.files}
        return used & set(file_ids)

    # ---- what a publisher does ------------------------------------------------------------------------------

    def shelf(self, approved: Approved | None) -> "Shelf":
        """The shelf for one publication; without one nothing can be staged."""
        return Shelf(self, approved)

    async def stage(self, post: Post, approved: Approved) -> str:
        page_id = page_id_of(post.publication_id)
        there = await self._pages.get(page_id)
        page = SitePage(
            id=page_id, publication_id=post.publication_id, public=there is not None and there.value.public,
            title=post.title, description=post.description, tags=post.tags, language=post.language,
            video=await self._copy(page_id, approved.master),
            thumbnail=await self._copy(page_id, approved.thumbnail) if approved.thumbnail else None,
            captions=await self._copy(page_id, approved.captions) if approved.captions else None,
            duration_seconds=post.duration_seconds, width=approved.master.width, height=approved.master.height,
            staged_at=self._clock.now(), published_at=there.value.published_at if there else None,
        )  # fmt: skip
        if not await self._pages.add_if_absent(page):
            await self._pages.change(page_id, lambda old: page.with_(public=old.public, published_at=old.published_at))
        return page_id

    async def show(self, page_id: str) -> str:
        now = self._clock.now()

        def shown(page: SitePage) -> SitePage:
            return page if page.public else page.with_(public=True, published_at=now)

        await self._pages.change(page_id, shown)
        return self.url_of(page_id)

    async def find(self, page_id: str) -> str | None:
        loaded = await self._pages.get(page_id)
        return self.url_of(page_id) if loaded is not None and loaded.value.public else None

    async def remove(self, page_id: str) -> None:
        """The page goes first, so that none ever points to files that are gone."""
        loaded = await self._pages.get(page_id)
        if loaded is None:
            return
        await self._pages.remove(page_id)
        for file in loaded.value.files:
            await self._files.delete(file.id)

    async def remove_abandoned(self) -> int:
        """Staged pages of attempts that never came to an end; how many there were."""
        oldest = self._clock.now() - STAGED_KEPT
        staged = await self._pages.find(Query((Where("public", Op.EQ, value=False),), limit=1000))
        abandoned = [loaded.value.id for loaded in staged if loaded.value.staged_at <= oldest]
        for page_id in abandoned:
            await self.remove(page_id)
        return len(abandoned)

    async def _copy(self, page_id: str, file: MediaFile) -> PageFile:
        """Our own copy, checked against the approval once more: what is shown is what a person saw."""
        copied = await self._files.copy(file.id, derived_id("site", page_id, file.role, file.sha256))
        if copied.sha256 != file.sha256:
            raise PermanentError(f"the stored {file.role} ({file.name}) is not the one that was approved")
        return PageFile(
            id=copied.id, content_type=file.content_type, size_bytes=copied.size_bytes, sha256=copied.sha256,
            suffix=Path(file.name).suffix.lower(),
        )  # fmt: skip


class Shelf:
    """A SiteShelf (see plugins/api.py) for one publication."""

    def __init__(self, site: Site, approved: Approved | None) -> None:
        self._site = site
        self._approved = approved

    async def stage(self, post: Post) -> str:
        if self._approved is None:
            raise PermanentError("a page can only be staged for a publication")
        return await self._site.stage(post, self._approved)

    async def show(self, post: Post, page_id: str) -> str:
        if page_id != page_id_of(post.publication_id):
            raise PermanentError(f"page {page_id} belongs to another publication than {post.publication_id}")
        return await self._site.show(page_id)

    async def find(self, page_id: str) -> str | None:
        return await self._site.find(page_id)

    async def remove(self, page_id: str) -> None:
        await self._site.remove(page_id)
