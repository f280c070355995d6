"""Requests and the life of videos: what producers do. Reviewers' use cases are in `reviewing.py`."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from video_manager.contracts.commands import AdjustJob, CancelJob, OpenJob
from video_manager.contracts.envelope import Body, Envelope, envelope
from video_manager.contracts.events import VersionCreated, VideoDeleted
from video_manager.domain import review
from video_manager.domain import video as rules
from video_manager.domain.access import Actor, Right
from video_manager.domain.job import JobKind, job_id
from video_manager.domain.posting import Composed, Draft
from video_manager.domain.video import (
    OPEN_VERSION_STATES,
    MediaFile,
    MediaRole,
    Metadata,
    Recipe,
    RenderSpec,
    Version,
    Video,
)
from video_manager.errors import Conflict, FieldError, InvalidInput, NotFound, StorageFull, TooManyRequests
from video_manager.manager.jobs import JobService, Know
from video_manager.manager.lifetimes import Lifetimes
from video_manager.manager.requests import OneRequest, VersionRequest, VideosRequest
from video_manager.manager.views import VideoView, view_video, working_versions
from video_manager.manager.withdrawal import withdraw_messages
from video_manager.plugins.registry import PluginKind, Registry
from video_manager.ports import Clock, FileStore, Op, Where
from video_manager.repository import Change, Loaded, Repository

NewId = Callable[..., str]
"""Makes the id of a created object; the same request (Idempotency-Key) makes the same ids."""


class SourceFiles(Protocol):
    """Files that people sent in (the gateway's uploads)."""

    async def completed_file(
        self, id: str, *, created_by: str | None = None, result_of: str | None = None
    ) -> MediaFile:
        """Raises NotFound for an unknown one, or one of another actor than `created_by`, and Conflict for an
        unfinished one. With `result_of` it is that job's result from now on: Conflict for another job."""
        ...


class PublicationGuard(Protocol):
    async def open_for_video(self, video_id: str) -> Sequence[str]:
        """Ids of the video's publications that are uploading or armed: what cannot be taken back now."""
        ...


class Channels(Protocol):
    async def channel_platform(self, channel_id: str) -> str:
        """The platform of a usable channel. Raises NotFound, or Conflict when it is disabled."""
        ...

    async def require_slots(self, channel_id: str) -> None:
        """Raises InvalidInput (`publish_at`) when the channel has no posting slots."""
        ...

    async def compose(self, channel_id: str, draft: Draft) -> Composed:
        """What would be posted to a usable channel, and what speaks against it. Raises NotFound, Conflict,
        InvalidInput."""
        ...


@dataclass(frozen=True)
class RequestLimits:
    max_videos: int
    max_open_jobs: int
    min_free_bytes: int


@dataclass(frozen=True)
class VideoPage:
    items: list[VideoView]
    next: str | None


class VideoService:
    """Use cases on videos. Every one that changes something saves once, with its messages."""

    def __init__(
        self,
        videos: Repository[Video],
        jobs: JobService,
        registry: Registry,
        files: FileStore,
        clock: Clock,
        sources: SourceFiles,
        publications: PublicationGuard,
        channels: Channels,
        lifetimes: Lifetimes,
        limits: RequestLimits,
        know: Know,
    ) -> None:
        self._videos = videos
        self._jobs = jobs
        self._registry = registry
        self._files = files
        self._clock = clock
        self._sources = sources
        self._publications = publications
        self._channels = channels
        self._lifetimes = lifetimes
        self._limits = limits
        self._know = know

    # ---- requesting -------------------------------------------------------------------------------------

    async def request(self, actor: Actor, request: VideosRequest, new_id: NewId) -> list[VideoView]:
        """Ask for videos. All of the request is checked before the first video is stored."""
        actor.require(Right.REQUEST)
        total = sum(one.count for one in request.requests)
        if total > self._limits.max_videos:
            raise InvalidInput.field("count", f"{total} videos in one request; at most {self._limits.max_videos}")
        await self._admit(total)
        many = len(request.requests) > 1
        planned = [
            video
            for index, one in enumerate(request.requests)
            for video in await self._plan(actor, one, new_id, index, f"requests.{index}." if many else "")
        ]
        stored = [await self._store_new(video) for video in planned]
        return await self.view(stored)

    async def _admit(self, count: int) -> None:
        open_jobs = await self._jobs.open_count()
        if open_jobs + count > self._limits.max_open_jobs:
            raise TooManyRequests(f"{open_jobs} jobs are open, at most {self._limits.max_open_jobs}: try again later")
        free = await self._files.free_bytes(self._limits.min_free_bytes)
        if free is not None and free < self._limits.min_free_bytes:
            raise StorageFull(
                f"only {free / 1e6:.1f} MB are free, {self._limits.min_free_bytes / 1e6:.1f} MB are needed: "
                "delete videos or make room, then ask again"
            )

    async def _plan(self, actor: Actor, one: OneRequest, new_id: NewId, index: int, prefix: str) -> list[Video]:
        now = self._clock.now()
        await self._know(one.generator)
        try:
            await self._require_channels(one.channels)
            recipe = self._registry.resolve_recipe(one.recipe, one.generator, one.seed or 0)
            first = one.seed if one.seed is not None else secrets.randbits(48)
            specs = [self._spec(one.generator, one.options, first + offset, recipe) for offset in range(one.count)]
            await self.require_sources(specs[0])
        except InvalidInput as error:
            if not prefix:
                raise
            errors = [FieldError(prefix + item.field, item.reason) for item in error.errors]
            raise InvalidInput(f"{prefix}{error.detail}", errors) from error
        metadata = Metadata(title=one.title)
        return [
            Video(
                id=new_id("video", index, offset), title=one.title, channels=tuple(one.channels),
                versions=(Version(number=1, spec=spec, given=one.options, metadata=metadata, created_by=actor.name,
                                  created_at=now),),
                priority=one.priority, created_by=actor.name, created_at=now, updated_at=now,
            )
            for offset, spec in enumerate(specs)
        ]  # fmt: skip

    async def _require_channels(self, ids: Sequence[str]) -> None:
        for id in ids:
            try:
                await self._channels.channel_platform(id)
            except (NotFound, Conflict) as error:
                raise InvalidInput.field("channels", error.detail) from error

    async def require_sources(self, spec: RenderSpec) -> None:
        """Raises InvalidInput when a file that the spec names is not there (any more)."""
        ids = self._registry.source_ids(PluginKind.GENERATOR, spec.generator, spec.options)
        for source in [*ids, *self._registry.recipe_source_ids(spec.recipe)]:
            try:
                await self._sources.completed_file(source)
            except (NotFound, Conflict) as error:
                raise InvalidInput.field("options", f"the source file {source!r} cannot be used: {error}") from error

    async def _store_new(self, video: Video) -> Loaded[Video]:
        """A repeated request (same Idempotency-Key) finds its video and stores nothing."""
        await self._lifetimes.note_sources(video.id, [video.newest.spec])
        added = await self._videos.add_if_absent(video, _creation_messages(video, video.newest))
        return added or await self._videos.load(video.id)

    async def regenerate(
        self, actor: Actor, id: str, request: VersionRequest, new_id: NewId, expected_revision: int | None = None
    ) -> VideoView:
        """A new version beside the old ones, from the options of one of them with changes."""
        actor.require(Right.REQUEST)
        await self._admit(1)
        video = (await self._videos.load(id)).value
        base = video.newest if request.from_version is None else video.version(request.from_version)
        await self._know(request.generator or base.spec.generator)
        spec, given = self.next_spec(base, request)
        await self.require_sources(spec)
        await self._lifetimes.note_sources(id, [spec])
        cause = new_id("version")
        loaded = await self._videos.change(
            id, lambda old: self.add_version(old, base, spec, given, actor, cause), expected_revision=expected_revision
        )
        return (await self.view([loaded]))[0]

    def next_spec(self, base: Version, request: VersionRequest) -> tuple[RenderSpec, dict[str, Any]]:
        """The spec of the next version, and the options in it that a person set."""
        generator = request.generator or base.spec.generator
        given = {**(base.given if generator == base.spec.generator else {}), **request.options}
        given = {name: value for name, value in given.items() if value is not None}
        changed = bool(request.options) or generator != base.spec.generator or request.recipe is not None
        fresh = None in request.options.values() or not changed
        seed = request.seed if request.seed is not None else secrets.randbits(48) if fresh else base.spec.seed
        recipe = (
            base.spec.recipe
            if request.recipe is None
            else self._registry.resolve_recipe(request.recipe, generator, seed)
        )
        return self._spec(generator, given, seed, recipe), given

    def _spec(self, generator: str, given: dict[str, Any], seed: int, recipe: Recipe) -> RenderSpec:
        options = self._registry.resolve_options(PluginKind.GENERATOR, generator, given, seed)
        return RenderSpec(generator=generator, options=options, seed=seed, recipe=recipe)

    def add_version(
        self, video: Video, base: Version, spec: RenderSpec, given: dict[str, Any], actor: Actor, cause: str
    ) -> Change[Video]:
        """The change that adds the version and starts it. People's texts are carried over."""
        metadata = base.metadata.with_(thumbnail=None)
        changed = rules.add_version(video, spec, given, metadata, actor.name, cause, self._clock.now())
        return Change(video) if changed == video else Change(changed, _creation_messages(changed, changed.newest))

    # ---- control ----------------------------------------------------------------------------------------

    async def cancel(self, actor: Actor, id: str, expected_revision: int | None = None) -> VideoView:
        """Cancel every version that is still being made; running work stops within a second."""
        actor.require(Right.REQUEST)
        now = self._clock.now()

        def decide(video: Video) -> Change[Video]:
            open_versions = [item for item in video.versions if item.state in OPEN_VERSION_STATES]
            if not open_versions:
                rules.cancel_version(video, video.newest.number, now)  # raises, saying why
            changed = video
            for version in open_versions:
                changed = rules.cancel_version(changed, version.number, now)
            return Change(changed, tuple(_cancel_messages(video, open_versions)))

        await self._apply(id, decide, expected_revision)
        await self._lifetimes.settle(id)
        return await self.get(actor, id)

    async def retry(self, actor: Actor, id: str, expected_revision: int | None = None) -> VideoView:
        """Start the newest version again, if it failed or was cancelled."""
        actor.require(Right.REQUEST)
        await self._admit(1)
        spec = (await self._videos.load(id)).value.newest.spec
        await self.require_sources(spec)
        await self._lifetimes.note_sources(id, [spec])
        now = self._clock.now()

        def decide(video: Video) -> Change[Video]:
            changed = rules.retry_version(video, video.newest.number, now)
            return Change(changed, (_open_render(changed, changed.newest),))

        return await self._apply(id, decide, expected_revision)

    async def adjust(
        self, actor: Actor, id: str, *, priority: int | None, paused: bool | None, expected_revision: int | None = None
    ) -> VideoView:
        """Priority and pause act on queued work."""
        actor.require(Right.REQUEST)

        def decide(video: Video) -> Change[Video]:
            changed = video.with_(
                priority=video.priority if priority is None else priority,
                paused=video.paused if paused is None else paused,
            )
            if changed == video:
                return Change(video)
            messages = [
                _message(AdjustJob(job_id=job_id(video.id, version.number, kind), priority=changed.priority,
                                   paused=changed.paused), video)
                for version in video.versions if version.state in OPEN_VERSION_STATES for kind in JobKind
            ]  # fmt: skip
            return Change(changed.with_(updated_at=self._clock.now()), tuple(messages))

        return await self._apply(id, decide, expected_revision)

    async def delete(self, actor: Actor, id: str, expected_revision: int | None = None) -> None:
        """Delete the video with its bytes, and withdraw what is not public yet."""
        actor.require(Right.DELETE)
        busy = await self._publications.open_for_video(id)
        if busy:
            raise Conflict(
                f"video {id} is being published, or handed over to its platform ({', '.join(busy)}): wait until that "
                "has ended, or cancel those first"
            )
        now = self._clock.now()

        def decide(video: Video) -> Change[Video]:
            changed = review.delete(video, now)
            if changed == video:
                return Change(video)
            open_versions = [item for item in video.versions if item.state in OPEN_VERSION_STATES]
            deleted = _message(VideoDeleted(video_id=id, deleted_by=actor.name), video)
            messages = (*_cancel_messages(video, open_versions), *withdraw_messages(video, changed), deleted)
            return Change(changed, messages)

        deleted = await self._videos.change(id, decide, expected_revision=expected_revision)
        await self._lifetimes.settle(id)
        await self._lifetimes.release_sources(self._lifetimes.sources_of(deleted.value.versions))

    async def _apply(self, id: str, decide: Any, expected_revision: int | None) -> VideoView:
        loaded = await self._videos.change(id, decide, expected_revision=expected_revision)
        return (await self.view([loaded]))[0]

    # ---- reading ----------------------------------------------------------------------------------------

    async def list_videos(
        self, actor: Actor, *, state: str | None = None, text: str | None = None, cursor: str | None = None,
        limit: int = 50,
    ) -> VideoPage:  # fmt: skip
        """Newest first. Deleted videos only when asked for by state; `text` is looked for in the title."""
        actor.require(Right.VIEW)
        where = [Where("state", Op.EQ, state) if state else Where("deleted_at", Op.IS_NULL, True)]
        if text:
            where.append(Where("title", Op.CONTAINS, text))
        page = await self._videos.page(where, order_by="created_at", descending=True, limit=limit, cursor=cursor)
        return VideoPage(await self.view(page.items), page.next)

    async def count_by_state(self, actor: Actor) -> dict[str, int]:
        actor.require(Right.VIEW)
        return {str(state): count for state, count in (await self._videos.count_by("state")).items()}

    async def get(self, actor: Actor, id: str) -> VideoView:
        actor.require(Right.VIEW)
        return (await self.view([await self._videos.load(id)]))[0]

    async def file(self, actor: Actor, id: str, number: int, role: MediaRole, file_id: str | None = None) -> MediaFile:
        """The file of that role; of several thumbnails the chosen one, or the one named."""
        actor.require(Right.VIEW)
        version = (await self._videos.load(id)).value.version(number)
        file = version.file(role)
        if file_id is not None:
            file = next((item for item in version.files if (item.id, item.role) == (file_id, role)), None)
        if file is None:
            raise NotFound(f"version {number} of video {id} has no {role} file (it is {version.state})")
        return file

    async def view(self, loaded: Sequence[Loaded[Video]]) -> list[VideoView]:
        jobs = await self._jobs.of_versions(working_versions([item.value for item in loaded]))
        return [view_video(item.value, item.revision, jobs) for item in loaded]


def _message(body: Body, video: Video, id_from: tuple[str | int, ...] | None = None) -> Envelope:
    return envelope(body, source="manager", subject=video.id, id_from=id_from, priority=video.priority)


def _open_render(video: Video, version: Version) -> Envelope:
    body = OpenJob(video_id=video.id, version=version.number, kind="render", round=version.retries)
    return _message(body, video, (video.id, version.number, "render", version.retries))


def _creation_messages(video: Video, version: Version) -> tuple[Envelope, ...]:
    created = VersionCreated(
        video_id=video.id, version=version.number, title=video.title, spec=version.spec, created_by=version.created_by
    )
    return (_message(created, video, (video.id, version.number)), _open_render(video, version))


def _cancel_messages(video: Video, versions: Sequence[Version]) -> list[Envelope]:
    return [
        _message(
            CancelJob(job_id=job_id(video.id, version.number, kind), round=version.retries),
            video, (video.id, version.number, kind, version.retries),
        )
        for version in versions
        for kind in JobKind
    ]  # fmt: skip
