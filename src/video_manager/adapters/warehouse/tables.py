"""The warehouse's tables. Foreign keys are left out on purpose: facts may arrive in any order."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Dialect, Float, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.types import TypeDecorator

SCHEMA_VERSION = 3
"""Of the newest revision in migrations/. A change of the tables below needs a new revision there."""


class UtcInstant(TypeDecorator[datetime]):
    """An aware time. SQLite knows no zones: there it is stored as UTC without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: Any, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        found: datetime = value
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def identifier(length: int) -> String:
    """Compared by its bytes on every database, whatever language it was made for. No database checks the length: a
    payload that is too long for its column would keep the others from being loaded."""
    return String(length).with_variant(Text(collation="C"), "postgresql")


metadata = MetaData()

warehouse_schema = Table("warehouse_schema", metadata, Column("version", Integer, primary_key=True))

versions = Table(
    "versions", metadata,
    Column("video_id", identifier(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("title", Text),
    Column("generator", identifier(100), index=True),
    Column("seed", Text),
    Column("created_by", Text),
    Column("created_at", UtcInstant, index=True),
    Column("ready_at", UtcInstant, index=True),
    Column("failed_at", UtcInstant, index=True),
)  # fmt: skip

version_options = Table(
    "version_options", metadata,
    Column("video_id", identifier(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("path", identifier(300), primary_key=True),
    Column("value", Text, nullable=False),
)  # fmt: skip

deleted_videos = Table(
    "deleted_videos", metadata,
    Column("video_id", identifier(64), primary_key=True),
    Column("deleted_at", UtcInstant, nullable=False),
)  # fmt: skip

reviews = Table(
    "reviews", metadata,
    Column("id", identifier(64), primary_key=True),
    Column("video_id", identifier(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("decision", identifier(40), nullable=False),
    Column("author", Text, nullable=False),
    Column("decided_at", UtcInstant, nullable=False, index=True),
    Index("reviews_of_version", "video_id", "version"),
)  # fmt: skip

publications = Table(
    "publications", metadata,
    Column("publication_id", identifier(64), primary_key=True),
    Column("video_id", identifier(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("channel_id", identifier(64), nullable=False),
    Column("platform", identifier(100), nullable=False),
    Column("title", Text),
    Column("external_id", Text),
    Column("url", Text),
    Column("published_at", UtcInstant, index=True),
    Column("failed_at", UtcInstant, index=True),
    Column("withdrawn_at", UtcInstant, index=True),
)  # fmt: skip

metric_snapshots = Table(
    "metric_snapshots", metadata,
    Column("publication_id", identifier(64), primary_key=True),
    Column("metric", identifier(40), primary_key=True),
    Column("as_of", UtcInstant, primary_key=True),
    # The quarter of an hour since 1970 in which as_of lies.
    Column("slot", BigInteger, nullable=False),
    Column("value", Float, nullable=False),
    Index("snapshots_by_slot", "metric", "slot"),
)  # fmt: skip

# Of each publication and metric the newest of metric_snapshots, written together with it.
latest_values = Table(
    "latest_values", metadata,
    Column("publication_id", identifier(64), primary_key=True),
    Column("metric", identifier(40), primary_key=True),
    Column("as_of", UtcInstant, nullable=False),
    Column("value", Float, nullable=False),
)  # fmt: skip

FACT_TABLES = (versions, version_options, deleted_videos, reviews, publications, metric_snapshots, latest_values)
