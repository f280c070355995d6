"""What the dashboard and the API show."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from video_manager.domain.metrics import Metric
from video_manager.domain.model import Instant


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class Totals(_View):
    """Within one period. Metrics are what was added in it, never less than 0. `approval_rate` is approvals among
    all decisions, None when there are none."""

    videos_created: int
    versions_created: int
    versions_ready: int
    versions_failed: int
    approvals: int
    rejections: int
    regenerations: int
    approval_rate: float | None
    published: int
    publications_failed: int
    withdrawn: int
    metrics: dict[Metric, float]


class Summary(_View):
    """`previous` is the period of the same length before; `waiting_for_review` is now; `as_of` is when a platform
    last stated new numbers."""

    start: Instant
    end: Instant
    totals: Totals
    previous: Totals
    waiting_for_review: int
    as_of: Instant | None


class Bucket(StrEnum):
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


class GroupBy(StrEnum):
    PLATFORM = "platform"
    CHANNEL = "channel"
    GENERATOR = "generator"


class Point(_View):
    """`increment` is what was added in [start, end); `cumulative` all there is at its end."""

    start: Instant
    end: Instant
    increment: float
    cumulative: float


class Series(_View):
    """`key` is the platform, channel id or generator; empty without grouping."""

    key: str
    points: list[Point]


class TimeSeries(_View):
    metric: Metric
    bucket: Bucket
    zone: str
    group_by: GroupBy | None
    series: list[Series]


class PublicationRow(_View):
    """A publication beside the options that made it; `values` as its platform last stated them."""

    publication_id: str
    video_id: str
    version: int
    title: str
    channel_id: str
    platform: str
    url: str | None
    published_at: Instant
    withdrawn_at: Instant | None
    generator: str | None
    seed: str | None
    created_by: str | None
    options: dict[str, str]
    values: dict[Metric, float]
    as_of: Instant | None


class ValueEffect(_View):
    """The publications made with one value of an option. `low`..`high` is where the mean lies with 95 %
    confidence (None with one publication); with `too_few` it says next to nothing."""

    value: str
    publications: int
    mean: float
    median: float
    low: float | None
    high: float | None
    too_few: bool


class OptionEffect(_View):
    option: str
    values: list[ValueEffect]


class Attribution(_View):
    """`note` says in words how far the figures may be trusted."""

    metric: Metric
    generator: str | None
    publications: int
    mean: float
    median: float
    note: str
    options: list[OptionEffect]


class Suggestion(_View):
    """One value of one option. `chance` is the probability that it is the best of its option's values, given what
    was measured; `evidence` counts the publications made with it."""

    value: Any
    chance: float
    evidence: int
    reason: str


class OptionSuggestions(_View):
    """The best first."""

    option: str
    suggestions: list[Suggestion]


class Suggestions(_View):
    """`next_options` takes the first suggestion of each option. `enough_data` False: they are little better than
    a draw by chance, and `note` says so."""

    generator: str
    metric: Metric
    publications: int
    enough_data: bool
    note: str
    next_options: dict[str, Any]
    options: list[OptionSuggestions]


class PlatformHealth(_View):
    platform: str
    tracked: int
    failing: int
    last_error: str | None
    last_collected_at: Instant | None


class AnalyticsHealth(_View):
    """`waiting_payloads` are raw payloads that the warehouse does not have yet."""

    waiting_payloads: int
    last_collected_at: Instant | None
    as_of: Instant | None
    platforms: list[PlatformHealth]


class Reloaded(_View):
    payloads: int
