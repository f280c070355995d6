"""The jobs and their leases: opened for a version, claimed by workers, watched, ended."""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from video_manager.contracts.commands import AdjustJob, CancelJob, OpenJob, Process, Render
from video_manager.contracts.envelope import Body, Envelope, envelope
from video_manager.contracts.events import (
    JobCancelled,
    JobClaimed,
    ProcessingFailed,
    ProcessingFinished,
    RenderFailed,
    RenderFinished,
)
from video_manager.contracts.topology import render_type
from video_manager.domain import job as rules
from video_manager.domain.job import Job, JobKind, JobResult, JobState, job_id
from video_manager.domain.model import Instant
from video_manager.domain.video import OPEN_VERSION_STATES, MediaRole, Version, VersionState, Video
from video_manager.errors import InvalidInput, InvalidTransition, LeaseLost, NotFound
from video_manager.plugins.registry import PluginKind, Registry
from video_manager.ports import Clock, CollectionSpec, Op, Query, Where
from video_manager.repository import Change, Repository

VIDEOS = CollectionSpec(
    "videos",
    indexed=("state", "created_at", "updated_at", "title", "created_by", "deleted_at", "lets_go", "keeps_masters"),
)
JOBS = CollectionSpec("jobs", indexed=("state", "video_id", "topic", "kind", "created_at", "queued_at", "paused"))
Know = Callable[[str], Awaitable[None]]
"""Looks whether another process registered this generator since (`KnownGenerators.know`)."""


class JobService:
    """Implements `ports.JobDesk` for workers, and the manager's side: open, cancel, adjust. `leases` watches them."""

    def __init__(
        self, jobs: Repository[Job], videos: Repository[Video], registry: Registry, clock: Clock, know: Know
    ) -> None:
        self._jobs = jobs
        self._videos = videos
        self._registry = registry
        self._clock = clock
        self._know = know

    # ---- opening and ending -----------------------------------------------------------------------------

    async def open(self, command: OpenJob, cause: Envelope) -> None:
        """Insert the job with the command that carries it. Repeated or late requests do nothing."""
        kind = JobKind(command.kind)
        # What it said last will do, if it waits for this job then: it is looked at again below.
        loaded = self._videos.last_seen(command.video_id)
        if loaded is None or not _wanted(loaded.value, command.version, kind, command.round):
            loaded = await self._videos.get(command.video_id)
        if loaded is None or not _wanted(loaded.value, command.version, kind, command.round):
            return
        version = loaded.value.version(command.version)
        await self._know(version.spec.generator)
        job = self._job_for(loaded.value, version, kind)

        def reopen(old: Job) -> Change[Job] | None:
            again = rules.reopen(old, job)
            return None if again == old else Change(again, (_opening(again, cause),))

        if not await self._jobs.add_if_absent(job, [_opening(job, cause)], handled=cause.id):
            await self._jobs.change(job.id, reopen, handled=cause.id)
        # The version may have been cancelled, or the video paused, since it was read: then the command that says so
        # found no job.
        loaded = await self._videos.get(command.video_id)
        if loaded is None or not _wanted(loaded.value, command.version, kind, command.round):
            await self.cancel(CancelJob(job_id=job.id, round=command.round))
        elif (loaded.value.priority, loaded.value.paused) != (job.priority, job.paused):
            await self._adjust(job.id, loaded.value, cause, handled=None)

    def _job_for(self, video: Video, version: Version, kind: JobKind) -> Job:
        spec, error, sources, now = version.spec, None, list[str](), self._clock.now()
        title = version.metadata.title or video.title
        if kind is JobKind.RENDER:
            topic = render_type(spec.generator)
            try:
                sources = self._registry.source_ids(PluginKind.GENERATOR, spec.generator, spec.options)
            except InvalidInput as unknown:  # removed since it was asked for
                error = f"{unknown.detail}. Install it or start its worker again, then try again"
            work: dict[str, Any] = {"generator": spec.generator, "options": spec.options, "title": title}
        else:
            topic = "processing"
            sources = self._registry.recipe_source_ids(spec.recipe)
            source, captions = version.file(MediaRole.SOURCE), version.file(MediaRole.CAPTIONS)
            work = {
                "source": source.model_dump(mode="json") if source else None,
                "captions": captions.model_dump(mode="json") if captions else None,
                "recipe": spec.recipe.model_dump(mode="json"),
                "limits": {name: item.model_dump(mode="json") for name, item in self._registry.limits().items()},
            }
        job = Job(
            id=job_id(video.id, version.number, kind), video_id=video.id, version=version.number, kind=kind,
            topic=topic, input={**work, "seed": spec.seed, "sources": sources}, priority=video.priority,
            paused=video.paused, round=version.retries, stage="queued", created_at=now, queued_at=now,
        )  # fmt: skip
        return job if error is None else rules.fail(job, job.attempt, error, now)

    async def cancel(self, command: CancelJob) -> None:
        """End the job now, whether or not its worker still lives."""
        now = self._clock.now()

        def decide(job: Job) -> Change[Job]:
            ended = rules.cancel(job, command.round, now)
            body = JobCancelled(job_id=job.id, attempt=job.attempt)
            told = () if ended == job else (_event(body, job, job.round, job.attempt),)
            return Change(ended, told)

        with contextlib.suppress(NotFound):  # not opened yet: `open` looks at the version afterwards
            await self._jobs.change(command.job_id, decide)

    async def adjust(self, command: AdjustJob, cause: Envelope) -> None:
        """Change a queued job's priority or pause; its command is sent again with the new priority.

        What the video says now counts, rather than what it said when the command was written: commands may arrive in
        another order.
        """
        video = await self._videos.get(command.job_id.rsplit(".", 2)[0])
        if video is None:
            return
        with contextlib.suppress(NotFound):  # not opened yet: `open` looks at the video afterwards
            await self._adjust(command.job_id, video.value, cause, handled=cause.id)

    async def _adjust(self, job_id: str, video: Video, cause: Envelope, *, handled: str | None) -> None:
        now, priority, paused = self._clock.now(), video.priority, video.paused

        def decide(job: Job) -> Change[Job]:
            changed = rules.adjust(job, priority, paused=paused)
            send = changed != job and changed.state is JobState.QUEUED and not changed.paused
            return sent_again(changed, now, cause) if send else Change(changed)

        await self._jobs.change(job_id, decide, handled=handled)

    # ---- JobDesk ----------------------------------------------------------------------------------------

    async def claim(self, job_id: str, worker: str) -> Job | None:
        now = self._clock.now()

        def decide(job: Job) -> Change[Job]:
            claimed = rules.claim(job, worker, now)
            body = JobClaimed(
                job_id=job.id, video_id=job.video_id, version=job.version, kind=job.kind, worker=worker,
                attempt=claimed.attempt,
            )  # fmt: skip
            return Change(claimed, (_event(body, claimed, claimed.attempt),))

        try:
            return (await self._jobs.change(job_id, decide)).value
        except (InvalidTransition, NotFound):
            return None

    async def renew(self, job_id: str, attempt: int, progress: float, stage: str) -> None:
        await self._change(job_id, lambda job: rules.renew(job, attempt, progress, stage))

    async def finish(self, job_id: str, attempt: int, result: JobResult) -> None:
        """Repeating the call whose answer was lost is harmless."""
        now = self._clock.now()

        def decide(job: Job) -> Change[Job] | None:
            if job.state is JobState.FINISHED and (job.attempt, job.result) == (attempt, result):
                return None
            kind = RenderFinished if job.kind is JobKind.RENDER else ProcessingFinished
            ended = rules.finish(job, attempt, result, now)
            return Change(ended, (_ended(kind, ended),))

        await self._change(job_id, decide)

    async def fail(self, job_id: str, attempt: int, error: str) -> None:
        now = self._clock.now()

        def decide(job: Job) -> Change[Job] | None:
            if job.state is JobState.FAILED and (job.attempt, job.error) == (attempt, error):
                return None
            ended = rules.fail(job, attempt, error, now)
            return Change(ended, (_failed(ended),))

        await self._change(job_id, decide)

    async def give_back(self, job_id: str, attempt: int, *, failed: bool = False) -> None:
        now = self._clock.now()

        await self._change(job_id, lambda job: requeued(job, rules.give_back(job, attempt, failed=failed), now))

    async def _change(self, job_id: str, decide: Callable[[Job], Change[Job] | Job | None]) -> None:
        try:
            await self._jobs.change(job_id, decide)
        except NotFound as error:
            raise LeaseLost(f"job {job_id} is gone; stop") from error

    # ---- reading ----------------------------------------------------------------------------------------

    async def get(self, job_id: str) -> Job:
        return (await self._jobs.load(job_id)).value

    async def of_versions(self, versions: Sequence[tuple[str, int]]) -> dict[str, Job]:
        """The jobs of these (video id, version) pairs, by job id."""
        ids = [job_id(video, version, kind) for video, version in versions for kind in JobKind]
        return {loaded.value.id: loaded.value for loaded in await self._jobs.load_many(ids)}

    async def of_topics(self, topics: Sequence[str], state: JobState) -> list[Job]:
        """The oldest thousand with this state that are not paused."""
        where = (
            Where("topic", Op.IN, tuple(topics)), Where("state", Op.EQ, state), Where("paused", Op.EQ, value=False),
        )  # fmt: skip
        found = await self._jobs.find(Query(where, order_by="created_at", limit=1000)) if topics else []
        return [loaded.value for loaded in found]

    async def open_count(self) -> int:
        states = tuple(sorted(rules.OPEN_JOB_STATES))
        return await self._jobs.count(Where("state", Op.IN, states))

    async def open_of_videos(self, video_ids: Sequence[str]) -> list[Job]:
        # A video has few jobs: their states are looked at here, and one index answers.
        found = await self._jobs.find(Query((Where("video_id", Op.IN, tuple(video_ids)),), limit=10_000))
        return [loaded.value for loaded in found if loaded.value.state in rules.OPEN_JOB_STATES]


def _wanted(video: Video, number: int, kind: JobKind, round_: int) -> bool:
    """Whether the version still waits for this job: not cancelled, deleted, done, or retried since."""
    version = next((version for version in video.versions if version.number == number), None)
    if version is None or video.deleted_at is not None or version.retries != round_:
        return False
    if kind is JobKind.PROCESSING:
        return version.state is VersionState.PROCESSING
    return version.state in OPEN_VERSION_STATES - {VersionState.PROCESSING}


def requeued(before: Job, after: Job, now: Instant) -> Change[Job] | None:
    """The change with what is to be sent because of it: the command again, or that the job failed."""
    if after == before:
        return None
    if after.state is JobState.FAILED:
        return Change(after, (_failed(after),))
    return Change(after) if after.paused else sent_again(after, now)


def sent_again(job: Job, now: Instant, cause: Envelope | None = None) -> Change[Job]:
    """A queued job and its command. Claiming is a compare-and-set, so that one command too many does no harm."""
    return Change(job.with_(queued_at=now), (command_of(job, cause),))


def command_of(job: Job, cause: Envelope | None = None) -> Envelope:
    ids = {"job_id": job.id, "video_id": job.video_id, "version": job.version}
    body: Body = Process(**ids)
    if job.kind is JobKind.RENDER:
        body = Render(generator=job.topic.removeprefix(render_type("")), **ids)
    return envelope(
        body, source="manager", subject=job.id, correlation_id=job.video_id, cause=cause, priority=job.priority
    )


def _opening(job: Job, cause: Envelope) -> Envelope:
    """Its command, or that nobody can do it."""
    return _failed(job) if job.state is JobState.FAILED else command_of(job, cause)


def _event(body: Body, job: Job, *cause: int) -> Envelope:
    return envelope(
        body, source="manager", subject=job.id, correlation_id=job.video_id, id_from=(job.id, job.round, *cause)
    )


def _ended(kind: type[RenderFinished | RenderFailed | ProcessingFinished | ProcessingFailed], job: Job) -> Envelope:
    body = kind(job_id=job.id, video_id=job.video_id, version=job.version, attempt=job.attempt, error=job.error)
    return _event(body, job, job.attempt)


def _failed(job: Job) -> Envelope:
    return _ended(RenderFailed if job.kind is JobKind.RENDER else ProcessingFailed, job)
