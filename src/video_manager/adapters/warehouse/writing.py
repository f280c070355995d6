"""Facts into rows: upserts in which what is known stays, and what is new is added."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import Table, delete, func
from sqlalchemy.ext.asyncio import AsyncConnection

from video_manager.adapters.warehouse import tables
from video_manager.analytics.warehouse_port import SLOT_SECONDS, Facts, SnapshotRow, VersionRow

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite


async def write_facts(connection: AsyncConnection, facts: Facts) -> None:
    await _upsert(connection, tables.versions, [_version(row) for row in facts.versions])
    await _upsert(connection, tables.version_options, list(_options(facts.versions)))
    await _upsert(connection, tables.deleted_videos, [asdict(row) for row in facts.deleted_videos])
    await _upsert(connection, tables.reviews, [asdict(row) for row in facts.reviews])
    await _upsert(connection, tables.publications, [asdict(row) for row in facts.publications])
    await _upsert(connection, tables.metric_snapshots, [_snapshot(row) for row in facts.snapshots])
    await _upsert(connection, tables.latest_values, _latest(facts.snapshots))


async def clear(connection: AsyncConnection) -> None:
    for table in tables.FACT_TABLES:
        await connection.execute(delete(table))


async def _upsert(connection: AsyncConnection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """In the order of the keys: two processes that write the same rows then wait for each other, but never both."""
    keys = [column.name for column in table.primary_key.columns]
    if rows:
        ordered = sorted(rows, key=lambda row: [row[key] for key in keys])
        await connection.execute(_statement(connection.dialect.name, table), [_storable(row) for row in ordered])


def _storable(row: dict[str, Any]) -> dict[str, Any]:
    """PostgreSQL's texts have no NUL."""
    return {name: value.replace("\0", "") if isinstance(value, str) else value for name, value in row.items()}


def _statement(dialect: str, table: Table) -> "sqlite.Insert | postgresql.Insert":
    keys = [column.name for column in table.primary_key.columns]
    insert = _insert(dialect, table)
    changes = {
        column.name: func.coalesce(insert.excluded[column.name], column)
        for column in table.columns
        if column.name not in keys
    }
    older = insert.excluded.as_of >= table.c.as_of if table is tables.latest_values else None
    return insert.on_conflict_do_update(index_elements=keys, set_=changes, where=older)


def _insert(dialect: str, table: Table) -> "sqlite.Insert | postgresql.Insert":
    # Only the dialect that is used: PostgreSQL's takes as long to load as a tenth of SQLAlchemy.
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - see above

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite  # noqa: PLC0415 - see above

    return sqlite.insert(table)


def _version(row: VersionRow) -> dict[str, Any]:
    values = asdict(row)
    del values["options"]
    return values


def _options(rows: Iterable[VersionRow]) -> Iterable[dict[str, Any]]:
    for row in rows:
        for path, value in row.options:
            yield {"video_id": row.video_id, "version": row.version, "path": path[:300], "value": value}


def _snapshot(row: SnapshotRow) -> dict[str, Any]:
    slot = int(row.as_of.timestamp() // SLOT_SECONDS)
    return {
        "publication_id": row.publication_id, "metric": str(row.metric), "as_of": row.as_of, "slot": slot,
        "value": float(row.value),
    }  # fmt: skip


def _latest(rows: Iterable[SnapshotRow]) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], SnapshotRow] = {}
    for row in rows:
        known = found.get((row.publication_id, row.metric))
        if known is None or row.as_of >= known.as_of:
            found[row.publication_id, row.metric] = row
    return [
        {"publication_id": id, "metric": str(metric), "as_of": row.as_of, "value": float(row.value)}
        for (id, metric), row in found.items()
    ]
