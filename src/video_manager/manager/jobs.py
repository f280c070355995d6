"""The jobs and their leases: opened for a version, claimed by workers, watched, ended."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
from video_manager.domain import job as rules
from video_manager.domain.job import Job, JobKind, JobResult, JobState, job_id
from video_manager.domain.video import OPEN_VERSION_STATES, MediaRole, Version, VersionState, Video
from video_manager.errors import InvalidTransition, LeaseLost, NotFound
from video_manager.plugins.registry import PluginKind, Registry
from video_manager.ports import Clock, CollectionSpec, Op, Query, Where
from video_manager.repository import Change, Repository

VIDEOS = CollectionSpec(
    "videos", indexed=("state", "created_at", "updated_at", "title", "created_by", "deleted_at", "lets_go")
)
JOBS = CollectionSpec("jobs", indexed=("state", "video_id", "topic", "kind", "created_at"))
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LeaseSettings:
    """`lease_seconds` without a renewal end an attempt; `max_crashes` such ends fail the job."""

    lease_seconds: float = 30.0
    max_crashes: int = 3


class JobService:
    """Implements `ports.JobDesk` for workers, and the manager's side: open, cancel, adjust, watch the leases."""

    def __init__(
        self, jobs: Repository[Job], videos: Repository[Video], registry: Registry, clock: Clock, lease: LeaseSettings
    ) -> None:
        self._jobs = jobs
        self._videos = videos
        self._registry = registry
        self._clock = clock
        self._lease = lease
        self._seen: dict[str, tuple[int, int, float]] = {}
        self._observer: asyncio.Task[None] | None = None

    # ---- opening and ending -----------------------------------------------------------------------------

    async def open(self, command: OpenJob, cause: Envelope) -> None:
        """Insert the job with the command that carries it. Repeated or late requests do nothing."""
        loaded = await self._videos.get(command.video_id)
        kind = JobKind(command.kind)
        if loaded is None or not _wanted(loaded.value, command.version, kind, command.round):
            return
        job = self._job_for(loaded.value, loaded.value.version(command.version), kind)

        def reopen(old: Job) -> Change[Job] | None:
            again = rules.reopen(old, job)
            return None if again == old else Change(again, (_command(again, cause),))

        if not await self._jobs.add_if_absent(job, [_command(job, cause)], handled=cause.id):
            await self._jobs.change(job.id, reopen, handled=cause.id)
        # The version may have been cancelled since it was read: then the command to cancel the job found none.
        loaded = await self._videos.get(command.video_id)
        if loaded is None or not _wanted(loaded.value, command.version, kind, command.round):
            await self.cancel(CancelJob(job_id=job.id, round=command.round))

    def _job_for(self, video: Video, version: Version, kind: JobKind) -> Job:
        spec = version.spec
        title = version.metadata.title or video.title
        if kind is JobKind.RENDER:
            topic = f"render.{spec.generator}"
            sources = self._registry.source_ids(PluginKind.GENERATOR, spec.generator, spec.options)
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
        return Job(
            id=job_id(video.id, version.number, kind), video_id=video.id, version=version.number, kind=kind,
            topic=topic, input={**work, "seed": spec.seed, "sources": sources}, priority=video.priority,
            paused=video.paused, round=version.retries, stage="queued", created_at=self._clock.now(),
        )  # fmt: skip

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
        """Change a queued job's priority or pause; its command is sent again with the new priority."""

        def decide(job: Job) -> Change[Job]:
            changed = rules.adjust(job, command.priority, paused=command.paused)
            send = changed != job and changed.state is JobState.QUEUED and not changed.paused
            return Change(changed, (_command(changed, cause),) if send else ())

        with contextlib.suppress(NotFound):
            await self._jobs.change(command.job_id, decide, handled=cause.id)

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

    async def give_back(self, job_id: str, attempt: int) -> None:
        def decide(job: Job) -> Change[Job]:
            queued = rules.give_back(job, attempt)
            return Change(queued, () if queued.paused else (_command(queued, None),))

        await self._change(job_id, decide)

    async def _change(self, job_id: str, decide: Callable[[Job], Change[Job] | Job | None]) -> None:
        try:
            await self._jobs.change(job_id, decide)
        except NotFound as error:
            raise LeaseLost(f"job {job_id} is gone; stop") from error

    # ---- leases -----------------------------------------------------------------------------------------

    async def void_leases(self) -> int:
        """Queue every claimed job again. Only where all workers lived in the process that ended."""
        count = 0
        for loaded in await self._jobs.find(_CLAIMED):
            await self._jobs.change(loaded.value.id, lambda job: _requeue(job, rules.void_lease(job)))
            count += 1
        return count

    async def observe_leases(self) -> None:
        """One look: a job whose (attempt, renewals) stood still for a lease is queued again or failed."""
        moment, now = self._clock.monotonic(), self._clock.now()
        claimed = [loaded.value for loaded in await self._jobs.find(_CLAIMED)]
        seen: dict[str, tuple[int, int, float]] = {}
        for job in claimed:
            attempt, renewals, since = self._seen.get(job.id, (-1, -1, moment))
            if (attempt, renewals) != (job.attempt, job.renewals):
                since = moment
            elif moment - since >= self._lease.lease_seconds:
                log.warning("job %s: worker %s was silent for a whole lease", job.id, job.worker)
                await self._expire(job.id, attempt, renewals)
            seen[job.id] = (job.attempt, job.renewals, since)
        self._seen = seen
        log.debug("looked at %d leases at %s", len(claimed), now)

    async def _expire(self, job_id: str, attempt: int, renewals: int) -> None:
        now = self._clock.now()
        await self._jobs.change(
            job_id,
            lambda job: _requeue(job, rules.expire_lease(job, attempt, renewals, self._lease.max_crashes, now)),
        )

    async def start(self) -> None:
        self._observer = asyncio.create_task(self._observe(), name="lease observer")

    async def stop(self) -> None:
        if self._observer is not None:
            self._observer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._observer

    async def _observe(self) -> None:
        while True:
            await self._clock.sleep(self._lease.lease_seconds / 6)
            try:
                await self.observe_leases()
            except Exception:
                log.exception("looking at the leases failed; the next look comes in its turn")

    # ---- reading ----------------------------------------------------------------------------------------

    async def get(self, job_id: str) -> Job:
        return (await self._jobs.load(job_id)).value

    async def of_versions(self, versions: Sequence[tuple[str, int]]) -> dict[str, Job]:
        """The jobs of these (video id, version) pairs, by job id."""
        ids = [job_id(video, version, kind) for video, version in versions for kind in JobKind]
        return {loaded.value.id: loaded.value for loaded in await self._jobs.load_many(ids)}

    async def open_count(self) -> int:
        states = tuple(sorted(rules.OPEN_JOB_STATES))
        return await self._jobs.count(Where("state", Op.IN, states))

    async def open_jobs(self) -> list[Job]:
        states = tuple(sorted(rules.OPEN_JOB_STATES))
        query = Query(where=(Where("state", Op.IN, states),), order_by="created_at", limit=100_000)
        return [loaded.value for loaded in await self._jobs.find(query)]


_CLAIMED = Query(where=(Where("state", Op.EQ, JobState.CLAIMED),), limit=10_000)


def _wanted(video: Video, number: int, kind: JobKind, round_: int) -> bool:
    """Whether the version still waits for this job: not cancelled, deleted, done, or retried since."""
    version = next((version for version in video.versions if version.number == number), None)
    if version is None or video.deleted_at is not None or version.retries != round_:
        return False
    if kind is JobKind.PROCESSING:
        return version.state is VersionState.PROCESSING
    return version.state in OPEN_VERSION_STATES - {VersionState.PROCESSING}


def _requeue(before: Job, after: Job) -> Change[Job] | None:
    if after == before:
        return None
    if after.state is JobState.FAILED:
        return Change(after, (_failed(after),))
    return Change(after, () if after.paused else (_command(after, None),))


def _command(job: Job, cause: Envelope | None) -> Envelope:
    ids = {"job_id": job.id, "video_id": job.video_id, "version": job.version}
    body: Body = Process(**ids)
    if job.kind is JobKind.RENDER:
        body = Render(generator=job.topic.removeprefix("render."), **ids)
    return envelope(
        body, source="manager", subject=job.id, correlation_id=job.video_id, cause=cause, priority=job.priority
    )


def _event(body: Body, job: Job, *cause: int) -> Envelope:
    return envelope(
        body, source="manager", subject=job.id, correlation_id=job.video_id, id_from=(job.id, job.round, *cause)
    )


def _ended(kind: type[RenderFinished | RenderFailed | ProcessingFinished | ProcessingFailed], job: Job) -> Envelope:
    body = kind(job_id=job.id, video_id=job.video_id, version=job.version, attempt=job.attempt, error=job.error)
    return _event(body, job, job.attempt)


def _failed(job: Job) -> Envelope:
    return _ended(RenderFailed if job.kind is JobKind.RENDER else ProcessingFailed, job)
