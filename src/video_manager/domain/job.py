"""Jobs: one render or processing run of a version. `attempt` fences: only the current attempt may finish."""

from enum import StrEnum
from typing import Any

from video_manager.domain.model import Frozen, Instant
from video_manager.domain.video import CheckReport, MediaFile, Suggestion
from video_manager.errors import InvalidTransition, LeaseLost


class JobKind(StrEnum):
    RENDER = "render"
    PROCESSING = "processing"


class JobState(StrEnum):
    QUEUED = "queued"
    CLAIMED = "claimed"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN_JOB_STATES = frozenset({JobState.QUEUED, JobState.CLAIMED})

CLEARLY_FURTHER = 0.05
"""Progress that a crashed attempt must be ahead of all crashed ones before it, to count as another cause."""


class JobResult(Frozen):
    """What a finished job made: files already in the file store, and facts for people.

    A render names one `source` file (and perhaps `captions`); processing names `master`, `thumbnail`s,
    perhaps `captions` and `preview`, and the check report.
    """

    files: tuple[MediaFile, ...] = ()
    facts: dict[str, str | int | float] = {}
    report: CheckReport | None = None
    suggested: Suggestion | None = None


class Job(Frozen):
    """`input` is what the worker needs, as JSON: see `manager/jobs.py` for the two shapes."""

    id: str
    video_id: str
    version: int
    kind: JobKind
    topic: str
    """The command that carries it: `render.<generator>` or `processing`."""
    input: dict[str, Any]
    state: JobState = JobState.QUEUED
    priority: int = 5
    """0 lowest .. 9 highest."""
    round: int = 0
    """The version's `retries` when the job was opened; a person's retry opens the job for the next round."""
    paused: bool = False
    attempt: int = 0
    crashes: int = 0
    """How many attempts in a row ended without a word (lease ran out) and came no further than those before."""
    furthest: float = 0.0
    """The progress at which the crash that came furthest happened."""
    tries: int = 0
    """How many attempts of this round ended with a failure that was worth another try."""
    queued_at: Instant | None = None
    """When its command was last sent; None before this was written down."""
    renewals: int = 0
    worker: str | None = None
    progress: float = 0.0
    stage: str = ""
    result: JobResult | None = None
    error: str | None = None
    created_at: Instant
    claimed_at: Instant | None = None
    ended_at: Instant | None = None


def job_id(video_id: str, version: int, kind: JobKind) -> str:
    return f"{video_id}.{version}.{kind}"


def reopen(job: Job, again: Job) -> Job:
    """A person asked to try again: the same job starts over with the next attempt, so that older ones stay fenced.

    Without effect for a round that the job already had (a repeated message).
    """
    if again.round <= job.round:
        return job
    return again.with_(attempt=job.attempt + 1)


def claim(job: Job, worker: str, now: Instant) -> Job:
    """A queued job becomes the worker's; a new attempt begins."""
    if job.state is not JobState.QUEUED or job.paused:
        raise InvalidTransition(f"job {job.id} is {'paused' if job.paused else job.state}, not queued")
    return job.with_(
        state=JobState.CLAIMED, attempt=job.attempt + 1, renewals=0, worker=worker, claimed_at=now,
        progress=0.0, stage="starting",
    )  # fmt: skip


def _require_attempt(job: Job, attempt: int) -> None:
    if job.attempt != attempt:
        raise LeaseLost(f"job {job.id}: attempt {attempt} was replaced by attempt {job.attempt}; stop")
    if job.state not in OPEN_JOB_STATES:
        raise LeaseLost(f"job {job.id} is {job.state}; attempt {attempt} has nothing left to do")


def renew(job: Job, attempt: int, progress: float, stage: str) -> Job:
    """Keep the lease and report progress. Raises LeaseLost when the job was cancelled or taken over."""
    _require_attempt(job, attempt)
    if job.state is not JobState.CLAIMED:
        raise LeaseLost(f"job {job.id} was given back to the queue; attempt {attempt} may only finish")
    progress = max(0.0, min(1.0, progress))
    return job.with_(renewals=job.renewals + 1, progress=progress, stage=stage)


def finish(job: Job, attempt: int, result: JobResult, now: Instant) -> Job:
    """The current attempt may finish even after its lease ran out, as long as nobody claimed the job again."""
    _require_attempt(job, attempt)
    return job.with_(state=JobState.FINISHED, result=result, progress=1.0, stage="finished", ended_at=now)


def fail(job: Job, attempt: int, error: str, now: Instant) -> Job:
    _require_attempt(job, attempt)
    return job.with_(state=JobState.FAILED, error=error, stage="failed", ended_at=now)


def give_back(job: Job, attempt: int, *, failed: bool = False) -> Job:
    """The worker hands the job back: unharmed (shutdown), or after a failure worth another try. Without effect on a job
    that is queued again: it was said before and the answer was lost, or the lease ran out."""
    _require_attempt(job, attempt)
    if job.state is JobState.QUEUED:
        return job
    return job.with_(state=JobState.QUEUED, worker=None, progress=0.0, stage="queued", tries=job.tries + failed)


def adjust(job: Job, priority: int, *, paused: bool) -> Job:
    """Priority and pause act on queued jobs; a claimed one keeps them for its next time in the queue."""
    return job.with_(priority=priority, paused=paused) if job.state in OPEN_JOB_STATES else job


def void_lease(job: Job) -> Job:
    """The whole system stopped and with it the worker: queue the job again; it is not the job's fault."""
    if job.state is not JobState.CLAIMED:
        return job
    return job.with_(state=JobState.QUEUED, worker=None, progress=0.0, stage="queued again")


def expire_lease(job: Job, attempt: int, renewals: int, max_crashes: int, now: Instant) -> Job:
    """The observer saw (attempt, renewals) stand still for a whole lease: queue the job again, or give up on a
    job that took down `max_crashes` workers at the same point. Without effect when the job moved on meanwhile.

    A job that kills its workers dies where it died before. One that came clearly further was killed by something
    else (a machine that was taken away), so the count begins anew; that can happen only some twenty times.
    """
    if job.state is not JobState.CLAIMED or (job.attempt, job.renewals) != (attempt, renewals):
        return job
    crashes = 1 if job.progress >= job.furthest + CLEARLY_FURTHER else job.crashes + 1
    counted = job.with_(crashes=crashes, furthest=max(job.furthest, job.progress))
    if crashes >= max_crashes:
        reason = f"the worker died {crashes} times while it had this job; the last one was {job.worker}"
        return counted.with_(state=JobState.FAILED, error=reason, stage="failed", ended_at=now)
    return counted.with_(state=JobState.QUEUED, worker=None, progress=0.0, stage="queued again: its worker was lost")


def cancel(job: Job, round_: int, now: Instant) -> Job:
    """Cancelled at once, whether or not its owner still lives; the owner learns it at its next renewal.

    Without effect on a later round: a person's retry overtook the cancelling.
    """
    if job.state not in OPEN_JOB_STATES or job.round > round_:
        return job
    return job.with_(state=JobState.CANCELLED, stage="cancelled", ended_at=now)
