"""What a publication is: one approved version on its way to one channel. Its rules are in `publication.py`."""

from enum import StrEnum
from typing import Any

from pydantic import Field

from video_manager.domain.model import Frozen, Instant
from video_manager.domain.video import MediaFile, Metadata
from video_manager.errors import NotFound

KEPT_HISTORY = 200


class PublicationState(StrEnum):
    SCHEDULED = "scheduled"
    """Waits for `due_at`: its time, or the next try after a failure."""
    UPLOADING = "uploading"
    """A worker has it."""
    PENDING = "pending"
    """Armed, and the platform will be asked at `due_at`."""
    PUBLISHED = "published"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """Armed, and asking gave no answer: a person looks, unless a later answer (`due_at`) comes first."""
    ACTION_REQUIRED = "action_required"
    CANCELLED = "cancelled"
    WITHDRAWN = "withdrawn"


class Failure(StrEnum):
    """What a worker's error asks for."""

    RETRYABLE = "retryable"
    ACTION_REQUIRED = "action_required"
    PERMANENT = "permanent"


class Outcome(StrEnum):
    """How an attempt ended. An armed attempt ends only as PUBLISHED, ABSENT or, before its time, RECALLED."""

    PUBLISHED = "published"
    ABSENT = "absent"
    FAILED = "failed"
    EXPIRED = "expired"
    HANDED_BACK = "handed back"
    STAGED = "staged"
    """Uploaded ahead of its time, and not public."""
    RECALLED = "recalled"
    """The platform had the time, and gave it back: uploaded, and not public."""
    CANCELLED = "cancelled"
    WITHDRAWN = "withdrawn"


class Attempt(Frozen):
    """One try of one worker. (`number`, `renewals`) standing still is how an observer sees that the worker died."""

    number: int
    worker: str
    renewals: int = 0
    progress: float = 0.0
    """0..1 of the upload."""
    stage: str = ""
    started_at: Instant
    handle: dict[str, Any] | None = None
    armed_at: Instant | None = None
    entrusted_for: Instant | None = None
    """The time at which the platform publishes by itself; None: we publish."""
    handed_over_at: Instant | None = None
    """When it was known that the platform has the time: no call that gives it can land any more."""
    ended_at: Instant | None = None
    outcome: Outcome | None = None
    reusable: bool = False
    """Armed, and what was uploaded is still good: held up by a limit of the platform, not public at its time, or never
    asked to be; the platform's publisher knows."""
    failure: Failure | None = None
    """What went wrong in the publishing call itself, for when the post turns out to be absent."""
    asked: bool = False
    """A person was asked to do something because of it."""
    error: str | None = None

    @property
    def in_doubt(self) -> bool:
        return self.armed_at is not None and self.outcome is None


class Approved(Frozen):
    """The snapshot that a person approved for one channel. The sha256 of its files bind the approval."""

    video_id: str
    version: int
    channel_id: str
    platform: str
    metadata: Metadata
    master: MediaFile
    thumbnail: MediaFile | None = None
    captions: MediaFile | None = None
    approved_by: str
    options: dict[str, Any] = Field(default_factory=dict)
    text_sha256: str | None = None
    """Of the metadata and options; None where an older release approved."""


class Withdrawal(Frozen):
    """The approval is void. `refused` when the post was already armed or public."""

    reason: str
    at: Instant
    refused: bool


class HistoryEntry(Frozen):
    """Who changed what."""

    at: Instant
    by: str
    action: str
    detail: str = ""


class Publication(Frozen):
    """`id` derives from approval and channel. Without `approved` it is a tombstone: the approval was withdrawn
    before the command that creates the publication arrived."""

    id: str
    approval_id: str
    approved: Approved | None
    state: PublicationState
    publish_at: Instant | None = None
    """The time that was asked for; None: as soon as possible."""
    requested_local: str | None = None
    waits_for: str | None = None
    """Why `due_at` is later than the time that was asked for; nothing is wrong."""
    missed_at: Instant | None = None
    """When it was seen that its time had passed unused, and a person was asked."""
    due_at: Instant | None = None
    """When the scheduler looks next (UTC): to upload, or to ask. None: only a person can go on."""
    attempts: tuple[Attempt, ...] = ()
    tries: int = 0
    """Failed tries since a person last decided; bounds the automatic ones."""
    crashes: int = 0
    asked: int = 0
    """How often the platform was asked about the current attempt."""
    external_id: str | None = None
    url: str | None = None
    published_at: Instant | None = None
    error: str | None = None
    warning: str | None = None
    """What people should know of the published post (the platform kept it private)."""
    withdrawal: Withdrawal | None = None
    history: tuple[HistoryEntry, ...] = ()
    told: int = 0
    """How many events were sent about it: the number of the newest."""
    created_at: Instant
    updated_at: Instant

    @property
    def content(self) -> Approved:
        """The approved snapshot. Raises NotFound on a tombstone."""
        if self.approved is None:
            raise NotFound(f"publication {self.id} was withdrawn before it was created")
        return self.approved

    @property
    def attempt(self) -> Attempt | None:
        """The newest attempt."""
        return self.attempts[-1] if self.attempts else None

    def noted(self, now: Instant, by: str, action: str, detail: str = "") -> "Publication":
        """With one more entry in its history."""
        entry = HistoryEntry(at=now, by=by, action=action, detail=detail)
        return self.with_(history=(*self.history, entry)[-KEPT_HISTORY:], updated_at=now)

    @property
    def in_doubt(self) -> bool:
        """Armed and not known to be published or absent: it must never be sent again."""
        return self.attempt is not None and self.attempt.in_doubt

    @property
    def staged(self) -> bool:
        """Uploaded ahead of its time: what remains is the publishing call."""
        return self.attempt is not None and self.attempt.outcome in (Outcome.STAGED, Outcome.RECALLED)

    @property
    def entrusted(self) -> bool:
        """The platform has its time and publishes by itself."""
        return self.attempt is not None and self.attempt.in_doubt and self.attempt.entrusted_for is not None

    @property
    def active(self) -> bool:
        """Uploading or armed: its video must not be deleted now."""
        return self.state is PublicationState.UPLOADING or self.in_doubt
