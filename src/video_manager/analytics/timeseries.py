"""Cumulative statements into increments per bucket of a person's own calendar."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from video_manager.analytics.views import Bucket, Point, Series
from video_manager.analytics.warehouse_port import SlotPeak
from video_manager.errors import InvalidInput

MOST_BUCKETS = 1000

Span = tuple[datetime, datetime]


def find_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput.field("zone", f"{name!r} is no time zone; write it like Europe/Berlin or UTC") from error


def buckets(start: datetime, end: datetime, bucket: Bucket, zone: ZoneInfo) -> list[Span]:
    """The hours, days or weeks (from Monday) of the zone that cover [start, end), as UTC instants. A day has 23 or
    25 hours when the clocks change. Raises InvalidInput when there are more than MOST_BUCKETS."""
    edges = [_first_edge(start, bucket, zone)]
    while edges[-1] < end:
        if len(edges) > MOST_BUCKETS:
            raise InvalidInput.field(
                "bucket", f"the range has more than {MOST_BUCKETS} {bucket}s: choose larger ones or a shorter range"
            )
        edges.append(_next_edge(edges[-1], bucket, zone))
    return list(pairwise(edges))


def _first_edge(moment: datetime, bucket: Bucket, zone: ZoneInfo) -> datetime:
    local = moment.astimezone(zone)
    if bucket is Bucket.HOUR:
        into = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        return moment.astimezone(UTC) - into
    day = local.date() - timedelta(days=local.weekday() if bucket is Bucket.WEEK else 0)
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def _next_edge(edge: datetime, bucket: Bucket, zone: ZoneInfo) -> datetime:
    if bucket is Bucket.HOUR:
        return edge + timedelta(hours=1)
    # From noon, so that a midnight which the clocks skip or repeat cannot land on the day before.
    day = (edge.astimezone(zone) + timedelta(hours=12)).date() + timedelta(days=7 if bucket is Bucket.WEEK else 1)
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def build_series(
    spans: Sequence[Span], before: Mapping[str, float], peaks: Sequence[SlotPeak], key_of: Callable[[str], str]
) -> list[Series]:
    """Series by key, the largest first.

    A publication's increment is what its highest value so far was raised by: a platform that states less than
    before (a corrected or reset counter) adds nothing, and never takes away. `peaks` are in order of time.
    """
    highest = dict(before)
    totals: dict[str, float] = {}
    for publication_id, value in before.items():
        totals[key_of(publication_id)] = totals.get(key_of(publication_id), 0.0) + value
    increments: dict[str, list[float]] = {key: [0.0] * len(spans) for key in totals}
    index = 0
    for peak in peaks:
        while index < len(spans) - 1 and peak.start >= spans[index][1]:
            index += 1
        rise = peak.peak - highest.get(peak.publication_id, 0.0)
        added = increments.setdefault(key_of(peak.publication_id), [0.0] * len(spans))
        if rise > 0:
            highest[peak.publication_id] = peak.peak
            added[index] += rise
    series = [Series(key=key, points=_points(spans, rises, totals.get(key, 0.0))) for key, rises in increments.items()]
    return sorted(series, key=lambda one: (-one.points[-1].cumulative if one.points else 0.0, one.key))


def _points(spans: Sequence[Span], rises: Sequence[float], total: float) -> list[Point]:
    points = []
    for (start, end), rise in zip(spans, rises, strict=True):
        total += rise
        points.append(Point(start=start, end=end, increment=rise, cumulative=total))
    return points


def empty_series(spans: Sequence[Span]) -> Series:
    return Series(key="", points=_points(spans, [0.0] * len(spans), 0.0))
