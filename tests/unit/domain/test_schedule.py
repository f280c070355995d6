"""Slots on the clocks of the world, and the first moment that keeps distances and caps, against brute force."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from video_manager.domain.schedule import (
    Hold,
    Limits,
    MissedRule,
    Opening,
    Others,
    Pace,
    PostingPolicy,
    PostingSlot,
    Weekday,
    free_slot,
    slot_times,
)  # fmt: skip

T = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def policy(zone: str, *slots: str, **more: object) -> PostingPolicy:
    """Slots as `sun 02:30`."""
    made = [PostingSlot(weekday=Weekday(day), time=time) for day, time in (slot.split() for slot in slots)]
    return PostingPolicy(zone=zone, slots=tuple(made), **more)  # type: ignore[arg-type]


def first(found: PostingPolicy, after: str, count: int = 3) -> list[str]:
    times = slot_times(found, datetime.fromisoformat(after))
    return [next(times).at.strftime("%Y-%m-%dT%H:%MZ") for _ in range(count)]


# ---- slots ------------------------------------------------------------------------------------------------


def test_slots_come_every_week_on_the_clock_of_the_zone() -> None:
    berlin = policy("Europe/Berlin", "mon 18:00", "thu 09:30")
    assert first(berlin, "2026-10-22T00:00+00:00") == ["2026-10-22T07:30Z", "2026-10-26T17:00Z", "2026-10-29T08:30Z"]
    slot = next(slot_times(berlin, datetime.fromisoformat("2026-10-25T00:00+00:00")))
    assert slot.written == "2026-10-26T18:00 Europe/Berlin"


@pytest.mark.parametrize(
    ("zone", "slot", "after", "expected"),
    [
        ("Europe/Berlin", "sun 02:30", "2026-03-28T00:00+00:00", "2026-03-29T01:00Z"),  # skipped: at 03:00
        ("Europe/Berlin", "sun 02:30", "2026-10-24T00:00+00:00", "2026-10-25T00:30Z"),  # twice: the first
        ("Europe/Berlin", "sun 02:30", "2026-10-25T00:30+00:00", "2026-11-01T01:30Z"),  # ... and only that
        ("America/New_York", "sun 02:00", "2026-03-07T12:00+00:00", "2026-03-08T07:00Z"),
        ("America/New_York", "sun 01:15", "2026-10-31T12:00+00:00", "2026-11-01T05:15Z"),
        ("Australia/Lord_Howe", "sun 02:15", "2026-10-03T00:00+00:00", "2026-10-03T15:30Z"),  # a gap of half an hour
        ("Australia/Lord_Howe", "sun 01:45", "2026-04-04T00:00+00:00", "2026-04-04T14:45Z"),  # half an hour twice
        ("Asia/Kathmandu", "wed 00:00", "2026-11-23T12:00+00:00", "2026-11-24T18:15Z"),
    ],
)
def test_slots_on_days_when_the_clock_changes(zone: str, slot: str, after: str, expected: str) -> None:
    assert first(policy(zone, slot), after, 1) == [expected]


def test_slots_that_fall_together_are_one() -> None:
    """02:00, 02:30 and 03:00 are the same instant on the day that skips the hour."""
    night = policy("Europe/Berlin", "sun 02:00", "sun 02:30", "sun 03:00", "sun 03:15")
    assert first(night, "2026-03-28T12:00+00:00", 3) == ["2026-03-29T01:00Z", "2026-03-29T01:15Z", "2026-04-05T00:00Z"]


@given(
    zone=st.sampled_from(
        ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Cairo"]
    ),
    slots=st.sets(st.tuples(st.sampled_from(list(Weekday)), st.integers(0, 95)), min_size=1, max_size=6),
    day=st.integers(0, 364),
)
@settings(max_examples=60, deadline=None)
def test_slots_are_what_a_wall_clock_shows_minute_by_minute(
    zone: str, slots: set[tuple[Weekday, int]], day: int
) -> None:
    """Looking at the clock every quarter of an hour for nine days finds the same slots in the same order."""
    wanted = {(list(Weekday).index(weekday), quarter // 4, quarter % 4 * 15) for weekday, quarter in slots}
    made = policy(zone, *(f"{weekday} {quarter // 4:02}:{quarter % 4 * 15:02}" for weekday, quarter in slots))
    after, place = datetime(2026, 1, 1, tzinfo=UTC) + day * DAY, ZoneInfo(zone)
    seen: list[datetime] = []
    shown_before, walls = after.astimezone(place).replace(tzinfo=None), set()
    for step in range(1, 9 * 24 * 4):
        at = after + step * 15 * MINUTE
        wall = at.astimezone(place).replace(tzinfo=None)
        passed = [
            shown_before + quarter * 15 * MINUTE for quarter in range(1, int((wall - shown_before) / (15 * MINUTE)) + 1)
        ]
        if any((one.weekday(), one.hour, one.minute) in wanted and one not in walls for one in passed):
            seen.append(at)
        walls.update(passed)
        shown_before = max(shown_before, wall)
    # What the clock had shown just before the look began is not seen a second time here.
    found = [slot.at for slot, _ in zip(slot_times(made, after), range(len(seen)), strict=False)]
    assert found == seen


def test_a_free_slot_is_one_at_which_nothing_else_goes_out() -> None:
    daily = policy("UTC", *(f"{day} 18:00" for day in Weekday), min_distance_minutes=60, max_per_day=1)
    evening = T.replace(hour=18)
    taken = {evening, evening + DAY + 30 * MINUTE, evening + 2 * DAY - 10 * HOUR}
    slot = free_slot(daily, Limits.of(daily, Pace()), T, taken)
    assert slot is not None
    assert slot.at == evening + 3 * DAY
    assert free_slot(daily, Limits(), T, {evening + day * DAY for day in range(367)}) is None


# ---- distances and caps -------------------------------------------------------------------------------------


@given(
    others=st.lists(st.integers(-3000, 3000), max_size=14),
    distance=st.sampled_from([0, 1, 30, 60, 200]),
    per_day=st.one_of(st.none(), st.integers(1, 4)),
    per_24_hours=st.one_of(st.none(), st.integers(1, 4)),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"]),
    base=st.sampled_from([T, datetime(2026, 3, 28, 22, 0, tzinfo=UTC), datetime(2026, 10, 24, 22, 0, tzinfo=UTC)]),
)
@settings(max_examples=150, deadline=None)
def test_an_opening_is_the_first_minute_that_breaks_nothing(
    others: list[int], distance: int, per_day: int | None, per_24_hours: int | None, zone: str, base: datetime
) -> None:
    limits = Limits(distance * MINUTE, per_day, per_24_hours, zone)
    there = [base + minute * MINUTE for minute in others]
    found = Others(there, limits).opening(base)
    brute = base
    while _breaks(brute, there, limits):
        brute += MINUTE
    assert found.at == brute
    assert (found.hold is None) == (found.at == base)


def _breaks(at: datetime, others: Sequence[datetime], limits: Limits) -> bool:
    place = ZoneInfo(limits.zone)
    if any(abs(at - other) < limits.distance for other in others):
        return True
    same_day = [other for other in others if other.astimezone(place).date() == at.astimezone(place).date()]
    if limits.per_day is not None and len(same_day) >= limits.per_day:
        return True
    every = sorted([*others, at])
    if limits.per_24_hours is None:
        return False
    windows = ([one for one in every if start <= one < start + DAY] for start in every)
    return any(at in window and len(window) > limits.per_24_hours for window in windows)


def test_the_stricter_of_channel_and_platform_holds() -> None:
    limits = Limits.of(policy("UTC", min_distance_minutes=10, max_per_day=3), Pace(max_per_24_hours=15))
    assert limits == Limits(10 * MINUTE, 3, 15, "UTC")
    assert Limits.of(policy("UTC"), Pace(min_distance_minutes=5)).distance == 5 * MINUTE
    assert not Limits.of(policy("UTC"), Pace())
    assert Others([T, T + HOUR], Limits(per_24_hours=2)).opening(T + 2 * HOUR) == Opening(T + DAY, Hold.PLATFORM)


def test_what_the_reason_says() -> None:
    limits = Limits(90 * MINUTE, 3, 15, "Asia/Tokyo")
    assert limits.words(Hold.DISTANCE) == "this channel posts at least 90 minutes apart"
    assert limits.words(Hold.DAY) == "this channel posts at most 3 a day (Asia/Tokyo)"
    assert limits.words(Hold.PLATFORM) == "the platform takes at most 15 posts in 24 hours"


@pytest.mark.parametrize(
    "wrong",
    [
        {"zone": "Mars/Olympus"},
        {"slots": [{"weekday": "mon", "time": "24:00"}]},
        {"slots": [{"weekday": "monday", "time": "12:00"}]},
        {"slots": [{"weekday": "mon", "time": "12:00"}] * 2},
        {"missed": "next_slot"},
        {"min_distance_minutes": -1},
        {"max_per_day": 0},
        {"grace_minutes": 10**6},
        {"colour": "red"},
    ],
)
def test_a_policy_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PostingPolicy.model_validate(wrong)


def test_the_defaults_hold_nothing_back() -> None:
    default = PostingPolicy()
    assert (default.missed, default.grace_minutes, default.slots) == (MissedRule.PUBLISH_NOW, 30, ())
    assert not Limits.of(default, Pace())
