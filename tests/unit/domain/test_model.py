"""What no domain object takes in, because no store could hold it."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from video_manager.domain.model import Frozen, Instant
from video_manager.domain.video import CheckReport
from video_manager.manager.requests import NewComment


class Moment(Frozen):
    at: Instant


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_numbers_without_an_end_are_refused(number: float) -> None:
    with pytest.raises(ValidationError, match="finite"):
        CheckReport(measured={"integrated_lufs": number})
    with pytest.raises(ValidationError, match="finite"):
        NewComment(text="here", at_seconds=number)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00"])
def test_times_that_have_no_utc_are_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="out of range"):
        Moment.model_validate({"at": text})
    assert Moment.model_validate({"at": "2026-11-22T15:00:00+01:00"}).at == datetime(2026, 11, 22, 14, tzinfo=UTC)


def test_times_need_a_zone() -> None:
    with pytest.raises(ValidationError, match="needs a zone"):
        Moment.model_validate({"at": "2026-11-22T15:00:00"})
