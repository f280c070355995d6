"""The schema of the first release, which made its tables without Alembic."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table("warehouse_schema", sa.Column("version", sa.Integer, primary_key=True))
    op.create_table(
        "versions",
        sa.Column("video_id", sa.String(64), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("title", sa.Text),
        sa.Column("generator", sa.String(100), index=True),
        sa.Column("seed", sa.Text),
        sa.Column("created_by", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), index=True),
        sa.Column("ready_at", sa.DateTime(timezone=True), index=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), index=True),
    )
    op.create_table(
        "version_options",
        sa.Column("video_id", sa.String(64), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("path", sa.String(300), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "deleted_videos",
        sa.Column("video_id", sa.String(64), primary_key=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "reviews",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("video_id", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("decision", sa.String(40), nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False, index=True),
    )
    op.create_index("reviews_of_version", "reviews", ["video_id", "version"])
    _publications()


def _publications() -> None:
    op.create_table(
        "publications",
        sa.Column("publication_id", sa.String(64), primary_key=True),
        sa.Column("video_id", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("channel_id", sa.String(64), nullable=False),
        sa.Column("platform", sa.String(100), nullable=False),
        sa.Column("title", sa.Text),
        sa.Column("external_id", sa.Text),
        sa.Column("url", sa.Text),
        sa.Column("published_at", sa.DateTime(timezone=True), index=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), index=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), index=True),
    )
    op.create_table(
        "metric_snapshots",
        sa.Column("publication_id", sa.String(64), primary_key=True),
        sa.Column("metric", sa.String(40), primary_key=True),
        sa.Column("as_of", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("slot", sa.BigInteger, nullable=False),
        sa.Column("value", sa.Float, nullable=False),
    )
    op.create_index("snapshots_by_slot", "metric_snapshots", ["metric", "slot"])
