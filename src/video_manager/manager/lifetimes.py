"""How long bytes stay: raw sources until processing is done with them, masters while a person or a publication
may need them, then as the retention setting says. A sweeper removes what a crash left behind."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta

from video_manager.domain.job import Job
from video_manager.domain.model import Instant
from video_manager.domain.video import (
    BULKY_ROLES,
    OPEN_VERSION_STATES,
    RenderSpec,
    Verdict,
    Version,
    VersionState,
    Video,
)  # fmt: skip
from video_manager.errors import RetryableError
from video_manager.manager.jobs import JobService
from video_manager.manager.source_uses import SOURCE_USES, SourceUse, SourceUses
from video_manager.manager.views import working_versions
from video_manager.plugins.registry import PluginKind, Registry
from video_manager.ports import Clock, DocumentStore, FileStore, Op, Query, Where
from video_manager.repository import Repository, instant_text
from video_manager.tasks import end_tasks
from video_manager.turns import Turns

SWEEP_AGE = timedelta(hours=24)
"""A file that nothing names is left alone so long: an upload or attempt may be about to name it."""
LOOK_SECONDS = 3600.0
SWEEP_SECONDS = 86_400.0
"""Looking for what nothing names reads every video: once a day, by whichever manager comes first."""
_ASKED = 200
"""Files that others are asked about at once."""
_PAGE = 50
"""Videos read at once, so that nothing else waits long in between."""
LATER_SECONDS = 5.0
SETTLED_SECONDS = 1.0
"""What videos let go within this time is looked at and removed together."""
WAITING_STATES = ("requested", "rendering", "processing", "in_review", "rejected", "failed", "cancelled")
"""Of videos with a version that may still need its sources; a rejected one may have an older, undecided version."""
PUBLICATION_ENDED = frozenset({"published", "cancelled", "withdrawn"})

References = Callable[[Collection[str]], Awaitable[Iterable[str]]]
"""Those of the given file ids that another owner (publishing, uploads) still needs."""
Forget = Callable[[str], Awaitable[None]]
"""Remove a file that was sent in, with its upload's record."""

log = logging.getLogger(__name__)


class Lifetimes:
    def __init__(
        self, videos: Repository[Video], jobs: JobService, files: FileStore, registry: Registry, clock: Clock,
        retention: timedelta, others: Sequence[References], forget_source: Forget, store: DocumentStore,
    ) -> None:  # fmt: skip
        self._videos = videos
        self._jobs = jobs
        self._files = files
        self._registry = registry
        self._clock = clock
        self._retention = retention
        self._others = others
        self._forget_source = forget_source
        self._uses = SourceUses(Repository(store, SOURCE_USES, SourceUse), videos, clock, self._open_sources)
        self._turns = Turns(store, clock)
        self._later: set[str] = set()
        self._unsettled: set[str] = set()
        self._has_unsettled = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        await self._uses.open()
        await self._turns.open()

    # ---- at once ----------------------------------------------------------------------------------------

    async def settle(self, *video_ids: str) -> None:
        """Delete the bytes that the videos have let go, except what a publication or an open job still needs.

        Those are settled when that ends; what a crash interrupts, at the next start.
        """
        loaded = await self._videos.load_many(video_ids)
        let_go = {one.value.id: set(one.value.let_go) for one in loaded if one.value.lets_go}
        if not let_go:
            return
        gone = set[str]().union(*let_go.values())
        gone -= await self._needed_by_jobs(list(let_go)) | await self._needed_by_others(gone)
        await self._files.delete_many(gone)

        def forget(video: Video) -> Video:
            return video.with_(let_go=tuple(file_id for file_id in video.let_go if file_id not in gone))

        for video_id in [id for id, files in let_go.items() if files & gone]:
            await self._videos.change(video_id, forget)

    def settle_soon(self, video_id: str) -> None:
        """Settle it within seconds, together with others: nobody waits for it."""
        self._unsettled.add(video_id)
        self._has_unsettled.set()

    async def settle_waiting(self) -> None:
        """Settle those now."""
        waiting, self._unsettled = self._unsettled, set()
        self._has_unsettled.clear()
        try:
            await self.settle(*waiting)
        except BaseException:
            self._unsettled |= waiting
            self._has_unsettled.set()
            raise

    async def note_sources(self, video_id: str, specs: Iterable[RenderSpec]) -> None:
        """Call it before a video's document names the files of these specs."""
        await self._uses.note(video_id, {source for spec in specs for source in self._sources_of_spec(spec)})

    async def release_sources(self, source_ids: Iterable[str]) -> None:
        """Delete sent-in files that no open version needs any more."""
        wanted = set(source_ids)
        if not wanted:
            return
        if not await self._uses.is_complete():
            self._later |= wanted
            return
        wanted -= await self._uses.needed(wanted)
        held = await self._needed_by_others(wanted)
        self._later |= held  # handed over to a request just now; looked at again soon
        for source in wanted - held:
            await self._forget_source(source)

    def sources_of(self, versions: Iterable[Version]) -> set[str]:
        """Ids of the sent-in files that these versions were made from."""
        return {source for version in versions for source in self._sources_of_spec(version.spec)}

    def _sources_of_spec(self, spec: RenderSpec) -> set[str]:
        found = set(self._registry.recipe_source_ids(spec.recipe))
        if spec.generator in self._registry.names(PluginKind.GENERATOR):
            found.update(self._registry.source_ids(PluginKind.GENERATOR, spec.generator, spec.options))
        return found

    # ---- what is needed ---------------------------------------------------------------------------------

    async def _needed_by_jobs(self, video_ids: Sequence[str]) -> set[str]:
        return {file_id for job in await self._jobs.open_of_videos(video_ids) for file_id in _files_of(job)}

    async def _needed_by_others(self, file_ids: Collection[str]) -> set[str]:
        asked, needed = sorted(file_ids), set[str]()
        for start in range(0, len(asked), _ASKED):
            for other in self._others:
                needed.update(await other(asked[start : start + _ASKED]))
        return needed

    def _open_sources(self, video: Video) -> set[str]:
        """Sent-in files of versions that are being made, wait for a person, or may be retried."""
        if video.deleted_at is not None:
            return set()
        return self.sources_of(version for version in video.versions if self._is_open(version))

    def _is_open(self, version: Version) -> bool:
        if version.state in OPEN_VERSION_STATES:
            return True
        if version.state is VersionState.READY:
            return version.verdict is Verdict.NONE  # regenerating starts from the sources
        return version.created_at > self._clock.now() - self._retention  # failed or cancelled: may be retried

    async def _named(self) -> set[str]:
        """Every file id that a video or an unfinished one's job names. What a finished job made is named by the job
        alone until its video has heard of it, which may be days later when the machine was off."""
        named: set[str] = set()
        async for video in self._all_videos(()):
            named.update(video.let_go, (file.id for version in video.versions for file in version.files))
            named |= self._open_sources(video)
            for job in (await self._jobs.of_versions(working_versions([video]))).values():
                named.update(_files_of(job), (file.id for file in job.result.files) if job.result is not None else ())
        return named

    async def _all_videos(self, where: tuple[Where, ...]) -> AsyncIterator[Video]:
        cursor: str | None = None
        while True:
            page = await self._videos.page(where, order_by="created_at", limit=_PAGE, cursor=cursor)
            for loaded in page.items:
                yield loaded.value
            cursor = page.next
            if cursor is None:
                return

    # ---- in time ----------------------------------------------------------------------------------------

    async def apply_retention(self) -> int:
        """Let go of masters whose time is over. Returns how many versions lost theirs."""
        cutoff = self._clock.now() - self._retention
        old = (
            Where("keeps_masters", Op.EQ, value=True),
            Where("updated_at", Op.LT, instant_text(cutoff)),
            Where("deleted_at", Op.IS_NULL, value=True),
        )
        count = 0
        async for found in self._all_videos(old):
            expired = [version for version in found.versions if _is_over(found, version, cutoff)]
            if any(file.role in BULKY_ROLES for version in expired for file in version.files):
                await self._videos.change(found.id, lambda video: _without_masters(video, cutoff))
                await self.settle(found.id)
                count += len(expired)
        return count

    async def sweep(self, age: timedelta = SWEEP_AGE) -> int:
        """Remove files older than `age` that nothing names; how many."""
        cutoff = self._clock.now() - age
        named = await self._named()
        stray = {file.id async for file in self._files.list() if file.created_at < cutoff and file.id not in named}
        stray -= await self._needed_by_others(stray)
        await self._files.delete_many(stray)
        if stray:
            log.info("removed %d files that nothing named any more", len(stray))
        return len(stray)

    async def settle_all(self) -> None:
        """Finish what a crash interrupted."""
        query = Query(where=(Where("lets_go", Op.EQ, True),), limit=10_000)
        found = [loaded.value.id for loaded in await self._videos.find(query)]
        for start in range(0, len(found), _PAGE):
            await self.settle(*found[start : start + _PAGE])

    async def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._every(LOOK_SECONDS, self._clean_up), name="lifetimes"),
            asyncio.create_task(self._every(LATER_SECONDS, self._release_later), name="lifetimes, later"),
            asyncio.create_task(self._every(SETTLED_SECONDS, self._settle_when_any), name="lifetimes, let go"),
        ]

    async def stop(self) -> None:
        await end_tasks(self._tasks)

    async def _clean_up(self) -> None:
        """Several managers share what reads much: each part has its turn."""
        await self._uses.ensure_complete(self._all_videos((Where("state", Op.IN, WAITING_STATES),)))
        await self.settle_all()
        async with self._turns.once("retention", LOOK_SECONDS / 2) as ours:
            if ours:
                await self.apply_retention()
        async with self._turns.once("sweep of files", SWEEP_SECONDS) as ours:
            if ours:
                await self.sweep()

    async def _settle_when_any(self) -> None:
        await self._has_unsettled.wait()
        await self.settle_waiting()

    async def _release_later(self) -> None:
        waiting, self._later = self._later, set()
        try:
            await self.release_sources(waiting)
        except BaseException:
            self._later |= waiting
            raise

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        after_failure = max(seconds, LATER_SECONDS)
        while True:
            try:
                await work()
            except RetryableError as error:
                log.warning("letting go of files is tried again in %.0f s: %s", after_failure, error)
                await self._clock.sleep(after_failure)
            except Exception:
                log.exception("letting go of files failed; it is tried again in %.0f s", after_failure)
                await self._clock.sleep(after_failure)
            else:
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
            kept = tuple(file for file in version.files if file.role not in BULKY_ROLES)
            video = video.put(version.with_(files=kept), video.updated_at)
    return video
