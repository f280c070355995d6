"""PostgreSQL compares ids by their bytes, as SQLite does and Python: by a language's rules their order would change
from server to server, and its index would be slower. As SQLite, it takes any length."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

IDENTIFIERS = {
    "versions": ["video_id", "generator"],
    "version_options": ["video_id", "path"],
    "deleted_videos": ["video_id"],
    "reviews": ["id", "video_id", "decision"],
    "publications": ["publication_id", "video_id", "channel_id", "platform"],
    "metric_snapshots": ["publication_id", "metric"],
}


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, columns in IDENTIFIERS.items():
        for name in columns:
            op.alter_column(table, name, type_=sa.Text(collation="C"))
