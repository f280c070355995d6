"""Publications as CSV. Spreadsheets run cells that begin like a formula: those get an apostrophe before them."""

import csv
import io
from collections.abc import Iterable, Iterator

from video_manager.analytics.views import PublicationRow
from video_manager.domain.metrics import Metric

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - wide ones run too
_COLUMNS = (
    "publication_id", "video_id", "version", "title", "platform", "channel_id", "url", "published_at", "withdrawn_at",
    "generator", "seed", "created_by", "as_of",
)  # fmt: skip


def csv_lines(rows: Iterable[PublicationRow]) -> Iterator[str]:
    """A header, then a line each; every option of any row is a column."""
    rows = list(rows)
    options = sorted({path for row in rows for path in row.options})
    yield _line([*_COLUMNS, *(str(metric) for metric in Metric), *(f"option:{path}" for path in options)])
    for row in rows:
        facts = row.model_dump(mode="json")
        numbers = [row.values.get(metric, "") for metric in Metric]
        yield _line(
            [*(safe_cell(facts[name]) for name in _COLUMNS), *numbers]
            + [safe_cell(row.options.get(path, "")) for path in options]
        )


def safe_cell(value: object) -> object:
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA_STARTS):
        return f"'{value}"
    return "" if value is None else value


def _line(cells: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
