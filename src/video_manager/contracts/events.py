"""Events: past tense, anyone may listen."""

from typing import ClassVar

from video_manager.contracts.envelope import Body
from video_manager.domain.model import Instant
from video_manager.domain.video import RenderSpec


class VersionCreated(Body):
    """A version was asked for; its spec is resolved."""

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
    """It could not be made; `error` says why."""

    type: ClassVar[str] = "version.failed"
    video_id: str
    version: int
    title: str
    created_by: str
    error: str


class ReviewDecided(Body):
    """A person decided on a version: `approve`, `reject` or `regenerate`."""

    type: ClassVar[str] = "review.decided"
    video_id: str
    version: int
    decision: str
    reason: str = ""
    author: str
    title: str = ""


class VideoDeleted(Body):
    """A person deleted the video; its bytes go."""

    type: ClassVar[str] = "video.deleted"
    video_id: str
    deleted_by: str


class JobClaimed(Body):
    """A worker has the job; a new attempt began."""

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
    """The render is in the file store; the job holds the result."""

    type: ClassVar[str] = "render.finished"


class RenderFailed(_JobEnded):
    """The render ended without a result; `error` says why."""

    type: ClassVar[str] = "render.failed"


class ProcessingFinished(_JobEnded):
    """Steps and checks are done; the job holds files and report."""

    type: ClassVar[str] = "processing.finished"


class ProcessingFailed(_JobEnded):
    """A processing step failed; `error` says why."""

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
    sequence: int = 0
    """Counts the events of one publication: one with a lower number than one already heard is late. 0: not counted."""


class PublicationScheduled(_PublicationChanged):
    """Inserted, or moved to another time (`at`)."""

    type: ClassVar[str] = "publication.scheduled"


class PublicationUploading(_PublicationChanged):
    """A worker sends the bytes."""

    type: ClassVar[str] = "publication.uploading"


class PublicationPending(_PublicationChanged):
    """Sent, or perhaps sent: the platform will be asked."""

    type: ClassVar[str] = "publication.pending"


class PublicationPublished(_PublicationChanged):
    """It is public; `url` says where."""

    type: ClassVar[str] = "publication.published"


class PublicationFailed(_PublicationChanged):
    """It will not be sent without a person; `detail` says why."""

    type: ClassVar[str] = "publication.failed"


class PublicationUnknown(_PublicationChanged):
    """Nobody knows whether it is public: a person has to look."""

    type: ClassVar[str] = "publication.unknown"


class PublicationActionRequired(_PublicationChanged):
    """A person has to repair the channel first."""

    type: ClassVar[str] = "publication.action_required"


class PublicationCancelled(_PublicationChanged):
    """A person cancelled it before it was public."""

    type: ClassVar[str] = "publication.cancelled"


class PublicationWithdrawn(_PublicationChanged):
    """Its approval was voided before it was public, or the public post was taken down."""

    type: ClassVar[str] = "publication.withdrawn"


class ChannelActionRequired(Body):
    """A person has to connect a channel again: now (`paused`), or before its access ends. Where a publication met it,
    `publication.action_required` says so instead, unless its worker died before it could."""

    type: ClassVar[str] = "channel.action_required"
    channel_id: str
    platform: str
    name: str
    detail: str
    paused: bool
    at: Instant


class MetricsCollected(Body):
    """A platform's numbers are stored raw, ready for the warehouse."""

    type: ClassVar[str] = "metrics.collected"
    platform: str
    payload_ids: tuple[str, ...]


class NotificationCreated(Body):
    """Only a hint for `watch`: a person has something new to read."""

    type: ClassVar[str] = "notification.created"
    notification_id: str
    title: str


class GeneratorRegistered(Body):
    """Only a hint for `watch`: a worker outside our package said what it makes, or described it anew."""

    type: ClassVar[str] = "generator.registered"
    generator: str


class GeneratorRemoved(Body):
    """Only a hint for `watch`: an administrator removed a generator of a worker outside our package."""

    type: ClassVar[str] = "generator.removed"
    generator: str


PUBLICATION_EVENTS: tuple[type[_PublicationChanged], ...] = (
    PublicationScheduled, PublicationUploading, PublicationPending, PublicationPublished, PublicationFailed,
    PublicationUnknown, PublicationActionRequired, PublicationCancelled, PublicationWithdrawn,
)  # fmt: skip


def publication_event(state: str) -> type[_PublicationChanged]:
    """The event class of a publication's new state."""
    return _BY_STATE[state]


_BY_STATE = {kind.type.removeprefix("publication."): kind for kind in PUBLICATION_EVENTS}
