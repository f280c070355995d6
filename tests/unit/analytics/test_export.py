"""CSV that a spreadsheet can open without running anything."""

import csv
from datetime import UTC, datetime

import pytest

from video_manager.analytics.export import csv_lines, safe_cell
from video_manager.analytics.views import PublicationRow
from video_manager.domain.metrics import Metric

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def row(id: str, title: str, **options: str) -> PublicationRow:
    return PublicationRow(
        publication_id=id, video_id="v", version=1, title=title, channel_id="c", platform="site", url=None,
        published_at=NOON, withdrawn_at=None, generator="story", seed="7", created_by="u", options=options,
        values={Metric.VIEWS: 3.0}, as_of=NOON,
    )  # fmt: skip


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\uff1d1"])
def test_formulas_are_defused(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["One = two", "", 5, -5.0])
def test_the_rest_stays_as_it_is(value: object) -> None:
    assert safe_cell(value) == value


def test_every_option_is_a_column_and_every_text_survives() -> None:
    lines = list(csv_lines([row("p1", '=HYPERLINK("x"), "quoted"\nsecond', voice="amy"), row("p2", "Two", mood="-")]))
    first, second = csv.DictReader("".join(lines).splitlines(keepends=True))
    assert first["title"] == '\'=HYPERLINK("x"), "quoted"\nsecond'
    assert (first["views"], first["likes"], first["option:voice"], first["option:mood"]) == ("3.0", "", "amy", "")
    assert (second["option:mood"], second["published_at"]) == ("'-", "2026-11-22T12:00:00Z")
