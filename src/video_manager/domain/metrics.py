"""The numbers of one publication at one moment."""

from enum import StrEnum
from typing import Any

from video_manager.domain.model import Frozen, Instant


class Metric(StrEnum):
    """Counts since publication; WATCH_SECONDS is a sum of seconds."""

    VIEWS = "views"
    WATCH_SECONDS = "watch_seconds"
    LIKES = "likes"
    COMMENTS = "comments"
    SHARES = "shares"


class MetricSnapshot(Frozen):
    """Cumulative values as the platform stated them, with the moment they were true (`as_of`)."""

    publication_id: str
    as_of: Instant
    values: dict[Metric, float]


class RawPayload(Frozen):
    """A platform's answer, or one of our own events, exactly as it came. `kind` is `metrics` or `event`,
    `source` the platform's or the event type's name, `subject` the publication's or video's id."""

    id: str
    kind: str
    source: str
    subject: str
    received_at: Instant
    payload: dict[str, Any]
    loaded: bool = False
    """Whether the warehouse has it."""
