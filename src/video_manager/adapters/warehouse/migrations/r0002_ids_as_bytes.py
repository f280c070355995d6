"""PostgreSQL compares ids by their bytes, as SQLite does and Python: by a language's rules their order would change
from server to server, and its index would be slower."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

IDENTIFIERS = {
    "versions": {"video_id": 64, "generator": 100},
    "version_options": {"video_id": 64, "path": 300},
    "deleted_videos": {"video_id": 64},
    "reviews": {"id": 64, "video_id": 64, "decision": 40},
    "publications": {"publication_id": 64, "video_id": 64, "channel_id": 64, "platform": 100},
    "metric_snapshots": {"publication_id": 64, "metric": 40},
}


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, columns in IDENTIFIERS.items():
        with op.batch_alter_table(table) as altered:
            for name, length in columns.items():
                altered.alter_column(name, type_=sa.String(length, collation="C"))
