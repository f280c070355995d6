"""The warehouse port: facts go in, numbers come out. Its contract suite is `tests/contract/warehouse`.

Everything in it can be made again from the raw payloads, so writing is idempotent and order does not matter: a row
adds what it knows to what is known already.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from video_manager.domain.metrics import Metric

SLOT_SECONDS = 900
"""Snapshots are summed up by quarters of an hour: every zone's hours and days begin with one."""


# ---- in -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class VersionRow:
    """None means not known from this source. `options` are (dotted path, value as text)."""

    video_id: str
    version: int
    title: str | None = None
    generator: str | None = None
    seed: str | None = None
    created_by: str | None = None
    created_at: datetime | None = None
    ready_at: datetime | None = None
    failed_at: datetime | None = None
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class DeletedVideoRow:
    video_id: str
    deleted_at: datetime


@dataclass(frozen=True)
class ReviewRow:
    """`id` is that of the event that told of it."""

    id: str
    video_id: str
    version: int
    decision: str
    author: str
    decided_at: datetime


@dataclass(frozen=True)
class PublicationRow:
    publication_id: str
    video_id: str
    version: int
    channel_id: str
    platform: str
    title: str | None = None
    external_id: str | None = None
    url: str | None = None
    published_at: datetime | None = None
    failed_at: datetime | None = None
    withdrawn_at: datetime | None = None


@dataclass(frozen=True)
class SnapshotRow:
    """A cumulative value as the platform stated it; one per publication, moment and metric."""

    publication_id: str
    as_of: datetime
    metric: Metric
    value: float


@dataclass(frozen=True)
class Facts:
    versions: tuple[VersionRow, ...] = ()
    deleted_videos: tuple[DeletedVideoRow, ...] = ()
    reviews: tuple[ReviewRow, ...] = ()
    publications: tuple[PublicationRow, ...] = ()
    snapshots: tuple[SnapshotRow, ...] = ()

    def __add__(self, other: "Facts") -> "Facts":
        return Facts(
            self.versions + other.versions, self.deleted_videos + other.deleted_videos, self.reviews + other.reviews,
            self.publications + other.publications, self.snapshots + other.snapshots,
        )  # fmt: skip


# ---- out ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Counts:
    """What happened within a period. `decisions` counts reviews by decision."""

    videos_created: int
    versions_created: int
    versions_ready: int
    versions_failed: int
    decisions: Mapping[str, int]
    published: int
    publications_failed: int
    withdrawn: int


@dataclass(frozen=True)
class SlotPeak:
    """The highest value of a publication within the slot that begins at `start`."""

    publication_id: str
    start: datetime
    peak: float


@dataclass(frozen=True)
class PublicationOrigin:
    """What a series can be grouped by."""

    platform: str
    channel_id: str
    generator: str | None


@dataclass(frozen=True)
class PublicationNumbers:
    """A publication, the options that made it, and the last numbers its platform stated (None as_of: none yet)."""

    publication_id: str
    video_id: str
    version: int
    title: str
    channel_id: str
    platform: str
    url: str | None
    published_at: datetime
    withdrawn_at: datetime | None
    generator: str | None
    seed: str | None
    created_by: str | None
    options: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[Metric, float] = field(default_factory=dict)
    as_of: datetime | None = None


@dataclass(frozen=True)
class PublicationsQuery:
    """Publications that went out within [start, end). `sort` is a metric, None: the time. `after` is (sort value,
    id) of the last row seen, where a time counts as its seconds since 1970."""

    start: datetime
    end: datetime
    sort: Metric | None = None
    descending: bool = True
    limit: int = 50
    after: tuple[float, str] | None = None


@dataclass(frozen=True)
class Sample:
    """One publication's last stated value of one metric beside the options that made it."""

    publication_id: str
    generator: str
    options: Mapping[str, str]
    value: float


class Warehouse(Protocol):
    """Writes are durable when they return. Raises RetryableError while the database cannot be reached or is busy,
    StorageFull when its disk is full."""

    async def open(self) -> None:
        """Make the schema if there is none. Raises SettingsError when there is another one, or no connection."""
        ...

    async def close(self) -> None: ...

    async def is_empty(self) -> bool: ...

    async def write(self, facts: Facts) -> None:
        """In one transaction. The same facts again change nothing."""
        ...

    async def rebuild(self, batches: AsyncIterator[Facts], *, if_empty: bool = False) -> bool:
        """Replace everything by these facts, in one transaction: readers see the old until the end, and nobody else
        writes meanwhile. With `if_empty` only if there is nothing yet: False, without effect, when another process
        was faster. `batches` is read after the old is gone: what others wrote before is in it, too."""
        ...

    async def counts(self, start: datetime, end: datetime) -> Counts: ...

    async def waiting_for_review(self) -> int:
        """Ready versions of videos that are not deleted, without a decision, now."""
        ...

    async def peaks_before(self, moments: Sequence[datetime]) -> dict[Metric, tuple[float, ...]]:
        """For each metric and moment the sum over all publications of the highest value stated before it."""
        ...

    async def last_as_of(self) -> datetime | None: ...

    async def publication_peaks(self, metric: Metric, before: datetime) -> dict[str, float]:
        """The highest value stated before, by publication id."""
        ...

    async def slot_peaks(self, metric: Metric, start: datetime, end: datetime) -> list[SlotPeak]:
        """Of snapshots within [start, end), in order of time. Both must be multiples of SLOT_SECONDS."""
        ...

    async def origins(self) -> dict[str, PublicationOrigin]:
        """By publication id."""
        ...

    async def publications(self, query: PublicationsQuery) -> list[PublicationNumbers]: ...

    async def samples(self, metric: Metric, generator: str | None = None) -> list[Sample]:
        """Every publication that has numbers, in order of its id."""
        ...
