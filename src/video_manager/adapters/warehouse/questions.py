"""The dashboard's questions in SQL that SQLite and PostgreSQL both understand."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Subquery, and_, case, distinct, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from video_manager.adapters.warehouse.tables import (
    deleted_videos,
    latest_values,
    metric_snapshots,
    publications,
    reviews,
    version_options,
    versions,
)  # fmt: skip
from video_manager.analytics.warehouse_port import (
    SLOT_SECONDS,
    Counts,
    PublicationNumbers,
    PublicationOrigin,
    PublicationsQuery,
    Sample,
    SlotPeak,
)  # fmt: skip
from video_manager.domain.metrics import Metric

_IN_BATCH = 500
"""Ids in one `in` list; SQLite and PostgreSQL limit bound parameters."""


async def counts(connection: AsyncConnection, start: datetime, end: datetime) -> Counts:
    def within(column: ColumnElement[Any]) -> ColumnElement[bool]:
        return and_(column >= start, column < end)

    async def number(statement: Select[Any]) -> int:
        return int(await connection.scalar(statement) or 0)

    decisions = await connection.execute(
        select(reviews.c.decision, func.count()).where(within(reviews.c.decided_at)).group_by(reviews.c.decision)
    )
    created, ready, failed = versions.c.created_at, versions.c.ready_at, versions.c.failed_at
    first = versions.c.version == 1
    ended_badly = and_(within(failed), or_(ready.is_(None), ready < failed))
    return Counts(
        videos_created=await number(select(func.count(distinct(versions.c.video_id))).where(within(created), first)),
        versions_created=await number(select(func.count()).select_from(versions).where(within(created))),
        versions_ready=await number(select(func.count()).select_from(versions).where(within(ready))),
        versions_failed=await number(select(func.count()).select_from(versions).where(ended_badly)),
        decisions={row[0]: int(row[1]) for row in decisions},
        published=await number(_count_publications(within(publications.c.published_at))),
        publications_failed=await number(
            _count_publications(within(publications.c.failed_at), publications.c.published_at.is_(None))
        ),
        withdrawn=await number(_count_publications(within(publications.c.withdrawn_at))),
    )


def _count_publications(*where: ColumnElement[bool]) -> Select[Any]:
    return select(func.count()).select_from(publications).where(*where)


async def waiting_for_review(connection: AsyncConnection) -> int:
    decided = select(reviews.c.id).where(
        reviews.c.video_id == versions.c.video_id, reviews.c.version == versions.c.version
    )
    newer = versions.alias("newer")
    followed = select(newer.c.version).where(
        newer.c.video_id == versions.c.video_id, newer.c.version > versions.c.version
    )
    deleted = select(deleted_videos.c.video_id).where(deleted_videos.c.video_id == versions.c.video_id)
    statement = (
        select(func.count())
        .select_from(versions)
        .where(versions.c.ready_at.is_not(None), ~decided.exists(), ~followed.exists(), ~deleted.exists())
    )
    return int(await connection.scalar(statement) or 0)


# ---- metrics ----------------------------------------------------------------------------------------------


async def peaks_before(connection: AsyncConnection, moments: Sequence[datetime]) -> dict[Metric, tuple[float, ...]]:
    table = metric_snapshots
    peaks = [
        func.max(case((table.c.as_of < moment, table.c.value))).label(f"peak_{index}")
        for index, moment in enumerate(moments)
    ]
    inner = select(table.c.metric, *peaks).group_by(table.c.publication_id, table.c.metric).subquery()
    sums = [func.coalesce(func.sum(inner.c[f"peak_{index}"]), 0.0) for index in range(len(moments))]
    rows = await connection.execute(select(inner.c.metric, *sums).group_by(inner.c.metric))
    return {Metric(row[0]): tuple(float(value) for value in row[1:]) for row in rows}


async def last_as_of(connection: AsyncConnection) -> datetime | None:
    found: datetime | None = await connection.scalar(select(func.max(latest_values.c.as_of)))
    return found


async def publication_peaks(connection: AsyncConnection, metric: Metric, before: datetime) -> dict[str, float]:
    table = metric_snapshots
    rows = await connection.execute(
        select(table.c.publication_id, func.max(table.c.value))
        .where(table.c.metric == str(metric), table.c.as_of < before)
        .group_by(table.c.publication_id)
    )
    return {row[0]: float(row[1]) for row in rows}


async def slot_peaks(connection: AsyncConnection, metric: Metric, start: datetime, end: datetime) -> list[SlotPeak]:
    table = metric_snapshots
    first, last = (int(moment.timestamp() // SLOT_SECONDS) for moment in (start, end))
    rows = await connection.execute(
        select(table.c.publication_id, table.c.slot, func.max(table.c.value))
        .where(table.c.metric == str(metric), table.c.slot >= first, table.c.slot < last)
        .group_by(table.c.publication_id, table.c.slot)
        .order_by(table.c.slot, table.c.publication_id)
    )
    return [SlotPeak(row[0], datetime.fromtimestamp(row[1] * SLOT_SECONDS, UTC), float(row[2])) for row in rows]


def _latest_values(metrics: Iterable[Metric]) -> Subquery:
    """One row a publication: the last stated value of each metric, and when the last of them was stated."""
    table = latest_values
    values = [
        func.max(case((table.c.metric == str(metric), table.c.value))).label(str(metric)) for metric in metrics
    ]  # fmt: skip
    return (
        select(table.c.publication_id, func.max(table.c.as_of).label("as_of"), *values)
        .group_by(table.c.publication_id)
        .subquery()
    )


# ---- publications -----------------------------------------------------------------------------------------


async def origins(connection: AsyncConnection) -> dict[str, PublicationOrigin]:
    joined = publications.outerjoin(versions, _same_version(publications))
    columns = (publications.c.publication_id, publications.c.platform, publications.c.channel_id, versions.c.generator)
    rows = await connection.execute(select(*columns).select_from(joined))
    return {row[0]: PublicationOrigin(row[1], row[2], row[3]) for row in rows}


async def find_publications(connection: AsyncConnection, query: PublicationsQuery) -> list[PublicationNumbers]:
    latest = _latest_values(Metric)
    joined = publications.outerjoin(latest, latest.c.publication_id == publications.c.publication_id).outerjoin(
        versions, _same_version(publications)
    )
    published = publications.c.published_at
    by: ColumnElement[Any] = published if query.sort is None else func.coalesce(latest.c[str(query.sort)], 0.0)
    statement = (
        select(
            publications, versions.c.title.label("version_title"), versions.c.generator, versions.c.seed,
            versions.c.created_by, latest.c.as_of, *(latest.c[str(metric)] for metric in Metric),
        )
        .select_from(joined)
        .where(published >= query.start, published < query.end)
    )  # fmt: skip
    id = publications.c.publication_id
    if query.after is not None:
        value: Any = query.after[0] if query.sort is not None else datetime.fromtimestamp(query.after[0], UTC)
        beyond, id_beyond = (by < value, id < query.after[1]) if query.descending else (by > value, id > query.after[1])
        statement = statement.where(or_(beyond, and_(by == value, id_beyond)))
    order = (by.desc(), id.desc()) if query.descending else (by.asc(), id.asc())
    rows = (await connection.execute(statement.order_by(*order).limit(query.limit))).all()
    options = await _options(connection, {(row.video_id, row.version) for row in rows})
    return [_numbers(row, options.get((row.video_id, row.version), {})) for row in rows]


def _numbers(row: Row[Any], options: dict[str, str]) -> PublicationNumbers:
    stated = {metric: row._mapping[str(metric)] for metric in Metric}  # noqa: SLF001 - the public name of the mapping
    return PublicationNumbers(
        publication_id=row.publication_id, video_id=row.video_id, version=row.version,
        title=row.title or row.version_title or "", channel_id=row.channel_id, platform=row.platform, url=row.url,
        published_at=row.published_at, withdrawn_at=row.withdrawn_at, generator=row.generator, seed=row.seed,
        created_by=row.created_by, options=options,
        values={metric: float(value) for metric, value in stated.items() if value is not None}, as_of=row.as_of,
    )  # fmt: skip


async def samples(connection: AsyncConnection, metric: Metric, generator: str | None) -> list[Sample]:
    latest = _latest_values([metric])
    value = latest.c[str(metric)]
    joined = publications.join(latest, latest.c.publication_id == publications.c.publication_id).join(
        versions, _same_version(publications)
    )
    statement = (
        select(
            publications.c.publication_id, publications.c.video_id, publications.c.version, versions.c.generator, value
        )
        .select_from(joined)
        .where(value.is_not(None), versions.c.generator.is_not(None))
        .order_by(publications.c.publication_id)
    )
    if generator is not None:
        statement = statement.where(versions.c.generator == generator)
    rows = (await connection.execute(statement)).all()
    options = await _options(connection, {(row.video_id, row.version) for row in rows})
    return [
        Sample(row.publication_id, row.generator, options.get((row.video_id, row.version), {}), float(row[4]))
        for row in rows
    ]


def _same_version(table: Any) -> ColumnElement[bool]:
    return and_(versions.c.video_id == table.c.video_id, versions.c.version == table.c.version)


async def _options(connection: AsyncConnection, wanted: set[tuple[str, int]]) -> dict[tuple[str, int], dict[str, str]]:
    found: dict[tuple[str, int], dict[str, str]] = {}
    video_ids = sorted({video_id for video_id, _ in wanted})
    for begin in range(0, len(video_ids), _IN_BATCH):
        batch = video_ids[begin : begin + _IN_BATCH]
        rows = await connection.execute(select(version_options).where(version_options.c.video_id.in_(batch)))
        for row in rows:
            if (row.video_id, row.version) in wanted:
                found.setdefault((row.video_id, row.version), {})[row.path] = row.value
    return found
