"""What the API shows of a video: its document joined with the progress of its open jobs."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from video_manager.domain.job import OPEN_JOB_STATES, Job, JobKind, JobState, job_id
from video_manager.domain.model import Instant
from video_manager.domain.video import (
    OPEN_VERSION_STATES,
    Approval,
    CheckReport,
    Comment,
    MediaRole,
    Metadata,
    RenderSpec,
    Review,
    Verdict,
    Version,
    VersionState,
    Video,
    VideoState,
)

_STAGE_SHARES = {JobKind.RENDER: (0.0, 0.75), JobKind.PROCESSING: (0.75, 1.0)}
"""Which part of a version's progress bar each kind of job fills."""


class View(BaseModel):
    model_config = ConfigDict(frozen=True)


class FileView(View):
    id: str
    role: MediaRole
    name: str
    content_type: str
    size_bytes: int
    sha256: str
    width: int | None
    height: int | None
    duration_seconds: float | None
    frame_rate: str | None
    url: str
    """Where its bytes are, relative to the server."""


class VersionView(View):
    """`progress` 0..1 and `stage` come from the open job; `attempt` counts its tries."""

    number: int
    state: VersionState
    verdict: Verdict
    spec: RenderSpec
    given: dict[str, Any]
    files: list[FileView]
    checks: CheckReport | None
    metadata: Metadata
    error: str | None
    facts: dict[str, str | int | float]
    progress: float
    stage: str
    attempt: int
    created_by: str
    created_at: Instant
    ready_at: Instant | None


class PublicationCounts(View):
    """How many of the video's publications are public, of all that are not cancelled or withdrawn."""

    published: int
    total: int
    by_state: dict[str, int]


class VideoView(View):
    id: str
    title: str
    state: VideoState
    versions: list[VersionView]
    channels: list[str]
    comments: list[Comment]
    reviews: list[Review]
    approvals: list[Approval]
    publications: PublicationCounts
    priority: int
    paused: bool
    created_by: str
    created_at: Instant
    updated_at: Instant
    deleted_at: Instant | None
    revision: int


def view_video(video: Video, revision: int, jobs: Mapping[str, Job]) -> VideoView:
    """`jobs` by id, at least those of the versions that are still being made."""
    return VideoView(
        **{name: getattr(video, name) for name in _PLAIN},
        state=video.state,
        versions=[_view_version(video, version, jobs) for version in video.versions],
        publications=_count_publications(video),
        revision=revision,
    )


_PLAIN = ("id", "title", "channels", "comments", "reviews", "approvals", "priority", "paused", "created_by",
          "created_at", "updated_at", "deleted_at")  # fmt: skip


def working_versions(videos: Sequence[Video]) -> list[tuple[str, int]]:
    """The (video id, version number) pairs whose jobs a view needs."""
    return [
        (video.id, version.number)
        for video in videos
        for version in video.versions
        if version.state in OPEN_VERSION_STATES
    ]


def _view_version(video: Video, version: Version, jobs: Mapping[str, Job]) -> VersionView:
    progress, stage, attempt = _progress_of(video, version, jobs)
    names = ("number", "state", "verdict", "spec", "given", "checks", "metadata", "error", "facts", "created_by",
             "created_at", "ready_at")  # fmt: skip
    base = f"/api/v1/videos/{video.id}/versions/{version.number}/files"
    files = [FileView(**file.model_dump(), url=f"{base}/{file.role}?file={file.id}") for file in version.files]
    return VersionView(
        **{name: getattr(version, name) for name in names}, files=files, progress=progress, stage=stage, attempt=attempt
    )


def _progress_of(video: Video, version: Version, jobs: Mapping[str, Job]) -> tuple[float, str, int]:
    if version.state not in OPEN_VERSION_STATES:
        return (1.0 if version.state is VersionState.READY else 0.0), version.state.value, 0
    if video.paused and version.state is VersionState.REQUESTED:
        return 0.0, "paused", 0
    for kind in (JobKind.PROCESSING, JobKind.RENDER):
        job = jobs.get(job_id(video.id, version.number, kind))
        if job is None or job.round != version.retries:
            continue
        if job.state in OPEN_JOB_STATES or job.state is JobState.FINISHED:
            low, high = _STAGE_SHARES[kind]
            return low + (high - low) * job.progress, job.stage, job.attempt
    return 0.0, "queued", 0


def _count_publications(video: Video) -> PublicationCounts:
    by_state: dict[str, int] = {}
    for state in video.publications.values():
        by_state[state] = by_state.get(state, 0) + 1
    total = sum(count for state, count in by_state.items() if state not in ("cancelled", "withdrawn"))
    return PublicationCounts(published=by_state.get("published", 0), total=total, by_state=by_state)
