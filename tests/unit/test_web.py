"""What every route shares."""

import pytest

from video_manager.errors import InvalidInput
from video_manager.web import expected_revision


@pytest.mark.parametrize(
    ("header", "revision"), [(None, None), ("*", None), ('"7"', 7), ('W/"12"', 12), (" 3 ", 3), ("0", 0)]
)
def test_the_revision_of_an_etag(header: str | None, revision: int | None) -> None:
    assert expected_revision(header) == revision


@pytest.mark.parametrize(
    "header", ["", '"seven"', '"-1"', '"²"', '"٣"', '"' + "9" * 5000 + '"', '"9223372036854775808"']
)
def test_what_is_no_etag_of_ours_is_wrong_input(header: str) -> None:
    with pytest.raises(InvalidInput, match="If-Match"):
        expected_revision(header)
