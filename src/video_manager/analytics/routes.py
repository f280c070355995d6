"""HTTP of analytics."""

from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from video_manager.analytics.export import csv_lines
from video_manager.analytics.service import AnalyticsService
from video_manager.analytics.views import (
    AnalyticsHealth,
    Attribution,
    Bucket,
    GroupBy,
    PublicationRow,
    Reloaded,
    Suggestions,
    Summary,
    TimeSeries,
)  # fmt: skip
from video_manager.domain.access import Actor
from video_manager.domain.metrics import Metric
from video_manager.domain.model import Instant
from video_manager.web import CurrentActor, Cursor, Items, Limit

MOST_EXPORTED = 10_000
_EXPORT_PAGE = 500

Start = Annotated[Instant | None, Query(description="First moment; default: 28 days before the end.")]
End = Annotated[Instant | None, Query(description="Moment after the last; default: now.")]
Zone = Annotated[str, Query(max_length=60, description="Whose calendar: Europe/Berlin, UTC.")]
Option = Annotated[str | None, Query(max_length=300, description="Dotted path, or `generator`; default: all.")]
Generator = Annotated[str | None, Query(max_length=100, description="Only publications made with it.")]
Sort = Annotated[Metric | Literal["published_at"], Query(description="By what to sort.")]
Order = Annotated[Literal["desc", "asc"], Query()]
Format = Annotated[Literal["json", "csv"], Query(description="`csv` sends the whole range as a file.")]


def router(service: AnalyticsService) -> APIRouter:
    """All routes of this service, without the `/api/v1` prefix."""
    routes = APIRouter(prefix="/analytics", tags=["analytics"])
    _add_numbers(routes, service)
    _add_publications(routes, service)
    _add_learning(routes, service)

    @routes.get("/health")
    async def health(actor: CurrentActor) -> AnalyticsHealth:
        return await service.health(actor)

    @routes.post("/reload")
    async def reload(actor: CurrentActor) -> Reloaded:
        """Make the warehouse again from the raw payloads."""
        return await service.reload(actor)

    return routes


def _add_numbers(routes: APIRouter, service: AnalyticsService) -> None:
    @routes.get("/summary")
    async def summary(actor: CurrentActor, start: Start = None, end: End = None) -> Summary:
        return await service.summary(actor, start, end)

    @routes.get("/timeseries")
    async def timeseries(
        actor: CurrentActor, metric: Metric = Metric.VIEWS, start: Start = None, end: End = None,
        bucket: Bucket = Bucket.DAY, zone: Zone = "UTC", group_by: GroupBy | None = None,
    ) -> TimeSeries:  # fmt: skip
        return await service.timeseries(
            actor, metric, start=start, end=end, bucket=bucket, zone=zone, group_by=group_by
        )


def _add_publications(routes: APIRouter, service: AnalyticsService) -> None:
    @routes.get("/publications", response_model=Items[PublicationRow])
    async def publications(
        actor: CurrentActor, start: Start = None, end: End = None, sort: Sort = "published_at", order: Order = "desc",
        cursor: Cursor = None, limit: Limit = 50, format: Format = "json",
    ) -> Items[PublicationRow] | StreamingResponse:  # fmt: skip
        by = None if sort == "published_at" else Metric(sort)
        descending = order == "desc"
        if format == "csv":
            rows = [row async for row in _all_rows(service, actor, start, end, by, descending=descending)]
            headers = {"Content-Disposition": 'attachment; filename="publications.csv"'}
            return StreamingResponse(csv_lines(rows), media_type="text/csv; charset=utf-8", headers=headers)
        page = await service.publications(
            actor, start=start, end=end, sort=by, descending=descending, cursor=cursor, limit=limit
        )
        return Items(items=list(page.items), next=page.next)


async def _all_rows(
    service: AnalyticsService, actor: Actor, start: Instant | None, end: Instant | None, sort: Metric | None, *,
    descending: bool,
) -> AsyncIterator[PublicationRow]:  # fmt: skip
    asked = service.range(start, end)
    cursor: str | None = None
    for _ in range(MOST_EXPORTED // _EXPORT_PAGE):
        page = await service.publications(
            actor, start=asked.start, end=asked.end, sort=sort, descending=descending, cursor=cursor,
            limit=_EXPORT_PAGE,
        )  # fmt: skip
        for row in page.items:
            yield row
        cursor = page.next
        if cursor is None:
            return


def _add_learning(routes: APIRouter, service: AnalyticsService) -> None:
    @routes.get("/attribution")
    async def attribution(
        actor: CurrentActor, metric: Metric = Metric.VIEWS, option: Option = None, generator: Generator = None
    ) -> Attribution:
        """Median and mean by option value, with the uncertainty of the mean."""
        return await service.attribution(actor, metric, option, generator)

    @routes.get("/suggestions")
    async def suggestions(
        actor: CurrentActor, generator: Annotated[str, Query(max_length=100)], metric: Metric = Metric.VIEWS
    ) -> Suggestions:
        """Options to try next, each with its reason."""
        return await service.suggestions(actor, generator, metric)
