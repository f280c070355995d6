"""Commands: imperative, one consumer each."""

from typing import Any, ClassVar, Literal

from video_manager.contracts.envelope import Body
from video_manager.domain.model import Instant
from video_manager.domain.video import MediaFile, Metadata


class OpenJob(Body):
    """To the manager: open the job of this version if it is not open yet."""

    type: ClassVar[str] = "job.open"
    video_id: str
    version: int
    kind: Literal["render", "processing"]
    round: int = 0


class CancelJob(Body):
    """To the manager: end the job at once; a worker that has it learns it at its next renewal."""

    type: ClassVar[str] = "job.cancel"
    job_id: str
    round: int = 0


class AdjustJob(Body):
    """To the manager: change a queued job's priority, or let it wait."""

    type: ClassVar[str] = "job.adjust"
    job_id: str
    priority: int
    paused: bool


class Render(Body):
    """To the workers of one generator: a job waits to be claimed. The type is `render.<generator>`."""

    type: ClassVar[str] = "render"
    generator: str
    job_id: str
    video_id: str
    version: int

    def message_type(self) -> str:
        return f"render.{self.generator}"


class Process(Body):
    """To the processing workers: a job waits to be claimed."""

    type: ClassVar[str] = "processing"
    job_id: str
    video_id: str
    version: int


class CreatePublication(Body):
    """To publishing: the whole approved snapshot for one channel. `publication_id` derives from the approval."""

    type: ClassVar[str] = "publication.create"
    publication_id: str
    approval_id: str
    video_id: str
    version: int
    channel_id: str
    metadata: Metadata
    master: MediaFile
    thumbnail: MediaFile | None = None
    captions: MediaFile | None = None
    publish_at: Instant | None = None
    """None: as soon as possible."""
    requested_local: str | None = None
    """The wall-clock time and zone the person asked for, as they wrote it."""
    next_slot: bool = False
    """Publishing chooses the time: the channel's next free slot."""
    approved_by: str
    options: dict[str, Any] = {}
    text_sha256: str | None = None
    """Of metadata and options as they were approved (see `domain.posting.text_sha256`)."""


class WithdrawPublication(Body):
    """To publishing: the approval is void. Remembered even when it arrives before the create."""

    type: ClassVar[str] = "publication.withdraw"
    publication_id: str
    approval_id: str
    reason: str
