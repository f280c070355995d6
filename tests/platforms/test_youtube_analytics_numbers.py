"""The fake YouTube Analytics' numbers agree with each other, with the videos, and with the Data API."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.platforms.youtube_channel import AGES_DAYS, DELAY, NEWEST, RANKED, TODAY, Channel, opened

from video_manager.fakes.youtube_numbers import ZONE, days_of, statistics
from video_manager.fakes.youtube_videos import STATUS_DEFAULTS

EVERYTHING = (
    "views", "engagedViews", "likes", "dislikes", "comments", "shares", "subscribersGained", "subscribersLost",
    "estimatedMinutesWatched", "averageViewDuration", "averageViewPercentage",
)  # fmt: skip
SUMS = EVERYTHING[:-2]
COUNTS = ("viewCount", "likeCount", "commentCount")
DAYS = st.dates(date(2025, 8, 1), TODAY + DELAY)
VIDEOS = st.none() | st.lists(st.sampled_from([*AGES_DAYS, "private", "foreign", "unknown"]), min_size=1, unique=True)


@pytest.fixture(scope="module")
def channel() -> Iterator[Channel]:
    """One that no test changes."""
    with opened() as here:
        yield here


@pytest.fixture
def at() -> Iterator[Channel]:
    with opened() as here:
        yield here


@settings(max_examples=40, deadline=None)
@given(one=DAYS, other=DAYS, videos=VIDEOS)
def test_days_and_videos_add_up_to_the_totals(
    channel: Channel, one: date, other: date, videos: list[str] | None
) -> None:
    metrics = ",".join(EVERYTHING)
    query = {"startDate": min(one, other).isoformat(), "endDate": max(one, other).isoformat(), "metrics": metrics}
    if videos is not None:
        query["filters"] = f"video=={','.join(videos)}"
    totals = channel.rows(**query)
    days = channel.rows(**query, dimensions="day")
    ranked = channel.rows(**query, **RANKED)
    each = channel.rows(**{"filters": f"video=={','.join(AGES_DAYS)}", **query}, dimensions="video,day")
    assert bool(totals) == bool(days) == bool(ranked) == bool(each)
    for parts, dimensions in ((days, 1), (ranked, 1), (each, 2)):
        summed = [sum(column) for column in zip(*(row[dimensions:] for row in parts), strict=True)]
        assert summed[: len(SUMS)] == (totals[0][: len(SUMS)] if totals else [])
    for row in (*totals, *(row[1:] for row in days), *(row[1:] for row in ranked), *(row[2:] for row in each)):
        _check_row(dict(zip(EVERYTHING, row, strict=True)))
    for day in (*(row[0] for row in days), *(row[1] for row in each)):
        assert query["startDate"] <= day <= min(query["endDate"], NEWEST.isoformat())


def _check_row(row: Mapping[str, float]) -> None:
    assert row["views"] > 0
    assert all(value >= 0 for value in row.values())
    parts = ("engagedViews", "likes", "dislikes", "comments", "shares", "subscribersGained", "subscribersLost")
    assert all(row[part] <= row["views"] for part in parts)
    # The average is a whole number of seconds: half a second for each view is what rounding may take or add.
    assert abs(60 * row["estimatedMinutesWatched"] - row["views"] * row["averageViewDuration"]) <= row["views"] / 2
    assert row["averageViewPercentage"] <= 100


def test_the_newest_days_are_absent_until_their_time_comes(at: Channel) -> None:
    assert at.rows(dimensions="day")[-1][0] == NEWEST.isoformat()
    before = at.rows(dimensions="day")
    at.network.skew_seconds += 86400
    after = at.rows(dimensions="day")
    assert after[: len(before)] == before, "a day keeps its numbers"
    assert [row[0] for row in after[len(before) :]] == [(NEWEST + timedelta(days=1)).isoformat()]
    at.network.skew_seconds += 10 * 365 * 86400.0
    assert sum(at.column("views")) > sum(row[-1] for row in after)


def test_views_grow_with_the_days_since_publication(channel: Channel) -> None:
    totals = dict(channel.rows(**RANKED))
    for id, age in AGES_DAYS.items():
        born = TODAY - timedelta(days=age)
        growing = [
            sum(channel.column("views", filters=f"video=={id}", endDate=(born + timedelta(days=after)).isoformat()))
            for after in range(-1, 12)
        ]
        assert growing[0] == 0, "nothing before it was public"
        assert growing == sorted(growing)
        assert growing[-1] <= totals.get(id, 0)
    assert "yesterday" not in totals


def test_views_fade_over_months_with_days_without_any() -> None:
    ages = [
        [
            (day - TODAY).days
            for day, _ in days_of(
                str(video), datetime.combine(TODAY, time(12), ZONE).timestamp(), TODAY, TODAY + timedelta(days=400)
            )
        ]
        for video in range(100)
    ]
    assert all(seen[:10] == list(range(10)) for seen in ages)
    assert 150 < max(seen[-1] for seen in ages) < 217
    assert any(later - earlier > 1 for seen in ages for earlier, later in pairwise(seen))


def test_reports_arrive_at_what_the_data_api_counts(at: Channel) -> None:
    """It counts up to the moment, they come days later."""
    midnight = datetime.combine(TODAY + timedelta(days=1), time.min, ZONE).timestamp()
    for id, age in AGES_DAYS.items():
        query = {"filters": f"video=={id}", "metrics": "views,likes,comments"}
        (early,) = at.rows(**query) or [[0, 0, 0]]
        counts = [int(at.statistics(id)[name]) for name in COUNTS]
        assert all(reported <= counted for reported, counted in zip(early, counts, strict=True))
        assert age > DELAY.days or early[0] == 0 < counts[0], "only the Data API knows it yet"
        at.network.skew_seconds += DELAY.total_seconds()
        (whole,) = at.rows(**query, endDate=TODAY.isoformat())
        at.network.skew_seconds -= DELAY.total_seconds()
        since = at.now.timestamp() - age * 86400
        assert statistics(id, since, midnight) == dict(zip(COUNTS, map(str, whole), strict=True))
    assert at.statistics("private") == dict.fromkeys(COUNTS, "0")


def test_the_data_apis_counts_grow_by_the_hour(channel: Channel) -> None:
    moment = channel.now.timestamp()
    views = [int(statistics("june", moment, moment + 3600 * hours)["viewCount"]) for hours in range(72)]
    assert views[0] == 0
    assert views == sorted(views)
    assert len(set(views)) > 48


def test_a_video_has_its_audience_from_the_moment_it_is_public(at: Channel) -> None:
    video = at.fake.videos["private"]
    moment = at.now.timestamp()
    timed = datetime.fromtimestamp(moment + 3600, UTC).isoformat()
    video.set_status({**STATUS_DEFAULTS, "privacyStatus": "private", "publishAt": timed}, moment)
    assert video.public_since is None
    video.set_status({**STATUS_DEFAULTS}, moment + 7200)
    assert video.public_since == moment + 3600, "nobody looked in the meantime"
    video.set_status({**STATUS_DEFAULTS, "privacyStatus": "private"}, moment + 8000)
    video.set_status({**STATUS_DEFAULTS}, moment + 9000)
    assert video.public_since == moment + 3600, "what it had, it keeps"


def test_what_is_published_through_the_data_api_is_reported(at: Channel) -> None:
    video = {"snippet": {"title": "Am Meer"}, "status": {"privacyStatus": "private"}}
    begun = at.data_api(
        "POST", "/upload/youtube/v3/videos?uploadType=resumable&part=snippet,status", json=video,
        headers={"X-Upload-Content-Length": "5", "X-Upload-Content-Type": "video/mp4"},
    )  # fmt: skip
    session = begun.headers["Location"].removeprefix("https://www.googleapis.com")
    made = at.data_api("PUT", session, headers={"Content-Range": "bytes 0-4/5"}, content=b"VIDEO").json()
    at.network.skew_seconds += 2 * 86400
    change = {"id": made["id"], "status": {"privacyStatus": "public"}}
    assert at.data_api("PUT", "/youtube/v3/videos?part=status", json=change).status_code == 200
    at.network.skew_seconds += 4 * 86400
    days = at.rows(dimensions="day", filters=f"video=={made['id']}")
    assert [day for day, _ in days] == [(TODAY + timedelta(days=after)).isoformat() for after in (2, 3)]
