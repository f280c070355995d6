"""Videos move on when workers and publishing report. Late and repeated reports are ignored."""

import logging
from collections.abc import Callable

from video_manager.contracts.commands import OpenJob
from video_manager.contracts.envelope import Body, Envelope, envelope
from video_manager.contracts.events import (
    JobCancelled,
    JobClaimed,
    ProcessingFailed,
    ProcessingFinished,
    RenderFailed,
    RenderFinished,
    VersionFailed,
    VersionReady,
)
from video_manager.domain import video as rules
from video_manager.domain.job import Job, JobKind, JobResult
from video_manager.domain.video import CheckReport, MediaRole, Video
from video_manager.errors import InvalidTransition, NotFound
from video_manager.manager.jobs import JobService
from video_manager.manager.lifetimes import PUBLICATION_ENDED, Lifetimes
from video_manager.ports import Clock
from video_manager.repository import Change, Repository

_LEFT_FOR = {"published": frozenset({"withdrawn"}), "withdrawn": frozenset[str]()}
"""What may follow a state that is final otherwise: a public post can be taken down."""

log = logging.getLogger(__name__)


class ProgressService:
    """One method per report. Each is one write, idempotent by the message's id and by the version's state."""

    def __init__(self, videos: Repository[Video], jobs: JobService, lifetimes: Lifetimes, clock: Clock) -> None:
        self._videos = videos
        self._jobs = jobs
        self._lifetimes = lifetimes
        self._clock = clock

    async def job_claimed(self, message: Envelope, body: JobClaimed) -> None:
        if body.kind == JobKind.RENDER:
            job = await self._current(body.job_id)
            now = self._clock.now()
            if job is not None:
                await self._move(message, job, lambda video: Change(rules.start_rendering(video, job.version, now)))

    async def render_finished(self, message: Envelope, body: RenderFinished) -> None:
        job = await self._current(body.job_id, body.attempt)
        if job is None or job.result is None:
            return
        result, now = job.result, self._clock.now()

        def decide(video: Video) -> Change[Video]:
            changed = rules.start_processing(video, job.version, result.files, result.facts, result.suggested, now)
            command = OpenJob(video_id=video.id, version=job.version, kind="processing", round=job.round)
            return Change(changed, (self._message(command, video, message, "processing", job),))

        await self._move(message, job, decide)

    async def processing_finished(self, message: Envelope, body: ProcessingFinished) -> None:
        job = await self._current(body.job_id, body.attempt)
        if job is None or job.result is None:
            return
        result, now = job.result, self._clock.now()

        def decide(video: Video) -> Change[Video]:
            report = result.report or CheckReport()
            changed = rules.make_ready(video, job.version, result.files, report, result.facts, now)
            ready = VersionReady(
                video_id=video.id, version=job.version, title=changed.title, created_by=video.created_by,
                findings=len(report.findings), duration_seconds=_duration(result),
            )  # fmt: skip
            return Change(changed, (self._message(ready, video, message, "ready", job),))

        if await self._move(message, job, decide):
            self._lifetimes.settle_soon(job.video_id)
            await self._lifetimes.release_sources(job.input.get("sources", []))

    async def job_failed(self, message: Envelope, body: RenderFailed | ProcessingFailed) -> None:
        job = await self._current(body.job_id, body.attempt)
        if job is None:
            return
        error, now = job.error or "the worker gave no reason", self._clock.now()

        def decide(video: Video) -> Change[Video]:
            changed = rules.fail_version(video, job.version, error, now)
            failed = VersionFailed(
                video_id=video.id, version=job.version, title=video.title, created_by=video.created_by, error=error
            )
            return Change(changed, (self._message(failed, video, message, "failed", job),))

        await self._move(message, job, decide)
        self._lifetimes.settle_soon(job.video_id)

    async def job_cancelled(self, _message: Envelope, body: JobCancelled) -> None:
        """The job needs its files no longer."""
        job = await self._current(body.job_id)
        if job is not None:
            self._lifetimes.settle_soon(job.video_id)

    async def publication_changed(self, message: Envelope, _body: Body) -> None:
        """Remember the state of the video's publication, for counts and lifetimes."""
        data = message.data
        state, publication = message.type.removeprefix("publication."), str(data["publication_id"])
        number = int(data.get("sequence", 0))

        def decide(video: Video) -> Video:
            heard = video.publications_heard.get(publication, 0)
            followers = _LEFT_FOR.get(video.publications.get(publication, ""))
            if (followers is not None and state not in followers) or 0 < number <= heard:
                return video  # an older event that was delayed
            return video.with_(
                publications={**video.publications, publication: state},
                publications_heard={**video.publications_heard, publication: max(number, heard)},
            )

        try:
            loaded = await self._videos.change(str(data["video_id"]), decide, handled=message.id)
        except NotFound:
            log.warning("%s names video %s, which is gone", message.type, data["video_id"])
            return
        if state in PUBLICATION_ENDED and loaded.value.lets_go:
            self._lifetimes.settle_soon(loaded.value.id)

    async def _current(self, job_id: str, attempt: int | None = None) -> Job | None:
        """The job, unless the report is about an attempt that is not the current one any more."""
        try:
            job = await self._jobs.get(job_id)
        except NotFound:
            return None
        return job if attempt is None or job.attempt == attempt else None

    async def _move(self, message: Envelope, job: Job, decide: Callable[[Video], Change[Video]]) -> bool:
        """Apply a transition. False when the report came too late: cancelled, deleted, retried, or said twice."""

        def guarded(video: Video) -> Change[Video]:
            if video.version(job.version).retries != job.round:
                raise InvalidTransition(f"job {job.id} is from before a retry")
            return decide(video)

        try:
            await self._videos.change(job.video_id, guarded, handled=message.id)
        except (InvalidTransition, NotFound) as error:
            log.info("%s of job %s changes nothing: %s", message.type, job.id, error)
            return False
        return True

    def _message(self, body: Body, video: Video, cause: Envelope, name: str, job: Job) -> Envelope:
        return envelope(
            body, source="manager", subject=video.id, cause=cause, correlation_id=video.id, priority=video.priority,
            id_from=(video.id, job.version, name, job.round),
        )  # fmt: skip


def _duration(result: JobResult) -> float | None:
    return next((file.duration_seconds for file in result.files if file.role is MediaRole.MASTER), None)
