"""The last stated value of each publication and metric in a table of its own: a page of publications no longer reads
every snapshot there is."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

FILL = """
insert into latest_values (publication_id, metric, as_of, value)
select publication_id, metric, as_of, value from (
  select publication_id, metric, as_of, value,
         row_number() over (partition by publication_id, metric order by as_of desc) as place
  from metric_snapshots
) as placed where place = 1
"""


def upgrade() -> None:
    def identifier(length: int) -> sa.String:
        return sa.String(length).with_variant(sa.Text(collation="C"), "postgresql")

    op.create_table(
        "latest_values",
        sa.Column("publication_id", identifier(64), primary_key=True),
        sa.Column("metric", identifier(40), primary_key=True),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("value", sa.Float, nullable=False),
    )
    op.execute(FILL)
