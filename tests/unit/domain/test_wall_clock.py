from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from video_manager.domain.publication import instant_of
from video_manager.errors import InvalidInput


@pytest.mark.parametrize(
    ("local", "zone", "instant"),
    [
        ("2026-06-01T12:00", "Europe/Berlin", "2026-06-01T10:00:00+00:00"),
        ("2026-03-29T02:30", "Europe/Berlin", "2026-03-29T01:00:00+00:00"),  # skipped: the clock goes 02:00 -> 03:00
        ("2026-03-29T02:00", "Europe/Berlin", "2026-03-29T01:00:00+00:00"),
        ("2026-10-25T02:30", "Europe/Berlin", "2026-10-25T00:30:00+00:00"),  # twice: the first
        ("2026-10-04T02:15", "Australia/Lord_Howe", "2026-10-03T15:30:00+00:00"),  # a gap of half an hour
        ("2011-12-30T12:00", "Pacific/Apia", "2011-12-30T10:00:00+00:00"),  # a whole day was skipped
        ("2026-11-22T12:00", "Asia/Kathmandu", "2026-11-22T06:15:00+00:00"),
    ],
)
def test_a_wall_clock_time_is_one_instant(local: str, zone: str, instant: str) -> None:
    assert instant_of(local, zone) == datetime.fromisoformat(instant)


@pytest.mark.parametrize(
    ("local", "zone", "field"),
    [
        ("2026-06-01T12:00", "Europe/Nowhere", "zone"),
        ("2026-06-01T12:00", "../../etc/passwd", "zone"),
        ("2026-06-01T12:00", "Europe", "zone"),
        ("2026-06-01T12:00", "", "zone"),
        ("tomorrow", "UTC", "local"),
        ("2026-06-01T12:00Z", "UTC", "local"),
        ("0001-01-01T00:00", "Asia/Tokyo", "local"),
    ],
)
def test_a_wrong_wall_clock_time_names_its_field(local: str, zone: str, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        instant_of(local, zone)
    assert [error.field for error in caught.value.errors] == [field]


ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Casablanca", "UTC")


@given(
    local=st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2037, 1, 1)).map(  # noqa: DTZ001 - wall clock
        lambda value: value.replace(microsecond=0)
    ),
    zone=st.sampled_from(ZONES),
)
def test_it_is_the_first_instant_at_which_the_clock_has_reached_the_time(local: datetime, zone: str) -> None:
    place = ZoneInfo(zone)
    found = instant_of(local, zone)
    assert found.tzinfo is UTC
    assert found.astimezone(place).replace(tzinfo=None) >= local
    assert (found - timedelta(seconds=1)).astimezone(place).replace(tzinfo=None) < local
