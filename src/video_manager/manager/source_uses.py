"""Which videos were made from a sent-in file: an index from the file to them, so that nobody has to look at all."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import timedelta

from video_manager.domain.model import Frozen, Instant, derived_id
from video_manager.domain.video import Video
from video_manager.errors import StaleRevision
from video_manager.ports import Clock, CollectionSpec, Op, Query, Where
from video_manager.repository import Loaded, Repository

SOURCE_USES = CollectionSpec("source_uses", indexed=("source_id",))
FRESH = timedelta(minutes=1)
"""A use that was noted so recently counts also before its video is stored."""
_BATCH = 50
_COMPLETE = derived_id("source-uses", "complete")


class SourceUse(Frozen):
    """Noted before the video's document names the file; removed when somebody sees that the video needs it no more."""

    id: str
    source_id: str
    video_id: str
    noted_at: Instant


Needs = Callable[[Video], Iterable[str]]
"""Ids of the sent-in files that a video still needs."""


class SourceUses:
    def __init__(self, uses: Repository[SourceUse], videos: Repository[Video], clock: Clock, needs: Needs) -> None:
        self._uses = uses
        self._videos = videos
        self._clock = clock
        self._needs = needs

    async def open(self) -> None:
        await self._uses.register()
        if not await self.is_complete() and await self._videos.count() == 0:
            await self._mark_complete()

    async def note(self, video_id: str, source_ids: Iterable[str]) -> None:
        """The video is about to name these files."""
        now = self._clock.now()
        for source_id in source_ids:
            id = derived_id("source-use", source_id, video_id)
            use = SourceUse(id=id, source_id=source_id, video_id=video_id, noted_at=now)
            while not await self._uses.add_if_absent(use):
                with contextlib.suppress(StaleRevision):
                    there = await self._uses.get(id)
                    if there is not None:
                        await self._uses.save(there, use)
                        break

    async def needed(self, source_ids: Iterable[str]) -> set[str]:
        """Those of the files that a video still needs. Uses that are over are removed on the way, so that each is
        looked at once."""
        return {source_id for source_id in source_ids if await self._is_needed(source_id)}

    async def _is_needed(self, source_id: str) -> bool:
        where = (Where("source_id", Op.EQ, source_id),)
        while uses := await self._uses.find(Query(where, limit=_BATCH)):
            ids = [use.value.video_id for use in uses]
            videos = {loaded.value.id: loaded.value for loaded in await self._videos.load_many(ids)}
            for use in uses:
                video = videos.get(use.value.video_id)
                if self._is_coming(use.value, video) or (video is not None and source_id in self._needs(video)):
                    return True
                if not await self._remove(use):
                    return True
        return False

    def _is_coming(self, use: SourceUse, video: Video | None) -> bool:
        """Whether the video's document is perhaps just being written."""
        fresh = use.noted_at > self._clock.now() - FRESH
        return fresh and (video is None or video.updated_at < use.noted_at)

    async def _remove(self, use: Loaded[SourceUse]) -> bool:
        """False when the video has just been given the file again."""
        try:
            await self._uses.remove(use.value.id, use.revision)
        except StaleRevision:
            return False
        return True

    async def ensure_complete(self, videos: AsyncIterator[Video]) -> None:
        """Once, for videos of releases that noted nothing. A crash half-way repeats it; noting twice does no harm."""
        if not await self.is_complete():
            async for video in videos:
                await self.note(video.id, self._needs(video))
            await self._mark_complete()

    async def is_complete(self) -> bool:
        """Whether every video's files are noted."""
        return await self._uses.get(_COMPLETE) is not None

    async def _mark_complete(self) -> None:
        await self._uses.add_if_absent(
            SourceUse(id=_COMPLETE, source_id="", video_id="", noted_at=self._clock.now())
        )  # fmt: skip
