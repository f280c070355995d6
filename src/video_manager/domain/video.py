"""A video, its versions, and the rules by which they move."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from pydantic import computed_field

from video_manager.domain.model import Frozen, Instant
from video_manager.errors import InvalidTransition, NotFound

# ---- files and specs ----------------------------------------------------------------------------------


class MediaRole(StrEnum):
    SOURCE = "source"
    MASTER = "master"
    PREVIEW = "preview"
    THUMBNAIL = "thumbnail"
    CAPTIONS = "captions"


BULKY_ROLES = frozenset({MediaRole.SOURCE, MediaRole.MASTER, MediaRole.PREVIEW})
"""What retention removes."""


class MediaFile(Frozen):
    """Stored bytes with a role. `id` names them in the file store; picture facts are None for other media."""

    id: str
    role: MediaRole
    name: str
    content_type: str
    size_bytes: int
    sha256: str
    width: int | None = None
    height: int | None = None
    duration_seconds: float | None = None
    frame_rate: str | None = None
    """Rational, as `30/1` or `30000/1001`."""


class RecipeStep(Frozen):
    step: str
    options: dict[str, Any] = {}


class RecipeCheck(Frozen):
    check: str
    options: dict[str, Any] = {}


class Recipe(Frozen):
    """Ordered processing steps, then the checks, each with its options. `checks` None means all of them."""

    steps: tuple[RecipeStep, ...] = ()
    checks: tuple[RecipeCheck, ...] | None = None


class RenderSpec(Frozen):
    """All that decides a render: the same spec gives the same video. Options are stored resolved."""

    generator: str
    options: dict[str, Any]
    seed: int
    recipe: Recipe


# ---- checks -------------------------------------------------------------------------------------------


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Finding(Frozen):
    """One thing a check noticed; without times it is about the whole video. `measured`, `limit` in `unit`."""

    check: str
    code: str
    severity: Severity
    message: str
    start_seconds: float | None = None
    end_seconds: float | None = None
    measured: float | None = None
    limit: float | None = None
    unit: str | None = None


class CheckReport(Frozen):
    """What the checks found. `measured` holds numbers worth showing even when all is well (loudness)."""

    checks: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    measured: dict[str, float] = {}


# ---- versions -----------------------------------------------------------------------------------------


class VersionState(StrEnum):
    REQUESTED = "requested"
    RENDERING = "rendering"
    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Verdict(StrEnum):
    NONE = "none"
    APPROVED = "approved"
    REJECTED = "rejected"


OPEN_VERSION_STATES = frozenset({VersionState.REQUESTED, VersionState.RENDERING, VersionState.PROCESSING})


class Metadata(Frozen):
    """What is shown with the video; `thumbnail` is the file id of the chosen candidate."""

    title: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    language: str = "en"
    thumbnail: str | None = None


class Suggestion(Frozen):
    """What a generator proposes for texts that no person has written; None where it has no idea."""

    title: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()


class Version(Frozen):
    """One immutable cut, made from one RenderSpec: its technical state and the human verdict are two fields."""

    number: int
    spec: RenderSpec
    given: dict[str, Any] = {}
    """The options a person set; the others were drawn by the seed or are the generator's defaults."""
    state: VersionState = VersionState.REQUESTED
    verdict: Verdict = Verdict.NONE
    files: tuple[MediaFile, ...] = ()
    checks: CheckReport | None = None
    metadata: Metadata = Metadata()
    error: str | None = None
    facts: dict[str, str | int | float] = {}
    retries: int = 0
    """How often a person asked to try this version again."""
    cause: str = ""
    """Id of the request that made it, so that a repeated request makes no second one."""
    created_by: str
    created_at: Instant
    ready_at: Instant | None = None

    def file(self, role: MediaRole) -> MediaFile | None:
        """The file with that role; of the thumbnails the chosen one, else the first."""
        of_role = [file for file in self.files if file.role is role]
        if role is MediaRole.THUMBNAIL and self.metadata.thumbnail is not None:
            of_role.sort(key=lambda file: file.id != self.metadata.thumbnail)
        return of_role[0] if of_role else None

    def thumbnails(self) -> tuple[MediaFile, ...]:
        return tuple(file for file in self.files if file.role is MediaRole.THUMBNAIL)


# ---- review -------------------------------------------------------------------------------------------


class Decision(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"
    REGENERATE = "regenerate"


class Comment(Frozen):
    id: str
    version: int
    at_seconds: float | None
    text: str
    author: str
    created_at: Instant
    resolved: bool = False


class Approval(Frozen):
    """Binds one version for one channel to its bytes and its final metadata; the time is the publication's."""

    id: str
    version: int
    channel_id: str
    master_sha256: str
    thumbnail_sha256: str | None
    captions_sha256: str | None
    metadata: Metadata
    options: dict[str, Any] = {}
    """What was chosen for this platform."""
    approved_by: str
    approved_at: Instant
    voided_at: Instant | None = None
    void_reason: str | None = None


class Review(Frozen):
    id: str
    version: int
    decision: Decision
    reason: str = ""
    author: str
    at: Instant


class VideoState(StrEnum):
    REQUESTED = "requested"
    RENDERING = "rendering"
    PROCESSING = "processing"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    REJECTED = "rejected"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DELETED = "deleted"


class Video(Frozen):
    """The lasting work. `publications` is the last known state of each of its publications, by id."""

    id: str
    title: str
    versions: tuple[Version, ...]
    channels: tuple[str, ...] = ()
    """Channels meant by the requester; the reviewer decides."""
    comments: tuple[Comment, ...] = ()
    reviews: tuple[Review, ...] = ()
    approvals: tuple[Approval, ...] = ()
    publications: dict[str, str] = {}
    publications_heard: dict[str, int] = {}
    """The number of the newest event heard of each publication."""
    let_go: tuple[str, ...] = ()
    """Ids of files that no version names any more and whose bytes are still to be deleted."""
    priority: int = 5
    """0 lowest .. 9 highest; acts on queued jobs."""
    paused: bool = False
    """Queued jobs of this video wait until it goes on."""
    created_by: str
    created_at: Instant
    updated_at: Instant
    deleted_at: Instant | None = None

    @property
    def newest(self) -> Version:
        return self.versions[-1]

    def version(self, number: int) -> Version:
        for version in self.versions:
            if version.number == number:
                return version
        raise NotFound(f"video {self.id} has no version {number}")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def state(self) -> VideoState:
        """Computed from the newest version, or `deleted`."""
        if self.deleted_at is not None:
            return VideoState.DELETED
        version = self.newest
        if version.state is VersionState.READY:
            verdicts = {Verdict.NONE: VideoState.IN_REVIEW, Verdict.APPROVED: VideoState.APPROVED}
            return verdicts.get(version.verdict, VideoState.REJECTED)
        return VideoState(version.state.value)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def lets_go(self) -> bool:
        """Whether bytes are still to be deleted; stored so that a crash in between is found again."""
        return bool(self.let_go)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def keeps_masters(self) -> bool:
        """Whether a version still has what retention may remove; stored so that retention finds it."""
        return any(file.role in BULKY_ROLES for version in self.versions for file in version.files)

    def put(self, version: Version, now: Instant) -> "Video":
        """A copy in which this version replaces the one with its number; files it no longer names are let go."""
        old = self.version(version.number)
        versions = tuple(version if old.number == version.number else old for old in self.versions)
        kept = {file.id for file in version.files}
        dropped = tuple(file.id for file in old.files if file.id not in kept)
        return self.with_(versions=versions, let_go=(*self.let_go, *dropped), updated_at=now)


def require_state(video: Video, version: Version, allowed: Sequence[VersionState], verb: str) -> None:
    if video.deleted_at is not None:
        raise InvalidTransition(f"video {video.id} is deleted")
    if version.state not in allowed:
        raise InvalidTransition(f"version {version.number} of video {video.id} is {version.state}: it cannot be {verb}")


# ---- technical transitions ----------------------------------------------------------------------------


def add_version(
    video: Video, spec: RenderSpec, given: dict[str, Any], metadata: Metadata, author: str, cause: str, now: Instant
) -> Video:
    """A new cut beside the old ones; older approvals stay as they are. The same `cause` adds nothing again."""
    if any(version.cause == cause for version in video.versions):
        return video
    if video.deleted_at is not None:
        raise InvalidTransition(f"video {video.id} is deleted")
    number = video.newest.number + 1
    version = Version(
        number=number, spec=spec, given=given, metadata=metadata, cause=cause, created_by=author, created_at=now
    )
    return video.with_(versions=(*video.versions, version), updated_at=now)


def start_rendering(video: Video, number: int, now: Instant) -> Video:
    version = video.version(number)
    require_state(video, version, [VersionState.REQUESTED], "rendered")
    return video.put(version.with_(state=VersionState.RENDERING), now)


def start_processing(
    video: Video, number: int, files: Sequence[MediaFile], facts: dict[str, str | int | float],
    suggested: Suggestion | None, now: Instant,
) -> Video:  # fmt: skip
    """The render is there. Suggestions fill only what a person has left empty."""
    version = video.version(number)
    require_state(video, version, [VersionState.REQUESTED, VersionState.RENDERING], "processed")
    metadata = version.metadata
    if suggested is not None:
        metadata = metadata.with_(
            title=metadata.title or suggested.title or "",
            description=metadata.description or suggested.description or "",
            tags=metadata.tags or suggested.tags,
        )
    title = video.title or metadata.title
    changed = version.with_(
        state=VersionState.PROCESSING, files=tuple(files), facts={**version.facts, **facts}, metadata=metadata
    )
    return video.put(changed, now).with_(title=title)


def make_ready(
    video: Video, number: int, files: Sequence[MediaFile], report: CheckReport,
    facts: dict[str, str | int | float], now: Instant,
) -> Video:  # fmt: skip
    """Processing is done: its files replace the render's, and the version waits for a person."""
    version = video.version(number)
    require_state(video, version, [VersionState.PROCESSING], "made ready")
    thumbnail = next((file.id for file in files if file.role is MediaRole.THUMBNAIL), None)
    changed = version.with_(
        state=VersionState.READY, files=tuple(files), checks=report, facts={**version.facts, **facts},
        metadata=version.metadata.with_(thumbnail=thumbnail), ready_at=now, error=None,
    )  # fmt: skip
    return video.put(changed, now)


def fail_version(video: Video, number: int, error: str, now: Instant) -> Video:
    version = video.version(number)
    require_state(video, version, sorted(OPEN_VERSION_STATES), "failed")
    return video.put(version.with_(state=VersionState.FAILED, error=error, files=()), now)


def cancel_version(video: Video, number: int, now: Instant) -> Video:
    version = video.version(number)
    require_state(video, version, sorted(OPEN_VERSION_STATES), "cancelled")
    return video.put(version.with_(state=VersionState.CANCELLED, files=()), now)


def retry_version(video: Video, number: int, now: Instant) -> Video:
    """Start a failed or cancelled version again from its spec."""
    version = video.version(number)
    require_state(video, version, [VersionState.FAILED, VersionState.CANCELLED], "retried")
    changed = version.with_(state=VersionState.REQUESTED, error=None, files=(), retries=version.retries + 1)
    return video.put(changed, now)
