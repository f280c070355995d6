"""The dashboard's questions, and making the warehouse again."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from video_manager.analytics.attribution import attribute
from video_manager.analytics.cursor import read_cursor, write_cursor
from video_manager.analytics.loader import Loader
from video_manager.analytics.raw import raw_event
from video_manager.analytics.suggesting import suggest
from video_manager.analytics.timeseries import buckets, build_series, empty_series, find_zone
from video_manager.analytics.tracked import TrackedPublication, track, untrack
from video_manager.analytics.views import (
    AnalyticsHealth,
    Attribution,
    Bucket,
    GroupBy,
    PlatformHealth,
    PublicationRow,
    Reloaded,
    Suggestions,
    Summary,
    TimeSeries,
    Totals,
)  # fmt: skip
from video_manager.analytics.warehouse_port import Counts, PublicationOrigin, PublicationsQuery, Warehouse
from video_manager.contracts import events
from video_manager.contracts.envelope import Body, Envelope
from video_manager.domain.access import Actor, Right
from video_manager.domain.metrics import Metric, RawPayload
from video_manager.errors import InvalidInput
from video_manager.ports import Clock, Op, Query, Where
from video_manager.repository import Page, Repository

DEFAULT_RANGE = timedelta(days=28)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""Before this some zones were off by odd minutes; nothing here is that old."""

Choices = Callable[[str], Mapping[str, Sequence[Any]]]
"""The drawn options of a generator and what they are drawn from. Raises InvalidInput for an unknown one."""


@dataclass(frozen=True)
class Range:
    """[start, end)."""

    start: datetime
    end: datetime


class AnalyticsService:
    def __init__(
        self, warehouse: Warehouse, raw: Repository[RawPayload], tracked: Repository[TrackedPublication],
        loader: Loader, clock: Clock, choices: Choices,
    ) -> None:  # fmt: skip
        self._warehouse = warehouse
        self._raw = raw
        self._tracked = tracked
        self._loader = loader
        self._clock = clock
        self._choices = choices

    def range(self, start: datetime | None, end: datetime | None) -> Range:
        """What is left open is filled in: the last 28 days. Raises InvalidInput when it is empty or too old."""
        ending = end or self._clock.now()
        starting = start or ending - DEFAULT_RANGE
        if starting >= ending:
            raise InvalidInput.field("start", "must be before the end")
        if starting < EARLIEST or ending > self._clock.now() + timedelta(days=366):
            raise InvalidInput.field("start", "the range must lie between the year 2000 and a year from now")
        return Range(starting, ending)

    # ---- questions ----------------------------------------------------------------------------------------

    async def summary(self, actor: Actor, start: datetime | None = None, end: datetime | None = None) -> Summary:
        """Totals of the range, and of the one of the same length before."""
        actor.require(Right.VIEW)
        asked = self.range(start, end)
        before = asked.start - (asked.end - asked.start)
        peaks = await self._warehouse.peaks_before((before, asked.start, asked.end))
        gained = {metric: values[2] - values[1] for metric, values in peaks.items()}
        gained_before = {metric: values[1] - values[0] for metric, values in peaks.items()}
        return Summary(
            start=asked.start, end=asked.end,
            totals=_totals(await self._warehouse.counts(asked.start, asked.end), gained),
            previous=_totals(await self._warehouse.counts(before, asked.start), gained_before),
            waiting_for_review=await self._warehouse.waiting_for_review(), as_of=await self._warehouse.last_as_of(),
        )  # fmt: skip

    async def timeseries(
        self, actor: Actor, metric: Metric, *, start: datetime | None = None, end: datetime | None = None,
        bucket: Bucket = Bucket.DAY, zone: str = "UTC", group_by: GroupBy | None = None,
    ) -> TimeSeries:  # fmt: skip
        """Increments and running totals by the hours, days or weeks of a zone. The range grows to whole buckets."""
        actor.require(Right.VIEW)
        asked = self.range(start, end)
        spans = buckets(asked.start, asked.end, bucket, find_zone(zone))
        first, last = spans[0][0], spans[-1][1]
        origins = await self._warehouse.origins() if group_by is not None else {}
        before = await self._warehouse.publication_peaks(metric, first)
        peaks = await self._warehouse.slot_peaks(metric, first, last)
        series = build_series(spans, before, peaks, lambda one: _key(origins.get(one), group_by))
        return TimeSeries(
            metric=metric, bucket=bucket, zone=zone, group_by=group_by,
            series=series or ([] if group_by is not None else [empty_series(spans)]),
        )  # fmt: skip

    async def publications(
        self, actor: Actor, *, start: datetime | None = None, end: datetime | None = None, sort: Metric | None = None,
        descending: bool = True, cursor: str | None = None, limit: int = 50,
    ) -> Page[PublicationRow]:  # fmt: skip
        """Those published within the range, each with its last stated numbers beside the options that made it.
        `sort` None is by time."""
        actor.require(Right.VIEW)
        asked = self.range(start, end)
        after = read_cursor(cursor, sort, descending=descending) if cursor is not None else None
        query = PublicationsQuery(asked.start, asked.end, sort, descending, limit + 1, after)
        rows = [PublicationRow(**asdict(row)) for row in await self._warehouse.publications(query)]
        shown = rows[:limit]
        following = None
        if len(rows) > limit:
            last = shown[-1]
            value = last.published_at.timestamp() if sort is None else last.values.get(sort, 0.0)
            following = write_cursor(sort, descending, value, last.publication_id)
        return Page(tuple(shown), following)

    async def attribution(
        self, actor: Actor, metric: Metric, option: str | None = None, generator: str | None = None
    ) -> Attribution:
        """How publications did by the values of one option (a dotted path, or `generator`), or of all."""
        actor.require(Right.VIEW)
        samples = await self._warehouse.samples(metric, generator)
        return await asyncio.to_thread(attribute, samples, metric, generator, option)

    async def suggestions(self, actor: Actor, generator: str, metric: Metric = Metric.VIEWS) -> Suggestions:
        """Options to try next. Raises InvalidInput for an unknown generator."""
        actor.require(Right.VIEW)
        choices = self._choices(generator)
        samples = await self._warehouse.samples(metric, generator)
        return await asyncio.to_thread(suggest, generator, metric, choices, samples)

    async def health(self, actor: Actor) -> AnalyticsHealth:
        """Whether the numbers come in, by platform."""
        actor.require(Right.VIEW)
        active = Where("active", Op.EQ, value=True)
        failing = Where("failures", Op.GT, 0)
        platforms = []
        for name, count in sorted((await self._tracked.count_by("platform", active)).items(), key=str):
            of_platform = (Where("platform", Op.EQ, name), active)
            failed = await self._tracked.find(
                Query(where=(*of_platform, failing), order_by="failures", descending=True, limit=1)
            )
            newest = await self._tracked.find(
                Query(where=of_platform, order_by="last_collected_at", descending=True, limit=1)
            )
            platforms.append(
                PlatformHealth(
                    platform=str(name), tracked=count, failing=await self._tracked.count(*of_platform, failing),
                    last_error=failed[0].value.last_error if failed else None,
                    last_collected_at=newest[0].value.last_collected_at if newest else None,
                )
            )  # fmt: skip
        collected = [one.last_collected_at for one in platforms if one.last_collected_at is not None]
        return AnalyticsHealth(
            waiting_payloads=await self._loader.waiting(), last_collected_at=max(collected, default=None),
            as_of=await self._warehouse.last_as_of(), platforms=platforms,
        )  # fmt: skip

    # ---- changes ------------------------------------------------------------------------------------------

    async def reload(self, actor: Actor) -> Reloaded:
        """Make the whole warehouse again from the raw payloads. The dashboard shows the old until the end."""
        actor.require(Right.ADMINISTER)
        return Reloaded(payloads=await self._loader.rebuild())

    async def hear(self, actor: Actor, event: Envelope, body: Body) -> None:
        """Keep an event as it is, note what to collect, and load it. Heard again, it changes nothing."""
        actor.require(Right.ADMINISTER)
        raw = raw_event(event, self._clock.now())
        await self._raw.add_if_absent(raw)
        if isinstance(body, events.PublicationPublished):
            await track(self._tracked, body)
        elif isinstance(body, events.PublicationWithdrawn):
            await untrack(self._tracked, body)
        await self._loader.load([raw.id])

    async def load(self, actor: Actor, payload_ids: Sequence[str]) -> None:
        """Put collected payloads into the warehouse."""
        actor.require(Right.ADMINISTER)
        await self._loader.load(payload_ids)


def _key(origin: PublicationOrigin | None, group_by: GroupBy | None) -> str:
    if group_by is None:
        return ""
    if origin is None:
        return "unknown"
    keys = {
        GroupBy.PLATFORM: origin.platform,
        GroupBy.CHANNEL: origin.channel_id,
        GroupBy.GENERATOR: origin.generator or "unknown",
    }
    return keys[group_by]


def _totals(counts: Counts, gained: Mapping[Metric, float]) -> Totals:
    decisions = sum(counts.decisions.values())
    approvals = counts.decisions.get("approve", 0)
    return Totals(
        videos_created=counts.videos_created, versions_created=counts.versions_created,
        versions_ready=counts.versions_ready, versions_failed=counts.versions_failed, approvals=approvals,
        rejections=counts.decisions.get("reject", 0), regenerations=counts.decisions.get("regenerate", 0),
        approval_rate=approvals / decisions if decisions else None, published=counts.published,
        publications_failed=counts.publications_failed, withdrawn=counts.withdrawn,
        metrics={metric: gained.get(metric, 0.0) for metric in Metric},
    )  # fmt: skip
