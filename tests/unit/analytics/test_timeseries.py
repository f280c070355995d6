"""Buckets of a person's calendar, and increments that never fall."""

# ruff: noqa: DTZ001 - wall-clock times get their zone where they are used

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from video_manager.analytics.timeseries import buckets, build_series
from video_manager.analytics.views import Bucket
from video_manager.analytics.warehouse_port import SLOT_SECONDS, SlotPeak

BERLIN = ZoneInfo("Europe/Berlin")


def hours(spans: list[tuple[datetime, datetime]]) -> list[float]:
    return [(end - start).total_seconds() / 3600 for start, end in spans]


def days(zone: ZoneInfo, local: datetime, count: int) -> list[tuple[datetime, datetime]]:
    start = local.replace(tzinfo=zone)
    return buckets(start, start + timedelta(days=count), Bucket.DAY, zone)


def test_days_have_23_and_25_hours_when_the_clocks_change() -> None:
    spring = days(BERLIN, datetime(2026, 3, 28, 12), 2)
    autumn = days(BERLIN, datetime(2026, 10, 24, 12), 2)
    assert hours(spring) == [24, 23, 24]
    assert hours(autumn) == [24, 25, 24]
    assert spring[1][0] == datetime(2026, 3, 28, 23, tzinfo=UTC)


def test_hours_are_real_hours_also_when_one_is_repeated() -> None:
    start = datetime(2026, 10, 24, 23, 30, tzinfo=UTC)
    spans = buckets(start, start + timedelta(hours=4), Bucket.HOUR, BERLIN)
    assert [begin.astimezone(BERLIN).hour for begin, _ in spans] == [1, 2, 2, 3, 4]


def test_weeks_begin_on_monday() -> None:
    spans = buckets(datetime(2026, 11, 22, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC), Bucket.WEEK, BERLIN)
    assert [start.astimezone(BERLIN).strftime("%a %H:%M") for start, _ in spans] == ["Mon 00:00", "Mon 00:00"]
    assert len(spans) == 2


def test_a_midnight_that_does_not_exist_begins_the_day_at_one() -> None:
    beirut = ZoneInfo("Asia/Beirut")  # the clocks went forward at 00:00 on 2022-03-27
    spans = days(beirut, datetime(2022, 3, 26, 12), 2)
    assert [start.astimezone(beirut).strftime("%d %H:%M") for start, _ in spans] == ["26 00:00", "27 01:00", "28 00:00"]
    assert hours(spans) == [24, 23, 24]


MOMENTS = st.datetimes(datetime(2000, 1, 2), datetime(2037, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))


@given(st.sampled_from(sorted(available_timezones())), MOMENTS, st.sampled_from(Bucket))
def test_buckets_cover_the_range_without_gaps_in_whole_slots(name: str, start: datetime, bucket: Bucket) -> None:
    end = start + timedelta(days=15)
    spans = buckets(start, end, bucket, ZoneInfo(name))
    assert spans[0][0] <= start
    assert spans[-1][1] >= end
    assert all(before[1] == after[0] for before, after in pairwise(spans))
    assert all(begin < finish for begin, finish in spans)
    assert all(begin.timestamp() % SLOT_SECONDS == 0 for begin, _ in spans)


SPANS = buckets(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 8, tzinfo=UTC), Bucket.DAY, ZoneInfo("UTC"))
VALUES = st.floats(0, 1e9, allow_nan=False)
STATEMENTS = st.lists(st.tuples(st.sampled_from("pqr"), st.integers(0, 7 * 96 - 1), VALUES))


@given(STATEMENTS, st.dictionaries(st.sampled_from("pqr"), VALUES))
def test_increments_never_fall_and_end_at_the_highest_value_stated(
    statements: list[tuple[str, int, float]], before: dict[str, float]
) -> None:
    peaks: dict[tuple[str, int], float] = {}
    for id, slot, value in statements:
        peaks[id, slot] = max(value, peaks.get((id, slot), 0.0))
    ordered = sorted(peaks.items(), key=lambda item: item[0][1])
    slots = [SlotPeak(id, SPANS[0][0] + timedelta(seconds=slot * SLOT_SECONDS), value) for (id, slot), value in ordered]
    for series in build_series(SPANS, before, slots, str):
        highest = max([before.get(series.key, 0.0), *(one.peak for one in slots if one.publication_id == series.key)])
        assert all(point.increment >= 0 for point in series.points)
        assert series.points[-1].cumulative == pytest.approx(highest)
        total = before.get(series.key, 0.0)
        for point in series.points:
            total += point.increment
            assert point.cumulative == pytest.approx(total)
            reached = [one.peak for one in slots if one.publication_id == series.key and one.start < point.end]
            assert point.cumulative == pytest.approx(max([before.get(series.key, 0.0), *reached]))
