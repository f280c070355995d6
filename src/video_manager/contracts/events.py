"""Events: past tense, anyone may listen."""

from typing import ClassVar

from video_manager.contracts.envelope import Body
from video_manager.domain.model import Instant
from video_manager.domain.video import RenderSpec


class VersionCreated(Body):
    type: ClassVar[str] = "version.created"
    video_id: str
    version: int
    title: str
    spec: RenderSpec
    created_by: str


class VersionReady(Body):
    """Rendered, processed and checked: it waits for a reviewer."""

    type: ClassVar[str] = "version.ready"
    video_id: str
    version: int
    title: str
    created_by: str
    findings: int
    duration_seconds: float | None = None


class VersionFailed(Body):
    type: ClassVar[str] = "version.failed"
    video_id: str
    version: int
    title: str
    created_by: str
    error: str


class ReviewDecided(Body):
    type: ClassVar[str] = "review.decided"
    video_id: str
    version: int
    decision: str
    reason: str = ""
    author: str
    title: str = ""


class VideoDeleted(Body):
    type: ClassVar[str] = "video.deleted"
    video_id: str
    deleted_by: str


class JobClaimed(Body):
    type: ClassVar[str] = "job.claimed"
    job_id: str
    video_id: str
    version: int
    kind: str
    attempt: int
    worker: str


class JobCancelled(Body):
    """The job is cancelled: its worker stops at this hint, or at its next renewal."""

    type: ClassVar[str] = "job.cancelled"
    job_id: str
    attempt: int


class JobProgress(Body):
    """Only a hint for `watch`: never stored, may be lost."""

    type: ClassVar[str] = "job.progress"
    job_id: str
    video_id: str
    version: int
    kind: str
    progress: float
    stage: str


class _JobEnded(Body):
    """The job's document holds the result."""

    job_id: str
    video_id: str
    version: int
    attempt: int
    error: str | None = None


class RenderFinished(_JobEnded):
    type: ClassVar[str] = "render.finished"


class RenderFailed(_JobEnded):
    type: ClassVar[str] = "render.failed"


class ProcessingFinished(_JobEnded):
    type: ClassVar[str] = "processing.finished"


class ProcessingFailed(_JobEnded):
    type: ClassVar[str] = "processing.failed"


class _PublicationChanged(Body):
    publication_id: str
    approval_id: str
    video_id: str
    version: int
    channel_id: str
    platform: str
    title: str = ""
    detail: str = ""
    external_id: str | None = None
    url: str | None = None
    at: Instant


class PublicationScheduled(_PublicationChanged):
    """Inserted, or moved to another time (`at`)."""

    type: ClassVar[str] = "publication.scheduled"


class PublicationUploading(_PublicationChanged):
    type: ClassVar[str] = "publication.uploading"


class PublicationPending(_PublicationChanged):
    type: ClassVar[str] = "publication.pending"


class PublicationPublished(_PublicationChanged):
    type: ClassVar[str] = "publication.published"


class PublicationFailed(_PublicationChanged):
    type: ClassVar[str] = "publication.failed"


class PublicationUnknown(_PublicationChanged):
    type: ClassVar[str] = "publication.unknown"


class PublicationActionRequired(_PublicationChanged):
    type: ClassVar[str] = "publication.action_required"


class PublicationCancelled(_PublicationChanged):
    type: ClassVar[str] = "publication.cancelled"


class PublicationWithdrawn(_PublicationChanged):
    type: ClassVar[str] = "publication.withdrawn"


class MetricsCollected(Body):
    type: ClassVar[str] = "metrics.collected"
    platform: str
    payload_ids: tuple[str, ...]


class NotificationCreated(Body):
    """Only a hint for `watch`: a person has something new to read."""

    type: ClassVar[str] = "notification.created"
    notification_id: str
    title: str


PUBLICATION_EVENTS: tuple[type[_PublicationChanged], ...] = (
    PublicationScheduled, PublicationUploading, PublicationPending, PublicationPublished, PublicationFailed,
    PublicationUnknown, PublicationActionRequired, PublicationCancelled, PublicationWithdrawn,
)  # fmt: skip


def publication_event(state: str) -> type[_PublicationChanged]:
    """The event class of a publication's new state."""
    return _BY_STATE[state]


_BY_STATE = {kind.type.removeprefix("publication."): kind for kind in PUBLICATION_EVENTS}
