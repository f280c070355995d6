"""How long bytes stay: raw sources until processing is done with them, masters while a person or a publication
may need them, then as the retention setting says. A sweeper removes what a crash left behind."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta

from video_manager.domain.job import Job
from video_manager.domain.model import Instant
from video_manager.domain.video import OPEN_VERSION_STATES, MediaRole, Verdict, Version, VersionState, Video
from video_manager.manager.jobs import JobService
from video_manager.manager.views import working_versions
from video_manager.plugins.registry import PluginKind, Registry
from video_manager.ports import Clock, FileStore, Op, Query, Where
from video_manager.repository import Repository, instant_text

SWEEP_AGE = timedelta(hours=24)
"""A file that nothing names is left alone so long: an upload or attempt may be about to name it."""
SWEEP_SECONDS = 3600.0
LATER_SECONDS = 5.0
WAITING_STATES = ("requested", "rendering", "processing", "in_review", "rejected", "failed", "cancelled")
"""Of videos with a version that may still need its sources; a rejected one may have an older, undecided version."""
PUBLICATION_ENDED = frozenset({"published", "cancelled", "withdrawn"})
_BULKY = frozenset({MediaRole.SOURCE, MediaRole.MASTER, MediaRole.PREVIEW})

References = Callable[[], Awaitable[Iterable[str]]]
"""Ids of the files that another owner (publishing, unfinished uploads) still needs."""
Forget = Callable[[str], Awaitable[None]]
"""Remove a file that was sent in, with its upload's record."""

log = logging.getLogger(__name__)


class Lifetimes:
    def __init__(
        self, videos: Repository[Video], jobs: JobService, files: FileStore, registry: Registry, clock: Clock,
        retention: timedelta, others: Sequence[References], forget_source: Forget,
    ) -> None:  # fmt: skip
        self._videos = videos
        self._jobs = jobs
        self._files = files
        self._registry = registry
        self._clock = clock
        self._retention = retention
        self._others = others
        self._forget_source = forget_source
        self._later: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []

    # ---- at once ----------------------------------------------------------------------------------------

    async def settle(self, video_id: str) -> None:
        """Delete the bytes that the video has let go, except what a publication or an open job still needs.

        Those are settled when that ends; what a crash interrupts, at the next start.
        """
        loaded = await self._videos.get(video_id)
        if loaded is None or not loaded.value.lets_go:
            return
        gone = set(loaded.value.let_go) - await self._needed_elsewhere()
        for file_id in gone:
            await self._files.delete(file_id)

        def forget(video: Video) -> Video:
            return video.with_(let_go=tuple(file_id for file_id in video.let_go if file_id not in gone))

        await self._videos.change(video_id, forget)

    async def release_sources(self, source_ids: Iterable[str]) -> None:
        """Delete sent-in files that no open version needs any more."""
        wanted = set(source_ids)
        if not wanted:
            return
        wanted -= await self._needed_sources()
        held = wanted & await self._needed_elsewhere()
        self._later |= held  # handed over to a request just now; looked at again soon
        for source in wanted - held:
            await self._forget_source(source)

    def sources_of(self, versions: Iterable[Version]) -> set[str]:
        """Ids of the sent-in files that these versions were made from."""
        found: set[str] = set()
        for version in versions:
            spec = version.spec
            if spec.generator in self._registry.names(PluginKind.GENERATOR):
                found.update(self._registry.source_ids(PluginKind.GENERATOR, spec.generator, spec.options))
            found.update(self._registry.recipe_source_ids(spec.recipe))
        return found

    # ---- what is needed ---------------------------------------------------------------------------------

    async def _needed_elsewhere(self) -> set[str]:
        named: set[str] = set()
        for job in await self._jobs.open_jobs():
            named.update(_files_of(job))
        for other in self._others:
            named.update(await other())
        return named

    async def _needed_sources(self) -> set[str]:
        """Sent-in files of videos that are being made, wait for a person, or may be retried."""
        waiting = (Where("state", Op.IN, WAITING_STATES),)
        return {
            source
            async for video in self._all_videos(waiting)
            for source in self.sources_of(version for version in video.versions if self._is_open(version))
        }

    def _is_open(self, version: Version) -> bool:
        if version.state in OPEN_VERSION_STATES:
            return True
        if version.state is VersionState.READY:
            return version.verdict is Verdict.NONE  # regenerating starts from the sources
        return version.created_at > self._clock.now() - self._retention  # failed or cancelled: may be retried

    async def _referenced(self) -> set[str]:
        """Every file id that a document names. What a finished job made is named by the job alone until its video has
        heard of it, which may be days later when the machine was off."""
        named = await self._needed_sources() | await self._needed_elsewhere()
        working: list[tuple[str, int]] = []
        async for video in self._all_videos(()):
            named.update(video.let_go, (file.id for version in video.versions for file in version.files))
            working += working_versions([video])
        for job in (await self._jobs.of_versions(working)).values():
            if job.result is not None:
                named.update(file.id for file in job.result.files)
        return named

    async def _all_videos(self, where: tuple[Where, ...]) -> AsyncIterator[Video]:
        cursor: str | None = None
        while True:
            page = await self._videos.page(where, order_by="created_at", limit=500, cursor=cursor)
            for loaded in page.items:
                yield loaded.value
            cursor = page.next
            if cursor is None:
                return

    # ---- in time ----------------------------------------------------------------------------------------

    async def apply_retention(self) -> int:
        """Let go of masters whose time is over. Returns how many versions lost theirs."""
        cutoff = self._clock.now() - self._retention
        old = (Where("updated_at", Op.LT, instant_text(cutoff)), Where("deleted_at", Op.IS_NULL, True))
        count = 0
        async for found in self._all_videos(old):
            expired = [version for version in found.versions if _is_over(found, version, cutoff)]
            if any(file.role in _BULKY for version in expired for file in version.files):
                await self._videos.change(found.id, lambda video: _without_masters(video, cutoff))
                await self.settle(found.id)
                count += len(expired)
        return count

    async def sweep(self, age: timedelta = SWEEP_AGE) -> int:
        """Remove files older than `age` that nothing names; how many."""
        cutoff = self._clock.now() - age
        named = await self._referenced()
        stray = [file.id async for file in self._files.list() if file.created_at < cutoff and file.id not in named]
        for file_id in stray:
            await self._files.delete(file_id)
        if stray:
            log.info("removed %d files that nothing named any more", len(stray))
        return len(stray)

    async def settle_all(self) -> None:
        """Finish what a crash interrupted."""
        query = Query(where=(Where("lets_go", Op.EQ, True),), limit=10_000)
        for loaded in await self._videos.find(query):
            await self.settle(loaded.value.id)

    async def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._every(SWEEP_SECONDS, self._clean_up), name="lifetimes"),
            asyncio.create_task(self._every(LATER_SECONDS, self._release_later), name="lifetimes, later"),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _clean_up(self) -> None:
        await self.settle_all()
        await self.apply_retention()
        await self.sweep()

    async def _release_later(self) -> None:
        waiting, self._later = self._later, set()
        await self.release_sources(waiting)

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except Exception:
                log.exception("letting go of files failed; it is tried again in %.0f s", seconds)
            await self._clock.sleep(seconds)


def _files_of(job: Job) -> Iterable[str]:
    yield from job.input.get("sources", [])
    for name in ("source", "captions"):
        if job.input.get(name):
            yield job.input[name]["id"]


def _is_over(video: Video, version: Version, cutoff: datetime) -> bool:
    """Whether nobody needs the master any more: decided, nothing left to publish, and old enough."""
    if version.state in OPEN_VERSION_STATES or _last_touched(video, version) > cutoff:
        return False
    if version.state is VersionState.READY and version.verdict is Verdict.NONE:
        return False
    return all(state in PUBLICATION_ENDED for state in video.publications.values())


def _last_touched(video: Video, version: Version) -> Instant:
    times = [review.at for review in video.reviews if review.version == version.number]
    return max([version.ready_at or version.created_at, *times])


def _without_masters(video: Video, cutoff: datetime) -> Video:
    for version in video.versions:
        if _is_over(video, version, cutoff):
            kept = tuple(file for file in version.files if file.role not in _BULKY)
            video = video.put(version.with_(files=kept), video.updated_at)
    return video
